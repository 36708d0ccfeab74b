package input

import (
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"

	robot "github.com/go-vgo/robotgo/win"
)

// Portable injects by robotgo: pointer, wheel, named keys and text. A character
// goes as text, which is right in every layout, unless a shortcut is held.
// Compiled for Windows and not yet run there.
type Portable struct {
	pressed        map[uint16]string // by usage: the key robotgo holds, "" if typed as text
	buttons        [buttonCount]bool
	wheelX, wheelY int
	closed         bool
}

// OpenPortable opens the desktop this process runs on.
func OpenPortable() *Portable {
	robot.KeySleep, robot.MouseSleep = 0, 0 // of this package: the root package's are not forwarded
	return &Portable{pressed: make(map[uint16]string)}
}

// robotNames are robotgo's names of keys that type nothing.
var robotNames = map[uint16]string{
	0x28: "enter", 0x29: "esc", 0x2A: "backspace", 0x2B: "tab", 0x2C: "space", 0x39: "capslock",
	0x46: "printscreen", 0x47: "scroll_lock", 0x48: "pause", 0x49: "insert", 0x4A: "home", 0x4B: "pageup",
	0x4C: "delete", 0x4D: "end", 0x4E: "pagedown", 0x4F: "right", 0x50: "left", 0x51: "down", 0x52: "up",
	0x53: "num_lock", 0x58: "num_enter", 0x65: "menu",
	0xE0: "ctrll", 0xE1: "shiftl", 0xE2: "altl", 0xE3: "cmdl", 0xE4: "ctrlr", 0xE5: "shiftr", 0xE6: "altr", 0xE7: "cmdr",
}

func robotName(usage uint16) string {
	switch {
	case usage >= 0x3A && usage <= 0x45:
		return "f" + strconv.Itoa(int(usage-0x3A)+1)
	case usage >= 0x68 && usage <= 0x73:
		return "f" + strconv.Itoa(int(usage-0x68)+13)
	case usage >= usageKP1 && usage <= usageKPDecimal && navigationOf[usage-usageKP1] != 0:
		return robotNames[navigationOf[usage-usageKP1]] // its digits come as text
	}
	return robotNames[usage]
}

func (p *Portable) open() error {
	if p.closed {
		return fmt.Errorf("%w (closed)", ErrLost)
	}
	return nil
}

// Move puts the pointer on a pixel.
func (p *Portable) Move(x, y int) error {
	if err := p.open(); err != nil {
		return err
	}
	robot.Move(x, y)
	return nil
}

// robotgo takes a button it does not know for the left one.
var robotButtons = map[Button]string{Left: "left", Middle: "center", Right: "right"}

// Button presses or releases; Back and Forward are ErrCannotType.
func (p *Portable) Button(b Button, down bool) error {
	if err := p.open(); err != nil {
		return err
	}
	name, ok := robotButtons[b]
	if !ok {
		return fmt.Errorf("%w (button %d)", ErrCannotType, b)
	}
	p.buttons[b] = down
	return robot.Toggle(name, way(down))
}

// Wheel turns whole notches and keeps the rest.
func (p *Portable) Wheel(dx, dy int) error {
	if err := p.open(); err != nil {
		return err
	}
	if nx, ny := turn(&p.wheelX, dx), turn(&p.wheelY, dy); nx != 0 || ny != 0 {
		robot.Scroll(-nx, -ny, 0) // robotgo counts up and left as positive; 0 is its sleep
	}
	return nil
}

// Key holds a named key or, in a shortcut, the key of a character; else it types
// the character.
func (p *Portable) Key(k Key, down bool) error {
	if err := p.open(); err != nil {
		return err
	}
	if !down {
		name := p.pressed[k.Usage]
		delete(p.pressed, k.Usage)
		if name == "" {
			return nil
		}
		return robot.KeyToggle(name, "up")
	}
	if name := p.pressed[k.Usage]; name != "" {
		return robot.KeyToggle(name, "down") // Windows repeats no key that SendInput holds
	}
	held := k.Modifiers
	if held&ModAltGraph != 0 {
		held &^= ModControl | ModAlt // how Windows reports AltGr
	}
	name := robotName(k.Usage)
	switch {
	case k.Text == "" && name != "":
	case k.Text == "":
		return fmt.Errorf("%w (usage %#x)", ErrCannotType, k.Usage)
	case held&(ModControl|ModAlt|ModMeta) != 0 && utf8.RuneCountInString(k.Text) == 1:
		name = k.Text
	default:
		p.pressed[k.Usage] = ""
		return p.Text(k.Text)
	}
	if err := robot.KeyToggle(name, "down"); err != nil {
		return fmt.Errorf("%w: %w", ErrCannotType, err)
	}
	p.pressed[k.Usage] = name
	return nil
}

// Text types by KEYEVENTF_UNICODE.
func (p *Portable) Text(s string) error {
	if err := p.open(); err != nil {
		return err
	}
	failed := 0
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			name := map[rune]string{'\n': "enter", '\t': "tab"}[r]
			_ = robot.KeyToggle(name, "down") // both names exist
			_ = robot.KeyToggle(name, "up")
		case r == '\r':
		case r == utf8.RuneError || unicode.IsControl(r):
			failed++
		default:
			robot.TypeStr(string(r))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%w (%d characters)", ErrCannotType, failed)
	}
	return nil
}

// Prepare has nothing to do: Windows types any character.
func (p *Portable) Prepare() error { return p.open() }

// Restore undoes nothing.
func (p *Portable) Restore() error { return nil }

// Close releases what is down.
func (p *Portable) Close() error {
	if p.closed {
		return nil
	}
	for b, down := range p.buttons {
		if down {
			_ = robot.Toggle(robotButtons[Button(b)], "up")
		}
	}
	for _, name := range p.pressed {
		if name != "" {
			_ = robot.KeyToggle(name, "up")
		}
	}
	p.closed = true
	return nil
}

func way(down bool) string {
	if down {
		return "down"
	}
	return "up"
}
