package pages

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/gohost"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// words looks at the page of canned texts and codes, and leaves some of each.
func (w *house) words(l *looker) {
	w.as("supervisor", "Rédactrice", "/words")
	w.wait("#new-code")
	w.must(w.browser.Wait(soon, `document.querySelectorAll(".empty").length === 2`))
	w.light("words")
	l.see("words-empty")
	w.click("#new-text")
	w.click("#save-text")
	w.must(w.browser.Wait(soon, `document.querySelector("#text-name-trouble").innerText !== ""`))
	l.see("text-empty")
	w.must(w.browser.Fill("#text-name", cut(hostile, 80)))
	w.must(w.browser.Fill("#text-body", "{requester}, {number}, {subject}, {date}\n"+hostile))
	l.see("text")
	w.must(w.browser.Fill("#text-body", hostile))
	w.click("#save-text")
	w.wait("#texts [data-text]")
	w.wait("#toast .toast")
	l.see("text-saved")
	w.click("#texts [data-text]")
	w.wait("#remove-text")
	l.see("text-again")
	w.click("#remove-text")
	w.wait("#undo")
	l.see("text-removed")
	w.click("#undo")
	w.wait("#texts [data-text]")
	w.must(w.browser.Fill("#text-search", "nothing like it"))
	w.must(w.browser.Wait(soon, `document.querySelector("#texts") === null`))
	l.see("text-not-found")
	w.click("#new-code")
	w.click("#save-code")
	w.must(w.browser.Wait(soon, `document.querySelector("#code-trouble").innerText !== ""`))
	l.see("code-empty")
	w.must(w.browser.Fill("#code-name", strings.Repeat("W", 40)))
	w.must(w.browser.Fill("#code-en", cut(hostile, 80)))
	w.must(w.browser.Fill("#code-fr", strings.Repeat("W", 80)))
	w.click("#save-code")
	w.wait("#codes [data-code]")
	w.goTo("/words")
	w.wait("#texts [data-text]")
	w.wait("#codes [data-code]")
	l.see("words")
	w.click("#codes [data-code]")
	w.wait("#remove-code")
	l.see("code-again")
	w.must(w.browser.Keys("\x1b"))
	w.leave()
}

// ticketWork looks at what is done with a ticket beside a session: found, given, made
// urgent, closed with a note that is shown first, kept as a solution.
func (w *house) ticketWork(l *looker) {
	w.goTo("/console?ticket=" + url.QueryEscape(w.ticket))
	w.click("#open-palette")
	w.wait("#palette-field")
	l.see("palette")
	w.must(w.browser.Insert("onerror"))
	w.must(w.browser.Wait(soon, `document.querySelector("#palette-0")?.innerText.includes("onerror")`))
	l.see("palette-found")
	w.must(w.browser.Fill("#palette-field", "nothing like it"))
	w.must(w.browser.Wait(soon, `document.querySelector("#palette [role=option]")?.innerText.includes("onerror") !== true`))
	l.see("palette-not-found")
	w.must(w.browser.Keys("\x1b"))
	w.click("#urgency")
	w.wait("#urgency-save")
	w.choose(w.browser, "#urgency-priority", "urgent")
	l.see("urgency")
	w.click("#urgency-save")
	w.wait("#ticket-due [data-priority=urgent]")
	w.click("#hand-over")
	w.wait("#hand-to")
	w.click("#hand-send")
	l.see("hand-over-empty")
	w.must(w.browser.Keys("\x1b"))
	w.click("[data-close-session]")
	w.wait("#closing-text")
	l.see("closing")
	w.click("#closing [data-insert]")
	w.must(w.browser.Wait(soon, `document.querySelector("#phrases [role=option]") !== null`))
	l.see("phrases")
	w.must(w.browser.Key("Enter", "\r", 0))
	w.must(w.browser.Wait(soon, `document.querySelector("#closing-text")?.value.includes("onerror")`))
	w.choose(w.browser, "#closing-resolution", "solved/"+strings.Repeat("W", 40))
	w.click("#preview-closing")
	w.wait("#closing-shown")
	l.see("closing-shown")
	w.click("#write-closing")
	w.wait("[data-promote]")
	l.see("closing-written")
	w.click("[data-promote]")
	w.wait("#save-solution")
	w.must(w.browser.Fill("#solution-asset", cut(hostile, 60)))
	l.see("solution")
	w.click("#save-solution")
	w.wait("#earlier [data-solution]")
	l.see("solution-made")
	w.goTo("/console")
	w.wait("#tickets a")
	w.must(w.browser.Fill("#ticket-search", "nothing like it"))
	w.must(w.browser.Wait(soon, `document.querySelector("#tickets a") === null`))
	l.see("ticket-not-found")
	w.goTo("/launch")
	l.see("launch-of-nothing")
}

// receipt looks at that of a session.
func (w *house) receipt(l *looker, session string) {
	var made struct{ Path string }
	w.must(json.Unmarshal([]byte(w.post("/api/v1/sessions/"+session+"/receipt", "{}")), &made))
	w.goTo(made.Path)
	w.must(w.browser.Wait(soon, `document.querySelector("main")?.innerText.length > 200`))
	l.see("receipt")
}

// liveNow looks at a session that stands, as a supervisor sees it.
func (w *house) liveNow(l *looker) {
	ctx, cancel := context.WithTimeout(w.ctx, 3*time.Minute)
	defer cancel()
	var ticket struct{ ID string }
	w.api(w.cookie, "POST", "/api/v1/tickets", fmt.Sprintf(`{"subject":%s,"requester":%s,"lang":%q}`, quoted(cut(hostile, 190)), quoted(cut(hostile, 90)), l.lang), &ticket)
	w.ticket = ticket.ID
	h, v := w.open(ctx)
	defer func() { _ = v.Close() }()
	w.must(h.Write(ctx, gohost.Event{Type: "consent.granted", Data: map[string]any{"grant": "view"}}))
	w.goTo("/supervise")
	w.wait("[data-live]")
	l.see("supervise-live")
	w.click("[data-end]")
	w.wait("#end-session")
	w.click("#end-session")
	l.see("supervise-end")
	w.must(w.browser.Keys("\x1b"))
}

// open begins a session of the technician.
func (w *house) open(ctx context.Context) (*gohost.Host, *gopeer.Viewer) {
	w.t.Helper()
	h, err := gohost.Wait(ctx, "ws://"+w.server.Addr+"/ws/host", cut(hostile, 60))
	w.must(err)
	line, err := gopeer.Dial(ctx, "ws://"+w.server.Addr+"/ws/viewer", http.Header{"Cookie": {w.cookie}, "Origin": {w.server.URL}}, nil)
	w.must(err)
	paired := make(chan error, 1)
	go func() { paired <- h.Pair(ctx) }()
	v, err := gopeer.Pair(ctx, gopeer.Options{Line: line, Code: h.Code, Ticket: w.ticket})
	w.must(err)
	w.must(<-paired)
	return h, v
}

// choose picks an option, as who uses the page does.
func (w *house) choose(b *stage.Browser, selector, value string) {
	w.t.Helper()
	_, err := stage.Eval[bool](b, fmt.Sprintf(`(s => { s.value = %s; s.dispatchEvent(new Event("change", { bubbles: true })); return true })(document.querySelector(%s))`, quoted(value), quoted(selector)))
	w.must(err)
}
