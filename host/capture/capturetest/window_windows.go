package capturetest

import (
	"image"
	"runtime"
	"sync"
	"testing"
	"time"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	user32 = windows.NewLazySystemDLL("user32.dll")
	gdi32  = windows.NewLazySystemDLL("gdi32.dll")

	registerClass       = user32.NewProc("RegisterClassExW")
	createWindow        = user32.NewProc("CreateWindowExW")
	destroyWindow       = user32.NewProc("DestroyWindow")
	defWindowProc       = user32.NewProc("DefWindowProcW")
	getMessage          = user32.NewProc("GetMessageW")
	translateMessage    = user32.NewProc("TranslateMessage")
	dispatchMessage     = user32.NewProc("DispatchMessageW")
	postMessage         = user32.NewProc("PostMessageW")
	postQuitMessage     = user32.NewProc("PostQuitMessage")
	setForegroundWindow = user32.NewProc("SetForegroundWindow")
	setCursor           = user32.NewProc("SetCursor")
	setCursorPos        = user32.NewProc("SetCursorPos")
	loadCursor          = user32.NewProc("LoadCursorW")
	getKeyState         = user32.NewProc("GetKeyState")
	getDC               = user32.NewProc("GetDC")
	releaseDC           = user32.NewProc("ReleaseDC")
	fillRect            = user32.NewProc("FillRect")
	createSolidBrush    = gdi32.NewProc("CreateSolidBrush")
	deleteObject        = gdi32.NewProc("DeleteObject")
	gdiFlush            = gdi32.NewProc("GdiFlush")
)

const (
	wmDestroy    = 0x0002
	wmPaint      = 0x000F
	wmErase      = 0x0014
	wmSetCursor  = 0x0020
	wmKeyDown    = 0x0100
	wmChar       = 0x0102
	wmSysKeyDown = 0x0104
	wmSysChar    = 0x0106
	wmDo         = 0x8001 // run what waits in Window.work
)

// Window is a window of Windows over a part of the screen, above all others. It
// is what programs are: it paints, has a pointer shape, and notes what input
// reaches it. Its messages are handled on a thread of its own.
type Window struct {
	t      testing.TB
	Handle windows.HWND
	area   image.Rectangle
	owner  windows.HWND

	work chan func()
	done chan struct{}

	mu      sync.Mutex
	cursor  uintptr
	units   []uint16 // characters, as UTF-16
	spoiled int      // characters that came with Control or Alt
	buttons []string
	keys    []uint16
	wheel   [2]int // 1/120 of a notch, across and up, not yet a whole one
}

var (
	windowsMu sync.Mutex
	all       = make(map[windows.HWND]*Window)
	procedure = windows.NewCallback(handle)
	class     = sync.OnceValue(func() *uint16 {
		name, _ := windows.UTF16PtrFromString("mainforte-test")
		c := struct {
			size, style        uint32
			proc               uintptr
			extra, windowExtra int32
			instance, icon     uintptr
			cursor, background uintptr
			menuName, name     *uint16
			smallIcon          uintptr
		}{proc: procedure, name: name}
		c.size = uint32(unsafe.Sizeof(c))
		if r, _, err := registerClass.Call(uintptr(unsafe.Pointer(&c))); r == 0 {
			panic(err)
		}
		return name
	})
)

// NewWindow opens one over area, in pixels of the screen; it goes with the test.
// With focus set it takes the keyboard.
func NewWindow(t testing.TB, area image.Rectangle, focus bool) *Window {
	t.Helper()
	return NewOwned(t, area, focus, 0)
}

// NewOwned is NewWindow for one that belongs to another window, of whatever
// program, as a dialog does.
func NewOwned(t testing.TB, area image.Rectangle, focus bool, owner windows.HWND) *Window {
	t.Helper()
	w := &Window{t: t, area: area, owner: owner, work: make(chan func(), 64), done: make(chan struct{})}
	opened := make(chan error, 1)
	go w.run(focus, opened)
	if err := <-opened; err != nil {
		t.Fatalf("open a window: %v", err)
	}
	t.Cleanup(w.Close)
	return w
}

func (w *Window) run(focus bool, opened chan<- error) {
	defer close(w.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const (
		topmost, noActivate = 0x8, 0x08000000
		popup, visible      = 0x80000000, 0x10000000
	)
	style := uintptr(topmost | noActivate)
	if focus {
		style = topmost
	}
	title, _ := windows.UTF16PtrFromString("Mainforte test")
	h, _, err := createWindow.Call(style, uintptr(unsafe.Pointer(class())), uintptr(unsafe.Pointer(title)), popup|visible,
		uintptr(w.area.Min.X), uintptr(w.area.Min.Y), uintptr(w.area.Dx()), uintptr(w.area.Dy()), uintptr(w.owner), 0, 0, 0)
	if h == 0 {
		opened <- err
		return
	}
	w.Handle = windows.HWND(h)
	windowsMu.Lock()
	all[w.Handle] = w
	windowsMu.Unlock()
	if focus {
		setForegroundWindow.Call(h)
	}
	opened <- nil
	var msg [48]byte // MSG
	for {
		r, _, _ := getMessage.Call(uintptr(unsafe.Pointer(&msg)), 0, 0, 0)
		if int32(r) <= 0 {
			return
		}
		translateMessage.Call(uintptr(unsafe.Pointer(&msg)))
		dispatchMessage.Call(uintptr(unsafe.Pointer(&msg)))
	}
}

// buttonMessages name the mouse messages.
var buttonMessages = map[uint32]string{
	0x0201: "left down", 0x0202: "left up", 0x0204: "right down", 0x0205: "right up", 0x0207: "middle down", 0x0208: "middle up",
}

func handle(h windows.HWND, msg uint32, wp, lp uintptr) uintptr {
	windowsMu.Lock()
	w := all[h]
	windowsMu.Unlock()
	if w == nil {
		r, _, _ := defWindowProc.Call(uintptr(h), uintptr(msg), wp, lp)
		return r
	}
	high := int16(wp >> 16)
	switch msg {
	case wmDestroy:
		postQuitMessage.Call(0)
		return 0
	case wmErase:
		return 1
	case wmDo:
		for {
			select {
			case f := <-w.work:
				f()
				continue
			default:
			}
			return 0
		}
	case wmSetCursor:
		w.mu.Lock()
		cursor := w.cursor
		w.mu.Unlock()
		setCursor.Call(cursor)
		return 1
	case wmKeyDown, wmSysKeyDown:
		w.mu.Lock()
		w.keys = append(w.keys, uint16(wp))
		w.mu.Unlock()
		return 0
	case wmChar, wmSysChar:
		w.mu.Lock()
		w.units = append(w.units, uint16(wp))
		if msg == wmSysChar || isDown(vkControl) || isDown(vkMenu) {
			w.spoiled++
		}
		w.mu.Unlock()
		return 0
	case 0x020A: // WM_MOUSEWHEEL
		w.turned(1, high, "wheel up", "wheel down")
		return 0
	case 0x020E: // WM_MOUSEHWHEEL
		w.turned(0, high, "wheel right", "wheel left")
		return 0
	case 0x020B, 0x020C: // WM_XBUTTONDOWN, WM_XBUTTONUP
		name := map[int16]string{1: "back", 2: "forward"}[high]
		w.note(name + map[uint32]string{0x020B: " down", 0x020C: " up"}[msg])
		return 1
	case 0x0203, 0x0206, 0x0209, 0x020D: // a second click is a click
		w.note(map[uint32]string{0x0203: "left", 0x0206: "right", 0x0209: "middle", 0x020D: "x"}[msg] + " down")
		return 0
	}
	if name, ok := buttonMessages[msg]; ok {
		w.note(name)
		return 0
	}
	r, _, _ := defWindowProc.Call(uintptr(h), uintptr(msg), wp, lp)
	return r
}

const vkControl, vkMenu = 0x11, 0x12

// isDown tells whether a key was down when the message now handled was sent.
func isDown(vk uintptr) bool {
	r, _, _ := getKeyState.Call(vk)
	return r&0x8000 != 0
}

// turned adds to a wheel, as programs do, and notes whole notches. A turn the
// other way starts anew.
func (w *Window) turned(wheel int, by int16, more, less string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := &w.wheel[wheel]
	if (by < 0) != (*rest < 0) {
		*rest = 0
	}
	*rest += int(by)
	for ; *rest >= 120; *rest -= 120 {
		w.buttons = append(w.buttons, more)
	}
	for ; *rest <= -120; *rest += 120 {
		w.buttons = append(w.buttons, less)
	}
}

func (w *Window) note(event string) {
	w.mu.Lock()
	w.buttons = append(w.buttons, event)
	w.mu.Unlock()
}

// Do runs f on the window's thread and waits for it.
func (w *Window) Do(f func()) {
	w.t.Helper()
	ran := make(chan struct{})
	w.work <- func() { f(); close(ran) }
	postMessage.Call(uintptr(w.Handle), wmDo, 0, 0)
	select {
	case <-ran:
	case <-time.After(20 * time.Second):
		w.t.Error("the window does not answer")
	}
}

// Fill paints r, in pixels of the screen, in one colour, 0xRRGGBB, and returns
// when it is done.
func (w *Window) Fill(r image.Rectangle, colour uint32) {
	w.t.Helper()
	r = r.Intersect(w.area).Sub(w.area.Min)
	w.Do(func() {
		dc, _, _ := getDC.Call(uintptr(w.Handle))
		brush, _, _ := createSolidBrush.Call(uintptr(colour>>16&0xff | colour&0xff00 | colour&0xff<<16))
		box := [4]int32{int32(r.Min.X), int32(r.Min.Y), int32(r.Max.X), int32(r.Max.Y)}
		if ok, _, err := fillRect.Call(dc, uintptr(unsafe.Pointer(&box)), brush); ok == 0 {
			w.t.Errorf("paint %v: %v", r, err)
		}
		deleteObject.Call(brush)
		releaseDC.Call(uintptr(w.Handle), dc)
		gdiFlush.Call()
	})
}

// SetCursor gives the window one of the system's pointers, such as 32513 for
// the I-beam of text (IDC_IBEAM), or none for 0, and puts the pointer over it.
func (w *Window) SetCursor(id uintptr) {
	w.t.Helper()
	w.Do(func() {
		var cursor uintptr
		if id != 0 {
			cursor, _, _ = loadCursor.Call(0, id)
		}
		w.mu.Lock()
		w.cursor = cursor
		w.mu.Unlock()
		middle := w.area.Min.Add(w.area.Size().Div(2))
		setCursorPos.Call(uintptr(middle.X), uintptr(middle.Y))
		setCursor.Call(cursor)
	})
}

// Typed is the text that has reached the window so far.
func (w *Window) Typed() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(utf16.Decode(w.units))
}

// Spoiled is how many characters came while Control or Alt was down: most
// programs take those for commands.
func (w *Window) Spoiled() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spoiled
}

// Keys are the virtual keys that were pressed, or repeated, so far.
func (w *Window) Keys() []uint16 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]uint16(nil), w.keys...)
}

// Forget forgets what has reached the window so far.
func (w *Window) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.units, w.keys, w.buttons, w.wheel, w.spoiled = nil, nil, nil, [2]int{}, 0
}

// Buttons are the button and wheel events that have reached the window so far,
// as in "left down" and "wheel up".
func (w *Window) Buttons() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.buttons...)
}

// Focus gives the window the keyboard.
func (w *Window) Focus() {
	w.t.Helper()
	w.Do(func() { setForegroundWindow.Call(uintptr(w.Handle)) })
}

// Close takes the window away and waits until its thread has ended.
func (w *Window) Close() {
	select {
	case <-w.done:
		return
	default:
	}
	w.Do(func() { destroyWindow.Call(uintptr(w.Handle)) })
	<-w.done
	windowsMu.Lock()
	delete(all, w.Handle)
	windowsMu.Unlock()
}
