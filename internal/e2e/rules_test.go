package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestRulesNarrowASession: an admin begins with a preset, changes lines of it and puts
// it in force; in the next session the technician reads that control is ruled out, and
// the person is not asked.
func TestRulesNarrowASession(t *testing.T) {
	for _, lang := range stage.Langs("fr") {
		t.Run(lang, func(t *testing.T) { rules(t, lang) })
	}
}

func rules(t *testing.T, lang string) {
	w := newWorld(t, lang)
	b, err := stage.StartBrowser(w.ctx, stage.BrowserOptions{Lang: lang + "-CA", Width: 1280, Height: 1000})
	w.must(err)
	t.Cleanup(b.Close)
	w.signIn(b, "admin", "Odile Roy")
	w.must(b.Wait(15*time.Second, `!location.pathname.startsWith('/signin')`))
	w.must(b.Goto(w.url + "/admin?view=rules"))
	w.must(b.WaitFor(15*time.Second, "#rules-form"))
	w.must(b.Click(`[data-preset="bank"]`))
	for _, role := range []string{"technician", "supervisor", "auditor", "admin"} { // they have none here
		w.must(b.Click(fmt.Sprintf(`[name="factor"][value=%q]`, role)))
	}
	w.must(b.Click(`[name="grant"][value="control"]`))
	w.must(b.Fill("#rules-minutes", "3"))
	w.must(b.Click("#save-rules"))
	w.must(b.Wait(5*time.Second, `document.activeElement?.id === 'rules-minutes' && document.querySelector('#rules-minutes-trouble').textContent !== ''`))
	_, png, err := b.Screenshot()
	w.must(err)
	w.keep("rules", png)
	w.must(b.Fill("#rules-minutes", "45"))
	w.must(b.Click("#save-rules"))
	w.must(b.Wait(10*time.Second, `document.querySelectorAll('#rules-differences li').length === 0 && document.querySelector('#rules-minutes').value === '45'`))
	w.must(b.Goto(w.url + "/admin?view=changes"))
	w.must(b.WaitFor(10*time.Second, `[data-type="policy.set"]`))
	_, png, err = b.Screenshot()
	w.must(err)
	w.keep("rules-changes", png)

	session := w.live("Imprimante bloquée")
	ask := stage.Element("#ask-control")
	w.must(w.browser.Wait(10*time.Second, fmt.Sprintf(`%s.disabled && %s.title === %q`, ask, ask, w.texts("ruledOut"))))
	w.must(w.browser.Wait(10*time.Second, fmt.Sprintf(`%s.textContent.includes(%q)`, stage.Element("#ask-control"), w.texts("toolbar.noControl"))))
	w.shot("ruled-out")
	w.must(w.host.Say(ui.Command{Do: "stop"}))
	w.hear("ended")
	if log := w.log(); !strings.Contains(log, "session.bounded") || !strings.Contains(log, session) {
		t.Errorf("the log does not say what was ruled out:\n%s", log)
	}
	if said := strings.Join(b.Console(), "\n"); strings.Contains(said, "Security Policy") || strings.Contains(said, "TrustedType") || strings.Contains(said, "Uncaught") {
		t.Errorf("the console: %s", said)
	}
	w.noComplaints()
}
