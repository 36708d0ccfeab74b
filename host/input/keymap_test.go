//go:build linux

package input

import (
	"encoding/binary"
	"errors"
	"testing"
)

// reply writes an XkbGetMap reply with one two-level type and these keys.
func reply(first byte, keys ...[]uint32) []byte {
	le := binary.LittleEndian
	b := make([]byte, 40)
	le.PutUint16(b[12:], 1|2)
	b[15], b[17], b[20] = 1, first, byte(len(keys))
	b = append(b, xShift, xShift, 0, 0, 2, 1, 1, 0) // type: Shift chooses level 1, preserved
	b = append(b, 1, xShift, 1, xShift, 0, 0, 0, 0)
	b = append(b, 0, 0, 0, 0)
	for _, syms := range keys {
		groups := byte(0)
		if len(syms) > 0 {
			groups = 1
		}
		b = append(b, 0, 0, 0, 0, groups, byte(len(syms)))
		b = le.AppendUint16(b, uint16(len(syms)))
		for _, s := range syms {
			b = le.AppendUint32(b, s)
		}
	}
	return b
}

func TestKeymapSaysWhatKeysType(t *testing.T) {
	m, err := parseGetMap(reply(10, []uint32{'a', 'A'}, nil, []uint32{0x13bd, 0x01002603}, []uint32{0xe9, 0xe9}))
	if err != nil {
		t.Fatal(err)
	}
	modifiers := make([]byte, 8)
	modifiers[0] = 50
	m.setModifiers(modifiers)
	for _, test := range []struct {
		code, mods byte
		want       rune
	}{
		{10, 0, 'a'}, {10, xShift, 'A'}, {10, xControl, 'a'}, {11, 0, 0}, {12, 0, 'œ'}, {12, xShift, '☃'},
		{10, xLock, 'A'}, {13, 0, 'é'}, {13, xLock, 'É'}, {200, 0, 0},
	} {
		if got := m.char(test.code, test.mods, 3); got != test.want {
			t.Errorf("key %d with %#x types %q, want %q", test.code, test.mods, got, test.want)
		}
	}
	if s, ok := m.find('☃', 0, 0); !ok || s != (stroke{12, xShift}) {
		t.Errorf("☃ is %+v, %v", s, ok)
	}
	if _, ok := m.find('z', 0, 0); ok {
		t.Error("z is found")
	}
	if !m.empty(11) || m.empty(10) || m.empty(50) {
		t.Error("only key 11 is empty")
	}
}

func TestAGroupOutOfRangeFollowsTheKeysOwnRule(t *testing.T) {
	for _, test := range []struct {
		info uint8
		want int
	}{{0x02, 1}, {0x42, 1}, {0x82, 0}, {0x92, 1}, {0xb2, 0}} {
		k := keySyms{groups: 2, info: test.info}
		if got := k.group(3); got != test.want {
			t.Errorf("info %#x: group 3 becomes %d, want %d", test.info, got, test.want)
		}
	}
}

func TestKeysymsAndCharacters(t *testing.T) {
	for sym, want := range map[uint32]rune{
		0x20: ' ', 0x7e: '~', 0x7f: 0, 0xe9: 'é', 0x20ac: '€', 0x13bd: 'œ', 0x06c1: 'а', 0x01000000 + '☃': '☃',
		0xffb5: '5', 0xffab: '+', 0xffbd: '=', 0xff80: ' ', 0xff95: 0, 0xff0d: '\n', 0xff09: '\t', 0xfe51: 0, 0xffe1: 0, 0: 0,
		0x01ffffff: 0,
	} {
		if got := charOf(sym); got != want {
			t.Errorf("keysym %#x types %q, want %q", sym, got, want)
		}
	}
	for r := rune(0x20); r < 0x3000; r++ {
		if r >= 0x7f && r < 0xa0 {
			continue
		}
		if got := charOf(keysymOf(r)); got != r {
			t.Fatalf("%q is bound as %#x, which types %q", r, keysymOf(r), got)
		}
	}
}

func TestEveryUsageWithAKeyIsItself(t *testing.T) {
	// From linux/input-event-codes.h, one of each row of the table.
	for usage, want := range map[int]uint8{
		0x04: 30, 0x10: 50, 0x11: 49, 0x1D: 44, 0x1E: 2, 0x27: 11, 0x28: 28, 0x2C: 57, 0x2D: 12, 0x38: 53, 0x39: 58,
		0x3A: 59, 0x45: 88, 0x46: 99, 0x49: 110, 0x4E: 109, 0x4F: 106, 0x52: 103, 0x53: 69, 0x58: 96, 0x59: 79,
		0x63: 83, 0x64: 86, 0x65: 127, 0x68: 183, 0x73: 194, 0x87: 89, 0xE0: 29, 0xE3: 125, 0xE6: 100, 0xE7: 126, 0: 0, 3: 0, 0xE8: 0,
	} {
		if got := evdevOf[usage]; got != want {
			t.Errorf("usage %#x is evdev %d, want %d", usage, got, want)
		}
	}
}

// FuzzGetMap: whatever an X server answers, the parser ends with a keymap that
// can be asked anything, or errKeymap.
func FuzzGetMap(f *testing.F) {
	f.Add(reply(10, []uint32{'a', 'A'}, nil), byte(10))
	f.Add([]byte{}, byte(0))
	f.Fuzz(func(t *testing.T, b []byte, code byte) {
		m, err := parseGetMap(b)
		if err != nil {
			if !errors.Is(err, errKeymap) {
				t.Error(err)
			}
			return
		}
		m.setModifiers(b)
		for group := range 4 {
			m.char(code, code, group)
			m.find('a', code, group)
		}
		m.empty(code)
		m.modsOf(code, 1)
	})
}
