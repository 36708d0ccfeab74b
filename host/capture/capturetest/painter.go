//go:build linux || freebsd || netbsd || openbsd

package capturetest

import (
	"fmt"
	"image"
	"testing"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// Painter draws on the root window of an X display, over whatever is there. It
// shares nothing with the code under test but the X server.
type Painter struct {
	t       testing.TB
	display string
	c       *xgb.Conn
	root    xproto.Window
	gc      xproto.Gcontext
	modes   int
}

// NewPainter connects to the display; the connection ends with the test.
func NewPainter(t testing.TB, display string) *Painter {
	t.Helper()
	c, err := xgb.NewConnDisplay(display)
	if err != nil {
		t.Fatalf("connect to %s: %v", display, err)
	}
	t.Cleanup(c.Close)
	p := &Painter{t: t, display: display, c: c, root: xproto.Setup(c).DefaultScreen(c).Root}
	if p.gc, err = xproto.NewGcontextId(c); err == nil {
		err = xproto.CreateGCChecked(c, p.gc, xproto.Drawable(p.root), xproto.GcSubwindowMode,
			[]uint32{xproto.SubwindowModeIncludeInferiors}).Check()
	}
	if err != nil {
		t.Fatalf("make a graphics context: %v", err)
	}
	return p
}

// Fill paints r in one colour, 0xRRGGBB, and returns when it is done.
func (p *Painter) Fill(r image.Rectangle, colour uint32) {
	p.t.Helper()
	err := xproto.ChangeGCChecked(p.c, p.gc, xproto.GcForeground, []uint32{colour}).Check()
	if err == nil {
		err = xproto.PolyFillRectangleChecked(p.c, xproto.Drawable(p.root), p.gc, []xproto.Rectangle{{
			X: int16(r.Min.X), Y: int16(r.Min.Y), Width: uint16(r.Dx()), Height: uint16(r.Dy())}}).Check()
	}
	if err != nil {
		p.t.Errorf("paint %v: %v", r, err)
	}
}

// Pixels reads the screen over the connection, 0x00RRGGBB, without any of the
// extensions that fast sources use.
func (p *Painter) Pixels(w, h int) []uint32 {
	p.t.Helper()
	r, err := xproto.GetImage(p.c, xproto.ImageFormatZPixmap, xproto.Drawable(p.root), 0, 0,
		uint16(w), uint16(h), ^uint32(0)).Reply()
	if err != nil {
		p.t.Fatalf("read the screen: %v", err)
	}
	pix := make([]uint32, w*h)
	for i := range pix {
		pix[i] = xgb.Get32(r.Data[4*i:]) & 0xffffff
	}
	return pix
}

// Resize gives the screen another size, at most the one it began with, by the
// program xrandr.
func (p *Painter) Resize(w, h int) {
	p.t.Helper()
	p.modes++
	mode := fmt.Sprintf("test%d", p.modes)
	n := func(i int) string { return fmt.Sprint(i) }
	Command(p.t, p.display, "xrandr", "--newmode", mode, "30",
		n(w), n(w+20), n(w+40), n(w+60), n(h), n(h+10), n(h+20), n(h+30))
	Command(p.t, p.display, "xrandr", "--addmode", "screen", mode)
	Command(p.t, p.display, "xrandr", "--output", "screen", "--mode", mode)
}

// SetCursor gives the root window a shape from the X cursor font: an even
// number, such as 34 for a cross or 152 for the I-beam of text.
func (p *Painter) SetCursor(glyph uint16) {
	p.t.Helper()
	font, _ := xproto.NewFontId(p.c)
	cursor, _ := xproto.NewCursorId(p.c)
	const name = "cursor"
	for _, err := range []error{
		xproto.OpenFontChecked(p.c, font, uint16(len(name)), name).Check(),
		xproto.CreateGlyphCursorChecked(p.c, cursor, font, font, glyph, glyph+1, 0, 0, 0, 0xffff, 0xffff, 0xffff).Check(),
		xproto.ChangeWindowAttributesChecked(p.c, p.root, xproto.CwCursor, []uint32{uint32(cursor)}).Check(),
		xproto.CloseFontChecked(p.c, font).Check(),
	} {
		if err != nil {
			p.t.Errorf("set cursor %d: %v", glyph, err)
		}
	}
}
