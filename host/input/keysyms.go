//go:build linux

package input

import (
	"cmp"
	"slices"
	"sync"
)

//go:generate go run keysyms_gen.go /usr/include/X11/keysymdef.h

// Keysyms with a name: X11/keysymdef.h.
const (
	symTab         = 0xff09
	symReturn      = 0xff0d
	symLevel3Shift = 0xfe03
	symScrollLock  = 0xff14
	symNumLock     = 0xff7f
	symCapsLock    = 0xffe5
	symShiftLock   = 0xffe6
	symKPSpace     = 0xff80
	symKPMultiply  = 0xffaa
	symKP9         = 0xffb9
	symKPEqual     = 0xffbd
	symUnicode     = 0x01000000 // plus the character, from U+0100 on
)

// charOf is the character that a keysym types, or 0. Return and Tab type
// newline and tab; dead keys and function keys type none.
func charOf(sym uint32) rune {
	switch {
	case sym >= 0x20 && sym < 0x7f, sym >= 0xa0 && sym <= 0xff:
		return rune(sym)
	case sym == symReturn:
		return '\n'
	case sym == symTab:
		return '\t'
	case sym == symKPSpace:
		return ' '
	case sym >= symKPMultiply && sym <= symKP9, sym == symKPEqual:
		return rune(sym - symKPSpace) // they follow ASCII
	case sym >= symUnicode+0x100 && sym <= symUnicode+0x10ffff:
		return rune(sym - symUnicode)
	case sym >= 0x100 && sym <= 0xffff:
		i, ok := slices.BinarySearchFunc(keysymChars[:], uint16(sym), func(e [2]uint16, s uint16) int {
			return cmp.Compare(e[0], s)
		})
		if ok {
			return rune(keysymChars[i][1])
		}
	}
	return 0
}

// onKeypad tells whether a keysym belongs to the numeric keypad.
func onKeypad(sym uint32) bool { return sym >= symKPSpace && sym <= symKPEqual }

// isLock tells whether pressing the key changes a state that outlasts it.
func isLock(sym uint32) bool {
	switch sym {
	case symScrollLock, symNumLock, symCapsLock, symShiftLock:
		return true
	}
	return false
}

var symOfChar = sync.OnceValue(func() map[rune]uint32 {
	m := make(map[rune]uint32, len(keysymChars))
	for _, e := range slices.Backward(keysymChars[:]) {
		m[rune(e[1])] = uint32(e[0])
	}
	return m
})

// keysymOf is the keysym to bind for a character: the one old programs know, if
// there is one, else the Unicode keysym.
func keysymOf(r rune) uint32 {
	if r <= 0xff {
		return uint32(r)
	}
	if sym, ok := symOfChar()[r]; ok {
		return sym
	}
	return symUnicode + uint32(r)
}
