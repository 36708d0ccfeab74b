package input_test

import (
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/input"
)

// TestAReleaseThatComesLateDoublesNoLetter: a line that holds a keyup back for
// longer than the desktop's repeat delay must not type the letter again, and
// the person's keyboard repeats as before once the key is up.
func TestAReleaseThatComesLateDoublesNoLetter(t *testing.T) {
	display := capturetest.Xvfb(t, 200, 100)
	c, err := xgb.NewConnDisplay(display)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	win, err := xproto.NewWindowId(c)
	if err != nil {
		t.Fatal(err)
	}
	screen := xproto.Setup(c).DefaultScreen(c)
	if err := xproto.CreateWindowChecked(c, screen.RootDepth, win, screen.Root, 0, 0, 200, 100, 0, xproto.WindowClassInputOutput,
		screen.RootVisual, xproto.CwOverrideRedirect|xproto.CwEventMask, []uint32{1, xproto.EventMaskKeyPress}).Check(); err != nil {
		t.Fatal(err)
	}
	if err := xproto.MapWindowChecked(c, win).Check(); err != nil {
		t.Fatal(err)
	}
	if err := xproto.SetInputFocusChecked(c, xproto.InputFocusPointerRoot, win, 0).Check(); err != nil {
		t.Fatal(err)
	}
	presses := make(chan struct{}, 256)
	go func() {
		for {
			ev, err := c.WaitForEvent()
			if ev == nil && err == nil {
				return
			}
			if _, is := ev.(xproto.KeyPressEvent); is {
				presses <- struct{}{}
			}
		}
	}()
	x, err := input.OpenX11(display)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	count := func() int {
		time.Sleep(100 * time.Millisecond)
		n := len(presses)
		for range n {
			<-presses
		}
		return n
	}
	a := input.Key{Usage: 0x04, Text: "a"}
	press := func(down bool) {
		t.Helper()
		if err := x.Key(a, down); err != nil {
			t.Fatal(err)
		}
	}
	press(true)
	time.Sleep(1200 * time.Millisecond) // the server's delay is 660 ms or less
	if n := count(); n != 1 {
		t.Errorf("a key that is held for 1.2 s was pressed %d times", n)
	}
	press(true) // the technician's keyboard repeats it
	press(true)
	if n := count(); n != 2 {
		t.Errorf("two repeats of the technician's keyboard arrived as %d", n)
	}
	press(false)
	const keyA = 38
	repeats := func() bool {
		control, err := xproto.GetKeyboardControl(c).Reply()
		if err != nil {
			t.Fatal(err)
		}
		return control.AutoRepeats[keyA/8]&(1<<(keyA%8)) != 0
	}
	for deadline := time.Now().Add(2 * time.Second); !repeats(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the person's key does not repeat any more")
		}
	}
}
