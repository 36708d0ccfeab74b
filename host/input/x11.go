//go:build linux

package input

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	robot "github.com/go-vgo/robotgo/x11"
	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// X11 injects into one X display. Keys and buttons go by XTEST on a connection
// of its own: robotgo sleeps in every key tap, knows two levels of a key and
// caches the keymap for ever. Wheel and pointer go by robotgo, which is right
// there, wherever its display, always $DISPLAY, is the one asked for.
type X11 struct {
	c    *xgb.Conn // XTEST and XKEYBOARD: one connection, so that all stays in order
	xkb  byte      // major opcode of XKEYBOARD
	root xproto.Window
	// watch hears of new keymaps. A connection that speaks XKEYBOARD, like c,
	// gets no MappingNotify, and xgb knows no XKEYBOARD events.
	watch *xgb.Conn
	robot bool // robotgo's display is this one

	lost     atomic.Bool
	remapped atomic.Bool   // the keymap changed since it was read
	changed  chan struct{} // the same, for follow; closed with watch
	wg       sync.WaitGroup

	mu        sync.Mutex // what follows; a late Restore runs beside the caller
	closed    bool
	unflushed bool // c has requests that the server may not have seen

	keymap         *keymap
	minKey, maxKey byte
	pressed        map[uint16]byte // by usage: the keycode that is down, 0 if typed as text
	down           map[byte]int    // by keycode: for how many usages
	buttons        [buttonCount]bool
	wheelX, wheelY int // 1/120 of a notch not yet turned
	spare          spare
	repeats        [32]byte // bit code%8 of byte code/8: the X server repeats this key
}

var quiet sync.Once

// quietXgb drops xgb's own log: it prints what the caller hears as an error anyway.
func quietXgb() { quiet.Do(func() { xgb.Logger = log.New(io.Discard, "", 0) }) }

// dial connects to a display.
func dial(display string) (*xgb.Conn, error) {
	quietXgb()
	c, err := xgb.NewConnDisplay(display)
	if err != nil {
		return nil, fmt.Errorf("input: connect to X display %q: %w", display, err)
	}
	return c, nil
}

// OpenX11 opens the hands of a display such as ":0"; "" is $DISPLAY. The error
// wraps ErrUnsupported where XTEST or XKEYBOARD is missing.
func OpenX11(display string) (*X11, error) {
	if display == "" {
		display = os.Getenv("DISPLAY")
	}
	c, err := dial(display)
	if err != nil {
		return nil, err
	}
	watch, err := dial(display)
	if err != nil {
		c.Close()
		return nil, err
	}
	setup := xproto.Setup(c)
	x := &X11{
		c: c, watch: watch,
		root:    setup.DefaultScreen(c).Root,
		robot:   sameDisplay(display, os.Getenv("DISPLAY")),
		minKey:  byte(setup.MinKeycode),
		maxKey:  byte(setup.MaxKeycode),
		pressed: make(map[uint16]byte),
		down:    make(map[byte]int),
		spare:   spare{bound: make(map[byte]*binding)},
		changed: make(chan struct{}, 1),
	}
	// Both queues are read for ever: a full one stops xgb.
	x.wg.Go(func() { drain(c, nil); x.lost.Store(true) })
	x.wg.Go(func() { drain(watch, x.event); x.lost.Store(true); close(x.changed) })
	x.wg.Go(x.follow)
	if err := x.init(); err != nil {
		x.Close()
		return nil, err
	}
	return x, nil
}

func (x *X11) init() error {
	if err := xtest.Init(x.c); err != nil {
		return fmt.Errorf("%w: no XTEST extension: %w", ErrUnsupported, err)
	}
	if err := x.useXKB(); err != nil {
		return err
	}
	control, err := xproto.GetKeyboardControl(x.c).Reply()
	if err != nil {
		return x.gone("ask which keys repeat", err)
	}
	copy(x.repeats[:], control.AutoRepeats)
	if x.robot {
		robot.KeySleep = 0 // of this package: the root package's is not forwarded
		robot.Close()      // a connection of an earlier $DISPLAY
	}
	return x.reload()
}

// drain reads events until the connection ends.
func drain(c *xgb.Conn, event func(xgb.Event)) {
	for {
		ev, err := c.WaitForEvent()
		if ev == nil && err == nil {
			return
		}
		if ev != nil && event != nil {
			event(ev)
		}
	}
}

func (x *X11) event(ev xgb.Event) {
	if m, ok := ev.(xproto.MappingNotifyEvent); ok && m.Request != xproto.MappingPointer {
		x.remapped.Store(true)
		select {
		case x.changed <- struct{}{}:
		default: // follow has not looked yet
		}
	}
}

// sameDisplay tells whether two names mean one X server: ":0", "unix:0.0".
func sameDisplay(a, b string) bool {
	plain := func(s string) string {
		s = strings.TrimPrefix(s, "unix:")
		s = strings.TrimPrefix(s, ":")
		if i := strings.LastIndexByte(s, '.'); i > strings.LastIndexByte(s, ':') {
			s = s[:i]
		}
		return s
	}
	return a != "" && b != "" && plain(a) == plain(b)
}

// gone makes an error of a display that went away.
func (x *X11) gone(what string, err error) error {
	if err == nil || x.lost.Load() || err == io.EOF {
		return fmt.Errorf("%w (%s)", ErrLost, what)
	}
	return fmt.Errorf("input: %s: %w", what, err)
}

// fake sends one XTEST event and does not wait for it.
func (x *X11) fake(kind, detail byte, px, py int16) {
	xtest.FakeInput(x.c, kind, detail, 0, x.root, px, py, 0)
	x.unflushed = true
}

// flush waits until the server has seen everything; before another connection
// says something that must come after it.
func (x *X11) flush() {
	if x.unflushed {
		x.c.Sync()
		x.unflushed = false
	}
}

// Move puts the pointer on a pixel; the server keeps it on the screen.
func (x *X11) Move(px, py int) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lost.Load() {
		return x.gone("move", nil)
	}
	const most = 1<<15 - 1 // positions are int16 in the protocol
	px, py = min(max(px, 0), most), min(max(py, 0), most)
	if x.robot {
		x.flush()
		robot.Move(px, py)
		return nil
	}
	x.fake(xproto.MotionNotify, 0, int16(px), int16(py))
	return nil
}

// Buttons 4 to 7 of X11 are the wheel.
var x11Buttons = [buttonCount]byte{Left: 1, Middle: 2, Right: 3, Back: 8, Forward: 9}

// Button presses or releases where the pointer is.
func (x *X11) Button(b Button, down bool) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lost.Load() {
		return x.gone("button", nil)
	}
	if int(b) >= len(x11Buttons) {
		return fmt.Errorf("input: no button %d", b)
	}
	kind := byte(xproto.ButtonRelease)
	if down {
		kind = xproto.ButtonPress
	}
	x.buttons[b] = down
	x.fake(kind, x11Buttons[b], 0, 0)
	return nil
}

// Wheel turns whole notches and keeps the rest: X11 clients that learn of the
// wheel by button events know nothing smaller.
func (x *X11) Wheel(dx, dy int) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lost.Load() {
		return x.gone("wheel", nil)
	}
	nx, ny := turn(&x.wheelX, dx), turn(&x.wheelY, dy)
	if nx == 0 && ny == 0 {
		return nil
	}
	if x.robot {
		x.flush()
		robot.Scroll(-nx, -ny, 0) // robotgo counts up and left as positive; 0 is its sleep
		return nil
	}
	x.notches(ny, 4, 5)
	x.notches(nx, 6, 7)
	return nil
}

func (x *X11) notches(n int, less, more byte) {
	b := more
	if n < 0 {
		b, n = less, -n
	}
	for range n {
		x.fake(xproto.ButtonPress, b, 0, 0)
		x.fake(xproto.ButtonRelease, b, 0, 0)
	}
}

// Close releases what is down, gives the spare keycodes back and disconnects.
func (x *X11) Close() error {
	err := x.end()
	x.wg.Wait() // without the lock: a late Restore may wait for it
	return err
}

func (x *X11) end() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil
	}
	x.closed = true
	for b, down := range x.buttons {
		if down {
			x.fake(xproto.ButtonRelease, x11Buttons[b], 0, 0)
		}
	}
	for usage := range x.pressed {
		_ = x.keyUp(usage)
	}
	if x.spare.later != nil && x.spare.later.Stop() {
		x.wg.Done()
	}
	time.Sleep(x.untilSettled())
	err := x.unbind()
	if errors.Is(err, ErrLost) {
		err = nil // nothing to give back to
	}
	x.flush()
	if x.robot {
		robot.Close()
	}
	x.lost.Store(true) // every later call says so
	x.c.Close()
	x.watch.Close()
	return err
}
