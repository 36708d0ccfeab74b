package main

import (
	"encoding/json"
	"io"
	"runtime/debug"

	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/vpx"
	"github.com/mainforte/mainforte/internal/wire"
)

// What a program that many people trust goes by is compiled in before it is
// signed, or said by the person. It looks for nothing behind its end, in its
// signature, in a file beside it, in the registry or in the environment: whoever
// changes those leaves the signature whole (P17).
var (
	// organisationServer is the one help desk that an organisation's build calls:
	// -ldflags "-X main.organisationServer=help.example.org".
	organisationServer = ""
	// version is that of a release: -ldflags "-X main.version=1.2.3".
	version = ""
)

// setting is one thing that the program goes by.
type setting struct {
	Value  string `json:"value"`
	Source string `json:"source"`
}

// Where settings come from.
const (
	compiledIn = "compiled in"
	fromName   = "file name (hint)" // shown to the person, who decides
	typed      = "typed"
	fromSystem = "system"
	notYet     = "asked for"
)

// configuration is all that the program goes by before it talks to anybody.
type configuration struct {
	Version  string  `json:"version"`
	Protocol string  `json:"protocol"`
	Video    bool    `json:"video"`
	Server   setting `json:"server"`
	Lang     setting `json:"lang"`
	CA       setting `json:"ca"`
}

// configuration is what is in force for a program of this file name.
func (o *options) configuration(file string) configuration {
	c := configuration{
		Version: versionText(), Protocol: wire.Protocol, Video: vpx.Built,
		Server: setting{hint(file), fromName}, Lang: setting{o.lang, fromSystem}, CA: setting{o.ca, typed},
	}
	switch {
	case organisationServer != "":
		c.Server = setting{o.server.Host, compiledIn}
	case o.server != nil:
		c.Server = setting{o.server.Host, typed}
	case c.Server.Value == "":
		c.Server.Source = notYet
	}
	if o.langTyped {
		c.Lang.Source = typed
	}
	if o.ca == "" {
		c.CA.Source = fromSystem
	}
	return c
}

func (c configuration) write(to io.Writer) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(c)
}

// hint is the server that the file's name speaks of; an organisation's build does
// not listen to its name.
func hint(file string) string {
	if organisationServer != "" {
		return ""
	}
	return session.ServerFromFileName(file)
}

// versionText is the version, or what the build knows of itself.
func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
