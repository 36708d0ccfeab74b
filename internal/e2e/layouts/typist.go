package layouts

import (
	"fmt"
	"strings"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// pace is how long a stroke of the typist takes: 100 a second, some eight times
// as fast as the fastest of people.
const pace = 10 * time.Millisecond

// Typist presses physical keys of a display.
type Typist struct {
	c        *xgb.Conn
	root     xproto.Window
	Keyboard *Keyboard
}

// NewTypist sits down at a display.
func NewTypist(display string) (*Typist, error) {
	c, err := stage.Dial(display)
	if err != nil {
		return nil, fmt.Errorf("layouts: typist: %w", err)
	}
	if err := xtest.Init(c); err != nil {
		c.Close()
		return nil, fmt.Errorf("layouts: typist: %w", err)
	}
	// A busy machine can hold a finger down for longer than anybody would.
	if err := xproto.ChangeKeyboardControlChecked(c, xproto.KbAutoRepeatMode, []uint32{xproto.AutoRepeatModeOff}).Check(); err != nil {
		c.Close()
		return nil, fmt.Errorf("layouts: typist: %w", err)
	}
	return &Typist{c: c, root: xproto.Setup(c).DefaultScreen(c).Root}, nil
}

// Close leaves the display.
func (t *Typist) Close() { t.c.Close() }

// Look reads the layout that the keyboard has now.
func (t *Typist) Look() (err error) {
	t.Keyboard, err = ReadKeyboard(t.c)
	return err
}

func (t *Typist) key(code byte, down bool) error {
	kind := byte(xproto.KeyRelease)
	if down {
		kind = xproto.KeyPress
	}
	return xtest.FakeInputChecked(t.c, kind, code, 0, t.root, 0, 0, 0).Check()
}

// around presses codes, does the rest, and releases them the other way round.
func (t *Typist) around(codes []byte, rest func() error) error {
	if len(codes) == 0 {
		return rest()
	}
	if err := t.key(codes[0], true); err != nil {
		return err
	}
	if err := t.around(codes[1:], rest); err != nil {
		return err
	}
	return t.key(codes[0], false)
}

// Type types a text.
func (t *Typist) Type(text string) error {
	strokes, err := t.Keyboard.Strokes(text)
	if err != nil {
		return err
	}
	for _, s := range strokes {
		var hold []byte
		if s.Shift {
			hold = append(hold, t.Keyboard.shift)
		}
		if s.Level3 {
			hold = append(hold, t.Keyboard.level3)
		}
		if err := t.around(append(hold, s.Code), func() error { return nil }); err != nil {
			return fmt.Errorf("layouts: type: %w", err)
		}
		time.Sleep(pace)
	}
	return nil
}

// Press presses shortcuts one after another: "Control+a Control+c".
func (t *Typist) Press(names string) error {
	for name := range strings.FieldsSeq(names) {
		hold, key, err := t.Keyboard.Shortcut(name)
		if err != nil {
			return err
		}
		if err := t.around(append(hold, key), func() error { return nil }); err != nil {
			return fmt.Errorf("layouts: press %s: %w", name, err)
		}
		time.Sleep(pace)
	}
	return nil
}
