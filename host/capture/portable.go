package capture

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"
	"time"
	"unsafe"

	"github.com/kbinani/screenshot"
)

const (
	// pollPause is the least time between two looks at a screen that tells
	// nothing of its changes.
	pollPause = 100 * time.Millisecond
	// pollShare bounds the share of one core: a look of 25 ms is followed by a
	// pause of 100.
	pollShare = 4
)

// Portable is the desktop of any system that kbinani/screenshot knows. It
// polls, and a look costs milliseconds and megabytes: it is for systems without
// a source of their own. It does not see the shape of the cursor.
type Portable struct {
	looking sync.Mutex // held by Next; guards what follows
	pix     []uint32
	bounds  image.Rectangle // of the picture, in the system's coordinates
	due     time.Time       // when it may look again

	mu       sync.Mutex
	displays []Display
	shown    bool // the cursor was returned
	ending   sync.Once
	closed   chan struct{} // closed when the source is, or its desktop is gone
}

// OpenPortable looks at all monitors of the system together; on X11 those of
// DISPLAY. The error wraps ErrUnsupported when there is nothing to be seen.
func OpenPortable() (*Portable, error) {
	p := &Portable{closed: make(chan struct{})}
	if _, err := p.look(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	// The first frame is the one that Next takes.
	p.pix, p.bounds = nil, image.Rectangle{}
	return p, nil
}

// Next implements Source.
func (p *Portable) Next(ctx context.Context) (Frame, error) {
	p.looking.Lock()
	defer p.looking.Unlock()
	// A Next that was cancelled has waited for the one after it too.
	pause := time.NewTimer(time.Until(p.due))
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return Frame{}, ctx.Err()
		case <-p.closed:
			return Frame{}, fmt.Errorf("%w: it was closed, or the desktop is gone", ErrLost)
		}
		if err := ctx.Err(); err != nil {
			return Frame{}, err
		}
		select {
		case <-p.closed:
			return Frame{}, fmt.Errorf("%w: it was closed, or the desktop is gone", ErrLost)
		default:
		}
		began := time.Now()
		changed, err := p.look()
		if err != nil {
			p.ending.Do(func() { close(p.closed) })
			return Frame{}, fmt.Errorf("%w: %w", ErrLost, err)
		}
		took := time.Since(began)
		p.due = began.Add(took + max(pollPause, pollShare*took))
		if !changed.Empty() {
			return Frame{Pix: p.pix, Width: p.bounds.Dx(), Height: p.bounds.Dy(), Damage: changed, Took: took}, nil
		}
		pause.Reset(time.Until(p.due))
	}
}

// look takes a picture, merges it into pix and returns what changed.
func (p *Portable) look() (changed image.Rectangle, err error) {
	bounds, displays, err := portableDisplays()
	if err != nil {
		return changed, err
	}
	img, err := screenshot.CaptureRect(bounds)
	if err != nil {
		return changed, fmt.Errorf("take a screenshot: %w", err)
	}
	w, h := bounds.Dx(), bounds.Dy()
	if img.Rect.Dx() != w || img.Rect.Dy() != h {
		return changed, fmt.Errorf("take a screenshot: it has %v instead of %v", img.Rect, bounds)
	}
	whole := bounds != p.bounds
	if whole {
		p.pix, p.bounds = make([]uint32, w*h), bounds
		p.mu.Lock()
		p.displays = displays
		p.mu.Unlock()
	}
	for y := range h {
		line := img.Pix[y*img.Stride : y*img.Stride+4*w]
		row := unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(line))), w)
		for i, v := range row { // RGBA to BGRX, in place
			row[i] = v>>16&0xff | v&0xff00 | v&0xff<<16
		}
		if from, to := mergeRow(p.pix[y*w:(y+1)*w], row); from < to {
			changed = changed.Union(image.Rect(from, y, to, y+1))
		}
	}
	if whole {
		changed = image.Rect(0, 0, w, h)
	}
	return changed, nil
}

// portableDisplays lists the monitors, moved so that their common rectangle
// begins at 0, 0, and that rectangle in the system's coordinates.
func portableDisplays() (bounds image.Rectangle, displays []Display, err error) {
	n := screenshot.NumActiveDisplays()
	for i := range n {
		r := screenshot.GetDisplayBounds(i)
		bounds = bounds.Union(r)
		displays = append(displays, Display{ID: uint32(i), Name: fmt.Sprint("monitor ", i+1), Bounds: r})
	}
	if bounds.Empty() {
		return bounds, nil, errors.New("no screen is active")
	}
	for i := range displays {
		displays[i].Bounds = displays[i].Bounds.Sub(bounds.Min)
	}
	return bounds, displays, nil
}

// NextCursor implements Source: an arrow, for ever.
func (p *Portable) NextCursor(ctx context.Context) (Cursor, error) {
	p.mu.Lock()
	first := !p.shown
	p.shown = true
	p.mu.Unlock()
	select {
	case <-p.closed:
		return Cursor{}, fmt.Errorf("%w: it was closed, or the desktop is gone", ErrLost)
	default:
	}
	if first {
		return arrow(), nil
	}
	select {
	case <-ctx.Done():
		return Cursor{}, ctx.Err()
	case <-p.closed:
		return Cursor{}, fmt.Errorf("%w: it was closed, or the desktop is gone", ErrLost)
	}
}

// Displays implements Source.
func (p *Portable) Displays() []Display {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Display(nil), p.displays...)
}

// Close implements Source.
func (p *Portable) Close() error {
	p.ending.Do(func() { close(p.closed) })
	p.looking.Lock() // until Next has returned
	defer p.looking.Unlock()
	return nil
}
