//go:build !linux

package ui

// WindowBuilt tells whether the window child is embedded: it is for Linux.
func WindowBuilt() bool { return false }

// OpenWindow is for Linux: Windows has ui/win32, other systems have no window.
func OpenWindow(string) (Window, error) { return nil, ErrNoWindow }
