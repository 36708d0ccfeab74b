package pages

import (
	"io/fs"
	"path"
	"regexp"
	"testing"

	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/viewer"
	"github.com/mainforte/mainforte/web"
)

// What a page may send for before a session opens: bytes of packed JavaScript, and
// scripts. On a line of 2 Mbit/s that is half a second and a bit.
const (
	scriptBudget = 150_000
	scriptsMost  = 16
	// requestsMost bounds what a page asks for until it shows what it is for, itself
	// and the answers of the server included.
	requestsMost = 32
)

var (
	scriptsOfPage   = regexp.MustCompile(`<(?:script[^>]* src|link rel="modulepreload"[^>]* href)="/((?:assets|viewer)/[^"?]+\.js)"`)
	importsOfScript = regexp.MustCompile(`(?:import|from)\s*"\./([\w-]+\.js)"`)
)

func TestPagesAreLight(t *testing.T) {
	if !web.Built() || !viewer.Built() {
		t.Fatal("the front end is not built; run `task build:web` first")
	}
	names, err := web.Names()
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	for _, name := range names {
		if path.Ext(name) != ".html" {
			continue
		}
		pages++
		page, err := fs.ReadFile(web.Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		sent := map[string]int{}
		for _, m := range scriptsOfPage.FindAllSubmatch(page, -1) {
			weigh(t, sent, string(m[1]))
		}
		bytes := 0
		for _, n := range sent {
			bytes += n
		}
		t.Logf("%s: %d scripts, %d bytes", name, len(sent), bytes)
		if len(sent) == 0 || len(sent) > scriptsMost || bytes > scriptBudget {
			t.Errorf("%s sends for %d scripts of %d bytes: %v", name, len(sent), bytes, sent)
		}
	}
	if pages == 0 {
		t.Error("there are no pages")
	}
}

// light demands that a page that has just come asked for little.
func (w *house) light(page string) {
	w.t.Helper()
	asked, err := stage.Eval[[]string](w.browser, `performance.getEntriesByType("resource").map((e) => new URL(e.name).pathname)`)
	w.must(err)
	w.t.Logf("%s: %d requests", page, len(asked)+1)
	if len(asked)+1 > requestsMost {
		w.t.Errorf("%s asks for %d things: %q", page, len(asked)+1, asked)
	}
}

// weigh adds a script and all that it cannot do without.
func weigh(t *testing.T, sent map[string]int, name string) {
	t.Helper()
	if _, known := sent[name]; known {
		return
	}
	files, rest := web.Files(), name
	if path.Dir(name) == "viewer" {
		files, rest = viewer.Files(), path.Base(name)
	}
	whole, err := fs.ReadFile(files, rest)
	if err != nil {
		t.Fatal(err)
	}
	sent[name] = len(whole)
	if small, err := fs.ReadFile(files, rest+".br"); err == nil {
		sent[name] = len(small)
	} else if len(whole) > 2000 {
		t.Errorf("%s is not packed", name)
	}
	for _, m := range importsOfScript.FindAllSubmatch(whole, -1) {
		weigh(t, sent, path.Join(path.Dir(name), string(m[1])))
	}
}
