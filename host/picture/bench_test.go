package picture_test

import (
	"image"
	"math/rand/v2"
	"testing"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/picture"
	"github.com/mainforte/mainforte/internal/wire"
)

// counter is a Sink that counts bytes and the updates to be acknowledged.
type counter struct {
	bytes  int
	update uint32
}

func (c *counter) Send(msg []byte) error {
	c.bytes += len(msg)
	if p, err := wire.ParsePiece(msg); err == nil && p.Last {
		c.update = p.Update
	}
	return nil
}

// clip is a piece of desktop work: two or more pictures that follow each other
// in a circle, each with the damage since the one before.
type clip struct {
	name   string
	frames []capture.Frame
}

func (c *clip) add(d *desktop) {
	f := d.frame()
	f.Pix = append([]uint32(nil), f.Pix...)
	c.frames = append(c.frames, f)
}

// close makes the first picture follow the last.
func (c clip) close() clip {
	c.frames[0].Damage, c.frames[0].Parts = image.Rectangle{}, nil
	for _, f := range c.frames[1:] {
		c.frames[0].Damage = c.frames[0].Damage.Union(f.Damage)
	}
	return c
}

// clips plays on a screen of 1920 x 1080 pixels, divided by shrink.
func clips(shrink int) []clip {
	page := newPage()
	part := func(x, y, w, h int) image.Rectangle { return cutout(x/shrink, y/shrink, w/shrink, h/shrink) }
	newScreen := func() *desktop {
		d := newDesktop(1920/shrink, 1080/shrink)
		d.photo(d.bounds(), rand.New(rand.NewPCG(1, 1)))
		d.paint(part(200, 100, 1200, 900), page.at)
		return d
	}
	typing, flip, scroll := clip{name: "typing"}, clip{name: "flip"}, clip{name: "scroll"}
	drag, still := clip{name: "drag"}, clip{name: "unchanged"}

	d := newScreen()
	typing.add(d)
	for i := range 16 {
		d.paint(part(400, 400, 8*shrink, 16*shrink).Add(image.Pt(8*i, 0)), page.below(16*i+32))
		typing.add(d)
	}

	d = newScreen() // the answer to a key that task bench times
	for i := range 2 {
		colour := uint32(0x2040c0) ^ uint32(i)*0xe0e0e0
		d.paint(part(600, 300, 256, 256), func(int, int) uint32 { return colour })
		flip.add(d)
	}

	d = newScreen()
	scroll.add(d)
	for i := range 12 {
		d.paint(part(200, 140, 1200, 860), page.below(24*(i+1)))
		scroll.add(d)
	}

	d = newScreen()
	at := part(500, 300, 700, 450)
	behind := d.copyOf(at)
	d.paint(at, page.below(1600))
	window := d.copyOf(at)
	drag.add(d)
	for range 12 {
		d.put(at, behind)
		at = at.Add(image.Pt(16/shrink, 12/shrink))
		behind = d.copyOf(at)
		d.put(at, window)
		drag.add(d)
	}

	d = newScreen()
	still.add(d)
	d.damage.Add(d.bounds())
	still.add(d)
	return []clip{typing.close(), flip.close(), scroll.close(), drag.close(), still}
}

// play sends the frames of a clip for ever.
func (c clip) play(t testing.TB) (next func(), sink *counter) {
	sink = &counter{}
	s := said(t, sink)
	first := c.frames[0]
	first.Damage, first.Parts = image.Rect(0, 0, first.Width, first.Height), nil
	i, ack := 0, make([]byte, 0, 8)
	frame := func(f capture.Frame) {
		if err := s.Frame(f); err != nil {
			t.Fatal(err)
		}
		ack = wire.AppendAck(ack[:0], sink.update)
		if err := s.Handle(ack); err != nil {
			t.Fatal(err)
		}
	}
	frame(first)
	return func() {
		i = (i + 1) % len(c.frames)
		frame(c.frames[i])
	}, sink
}

// BenchmarkClips shows the time and the bytes of one update. The first picture
// of each clip follows its last, so one frame in 13 or 17 is a jump back.
func BenchmarkClips(b *testing.B) {
	for _, c := range clips(1) {
		b.Run(c.name, func(b *testing.B) {
			next, sink := c.play(b)
			for range len(c.frames) {
				next()
			}
			sink.bytes = 0
			b.ReportAllocs()
			for b.Loop() {
				next()
			}
			b.ReportMetric(float64(sink.bytes)/float64(b.N), "wire-B/op")
		})
	}
}

// BenchmarkFirst is a whole picture: the start of a session.
func BenchmarkFirst(b *testing.B) {
	f := clips(1)[0].frames[0]
	f.Damage, f.Parts = image.Rect(0, 0, f.Width, f.Height), nil
	sink := &counter{}
	s := said(b, sink)
	b.ReportAllocs()
	for b.Loop() {
		s.Restart()
		if err := s.Frame(f); err != nil {
			b.Fatal(err)
		}
		if err := s.Handle(wire.AppendAck(nil, sink.update)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(sink.bytes)/float64(b.N), "wire-B/op")
}

// TestFramesAreFreeOfGarbage: a host runs for hours beside the person's work.
func TestFramesAreFreeOfGarbage(t *testing.T) {
	for _, c := range clips(4) {
		next, _ := c.play(t)
		for range 2 * len(c.frames) { // the buffers have grown
			next()
		}
		if n := testing.AllocsPerRun(2*len(c.frames), next); n > 1 {
			t.Errorf("%s: %.1f allocations a frame", c.name, n)
		}
	}
}

var _ picture.Sink = (*counter)(nil)
