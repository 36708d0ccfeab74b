// Package capture sees the screen as frames with damage.
//
// A [Source] is one desktop. It wakes up when the desktop changes and hands out
// the whole picture together with the rectangle that changed; it never returns
// an unchanged frame and never draws the cursor into it. Implementations: X11
// by MIT-SHM, DAMAGE, XFIXES and RANDR ([OpenX11]); any system that
// kbinani/screenshot knows ([OpenPortable]); and the strict fake in
// capture/fake. All pass the conformance suite in capture/capturetest.
package capture

import (
	"context"
	"errors"
	"image"
)

// ErrLost is wrapped by the errors of a Source whose desktop went away: the X
// server ended, the session was locked away, the connection broke.
var ErrLost = errors.New("capture: the screen can no longer be read")

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
}

// Display is one monitor, in pixels of the frame.
type Display struct {
	ID     uint32
	Name   string
	Bounds image.Rectangle
}

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
	// ends. What changes between two calls is merged into one frame.
	Next(ctx context.Context) (Frame, error)
	// NextCursor returns the present shape on its first call, then waits for
	// another one.
	NextCursor(ctx context.Context) (Cursor, error)
	// Displays lists the monitors as of the last frame.
	Displays() []Display
	// Close gives everything back; Next and NextCursor then return ErrLost.
	Close() error
}
