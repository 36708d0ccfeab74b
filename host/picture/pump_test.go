package picture_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/capture/fake"
	"github.com/mainforte/mainforte/host/picture"
	"github.com/mainforte/mainforte/host/picture/tiletest"
	"github.com/mainforte/mainforte/internal/wire"
)

const (
	soon  = 10 * time.Second
	quiet = 150 * time.Millisecond
)

// remote is a viewer at the other end of a channel: it decodes on a goroutine
// of its own and acknowledges after a while.
type remote struct {
	t      testing.TB
	stream *picture.Stream
	src    *fake.Source // where a test needs it
	in     chan []byte
	done   chan struct{}

	mu       sync.Mutex
	v        tiletest.Viewer
	messages int
	broken   error         // what Send returns
	held     bool          // no acks
	delay    time.Duration // before an ack
}

// join adds a viewer to the pump, which says hello at once.
func join(t testing.TB, p *picture.Pump) *remote {
	t.Helper()
	r := &remote{t: t, in: make(chan []byte, 1<<14), done: make(chan struct{})}
	var err error
	if r.stream, err = p.Add(r); err != nil {
		t.Fatal(err)
	}
	go r.run()
	t.Cleanup(func() {
		p.Remove(r.stream)
		close(r.in)
		<-r.done
		r.v.Close()
	})
	r.say(wire.AppendHello(nil))
	return r
}

func (r *remote) say(msg []byte) {
	if err := r.stream.Handle(msg); err != nil {
		r.t.Errorf("handle % x: %v", msg, err)
	}
}

func (r *remote) Send(msg []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages++
	if r.broken != nil {
		return r.broken
	}
	r.in <- append([]byte(nil), msg...)
	return nil
}

func (r *remote) run() {
	defer close(r.done)
	for msg := range r.in {
		r.mu.Lock()
		done, err := r.v.Message(msg)
		update, held, delay := r.v.Update, r.held, r.delay
		r.mu.Unlock()
		if err != nil {
			r.t.Errorf("the viewer cannot decode: %v", err)
			return
		}
		if done && !held {
			time.Sleep(delay)
			r.say(wire.AppendAck(nil, update))
		}
	}
}

// hold keeps the acks back, or sends the one for all that came meanwhile.
func (r *remote) hold(on bool) {
	r.mu.Lock()
	r.held = on
	update := r.v.Update
	r.mu.Unlock()
	if !on {
		r.say(wire.AppendAck(nil, update))
	}
}

func (r *remote) received() (messages int, update, generation uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.messages, r.v.Update, r.v.Generation
}

// shows waits until the viewer shows the desktop.
func (r *remote) shows(src *fake.Source) {
	r.t.Helper()
	var err error
	for end := time.Now().Add(soon); time.Now().Before(end); time.Sleep(3 * time.Millisecond) {
		pix, w, h := src.Pix()
		r.mu.Lock()
		v := viewer{Viewer: r.v}
		err = v.shows(&desktop{pix: pix, w: w, h: h})
		r.mu.Unlock()
		if err == nil {
			return
		}
	}
	r.t.Fatal(err)
}

// still fails if anything is sent for a while.
func (r *remote) still(what string) {
	r.t.Helper()
	before, _, _ := r.received()
	time.Sleep(quiet)
	if after, _, _ := r.received(); after != before {
		r.t.Errorf("%s: %d messages were sent", what, after-before)
	}
}

// pumping runs a pump over a fake desktop until the test ends.
func pumping(t testing.TB, w, h int) (*picture.Pump, *fake.Source) {
	src := fake.New(t, w, h)
	p := picture.NewPump(src)
	ctx, cancel := context.WithCancel(context.Background())
	end := make(chan error, 1)
	go func() { end <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-end; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
	src.Draw(image.Rect(0, 0, w, h), func(x, y int) uint32 { return uint32(x*y*0x10204) ^ uint32(y) })
	return p, src
}

func TestEveryViewerGetsThePictureAtOnceThoughTheDesktopStandsStill(t *testing.T) {
	p, src := pumping(t, 320, 200)
	first := join(t, p)
	first.shows(src)
	second := join(t, p)
	second.shows(src)
	if n := src.Frames(); n != 1 {
		t.Errorf("%d frames were captured of a desktop that stands still", n)
	}
	first.say(wire.AppendRestart(nil))
	for end := time.Now().Add(soon); ; time.Sleep(time.Millisecond) {
		if _, _, generation := first.received(); generation == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a restart was not granted while the desktop stands still")
		}
	}
	first.shows(src)
}

func TestNothingIsCapturedWithoutAViewerWhoIsReady(t *testing.T) {
	p, src := pumping(t, 320, 200)
	time.Sleep(quiet)
	if n := src.Frames(); n != 0 {
		t.Errorf("%d frames were captured for nobody", n)
	}
	mute := &remote{t: t, in: make(chan []byte, 100)}
	if _, err := p.Add(mute); err != nil {
		t.Fatal(err)
	}
	time.Sleep(quiet)
	if n := src.Frames(); n != 0 || mute.messages != 0 {
		t.Errorf("before the hello: %d frames, %d messages", n, mute.messages)
	}

	r := join(t, p)
	r.shows(src)
	r.hold(true)
	for i := range 50 {
		src.Fill(image.Rect(i, i, i+40, i+40), uint32(i))
		time.Sleep(2 * time.Millisecond)
	}
	time.Sleep(quiet)
	if n := src.Frames(); n > 3+picture.Window {
		t.Errorf("%d frames were captured for a viewer who acknowledges none", n)
	}
	r.hold(false)
	r.shows(src)
}

func TestASlowViewerSlowsNobody(t *testing.T) {
	p, src := pumping(t, 320, 200)
	slow, quick := join(t, p), join(t, p)
	slow.shows(src)
	quick.shows(src)
	slow.hold(true)
	_, slowBefore, _ := slow.received()
	for i := range 40 {
		src.Fill(image.Rect(5*i, 3*i, 5*i+60, 3*i+50), uint32(i*77777))
		quick.shows(src)
	}
	if _, u, _ := slow.received(); u > slowBefore+picture.Window+1 {
		t.Errorf("the slow viewer got %d updates it had no room for", u-slowBefore)
	}
	// One ack and a desktop that stands still: all it missed comes merged.
	slow.hold(false)
	slow.shows(src)
	if _, u, _ := slow.received(); u > slowBefore+2*picture.Window+2 {
		t.Errorf("the slow viewer caught up in %d updates", u-slowBefore)
	}
}

func TestSuspendedPumpNeitherSeesNorSends(t *testing.T) {
	p, src := pumping(t, 320, 200)
	r := join(t, p)
	r.shows(src)
	p.Suspend()
	frames := src.Frames()
	for i := range 10 {
		src.Fill(image.Rect(0, 10*i, 320, 10*i+10), 0xff00ff)
	}
	late := join(t, p)
	r.say(wire.AppendRestart(nil))
	r.still("suspended")
	late.still("joined while suspended")
	if n := src.Frames(); n != frames {
		t.Errorf("%d frames were captured while suspended", n-frames)
	}
	_, before, _ := r.received()
	p.Resume()
	r.shows(src)
	late.shows(src)
	if _, u, generation := r.received(); generation != 2 || u != before+1 {
		t.Errorf("generation %d in %d updates; want a new picture in one", generation, u-before)
	}
}

func TestSuspendedStreamIsAlone(t *testing.T) {
	p, src := pumping(t, 320, 200)
	out, in := join(t, p), join(t, p)
	out.shows(src)
	in.shows(src)
	out.stream.Suspend()
	before, _, _ := out.received()
	for i := range 10 {
		src.Fill(image.Rect(0, 10*i, 320, 10*i+10), uint32(i))
		in.shows(src)
	}
	if after, _, _ := out.received(); after != before {
		t.Errorf("%d messages to a viewer who may not see", after-before)
	}
	in.stream.Suspend()
	frames := src.Frames()
	src.Fill(image.Rect(0, 0, 100, 100), 0x888888)
	time.Sleep(quiet)
	if src.Frames() != frames {
		t.Error("a frame was captured for nobody")
	}
	out.stream.Resume()
	out.shows(src)
	in.still("still suspended")
}

func TestWhoComesAfterATimeWithoutViewersSeesNothingOld(t *testing.T) {
	p, src := pumping(t, 320, 200)
	first := join(t, p)
	first.shows(src)
	p.Remove(first.stream)
	src.Fill(image.Rect(0, 0, 320, 200), 0x123456)
	r := join(t, p)
	r.shows(src)
	if _, u, _ := r.received(); u != 1 {
		t.Errorf("the present desktop came in update %d", u)
	}
}

func TestRemovedStreamGetsNothingMore(t *testing.T) {
	p, src := pumping(t, 320, 200)
	r, other := join(t, p), join(t, p)
	r.shows(src)
	end := make(chan struct{})
	go func() {
		defer close(end)
		for i := range 200 {
			src.Fill(image.Rect(i, 0, i+50, 200), uint32(i))
			time.Sleep(time.Millisecond)
		}
	}()
	time.Sleep(20 * time.Millisecond)
	p.Remove(r.stream)
	before, _, _ := r.received()
	<-end
	other.shows(src)
	if after, _, _ := r.received(); after != before {
		t.Errorf("%d messages after Remove", after-before)
	}
}

func TestBrokenSinkEndsItsOwnStreamOnly(t *testing.T) {
	p, src := pumping(t, 320, 200)
	bad, good := join(t, p), join(t, p)
	bad.shows(src)
	bad.mu.Lock()
	bad.broken = errors.New("the channel is closed")
	bad.mu.Unlock()
	for i := range 5 {
		src.Fill(image.Rect(10*i, 0, 10*i+9, 100), 0x00ff00)
		good.shows(src)
	}
	if err := bad.stream.Err(); !errors.Is(err, bad.broken) {
		t.Errorf("Err is %v", err)
	}
	if err := good.stream.Err(); err != nil {
		t.Errorf("Err of the other is %v", err)
	}
}

func TestPumpTakesFourStreams(t *testing.T) {
	p, _ := pumping(t, 32, 20)
	var last *remote
	for range picture.MaxStreams {
		last = join(t, p)
	}
	if _, err := p.Add(last); !errors.Is(err, picture.ErrTooManyStreams) {
		t.Errorf("%v, want ErrTooManyStreams", err)
	}
	p.Remove(last.stream)
	join(t, p)
}

func TestPumpEndsWithItsDesktop(t *testing.T) {
	src := fake.New(t, 32, 20)
	p := picture.NewPump(src)
	s, err := p.Add(&slowSink{sent: make(chan struct{}, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Handle(wire.AppendHello(nil)); err != nil {
		t.Fatal(err)
	}
	end := make(chan error, 1)
	go func() { end <- p.Run(context.Background()) }()
	src.Lose()
	select {
	case err := <-end:
		if !errors.Is(err, capture.ErrLost) {
			t.Errorf("Run: %v, want ErrLost", err)
		}
	case <-time.After(soon):
		t.Fatal("Run goes on without a desktop")
	}
}

// TestAllViewersShowTheDesktopInTheEnd is the property of the stream, through
// a Pump and with viewers of different speed that come, go and stop.
func TestAllViewersShowTheDesktopInTheEnd(t *testing.T) {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Run(fmt.Sprintf("seed=%d", s), func(t *testing.T) {
		rng := rand.New(rand.NewPCG(s, 2))
		p, src := pumping(t, 300, 210)
		viewers := make([]*remote, 3)
		for i := range viewers {
			viewers[i] = join(t, p)
			viewers[i].mu.Lock()
			viewers[i].delay = time.Duration(i*3) * time.Millisecond
			viewers[i].mu.Unlock()
		}
		for range 150 {
			r := viewers[rng.IntN(len(viewers))]
			switch rng.IntN(20) {
			case 0:
				src.Resize(100+rng.IntN(200), 60+rng.IntN(150))
			case 1:
				r.stream.Suspend()
			case 2, 3:
				r.stream.Resume()
			case 4:
				r.stream.Restart()
			case 5:
				p.Suspend()
				p.Resume()
			case 6:
				time.Sleep(5 * time.Millisecond)
			default:
				x, y, c := rng.IntN(200), rng.IntN(150), rng.Uint32()
				src.Draw(cutout(x, y, 1+rng.IntN(120), 1+rng.IntN(90)), func(x, y int) uint32 {
					return c * uint32(x/7*y/9)
				})
			}
		}
		for _, r := range viewers {
			r.stream.Resume()
			r.shows(src)
		}
	})
}
