package layouts

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// ErrNoWay is wrapped when a layout has neither a key nor a sequence of keys for
// a character.
var ErrNoWay = errors.New("layouts: no way to type that")

// Stroke is one physical key with the modifiers to hold: an X keycode.
type Stroke struct {
	Code          byte
	Shift, Level3 bool
}

// Keyboard is how a layout types, read from an X server by the core protocol:
// nothing of the host's own keymap is used.
type Keyboard struct {
	strokes map[xproto.Keysym]Stroke
	shift   byte // keycodes
	level3  byte
}

// Keysyms of X11/keysymdef.h.
const (
	symMulti      = 0xff20
	symLevel3     = 0xfe03
	symShift      = 0xffe1
	symControl    = 0xffe3
	symAlt        = 0xffe9
	symEuro       = 0x20ac
	symGrave      = 0xfe50
	symAcute      = 0xfe51
	symCircumflex = 0xfe52
	symTilde      = 0xfe53
	symDiaeresis  = 0xfe57
	symCedilla    = 0xfe5b
)

var namedKeys = map[string]xproto.Keysym{
	"F4": 0xffc1, "Right": 0xff53, "Caps_Lock": 0xffe5, "Num_Lock": 0xff7f, "KP_8": 0xff97, // KP_Up, without NumLock
}

// composed are the characters of the test that a layout may lack: a dead key
// with a letter, and what to press after Compose. Both are of libX11's
// en_US.UTF-8/Compose.
var composed = map[rune]struct {
	dead    xproto.Keysym
	letter  rune
	compose string
}{
	'é': {symAcute, 'e', "'e"}, 'à': {symGrave, 'a', "`a"}, 'ç': {symCedilla, 'c', ",c"}, 'ô': {symCircumflex, 'o', "^o"},
	'ü': {symDiaeresis, 'u', "\"u"}, 'ñ': {symTilde, 'n', "~n"}, 'ß': {0, 0, "ss"}, '€': {0, 0, "=E"},
	'«': {0, 0, "<<"}, '»': {0, 0, ">>"}, '{': {0, 0, "(-"}, '}': {0, 0, "-)"}, '@': {0, 0, "AT"}, '#': {0, 0, "++"},
	'^': {symCircumflex, ' ', ""}, '`': {symGrave, ' ', ""}, '~': {symTilde, ' ', ""}, '\'': {symAcute, ' ', ""},
	'"': {symDiaeresis, ' ', ""},
}

// ReadKeyboard reads the present layout of a display.
func ReadKeyboard(c *xgb.Conn) (*Keyboard, error) {
	setup := xproto.Setup(c)
	first, last := setup.MinKeycode, setup.MaxKeycode
	m, err := xproto.GetKeyboardMapping(c, first, byte(last-first+1)).Reply()
	if err != nil {
		return nil, fmt.Errorf("layouts: read the keyboard: %w", err)
	}
	k := &Keyboard{strokes: map[xproto.Keysym]Stroke{}}
	per := int(m.KeysymsPerKeycode)
	// Of one layout, columns 0, 1, 4 and 5 are its levels: the core protocol keeps 2 and 3 for a second layout.
	levels := []struct {
		column        int
		shift, level3 bool
	}{{0, false, false}, {1, true, false}, {4, false, true}, {5, true, true}}
	for _, l := range levels {
		if l.column >= per {
			continue
		}
		for code := int(first); code <= int(last); code++ {
			sym := m.Keysyms[(code-int(first))*per+l.column]
			if _, has := k.strokes[sym]; sym != 0 && !has {
				k.strokes[sym] = Stroke{byte(code), l.shift, l.level3}
			}
		}
	}
	k.shift, k.level3 = k.strokes[symShift].Code, k.strokes[symLevel3].Code
	// The key right of the space bar is AltGr wherever there is one: no keyboard
	// has the key 92 that XKB gives to all.
	if at := k.strokes[symLevel3]; at.Code == fakeLevel3 {
		if slices.Contains(m.Keysyms[(rightAlt-int(first))*per:(rightAlt-int(first)+1)*per], symLevel3) {
			k.level3 = rightAlt
		} else {
			k.level3 = 0
		}
	}
	return k, nil
}

const fakeLevel3, rightAlt = 92, 108

// sym is the keysym of a character of the test.
func sym(r rune) xproto.Keysym {
	if r == '€' {
		return symEuro
	}
	return xproto.Keysym(r) // Latin-1
}

// stroke is the key for a keysym, if this keyboard has it.
func (k *Keyboard) stroke(s xproto.Keysym) (Stroke, bool) {
	at, has := k.strokes[s]
	return at, has && (!at.Level3 || k.level3 != 0)
}

// Strokes are the keys that type a text, as a person who knows the layout would:
// a key of its own, else a dead key, else Compose.
func (k *Keyboard) Strokes(text string) ([]Stroke, error) {
	var all []Stroke
	for _, r := range text {
		way, err := k.way(r)
		if err != nil {
			return nil, err
		}
		all = append(all, way...)
	}
	return all, nil
}

func (k *Keyboard) way(r rune) ([]Stroke, error) {
	if at, has := k.stroke(sym(r)); has {
		return []Stroke{at}, nil
	}
	how := composed[r]
	if dead, has := k.stroke(how.dead); has && how.dead != 0 {
		letter, has := k.stroke(sym(how.letter))
		if has {
			return []Stroke{dead, letter}, nil
		}
	}
	if compose, has := k.stroke(symMulti); has && how.compose != "" {
		rest, err := k.Strokes(how.compose)
		return append([]Stroke{compose}, rest...), err
	}
	return nil, fmt.Errorf("%w: %q", ErrNoWay, r)
}

// Shortcut is a key to press with modifiers, "Control+Shift+t".
func (k *Keyboard) Shortcut(name string) (hold []byte, key byte, err error) {
	parts := strings.Split(name, "+")
	for _, part := range parts[:len(parts)-1] {
		s := map[string]xproto.Keysym{"Control": symControl, "Alt": symAlt, "Shift": symShift}[part]
		at, has := k.stroke(s)
		if !has {
			return nil, 0, fmt.Errorf("%w: %s", ErrNoWay, part)
		}
		hold = append(hold, at.Code)
	}
	last := parts[len(parts)-1]
	s, named := namedKeys[last]
	if !named {
		s = sym([]rune(last)[0])
	}
	at, has := k.stroke(s)
	if !has || at.Shift || at.Level3 {
		return nil, 0, fmt.Errorf("%w: %s", ErrNoWay, last)
	}
	return hold, at.Code, nil
}
