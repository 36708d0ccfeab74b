package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Systems that a [Download] can be for, in the order in which they are listed.
const (
	Windows = "windows"
	MacOS   = "macos"
	Linux   = "linux"
)

// Systems that there is no host for; [DetectOS] tells them apart so that the
// page can say what to do.
const (
	Android = "android"
	IOS     = "ios"
)

// Download is one host binary that the server offers.
type Download struct {
	OS   string // Windows, MacOS or Linux
	Name string // the name that the browser saves it under, as the person sees it
	Size int64  // bytes
	File string // last part of its address: /download/{File}
}

// LandingData is what the landing page says about this server.
type LandingData struct {
	Lang       string // "en" or "fr"; anything else is English
	Brand      Brand
	PublicHost string // the name that the host shows in large letters
	UserAgent  string // of the request; decides which download comes first
	Ticket     string // number of the ticket that a link was made for; may be empty
	Sentence   string // of the help desk, in that language; may be empty
	Wait       string // where to wait for a technician, a path; empty: nowhere
	Downloads  []Download
}

// Landing writes the page for the person who needs help.
func Landing(w io.Writer, d LandingData) error {
	lang := known(d.Lang)
	os := DetectOS(d.UserAgent)
	v := landingView{LandingData: d, OS: os, Phone: os == Android || os == IOS}
	v.Lang = lang
	for _, sys := range []string{Windows, MacOS, Linux} {
		for _, o := range offers(sys, d.Downloads) {
			if sys == os && v.Mine == nil {
				v.Mine = &o
			} else {
				v.Others = append(v.Others, o)
			}
		}
	}
	return render(w, lang, "landing.html", v)
}

// offer is a download as the page shows it.
type offer struct {
	Download
	Label string // what tells it from the others
}

// offers are the downloads for one system. Several differ by their processor,
// which their files' names tell; the one most computers run comes first.
func offers(sys string, all []Download) []offer {
	var out []offer
	for _, d := range all {
		if d.OS == sys {
			out = append(out, offer{d, d.Name})
		}
	}
	if len(out) > 1 {
		for i := range out {
			out[i].Label = out[i].File
		}
		slices.SortStableFunc(out, func(a, b offer) int {
			return strings.Compare(a.processor(), b.processor())
		})
	}
	return out
}

// processor orders downloads: "" for the usual one.
func (o offer) processor() string {
	if strings.Contains(o.File, "amd64") || strings.Contains(o.File, "x86_64") {
		return ""
	}
	return o.File
}

type landingView struct {
	LandingData
	OS     string // what the person seems to use, or ""
	Phone  bool
	Mine   *offer // for OS
	Others []offer
}

// Systems are those that there is a download for, the person's own first.
func (v landingView) Systems() []systemView {
	var out []systemView
	if v.Mine != nil {
		out = append(out, systemView{OS: v.Mine.OS, Name: v.Mine.Name, Mine: true})
	}
	for _, o := range v.Others {
		if !slices.ContainsFunc(out, func(s systemView) bool { return s.OS == o.OS }) {
			out = append(out, systemView{OS: o.OS, Name: o.Name})
		}
	}
	return out
}

type systemView struct {
	OS   string
	Name string
	Mine bool
}

// Error writes the page for an HTTP status: 403 and 404 in their own words,
// every other one in general words. It does not set the status.
func Error(w io.Writer, lang string, b Brand, status int) error {
	kind := "other"
	switch status {
	case http.StatusForbidden, http.StatusNotFound:
		kind = strconv.Itoa(status)
	}
	return render(w, known(lang), "error.html", errorView{Lang: known(lang), Brand: b, Status: status, Kind: kind})
}

// OldLink writes the page for a link of a ticket that is too old. Serve it with
// status 410.
func OldLink(w io.Writer, lang string, b Brand, ticket string) error {
	return render(w, known(lang), "old.html", struct {
		Lang   string
		Brand  Brand
		Ticket string
	}{known(lang), b, ticket})
}

// Outcomes of a [LaunchData].
const (
	LaunchReady    = "ready"     // with Ticket
	LaunchClosed   = "closed"    // with Ticket
	LaunchBad      = "bad"       // the address is no proper one
	LaunchNoDesk   = "no_desk"   // with Name
	LaunchNoTicket = "no_ticket" // with Name
	LaunchAway     = "away"      // the desk does not answer
	LaunchRefused  = "refused"   // it does not let us in
)

// LaunchData is what a technician who comes from a service desk is shown before
// anything starts. All text of a ticket, and Name, is hostile.
type LaunchData struct {
	Lang    string
	Brand   Brand
	Outcome string
	Ticket  *LaunchTicket
	Name    string // what was asked for and is not there
	Again   string // this page's own address
	Start   string // of the console, with the code field
	Open    string // of the console, with the ticket
}

// LaunchTicket is the ticket in a LaunchData.
type LaunchTicket struct {
	Desk                       string // whose it is; empty: the embedded desk's
	Number, Subject, Requester string
	Lang                       string // "en" or "fr"
	URL                        string // of its page in the desk, or empty
	Remembered                 bool   // the desk does not answer; see tickets.Ticket
}

// Launch writes the page between a service desk and the console.
func Launch(w io.Writer, d LaunchData) error {
	d.Lang = known(d.Lang)
	return render(w, d.Lang, "launch.html", d)
}

// NotBuilt writes the page that stands in for the front end until it is built;
// it names the command that does so. Serve it with status 503.
func NotBuilt(w io.Writer, lang string, b Brand) error {
	return render(w, known(lang), "error.html", errorView{Lang: known(lang), Brand: b, Kind: "not_built"})
}

type errorView struct {
	Lang   string
	Brand  Brand
	Status int // 0: none is shown
	Kind   string
}

// DetectOS tells the system from a User-Agent: one of the constants above, or
// "" when it says nothing that can be relied on. It only chooses what comes
// first on a page that lists everything.
func DetectOS(userAgent string) string {
	ua := strings.ToLower(userAgent)
	for _, m := range []struct{ has, os string }{
		// Order matters: Android says Linux too, and a Windows phone said Android.
		{"android", Android},
		{"iphone", IOS},
		{"ipad", IOS},
		{"windows", Windows},
		{"macintosh", MacOS},
		{"cros", ""}, // ChromeOS: there is no host for it
		{"linux", Linux},
		{"x11", Linux},
	} {
		if strings.Contains(ua, m.has) {
			return m.os
		}
	}
	return ""
}

// What a real technician never asks for.
var never = []string{"landing.never.password", "landing.never.money", "landing.never.bank", "landing.never.secret"}

// templates by language: the text function is bound to one when parsing.
var templates = func() map[string]*template.Template {
	m := map[string]*template.Template{}
	for _, lang := range Langs() {
		m[lang] = template.Must(template.New("").Funcs(template.FuncMap{
			"t":      catalogues[lang].text,
			"asset":  assetURL,
			"called": func(b Brand) (string, error) { return b.Called(lang) },
			"size":   func(n int64) (string, error) { return size(lang, n) },
			"never":  func() []string { return never },
		}).ParseFS(templateFiles, "templates/*.html"))
	}
	return m
}()

// render fills a template in whole before anything is written, so that an
// error never leaves half a page.
func render(w io.Writer, lang, name string, data any) error {
	var b bytes.Buffer
	if err := templates[lang].ExecuteTemplate(&b, name, data); err != nil {
		return fmt.Errorf("web: %s: %w", name, err)
	}
	_, err := b.WriteTo(w)
	return err
}

// size in words: decimal units, as file managers and browsers show them.
func size(lang string, n int64) (string, error) {
	v, key := float64(n)/1e6, "size.mb"
	if n < 1e6 {
		v, key = float64(n)/1e3, "size.kb"
	}
	s := strconv.FormatFloat(v, 'f', 1, 64)
	if lang == "fr" {
		s = strings.Replace(s, ".", ",", 1)
	}
	return catalogues[lang].text(key, "n", s)
}
