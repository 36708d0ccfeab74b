package pages

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// api calls the server as the owner of a cookie does.
func (w *house) api(cookie, method, path, body string, into any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.ctx, method, w.server.URL+path, strings.NewReader(body))
	w.must(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Cookie", cookie)
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		w.t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
	if into != nil {
		w.must(json.NewDecoder(resp.Body).Decode(into))
	}
}

// TestATicketGoesFromOneToAnother: two technicians in two browsers and two languages.
// What one hands over the other sees at once; it comes back, goes again and is taken,
// and is in the queue of who took it, with when it is due.
func TestATicketGoesFromOneToAnother(t *testing.T) {
	w, shots := opened(t, 3*time.Minute, "en")
	admin := w.join("admin", "Root")
	ann := w.join("technician", "Ann Roy")
	w.join("technician", "Béa <b>\u202e "+strings.Repeat("W", 40))
	var people struct{ Users []struct{ ID, Name string } }
	w.api(admin, "GET", "/api/v1/users?q=bea", "", &people)
	bea := people.Users[0]
	var team struct{ ID string }
	w.api(admin, "POST", "/api/v1/teams", `{"name":"Réseau <i>","tier":2}`, &team)
	w.api(admin, "PUT", "/api/v1/users/"+bea.ID+"/teams", fmt.Sprintf(`{"teams":[%q]}`, team.ID), nil)
	var ticket struct{ ID, Number string }
	w.api(ann, "POST", "/api/v1/tickets", `{"lang":"fr","requester":"Zoé","subject":`+quoted(hostile)+`}`, &ticket)
	w.api(ann, "PUT", "/api/v1/tickets/"+ticket.ID+"/urgency", fmt.Sprintf(`{"priority":"high","due":%q}`, time.Now().Add(-90*time.Minute).UTC().Format(time.RFC3339)), nil)

	her, err := stage.StartBrowser(w.ctx, stage.BrowserOptions{Lang: "fr-CA"})
	w.must(err)
	t.Cleanup(her.Close)
	enter := func(b *stage.Browser, name, path string) {
		t.Helper()
		w.must(b.Goto(w.server.URL + "/signin?next=" + url.QueryEscape(path)))
		w.must(b.WaitFor(soon, "#name"))
		w.must(b.Fill("#name", name))
		w.must(b.Fill("#password", password))
		w.must(b.Click("#submit"))
		w.must(b.WaitFor(soon, "#availability"))
	}
	axe := readAxe(t)
	en := &looker{t: t, b: w.browser, lang: "en", screens: screens["en"], axe: axe, shots: shots, n: 50}
	fr := &looker{t: t, b: her, lang: "fr", screens: screens["fr"], axe: axe, shots: shots, n: 50}
	enter(w.browser, "Ann Roy", "/console?ticket="+ticket.ID)
	enter(her, bea.Name, "/console")

	// Urgent, and late.
	w.must(w.browser.WaitFor(soon, "#ticket-due [data-due=late]"))
	w.must(w.browser.Click("#urgency"))
	w.must(w.browser.WaitFor(soon, "#urgency-priority"))
	w.choose(w.browser, "#urgency-priority", "urgent")
	w.must(w.browser.Click("#urgency-save"))
	w.must(w.browser.WaitFor(soon, "#ticket-due [data-priority=urgent]"))

	// To the team, with a note.
	w.must(w.browser.Click("#hand-over"))
	w.must(w.browser.WaitFor(soon, "#hand-to"))
	w.must(w.browser.Click("#hand-send")) // says what is missing
	w.choose(w.browser, "#hand-to", "t:"+team.ID)
	w.must(w.browser.Fill("#hand-note", "Le commutateur du 2e.\n"+hostile))
	en.see("hand-over")
	w.must(w.browser.Click("#hand-send"))
	w.must(w.browser.WaitFor(soon, "#undo-hand"))
	w.must(her.WaitFor(soon, "[data-transfer]")) // by itself
	w.must(her.WaitFor(soon, "#handed-badge"))
	fr.see("handed")

	// Back, with a reason.
	w.must(her.Click("[data-hand-back]"))
	w.must(her.WaitFor(soon, "#back-note"))
	w.must(her.Fill("#back-note", "Pas de notre ressort."))
	w.must(her.Click("#hand-back"))
	w.must(her.Wait(soon, `document.querySelector("[data-transfer]") === null && document.querySelector("[data-sent]") !== null`))
	w.must(w.browser.Wait(soon, `document.querySelector("[data-transfer] .note")?.textContent === "Pas de notre ressort."`))
	en.see("came-back")
	w.must(w.browser.Click("[data-take-over]"))

	// Away, which stays so, and forbids nothing.
	w.must(her.Click("#availability"))
	w.must(her.WaitFor(soon, "#availability .warm"))
	w.must(her.Goto(w.server.URL + "/console"))
	w.must(her.WaitFor(soon, "#availability .warm"))

	// To her, undone and sent once more: the note was not lost.
	w.must(w.browser.WaitFor(soon, "#hand-over"))
	for _, undo := range []bool{true, false} {
		w.must(w.browser.Click("#hand-over"))
		w.must(w.browser.WaitFor(soon, "#hand-to"))
		w.must(w.browser.Wait(soon, `document.querySelector("#hand-to").textContent.includes("Away")`))
		w.choose(w.browser, "#hand-to", "u:"+bea.ID)
		if undo {
			w.must(w.browser.Fill("#hand-note", "Encore une chose"))
		}
		w.must(w.browser.Click("#hand-send"))
		w.must(w.browser.WaitFor(soon, "#undo-hand"))
		w.must(her.WaitFor(soon, "[data-transfer]"))
		if undo {
			w.must(w.browser.Click("#undo-hand"))
			w.must(w.browser.WaitFor(soon, "#hand-over"))
			w.must(her.Wait(soon, `document.querySelector("[data-transfer]") === null`))
		}
	}
	w.must(her.Click("[data-take-over]"))
	w.must(her.WaitFor(soon, "#ticket-holder"))
	w.must(w.browser.Wait(soon, `document.querySelector("#undo-hand") === null && document.querySelector("#ticket-holder")?.textContent.includes("Béa")`))
	w.must(her.Click(`#whose input[value="mine"]`))
	w.must(her.WaitFor(soon, "#tickets [data-due=late]"))
	fr.see("mine")
	w.must(w.browser.Click("#tab-tickets"))
	w.must(w.browser.Click(`#whose input[value="mine"]`))
	w.must(w.browser.WaitFor(soon, ".empty"))
	w.must(w.browser.Goto(w.server.URL + "/console")) // the choice is remembered
	w.must(w.browser.WaitFor(soon, `#whose input[value="mine"]:checked`))
	var got struct{ Notes []struct{ Text string } }
	w.api(ann, "GET", "/api/v1/tickets/"+ticket.ID, "", &got)
	text := fmt.Sprint(got.Notes)
	for _, want := range []string{"Le commutateur du 2e.", "Pas de notre ressort.", "Encore une chose"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the ticket: %s", want, text)
		}
	}
}
