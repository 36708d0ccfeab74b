package input

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Virtual keys with a name.
const (
	vkTab      = 0x09
	vkReturn   = 0x0D
	vkShift    = 0x10
	vkControl  = 0x11
	vkMenu     = 0x12 // Alt
	vkPause    = 0x13
	vkCapital  = 0x14
	vkSnapshot = 0x2C
	vkNumpad0  = 0x60
	vkDecimal  = 0x6E
	vkNumLock  = 0x90
	vkNothing  = 0xE8 // no key has it: pressed so that a lone Alt or Win opens no menu
)

// stroke is a key as Windows knows it. The zero stroke is none.
type stroke struct{ vk, scan uint16 } // scan with its E0

// event presses or releases it.
func (k stroke) event(mode KeyMode, down bool) (e keyEvent) {
	e.kind, e.key.extra = inputKeyboard, ours
	e.key.vk, e.key.scan = k.vk, k.scan&0xFF
	if k.scan >= extended {
		e.key.flags |= keyExtended
	}
	if mode == ScanCodes && k.scan != 0 {
		e.key.vk = 0
		e.key.flags |= keyScanCode
	}
	if !down {
		e.key.flags |= keyUp
	}
	return e
}

// unit types half or all of a character.
func unit(u uint16, down bool) (e keyEvent) {
	e.kind, e.key.extra = inputKeyboard, ours
	e.key.scan, e.key.flags = u, keyUnicode
	if !down {
		e.key.flags |= keyUp
	}
	return e
}

// keys sends key events; what Windows refuses could not be typed.
func keys(events []keyEvent) error {
	err := send(events)
	if errors.Is(err, errRefused) {
		return fmt.Errorf("%w: %w", ErrCannotType, err)
	}
	return err
}

// Key implements Injector. Windows repeats no key that a program holds: it
// repeats when the technician's does.
func (s *SendInput) Key(k Key, down bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return err
	}
	if !down {
		return s.keyUp(k.Usage)
	}
	if held := s.pressed[k.Usage]; held != (stroke{}) {
		if isModifier(k.Usage) {
			return nil
		}
		return keys([]keyEvent{held.event(s.mode, true)})
	}
	if reserved(k) {
		return ErrReserved
	}
	b := s.keyboard()
	key := s.stroke(k, b)
	if k.Text != "" && !(key != (stroke{}) && (isShortcut(k.Modifiers) || b.types(key, k.Text))) {
		s.pressed[k.Usage] = stroke{}
		return s.typeText(k.Text)
	}
	if key == (stroke{}) {
		if k.Usage == usageRightAlt {
			return nil // AltGr: its characters come as text
		}
		return fmt.Errorf("%w (usage %#x)", ErrCannotType, k.Usage)
	}
	s.pressed[k.Usage] = key
	s.down[key]++
	if s.down[key] > 1 {
		return nil
	}
	return keys([]keyEvent{key.event(s.mode, true)})
}

// reserved tells whether Windows takes a shortcut from hardware alone: the secure
// attention sequence, and the lock.
func reserved(k Key) bool {
	const usageL, usageDelete = 0x0F, 0x4C
	switch {
	case k.Modifiers&ModAltGraph != 0:
		return false
	case k.Usage == usageDelete || k.Usage == usageKPDecimal && k.Text == "":
		return k.Modifiers&(ModControl|ModAlt) == ModControl|ModAlt
	}
	return (k.Text == "l" || k.Text == "L" || k.Text == "" && k.Usage == usageL) && k.Modifiers == ModMeta
}

func (s *SendInput) keyUp(usage uint16) error {
	key := s.pressed[usage]
	delete(s.pressed, usage)
	if s.down[key] == 0 {
		return nil
	}
	s.down[key]--
	if s.down[key] > 0 {
		return nil
	}
	delete(s.down, key)
	return keys([]keyEvent{key.event(s.mode, false)})
}

// stroke is the key to press for a usage, or none.
func (s *SendInput) stroke(k Key, b keyboard) stroke {
	usage := k.Usage
	if usage >= uint16(len(scanOf)) || scanOf[usage] == 0 {
		return stroke{}
	}
	if usage == usageRightAlt {
		switch {
		case k.Modifiers&ModAltGraph != 0 && !s.hasAltGr(b.layout):
			return stroke{} // AltGr there, Alt here: a lone Alt would open menus
		case k.Modifiers&ModAlt != 0 && k.Modifiers&ModAltGraph == 0 && s.hasAltGr(b.layout):
			usage = usageLeftAlt
		}
	}
	scan := scanOf[usage]
	switch {
	case usage == 0x46:
		return stroke{vkSnapshot, scan}
	case usage == 0x48:
		return stroke{vkPause, scan}
	case usage == 0x53:
		return stroke{vkNumLock, scan}
	case usage < usageKP1 || usage > usageKPDecimal:
	case k.Text == "":
		// The technician's NumLock is off, whatever the person's is.
		if at := navigationOf[usage-usageKP1]; at != 0 {
			usage, scan = at, scanOf[at]
		}
	case s.mode == ScanCodes && !b.numLock:
		return stroke{} // this place would move the caret
	case usage == usageKPDecimal:
		return stroke{vkDecimal, scan}
	default: // KP1 to KP9, KP0
		return stroke{vkNumpad0 + (usage-usageKP1+1)%10, scan}
	}
	if r := shortcutChar(k); r != 0 {
		if key, ok := b.shortcut(r, k.Modifiers&ModShift != 0); ok {
			return key
		}
	}
	const scanToKey = 3 // MAPVK_VSC_TO_VK_EX: left and right told apart
	vk, _, _ := mapVirtualKeyEx.Call(uintptr(scan), scanToKey, b.layout)
	if vk == 0 && scan >= extended { // a layout that does not know the E0
		vk, _, _ = mapVirtualKeyEx.Call(uintptr(scan&0xFF), scanToKey, b.layout)
	}
	if vk == 0 {
		return stroke{}
	}
	return stroke{uint16(vk), scan}
}

// keyboard is the state that decides what a key types in the foreground window.
type keyboard struct {
	layout  uintptr // HKL
	state   [256]byte
	numLock bool
}

const isDown, isOn = 0x80, 0x01 // bits of a key's state

func (s *SendInput) keyboard() keyboard {
	var b keyboard
	if w := windows.GetForegroundWindow(); w != 0 {
		if thread, err := windows.GetWindowThreadProcessId(w, nil); err == nil {
			b.layout = uintptr(windows.GetKeyboardLayout(thread))
		}
	}
	if b.layout == 0 { // a console's window does not tell
		b.layout = uintptr(windows.GetKeyboardLayout(0))
	}
	for _, vk := range []uintptr{vkShift, vkControl, vkMenu} {
		if r, _, _ := getAsyncKeyState.Call(vk); r&0x8000 != 0 {
			b.state[vk] = isDown
		}
	}
	// Events of ours may be on their way.
	for usage, key := range s.pressed {
		if key == (stroke{}) {
			continue
		}
		switch usage {
		case 0xE0, 0xE4:
			b.state[vkControl] = isDown
		case 0xE1, 0xE5:
			b.state[vkShift] = isDown
		case usageLeftAlt:
			b.state[vkMenu] = isDown
		case usageRightAlt:
			b.state[vkMenu] = isDown
			if s.hasAltGr(b.layout) { // Windows presses Control with it
				b.state[vkControl] = isDown
			}
		}
	}
	if locked(vkCapital) {
		b.state[vkCapital] = isOn
	}
	b.numLock = locked(vkNumLock)
	return b
}

// locked tells whether a lock is on. A thread learns of locks as it looks for
// messages, so this one does.
func locked(vk uintptr) bool {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var msg [48]byte // MSG
	peekMessage.Call(uintptr(unsafe.Pointer(&msg)), 0, 0, 0, 0)
	r, _, _ := getKeyState.Call(vk)
	return r&isOn != 0
}

// shortcut is the key of this layout that types r, a letter by itself and any
// other character under the same Shift.
func (b *keyboard) shortcut(r rune, shift bool) (stroke, bool) {
	if r > 0xFFFF {
		return stroke{}, false
	}
	const keyToScan = 0 // MAPVK_VK_TO_VSC
	at, _, _ := vkKeyScanEx.Call(uintptr(r), b.layout)
	vk, state := uint16(at&0xFF), at>>8&0xFF // what is held for it: 1 Shift, 2 Control, 4 Alt; 0xFF: no key
	want := uintptr(0)
	if shift && !unicode.IsLetter(r) {
		want = 1
	}
	if state != want {
		return stroke{}, false
	}
	scan, _, _ := mapVirtualKeyEx.Call(uintptr(vk), keyToScan, b.layout)
	return stroke{vk, uint16(scan)}, vk != 0 && scan != 0
}

// types tells whether a key would type exactly this text now.
func (b *keyboard) types(key stroke, text string) bool {
	r, size := utf8.DecodeRuneInString(text)
	return size == len(text) && b.char(key) == r
}

// char is the character that a key would type, or 0; dead keys type none.
func (b *keyboard) char(key stroke) rune {
	const leaveState = 4 // do not take part in what is being typed: Windows 10 1607
	var buf [8]uint16
	n := windows.ToUnicodeEx(uint32(key.vk), uint32(key.scan&0xFF), &b.state[0], &buf[0], int32(len(buf)), leaveState, windows.Handle(b.layout))
	switch n {
	case 1:
		return rune(buf[0])
	case 2:
		if r := utf16.DecodeRune(rune(buf[0]), rune(buf[1])); r != unicode.ReplacementChar {
			return r
		}
	}
	return 0
}

// hasAltGr tells whether Control and Alt together type something in a layout.
func (s *SendInput) hasAltGr(layout uintptr) bool {
	if has, known := s.altGr[layout]; known {
		return has
	}
	b := keyboard{layout: layout}
	b.state[vkControl], b.state[vkMenu] = isDown, isDown
	has := false
	for usage := 0x04; usage <= 0x38 && !has; usage++ {
		const scanToKey = 1 // MAPVK_VSC_TO_VK
		vk, _, _ := mapVirtualKeyEx.Call(uintptr(scanOf[usage]), scanToKey, layout)
		r := b.char(stroke{uint16(vk), scanOf[usage]})
		has = vk != 0 && r != 0 && !unicode.IsControl(r) && r != ' '
	}
	s.altGr[layout] = has
	return has
}

// Text implements Injector.
func (s *SendInput) Text(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return err
	}
	return s.typeText(text)
}

// batch is how many events are sent at once.
const batch = 128

// typeText types as characters, not as keys. What the technician holds is let go
// meanwhile: a held Alt would make commands of them.
func (s *SendInput) typeText(text string) error {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	var events []keyEvent
	held := s.heldModifiers()
	for _, key := range held {
		events = append(events, s.quietly(key, false)...)
	}
	failed := 0
	var refused error
	flush := func() {
		if err := keys(events); err != nil {
			refused = err
		}
		events = events[:0]
	}
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t':
			key := stroke{vkReturn, scanOf[0x28]}
			if r == '\t' {
				key = stroke{vkTab, scanOf[0x2B]}
			}
			events = append(events, key.event(s.mode, true), key.event(s.mode, false))
		case r == utf8.RuneError || unicode.IsControl(r):
			failed++
		default:
			for _, u := range utf16.AppendRune(nil, r) {
				events = append(events, unit(u, true), unit(u, false))
			}
		}
		if len(events) >= batch {
			flush()
		}
	}
	for _, key := range held {
		events = append(events, s.quietly(key, true)...)
	}
	flush()
	if failed > 0 {
		return fmt.Errorf("%w (%d characters)", ErrCannotType, failed) // which ones is nobody's business
	}
	return refused
}

// heldModifiers are the modifiers that the technician holds.
func (s *SendInput) heldModifiers() (held []stroke) {
	for usage := uint16(0xE0); usage <= 0xE7; usage++ {
		if key := s.pressed[usage]; key != (stroke{}) {
			held = append(held, key)
		}
	}
	return held
}

// quietly presses or releases a modifier so that it alone does nothing: Windows
// opens a menu when Alt or the Windows key goes down and up without another key.
func (s *SendInput) quietly(key stroke, down bool) []keyEvent {
	nothing := stroke{vk: vkNothing}
	tap := []keyEvent{nothing.event(s.mode, true), nothing.event(s.mode, false)}
	switch key.scan {
	case scanOf[usageLeftAlt], scanOf[usageRightAlt], scanOf[0xE3], scanOf[0xE7]:
		if down {
			return append([]keyEvent{key.event(s.mode, true)}, tap...)
		}
		return append(tap, key.event(s.mode, false))
	}
	return []keyEvent{key.event(s.mode, down)}
}
