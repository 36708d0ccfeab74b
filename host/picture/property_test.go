package picture_test

import (
	"flag"
	"fmt"
	"image"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/picture"
	"github.com/mainforte/mainforte/host/picture/tiletest"
	"github.com/mainforte/mainforte/internal/wire"
)

var seed = flag.Uint64("seed", 0, "seed of the random desktop; 0 takes a new one")

// desktop is a model of a screen that changes as desktops do.
type desktop struct {
	pix    []uint32
	w, h   int
	damage capture.Areas
	saved  []cover
}

// cover is what a menu hides.
type cover struct {
	r   image.Rectangle
	pix []uint32
}

func newDesktop(w, h int) *desktop {
	d := &desktop{pix: make([]uint32, w*h), w: w, h: h}
	d.damage.Add(d.bounds())
	return d
}

// cutout is the rectangle of w x h pixels at x, y.
func cutout(x, y, w, h int) image.Rectangle { return image.Rect(x, y, x+w, y+h) }

func (d *desktop) bounds() image.Rectangle { return image.Rect(0, 0, d.w, d.h) }

// frame hands out what changed since the last frame.
func (d *desktop) frame() capture.Frame {
	f := capture.Frame{Pix: d.pix, Width: d.w, Height: d.h, Damage: d.damage.Bounds(), Parts: slices.Clone(d.damage.All())}
	d.damage.Clear()
	return f
}

// paint sets each pixel of r, and adds r to the damage.
func (d *desktop) paint(r image.Rectangle, f func(x, y int) uint32) {
	r = r.Intersect(d.bounds())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			d.pix[y*d.w+x] = f(x, y) & 0xffffff
		}
	}
	d.damage.Add(r)
}

func (d *desktop) copyOf(r image.Rectangle) []uint32 {
	out := make([]uint32, 0, r.Dx()*r.Dy())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		out = append(out, d.pix[y*d.w+r.Min.X:y*d.w+r.Max.X]...)
	}
	return out
}

func (d *desktop) put(r image.Rectangle, pix []uint32) {
	d.paint(r, func(x, y int) uint32 { return pix[(y-r.Min.Y)*r.Dx()+x-r.Min.X] })
}

// text paints what compresses like text: dark strokes on one colour.
func (d *desktop) text(r image.Rectangle, rng *rand.Rand) {
	back := rng.Uint32() | 0xc0c0c0
	d.paint(r, func(_, y int) uint32 {
		if y%14 > 2 && rng.IntN(3) == 0 {
			return rng.Uint32N(3) * 0x151a1f
		}
		return back
	})
}

// page is endless text: 26 letters of 8 x 16 pixels on white.
type page struct{ letters [26][16]uint8 }

func newPage() *page {
	p, rng := &page{}, rand.New(rand.NewPCG(3, 3))
	for i := range p.letters {
		for y := 3; y < 13; y++ {
			p.letters[i][y] = uint8(rng.Uint32()) & 0x7e
		}
	}
	return p
}

func (p *page) at(x, y int) uint32 {
	h := uint32(x/8)*2654435761 ^ uint32(y/16)*2246822519
	h ^= h >> 15
	if p.letters[h%26][y%16]>>(x%8)&1 == 1 {
		return 0x202020
	}
	return 0xffffff
}

// below is the page scrolled by dy pixels.
func (p *page) below(dy int) func(x, y int) uint32 {
	return func(x, y int) uint32 { return p.at(x, y+dy) }
}

// photo paints what compresses like a photograph: smooth with a little noise.
func (d *desktop) photo(r image.Rectangle, rng *rand.Rand) {
	a, b := rng.IntN(5), rng.IntN(5)
	d.paint(r, func(x, y int) uint32 {
		g := uint32(a*x+b*y) + rng.Uint32N(4)
		return (g&255)<<8 | (g/2&255)<<16 | (g/3+rng.Uint32N(3))&255
	})
}

// scroll shifts the rows of r and paints new ones.
func (d *desktop) scroll(r image.Rectangle, by int, rng *rand.Rand) {
	r = r.Intersect(d.bounds())
	if by < 0 && -by >= r.Dy() || by >= r.Dy() || r.Empty() {
		return
	}
	old := d.copyOf(r)
	d.text(r, rng)
	d.paint(r, func(x, y int) uint32 {
		if from := y + by; from >= r.Min.Y && from < r.Max.Y {
			return old[(from-r.Min.Y)*r.Dx()+x-r.Min.X]
		}
		return d.pix[y*d.w+x]
	})
}

// random does one thing that happens on a desktop.
func (d *desktop) random(rng *rand.Rand) {
	where := func(most int) image.Rectangle {
		w, h := 1+rng.IntN(min(most, d.w)), 1+rng.IntN(min(most, d.h))
		at := image.Pt(rng.IntN(d.w-w+1), rng.IntN(d.h-h+1))
		return image.Rectangle{Min: at, Max: at.Add(image.Pt(w, h))}
	}
	switch rng.IntN(9) {
	case 0:
		d.text(where(400), rng)
	case 1:
		d.photo(where(300), rng)
	case 2:
		colour := rng.Uint32()
		d.paint(where(500), func(int, int) uint32 { return colour })
	case 3: // one pixel
		d.paint(where(1), func(int, int) uint32 { return rng.Uint32() })
	case 4: // noise
		d.paint(where(64), func(int, int) uint32 { return rng.Uint32() })
	case 5:
		d.scroll(where(1000), rng.IntN(120)-60, rng)
	case 6: // a window is dragged; what it covered comes back or not
		r := where(300)
		window := d.copyOf(r)
		by := image.Pt(rng.IntN(80)-40, rng.IntN(80)-40)
		if rng.IntN(2) == 0 && len(d.saved) > 0 {
			c := d.saved[len(d.saved)-1]
			d.put(c.r, c.pix)
		} else if rng.IntN(2) == 0 {
			d.text(r, rng)
		} // else the window is doubled: its source stays as it is, undamaged
		if to := r.Add(by); to.In(d.bounds()) {
			d.put(to, window)
		}
	case 7: // a menu opens
		r := where(200)
		d.saved = append(d.saved, cover{r, d.copyOf(r)})
		d.text(r, rng)
	case 8: // a menu closes
		if n := len(d.saved); n > 0 {
			c := d.saved[n-1]
			d.saved = d.saved[:n-1]
			d.put(c.r, c.pix)
		}
	}
}

// viewer is a Sink that decodes, and keeps its acks back.
type viewer struct {
	tiletest.Viewer
	t     testing.TB
	acks  []uint32
	bytes int
}

func (v *viewer) Send(msg []byte) error {
	if len(msg) > wire.MaxTileMessage {
		v.t.Fatalf("a message of %d bytes", len(msg))
	}
	v.bytes += len(msg)
	done, err := v.Message(msg)
	if err != nil {
		v.t.Fatalf("the viewer cannot decode: %v", err)
	}
	if done {
		v.acks = append(v.acks, v.Update)
	}
	clear(msg) // the slice is the stream's again: nothing may be left of it here
	return nil
}

func (v *viewer) shows(d *desktop) error {
	if v.Width != d.w || v.Height != d.h {
		return fmt.Errorf("the viewer has %d x %d, the desktop %d x %d", v.Width, v.Height, d.w, d.h)
	}
	wrong, first := 0, -1
	for i := range d.pix {
		if v.Pix[i] != d.pix[i] {
			if wrong++; first < 0 {
				first = i
			}
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d pixels of %d x %d differ, the first at %d, %d: %06x instead of %06x",
			wrong, d.w, d.h, first%d.w, first/d.w, v.Pix[first], d.pix[first])
	}
	return nil
}

// settle acknowledges everything and offers the desktop until nothing is sent
// any more.
func (v *viewer) settle(s *picture.Stream, d *desktop) {
	v.t.Helper()
	for range 10_000 {
		for _, a := range v.acks {
			if err := s.Handle(wire.AppendAck(nil, a)); err != nil {
				v.t.Fatalf("ack %d: %v", a, err)
			}
		}
		v.acks = v.acks[:0]
		before := v.bytes
		if err := s.Frame(d.frame()); err != nil {
			v.t.Fatal(err)
		}
		if v.bytes == before && len(v.acks) == 0 {
			return
		}
	}
	v.t.Fatal("there is always something to send")
}

// FuzzViewerShowsTheDesktop is the promise of this package: whatever the desktop
// does, whatever is video or looked at, and whatever becomes of the acks, the
// viewer's picture is the desktop's once everything has settled; and at any time
// what differs is known to the encoder. Each byte of the script is something
// that happens; seed says how.
func FuzzViewerShowsTheDesktop(f *testing.F) {
	for i := range uint64(8) {
		rng := rand.New(rand.NewPCG(i, 7))
		script := make([]byte, 64)
		for j := range script {
			script[j] = byte(rng.Uint32())
		}
		f.Add(i, script)
	}
	f.Add(uint64(1), []byte{0, 8, 0, 8, 0, 8, 0, 8})       // video comes and goes
	f.Add(uint64(2), []byte{2, 7, 5, 5, 5, 7, 5, 7, 5})    // scrolls, seen in part
	f.Add(uint64(3), []byte{1, 16, 0, 32, 0, 48, 1, 9, 1}) // no acks, then a new size
	f.Fuzz(func(t *testing.T, seed uint64, script []byte) {
		script = script[:min(len(script), 64)]
		showsTheDesktop(t, seed, script)
	})
}

// TestViewerShowsTheDesktop plays scripts that nobody has seen yet.
func TestViewerShowsTheDesktop(t *testing.T) {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	for i := range uint64(2) {
		t.Run(fmt.Sprintf("seed=%d", s+i), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(s+i, 1))
			script := make([]byte, 150)
			for j := range script {
				script[j] = byte(rng.Uint32())
			}
			showsTheDesktop(t, s+i, script)
		})
	}
}

var sizes = [][2]int{{320, 240}, {333, 257}, {1, 1}, {15, 400}, {400, 15}, {129, 300}, {256, 256}, {401, 203}}

func showsTheDesktop(t *testing.T, seed uint64, script []byte) {
	rng := rand.New(rand.NewPCG(seed, 1))
	size := sizes[rng.IntN(len(sizes))]
	if seed%8 == 7 {
		size = [2]int{949, 533}
	}
	d := newDesktop(size[0], size[1])
	v := &viewer{t: t}
	s := picture.NewStream(v)
	defer v.Close()
	defer s.Close()
	now := time.Unix(1, 0)
	s.SetClock(func() time.Time { return now })
	handle := func(msg []byte) {
		if err := s.Handle(msg); err != nil {
			t.Fatalf("handle % x: %v", msg, err)
		}
	}
	if err := s.Frame(d.frame()); err != nil || v.bytes > 0 {
		t.Fatalf("before the hello: %d bytes sent, %v", v.bytes, err)
	}
	handle(wire.AppendHello(nil))
	part := func() image.Rectangle {
		x, y := rng.IntN(d.w), rng.IntN(d.h)
		return cutout(x, y, 1+rng.IntN(d.w-x), 1+rng.IntN(d.h-y))
	}
	var video []image.Rectangle
	restarts, late := 0, false
	for round, b := range script {
		now = now.Add(time.Duration(1+rng.IntN(30)) * time.Millisecond)
		switch b % 14 {
		case 7:
			s.View([]image.Rectangle{{}, part(), d.bounds(), image.Rect(-5, -5, 100_000, 3)}[rng.IntN(4)])
		case 8:
			video = video[:0]
			for range rng.IntN(4) {
				r := part()
				video = append(video, image.Rect(r.Min.X/16*16, r.Min.Y/16*16, (r.Max.X+15)/16*16, (r.Max.Y+15)/16*16).Intersect(d.bounds()))
			}
			s.SetVideo(video)
			s.ShowVideo(uint32(round), d.bounds())
		case 9:
			size = sizes[rng.IntN(len(sizes))]
			d = newDesktop(size[0], size[1])
			d.text(d.bounds(), rng)
			s.SetVideo(nil) // as a Pump does
		case 10:
			if restarts++; restarts < 10 { // a viewer may not ask more often
				handle(wire.AppendRestart(nil))
				v.acks = v.acks[:0] // what is on its way is not acknowledged
			}
		case 11:
			s.Restart()
		case 12:
			s.Suspend()
			before := v.bytes
			if err := s.Frame(d.frame()); err != nil || v.bytes != before {
				t.Fatalf("suspended: %d bytes sent, %v", v.bytes-before, err)
			}
			s.Resume()
		case 13:
			s.Film(rng.IntN(2) == 0)
			s.Look(image.Pt(rng.IntN(3000)-1000, rng.IntN(3000)-1000))
			s.SetVideo(video)
		default:
			for range 1 + rng.IntN(3) {
				d.random(rng)
			}
		}
		// The source may show newer pixels outside the damage it tells: the
		// band of rows it fetched. They come with the next damage.
		f := d.frame()
		if late = rng.IntN(10) == 0; late {
			d.random(rng)
		}
		if err := s.Frame(f); err != nil {
			t.Fatal(err)
		}
		if len(v.acks) > 12 {
			t.Fatalf("round %d: %d updates are on their way", round, len(v.acks))
		}
		cur := d.pix
		if late {
			cur = nil
		}
		if err := s.Check(v.Pix, v.Under, cur); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		switch b / 14 % 5 {
		case 0: // no ack for now
		case 1: // only the newest is acknowledged, late
			if n := len(v.acks); n > 0 {
				now = now.Add(time.Duration(rng.IntN(1000)) * time.Millisecond)
				handle(wire.AppendAck(nil, v.acks[n-1]))
				v.acks = v.acks[:0]
			}
		case 2: // one of two, and a stale one once more
			if len(v.acks) > 0 {
				handle(wire.AppendAck(nil, v.acks[0]))
				handle(wire.AppendAck(nil, v.acks[0]))
				v.acks = slices.Delete(v.acks, 0, 1)
			}
		default:
			for _, a := range v.acks {
				handle(wire.AppendAck(nil, a))
			}
			v.acks = v.acks[:0]
		}
	}
	s.View(image.Rectangle{})
	s.SetVideo(nil)
	v.settle(s, d)
	if err := v.shows(d); err != nil {
		t.Fatalf("at the end: %v", err)
	}
	if len(v.Video.Rects) > 0 {
		t.Fatalf("at the end %v is still video", v.Video.Rects)
	}
}
