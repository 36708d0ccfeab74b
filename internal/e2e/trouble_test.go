package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestTrouble: whatever dies in the middle, who is still alive is told in words,
// the log and the ticket get their ends, and nothing is left running.
func TestTrouble(t *testing.T) {
	t.Run("wrong code", func(t *testing.T) {
		w := newWorld(t, "en")
		w.toSession("A mistyped code", "Zoé Côté")
		code := w.startHost()
		w.typeCode("12")
		w.must(w.browser.Wait(5*time.Second, stage.Element("#code-error")))
		w.shot("malformed")
		wrong := code[:len(code)-1] + string('0'+(code[len(code)-1]-'0'+1)%10)
		w.typeCode(wrong)
		w.must(w.browser.Wait(10*time.Second, fmt.Sprintf("%s?.innerText.length > 20 && %s.state === 'code'", stage.Element("#code-error"), stage.Element("remote-session"))))
		w.shot("wrong-code")
		w.typeCode(code) // the code still works: one try of three is spent
		w.state("asking")
		w.answer("view", "deny")
		w.state("ended")
		if e := w.hear("ended"); e.Reason != "PERSON_DENIED" {
			t.Errorf("the host ended with %+v", e)
		}
		w.shot("denied")
	})

	t.Run("host killed", func(t *testing.T) {
		w := newWorld(t, "fr")
		session := w.live("Hôte tué")
		w.host.Kill()
		w.must(w.browser.Wait(60*time.Second, fmt.Sprintf("%s?.state === 'ended'", stage.Element("remote-session"))))
		w.shot("host-killed")
		w.sessionEnded(session, "HOST_GONE")
	})

	t.Run("X server gone", func(t *testing.T) {
		w := newWorld(t, "en")
		session := w.live("The screen goes")
		w.desktop.XServer().Kill()
		w.state("ended")
		w.shot("x-server-gone")
		if e := w.hear("ended"); e.Reason != "CAPTURE_LOST" {
			t.Errorf("the host ended with %+v", e)
		}
		select {
		case <-w.host.Exited():
		case <-time.After(10 * time.Second):
			t.Error("the host is still running")
		}
		w.sessionEnded(session, "CAPTURE_LOST")
	})

	t.Run("tab closed", func(t *testing.T) {
		w := newWorld(t, "fr")
		session := w.live("Onglet fermé")
		w.must(w.browser.Goto("about:blank"))
		e := w.hearFor("ended", 45*time.Second)
		if e.Reason != "TECHNICIAN_ENDED" && e.Reason != "VIEWER_GONE" {
			t.Errorf("the host ended with %+v", e)
		}
		w.must(w.browser.Goto(w.url + "/console"))
		w.sessionEnded(session, e.Reason)
	})

	t.Run("server restarted", func(t *testing.T) {
		w := newWorld(t, "en")
		session := w.live("The server restarts")
		painter, err := stage.NewPainter(w.desktop.Display, 560, 30, 440, 600, 11)
		w.must(err)
		t.Cleanup(painter.Close)
		w.server.Kill()
		w.hear("status")   // "your session goes on"
		for i := range 3 { // the picture goes on without a server
			w.must(painter.Paint())
			w.exact(fmt.Sprintf("server-away-%d", i+1))
		}
		server, err := stage.StartServer(w.ctx, programs.Signaling, w.server.Addr, w.server.Data)
		w.must(err)
		w.server = server
		t.Cleanup(func() { _ = server.Stop() })
		// Both sides find it again by themselves, within 5 s of its being there.
		back, _, _ := strings.Cut(ui.Load("en").T("status.server_back", "server", "127.0.0.1"), "{duration}")
		w.within(5*time.Second, "the host is back", func() bool {
			for _, e := range w.host.Events() {
				if e.Name == "status" && strings.HasPrefix(e.Text, back) {
					return true
				}
			}
			return false
		})
		w.must(painter.Paint())
		w.exact("server-back")
		w.must(w.host.Say(ui.Command{Do: "stop"}))
		w.state("ended")
		if e := w.hear("ended"); e.Reason != "PERSON_STOPPED" || e.Session != session {
			t.Errorf("the host ended with %+v", e)
		}
		w.sessionEnded(session, "PERSON_STOPPED")
	})
}

// live brings a session up to its first picture and returns its id.
func (w *world) live(subject string) string {
	w.t.Helper()
	w.toSession(subject, "Zoé Côté")
	w.typeCode(w.startHost())
	w.answer("view", "allow")
	w.state("live")
	id, err := stage.Eval[string](w.browser, stage.Element("remote-session")+"?.session ?? fetch('/api/v1/tickets').then(r => r.json()).then(l => fetch('/api/v1/tickets/' + l.tickets[0].id)).then(r => r.json()).then(t => t.sessions[0].id)")
	w.must(err)
	return id
}

func (w *world) hearFor(name string, d time.Duration) ui.Event {
	w.t.Helper()
	for deadline := time.Now().Add(d); ; time.Sleep(50 * time.Millisecond) {
		for _, e := range w.host.Events() {
			if e.Name == name {
				return e
			}
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("the host did not say %q in %v\n%s", name, d, w.host.Out)
		}
	}
}

// sessionEnded waits until the session has its end in the ticket, with one
// note, and a log that an auditor can read to that end.
func (w *world) sessionEnded(session, reason string) {
	w.t.Helper()
	type answer struct {
		Notes    []struct{ Text string }
		Sessions []struct{ ID, Reason string }
	}
	var a answer
	w.within(75*time.Second, "the ticket has the end of the session", func() bool {
		ok, err := stage.Eval[bool](w.browser, `(async () => { const l = await (await fetch('/api/v1/tickets')).json(); const t = await (await fetch('/api/v1/tickets/' + l.tickets[0].id)).json(); window.__ticket = JSON.stringify(t); return t.notes.length > 0 && Boolean(t.sessions[0].ended) })()`)
		return err == nil && ok
	})
	text, err := stage.Eval[string](w.browser, "window.__ticket")
	w.must(err)
	w.must(json.Unmarshal([]byte(text), &a))
	if len(a.Notes) != 1 || len(a.Sessions) != 1 || a.Sessions[0].ID != session || a.Sessions[0].Reason != reason {
		w.t.Errorf("the ticket has %d notes and the sessions %+v, want one of each, %s, %s", len(a.Notes), a.Sessions, session, reason)
	}
	if len(a.Notes) > 0 && !strings.Contains(a.Notes[0].Text, session) {
		w.t.Errorf("the note does not name the session:\n%s", a.Notes[0].Text)
	}
	if strings.Contains(w.server.Out.String(), "panic") {
		w.t.Errorf("the server panicked:\n%s", w.server.Out)
	}
	if w.host != nil && strings.Contains(w.host.Out.String(), "panic") {
		w.t.Errorf("the host panicked:\n%s", w.host.Out)
	}
}
