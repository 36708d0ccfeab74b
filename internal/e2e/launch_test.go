package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// focused is the element that has the focus, through every shadow root.
const focused = `(() => { let e = document.activeElement; while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement; return e })()`

// asks is JavaScript that asks the server for something and gives its JSON.
func asks(method, path, body string) string {
	return fmt.Sprintf(`fetch(%q, {method: %q, headers: {'Content-Type': 'application/json'}, body: %q}).then(r => r.json())`, path, method, body)
}

// From a service desk's link to a live session: the sign-in comes back to the
// ticket, the ticket is shown, the code field has the focus. The person's link
// opens the page with the app. When a colleague closes the ticket, the session
// says so and goes on.
func TestFromADesksLinkToALiveSession(t *testing.T) {
	for _, lang := range stage.Langs("fr") {
		t.Run(lang, func(t *testing.T) { fromADesk(t, lang) })
	}
}

func fromADesk(t *testing.T, lang string) {
	w := newWorld(t, lang)
	colleague, err := stage.StartBrowser(w.ctx, stage.BrowserOptions{Lang: lang + "-CA"})
	w.must(err)
	t.Cleanup(colleague.Close)
	w.signIn(colleague, "technician", "Paul Roy")
	w.must(colleague.WaitFor(15*time.Second, "#new-ticket"))
	made, err := stage.Eval[struct{ ID, Number string }](colleague, asks("POST", "/api/v1/tickets", `{"subject":"Imprimante « bloquée »","requester":"Zoé Côté","lang":"`+lang+`"}`))
	w.must(err)

	// Not signed in: first that, then back to the ticket.
	link, err := w.server.Link(w.ctx, "technician")
	w.must(err)
	_, token, _ := strings.Cut(link, "/signin/")
	w.must(w.browser.Goto(w.url))
	_, err = stage.Eval[map[string]any](w.browser, asks("POST", "/api/v1/signin/link", `{"token":"`+token+`","name":"Anaïs Tremblay","password":"correct horse battery staple"}`))
	w.must(err)
	_, err = stage.Eval[int](w.browser, `fetch('/api/v1/signout', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'}).then(r => r.status)`)
	w.must(err)
	w.must(w.browser.Goto(w.url + "/launch?system=local&ticket=" + made.Number))
	w.must(w.browser.Fill("#name", "Anaïs Tremblay"))
	w.must(w.browser.Fill("#password", "correct horse battery staple"))
	w.must(w.browser.Click("#submit"))
	w.must(w.browser.WaitFor(15*time.Second, "#start"))
	w.must(w.browser.Wait(5*time.Second, `document.querySelector('h1').textContent === 'Imprimante « bloquée »'`))
	w.shot("ticket")
	w.must(w.browser.Keys("\r")) // the way on has the focus
	w.must(w.browser.Wait(15*time.Second, focused+`?.id === 'code'`))
	w.must(w.browser.Wait(5*time.Second, fmt.Sprintf(`location.pathname + location.search === '/console?ticket=%s'`, made.ID)))
	w.shot("code")

	// What the person gets, in a browser that knows nobody.
	links, err := stage.Eval[struct{ Person struct{ URL string } }](w.browser, asks("POST", "/api/v1/sessions", `{"ticket":"`+made.ID+`"}`))
	w.must(err)
	person, err := stage.StartBrowser(w.ctx, stage.BrowserOptions{Lang: "de"})
	w.must(err)
	t.Cleanup(person.Close)
	w.must(person.Goto(strings.Replace(links.Person.URL, w.server.URL, w.url, 1)))
	page, err := stage.Eval[string](person, `document.documentElement.lang + ' ' + document.body.innerText`)
	w.must(err)
	if !strings.HasPrefix(page, lang+" ") || !strings.Contains(page, made.Number) || strings.Contains(page, "Imprimante") {
		t.Errorf("the person reads: %s", page)
	}

	w.typeCode(w.startHost())
	w.answer("view", "allow")
	w.state("live")
	_, err = stage.Eval[map[string]any](colleague, asks("POST", "/api/v1/tickets/"+made.ID+"/close", `{}`))
	w.must(err)
	w.must(w.browser.WaitFor(10*time.Second, `[data-session-of] [data-told="closed"]`))
	w.state("live")
	w.shot("closed")
}
