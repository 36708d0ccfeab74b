package input_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jezek/xgb/xproto"

	"github.com/mainforte/mainforte/host/input"
)

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

// A person who changes the layout in the middle of a session finds it prepared
// before the next key.
func TestANewLayoutIsPreparedByItself(t *testing.T) {
	d := newDesktop(t)
	d.layout("us")
	x := d.hands(false)
	const ecircumflex = 0xea
	types := func() bool {
		m, err := xproto.GetKeyboardMapping(d.c, 8, 248).Reply()
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(m.Keysyms, ecircumflex)
	}
	if err := x.Prepare(); err != nil {
		t.Fatal(err)
	}
	d.until("ê has a key", types)
	for _, layout := range []string{"gb", "us"} {
		d.layout(layout)
		d.until("ê has a key in "+layout, types)
	}
	if err := x.Restore(); err != nil {
		t.Fatal(err)
	}
	d.layout("gb")
	d.until("the new layout", func() bool { return x.Text("") == nil && !x.Remapped() })
	time.Sleep(100 * time.Millisecond) // longer than a layout takes to settle
	if types() {
		t.Error("a keyboard that was put back is prepared again")
	}
}

// A Restore whose turn comes just as control is granted again takes nothing away.
func TestALateRestoreLeavesWhatWasPreparedSince(t *testing.T) {
	d := newDesktop(t)
	x := d.hands(false)
	if err := x.Prepare(); err != nil {
		t.Fatal(err)
	}
	before := x.Borrowed()
	x.RestoreLate()
	if after := x.Borrowed(); len(before) == 0 || !slices.Equal(after, before) {
		t.Errorf("the spare keycodes were %v, then %v", before, after)
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
