// The eye looks at the windows on a Windows desktop from outside and writes them
// to its standard output as JSON: class, text, place and controls of each. Tests
// read by it what stands in a native window of another program. It changes
// nothing. Called as "eye stay" it stays on the desktop until it is killed, and
// "eye stays" tells by its exit code whether one does.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"image"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

// control is wine.Control.
type control struct {
	Handle     uint64
	Process    uint32
	Class      string
	Text       string
	Bounds     image.Rectangle
	Enabled    bool
	Foreground bool
	Controls   []control
}

var (
	user32             = windows.NewLazySystemDLL("user32.dll")
	enumWindows        = user32.NewProc("EnumWindows")
	getWindow          = user32.NewProc("GetWindow")
	isWindowVisible    = user32.NewProc("IsWindowVisible")
	isWindowEnabled    = user32.NewProc("IsWindowEnabled")
	getWindowRect      = user32.NewProc("GetWindowRect")
	findWindow         = user32.NewProc("FindWindowW")
	createWindow       = user32.NewProc("CreateWindowExW")
	getMessage         = user32.NewProc("GetMessageW")
	dispatchMessage    = user32.NewProc("DispatchMessageW")
	sendMessageTimeout = user32.NewProc("SendMessageTimeoutW")
)

// longest bounds a text and how many windows are looked at.
const longest = 1 << 16

// staying is the title of the window, never shown, of an eye that stays.
const staying = "mainforte stays"

func main() {
	switch {
	case len(os.Args) < 2:
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			list()
		}
	case os.Args[1] == "stay":
		stay()
	default:
		if title, _ := windows.UTF16PtrFromString(staying); title != nil {
			if h, _, _ := findWindow.Call(0, uintptr(unsafe.Pointer(title))); h != 0 {
				return
			}
		}
		os.Exit(1)
	}
}

// stay opens a window that is not shown and handles its messages.
func stay() {
	runtime.LockOSThread()
	class, _ := windows.UTF16PtrFromString("Static")
	title, _ := windows.UTF16PtrFromString(staying)
	if h, _, err := createWindow.Call(0, uintptr(unsafe.Pointer(class)), uintptr(unsafe.Pointer(title)), 0, 0, 0, 0, 0, 0, 0, 0, 0); h == 0 {
		fmt.Fprintln(os.Stderr, "eye:", err)
		os.Exit(1)
	}
	var msg [48]byte // MSG
	for {
		if r, _, _ := getMessage.Call(uintptr(unsafe.Pointer(&msg)), 0, 0, 0); int32(r) <= 0 {
			return
		}
		dispatchMessage.Call(uintptr(unsafe.Pointer(&msg)))
	}
}

// handles are what each saw; a process may make only so many callbacks.
var (
	handles []windows.HWND
	each    = windows.NewCallback(func(h windows.HWND, _ uintptr) uintptr {
		handles = append(handles, h)
		return 1 // go on
	})
)

func list() {
	handles = nil
	enumWindows.Call(each, 0)
	all := []control{}
	for _, h := range handles {
		if c, ok := look(h); ok {
			all = append(all, c)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		fmt.Fprintln(os.Stderr, "eye:", err)
		os.Exit(1)
	}
}

// look reads a window, unless it cannot be seen.
func look(h windows.HWND) (c control, ok bool) {
	if r, _, _ := isWindowVisible.Call(uintptr(h)); r == 0 {
		return c, false
	}
	c = control{Handle: uint64(h), Foreground: h == windows.GetForegroundWindow(), Class: class(h), Text: text(h)}
	_, _ = windows.GetWindowThreadProcessId(h, &c.Process)
	enabled, _, _ := isWindowEnabled.Call(uintptr(h))
	c.Enabled = enabled != 0
	var rect [4]int32
	getWindowRect.Call(uintptr(h), uintptr(unsafe.Pointer(&rect)))
	c.Bounds = image.Rect(int(rect[0]), int(rect[1]), int(rect[2]), int(rect[3]))
	const next, child = 2, 5 // GW_HWNDNEXT, GW_CHILD
	at, _, _ := getWindow.Call(uintptr(h), child)
	for range longest {
		if at == 0 {
			break
		}
		if k, ok := look(windows.HWND(at)); ok {
			c.Controls = append(c.Controls, k)
		}
		at, _, _ = getWindow.Call(at, next)
	}
	return c, true
}

func class(h windows.HWND) string {
	var name [256]uint16
	n, err := windows.GetClassName(h, &name[0], int32(len(name)))
	if err != nil {
		return ""
	}
	return windows.UTF16ToString(name[:n])
}

// text asks the window itself, which for a control of another program only a
// message can; one that does not answer has none.
func text(h windows.HWND) string {
	const getText, abortIfHung, patience = 0x000D, 2, 2000 // WM_GETTEXT, SMTO_ABORTIFHUNG, ms
	buf := make([]uint16, longest)
	var n uintptr
	r, _, _ := sendMessageTimeout.Call(uintptr(h), getText, uintptr(len(buf)), uintptr(unsafe.Pointer(&buf[0])),
		abortIfHung, patience, uintptr(unsafe.Pointer(&n)))
	if r == 0 {
		return ""
	}
	return windows.UTF16ToString(buf[:min(int(n), len(buf)-1)+1])
}
