//go:build linux || windows

package input

// Usages with a name.
const (
	usageKPDivide  = 0x54
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
