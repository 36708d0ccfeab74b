package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// colleague is somebody who joins in a browser of their own.
type colleague struct {
	*stage.Browser
	w *world
}

// joins lets a colleague sign in and type an invite code in the console, without
// any ticket open.
func (w *world) joins(name, code string) *colleague {
	w.t.Helper()
	b, err := stage.StartBrowser(w.ctx, stage.BrowserOptions{Lang: w.lang + "-CA"})
	w.must(err)
	w.t.Cleanup(b.Close)
	c := &colleague{b, w}
	w.signIn(b, "technician", name)
	w.must(b.WaitFor(15*time.Second, "#join-session"))
	w.must(b.Click("#join-session"))
	w.must(b.WaitFor(10*time.Second, "#code"))
	w.must(b.Fill("#code", code))
	c.keep("join")
	w.must(b.Keys("\r"))
	return c
}

func (c *colleague) state(state string) {
	c.w.t.Helper()
	c.w.stateOf(c.Browser, state)
}

func (c *colleague) keep(step string) {
	c.w.t.Helper()
	_, png, err := c.Screenshot()
	c.w.must(err)
	c.w.keep(step, png)
}

// invite asks for a code and reads it from the dialog.
func (w *world) invite(kind string) string {
	w.t.Helper()
	w.openPeople()
	w.must(w.browser.Click("#invite-" + kind))
	w.must(w.browser.Wait(10*time.Second, fmt.Sprintf(`/\d/.test(%s?.textContent ?? '')`, stage.Element("#invite-code"))))
	w.shot("invite-" + kind)
	code, err := stage.Eval[string](w.browser, stage.Element("#invite-code")+".textContent")
	w.must(err)
	w.must(w.browser.Click("#hide-invite"))
	w.must(w.browser.Click("#close-people"))
	if shown := w.hear("invite"); shown.Code != code || shown.Kind != kind {
		w.t.Errorf("the technician reads %q, the person %q (%s)", code, shown.Code, shown.Kind)
	}
	return code
}

// openPeople opens the sheet that lists everybody, unless it is open.
func (w *world) openPeople() {
	w.t.Helper()
	open, err := stage.Eval[bool](w.browser, fmt.Sprintf("Boolean(%s)", stage.Element("#people")))
	w.must(err)
	if !open {
		w.must(w.browser.Click("#show-people"))
	}
}

// people is what the page says of everybody in the session.
func people(w *world, b *stage.Browser) string {
	text, err := stage.Eval[string](b, fmt.Sprintf(`(e => e ? [...e.querySelectorAll('li')].map(l => l.innerText).join(' | ') : '')(%s)`, stage.Element("#people")))
	w.must(err)
	return text
}

// TestThreeParticipants: a technician invites an expert and an observer; each is
// asked about apart, control goes from one to the other, each is stopped alone,
// and the ticket and the log say who was there.
func TestThreeParticipants(t *testing.T) {
	for _, lang := range stage.Langs("fr") {
		t.Run(lang, func(t *testing.T) { threeParticipants(t, lang) })
	}
}

func threeParticipants(t *testing.T, lang string) {
	w := newWorld(t, lang)
	session := w.live("Trois personnes pour une imprimante")

	// An expert: the person is asked by name, and nothing is seen before.
	code := w.invite("expert")
	expert := w.joins("Paul Roy", code)
	expert.state("asking")
	ask := w.hear("ask")
	if ask.Technician.Name != "Paul Roy" || ask.Kind != "expert" || ask.Grant != "view" || !strings.Contains(ask.Text, "Paul Roy") {
		t.Errorf("the person is asked %+v", ask)
	}
	w.must(w.host.Say(ui.Command{ID: ask.ID, Answer: "allow"}))
	expert.state("live")

	// An observer sees, and has nothing to ask control with.
	watcher := w.joins("Zoé Martin", w.invite("observer"))
	w.answer("view", "allow")
	watcher.state("live")
	if shown, err := stage.Eval[bool](watcher.Browser, fmt.Sprintf("(e => Boolean(e && e.getClientRects().length))(%s)", stage.Element("#ask-control"))); err != nil || shown {
		t.Errorf("an observer is offered control (%v)", err)
	}
	watcher.keep("observer")

	// All three see the same desktop, every pixel.
	painter, err := stage.NewPainter(w.desktop.Display, 560, 30, 440, 600, 7)
	w.must(err)
	t.Cleanup(painter.Close)
	w.must(painter.Paint())
	w.exact("lead")
	w.exactFor(expert.Browser, "expert-sees")
	w.exactFor(watcher.Browser, "observer-sees")

	// Control by the technician, then handed over: one at a time.
	w.must(w.browser.Click("#ask-control"))
	w.answer("control", "allow")
	w.must(w.browser.WaitFor(10*time.Second, "#give-back"))
	w.must(w.browser.ClickAt(w.on(200, 150)))
	w.until("the lead moves the pointer", func() bool { return w.pointer() == [2]int{200, 150} })
	w.openPeople()
	w.must(w.browser.WaitFor(10*time.Second, "#hand-over-2"))
	w.until("the page names everybody", func() bool {
		all := people(w, w.browser)
		return strings.Contains(all, "Paul Roy") && strings.Contains(all, "Zoé Martin")
	})
	w.shot("people")
	w.must(w.browser.Click("#hand-over-2"))
	w.answer("control", "allow")
	w.must(expert.WaitFor(10*time.Second, "#give-back"))
	w.must(w.browser.Click("#close-people"))
	before := w.pointer()
	w.must(w.browser.ClickAt(w.on(320, 320)))
	time.Sleep(300 * time.Millisecond)
	if after := w.pointer(); after != before {
		t.Errorf("who handed control over moved the pointer from %v to %v", before, after)
	}
	w.must(expert.ClickAt(w.onOf(expert.Browser, 240, 260)))
	w.until("the expert moves the pointer", func() bool { return w.pointer() == [2]int{240, 260} })
	expert.keep("expert")

	// The observer is stopped alone.
	w.must(w.host.Say(ui.Command{Do: "stop", Participant: "3"}))
	watcher.state("ended")
	watcher.keep("stopped")
	w.must(painter.Paint())
	w.exact("two-left")

	// The technician leaves; the expert goes on and ends it.
	w.must(w.browser.Click("#end"))
	w.must(w.browser.WaitFor(10*time.Second, "#leave"))
	w.shot("end-or-leave")
	w.must(w.browser.Click("#leave"))
	w.state("ended")
	w.shot("left")
	w.must(painter.Paint())
	w.exactFor(expert.Browser, "expert-leads")
	w.must(expert.Click("#end"))
	w.must(expert.WaitFor(10*time.Second, "#confirm-end"))
	w.must(expert.Click("#confirm-end"))
	if e := w.hear("ended"); e.Reason != "TECHNICIAN_ENDED" || e.Session != session {
		t.Errorf("the host ended with %+v", e)
	}
	w.sessionEnded(session, "TECHNICIAN_ENDED")
	text, err := stage.Eval[string](w.browser, "JSON.parse(window.__ticket).notes[0].text")
	w.must(err)
	t.Logf("note:\n%s", text)
	for _, name := range []string{"Anaïs Tremblay", "Paul Roy", "Zoé Martin"} {
		if !strings.Contains(text, name) {
			t.Errorf("the note does not name %s", name)
		}
	}
}
