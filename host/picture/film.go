package picture

import (
	"errors"
	"image"

	"github.com/mainforte/mainforte/host/capture"
)

// ErrSkipped is what Film.Frame returns when it did not take the frame, though it
// was ready: a new area needs a key frame, and the last one was just sent. What
// was to be shown is still to be shown; Ready is false until it can be.
var ErrSkipped = errors.New("picture: the film takes no such frame now")

// Film shows what moves like video: one for all viewers of a screen, above
// their tiles. The tiles below stay whole and exact; what Film shows is only
// sent later by tiles, when it stands still (PROTOCOL.md §1.10, video).
//
// A [Pump] calls it from one goroutine. Host builds without an encoder have
// none, and everything goes by tiles.
type Film interface {
	// Ready says whether a frame would be taken now. If not, the frame is
	// skipped, never queued, and what OnReady was given is called when it would be.
	Ready() bool
	// OnReady sets what is called, from any goroutine, when Ready turns true.
	OnReady(func())
	// Frame takes the pixels of area, a rectangle of f in pixels, of which those
	// in damage may have changed since the last one: at once, so that f may be
	// reused when it returns. It encodes and sends them later, in a goroutine of
	// its own. key asks for a frame that needs no other. ts is the RTP timestamp
	// that this frame will have: 90 kHz, in real time.
	Frame(f capture.Frame, area image.Rectangle, damage []image.Rectangle, key bool) (ts uint32, err error)
	// Idle says that nothing is video now: the encoder may be released.
	Idle()
}
