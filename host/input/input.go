// Package input moves the pointer and types on the assisted person's desktop.
//
// An [Injector] is one desktop's hands. A [Receiver] stands before it: it reads
// input events from the wire, applies each once and in order, asks its [Gate]
// before every one, and lets everything go that is down when it must.
package input

import "errors"

// ErrLost is wrapped by the errors of an Injector whose desktop went away.
var ErrLost = errors.New("input: the desktop is gone")

// ErrCannotType is wrapped when no key of this keyboard types a character.
var ErrCannotType = errors.New("input: this keyboard cannot type that")

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
	// and the text, and remembers what it pressed for a usage.
	Key(k Key, down bool) error
	// Text types UTF-8 text, or returns an error that wraps ErrCannotType
	// after typing all that can be typed.
	Text(s string) error
	// Prepare makes the desktop ready when control is granted (spare keycodes);
	// Restore undoes it. Both may be called more than once.
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
	// Protect adds a window by its system-wide id (X11: the XID).
	Protect(window uint64)
}
