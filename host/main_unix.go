//go:build !windows

package main

import (
	"io"
	"os"

	"github.com/mainforte/mainforte/host/ui"
)

// streams are what the app was started with.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func standardStreams() *streams {
	return &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}
}

// heard tells whether somebody may be listening to what is written.
func (s *streams) heard() bool { return true }

// needConsole has nothing to do: the streams are the console.
func (s *streams) needConsole() error { return nil }

func (s *streams) close(int) {}

// systemLang is the language of the system's messages: LC_ALL, then
// LC_MESSAGES, then LANG.
func systemLang() string {
	for _, v := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if s := os.Getenv(v); s != "" {
			return s
		}
	}
	return "en"
}

func openWindow(lang string) (ui.Window, error) {
	w, err := ui.OpenWindow(lang)
	if err != nil {
		return nil, err // a nil *ui.Child would be a window
	}
	return w, nil
}
