//go:build linux

package input

import (
	"encoding/binary"
	"fmt"

	"github.com/jezek/xgb/xproto"
)

// xgb has no XKEYBOARD, so its four requests that matter here are written by
// hand: X Keyboard Extension Protocol Specification, appendix D.
const (
	xkbUseExtension   = 0
	xkbGetState       = 4
	xkbLatchLockState = 5
	xkbGetMap         = 8

	xkbCoreKeyboard = 0x100 // the device every keyboard feeds
)

func (x *X11) xkbRequest(minor byte, size int) []byte {
	b := make([]byte, size)
	b[0], b[1] = x.xkb, minor
	binary.LittleEndian.PutUint16(b[2:], uint16(size/4))
	if minor != xkbUseExtension {
		binary.LittleEndian.PutUint16(b[4:], xkbCoreKeyboard)
	}
	return b
}

func (x *X11) xkbReply(request []byte) ([]byte, error) {
	cookie := x.c.NewCookie(true, true)
	x.c.NewRequest(request, cookie)
	x.unflushed = false // a reply comes after everything before it
	return cookie.Reply()
}

func (x *X11) useXKB() error {
	const name = "XKEYBOARD"
	ext, err := xproto.QueryExtension(x.c, uint16(len(name)), name).Reply()
	if err != nil {
		return x.gone("ask for XKEYBOARD", err)
	}
	if !ext.Present {
		return fmt.Errorf("%w: no XKEYBOARD extension", ErrUnsupported)
	}
	x.xkb = ext.MajorOpcode
	request := x.xkbRequest(xkbUseExtension, 8)
	request[4] = 1 // version 1.0
	reply, err := x.xkbReply(request)
	if err != nil {
		return x.gone("use XKEYBOARD", err)
	}
	if reply[1] == 0 {
		return fmt.Errorf("%w: XKEYBOARD 1.0 refused", ErrUnsupported)
	}
	return nil
}

// keyState is what is in effect at the keyboard now.
type keyState struct {
	mods   uint8 // all real modifiers
	base   uint8 // those held down
	locked uint8 // those locked: CapsLock, NumLock
	group  int   // the layout
}

func (x *X11) state() (keyState, error) {
	b, err := x.xkbReply(x.xkbRequest(xkbGetState, 8))
	if err != nil || len(b) < 13 {
		return keyState{}, x.gone("read the keyboard's state", err)
	}
	return keyState{mods: b[8], base: b[9], locked: b[11], group: int(b[12] & 3)}, nil
}

// lockCaps sets or clears the lock of CapsLock, without a key.
func (x *X11) lockCaps(on bool) {
	request := x.xkbRequest(xkbLatchLockState, 16)
	request[6] = xLock // affected
	if on {
		request[7] = xLock
	}
	x.c.NewRequest(request, x.c.NewCookie(false, false))
	x.unflushed = true
}

// reload reads the keymap. It is done again before the next key after somebody
// changed it.
func (x *X11) reload() error {
	x.remapped.Store(false)
	request := x.xkbRequest(xkbGetMap, 28)
	binary.LittleEndian.PutUint16(request[6:], 1|2) // types and keysyms, all of them
	reply, err := x.xkbReply(request)
	if err != nil {
		return x.gone("read the keymap", err)
	}
	m, err := parseGetMap(reply)
	if err != nil {
		return err
	}
	mods, err := xproto.GetModifierMapping(x.c).Reply()
	if err != nil {
		return x.gone("read the modifiers", err)
	}
	codes := make([]byte, len(mods.Keycodes))
	for i, code := range mods.Keycodes {
		codes[i] = byte(code)
	}
	m.setModifiers(codes)
	x.keymap = m
	x.spare.forget(m)
	return nil
}

// ready makes sure the display lives and the keymap is the present one.
func (x *X11) ready(what string) error {
	if x.lost.Load() {
		return x.gone(what, nil)
	}
	if x.remapped.Load() {
		return x.reload()
	}
	return nil
}
