package e2e

import (
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"

	"github.com/mainforte/mainforte/host/overlay"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestTheTechnicianShowsAndTeaches draws on the person's screen in a session
// without control, in both languages, and walks the steps to the file that the
// person keeps.
func TestTheTechnicianShowsAndTeaches(t *testing.T) {
	w := newWorld(t, "en")
	w.live("Où faut-il cliquer ?")
	before := w.pointer()
	w.must(w.browser.Click("#show-marks"))
	w.must(w.browser.Click("#ask-annotate"))
	w.answer("annotate", "allow")
	w.must(w.browser.WaitFor(10*time.Second, "#mark-box"))

	w.must(w.browser.Click("#mark-box"))
	w.drag(image.Pt(100, 120), image.Pt(400, 300))
	w.until("the box is on the person's screen", func() bool {
		return w.ink(image.Pt(100, 200)) && w.ink(image.Pt(250, 300)) && !w.ink(image.Pt(250, 200))
	})
	w.must(w.browser.Click("#mark-pen"))
	w.drag(image.Pt(120, 350), image.Pt(220, 420), image.Pt(320, 350))
	w.until("the line is", func() bool { return w.ink(image.Pt(220, 420)) && w.ink(image.Pt(170, 385)) })
	w.must(w.browser.Click("#mark-text"))
	w.must(w.browser.Fill("#mark-words", "Cliquez ici, s’il vous plaît"))
	w.must(w.browser.ClickAt(w.on(130, 140)))
	w.until("the text is", func() bool { return w.xwd().RGBAAt(140, 146).G > 200 })
	w.shot("marks")
	w.desktopShot("marks-person")
	if after := w.pointer(); after != before {
		t.Errorf("drawing moved the person's pointer from %v to %v", before, after)
	}

	// Undo takes the text, the person's wipe all of it; Escape gives the pointer back.
	w.must(w.browser.Click("#undo-mark"))
	w.until("the text is gone", func() bool { return w.xwd().RGBAAt(140, 146).G < 200 && w.ink(image.Pt(220, 420)) })
	w.must(w.browser.Click("#close-marks"))
	w.must(w.browser.Wait(5*time.Second, stage.Element("#ink[data-tool]")+" === null"))

	w.must(w.browser.Click("#show-steps"))
	w.must(w.browser.Fill("#new-steps", "1. Ouvrez le menu\n2. Choisissez « Réglages »"))
	w.must(w.browser.Click("#step-picture"))
	w.must(w.browser.Click("#add-steps"))
	steps := w.hear("steps")
	for len(steps.Steps) < 2 {
		steps = w.hear("steps")
	}
	if s := steps.Steps; s[0].Text != "Ouvrez le menu" || len(s[0].Picture) == 0 || s[0].State != "asked" || s[1].Text != "Choisissez « Réglages »" {
		t.Errorf("the person is shown %q, a picture of %d bytes, %s, %q", s[0].Text, len(s[0].Picture), s[0].State, s[1].Text)
	}
	for _, c := range []ui.Command{{ID: "1", Answer: "approve"}, {ID: "2", Answer: "approve"}, {ID: "1", Answer: "done"}} {
		c.Do = "step"
		w.must(w.host.Say(c))
	}
	w.must(w.browser.WaitFor(10*time.Second, `#steps-pane [data-state="done"]`))
	w.must(w.browser.WaitFor(10*time.Second, `#steps-pane [data-state="approved"]`))
	w.shot("steps")
	path := filepath.Join(t.TempDir(), "steps.html")
	w.must(w.host.Say(ui.Command{Do: "keep_steps", Path: path}))
	w.until("the list is kept", func() bool {
		b, _ := os.ReadFile(path)
		return strings.Contains(string(b), "Choisissez « Réglages »") && strings.Contains(string(b), "data:image/png") && strings.Contains(string(b), "</html>")
	})

	w.must(w.host.Say(ui.Command{Do: "wipe"}))
	w.until("all is wiped", func() bool { return !w.ink(image.Pt(220, 420)) && !w.ink(image.Pt(100, 200)) })
	w.must(w.host.Say(ui.Command{Do: "stop"}))
	w.hear("ended")
	out, err := w.desktop.Output(w.ctx, "xwininfo", "-root", "-tree")
	w.must(err)
	if strings.Contains(string(out), "Mainforte: marks") {
		t.Errorf("windows of the overlay are left:\n%s", out)
	}
}

// ink tells whether a pixel of the person's screen has the first helper's colour.
func (w *world) ink(at image.Point) bool {
	w.t.Helper()
	c := w.xwd().RGBAAt(at.X, at.Y)
	return uint32(c.R)<<16|uint32(c.G)<<8|uint32(c.B) == overlay.Colours[0]
}

// drag presses, goes from place to place of the picture, and lets go.
func (w *world) drag(places ...image.Point) {
	w.t.Helper()
	for i, at := range places {
		if i == 0 {
			w.must(w.browser.Mouse(input.DispatchMouseEventTypeMouseMoved, w.on(at.X, at.Y), false))
			w.must(w.browser.Mouse(input.DispatchMouseEventTypeMousePressed, w.on(at.X, at.Y), true))
			continue
		}
		from := places[i-1]
		for k := 1; k <= 8; k++ {
			p := from.Add(image.Pt((at.X-from.X)*k/8, (at.Y-from.Y)*k/8))
			w.must(w.browser.Mouse(input.DispatchMouseEventTypeMouseMoved, w.on(p.X, p.Y), true))
		}
	}
	last := places[len(places)-1]
	w.must(w.browser.Mouse(input.DispatchMouseEventTypeMouseReleased, w.on(last.X, last.Y), true))
}
