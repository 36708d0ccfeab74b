package win32

import (
	"strings"
	"unsafe"

	"github.com/tailscale/win"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// What github.com/tailscale/win does not have.
var (
	user32                     = windows.NewLazySystemDLL("user32.dll")
	adjustWindowRectExForDpi   = user32.NewProc("AdjustWindowRectExForDpi")
	systemParametersInfoForDpi = user32.NewProc("SystemParametersInfoForDpi")
	getInputMessageSource      = user32.NewProc("GetCurrentInputMessageSource")
)

// utf16 makes a string for Windows.
func utf16(s string) *uint16 {
	p, err := windows.UTF16PtrFromString(strings.ReplaceAll(s, "\x00", ""))
	if err != nil {
		p, _ = windows.UTF16PtrFromString("") // there is no NUL left
	}
	return p
}

// windowRect is the outer size of a window with a client area of w × h pixels.
func windowRect(w, h int32, style, exStyle uint32, dpi int32) (int32, int32) {
	r := win.RECT{Right: w, Bottom: h}
	if adjustWindowRectExForDpi.Find() == nil { // Windows 10 1607
		adjustWindowRectExForDpi.Call(uintptr(unsafe.Pointer(&r)), uintptr(style), 0, uintptr(exStyle), uintptr(dpi))
	} else {
		win.AdjustWindowRect(&r, style, false)
	}
	return r.Right - r.Left, r.Bottom - r.Top
}

// messageFont is the font that the person chose for messages, at a resolution.
func messageFont(dpi int32) win.LOGFONT {
	var m win.NONCLIENTMETRICS
	m.CbSize = uint32(unsafe.Sizeof(m))
	if systemParametersInfoForDpi.Find() == nil { // Windows 10 1607
		ok, _, _ := systemParametersInfoForDpi.Call(win.SPI_GETNONCLIENTMETRICS, uintptr(m.CbSize), uintptr(unsafe.Pointer(&m)), 0, uintptr(dpi))
		if ok != 0 {
			return m.LfMessageFont
		}
	}
	if win.SystemParametersInfo(win.SPI_GETNONCLIENTMETRICS, m.CbSize, unsafe.Pointer(&m), 0) {
		return m.LfMessageFont
	}
	f := win.LOGFONT{LfHeight: -12 * dpi / 96, LfCharSet: win.DEFAULT_CHARSET}
	copy(f.LfFaceName[:], windows.StringToUTF16("Segoe UI"))
	return f
}

// highContrast tells that the person uses a high contrast theme.
var highContrast = func() bool {
	var h win.HIGHCONTRAST
	h.CbSize = uint32(unsafe.Sizeof(h))
	return win.SystemParametersInfo(win.SPI_GETHIGHCONTRAST, h.CbSize, unsafe.Pointer(&h), 0) && h.DwFlags&win.HCF_HIGHCONTRASTON != 0
}

// textScale is how much larger than usual the person wants all text, as set in
// Windows' accessibility settings (Windows 10 1703): 1 to 2.25. The fonts that
// Windows gives do not know of it.
var textScale = func() float64 {
	k, err := registry.OpenKey(registry.CURRENT_USER, `Software\Microsoft\Accessibility`, registry.QUERY_VALUE)
	if err != nil {
		return 1
	}
	defer k.Close()
	percent, _, err := k.GetIntegerValue("TextScaleFactor")
	if err != nil {
		return 1
	}
	return float64(max(100, min(percent, 225))) / 100
}

// lineEnds makes line breaks those of Windows' controls.
func lineEnds(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// injected tells that the input message just taken from the queue was made by a
// program (SendInput) without the UI access that assistive technology has.
// Before Windows 8 it cannot be known, and the input.Guard stands alone.
func injected() bool {
	const originInjected = 2 // IMO_INJECTED
	if getInputMessageSource.Find() != nil {
		return false
	}
	var source struct{ device, origin uint32 }
	ok, _, _ := getInputMessageSource.Call(uintptr(unsafe.Pointer(&source)))
	return ok != 0 && source.origin == originInjected
}

// pointed is what a message parameter points to, where it is a pointer by the
// contract of the message.
func pointed[T any](parameter *uintptr) *T { return *(**T)(unsafe.Pointer(parameter)) }

// text of a control.
func text(h win.HWND) string {
	buf := make([]uint16, win.GetWindowTextLength(h)+1)
	return windows.UTF16ToString(buf[:win.GetWindowText(h, &buf[0], int32(len(buf)))])
}
