//go:build linux

package input

// evdevOf gives the Linux key code (linux/input-event-codes.h) of a USB HID
// usage on page 7, or 0. It is the table of the kernel's own HID driver
// (drivers/hid/hid-input.c), without the keys no browser names. X11 keycodes are
// evdev codes plus 8 wherever the rules "evdev" are in use: Xorg, Xvfb, Xvnc.
var evdevOf = [256]uint8{
	0x04: 30, 48, 46, 32, 18, 33, 34, 35, 23, 36, 37, 38, 50, // a to m
	0x11: 49, 24, 25, 16, 19, 31, 20, 22, 47, 17, 45, 21, 44, // n to z
	0x1E: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, // 1 to 0
	0x28: 28, 1, 14, 15, 57, // Enter Escape Backspace Tab Space
	0x2D: 12, 13, 26, 27, 43, 43, 39, 40, 41, 51, 52, 53, // - = [ ] \ # ; ' ` , . /
	0x39: 58,                                             // CapsLock
	0x3A: 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 87, 88, // F1 to F12
	0x46: 99, 70, 119, // PrintScreen ScrollLock Pause
	0x49: 110, 102, 104, 111, 107, 109, // Insert Home PageUp Delete End PageDown
	0x4F: 106, 105, 108, 103, // Right Left Down Up
	0x53: 69, 98, 55, 74, 78, 96, // NumLock KP/ KP* KP- KP+ KPEnter
	0x59: 79, 80, 81, 75, 76, 77, 71, 72, 73, 82, 83, // KP1 to KP9, KP0, KP.
	0x64: 86, 127, 116, 117, // the 102nd key, ContextMenu, Power, KP=
	0x68: 183, 184, 185, 186, 187, 188, 189, 190, 191, 192, 193, 194, // F13 to F24
	0x75: 138,           // Help
	0x7A: 131, 137, 133, // Undo Cut Copy
	0x7D: 135, 136, 113, 115, 114, // Paste Find Mute VolumeUp VolumeDown
	0x85: 121,                 // KP, (Brazil)
	0x87: 89, 93, 124, 92, 94, // IntlRo KanaMode IntlYen Convert NonConvert
	0x90: 122, 123, 90, 91, // Lang1 Lang2 Katakana Hiragana
	0xE0: 29, 42, 56, 125, 97, 54, 100, 126, // Control Shift Alt Meta, left then right
}
