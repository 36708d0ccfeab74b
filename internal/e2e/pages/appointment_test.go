package pages

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestAnAppointment: a technician makes one in her browser, in her time zone. The person,
// in another one and without a script, reads of it, comes to one and calls another off;
// the technician sees it at once. No session comes of it.
func TestAnAppointment(t *testing.T) {
	w, shots := opened(t, 3*time.Minute, "en")
	ann := w.join("technician", "Ann Roy")
	sue := w.join("supervisor", "Sue")
	var ticket struct{ ID, Number string }
	w.api(ann, "POST", "/api/v1/tickets", `{"lang":"fr","requester":"Zoé","subject":`+quoted(hostile)+`}`, &ticket)
	zone := func(b *stage.Browser, name string) {
		t.Helper()
		_, err := chromedp.Call(b.Context(), emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: name})
		w.must(err)
	}
	zone(w.browser, "America/Toronto")
	toronto, err := time.LoadLocation("America/Toronto")
	w.must(err)
	axe := readAxe(t)
	en := &looker{t: t, b: w.browser, lang: "en", screens: screens["en"], axe: axe, shots: shots, n: 70}
	person, err := stage.StartBrowser(w.ctx, stage.BrowserOptions{Lang: "fr-CA"})
	w.must(err)
	t.Cleanup(person.Close)
	zone(person, "Europe/Paris")
	fr := &looker{t: t, b: person, lang: "fr", screens: screens["fr"], axe: axe, shots: shots, n: 70}

	w.must(w.browser.Goto(w.server.URL + "/signin?next=" + url.QueryEscape("/console?appointments")))
	w.must(w.browser.WaitFor(soon, "#name"))
	w.enter("Ann Roy")
	w.wait("#appointments-title")
	w.must(w.browser.Wait(soon, `document.querySelector(".empty") !== null`))
	en.see("no-appointments")

	// One in five minutes, from the ticket.
	w.goTo("/console?ticket=" + ticket.ID)
	w.wait("#appoint")
	w.click("#appoint")
	w.wait("#meet-about")
	w.click("#meet-save") // says what is missing
	at := time.Now().Add(5 * time.Minute).In(toronto).Truncate(time.Minute)
	set := func(selector, value string) {
		t.Helper()
		_, err := stage.Eval[bool](w.browser, fmt.Sprintf(`(s => { s.value = %s; s.dispatchEvent(new Event("input", { bubbles: true })); return true })(document.querySelector(%s))`, quoted(value), quoted(selector)))
		w.must(err)
	}
	set("#meet-day", at.Format("2006-01-02"))
	set("#meet-time", at.Format("15:04"))
	w.click("#appoint-dialog input[value=password]")
	w.wait("#meet-password")
	about := string([]rune(hostile)[:110])
	w.must(w.browser.Fill("#meet-password", "Outlook <b>"))
	w.must(w.browser.Fill("#meet-more", "Le câble\n"+strings.Repeat("W", 100)))
	en.see("appoint")
	w.must(w.browser.Fill("#meet-about", about))
	w.click("#meet-save")
	w.wait("#meet-link")
	en.see("invitation")
	link, err := stage.Eval[string](w.browser, `document.querySelector("#meet-link").value`)
	w.must(err)
	w.click("#invitation-dialog header button")
	w.wait("#due-meetings [data-phase=soon]") // by itself
	w.wait("#ticket-meetings [data-phase=soon]")
	w.wait("#to-appointments .badge.warm")
	en.see("appointment-soon")

	// The person's page: with a script by their own clock, without one by the help desk's.
	text := func() string {
		t.Helper()
		s, err := stage.Eval[string](person, `document.querySelector("main").innerText`)
		w.must(err)
		return s
	}
	w.must(person.Goto(link))
	w.must(person.WaitFor(soon, "#when"))
	w.must(person.Wait(soon, `document.querySelector("#when").textContent.includes("Europe/Paris")`))
	fr.see("appointment")
	scripts := func(run bool) {
		t.Helper()
		_, err := chromedp.Call(person.Context(), emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !run})
		w.must(err)
	}
	see := func(state string) { // axe is a script
		t.Helper()
		scripts(true)
		fr.see(state)
		scripts(false)
	}
	scripts(false)
	w.must(person.Goto(link))
	w.must(person.WaitFor(soon, "#when"))
	if s := text(); !strings.Contains(s, at.Format("15")+"\u00a0h\u00a0"+at.Format("04")) || !strings.Contains(s, "America/Toronto") || strings.Contains(s, "Europe/Paris") {
		t.Errorf("without a script: %s", s)
	}
	for _, has := range []string{ticket.Number, "Ann Roy", "Outlook <b>", "Le câble", "Personne ne peut entrer"} {
		if !strings.Contains(text(), has) {
			t.Errorf("the page lacks %q", has)
		}
	}
	req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, link+"/calendar.ics", nil)
	w.must(err)
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	ics, err := io.ReadAll(resp.Body)
	w.must(err)
	w.must(resp.Body.Close())
	if !strings.Contains(string(ics), "DTSTART:"+at.UTC().Format("20060102T150405Z")+"\r\n") || !strings.Contains(string(ics), "BEGIN:VALARM\r\n") {
		t.Errorf("the calendar: %s", ics)
	}
	// They come, and she sees it.
	w.must(person.Click("#here"))
	w.must(person.WaitFor(soon, "#name"))
	w.must(person.Fill("#name", "Zoé <i>"))
	w.must(person.Click("#wait"))
	w.must(person.WaitFor(soon, "#state"))
	w.wait("#waiting .meets")
	w.wait("#due-meetings .here")
	en.see("the-person-is-here")

	// Another one, which they call off; and one that she cancels.
	var made struct {
		ID     string
		Letter struct{ URL string }
	}
	later := func(d time.Duration) {
		t.Helper()
		w.api(ann, "POST", "/api/v1/tickets/"+ticket.ID+"/appointment", fmt.Sprintf(`{"starts":%q,"ends":%q,"zone":"America/Toronto","lang":"fr","about":%s,"items":[]}`,
			time.Now().Add(d).Format(time.RFC3339), time.Now().Add(d+time.Hour).Format(time.RFC3339), quoted(about)), &made)
	}
	later(30 * time.Hour)
	w.click("#to-appointments")
	w.wait(`#appointments [data-meeting="` + made.ID + `"]`)
	w.must(person.Goto(made.Letter.URL))
	w.must(person.WaitFor(soon, "#decline summary"))
	w.must(person.Click("#decline summary"))
	w.must(person.Fill("#why-not", "Plutôt jeudi <b>"))
	see("decline")
	w.must(person.Click("#cannot"))
	w.must(person.WaitFor(soon, "main[data-state=declined]"))
	see("declined")
	w.wait(`#appointments [data-meeting="` + made.ID + `"][data-state=declined]`) // by itself
	later(50 * time.Hour)
	w.wait(`#appointments [data-cancel="` + made.ID + `"]`)
	en.see("appointments")
	w.click("#toast button") // it lies over the last one
	w.click(`#appointments [data-cancel="` + made.ID + `"]`)
	w.wait("#off-why")
	w.must(w.browser.Fill("#off-why", "Je suis malade "+about))
	en.see("cancel-appointment")
	w.click("#off-send")
	w.wait("#invitation-dialog")
	w.must(person.Goto(made.Letter.URL))
	w.must(person.WaitFor(soon, "main[data-state=cancelled] #why"))
	see("cancelled")

	// C142: no session came of all this.
	var sessions struct{ Sessions []any }
	w.api(sue, "GET", "/api/v1/sessions", "", &sessions)
	if len(sessions.Sessions) != 0 {
		t.Errorf("sessions came of it: %v", sessions.Sessions)
	}
	en.quiet("appointments")
}
