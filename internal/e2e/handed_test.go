package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestASessionGoesToTheNextTier: a technician who cannot solve it hands the ticket on in
// mid-session. The one who takes it reads the note, comes in by an invite code and the
// person's yes, goes on alone, closes the session and says how it was resolved.
func TestASessionGoesToTheNextTier(t *testing.T) {
	for _, lang := range stage.Langs("fr") {
		t.Run(lang, func(t *testing.T) { nextTier(t, lang) })
	}
}

func nextTier(t *testing.T, lang string) {
	w := newWorld(t, lang)
	paul := w.newColleague("technician", "Paul Roy")
	session := w.live("Le partage réseau a disparu")

	w.must(paul.Wait(10*time.Second, `document.querySelectorAll("#tickets a").length === 1`)) // by itself

	// Anaïs hands it on; her session stays hers.
	w.openPeople()
	w.shot("hand-over-people")
	w.must(w.browser.Click("[data-hand]"))
	w.must(w.browser.WaitFor(10*time.Second, "#hand-live"))
	choose := func(b *stage.Browser, id, value string) {
		w.t.Helper()
		ok, err := stage.Eval[bool](b, fmt.Sprintf(`(s => { const o = [...s.options].find((o) => o.value.includes(%[2]q) || o.text.includes(%[2]q)); if (!o) return false; s.value = o.value; s.dispatchEvent(new Event("change", { bubbles: true })); return true })(document.getElementById(%[1]q))`, id, value))
		w.must(err)
		if !ok {
			w.t.Fatalf("#%s has no %q", id, value)
		}
	}
	choose(w.browser, "hand-to", "Paul Roy")
	w.must(w.browser.Fill("#hand-note", "Câble et DNS vérifiés. Le serveur répond."))
	w.shot("hand-over")
	w.must(w.browser.Click("#hand-send"))
	w.must(w.browser.Wait(10*time.Second, `document.querySelector("[data-hand]").textContent.includes("Paul Roy")`)) // and could be taken back
	w.must(w.browser.Click("#close-people"))
	w.state("live")

	// Paul sees it at once, and whom to ask; taking it lets him into nothing.
	w.must(paul.Wait(10*time.Second, `(t => t.includes("Le serveur répond.") && t.includes("Anaïs Tremblay"))(document.querySelector("[data-transfer]")?.innerText ?? "")`))
	paul.keep("handed")
	w.must(paul.Click("[data-take-over]"))
	w.must(paul.Wait(10*time.Second, `document.querySelector("#ticket-holder")?.innerText.includes("Paul Roy")`))
	if n := len(w.host.Events()); n == 0 || strings.Contains(w.host.Out.String(), "Paul Roy") {
		t.Errorf("taking the ticket reached the person's computer:\n%s", w.host.Out)
	}
	paul.keep("taken")

	// By the code that she reads to him, and the person's yes.
	code := w.invite("expert")
	w.must(paul.Click("#tab-tickets"))
	w.must(paul.Click("#join-session"))
	w.must(paul.WaitFor(10*time.Second, "#code"))
	w.must(paul.Fill("#code", code))
	w.must(paul.Keys("\r"))
	if ask := w.answer("view", "allow"); ask.Technician.Name != "Paul Roy" {
		t.Errorf("the person is asked %+v", ask)
	}
	paul.state("live")

	// She leaves, he goes on and ends it.
	w.must(w.browser.Click("#end"))
	w.must(w.browser.WaitFor(10*time.Second, "#leave"))
	w.must(w.browser.Click("#leave"))
	w.state("ended")
	w.exactFor(paul.Browser, "he-leads")
	w.must(paul.Click("#end"))
	w.must(paul.WaitFor(10*time.Second, "#confirm-end"))
	w.must(paul.Click("#confirm-end"))
	if e := w.hear("ended"); e.Session != session {
		t.Errorf("the host ended with %+v", e)
	}
	w.must(paul.WaitFor(15*time.Second, "#closing-text"))
	w.must(paul.Fill("#closing-text", "Le partage a été reconnecté."))
	choose(paul.Browser, "closing-resolution", "solved")
	paul.keep("closing")
	w.must(paul.Click("#write-closing"))
	w.must(paul.WaitFor(10*time.Second, "#closing-done"))

	var notes string
	w.until("the ticket has all of it", func() bool {
		var err error
		notes, err = stage.Eval[string](w.browser, `fetch('/api/v1/tickets').then(r => r.json()).then(l => fetch('/api/v1/tickets/' + l.tickets[0].id)).then(r => r.json()).then(t => t.notes.map(n => n.text).join('\n---\n'))`)
		w.must(err)
		for _, want := range []string{session, "Le serveur répond.", "Le partage a été reconnecté."} {
			if !strings.Contains(notes, want) {
				return false
			}
		}
		return true
	}, func() string { return notes })
	log := w.log()
	at := 0
	for _, want := range []string{"ticket.transferred", "ticket.transfer_taken"} {
		i := strings.Index(log[at:], want)
		if i < 0 {
			t.Errorf("the log lacks %s after %d:\n%s", want, at, tail(log))
			break
		}
		at += i
	}
	for _, line := range append(paul.Console(), w.browser.Console()...) {
		if strings.Contains(line, "Content Security Policy") || strings.Contains(line, "TrustedScript") || strings.HasPrefix(line, "exception") {
			t.Errorf("a page complains: %s", line)
		}
	}
}
