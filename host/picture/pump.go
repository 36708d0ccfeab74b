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

// glance is how long the Pump waits for something newer before it sends more of
// the last frame: a change that came meanwhile goes first.
const glance = time.Millisecond

// patience is for how long a Film may fail before everything goes by tiles.
const patience = 2 * time.Second

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

	film    Film
	settled bool // a rectangle may have stood still for long enough
	hungry  bool // there is something for film, which was not ready

	// Run's.
	last    capture.Frame // valid while it does not call Next
	looked  bool          // at the source since last was sent again
	gate    gate
	rects   []image.Rectangle // that are video
	unseen  image.Rectangle   // damage that film was not given yet
	key     bool              // its next frame must need no other
	failing time.Time         // since when film takes no frame
	settle  *time.Timer
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
	s.wake, s.interrupt, s.gate = p.wake, p.interrupt, &p.gate
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

// SetFilm gives the Pump what shows video; nil, as in the beginning, takes it
// away. What is video then comes by tiles.
func (p *Pump) SetFilm(film Film) {
	p.mu.Lock()
	p.film = film
	p.mu.Unlock()
	if film != nil {
		film.OnReady(func() {
			p.mu.Lock()
			due := p.hungry
			p.mu.Unlock()
			p.wake(due)
		})
	}
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
	poll                  // as next, but only if there is one already
)

// Run captures and sends until ctx ends or the source fails, and returns that
// error: ctx's, one that wraps capture.ErrLost, or ErrSize. It asks the source
// for a frame only while some stream has room for it. Call it once.
func (p *Pump) Run(ctx context.Context) error {
	capturing, cancel := context.WithCancel(ctx)
	defer func() { cancel() }()
	defer func() {
		if p.settle != nil {
			p.settle.Stop()
		}
	}()
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
	now := time.Now()
	anyReady, anyDue := false, p.settled
	for _, s := range p.streams {
		ready, due := s.status(now)
		anyReady = anyReady || ready
		anyDue = anyDue || due
	}
	if len(p.rects) > 0 && !p.suspended && p.film != nil && p.film.Ready() {
		anyReady = true
		anyDue = anyDue || !p.unseen.Empty()
	}
	do := next
	switch {
	case !anyReady && !p.settled:
		return wait, nil
	case !anyDue || p.last.Pix == nil:
	case p.stale:
		do = refresh
	case p.looked:
		do = resend
	default:
		do = poll
	}
	if do != resend {
		p.capture, p.cancel = make(chan struct{}), cancel
	}
	p.looked = do != resend
	return do, p.streams
}

// step captures a frame, unless the last one is to be sent again, and offers it
// to all streams.
func (p *Pump) step(ctx context.Context, do action, streams []*Stream) error {
	f := p.last
	f.Damage, f.Parts = image.Rectangle{}, nil
	if do != resend {
		switch do {
		case refresh, poll:
			limit := freshness
			if do == poll {
				limit = glance
			}
			var done context.CancelFunc
			ctx, done = context.WithTimeout(ctx, limit)
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
		case do != next && errors.Is(err, context.DeadlineExceeded):
			err, p.stale = nil, false // the desktop stands still
		}
		p.mu.Unlock()
		if err != nil {
			return err
		}
	}
	p.gate.turn(time.Now())
	for _, s := range streams {
		// A sink that fails ends its own stream only.
		if err := s.Frame(f); errors.Is(err, ErrSize) {
			return err
		}
	}
	return p.shoot(f, streams)
}

// shoot decides what of the frame is video and gives that to the Film.
func (p *Pump) shoot(f capture.Frame, streams []*Stream) error {
	p.mu.Lock()
	film := p.film
	p.settled = false
	suspended := p.suspended
	p.mu.Unlock()
	watched := false
	for _, s := range streams {
		watched = watched || s.films()
	}
	if film == nil || !watched || suspended {
		p.gate.drop()
	} else {
		p.gate.size(f.Width, f.Height)
		p.gate.decide(f)
	}
	had := len(p.rects)
	if had == 0 && len(p.gate.films) == 0 {
		return nil
	}
	if !slices.EqualFunc(p.rects, p.gate.films, func(r image.Rectangle, v region) bool { return r == v.at }) {
		p.rects = p.rects[:0]
		for _, v := range p.gate.films {
			p.rects = append(p.rects, v.at)
		}
		p.unseen = p.gate.area
	}
	for _, s := range streams {
		if s.setVideo(p.rects) {
			p.key = true
		}
	}
	p.unseen = p.unseen.Union(f.Damage.Intersect(p.gate.area))
	p.sleep()
	if len(p.rects) == 0 {
		p.unseen, p.key = image.Rectangle{}, false
		if film != nil {
			film.Idle()
		}
	}
	shoot := !p.unseen.Empty() && film.Ready()
	p.mu.Lock()
	p.hungry = !p.unseen.Empty() && !shoot
	p.mu.Unlock()
	if !shoot {
		return nil
	}
	damage := [1]image.Rectangle{p.unseen}
	ts, err := film.Frame(f, p.gate.area, damage[:], p.key)
	if errors.Is(err, ErrSkipped) {
		p.mu.Lock()
		p.hungry = true
		p.mu.Unlock()
		return nil
	}
	if err != nil {
		// One that goes on failing is given up.
		if p.failing.IsZero() {
			p.failing = p.gate.now
		}
		broken := p.gate.now.Sub(p.failing) > patience
		p.mu.Lock()
		p.hungry = true
		if broken {
			p.film = nil
		}
		p.mu.Unlock()
		if broken {
			return p.shoot(f, streams)
		}
		return nil
	}
	p.failing = time.Time{}
	p.unseen, p.key = image.Rectangle{}, false
	for _, s := range streams {
		s.showVideo(ts, p.gate.area)
	}
	return nil
}

// sleep sees to it that Run looks again when the next rectangle that is video
// may have stood still for long enough.
func (p *Pump) sleep() {
	at, any := p.gate.settles()
	if !any {
		return
	}
	after := at.Sub(p.gate.now)
	if p.settle == nil {
		p.settle = time.AfterFunc(after, func() {
			p.mu.Lock()
			p.settled = true
			p.mu.Unlock()
			p.wake(true)
		})
		return
	}
	p.settle.Reset(after)
}
