package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestATechnicianCannotAnswerForThePerson is P19 with the host's real window:
// the person answers with their own keyboard; the technician, who sees the
// window and has control, clicks into it and types at it, and nothing happens.
func TestATechnicianCannotAnswerForThePerson(t *testing.T) {
	if !ui.WindowBuilt() {
		t.Fatal("the host's window is not built; run `task build:window` first")
	}
	for _, lang := range stage.Langs("en") {
		t.Run(lang, func(t *testing.T) { ownWindow(t, lang) })
	}
}

func ownWindow(t *testing.T, lang string) {
	w := newWorld(t, lang)
	texts := ui.Load(lang)
	w.toSession("Excel is slow", "Zoé Côté")

	host, err := w.desktop.Run(w.ctx, programs.Host, "--server", w.url, "--lang", lang)
	w.must(err)
	code := ""
	w.until("the host shows a code", func() bool {
		code = regexp.MustCompile(`\d[\d ]{9,}\d`).FindString(host.Out.String())
		return code != ""
	}, host.Out.String)
	w.desktopShot("window-code")
	w.startedTwice(texts)
	w.typeCode(code)
	w.state("asking")
	w.desktopShot("window-ask-view")

	// The default is Deny: Tab goes to Allow, and the person presses it.
	w.person("Tab", "Return")
	w.state("live")
	w.exact("window-session")

	// While the question about control is open, the technician clicks all over
	// the window in which it stands, and presses Enter, Tab, Space.
	w.must(w.browser.Click("#ask-control"))
	time.Sleep(700 * time.Millisecond)
	w.desktopShot("window-ask-control")
	w.pressAllOver(w.geometry())
	time.Sleep(500 * time.Millisecond)
	if ok, err := stage.Eval[bool](w.browser, fmt.Sprintf("Boolean(%s)", stage.Element("#give-back"))); err != nil || ok {
		t.Fatalf("the technician has answered for the person (%v)", err)
	}
	w.person("Tab", "Return")
	w.must(w.browser.WaitFor(10*time.Second, "#give-back"))

	// With control granted, the window's Stop is still the person's alone.
	time.Sleep(500 * time.Millisecond)
	w.desktopShot("window-control")
	w.pressAllOver(w.geometry())
	time.Sleep(500 * time.Millisecond)
	w.state("live")
	w.must(w.browser.WaitFor(5*time.Second, "#give-back"))
	w.shot("own-window-banner")

	// Elsewhere the technician's hands work.
	w.must(w.browser.ClickAt(w.on(5, 690)))
	w.until("the pointer follows", func() bool { return w.pointer() == [2]int{5, 690} })

	// Whoever closes the window by its frame is asked first, as their session would end.
	_, err = w.desktop.Output(w.ctx, "xdotool", "search", "--onlyvisible", "--name", "Mainforte", "windowactivate", "--sync", "%1")
	w.must(err)
	g := w.geometry()
	w.person("alt+F4") // openbox says the same for it as for the cross in its frame
	w.until("the question stands in the window", func() bool { return w.geometry().h != g.h })
	w.desktopShot("window-quit")
	w.person("Return") // the default is to stay
	w.until("the session stands in it again", func() bool { return w.geometry().h == g.h })
	w.state("live")

	// The person stops with the mouse; the window says that it is over.
	g = w.geometry()
	_, err = w.desktop.Output(w.ctx, "xdotool", "mousemove", fmt.Sprint(g.x+g.w/2), fmt.Sprint(g.y+90), "click", "1") // on Stop, under two lines of text
	w.must(err)
	w.state("ended")
	w.until("the host says so", func() bool { return strings.Contains(host.Out.String(), texts.T("reason.PERSON_STOPPED")) }, host.Out.String)
	time.Sleep(500 * time.Millisecond)
	w.desktopShot("window-ended")
	w.person("Return")
	select {
	case <-host.Exited():
	case <-time.After(10 * time.Second):
		t.Error("the host is still running after its window was closed")
	}
	if out, err := exec.Command("pgrep", "-f", "^mainforte-window").Output(); err == nil {
		t.Errorf("a window child is left: %s", out)
	}
}

// startedTwice: who clicks on the app again gets the window that is there.
func (w *world) startedTwice(texts *ui.Texts) {
	w.t.Helper()
	again, err := w.desktop.Run(w.ctx, programs.Host, "--server", w.url, "--lang", w.lang)
	w.must(err)
	select {
	case <-again.Exited():
	case <-time.After(15 * time.Second):
		w.t.Fatal("a second host stands beside the first")
	}
	if out := again.Out.String(); !strings.Contains(out, texts.T("error.already")) || again.Cmd.ProcessState.ExitCode() != 0 {
		w.t.Errorf("the second host ends with %v and says %s", again.Cmd.ProcessState, out)
	}
}

// person presses keys on the host's own keyboard.
func (w *world) person(keys ...string) {
	w.t.Helper()
	for _, k := range keys {
		_, err := w.desktop.Output(w.ctx, "xdotool", "key", k)
		w.must(err)
		time.Sleep(600 * time.Millisecond) // a person is not quicker, and the focus moves a frame later
	}
}

type geometry struct{ x, y, w, h int }

// geometry is where the host's window stands on its display.
func (w *world) geometry() geometry {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	out, err := w.desktop.Output(ctx, "xdotool", "search", "--onlyvisible", "--name", "Mainforte", "getwindowgeometry", "--shell", "%1")
	w.must(err)
	var g geometry
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		for field, p := range map[string]*int{"X": &g.x, "Y": &g.y, "WIDTH": &g.w, "HEIGHT": &g.h} {
			if name == field {
				_, _ = fmt.Sscan(value, p)
			}
		}
	}
	if g.w == 0 || g.h == 0 {
		w.t.Fatalf("no window: %q", out)
	}
	return g
}

// pressAllOver clicks on a grid over the window through the session, then types.
func (w *world) pressAllOver(g geometry) {
	w.t.Helper()
	for y := g.y + 20; y < g.y+g.h; y += 35 {
		for x := g.x + 30; x < g.x+g.w; x += 90 {
			if x < screenWidth && y < screenHeight {
				w.must(w.browser.ClickAt(w.on(x, y)))
			}
		}
	}
	w.must(w.browser.Keys(kb.Tab + "\r" + " " + kb.Tab + " "))
}

// desktopShot keeps a picture of the person's own screen.
func (w *world) desktopShot(step string) {
	w.t.Helper()
	time.Sleep(300 * time.Millisecond)
	w.keep(step, encodePNG(w.t, w.xwd()))
}
