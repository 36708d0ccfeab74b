package main

import (
	"encoding/binary"
	"fmt"
	"image"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/damage"
	"github.com/jezek/xgb/xfixes"
	"github.com/jezek/xgb/xproto"
)

// eye watches an area of an X screen, woken by DAMAGE.
type eye struct {
	c      *xgb.Conn
	root   xproto.Window
	dmg    damage.Damage
	sees   chan sight
	closed chan struct{}
	area   image.Rectangle
	read   reader
}

// reader makes a value of an area's pixels, BGRX row by row; false if there is none.
type reader func(pix []byte) (uint32, bool)

// sight is a value and when it was there.
type sight struct {
	value uint32
	at    time.Time
}

// color is the value of one pixel: 0xRRGGBB.
func color(pix []byte) (uint32, bool) { return binary.LittleEndian.Uint32(pix) & 0xffffff, true }

func openEye(display string, area image.Rectangle, read reader) (*eye, error) {
	c, err := xgb.NewConnDisplay(display)
	if err != nil {
		return nil, fmt.Errorf("eye: %w", err)
	}
	if err := damage.Init(c); err != nil {
		return nil, fmt.Errorf("eye: %w", err)
	}
	if err := xfixes.Init(c); err != nil {
		return nil, fmt.Errorf("eye: %w", err)
	}
	if _, err := xfixes.QueryVersion(c, 5, 0).Reply(); err != nil {
		return nil, fmt.Errorf("eye: %w", err)
	}
	if _, err := damage.QueryVersion(c, 1, 1).Reply(); err != nil {
		return nil, fmt.Errorf("eye: %w", err)
	}
	e := &eye{c: c, root: xproto.Setup(c).DefaultScreen(c).Root, sees: make(chan sight, 1<<14), closed: make(chan struct{}), area: area, read: read}
	if e.dmg, err = damage.NewDamageId(c); err != nil {
		return nil, err
	}
	if err := damage.CreateChecked(c, e.dmg, xproto.Drawable(e.root), damage.ReportLevelNonEmpty).Check(); err != nil {
		return nil, fmt.Errorf("eye: %w", err)
	}
	go e.watch()
	return e, nil
}

func (e *eye) watch() {
	defer close(e.closed)
	var last uint32
	for first := true; ; {
		ev, err := e.c.WaitForEvent()
		if ev == nil && err == nil {
			return
		}
		if _, is := ev.(damage.NotifyEvent); !is {
			continue
		}
		damage.Subtract(e.c, e.dmg, 0, 0)
		pix, gone := e.look()
		if gone != nil {
			return
		}
		if v, ok := e.read(pix); ok && (first || v != last) {
			first, last = false, v
			select {
			case e.sees <- sight{v, time.Now()}:
			default:
			}
		}
	}
}

// look reads the area now.
func (e *eye) look() ([]byte, error) { return grab(e.c, e.area) }

// grab reads pixels of a screen, BGRX row by row.
func grab(c *xgb.Conn, area image.Rectangle) ([]byte, error) {
	root := xproto.Setup(c).DefaultScreen(c).Root
	r, err := xproto.GetImage(c, xproto.ImageFormatZPixmap, xproto.Drawable(root), int16(area.Min.X), int16(area.Min.Y),
		uint16(area.Dx()), uint16(area.Dy()), 0xffffffff).Reply()
	if err != nil {
		return nil, fmt.Errorf("read %v of a screen: %w", area, err)
	}
	return r.Data, nil
}

// drain returns what was seen so far, and forgets it.
func (e *eye) drain() (seen []sight) {
	for {
		select {
		case s := <-e.sees:
			seen = append(seen, s)
		default:
			return seen
		}
	}
}

// await waits for a value that match accepts.
func (e *eye) await(d time.Duration, match func(uint32) bool) (sight, error) {
	timeout := time.After(d)
	for {
		select {
		case s := <-e.sees:
			if match(s.value) {
				return s, nil
			}
		case <-timeout:
			pix, err := e.look()
			return sight{}, fmt.Errorf("eye: not seen in %v; there is %.16x… (%v)", d, pix[:min(len(pix), 16)], err)
		}
	}
}

func (e *eye) close() {
	e.c.Close()
	<-e.closed
}
