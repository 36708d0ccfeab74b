package input_test

import (
	"errors"
	"fmt"
	"image"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/input/inputtest"
	"github.com/mainforte/mainforte/host/winthread"
)

func person(t *testing.T, h *inputtest.Heard) *input.WindowsPerson {
	t.Helper()
	p, err := input.OpenWindowsPerson(h.Ears())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// devices are the mouse and the keyboard of the X server that Wine draws on: what
// they do is the person's. On a real Windows somebody has to be that person.
func devices(t *testing.T) func(args ...string) {
	t.Helper()
	if !winthread.UnderWine {
		const why = "this test moves the mouse of an X server, under Wine"
		fmt.Fprintln(os.Stderr, t.Name()+":", why)
		t.Skip(why)
	}
	return func(args ...string) {
		t.Helper()
		const program = `Z:\usr\bin\xdotool`
		null, err := os.OpenFile("NUL", os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		// It is a program of Linux, of which Wine gives no process to wait for.
		_, err = os.StartProcess(program, append([]string{program}, args...), &os.ProcAttr{Files: []*os.File{null, null, null}})
		if err != nil && !strings.Contains(err.Error(), "handle") {
			t.Fatal(err)
		}
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestThePersonsHandsAreToldFromTheTechnicians(t *testing.T) { // C65
	focused(t)
	h := new(inputtest.Heard)
	device := devices(t)
	person(t, h)
	s := hands(t, input.VirtualKeys)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name   string
		do     func()
		events int // of the person's
	}{
		{"the mouse moves", func() { device("mousemove", "100", "100") }, 1},
		{"a key", func() { device("key", "a") }, 2},
		{"a click", func() { device("click", "2") }, 2},
		{"the technician moves", func() { must(s.Move(200, 200)) }, 0},
		{"the technician clicks", func() { must(errors.Join(s.Button(input.Left, true), s.Button(input.Left, false))) }, 0},
		{"the technician turns the wheel", func() { must(s.Wheel(0, 240)) }, 0},
		{"the technician types", func() {
			press(t, s, input.Key{Usage: 4, Text: "a"})
			must(s.Text("é"))
		}, 0},
	} {
		before, _ := h.Counts()
		want := before + step.events
		step.do()
		if step.events == 0 { // a touch of the mouse's own comes after what the hands did before it
			device("click", "2")
			want += 2
		}
		until(t, step.name, func() bool { now, _ := h.Counts(); return now >= want })
		if now, _ := h.Counts(); now != want {
			t.Errorf("%s: %d events were taken for the person's, want %d", step.name, now-before, want-before)
		}
	}
}

func TestThePanicKey(t *testing.T) { // C64
	focused(t)
	h := new(inputtest.Heard)
	device := devices(t)
	p := person(t, h)
	if p.PanicKey() != "Ctrl+Alt+End" {
		t.Fatalf("the panic key is %q", p.PanicKey())
	}
	wait := func(after string, want int) {
		t.Helper()
		until(t, after, func() bool { _, now := h.Counts(); return now >= want })
		if _, now := h.Counts(); now != want {
			t.Errorf("%s: the panic key was heard %d times, want %d", after, now, want)
		}
	}
	// Each key is heard going down and up; else the next are pressed while these are down.
	heardBy := func(h *inputtest.Heard, keys string) {
		t.Helper()
		before, _ := h.Counts()
		device("key", keys)
		until(t, keys, func() bool { now, _ := h.Counts(); return now >= before+2*(1+strings.Count(keys, "+")) })
	}
	pressed := func(keys string) { t.Helper(); heardBy(h, keys) }
	pressed("End")
	pressed("ctrl+End")
	pressed("alt+End")
	wait("others", 0)
	pressed("ctrl+alt+End")
	wait("the panic key", 1)
	pressed("Num_Lock")
	pressed("ctrl+alt+End")
	pressed("Num_Lock")
	wait("with a lock", 2)

	s := hands(t, input.VirtualKeys)
	technician := func() {
		for _, down := range []bool{true, false} {
			for _, usage := range []uint16{0xe0, 0xe2, 0x4d} { // Control, Alt, End
				if err := s.Key(input.Key{Usage: usage, Modifiers: input.ModControl | input.ModAlt}, down); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	technician()
	pressed("a")
	wait("the technician's", 2)
	pressed("ctrl+alt+End")
	wait("the person's, after it", 3)
	technician()
	technician()
	pressed("ctrl+alt+End")
	wait("the person's, after two", 4)

	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	other(t, 0).do("hotkey")
	q := new(inputtest.Heard)
	late := person(t, q)
	if key := late.PanicKey(); key != "" {
		t.Errorf("promises %q, which another program has", key)
	}
	heardBy(q, "ctrl+alt+End")
	heardBy(q, "a")
	if _, n := q.Counts(); n != 0 {
		t.Error("heard a key that it does not have")
	}
	if _, n := h.Counts(); n != 4 {
		t.Error("heard after it was closed")
	}
}

func TestTheWindowInFront(t *testing.T) { // C66, C67
	w := capturetest.NewWindow(t, image.Rect(0, 200, 100, 300), true)
	h := new(inputtest.Heard)
	person(t, h)
	w.Focus()
	until(t, "ours is in front", func() bool {
		f := h.Last()
		return f.Class == "mainforte-test" && f.Title == "Mainforte test" && strings.HasSuffix(f.Program, ".test") && !f.Secret
	})
	p := other(t, 0)
	p.focus()
	until(t, "another program's is", func() bool { return h.Last().Title == "Mainforte test" && !h.Last().Secret })
	p.do("title Ma banque – Comptes")
	until(t, "its other page is", func() bool { return h.Last().Title == "Ma banque – Comptes" })
	for _, kind := range []string{"text", "password"} {
		p.do("edit " + kind)
		until(t, "a field for a "+kind, func() bool { return h.Last().Secret == (kind == "password") })
	}
	p.do("focus")
	until(t, "no field", func() bool { return !h.Last().Secret })
}

// TestAWindowThatHangsIsDescribed: nothing is asked of a program that may not answer.
func TestAWindowThatHangsIsDescribed(t *testing.T) {
	p := other(t, 0)
	p.focus()
	p.do("title hangs")
	p.do("hang")
	h := new(inputtest.Heard)
	person(t, h)
	until(t, "it is described", func() bool { return h.Last().Title == "hangs" })
}

var (
	createWindow   = user32.NewProc("CreateWindowExW")
	setFocus       = user32.NewProc("SetFocus")
	setWindowText  = user32.NewProc("SetWindowTextW")
	registerHotKey = user32.NewProc("RegisterHotKey")
)

// obey is what the other program does besides.
func obey(t *testing.T, w *capturetest.Window, order string) {
	verb, rest, _ := strings.Cut(order, " ")
	text := func(s string) uintptr { return uintptr(unsafe.Pointer(windows.StringToUTF16Ptr(s))) }
	w.Do(func() {
		switch verb {
		case "title":
			setWindowText.Call(uintptr(w.Handle), text(rest))
		case "edit":
			style := uintptr(0x50000000) // WS_CHILD, WS_VISIBLE
			if rest == "password" {
				style |= 0x20 // ES_PASSWORD
			}
			h, _, err := createWindow.Call(0, text("Edit"), 0, style, 0, 0, 100, 20, uintptr(w.Handle), 0, 0, 0)
			if h == 0 {
				t.Error(err)
			}
			setFocus.Call(h)
		case "focus":
			setFocus.Call(uintptr(w.Handle))
		case "hotkey":
			if ok, _, err := registerHotKey.Call(uintptr(w.Handle), 1, 3, 0x23); ok == 0 { // Control, Alt, End
				t.Error(err)
			}
		}
	})
	if verb == "hang" {
		go w.Do(func() { time.Sleep(time.Hour) })
	}
}
