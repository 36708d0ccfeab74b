package web

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var offered = []Download{
	{OS: Linux, Name: "mainforte", Size: 18_432_100, File: "mainforte-linux-amd64"},
	{OS: Windows, Name: "mainforte.exe", Size: 9_100_000, File: "mainforte-windows-amd64.exe"},
	{OS: MacOS, Name: "mainforte.app.zip", Size: 900_400, File: "mainforte-macos.zip"},
}

const windowsUA = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:150.0) Gecko/20100101 Firefox/150.0"

func landing(t *testing.T, d LandingData) string {
	t.Helper()
	var b bytes.Buffer
	if err := Landing(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func launch(t *testing.T, d LaunchData) string {
	t.Helper()
	var b bytes.Buffer
	if err := Launch(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func errorPage(t *testing.T, lang string, status int) string {
	t.Helper()
	var b bytes.Buffer
	if err := Error(&b, lang, Brand{}, status); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Every page that is written here, in every form it can take.
func everyPage(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, lang := range Langs() {
		for name, ua := range map[string]string{"windows": windowsUA, "phone": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0)", "unknown": ""} {
			pages[lang+" landing "+name] = landing(t, LandingData{Lang: lang, Brand: Brand{Name: "Ville d’Exemple"}, PublicHost: "help.example.org", UserAgent: ua, Wait: "/wait", Downloads: offered})
			pages[lang+" landing without downloads "+name] = landing(t, LandingData{Lang: lang, UserAgent: ua})
		}
		for _, status := range []int{403, 404, 500} {
			pages[lang+" error "+http.StatusText(status)] = errorPage(t, lang, status)
		}
		var b bytes.Buffer
		if err := NotBuilt(&b, lang, Brand{}); err != nil {
			t.Fatal(err)
		}
		pages[lang+" not built"] = b.String()
		for _, organisation := range []string{"", "Ville d’Exemple"} {
			pages[lang+" landing for a ticket "+organisation] = landing(t, LandingData{Lang: lang, Brand: Brand{Name: organisation}, Ticket: "INC0012"})
			b.Reset()
			if err := OldLink(&b, lang, Brand{Name: organisation}, "INC0012"); err != nil {
				t.Fatal(err)
			}
			pages[lang+" old link "+organisation] = b.String()
			for _, problem := range []string{"", WaitSaid, WaitPhone, WaitLimited, WaitFull, WaitGone, WaitLeft} {
				b.Reset()
				if err := Wait(&b, WaitData{Lang: lang, Brand: Brand{Name: organisation}, Ticket: "INC0012", Problem: problem, Name: "Zoë"}); err != nil {
					t.Fatal(err)
				}
				pages[lang+" wait "+problem+organisation] = b.String()
			}
			for name, d := range map[string]WaitingData{"first": {Place: 1, Waiting: 1}, "second": {Place: 2, Waiting: 2}, "third": {Place: 3, Waiting: 9}, "taken": {By: "Zoë", Phone: "1"}, "taken, no telephone": {By: "Zoë"}} {
				d.Lang, d.Brand.Name, d.Token = lang, organisation, "X"
				b.Reset()
				if err := Waiting(&b, d); err != nil {
					t.Fatal(err)
				}
				pages[lang+" waiting "+name+organisation] = b.String()
			}
		}
		for name, d := range everyAppointment() {
			d.Lang = lang
			b.Reset()
			if err := Appointment(&b, d); err != nil {
				t.Fatal(err)
			}
			pages[lang+" appointment "+name] = b.String()
		}
		b.Reset()
		if err := AppointmentOver(&b, lang, Brand{Name: "Ville d’Exemple"}, "INC0012"); err != nil {
			t.Fatal(err)
		}
		pages[lang+" appointment over"] = b.String()
		for _, outcome := range []string{LaunchReady, LaunchClosed, LaunchBad, LaunchNoDesk, LaunchNoTicket, LaunchAway, LaunchRefused} {
			d := LaunchData{Lang: lang, Outcome: outcome, Again: "/launch?system=rt&ticket=7"}
			switch outcome {
			case LaunchReady, LaunchClosed:
				d.Ticket = &LaunchTicket{Desk: "rt", Number: "7", Subject: "Écran noir", Requester: "Zoë", Lang: "fr", Remembered: outcome == LaunchReady}
				d.Start, d.Open = "/console?ticket=rt%3A7&start=1", "/console?ticket=rt%3A7"
			case LaunchNoDesk, LaunchNoTicket:
				d.Name = "rtt"
			}
			pages[lang+" launch "+outcome] = launch(t, d)
		}
	}
	return pages
}

func TestPagesNeedNothingThatThePolicyForbids(t *testing.T) {
	forbidden := regexp.MustCompile(`(?i)<script|\sstyle\s*=|<style|\son[a-z]+\s*=|javascript:|data:|https?://`)
	for name, page := range everyPage(t) {
		page = strings.ReplaceAll(page, `xmlns="http://www.w3.org/2000/svg"`, "")
		if strings.Contains(name, " waiting ") || strings.Contains(name, " appointment ") { // each with a script, ours, which it does without too
			page = regexp.MustCompile(`<script src="/assets/(waiting|when)\.js\?v=[0-9a-f]+" defer></script>`).ReplaceAllString(page, "")
		}
		if m := forbidden.FindString(page); m != "" {
			t.Errorf("%s: holds %q", name, m)
		}
	}
}

func TestEveryAssetThatAPageNamesIsServed(t *testing.T) {
	link := regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`)
	for name, page := range everyPage(t) {
		found := link.FindAllStringSubmatch(page, -1)
		if len(found) < 4 {
			t.Errorf("%s: links %d assets, want its icon and three style sheets", name, len(found))
		}
		for _, m := range found {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Fatal(err)
			}
			if u.Query().Get("v") == "" {
				t.Errorf("%s: %s may be cached for ever, yet does not change with its content", name, m[1])
			}
			if _, err := fs.Stat(Files(), strings.TrimPrefix(u.Path, "/")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestTextsInPagesAreFilledIn(t *testing.T) {
	hole := regexp.MustCompile(`\{[a-z_]+\}`)
	for name, page := range everyPage(t) {
		if m := hole.FindString(page); m != "" {
			t.Errorf("%s: %s was not filled in", name, m)
		}
	}
}

func TestTextInPagesIsEscaped(t *testing.T) {
	evil := `"><script>alert(1)</script>`
	page := landing(t, LandingData{Lang: "en", Brand: Brand{Name: evil}, PublicHost: evil, UserAgent: windowsUA,
		Downloads: []Download{{OS: Windows, Name: evil, Size: 1, File: `../x" onclick="y`}}})
	if strings.Contains(page, "<script") || strings.Contains(page, `onclick="y"`) {
		t.Error("hostile text reached the page as markup")
	}
	for _, page := range []string{
		landing(t, LandingData{Lang: "en", Brand: Brand{Name: evil}, Ticket: evil}),
		launch(t, LaunchData{Outcome: LaunchNoDesk, Name: evil}),
		launch(t, LaunchData{Outcome: LaunchReady, Start: "javascript:alert(1)", Ticket: &LaunchTicket{
			Desk: evil, Number: evil, Subject: evil, Requester: evil, Lang: "en", URL: "javascript:alert(1)"}}),
	} {
		if strings.Contains(page, "<script") || strings.Contains(page, `="javascript:`) {
			t.Errorf("hostile text reached the page as markup: %s", page)
		}
	}
}

func TestLandingOffersTheOwnSystemFirst(t *testing.T) {
	for _, tt := range []struct{ ua, first, open string }{
		{windowsUA, "mainforte-windows-amd64.exe", "Windows"},
		{"Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0", "mainforte-linux-amd64", "Linux"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605", "mainforte-macos.zip", "Mac"},
	} {
		page := landing(t, LandingData{Lang: "en", UserAgent: tt.ua, Downloads: offered, PublicHost: "help.example.org"})
		links := regexp.MustCompile(`href="/download/([^"]+)"`).FindAllStringSubmatch(page, -1)
		if len(links) != len(offered) {
			t.Fatalf("%s: %d downloads are listed, want all %d", tt.ua, len(links), len(offered))
		}
		if links[0][1] != tt.first {
			t.Errorf("%s: offers %s first, want %s", tt.ua, links[0][1], tt.first)
		}
		open := regexp.MustCompile(`<details open>\s*<summary>([^<]+)<`).FindAllStringSubmatch(page, -1)
		if len(open) != 1 || open[0][1] != tt.open {
			t.Errorf("%s: opened instructions are %v, want those for %s alone", tt.ua, open, tt.open)
		}
	}
}

func TestLandingTellsDownloadsForOneSystemApart(t *testing.T) {
	page := landing(t, LandingData{Lang: "en", UserAgent: "X11; Linux aarch64", Downloads: []Download{
		{OS: Linux, Name: "Mainforte", Size: 1, File: "host-linux-arm64"},
		{OS: Linux, Name: "Mainforte", Size: 1, File: "host-linux-amd64"},
	}})
	links := regexp.MustCompile(`href="/download/([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(links) != 2 || links[0][1] != "host-linux-amd64" || strings.Count(page, "button primary") != 1 {
		t.Errorf("downloads %v, want one button for the usual processor, then the other", links)
	}
	for _, label := range []string{">host-linux-arm64 ·", ">host-linux-amd64 ·"} {
		if !strings.Contains(page, label) {
			t.Errorf("the page does not show %q", label)
		}
	}
	if n := strings.Count(page, "<details"); n != 1 {
		t.Errorf("%d instructions for one system", n)
	}
}

func TestLandingSaysWhatToDoWithoutADownload(t *testing.T) {
	en := catalogues["en"]
	for _, tt := range []struct {
		name string
		data LandingData
		want string
	}{
		{"no downloads", LandingData{UserAgent: windowsUA}, en["landing.get.none"]},
		{"none for this system", LandingData{UserAgent: windowsUA, Downloads: offered[:1]}, en["landing.get.not_yours"]},
		{"a phone", LandingData{UserAgent: "Mozilla/5.0 (Linux; Android 16) Mobile", Downloads: offered}, en["landing.get.phone"]},
		{"an unknown system", LandingData{Downloads: offered}, en["landing.get.choose"]},
	} {
		if page := landing(t, tt.data); !strings.Contains(page, tt.want) {
			t.Errorf("%s: the page does not say %q", tt.name, tt.want)
		}
	}
}

func TestLandingWarnsOfScamsBeforeItOffersADownload(t *testing.T) {
	page := landing(t, LandingData{Lang: "en", UserAgent: windowsUA, Downloads: offered})
	warning, offer := strings.Index(page, catalogues["en"]["landing.scam.title"]), strings.Index(page, "/download/")
	if warning < 0 || offer < 0 || warning > offer {
		t.Errorf("warning at %d, first download at %d", warning, offer)
	}
}

func TestPagesAreInTheLanguageAskedFor(t *testing.T) {
	for _, tt := range []struct{ lang, html, heading string }{
		{"en", `<html lang="en">`, catalogues["en"]["landing.heading"]},
		{"fr", `<html lang="fr">`, catalogues["fr"]["landing.heading"]},
		{"de", `<html lang="en">`, catalogues["en"]["landing.heading"]},
		{"", `<html lang="en">`, catalogues["en"]["landing.heading"]},
	} {
		page := landing(t, LandingData{Lang: tt.lang})
		if !strings.Contains(page, tt.html) || !strings.Contains(page, tt.heading) {
			t.Errorf("lang %q: want %s and %q", tt.lang, tt.html, tt.heading)
		}
	}
}

func TestDetectOS(t *testing.T) {
	for ua, want := range map[string]string{
		windowsUA: Windows,
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)":   MacOS,
		"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:150.0)": Linux,
		"Mozilla/5.0 (X11; FreeBSD amd64)":                  Linux,
		"Mozilla/5.0 (Linux; Android 16; Pixel 9)":          Android,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac)": IOS,
		"Mozilla/5.0 (iPad; CPU OS 12_0 like Mac OS X)":     IOS,
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)":          "",
		"curl/8.1": "",
		"":         "",
	} {
		if got := DetectOS(ua); got != want {
			t.Errorf("DetectOS(%q) = %q, want %q", ua, got, want)
		}
	}
}

func TestSizeInWords(t *testing.T) {
	for _, tt := range []struct {
		lang string
		n    int64
		want string
	}{
		{"en", 18_432_100, "18.4 MB"},
		{"fr", 18_432_100, "18,4 Mo"},
		{"en", 900_400, "900.4 kB"},
		{"fr", 0, "0,0 ko"},
	} {
		got, err := size(tt.lang, tt.n)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ReplaceAll(got, "\u00a0", " ") != tt.want {
			t.Errorf("size(%s, %d) = %q, want %q", tt.lang, tt.n, got, tt.want)
		}
	}
}

func TestFilesAreLaidOutAsServed(t *testing.T) {
	for _, name := range []string{"assets/tokens.css", "assets/base.css", "assets/landing.css", "assets/favicon.svg"} {
		if b, err := fs.ReadFile(Files(), name); err != nil || len(b) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	for _, name := range []string{"static/tokens.css", "assets/../web.go", "/assets/tokens.css", "assetstokens.css", "templates/landing.html"} {
		if _, err := Files().Open(name); err == nil {
			t.Errorf("%s can be opened", name)
		}
	}
	if _, err := Files().Open("assets/nothing.css"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that does not exist: %v", err)
	}
	if Built() {
		for _, name := range pages {
			if _, err := fs.Stat(Files(), name); err != nil {
				t.Error(err)
			}
		}
	}
}
