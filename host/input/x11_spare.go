//go:build linux

package input

import (
	"cmp"
	"fmt"
	"maps"
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
	typeSettle = 500 * time.Millisecond // for programs to look up what was typed, before its keycode changes

	keymapSettle = 30 * time.Millisecond // for setxkbmap and its like, which change a layout by many requests
)

// common are characters of English and French text that many keyboards lack, in
// the order in which they get a keycode when control is granted.
const common = "éèàçùâêîôûëïœ’«»€ÉÈÀÇÊüöäßñ…–—°æŒÆ¨^`~@#{}[]|\\"

// spare are the keycodes that typed nothing when they were found, and what they
// type now. Xvfb's keymap leaves 18, so each takes two characters.
type spare struct {
	bound    map[byte]*binding
	prepared bool        // from Prepare to Restore: each new layout is prepared, too
	later    *time.Timer // a Restore that waits; nil if there is none, or it was called off
}

// perKey is how many characters a keycode takes: plain and with Shift. The core
// protocol makes further columns further layouts, not levels.
const perKey = 2

type binding struct {
	syms [perKey]uint32 // the first n are ours
	n    int
	used time.Time // when it typed last
}

// forget drops bindings that a new keymap no longer has.
func (s *spare) forget(m *keymap) {
	for code, b := range s.bound {
		if m.sym(code, 0, 0) != b.syms[0] {
			delete(s.bound, code)
		}
	}
}

// levels is how many characters this keyboard can tell apart on one key.
func (x *X11) levels() int {
	if x.keymap.shift == 0 {
		return 1
	}
	return perKey
}

// free lists keycodes that type nothing; first those that belong to no key a
// technician could press.
func (x *X11) free() []byte {
	var pressable [256]bool
	for _, ev := range evdevOf {
		if ev != 0 {
			pressable[ev+8] = true
		}
	}
	var codes, last []byte
	for code := int(x.maxKey); code > int(x.minKey); code-- {
		switch {
		case !x.keymap.empty(byte(code)):
		case pressable[code]:
			last = append(last, byte(code))
		default:
			codes = append(codes, byte(code))
		}
	}
	return append(codes, last...)
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

// bind gives characters a keycode and a level, as many as fit, and returns how
// many. keep are keysyms whose keycodes must not be taken for it.
func (x *X11) bind(chars []rune, keep []uint32) (int, error) {
	levels := x.levels()
	free := x.free()
	var open []byte // bound, with room
	room := len(free) * levels
	for code, b := range x.spare.bound {
		if b.n < levels {
			open = append(open, code)
			room += levels - b.n
		}
	}
	slices.Sort(open)
	if room < len(chars) {
		// A few more than needed: the wait is the same, and comes less often.
		old := x.oldest((len(chars)-room+levels-1)/levels+len(x.spare.bound)/4, keep)
		if len(old) > 0 {
			x.flush()
			time.Sleep(typeSettle)
		}
		for _, code := range old {
			delete(x.spare.bound, code)
		}
		free = append(free, old...)
		room += len(old) * levels
		open = slices.DeleteFunc(open, func(code byte) bool { return x.spare.bound[code] == nil })
	}
	n := 0
	var full []byte
	for _, r := range chars {
		var code byte
		switch {
		case len(open) > 0:
			code = open[0]
		case len(free) > 0:
			code, free = free[0], free[1:]
			x.spare.bound[code] = new(binding)
			open = append(open, code)
		default:
			code = 0
		}
		if code == 0 {
			break
		}
		b := x.spare.bound[code]
		b.syms[b.n] = keysymOf(r)
		b.n++
		n++
		if b.n == levels {
			open = open[1:]
			full = append(full, code)
		}
	}
	x.setKeys(append(full, open...))
	if n == 0 {
		return 0, nil
	}
	x.flush()
	time.Sleep(bindSettle)
	return n, x.reload()
}

// oldest are up to n bound keycodes that typed longest ago.
func (x *X11) oldest(n int, keep []uint32) []byte {
	var codes []byte
	for code, b := range x.spare.bound {
		if !slices.ContainsFunc(b.syms[:b.n], func(s uint32) bool { return slices.Contains(keep, s) }) {
			codes = append(codes, code)
		}
	}
	slices.SortFunc(codes, func(a, b byte) int {
		return cmp.Or(x.spare.bound[a].used.Compare(x.spare.bound[b].used), cmp.Compare(a, b))
	})
	return codes[:min(n, len(codes))]
}

// setKeys makes keycodes type what their bindings say, in every layout, or nothing
// where there is none. Neighbours go in one request: at each, every window manager
// grabs its keys anew, and misses those that are pressed meanwhile.
func (x *X11) setKeys(codes []byte) {
	slices.Sort(codes)
	for len(codes) > 0 {
		n := 1
		for n < len(codes) && codes[n] == codes[0]+byte(n) {
			n++
		}
		syms := make([]xproto.Keysym, 0, n*perKey)
		for _, code := range codes[:n] {
			b := x.spare.bound[code]
			for level := range perKey {
				if b == nil {
					syms = append(syms, 0)
				} else {
					syms = append(syms, xproto.Keysym(b.syms[min(level, b.n-1)]))
				}
			}
		}
		xproto.ChangeKeyboardMapping(x.c, byte(n), xproto.Keycode(codes[0]), perKey, syms)
		codes = codes[n:]
	}
	x.unflushed = true
}

// Prepare binds characters that people type often and this keyboard lacks, so
// that later typing has nothing to wait for.
func (x *X11) Prepare() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.spare.later != nil && x.spare.later.Stop() {
		x.wg.Done()
	}
	x.spare.later = nil // also for one whose turn has come, which waits for the lock
	x.spare.prepared = true
	return x.prepare()
}

// prepare binds what the present layout lacks. The rest of the keycodes, a
// quarter, is for what nobody foresaw.
func (x *X11) prepare() error {
	if err := x.ready("prepare the keyboard"); err != nil {
		return err
	}
	st, err := x.state()
	if err != nil {
		return err
	}
	want := x.missing([]rune(common), st.locked&^xLock, st.group)
	taken := 0
	for _, b := range x.spare.bound {
		taken += b.n
	}
	most := (len(x.free())+len(x.spare.bound))*x.levels()*3/4 - taken
	if len(want) == 0 || most <= 0 {
		return nil
	}
	_, err = x.bind(want[:min(len(want), most)], nil)
	return err
}

// follow prepares each layout that the person's keyboard changes to, as soon as
// it stands: who binds at the first key that needs it makes that key wait.
func (x *X11) follow() {
	for range x.changed {
		for settled := false; !settled; {
			select {
			case _, open := <-x.changed:
				settled = !open
			case <-time.After(keymapSettle):
				settled = true
			}
		}
		x.mu.Lock()
		if x.spare.prepared && !x.closed {
			_ = x.prepare() // what it could not bind, a key will try again and say so
		}
		x.mu.Unlock()
	}
}

// Restore gives every spare keycode back, as soon as programs have had the time
// to look up what was typed last; it does not wait for that. What somebody else
// has bound to one of them since stays.
func (x *X11) Restore() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.spare.prepared = false
	if x.untilSettled() <= 0 {
		return x.unbind()
	}
	if x.spare.later == nil {
		x.wg.Add(1)
		x.spare.later = time.AfterFunc(x.untilSettled(), x.restoreLate)
	}
	return nil
}

// restoreLate is the waiting Restore's turn.
func (x *X11) restoreLate() {
	defer x.wg.Done()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.spare.later == nil || x.closed {
		return // called off by Prepare; or Close has done it
	}
	x.spare.later = nil
	if wait := x.untilSettled(); wait > 0 { // something was typed meanwhile
		x.wg.Add(1)
		x.spare.later = time.AfterFunc(wait, x.restoreLate)
		return
	}
	_ = x.unbind() // it fails only with the display
}

// untilSettled is how long spare keycodes must still mean what they mean.
func (x *X11) untilSettled() time.Duration {
	var last time.Time
	for _, b := range x.spare.bound {
		if b.used.After(last) {
			last = b.used
		}
	}
	return typeSettle - time.Since(last)
}

// unbind gives every spare keycode back now.
func (x *X11) unbind() error {
	if len(x.spare.bound) == 0 {
		return nil
	}
	if err := x.ready("restore the keyboard"); err != nil {
		return err
	}
	codes := slices.Collect(maps.Keys(x.spare.bound))
	clear(x.spare.bound)
	x.setKeys(codes)
	x.flush()
	if x.lost.Load() {
		return fmt.Errorf("%w (restore the keyboard)", ErrLost)
	}
	return x.reload()
}
