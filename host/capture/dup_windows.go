package capture

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// DXGI is the desktop of a Windows session by desktop duplication: Windows tells
// what was painted and wakes whoever waits, so a still desktop costs nothing.
// While it cannot be had, as in a remote desktop or under Wine, the desktop is
// seen by GDI, which also knows the pointer, the monitors and the veil.
type DXGI struct {
	*GDI
	seeing sync.Mutex // held by Next; guards what follows
	first  []output   // opened and not yet in use
	dup    duplicator
	rested bool // the last frame was GDI's
}

// OpenDXGI opens the desktop of this process's session. The error wraps
// ErrUnsupported when it cannot be duplicated.
func OpenDXGI() (*DXGI, error) {
	outs, err := openOutputs()
	if err != nil && !errors.Is(err, errTaken) {
		return nil, err
	}
	g, err := OpenGDI()
	if err != nil {
		closeAll(outs)
		return nil, err
	}
	return newDXGI(g, outs, openOutputs), nil
}

// newDXGI takes outputs that are open, if there are any, and what opens them anew.
func newDXGI(g *GDI, outs []output, open func() ([]output, error)) *DXGI {
	d := &DXGI{GDI: g, first: outs}
	d.dup = duplicator{
		open: func() ([]output, error) {
			if first := d.first; first != nil {
				d.first = nil
				return first, nil
			}
			return open()
		},
		over: func() error {
			select {
			case <-d.closed:
				return d.gone()
			default:
				return nil
			}
		},
		area: virtualScreen, now: time.Now, pause: d.pause, moved: g.pointAgain,
		veiled: func() bool { return g.veil.now(g.ask, veilTime) != Unveiled },
		opened: g.shows,
	}
	return d
}

func closeAll(outs []output) {
	for _, o := range outs {
		o.close()
	}
}

// pause waits, unless the source is closed or ctx ends.
func (d *DXGI) pause(ctx context.Context, t time.Duration) error {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-d.closed:
		return d.gone()
	}
}

// Next implements Source.
func (d *DXGI) Next(ctx context.Context) (Frame, error) {
	d.seeing.Lock()
	defer d.seeing.Unlock()
	for {
		f, err := d.dup.next(ctx)
		if !errors.Is(err, errResting) {
			d.rested = false
			return f, err
		}
		f, err = d.byGDI(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrLost) {
			return f, err
		}
		// It is time to try the duplication again.
	}
}

// byGDI is a frame of GDI's, unless it is time to try a duplication again.
func (d *DXGI) byGDI(ctx context.Context) (Frame, error) {
	ctx, cancel := context.WithDeadline(ctx, d.dup.resting)
	defer cancel()
	if !d.rested {
		d.rested = true
		d.looking.Lock()
		d.GDI.whole = true
		d.looking.Unlock()
	}
	return d.GDI.Next(ctx)
}

// Close implements Source. It waits for Next to return.
func (d *DXGI) Close() error {
	d.ending.Do(func() { close(d.closed) })
	d.seeing.Lock()
	defer d.seeing.Unlock()
	closeAll(d.first)
	d.first = nil
	d.dup.drop()
	if err := d.GDI.Close(); err != nil {
		return fmt.Errorf("close the desktop: %w", err)
	}
	return nil
}
