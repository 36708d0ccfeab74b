// Package input moves the pointer and types on the assisted person's desktop.
//
// An [Injector] is one desktop's hands. A [Receiver] stands before it: it reads
// input events from the wire, applies each once and in order, asks its [Gate]
// before every one, asks its [Guard] before whatever could land in the host's
// own window, and lets everything go that is down when it must.
//
// A [Person] tells what the person's own hands do, and what window is in front.
//
// [Open] finds hands and guard for this system. On Linux they are [X11] and
// [X11Guard], on Windows [SendInput] and [WindowsGuard]; input/fake is a strict
// recorder for tests, and input/inputtest the suite that every Injector passes.
// Nothing here keeps or logs what was typed: the Receiver counts, and only that.
package input

import (
	"errors"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// ErrLost is wrapped by the errors of an Injector whose desktop went away.
var ErrLost error = wire.NewError(mfpb.Reason_REASON_CAPTURE_LOST, "input: the desktop is gone")

// ErrUnsupported is wrapped by the error of [Open] where this host has no hands:
// a system it cannot inject into, or an X server without XTEST or XKEYBOARD.
var ErrUnsupported = errors.New("input: this desktop cannot be controlled")

// ErrCannotType is wrapped when no key of this keyboard types a character.
var ErrCannotType = errors.New("input: this keyboard cannot type that")

// ErrReserved is wrapped when the system takes keys from the person's own
// keyboard only: Ctrl+Alt+Del and Windows+L on Windows.
var ErrReserved = errors.New("input: the system takes these keys from its own keyboard only")

// Button of a pointer, as on the wire.
type Button uint8

const (
	Left Button = iota
	Middle
	Right
	Back
	Forward
)

// Modifiers and locks as the technician's browser saw them; bits as on the wire.
const (
	ModShift = 1 << iota
	ModControl
	ModAlt
	ModMeta
	ModAltGraph
)

// Key is one physical key and what it typed where it was pressed.
type Key struct {
	Usage     uint16 // USB HID usage, page 7 (keyboard)
	Text      string // KeyboardEvent.key when it is one character, else empty
	Modifiers uint8
	Locks     uint8
}

// Injector injects into one desktop. Positions are pixels of the captured
// picture. Methods are called by one goroutine at a time.
type Injector interface {
	Move(x, y int) error
	Button(b Button, down bool) error
	// Wheel turns by 1/120 of a notch; dy > 0 scrolls down, dx > 0 right.
	Wheel(dx, dy int) error
	// Key presses or releases. The injector decides between the physical key
	// and the text, and remembers what it pressed for a usage. The error wraps
	// ErrCannotType or ErrReserved where nothing was pressed and all goes on.
	Key(k Key, down bool) error
	// Text types UTF-8 text, or returns an error that wraps ErrCannotType
	// after typing all that can be typed.
	Text(s string) error
	// Prepare makes the desktop ready when control is granted (spare keycodes);
	// Restore undoes it, at once or a moment later, and at the latest in Close.
	// Both may be called more than once.
	Prepare() error
	Restore() error
	Close() error
}

// Guard knows the windows that must never get injected input: the host's own
// window and the terminal it runs in (P19).
type Guard interface {
	// PointerAllowed tells whether a button or wheel event at x, y may be injected.
	PointerAllowed(x, y int) bool
	// KeysAllowed tells whether the window with the keyboard focus may get keys.
	KeysAllowed() bool
	// Protect adds a window by its system-wide id (X11: the XID; Windows: the HWND). It may be
	// called from any goroutine.
	Protect(window uint64)
}

// Gate tells whether the person's answers allow input at this moment: control
// is granted (C28) and no question is open (C29). It is asked before every
// event, on the Receiver's goroutine, and must answer at once. The code is the
// notice for the technician when the answer is no, or 0 for none.
type Gate interface {
	InputAllowed() (bool, mfpb.NoticeCode)
}
