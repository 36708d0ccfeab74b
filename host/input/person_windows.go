package input

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/tailscale/win"
	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/beat"
	"github.com/mainforte/mainforte/host/winthread"
)

// frontEvery is how often the window in front is looked at when nothing says that
// it changed: not every program does. It is noticed within 300 ms.
const frontEvery = beat.Every

// ours marks what this process injects: dwExtraInfo, which raw input has as well.
const ours = 0x4d464831

// WindowsPerson hears the devices of a Windows session by raw input, which waits
// for nobody: a hook would stand in the way of every key, the technician's as well,
// and be taken away when it is slow. Whatever does not bear our mark is the
// person's: their devices, and also what other programs inject for them, as a
// keyboard on the screen does.
//
// The panic key is a hotkey, so that no program gets it as well. A hotkey is also
// pressed by what is injected: which of the two it was, raw input tells. While a
// program of more rights than ours has the keyboard, raw input tells nothing, and
// the technician's input does not arrive: the hotkey is then the person's.
type WindowsPerson struct {
	ears   Ears
	thread *winthread.Thread

	// The rest is the thread's.
	raw     rawEvent
	echoes  echoes
	hotkey  bool
	down    [2][256]bool // keys that are down: the person's, ours
	pressed int          // how often we pressed the panic key whose hotkey has not come yet
	hooks   []uintptr
	front   Front
	told    bool
	program programName
}

// rawEvent is RAWINPUT, with room for what a screen or a pen tells.
type rawEvent struct {
	win.RAWINPUTHEADER
	rest [1024]byte
}

// rawMouse is RAWMOUSE: github.com/tailscale/win lacks the gap in it.
type rawMouse struct {
	flags   uint16
	_       uint16
	buttons uint32 // their flags, and of the wheel how far
	_       uint32
	dx, dy  int32
	extra   uint32
}

// programName is the program of a window, as it was looked up last.
type programName struct {
	window windows.HWND
	pid    uint32
	name   string
}

// Makers of input.
const (
	byPerson = iota
	byUs
)

const (
	hotkeyID = 1
	timerID  = 1

	vkControlKey, vkControlLeft, vkControlRight = 0x11, 0xa2, 0xa3
	vkMenuKey, vkMenuLeft, vkMenuRight          = 0x12, 0xa4, 0xa5
	vkEndKey                                    = 0x23

	wmInput = 0x00ff
	wmTimer = 0x0113
)

var (
	registerHotKey        = user32.NewProc("RegisterHotKey")
	unregisterHotKey      = user32.NewProc("UnregisterHotKey")
	setEventHook          = user32.NewProc("SetWinEventHook")
	unhookEvent           = user32.NewProc("UnhookWinEvent")
	internalGetWindowText = user32.NewProc("InternalGetWindowText")

	// listeners are those whom an event of the desktop is told, by hook.
	listeners sync.Map
	heardOf   = windows.NewCallback(func(hook, event, window, object, _, _, _ uintptr) uintptr {
		if p, ok := listeners.Load(hook); ok {
			p.(*WindowsPerson).happened(uint32(event), windows.HWND(window), int32(object))
		}
		return 0
	})
)

// OpenWindowsPerson listens to this process's session. There is one at a time in a
// process. The error wraps ErrUnsupported where Windows tells nothing.
func OpenWindowsPerson(ears Ears) (*WindowsPerson, error) {
	p := &WindowsPerson{ears: ears}
	t, err := winthread.Start(p.message, p.listen)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	p.thread = t
	return p, nil
}

// listen runs first, on the thread.
func (p *WindowsPerson) listen(w win.HWND) error {
	if err := rawInput(win.RIDEV_INPUTSINK, w); err != nil {
		return err
	}
	const alt, control, noRepeat = 0x1, 0x2, 0x4000
	r, _, _ := registerHotKey.Call(uintptr(w), hotkeyID, alt|control|noRepeat, vkEndKey)
	p.hotkey = r != 0
	// Without them the timer sees it, a moment later.
	for _, event := range []uintptr{win.EVENT_SYSTEM_FOREGROUND, win.EVENT_OBJECT_FOCUS, win.EVENT_OBJECT_NAMECHANGE} {
		hook, _, _ := setEventHook.Call(event, event, 0, heardOf, 0, 0, win.WINEVENT_OUTOFCONTEXT)
		if hook != 0 {
			listeners.Store(hook, p)
			p.hooks = append(p.hooks, hook)
		}
	}
	if !lookLater(w) {
		return fmt.Errorf("input: no timer for the window in front: %w", windows.GetLastError())
	}
	// Not from here: who listens is told only when OpenWindowsPerson has returned.
	win.PostMessage(w, wmTimer, timerID, 0)
	return nil
}

// lookLater sets the timer, in place of the one that is set, to frontEvery.
func lookLater(w win.HWND) bool {
	return win.SetTimer(w, timerID, uint32(beat.Wait(frontEvery).Milliseconds()), 0) != 0
}

// rawInput asks for what all mice, keyboards, screens and pens do, or no more.
func rawInput(flags uint32, w win.HWND) error {
	list := []win.RAWINPUTDEVICE{ // usage pages and usages of HID
		{UsUsagePage: 0x01, UsUsage: 0x02}, {UsUsagePage: 0x01, UsUsage: 0x06},
		{UsUsagePage: 0x0d, UsUsage: 0x04}, {UsUsagePage: 0x0d, UsUsage: 0x02},
	}
	for i := range list {
		list[i].DwFlags, list[i].HwndTarget = flags, w
	}
	size := uint32(unsafe.Sizeof(list[0]))
	if win.RegisterRawInputDevices(&list[0], uint32(len(list)), size) || win.RegisterRawInputDevices(&list[0], 2, size) {
		return nil
	}
	return fmt.Errorf("input: no raw input: %w", windows.GetLastError())
}

// PanicKey implements Person.
func (p *WindowsPerson) PanicKey() string {
	if !p.hotkey {
		return ""
	}
	return PanicKey
}

// Close implements Person.
func (p *WindowsPerson) Close() error {
	p.thread.Close()
	<-p.thread.Done()
	return nil
}

// message handles what Windows tells, on the thread.
func (p *WindowsPerson) message(w win.HWND, msg uint32, wParam, lParam uintptr) (uintptr, bool) {
	switch msg {
	case wmInput:
		p.heard(win.HRAWINPUT(lParam))
		return 0, false // Windows frees it
	case win.WM_HOTKEY:
		// What was pressed comes before what it set off, but another way.
		var m win.MSG
		for win.PeekMessage(&m, w, wmInput, wmInput, win.PM_REMOVE) {
			win.DispatchMessage(&m)
		}
		if p.pressed > 0 { // C64: the technician's is not the person's
			p.pressed--
			return 0, true
		}
		p.ears.Panic()
		return 0, true
	case wmTimer:
		p.look()
		lookLater(w)
		return 0, true
	case win.WM_DESTROY:
		for _, hook := range p.hooks {
			_, _, _ = unhookEvent.Call(hook)
			listeners.Delete(hook)
		}
		if p.hotkey {
			_, _, _ = unregisterHotKey.Call(uintptr(w), hotkeyID)
		}
		_ = rawInput(win.RIDEV_REMOVE, 0)
	}
	return 0, false
}

// heard is one event of a device, or one of ours.
func (p *WindowsPerson) heard(h win.HRAWINPUT) {
	const header = uint32(unsafe.Sizeof(win.RAWINPUTHEADER{}))
	b, size := &p.raw, uint32(unsafe.Sizeof(p.raw))
	if n := win.GetRawInputData(h, win.RID_INPUT, unsafe.Pointer(b), &size, header); int32(n) <= 0 {
		p.ears.Acted() // longer than what we inject
		return
	}
	switch b.DwType {
	case win.RIM_TYPEMOUSE:
		m := (*rawMouse)(unsafe.Pointer(&b.rest))
		if m.extra == ours || winthread.UnderWine && m.buttons == 0 && p.echoes.heard() { // C65
			return
		}
	case win.RIM_TYPEKEYBOARD:
		if p.key((*win.RAWKEYBOARD)(unsafe.Pointer(&b.rest))) {
			return
		}
	}
	p.ears.Acted()
}

// key takes notice of a key and tells whether it is one of ours.
func (p *WindowsPerson) key(k *win.RAWKEYBOARD) bool {
	maker := byPerson
	if k.ExtraInformation == ours { // C65
		maker = byUs
	}
	vk, down := byte(k.VKey), k.Flags&1 == 0 // RI_KEY_BREAK
	if vk == vkEndKey && down && !p.down[maker][vk] {
		switch {
		case maker == byPerson:
			p.pressed = 0
		case p.isDown(vkControlKey, vkControlLeft, vkControlRight) && p.isDown(vkMenuKey, vkMenuLeft, vkMenuRight):
			p.pressed++
		}
	}
	p.down[maker][vk] = down
	return maker == byUs
}

// isDown tells whether one of some keys is down, whoever pressed it.
func (p *WindowsPerson) isDown(keys ...byte) bool {
	for _, vk := range keys {
		if p.down[byPerson][vk] || p.down[byUs][vk] {
			return true
		}
	}
	return false
}

// happened is told of every window's name and focus: only the one in front counts.
func (p *WindowsPerson) happened(event uint32, w windows.HWND, object int32) {
	if event == win.EVENT_OBJECT_NAMECHANGE && (object != 0 || w != windows.GetForegroundWindow()) {
		return
	}
	p.look()
}

// look tells of the window in front if it is another one, or has another title.
func (p *WindowsPerson) look() {
	var f Front
	if w := windows.GetForegroundWindow(); w != 0 {
		f = p.describe(w)
	}
	if p.told && f == p.front {
		return
	}
	p.front, p.told = f, true
	p.ears.Front(f)
}

// describe asks no program: a window that hangs would not answer.
func (p *WindowsPerson) describe(w windows.HWND) Front {
	f := Front{Class: className(w), Program: p.programOf(w), Secret: asksForPassword()}
	var title [1024]uint16
	n, _, _ := syscall.SyscallN(internalGetWindowText.Addr(), uintptr(w), uintptr(unsafe.Pointer(&title[0])), uintptr(len(title)))
	f.Title = windows.UTF16ToString(title[:min(n, uintptr(len(title)))])
	return f
}

func className(w windows.HWND) string {
	var class [256]uint16
	n, err := windows.GetClassName(w, &class[0], int32(len(class)))
	if err != nil {
		return ""
	}
	return windows.UTF16ToString(class[:n])
}

// asksForPassword tells whether what has the keyboard is a field that hides what
// is typed.
func asksForPassword() bool {
	var info windows.GUIThreadInfo
	info.Size = uint32(unsafe.Sizeof(info))
	if windows.GetGUIThreadInfo(0, &info) != nil || info.Focus == 0 {
		return false
	}
	// Edit, RICHEDIT50W, WindowsForms10.EDIT.app.0.1; the style says other things of others.
	return win.GetWindowLong(win.HWND(info.Focus), win.GWL_STYLE)&win.ES_PASSWORD != 0 &&
		strings.Contains(strings.ToLower(className(info.Focus)), "edit")
}

// programOf is the name of the program that made a window, without its ending.
func (p *WindowsPerson) programOf(w windows.HWND) string {
	pid := processOf(w)
	if p.program.window == w && p.program.pid == pid {
		return p.program.name
	}
	p.program = programName{window: w, pid: pid, name: fileOf(pid)}
	return p.program.name
}

// fileOf is the name of a process's file in lower case, or "".
func fileOf(pid uint32) string {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return ""
	}
	defer func() { _ = windows.CloseHandle(process) }()
	var path [1024]uint16
	n := uint32(len(path))
	if err := windows.QueryFullProcessImageName(process, 0, &path[0], &n); err != nil {
		return ""
	}
	name := windows.UTF16ToString(path[:n])
	name = strings.ToLower(name[strings.LastIndexAny(name, `\/`)+1:])
	return strings.TrimSuffix(name, ".exe")
}
