package main

import (
	"bytes"
	"fmt"
	"image"
	"time"

	"github.com/gen2brain/shm"
	"github.com/jezek/xgb"
	"github.com/jezek/xgb/damage"
	xshm "github.com/jezek/xgb/shm"
	"github.com/jezek/xgb/xfixes"
	"github.com/jezek/xgb/xproto"
)

// sameness compares an area of a screen with what it should show, at every change.
type sameness struct {
	c    *xgb.Conn
	root xproto.Window
	dmg  damage.Damage
	area image.Rectangle
	seg  xshm.Seg
	id   int
	pix  []byte
}

func newSameness(display string, area image.Rectangle) (*sameness, error) {
	c, err := xgb.NewConnDisplay(display)
	if err != nil {
		return nil, fmt.Errorf("sameness: %w", err)
	}
	s := &sameness{c: c, area: area, root: xproto.Setup(c).DefaultScreen(c).Root}
	if err := s.open(); err != nil {
		c.Close()
		return nil, fmt.Errorf("sameness: %w", err)
	}
	return s, nil
}

func (s *sameness) open() (err error) {
	for _, init := range []func(*xgb.Conn) error{damage.Init, xfixes.Init, xshm.Init} {
		if err := init(s.c); err != nil {
			return err
		}
	}
	if _, err := xfixes.QueryVersion(s.c, 5, 0).Reply(); err != nil {
		return err
	}
	if _, err := damage.QueryVersion(s.c, 1, 1).Reply(); err != nil {
		return err
	}
	if s.id, err = shm.Get(shm.IPC_PRIVATE, 4*s.area.Dx()*s.area.Dy(), shm.IPC_CREAT|0o600); err != nil {
		return err
	}
	if s.pix, err = shm.At(s.id, 0, 0); err != nil {
		return err
	}
	if s.seg, err = xshm.NewSegId(s.c); err != nil {
		return err
	}
	if err := xshm.AttachChecked(s.c, s.seg, uint32(s.id), false).Check(); err != nil {
		return err
	}
	if _, err := shm.Ctl(s.id, shm.IPC_RMID, nil); err != nil {
		return err
	}
	if s.dmg, err = damage.NewDamageId(s.c); err != nil {
		return err
	}
	return damage.CreateChecked(s.c, s.dmg, xproto.Drawable(s.root), damage.ReportLevelNonEmpty).Check()
}

// await returns when the area showed want, BGRX; what X leaves undefined counts not.
func (s *sameness) await(d time.Duration, want []byte) (time.Time, error) {
	for deadline := time.Now().Add(d); ; {
		damage.Subtract(s.c, s.dmg, 0, 0)
		if _, err := xshm.GetImage(s.c, xproto.Drawable(s.root), int16(s.area.Min.X), int16(s.area.Min.Y), uint16(s.area.Dx()), uint16(s.area.Dy()),
			0xffffffff, xproto.ImageFormatZPixmap, s.seg, 0).Reply(); err != nil {
			return time.Time{}, fmt.Errorf("sameness: %w", err)
		}
		at := time.Now()
		differ := s.differ(want)
		if differ == 0 {
			return at, nil
		}
		if at.After(deadline) {
			return at, fmt.Errorf("after %v %d pixels differ", d, differ)
		}
		for { // the next change, or a moment: a change can come before the eyes are open
			ev, err := s.c.PollForEvent()
			if err != nil {
				return at, fmt.Errorf("sameness: %w", err)
			}
			if _, is := ev.(damage.NotifyEvent); is || time.Since(at) > 50*time.Millisecond {
				break
			}
			time.Sleep(500 * time.Microsecond)
		}
	}
}

func (s *sameness) differ(want []byte) (n int) {
	if bytes.Equal(s.pix, want) {
		return 0
	}
	for i := 0; i < len(want); i += 4 {
		if s.pix[i] != want[i] || s.pix[i+1] != want[i+1] || s.pix[i+2] != want[i+2] {
			n++
		}
	}
	return n
}

func (s *sameness) close() {
	s.c.Close()
	_ = shm.Dt(s.pix)
}
