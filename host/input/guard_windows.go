package input

import (
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// WindowsGuard is the Guard of a Windows desktop. All windows of this process
// and of the processes behind protected windows are protected, and so is the
// console window. A question that cannot be answered is answered no.
// Compiled for Windows and not yet run there.
type WindowsGuard struct {
	mu        sync.Mutex
	windows   map[windows.HWND]bool
	processes map[uint32]bool
	closed    bool
}

var (
	user32          = windows.NewLazySystemDLL("user32.dll")
	windowFromPoint = user32.NewProc("WindowFromPoint")
	getAncestor     = user32.NewProc("GetAncestor")
	getConsole      = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetConsoleWindow")
)

// Protect adds a window and the process it belongs to.
func (g *WindowsGuard) Protect(window uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.windows == nil {
		g.windows, g.processes = make(map[windows.HWND]bool), make(map[uint32]bool)
	}
	w := windows.HWND(uintptr(window))
	g.windows[w] = true
	var pid uint32
	if _, err := windows.GetWindowThreadProcessId(w, &pid); err == nil && pid != 0 {
		g.processes[pid] = true
	}
}

// ProtectTerminal protects the console window of this process.
func (g *WindowsGuard) ProtectTerminal() (int, error) {
	console, _, _ := getConsole.Call()
	if console == 0 {
		return 0, nil
	}
	g.Protect(uint64(console))
	return 1, nil
}

// PointerAllowed looks at the window under a pixel.
func (g *WindowsGuard) PointerAllowed(x, y int) bool {
	point := uint64(uint32(int32(x))) | uint64(uint32(int32(y)))<<32 // POINT by value, 64-bit systems
	if unsafe.Sizeof(uintptr(0)) != 8 {
		return false
	}
	w, _, _ := windowFromPoint.Call(uintptr(point))
	return g.allowed(windows.HWND(w))
}

// KeysAllowed looks at the window in the foreground.
func (g *WindowsGuard) KeysAllowed() bool { return g.allowed(windows.GetForegroundWindow()) }

func (g *WindowsGuard) allowed(w windows.HWND) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w == 0 || g.closed {
		return false
	}
	const root = 2 // GA_ROOT
	top, _, _ := getAncestor.Call(uintptr(w), root)
	var pid uint32
	if _, err := windows.GetWindowThreadProcessId(w, &pid); err != nil || pid == 0 {
		return false
	}
	return !g.windows[w] && !g.windows[windows.HWND(top)] && !g.processes[pid] && pid != uint32(os.Getpid())
}

// Close ends it.
func (g *WindowsGuard) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	return nil
}
