package picture_test

import (
	"image"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/picture"
)

// TestFiguresSayWhereTheTimeGoes: a viewer that acknowledges late makes the way
// long, a screen that is read slowly the capture, and neither the other.
func TestFiguresSayWhereTheTimeGoes(t *testing.T) {
	const took, late = 40 * time.Millisecond, 60 * time.Millisecond
	p, src := pumping(t, 320, 200)
	r := join(t, p)
	r.shows(src)
	r.quiet()
	figures, captures := r.stream.Figures(), p.Captures()
	if figures.Updates == 0 || figures.Acked != figures.Updates || figures.Bytes == 0 || figures.Encode <= 0 || figures.Way <= 0 {
		t.Errorf("after the first picture: %+v", figures)
	}

	src.SetTook(took)
	r.mu.Lock()
	r.delay = late
	r.mu.Unlock()
	for i := range 4 {
		src.Fill(image.Rect(i, i, 100+i, 100+i), uint32(i+1))
		r.acked(figures.Acked + uint64(i) + 1)
	}
	f, c := r.stream.Figures().Since(figures), p.Captures().Since(captures)
	if f.Updates < 4 || f.Acked != f.Updates || f.Bytes == 0 {
		t.Errorf("%+v", f)
	}
	if way := f.Way / time.Duration(f.Acked); way < late {
		t.Errorf("the way took %v, though every acknowledgement comes %v late", way, late)
	}
	if f.Late != 0 {
		t.Errorf("the viewer is said to have taken %v, though nobody knew when anything arrived", f.Late)
	}
	if f.Encode >= f.Way {
		t.Errorf("the encoder is said to have taken %v, the way %v", f.Encode, f.Way)
	}
	if c.Frames < 4 || c.Took != took*time.Duration(c.Frames) {
		t.Errorf("%d captures took %v, each %v", c.Frames, c.Took, took)
	}

	// A viewer that has everything and says nothing takes its own time.
	before := r.stream.Figures()
	r.hold(true)
	src.Fill(image.Rect(0, 0, 60, 60), 0x654321)
	r.shows(src)
	r.stream.Arrived()
	time.Sleep(late)
	r.hold(false)
	r.acked(before.Acked + 1)
	if d := r.stream.Figures().Since(before); d.Late < late || d.Late > d.Way {
		t.Errorf("the viewer took %v, of a way of %v, and waited %v", d.Late, d.Way, late)
	}
	figures.Acked++

	r.hold(true)
	src.Fill(image.Rect(0, 0, 50, 50), 0x123456)
	r.shows(src)
	if now := r.stream.Figures(); now.Acked != figures.Acked+f.Acked || now.Updates != now.Acked+1 {
		t.Errorf("with one update under way: %+v", now)
	}
	r.hold(false)
	r.acked(figures.Acked + f.Acked + 1)
	if (r.stream.Figures().Since(r.stream.Figures()) != picture.Figures{}) {
		t.Error("nothing happened, and something was measured")
	}
}

// quiet waits until everything is acknowledged and nothing more comes: a first
// picture may take more than one update.
func (r *remote) quiet() {
	r.t.Helper()
	seen := r.stream.Figures()
	for since, end := time.Now(), time.Now().Add(soon); time.Since(since) < 100*time.Millisecond; time.Sleep(time.Millisecond) {
		now := r.stream.Figures()
		if now != seen || now.Acked < now.Updates || now.Updates == 0 {
			seen, since = now, time.Now()
		}
		if time.Now().After(end) {
			r.t.Fatalf("never quiet: %+v", now)
		}
	}
}

// acked waits until so many updates were acknowledged.
func (r *remote) acked(n uint64) {
	r.t.Helper()
	for end := time.Now().Add(soon); r.stream.Figures().Acked < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%+v instead of %d acknowledgements", r.stream.Figures(), n)
		}
	}
}
