package input

import (
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// applyMotion moves the pointer. Moving is harmless anywhere, so only the gate
// is asked.
func (r *Receiver) applyMotion(ev *wire.InputEvent) error {
	if !r.open() {
		return nil
	}
	return r.move(int(ev.X), int(ev.Y))
}

// apply injects one event, or refuses it; an event is consumed either way.
func (r *Receiver) apply(ev wire.InputEvent) error {
	if !r.open() {
		return nil
	}
	switch ev.Kind {
	case wire.InputButton, wire.InputWheel:
		return r.pointer(ev)
	case wire.InputKey:
		return r.key(ev)
	case wire.InputText:
		return r.text(ev.Text)
	case wire.InputRelease:
		r.letGo()
	}
	return nil
}

// open asks the gate (C28, C29). While it is closed nothing is left down.
func (r *Receiver) open() bool {
	allowed, code := r.gate.InputAllowed()
	if !allowed {
		r.letGo()
		r.refuse(code)
	}
	return allowed
}

func (r *Receiver) refuse(code mfpb.NoticeCode) {
	r.count(func(c *Counts) { c.Refused++ })
	if r.tell(code) {
		r.refusing = true
	}
}

// resumed takes a refusal back once something is applied again.
func (r *Receiver) resumed() {
	if r.refusing && r.tell(mfpb.NoticeCode_NOTICE_CODE_INPUT_RESUMED) {
		r.refusing = false
	}
}

func (r *Receiver) pointerAllowed(x, y int) bool {
	if !r.guard.PointerAllowed(x, y) {
		r.refuse(mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_OWN_WINDOW)
		return false
	}
	return true
}

func (r *Receiver) keysAllowed() bool {
	if !r.guard.KeysAllowed() {
		r.refuse(mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_OWN_WINDOW)
		return false
	}
	return true
}

func (r *Receiver) move(x, y int) error {
	r.x, r.y = x, y
	return r.inj.Move(x, y)
}

// pointer applies a button or wheel event at its own position, whatever motions
// were lost or come late.
func (r *Receiver) pointer(ev wire.InputEvent) error {
	backX, backY, back := r.x, r.y, false
	if ev.Motion >= r.motion {
		r.motion = ev.Motion // motions up to it are overtaken
		r.pending = nil
	} else {
		back = r.pending == nil // the pointer is farther on already
	}
	if err := r.move(int(ev.X), int(ev.Y)); err != nil {
		return err
	}
	var err error
	if ev.Kind == wire.InputWheel {
		err = r.wheel(ev)
	} else {
		err = r.button(ev)
	}
	if err == nil && back {
		err = r.move(backX, backY)
	}
	return err
}

func (r *Receiver) wheel(ev wire.InputEvent) error {
	if !r.pointerAllowed(int(ev.X), int(ev.Y)) { // C30
		return nil
	}
	r.resumed()
	r.count(func(c *Counts) { c.Wheel++ })
	return r.inj.Wheel(int(ev.DX), int(ev.DY))
}

func (r *Receiver) button(ev wire.InputEvent) error {
	b := Button(ev.Button)
	if !ev.Down {
		return r.buttonUp(b)
	}
	if r.buttons[b] {
		return nil
	}
	if !r.pointerAllowed(int(ev.X), int(ev.Y)) { // C30
		return nil
	}
	r.resumed()
	r.buttons[b], r.pressX[b], r.pressY[b] = true, int(ev.X), int(ev.Y)
	r.count(func(c *Counts) { c.Clicks++ })
	return r.inj.Button(b, true)
}

// buttonUp releases a button that is down. Over a protected window the pointer
// first goes back to where the button went down: text dropped on a terminal is
// typed into it.
func (r *Receiver) buttonUp(b Button) error {
	if !r.buttons[b] {
		return nil
	}
	r.buttons[b] = false
	if !r.guard.PointerAllowed(r.x, r.y) { // C30
		if err := r.move(r.pressX[b], r.pressY[b]); err != nil {
			return err
		}
	}
	return r.inj.Button(b, false)
}

func (r *Receiver) key(ev wire.InputEvent) error {
	k := Key{Usage: ev.Usage, Text: ev.Text, Modifiers: ev.Modifiers, Locks: ev.Locks}
	at := slices.Index(r.keys, k.Usage)
	if !ev.Down {
		if at < 0 {
			return nil // never pressed, refused, or released by the watchdog
		}
		r.keys = slices.Delete(r.keys, at, at+1)
		return r.inj.Key(k, false)
	}
	if !r.keysAllowed() { // C30
		return nil
	}
	r.resumed()
	if at < 0 {
		r.keys = append(r.keys, k.Usage)
		r.count(func(c *Counts) { c.Keys++ })
	}
	return r.inj.Key(k, true)
}

// text types in pieces, so that a Stop, a question or a window that takes the
// focus in the middle holds the rest back.
func (r *Receiver) text(s string) error {
	var cannot error
	for s != "" {
		end, n := 0, 0
		for end < len(s) && n < textChunk {
			_, size := utf8.DecodeRuneInString(s[end:])
			end += size
			n++
		}
		piece := s[:end]
		s = s[end:]
		if !r.open() {
			return cannot
		}
		if !r.keysAllowed() { // C30
			return cannot
		}
		r.resumed()
		r.count(func(c *Counts) { c.Characters += int64(n) })
		if err := r.inj.Text(piece); errors.Is(err, ErrCannotType) {
			cannot = err
		} else if err != nil {
			return err
		}
	}
	return cannot
}

// letGo releases every key and button that is down, the last pressed first.
func (r *Receiver) letGo() {
	keys := r.keys
	r.keys = nil
	for _, usage := range slices.Backward(keys) {
		r.check(r.inj.Key(Key{Usage: usage}, false))
	}
	for b := range r.buttons {
		r.check(r.buttonUp(Button(b)))
	}
}

// checkHeld lets go when a held key would reach where it may not: whatever
// window has the focus by now.
func (r *Receiver) checkHeld() {
	if len(r.keys) == 0 {
		return
	}
	allowed, _ := r.gate.InputAllowed()
	if !allowed {
		r.letGo()
		return
	}
	if !r.guard.KeysAllowed() {
		r.letGo()
	}
}
