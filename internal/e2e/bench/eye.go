package main

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/damage"
	"github.com/jezek/xgb/xfixes"
	"github.com/jezek/xgb/xproto"
)

// eye watches one small area of an X screen, woken by DAMAGE.
type eye struct {
	c      *xgb.Conn
	root   xproto.Window
	dmg    damage.Damage
	sees   chan sight
	closed chan struct{}
	x, y   int16
}

// sight is a colour (0xRRGGBB) and when it was there.
type sight struct {
	color uint32
	at    time.Time
}

// openEye watches the pixel at x, y.
func openEye(display string, x, y int) (*eye, error) {
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
	e := &eye{c: c, root: xproto.Setup(c).DefaultScreen(c).Root, sees: make(chan sight, 4096), closed: make(chan struct{}), x: int16(x), y: int16(y)}
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
	last := uint32(1) << 31
	for {
		ev, err := e.c.WaitForEvent()
		if ev == nil && err == nil {
			return
		}
		if _, is := ev.(damage.NotifyEvent); !is {
			continue
		}
		damage.Subtract(e.c, e.dmg, 0, 0)
		color, gerr := e.look()
		if gerr != nil {
			return
		}
		if color != last {
			last = color
			select {
			case e.sees <- sight{color, time.Now()}:
			default:
			}
		}
	}
}

// look reads the pixel now.
func (e *eye) look() (uint32, error) {
	r, err := xproto.GetImage(e.c, xproto.ImageFormatZPixmap, xproto.Drawable(e.root), e.x, e.y, 1, 1, 0xffffffff).Reply()
	if err != nil {
		return 0, fmt.Errorf("eye: %w", err)
	}
	return binary.LittleEndian.Uint32(r.Data) & 0xffffff, nil
}

// drain forgets what was seen.
func (e *eye) drain() {
	for {
		select {
		case <-e.sees:
		default:
			return
		}
	}
}

// await waits for a colour that match accepts.
func (e *eye) await(d time.Duration, match func(uint32) bool) (sight, error) {
	timeout := time.After(d)
	for {
		select {
		case s := <-e.sees:
			if match(s.color) {
				return s, nil
			}
		case <-timeout:
			color, err := e.look()
			return sight{}, fmt.Errorf("eye: not seen in %v; it is %06x (%v)", d, color, err)
		}
	}
}

func (e *eye) close() {
	e.c.Close()
	<-e.closed
}
