package capture

import (
	"context"
	"fmt"
	"image"
	"sync"
	"time"

	"github.com/mainforte/mainforte/host/beat"
)

const (
	// attention is how often a still desktop is asked whether somebody gave it
	// input: no more often than it is glanced at, since waking up costs as well.
	attention = glanceTime
	// blind is how long copies of a desktop that is not veiled may fail before
	// it is lost: a change of graphics driver or resolution takes that long.
	blind = 10 * time.Second
)

// GDI is the desktop of a Windows session: all monitors together, copied by
// BitBlt into one bitmap that is kept, and compared with the frame before row
// by row. GDI tells nothing of changes, so it is looked at again and again, at
// the [pace] that the desktop sets. [GDI.Nudge] tells that a change is near;
// input of the person is noticed by itself.
//
// While the session is locked, or a prompt of the system has the screen to
// itself, nothing can be read; [GDI.NextVeil] tells, and Next waits.
type GDI struct {
	looking  sync.Mutex // held by Next; guards what follows
	screen   *screen
	pix      []uint32
	whole    bool // the next frame is whole
	veiled   bool // it was veiled at the last look
	pace     pace
	input    uint32    // tick of the last input seen
	failing  time.Time // when copies began to fail, or zero
	measured time.Time // when the desktop's size was last asked
	listed   time.Time // when the monitors were last listed

	cursor cursorWatch // guards itself
	veil   veilWatch   // guards itself
	ask    func() Veil // inputVeil, but for tests

	nudged  chan struct{}
	pointed chan struct{} // somebody may have moved the pointer

	mu       sync.Mutex
	area     image.Rectangle // of the picture, in the system's coordinates
	displays []Display
	ending   sync.Once
	closed   chan struct{} // closed when the source is, or its desktop is lost
}

// OpenGDI opens the desktop of this process's session. Positions are physical
// pixels if the process says it knows of monitors' scales, as the host's
// manifest does. The error wraps ErrUnsupported when there is nothing to copy.
func OpenGDI() (*GDI, error) {
	s, err := openScreen(virtualScreen())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	g := &GDI{ask: inputVeil, nudged: make(chan struct{}, 1), pointed: make(chan struct{}, 1), closed: make(chan struct{})}
	g.use(s)
	return g, nil
}

// use takes a new bitmap; the next frame is whole.
func (g *GDI) use(s *screen) {
	if g.screen != nil {
		g.screen.close()
	}
	g.screen, g.whole = s, true
	g.pix = make([]uint32, len(s.bits))
	g.list(time.Now())
}

// list lists the monitors.
func (g *GDI) list(now time.Time) {
	g.measured, g.listed = now, now
	g.shows(g.screen.area)
}

// shows notes where the picture lies on the desktop, and which monitors are in it.
func (g *GDI) shows(area image.Rectangle) {
	displays := monitors(area)
	g.mu.Lock()
	g.area, g.displays = area, displays
	g.mu.Unlock()
}

// corner is the picture's, in the system's coordinates.
func (g *GDI) corner() image.Point {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.area.Min
}

// Nudge tells that the desktop is about to change, as it does after input. It
// may be called from any goroutine and costs nothing.
func (g *GDI) Nudge() {
	select {
	case g.nudged <- struct{}{}:
	default:
	}
	g.pointAgain()
}

// pointAgain wakes whoever watches the pointer.
func (g *GDI) pointAgain() {
	select {
	case g.pointed <- struct{}{}:
	default:
	}
}

func (g *GDI) gone() error { return fmt.Errorf("%w: it was closed, or the desktop is gone", ErrLost) }

// Next implements Source.
func (g *GDI) Next(ctx context.Context) (Frame, error) {
	g.looking.Lock()
	defer g.looking.Unlock()
	// Whoever calls has not looked for a while, perhaps: see all of it.
	g.pace.stir(time.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if now := time.Now(); g.pace.isLively(now) {
			timer.Reset(g.pace.wait(now))
		} else {
			timer.Reset(beat.Wait(min(g.pace.wait(now), attention)))
		}
		select {
		case <-timer.C:
		case <-g.nudged:
			g.pace.nudge(time.Now())
			continue
		case <-ctx.Done():
			return Frame{}, ctx.Err()
		case <-g.closed:
			return Frame{}, g.gone()
		}
		if err := ctx.Err(); err != nil {
			return Frame{}, err
		}
		select {
		case <-g.closed:
			return Frame{}, g.gone()
		default:
		}
		now := time.Now()
		if tick := lastInput(); tick != g.input {
			g.input = tick
			g.pace.stir(now)
			g.pointAgain()
		}
		if g.pace.wait(now) > 0 {
			continue
		}
		changed, err := g.look(now)
		if err != nil {
			g.ending.Do(func() { close(g.closed) })
			return Frame{}, err
		}
		if !changed.Empty() {
			area := g.screen.area
			return Frame{Pix: g.pix, Width: area.Dx(), Height: area.Dy(), Damage: changed, Took: time.Since(now)}, nil
		}
	}
}

// look looks at what the pace says and returns what changed. A glance that
// finds anything is followed by a whole look.
func (g *GDI) look(now time.Time) (changed image.Rectangle, err error) {
	if g.isVeiled(now, veilTime) {
		return changed, nil
	}
	if now.Sub(g.measured) >= remeasure {
		if err := g.measure(now); err != nil {
			return changed, g.failed(now, err)
		}
	}
	w, h := g.screen.area.Dx(), g.screen.area.Dy()
	for {
		began := time.Now()
		from, to := g.pace.rows(began, h)
		if g.whole {
			from, to = 0, h
		}
		err := g.screen.copy(from, to)
		if (err != nil || isBlack(g.screen.bits[from*w:to*w])) && g.isVeiled(began, 0) {
			return image.Rectangle{}, nil
		}
		if err != nil {
			return image.Rectangle{}, g.failed(began, err)
		}
		g.failing = time.Time{}
		for y := from; y < to; y++ {
			if l, r := mergeRow(g.pix[y*w:(y+1)*w], g.screen.bits[y*w:(y+1)*w]); l < r {
				changed = changed.Union(image.Rect(l, y, r, y+1))
			}
		}
		done := time.Now()
		g.pace.done(began, done, to-from == h)
		if g.whole {
			g.whole = false
			changed = image.Rect(0, 0, w, h)
		}
		if changed.Empty() {
			return changed, nil
		}
		g.pace.stir(done)
		if to-from == h {
			return changed, nil
		}
	}
}

// measure takes notice of monitors that came, went or changed.
func (g *GDI) measure(now time.Time) error {
	area := virtualScreen()
	if area == g.screen.area || area.Empty() {
		if g.measured = now; now.Sub(g.listed) >= relist {
			g.list(now)
		}
		return nil
	}
	s, err := openScreen(area)
	if err != nil {
		return err
	}
	g.use(s)
	return nil
}

// isVeiled tells whether the desktop is veiled, or was within the time given;
// the look is then over. When the veil is gone, all of it is seen.
func (g *GDI) isVeiled(now time.Time, within time.Duration) bool {
	was := g.veiled
	g.veiled = g.veil.now(g.ask, within) != Unveiled
	switch {
	case g.veiled:
		g.failing = time.Time{}
		g.pace.done(now, now, false)
	case was:
		g.pace.stir(now)
	}
	return g.veiled
}

// isBlack tells whether a copy holds nothing but black, as one of a desktop
// that may not be read does on some systems.
func isBlack(pix []uint32) bool {
	for _, p := range pix {
		if p&rgb != 0 {
			return false
		}
	}
	return true
}

// failed makes of a copy that failed an error once it has failed for long: the
// session may be about to be locked, or its graphics driver to change.
func (g *GDI) failed(now time.Time, err error) error {
	if g.failing.IsZero() {
		g.failing = now
	}
	g.pace.done(now, now, false)
	if now.Sub(g.failing) >= blind {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	// The device contexts may be those of a driver that is gone.
	if s, err := openScreen(g.screen.area); err == nil {
		g.use(s)
	}
	return nil
}

// Displays implements Source.
func (g *GDI) Displays() []Display {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]Display(nil), g.displays...)
}

// Close implements Source. It waits for Next to return.
func (g *GDI) Close() error {
	g.ending.Do(func() { close(g.closed) })
	g.looking.Lock()
	defer g.looking.Unlock()
	if g.screen != nil {
		g.screen.close()
		g.screen = nil
	}
	return nil
}
