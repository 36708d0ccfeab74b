package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/tickets/ticketstest"
)

// rtAPI speaks with RT by a way of its own.
type rtAPI struct {
	t *testing.T
	*ticketstest.RT
}

func (a rtAPI) call(method, path string, in, out any) {
	a.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		a.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.URL+"/REST/2.0/"+path, bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+a.Worker)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		a.t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		a.t.Fatal(err)
	}
}

// comments are the subjects and the texts of a ticket's private notes.
func (a rtAPI) comments(ticket string) (subjects, texts []string) {
	a.t.Helper()
	var history struct{ Items []map[string]any }
	a.call("GET", "ticket/"+ticket+"/history?per_page=100&fields=Type,Data", nil, &history)
	for _, h := range history.Items {
		if h["Type"] == "Correspond" {
			a.t.Errorf("a reply that the requester reads: %v", h)
		}
		if h["Type"] != "Comment" {
			continue
		}
		subjects = append(subjects, strings.TrimSpace(fmt.Sprint(h["Data"])))
		var parts struct{ Items []struct{ ID string } }
		a.call("GET", "transaction/"+h["id"].(string)+"/attachments?per_page=100", nil, &parts)
		var text string
		for _, p := range parts.Items {
			var part struct{ ContentType, Content string }
			a.call("GET", "attachment/"+p.ID, nil, &part)
			if strings.HasPrefix(part.ContentType, "text/") {
				b, err := base64.StdEncoding.DecodeString(part.Content)
				if err != nil {
					a.t.Error(err)
				}
				text += tickets.Text(string(b))
			}
		}
		texts = append(texts, text)
	}
	return subjects, texts
}

// paletteInASession opens the palette from the toolbar of a live session: it offers the
// buttons of that toolbar, and presses the one that is chosen.
func (w *world) paletteInASession() {
	w.t.Helper()
	_, err := stage.Eval[bool](w.browser, `(() => { const r = document.querySelector("remote-session").shadowRoot; r.querySelector("#show-details").focus(); return true })()`)
	w.must(err)
	w.must(w.browser.Key("KeyK", "k", 2))
	w.must(w.browser.WaitFor(10*time.Second, "#palette-field"))
	w.must(w.browser.Wait(10*time.Second, `document.querySelector("#palette [role=group]").querySelectorAll("[role=option]").length > 3`))
	w.shot("palette")
	w.must(w.browser.Insert("Details"))
	w.must(w.browser.Key("Enter", "\r", 0))
	w.must(w.browser.WaitFor(10*time.Second, "#details"))
	w.must(w.browser.Wait(10*time.Second, `document.querySelector("dialog") === null`))
}

// TestASessionOfARequestTrackerTicket is the main job with the tickets where they
// are: a ticket of a real RT is found in the console, helped with, and has the
// summary and the closing note, each once, in its requester's language. Then RT
// goes away: what is remembered lets another session begin, and its note waits
// where a supervisor sees it.
func TestASessionOfARequestTrackerTicket(t *testing.T) {
	rt, err := ticketstest.StartRT()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.Stop)
	a := rtAPI{t, rt}
	var made struct{ ID json.Number }
	a.call("POST", "ticket", map[string]any{"Queue": "General", "Subject": "L’imprimante du 3e est bloquée", "Requestor": "zoe@example.test"}, &made)
	number := made.ID.String()

	dir := t.TempDir()
	for name, text := range map[string]string{
		"rt.token": a.Worker,
		"desks.json": fmt.Sprintf(`{"desks": [{"name": "rt", "system": "rt", "url": %q, "token": {"file": "rt.token"}, "timeout": "10s"}],
 "policy": {"desk": "rt", "offline": "allow"}}`, a.URL),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The person reads English, the requester of the ticket French.
	w := newWorldServed(t, "en", 5*time.Minute, screenWidth, screenHeight, []string{"--desks", filepath.Join(dir, "desks.json")})
	w.signIn(w.browser, "technician", "Anaïs Tremblay")
	w.must(w.browser.Wait(10*time.Second, stage.Element("#desk-choice")+`?.value === "rt"`))
	w.shot("desk")
	w.must(w.browser.Fill("#ticket-search", "imprimante"))
	w.must(w.browser.WaitFor(20*time.Second, "#tickets a"))
	w.shot("found")
	w.must(w.browser.Keys("\r")) // the one that was found
	w.must(w.browser.WaitFor(20*time.Second, "#start-session"))
	w.must(w.browser.WaitFor(time.Second, "#desk-page"))
	w.shot("ticket")

	help := func() ui.Event {
		t.Helper()
		w.must(w.browser.Click("#start-session"))
		w.must(w.browser.WaitFor(10*time.Second, "#code"))
		w.seen = 0
		w.typeCode(w.startHost())
		q := w.answer("view", "allow")
		if q.Ticket == nil || q.Ticket.Number != number || q.Ticket.Subject != "L’imprimante du 3e est bloquée" {
			t.Errorf("the person is told of %+v", q.Ticket)
		}
		w.state("live")
		w.paletteInASession()
		w.must(w.host.Say(ui.Command{Do: "stop"}))
		ended := w.hear("ended")
		w.must(w.host.Stop())
		return ended
	}
	ended := help()
	w.must(w.browser.WaitFor(30*time.Second, `#session-ended[data-note-state="there"]`))
	w.shot("ended")
	w.must(w.browser.Fill("#closing-text", "Pilote réinstallé, file vidée."))
	w.must(w.browser.Click("#write-closing"))
	w.must(w.browser.WaitFor(10*time.Second, "#closing-done"))
	w.shot("closed")

	var subjects, texts []string
	// RT answers one question at a time, and ours among those of the server.
	w.within(time.Minute, "both notes stand in RT", func() bool {
		subjects, texts = a.comments(number)
		return len(subjects) >= 2
	})
	if len(subjects) != 2 {
		t.Fatalf("%d notes: %q", len(subjects), subjects)
	}
	for i, want := range []struct{ key, title, text string }{
		{"mf:" + ended.Session + ":end", "Session d’assistance à distance", "la personne a mis fin à la session"},
		{"mf:" + ended.Session + ":closing", "Note de clôture", "Pilote réinstallé, file vidée."},
	} {
		if !strings.HasSuffix(subjects[i], "("+want.key+")") || !strings.Contains(texts[i], want.title) || !strings.Contains(texts[i], want.text) || !strings.Contains(texts[i], ended.Session) {
			t.Errorf("note %d is\n%s\n%s", i, subjects[i], texts[i])
		}
	}

	// RT goes away.
	rt.Stop()
	w.must(w.browser.Goto(w.url + "/console?ticket=rt%3A" + number))
	w.must(w.browser.WaitFor(30*time.Second, ".problem.away"))
	w.shot("away")
	help()
	w.must(w.browser.WaitFor(30*time.Second, `#session-ended[data-note-state="late"], [data-note-state="waiting"]`))
	w.shot("waits")

	b, err := w.browser.Tab()
	w.must(err)
	t.Cleanup(b.Close)
	w.signIn(b, "supervisor", "Odile")
	w.must(b.WaitFor(10*time.Second, "#outbox"))
	w.must(b.Click("#outbox"))
	w.must(b.WaitFor(40*time.Second, "[data-letter] .why"))
	if _, png, err := b.Screenshot(); err == nil {
		w.keep("outbox", png)
	}
}

// TestASessionWithoutATicketEndToEnd is a session that nobody asked for in a
// ticket, where the policy lets it be: the person sees that there is none, and the
// log says so.
func TestASessionWithoutATicketEndToEnd(t *testing.T) {
	for _, lang := range stage.Langs("en") {
		t.Run(lang, func(t *testing.T) { ticketless(t, lang) })
	}
}

func ticketless(t *testing.T, lang string) {
	file := filepath.Join(t.TempDir(), "desks.json")
	if err := os.WriteFile(file, []byte(`{"policy": {"ticket": "allowed"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorldServed(t, lang, 3*time.Minute, screenWidth, screenHeight, []string{"--desks", file})
	w.signIn(w.browser, "technician", "Anaïs Tremblay")
	w.must(w.browser.WaitFor(10*time.Second, "#ticketless"))
	w.shot("list")
	w.must(w.browser.Click("#ticketless"))
	w.must(w.browser.WaitFor(10*time.Second, "#code"))
	w.shot("code")
	w.typeCode(w.startHost())
	if q := w.answer("view", "allow"); q.Ticket != nil {
		t.Errorf("the person is told of ticket %+v", q.Ticket)
	}
	w.state("live")
	w.shot("live")
	w.must(w.host.Say(ui.Command{Do: "stop"}))
	if ended := w.hear("ended"); ended.Ticket != nil || ended.Session == "" {
		t.Errorf("the host ended with %+v", ended)
	}
	w.state("ended")
	w.shot("ended")
	w.signIn(w.browser, "supervisor", "Odile")
	w.must(w.browser.WaitFor(10*time.Second, "#outbox"))
	w.must(w.browser.Goto(w.url + "/audit"))
	w.must(w.browser.WaitFor(10*time.Second, "td.ticket"))
	w.shot("audit")
}
