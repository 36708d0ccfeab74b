package words

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/web"
)

const (
	soon     = 15 * time.Second
	password = "correct horse battery staple"
	hostile  = `<img src=x onerror=alert(1)> "Éric" & Fils ‮evil‬ 🦜 {technician}`
)

type visit struct {
	t *testing.T
	*stage.Browser
	server *stage.Server
	axe    string
	shot   string
}

func (v *visit) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *visit) click(selector string) {
	v.t.Helper()
	v.must(v.WaitFor(soon, selector))
	v.must(v.Click(selector))
}

func (v *visit) fill(selector, text string) {
	v.t.Helper()
	v.must(v.WaitFor(soon, selector))
	v.must(v.Fill(selector, text))
}

func (v *visit) wait(expr string) {
	v.t.Helper()
	v.must(v.Wait(soon, expr))
}

func (v *visit) text(selector string) string {
	v.t.Helper()
	v.must(v.WaitFor(soon, selector))
	s, err := stage.Eval[string](v.Browser, stage.Element(selector)+".innerText")
	v.must(err)
	return s
}

// ctrl presses a letter with Control held.
func (v *visit) ctrl(code string) {
	v.t.Helper()
	v.must(v.Key(code, strings.ToLower(strings.TrimPrefix(code, "Key")), 2))
}

// enter presses Enter as a keyboard does: what prevents its keydown prevents its character.
func (v *visit) enter() {
	v.t.Helper()
	v.must(v.Key("Enter", "\r", 0))
}

// post calls the API as the page does and returns a member of the answer.
func (v *visit) post(path, body, member string) string {
	v.t.Helper()
	s, err := stage.Eval[string](v.Browser, fmt.Sprintf(
		`fetch(%q, {method: "POST", headers: {"Content-Type": "application/json"}, body: %q}).then(async r => { if (!r.ok) throw new Error(await r.text()); return r.status === 204 ? "" : (await r.json())[%q] })`,
		path, body, member))
	v.must(err)
	return s
}

// look holds the page as it stands to axe, and keeps a picture of it.
func (v *visit) look(name string) {
	v.t.Helper()
	found, err := stage.Eval[[]string](v.Browser, v.axe+`;axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v => v.id + " " + v.nodes.map(n => n.target).join(" | ")))`)
	v.must(err)
	if len(found) > 0 {
		v.t.Errorf("%s: axe finds %q", name, found)
	}
	wide, err := stage.Eval[bool](v.Browser, "document.documentElement.scrollWidth > innerWidth")
	v.must(err)
	if wide {
		v.t.Errorf("%s is wider than the window", name)
	}
	if v.shot != "" {
		_, png, err := v.Screenshot()
		v.must(err)
		v.must(os.WriteFile(filepath.Join(v.shot, name+".png"), png, 0o644))
	}
}

// as signs in with a new account.
func (v *visit) as(ctx context.Context, role, name string) {
	v.t.Helper()
	link, err := v.server.Link(ctx, role)
	v.must(err)
	v.must(v.Goto(link))
	v.fill("#name", name)
	v.fill("#password", password)
	v.click("#submit")
	v.must(v.WaitFor(soon, "#sign-out"))
}

func TestWords(t *testing.T) {
	if !web.Built() {
		t.Fatal("the front end is not built; run `task build:web` first")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	v := &visit{t: t, shot: os.Getenv("MAINFORTE_ARTEFACTS")}
	root, err := stage.Root(ctx)
	v.must(err)
	axe, err := os.ReadFile(filepath.Join(root, "web/node_modules/axe-core/axe.min.js"))
	v.must(err)
	v.axe = string(axe)
	file, err := stage.BuildServer(ctx, t.TempDir())
	v.must(err)
	addr, err := stage.FreeAddr()
	v.must(err)
	v.server, err = stage.StartServer(ctx, file, addr, filepath.Join(t.TempDir(), "data"), "--organisation", "Exemple")
	v.must(err)
	defer func() { _ = v.server.Stop() }()
	v.Browser, err = stage.StartBrowser(ctx, stage.BrowserOptions{Width: 1200, Height: 1000})
	v.must(err)
	defer v.Close()

	v.as(ctx, "technician", "Chloé")
	for _, name := range []string{"Anna", "Zoë", "Boris"} {
		v.post("/api/v1/tickets", fmt.Sprintf(`{"subject":%q,"requester":%q,"lang":"en"}`, "Printer of "+name+" "+hostile, name), "id")
	}
	v.palette()
	for _, line := range v.Console() {
		if strings.Contains(line, "error") || strings.Contains(line, "Refused") {
			t.Errorf("the console says %s", line)
		}
	}
}

// palette finds a ticket, then a command, by keys alone.
func (v *visit) palette() {
	v.t.Helper()
	v.must(v.Goto(v.server.URL + "/console"))
	v.must(v.WaitFor(soon, "#tickets a"))
	v.ctrl("KeyK")
	v.must(v.WaitFor(soon, "#palette-field"))
	v.wait(`document.activeElement.id === "palette-field" && document.querySelectorAll("#palette [role=option]").length > 5`)
	v.look("palette")
	v.must(v.Insert("zoe"))
	v.wait(`document.querySelector("#palette-0")?.innerText.includes("Zoë")`)
	v.look("palette-found")
	v.enter()
	v.wait(`document.querySelector("#ticket-title")?.innerText.startsWith("Printer of Zoë <img") && document.querySelector("#palette") === null`)
	v.ctrl("KeyK")
	v.must(v.WaitFor(soon, "#palette-field"))
	v.must(v.Insert("french"))
	v.wait(`document.querySelector("#palette-field").getAttribute("aria-activedescendant") === "palette-0" && document.querySelectorAll("#palette [role=option]").length === 2`)
	v.enter()
	v.wait(`document.documentElement.lang === "fr"`)
	v.ctrl("KeyK")
	v.must(v.WaitFor(soon, "#palette-field"))
	v.look("palette-fr")
	v.must(v.Insert("Raccourcis clavier"))
	v.wait(`document.querySelectorAll("#palette [role=option]").length === 2`)
	v.enter()
	v.must(v.WaitFor(soon, "#keys-dialog"))
	v.look("keys-fr")
	v.must(v.Keys("\x1b"))
	v.wait(`document.querySelector("dialog") === null`)
	v.click("#open-palette")
	v.must(v.WaitFor(soon, "#palette-field"))
	v.must(v.Keys("\x1b"))
	v.wait(`document.querySelector("dialog") === null && document.activeElement.id === "open-palette"`)
}
