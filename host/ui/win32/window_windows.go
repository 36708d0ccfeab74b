package win32

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"github.com/tailscale/win"
	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/host/ui/face"
)

// Messages of our own.
const (
	msgNews  = win.WM_APP + 1 // events are waiting
	msgClose = win.WM_APP + 2 // the host closes the window
	msgFit   = win.WM_APP + 3 // the window has not the size it was given
)

// sizeRestored is SIZE_RESTORED: neither minimised nor maximised.
const sizeRestored = 0

// className is how the window's class is called.
const className = "MainforteWindow"

// Window is the host's window. It implements ui.Window.
type Window struct {
	commands chan ui.Command
	done     chan struct{} // closed when the thread has ended
	closing  chan struct{} // closed by Close
	once     sync.Once
	forward  sync.WaitGroup

	mu     sync.Mutex
	hwnd   win.HWND // 0 when the window is gone
	events []ui.Event
	said   []ui.Command
	wake   chan struct{} // there is something in said, or the window is gone
}

// Open shows the window in the language lang. The error wraps ui.ErrNoWindow.
func Open(lang string) (*Window, error) {
	w := &Window{
		commands: make(chan ui.Command, 16), done: make(chan struct{}),
		closing: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	ready := make(chan error, 1)
	go w.thread(lang, ready)
	if err := <-ready; err != nil {
		<-w.done
		return nil, fmt.Errorf("%w: %w", ui.ErrNoWindow, err)
	}
	w.forward.Add(1)
	go w.deliver()
	return w, nil
}

// Show hands an event to the window's thread.
func (w *Window) Show(e ui.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hwnd == 0 {
		return
	}
	w.events = append(w.events, e)
	// For each one: were a message lost, the next event would bring this one with it.
	win.PostMessage(w.hwnd, msgNews, 0, 0)
}

// Commands begins with the window's own handle and is closed when the window is.
func (w *Window) Commands() <-chan ui.Command { return w.commands }

// Close closes the window and waits for its thread.
func (w *Window) Close() error {
	w.once.Do(func() { close(w.closing) })
	w.mu.Lock()
	if w.hwnd != 0 {
		win.PostMessage(w.hwnd, msgClose, 0, 0)
	}
	w.mu.Unlock()
	<-w.done
	w.forward.Wait()
	return nil
}

// news takes the events that are waiting.
func (w *Window) news() []ui.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.events
	w.events = nil
	return e
}

// say queues commands: the window's thread never waits for the host.
func (w *Window) say(c ...ui.Command) {
	w.mu.Lock()
	w.said = append(w.said, c...)
	w.mu.Unlock()
	w.nudge()
}

func (w *Window) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// deliver passes the commands on, and ends them with the window.
func (w *Window) deliver() {
	defer w.forward.Done()
	defer close(w.commands)
	for {
		w.mu.Lock()
		said, gone := w.said, w.hwnd == 0
		w.said = nil
		w.mu.Unlock()
		for _, c := range said {
			select {
			case w.commands <- c:
			case <-w.closing:
				return
			}
		}
		if gone && len(said) == 0 {
			return
		}
		select {
		case <-w.wake:
		case <-w.closing:
			return
		}
	}
}

// thread makes the window and is its message loop. It stays locked: Windows
// binds windows to threads, and the runtime must not reuse this one.
func (w *Window) thread(lang string, ready chan<- error) {
	runtime.LockOSThread()
	defer close(w.done)
	n, err := open(lang, w)
	if err != nil {
		ready <- err
		return
	}
	w.mu.Lock()
	w.hwnd = n.hwnd
	w.mu.Unlock()
	w.say(ui.Command{Do: "window", Window: fmt.Sprintf("0x%x", n.hwnd)})
	ready <- nil
	n.loop()
	w.mu.Lock()
	w.hwnd = 0
	w.mu.Unlock()
	w.nudge() // the host quits, whatever the person does with the message
	if n.failed != nil {
		tellFailure(n.text("error.title"), n.failed)
	}
}

// tellFailure says why the window is gone.
var tellFailure = func(title string, why error) {
	win.MessageBox(0, utf16(why.Error()), utf16(title), win.MB_ICONERROR|win.MB_OK|win.MB_SETFOREGROUND)
}

// native is the window as its thread knows it.
type native struct {
	win     *Window
	hwnd    win.HWND
	face    *face.Face
	view    face.View
	look    *looks
	dpi     int32
	shown   bool
	token   string   // of the view that got its focus
	focused win.HWND // has the keyboard whenever the window is active
	alerted bool

	controls map[string]*control
	ids      map[uint16]string // by control id
	lastID   uint16
	grounds  []painted
	scroll   int32    // what is above the visible part, in pixels
	height   int32    // of everything
	size     [2]int32 // of the client area, as it should be
	fits     int      // how often the size may still be corrected
	failed   error
}

// natives finds the window that a message is for; its one entry belongs to the
// thread that made it.
var natives sync.Map // win.HWND → *native

// procedure is made once: Windows callbacks are never freed.
var procedure = sync.OnceValue(func() uintptr { return windows.NewCallback(dispatch) })

var register = sync.OnceValue(func() error {
	instance := win.GetModuleHandle(nil)
	class := win.WNDCLASSEX{
		LpfnWndProc: procedure(), HInstance: instance, LpszClassName: utf16(className),
		HCursor: win.LoadCursor(0, win.MAKEINTRESOURCE(win.IDC_ARROW)),
		HIcon:   icon(instance, win.SM_CXICON, win.SM_CYICON),
		HIconSm: icon(instance, win.SM_CXSMICON, win.SM_CYSMICON),
	}
	class.CbSize = uint32(unsafe.Sizeof(class))
	if win.RegisterClassEx(&class) == 0 {
		return fmt.Errorf("register the window's class: error %d", win.GetLastError())
	}
	return nil
})

// icon of the program in one of the system's sizes, by its name in
// host/resources. Without resources the window has the system's icon.
func icon(instance win.HINSTANCE, width, height int32) win.HICON {
	return win.HICON(win.LoadImage(instance, utf16("APP"), win.IMAGE_ICON, win.GetSystemMetrics(width), win.GetSystemMetrics(height), 0))
}

const style = win.WS_OVERLAPPED | win.WS_CAPTION | win.WS_SYSMENU | win.WS_MINIMIZEBOX | win.WS_CLIPCHILDREN

func open(lang string, w *Window) (n *native, err error) {
	defer func() {
		if r := recover(); r != nil { // a missing DLL or function: there is a console still
			err = fmt.Errorf("%v", r)
		}
	}()
	if err := register(); err != nil {
		return nil, err
	}
	n = &native{win: w, face: face.New(face.Setting{Lang: lang, Dialogs: true}), controls: map[string]*control{}, ids: map[uint16]string{}, lastID: 99}
	n.hwnd = win.CreateWindowEx(win.WS_EX_CONTROLPARENT, utf16(className), utf16(n.face.Texts().T("title")), style,
		win.CW_USEDEFAULT, win.CW_USEDEFAULT, 600, 400, 0, 0, win.GetModuleHandle(nil), nil)
	if n.hwnd == 0 {
		return nil, fmt.Errorf("make the window: error %d", win.GetLastError())
	}
	natives.Store(n.hwnd, n)
	n.dpi = max(int32(win.GetDpiForWindow(n.hwnd)), 96)
	n.look = newLooks(n.dpi)
	// The letters for Alt are underlined once the keyboard is used, or always if
	// the person chose so.
	win.SendMessage(n.hwnd, win.WM_CHANGEUISTATE, uintptr(win.MAKELONG(win.UIS_INITIALIZE, win.UISF_HIDEACCEL)), 0)
	n.render()
	if n.failed != nil {
		natives.Delete(n.hwnd)
		win.DestroyWindow(n.hwnd)
		return nil, n.failed
	}
	win.DragAcceptFiles(n.hwnd, true)
	win.ShowWindow(n.hwnd, win.SW_SHOWNORMAL)
	n.shown = true
	win.SetForegroundWindow(n.hwnd)
	return n, nil
}

// loop runs until the window is destroyed.
func (n *native) loop() {
	defer func() {
		if r := recover(); r != nil {
			n.fail(r)
		}
		natives.Delete(n.hwnd)
		n.look.free()
	}()
	var m win.MSG
	for win.GetMessage(&m, 0, 0, 0) > 0 {
		if n.face.Answering() && isInput(m.Message) && injected() {
			continue // only the person's own hands answer
		}
		if n.key(&m) {
			continue
		}
		win.TranslateMessage(&m)
		win.DispatchMessage(&m)
	}
}

// fail closes a window in which something went wrong: the host then quits, and
// the session ends.
func (n *native) fail(what any) {
	n.failed = errors.Join(n.failed, fmt.Errorf("%v", what))
	natives.Delete(n.hwnd)
	win.DestroyWindow(n.hwnd)
	win.PostQuitMessage(1)
}

// isInput tells messages of mouse, keyboard, pen and touch.
func isInput(m uint32) bool {
	const pointerFirst, pointerLast = 0x0241, 0x0257 // WM_NCPOINTERUPDATE … WM_POINTERROUTEDRELEASED
	return m >= win.WM_KEYFIRST && m <= win.WM_KEYLAST || m >= win.WM_MOUSEFIRST && m <= win.WM_MOUSELAST ||
		m >= win.WM_NCMOUSEMOVE && m <= win.WM_NCMBUTTONDBLCLK || m >= pointerFirst && m <= pointerLast
}

// text in the window's language, even if its face is what failed.
func (n *native) text(key string) string {
	if n.face == nil {
		return ui.Load("en").T(key)
	}
	return n.face.Texts().T(key)
}

// dispatch is the window procedure. A panic must not unwind through Windows.
func dispatch(hwnd win.HWND, msg uint32, wp, lp uintptr) (result uintptr) {
	v, ok := natives.Load(hwnd)
	if !ok {
		return win.DefWindowProc(hwnd, msg, wp, lp)
	}
	n := v.(*native)
	defer func() {
		if r := recover(); r != nil {
			n.fail(r)
		}
	}()
	if result, done := n.message(msg, wp, lp); done {
		return result
	}
	return win.DefWindowProc(hwnd, msg, wp, lp)
}

// message handles one; done is false for what the system should do.
func (n *native) message(msg uint32, wp, lp uintptr) (result uintptr, done bool) {
	switch msg {
	case msgNews:
		news := n.win.news()
		for _, e := range news {
			n.face.Show(e, time.Now())
		}
		if len(news) > 0 {
			n.render()
		}
	case msgClose:
		win.DestroyWindow(n.hwnd)
	case msgFit:
		n.fits--
		n.arrange()
	case win.WM_SIZE:
		got := [2]int32{int32(win.LOWORD(uint32(lp))), int32(win.HIWORD(uint32(lp)))}
		if n.fits > 0 && wp == sizeRestored && got != n.size {
			win.PostMessage(n.hwnd, msgFit, 0, 0)
		}
		return 0, false
	case win.WM_COMMAND:
		id, ok := n.ids[win.LOWORD(uint32(wp))]
		if !ok || lp == 0 {
			break
		}
		switch what := win.HIWORD(uint32(wp)); {
		case what == win.EN_CHANGE && n.controls[id].cell.Typed():
			n.face.Type(id, text(n.controls[id].hwnd))
		case what == win.BN_CLICKED && n.controls[id].cell.Button():
			n.press(id)
		}
	case win.WM_TIMER:
		n.render()
	case win.WM_DROPFILES:
		n.dropped(win.HDROP(wp))
	case win.WM_CLOSE:
		n.win.say(n.face.Close()...)
		n.render()
	case win.WM_QUERYENDSESSION:
		return 1, true
	case win.WM_ENDSESSION:
		if wp != 0 { // Windows ends this process on return
			const app, off = 0x1, 0x80000000 // ENDSESSION_CLOSEAPP: this program's file is wanted; _LOGOFF
			if lp&(app|off) == 0 {
				n.win.say(ui.Command{Do: "going_down"})
			}
			n.win.say(ui.Command{Do: "quit"})
			select {
			case <-n.win.closing:
			case <-time.After(3 * time.Second):
			}
		}
	case win.WM_DESTROY:
		win.PostQuitMessage(0)
	case win.WM_SETFOCUS:
		if n.focused != 0 {
			win.SetFocus(n.focused)
		}
	case win.WM_ACTIVATE:
		away := win.LOWORD(uint32(wp)) == win.WA_INACTIVE
		if away {
			n.keepFocus()
		}
		n.face.Away(away)
		win.SetWindowText(n.hwnd, utf16(n.face.View(time.Now()).Title))
		return 0, false
	case win.WM_DPICHANGED:
		n.dpi = int32(win.LOWORD(uint32(wp)))
		r := pointed[win.RECT](&lp)
		win.SetWindowPos(n.hwnd, 0, r.Left, r.Top, r.Right-r.Left, r.Bottom-r.Top, win.SWP_NOZORDER|win.SWP_NOACTIVATE)
		n.restyle()
	case win.WM_SETTINGCHANGE, win.WM_SYSCOLORCHANGE, win.WM_THEMECHANGED, win.WM_DISPLAYCHANGE:
		n.restyle()
		return 0, false
	case win.WM_VSCROLL:
		n.scrolled(win.LOWORD(uint32(wp)))
	case win.WM_MOUSEWHEEL:
		n.scrollBy(-int32(int16(win.HIWORD(uint32(wp)))) * n.px(48) / 120)
	case win.WM_CTLCOLORSTATIC, win.WM_CTLCOLORBTN:
		return n.colour(win.HDC(wp), win.HWND(lp)), true
	case win.WM_DRAWITEM:
		n.drawButton(pointed[win.DRAWITEMSTRUCT](&lp))
		return 1, true
	case win.WM_ERASEBKGND:
		n.erase(win.HDC(wp))
		return 1, true
	default:
		return 0, false
	}
	return 0, true
}

// press is the person's pressing of a control.
func (n *native) press(id string) {
	said, wish := n.face.Press(id, time.Now())
	n.win.say(said...)
	n.render()
	if wish != nil {
		n.grant(*wish)
	}
}

// key handles what the keyboard does outside a control; done tells that the
// message needs nothing more. Letters without Alt press nothing here, unlike in
// a dialog: a person may be typing elsewhere when a question comes.
func (n *native) key(m *win.MSG) (done bool) {
	const repeated = 1 << 30
	switch m.Message {
	case win.WM_KEYDOWN:
		switch m.WParam {
		case win.VK_TAB:
			n.step(win.GetKeyState(win.VK_SHIFT) < 0)
		case win.VK_LEFT, win.VK_UP, win.VK_RIGHT, win.VK_DOWN:
			if !n.at(win.GetFocus()).Button() {
				return false
			}
			n.step(m.WParam == win.VK_LEFT || m.WParam == win.VK_UP)
		case win.VK_RETURN:
			if m.LParam&repeated != 0 {
				return true
			}
			switch c := n.at(win.GetFocus()); {
			case c.What == face.Area:
				return false
			case c.Button():
				n.press(c.ID)
			case c.Enter != "":
				n.press(c.Enter)
			}
		case win.VK_ESCAPE:
			if n.view.Escape != "" && m.LParam&repeated == 0 {
				n.press(n.view.Escape)
			}
		default:
			return false
		}
		return true
	case win.WM_SYSKEYDOWN:
		if m.WParam == win.VK_MENU {
			win.SendMessage(n.hwnd, win.WM_CHANGEUISTATE, uintptr(win.MAKELONG(win.UIS_CLEAR, win.UISF_HIDEACCEL)), 0)
		}
	case win.WM_SYSCHAR:
		if c := n.accelerated(rune(m.WParam)); c != nil && !c.cell.Off {
			win.SetFocus(c.hwnd)
			n.press(c.cell.ID)
			return true
		}
	}
	return false
}

// step moves the keyboard to the next control, or the one before.
func (n *native) step(back bool) {
	if h, err := win.GetNextDlgTabItem(n.hwnd, win.GetFocus(), back); err == nil && h != 0 {
		n.focus(h)
	}
}

// at is the cell of a control.
func (n *native) at(h win.HWND) face.Cell {
	for _, c := range n.controls {
		if c.hwnd == h {
			return c.cell
		}
	}
	return face.Cell{}
}
