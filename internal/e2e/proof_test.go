package e2e

import (
	"fmt"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// provenInBrowser: the auditor's browser recomputes the session that the page
// shows; who signed it only the key or the ticket's note tells.
func (w *world) provenInBrowser(auditor *stage.Browser, ended ui.Event) {
	w.t.Helper()
	w.must(auditor.Goto(w.url + "/audit?session=" + ended.Session))
	key, err := stage.Eval[string](auditor, fmt.Sprintf("fetch('/api/v1/sessions/%s/proof').then(r => r.json()).then(p => p.keys.at(-1))", ended.Session))
	w.must(err)
	note, err := stage.Eval[string](w.browser, `fetch('/api/v1/tickets').then(r => r.json()).then(l => fetch('/api/v1/tickets/' + l.tickets[0].id)).then(r => r.json()).then(t => t.notes[0].text)`)
	w.must(err)
	for _, c := range []struct{ pasted, verdict string }{
		{"", "unproven"}, {note, "ticket"}, {key, "proven"},
		{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "broken"},
	} {
		w.must(auditor.Fill("#trust", "x"))
		w.must(auditor.Fill("#trust", c.pasted+" "))
		w.must(auditor.Click("#run-proof"))
		w.must(auditor.Wait(15*time.Second, fmt.Sprintf("document.querySelector('#verdict')?.dataset.verdict === %q", c.verdict)))
		w.keepOf(auditor, "verdict-"+c.verdict)
	}
	// The page shows another answer than the one that was proven: the events are altered on their way.
	_, err = stage.Eval[bool](auditor, `(() => { const real = fetch; window.fetch = async (at, o) => { const r = await real(at, o);
 return String(at).endsWith('/events') ? new Response((await r.text()).replace('consent.revoked', 'consent.granted'), r) : r }; return true })()`)
	w.must(err)
	_, err = stage.Eval[bool](auditor, "(scrollTo(0, 0), true)")
	w.must(err)
	w.must(auditor.Click("button.back"))
	w.must(auditor.Click(fmt.Sprintf("tr[data-session='%s'] a", ended.Session)))
	w.must(auditor.Click("#run-proof"))
	w.must(auditor.Wait(15*time.Second, "document.querySelector('#verdict')?.dataset.verdict === 'broken'"))
	w.keepOf(auditor, "verdict-shown")
	for _, line := range auditor.Console() {
		w.t.Errorf("the auditor's console: %s", line)
	}
}

// receiptForThePerson: a link that needs no account shows what happened and that
// nothing was changed; a file that was changed is not believed.
func (w *world) receiptForThePerson(ended ui.Event) {
	w.t.Helper()
	w.must(w.browser.Click("[data-receipt]"))
	w.must(w.browser.Wait(10*time.Second, "document.querySelector('#session-ended .said')?.innerText.length > 20"))
	path, err := stage.Eval[string](w.browser, fmt.Sprintf(`fetch('/api/v1/sessions/%s/receipt', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'}).then(r => r.json()).then(l => l.path)`, ended.Session))
	w.must(err)
	person, err := stage.StartBrowser(w.ctx, stage.BrowserOptions{Lang: w.lang + "-CA", Width: 900, Height: 1200})
	w.must(err)
	defer person.Close()
	w.must(person.Goto(w.url + path))
	w.must(person.Wait(15*time.Second, "document.querySelector('#verdict')?.dataset.verdict === 'unproven'"))
	w.must(person.Wait(5*time.Second, "document.body.innerText.includes('Anaïs Tremblay') && document.body.innerText.includes('Hôpital Sainte-Anne')"))
	w.must(person.WaitFor(5*time.Second, "#save-receipt"))
	w.keepOf(person, "receipt")
	for verdict, change := range map[string]string{"unproven": "text", "broken": "text.replace('consent.revoked', 'consent.granted')"} {
		w.must(person.Goto(w.url + "/receipt"))
		w.must(person.Wait(10*time.Second, "document.querySelector('#receipt-file')"))
		w.keepOf(person, "receipt-empty")
		sent, err := stage.Eval[int](person, fmt.Sprintf(`fetch('/api/v1/receipts/%s').then(r => r.text()).then(text => { performance.clearResourceTimings();
 const d = new DataTransfer(); d.items.add(new File([%s], 'receipt.json')); const i = document.querySelector('#receipt-file');
 i.files = d.files; i.dispatchEvent(new Event('change', {bubbles: true})); return performance.getEntriesByType('resource').length })`, path[len("/receipt#"):], change))
		w.must(err)
		w.must(person.Wait(15*time.Second, fmt.Sprintf("document.querySelector('#verdict')?.dataset.verdict === %q", verdict)))
		w.keepOf(person, "receipt-"+verdict)
		// What was dropped was looked at here: nothing was asked of the server since.
		after, err := stage.Eval[int](person, "performance.getEntriesByType('resource').length")
		w.must(err)
		if after != sent {
			w.t.Errorf("%d requests after a file was dropped", after-sent)
		}
	}
	for _, line := range person.Console() {
		w.t.Errorf("the person's console: %s", line)
	}
}

func (w *world) keepOf(b *stage.Browser, step string) {
	w.t.Helper()
	if _, err := stage.Eval[bool](b, "(document.querySelector('#verdict')?.scrollIntoView({block: 'center'}), true)"); err != nil {
		w.t.Error(err)
	}
	if _, png, err := b.Screenshot(); err == nil {
		w.keep(step, png)
	}
}
