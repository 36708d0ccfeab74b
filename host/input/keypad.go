//go:build linux || windows

package input

// Usages with a name.
const (
	usageKP1       = 0x59
	usageKPDecimal = 0x63
	usageLeftAlt   = 0xE2
	usageRightAlt  = 0xE6
)

// navigationOf is what the keys from KP1 to KP. do while NumLock is off. KP5
// does nothing there.
var navigationOf = [usageKPDecimal - usageKP1 + 1]uint16{
	0x4D, 0x51, 0x4E, 0x50, 0, 0x4F, 0x4A, 0x52, 0x4B, 0x49, 0x4C,
}

func isModifier(usage uint16) bool { return usage >= 0xE0 && usage <= 0xE7 }

// isShortcut tells whether a key was pressed with a modifier that makes it a
// command. AltGr types, and Windows reports it as Control and Alt together.
func isShortcut(modifiers uint8) bool {
	if modifiers&ModAltGraph != 0 {
		modifiers &^= ModControl | ModAlt
	}
	return modifiers&(ModControl|ModAlt|ModMeta) != 0
}
