package input_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jezek/xgb/xproto"

	"github.com/mainforte/mainforte/host/input"
)

var layouts = []string{"us", "fr", "ca", "ch(fr)", "de", "ru"}

// typingDesk is a desktop with a terminal that has the focus.
func typingDesk(t *testing.T) (*desktop, *terminal, *input.X11) {
	t.Helper()
	d := newDesktop(t)
	term := d.terminal(0, 0)
	term.focus()
	return d, term, d.hands(false)
}

func TestTextArrivesExactlyInEveryLayout(t *testing.T) {
	const s = "Bonjour, ça va ? @#€\n«Où ça, au cœur de l’été ?» ÀÉÇ \\ ~ ^ ` | {[]} 100 % <a&b> \t!\n"
	d, term, x := typingDesk(t)
	for _, layout := range layouts {
		t.Run(layout, func(t *testing.T) {
			d.t, term.d.t = t, t
			d.layout(layout) // while the hands are open: they must notice
			if err := x.Prepare(); err != nil {
				t.Fatal(err)
			}
			if err := x.Text(s); err != nil {
				t.Fatal(err)
			}
			term.wantTyped(s)
			if err := x.Restore(); err != nil {
				t.Fatal(err)
			}
			if err := x.Text(s); err != nil { // unprepared, the words wait for their keycodes
				t.Fatal(err)
			}
			term.wantTyped(s)
		})
	}
}

// stroke is one key as a browser reports it.
type stroke struct {
	usage uint16
	text  string
	mods  uint8
}

// A technician's keyboards: usages of physical keys with what they type.
var technicians = map[string][]stroke{
	"French": {
		{0x14, "a", 0}, {0x1A, "z", 0}, {0x04, "q", 0}, {0x33, "m", 0}, {0x1F, "é", 0}, {0x27, "à", 0},
		{0x1F, "2", input.ModShift}, {0x14, "A", input.ModShift}, {0x10, ",", 0}, {0x10, "?", input.ModShift},
		{0x38, "!", 0}, {0x21, "'", 0}, {0x27, "@", input.ModAltGraph}, {0x20, "#", input.ModAltGraph},
		{0x08, "€", input.ModAltGraph}, {0x25, "\\", input.ModAltGraph}, {0x26, "ç", 0}, {0x2C, " ", 0},
		{0x64, "<", 0}, {0x64, ">", input.ModShift}, {0x5E, "6", 0},
	},
	"English": {
		{0x04, "a", 0}, {0x1D, "z", 0}, {0x14, "Q", input.ModShift}, {0x1F, "2", 0}, {0x1F, "@", input.ModShift},
		{0x20, "#", input.ModShift}, {0x33, ";", 0}, {0x2F, "[", 0}, {0x31, "\\", 0}, {0x35, "`", 0},
		{0x23, "^", input.ModShift}, {0x38, "?", input.ModShift}, {0x37, ".", 0}, {0x2C, " ", 0},
	},
	"Canadian": {
		{0x04, "a", 0}, {0x38, "é", 0}, {0x38, "É", input.ModShift}, {0x31, "<", 0}, {0x35, "#", 0},
		{0x1F, "@", input.ModAltGraph}, {0x21, "¢", input.ModAltGraph}, {0x10, "m", 0}, {0x37, "'", input.ModShift},
	},
}

var modifierUsage = map[uint8]uint16{
	input.ModShift: 0xE1, input.ModControl: 0xE0, input.ModAlt: 0xE2, input.ModAltGraph: 0xE6,
	input.ModAltGraph | input.ModControl | input.ModAlt: 0xE6,
}

// do presses a stroke with its modifiers around it, and again repeats it in
// between, as a fast typist who keeps Shift down.
func (s stroke) do(t *testing.T, x *input.X11) {
	t.Helper()
	steps := []func() error{
		func() error { return x.Key(input.Key{Usage: s.usage, Text: s.text, Modifiers: s.mods}, true) },
		func() error { return x.Key(input.Key{Usage: s.usage, Text: s.text, Modifiers: s.mods}, false) },
	}
	if u := modifierUsage[s.mods]; u != 0 {
		steps = slices.Concat(
			[]func() error{func() error { return x.Key(input.Key{Usage: u, Modifiers: s.mods}, true) }},
			steps, steps,
			[]func() error{func() error { return x.Key(input.Key{Usage: u}, false) }})
	}
	for _, step := range steps {
		if err := step(); err != nil {
			t.Fatalf("%q: %v", s.text, err)
		}
	}
}

func (s stroke) types() string {
	if s.mods != 0 {
		return s.text + s.text
	}
	return s.text
}

func TestKeysTypeWhatTheTechnicianSeesWhateverTheTwoKeyboards(t *testing.T) {
	d, term, x := typingDesk(t)
	for _, layout := range layouts {
		for name, strokes := range technicians {
			t.Run(name+" on "+layout, func(t *testing.T) {
				d.t, term.d.t = t, t
				d.layout(layout)
				if err := x.Prepare(); err != nil {
					t.Fatal(err)
				}
				var want strings.Builder
				for _, s := range strokes {
					s.do(t, x)
					want.WriteString(s.types())
				}
				term.wantTyped(want.String())
			})
		}
	}
}

func TestCapsLockOnEitherSideTypesWhatTheTechnicianSees(t *testing.T) {
	d, term, x := typingDesk(t)
	d.layout("fr")
	caps := stroke{usage: 0x39}
	caps.do(t, x) // now the host has CapsLock on
	stroke{0x14, "a", 0}.do(t, x)
	stroke{0x1F, "é", 0}.do(t, x)
	stroke{0x14, "A", 0}.do(t, x)
	if err := x.Text("abC é"); err != nil {
		t.Fatal(err)
	}
	term.wantTyped("aéAabC é")
	stroke{usage: 0x28}.do(t, x)
	// The lock itself is still the person's: a key without text shows it.
	st, err := x.Locked()
	if err != nil || st&xproto.ModMaskLock == 0 {
		t.Errorf("locks %#x, %v: CapsLock is gone", st, err)
	}
	caps.do(t, x)
	stroke{0x14, "A", 0}.do(t, x) // the technician's is on, the host's off
	term.wantTyped("\nA")
}

func TestAHeldLockKeyIsNotTurnedOverByText(t *testing.T) {
	_, _, x := typingDesk(t)
	for name, usage := range map[string]uint16{"CapsLock": 0x39, "NumLock": 0x53} {
		if err := x.Key(input.Key{Usage: usage}, true); err != nil {
			t.Fatal(err)
		}
		before, err := x.Locked()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(x.Text("a"), x.Key(input.Key{Usage: usage}, false)); err != nil {
			t.Fatal(err)
		}
		if after, err := x.Locked(); err != nil || after != before {
			t.Errorf("%s: locks were %#x, are %#x, %v", name, before, after, err)
		}
	}
}

func TestTheKeypadFollowsTheTechniciansNumLock(t *testing.T) {
	d, term, x := typingDesk(t)
	d.layout("us")
	kp8 := input.Key{Usage: 0x60}
	press := func(k input.Key) {
		t.Helper()
		if err := errors.Join(x.Key(k, true), x.Key(k, false)); err != nil {
			t.Fatal(err)
		}
	}
	for _, host := range []string{"off", "on"} {
		press(input.Key{Usage: 0x60, Text: "8"})
		press(kp8) // the technician's NumLock is off: Up
		term.wantTyped("8\x1b[A")
		if host == "off" {
			press(input.Key{Usage: 0x53}) // NumLock
		}
	}
}

func TestAltGrOfTheTechnicianOpensNoMenuOfTheHost(t *testing.T) {
	d, term, x := typingDesk(t)
	d.layout("us") // here the key is a plain Alt
	stroke{0x08, "€", input.ModAltGraph}.do(t, x)
	// xterm sends ESC before a character while Alt is held.
	term.wantTyped("€€")
	d.layout("fr") // here it is AltGr; the technician has an English keyboard: a plain Alt
	for _, step := range []error{
		x.Key(input.Key{Usage: 0xE6, Modifiers: input.ModAlt}, true),
		x.Key(input.Key{Usage: 0x09, Text: "f", Modifiers: input.ModAlt}, true),
		x.Key(input.Key{Usage: 0x09, Text: "f", Modifiers: input.ModAlt}, false),
		x.Key(input.Key{Usage: 0xE6}, false),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	term.already = len(term.typed()) - len(strings.TrimPrefix(term.typed(), "€€"))
	d.until("Alt+F", func() bool { return len(term.typed()) > len("€€") })
	if got := strings.TrimPrefix(term.typed(), "€€"); got != "\x1bf" && got != "æ" {
		t.Errorf("Alt+F is %q", got)
	}
}

// isDown tells whether the X server sees a key down.
func (d *desktop) isDown(code byte) bool {
	d.t.Helper()
	m, err := xproto.QueryKeymap(d.c).Reply()
	if err != nil {
		d.t.Fatal(err)
	}
	return m.Keys[code/8]>>(code%8)&1 == 1
}

func TestAltGrOfTheTechnicianPressesNoAltOfTheHost(t *testing.T) {
	const rightAlt = 100 + 8
	d := newDesktop(t)
	x := d.hands(false)
	for layout, want := range map[string]bool{"us": false, "fr": true} {
		d.layout(layout)
		d.until("the new layout", func() bool { return x.Text("") == nil && !x.Remapped() })
		for range 2 {
			if err := x.Key(input.Key{Usage: 0xE6, Modifiers: input.ModAltGraph}, true); err != nil {
				t.Fatal(err)
			}
			if _, err := x.Locked(); err != nil { // a round trip
				t.Fatal(err)
			}
		}
		if got := d.isDown(rightAlt); got != want {
			t.Errorf("%s: the right Alt key is down: %v, want %v", layout, got, want)
		}
		if err := x.Key(input.Key{Usage: 0xE6}, false); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCloseLeavesNoKeyDown(t *testing.T) {
	d := newDesktop(t)
	x := d.hands(false)
	for _, usage := range []uint16{0xE1, 0x04} {
		if err := x.Key(input.Key{Usage: usage}, true); err != nil {
			t.Fatal(err)
		}
	}
	const shift, a = 42 + 8, 30 + 8
	d.until("both keys are down", func() bool { return d.isDown(shift) && d.isDown(a) })
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if d.isDown(shift) || d.isDown(a) {
		t.Error("a key stays down")
	}
}

func TestAltGrAsWindowsReportsItTypesText(t *testing.T) {
	d, term, x := typingDesk(t)
	d.layout("us")
	stroke{0x08, "€", input.ModAltGraph | input.ModControl | input.ModAlt}.do(t, x)
	term.wantTyped("€€")
}

func TestAHeldAltGrIsHeldAfterText(t *testing.T) {
	d, term, x := typingDesk(t)
	d.layout("fr")
	for _, step := range []error{
		x.Key(input.Key{Usage: 0xE6, Modifiers: input.ModAltGraph}, true),
		x.Text("aé"),
		x.Key(input.Key{Usage: 0x27}, true), // no text: the key itself
		x.Key(input.Key{Usage: 0x27}, false),
		x.Key(input.Key{Usage: 0xE6}, false),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	term.wantTyped("aé@")
}

func TestAHeldKeyDoesNotSwallowText(t *testing.T) {
	_, term, x := typingDesk(t)
	for _, step := range []error{
		x.Key(input.Key{Usage: 0x04, Text: "a"}, true),
		x.Text("a"),
		x.Key(input.Key{Usage: 0x04}, false),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	term.wantTyped("aa")
}

// What a shortcut says counts, and where that says nothing here, its place. xterm
// adds 0x80 to a character while Alt is held.
func TestAShortcutFollowsItsLetterAndElseItsPlace(t *testing.T) {
	d, term, x := typingDesk(t)
	for _, test := range []struct {
		layout string
		key    stroke
		want   string
	}{
		{"us", stroke{0x14, "a", input.ModControl}, "\x01\x01"}, // AZERTY's A lies on our Q
		{"fr", stroke{0x04, "a", input.ModControl}, "\x01\x01"}, // and the other way round
		{"fr", stroke{0x04, "A", input.ModControl}, "\x01\x01"}, // CapsLock, or Shift
		{"fr(bepo)", stroke{0x06, "c", input.ModControl}, "\x03\x03"},
		{"de", stroke{0x1C, "y", input.ModAlt}, "ùù"},           // QWERTZ: our Z
		{"us", stroke{0x06, "с", input.ModControl}, "\x03\x03"}, // Cyrillic: no key says so here
		{"us", stroke{0x30, "$", input.ModAlt}, "ÝÝ"},           // here only with Shift: the place
		{"us", stroke{0x10, ",", input.ModAlt}, "¬¬"},           // AZERTY's comma lies on our M
		{"fr", stroke{0x2E, "=", input.ModAlt}, "½½"},
		{"fr", stroke{0x38, "!", input.ModAlt}, "¡¡"},
		{"fr", stroke{0x10, ",", input.ModAlt}, "¬¬"},
		{"fr", stroke{0x1E, "1", input.ModAlt}, "¦¦"}, // the row of digits goes by its place
	} {
		d.layout(test.layout)
		d.until("the new layout", func() bool { return x.Text("") == nil && !x.Remapped() })
		test.key.do(t, x)
		term.wantTyped(test.want)
	}
}

func TestAShortcutIsFoundInTheOtherLayoutsOfTheHost(t *testing.T) {
	d := newDesktop(t)
	d.server.Command(t, "setxkbmap", "-layout", "ru,fr")
	x := d.hands(false)
	k := input.Key{Usage: 0x04, Text: "a", Modifiers: input.ModControl}
	if err := x.Key(k, true); err != nil {
		t.Fatal(err)
	}
	const q = 16 + 8 // the French A
	d.until("the key that says a in the second layout is down", func() bool { return d.isDown(q) })
}

func TestAShortcutReleasesTheKeyThatItPressed(t *testing.T) {
	d := newDesktop(t)
	d.layout("us")
	x := d.hands(false)
	const a, q = 30 + 8, 16 + 8
	k := input.Key{Usage: 0x14, Text: "a", Modifiers: input.ModControl}
	if err := x.Key(k, true); err != nil {
		t.Fatal(err)
	}
	d.until("the key that says a is down", func() bool { return d.isDown(a) })
	if d.isDown(q) {
		t.Error("the key of the same place is down, too")
	}
	if err := x.Key(input.Key{Usage: 0x14, Text: "q"}, false); err != nil { // Control went up before
		t.Fatal(err)
	}
	d.until("it is up again", func() bool { return !d.isDown(a) })
}

func TestTheSecondLayoutOfTheHostCounts(t *testing.T) {
	d, term, x := typingDesk(t)
	d.server.Command(t, "setxkbmap", "-layout", "us,fr")
	if err := x.LockGroup(1); err != nil {
		t.Fatal(err)
	}
	if err := x.Text("azqw @é"); err != nil {
		t.Fatal(err)
	}
	stroke{0x14, "a", 0}.do(t, x) // a French technician: the keys agree
	stroke{0x14, "q", 0}.do(t, x) // an English one
	term.wantTyped("azqw @éaq")
}
