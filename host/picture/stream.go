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

	mu        sync.Mutex // state; held for moments only
	hello     bool
	suspended bool // by Suspend
	paused    bool // by the Pump
	closed    bool
	err       error
	restart   bool            // the next update begins a picture
	pending   image.Rectangle // damage that no update has carried yet
	sent      uint32          // the newest update
	acked     uint32          // the newest update on the canvas
	waits     time.Time       // since when an update is out and none was acknowledged
	restarts  int             // asked for by the viewer since since
	since     time.Time
	tally     tally

	sending sync.Mutex // held while a message is given to the sink

	encoding   sync.Mutex // held while an update is made and sent
	enc        *encoder
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
	return &Stream{sink: sink, wake: func(bool) {}, interrupt: func() {}, restart: true, msg: make([]byte, 0, wire.MaxTileMessage)}
}

// Handle takes one message of the viewer on the channel tiles. An error means
// that the viewer breaks the protocol and must be sent away: wire.Reason knows
// what to tell it. Unknown optional messages are skipped.
func (s *Stream) Handle(msg []byte) error {
	a, err := wire.ParseTileAnswer(msg)
	if errors.Is(err, wire.ErrSkip) {
		return nil
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	ready := s.ready()
	err = s.answer(a)
	wake, due := s.ready() && (!ready || s.due()), s.due()
	s.mu.Unlock()
	if wake {
		s.wake(due)
	}
	return err
}

func (s *Stream) answer(a wire.TileAnswer) error {
	if s.hello == (a.Kind == wire.AnswerHello) {
		return fmt.Errorf("%w: hello comes first and once", ErrAnswer)
	}
	switch a.Kind {
	case wire.AnswerHello:
		s.hello = true
	case wire.AnswerAck:
		if a.Update-s.acked > s.sent-s.acked {
			if s.acked-a.Update < 1<<31 {
				return nil // late: a newer one came first, or a restart did
			}
			return fmt.Errorf("%w: update %d was never sent", ErrAnswer, a.Update)
		}
		now := time.Now()
		s.tally.acked(s.acked, a.Update, now)
		s.acked, s.waits = a.Update, now
	case wire.AnswerRestart:
		if now := time.Now(); now.Sub(s.since) > restartPeriod {
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
}

// ready says whether an update may be sent now.
func (s *Stream) ready() bool {
	return s.hello && !s.stopped() && s.sent-s.acked < Window
}

func (s *Stream) stopped() bool { return s.suspended || s.paused || s.closed }

// due says whether there is something to send that came with an earlier frame.
func (s *Stream) due() bool { return s.restart || !s.pending.Empty() }

// state is ready and due for the Pump.
func (s *Stream) state() (ready, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready(), s.due()
}

// Waits is for how long updates have been under way without one being
// acknowledged; 0 if none is.
func (s *Stream) Waits() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent == s.acked || s.stopped() {
		return 0
	}
	return time.Since(s.waits)
}

// Restart begins a new picture as soon as the viewer has room: a start, the
// whole picture, a new context.
func (s *Stream) Restart() {
	s.mu.Lock()
	s.restart = true
	ready := s.ready()
	s.mu.Unlock()
	if ready {
		s.wake(true)
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
	s.pending = s.pending.Union(f.Damage)
	if !s.ready() || !s.due() {
		err := s.err
		s.mu.Unlock()
		return err
	}
	restart, box := s.restart, s.pending
	s.restart, s.pending = false, image.Rectangle{}
	s.mu.Unlock()

	err := s.update(f, restart, box)
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
func (s *Stream) update(f capture.Frame, restart bool, box image.Rectangle) error {
	began := time.Now()
	if restart {
		if err := s.start(f.Width, f.Height); err != nil {
			return err
		}
		box = image.Rect(0, 0, f.Width, f.Height)
	}
	payload := s.enc.encode(f.Pix, box, !restart)
	if payload == nil {
		if !restart {
			return nil
		}
		payload = s.enc.empty() // a black picture: its ack still says that it is seen
	}
	s.compressed.b = s.compressed.b[:0]
	if _, err := s.zstd.Write(payload); err != nil {
		return fmt.Errorf("compress an update: %w", err)
	}
	if err := s.zstd.Flush(); err != nil {
		return fmt.Errorf("compress an update: %w", err)
	}

	now := time.Now()
	s.mu.Lock()
	if s.sent == s.acked {
		s.waits = now
	}
	s.sent++ // before it leaves: its ack can be quicker than Send returns
	number := s.sent
	s.tally.sent(number, len(s.compressed.b), now.Sub(began), now)
	s.mu.Unlock()
	for rest := s.compressed.b; len(rest) > 0; {
		n := min(len(rest), pieceData)
		s.msg = append(wire.AppendPiece(s.msg[:0], number, n == len(rest)), rest[:n]...)
		if err := s.send(s.msg); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
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
	s.generation++
	s.msg = wire.AppendStart(s.msg[:0], wire.Start{Generation: s.generation, Width: w, Height: h, WindowLog: windowLog})
	return s.send(s.msg)
}

// errStopped says that the stream was stopped while it sent an update.
var errStopped = errors.New("picture: stopped")

// send gives one message to the Sink, unless the stream was stopped meanwhile.
func (s *Stream) send(msg []byte) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.mu.Lock()
	stopped := s.stopped()
	s.mu.Unlock()
	if stopped {
		return errStopped
	}
	if err := s.sink.Send(msg); err != nil {
		return fmt.Errorf("send a picture message: %w", err)
	}
	return nil
}
