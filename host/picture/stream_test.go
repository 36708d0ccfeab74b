package picture_test

import (
	"errors"
	"image"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/picture"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// said is a stream whose viewer has said hello.
func said(t testing.TB, sink picture.Sink) *picture.Stream {
	t.Helper()
	s := picture.NewStream(sink)
	t.Cleanup(s.Close)
	if err := s.Handle(wire.AppendHello(nil)); err != nil {
		t.Fatal(err)
	}
	return s
}

func offer(t testing.TB, s *picture.Stream, d *desktop) {
	t.Helper()
	if err := s.Frame(d.frame()); err != nil {
		t.Fatal(err)
	}
}

func TestWrongAnswersEndTheStream(t *testing.T) {
	hello, restart := wire.AppendHello(nil), wire.AppendRestart(nil)
	for _, c := range []struct {
		name   string
		said   [][]byte // after the stream sent update 1, if it could
		reason mfpb.Reason
	}{
		{"ack before hello", [][]byte{wire.AppendAck(nil, 1)}, mfpb.Reason_REASON_PROTOCOL},
		{"restart before hello", [][]byte{restart}, mfpb.Reason_REASON_PROTOCOL},
		{"second hello", [][]byte{hello, hello}, mfpb.Reason_REASON_PROTOCOL},
		{"another version", [][]byte{{wire.AnswerHello, 9, 0, 0}}, mfpb.Reason_REASON_VERSION},
		{"ack of what was never sent", [][]byte{hello, wire.AppendAck(nil, 2)}, mfpb.Reason_REASON_PROTOCOL},
		{"ack far away", [][]byte{hello, wire.AppendAck(nil, 1<<30)}, mfpb.Reason_REASON_PROTOCOL},
		{"unknown", [][]byte{hello, {99, 0, 0, 0}}, mfpb.Reason_REASON_UNKNOWN_MESSAGE},
		{"too large", [][]byte{hello, make([]byte, wire.MaxTileAnswer+1)}, mfpb.Reason_REASON_TOO_LARGE},
		{"short", [][]byte{{}}, mfpb.Reason_REASON_PROTOCOL},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesktop(20, 20)
			s := picture.NewStream(&viewer{t: t})
			defer s.Close()
			var err error
			for i, m := range c.said {
				if err != nil {
					t.Fatalf("message %d: %v", i-1, err)
				}
				err = s.Handle(m)
				offer(t, s, d)
			}
			if err == nil || wire.Reason(err) != c.reason {
				t.Errorf("%v, reason %v; want %v", err, wire.Reason(err), c.reason)
			}
		})
	}
}

func TestUnknownOptionalAnswersAreSkipped(t *testing.T) {
	s := said(t, &viewer{t: t})
	if err := s.Handle([]byte{99, wire.FlagOptional, 0, 0}); err != nil {
		t.Error(err)
	}
}

func TestLateAndRepeatedAcksAreHarmless(t *testing.T) {
	d, v := newDesktop(64, 64), &viewer{t: t}
	s := said(t, v)
	for i := range 5 {
		d.paint(cutout(i, i, 9, 9), func(int, int) uint32 { return uint32(i + 1) })
		offer(t, s, d)
		for a := range v.Update + 1 {
			if err := s.Handle(wire.AppendAck(nil, a)); err != nil {
				t.Fatalf("ack %d of %d: %v", a, v.Update, err)
			}
		}
	}
	if err := v.shows(d); err != nil {
		t.Error(err)
	}
}

func TestAViewerCannotAskForRestartsForEver(t *testing.T) {
	d, v := newDesktop(64, 64), &viewer{t: t}
	s := said(t, v)
	for i := range 1000 {
		if err := s.Handle(wire.AppendRestart(nil)); err != nil {
			if i < 5 {
				t.Errorf("restart %d refused: %v", i, err)
			}
			if !errors.Is(err, picture.ErrAnswer) {
				t.Errorf("%v, want ErrAnswer", err)
			}
			return
		}
		offer(t, s, d)
	}
	t.Error("1000 restarts were granted")
}

func TestImpossibleFramesAreRefused(t *testing.T) {
	s := said(t, &viewer{t: t})
	for _, f := range []capture.Frame{
		{},
		{Width: 10, Height: 10, Pix: make([]uint32, 99)},
		{Width: -1, Height: -1, Pix: make([]uint32, 1)},
		{Width: wire.MaxPictureSide + 1, Height: 1, Pix: make([]uint32, wire.MaxPictureSide+1)},
		{Width: 8193, Height: 8192},
	} {
		if err := s.Frame(f); !errors.Is(err, picture.ErrSize) {
			t.Errorf("%d x %d: %v, want ErrSize", f.Width, f.Height, err)
		}
	}
	for _, size := range [][2]int{{wire.MaxPictureSide, 1}, {1, wire.MaxPictureSide}} {
		v := &viewer{t: t}
		s, d := said(t, v), newDesktop(size[0], size[1])
		d.text(d.bounds(), rand.New(rand.NewPCG(1, 1)))
		v.settle(s, d)
		if err := v.shows(d); err != nil {
			t.Error(err)
		}
	}
}

// slowSink takes its time for each message and counts them.
type slowSink struct {
	sent  chan struct{}
	count int
}

func (s *slowSink) Send([]byte) error {
	s.count++
	select {
	case s.sent <- struct{}{}:
	default:
	}
	time.Sleep(5 * time.Millisecond)
	return nil
}

// TestSuspendEndsAnUpdateUnderWay is the stop of a person who does not want to
// be seen any more: what was not sent yet is not sent.
func TestSuspendEndsAnUpdateUnderWay(t *testing.T) {
	d := newDesktop(800, 600)
	rng := rand.New(rand.NewPCG(1, 1))
	d.paint(d.bounds(), func(int, int) uint32 { return rng.Uint32() }) // 88 messages
	sink := &slowSink{sent: make(chan struct{}, 1)}
	s := said(t, sink)
	end := make(chan error)
	go func() { end <- s.Frame(d.frame()) }()
	<-sink.sent
	began := time.Now()
	s.Suspend()
	count, took := sink.count, time.Since(began)
	if err := <-end; err != nil {
		t.Error(err)
	}
	if sink.count != count || count > 60 {
		t.Errorf("%d messages when Suspend returned, %d in the end", count, sink.count)
	}
	if took > 250*time.Millisecond {
		t.Errorf("Suspend took %v", took)
	}
	d.paint(d.bounds(), func(int, int) uint32 { return 1 })
	offer(t, s, d)
	if sink.count != count {
		t.Error("a suspended stream sends")
	}

	// It goes on with a picture that needs nothing of what was lost.
	s.Resume()
	offer(t, s, d)
	if sink.count == count {
		t.Error("a resumed stream sends nothing")
	}
}

func TestNothingIsSentWithoutAChange(t *testing.T) {
	d, v := newDesktop(300, 200), &viewer{t: t}
	s := said(t, v)
	d.text(d.bounds(), rand.New(rand.NewPCG(1, 1)))
	v.settle(s, d)
	before := v.bytes
	d.damage.Add(d.bounds()) // repainted as it was
	offer(t, s, d)
	if v.bytes != before {
		t.Errorf("%d bytes for nothing", v.bytes-before)
	}
}

func TestABlackPictureIsAcknowledgedToo(t *testing.T) {
	d, v := newDesktop(300, 200), &viewer{t: t}
	offer(t, said(t, v), d)
	if len(v.acks) != 1 || v.Width != 300 {
		t.Errorf("%d updates of %d x %d", len(v.acks), v.Width, v.Height)
	}
}

// A window jumps so far that its two places do not touch, and what shows where it
// was differs in a part only: its pixels are found there all the same.
func TestAWindowThatJumpsFarIsCheap(t *testing.T) {
	d := newDesktop(1280, 720)
	rng := rand.New(rand.NewPCG(1, 9))
	d.paint(d.bounds(), func(int, int) uint32 { return 0xc0c0c0 })
	from, to := cutout(50, 60, 300, 200), cutout(800, 420, 300, 200)
	d.paint(from, func(int, int) uint32 { return rng.Uint32() })
	window := d.copyOf(from)
	sink := &counter{}
	s := said(t, sink)
	feed := func() (bytes int) {
		t.Helper()
		before := sink.bytes
		for last := -1; last != sink.bytes; {
			last = sink.bytes
			if err := s.Frame(d.frame()); err != nil {
				t.Fatal(err)
			}
			if err := s.Handle(wire.AppendAck(nil, sink.update)); err != nil {
				t.Fatal(err)
			}
		}
		return sink.bytes - before
	}
	feed()
	d.put(to, window)
	d.paint(image.Rect(from.Min.X, from.Min.Y, from.Max.X, from.Max.Y-60), func(int, int) uint32 { return 0xc0c0c0 })
	if got, all := feed(), 3*300*200; got > all/10 {
		t.Errorf("%d bytes for a window of %d", got, all)
	}
}

// TestAKeyIsCheap holds the encoder to what it is for: a letter is some bytes,
// not a rectangle of pixels.
func TestAKeyIsCheap(t *testing.T) {
	d, v := newDesktop(640, 480), &viewer{t: t}
	page := newPage()
	s := said(t, v)
	d.paint(d.bounds(), page.at)
	v.settle(s, d)
	for _, limit := range []struct {
		name   string
		change func()
		bytes  int
	}{
		{"a letter", func() { d.paint(cutout(104, 96, 8, 16), page.below(16*500)) }, 120},
		{"the clock", func() { d.paint(cutout(592, 16, 40, 12), func(int, int) uint32 { return 7 }) }, 400},
		{"text that scrolled", func() { d.paint(cutout(96, 96, 480, 320), page.below(24)) }, 5000},
	} {
		before := v.bytes
		limit.change()
		v.settle(s, d)
		if got := v.bytes - before; got > limit.bytes || got == 0 {
			t.Errorf("%s: %d bytes, at most %d", limit.name, got, limit.bytes)
		}
	}
}

// A page scrolls down and up, a letter is typed into it meanwhile, and it scrolls
// on: what is known of its rows goes with them, so no step costs more than the
// lines that come into view.
func TestEveryStepOfAScrollIsCheap(t *testing.T) {
	d, v := newDesktop(1280, 720), &viewer{t: t}
	page, area := newPage(), cutout(96, 96, 1000, 600)
	s := said(t, v)
	d.paint(d.bounds(), page.at)
	v.settle(s, d)
	top := 0
	for i, by := range []int{24, 24, 24, -24, -24, 24, 8, 48, 24, 24} {
		top += by
		if i%3 == 2 {
			d.paint(cutout(304, 300, 8, 16), page.below(16*500))
			v.settle(s, d)
		}
		before, moves := v.bytes, v.Moves
		d.paint(area, page.below(top))
		v.settle(s, d)
		if got := v.bytes - before; got > 9000 || v.Moves == moves {
			t.Errorf("step %d: %d bytes, %d moves", i, got, v.Moves-moves)
		}
	}
}

// A program that changes one pixel at a time, thousands of times, costs neither
// memory nor exactness.
func TestAStormOfSinglePixelsIsMerged(t *testing.T) {
	d, v := newDesktop(640, 400), &viewer{t: t}
	rng := rand.New(rand.NewPCG(5, 5))
	s := said(t, v)
	v.settle(s, d)
	for i := range 5000 {
		d.paint(cutout(rng.IntN(d.w), rng.IntN(d.h), 1, 1), func(int, int) uint32 { return rng.Uint32() })
		offer(t, s, d)
		if len(v.acks) > 4 {
			t.Fatalf("%d updates are out", len(v.acks))
		}
		if i%50 == 0 {
			for _, a := range v.acks {
				if err := s.Handle(wire.AppendAck(nil, a)); err != nil {
					t.Fatal(err)
				}
			}
			v.acks = v.acks[:0]
		}
	}
	v.settle(s, d)
	if err := v.shows(d); err != nil {
		t.Error(err)
	}
}

// FuzzHandle: whatever a viewer says, in whatever order, a stream sends no more
// than may be on its way, and what it sends can be decoded.
func FuzzHandle(f *testing.F) {
	f.Add(append(wire.AppendHello(nil), 2, 0, 0, 0, 1, 0, 0, 0))
	f.Add(append(wire.AppendHello(nil), wire.AppendRestart(nil)...))
	f.Add(append(wire.AppendHello(nil), 2, 0, 0, 0, 255, 255, 255, 255))
	f.Add([]byte{2, 0x80, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, said []byte) {
		d, v := newDesktop(70, 50), &viewer{t: t}
		defer v.Close()
		s := picture.NewStream(v)
		defer s.Close()
		for i := 0; len(said) > 0; i++ {
			n := min(4, len(said))
			if said[0] == wire.AnswerAck {
				n = min(8, len(said))
			}
			if s.Handle(said[:n]) != nil {
				break
			}
			said = said[n:]
			d.paint(cutout(i%60, i%40, 9, 9), func(x, y int) uint32 { return uint32(i*x) ^ uint32(y<<9) })
			offer(t, s, d)
		}
		if err := s.Check(v.Pix, v.Under, d.pix); err != nil {
			t.Fatal(err)
		}
	})
}
