package capture

import (
	"fmt"
	"image"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	user32   = windows.NewLazySystemDLL("user32.dll")
	gdi32    = windows.NewLazySystemDLL("gdi32.dll")
	wtsapi32 = windows.NewLazySystemDLL("wtsapi32.dll")

	getSystemMetrics         = user32.NewProc("GetSystemMetrics")
	getLastInputInfo         = user32.NewProc("GetLastInputInfo")
	enumDisplayMonitors      = user32.NewProc("EnumDisplayMonitors")
	getMonitorInfo           = user32.NewProc("GetMonitorInfoW")
	openInputDesktop         = user32.NewProc("OpenInputDesktop")
	closeDesktop             = user32.NewProc("CloseDesktop")
	getThreadDesktop         = user32.NewProc("GetThreadDesktop")
	getUserObjectInformation = user32.NewProc("GetUserObjectInformationW")
	getCursorInfo            = user32.NewProc("GetCursorInfo")
	getIconInfo              = user32.NewProc("GetIconInfo")

	createDC           = gdi32.NewProc("CreateDCW")
	createCompatibleDC = gdi32.NewProc("CreateCompatibleDC")
	createDIBSection   = gdi32.NewProc("CreateDIBSection")
	selectObject       = gdi32.NewProc("SelectObject")
	deleteObject       = gdi32.NewProc("DeleteObject")
	deleteDC           = gdi32.NewProc("DeleteDC")
	bitBlt             = gdi32.NewProc("BitBlt")
	gdiFlush           = gdi32.NewProc("GdiFlush")
	getObject          = gdi32.NewProc("GetObjectW")
	getDIBits          = gdi32.NewProc("GetDIBits")

	wtsQuerySessionInformation = wtsapi32.NewProc("WTSQuerySessionInformationW")
)

// call calls a function of Windows whose result 0 means failure. What its
// arguments point to stays where it is meanwhile.
//
//go:uintptrescapes
func call(p *windows.LazyProc, args ...uintptr) (uintptr, error) { return callPlain(p, args...) }

// callPlain is call for a function that is given no pointers; it allocates nothing.
func callPlain(p *windows.LazyProc, args ...uintptr) (uintptr, error) {
	if err := p.Find(); err != nil {
		return 0, err
	}
	r, _, errno := syscall.SyscallN(p.Addr(), args...)
	if r != 0 {
		return r, nil
	}
	if errno == 0 {
		return 0, fmt.Errorf("%s failed", p.Name)
	}
	return 0, fmt.Errorf("%s: %w", p.Name, errno)
}

// metric is one of GetSystemMetrics' values.
func metric(which uintptr) int {
	r, _, _ := syscall.SyscallN(getSystemMetrics.Addr(), which)
	return int(int32(r))
}

const (
	metricMousePresent  = 19 // SM_MOUSEPRESENT
	metricVirtualX      = 76 // SM_XVIRTUALSCREEN, and Y, width, height after it
	metricVirtualY      = 77
	metricVirtualWidth  = 78
	metricVirtualHeight = 79
)

// virtualScreen is the rectangle around all monitors, in the system's
// coordinates: the primary monitor's corner is 0, 0.
func virtualScreen() image.Rectangle {
	x, y := metric(metricVirtualX), metric(metricVirtualY)
	return image.Rect(x, y, x+metric(metricVirtualWidth), y+metric(metricVirtualHeight))
}

// lastInput is the tick of the last input that anybody gave this session.
func lastInput() uint32 {
	info := struct{ size, time uint32 }{size: 8}
	syscall.SyscallN(getLastInputInfo.Addr(), uintptr(unsafe.Pointer(&info)))
	return info.time
}

// header is BITMAPINFOHEADER.
type header struct {
	size          uint32
	width, height int32 // height < 0: rows from the top
	planes, bits  uint16
	compression   uint32
	imageSize     uint32
	perMeter      [2]int32
	colours       [2]uint32
}

// header32 describes rows from the top of 0x??RRGGBB pixels.
func header32(w, h int) header {
	return header{size: uint32(unsafe.Sizeof(header{})), width: int32(w), height: int32(-h), planes: 1, bits: 32}
}
