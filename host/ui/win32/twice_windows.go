package win32

import (
	"github.com/tailscale/win"
	"golang.org/x/sys/windows"
)

// RaiseOther brings a window of ours that stands on this desktop to the front: two
// windows with two codes would only confuse. It tells whether there is one.
func RaiseOther() bool {
	class, err := windows.UTF16PtrFromString(className)
	if err != nil {
		return false
	}
	other := win.FindWindow(class, nil)
	if other == 0 {
		return false
	}
	if win.IsIconic(other) {
		win.ShowWindow(other, win.SW_RESTORE)
	}
	win.SetForegroundWindow(other)
	return true
}
