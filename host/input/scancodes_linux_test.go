package input

import "testing"

// Linux took its first 88 key codes from the scan codes of set 1, so one table
// checks the other.
func TestScanCodesAreThoseOfTheKernel(t *testing.T) {
	elsewhere := map[uint16]bool{0x48: true, 0x53: true} // Pause and NumLock, as Windows numbers them
	for usage, scan := range scanOf {
		evdev := uint16(evdevOf[usage])
		if elsewhere[uint16(usage)] || scan == 0 {
			continue
		}
		if evdev == 0 {
			t.Errorf("usage %#x has a scan code and no key", usage)
		}
		if (scan < extended && scan <= 0x58 || evdev <= 88) && scan != evdev {
			t.Errorf("usage %#x is scan code %#x and key %#x", usage, scan, evdev)
		}
	}
	seen := make(map[uint16]int)
	for usage, scan := range scanOf {
		if first, ok := seen[scan]; ok && scan != 0 && usage != 0x32 { // \ and # are one key of two usages
			t.Errorf("usages %#x and %#x share %#x", first, usage, scan)
		}
		seen[scan] = usage
	}
}

func TestEveryKeyOfAPCKeyboardHasAScanCode(t *testing.T) {
	for usage := 0x04; usage <= 0x65; usage++ {
		if scanOf[usage] == 0 {
			t.Errorf("usage %#x has none", usage)
		}
	}
	for usage := 0xE0; usage <= 0xE7; usage++ {
		if scanOf[usage] == 0 {
			t.Errorf("modifier %#x has none", usage)
		}
	}
}
