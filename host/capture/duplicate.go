package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"time"
)

// Desktop duplication of Windows (DXGI 1.2), as far as it is decisions: which
// pixels to read after an update, how rotated monitors lie, and what to do when
// the duplication is taken away. What talks to Windows is dxgi_windows.go; a
// strict fake stands in for it in tests, since Wine 8 has no duplication.

// rotation is DXGI_MODE_ROTATION: how far the surface of an output is turned,
// clockwise, to be the desktop. 0 says nothing and is none.
type rotation uint32

const (
	upright rotation = iota + 1
	turned90
	turned180
	turned270
)

// change is what an output tells of an update, in pixels of its surface, which
// is not turned.
type change struct {
	// painted tells that the surface is another one than before; otherwise it was
	// only the pointer.
	painted bool
	pointer bool
	// rects hold what was painted, and where what was moved is now.
	rects []image.Rectangle
	// all tells that the rectangles are not known.
	all bool
}

// output is the duplication of one monitor. Its methods are called by one
// goroutine at a time.
type output interface {
	// place is where it lies on the desktop, in the system's coordinates.
	place() (image.Rectangle, rotation)
	// acquire waits for an update and takes it: release must follow. ok is false
	// when none came in that time. The error wraps errTaken when the duplication
	// is over: every other call fails then.
	acquire(wait time.Duration) (c change, ok bool, err error)
	// read gives use the surface of the update acquired. Only what the rectangles
	// hold is up to date; a row has stride pixels.
	read(rects []image.Rectangle, use func(pix []uint32, stride int)) error
	release() error
	close()
}

// errTaken is wrapped when a duplication is over: the resolution changed, another
// desktop has the screen, a program went into full screen.
var errTaken = errors.New("capture: the duplication of the screen is over")

// errResting: the desktop cannot be duplicated for now; see it in another way.
var errResting = errors.New("capture: the screen cannot be duplicated now")

const (
	// acquireTime bounds a wait for an update, within which nothing else is noticed.
	acquireTime = 100 * time.Millisecond
	// turnTime is how long one of several outputs is waited for while others may change.
	turnTime = 8 * time.Millisecond
	// reopenTime is the time between two tries to duplicate a desktop again, and
	// stubborn how long it is tried: a change of resolution takes that long.
	reopenTime = 100 * time.Millisecond
	stubborn   = 2 * time.Second
	// hurried is for how long a desktop is awaited that could not be duplicated before.
	hurried = 300 * time.Millisecond
	// rest is for how long the desktop is then seen in another way.
	rest = 15 * time.Second
	// mostRects is how many rectangles of an update are looked at one by one.
	mostRects = 128
)

// duplicator is a desktop of one or more outputs. It is for one goroutine.
type duplicator struct {
	// open duplicates every output of the desktop anew.
	open func() ([]output, error)
	// area is the desktop's size now, in the system's coordinates.
	area func() image.Rectangle
	// veiled tells whether something else has the screen.
	veiled func() bool
	// opened is told of a desktop of another kind, moved of a pointer that may have moved.
	opened func(area image.Rectangle)
	moved  func()
	// over returns an error once the source is closed.
	over  func() error
	now   func() time.Time
	pause func(ctx context.Context, d time.Duration) error

	outs     []output
	blank    []bool // outputs whose surface was never read
	covers   image.Rectangle
	pix      []uint32
	turn     int // the output to wait for
	whole    bool
	areas    Areas
	parts    [MaxAreas]image.Rectangle // of the last frame
	began    time.Time                 // when the first of areas was acquired
	row      []uint32
	asked    time.Time // when area was last asked
	failing  time.Time // since when the desktop cannot be duplicated, or zero
	resting  time.Time // until when it is not tried
	awaiting time.Time // since when outputs are blank
}

// next waits for a frame as Source.Next does. The error is errResting while the
// desktop cannot be duplicated although it is not veiled.
func (d *duplicator) next(ctx context.Context) (Frame, error) {
	for {
		if err := cmp.Or(ctx.Err(), d.over()); err != nil {
			return Frame{}, err
		}
		now := d.now()
		if now.Before(d.resting) {
			return Frame{}, errResting
		}
		if d.veiled() {
			d.drop()
			d.failing = time.Time{}
			if err := d.pause(ctx, veilTime); err != nil {
				return Frame{}, err
			}
			continue
		}
		err := d.ready(now)
		if err == nil {
			err = d.turnOnce()
		}
		if err != nil {
			d.drop()
			if err := d.failed(ctx, now, err); err != nil {
				return Frame{}, err
			}
			continue
		}
		if slices.Contains(d.blank, true) {
			// Where nothing is ever painted a driver does not duplicate, and where it
			// did not before it is not waited for.
			if waited := now.Sub(d.awaiting); waited >= stubborn || !d.failing.IsZero() && waited >= hurried {
				d.drop()
				if err := d.failed(ctx, now, ErrUnsupported); err != nil {
					return Frame{}, err
				}
			}
			continue
		}
		d.failing = time.Time{}
		if f, ok := d.frame(); ok {
			return f, nil
		}
	}
}

// ready duplicates the desktop if it is not, or is another one by now.
func (d *duplicator) ready(now time.Time) error {
	if d.outs != nil && now.Sub(d.asked) < remeasure {
		return nil
	}
	area := d.area()
	d.asked = now
	if d.outs != nil && area == d.covers {
		return nil
	}
	d.drop()
	outs, err := d.open()
	if err != nil {
		return err
	}
	d.outs = outs
	var all image.Rectangle
	for _, o := range outs {
		r, _ := o.place()
		all = all.Union(r)
	}
	if all != area || all.Empty() {
		return fmt.Errorf("%w: the outputs cover %v of %v", ErrUnsupported, all, area)
	}
	d.covers, d.turn, d.whole, d.awaiting = area, 0, true, now
	d.pix = make([]uint32, area.Dx()*area.Dy())
	d.row = make([]uint32, max(area.Dx(), area.Dy()))
	d.blank = slices.Repeat([]bool{true}, len(outs))
	d.areas.Clear()
	d.opened(area)
	return nil
}

// turnOnce takes what every output has, and waits a while for one of them if
// none has anything.
func (d *duplicator) turnOnce() error {
	if len(d.outs) == 1 {
		_, err := d.take(0, acquireTime)
		return err
	}
	any := false
	for i := range d.outs {
		got, err := d.take(i, 0)
		if err != nil {
			return err
		}
		any = any || got
	}
	if any || d.areas.n > 0 && !slices.Contains(d.blank, true) {
		return nil
	}
	d.turn = (d.turn + 1) % len(d.outs)
	_, err := d.take(d.turn, turnTime)
	return err
}

// take waits for an update of one output and takes what it painted.
func (d *duplicator) take(i int, wait time.Duration) (painted bool, err error) {
	o := d.outs[i]
	c, ok, err := o.acquire(wait)
	if err != nil || !ok {
		return false, err
	}
	if c.pointer {
		d.moved()
	}
	if c.painted {
		if d.areas.n == 0 {
			d.began = d.now()
		}
		err = d.look(o, c, d.blank[i])
		if err == nil {
			d.blank[i] = false
		}
	}
	return c.painted, errors.Join(err, o.release())
}

// look takes what an update painted, as far as it differs from what was there.
func (d *duplicator) look(o output, c change, all bool) error {
	place, turned := o.place()
	surface := image.Rectangle{Max: place.Size()}
	if turned == turned90 || turned == turned270 {
		surface.Max = image.Pt(place.Dy(), place.Dx())
	}
	rects := []image.Rectangle{surface}
	if !all && !c.all && len(c.rects) <= mostRects {
		rects = rects[:0]
		for _, r := range c.rects {
			if r = r.Intersect(surface); !r.Empty() {
				rects = append(rects, r)
			}
		}
	}
	if len(rects) == 0 {
		return nil
	}
	corner, w := place.Min.Sub(d.covers.Min), d.covers.Dx()
	return o.read(rects, func(pix []uint32, stride int) {
		for _, r := range rects {
			on := turned.turn(r, surface.Max)
			var changed image.Rectangle
			for y := on.Min.Y; y < on.Max.Y; y++ {
				src := turned.row(d.row[:on.Dx()], pix, stride, surface.Max, on.Min.X, y)
				at := (y+corner.Y)*w + corner.X + on.Min.X
				if from, to := mergeRow(d.pix[at:at+on.Dx()], src); from < to {
					changed = changed.Union(image.Rect(on.Min.X+from, y, on.Min.X+to, y+1))
				}
			}
			d.areas.Add(changed.Add(corner))
		}
	})
}

// frame is what changed since the frame before, if anything did.
func (d *duplicator) frame() (Frame, bool) {
	f := Frame{Pix: d.pix, Width: d.covers.Dx(), Height: d.covers.Dy(), Damage: d.areas.Bounds()}
	if d.whole {
		f.Damage = image.Rect(0, 0, f.Width, f.Height)
	} else if d.areas.n > 1 {
		f.Parts = d.parts[:copy(d.parts[:], d.areas.All())]
	}
	if f.Damage.Empty() {
		return f, false
	}
	d.whole = false
	d.areas.Clear()
	f.Took = d.now().Sub(d.began)
	return f, true
}

// failed waits before the next try, or gives up for a while.
func (d *duplicator) failed(ctx context.Context, now time.Time, err error) error {
	if d.failing.IsZero() {
		d.failing = now
	}
	// After a rest it is tried once: what is seen in another way must not stall.
	if errors.Is(err, ErrUnsupported) || now.Sub(d.failing) >= stubborn {
		d.resting = now.Add(rest)
		return errResting
	}
	return d.pause(ctx, reopenTime)
}

// drop gives all duplications back.
func (d *duplicator) drop() {
	for _, o := range d.outs {
		o.close()
	}
	d.outs, d.blank = nil, nil
}

// turn is where a rectangle of a surface of that size lies on the output.
func (t rotation) turn(r image.Rectangle, size image.Point) image.Rectangle {
	switch t {
	case turned90:
		return image.Rect(size.Y-r.Max.Y, r.Min.X, size.Y-r.Min.Y, r.Max.X)
	case turned180:
		return image.Rect(size.X-r.Max.X, size.Y-r.Max.Y, size.X-r.Min.X, size.Y-r.Min.Y)
	case turned270:
		return image.Rect(r.Min.Y, size.X-r.Max.X, r.Max.Y, size.X-r.Min.X)
	}
	return r
}

// row returns len(buf) pixels of the output from x, y on, out of a surface of
// that size; in buf unless they stand in the surface in that order.
func (t rotation) row(buf, pix []uint32, stride int, size image.Point, x, y int) []uint32 {
	var at, step int
	switch t {
	case turned90: // surface x, y is output size.Y-1-y, x
		at, step = (size.Y-1-x)*stride+y, -stride
	case turned180:
		at, step = (size.Y-1-y)*stride+size.X-1-x, -1
	case turned270: // surface x, y is output y, size.X-1-x
		at, step = x*stride+size.X-1-y, stride
	default:
		at = y*stride + x
		return pix[at : at+len(buf)]
	}
	for i := range buf {
		buf[i] = pix[at]
		at += step
	}
	return buf
}
