//go:build linux

package input

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/jezek/xgb/xproto"
)

// Characters that no key types get a keycode that types nothing else. A program
// reads the new keymap when it hears of the change, which may be after the key
// came: who binds, types and unbinds for each character loses some. So a binding
// stays until Restore, and only what is bound anew costs a moment.
const (
	bindSettle = 20 * time.Millisecond  // for programs to hear of new bindings
	typeSettle = 150 * time.Millisecond // for programs to look up what was typed, before its keycode changes
)

// common are characters of English and French text that many keyboards lack, in
// the order in which they get a keycode when control is granted.
const common = "éèàçùâêîôûëïüœÉÈÀÇÊŒæÆ€’«»…–—°¨^`~@#{}[]|\\"

// spare are the keycodes that typed nothing when they were found.
type spare struct {
	bound map[byte]binding
}

type binding struct {
	sym  uint32
	used time.Time // when it typed last
}

// forget drops bindings that a new keymap no longer has.
func (s *spare) forget(m *keymap) {
	for code, b := range s.bound {
		if m.sym(code, 0, 0) != b.sym {
			delete(s.bound, code)
		}
	}
}

// free lists keycodes that type nothing and belong to no key that a technician
// could press.
func (x *X11) free() []byte {
	var pressable [256]bool
	for _, ev := range evdevOf {
		if ev != 0 {
			pressable[ev+8] = true
		}
	}
	var codes []byte
	for code := int(x.maxKey); code > int(x.minKey); code-- {
		if !pressable[code] && x.keymap.empty(byte(code)) {
			codes = append(codes, byte(code))
		}
	}
	return codes
}

// missing are the characters of s, each once, that no key types.
func (x *X11) missing(s []rune, have uint8, group int) []rune {
	var out []rune
	for _, r := range s {
		if _, ok := x.keymap.find(r, have, group); !ok && typable(r) && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// bind gives characters a keycode, as many as fit, and returns how many. keep
// are keysyms whose keycodes must not be taken for it.
func (x *X11) bind(chars []rune, keep []uint32) (int, error) {
	codes := x.free()
	if len(codes) < len(chars) {
		old := x.oldest(len(chars)-len(codes), keep)
		if len(old) > 0 {
			x.flush()
			time.Sleep(typeSettle)
		}
		codes = append(codes, old...)
	}
	n := min(len(codes), len(chars))
	if n == 0 {
		return 0, nil
	}
	for i, r := range chars[:n] {
		sym := keysymOf(r)
		x.setKey(codes[i], sym)
		x.spare.bound[codes[i]] = binding{sym: sym}
	}
	x.flush()
	time.Sleep(bindSettle)
	return n, x.reload()
}

// oldest are up to n bound keycodes that typed longest ago.
func (x *X11) oldest(n int, keep []uint32) []byte {
	var codes []byte
	for code, b := range x.spare.bound {
		if !slices.Contains(keep, b.sym) {
			codes = append(codes, code)
		}
	}
	slices.SortFunc(codes, func(a, b byte) int {
		return cmp.Or(x.spare.bound[a].used.Compare(x.spare.bound[b].used), cmp.Compare(a, b))
	})
	return codes[:min(n, len(codes))]
}

// setKey makes a keycode type one keysym whatever is held, or nothing for 0.
func (x *X11) setKey(code byte, sym uint32) {
	syms := []xproto.Keysym{xproto.Keysym(sym), xproto.Keysym(sym)}
	xproto.ChangeKeyboardMapping(x.c, 1, xproto.Keycode(code), byte(len(syms)), syms)
	x.unflushed = true
}

// Prepare binds characters that people type often and this keyboard lacks, so
// that later typing has nothing to wait for.
func (x *X11) Prepare() error {
	if err := x.ready("prepare the keyboard"); err != nil {
		return err
	}
	st, err := x.state()
	if err != nil {
		return err
	}
	want := x.missing([]rune(common), st.locked&^xLock, st.group)
	free := len(x.free()) * 3 / 4 // the rest is for what nobody foresaw
	_, err = x.bind(want[:min(len(want), free)], nil)
	return err
}

// Restore gives every spare keycode back. What somebody else has bound to one of
// them since stays.
func (x *X11) Restore() error {
	if len(x.spare.bound) == 0 {
		return nil
	}
	if err := x.ready("restore the keyboard"); err != nil {
		return err
	}
	var last time.Time
	for _, b := range x.spare.bound {
		if b.used.After(last) {
			last = b.used
		}
	}
	x.flush()
	time.Sleep(typeSettle - min(time.Since(last), typeSettle))
	for code := range x.spare.bound {
		x.setKey(code, 0)
		delete(x.spare.bound, code)
	}
	x.flush()
	if x.lost.Load() {
		return fmt.Errorf("%w (restore the keyboard)", ErrLost)
	}
	return x.reload()
}
