//go:build window

package main

import (
	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// keepAbove asks the window manager to keep the window above the others, so
// that Stop is always in sight (EWMH _NET_WM_STATE_ABOVE). Gio's TopMost does
// nothing on X11 (v0.10.3). A failure only means an ordinary window.
func keepAbove(window uint32) {
	c, err := xgb.NewConn()
	if err != nil {
		return
	}
	defer c.Close()
	const add, application = 1, 1
	root := xproto.Setup(c).DefaultScreen(c).Root
	ask(c, root, xproto.Window(window), "_NET_WM_STATE", add, uint32(atom(c, "_NET_WM_STATE_ABOVE")), 0, application)
}

// ask sends the window manager a request about a window.
func ask(c *xgb.Conn, root, window xproto.Window, what string, data ...uint32) {
	values := append(data, make([]uint32, 5-len(data))...)
	ev := xproto.ClientMessageEvent{Format: 32, Window: window, Type: atom(c, what), Data: xproto.ClientMessageDataUnionData32New(values)}
	_ = xproto.SendEventChecked(c, false, root, xproto.EventMaskSubstructureNotify|xproto.EventMaskSubstructureRedirect, string(ev.Bytes())).Check()
}

func atom(c *xgb.Conn, name string) xproto.Atom {
	r, err := xproto.InternAtom(c, false, uint16(len(name)), name).Reply()
	if err != nil {
		return 0
	}
	return r.Atom
}

// workHeight is how high the window may be, in pixels: the screen's height less
// what panels and the frame may take. What does not fit is scrolled.
func workHeight() int {
	const unknown, panels = 720, 90
	c, err := xgb.NewConn()
	if err != nil {
		return unknown
	}
	defer c.Close()
	return max(int(xproto.Setup(c).DefaultScreen(c).HeightInPixels)-panels, 240)
}
