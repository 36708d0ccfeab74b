// Package overlaytest holds what every overlay.Overlay must do.
package overlaytest

import (
	"image"
	"slices"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/overlay"
)

const patience = 20 * time.Second

// Width and Height are the least that a desk has.
const (
	Width  = 800
	Height = 600
)

// Desk is an overlay over a screen of one colour.
type Desk struct {
	Overlay       overlay.Overlay
	Width, Height int             // of the screen
	Pixels        func() []uint32 // of the screen, 0xRRGGBB
	Ground        uint32          // its colour
	Windows       func() int      // of the overlay, that there are
	Keep          func()          // a picture of it, for who wants to look
	Late          bool            // what was shown is seen a moment later, as under Wine
}

// Show shows a scene and waits until it is on the screen.
func Show(t *testing.T, o overlay.Overlay, s overlay.Scene) {
	t.Helper()
	select {
	case <-o.Show(s):
	case <-time.After(patience):
		t.Fatal("the scene was not shown")
	}
}

func (d *Desk) at(x, y int) uint32 { return d.Pixels()[y*d.Width+x] }

// inked counts pixels that are not the ground's.
func (d *Desk) inked(r image.Rectangle) (n int) {
	pix := d.Pixels()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if pix[y*d.Width+x] != d.Ground {
				n++
			}
		}
	}
	return n
}

// sees tells whether the screen is as it should be: at once, or soon where it is late.
func (d *Desk) sees(ok func() bool) bool {
	for late := time.Now().Add(patience / 4); ; time.Sleep(20 * time.Millisecond) {
		if ok() {
			return true
		}
		if !d.Late || time.Now().After(late) {
			return false
		}
	}
}

func (d *Desk) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for late := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// Everything has one of each kind.
var Everything = overlay.Scene{
	Marks: []overlay.Mark{
		{ID: 1, Kind: overlay.Pen, Colour: 0, Points: []image.Point{{X: 40, Y: 60}, {X: 120, Y: 140}, {X: 200, Y: 60}, {X: 280, Y: 140}}},
		{ID: 2, Kind: overlay.Arrow, Colour: 1, Points: []image.Point{{X: 320, Y: 300}, {X: 440, Y: 200}}},
		{ID: 3, Kind: overlay.Box, Colour: 2, Points: []image.Point{{X: 480, Y: 60}, {X: 640, Y: 160}}},
		{ID: 4, Kind: overlay.Ellipse, Colour: 3, Points: []image.Point{{X: 480, Y: 220}, {X: 640, Y: 320}}},
		{ID: 5, Kind: overlay.Text, Colour: 1, Points: []image.Point{{X: 60, Y: 400}}, Text: "Cliquez ici, s’il vous plaît, puis attendez que la fenêtre se ferme d’elle-même"},
	},
	Pointers: []overlay.Pointer{
		{Who: 1, At: image.Pt(440, 200), Name: "Chloé Martin", Colour: 1},
		{Who: 2, At: image.Pt(280, 140), Name: "Paul", Colour: 0, Bare: true},
	},
}

// Run runs the suite; open makes a new desk.
func Run(t *testing.T, open func(t *testing.T) Desk) {
	t.Run("marks are seen where they are drawn", func(t *testing.T) { seen(t, open(t)) })
	t.Run("marks cannot hide the screen", func(t *testing.T) { bounded(t, open(t)) })
}

// seen draws one of each kind and looks at the screen.
func seen(t *testing.T, d Desk) {
	Show(t, d.Overlay, Everything)
	if d.Windows() == 0 {
		t.Error("no window of the overlay's")
	}
	for _, want := range []struct {
		x, y   int
		colour uint32
	}{
		{120, 140, overlay.Colours[0]}, {380, 250, overlay.Colours[1]}, {480, 110, overlay.Colours[2]},
		{560, 60, overlay.Colours[2]}, {480, 270, overlay.Colours[3]}, {560, 110, d.Ground}, {560, 270, d.Ground}, {10, 10, d.Ground},
	} {
		if !d.sees(func() bool { return d.at(want.x, want.y) == want.colour }) {
			t.Errorf("%d,%d is %06x, want %06x", want.x, want.y, d.at(want.x, want.y), want.colour)
		}
	}
	if !d.sees(func() bool { return d.inked(image.Rect(60, 400, 200, 440)) >= 4000 }) {
		t.Errorf("the text inked %d pixels", d.inked(image.Rect(60, 400, 200, 440)))
	}
	d.Keep()

	// A pointer that moves leaves nothing where it was.
	s := overlay.Scene{Marks: slices.Clone(Everything.Marks), Pointers: slices.Clone(Everything.Pointers[:1])}
	s.Pointers[0].At = image.Pt(700, 500)
	Show(t, d.Overlay, s)
	if !d.sees(func() bool { return d.inked(image.Rect(290, 150, 340, 180)) == 0 }) { // a name alone
		t.Error("something stays of a pointer that is gone")
	}
	if !d.sees(func() bool {
		return d.inked(image.Rect(680, 480, 720, 520)) != 0 && d.inked(image.Rect(470, 205, 560, 215)) == 0
	}) {
		t.Error("the pointer is not where it went, or also where it was")
	}

	// Where the screen ends its name turns to the other side: all of it is there, but for
	// where ring and plate overlap.
	ink := func() int { return d.inked(image.Rect(0, 0, d.Width, d.Height)) }
	s = overlay.Scene{Pointers: slices.Clone(Everything.Pointers[:1])}
	Show(t, d.Overlay, s)
	whole := 0
	if !d.sees(func() bool { whole = ink(); return whole > 2000 }) {
		t.Fatalf("a pointer inks %d pixels", whole)
	}
	for _, at := range []image.Point{{X: d.Width - 20, Y: 200}, {X: 300, Y: d.Height - 20}, {X: d.Width - 20, Y: d.Height - 20}} {
		s = overlay.Scene{Pointers: slices.Clone(s.Pointers)}
		s.Pointers[0].At = at
		Show(t, d.Overlay, s)
		if !d.sees(func() bool { return ink() > whole-whole/50 && d.inked(image.Rect(at.X-3, at.Y-3, at.X+3, at.Y+3)) > 0 }) {
			t.Errorf("at %v it inks %d pixels of %d", at, ink(), whole)
		}
	}

	// More of a pen, and one mark less.
	s = overlay.Scene{Marks: slices.Clone(Everything.Marks[:1])}
	Show(t, d.Overlay, s)
	if !d.sees(func() bool { return d.inked(image.Rect(300, 0, d.Width, d.Height)) == 0 }) {
		t.Error("something stays of marks that are gone")
	}
	s = overlay.Scene{Marks: []overlay.Mark{s.Marks[0]}}
	s.Marks[0].Points = append(slices.Clone(s.Marks[0].Points), image.Pt(360, 60))
	Show(t, d.Overlay, s)
	if !d.sees(func() bool { return d.at(320, 100) == overlay.Colours[0] }) {
		t.Errorf("the longer line is %06x in its middle", d.at(320, 100))
	}

	s.Hidden = true
	Show(t, d.Overlay, s)
	nothing := func() bool { return d.inked(image.Rect(0, 0, d.Width, d.Height)) == 0 }
	if !d.sees(nothing) { // C75
		t.Error("a hidden scene is seen")
	}
	s.Hidden = false
	Show(t, d.Overlay, s)
	if !d.sees(func() bool { return d.at(120, 140) == overlay.Colours[0] }) {
		t.Errorf("shown again: %06x", d.at(120, 140))
	}
	if err := d.Overlay.Close(); err != nil {
		t.Fatal(err)
	}
	d.until(t, "every window is gone", func() bool { return d.Windows() == 0 })
	if !d.sees(nothing) {
		t.Error("something stays after the end")
	}
	<-d.Overlay.Show(s) // closed: nobody waits
}

// bounded draws more than anybody needs.
func bounded(t *testing.T, d Desk) { // C76
	var s overlay.Scene
	for y := 0; y < d.Height; y += 4 {
		s.Marks = append(s.Marks, overlay.Mark{ID: uint64(y + 1), Kind: overlay.Pen, Points: []image.Point{{X: 0, Y: y}, {X: d.Width - 1, Y: y}}})
	}
	Show(t, d.Overlay, s)
	all := d.Width * d.Height
	n := 0
	if !d.sees(func() bool { n = d.inked(image.Rect(0, 0, d.Width, d.Height)); return n >= all/8 }) || n > all/4 {
		t.Errorf("%d of %d pixels are inked", n, all)
	}
}
