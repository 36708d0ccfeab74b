package pages

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/gohost"
	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/viewer"
	"github.com/mainforte/mainforte/web"
)

const (
	soon     = 10 * time.Second
	password = "correct horse battery staple"
)

func TestEveryPageInEveryState(t *testing.T) {
	if !viewer.Built() || !web.Built() {
		t.Fatal("the front end is not built; run `task build:web` first")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	t.Cleanup(cancel)
	axe := readAxe(t)
	shots := artefacts(ctx, t)
	programs, err := stage.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for lang, list := range screens {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			w := newHouse(ctx, t, programs.Signaling, lang)
			l := &looker{t: t, b: w.browser, lang: lang, screens: list, axe: axe, shots: shots}
			w.person(l)
			w.words(l)
			w.technician(l)
			if list := sessionScreens[lang]; len(list) > 0 {
				w.inSession(&looker{t: t, b: w.browser, lang: lang, screens: list, axe: axe, shots: shots, heard: l.heard, n: 100}, programs.Host)
			}
			w.leave()
			w.auditor(l)
			w.supervisor(l)
			w.admin(l)
		})
	}
}

// TestALookFindsTrouble: on a page that has every kind.
func TestALookFindsTrouble(t *testing.T) {
	b, err := stage.StartBrowser(t.Context(), stage.BrowserOptions{Width: 400, Height: 400})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if _, err := stage.Eval[bool](b, readAxe(t)+"\n;true"); err != nil {
		t.Fatal(err)
	}
	for what, page := range map[string]string{
		"":                                `<p>All is well</p>`,
		"the page is":                     `<div style="width: 900px">wide</div>`,
		"ends at":                         `<div style="width: 900px">wide</div>`,
		"button End ends at":              `<div style="width: 100%; overflow: hidden; white-space: nowrap"><div style="display: inline-block; width: 500px"></div><button>End</button></div>`,
		"is cut":                          `<p style="width: 40px; overflow: hidden; white-space: nowrap">cut in the middle</p>`,
		"is to be scrolled sideways":      `<div style="width: 40px; overflow: auto; white-space: nowrap">cut in the middle</div>`,
		"hole: 3 of undefined":            `<p>3 of undefined</p>`,
		"hole: of {n}":                    `<p>of {n}</p>`,
		"axe button-name: button":         `<button></button>`,
		"axe color-contrast: p":           `<p style="color: #aaa; background: #fff">pale</p>`,
		"axe label: input":                `<input>`,
		"axe aria-required-attr: #slider": `<div id="slider" role="slider" tabindex="0" aria-label="a"></div>`,
	} {
		if _, err := stage.Eval[bool](b, `(document.documentElement.lang = "en", document.title = "Test", document.body.innerHTML = `+quoted("<main>"+page+"</main>")+`, true)`); err != nil {
			t.Fatal(err)
		}
		found, err := stage.Eval[trouble](b, look)
		if err != nil {
			t.Fatal(err)
		}
		all := slices.Concat(found.Wide, found.Holes, found.Axe)
		if what == "" && len(all) > 0 || !slices.ContainsFunc(append(all, ""), func(s string) bool { return strings.Contains(s, what) }) {
			t.Errorf("of %s it tells %q", page, all)
		}
	}
}

func readAxe(t *testing.T) string {
	t.Helper()
	root, err := stage.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	axe, err := os.ReadFile(filepath.Join(root, "web/node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Fatalf("%v: run `task npm` first", err)
	}
	return string(axe)
}

// house is a server with people in it.
type house struct {
	t       *testing.T
	ctx     context.Context
	server  *stage.Server
	data    string // folder
	browser *stage.Browser
	cookie  string // the technician's
	ticket  string
}

// opened is a server of its own for one test that may take so long, and the folder for
// its pictures.
func opened(t *testing.T, limit time.Duration, lang string) (w *house, shots string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	program, err := stage.BuildServer(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return newHouse(ctx, t, program, lang), artefacts(ctx, t)
}

// artefacts is the folder for pictures to look at: MAINFORTE_ARTEFACTS, or that of the tree.
func artefacts(ctx context.Context, t *testing.T) string {
	t.Helper()
	shots := os.Getenv("MAINFORTE_ARTEFACTS")
	if shots == "" {
		root, err := stage.Root(ctx)
		if err != nil {
			t.Fatal(err)
		}
		shots = filepath.Join(root, "artefacts")
	}
	if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	return shots
}

func newHouse(ctx context.Context, t *testing.T, program, lang string) *house {
	t.Helper()
	w := &house{t: t, ctx: ctx, data: filepath.Join(t.TempDir(), "data")}
	addr, err := stage.FreeAddr()
	w.must(err)
	downloads := t.TempDir()
	for _, name := range []string{"mainforte-host-linux-amd64", "mainforte-host-windows-amd64.exe"} {
		w.must(os.WriteFile(filepath.Join(downloads, name), make([]byte, 12_000_000), 0o644))
	}
	w.server, err = stage.StartServer(ctx, program, addr, w.data,
		"--organisation", `Hôpital <b>Sainte-Anne</b> & Fils`, "--downloads", downloads)
	w.must(err)
	t.Cleanup(func() { _ = w.server.Stop() })
	w.browser, err = stage.StartBrowser(ctx, stage.BrowserOptions{Lang: lang + "-CA"})
	w.must(err)
	t.Cleanup(w.browser.Close)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("server:\n%s", w.server.Out)
		}
	})
	return w
}

func (w *house) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// join makes an account by a one-time link and returns its cookie.
func (w *house) join(role, name string) string {
	w.t.Helper()
	link, err := w.server.Link(w.ctx, role)
	w.must(err)
	jar, err := cookiejar.New(nil)
	w.must(err)
	body := fmt.Sprintf(`{"token":%s,"name":%s,"password":%q}`, quoted(link[strings.LastIndex(link, "/")+1:]), quoted(name), password)
	resp, err := (&http.Client{Jar: jar}).Post(w.server.URL+"/api/v1/signin/link", "application/json", strings.NewReader(body))
	w.must(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("no account for %s: %s", role, resp.Status)
	}
	u, err := url.Parse(w.server.URL)
	w.must(err)
	var cookies []string
	for _, c := range jar.Cookies(u) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	return strings.Join(cookies, "; ")
}

// as makes an account and comes to a page with it.
func (w *house) as(role, name, page string) {
	w.t.Helper()
	w.join(role, name)
	w.goTo("/signin?next=" + url.QueryEscape(page))
	w.enter(name)
}

// enter signs in with the browser, by the form.
func (w *house) enter(name string) {
	w.t.Helper()
	w.must(w.browser.WaitFor(soon, "#name"))
	w.must(w.browser.Fill("#name", name))
	w.must(w.browser.Fill("#password", password))
	w.must(w.browser.Click("#submit"))
}

func (w *house) goTo(path string) {
	w.t.Helper()
	w.must(w.browser.Goto(w.server.URL + path))
}

func (w *house) click(selector string) {
	w.t.Helper()
	w.must(w.browser.WaitFor(soon, selector))
	w.must(w.browser.Click(selector))
}

func (w *house) wait(selector string) {
	w.t.Helper()
	w.must(w.browser.WaitFor(soon, selector))
}

// post calls the API as the page does.
func (w *house) post(path, body string) string {
	w.t.Helper()
	out, err := stage.Eval[string](w.browser, fmt.Sprintf(
		`fetch(%q, {method: "POST", headers: {"Content-Type": "application/json"}, body: %s}).then(async (r) => { const b = await r.text(); if (!r.ok) throw new Error(r.status + " " + b); return b })`,
		path, quoted(body)))
	w.must(err)
	return out
}

// person looks at what people see who need help.
func (w *house) person(l *looker) {
	w.goTo("/")
	w.light("landing")
	l.see("landing")
	w.goTo("/help/none")
	l.see("old-help-link")
	w.goTo("/wait")
	l.see("wait")
	w.must(w.browser.Fill("#name", hostile))
	w.must(w.browser.Fill("#trouble", hostile))
	w.must(w.browser.Fill("#phone", "call me"))
	w.click("#wait")
	w.wait("#problem")
	l.see("wait-again")
	w.must(w.browser.Fill("#phone", ""))
	w.click("#wait")
	w.wait("#state")
	l.see("waiting")
	w.goTo("/nowhere")
	l.see("no-such-page")
	w.goTo("/receipt")
	w.wait("#receipt-file")
	l.see("receipt-without-link")
	w.goTo("/receipt#none")
	w.must(w.browser.Wait(soon, `document.querySelector("main")?.innerText.length > 40`))
	l.see("receipt-of-nothing")
}

// technician looks at the sign-in and the console.
func (w *house) technician(l *looker) {
	name := "Zoë " + strings.Repeat("W", 40)
	w.cookie = w.join("technician", name)
	w.goTo("/signin")
	w.wait("#name")
	w.light("sign-in")
	l.see("sign-in")
	w.click("#submit")
	w.wait("#name-missing")
	l.see("sign-in-empty")
	w.must(w.browser.Fill("#name", "nobody"))
	w.must(w.browser.Fill("#password", "not the password"))
	w.click("#submit")
	w.wait("#trouble")
	l.see("sign-in-wrong")
	w.goTo("/signin/none")
	w.wait("#gone")
	l.see("link-gone")
	link, err := w.server.Link(w.ctx, "technician")
	w.must(err)
	w.must(w.browser.Goto(link))
	w.wait("#use-link")
	w.must(w.browser.Fill("#password", "short"))
	l.see("link")

	w.goTo("/signin")
	w.enter(name)
	w.wait("#new-ticket")
	l.see("console-empty")
	w.click("#new-ticket")
	w.wait("#new-ticket-dialog")
	w.click("#create-ticket")
	w.wait("#subject-trouble")
	l.see("new-ticket-empty")
	w.must(w.browser.Keys("\x1b"))
	for _, lang := range []string{"en", "fr"} {
		made := w.post("/api/v1/tickets", fmt.Sprintf(`{"subject":%s,"requester":%s,"lang":%q}`, quoted(cut(hostile, 190)), quoted(cut(hostile, 90)), lang))
		_, rest, _ := strings.Cut(made, `"id":"`)
		w.ticket, _, _ = strings.Cut(rest, `"`)
	}
	w.goTo("/console")
	w.wait("#tickets a")
	w.light("console")
	l.see("console")
	w.click("#tickets a")
	w.wait("#start-session")
	l.see("ticket")
	w.must(w.browser.Fill("#note-text", hostile))
	w.click("#create-note, #add-note")
	w.must(w.browser.Wait(soon, `document.body.innerText.includes("onerror=")`))
	l.see("ticket-with-a-note")
	w.click("#send-link")
	w.wait("#send-link-dialog")
	l.see("send-link")
	w.must(w.browser.Keys("\x1b"))
	w.click("#start-session")
	w.wait("#code")
	l.see("code")
	w.must(w.browser.Fill("#code", "000 000 000"))
	w.must(w.browser.Keys("\r"))
	w.must(w.browser.Wait(soon, stage.Element("#code-error")+` !== null`))
	l.see("code-wrong")
	w.goTo("/console")
	w.click("#keys")
	w.wait("#keys-dialog")
	l.see("keys")
	w.must(w.browser.Keys("\x1b"))
	session := w.aSession()
	w.receipt(l, session)
	w.ticketWork(l)
	w.goTo("/console?ticket=" + url.QueryEscape(w.ticket))
	w.wait("#sessions-title")
	l.see("ticket-after-a-session")
	w.click("#close-ticket")
	w.wait("#reopen-ticket")
	l.see("ticket-closed")
	w.goTo("/account")
	w.wait("#app-begin")
	w.light("account")
	l.see("account")
	w.click("#app-begin")
	w.wait("#app-secret")
	l.see("account-app")
}

// auditor looks at the log.
func (w *house) auditor(l *looker) {
	w.as("auditor", "Auditrice", "/audit")
	w.wait("#sessions")
	w.light("sessions")
	w.must(w.browser.Fill("#session-search", w.ticket)) // one of the session's names
	w.click("#filter-keep")
	w.must(w.browser.Fill("#filter-name", cut(hostile, 40)))
	w.click("#filter-save")
	w.wait("#kept li")
	l.see("sessions")
	w.click("#sessions a, #sessions button")
	w.wait("#events")
	l.see("events")
	w.click("#proof summary, #run-proof")
	w.must(w.browser.Wait(2*soon, stage.Element("#verdict")+` !== null`))
	l.see("proof")
	w.must(w.browser.Goto(w.server.URL + "/audit"))
	w.must(w.browser.WaitFor(soon, "#session-search"))
	w.must(w.browser.Fill("#session-search", "no such session"))
	w.must(w.browser.Keys("\r"))
	w.must(w.browser.Wait(soon, `!document.querySelector("#sessions tbody tr, #sessions li")`))
	l.see("nothing-found")
	w.leave()
}

// supervisor looks at who helps whom, and at the figures.
func (w *house) supervisor(l *looker) {
	w.as("supervisor", "Superviseure", "/supervise")
	w.wait("#by-hour svg")
	w.light("supervise")
	l.see("supervise")
	w.click("#outcomes button")
	w.wait("#outcomes table")
	l.see("supervise-table")
	w.liveNow(l)
	w.leave()
}

// admin looks at people, teams and what was changed.
func (w *house) admin(l *looker) {
	w.as("admin", "Administratrice", "/admin")
	w.wait("#people .row")
	w.light("people")
	l.see("people")
	w.click("#invite")
	w.must(w.browser.Fill("#invite-name", cut(hostile, 60)))
	l.see("invite")
	w.click("#make-link")
	w.wait("#one-time")
	l.see("one-time-link")
	w.goTo("/admin")
	w.click("#people .row")
	w.wait("#person-dialog")
	l.see("account-of-another")
	w.click("#close-account")
	w.wait("#confirm")
	l.see("close-account")
	w.goTo("/admin?view=teams")
	w.wait("#new-team")
	l.see("no-teams")
	w.click("#new-team")
	w.click("#save-team")
	l.see("new-team")
	w.must(w.browser.Fill("#team-name", cut(hostile, 60)))
	w.click("#save-team")
	w.wait("[data-team]")
	l.see("teams")
	w.goTo("/admin?view=desks")
	w.wait("#desks")
	l.see("no-desks")
	w.click("#new-desk")
	w.click("#save-desk")
	l.see("new-desk")
	w.must(w.browser.Fill("#desk-name", "rt-"+strings.Repeat("w", 29)))
	w.must(w.browser.Fill("#desk-url", "https://"+strings.Repeat("w", 60)+".invalid/"+strings.Repeat("w", 200)))
	w.must(w.browser.Fill("#desk-token", "x"))
	w.click("#check-desk")
	w.wait(`#desk-found [data-check="CHECK_NAME"]`)
	l.see("desk-checked")
	w.click("#save-desk")
	w.wait(`[data-desk][data-state="bad"]`)
	l.see("desks")
	w.click("[data-change]")
	w.wait("#remove-desk")
	w.click("#remove-desk")
	w.wait("#confirm")
	l.see("remove-desk")
	w.goTo("/admin?view=rules")
	w.wait("#rules-form")
	w.click(`[data-preset="hospital"]`)
	l.see("rules")
	w.goTo("/admin?view=brand")
	w.wait("#brand-form")
	w.must(w.browser.Fill("#brand-sentence", hostile))
	w.click("#save-brand")
	l.see("brand")
	w.goTo("/admin?view=changes")
	w.wait("#changes [data-type]")
	l.see("changes")
	w.leave()
}

// leave signs out without the page.
func (w *house) leave() {
	w.t.Helper()
	w.post("/api/v1/signout", "{}")
}

// aSession has one with hostile words in its log, and returns its id.
func (w *house) aSession() string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
	defer cancel()
	h, v := w.open(ctx)
	for _, e := range []gohost.Event{
		{Type: "consent.granted", Data: map[string]any{"grant": "view"}},
		{Type: "file.received", Data: map[string]any{"way": "in", "participant": "1", "transfer": 1, "size": 123456789, "sha256": strings.Repeat("ab", 32)}, Personal: map[string]any{"name": hostile}},
		{Type: "chat.line", Data: map[string]any{"part": 1, "parts": 1, "noted": true}, Personal: map[string]any{"text": hostile}},
		{Type: "consent.revoked", Data: map[string]any{"grant": "view", "by": "person"}},
	} {
		w.must(h.Write(ctx, e))
	}
	w.must(h.End(ctx, mfpb.Reason_REASON_PERSON_STOPPED))
	_ = v.Close()
	return h.Session
}

// cut is the first n characters of a text, not bytes.
func cut(s string, n int) string {
	r := []rune(s)
	return string(r[:min(n, len(r))])
}
