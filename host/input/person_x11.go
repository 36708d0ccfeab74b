//go:build linux

package input

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// frontEvery is how often the window in front is looked at when nothing says that
// it changed: not every program and window manager does.
const frontEvery = 300 * time.Millisecond

// X11Person hears the devices of an X display but for those of XTEST, by raw
// events of XInput 2.1: they come whoever has grabbed keyboard or pointer. What
// the technician does makes no such event, and costs nothing here.
//
// The panic key is grabbed so that no program gets it as well. Only the person's
// own keyboard sets it off: keys that are injected are swallowed by the grab.
type X11Person struct {
	ears Ears
	raw  *xgb.Conn // devices and the grab
	c    *xgb.Conn // the window in front
	root xproto.Window
	wg   sync.WaitGroup
	stop chan struct{}
	once sync.Once

	opcode   byte // of XInput
	end      []xproto.Keycode
	control  []byte
	alt      []byte
	grabbed  bool
	down     [256]bool // keys of the person's own keyboards; the raw reader's
	ready    atomic.Bool
	changed  chan struct{} // the devices are others
	look     chan struct{} // the window in front may be another one
	active   xproto.Atom
	class    xproto.Atom
	name     xproto.Atom
	utf8     xproto.Atom
	watching xproto.Window // whose title is watched
	front    Front
	told     bool
}

// XInput 2.2: minor opcodes, events and device uses; XI2proto.txt.
const (
	xiSelectEvents = 46
	xiQueryVersion = 47
	xiQueryDevice  = 48

	xiHierarchyChanged = 11
	xiRawKeyPress      = 13
	xiRawKeyRelease    = 14
	xiRawButtonPress   = 15
	xiRawButtonRelease = 16
	xiRawMotion        = 17
	xiRawTouchBegin    = 22
	xiRawTouchUpdate   = 23

	xiAllDevices    = 0
	xiSlavePointer  = 3
	xiSlaveKeyboard = 4
)

// OpenX11Person listens to a display such as ":0"; "" is $DISPLAY. The error wraps
// ErrUnsupported where the X server has no XInput 2.1.
func OpenX11Person(display string, ears Ears) (*X11Person, error) {
	p := &X11Person{ears: ears, stop: make(chan struct{}), changed: make(chan struct{}, 1), look: make(chan struct{}, 1)}
	var err error
	if p.raw, err = dialGeneric(display, p.event); err != nil {
		return nil, err
	}
	if p.c, err = dial(display); err != nil {
		p.raw.Close()
		return nil, err
	}
	p.root = xproto.Setup(p.c).DefaultScreen(p.c).Root
	p.wg.Go(func() { drain(p.raw, nil) })
	p.wg.Go(func() { drain(p.c, p.windowEvent) })
	if err := errors.Join(p.listen(), p.watchFront()); err != nil {
		p.stopAll()
		return nil, err
	}
	p.grabbed = p.grab() == nil
	p.ready.Store(true)
	p.wg.Go(p.run)
	return p, nil
}

// PanicKey implements Person.
func (p *X11Person) PanicKey() string {
	if !p.grabbed {
		return ""
	}
	return PanicKey
}

// Close implements Person.
func (p *X11Person) Close() error {
	p.once.Do(p.stopAll)
	return nil
}

// stopAll disconnects, which gives the grab back.
func (p *X11Person) stopAll() {
	close(p.stop)
	p.raw.Close()
	p.c.Close()
	p.wg.Wait()
}

func (p *X11Person) request(minor byte, size int) []byte {
	b := make([]byte, size)
	b[0], b[1] = p.opcode, minor
	binary.LittleEndian.PutUint16(b[2:], uint16(size/4))
	return b
}

func (p *X11Person) reply(request []byte) ([]byte, error) {
	cookie := p.raw.NewCookie(true, true)
	p.raw.NewRequest(request, cookie)
	return cookie.Reply()
}

func (p *X11Person) listen() error {
	const extension = "XInputExtension"
	ext, err := xproto.QueryExtension(p.raw, uint16(len(extension)), extension).Reply()
	if err != nil {
		return fmt.Errorf("input: ask for XInput: %w", err)
	}
	if !ext.Present {
		return fmt.Errorf("%w: no XInput extension", ErrUnsupported)
	}
	p.opcode = ext.MajorOpcode
	version := p.request(xiQueryVersion, 8)
	binary.LittleEndian.PutUint16(version[4:], 2)
	binary.LittleEndian.PutUint16(version[6:], 2)
	b, err := p.reply(version)
	if err != nil || len(b) < 12 {
		return fmt.Errorf("%w: no XInput 2: %w", ErrUnsupported, err)
	}
	if major, minor := binary.LittleEndian.Uint16(b[8:]), binary.LittleEndian.Uint16(b[10:]); major < 2 || major == 2 && minor < 1 {
		return fmt.Errorf("%w: XInput %d.%d", ErrUnsupported, major, minor)
	}
	if err := p.sel(xiAllDevices, xiHierarchyChanged); err != nil {
		return fmt.Errorf("input: listen for devices: %w", err)
	}
	return p.listenToDevices()
}

// sel selects events of a device on the root window.
func (p *X11Person) sel(device uint16, events ...int) error {
	b := p.request(xiSelectEvents, 20)
	binary.LittleEndian.PutUint32(b[4:], uint32(p.root))
	binary.LittleEndian.PutUint16(b[8:], 1) // one mask
	binary.LittleEndian.PutUint16(b[12:], device)
	binary.LittleEndian.PutUint16(b[14:], 1) // of four bytes
	for _, e := range events {
		b[16+e/8] |= 1 << (e % 8)
	}
	cookie := p.raw.NewCookie(true, false)
	p.raw.NewRequest(b, cookie)
	return cookie.Check()
}

// listenToDevices selects the raw events of every device that is no XTEST one.
func (p *X11Person) listenToDevices() error {
	request := p.request(xiQueryDevice, 8)
	b, err := p.reply(request)
	if err != nil {
		return fmt.Errorf("input: list the devices: %w", err)
	}
	for _, d := range xiDevices(b) {
		if d.use != xiSlavePointer && d.use != xiSlaveKeyboard || strings.Contains(d.name, " XTEST ") {
			continue
		}
		err := p.sel(d.id, xiRawKeyPress, xiRawKeyRelease, xiRawButtonPress, xiRawButtonRelease, xiRawMotion, xiRawTouchBegin, xiRawTouchUpdate)
		if err != nil && p.ready.Load() {
			continue // unplugged in this moment
		}
		if err != nil {
			return fmt.Errorf("input: listen to %q: %w", d.name, err)
		}
	}
	return nil
}

type xiDevice struct {
	id, use uint16
	name    string
}

// xiDevices reads the answer to XIQueryDevice. One that does not add up ends the list.
func xiDevices(b []byte) (list []xiDevice) {
	if len(b) < 32 {
		return nil
	}
	n := int(binary.LittleEndian.Uint16(b[8:]))
	b = b[32:]
	for range n {
		if len(b) < 12 {
			return list
		}
		d := xiDevice{id: binary.LittleEndian.Uint16(b), use: binary.LittleEndian.Uint16(b[2:])}
		classes, length := int(binary.LittleEndian.Uint16(b[6:])), int(binary.LittleEndian.Uint16(b[8:]))
		b = b[12:]
		padded := (length + 3) &^ 3
		if len(b) < padded {
			return list
		}
		d.name = string(b[:length])
		b = b[padded:]
		for range classes {
			if len(b) < 4 {
				return list
			}
			size := 4 * int(binary.LittleEndian.Uint16(b[2:]))
			if size < 4 || len(b) < size {
				return list
			}
			b = b[size:]
		}
		list = append(list, d)
	}
	return list
}

// event is one generic event, on the reader of raw.
func (p *X11Person) event(b []byte) {
	if !p.ready.Load() || b[1] != p.opcode {
		return
	}
	kind := binary.LittleEndian.Uint16(b[8:])
	switch kind {
	case xiHierarchyChanged:
		select {
		case p.changed <- struct{}{}:
		default: // run has not looked yet
		}
		return
	case xiRawKeyPress, xiRawKeyRelease:
		code := byte(binary.LittleEndian.Uint32(b[16:]))
		p.down[code] = kind == xiRawKeyPress
		if p.down[code] && p.grabbed && slices.Contains(p.end, xproto.Keycode(code)) && p.anyDown(p.control) && p.anyDown(p.alt) {
			p.ears.Panic()
		}
	case xiRawButtonPress, xiRawButtonRelease, xiRawMotion, xiRawTouchBegin, xiRawTouchUpdate:
	default:
		return
	}
	p.ears.Acted()
}

func (p *X11Person) anyDown(codes []byte) bool {
	return slices.ContainsFunc(codes, func(c byte) bool { return p.down[c] })
}

// grab takes the panic key, whatever locks are on.
func (p *X11Person) grab() error {
	const end, altLeft, altRight = 0xff57, 0xffe9, 0xffea // XK_End, XK_Alt_L, XK_Alt_R
	setup := xproto.Setup(p.raw)
	count := byte(setup.MaxKeycode - setup.MinKeycode + 1)
	keys, err := xproto.GetKeyboardMapping(p.raw, setup.MinKeycode, count).Reply()
	if err != nil {
		return err
	}
	mods, err := xproto.GetModifierMapping(p.raw).Reply()
	if err != nil {
		return err
	}
	per, each := int(keys.KeysymsPerKeycode), int(mods.KeycodesPerModifier)
	is := func(code byte, syms ...xproto.Keysym) bool {
		at := (int(code) - int(setup.MinKeycode)) * per
		return at >= 0 && per > 0 && at < len(keys.Keysyms) && slices.Contains(syms, keys.Keysyms[at])
	}
	for code := int(setup.MinKeycode); code <= int(setup.MaxKeycode); code++ {
		if is(byte(code), end) {
			p.end = append(p.end, xproto.Keycode(code))
		}
	}
	alt := uint16(0)
	for m := range 8 {
		for _, code := range mods.Keycodes[m*each : (m+1)*each] {
			switch {
			case code == 0:
			case m == 2: // Control
				p.control = append(p.control, byte(code))
			case is(byte(code), altLeft, altRight):
				p.alt = append(p.alt, byte(code))
				alt |= 1 << m
			}
		}
	}
	if len(p.end) == 0 || len(p.control) == 0 || alt == 0 {
		return errors.New("input: this keyboard has no Ctrl+Alt+End")
	}
	locks := []uint16{xproto.ModMaskLock, xproto.ModMask2, xproto.ModMask3, xproto.ModMask5}
	for _, code := range p.end {
		for set := range 1 << len(locks) {
			mask := xproto.ModMaskControl | alt
			for i, lock := range locks {
				if set>>i&1 != 0 {
					mask |= lock
				}
			}
			if err := xproto.GrabKeyChecked(p.raw, true, p.root, mask, code, xproto.GrabModeAsync, xproto.GrabModeAsync).Check(); err != nil {
				return fmt.Errorf("input: another program has %s: %w", PanicKey, err)
			}
		}
	}
	return nil
}

// watchFront prepares to look at the window in front.
func (p *X11Person) watchFront() error {
	for _, a := range []struct {
		name string
		to   *xproto.Atom
	}{{"_NET_ACTIVE_WINDOW", &p.active}, {"WM_CLASS", &p.class}, {"_NET_WM_NAME", &p.name}, {"UTF8_STRING", &p.utf8}} {
		r, err := xproto.InternAtom(p.c, false, uint16(len(a.name)), a.name).Reply()
		if err != nil {
			return fmt.Errorf("input: look up %s: %w", a.name, err)
		}
		*a.to = r.Atom
	}
	return p.selectWindow(p.root)
}

func (p *X11Person) selectWindow(w xproto.Window) error {
	return xproto.ChangeWindowAttributesChecked(p.c, w, xproto.CwEventMask, []uint32{xproto.EventMaskPropertyChange}).Check()
}

func (p *X11Person) windowEvent(ev xgb.Event) {
	e, ok := ev.(xproto.PropertyNotifyEvent)
	if !ok || e.Window == p.root && e.Atom != p.active || e.Window != p.root && e.Atom != p.name && e.Atom != xproto.AtomWmName {
		return
	}
	select {
	case p.look <- struct{}{}:
	default: // run has not looked yet
	}
}

func (p *X11Person) run() {
	tick := time.NewTicker(frontEvery)
	defer tick.Stop()
	p.lookAtFront()
	for {
		select {
		case <-p.stop:
			return
		case <-p.changed:
			_ = p.listenToDevices() // the display is gone: nothing is injected either
			continue
		case <-p.look:
		case <-tick.C:
		}
		p.lookAtFront()
	}
}

// lookAtFront tells what is in front if that is news.
func (p *X11Person) lookAtFront() {
	w := p.inFront()
	if w != p.watching {
		p.watching = w
		if w != 0 {
			_ = p.selectWindow(w) // destroyed: the next look finds another
		}
	}
	var f Front
	if w != 0 {
		f = p.describe(w)
	}
	if p.told && f == p.front {
		return
	}
	p.front, p.told = f, true
	p.ears.Front(f)
}

// inFront is the window that has the keyboard, as the one of those it lies in that
// has a name; without one, what the window manager calls active; or 0. A prompt
// that takes the focus and no window manager's word is in front all the same.
func (p *X11Person) inFront() xproto.Window {
	if focus, err := xproto.GetInputFocus(p.c).Reply(); err == nil && focus.Focus > xproto.InputFocusPointerRoot {
		w := focus.Focus
		for range 64 {
			if w == p.root || w == 0 {
				break
			}
			if p.text(w, p.class, xproto.AtomString) != "" {
				return w
			}
			tree, err := xproto.QueryTree(p.c, w).Reply()
			if err != nil {
				break
			}
			w = tree.Parent
		}
	}
	r, err := xproto.GetProperty(p.c, false, p.root, p.active, xproto.AtomWindow, 0, 1).Reply()
	if err != nil || len(r.Value) < 4 {
		return 0
	}
	return xproto.Window(xgb.Get32(r.Value))
}

func (p *X11Person) describe(w xproto.Window) Front {
	class := strings.TrimSpace(strings.ReplaceAll(p.text(w, p.class, xproto.AtomString), "\x00", " "))
	title := p.text(w, p.name, p.utf8)
	if title == "" {
		title = p.text(w, xproto.AtomWmName, xproto.GetPropertyTypeAny)
	}
	return Front{Class: class, Title: title}
}

// text is a window's property of at most 1 KiB.
func (p *X11Person) text(w xproto.Window, property, kind xproto.Atom) string {
	r, err := xproto.GetProperty(p.c, false, w, property, kind, 0, 256).Reply()
	if err != nil || r.Format != 8 {
		return ""
	}
	return strings.ToValidUTF8(string(r.Value), "")
}
