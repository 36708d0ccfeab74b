package session

import (
	"bytes"
	"errors"
	"image"
	"sync"

	"github.com/mainforte/mainforte/host/picture"
	"github.com/mainforte/mainforte/internal/wire"
)

// maxBuffered is how many bytes of picture the data channel may hold: two
// whole pictures of a large screen that compress to nothing. The window of
// unacknowledged updates keeps it far below that; more is a fault.
const maxBuffered = 128 << 20

// errSlow is what a stream's sink answers when the network takes nothing: the
// link is as good as lost.
var errSlow = errors.New("session: the data channel is full")

// tileEnd is where the viewer's messages about the picture go. Its hello may
// come long before the person allows view: it is kept for the stream.
type tileEnd struct {
	mu     sync.Mutex
	stream *picture.Stream
	held   bool // the stream is suspended: its participant may not see
	hello  []byte
}

// Send puts one picture message on the channel; it makes a link a picture.Sink.
// It runs on the pump's goroutine, so it leaves word for the loop and never waits.
func (l *link) Send(msg []byte) error {
	var err error
	if l.tileDCs.BufferedAmount() > maxBuffered {
		err = errSlow
	} else {
		err = l.tileDCs.Send(msg)
	}
	l.given.Add(uint64(len(msg)))
	if err != nil {
		l.failed.Store(true)
	}
	if err != nil || msg[0] == wire.PictureStart {
		select {
		case l.h.look <- struct{}{}:
		default:
		}
	}
	return err
}

// maxFastBuffered is how many bytes of repeats the channel may hold: a repeat that
// has to wait is worth nothing.
const maxFastBuffered = 64 << 10

// SendFast puts one repeat on the channel tiles-fast, or drops it; it makes a link
// a picture.FastSink.
func (l *link) SendFast(msg []byte) error {
	if l.tilesFast.BufferedAmount() < maxFastBuffered {
		_ = l.tilesFast.Send(msg) // what it repeats is on its way by the other channel
	}
	return nil
}

// handleFast takes an ack; one that comes when nothing is shown is late.
func (t *tileEnd) handleFast(msg []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stream == nil {
		return nil
	}
	return t.stream.HandleFast(msg)
}

// look lets a picture that comes in parts come from the viewer's pointer outwards.
func (t *tileEnd) look(msg []byte) {
	var ev wire.InputEvent
	if msg[0] != byte(wire.InputMotion) || wire.ParseInput(msg, &ev) != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stream != nil {
		t.stream.Look(image.Pt(int(ev.X), int(ev.Y)))
	}
}

func (t *tileEnd) handle(msg []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stream != nil {
		return t.stream.Handle(msg)
	}
	a, err := wire.ParseTileAnswer(msg)
	if errors.Is(err, wire.ErrSkip) {
		return nil
	}
	if err == nil && a.Kind == wire.AnswerHello {
		t.hello = bytes.Clone(msg)
	}
	return err
}
