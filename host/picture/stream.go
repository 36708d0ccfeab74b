package picture

import (
	"errors"
	"fmt"
	"image"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/internal/wire"
)

// A viewer's decoder fails at most now and then; a whole picture is the most
// expensive thing it can ask for.
const (
	maxRestarts   = 10
	restartPeriod = 10 * time.Second
)

// Stream is the picture of one viewer: one encoder, one zstd stream, one
// account of what is on its canvas. Its methods may be called from any
// goroutine, but Suspend and Close not from within the Sink's Send: they wait
// for it.
type Stream struct {
	sink      Sink
	wake      func(due bool) // tells the Pump that something may be sent now
	interrupt func()         // ends what the Pump does for this stream
	now       func() time.Time

	mu        sync.Mutex // state; held for moments only
	hello     bool
	suspended bool // by Suspend
	paused    bool // by the Pump
	closed    bool
	err       error
	restart   bool // the next update begins a picture
	owed      bool // the canvas may lack something of what is to be seen
	untried   bool // and some of it is new since the last update
	large     bool // what is new is too much for a small update; until the next ack
	view      image.Rectangle
	focus     image.Point
	filming   bool   // the viewer has the video track
	sent      uint32 // the newest update
	acked     uint32 // the newest update on the canvas
	flow      flow
	waits     time.Time // since when an update is out and none was acknowledged
	restarts  int       // asked for by the viewer since since
	since     time.Time
	tally     tally

	sending sync.Mutex // held while a message is given to the sink
	repeat  repeater

	encoding   sync.Mutex // held while an update is made and sent
	enc        *encoder
	gate       *gate // the Pump's
	video      overlay
	zstd       *zstd.Encoder
	compressed appender
	msg        []byte
	generation uint32
}

// appender collects what is written to it.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// NewStream returns a stream that waits for the viewer's hello. A Pump makes
// its own by [Pump.Add]; a stream of one's own is fed by [Stream.Frame].
func NewStream(sink Sink) *Stream {
	s := &Stream{sink: sink, wake: func(bool) {}, interrupt: func() {}, now: time.Now, restart: true, msg: make([]byte, 0, wire.MaxTileMessage)}
	if fast, ok := sink.(FastSink); ok {
		s.repeat.send = func(msg []byte) error { return s.give(msg, fast.SendFast) }
	}
	return s
}

// Handle takes one message of the viewer on the channel tiles. An error means
// that the viewer breaks the protocol and must be sent away: wire.Reason knows
// what to tell it. Unknown optional messages are skipped.
func (s *Stream) Handle(msg []byte) error {
	return s.handle(msg, false)
}

// HandleFast takes one message of the viewer on the channel tiles-fast, where it
// may only acknowledge. Its errors are those of Handle.
func (s *Stream) HandleFast(msg []byte) error { return s.handle(msg, true) }

func (s *Stream) handle(msg []byte, fast bool) error {
	a, err := wire.ParseTileAnswer(msg)
	if errors.Is(err, wire.ErrSkip) {
		return nil
	}
	if err != nil {
		return err
	}
	if fast && a.Kind != wire.AnswerAck {
		return fmt.Errorf("%w: on tiles-fast only acks", ErrAnswer)
	}
	s.mu.Lock()
	now := s.now()
	before, _ := s.state(now)
	err = s.answer(a, now)
	ready, due := s.state(now)
	s.mu.Unlock()
	if ready && (!before || due) {
		s.wake(due)
	}
	return err
}

func (s *Stream) answer(a wire.TileAnswer, now time.Time) error {
	if s.hello == (a.Kind == wire.AnswerHello) {
		return fmt.Errorf("%w: hello comes first and once", ErrAnswer)
	}
	switch a.Kind {
	case wire.AnswerHello:
		s.hello = true
	case wire.AnswerAck:
		if a.Update == s.acked {
			return nil // it came by both channels
		}
		if a.Update-s.acked > s.sent-s.acked {
			if s.acked-a.Update < 1<<31 {
				return nil // late: a newer one came first, or a restart did
			}
			return fmt.Errorf("%w: update %d was never sent", ErrAnswer, a.Update)
		}
		s.tally.acked(s.acked, a.Update, now)
		s.acked, s.waits, s.large = a.Update, now, false
		s.flow.lossy = s.repeat.acked(a.Update, a.Parts, s.flow.minRTT(), now)
		s.flow.acked(a.Update, now)
	case wire.AnswerRestart:
		if now.Sub(s.since) > restartPeriod {
			s.restarts, s.since = 0, now
		}
		if s.restarts++; s.restarts > maxRestarts {
			return fmt.Errorf("%w: %d restarts in %v", ErrAnswer, s.restarts, restartPeriod)
		}
		s.lose()
	}
	return nil
}

// lose begins a new picture because updates on their way will never be on the
// canvas, and so never be acknowledged.
func (s *Stream) lose() {
	s.restart = true
	s.acked = s.sent
	s.flow.forget()
	s.repeat.began(s.generation) // repeats would be of a picture that is over
}

// room is what the next update may hold, in bytes after compression: bulk of
// what can wait, or if that is 0, small of what cannot.
func (s *Stream) room(now time.Time) (bulk, small int) {
	if !s.hello || s.stopped() {
		return 0, 0
	}
	bulk, small = s.flow.room(now)
	if s.large {
		small = 0
	}
	return bulk, small
}

func (s *Stream) stopped() bool { return s.suspended || s.paused || s.closed }

// state says whether an update may be sent now, and whether there is something
// for it that came with an earlier frame.
func (s *Stream) state(now time.Time) (ready, due bool) {
	bulk, small := s.room(now)
	due = bulk > 0 && (s.restart || s.owed) || small > 0 && s.untried && !s.restart
	return bulk+small > 0, due
}

// status is state for the Pump.
func (s *Stream) status(now time.Time) (ready, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state(now)
}

// Waits is for how long updates have been under way without one being
// acknowledged; 0 if none is.
func (s *Stream) Waits() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent == s.acked || s.stopped() {
		return 0
	}
	return s.now().Sub(s.waits)
}

// Restart begins a new picture as soon as the viewer has room: a start, the
// whole picture, a new context.
func (s *Stream) Restart() { s.change(func() { s.restart = true }) }

// View says what part of the picture the viewer looks at, in pixels of the
// frame; a rectangle that holds none of it is all of it. What changes elsewhere is kept and
// sent when it is looked at.
func (s *Stream) View(r image.Rectangle) { s.change(func() { s.view, s.owed = r, true }) }

// Look says where in the picture the viewer's attention is, in pixels: what
// cannot be sent at once is sent from there outwards.
func (s *Stream) Look(at image.Point) {
	s.mu.Lock()
	s.focus = at
	s.mu.Unlock()
}

// Film says whether the viewer shows the video track of the Pump's Film. While
// it does not, everything comes by tiles.
func (s *Stream) Film(on bool) { s.change(func() { s.filming, s.owed = on, true }) }

// change changes the state and lets the Pump know if there is something to send.
func (s *Stream) change(f func()) {
	s.mu.Lock()
	f()
	ready, due := s.state(s.now())
	s.mu.Unlock()
	if ready {
		s.wake(due)
	}
}

// Suspend stops the stream. When it returns, nothing more is sent until
// Resume: not even the rest of an update under way.
func (s *Stream) Suspend() {
	s.mu.Lock()
	s.suspended = true
	s.mu.Unlock()
	s.settle()
}

// Resume goes on with a new picture: what the viewer saw before is as old as
// the interruption.
func (s *Stream) Resume() {
	s.mu.Lock()
	s.suspended = false
	s.mu.Unlock()
	s.Restart()
}

// pause stops or goes on with the stream for its Pump.
func (s *Stream) pause(on bool) {
	s.mu.Lock()
	s.paused = on
	s.restart = true
	s.mu.Unlock()
}

// Close ends the stream and gives its memory back. When it returns, nothing
// more is sent.
func (s *Stream) Close() {
	s.fail(nil)
	s.settle()
	s.repeat.close()
	s.encoding.Lock()
	defer s.encoding.Unlock()
	if s.zstd != nil {
		s.zstd.Close()
	}
	s.enc, s.zstd, s.compressed.b = nil, nil, nil
}

// Err returns the error of the Sink that ended the stream, if one did.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *Stream) fail(err error) {
	s.mu.Lock()
	if !s.closed {
		s.closed, s.err = true, err
	}
	s.mu.Unlock()
}

// settle ends a capture that may have been for this stream, and waits for a
// message that is just being sent. It does not wait for the encoder: a whole
// picture can take it longer than a person should wait for a stop.
func (s *Stream) settle() {
	s.interrupt()
	s.sending.Lock()
	//lint:ignore SA2001 waiting is all that is wanted
	s.sending.Unlock()
}

// Frame offers the newest frame. It is sent if the viewer has room; else its
// damage is kept for the next one. An empty Damage offers the last frame once
// more, for what is still to be sent. The error is ErrSize or the Sink's.
func (s *Stream) Frame(f capture.Frame) error {
	if f.Width < 1 || f.Height < 1 || f.Width > wire.MaxPictureSide || f.Height > wire.MaxPictureSide ||
		f.Width*f.Height > MaxPixels || len(f.Pix) != f.Width*f.Height {
		return fmt.Errorf("%w: %d x %d, %d pixels", ErrSize, f.Width, f.Height, len(f.Pix))
	}
	s.encoding.Lock()
	defer s.encoding.Unlock()
	s.mu.Lock()
	if s.enc != nil && (s.enc.w != f.Width || s.enc.h != f.Height) {
		s.restart = true
	}
	for _, r := range f.Changed() {
		s.owed, s.untried = true, true
		if s.enc != nil && !s.restart {
			s.enc.damage(r)
		}
	}
	now := s.now()
	_, due := s.state(now)
	if !due {
		err := s.err
		s.mu.Unlock()
		return err
	}
	bulk, small := s.room(now)
	o := order{view: s.view, focus: s.focus, budget: bulk, search: true}
	if o.view = o.view.Intersect(image.Rect(0, 0, f.Width, f.Height)); o.view.Empty() {
		o.view = image.Rect(0, 0, f.Width, f.Height)
	}
	// The echo of a key does not wait for what else changed with it.
	both := bulk > 0 && small > 0 && !s.restart && s.flow.thin(now) && s.enc.mixed(o.view)
	if bulk == 0 || both {
		o.budget, o.small, o.first = small, true, both
	}
	if s.filming {
		o.gate = s.gate
		o.gate.carries(s.flow.rate(now))
	}
	restart, sent := s.restart, s.sent
	s.restart, s.owed, s.untried = false, false, false
	s.mu.Unlock()

	more, err := s.update(f, restart, o)
	if both && err == nil {
		s.mu.Lock()
		bulk, _ = s.room(s.now())
		s.mu.Unlock()
		if bulk > 0 {
			o.budget, o.small, o.first = bulk, false, false
			more, err = s.update(f, false, o)
		}
	}
	if more {
		s.mu.Lock()
		s.owed, s.large = true, o.small && s.sent == sent
		s.mu.Unlock()
	}
	if err == nil {
		err = s.endVideo()
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errStopped):
		s.mu.Lock()
		s.lose()
		s.mu.Unlock()
		return nil
	}
	s.fail(err)
	return err
}

// update makes one update and sends it. It holds s.encoding.
func (s *Stream) update(f capture.Frame, restart bool, o order) (more bool, err error) {
	began := s.now()
	if restart {
		if err := s.start(f.Width, f.Height); err != nil {
			return false, err
		}
		o.search = false
	}
	payload, more := s.enc.encode(f.Pix, o)
	if payload == nil {
		if !restart {
			return more, nil
		}
		payload = s.enc.empty() // a black picture: its ack still says that it is seen
	}
	s.compressed.b = s.compressed.b[:0]
	if _, err := s.zstd.Write(payload); err != nil {
		return more, fmt.Errorf("compress an update: %w", err)
	}
	if err := s.zstd.Flush(); err != nil {
		return more, fmt.Errorf("compress an update: %w", err)
	}
	s.enc.learn(len(s.compressed.b))

	now := s.now()
	s.mu.Lock()
	if s.sent == s.acked {
		s.waits = now
	}
	s.sent++ // before it leaves: its ack can be quicker than Send returns
	number := s.sent
	s.tally.sent(number, len(s.compressed.b), now.Sub(began), now)
	s.flow.sent(number, len(s.compressed.b), more && !o.first, now)
	s.mu.Unlock()
	s.repeat.sent(number, s.compressed.b, now)
	for rest := s.compressed.b; len(rest) > 0; {
		n := min(len(rest), pieceData)
		s.msg = append(wire.AppendPiece(s.msg[:0], number, n == len(rest)), rest[:n]...)
		if err := s.send(s.msg); err != nil {
			return more, err
		}
		rest = rest[n:]
	}
	return more, nil
}

// start tells the viewer that a picture begins.
func (s *Stream) start(w, h int) error {
	if s.enc == nil || s.enc.w != w || s.enc.h != h {
		s.enc = newEncoder(w, h)
	} else {
		s.enc.reset()
	}
	if s.zstd == nil {
		z, err := zstd.NewWriter(&s.compressed,
			zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithWindowSize(1<<windowLog),
			zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderCRC(false),
			// SpeedFastest leaves literals raw without it: a photograph is then
			// 1.65 times as large.
			zstd.WithAllLitEntropyCompression(true))
		if err != nil {
			return fmt.Errorf("start the zstd stream: %w", err)
		}
		s.zstd = z
	} else {
		s.zstd.Reset(&s.compressed)
	}
	s.mu.Lock()
	s.generation++
	s.repeat.began(s.generation)
	s.mu.Unlock()
	s.video.shown = false
	s.enc.video(s.video.rects)
	s.msg = wire.AppendStart(s.msg[:0], wire.Start{Generation: s.generation, Width: w, Height: h, WindowLog: windowLog})
	return s.send(s.msg)
}

// errStopped says that the stream was stopped while it sent an update.
var errStopped = errors.New("picture: stopped")

// send gives one message to the Sink, unless the stream was stopped meanwhile.
func (s *Stream) send(msg []byte) error {
	if err := s.give(msg, s.sink.Send); err != nil {
		if errors.Is(err, errStopped) {
			return err
		}
		return fmt.Errorf("send a picture message: %w", err)
	}
	return nil
}

func (s *Stream) give(msg []byte, to func([]byte) error) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.mu.Lock()
	stopped := s.stopped()
	s.mu.Unlock()
	if stopped {
		return errStopped
	}
	return to(msg)
}
