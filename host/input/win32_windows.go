package input

import (
	"fmt"
	"image"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	user32   = windows.NewLazySystemDLL("user32.dll")
	kernel32 = windows.NewLazySystemDLL("kernel32.dll")

	sendInput        = user32.NewProc("SendInput")
	getSystemMetrics = user32.NewProc("GetSystemMetrics")
	getAsyncKeyState = user32.NewProc("GetAsyncKeyState")
	getKeyState      = user32.NewProc("GetKeyState")
	peekMessage      = user32.NewProc("PeekMessageW")
	mapVirtualKeyEx  = user32.NewProc("MapVirtualKeyExW")
	vkKeyScanEx      = user32.NewProc("VkKeyScanExW")
	windowFromPoint  = user32.NewProc("WindowFromPoint")
	getAncestor      = user32.NewProc("GetAncestor")
	getConsoleWindow = kernel32.NewProc("GetConsoleWindow")
)

// Values of GetSystemMetrics.
const (
	metricSwapButton = 23 // SM_SWAPBUTTON
	metricVirtualX   = 76 // SM_XVIRTUALSCREEN, and Y, width, height after it
)

func metric(which uintptr) int {
	r, _, _ := getSystemMetrics.Call(which)
	return int(int32(r))
}

// virtualScreen is the rectangle around all monitors in the system's
// coordinates, which is the captured picture moved by its corner.
func virtualScreen() image.Rectangle {
	x, y := metric(metricVirtualX), metric(metricVirtualX+1)
	return image.Rect(x, y, x+metric(metricVirtualX+2), y+metric(metricVirtualX+3))
}

// The two kinds of INPUT that are used; the union is as large as its largest part.
type (
	mouseEvent struct {
		_     uint32 // 0: INPUT_MOUSE
		mouse struct {
			dx, dy            int32
			data, flags, time uint32
			extra             uintptr
		}
	}
	keyEvent struct {
		kind uint32 // INPUT_KEYBOARD
		key  struct {
			vk, scan    uint16
			flags, time uint32
			extra       uintptr
		}
		_ [8]byte
	}
)

const inputKeyboard = 1

// Flags of keyEvent.
const (
	keyExtended = 1 << iota
	keyUp
	keyUnicode
	keyScanCode
)

// send injects events of one kind, all or none of them between two of the
// person's own.
func send[T mouseEvent | keyEvent](events []T) error {
	if len(events) == 0 {
		return nil
	}
	n, _, errno := syscall.SyscallN(sendInput.Addr(), uintptr(len(events)), uintptr(unsafe.Pointer(unsafe.SliceData(events))), unsafe.Sizeof(events[0]))
	if int(n) == len(events) {
		return nil
	}
	return fmt.Errorf("%w: %d of %d events went in: %w", errRefused, n, len(events), errno)
}
