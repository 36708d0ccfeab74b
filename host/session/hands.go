package session

import (
	"sync"
	"sync/atomic"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// gate is what the person's answers say about one participant's input. The loop
// writes it, the receiver asks it before every event.
type gate struct {
	control  atomic.Bool
	question *atomic.Bool // a question is open: of anybody
	first    *personFirst
}

// InputAllowed implements input.Gate.
func (g *gate) InputAllowed() (bool, mfpb.NoticeCode) {
	if !g.control.Load() { // C28
		return false, mfpb.NoticeCode_NOTICE_CODE_UNSPECIFIED
	}
	if g.question.Load() { // C29
		return false, mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_QUESTION
	}
	if code := g.first.holds(); code != 0 { // C65, C66, C67
		return false, code
	}
	return true, mfpb.NoticeCode_NOTICE_CODE_UNSPECIFIED
}

// hands joins what comes and goes apart: the receivers of all participants and
// the desktop that view opened. It is every receiver's Injector and Guard;
// without a desktop it moves nothing. Receivers take turns: what one lets go of
// while another begins must not meet in the injector.
type hands struct {
	desktop atomic.Pointer[reach]
	turn    sync.Mutex
	moved   movement
	past    input.Counts // of receivers that are gone; the loop's
}

// reach is the open desktop's injector and guard.
type reach struct {
	input.Injector
	guard input.Guard
	nudge func() // a source that must look for changes looks now; nil: it is told
}

// receivers are those of all participants that have one.
func (l *live) receivers() []*input.Receiver {
	var list []*input.Receiver
	for _, p := range l.participants {
		if p.link != nil && !p.link.down {
			list = append(list, p.link.recv)
		}
	}
	return list
}

// release lets go of everything that is down, and returns when that is done.
func (l *live) release() {
	for _, r := range l.receivers() {
		r.ReleaseAll()
	}
}

// retire keeps a receiver's count when its link goes.
func (l *live) retire(r *input.Receiver) { l.hands.past = add(l.hands.past, r.Counts()) }

func (l *live) inputs() input.Counts {
	c := l.hands.past
	for _, r := range l.receivers() {
		c = add(c, r.Counts())
	}
	return c
}

func add(a, b input.Counts) input.Counts {
	return input.Counts{
		Keys: a.Keys + b.Keys, Clicks: a.Clicks + b.Clicks, Wheel: a.Wheel + b.Wheel,
		Characters: a.Characters + b.Characters, Refused: a.Refused + b.Refused,
	}
}

// prepare and restore go through the participant's receiver while there is one:
// what it holds is let go of first.
func (l *live) prepare(p *participant) error {
	if p.link != nil && !p.link.down {
		return p.link.recv.Prepare()
	}
	return l.hands.Prepare()
}

func (l *live) restore(p *participant) error {
	if p.link != nil && !p.link.down {
		return p.link.recv.Restore()
	}
	return l.hands.Restore()
}

// The methods of input.Injector and input.Guard.

func (h *hands) with(f func(input.Injector) error) error {
	h.turn.Lock()
	defer h.turn.Unlock()
	d := h.desktop.Load()
	if d == nil {
		return nil
	}
	err := f(d.Injector)
	if d.nudge != nil {
		d.nudge()
	}
	return err
}

func (h *hands) Move(x, y int) error {
	h.moved.to(x, y)
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
