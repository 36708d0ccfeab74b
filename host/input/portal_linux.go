package input

import (
	"errors"
	"fmt"
	"sync"
	"unicode/utf8"
)

// PortalLine is the line to a Wayland desktop: host/portal.
type PortalLine interface {
	// Notify calls a Notify method of org.freedesktop.portal.RemoteDesktop; it
	// does not wait, and keeps the order.
	Notify(method string, args ...any)
	// Spot is a pixel of the picture as the compositor counts: in a stream.
	Spot(x, y int) (node uint32, sx, sy float64, ok bool)
	// Reach is nil while the desktop may be driven. Its error wraps ErrUnsupported
	// where the person keeps the mouse, else ErrLost.
	Reach() error
}

// Portal drives a Wayland desktop through the portal. Characters go as keysyms,
// which the compositor finds on the person's keyboard, other keys as the physical
// ones. All but modifiers are pressed and let go at once: a Wayland program
// repeats by itself what is held, and a release that a bad line holds back would
// then double letters. The technician's own repeating repeats.
type Portal struct {
	line PortalLine

	mu             sync.Mutex // guards what follows
	held           map[uint16]int32
	buttons        [5]bool
	wheelX, wheelY int
}

// NewPortal makes hands for a line.
func NewPortal(line PortalLine) *Portal {
	return &Portal{line: line, held: make(map[uint16]int32)}
}

// reach tells whether anything can be done. Hands that the person never allowed
// do nothing, which is no error: whoever has no control moves nothing.
func (h *Portal) reach() (able bool, err error) {
	if err = h.line.Reach(); errors.Is(err, ErrUnsupported) {
		return false, nil
	}
	return err == nil, err
}

// Move implements Injector. Where there is no monitor the pointer stays.
func (h *Portal) Move(x, y int) error {
	able, err := h.reach()
	if !able {
		return err
	}
	if node, sx, sy, ok := h.line.Spot(x, y); ok {
		h.line.Notify("NotifyPointerMotionAbsolute", node, sx, sy)
	}
	return nil
}

// Buttons of a pointer in linux/input-event-codes.h.
var evdevButtons = [5]int32{Left: 0x110, Middle: 0x112, Right: 0x111, Back: 0x116, Forward: 0x115}

// Button implements Injector.
func (h *Portal) Button(b Button, down bool) error {
	able, err := h.reach()
	if !able {
		return err
	}
	if int(b) >= len(evdevButtons) {
		return fmt.Errorf("input: no button %d", b)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buttons[b] = down
	h.line.Notify("NotifyPointerButton", evdevButtons[b], state(down))
	return nil
}

func state(down bool) uint32 {
	if down {
		return 1
	}
	return 0
}

// Wheel implements Injector, in whole notches.
func (h *Portal) Wheel(dx, dy int) error {
	able, err := h.reach()
	if !able {
		return err
	}
	const vertical, horizontal = 0, 1
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := turn(&h.wheelY, dy); n != 0 {
		h.line.Notify("NotifyPointerAxisDiscrete", uint32(vertical), int32(n))
	}
	if n := turn(&h.wheelX, dx); n != 0 {
		h.line.Notify("NotifyPointerAxisDiscrete", uint32(horizontal), int32(n))
	}
	return nil
}

// Key implements Injector.
func (h *Portal) Key(k Key, down bool) error {
	able, err := h.reach()
	if !able {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !down {
		if code, ok := h.held[k.Usage]; ok {
			delete(h.held, k.Usage)
			h.line.Notify("NotifyKeyboardKeycode", code, state(false))
		}
		return nil
	}
	if r := charFor(k); r != 0 {
		h.tap("NotifyKeyboardKeysym", symFor(r))
		return nil
	}
	code := int32(evdevOf[k.Usage&0xff])
	switch {
	case code == 0:
		return fmt.Errorf("%w (usage %#x)", ErrCannotType, k.Usage)
	case !isModifier(k.Usage):
		h.tap("NotifyKeyboardKeycode", code)
	case k.Usage == usageRightAlt: // AltGr: its characters come as text
	default:
		if _, ok := h.held[k.Usage]; !ok {
			h.held[k.Usage] = code
			h.line.Notify("NotifyKeyboardKeycode", code, state(true))
		}
	}
	return nil
}

// charFor is the character by which a key goes, or 0 where its place counts.
func charFor(k Key) rune {
	r, size := utf8.DecodeRuneInString(k.Text)
	switch {
	case isShortcut(k.Modifiers):
		return shortcutChar(k)
	case k.Text == "", size < len(k.Text), r == utf8.RuneError:
		return 0
	}
	return r
}

// symFor is the keysym of a character; line ends and tabs have a key of their own.
func symFor(r rune) int32 {
	switch r {
	case '\n', '\r':
		return symReturn
	case '\t':
		return symTab
	}
	return int32(keysymOf(r))
}

func (h *Portal) tap(method string, key int32) {
	h.line.Notify(method, key, state(true))
	h.line.Notify(method, key, state(false))
}

// Text implements Injector. Which characters the person's keyboard has, no
// compositor tells: one that it lacks does nothing.
func (h *Portal) Text(s string) error {
	able, err := h.reach()
	if !able {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var cannot error
	for _, r := range s {
		if r == utf8.RuneError {
			cannot = fmt.Errorf("%w: %U", ErrCannotType, r)
			continue
		}
		h.tap("NotifyKeyboardKeysym", symFor(r))
	}
	return cannot
}

// Prepare implements Injector: there is nothing to make ready.
func (h *Portal) Prepare() error { return nil }

// Restore implements Injector: it lets go of what is held.
func (h *Portal) Restore() error {
	if able, _ := h.reach(); !able {
		return nil // nothing is down
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for usage, code := range h.held {
		delete(h.held, usage)
		h.line.Notify("NotifyKeyboardKeycode", code, state(false))
	}
	for b, down := range h.buttons {
		if down {
			h.buttons[b] = false
			h.line.Notify("NotifyPointerButton", evdevButtons[b], state(false))
		}
	}
	return nil
}

// Close implements Injector; the line stays.
func (h *Portal) Close() error { return h.Restore() }
