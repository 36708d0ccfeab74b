package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// typist drives a page with keys alone. After each step the focus is somewhere, and
// to be seen.
type typist struct {
	*world
	b *stage.Browser
}

// holder is JavaScript that tells what has the focus, through every shadow root, and
// what is wrong with that: nothing has it, it is out of sight, or a control does not
// show it. What is only read (a heading, a note) needs no mark.
const holder = `(() => {
  let e = document.activeElement;
  while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
  if (!e || e === document.body || e === document.documentElement) return { name: "nothing", wrong: "nothing has the focus" };
  const name = e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + " " + (e.getAttribute("aria-label") ?? e.textContent ?? "").trim().slice(0, 40);
  const marked = (x) => { if (!x) return false; const s = getComputedStyle(x); return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 };
  const root = e.getRootNode();
  // The picture's own pixels stay clear: the bar above it shows that the keys go there.
  const picture = root !== document && e.matches("#stage, #keys");
  const shows = picture ? /inset/.test(getComputedStyle(root.querySelector("#toolbar")).boxShadow) && /-4px/.test(getComputedStyle(root.querySelector("#toolbar")).boxShadow)
    : marked(e) || (e.matches("input[type=radio], input[type=checkbox]") && marked(e.closest("label")));
  const seen = picture ? root.querySelector("#stage") : e.matches("input[type=radio]") ? e.closest("label") ?? e : e;
  const box = seen.getBoundingClientRect();
  if (!seen.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || box.width < 2 || box.bottom <= 0 || box.right <= 0 || box.top >= innerHeight || box.left >= innerWidth)
    return { name, wrong: "it is out of sight" };
  if (e.tabIndex >= 0 && !shows) return { name, wrong: "it does not show that it has the focus" };
  return { name, wrong: "" };
})()`

// looks demands that the focus is somewhere, and to be seen.
func (p *typist) looks(step string) (name string) {
	p.t.Helper()
	at, err := stage.Eval[struct{ Name, Wrong string }](p.b, holder)
	p.must(err)
	if at.Wrong != "" {
		p.shot("focus")
		p.t.Errorf("%s, at %s: %s", step, at.Name, at.Wrong)
	}
	return at.Name
}

func (p *typist) press(keys string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.must(chromedp.Do(p.b.Context(), chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...))))
}

// has is JavaScript that tells whether an element has the focus.
func has(selector string) string {
	return `(e => { let a = document.activeElement; while (a?.shadowRoot?.activeElement) a = a.shadowRoot.activeElement; return e !== null && e === a })(` + stage.Element(selector) + `)`
}

// to tabs to an element, forwards, or back with Shift.
func (p *typist) to(selector string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.must(p.b.WaitFor(10*time.Second, selector))
	var path []string
	for range 40 {
		there, err := stage.Eval[bool](p.b, has(selector))
		p.must(err)
		if there {
			return
		}
		p.press(kb.Tab, modifiers...)
		path = append(path, p.looks("on the way to "+selector))
	}
	p.t.Fatalf("no way to %s: %q", selector, path)
}

// arrives waits until an element has the focus by itself.
func (p *typist) arrives(selector, step string) {
	p.t.Helper()
	if err := p.b.Wait(10*time.Second, has(selector)); err != nil {
		p.looks(step)
		p.t.Fatalf("%s: %v", step, err)
	}
	p.looks(step)
}

// TestTheMainJobByKeysAlone: sign in, open a ticket, type the code, see the screen, ask
// for control, type into the remote program, give control back, end, and write the
// closing note. No mouse, and the focus is never lost or unseen.
func TestTheMainJobByKeysAlone(t *testing.T) {
	for _, lang := range stage.Langs("fr") {
		t.Run(lang, func(t *testing.T) { byKeys(t, lang) })
	}
}

func byKeys(t *testing.T, lang string) {
	const name, password = "Anaïs Tremblay", "correct horse battery staple"
	w := newWorld(t, lang)
	p := &typist{world: w, b: w.browser}
	link, err := w.server.Link(w.ctx, "technician")
	w.must(err)
	body := fmt.Sprintf(`{"token":%q,"name":%q,"password":%q}`, link[strings.LastIndex(link, "/")+1:], name, password)
	resp, err := http.Post(w.server.URL+"/api/v1/signin/link", "application/json", strings.NewReader(body))
	w.must(err)
	resp.Body.Close()
	typed := filepath.Join(t.TempDir(), "typed.txt")
	_, err = w.desktop.Run(w.ctx, "xterm", "-geometry", "80x20+20+40", "-u8", "-e", "sh", "-c", "while read -r line; do printf '%s\\n' \"$line\" >> "+typed+"; done")
	w.must(err)

	// A window without a desktop around it is never the one in front; only there a focus shows.
	_, err = chromedp.Call(p.b.Context(), emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	w.must(err)
	w.must(w.browser.Goto(w.url + "/signin?lang=" + lang))
	p.arrives("#name", "the sign-in page")
	w.must(w.browser.Insert(name))
	p.to("#password")
	w.must(w.browser.Insert(password))
	p.press(kb.Enter)
	p.to("#new-ticket")
	p.press(kb.Enter)
	p.arrives("#ticket-subject", "a new ticket")
	w.must(w.browser.Insert("L’imprimante"))
	p.to("#ticket-requester")
	w.must(w.browser.Insert("Zoé Côté"))
	p.press(kb.Enter)
	p.arrives("#ticket-title", "the ticket is made")
	p.to("#start-session")
	p.press(kb.Enter)
	p.arrives("#code", "the code")
	w.must(w.browser.Insert(w.startHost()))
	p.press(kb.Enter)
	w.answer("view", "allow")
	w.state("live")
	p.arrives("#stage", "the picture")

	p.to("#ask-control", chromedp.ModifierShift)
	p.press(kb.Enter)
	p.arrives("#stage", "asked for control")
	w.answer("control", "allow")
	p.arrives("textarea#keys", "in control")
	w.shot("in-control")
	w.must(w.browser.Keys("bonjour\r"))
	w.until("the program has read the line", func() bool {
		b, _ := os.ReadFile(typed)
		return bytes.Equal(b, []byte("bonjour\n"))
	})
	p.press(kb.Home, chromedp.ModifierCtrl, chromedp.ModifierAlt)
	p.arrives("#give-back", "out of the picture")
	w.shot("out-of-the-picture")
	p.press(kb.Enter)
	p.arrives("#ask-control", "gave control back")

	p.to("#end")
	p.press(kb.Enter)
	p.arrives("#cancel-end", "the question before the end")
	w.shot("end")
	p.to("#confirm-end", chromedp.ModifierShift)
	p.press(kb.Enter)
	w.hear("ended")
	p.arrives("#ended-title", "the session has ended")
	w.must(w.browser.WaitFor(10*time.Second, "[data-note].new")) // which takes the focus from nobody
	p.arrives("#ended-title", "its note is there")
	w.shot("note")
	p.to("#closing-text")
	w.must(w.browser.Insert("Pilote réinstallé."))
	p.to("#write-closing")
	p.press(kb.Enter)
	p.arrives("#closing-done", "the closing note is written")
	w.shot("closed")
	if long, err := stage.Eval[bool](w.browser, "document.documentElement.scrollHeight > innerHeight"); err != nil || long {
		t.Errorf("the console scrolls as a whole: %v, %v", long, err)
	}
	w.until("the closing note is in the ticket", func() bool {
		text, err := stage.Eval[string](w.browser, `fetch('/api/v1/tickets').then(r => r.json()).then(l => fetch('/api/v1/tickets/' + l.tickets[0].id)).then(r => r.text())`)
		w.must(err)
		return strings.Contains(text, "Pilote réinstallé.")
	})
	w.noComplaints()
}
