package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestFingersOnThePicture: a tap is a click where it lands, a long press the
// right button, and two fingers turn the wheel, seen by a program on the
// person's desktop.
func TestFingersOnThePicture(t *testing.T) {
	w := newWorld(t, "en")
	events := filepath.Join(t.TempDir(), "events")
	_, err := w.desktop.Run(w.ctx, "sh", "-c", "exec stdbuf -oL xev -geometry 600x500+100+100 -event button > '"+events+"'")
	w.must(err)
	w.live("A tablet")
	w.must(w.browser.Click("#ask-control"))
	w.answer("control", "allow")
	w.must(w.browser.WaitFor(10*time.Second, "#give-back"))
	w.until("xev stands", func() bool { b, _ := os.ReadFile(events); return len(b) > 0 })

	at := w.on(400, 300)
	w.touch(input.DispatchTouchEventTypeTouchStart, at)
	w.touch(input.DispatchTouchEventTypeTouchEnd)
	w.clicked(events, "1")
	if got := w.pointer(); got != [2]int{400, 300} {
		t.Errorf("the tap landed at %v", got)
	}
	w.touch(input.DispatchTouchEventTypeTouchStart, at)
	w.clicked(events, "1 3") // while the finger is still down
	w.touch(input.DispatchTouchEventTypeTouchEnd)
	two := func(y float64) []stage.Point {
		return []stage.Point{{X: at.X, Y: at.Y - y}, {X: at.X + 80, Y: at.Y - y}}
	}
	w.touch(input.DispatchTouchEventTypeTouchStart, two(0)...)
	for y := 20.0; y <= 220; y += 20 { // the content follows: 200 pixels are two notches down
		w.touch(input.DispatchTouchEventTypeTouchMove, two(y)...)
	}
	w.touch(input.DispatchTouchEventTypeTouchEnd)
	w.clicked(events, "1 3 5 5")
}

// touch is what the fingers do; points are those that are down.
func (w *world) touch(kind input.DispatchTouchEventType, points ...stage.Point) {
	w.t.Helper()
	p := input.DispatchTouchEventParams{Type: kind, TouchPoints: []*input.TouchPoint{}}
	for i, at := range points {
		id := float64(i + 1)
		p.TouchPoints = append(p.TouchPoints, &input.TouchPoint{X: at.X, Y: at.Y, RadiusX: new(8.0), RadiusY: new(8.0), Force: new(0.5), ID: &id})
	}
	if _, err := chromedp.Call(w.browser.Context(), input.DispatchTouchEvent, p); err != nil {
		w.t.Fatal(err)
	}
}

// clicked waits for the buttons that xev saw pressed so far.
func (w *world) clicked(events, want string) {
	w.t.Helper()
	var got []string
	read := func() bool {
		b, err := os.ReadFile(events)
		w.must(err)
		got = nil
		press := false
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "Button") {
				press = strings.HasPrefix(line, "ButtonPress")
			}
			if _, rest, has := strings.Cut(line, " button "); has && press {
				n, _, _ := strings.Cut(rest, ",")
				got = append(got, n)
			}
		}
		return strings.Join(got, " ") == want
	}
	w.until("the buttons "+want, read, func() string { return fmt.Sprint(got) })
}
