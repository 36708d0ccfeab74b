package e2e

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// looked is how the picture lies on the page: the whole of it, and the window
// through which it is seen, both in device pixels of the page.
type looked struct {
	Picture, Window struct{ X, Y, W, H float64 }
	Scale           float64 // device pixels a picture pixel takes
	Ratio           float64
	Label           string // what the toolbar says of it
	Left, Top       float64
}

// look asks the page for it.
func (w *world) look() looked {
	w.t.Helper()
	l, err := stage.Eval[looked](w.browser, fmt.Sprintf(`(() => { const d = devicePixelRatio, s = %s, f = %s, p = %s;
 const b = s.getBoundingClientRect(), r = p.getBoundingClientRect(), c = f.getBoundingClientRect();
 const x = Math.max(b.x, c.x), y = Math.max(b.y, c.y);
 const right = Math.min(b.x + s.clientWidth, c.right), bottom = Math.min(b.y + s.clientHeight, c.bottom);
 return {Picture: {X: r.x * d, Y: r.y * d, W: r.width * d, H: r.height * d}, Window: {X: x * d, Y: y * d, W: (right - x) * d, H: (bottom - y) * d},
  Ratio: d, Label: %s.innerText, Left: s.scrollLeft, Top: s.scrollTop} })()`,
		stage.Element("#stage"), stage.Element("#frame"), stage.Element("#picture"), stage.Element("#show-look")))
	w.must(err)
	l.Scale = l.Picture.W / float64(w.xwd().Bounds().Dx())
	return l
}

// looksExact waits until every pixel that the window shows is the display's: at
// a scale that is whole, so that each of them is a square of one colour.
func (w *world) looksExact(step string) {
	w.t.Helper()
	var wrong string
	for deadline := time.Now().Add(8 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		display := w.xwd()
		l := w.look()
		page, png, err := w.browser.Screenshot()
		w.must(err)
		if wrong = l.differs(page, display); wrong == "" {
			w.keep(step, png)
			return
		}
		if time.Now().After(deadline) {
			w.keep(step+"-differs", png)
			w.t.Fatalf("%s: %s", step, wrong)
		}
	}
}

func (l looked) differs(page image.Image, display *image.RGBA) string {
	scale := math.Round(l.Scale)
	if math.Abs(scale-l.Scale) > 0.01 {
		return fmt.Sprintf("a scale of %v is not whole", l.Scale)
	}
	// Scrolled by a part of a device pixel, a browser draws at a whole one: that one or the other.
	wrong := ""
	for _, left := range []float64{math.Floor(l.Picture.X + 0.1), math.Ceil(l.Picture.X - 0.1)} {
		for _, top := range []float64{math.Floor(l.Picture.Y + 0.1), math.Ceil(l.Picture.Y - 0.1)} {
			if wrong = l.differsAt(page, display, scale, left, top); wrong == "" {
				return ""
			}
		}
	}
	return wrong
}

func (l looked) differsAt(page image.Image, display *image.RGBA, scale, left, top float64) string {
	count, first, all := 0, image.Point{}, 0
	for y := int(math.Ceil(l.Window.Y)); y < int(math.Floor(l.Window.Y+l.Window.H-0.4)); y++ {
		for x := int(math.Ceil(l.Window.X)); x < int(math.Floor(l.Window.X+l.Window.W-0.4)); x++ {
			at := image.Pt(int((float64(x)-left)/scale), int((float64(y)-top)/scale))
			if !at.In(display.Bounds()) {
				continue
			}
			all++
			r, g, b, _ := page.At(x, y).RGBA()
			i := display.PixOffset(at.X, at.Y)
			if byte(r>>8) != display.Pix[i] || byte(g>>8) != display.Pix[i+1] || byte(b>>8) != display.Pix[i+2] {
				if count == 0 {
					first = at
				}
				count++
			}
		}
	}
	if all < 10_000 {
		return fmt.Sprintf("only %d pixels are seen: %+v", all, l)
	}
	if count > 0 {
		return fmt.Sprintf("%d of %d pixels differ, the first at %v: %+v", count, all, first, l)
	}
	return ""
}

// on is the middle of a pixel of the display, in CSS pixels of the page.
func (l looked) on(x, y int) stage.Point {
	return stage.Point{
		X: (l.Picture.X + (float64(x)+0.5)*l.Scale) / l.Ratio,
		Y: (l.Picture.Y + (float64(y)+0.5)*l.Scale) / l.Ratio,
	}
}

// within is what of the display the window shows.
func (l looked) within() image.Rectangle {
	return image.Rect(
		int(math.Ceil((l.Window.X-l.Picture.X)/l.Scale)), int(math.Ceil((l.Window.Y-l.Picture.Y)/l.Scale)),
		int(math.Floor((l.Window.X+l.Window.W-l.Picture.X)/l.Scale)), int(math.Floor((l.Window.Y+l.Window.H-l.Picture.Y)/l.Scale)))
}

// dense is the flag for a screen of so many device pixels a CSS pixel. An emulated
// one is laid out otherwise: in CSS pixels, which are enlarged afterwards.
func dense(ratio float64) string { return fmt.Sprintf("force-device-scale-factor=%v", ratio) }

// viewport gives the page another size, and the screen's own density.
func (w *world) viewport(width, height int64, ratio float64) {
	w.t.Helper()
	w.must(chromedp.Do(w.browser.Context(), chromedp.EmulateViewport(width, height, chromedp.EmulateScale(0))))
	w.must(w.browser.Wait(5*time.Second, fmt.Sprintf("Math.abs(devicePixelRatio - %v) < 0.001 && innerWidth === %d", ratio, width)))
}

// keyToLook presses a key that says how to look: outside the remote desktop.
func (w *world) keyToLook(key string) {
	w.t.Helper()
	_, err := stage.Eval[bool](w.browser, fmt.Sprintf("(e => { e.focus(); return true })(%s)", stage.Element("#show-look")))
	w.must(err)
	w.must(w.browser.Keys(key))
}

func (w *world) label(want string) {
	w.t.Helper()
	w.must(w.browser.Wait(5*time.Second, fmt.Sprintf("%s?.innerText.replaceAll('\\u00a0', ' ').replaceAll('\\u202f', ' ') === %q", stage.Element("#show-look"), want)))
}

func (w *world) resize(width, height int) {
	w.t.Helper()
	n := func(i int) string { return fmt.Sprint(i) }
	mode := fmt.Sprintf("%dx%d-%d", width, height, rand.IntN(1e6))
	_, err := w.desktop.Output(w.ctx, "xrandr", "--newmode", mode, "30", n(width), n(width+20), n(width+40), n(width+60), n(height), n(height+10), n(height+20), n(height+30))
	w.must(err)
	_, err = w.desktop.Output(w.ctx, "xrandr", "--addmode", "screen", mode)
	w.must(err)
	_, err = w.desktop.Output(w.ctx, "xrandr", "--output", "screen", "--mode", mode)
	w.must(err)
}

// paintAll draws random content over the whole desktop.
func (w *world) paintAll(width, height int) *stage.Painter {
	w.t.Helper()
	p, err := stage.NewPainter(w.desktop.Display, 0, 0, width, height, uint64(width*height))
	w.must(err)
	w.t.Cleanup(p.Close)
	w.must(p.Paint())
	return p
}

// TestEveryLookShowsTheRightPixelsAndPointsAtThem: at one to one, fitted and
// larger, on screens of any density, what the technician sees is what is there,
// and what they point at is what they see.
func TestEveryLookShowsTheRightPixelsAndPointsAtThem(t *testing.T) {
	for _, ratio := range []float64{1, 1.25, 2} {
		t.Run(fmt.Sprintf("ratio %v", ratio), func(t *testing.T) { everyLook(t, ratio) })
	}
}

func everyLook(t *testing.T, ratio float64) {
	w := newWorldOf(t, "fr", 1280, 800, dense(ratio))
	w.paintAll(1280, 800)
	w.viewport(int64(1300/ratio), int64(900/ratio), ratio)
	w.live("Une image à toutes les tailles")
	w.must(w.browser.Click("#ask-control"))
	w.answer("control", "allow")
	w.must(w.browser.WaitFor(10*time.Second, "#give-back"))

	for _, c := range []struct {
		key, name string
		exact     bool
	}{{"1", "1-1", true}, {"0", "fit", false}, {"+", "zoom", false}, {"4", "400", true}} {
		if c.key == "4" { // to the largest
			for range 14 {
				w.keyToLook("+")
			}
			w.label("400 %")
		} else {
			w.keyToLook(c.key)
		}
		if c.exact {
			w.looksExact(c.name)
		} else {
			w.shot(c.name)
		}
		for _, place := range []func(seen image.Rectangle) image.Point{
			func(seen image.Rectangle) image.Point { return seen.Min.Add(image.Pt(40, 40)) },
			func(seen image.Rectangle) image.Point { return seen.Min.Add(seen.Size().Div(2)) },
			func(seen image.Rectangle) image.Point { return seen.Max.Sub(image.Pt(41, 33)) },
		} {
			// Near an edge the pointer moves what is seen: then the place is another.
			var l looked
			var at image.Point
			w.until(c.name+": the pointer stands where it points", func() bool {
				if now := w.look(); now != l {
					l, at = now, place(now.within())
					w.must(w.browser.Mouse(input.DispatchMouseEventTypeMouseMoved, l.on(at.X, at.Y), false))
				}
				return w.pointer() == [2]int{at.X, at.Y}
			}, func() string { return fmt.Sprintf("%v instead of %v", w.pointer(), at) })
		}
	}
	w.keyToLook("1")
	w.label("1:1")
	w.must(w.browser.Click("#show-look"))
	w.shot("look-sheet")
	w.must(w.browser.Click("#show-details"))
	w.must(w.browser.Wait(10*time.Second, fmt.Sprintf("%s?.dataset.cause !== 'unknown'", stage.Element("#cause"))))
	w.shot("details")
}

// TestALookIsRemembered: the next session begins as the last was looked at.
func TestALookIsRemembered(t *testing.T) {
	w := newWorldOf(t, "en", 1024, 700)
	w.paintAll(1024, 700)
	w.live("A look that stays")
	w.label("1:1")
	w.must(w.browser.Click("#show-look"))
	w.must(w.browser.Click("#look-fit"))
	w.shot("look")
	w.must(w.browser.Wait(5*time.Second, stage.Element("#show-look")+".innerText.startsWith('Fit (')"))
	w.must(w.browser.Click("#zoom-in"))
	w.must(w.browser.Click("#zoom-in"))
	label, err := stage.Eval[string](w.browser, stage.Element("#show-look")+".innerText")
	w.must(err)
	kept, err := stage.Eval[string](w.browser, "localStorage.getItem('mf-look')")
	w.must(err)
	if label != kept+"%" {
		t.Errorf("%q is shown and %q kept", label, kept)
	}
	w.must(w.browser.Goto(w.url + "/console"))
	w.must(w.host.Stop())
	w.seen = 0
	w.must(w.browser.Click("#new-ticket"))
	w.must(w.browser.Fill("#ticket-subject", "Again"))
	w.must(w.browser.Fill("#ticket-requester", "Zoé"))
	w.must(w.browser.Click("#create-ticket"))
	w.must(w.browser.Click("#start-session"))
	w.must(w.browser.WaitFor(10*time.Second, "#code"))
	w.typeCode(w.startHost())
	w.answer("view", "allow")
	w.state("live")
	w.label(label)
}

// TestTheDesktopMayChangeItsSize: every pixel is right afterwards, at sizes that
// fit no tile, and the technician finds the picture where they left it.
func TestTheDesktopMayChangeItsSize(t *testing.T) {
	w := newWorldOf(t, "en", 1920, 1080)
	painter := w.paintAll(1920, 1080)
	w.live("The screen changes")
	// Where the screen becomes smaller than the pointer's place, the X server moves
	// the pointer, and the technician is shown where to: over the picture.
	_, err := stage.Eval[string](w.browser, stage.Element("#ghosts")+".style.display = 'none'")
	w.must(err)
	w.viewport(1000, 700, 1)
	scroll := stage.Element("#stage") + ".scrollTo(700, 300), true"
	_, err = stage.Eval[bool](w.browser, "("+scroll+")")
	w.must(err)
	w.looksExact("1920x1080")
	for _, size := range []image.Point{{1280, 720}, {949, 533}, {1920, 1080}} {
		w.resize(size.X, size.Y)
		w.must(painter.Paint())
		w.must(w.browser.Wait(10*time.Second, fmt.Sprintf("Math.abs(%s?.getBoundingClientRect().width - %d) < 0.1", stage.Element("#picture"), size.X)))
		w.looksExact(fmt.Sprintf("%dx%d", size.X, size.Y))
		w.label("1:1")
	}
	if l := w.look(); l.Left != 700 || l.Top != 300 {
		t.Errorf("the picture is looked at from %v, %v instead of 700, 300", l.Left, l.Top)
	}
	w.keyToLook("0")
	w.resize(949, 533)
	w.must(w.browser.Wait(10*time.Second, stage.Element("#show-look")+".innerText.startsWith('Fit (')"))
	w.must(painter.Paint())
	w.keyToLook("1")
	w.looksExact("fit-and-back")
}

// TestOneMonitorOfTwo: the technician chooses one, sees it alone and exactly,
// and sees all of them again, with a word, when it is unplugged.
func TestOneMonitorOfTwo(t *testing.T) {
	for lang, ratio := range map[string]float64{"en": 1, "fr": 1.25} {
		t.Run(lang, func(t *testing.T) { oneMonitorOfTwo(t, lang, ratio) })
	}
}

func oneMonitorOfTwo(t *testing.T, lang string, ratio float64) {
	w := newWorldOf(t, lang, 1600, 700, dense(ratio))
	for _, args := range [][]string{
		{"--setmonitor", "Left", "1000/260x700/180+0+0", "screen"},
		{"--setmonitor", "Right", "600/160x500/130+1000+100", "none"},
	} {
		_, err := w.desktop.Output(w.ctx, "xrandr", args...)
		w.must(err)
	}
	painter := w.paintAll(1600, 700)
	w.viewport(int64(1620/ratio), int64(1000/ratio), ratio)
	w.live("Two monitors")
	w.looksExact("both")
	w.must(w.browser.Click("#show-look"))
	w.must(w.browser.WaitFor(5*time.Second, "#look .screen"))
	w.shot("sheet")
	names, err := stage.Eval[string](w.browser, fmt.Sprintf("[...%s.querySelectorAll('.screen')].map(e => e.title).join('; ')", stage.Element("#look")))
	w.must(err)
	if names != "Left, 1000 × 700; Right, 600 × 500" {
		t.Errorf("the monitors are %q", names)
	}
	second, err := stage.Eval[string](w.browser, stage.Element("#look")+".querySelectorAll('.screen')[1].id")
	w.must(err)
	w.must(w.browser.Click("#" + second))
	w.shot("right-sheet")
	w.must(w.browser.Click("#close-look"))
	w.looksExact("right")
	if got, want := w.look().within(), image.Rect(1000, 100, 1600, 600); got != want {
		t.Errorf("%v is seen instead of %v", got, want)
	}
	for i := range 3 {
		w.must(painter.Paint())
		w.looksExact(fmt.Sprintf("right-%d", i+1))
	}
	// What changed on the other one meanwhile comes as soon as it is looked at.
	w.keyToLook("m")
	w.looksExact("both-again")
	w.keyToLook("M")
	w.looksExact("right-again")
	_, err = w.desktop.Output(w.ctx, "xrandr", "--delmonitor", "Right")
	w.must(err)
	w.resize(1400, 700) // a monitor that goes takes its part of the desktop along
	w.must(w.browser.WaitFor(10*time.Second, "#banner"))
	told, err := stage.Eval[string](w.browser, stage.Element("#banner")+".innerText")
	w.must(err)
	if !strings.Contains(told, "Right") {
		t.Errorf("the technician is told %q", told)
	}
	w.shot("unplugged")
	w.must(w.browser.Wait(10*time.Second, "!"+stage.Element("#banner")))
	w.looksExact("all-again")
}

// TestAPictureLargerThanItsBoxIsMoved: dragged while the pointer is nobody's, and
// by the pointer at the edges while it drives the desktop; the wheel with
// Control changes the size around what is pointed at.
func TestAPictureLargerThanItsBoxIsMoved(t *testing.T) {
	w := newWorldOf(t, "en", 1600, 1200)
	w.paintAll(1600, 1200)
	w.viewport(1000, 700, 1)
	w.live("A large screen")
	w.looksExact("top-left")

	from := stage.Point{X: 600, Y: 500}
	w.must(w.browser.Mouse(input.DispatchMouseEventTypeMouseMoved, from, false))
	w.must(w.browser.Mouse(input.DispatchMouseEventTypeMousePressed, from, true))
	for i := range 10 {
		w.must(w.browser.Mouse(input.DispatchMouseEventTypeMouseMoved, stage.Point{X: from.X - 25*float64(i+1), Y: from.Y - 12*float64(i+1)}, true))
	}
	w.must(w.browser.Mouse(input.DispatchMouseEventTypeMouseReleased, stage.Point{X: from.X - 250, Y: from.Y - 120}, true))
	w.until("the picture is dragged", func() bool { l := w.look(); return l.Left == 250 && l.Top == 120 },
		func() string { return fmt.Sprintf("%+v", w.look()) })
	w.looksExact("dragged")

	before, at := w.look(), stage.Point{X: 400, Y: 300}
	turn := input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseWheel, X: at.X, Y: at.Y, DeltaX: 0.01, DeltaY: -120, Modifiers: 2}
	_, err := chromedp.Call(w.browser.Context(), input.DispatchMouseEvent, turn)
	w.must(err)
	w.label("110%")
	after := w.look()
	for _, d := range []float64{
		(at.X-before.Picture.X)/before.Scale - (at.X-after.Picture.X)/after.Scale,
		(at.Y-before.Picture.Y)/before.Scale - (at.Y-after.Picture.Y)/after.Scale,
	} {
		if math.Abs(d) > 1.5 {
			t.Errorf("what is pointed at moved by %.1f pixels", d)
		}
	}
	w.keyToLook("1")
	w.label("1:1")

	w.must(w.browser.Click("#ask-control"))
	w.answer("control", "allow")
	w.must(w.browser.WaitFor(10*time.Second, "#give-back"))
	l := w.look()
	edge := stage.Point{X: l.Window.X + l.Window.W - 8, Y: l.Window.Y + l.Window.H/2}
	w.must(w.browser.Mouse(input.DispatchMouseEventTypeMouseMoved, edge, false))
	w.until("the picture follows the pointer at its edge, to the end", func() bool { return w.look().Left == 1600-l.Window.W },
		func() string { return fmt.Sprintf("%+v", w.look()) })
	w.looksExact("right-edge")
}
