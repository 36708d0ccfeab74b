package picture

import (
	"context"
	"errors"
	"image"
	"slices"
	"sync"
	"time"

	"github.com/mainforte/mainforte/host/capture"
)

// freshness is how long a Pump that goes on after an interruption waits for
// the source before it sends the last frame again: long enough for a source
// that has something newer, too short to be seen.
const freshness = 20 * time.Millisecond

// Pump feeds streams from one source. Each stream has its own account of
// damage, so a slow viewer gets fewer, larger updates and slows nobody.
type Pump struct {
	src capture.Source

	mu        sync.Mutex
	streams   []*Stream     // replaced, never changed in place
	suspended bool          // and so is every stream
	stale     bool          // the last frame may be old: ask the source first
	capture   chan struct{} // closed when the capture under way ends; nil if there is none
	cancel    func()        // ends it
	kick      chan struct{} // something may be sent now
	captured  Captures

	last capture.Frame // Run's; valid while it does not call Next
}

// NewPump returns a Pump that feeds from src. It does not close src.
func NewPump(src capture.Source) *Pump {
	return &Pump{src: src, kick: make(chan struct{}, 1)}
}

// Add makes a stream that writes to sink. It sends a whole picture right after
// the viewer's hello, even if the desktop stands still. The error is
// ErrTooManyStreams.
func (p *Pump) Add(sink Sink) (*Stream, error) {
	s := NewStream(sink)
	s.wake, s.interrupt = p.wake, p.interrupt
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.streams) >= MaxStreams {
		return nil, ErrTooManyStreams
	}
	s.paused = p.suspended
	if len(p.streams) == 0 {
		p.stale = true // nobody looked: the last frame may be minutes old
	}
	p.streams = append(slices.Clone(p.streams), s)
	return s, nil
}

// Remove ends a stream. When it returns, nothing more is sent to its sink.
func (p *Pump) Remove(s *Stream) {
	p.mu.Lock()
	p.streams = slices.DeleteFunc(slices.Clone(p.streams), func(o *Stream) bool { return o == s })
	p.mu.Unlock()
	s.Close()
}

// Suspend stops all streams. When it returns, no frame is captured or sent
// until Resume. It must not be called from within a Sink's Send.
func (p *Pump) Suspend() {
	p.mu.Lock()
	p.suspended = true
	for _, s := range p.streams {
		s.pause(true)
	}
	p.mu.Unlock()
	p.interrupt()
}

// Resume goes on with a new picture for every stream.
func (p *Pump) Resume() {
	p.mu.Lock()
	p.suspended, p.stale = false, true
	for _, s := range p.streams {
		s.pause(false)
	}
	p.mu.Unlock()
	p.wake(true)
}

// wake makes Run look at its streams again. With due set, what is to be sent
// cannot wait for the next change of the desktop.
func (p *Pump) wake(due bool) {
	p.mu.Lock()
	if due && p.capture != nil {
		p.cancel()
	}
	p.mu.Unlock()
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// interrupt ends the capture under way and waits for its end. It must not wait
// for a later one, which can last until the desktop changes.
func (p *Pump) interrupt() {
	p.mu.Lock()
	capture := p.capture
	if capture != nil {
		p.cancel()
	}
	p.mu.Unlock()
	if capture != nil {
		<-capture
	}
}

// What Run does next.
type action int

const (
	wait    action = iota // nobody has room
	resend                // somebody has room for what the last frame still holds
	next                  // somebody has room for a newer frame
	refresh               // as next, but for a moment only
)

// Run captures and sends until ctx ends or the source fails, and returns that
// error: ctx's, one that wraps capture.ErrLost, or ErrSize. It asks the source
// for a frame only while some stream has room for it. Call it once.
func (p *Pump) Run(ctx context.Context) error {
	capturing, cancel := context.WithCancel(ctx)
	defer func() { cancel() }()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if capturing.Err() != nil {
			capturing, cancel = context.WithCancel(ctx)
		}
		do, streams := p.begin(cancel)
		if do == wait {
			select {
			case <-p.kick:
			case <-ctx.Done():
			}
			continue
		}
		err := p.step(capturing, do, streams)
		if err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
}

// begin decides what to do. If that is to capture, it can be interrupted from
// here on.
func (p *Pump) begin(cancel func()) (action, []*Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	anyReady, anyDue := false, false
	for _, s := range p.streams {
		ready, due := s.state()
		anyReady = anyReady || ready
		anyDue = anyDue || ready && due
	}
	do := next
	switch {
	case !anyReady:
		return wait, nil
	case anyDue && p.last.Pix != nil && p.stale:
		do = refresh
	case anyDue && p.last.Pix != nil:
		do = resend
	}
	if do != resend {
		p.capture, p.cancel = make(chan struct{}), cancel
	}
	return do, p.streams
}

// step captures a frame, unless the last one is to be sent again, and offers it
// to all streams.
func (p *Pump) step(ctx context.Context, do action, streams []*Stream) error {
	f := p.last
	f.Damage = image.Rectangle{}
	if do != resend {
		if do == refresh {
			var done context.CancelFunc
			ctx, done = context.WithTimeout(ctx, freshness)
			defer done()
		}
		newer, err := p.src.Next(ctx)
		p.mu.Lock()
		close(p.capture)
		p.capture = nil
		switch {
		case err == nil:
			p.last, f, p.stale = newer, newer, false
			p.captured.Frames++
			p.captured.Took += newer.Took
		case do == refresh && errors.Is(err, context.DeadlineExceeded):
			err, p.stale = nil, false // the desktop stands still
		}
		p.mu.Unlock()
		if err != nil {
			return err
		}
	}
	for _, s := range streams {
		// A sink that fails ends its own stream only.
		if err := s.Frame(f); errors.Is(err, ErrSize) {
			return err
		}
	}
	return nil
}
