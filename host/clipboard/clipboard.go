// Package clipboard puts something on the person's clipboard and takes something
// from it, text or a picture, when somebody who may asks for it.
//
// [Open] finds the clipboard of this desktop; nothing of it is looked at before
// [Clipboard.Watch]. What comes from elsewhere goes through [Clean] first: its size
// and, for a picture, its pixels are bounded before anything is unpacked.
package clipboard

import (
	"context"
	"errors"
)

// Kind of a content.
type Kind uint8

const (
	Text Kind = iota + 1 // UTF-8 with line feeds between lines
	PNG
)

// Bounds.
const (
	MaxText   = 1 << 20  // bytes
	MaxPNG    = 16 << 20 // bytes
	MaxPixels = 16 << 20 // 64 MiB unpacked
	MaxSide   = 16384
)

// Max is the longest content of a kind in bytes; 0 for a kind that is none.
func (k Kind) Max() int {
	switch k {
	case Text:
		return MaxText
	case PNG:
		return MaxPNG
	}
	return 0
}

// Content is what is on a clipboard.
type Content struct {
	Kind Kind
	Data []byte
}

// Item tells of something that the person copied.
type Item struct {
	Serial uint64 // counts up
	Kind   Kind
}

var (
	// ErrGone: the item is not on the clipboard any more.
	ErrGone = errors.New("clipboard: it holds something else by now")
	// ErrTooLarge: over the bounds of its kind.
	ErrTooLarge = errors.New("clipboard: too large")
	// ErrUnreadable: the program that has it does not give it, or not as what it said.
	ErrUnreadable = errors.New("clipboard: not readable")
	// ErrBusy: another program holds it and does not let go.
	ErrBusy = errors.New("clipboard: another program holds it")
	// ErrUnsupported: this system has no clipboard that the host knows.
	ErrUnsupported = errors.New("clipboard: none on this system")
	// ErrClosed: Close was called, or the desktop is gone.
	ErrClosed = errors.New("clipboard: closed")
)

// Clipboard is one desktop's. Its methods may be called from any goroutine.
type Clipboard interface {
	// Put gives the person's clipboard a content, which the caller does not change
	// any more. When it returns, a program that pastes gets it.
	Put(c Content) error
	// Watch begins to tell of what is copied from now on, or ends it. What is there
	// already is not looked at; what Put put is no news. Something that its program
	// marks as secret, as password managers do, is never told of, nor are files.
	Watch(on bool) error
	// News has the newest item; older ones are dropped. Closed by Close.
	News() <-chan Item
	// Get reads an item. The error wraps ErrGone, ErrTooLarge or ErrUnreadable.
	Get(ctx context.Context, it Item) (Content, error)
	// Close gives the clipboard back. What Put put may be gone then.
	Close() error
}

// Open finds the clipboard of a desktop: an X display such as ":0", or "" for the
// one this process was started on.
func Open(display string) (Clipboard, error) { return openClipboard(display) }
