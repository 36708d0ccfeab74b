package input_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jezek/xgb"
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
	input.ModShift: 0xE1, input.ModControl: 0xE0, input.ModAltGraph: 0xE6,
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

func TestAShortcutIsThePhysicalKeyWhateverItsLetter(t *testing.T) {
	d, term, x := typingDesk(t)
	d.layout("us")
	stroke{0x14, "a", input.ModControl}.do(t, x) // the key A of a French keyboard, Q here
	term.wantTyped("\x11\x11")
}

func TestAKeyWhoseKeycodeIsBorrowedTypesNothingElse(t *testing.T) {
	d, term, x := typingDesk(t)
	d.layout("us")
	greek := "αβγδεζηθικλμνξοπρστυφχψω" + "абвгдежзийкл" // every keycode
	if err := x.Text(greek); err != nil {
		t.Fatal(err)
	}
	for _, usage := range []uint16{0x87, 0x89} { // keys of a Japanese keyboard
		if err := x.Key(input.Key{Usage: usage}, true); !errors.Is(err, input.ErrCannotType) {
			t.Errorf("usage %#x: %v", usage, err)
		}
		if err := x.Key(input.Key{Usage: usage}, false); err != nil {
			t.Error(err)
		}
	}
	term.wantTyped(greek)
}

// A program that is busy looks its keys up late. What it was typed must mean the
// same then.
func TestABusyProgramLosesNothing(t *testing.T) {
	d, term, x := typingDesk(t)
	d.layout("us")
	for name, then := range map[string]func() error{
		"Restore": x.Restore,
		"a text that needs every keycode": func() error {
			return x.Text("αβγδεζηθικλμνξοπρστυφχψω" + "абвгдежзийкл")
		},
	} {
		if err := errors.Join(x.Restore(), x.Text("é")); err != nil {
			t.Fatal(err)
		}
		term.wantTyped("é")
		if err := term.process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		goOn := time.AfterFunc(300*time.Millisecond, func() { _ = term.process.Signal(syscall.SIGCONT) })
		if err := errors.Join(x.Text("éœ"), then()); err != nil {
			t.Fatal(err)
		}
		goOn.Stop()
		_ = term.process.Signal(syscall.SIGCONT)
		want := "éœ"
		if name != "Restore" {
			want += "αβγδεζηθικλμνξοπρστυφχψω" + "абвгдежзийкл"
		}
		term.wantTyped(want)
	}
}

func TestWhatAnotherProgramBoundMeanwhileStays(t *testing.T) {
	d := newDesktop(t)
	x := d.hands(false)
	if err := x.Prepare(); err != nil {
		t.Fatal(err)
	}
	const f30 = 0xffdb
	code := x.Borrowed()[0]
	err := xproto.ChangeKeyboardMappingChecked(d.c, 1, xproto.Keycode(code), 1, []xproto.Keysym{f30}).Check()
	if err != nil {
		t.Fatal(err)
	}
	d.until("the hands hear of it", x.Remapped)
	if err := x.Restore(); err != nil {
		t.Fatal(err)
	}
	m, err := xproto.GetKeyboardMapping(d.c, xproto.Keycode(code), 1).Reply()
	if err != nil || m.Keysyms[0] != f30 {
		t.Errorf("keycode %d types %v, %v; want %#x", code, m.Keysyms, err, f30)
	}
}

func TestMoreCharactersThanKeycodesAllArrive(t *testing.T) {
	d, term, x := typingDesk(t)
	d.layout("us")
	var all []rune
	for r := 'α'; r <= 'ω'; r++ {
		all = append(all, r)
	}
	for r := 'А'; r <= 'я'; r++ {
		all = append(all, r)
	}
	for r := 'ก'; r <= 'ฮ'; r++ {
		all = append(all, r)
	}
	for r := 'א'; r <= 'ת'; r++ {
		all = append(all, r)
	}
	if err := x.Prepare(); err != nil {
		t.Fatal(err)
	}
	s := string(all) + "é" + string(all[:20])
	if err := x.Text(s); err != nil {
		t.Fatal(err)
	}
	term.wantTyped(s)
}

func TestATextThatTakesItsOwnKeycodesAwayArrives(t *testing.T) {
	_, term, x := typingDesk(t)
	const greek, cyrillic, hebrew = "αβγδεζηθικλμνξοπρστυφχψω", "абвгдежзийкл", "אבגדה"
	if err := x.Text(greek + cyrillic); err != nil { // every keycode
		t.Fatal(err)
	}
	s := cyrillic + greek + hebrew + cyrillic + greek
	if err := x.Text(s); err != nil {
		t.Error(err)
	}
	term.wantTyped(greek + cyrillic + s)
}

func TestOneCharacterAfterTheOtherAllArrive(t *testing.T) {
	// The trap: a keycode that is bound anew for each character loses some.
	_, term, x := typingDesk(t)
	var want strings.Builder
	for i := range 200 {
		r := 'α' + rune(i*7%25)
		want.WriteRune(r)
		if err := errors.Join(x.Key(input.Key{Usage: 0x04, Text: string(r)}, true), x.Key(input.Key{Usage: 0x04}, false)); err != nil {
			t.Fatal(err)
		}
	}
	term.wantTyped(want.String())
}

// keymapOf is the whole keymap as programs get it.
func (d *desktop) keymapOf() string {
	d.t.Helper()
	setup := xproto.Setup(d.c)
	m, err := xproto.GetKeyboardMapping(d.c, setup.MinKeycode, byte(setup.MaxKeycode-setup.MinKeycode)+1).Reply()
	if err != nil {
		d.t.Fatal(err)
	}
	var b strings.Builder
	per := int(m.KeysymsPerKeycode)
	for i := range len(m.Keysyms) / per {
		syms := m.Keysyms[i*per : (i+1)*per]
		for len(syms) > 0 && syms[len(syms)-1] == 0 {
			syms = syms[:len(syms)-1]
		}
		fmt.Fprintln(&b, i, syms)
	}
	return b.String()
}

func TestTheKeyboardIsGivenBackAsItWas(t *testing.T) {
	for name, end := range map[string]func(*input.X11) error{"Restore": (*input.X11).Restore, "Close": (*input.X11).Close} {
		t.Run(name, func(t *testing.T) {
			d := newDesktop(t)
			d.layout("ca")
			before := d.keymapOf()
			x := d.hands(false)
			if err := errors.Join(x.Prepare(), x.Text("Ωλ")); err != nil {
				t.Fatal(err)
			}
			if d.keymapOf() == before {
				t.Error("nothing was bound: this test shows nothing")
			}
			if err := end(x); err != nil {
				t.Fatal(err)
			}
			if name == "Restore" { // a moment later; Close does it now
				d.until("the keymap is as it was", func() bool { return d.keymapOf() == before })
			}
			if after := d.keymapOf(); after != before {
				t.Errorf("the keymap was\n%s\nand is\n%s", before, after)
			}
		})
	}
}

func TestRestoreKeepsNobodyWaiting(t *testing.T) {
	d := newDesktop(t)
	x := d.hands(false)
	before := d.keymapOf()
	if err := errors.Join(x.Prepare(), x.Text("é")); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := errors.Join(x.Restore(), x.Restore()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 250*time.Millisecond {
		t.Errorf("Restore took %v: the person's Stop waits behind it", took)
	}
	// Control granted again: the keycodes stay.
	if err := errors.Join(x.Prepare(), x.Text("é")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(700 * time.Millisecond)
	if d.keymapOf() == before {
		t.Error("a Restore from before Prepare took the keycodes away")
	}
	if err := x.Restore(); err != nil {
		t.Fatal(err)
	}
	d.until("the keymap is as it was", func() bool { return d.keymapOf() == before })
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

// TestRobotgoMovesAndScrolls is the part of robotgo that the host uses, on a
// real display, apart from our own layer.
func TestRobotgoMovesAndScrolls(t *testing.T) {
	d := newDesktop(t)
	board := d.panel(0, 0, 800, 600)
	x := d.hands(true)
	if err := x.Move(345, 123); err != nil {
		t.Fatal(err)
	}
	if px, py := d.pointer(); px != 345 || py != 123 {
		t.Errorf("the pointer is at %d, %d", px, py)
	}
	// A press on one connection and a move on robotgo's stay in order.
	for i := range 200 {
		if err := errors.Join(x.Move(10+i, 10), x.Button(input.Left, true), x.Button(input.Left, false)); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Wheel(0, -240); err != nil {
		t.Fatal(err)
	}
	d.until("all events", func() bool { return len(board.seen()) >= 402 })
	seen := board.seen()
	if len(seen) != 402 || seen[400] != "wheel up" || seen[401] != "wheel up" {
		t.Errorf("%d events, ending %v", len(seen), seen[max(0, len(seen)-3):])
	}
	board.mu.Lock()
	for i, x := range board.xs[:min(400, len(board.xs))] {
		if x != 10+i/2 {
			t.Errorf("button event %d happened at %d, want %d", i, x, 10+i/2)
		}
	}
	board.mu.Unlock()
	t.Run("not on another display", func(t *testing.T) {
		other := newDesktop(t)
		t.Setenv("DISPLAY", d.server.Display)
		y, err := input.OpenX11(other.server.Display)
		if err != nil {
			t.Fatal(err)
		}
		defer y.Close()
		if y.ByRobotgo() {
			t.Error("robotgo would move the pointer of another display")
		}
		if err := y.Move(11, 22); err != nil {
			t.Fatal(err)
		}
		other.until("the pointer is there", func() bool { x, y := other.pointer(); return x == 11 && y == 22 })
		if x, y := d.pointer(); x == 11 && y == 22 {
			t.Error("the pointer of $DISPLAY moved")
		}
	})
}

func TestADisplayThatIsNotThereIsAnError(t *testing.T) {
	for _, display := range []string{":4711", "nonsense", "", ":", "\x00"} {
		t.Run(display, func(t *testing.T) {
			t.Setenv("DISPLAY", "")
			if x, err := input.OpenX11(display); err == nil {
				x.Close()
				t.Error("opened")
			}
			if g, err := input.OpenX11Guard(display); err == nil {
				g.Close()
				t.Error("guarded")
			}
		})
	}
}

func TestMain(m *testing.M) {
	os.Unsetenv("WINDOWID") // of the terminal the tests run in
	xgb.Logger = log.New(io.Discard, "", 0)
	os.Exit(m.Run())
}
