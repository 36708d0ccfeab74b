//go:build linux || windows

package input

// Usages with a name.
const (
	usageKP1       = 0x59
	usageKPDecimal = 0x63
)

// navigationOf is what the keys from KP1 to KP. do while NumLock is off. KP5
// does nothing there.
var navigationOf = [usageKPDecimal - usageKP1 + 1]uint16{
	0x4D, 0x51, 0x4E, 0x50, 0, 0x4F, 0x4A, 0x52, 0x4B, 0x49, 0x4C,
}
