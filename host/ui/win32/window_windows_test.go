package win32

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/tailscale/win"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/host/ui/face"
)

var (
	ana = ui.Technician{Name: "Ana", Organisation: "Example Hospital", SignedIn: "password", SignedInAt: "2026-11-24T13:00:00Z"}
	ask = ui.Event{Name: "ask", ID: "q1", Grant: "view", Server: "help.example.org", Text: "Ana asks to SEE your screen.",
		Technician: &ana, Ticket: &ui.Ticket{Number: "1042", Subject: "Excel is slow"}}
)

func helper(id, name, control string) ui.Participant {
	return ui.Participant{ID: id, Technician: ui.Technician{Name: name}, Kind: "lead", Connected: true,
		Grants: []ui.Grant{{Name: "view", State: "allowed"}, {Name: "control", State: control}}}
}

// opened is a window for a test, in front, with its native side.
func opened(t *testing.T, lang string) (*Window, *native) {
	t.Helper()
	w, err := Open(lang)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	c := next(t, w)
	id, err := strconv.ParseUint(c.Window, 0, 64)
	if err != nil {
		t.Fatalf("the first command names no window: %+v", c)
	}
	v, ok := natives.Load(win.HWND(id))
	if !ok {
		t.Fatalf("0x%x is not this window", id)
	}
	return w, v.(*native)
}

// next is the next command.
func next(t *testing.T, w *Window) ui.Command {
	t.Helper()
	select {
	case c, ok := <-w.Commands():
		if !ok {
			t.Fatal("the window is closed")
		}
		return c
	case <-time.After(10 * time.Second):
		t.Fatal("no command")
	}
	return ui.Command{}
}

// silent fails if there is a command.
func silent(t *testing.T, w *Window, why string) {
	t.Helper()
	select {
	case c := <-w.Commands():
		t.Errorf("%s: %+v", why, c)
	case <-time.After(700 * time.Millisecond):
	}
}

// settle returns when the window has handled what was sent before.
func (n *native) settle() {
	time.Sleep(50 * time.Millisecond)
	win.SendMessage(n.hwnd, win.WM_NULL, 0, 0)
}

// child is the control with a text, 0 if there is none.
func (n *native) child(what string) win.HWND {
	for h := win.GetWindow(n.hwnd, win.GW_CHILD); h != 0; h = win.GetWindow(h, win.GW_HWNDNEXT) {
		if strings.ReplaceAll(text(h), "&", "") == what {
			return h
		}
	}
	return 0
}

// types posts a key to the window, as the keyboard would.
func (n *native) types(key uintptr) {
	win.PostMessage(n.hwnd, win.WM_KEYDOWN, key, 1)
	win.PostMessage(n.hwnd, win.WM_KEYUP, key, 1<<31|1<<30|1)
	n.settle()
}

// ripe waits until a question can be answered.
func ripe() { time.Sleep(face.AnswerDelay + 100*time.Millisecond) }

func TestEnterDeniesAndTabThenEnterAllows(t *testing.T) {
	w, n := opened(t, "en")
	w.Show(ask)
	n.settle()
	ripe()
	n.types(win.VK_RETURN)
	if c := next(t, w); c.ID != "q1" || c.Answer != "deny" {
		t.Errorf("%+v", c)
	}
	w.Show(ask)
	n.settle()
	ripe()
	n.types(win.VK_TAB)
	n.types(win.VK_RETURN)
	if c := next(t, w); c.ID != "q1" || c.Answer != "allow" {
		t.Errorf("%+v", c)
	}
	w.Show(ask)
	n.settle()
	ripe()
	n.types(win.VK_ESCAPE)
	if c := next(t, w); c.Answer != "deny" {
		t.Errorf("%+v", c)
	}
}

func TestALetterWithoutAltAnswersNothing(t *testing.T) {
	w, n := opened(t, "en")
	w.Show(ask)
	n.settle()
	ripe()
	n.types('A')
	n.types('D')
	silent(t, w, "a letter answered")
	win.PostMessage(n.hwnd, win.WM_SYSCHAR, 'a', 1<<29)
	if c := next(t, w); c.Answer != "allow" {
		t.Errorf("Alt+A: %+v", c)
	}
}

// TestInjectedInputDoesNotAnswer: what a program sends is dropped while a
// question is open (P19); the same click lands when there is none.
func TestInjectedInputDoesNotAnswer(t *testing.T) {
	w, n := opened(t, "en")
	w.Show(ask)
	n.settle()
	ripe()
	click(t, n.child("Allow"))
	silent(t, w, "an injected click answered")
	click(t, n.child("Deny"))
	sendKey(t, win.VK_RETURN)
	silent(t, w, "an injected key answered")

	w.Show(ui.Event{Name: "withdrawn", ID: "q1"})
	w.Show(ui.Event{Name: "ended", Text: "You stopped the session."})
	n.settle()
	click(t, n.child("New code"))
	if c := next(t, w); c.Do != "again" {
		t.Errorf("the click that was sent does not land at all: %+v", c)
	}
}

// click injects a click into the middle of a control.
func click(t *testing.T, h win.HWND) {
	t.Helper()
	if h == 0 {
		t.Fatal("no such control")
	}
	var r win.RECT
	win.GetWindowRect(h, &r)
	win.SetCursorPos((r.Left+r.Right)/2, (r.Top+r.Bottom)/2)
	down := []win.MOUSE_INPUT{
		{Type: win.INPUT_MOUSE, Mi: win.MOUSEINPUT{DwFlags: win.MOUSEEVENTF_LEFTDOWN}},
		{Type: win.INPUT_MOUSE, Mi: win.MOUSEINPUT{DwFlags: win.MOUSEEVENTF_LEFTUP}},
	}
	if win.SendInput(2, unsafe.Pointer(&down[0]), int32(unsafe.Sizeof(down[0]))) != 2 {
		t.Fatal("SendInput refuses")
	}
}

func sendKey(t *testing.T, vk uint16) {
	t.Helper()
	keys := []win.KEYBD_INPUT{
		{Type: win.INPUT_KEYBOARD, Ki: win.KEYBDINPUT{WVk: vk}},
		{Type: win.INPUT_KEYBOARD, Ki: win.KEYBDINPUT{WVk: vk, DwFlags: win.KEYEVENTF_KEYUP}},
	}
	if win.SendInput(2, unsafe.Pointer(&keys[0]), int32(unsafe.Sizeof(keys[0]))) != 2 {
		t.Fatal("SendInput refuses")
	}
}

// TestReadersFindNativeControlsInOrder: screen readers and the Tab key go
// through the controls in the order of the view; a field is named by the label
// before it.
func TestReadersFindNativeControlsInOrder(t *testing.T) {
	w, n := opened(t, "fr")
	people := []ui.Participant{helper("1", "Zoé", "allowed"), helper("2", "Bo", "denied")}
	for _, e := range []ui.Event{ask, {Name: "participants", Participants: people}, {Name: "participants", Participants: people[:1]},
		{Name: "ended", Text: "x"}, {Name: "ended", Text: "y", Receipt: &ui.Receipt{Text: "z", Name: "r.txt"}}, {Name: "server", Hint: "aide.example.org"}} {
		w.Show(e)
		if e.Name == "participants" {
			w.Show(ui.Event{Name: "withdrawn"})
		}
		n.settle()
		model := face.New(face.Setting{Lang: "fr", Dialogs: true})
		model.Show(e, time.Now())
		var want, got []string
		for _, c := range model.View(time.Now()).Cells() {
			want = append(want, c.Text)
		}
		for h := win.GetWindow(n.hwnd, win.GW_CHILD); h != 0; h = win.GetWindow(h, win.GW_HWNDNEXT) {
			got = append(got, strings.ReplaceAll(text(h), "&", ""))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", e.Name, got, want)
		}
	}
}

// TestTheQuestionIsOverAllOtherWindows, and lies with them again afterwards.
func TestTheQuestionIsOverAllOtherWindows(t *testing.T) {
	w, n := opened(t, "en")
	above := func() bool { return win.GetWindowLong(n.hwnd, win.GWL_EXSTYLE)&win.WS_EX_TOPMOST != 0 }
	w.Show(ask)
	n.settle()
	if !above() {
		t.Error("the question is not topmost")
	}
	w.Show(ui.Event{Name: "ended"})
	n.settle()
	if above() {
		t.Error("the end is still topmost")
	}
}

func TestEverythingGrowsWithTheMonitor(t *testing.T) {
	w, n := opened(t, "en")
	w.Show(ui.Event{Name: "code", Code: "482 913 706"})
	n.settle()
	size := func() (w, h int32) {
		var r win.RECT
		win.GetWindowRect(n.child("482 913 706"), &r)
		return r.Right - r.Left, r.Bottom - r.Top
	}
	w1, h1 := size()
	var r win.RECT
	win.GetWindowRect(n.hwnd, &r)
	win.SendMessage(n.hwnd, win.WM_DPICHANGED, uintptr(win.MAKELONG(144, 144)), uintptr(unsafe.Pointer(&r)))
	n.settle()
	if w2, h2 := size(); w2 < w1*14/10 || h2 < h1*13/10 {
		t.Errorf("at 144 dpi the code takes %d × %d, at 96 %d × %d", w2, h2, w1, h1)
	}
}

// TestHighContrastUsesTheSystemsColoursOnly, from the moment it is turned on.
func TestHighContrastUsesTheSystemsColoursOnly(t *testing.T) {
	w, n := opened(t, "en")
	w.Show(ask)
	n.settle()
	if n.look.colours != usual() {
		t.Error("not the pages' colours before")
	}
	defer func(f func() bool) { highContrast = f }(highContrast)
	highContrast = func() bool { return true }
	const setHighContrast = 0x43 // SPI_SETHIGHCONTRAST
	win.SendMessage(n.hwnd, win.WM_SETTINGCHANGE, setHighContrast, 0)
	n.settle()
	if n.look.colours != system() {
		t.Error("not the system's colours")
	}
}

// TestNothingIsOutOfReach: where the content is higher than the screen, the
// keyboard brings each control into sight.
func TestNothingIsOutOfReach(t *testing.T) {
	w, n := opened(t, "en")
	var people []ui.Participant
	for i := range 12 {
		people = append(people, helper(fmt.Sprint(i), fmt.Sprint("Helper ", i), "allowed"))
	}
	w.Show(ui.Event{Name: "participants", Participants: people})
	n.settle()
	var client win.RECT
	win.GetClientRect(n.hwnd, &client)
	last := n.child("Stop Helper 11")
	for range 4 + 3*12 { // Stop, the parts of a session, and three for each
		n.types(win.VK_TAB)
		var r win.RECT
		win.GetWindowRect(last, &r)
		at := win.POINT{X: r.Left, Y: r.Top}
		win.ScreenToClient(n.hwnd, &at)
		if at.Y >= 0 && at.Y < client.Bottom && n.focusedIs(last) {
			return
		}
	}
	t.Error("the last button was never in sight with the keyboard on it")
}

// TestTheFirstQuestionCannotBePressedAtOnce: its buttons are disabled for Windows
// itself, so that no key, click or screen reader's action presses them.
func TestTheFirstQuestionCannotBePressedAtOnce(t *testing.T) {
	w, n := opened(t, "en")
	w.Show(ui.Event{Name: "hello", Server: "help.example.org", Unknown: true})
	n.settle()
	yes, no := n.child("Yes, I called them"), n.child("No, they called me")
	if yes == 0 || no == 0 || win.IsWindowEnabled(yes) || win.IsWindowEnabled(no) {
		t.Fatal("the buttons are not there, or can be pressed")
	}
	n.types(win.VK_RETURN)
	win.SendMessage(yes, win.BM_CLICK, 0, 0)
	win.PostMessage(n.hwnd, win.WM_SYSCHAR, 'y', 1<<29)
	silent(t, w, "it was answered at once")
	time.Sleep(ui.ContactTime) // the person reads
	n.settle()
	if !win.IsWindowEnabled(yes) || !n.focusedIs(no) {
		t.Fatal("the buttons cannot be pressed, or the keyboard is not at No")
	}
	n.types(win.VK_TAB)
	n.types(win.VK_RETURN)
	if c := next(t, w); c.Do != "called" {
		t.Errorf("%+v", c)
	}
}

// TestWhatIsTypedIsSaid: a line of the chat, with Enter, and lines of an area.
func TestWhatIsTypedIsSaid(t *testing.T) {
	w, n := opened(t, "en")
	w.Show(ui.Event{Name: "session"})
	w.Show(ui.Event{Name: "participants", Participants: []ui.Participant{helper("1", "Ana", "denied")}})
	w.Show(ui.Event{Name: "private", Texts: []string{"bank", "mail"}})
	n.settle()
	win.SendMessage(n.child("Messages"), win.BM_CLICK, 0, 0)
	n.settle()
	for _, r := range "Où ?" {
		win.PostMessage(n.focused, win.WM_CHAR, uintptr(r), 1)
	}
	n.settle()
	n.types(win.VK_RETURN)
	if c := next(t, w); c.Do != "say" || c.Text != "Où ?" {
		t.Errorf("%+v", c)
	}
	if text(n.focused) != "" {
		t.Errorf("the line still holds %q", text(n.focused))
	}
	win.SendMessage(n.child("Allowed"), win.BM_CLICK, 0, 0)
	win.SendMessage(n.child("Private windows…"), win.BM_CLICK, 0, 0)
	n.settle()
	if got := text(n.focused); got != "bank\r\nmail" {
		t.Errorf("the list reads %q", got)
	}
	win.SendMessage(n.child("Keep this list"), win.BM_CLICK, 0, 0)
	if c := next(t, w); c.Do != "private" || !reflect.DeepEqual(c.Texts, []string{"bank", "mail"}) {
		t.Errorf("%+v", c)
	}
}

// TestEverythingGrowsWithThePersonsTextSize, as set in Windows' accessibility settings.
func TestEverythingGrowsWithThePersonsTextSize(t *testing.T) {
	_, n := opened(t, "en")
	n.settle()
	before := n.look.scale
	defer func(f func() float64) { textScale = f }(textScale)
	textScale = func() float64 { return 2 }
	win.SendMessage(n.hwnd, win.WM_SETTINGCHANGE, 0, 0)
	n.settle()
	if n.look.scale < before*1.9 {
		t.Errorf("%.2f is not twice %.2f", n.look.scale, before)
	}
}

func TestADialogsAnswerIsReadWhole(t *testing.T) {
	for s, want := range map[string][]string{
		"": nil, "C:\\a b.txt\x00\x00": {`C:\a b.txt`}, "C:\\x\x00a\x00b c\x00\x00": {`C:\x\a`, `C:\x\b c`}, "C:\\\x00a\x00b\x00\x00": {`C:\a`, `C:\b`},
	} {
		buf := make([]uint16, 0, 64)
		for _, r := range s {
			buf = append(buf, uint16(r))
		}
		if got := chosen(append(buf, 0, 0)); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q", s, got)
		}
	}
}

func (n *native) focusedIs(h win.HWND) bool {
	win.SendMessage(n.hwnd, win.WM_NULL, 0, 0)
	return n.focused == h
}

func TestShowMayBeCalledFromAnywhere(t *testing.T) {
	w, n := opened(t, "en")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 50 {
				w.Show(ui.Event{Name: "status", Text: fmt.Sprint(i, " ", j)})
			}
		})
	}
	all.Wait()
	w.Show(ui.Event{Name: "status", Text: "the last"})
	n.settle()
	if n.child("the last") == 0 {
		t.Error("the last event is not shown")
	}
}

func TestClosingTheWindowMeansQuit(t *testing.T) {
	w, n := opened(t, "en")
	win.PostMessage(n.hwnd, win.WM_CLOSE, 0, 0)
	if c := next(t, w); c.Do != "quit" {
		t.Errorf("%+v", c)
	}
	w.Show(ui.Event{Name: "session"})
	n.settle()
	win.PostMessage(n.hwnd, win.WM_CLOSE, 0, 0)
	n.settle()
	silent(t, w, "a session was closed without asking")
	if n.child("End and close") == 0 {
		t.Error("nothing is asked")
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, ok := <-w.Commands(); ok {
		t.Error("commands go on after the end")
	}
	w.Show(ui.Event{Name: "status"}) // must not block or panic
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// TestTheSystemsStopIsToldFromASignOut: only after the first a session may go on.
func TestTheSystemsStopIsToldFromASignOut(t *testing.T) {
	for what, c := range map[string]struct {
		flags uintptr
		want  []string
	}{
		"restart": {0, []string{"going_down", "quit"}}, "forced": {0x40000000, []string{"going_down", "quit"}},
		"sign-out": {0x80000000, []string{"quit"}}, "update": {0x1, []string{"quit"}},
	} {
		w, n := opened(t, "en")
		win.PostMessage(n.hwnd, win.WM_ENDSESSION, 1, c.flags)
		for _, want := range c.want {
			if got := next(t, w); got.Do != want {
				t.Errorf("%s: %+v, want %s", what, got, want)
			}
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestAPanicClosesTheWindow: whatever fails in it, the session ends with it.
func TestAPanicClosesTheWindow(t *testing.T) {
	told := make(chan error, 1)
	defer func(f func(string, error)) { tellFailure = f }(tellFailure)
	tellFailure = func(_ string, why error) { told <- why }
	w, n := opened(t, "en")
	n.settle()
	n.face = nil
	w.mu.Lock()
	w.events = append(w.events, ui.Event{Name: "status"})
	w.mu.Unlock()
	win.SendMessage(n.hwnd, msgNews, 0, 0)
	select {
	case _, ok := <-w.Commands():
		if ok {
			t.Error("it says something")
		}
	case <-time.After(5 * time.Second):
		t.Error("the window goes on")
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if why := <-told; why == nil {
		t.Error("nobody is told why")
	}
}
