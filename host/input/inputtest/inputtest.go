// Package inputtest is the suite that every input.Injector passes, on a real
// desktop or a fake one, and ears for what an input.Person tells.
package inputtest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/input"
)

// Desk is an Injector and eyes on its desktop. The eyes see what programs see,
// not what the Injector was asked.
type Desk struct {
	Injector input.Injector
	// Pointer is where the pointer is.
	Pointer func() (x, y int)
	// Buttons are the events that a window under the pointer got so far:
	// "left down", "forward up", and a notch of the wheel as "wheel up",
	// "wheel down", "wheel left" or "wheel right".
	Buttons func() []string
	// Typed is what a program with the focus has read so far.
	Typed func() string
	// Lose takes the desktop away under the Injector; nil where that cannot be.
	Lose func()
}

// patience is how long a desktop may take to show what was done to it.
const patience = 10 * time.Second

// Run tests the Injectors that open makes; each gets a desk of its own. The desk
// has an English (US) keyboard and no locks.
func Run(t *testing.T, open func(t *testing.T) Desk) {
	for name, test := range map[string]func(*testing.T, Desk){
		"the pointer goes where it is sent":       pointer,
		"each button is itself":                   buttons,
		"the wheel turns by notches of 120":       wheel,
		"text arrives exactly":                    text,
		"a key that agrees is pressed":            agreeing,
		"a key that differs is typed as text":     differing,
		"a shortcut follows its letter":           shortcut,
		"a held Shift does not spoil text":        shift,
		"what cannot be typed is said":            untypable,
		"Prepare and Restore may come repeatedly": prepare,
		"Close releases and is final":             closing,
		"a lost desktop is ErrLost":               lost,
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			test(t, d)
			if err := d.Injector.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// press types one key as a technician does.
func press(t *testing.T, d Desk, k input.Key) {
	t.Helper()
	must(t, d.Injector.Key(k, true))
	must(t, d.Injector.Key(k, false))
}

func (d Desk) wantTyped(t *testing.T, want string) {
	t.Helper()
	var got string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got = d.Typed(); len(got) >= len(want) {
			break
		}
	}
	time.Sleep(20 * time.Millisecond) // for what should not come
	if got = d.Typed(); got != want {
		t.Errorf("the program read %q, want %q", got, want)
	}
}

func (d Desk) wantButtons(t *testing.T, want ...string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if len(d.Buttons()) >= len(want) {
			break
		}
	}
	time.Sleep(20 * time.Millisecond)
	if got := d.Buttons(); !slices.Equal(got, want) {
		t.Errorf("the window got\n\t%s\nwant\n\t%s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

func pointer(t *testing.T, d Desk) {
	for _, p := range [][2]int{{10, 20}, {300, 200}, {0, 0}, {123, 45}} {
		must(t, d.Injector.Move(p[0], p[1]))
		var x, y int
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if x, y = d.Pointer(); x == p[0] && y == p[1] {
				break
			}
		}
		if x != p[0] || y != p[1] {
			t.Errorf("the pointer is at %d, %d, want %d, %d", x, y, p[0], p[1])
		}
	}
}

func buttons(t *testing.T, d Desk) {
	must(t, d.Injector.Move(100, 100))
	var want []string
	for b, name := range []string{"left", "middle", "right", "back", "forward"} {
		must(t, d.Injector.Button(input.Button(b), true))
		must(t, d.Injector.Button(input.Button(b), false))
		want = append(want, name+" down", name+" up")
	}
	d.wantButtons(t, want...)
}

func wheel(t *testing.T, d Desk) {
	must(t, d.Injector.Move(100, 100))
	for range 3 {
		must(t, d.Injector.Wheel(0, 50)) // 150: one notch and a quarter
	}
	d.wantButtons(t, "wheel down")
	must(t, d.Injector.Wheel(0, -120)) // the other way starts anew
	must(t, d.Injector.Wheel(-120, 0))
	must(t, d.Injector.Wheel(240, 0))
	d.wantButtons(t, "wheel down", "wheel up", "wheel left", "wheel right", "wheel right")
}

func text(t *testing.T, d Desk) {
	must(t, d.Injector.Prepare())
	const s = "Bonjour, ça va ? @#€ «Où» — naïve cœur\tÀ É\n{[|\\~^`]}"
	must(t, d.Injector.Text(s))
	d.wantTyped(t, s)
}

func agreeing(t *testing.T, d Desk) {
	press(t, d, input.Key{Usage: 0x04, Text: "a"})
	must(t, d.Injector.Key(input.Key{Usage: 0xE1, Modifiers: input.ModShift}, true))
	press(t, d, input.Key{Usage: 0x05, Text: "B", Modifiers: input.ModShift})
	must(t, d.Injector.Key(input.Key{Usage: 0xE1}, false))
	press(t, d, input.Key{Usage: 0x06, Text: "c"})
	press(t, d, input.Key{Usage: 0x28}) // Enter
	press(t, d, input.Key{Usage: 0x2C, Text: " "})
	d.wantTyped(t, "aBc\n ")
}

func differing(t *testing.T, d Desk) {
	press(t, d, input.Key{Usage: 0x14, Text: "a"}) // AZERTY
	press(t, d, input.Key{Usage: 0x1F, Text: "é"})
	must(t, d.Injector.Key(input.Key{Usage: 0xE1, Modifiers: input.ModShift}, true))
	press(t, d, input.Key{Usage: 0x1F, Text: "2", Modifiers: input.ModShift})
	must(t, d.Injector.Key(input.Key{Usage: 0xE1}, false))
	must(t, d.Injector.Key(input.Key{Usage: 0xE6, Modifiers: input.ModAltGraph}, true))
	press(t, d, input.Key{Usage: 0x08, Text: "€", Modifiers: input.ModAltGraph})
	must(t, d.Injector.Key(input.Key{Usage: 0xE6}, false))
	press(t, d, input.Key{Usage: 0x04, Text: "A", Locks: 1}) // the technician's CapsLock
	d.wantTyped(t, "aé2€A")
}

func shortcut(t *testing.T, d Desk) {
	must(t, d.Injector.Key(input.Key{Usage: 0xE0, Modifiers: input.ModControl}, true))
	press(t, d, input.Key{Usage: 0x06, Text: "c", Modifiers: input.ModControl})
	press(t, d, input.Key{Usage: 0x0B, Text: "c", Modifiers: input.ModControl}) // Bépo: this is the key H here
	press(t, d, input.Key{Usage: 0x06, Text: "с", Modifiers: input.ModControl}) // Cyrillic: no key says so here
	must(t, d.Injector.Key(input.Key{Usage: 0xE0}, false))
	press(t, d, input.Key{Usage: 0x06, Text: "c"})
	d.wantTyped(t, "\x03\x03\x03c")
}

func shift(t *testing.T, d Desk) {
	must(t, d.Injector.Key(input.Key{Usage: 0xE1, Modifiers: input.ModShift}, true))
	must(t, d.Injector.Text("aA2é"))
	press(t, d, input.Key{Usage: 0x04, Text: "A", Modifiers: input.ModShift}) // still held
	must(t, d.Injector.Key(input.Key{Usage: 0xE1}, false))
	press(t, d, input.Key{Usage: 0x04, Text: "a"})
	d.wantTyped(t, "aA2éAa")
}

func untypable(t *testing.T, d Desk) {
	if err := d.Injector.Text("a\x01b"); !errors.Is(err, input.ErrCannotType) {
		t.Errorf("Text with a control character: %v", err)
	}
	d.wantTyped(t, "ab")
}

func prepare(t *testing.T, d Desk) {
	for range 2 {
		must(t, d.Injector.Prepare())
		must(t, d.Injector.Prepare())
		must(t, d.Injector.Text("œ"))
		must(t, d.Injector.Restore())
		must(t, d.Injector.Restore())
	}
	d.wantTyped(t, "œœ")
}

func closing(t *testing.T, d Desk) {
	must(t, d.Injector.Move(100, 100))
	must(t, d.Injector.Button(input.Right, true))
	must(t, d.Injector.Key(input.Key{Usage: 0x04, Text: "a"}, true))
	must(t, d.Injector.Close())
	must(t, d.Injector.Close())
	if err := d.Injector.Move(1, 1); !errors.Is(err, input.ErrLost) {
		t.Errorf("Move after Close: %v", err)
	}
	d.wantButtons(t, "right down", "right up")
	d.wantTyped(t, "a")
}

func lost(t *testing.T, d Desk) {
	if d.Lose == nil {
		return
	}
	must(t, d.Injector.Key(input.Key{Usage: 0xE1}, true))
	d.Lose()
	for name, call := range map[string]func() error{
		"Move":        func() error { return d.Injector.Move(1, 1) },
		"Button":      func() error { return d.Injector.Button(input.Left, true) },
		"Wheel":       func() error { return d.Injector.Wheel(0, 120) },
		"Key down":    func() error { return d.Injector.Key(input.Key{Usage: 0x04, Text: "a"}, true) },
		"Key release": func() error { return d.Injector.Key(input.Key{Usage: 0xE1}, false) },
		"Text":        func() error { return d.Injector.Text("a") },
		"Prepare":     func() error { return d.Injector.Prepare() },
	} {
		// The first call may be the one that finds out.
		var err error
		for end := time.Now().Add(patience); err == nil && time.Now().Before(end); time.Sleep(time.Millisecond) {
			err = call()
		}
		if !errors.Is(err, input.ErrLost) {
			t.Errorf("%s: %v, want ErrLost", name, err)
		}
	}
}
