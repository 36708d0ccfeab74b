// Package capture sees the screen as frames with damage.
//
// A [Source] is one desktop. It wakes up when the desktop changes and hands out
// the whole picture together with the few rectangles that changed; it never
// returns an unchanged frame and never draws the cursor into it. [Open] takes the best
// one the system has: X11 by MIT-SHM, DAMAGE, XFIXES and RANDR ([OpenX11]),
// Windows by desktop duplication (DXGI), or by GDI where that cannot be had, as in
// a remote desktop and under Wine, or any system that kbinani/screenshot knows ([OpenPortable]).
// capture/fake is a strict one for tests. All pass the conformance suite in
// capture/capturetest. [Shot] takes one picture and is done.
//
// What only some sources can do is an interface of its own: [Veiled] tells that
// the screen is taken away for a while, [Nudger] takes the hint that a change
// is near.
package capture

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
)

// ErrLost is wrapped by the errors of a Source whose desktop went away: the X
// server ended, the session was locked away, the connection broke.
var ErrLost = errors.New("capture: the screen can no longer be read")

// ErrUnsupported is wrapped when a way to see the screen does not fit the
// system: an X server without DAMAGE, a screen of 16 colours.
var ErrUnsupported = errors.New("capture: this screen cannot be read in this way")

// ErrWayland is wrapped when a Wayland desktop shows its screen to no program, or
// not in a way that we know.
var ErrWayland = fmt.Errorf("%w: the desktop's portal shows it to nobody", ErrUnsupported)

// ErrDenied is wrapped when the person said no to the system's own question.
var ErrDenied = errors.New("capture: the person said no to the system")

// Frame is the picture after a change. It belongs to the Source: Pix may be
// read until the next call of Next.
type Frame struct {
	// Pix holds Width*Height pixels, rows from the top, no padding. A pixel is
	// 0x00RRGGBB (BGRX in memory); the top byte is always 0.
	Pix           []uint32
	Width, Height int
	// Damage bounds all pixels that may differ from the frame before. It is the
	// whole picture for the first frame and after a change of size.
	Damage image.Rectangle
	// Parts, if there are any, are rectangles of Damage that bound them together,
	// far from each other. They may be read as long as Pix.
	Parts []image.Rectangle
	// Took is how long it took to read what changed, once that was known.
	Took time.Duration
}

// Changed returns the rectangles that bound all pixels that may differ from the
// frame before: the parts of the damage, or all of it.
func (f *Frame) Changed() []image.Rectangle {
	if len(f.Parts) > 0 || f.Damage.Empty() {
		return f.Parts
	}
	return []image.Rectangle{f.Damage}
}

// Display is one monitor, in pixels of the frame.
type Display struct {
	ID     uint32
	Name   string
	Bounds image.Rectangle
}

// MaxCursor is the longest side of a cursor shape in pixels. What is larger is
// cut to the part around the hot spot.
const MaxCursor = wire.MaxCursorSide

// Cursor is a pointer shape. RGBA is straight (not premultiplied), 4 bytes a
// pixel; a hidden cursor has Width 0.
type Cursor struct {
	Width, Height int
	HotX, HotY    int
	RGBA          []byte
}

// Source is a desktop that can be seen. Its methods may be called from
// different goroutines; Next and NextCursor by one goroutine each.
type Source interface {
	// Next waits until the desktop differs from the last frame returned, or ctx
	// ends. What changes between two calls is merged into one frame. A call
	// that returns an error leaves the last frame as it is. An error that is
	// not ctx's wraps ErrLost.
	Next(ctx context.Context) (Frame, error)
	// NextCursor returns the present shape on its first call, then waits for
	// another one. A shape has at most MaxCursor x MaxCursor pixels.
	NextCursor(ctx context.Context) (Cursor, error)
	// Displays lists the monitors as of the last frame.
	Displays() []Display
	// Close gives everything back; Next and NextCursor then return ErrLost.
	Close() error
}

// Veil is why a desktop that is not lost cannot be seen at the moment.
type Veil uint8

const (
	Unveiled Veil = iota // it can be seen
	Locked               // the person's session is locked
	Secure               // a prompt of the system (UAC, Ctrl+Alt+Del) or a screen saver has the screen
	Asked                // the system asks the person whether it may be seen at all
)

// Veiled is a Source of a system that takes the screen away for a while, when
// nothing of it can be seen or controlled. Next then waits: what the person sees
// meanwhile is theirs alone, and the last frame stays.
type Veiled interface {
	Source
	// NextVeil returns the present state on its first call, then waits for
	// another one. One goroutine may call it beside Next and NextCursor. An
	// error that is not ctx's wraps ErrLost.
	NextVeil(ctx context.Context) (Veil, error)
}

// Pointing is a Source that knows where the pointer is.
type Pointing interface {
	Source
	// Pointer is its hot spot in pixels of the frame, if there is one now. It may
	// be called from any goroutine.
	Pointer() (image.Point, bool)
}

// Nudger is a Source that must look to know what changed, and looks sooner when
// it is told that a change is near, as it is after input.
type Nudger interface {
	Source
	// Nudge never blocks and may be called from any goroutine.
	Nudge()
}
