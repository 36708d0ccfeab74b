package input

import "golang.org/x/sys/windows"

// ProcessesAbove and ProcessOf are for tests of the guard.
var ProcessesAbove = processesAbove

func ProcessOf(window uint64) uint32 { return processOf(windows.HWND(uintptr(window))) }

// EventOf is what Windows is told of a key.
func EventOf(mode KeyMode, vk, scan uint16, down bool) (evVK, evScan uint16, flags uint32) {
	e := stroke{vk, scan}.event(mode, down)
	return e.key.vk, e.key.scan, e.key.flags
}
