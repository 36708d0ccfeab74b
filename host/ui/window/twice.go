//go:build window

package main

import (
	"bytes"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// raiseOther brings a window of ours that stands on this display to the front: two
// windows with two codes would only confuse. It tells whether there is one. On
// Wayland nobody is told of other programs' windows.
func raiseOther() bool {
	c, err := xgb.NewConn()
	if err != nil {
		return false
	}
	defer c.Close()
	root := xproto.Setup(c).DefaultScreen(c).Root
	windows := clients(c, root)
	if len(windows) == 0 { // there is no window manager that keeps a list
		if tree, err := xproto.QueryTree(c, root).Reply(); err == nil {
			windows = tree.Children
		}
	}
	for _, w := range windows {
		class, err := xproto.GetProperty(c, false, w, xproto.AtomWmClass, xproto.AtomString, 0, 64).Reply()
		// Two strings, each with its end: ICCCM 4.1.2.5.
		if err != nil || !bytes.HasPrefix(class.Value, []byte(windowClass+"\x00")) {
			continue
		}
		if a, err := xproto.GetWindowAttributes(c, w).Reply(); err != nil || a.OverrideRedirect {
			continue
		}
		const application = 1
		ask(c, root, w, "_NET_ACTIVE_WINDOW", application, xproto.TimeCurrentTime, 0)
		_ = xproto.MapWindowChecked(c, w).Check() // if it is an icon
		_ = xproto.ConfigureWindowChecked(c, w, xproto.ConfigWindowStackMode, []uint32{xproto.StackModeAbove}).Check()
		return true
	}
	return false
}

// windowClass is what Gio names our windows.
const windowClass = "mainforte-window"

// clients is the window manager's list of windows, EWMH _NET_CLIENT_LIST.
func clients(c *xgb.Conn, root xproto.Window) []xproto.Window {
	const most = 4096
	r, err := xproto.GetProperty(c, false, root, atom(c, "_NET_CLIENT_LIST"), xproto.AtomWindow, 0, most).Reply()
	if err != nil || r.Format != 32 {
		return nil
	}
	var list []xproto.Window
	for b := r.Value; len(b) >= 4; b = b[4:] {
		list = append(list, xproto.Window(xgb.Get32(b)))
	}
	return list
}
