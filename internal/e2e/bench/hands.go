package main

import (
	"fmt"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// hands are keyboard and pointer of an X screen (XTEST).
type hands struct {
	c    *xgb.Conn
	root xproto.Window
}

// Keys by their number on the X server: evdev + 8.
const (
	keySpace  = 65
	keyAlt    = 64
	keyTab    = 23
	keyReturn = 36
)

func openHands(display string) (*hands, error) {
	c, err := xgb.NewConnDisplay(display)
	if err != nil {
		return nil, fmt.Errorf("hands: %w", err)
	}
	if err := xtest.Init(c); err != nil {
		return nil, fmt.Errorf("hands: %w", err)
	}
	// On a slow line a key is down for long: it must not press itself again.
	if err := xproto.ChangeKeyboardControlChecked(c, xproto.KbAutoRepeatMode, []uint32{xproto.AutoRepeatModeOff}).Check(); err != nil {
		return nil, fmt.Errorf("hands: %w", err)
	}
	return &hands{c, xproto.Setup(c).DefaultScreen(c).Root}, nil
}

func (h *hands) send(typ, detail byte, x, y int) error {
	if err := xtest.FakeInputChecked(h.c, typ, detail, 0, h.root, int16(x), int16(y), 0).Check(); err != nil {
		return fmt.Errorf("hands: %w", err)
	}
	return nil
}

func (h *hands) move(x, y int) error { return h.send(xproto.MotionNotify, 0, x, y) }

// press is a key, or with button set a button, that goes down or up.
func (h *hands) press(detail byte, button, down bool) error {
	typ := byte(xproto.KeyRelease)
	if down {
		typ = xproto.KeyPress
	}
	if button {
		typ += xproto.ButtonPress - xproto.KeyPress
	}
	return h.send(typ, detail, 0, 0)
}

func (h *hands) close() { h.c.Close() }
