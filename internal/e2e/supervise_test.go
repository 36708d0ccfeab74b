package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// newColleague is somebody with a role in a browser of their own.
func (w *world) newColleague(role, name string) *colleague {
	w.t.Helper()
	b, err := stage.StartBrowser(w.ctx, stage.BrowserOptions{Lang: w.lang + "-CA"})
	w.must(err)
	w.t.Cleanup(b.Close)
	w.t.Cleanup(func() {
		if w.t.Failed() {
			(&colleague{b, w}).keep("failed-" + role)
			w.t.Logf("console of the %s: %q", role, b.Console())
		}
	})
	w.signIn(b, role, name)
	w.must(b.WaitFor(15*time.Second, "#new-ticket"))
	return &colleague{b, w}
}

// TestASupervisorWatchesAndEnds: who helps whom is seen as it happens; a wish to watch
// reaches the technician, whose invite code and the person's yes let the supervisor
// in; a session is ended with a reason, which the log and the ticket have.
func TestASupervisorWatchesAndEnds(t *testing.T) {
	for _, lang := range stage.Langs("fr") {
		t.Run(lang, func(t *testing.T) { supervisor(t, lang) })
	}
}

func supervisor(t *testing.T, lang string) {
	w := newWorld(t, lang)
	sue := w.newColleague("supervisor", "Sylvie Gagnon")
	w.must(sue.Goto(w.url + "/supervise"))
	w.must(sue.WaitFor(15*time.Second, ".empty"))
	session := w.live("Imprimante « bloquée »")
	card := fmt.Sprintf(`[data-live=%q]`, session)
	text := fmt.Sprintf(`document.querySelector('%s')?.innerText ?? ''`, card)
	w.must(sue.WaitFor(10*time.Second, card)) // by itself
	may := w.webTexts("grant.view")
	w.must(sue.Wait(10*time.Second, fmt.Sprintf(`(t => ['Anaïs Tremblay', 'Zoé Côté', 'Imprimante', %q].every(p => t.includes(p)))(%s)`, may, text)))
	sue.keep("live")

	// The wish, the code, the person's yes.
	w.must(sue.Click(fmt.Sprintf("[data-watch=%q]", session)))
	w.must(sue.Wait(10*time.Second, `document.activeElement.getAttribute("role") === "status"`)) // the button has gone
	w.must(w.browser.WaitFor(10*time.Second, "#watch-invite"))
	w.shot("asked-to-watch")
	w.must(w.browser.Click("#watch-invite"))
	w.must(w.browser.Wait(10*time.Second, fmt.Sprintf(`/\d/.test(%s?.textContent ?? '')`, stage.Element("#invite-code"))))
	code, err := stage.Eval[string](w.browser, stage.Element("#invite-code")+".textContent")
	w.must(err)
	w.must(w.browser.Click("#hide-invite"))
	w.must(sue.Click(card + ` a[href="/console?join"]`))
	w.must(sue.WaitFor(10*time.Second, "#code"))
	w.must(sue.Fill("#code", code))
	w.must(sue.Keys("\r"))
	if ask := w.answer("view", "allow"); ask.Technician.Name != "Sylvie Gagnon" || ask.Kind != "observer" {
		t.Errorf("the person is asked %+v", ask)
	}
	sue.state("live")
	sue.keep("watches")

	// Back, and the end with a reason. Empty it is refused, and what was typed stays.
	w.must(sue.Goto(w.url + "/supervise"))
	w.must(sue.Click(fmt.Sprintf("[data-end=%q]", session)))
	w.must(sue.WaitFor(5*time.Second, "#why"))
	w.must(sue.Click("#end-session"))
	w.must(sue.WaitFor(5*time.Second, "#why-wrong"))
	w.must(sue.Fill("#why", "Ce n’est pas le bon ordinateur."))
	sue.keep("end")
	w.must(sue.Click("#end-session"))
	w.must(sue.Wait(10*time.Second, fmt.Sprintf(`document.querySelector('%s') === null && document.activeElement?.id === 'live-title'`, card)))
	if e := w.hear("ended"); e.Reason != "SUPERVISOR_ENDED" {
		t.Errorf("the host ended with %+v", e)
	}
	w.sessionEnded(session, "SUPERVISOR_ENDED")
	note, err := stage.Eval[string](w.browser, "JSON.parse(window.__ticket).notes[0].text")
	w.must(err)
	if !strings.Contains(note, "Sylvie Gagnon") || !strings.Contains(note, "Ce n’est pas le bon ordinateur.") {
		t.Errorf("the note does not say why:\n%s", note)
	}
	if log := w.log(); !strings.Contains(log, "Ce n’est pas le bon ordinateur.") || !strings.Contains(log, "watch.asked") || !strings.Contains(log, "watch.answered") {
		t.Errorf("the log lacks something:\n%s", tail(log))
	}
	w.must(sue.Goto(w.url + "/supervise")) // the figures of now
	w.must(sue.Click("#by-hour button"))
	w.must(sue.WaitFor(5*time.Second, "#by-hour table"))
	w.must(sue.Click("#by-hour button"))
	w.must(sue.WaitFor(5*time.Second, "#by-hour svg"))
	sue.keep("figures")
	for _, line := range append(sue.Console(), w.browser.Console()...) {
		if strings.Contains(line, "Content Security Policy") || strings.Contains(line, "TrustedScript") || strings.HasPrefix(line, "exception") {
			t.Errorf("a page complains: %s", line)
		}
	}
}

// TestAPersonWaitsAndIsTaken: from the landing page into the queue, without and with a
// script; the technician takes the person, who reads by whom; the code stays the only
// way in; and the session that it opens leaves a receipt.
func TestAPersonWaitsAndIsTaken(t *testing.T) {
	for _, lang := range stage.Langs("fr") {
		t.Run(lang, func(t *testing.T) { waits(t, lang) })
	}
}

func waits(t *testing.T, lang string) {
	w := newWorld(t, lang)
	person := func(args ...string) *colleague {
		b, err := stage.StartBrowser(w.ctx, stage.BrowserOptions{Lang: lang + "-CA", Width: 420, Height: 900, Args: args})
		w.must(err)
		t.Cleanup(b.Close)
		c := &colleague{b, w}
		t.Cleanup(func() {
			if t.Failed() {
				c.keep("failed-person")
			}
		})
		return c
	}
	comes := func(c *colleague, name string) {
		w.must(c.Goto(w.url + "/"))
		w.must(c.Click("#to-wait"))
		w.must(c.Fill("#name", name))
		w.must(c.Fill("#trouble", "L’écran reste noir au démarrage."))
		w.must(c.Fill("#phone", "418 555-0199"))
	}
	luc := person("blink-settings=scriptEnabled=false")
	comes(luc, "Luc Roy")
	luc.keep("form")
	w.must(luc.Click("#wait"))
	w.must(luc.WaitFor(10*time.Second, `#state[data-place="1"]`))
	luc.keep("without-script")
	zoe := person()
	comes(zoe, "Zoé Côté")
	w.must(zoe.Click("#wait"))
	w.must(zoe.WaitFor(10*time.Second, `#state[data-place="2"]`))
	zoe.keep("second")

	w.signIn(w.browser, "technician", "Anaïs Tremblay")
	w.must(w.browser.WaitFor(15*time.Second, "#waiting li:nth-child(2) button"))
	w.shot("technician-sees")
	w.must(w.browser.Click("#waiting li:nth-child(1) button"))
	w.must(w.browser.WaitFor(10*time.Second, "#start-session"))
	w.must(w.browser.Wait(10*time.Second, `document.querySelectorAll('#waiting li').length === 1 && document.body.innerText.includes('L’écran reste noir au démarrage.')`))
	w.shot("technician-took")
	w.must(zoe.WaitFor(10*time.Second, `#state[data-place="1"]`))           // told by the server
	w.must(luc.WaitFor(30*time.Second, `#state[data-by="Anaïs Tremblay"]`)) // comes again by itself
	luc.keep("taken-without-script")
	w.must(w.browser.Click("#waiting li:nth-child(1) button"))
	w.must(zoe.WaitFor(10*time.Second, `#state[data-by="Anaïs Tremblay"]`))
	zoe.keep("taken")
	w.must(luc.Click("#leave"))
	w.must(luc.WaitFor(10*time.Second, "#again"))
	sessions, err := stage.Eval[int](w.browser, `fetch('/api/v1/tickets').then(r => r.json()).then(l => l.tickets.reduce((n, x) => n + x.sessions, 0))`)
	w.must(err)
	if sessions != 0 {
		t.Errorf("%d sessions came of waiting", sessions)
	}

	// She starts the app that the page leads to, reads its code aloud, and finds what was
	// done where the app says.
	w.must(w.browser.Click("#start-session"))
	w.must(w.browser.WaitFor(10*time.Second, "#code"))
	w.typeCode(w.startHost())
	w.answer("view", "allow")
	w.state("live")
	w.must(w.host.Say(ui.Command{Do: "stop"}))
	ended := w.hear("ended")
	if ended.Receipt == nil || !strings.HasPrefix(ended.Receipt.Link, w.url+"/receipt#") {
		t.Fatalf("the app leads to no receipt: %+v", ended.Receipt)
	}
	w.must(zoe.Goto(ended.Receipt.Link))
	w.must(zoe.Wait(15*time.Second, "document.querySelector('#verdict')?.dataset.verdict === 'unproven' && document.body.innerText.includes('Anaïs Tremblay')"))
	zoe.keep("receipt")
	for _, line := range append(zoe.Console(), w.browser.Console()...) {
		if strings.Contains(line, "Content Security Policy") || strings.Contains(line, "TrustedScript") || strings.HasPrefix(line, "exception") {
			t.Errorf("a page complains: %s", line)
		}
	}
}
