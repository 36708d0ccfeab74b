package words

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/gohost"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/web"
)

const (
	soon     = 15 * time.Second
	password = "correct horse battery staple"
	hostile  = "<img src=x onerror=alert(1)> \"Éric\" & Fils \u202eevil\u202c 🦜 {technician}"
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

// look keeps a picture of the page as it stands, where somebody wants it.
func (v *visit) look(name string) {
	v.t.Helper()
	if v.shot != "" {
		_, png, err := v.Screenshot()
		v.must(err)
		v.must(os.WriteFile(filepath.Join(v.shot, name+".png"), png, 0o644))
	}
}

// check holds it to axe too, and to the width of the window.
func (v *visit) check(name string) {
	v.t.Helper()
	v.look(name)
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
}

// join makes an account by a one-time link and returns its cookie.
func (v *visit) join(ctx context.Context, role, name string) string {
	v.t.Helper()
	link, err := v.server.Link(ctx, role)
	v.must(err)
	body := fmt.Sprintf(`{"token":%q,"name":%q,"password":%q}`, link[strings.LastIndex(link, "/")+1:], name, password)
	resp, err := http.Post(v.server.URL+"/api/v1/signin/link", "application/json", strings.NewReader(body))
	v.must(err)
	resp.Body.Close()
	var cookies []string
	for _, c := range resp.Cookies() {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	return strings.Join(cookies, "; ")
}

// as signs in with the page.
func (v *visit) as(name, next string) {
	v.t.Helper()
	v.must(v.Goto(v.server.URL + "/signin?next=" + url.QueryEscape(next)))
	v.fill("#name", name)
	v.fill("#password", password)
	v.click("#submit")
	v.must(v.WaitFor(soon, "#sign-out"))
}

// session is one that was held for the ticket by the holder of that cookie.
func (v *visit) session(ctx context.Context, cookie, ticket string) string {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	h, err := gohost.Wait(ctx, "ws://"+v.server.Addr+"/ws/host", "Zoë")
	v.must(err)
	line, err := gopeer.Dial(ctx, "ws://"+v.server.Addr+"/ws/viewer", http.Header{"Cookie": {cookie}, "Origin": {v.server.URL}}, nil)
	v.must(err)
	paired := make(chan error, 1)
	go func() { paired <- h.Pair(ctx) }()
	w, err := gopeer.Pair(ctx, gopeer.Options{Line: line, Code: h.Code, Ticket: ticket})
	v.must(err)
	v.must(<-paired)
	v.must(h.End(ctx, mfpb.Reason_REASON_PERSON_STOPPED))
	_ = w.Close()
	return h.Session
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

	chloe := v.join(ctx, "technician", "Chloé")
	v.join(ctx, "supervisor", "Sue")
	v.as("Sue", "/words")
	v.keepsWords()
	v.must(v.Goto(v.server.URL + "/console"))
	v.click("#sign-out")
	v.must(v.WaitFor(soon, "#sign-in"))

	v.as("Chloé", "/console")
	for _, name := range []string{"Anna", "Zoë", "Boris"} {
		v.post("/api/v1/tickets", fmt.Sprintf(`{"subject":%q,"requester":%q,"lang":"en"}`, "Printer of "+name+" "+hostile, name), "id")
	}
	v.palette()
	ticket := v.post("/api/v1/tickets", fmt.Sprintf(`{"subject":%q,"requester":"Zoë {technician}","lang":"fr"}`, "Printer jams "+hostile), "id")
	v.closing(ticket, v.session(ctx, chloe, ticket))
	v.solution(v.post("/api/v1/tickets", `{"subject":"The printer jams again","requester":"Boris","lang":"en"}`, "id"))
	for _, line := range v.Console() {
		if strings.Contains(line, "401") {
			continue // the sign-in that ran out
		}
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
	v.check("palette-found")
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

// keepsWords writes a text and a code, removes the text and takes that back.
func (v *visit) keepsWords() {
	v.t.Helper()
	v.click("#new-text")
	v.click("#save-text")
	v.wait(`document.activeElement.id === "text-name" && document.querySelector("#text-name-trouble").innerText !== ""`)
	v.fill("#text-name", "Greeting "+hostile)
	v.click(`#text-dialog [value="fr"]`)
	v.fill("#text-body", "Bonjour {requester}, voir {number}. {nothing}")
	v.check("text-dialog")
	v.click("#save-text")
	v.wait(`document.querySelector("dialog") === null && document.querySelector("#texts [data-text]")?.innerText.includes("Greeting <img")`)
	v.look("words")
	v.click("#texts [data-text]")
	v.click("#remove-text")
	v.wait(`document.querySelector("#texts") === null && document.querySelector("#undo") !== null`)
	v.click("#undo")
	v.must(v.WaitFor(soon, "#texts [data-text]"))
	v.click("#new-code")
	v.fill("#code-name", "JAM-1")
	v.fill("#code-en", "Paper jam <b>removed")
	v.fill("#code-fr", "Bourrage <b>enlevé")
	v.look("code-dialog")
	v.click("#save-code")
	v.must(v.WaitFor(soon, `[data-code="JAM-1"]`))
	v.wait(`document.querySelector("dialog") === null`)
	v.check("words-with-a-code")
}

// closing writes the closing note of a session that ended: with a canned text and a
// code, with a sign-in that ran out in the middle of it, and shown before it is written.
func (v *visit) closing(ticket, session string) {
	v.t.Helper()
	v.must(v.Goto(v.server.URL + "/console?ticket=" + ticket))
	v.click("[data-close-session]")
	v.must(v.WaitFor(soon, "#closing-text"))
	v.wait(`document.querySelector("#closing-text").value.startsWith("Problème : Printer jams <img")`)
	v.look("closing-begun")
	v.click("#closing [data-insert]")
	v.must(v.WaitFor(soon, "#phrases-field"))
	v.wait(`document.querySelectorAll("#phrases [role=option]").length === 1`)
	v.look("phrases")
	v.must(v.Insert("bonjour"))
	v.wait(`document.querySelectorAll("#phrases [role=option]").length === 1`)
	v.enter()
	v.wait(`document.querySelector("#closing-text").value === "Bonjour Zoë {technician}, voir MF-1004. {nothing}" && document.activeElement.id === "closing-text"`)
	_, err := stage.Eval[bool](v.Browser, `(e => { e.value = "solved/JAM-1"; return e.dispatchEvent(new Event("change", {bubbles: true})) })(document.querySelector("#closing-resolution"))`)
	v.must(err)
	v.click("#preview-closing")
	v.wait(`document.querySelector("#closing-shown")?.innerText.includes("JAM-1, Bourrage <b>enlevé")`)
	v.check("closing-preview")
	shown := v.text("#closing-shown")

	// The sign-in runs out. Nothing typed is lost, not even when the page is loaded again.
	v.post("/api/v1/signout", "{}", "")
	v.click("#write-closing")
	v.must(v.WaitFor(soon, "#closing [data-again]"))
	v.wait(`document.querySelector("#closing-text").value.startsWith("Bonjour Zoë")`)
	v.look("closing-signed-out")
	v.as("Chloé", "/console?ticket="+ticket)
	v.wait(`document.querySelector("#closing-text")?.value.startsWith("Bonjour Zoë") && document.querySelector("#closing-resolution").value === "solved/JAM-1"`)
	v.click("#write-closing")
	v.wait(`[...document.querySelectorAll("[data-note] .text")].some(e => e.innerText === ` + quoted(shown) + `)`)
	v.wait(`sessionStorage.length === 0 && document.querySelector("[data-close-session]") === null`)
	v.look("closed")
}

// solution makes one of the session that was closed, and has it offered with another
// ticket of the same words: inserted by one click, withdrawn, and put back.
func (v *visit) solution(other string) {
	v.t.Helper()
	v.click("[data-promote]")
	v.wait(`document.querySelector("#solution-body")?.value.startsWith("Bonjour Zoë") && document.activeElement.id === "solution-subject"`)
	v.fill("#solution-asset", "HP-400 <b>")
	v.check("solution-dialog")
	v.click("#save-solution")
	v.wait(`document.querySelector("dialog") === null && document.querySelector("[data-promote]") === null && document.querySelectorAll("#earlier [data-solution]").length === 1`)
	v.must(v.Goto(v.server.URL + "/console?ticket=" + other))
	v.click("#earlier summary")
	v.click("#earlier [data-use]")
	v.wait(`document.querySelector("#note-text").value.startsWith("Bonjour Zoë {technician}") && document.activeElement.id === "note-text"`)
	v.check("earlier")
	v.click("#earlier [data-withdraw]")
	v.wait(`document.querySelector("#earlier") === null`)
	v.click("#undo")
	v.must(v.WaitFor(soon, "#earlier [data-solution]"))
	v.wait(`document.querySelector("#note-text").value.startsWith("Bonjour Zoë {technician}")`)
}

// quoted is a text as a script has it.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(b)
}
