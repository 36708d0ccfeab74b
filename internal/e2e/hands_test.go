package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"

	"github.com/mainforte/mainforte/host/input/inputtest"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestThePersonComesFirst: the technician's hands rest while the person uses
// theirs, in front of a password prompt and of a window that is the person's alone;
// each is said on the technician's page, and one press of the panic key ends it all.
// Windows of one xterm stand for prompt and bank: the class and the title tell.
func TestThePersonComesFirst(t *testing.T) {
	t.Parallel() // with the other that is: both wait most of their time
	for _, lang := range stage.Langs("en") {
		t.Run(lang, func(t *testing.T) { personFirst(t, lang) })
	}
}

func personFirst(t *testing.T, lang string) {
	w := newWorld(t, lang)
	mine := inputtest.OpenDevices(t, w.desktop.Display)
	w.live("Who has the mouse?")
	w.must(w.browser.Click("#ask-control"))
	w.answer("control", "deny")
	w.until("the technician is told of the no", func() bool { return w.banner(w.texts("banner.denied")) })
	w.must(w.browser.Click("#ask-control"))
	w.answer("control", "allow")
	w.must(w.browser.WaitFor(10*time.Second, "#give-back"))
	moves := func(x, y int) {
		w.must(w.browser.Mouse(input.DispatchMouseEventTypeMouseMoved, w.on(x, y), false))
	}
	follows := func(x, y int) {
		t.Helper()
		w.until("the pointer follows the technician", func() bool { moves(x, y); return w.pointer() == [2]int{x, y} })
	}
	says := func(key string) {
		t.Helper()
		text := w.texts(key)
		w.until("the page says "+text, func() bool { return w.banner(text) })
	}
	silent := func() {
		t.Helper()
		w.until("the page says nothing more of it", func() bool { return !w.has("#banner") })
	}
	follows(300, 200)

	// The person's mouse: the technician's waits for as long as it is used.
	held := [][2]int{{600, 500}, {640, 500}}
	for i := 0; !w.banner(w.texts("banner.person")); i++ {
		if i == 100 {
			t.Fatal("the page does not say that the person uses the mouse")
		}
		mine.Move(int16(held[i%2][0]), int16(held[i%2][1]))
		w.until("the mouse is where the person moved it", func() bool { return w.pointer() == held[i%2] })
		moves(300, 200)
		time.Sleep(50 * time.Millisecond) // while a message might come
		if at := w.pointer(); !slices.Contains(held, at) {
			t.Fatalf("the technician moved the person's mouse to %v", at)
		}
	}
	w.shot("hands-person")
	if e := w.hear("held"); e.Held == nil || e.Held.Why != "person" {
		t.Errorf("the person is told %+v", e.Held)
	}
	silent()
	follows(300, 200)

	// A prompt, then a bank: whoever opens it, as long as it is in front.
	for _, window := range []struct {
		why, class, title, says string
		ends                    func(*stage.Process)
	}{
		{"password", "pinentry", "Passphrase:", "banner.password", (*stage.Process).Kill},
		{"private", "firefox", "Credit Agricole: welcome", "banner.private", func(*stage.Process) {
			w.must(w.host.Say(ui.Command{Do: "private", Texts: []string{"mail"}})) // the person's list is theirs
		}},
	} {
		before := w.pointer()
		p, err := w.desktop.Run(w.ctx, "xterm", "-geometry", "60x10+300+300", "-class", window.class, "-name", window.class, "-T", window.title, "-e", "cat")
		w.must(err)
		e := w.hear("held")
		for e.Held == nil || e.Held.Why != window.why {
			e = w.hear("held")
		}
		if e.Held.Title != window.title {
			t.Errorf("the person is told of %q", e.Held.Title)
		}
		says(window.says)
		moves(500, 400)
		w.must(w.browser.ClickAt(w.on(500, 400)))
		w.must(w.browser.Keys("q"))
		w.shot("hands-" + window.why)
		time.Sleep(300 * time.Millisecond)
		if after := w.pointer(); after != before {
			t.Errorf("%s: the technician moved the pointer from %v to %v", window.why, before, after)
		}
		window.ends(p)
		silent()
		follows(320, 220)
	}

	// The panic key, on the person's own keyboard, whatever has the focus.
	const control, alt, end = 37, 64, 115 // keycodes of the keyboard that Xvfb has
	for _, down := range []bool{true, false} {
		for _, key := range []byte{control, alt, end} {
			mine.Key(key, down)
		}
	}
	ended := w.hear("ended")
	if ended.Reason != "PERSON_STOPPED" {
		t.Errorf("it ended with %+v", ended)
	}
	w.state("ended")
	w.must(w.browser.Wait(5*time.Second, fmt.Sprintf("document.querySelector('remote-session').shadowRoot.textContent.includes(%q)", w.texts("reason.PERSON_STOPPED"))))
	w.shot("hands-ended")
	select {
	case <-w.host.Exited():
	case <-time.After(10 * time.Second):
		t.Error("the app is still running")
	}
	log := w.log()
	for _, secret := range []string{"Passphrase", "Agricole"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if !strings.Contains(log, `"input.held"`) {
		t.Error("the log does not say that input was held")
	}
	w.noComplaints()
}

// banner tells whether the technician is told something.
func (w *world) banner(text string) bool {
	w.t.Helper()
	yes, err := stage.Eval[bool](w.browser, fmt.Sprintf("Boolean(%s?.innerText.includes(%q))", stage.Element("#banner"), text))
	w.must(err)
	return yes
}
