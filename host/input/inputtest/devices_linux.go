package inputtest

import (
	"encoding/binary"
	"testing"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// Devices are the mouse and the keyboard that are plugged into an Xvfb, as a
// person would use them: what they do comes from the devices themselves, not from
// those of XTEST that injected input has.
type Devices struct {
	t     testing.TB
	c     *xgb.Conn
	first byte // event of XInput
	xtest byte // major opcode
	root  xproto.Window
}

// Xvfb numbers its devices always alike: after the two master ones and their two
// of XTEST come its own.
const (
	xvfbMouse    = 6
	xvfbKeyboard = 7
)

// OpenDevices takes mouse and keyboard of an Xvfb in hand until the test ends.
func OpenDevices(t testing.TB, display string) *Devices {
	t.Helper()
	c, err := xgb.NewConnDisplay(display)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := xtest.Init(c); err != nil {
		t.Fatal(err)
	}
	opcode := func(name string) *xproto.QueryExtensionReply {
		r, err := xproto.QueryExtension(c, uint16(len(name)), name).Reply()
		if err != nil || !r.Present {
			t.Fatalf("no %s: %v", name, err)
		}
		return r
	}
	return &Devices{
		t: t, c: c, root: xproto.Setup(c).DefaultScreen(c).Root,
		first: opcode("XInputExtension").FirstEvent, xtest: opcode("XTEST").MajorOpcode,
	}
}

// Events of XInput 1, counted from its first; XTestFakeInput takes them.
const (
	deviceValuator = iota
	deviceKeyPress
	deviceKeyRelease
	deviceButtonPress
	deviceButtonRelease
	deviceMotion
)

// Key presses or releases a key of the keyboard by its keycode.
func (d *Devices) Key(code byte, down bool) {
	d.t.Helper()
	kind := byte(deviceKeyRelease)
	if down {
		kind = deviceKeyPress
	}
	d.fake(kind, code, xvfbKeyboard)
}

// Button presses or releases a button of the mouse.
func (d *Devices) Button(button byte, down bool) {
	d.t.Helper()
	kind := byte(deviceButtonRelease)
	if down {
		kind = deviceButtonPress
	}
	d.fake(kind, button, xvfbMouse)
}

func (d *Devices) fake(kind, detail, device byte) {
	d.t.Helper()
	if err := xtest.FakeInputChecked(d.c, d.first+kind, detail, 0, d.root, 0, 0, device).Check(); err != nil {
		d.t.Fatal(err)
	}
}

// Move moves the mouse to a place.
func (d *Devices) Move(x, y int16) {
	d.t.Helper()
	b := make([]byte, 4+32+32)
	b[0], b[1] = d.xtest, 2 // FakeInput
	binary.LittleEndian.PutUint16(b[2:], uint16(len(b)/4))
	b[4], b[35] = d.first+deviceMotion, xvfbMouse
	v := b[36:]
	v[0], v[1] = d.first+deviceValuator, xvfbMouse
	v[6], v[7] = 2, 0 // two valuators from the first on
	binary.LittleEndian.PutUint32(v[8:], uint32(x))
	binary.LittleEndian.PutUint32(v[12:], uint32(y))
	cookie := d.c.NewCookie(true, false)
	d.c.NewRequest(b, cookie)
	if err := cookie.Check(); err != nil {
		d.t.Fatal(err)
	}
}
