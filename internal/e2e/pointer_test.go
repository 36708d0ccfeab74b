package e2e

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestTheTechnicianSeesWhereThePersonPoints: over the picture, at the right
// pixel, with a name, in both languages; and no longer once it is the
// technician who moves.
func TestTheTechnicianSeesWhereThePersonPoints(t *testing.T) {
	for lang, name := range map[string]string{"en": "The person", "fr": "La personne"} {
		t.Run(lang, func(t *testing.T) {
			w := newWorld(t, lang)
			w.live("Où est-ce ?")
			for _, at := range [][2]int{{400, 300}, {1000, 650}, {10, 10}} {
				w.personPoints(at[0], at[1])
				c := w.canvas(w.browser)
				w.must(w.browser.Wait(5*time.Second, fmt.Sprintf(
					"(e => { if (!e) return false; const r = e.getBoundingClientRect(); return Math.abs(r.left - %f) < 1 && Math.abs(r.top - %f) < 1 && e.textContent === %q })(%s)",
					c.X+float64(at[0]), c.Y+float64(at[1]), name, stage.Element("#ghost"))))
				w.shot("the-person-points")
			}
			w.must(w.browser.Click("#ask-control"))
			w.answer("control", "allow")
			w.must(w.browser.WaitFor(10*time.Second, "#give-back"))
			w.must(w.browser.ClickAt(w.on(200, 150)))
			w.until("the pointer follows", func() bool { return w.pointer() == [2]int{200, 150} })
			w.must(w.browser.Wait(5*time.Second, stage.Element("#ghost")+" === null"))
			time.Sleep(500 * time.Millisecond) // for a place that should not come
			w.must(w.browser.Wait(time.Second, stage.Element("#ghost")+" === null"))
			w.personPoints(500, 400)
			w.must(w.browser.Wait(5*time.Second, stage.Element("#ghost")+" !== null"))
		})
	}
}

// personPoints moves the person's own mouse.
func (w *world) personPoints(x, y int) {
	w.t.Helper()
	_, err := w.desktop.Output(w.ctx, "xdotool", "mousemove", strconv.Itoa(x), strconv.Itoa(y))
	w.must(err)
}
