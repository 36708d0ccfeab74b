package input_test

import (
	"errors"
	"image"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/input/inputtest"
)

var (
	user32       = windows.NewLazySystemDLL("user32.dll")
	getCursorPos = user32.NewProc("GetCursorPos")
	getKeyState  = user32.NewProc("GetAsyncKeyState")
)

func cursorPos(t *testing.T) (x, y int) {
	t.Helper()
	var at [2]int32
	if ok, _, err := getCursorPos.Call(uintptr(unsafe.Pointer(&at))); ok == 0 {
		t.Fatal(err)
	}
	return int(at[0]), int(at[1])
}

// typed is what a window read, with Enter as a newline.
func typed(w *capturetest.Window) string { return strings.ReplaceAll(w.Typed(), "\r", "\n") }

func TestSendInputPassesTheSuite(t *testing.T) {
	w := focused(t)
	inputtest.Run(t, func(t *testing.T) inputtest.Desk {
		read, seen := len(typed(w)), len(w.Buttons())
		return inputtest.Desk{
			Injector: input.OpenSendInput(input.VirtualKeys),
			Pointer:  func() (int, int) { return cursorPos(t) },
			Buttons:  func() []string { return w.Buttons()[seen:] },
			Typed:    func() string { return typed(w)[read:] },
		}
	})
}

// focused opens a window and waits until keys reach it. Wine forgets what is
// down when the focus moves, and it moves a moment after it is asked to.
func focused(t *testing.T) *capturetest.Window {
	t.Helper()
	w := capturetest.NewWindow(t, image.Rect(0, 0, 400, 300), true)
	s := hands(t, input.VirtualKeys)
	for end := time.Now().Add(20 * time.Second); len(w.Keys()) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no key reaches the window")
		}
		press(t, s, input.Key{Usage: 0x69}) // F14, which nobody misses
	}
	time.Sleep(200 * time.Millisecond)
	w.Forget()
	return w
}

func hands(t *testing.T, mode input.KeyMode) *input.SendInput {
	t.Helper()
	s := input.OpenSendInput(mode)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func press(t *testing.T, s *input.SendInput, k input.Key) {
	t.Helper()
	for _, down := range []bool{true, false} {
		if err := s.Key(k, down); err != nil {
			t.Fatalf("usage %#x: %v", k.Usage, err)
		}
	}
}

// wants waits for a window to have read something.
func wants(t *testing.T, w *capturetest.Window, want string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); len(typed(w)) < len(want) && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(30 * time.Millisecond) // for what should not come
	if got := typed(w); got != want {
		t.Errorf("the program read %q, want %q", got, want)
	}
}

// Each pixel has its own place in the 65536ths that Windows counts in.
func TestThePointerLandsOnEveryPixel(t *testing.T) {
	s := hands(t, input.VirtualKeys)
	for x := range 300 {
		if err := s.Move(x, 299-x); err != nil {
			t.Fatal(err)
		}
		var px, py int
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if px, py = cursorPos(t); px == x && py == 299-x {
				break
			}
		}
		if px != x || py != 299-x {
			t.Fatalf("sent to %d, %d, the pointer is at %d, %d", x, 299-x, px, py)
		}
	}
}

// Characters beyond 16 bits are two units on Windows.
func TestAnyCharacterArrives(t *testing.T) {
	w := focused(t)
	s := hands(t, input.VirtualKeys)
	const text = "日本 Ω 🙂𝄞 Œuvre\r\nfin"
	if err := s.Text(text); err != nil {
		t.Fatal(err)
	}
	wants(t, w, "日本 Ω 🙂𝄞 Œuvre\nfin")
}

// A modifier that the technician holds makes no command of text, and is down
// again afterwards.
func TestHeldModifiersDoNotSpoilText(t *testing.T) {
	w := focused(t)
	s := hands(t, input.VirtualKeys)
	for _, usage := range []uint16{0xE0, 0xE2} { // Control, Alt
		if err := s.Key(input.Key{Usage: usage}, true); err != nil {
			t.Fatal(err)
		}
		w.Forget()
		if err := s.Text("aé\n€"); err != nil {
			t.Fatal(err)
		}
		wants(t, w, "aé\n€")
		if n := w.Spoiled(); n != 0 {
			t.Errorf("with usage %#x held, %d characters are commands", usage, n)
		}
		if err := s.Key(input.Key{Usage: usage}, false); err != nil {
			t.Fatal(err)
		}
	}
}

// The technician's NumLock decides, not the person's.
func TestTheKeypadTypesWhatTheTechnicianSees(t *testing.T) {
	w := focused(t)
	s := hands(t, input.VirtualKeys)
	for i, text := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "."} {
		press(t, s, input.Key{Usage: 0x59 + uint16(i), Text: text})
	}
	press(t, s, input.Key{Usage: 0x59}) // End
	press(t, s, input.Key{Usage: 0x63, Text: ","})
	wants(t, w, "1234567890.,")
	var end bool
	for _, k := range w.Keys() {
		end = end || k == 0x23 // VK_END
	}
	if !end {
		t.Errorf("KP1 without NumLock is no End: keys %x", w.Keys())
	}
}

// Every key that types nothing is pressed as itself.
func TestKeysThatTypeNothingArriveAsThemselves(t *testing.T) {
	w := focused(t)
	s := hands(t, input.VirtualKeys)
	for _, k := range []struct {
		usage uint16
		vk    uint16
	}{
		{0x3A, 0x70}, {0x42, 0x78}, {0x44, 0x7A}, // F1 F9 F11; F10 and Alt open menus
		{0x49, 0x2D}, {0x4A, 0x24}, {0x4B, 0x21}, {0x4C, 0x2E}, {0x4D, 0x23}, {0x4E, 0x22}, // Insert to PageDown
		{0x4F, 0x27}, {0x50, 0x25}, {0x51, 0x28}, {0x52, 0x26}, // arrows
		{0x29, 0x1B}, {0x2A, 0x08}, {0x48, 0x13}, {0x58, 0x0D}, // Escape Backspace Pause KPEnter
	} {
		before := len(w.Keys())
		press(t, s, input.Key{Usage: k.usage})
		var got []uint16
		for end := time.Now().Add(5 * time.Second); len(got) == 0 && time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
			got = w.Keys()[before:]
		}
		if len(got) != 1 || got[0] != k.vk {
			t.Errorf("usage %#x arrived as %#x, want %#x", k.usage, got, k.vk)
		}
	}
}

// A key held by the technician repeats when theirs does, and by itself never.
func TestAHeldKeyRepeatsWhenTheTechniciansDoes(t *testing.T) {
	w := focused(t)
	s := hands(t, input.VirtualKeys)
	k := input.Key{Usage: 0x04, Text: "a"}
	for range 3 {
		if err := s.Key(k, true); err != nil {
			t.Fatal(err)
		}
	}
	wants(t, w, "aaa")
	time.Sleep(700 * time.Millisecond)
	wants(t, w, "aaa")
	if err := s.Key(k, false); err != nil {
		t.Fatal(err)
	}
}

// Nothing is left down, whatever was held when the session ended.
func TestCloseLetsEverythingGo(t *testing.T) {
	focused(t)
	s := input.OpenSendInput(input.VirtualKeys)
	for _, usage := range []uint16{0xE0, 0xE1, 0xE2} {
		if err := s.Key(input.Key{Usage: usage}, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Text("é"); err != nil { // lets go and holds again
		t.Fatal(err)
	}
	held := func() (n int) {
		for _, vk := range []uintptr{0x10, 0x11, 0x12} {
			if r, _, _ := getKeyState.Call(vk); r&0x8000 != 0 {
				n++
			}
		}
		return n
	}
	for end := time.Now().Add(5 * time.Second); held() != 3 && time.Now().Before(end); {
		time.Sleep(2 * time.Millisecond)
	}
	if n := held(); n != 3 {
		t.Errorf("%d modifiers are down, want 3", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(5 * time.Second); held() != 0 && time.Now().Before(end); {
		time.Sleep(2 * time.Millisecond)
	}
	if n := held(); n != 0 {
		t.Errorf("%d modifiers are left down", n)
	}
}

// Wine types nothing for a scan code alone, so only what is sent is looked at.
func TestAKeyIsNamedAsTheModeSays(t *testing.T) {
	const isExtended, up, scanCode = 0x1, 0x2, 0x8
	for _, c := range []struct {
		mode     input.KeyMode
		vk, scan uint16
		down     bool
		wantVK   uint16
		flags    uint32
	}{
		{input.VirtualKeys, 0x41, 0x1E, true, 0x41, 0},
		{input.VirtualKeys, 0x27, 0xE04D, false, 0x27, isExtended | up},
		{input.ScanCodes, 0x41, 0x1E, true, 0, scanCode},
		{input.ScanCodes, 0x27, 0xE04D, false, 0, scanCode | isExtended | up},
	} {
		vk, scan, flags := input.EventOf(c.mode, c.vk, c.scan, c.down)
		if vk != c.wantVK || scan != c.scan&0xFF || flags != c.flags {
			t.Errorf("%+v is sent as key %#x, scan code %#x, flags %#x", c, vk, scan, flags)
		}
	}
}

// What Windows takes from hardware alone is refused, not lost.
func TestWhatWindowsKeepsIsSaid(t *testing.T) {
	focused(t)
	s := hands(t, input.VirtualKeys)
	const both = input.ModControl | input.ModAlt
	for _, k := range []struct {
		input.Key
		kept bool
	}{
		{input.Key{Usage: 0x4C, Modifiers: both}, true},
		{input.Key{Usage: 0x63, Modifiers: both}, true},
		{input.Key{Usage: 0x63, Text: ",", Modifiers: both | input.ModAltGraph}, false},
		{input.Key{Usage: 0x4C, Modifiers: input.ModControl}, false},
		{input.Key{Usage: 0x0F, Text: "l", Modifiers: input.ModMeta}, true},
		{input.Key{Usage: 0x0F, Text: "l", Modifiers: input.ModAlt}, false},
	} {
		err := s.Key(k.Key, true)
		if errors.Is(err, input.ErrReserved) != k.kept || !k.kept && err != nil {
			t.Errorf("%+v: %v", k.Key, err)
		}
		if err := s.Key(k.Key, false); err != nil {
			t.Errorf("%+v: %v", k.Key, err)
		}
	}
}
