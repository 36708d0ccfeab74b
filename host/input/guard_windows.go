package input

import (
	"fmt"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// WindowsGuard is the Guard of a Windows desktop. All windows of this process
// are protected from the start; a window that is named to Protect is, together
// with the windows it belongs to and all others of their processes. A question
// that cannot be answered, as while a secure desktop has the screen or nothing
// has the focus, is answered no.
type WindowsGuard struct {
	mu        sync.Mutex
	windows   map[windows.HWND]bool
	processes map[uint32]bool
	closed    bool
}

// Protect adds a window (an HWND). It stays protected, and so does its process,
// until Close.
func (g *WindowsGuard) Protect(window uint64) {
	w := windows.HWND(uintptr(window))
	if w == 0 || uint64(w) != window {
		return // no window of this system
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.windows == nil {
		g.windows, g.processes = make(map[windows.HWND]bool), make(map[uint32]bool)
	}
	for _, w := range family(w) {
		g.windows[w] = true
		if pid := processOf(w); pid != 0 {
			g.processes[pid] = true
		}
	}
}

// protectProcess adds all windows of a process.
func (g *WindowsGuard) protectProcess(pid uint32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.processes == nil {
		g.windows, g.processes = make(map[windows.HWND]bool), make(map[uint32]bool)
	}
	g.processes[pid] = true
}

// ProtectTerminal protects the console window of this process and the windows of
// the processes above this one, up to the shell of the desktop: a terminal that
// is no console runs there.
func (g *WindowsGuard) ProtectTerminal() (int, error) {
	found := 0
	if console, _, _ := getConsoleWindow.Call(); console != 0 {
		g.Protect(uint64(console))
		found++
	}
	above, err := processesAbove(uint32(os.Getpid()))
	for _, pid := range above {
		g.protectProcess(pid)
	}
	return found, err
}

// PointerAllowed looks at the window under a pixel of the picture.
func (g *WindowsGuard) PointerAllowed(x, y int) bool {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		return false // POINT by value is two arguments there
	}
	area := virtualScreen()
	x, y = x+area.Min.X, y+area.Min.Y
	if x < area.Min.X || y < area.Min.Y || x >= area.Max.X || y >= area.Max.Y {
		return false // Windows would move it somewhere on the screen
	}
	w, _, _ := windowFromPoint.Call(uintptr(uint64(uint32(int32(x))) | uint64(uint32(int32(y)))<<32))
	return g.allowed(windows.HWND(w))
}

// KeysAllowed looks at the window in the foreground, and at what has the
// keyboard within it: a control, or a menu of another window.
func (g *WindowsGuard) KeysAllowed() bool {
	if !g.allowed(windows.GetForegroundWindow()) {
		return false
	}
	var info windows.GUIThreadInfo
	info.Size = uint32(unsafe.Sizeof(info))
	if err := windows.GetGUIThreadInfo(0, &info); err != nil {
		return false
	}
	for _, w := range []windows.HWND{info.Active, info.Focus, info.MenuOwner, info.Capture} {
		if w != 0 && !g.allowed(w) {
			return false
		}
	}
	return true
}

func (g *WindowsGuard) allowed(w windows.HWND) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w == 0 || g.closed {
		return false
	}
	for _, w := range family(w) {
		pid := processOf(w)
		if pid == 0 || pid == uint32(os.Getpid()) || g.processes[pid] || g.windows[w] {
			return false
		}
	}
	return true
}

// Close ends it; from then on nothing is allowed.
func (g *WindowsGuard) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	return nil
}

// family is a window, the top-level one it lies in, and the one that owns that.
func family(w windows.HWND) []windows.HWND {
	const root, rootOwner = 2, 3 // GA_ROOT, GA_ROOTOWNER
	all := []windows.HWND{w}
	for _, which := range []uintptr{root, rootOwner} {
		if a, _, _ := getAncestor.Call(uintptr(w), which); a != 0 && windows.HWND(a) != w {
			all = append(all, windows.HWND(a))
		}
	}
	return all
}

// processOf is the process that made a window, or 0.
func processOf(w windows.HWND) uint32 {
	var pid uint32
	if _, err := windows.GetWindowThreadProcessId(w, &pid); err != nil {
		return 0
	}
	return pid
}

// processesAbove lists the parent of a process, its parent and so on, without
// the desktop's shell and what is above it.
func processesAbove(pid uint32) ([]uint32, error) {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return nil, fmt.Errorf("input: list the processes: %w", err)
	}
	defer func() { _ = windows.CloseHandle(snapshot) }()
	parents := make(map[uint32]uint32)
	entry := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	for err = windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
		parents[entry.ProcessID] = entry.ParentProcessID
	}
	shell := processOf(windows.GetShellWindow())
	var above []uint32
	for at := pid; len(above) < 64; {
		parent := parents[at]
		// A parent that has ended leaves its number to any process after it.
		if parent == 0 || parent == shell || parent == pid || !startedBefore(parent, at) {
			break
		}
		above = append(above, parent)
		at = parent
	}
	return above, nil
}

// startedBefore tells whether one process started before another.
func startedBefore(first, second uint32) bool {
	a, okA := started(first)
	b, okB := started(second)
	return okA && okB && !a.After(b)
}

func started(pid uint32) (time.Time, bool) {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return time.Time{}, false
	}
	defer func() { _ = windows.CloseHandle(process) }()
	var creation, exit, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(process, &creation, &exit, &kernel, &user); err != nil {
		return time.Time{}, false
	}
	return time.Unix(0, creation.Nanoseconds()), true
}
