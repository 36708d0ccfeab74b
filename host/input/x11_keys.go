//go:build linux

package input

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jezek/xgb/xproto"
)

// Key presses the physical key where it types what the technician's keyboard
// typed, and where it types nothing; in a shortcut it presses the key that says
// the same here (shortcut.go); else it types the text. No
// key repeats by itself while it is held from afar, because a release that a bad
// line holds back would then double letters: it repeats when the technician's does.
func (x *X11) Key(k Key, down bool) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.ready("key"); err != nil {
		return err
	}
	if !down {
		return x.keyUp(k.Usage)
	}
	if code, ok := x.pressed[k.Usage]; ok && code != 0 {
		if x.down[code] == 1 && !isModifier(k.Usage) {
			x.fake(xproto.KeyRelease, code, 0, 0)
			x.fake(xproto.KeyPress, code, 0, 0)
		}
		return nil
	}
	st, err := x.state()
	if err != nil {
		return err
	}
	code := x.keycode(k, st)
	if k.Text != "" && !x.physical(k, code, st) {
		x.pressed[k.Usage] = 0
		return x.typeText(k.Text)
	}
	if code == 0 {
		if k.Usage == usageRightAlt {
			return nil // AltGr: its characters come as text
		}
		return fmt.Errorf("%w (usage %#x)", ErrCannotType, k.Usage)
	}
	x.pressed[k.Usage] = code
	x.down[code]++
	if x.down[code] == 1 {
		x.autoRepeat(code, false)
		x.fake(xproto.KeyPress, code, 0, 0)
	}
	return nil
}

// autoRepeat stops the X server from repeating one key, or lets it again where
// it did before. It is done a key at a time: a host that dies leaves the
// person's keyboard at most one key short.
func (x *X11) autoRepeat(code byte, on bool) {
	if x.repeats[code/8]&(1<<(code%8)) == 0 {
		return // it never repeats
	}
	mode := uint32(xproto.AutoRepeatModeOff)
	if on {
		mode = xproto.AutoRepeatModeOn
	}
	xproto.ChangeKeyboardControl(x.c, xproto.KbKey|xproto.KbAutoRepeatMode, []uint32{uint32(code), mode})
	x.unflushed = true
}

func (x *X11) keyUp(usage uint16) error {
	if x.lost.Load() {
		return x.gone("key", nil)
	}
	code := x.pressed[usage]
	delete(x.pressed, usage)
	if x.down[code] == 0 {
		return nil
	}
	x.down[code]--
	if x.down[code] == 0 {
		x.raise(code)
	}
	return nil
}

// raise lets a keycode go, for whatever usages it was down.
func (x *X11) raise(code byte) {
	delete(x.down, code)
	x.fake(xproto.KeyRelease, code, 0, 0)
	x.autoRepeat(code, true)
}

// keycode is the key to press for a usage, or 0.
func (x *X11) keycode(k Key, st keyState) byte {
	usage := k.Usage
	if usage >= uint16(len(evdevOf)) {
		return 0
	}
	code := func(u uint16) byte {
		if evdevOf[u] == 0 {
			return 0
		}
		return evdevOf[u] + 8
	}
	if usage >= usageKP1 && usage <= usageKPDecimal && k.Text == "" && x.keymap.char(code(usage), st.mods, st.group) != 0 {
		// The technician's NumLock is off, the person's is on.
		usage = navigationOf[usage-usageKP1]
	}
	if usage == usageRightAlt {
		here := x.keymap.sym(code(usage), 0, st.group) == symLevel3Shift
		switch {
		case k.Modifiers&ModAltGraph != 0 && !here:
			return 0 // AltGr there, Alt here: a lone Alt would open menus
		case k.Modifiers&ModAlt != 0 && k.Modifiers&ModAltGraph == 0 && here:
			usage = usageLeftAlt
		}
	}
	own := code(usage)
	if x.spare.bound[own] != nil {
		own = 0 // it types a character of ours now
	}
	if r := shortcutChar(k); r != 0 {
		return x.shortcut(r, own, st)
	}
	return own
}

// shortcut is the key that types r under the present Shift: the technician's own
// place if that is one, and if there is none at all. Programs know a shortcut in
// every layout that the keyboard has, the present one first.
func (x *X11) shortcut(r rune, own byte, st keyState) byte {
	var mods uint8 // a letter is the same command in capitals
	if !unicode.IsLetter(r) {
		mods = st.mods & xShift
	}
	for _, group := range []int{st.group, 0, 1, 2, 3} {
		if own != 0 && x.keymap.char(own, mods, group) == r {
			return own
		}
		if code := x.keymap.plain(r, mods, group); code != 0 && x.spare.bound[code] == nil {
			return code
		}
	}
	return own
}

// physical tells whether pressing the key itself is right.
func (x *X11) physical(k Key, code byte, st keyState) bool {
	if code == 0 {
		return false
	}
	if isShortcut(k.Modifiers) {
		return true
	}
	r, size := utf8.DecodeRuneInString(k.Text)
	return size == len(k.Text) && x.keymap.char(code, st.mods, st.group) == r
}

// Text types UTF-8 text, whatever is held or locked meanwhile.
func (x *X11) Text(s string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.ready("text"); err != nil {
		return err
	}
	return x.typeText(s)
}

// typable tells whether a character can be bound to a key at all.
func typable(r rune) bool { return r != utf8.RuneError && !unicode.IsControl(r) }

func (x *X11) typeText(s string) error {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	st, err := x.state()
	if err != nil {
		return err
	}
	hands := x.freeHands(st)
	defer hands.back()

	chars := []rune(s)
	failed := 0
	for len(chars) > 0 {
		n, err := x.bindFor(chars, hands.have, st.group)
		if err != nil {
			return err
		}
		if n == 0 { // no keycode is left even for the first one
			failed++
			chars = chars[1:]
			continue
		}
		for _, r := range chars[:n] {
			key, ok := x.keymap.find(r, hands.have, st.group)
			if !ok {
				failed++
				continue
			}
			hands.hold(key.mods)
			x.tap(key.code)
		}
		chars = chars[n:]
	}
	if failed > 0 {
		return fmt.Errorf("%w (%d characters)", ErrCannotType, failed) // which ones is nobody's business
	}
	return nil
}

// bindFor makes as many characters from the start typable as there are keycodes
// for, and returns how many may be typed before more must be bound.
func (x *X11) bindFor(chars []rune, have uint8, group int) (int, error) {
	missing := x.missing(chars, have, group)
	if len(missing) == 0 {
		return len(chars), nil
	}
	var keep []uint32
	for _, r := range chars {
		keep = append(keep, keysymOf(r))
	}
	bound, err := x.bind(missing, keep)
	if err == nil && bound == 0 {
		// The text itself holds every keycode: its first characters go first.
		_, err = x.bind(missing, keep[:1])
	}
	if err != nil {
		return 0, err
	}
	for i, r := range chars { // what lost its keycode just now is missing, too
		if _, ok := x.keymap.find(r, have, group); !ok && typable(r) {
			return i, nil
		}
	}
	return len(chars), nil
}

// tap types one key.
func (x *X11) tap(code byte) {
	if x.down[code] > 0 {
		x.raise(code) // held for something else
	}
	x.fake(xproto.KeyPress, code, 0, 0)
	x.fake(xproto.KeyRelease, code, 0, 0)
	if b, ok := x.spare.bound[code]; ok {
		b.used = time.Now()
	}
}

// hands are the modifiers while text is typed. What the technician holds is let
// go where it would spoil a character, and held again afterwards; CapsLock is
// off meanwhile. What the person holds is theirs and reckoned with.
type hands struct {
	x      *X11
	caps   bool
	have   uint8 // in effect and not ours to change
	shift  finger
	level3 finger
	others []byte // released until the end
}

// finger is one modifier that text needs.
type finger struct {
	code    byte   // a key for it
	ours    []byte // keys for it that the technician holds
	isDown  bool
	wasDown bool
}

func (x *X11) freeHands(st keyState) *hands {
	h := &hands{x: x, caps: st.locked&xLock != 0}
	h.shift.code, h.level3.code = x.keymap.shift, x.keymap.level3.code
	var mine uint8
	for code := range x.down {
		mods := x.keymap.modsOf(code, st.group)
		if isLock(x.keymap.sym(code, 0, st.group)) {
			continue // pressing it again would turn the lock over
		}
		mine |= mods
		switch {
		case mods == 0:
		case mods == xShift:
			h.shift.ours = append(h.shift.ours, code)
		case mods == x.keymap.level3.mods:
			h.level3.ours = append(h.level3.ours, code)
		default:
			h.others = append(h.others, code)
			x.fake(xproto.KeyRelease, code, 0, 0)
		}
	}
	for _, f := range []*finger{&h.shift, &h.level3} {
		f.wasDown = len(f.ours) > 0
		f.isDown = f.wasDown
	}
	h.have = st.base&^mine | st.locked&^xLock
	if h.caps {
		x.lockCaps(false)
	}
	return h
}

// hold brings Shift and AltGr into the state that a character needs.
func (h *hands) hold(mods uint8) {
	h.move(&h.shift, mods&xShift != 0)
	h.move(&h.level3, mods&h.x.keymap.level3.mods != 0)
}

func (h *hands) move(f *finger, down bool) {
	if f.isDown == down {
		return
	}
	f.isDown = down
	kind := byte(xproto.KeyRelease)
	if down {
		kind = xproto.KeyPress
	}
	if !f.wasDown {
		h.x.fake(kind, f.code, 0, 0)
		return
	}
	for _, code := range f.ours {
		h.x.fake(kind, code, 0, 0)
	}
}

// back restores what was held and locked.
func (h *hands) back() {
	h.move(&h.shift, h.shift.wasDown)
	h.move(&h.level3, h.level3.wasDown)
	for _, code := range h.others {
		h.x.fake(xproto.KeyPress, code, 0, 0)
	}
	if h.caps {
		h.x.lockCaps(true)
	}
}
