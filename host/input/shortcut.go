//go:build linux || windows

package input

import (
	"unicode"
	"unicode/utf8"
)

// A shortcut goes by what its key says, not by where the key lies: Ctrl+C of a
// Bépo keyboard is pressed on the key that types c on the person's, and so is
// Ctrl+A of an AZERTY one. Where that says nothing or means nothing, the place
// counts: named keys (F4, arrows), the row of digits and the keypad (Ctrl+1 is
// Ctrl+& on AZERTY, and programs go by the place), and characters that no key
// of the person's keyboard types under the same Shift.

// isShortcut tells whether a key was pressed with a modifier that makes it a
// command. AltGr types, and Windows reports it as Control and Alt together.
func isShortcut(modifiers uint8) bool {
	if modifiers&ModAltGraph != 0 {
		modifiers &^= ModControl | ModAlt
	}
	return modifiers&(ModControl|ModAlt|ModMeta) != 0
}

// shortcutChar is the character by which a shortcut goes, a letter as a small
// one; 0 if it goes by the place of its key.
func shortcutChar(k Key) rune {
	const digit1, digit0 = 0x1E, 0x27
	r, size := utf8.DecodeRuneInString(k.Text)
	switch {
	case !isShortcut(k.Modifiers), k.Text == "", size < len(k.Text), r == utf8.RuneError, unicode.IsControl(r), r == ' ':
		return 0
	case k.Usage >= digit1 && k.Usage <= digit0, k.Usage >= usageKPDivide && k.Usage <= usageKPDecimal:
		return 0
	}
	return unicode.ToLower(r)
}
