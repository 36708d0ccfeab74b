package input_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jezek/xgb/xproto"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/input/inputtest"
)

// Keycodes of the US keyboard that Xvfb has.
const (
	keyEnd, keyControl, keyAlt, keyCaps, keyNum, keyA = 115, 37, 64, 66, 77, 38
)

func (d *desktop) person(h *inputtest.Heard) *input.X11Person {
	d.t.Helper()
	p, err := input.OpenX11Person(d.server.Display, h.Ears())
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { p.Close() })
	return p
}

func TestThePersonsHandsAreToldFromTheTechnicians(t *testing.T) { // C65
	d := newDesktop(t)
	d.layout("us")
	h := new(inputtest.Heard)
	d.person(h)
	x := d.hands(false)
	devices := inputtest.OpenDevices(t, d.server.Display)
	step := func(name string, do func(), mine bool) {
		t.Helper()
		before, _ := h.Counts()
		do()
		if mine {
			d.until(name, func() bool { now, _ := h.Counts(); return now > before })
			return
		}
		// A touch of the mouse's own comes after what the hands did before it.
		devices.Button(2, true)
		devices.Button(2, false)
		d.until(name, func() bool { now, _ := h.Counts(); return now >= before+2 })
		if now, _ := h.Counts(); now != before+2 {
			t.Errorf("%s: the technician's hands were taken for the person's", name)
		}
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	step("the mouse moves", func() { devices.Move(100, 100) }, true)
	if px, py := d.pointer(); px != 100 || py != 100 {
		t.Fatalf("the test's mouse moved to %d, %d", px, py)
	}
	step("a key", func() { devices.Key(keyA, true); devices.Key(keyA, false) }, true)
	step("the technician moves", func() { must(x.Move(200, 200)) }, false)
	step("the technician clicks", func() { must(errors.Join(x.Button(input.Left, true), x.Button(input.Left, false))) }, false)
	step("the technician turns the wheel", func() { must(x.Wheel(0, 240)) }, false)
	step("the technician types", func() {
		k := input.Key{Usage: 4, Text: "a"}
		must(errors.Join(x.Key(k, true), x.Key(k, false), x.Text("é")))
	}, false)
}

func TestThePanicKey(t *testing.T) { // C64
	d := newDesktop(t)
	d.layout("us")
	h := new(inputtest.Heard)
	p := d.person(h)
	if p.PanicKey() != "Ctrl+Alt+End" {
		t.Fatalf("the panic key is %q", p.PanicKey())
	}
	devices := inputtest.OpenDevices(t, d.server.Display)
	press := func(codes ...byte) {
		for _, c := range codes {
			devices.Key(c, true)
		}
		for _, c := range codes {
			devices.Key(c, false)
		}
	}
	wait := func(want int) {
		t.Helper()
		before, _ := h.Counts()
		press(keyA)
		d.until("the keys are heard", func() bool { now, _ := h.Counts(); return now >= before+2 })
		if _, now := h.Counts(); now != want {
			t.Errorf("the panic key was heard %d times, want %d", now, want)
		}
	}
	press(keyEnd)
	press(keyControl, keyEnd)
	press(keyAlt, keyEnd)
	wait(0)
	press(keyControl, keyAlt, keyEnd)
	wait(1)
	press(keyCaps) // locks
	press(keyNum)
	press(keyControl, keyAlt, keyEnd)
	wait(2)

	t.Run("not by the technician", func(t *testing.T) {
		x := d.hands(false)
		for _, down := range []bool{true, false} {
			for _, usage := range []uint16{0xe0, 0xe2, 0x4d} { // Control, Alt, End
				if err := x.Key(input.Key{Usage: usage, Modifiers: input.ModControl | input.ModAlt}, down); err != nil {
					t.Fatal(err)
				}
			}
		}
		wait(2)
	})
	t.Run("not where another program has it", func(t *testing.T) {
		other := new(inputtest.Heard)
		if key := d.person(other).PanicKey(); key != "" {
			t.Errorf("promises %q", key)
		}
		press(keyControl, keyAlt, keyEnd)
		wait(3)
		if _, n := other.Counts(); n != 0 {
			t.Error("heard a key that it does not have")
		}
	})
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	d.until("the keys are free again", func() bool {
		q, err := input.OpenX11Person(d.server.Display, input.Ears{Acted: func() {}, Panic: func() {}, Front: func(input.Front) {}})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		return q.PanicKey() != ""
	})
}

// program opens a window with a class and a title.
func (d *desktop) program(class, title string) xproto.Window {
	d.t.Helper()
	w, err := xproto.NewWindowId(d.c)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, err := range []error{
		xproto.CreateWindowChecked(d.c, 0, w, d.root, 0, 0, 100, 100, 0, xproto.WindowClassInputOutput, 0, 0, nil).Check(),
		xproto.ChangePropertyChecked(d.c, xproto.PropModeReplace, w, xproto.AtomWmClass, xproto.AtomString, 8, uint32(len(class)), []byte(class)).Check(),
		xproto.ChangePropertyChecked(d.c, xproto.PropModeReplace, w, xproto.AtomWmName, xproto.AtomString, 8, uint32(len(title)), []byte(title)).Check(),
		xproto.MapWindowChecked(d.c, w).Check(),
		xproto.SetInputFocusChecked(d.c, xproto.InputFocusParent, w, xproto.TimeCurrentTime).Check(),
	} {
		if err != nil {
			d.t.Fatal(err)
		}
	}
	return w
}

func TestTheWindowInFront(t *testing.T) { // C66, C67
	d := newDesktop(t)
	h := new(inputtest.Heard)
	d.person(h)
	d.until("nothing is in front", func() bool { return h.Last() == input.Front{} })
	prompt := d.program("pinentry\x00Pinentry\x00", "Passphrase:")
	d.until("the prompt is", func() bool { return h.Last() == input.Front{Class: "pinentry Pinentry", Title: "Passphrase:"} })
	other := d.program("firefox\x00Firefox\x00", "News")
	d.until("the browser is", func() bool { return h.Last() == input.Front{Class: "firefox Firefox", Title: "News"} })
	title := "Ma banque – Comptes"
	name, _ := xproto.InternAtom(d.c, false, 12, "_NET_WM_NAME").Reply()
	utf8, _ := xproto.InternAtom(d.c, false, 11, "UTF8_STRING").Reply()
	if err := xproto.ChangePropertyChecked(d.c, xproto.PropModeReplace, other, name.Atom, utf8.Atom, 8, uint32(len(title)), []byte(title)).Check(); err != nil {
		t.Fatal(err)
	}
	d.until("its other page is", func() bool { return h.Last().Title == title })
	xproto.DestroyWindow(d.c, other)
	xproto.SetInputFocus(d.c, xproto.InputFocusParent, prompt, xproto.TimeCurrentTime)
	d.until("the prompt is again", func() bool { return strings.HasPrefix(h.Last().Class, "pinentry") })
}

// A hostile or broken stream of the X server's ends the connection and nothing else.
func TestGenericEventsLeaveTheStream(t *testing.T) {
	event := make([]byte, 32+8)
	event[0] = 35
	binary.LittleEndian.PutUint32(event[4:], 2)
	reply := make([]byte, 32+4)
	reply[0], reply[35] = 1, 9
	binary.LittleEndian.PutUint32(reply[4:], 1)
	plain := make([]byte, 32)
	plain[0] = 2
	setup := make([]byte, 8+4)
	setup[6] = 1
	stream := append(append(append(append(append([]byte(nil), setup...), event...), reply...), event...), plain...)
	events := 0
	got, err := input.ReadGeneric(stream, func(b []byte) {
		if len(b) != 40 {
			t.Errorf("an event of %d bytes", len(b))
		}
		events++
	})
	want := string(setup) + string(reply) + string(plain)
	if err != nil || string(got) != want || events != 2 {
		t.Errorf("passed on %d bytes, %d events, %v; want %d, 2", len(got), events, err, len(want))
	}
	binary.LittleEndian.PutUint32(event[4:], 1<<30)
	if _, err := input.ReadGeneric(append(setup, event...), func([]byte) {}); err == nil {
		t.Error("an event of 4 GiB was awaited")
	}
}

func FuzzXWire(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 35, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = input.ReadGeneric(b, func([]byte) {})
		_ = input.DeviceNames(b)
		_, _ = input.FindCookie(b, "host", "0")
	})
}

func TestTheCookieOfADisplay(t *testing.T) {
	entry := func(family uint16, fields ...string) (b []byte) {
		b = binary.BigEndian.AppendUint16(b, family)
		for _, f := range fields {
			b = binary.BigEndian.AppendUint16(b, uint16(len(f)))
			b = append(b, f...)
		}
		return b
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	const kind, cookie = "MIT-MAGIC-COOKIE-1", "0123456789abcdef"
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"this one":     {entry(256, host, "7", kind, cookie), cookie},
		"any":          {entry(65535, "", "", kind, cookie), cookie},
		"another host": {entry(256, "elsewhere", "7", kind, cookie), ""},
		"another one":  {entry(256, host, "8", kind, cookie), ""},
		"another kind": {entry(256, host, "7", "XDM", cookie), ""},
		"second":       {append(entry(256, host, "8", kind, "fedcba9876543210"), entry(256, host, "7", kind, cookie)...), cookie},
		"none":         {nil, ""},
	} {
		if got, err := input.FindCookie(c.file, "", "7"); err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := input.FindCookie(entry(256, host, "7", kind, cookie)[:20], "", "7"); err == nil {
		t.Error("half a file was read")
	}
	t.Setenv("XAUTHORITY", filepath.Join(t.TempDir(), "none"))
	d := newDesktop(t)
	d.person(new(inputtest.Heard))
}

func TestADisplayWithoutAPersonIsAnError(t *testing.T) {
	for _, display := range []string{":4711", "nonsense", ":", "/tmp/x:0", "\x00"} {
		if p, err := input.OpenX11Person(display, input.Ears{}); err == nil {
			p.Close()
			t.Errorf("%q was opened", display)
		}
	}
}
