package stage

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// Painter draws random content on a desktop, as a program of its own would.
type Painter struct {
	c             *xgb.Conn
	win           xproto.Window
	gc            xproto.Gcontext
	back          xproto.Pixmap // what Put paints on; 0: not made yet
	width, height int
	rng           *rand.Rand
}

// NewPainter opens a window of width × height pixels at x, y that no window
// manager touches, and draws from the seed.
func NewPainter(display string, x, y, width, height int, seed uint64) (*Painter, error) {
	c, err := Dial(display)
	if err != nil {
		return nil, fmt.Errorf("stage: painter: %w", err)
	}
	p := &Painter{c: c, width: width, height: height, rng: rand.New(rand.NewPCG(seed, 1))}
	screen := xproto.Setup(c).DefaultScreen(c)
	if p.win, err = xproto.NewWindowId(c); err != nil {
		return nil, err
	}
	if p.gc, err = xproto.NewGcontextId(c); err != nil {
		return nil, err
	}
	err = xproto.CreateWindowChecked(c, screen.RootDepth, p.win, screen.Root, int16(x), int16(y), uint16(width), uint16(height), 0,
		xproto.WindowClassInputOutput, screen.RootVisual, xproto.CwBackPixel|xproto.CwOverrideRedirect, []uint32{0x203040, 1}).Check()
	if err != nil {
		return nil, fmt.Errorf("stage: painter: %w", err)
	}
	if err := xproto.CreateGCChecked(c, p.gc, xproto.Drawable(p.win), 0, nil).Check(); err != nil {
		return nil, fmt.Errorf("stage: painter: %w", err)
	}
	if err := xproto.MapWindowChecked(c, p.win).Check(); err != nil {
		return nil, fmt.Errorf("stage: painter: %w", err)
	}
	return p, nil
}

// Paint draws areas of one colour, areas of noise, and a scroll of what is there.
func (p *Painter) Paint() error {
	d := xproto.Drawable(p.win)
	for range 40 {
		w, h := 1+p.rng.IntN(p.width/2), 1+p.rng.IntN(p.height/2)
		r := xproto.Rectangle{X: int16(p.rng.IntN(p.width)), Y: int16(p.rng.IntN(p.height)), Width: uint16(w), Height: uint16(h)}
		xproto.ChangeGC(p.c, p.gc, xproto.GcForeground, []uint32{p.rng.Uint32() & 0xffffff})
		xproto.PolyFillRectangle(p.c, d, p.gc, []xproto.Rectangle{r})
	}
	for range 12 {
		w, h := 1+p.rng.IntN(100), 1+p.rng.IntN(60)
		pix := make([]byte, 4*w*h)
		for i := range pix {
			pix[i] = byte(p.rng.Uint32())
		}
		xproto.PutImage(p.c, xproto.ImageFormatZPixmap, d, p.gc, uint16(w), uint16(h),
			int16(p.rng.IntN(p.width)), int16(p.rng.IntN(p.height)), 0, 24, pix)
	}
	dy := 1 + p.rng.IntN(p.height/3)
	xproto.CopyArea(p.c, d, d, p.gc, 0, int16(dy), 0, 0, uint16(p.width), uint16(p.height-dy))
	// A round trip: when it answers, all of the above is on the screen.
	if _, err := xproto.GetInputFocus(p.c).Reply(); err != nil {
		return fmt.Errorf("stage: paint: %w", err)
	}
	return nil
}

// Put paints the whole window at once: pixels 0x00RRGGBB, row by row. It returns
// when they are on the screen.
func (p *Painter) Put(pix []uint32) error {
	if p.back == 0 {
		back, err := xproto.NewPixmapId(p.c)
		if err != nil {
			return fmt.Errorf("stage: put: %w", err)
		}
		xproto.CreatePixmap(p.c, 24, back, xproto.Drawable(p.win), uint16(p.width), uint16(p.height))
		p.back = back
	}
	const rows = 32 // a request has at most 256 KiB
	line := 4 * p.width
	part := make([]byte, rows*line)
	for y := 0; y < p.height; y += rows {
		n := min(rows, p.height-y)
		for i, v := range pix[y*p.width : (y+n)*p.width] {
			binary.LittleEndian.PutUint32(part[4*i:], v)
		}
		xproto.PutImage(p.c, xproto.ImageFormatZPixmap, xproto.Drawable(p.back), p.gc, uint16(p.width), uint16(n), 0, int16(y), 0, 24, part[:n*line])
	}
	xproto.CopyArea(p.c, xproto.Drawable(p.back), xproto.Drawable(p.win), p.gc, 0, 0, 0, 0, uint16(p.width), uint16(p.height))
	if _, err := xproto.GetInputFocus(p.c).Reply(); err != nil {
		return fmt.Errorf("stage: put: %w", err)
	}
	return nil
}

// Fill paints an area of one colour (0xRRGGBB) and returns when it is on the screen.
func (p *Painter) Fill(x, y, w, h int, color uint32) error {
	xproto.ChangeGC(p.c, p.gc, xproto.GcForeground, []uint32{color})
	xproto.PolyFillRectangle(p.c, xproto.Drawable(p.win), p.gc, []xproto.Rectangle{{X: int16(x), Y: int16(y), Width: uint16(w), Height: uint16(h)}})
	if _, err := xproto.GetInputFocus(p.c).Reply(); err != nil {
		return fmt.Errorf("stage: fill: %w", err)
	}
	return nil
}

// Move puts the window elsewhere, as if it was dragged.
func (p *Painter) Move(x, y int) error {
	xproto.ConfigureWindow(p.c, p.win, xproto.ConfigWindowX|xproto.ConfigWindowY, []uint32{uint32(int32(x)), uint32(int32(y))})
	if _, err := xproto.GetInputFocus(p.c).Reply(); err != nil {
		return fmt.Errorf("stage: move: %w", err)
	}
	return nil
}

// Close takes the window away.
func (p *Painter) Close() { p.c.Close() }
