package main

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// canvas is a window of ours on the person's desktop.
type canvas struct {
	c    *xgb.Conn
	win  xproto.Window
	gc   xproto.Gcontext
	w, h int
}

func newCanvas(display string, x, y, w, h int, events uint32) (*canvas, error) {
	c, err := xgb.NewConnDisplay(display)
	if err != nil {
		return nil, fmt.Errorf("canvas: %w", err)
	}
	v := &canvas{c: c, w: w, h: h}
	screen := xproto.Setup(c).DefaultScreen(c)
	if v.win, err = xproto.NewWindowId(c); err != nil {
		return nil, err
	}
	if v.gc, err = xproto.NewGcontextId(c); err != nil {
		return nil, err
	}
	err = xproto.CreateWindowChecked(c, screen.RootDepth, v.win, screen.Root, int16(x), int16(y), uint16(w), uint16(h), 0,
		xproto.WindowClassInputOutput, screen.RootVisual, xproto.CwBackPixel|xproto.CwOverrideRedirect|xproto.CwEventMask, []uint32{0xffffff, 1, events}).Check()
	if err != nil {
		return nil, fmt.Errorf("canvas: %w", err)
	}
	font, err := xproto.NewFontId(c)
	if err != nil {
		return nil, err
	}
	if err := xproto.OpenFontChecked(c, font, 5, "fixed").Check(); err != nil {
		return nil, fmt.Errorf("canvas: font: %w", err)
	}
	if err := xproto.CreateGCChecked(c, v.gc, xproto.Drawable(v.win), xproto.GcForeground|xproto.GcBackground|xproto.GcFont|xproto.GcGraphicsExposures, []uint32{0, 0xffffff, uint32(font), 0}).Check(); err != nil {
		return nil, fmt.Errorf("canvas: %w", err)
	}
	if err := xproto.MapWindowChecked(c, v.win).Check(); err != nil {
		return nil, fmt.Errorf("canvas: %w", err)
	}
	return v, nil
}

func (v *canvas) fill(x, y, w, h int, color uint32) {
	xproto.ChangeGC(v.c, v.gc, xproto.GcForeground, []uint32{color})
	xproto.PolyFillRectangle(v.c, xproto.Drawable(v.win), v.gc, []xproto.Rectangle{{X: int16(x), Y: int16(y), Width: uint16(w), Height: uint16(h)}})
}

func (v *canvas) text(x, y int, s string) {
	xproto.ChangeGC(v.c, v.gc, xproto.GcForeground, []uint32{0x101010})
	xproto.ImageText8(v.c, byte(len(s)), xproto.Drawable(v.win), v.gc, int16(x), int16(y), s)
}

// sync returns when all that was asked is on the screen.
func (v *canvas) sync() error {
	_, err := xproto.GetInputFocus(v.c).Reply()
	return err
}

// close returns when the window is off the screen: what is drawn below it before is lost.
func (v *canvas) close() {
	_ = xproto.DestroyWindowChecked(v.c, v.win).Check()
	v.c.Close()
}

// flipper changes the colour of its window at every key and button press.
type flipper struct {
	*canvas
	color atomic.Uint32
	came  chan time.Time // of each key and button, if somebody asks
	done  chan struct{}
}

func newFlipper(display string, x, y, side int) (*flipper, error) {
	v, err := newCanvas(display, x, y, side, side, xproto.EventMaskKeyPress|xproto.EventMaskButtonPress)
	if err != nil {
		return nil, err
	}
	f := &flipper{canvas: v, came: make(chan time.Time, 16), done: make(chan struct{})}
	f.paint(0x2040c0)
	if err := v.sync(); err != nil {
		return nil, err
	}
	xproto.SetInputFocus(v.c, xproto.InputFocusPointerRoot, v.win, 0)
	go func() {
		defer close(f.done)
		for {
			ev, err := v.c.WaitForEvent()
			if ev == nil && err == nil {
				return
			}
			switch ev.(type) {
			case xproto.KeyPressEvent, xproto.ButtonPressEvent:
				select {
				case f.came <- time.Now():
				default:
				}
				f.paint(f.other())
				xproto.SetInputFocus(v.c, xproto.InputFocusPointerRoot, v.win, 0)
			}
		}
	}()
	return f, nil
}

func (f *flipper) paint(color uint32) {
	f.color.Store(color)
	f.fill(0, 0, f.w, f.h, color)
}

// other is the colour that comes next.
func (f *flipper) other() uint32 { return f.color.Load() ^ 0xe0e0e0 }

func (f *flipper) close() {
	f.canvas.close()
	<-f.done
}

// typer writes a line of text, a character at a time.
type typer struct{ *canvas }

func newTyper(display string) (*typer, error) {
	v, err := newCanvas(display, 200, 200, 900, 300, 0)
	if err != nil {
		return nil, err
	}
	return &typer{v}, v.sync()
}

func (t *typer) run(ctx context.Context, every time.Duration) error {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 0; ; i++ {
		t.text(20+7*(i%110), 30+16*(i/110%16), string(rune('a'+rng.IntN(26))))
		if err := t.sync(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}

// mover is a moving picture. Its frames carry their number in squares at marker.
type mover interface {
	// draw draws frame n and returns when it is on the screen.
	draw(n uint32) error
	marker() image.Point
	close()
}

type sprite struct {
	*canvas
	n int
}

// newSprite: a small square runs over a still page.
func newSprite(display string) (mover, error) {
	v, err := newCanvas(display, 400, 300, 640, 360, 0)
	return &sprite{canvas: v}, err
}

func (s *sprite) draw(n uint32) error {
	s.fill(20+s.n*5%560, 100, 64, 64, 0xffffff)
	s.n++
	s.fill(20+s.n*5%560, 100, 64, 64, 0xc03020)
	s.mark(n)
	return s.sync()
}

func (s *sprite) marker() image.Point { return image.Pt(400, 300) }

type scroller struct {
	*canvas
	rng *rand.Rand
	at  image.Point
}

const lineHeight = 24

// newScroller: a full screen of text moves up by a line a frame.
func newScroller(display string) (mover, error) {
	return newScrollerIn(display, image.Rect(0, 0, width, height))
}

func newScrollerIn(display string, area image.Rectangle) (mover, error) {
	v, err := newCanvas(display, area.Min.X, area.Min.Y, area.Dx(), area.Dy(), 0)
	s := &scroller{canvas: v, rng: rand.New(rand.NewPCG(7, 7)), at: area.Min}
	if err == nil {
		for y := 40; y < s.h; y += lineHeight {
			s.line(y)
		}
		err = v.sync()
	}
	return s, err
}

func (s *scroller) line(y int) {
	for part := range 4 {
		b := make([]byte, 64)
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyz     .,"[s.rng.IntN(33)]
		}
		s.text(20+part*64*6, y, string(b))
	}
}

func (s *scroller) draw(n uint32) error {
	d := xproto.Drawable(s.win)
	const top = markSide // of what scrolls: right below the squares, which stand still
	xproto.CopyArea(s.c, d, d, s.gc, 0, lineHeight+top, 0, top, uint16(s.w), uint16(s.h-lineHeight-top))
	s.fill(0, s.h-lineHeight, s.w, lineHeight, 0xffffff)
	s.line(s.h - 8)
	s.mark(n)
	return s.sync()
}

func (s *scroller) marker() image.Point { return s.at }

type dragger struct {
	*canvas
	squares *canvas
	n       int
}

// newDragger: a window full of text is dragged over the desktop; the squares are a window of their own.
func newDragger(display string) (mover, error) {
	v, err := newCanvas(display, 300, 200, 800, 500, 0)
	if err != nil {
		return nil, err
	}
	s := scroller{canvas: v, rng: rand.New(rand.NewPCG(9, 9))}
	for y := 20; y < 500; y += 18 {
		s.line(y)
	}
	squares, err := newCanvas(display, 1600, 20, markWidth, markSide, 0)
	if err != nil {
		return nil, err
	}
	return &dragger{canvas: v, squares: squares}, v.sync()
}

func (d *dragger) draw(n uint32) error {
	d.n++
	x, y := 300+d.n*7%500, 200+d.n*3%300
	xproto.ConfigureWindow(d.c, d.win, xproto.ConfigWindowX|xproto.ConfigWindowY, []uint32{uint32(x), uint32(y)})
	if err := d.sync(); err != nil {
		return err
	}
	d.squares.mark(n)
	return d.squares.sync()
}

func (d *dragger) marker() image.Point { return image.Pt(1600, 20) }

func (d *dragger) close() {
	d.squares.close()
	d.canvas.close()
}
