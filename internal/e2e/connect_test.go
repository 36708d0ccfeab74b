package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/signaling/tickets/ticketstest"
)

// TestAnAdminConnectsARequestTracker is the first hour of a help desk's admin, in the
// browser alone: a real Request Tracker is connected, first with a wrong token, then with
// an account that may not comment, then as it should be; it becomes what the console
// begins with; the rules of sessions are set, and how the help desk calls itself. A
// technician finds the ticket of RT at once: the server was never started anew.
func TestAnAdminConnectsARequestTracker(t *testing.T) {
	rt, err := ticketstest.StartRT()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.Stop)
	a := rtAPI{t, rt}
	var made struct{ ID json.Number }
	a.call("POST", "ticket", map[string]any{"Queue": "General", "Subject": "L’imprimante du 3e est bloquée", "Requestor": "zoe@example.test"}, &made)
	for _, lang := range stage.Langs("fr") {
		t.Run(lang, func(t *testing.T) { connects(t, lang, rt) })
	}
}

func connects(t *testing.T, lang string, rt *ticketstest.RT) {
	p := newPages(t, lang, "--desks-allow", "127.0.0.0/8")
	p.signIn(p.browser, "admin", "Odile Roy")
	p.must(p.browser.Wait(15*time.Second, `location.pathname !== '/signin' && !location.pathname.startsWith('/signin/')`))
	p.must(p.browser.Goto(p.url + "/admin?view=desks"))
	p.must(p.browser.WaitFor(15*time.Second, `#desks [data-desk="local"]`))
	p.shot("desks-none")

	p.must(p.browser.Click("#new-desk"))
	p.must(p.browser.WaitFor(5*time.Second, "#desk-system"))
	if system, err := stage.Eval[string](p.browser, `document.querySelector('#desk-system').value`); err != nil || system != "rt" {
		t.Errorf("the form begins with %q, %v", system, err)
	}
	p.must(p.browser.Fill("#desk-name", "rt"))
	p.must(p.browser.Click("#check-desk")) // what is missing is said at its field
	p.must(p.browser.Wait(5*time.Second, `document.activeElement?.id === 'desk-url' && document.querySelector('#desk-url-trouble').textContent !== ''`))
	p.must(p.browser.Fill("#desk-url", rt.URL))
	check := func(token, code string) {
		t.Helper()
		p.must(p.browser.Fill("#desk-token", token))
		p.must(p.browser.Click("#check-desk"))
		p.must(p.browser.WaitFor(30*time.Second, fmt.Sprintf(`#desk-found [data-check=%q]`, code)))
	}
	check("1-99-0123456789abcdef0123456789abcdef", "CHECK_CREDENTIALS")
	p.shot("desk-wrong-token")
	check(rt.Reader, "CHECK_COMMENT")
	p.shot("desk-no-right")
	check(rt.Worker, "ok")
	p.shot("desk-good")
	p.must(p.browser.Click("#save-desk"))
	p.must(p.browser.WaitFor(30*time.Second, `[data-desk="rt"][data-state="ok"]`))
	p.shot("desks")

	// The token is never told, and its field says that there is one.
	p.must(p.browser.Click(`[data-desk="rt"] [data-change]`))
	p.must(p.browser.Wait(5*time.Second, `document.querySelector('#desk-token')?.value === '' && document.querySelector('#desk-token').placeholder !== ''`))
	p.shot("desk-change")
	p.must(p.browser.Keys("\x1b"))
	page, err := stage.Eval[string](p.browser, `fetch('/api/v1/desks/setup').then(r => r.text())`)
	p.must(err)
	if strings.Contains(page, rt.Worker) {
		t.Error("the page is told the token")
	}

	// What the console begins with.
	p.must(p.browser.Wait(5*time.Second, `document.querySelector('dialog') === null`))
	p.choose("#policy-desk", "rt")
	p.choose("#policy-offline", "allow")
	p.must(p.browser.Click("#save-policy"))
	p.must(p.browser.WaitFor(10*time.Second, `#ticket-rules-from[data-from="page"]`))
	p.shot("desks-policy")
	p.small(func() {
		p.fits("desks-small")
		p.must(p.browser.Click(`[data-desk="rt"] [data-change]`))
		p.must(p.browser.WaitFor(5*time.Second, "#desk-dialog"))
		p.must(p.browser.Click("#desk-dialog summary"))
		p.fits("desk-small")
		p.must(p.browser.Click("#check-desk"))
		p.must(p.browser.WaitFor(30*time.Second, `#desk-found [data-check="ok"]`))
		p.fits("desk-small-good")
		p.must(p.browser.Click("#remove-desk"))
		p.must(p.browser.WaitFor(5*time.Second, "#confirm"))
		p.fits("desk-small-remove")
	})

	// The rules of sessions, and how the help desk calls itself.
	p.must(p.browser.Goto(p.url + "/admin?view=rules"))
	p.must(p.browser.WaitFor(10*time.Second, "#rules-form"))
	p.must(p.browser.Fill("#rules-minutes", "45"))
	p.must(p.browser.Click("#save-rules"))
	p.must(p.browser.Wait(10*time.Second, `document.querySelectorAll('#rules-differences li').length === 0 && document.querySelector('#rules-minutes').value === '45'`))
	p.must(p.browser.Goto(p.url + "/admin?view=brand"))
	p.must(p.browser.WaitFor(10*time.Second, "#brand-form"))
	p.must(p.browser.Fill("#brand-name", "Aide de l’hôpital"))
	p.must(p.browser.Click("#save-brand"))
	p.must(p.browser.WaitFor(10*time.Second, ".toast, [role=status]"))
	p.must(p.browser.Goto(p.url + "/admin?view=changes"))
	p.must(p.browser.WaitFor(10*time.Second, `#changes [data-type="brand.set"]`))
	p.shot("connect-changes")
	types, err := stage.Eval[string](p.browser, `[...document.querySelectorAll('#changes tbody tr')].map(r => r.dataset.type).join(' ')`)
	p.must(err)
	for _, want := range []string{"desk.checked desk.checked desk.checked", "desk.added", "desk.policy_set", "policy.set", "brand.set"} {
		if !strings.Contains(types, want) {
			t.Errorf("the changes lack %s: %s", want, types)
		}
	}

	// A technician, at once.
	ann := startBrowser(p.world)
	p.signIn(ann, "technician", "Anaïs Tremblay")
	p.must(ann.Wait(15*time.Second, stage.Element("#desk-choice")+`?.value === "rt"`))
	p.must(ann.Fill("#ticket-search", "imprimante"))
	p.must(ann.WaitFor(20*time.Second, "#tickets a"))
	if _, png, err := ann.Screenshot(); err == nil {
		p.keep("connect-found", png)
	}
	if text, err := stage.Eval[string](ann, `document.querySelector('#tickets').textContent`); err != nil || !strings.Contains(text, "L’imprimante du 3e est bloquée") {
		t.Errorf("%q, %v", text, err)
	}
	p.noComplaints()
}

// small does something on a narrow, dark screen.
func (p *pages) small(do func()) {
	p.t.Helper()
	metrics := emulation.SetDeviceMetricsOverrideParams{Width: 320, Height: 900, DeviceScaleFactor: 1}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}
	_, err := chromedp.Call(p.browser.Context(), emulation.SetDeviceMetricsOverride, metrics)
	p.must(err)
	_, err = chromedp.Call(p.browser.Context(), emulation.SetEmulatedMedia, media)
	p.must(err)
	do()
	_, err = chromedp.Call(p.browser.Context(), emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 1280, Height: 900, DeviceScaleFactor: 1})
	p.must(err)
	_, err = chromedp.Call(p.browser.Context(), emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	p.must(err)
}

// fits looks at the page as it is: nothing of it is to be scrolled sideways.
func (p *pages) fits(step string) {
	p.t.Helper()
	p.shot(step)
	wide, err := stage.Eval[string](p.browser, `[document.documentElement, ...document.querySelectorAll('dialog')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.tagName + ' ' + e.scrollWidth).join()`)
	p.must(err)
	if wide != "" {
		p.t.Errorf("%s: %s is wider than the screen", step, wide)
	}
}

// choose takes one of the values of a list.
func (p *pages) choose(selector, value string) {
	p.t.Helper()
	_, err := stage.Eval[bool](p.browser, fmt.Sprintf(`(e => { e.value = %q; e.dispatchEvent(new Event("change", {bubbles: true})); return e.value === %q })(%s)`, value, value, stage.Element(selector)))
	p.must(err)
}
