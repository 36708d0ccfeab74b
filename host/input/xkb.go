//go:build linux

package input

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode"
)

// Real modifiers of X11, as in a key event's state.
const (
	xShift   = 1 << 0
	xLock    = 1 << 1
	xControl = 1 << 2
)

// keymap is the keyboard of an X server: what each key types under which
// modifiers, by the rules of the X Keyboard Extension: Protocol Specification §4
// and §12.
type keymap struct {
	types  []keyType
	keys   [256]keySyms
	modOf  [256]uint8 // the real modifiers that a keycode sets
	shift  byte       // a keycode for Shift, or 0
	level3 stroke     // the keycode for AltGr and the modifier it sets, or 0
	chars  map[charsKey]map[rune]stroke
}

// keyType says which modifiers choose which level of a key.
type keyType struct {
	mask   uint8 // the modifiers it looks at; others are none of its business
	levels []typeLevel
}

type typeLevel struct{ mods, level uint8 }

// keySyms are the keysyms of one keycode, groups times width.
type keySyms struct {
	kinds  [4]uint8 // the keyType of each group
	groups int
	info   uint8 // bits 6 and 7: what a group out of range becomes
	width  int
	syms   []uint32
}

// stroke is a keycode and the modifiers to hold with it.
type stroke struct {
	code byte
	mods uint8
}

type charsKey struct {
	mods  uint8
	group int
}

var errKeymap = errors.New("input: the X server's keymap is malformed")

// parseGetMap reads the reply of XkbGetMap for key types and keysyms. All reads
// are bounded; the reply comes from the person's own X server.
func parseGetMap(b []byte) (*keymap, error) {
	const header, presentTypes, presentSyms = 40, 1, 2
	if len(b) < header {
		return nil, errKeymap
	}
	le := binary.LittleEndian // xgb speaks little-endian to every server
	if present := le.Uint16(b[12:]); present&(presentTypes|presentSyms) != presentTypes|presentSyms || b[14] != 0 {
		return nil, errKeymap
	}
	nTypes, firstKey, nKeys := int(b[15]), int(b[17]), int(b[20])
	b = b[header:]
	m := new(keymap)
	for range nTypes {
		if len(b) < 8 {
			return nil, errKeymap
		}
		t := keyType{mask: b[0]}
		entries, preserve := int(b[5]), b[6] != 0
		size := 8 + 8*entries
		if preserve {
			size += 4 * entries
		}
		if len(b) < size {
			return nil, errKeymap
		}
		for i := range entries {
			if e := b[8+8*i:]; e[0] != 0 { // active: its virtual modifiers are bound
				t.levels = append(t.levels, typeLevel{mods: e[1], level: e[2]})
			}
		}
		m.types = append(m.types, t)
		b = b[size:]
	}
	if firstKey+nKeys > len(m.keys) {
		return nil, errKeymap
	}
	for code := firstKey; code < firstKey+nKeys; code++ {
		if len(b) < 8 {
			return nil, errKeymap
		}
		k := keySyms{kinds: [4]uint8(b[:4]), groups: int(b[4] & 15), info: b[4], width: int(b[5])}
		n := int(le.Uint16(b[6:]))
		b = b[8:]
		if len(b) < 4*n || k.groups > 4 || k.groups*k.width != n {
			return nil, fmt.Errorf("%w: keycode %d", errKeymap, code)
		}
		for g := range k.groups {
			if int(k.kinds[g]) >= nTypes {
				return nil, fmt.Errorf("%w: keycode %d", errKeymap, code)
			}
		}
		k.syms = make([]uint32, n)
		for i := range k.syms {
			k.syms[i] = le.Uint32(b[4*i:])
		}
		b = b[4*n:]
		m.keys[code] = k
	}
	return m, nil
}

// setModifiers takes the keycodes of the eight real modifiers, as
// GetModifierMapping lists them, and finds Shift and AltGr.
func (m *keymap) setModifiers(keycodes []byte) {
	m.modOf, m.shift, m.level3 = [256]uint8{}, 0, stroke{}
	per := len(keycodes) / 8
	for i, code := range keycodes[:per*8] {
		if code == 0 {
			continue
		}
		mod := uint8(1) << (i / per)
		m.modOf[code] |= mod
		if mod == xShift && m.shift == 0 {
			m.shift = code
		}
		if m.level3.code == 0 && m.sym(code, 0, 0) == symLevel3Shift {
			m.level3 = stroke{code, mod}
		}
	}
	m.chars = nil
}

// group brings a group into the range of a key, by the key's own rule.
func (k *keySyms) group(g int) int {
	switch {
	case g < k.groups:
		return g
	case k.info&0xc0 == 0x40: // clamp
		return k.groups - 1
	case k.info&0xc0 == 0x80: // redirect
		if to := int(k.info >> 4 & 3); to < k.groups {
			return to
		}
		return 0
	}
	return g % k.groups // wrap
}

// sym is the keysym of a key while these modifiers and this group are in effect.
func (m *keymap) sym(code byte, mods uint8, group int) uint32 {
	sym, _ := m.lookup(code, mods, group)
	return sym
}

func (m *keymap) lookup(code byte, mods uint8, group int) (sym uint32, mask uint8) {
	k := &m.keys[code]
	if k.groups == 0 || k.width == 0 {
		return 0, 0
	}
	g := k.group(group)
	t := &m.types[k.kinds[g]]
	level := 0
	for _, l := range t.levels {
		if l.mods == mods&t.mask {
			level = int(l.level)
			break
		}
	}
	if level >= k.width {
		level = 0
	}
	return k.syms[g*k.width+level], t.mask
}

// char is the character that a key types, or 0. Where the key's type does not
// look at CapsLock, programs make letters large themselves.
func (m *keymap) char(code byte, mods uint8, group int) rune {
	sym, mask := m.lookup(code, mods, group)
	r := charOf(sym)
	if mods&xLock != 0 && mask&xLock == 0 {
		r = unicode.ToUpper(r)
	}
	return r
}

// find is the key and the modifiers, Shift and AltGr, that type a character
// while mods and group are in effect anyhow. The fewest modifiers win, then the
// lowest keycode; the keypad is left out, as its keys mean more than one thing.
func (m *keymap) find(r rune, mods uint8, group int) (stroke, bool) {
	key := charsKey{mods, group}
	chars, ok := m.chars[key]
	if !ok {
		chars = make(map[rune]stroke)
		choices := []uint8{0}
		if m.shift != 0 {
			choices = append(choices, xShift)
		}
		if m.level3.code != 0 {
			choices = append(choices, m.level3.mods)
			if m.shift != 0 {
				choices = append(choices, xShift|m.level3.mods)
			}
		}
		for _, add := range choices {
			for code := range m.keys {
				c := m.char(byte(code), mods|add, group)
				if c == 0 || onKeypad(m.sym(byte(code), mods|add, group)) {
					continue
				}
				if _, ok := chars[c]; !ok {
					chars[c] = stroke{byte(code), add}
				}
			}
		}
		if m.chars == nil {
			m.chars = make(map[charsKey]map[rune]stroke)
		}
		m.chars[key] = chars
	}
	s, ok := chars[r]
	return s, ok
}

// plain is the lowest keycode, off the keypad, that types a character under
// exactly these modifiers, or 0.
func (m *keymap) plain(r rune, mods uint8, group int) byte {
	for code := range m.keys {
		c := byte(code)
		if m.char(c, mods, group) == r && !onKeypad(m.sym(c, mods, group)) {
			return c
		}
	}
	return 0
}

// empty tells whether a keycode types and does nothing.
func (m *keymap) empty(code byte) bool {
	for _, sym := range m.keys[code].syms {
		if sym != 0 {
			return false
		}
	}
	return m.modOf[code] == 0
}

// modsOf are the modifiers that a key sets while it is down. AltGr on the right
// Alt key sets its modifier by an action, which the core protocol does not list.
func (m *keymap) modsOf(code byte, group int) uint8 {
	if m.level3.code != 0 && m.sym(code, 0, group) == symLevel3Shift {
		return m.level3.mods
	}
	return m.modOf[code]
}
