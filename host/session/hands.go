package session

import (
	"sync/atomic"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// gate is what the person's answers say about input. The loop writes it, the
// receiver asks it before every event.
type gate struct {
	control  atomic.Bool
	question atomic.Bool
}

// InputAllowed implements input.Gate.
func (g *gate) InputAllowed() (bool, mfpb.NoticeCode) {
	if !g.control.Load() { // C28
		return false, mfpb.NoticeCode_NOTICE_CODE_UNSPECIFIED
	}
	if g.question.Load() { // C29
		return false, mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_QUESTION
	}
	return true, mfpb.NoticeCode_NOTICE_CODE_UNSPECIFIED
}

// hands joins what comes and goes apart: the receiver of the present link and
// the desktop that view opened. It is the receiver's Injector and Guard; without
// a desktop it moves nothing.
type hands struct {
	desktop atomic.Pointer[reach]
	recv    *input.Receiver // the loop's
	past    input.Counts    // of receivers that are gone
}

// reach is the open desktop's injector and guard.
type reach struct {
	input.Injector
	guard input.Guard
}

func (h *hands) take(r *input.Receiver) { h.recv = r }

func (h *hands) leave(r *input.Receiver) {
	if h.recv != r {
		return
	}
	h.past = h.counts()
	h.recv = nil
}

// release lets go of everything that is down, and returns when that is done.
func (h *hands) release() {
	if h.recv != nil {
		h.recv.ReleaseAll()
	}
}

func (h *hands) counts() input.Counts {
	c := h.past
	if h.recv != nil {
		now := h.recv.Counts()
		c.Keys += now.Keys
		c.Clicks += now.Clicks
		c.Wheel += now.Wheel
		c.Characters += now.Characters
		c.Refused += now.Refused
	}
	return c
}

// prepare and restore go through the receiver while there is one: nobody else
// may call the injector then.
func (h *hands) prepare() error {
	if h.recv != nil {
		return h.recv.Prepare()
	}
	return h.Prepare()
}

func (h *hands) restore() error {
	if h.recv != nil {
		return h.recv.Restore()
	}
	return h.Restore()
}

// The methods of input.Injector and input.Guard.

func (h *hands) with(f func(input.Injector) error) error {
	if d := h.desktop.Load(); d != nil {
		return f(d.Injector)
	}
	return nil
}

func (h *hands) Move(x, y int) error {
	return h.with(func(i input.Injector) error { return i.Move(x, y) })
}

func (h *hands) Button(b input.Button, down bool) error {
	return h.with(func(i input.Injector) error { return i.Button(b, down) })
}

func (h *hands) Wheel(dx, dy int) error {
	return h.with(func(i input.Injector) error { return i.Wheel(dx, dy) })
}

func (h *hands) Key(k input.Key, down bool) error {
	return h.with(func(i input.Injector) error { return i.Key(k, down) })
}

func (h *hands) Text(s string) error {
	return h.with(func(i input.Injector) error { return i.Text(s) })
}

func (h *hands) Prepare() error { return h.with(input.Injector.Prepare) }
func (h *hands) Restore() error { return h.with(input.Injector.Restore) }

// Close leaves the desktop open: it belongs to the session.
func (h *hands) Close() error { return nil }

func (h *hands) PointerAllowed(x, y int) bool {
	d := h.desktop.Load()
	return d != nil && d.guard.PointerAllowed(x, y)
}

func (h *hands) KeysAllowed() bool {
	d := h.desktop.Load()
	return d != nil && d.guard.KeysAllowed()
}

// Protect is called on the desktop's own guard.
func (h *hands) Protect(uint64) {}
