package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestTalkForTheTicket walks what is written, shown and told for the ticket: the
// chat both ways with what is unread, what the computer is, a picture that is looked
// at before it is kept, and the goodbye with its receipt and its answer.
func TestTalkForTheTicket(t *testing.T) {
	w := newWorld(t, "fr")
	w.args = []string{"--stay"} // for the goodbye
	w.live("L’imprimante ne répond pas")

	// The person writes while the pane is shut: it is counted, and read.
	w.must(w.host.Say(ui.Command{Do: "say", Text: "Bonjour, c’est <b>moi</b>\nLucie"}))
	w.must(w.browser.Wait(10*time.Second, stage.Element("#show-talk .badge")+"?.textContent === '1'"))
	w.shot("talk-unread")
	w.must(w.browser.Click("#show-talk"))
	w.must(w.browser.Wait(10*time.Second, stage.Element("#talk-lines")+"?.textContent.includes('Bonjour, c’est <b>moi</b>')"))
	w.must(w.browser.Wait(10*time.Second, stage.Element("#show-talk .badge")+" === null"))
	w.must(w.browser.Click("#talk-text"))
	w.must(w.browser.Keys("m1+0-=M")) // which are a look's keys elsewhere
	w.must(w.browser.Wait(5*time.Second, stage.Element("#talk-text")+"?.value === 'm1+0-=M'"))
	w.must(w.browser.Fill("#talk-text", "Bonjour ! Je regarde."))
	w.must(w.browser.Click("#talk-send"))
	for {
		if e := w.hear("chat"); e.Chat.From != "" {
			if e.Chat.Text != "Bonjour ! Je regarde." || e.Chat.Name != "Anaïs Tremblay" {
				t.Errorf("the person reads %+v", e.Chat)
			}
			break
		}
	}

	// What the computer is, and a picture: each after its own yes.
	w.must(w.browser.Click("#talk-ask-system"))
	w.answer("sysinfo", "allow")
	w.must(w.browser.Wait(15*time.Second, stage.Element("#talk-sheet")+"?.textContent.length > 40"))
	w.shot("talk-system")
	w.must(w.browser.Click("#talk-attach-system"))
	w.must(w.browser.Wait(10*time.Second, stage.Element("#talk-status")+"?.textContent.length > 5"))
	w.must(w.browser.Click("#talk-ask-picture"))
	w.answer("screenshot", "allow")
	w.must(w.browser.Wait(15*time.Second, stage.Element("#talk-review")+"?.open === true"))
	w.must(w.browser.Click("#talk-picture"))
	w.must(w.browser.Keys(kb.ArrowLeft + kb.ArrowUp + kb.Enter)) // blacked out without a pointer
	w.must(w.browser.Wait(5*time.Second, stage.Element("#talk-undo")+"?.disabled === false"))
	w.shot("talk-review")
	w.must(w.browser.Click("#talk-attach"))
	w.must(w.browser.Wait(15*time.Second, stage.Element("#talk-review")+" === null"))
	w.shot("talk")

	w.must(w.host.Say(ui.Command{Do: "stop"}))
	ended := w.hear("ended")
	if r := ended.Receipt; r == nil || !strings.Contains(r.Text, "Anaïs Tremblay") || !strings.Contains(r.Text, ended.Session) {
		t.Errorf("the person can keep %+v", r)
	} else {
		t.Logf("receipt:\n%s", r.Text)
	}
	w.state("ended")
	w.must(w.host.Say(ui.Command{Do: "report", Text: "Il voulait mon mot de passe."}))
	for !strings.HasPrefix(w.hear("status").Text, "Votre signalement est arrivé") {
	}
	note := ""
	w.until("the note lists what was attached", func() bool {
		text, err := stage.Eval[string](w.browser, `fetch('/api/v1/tickets').then(r => r.json()).then(l => fetch('/api/v1/tickets/' + l.tickets[0].id)).then(r => r.text())`)
		w.must(err)
		var ticket struct{ Notes []struct{ Text string } }
		w.must(json.Unmarshal([]byte(text), &ticket))
		if len(ticket.Notes) == 0 {
			return false
		}
		note = ticket.Notes[0].Text
		return true
	})
	t.Logf("note:\n%s", note)
	if !strings.Contains(note, "Linux") {
		t.Error("the note does not say what the computer is")
	}
	events := w.log()
	for _, name := range []string{"chat.counted", "sysinfo.read", "sysinfo.attached", "screenshot.attached", "abuse.reported"} {
		if !strings.Contains(events, name) {
			t.Errorf("the log has no %s", name)
		}
	}
	if strings.Contains(events, "Je regarde") {
		t.Error("the chat is in the log, against the policy")
	}
	w.noComplaints()
}
