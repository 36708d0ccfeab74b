//go:build linux || freebsd || netbsd || openbsd

package capture

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"log"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/damage"
	"github.com/jezek/xgb/randr"
	"github.com/jezek/xgb/xfixes"
	"github.com/jezek/xgb/xproto"
)

// closeWait bounds how long Close waits for an X server that does not answer.
const closeWait = 2 * time.Second

func init() {
	// xgb writes to standard error whenever a connection ends.
	xgb.Logger = log.New(io.Discard, "", 0)
}

// X11 is a desktop on an X server: one connection, one shared segment, one
// Damage object. While nothing changes it does nothing.
//
// A frame is fetched into the segment and merged from there into memory of our
// own. The pass is needed anyway, since the X server may leave anything in the
// top byte of a pixel; done this way it also finds what really changed, and no
// frame is ever in memory that Close unmaps.
type X11 struct {
	c      *xgb.Conn
	root   xproto.Window
	damage damage.Damage
	region xfixes.Region // what Damage reported

	dirty   chan struct{} // the desktop changed since this was last emptied
	resized atomic.Bool   // RANDR reported something since this was last false
	shape   chan struct{} // the cursor changed since this was last emptied
	lost    chan struct{} // closed when the connection is gone

	grabbing sync.Mutex // held by Next; guards what follows
	fetch    fetcher
	pix      []uint32
	w, h     int
	whole    bool  // the next frame is whole
	told     Areas // what the server says has changed
	changed  Areas // what has

	cursor   sync.Mutex // held by NextCursor; guards what follows
	shown    bool       // a shape was returned before
	serial   uint32     // of the shape returned last
	mu       sync.Mutex
	displays []Display
}

// OpenX11 connects to an X server, such as ":0"; an empty name is that of
// DISPLAY. The screen must have 24 or 32 bits a pixel in the order BGRX, as all
// but very old ones have: else the error wraps ErrUnsupported, as it does when
// the server lacks DAMAGE or XFIXES. The error wraps ErrLost when there is no
// server.
func OpenX11(display string) (*X11, error) {
	c, err := xgb.NewConnDisplay(display)
	if err != nil {
		return nil, fmt.Errorf("%w: no X server at %q: %w", ErrLost, display, err)
	}
	x := &X11{
		c: c, root: xproto.Setup(c).DefaultScreen(c).Root, whole: true,
		dirty: make(chan struct{}, 1), shape: make(chan struct{}, 1), lost: make(chan struct{}),
	}
	go x.events()
	if err := x.open(); err != nil {
		x.Close()
		return nil, err
	}
	return x, nil
}

func (x *X11) open() error {
	if err := checkVisual(xproto.Setup(x.c), xproto.Setup(x.c).DefaultScreen(x.c)); err != nil {
		return err
	}
	for _, name := range []string{"XFIXES", "DAMAGE"} {
		if err := useExtension(x.c, name); err != nil {
			return err
		}
	}
	if _, err := xfixes.QueryVersion(x.c, 5, 0).Reply(); err != nil {
		return x.failed("ask for XFIXES", err)
	}
	if _, err := damage.QueryVersion(x.c, 1, 1).Reply(); err != nil {
		return x.failed("ask for DAMAGE", err)
	}
	x.damage, _ = damage.NewDamageId(x.c)
	x.region, _ = xfixes.NewRegionId(x.c)
	for _, err := range []error{
		damage.CreateChecked(x.c, x.damage, xproto.Drawable(x.root), damage.ReportLevelNonEmpty).Check(),
		xfixes.CreateRegionChecked(x.c, x.region, nil).Check(),
		xfixes.SelectCursorInputChecked(x.c, x.root, xfixes.CursorNotifyMaskDisplayCursor).Check(),
	} {
		if err != nil {
			return x.failed("watch the screen", err)
		}
	}
	// Without RANDR the screen never changes its size.
	if err := useExtension(x.c, "RANDR"); err == nil {
		if _, err := randr.QueryVersion(x.c, 1, 5).Reply(); err != nil {
			return x.failed("ask for RANDR", err)
		}
		const mask = randr.NotifyMaskScreenChange | randr.NotifyMaskCrtcChange | randr.NotifyMaskOutputChange
		if err := randr.SelectInputChecked(x.c, x.root, mask).Check(); err != nil {
			return x.failed("watch the monitors", err)
		}
	} else if errors.Is(err, ErrLost) {
		return err
	}
	return x.measure()
}

// checkVisual refuses screens whose pixels are not 0x??RRGGBB in little-endian
// words.
func checkVisual(setup *xproto.SetupInfo, screen *xproto.ScreenInfo) error {
	bits := byte(0)
	for _, f := range setup.PixmapFormats {
		if f.Depth == screen.RootDepth {
			bits = f.BitsPerPixel
		}
	}
	if screen.RootDepth != 24 && screen.RootDepth != 32 || bits != 32 || setup.ImageByteOrder != xproto.ImageOrderLSBFirst {
		return fmt.Errorf("%w: the X screen has %d bits a pixel; 24 are needed", ErrUnsupported, screen.RootDepth)
	}
	for _, d := range screen.AllowedDepths {
		for _, v := range d.Visuals {
			if v.VisualId == screen.RootVisual && (v.RedMask != 0xff0000 || v.GreenMask != 0xff00 || v.BlueMask != 0xff) {
				return fmt.Errorf("%w: the X screen has its colours in another order", ErrUnsupported)
			}
		}
	}
	return nil
}

// failed says what an error of the X server or the connection means.
func (x *X11) failed(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrLost, what, err)
}

// events turns the server's events into signals until the connection ends.
func (x *X11) events() {
	defer close(x.lost)
	signal := func(c chan struct{}) {
		select {
		case c <- struct{}{}:
		default:
		}
	}
	for {
		e, err := x.c.WaitForEvent()
		switch e.(type) {
		case damage.NotifyEvent:
			signal(x.dirty)
		case xfixes.CursorNotifyEvent:
			signal(x.shape)
		case randr.ScreenChangeNotifyEvent, randr.NotifyEvent:
			x.resized.Store(true)
			signal(x.dirty)
		case nil:
			if err == nil {
				return
			}
		}
	}
}

// measure reads the size of the screen and the monitors. When the size is new,
// the segment and the frame are too, and the next frame is whole.
func (x *X11) measure() error {
	g, err := xproto.GetGeometry(x.c, xproto.Drawable(x.root)).Reply()
	if err != nil {
		return x.failed("read the size of the screen", err)
	}
	displays, err := x.monitors(image.Rect(0, 0, int(g.Width), int(g.Height)))
	if err != nil {
		return err
	}
	x.mu.Lock()
	x.displays = displays
	x.mu.Unlock()
	if w, h := int(g.Width), int(g.Height); w != x.w || h != x.h {
		if x.fetch != nil {
			x.fetch.close()
		}
		x.fetch = newFetcher(x.c, xproto.Drawable(x.root), w, h)
		x.pix, x.w, x.h = make([]uint32, w*h), w, h
		x.whole = true
	}
	return nil
}

// monitors lists the monitors, or the screen as one where RANDR is older than
// 1.5 or knows none.
func (x *X11) monitors(screen image.Rectangle) ([]Display, error) {
	one := []Display{{Name: "screen", Bounds: screen}}
	x.c.ExtLock.RLock()
	_, ok := x.c.Extensions["RANDR"]
	x.c.ExtLock.RUnlock()
	if !ok {
		return one, nil
	}
	r, err := randr.GetMonitors(x.c, x.root, true).Reply()
	if errors.Is(err, io.EOF) {
		return nil, x.failed("list the monitors", err)
	}
	if err != nil {
		return one, nil
	}
	var all []Display
	for _, m := range r.Monitors {
		d := Display{ID: uint32(m.Name), Name: fmt.Sprint("monitor ", len(all)+1)}
		d.Bounds = image.Rect(0, 0, int(m.Width), int(m.Height)).Add(image.Pt(int(m.X), int(m.Y))).Intersect(screen)
		if name, err := xproto.GetAtomName(x.c, m.Name).Reply(); err == nil {
			d.Name = name.Name
		}
		if !d.Bounds.Empty() {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return one, nil
	}
	return all, nil
}

// Displays implements Source.
func (x *X11) Displays() []Display {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]Display(nil), x.displays...)
}

// Next implements Source.
func (x *X11) Next(ctx context.Context) (Frame, error) {
	x.grabbing.Lock()
	defer x.grabbing.Unlock()
	for {
		if !x.whole {
			select {
			case <-x.dirty:
			case <-ctx.Done():
				return Frame{}, ctx.Err()
			case <-x.lost:
				return Frame{}, fmt.Errorf("%w: the X server is gone", ErrLost)
			}
		}
		if err := ctx.Err(); err != nil {
			// What was taken from dirty is still to be seen.
			x.signalDirty()
			return Frame{}, err
		}
		began := time.Now()
		if err := x.grab(); err != nil {
			return Frame{}, err
		}
		if parts := x.changed.All(); len(parts) > 0 {
			return Frame{Pix: x.pix, Width: x.w, Height: x.h, Damage: x.changed.Bounds(), Parts: parts, Took: time.Since(began)}, nil
		}
	}
}

func (x *X11) signalDirty() {
	select {
	case x.dirty <- struct{}{}:
	default:
	}
}

// grab brings pix up to date and notes what changed in it.
func (x *X11) grab() error {
	for tries := 0; ; tries++ {
		if x.resized.Swap(false) {
			if err := x.measure(); err != nil {
				return err
			}
		}
		// The damage is taken before the pixels: what changes between the two
		// is damage again, and is seen once more.
		damage.Subtract(x.c, x.damage, xfixes.Region(0), x.region)
		reply, err := xfixes.FetchRegion(x.c, x.region).Reply()
		if err != nil {
			return x.failed("ask what changed", err)
		}
		screen := image.Rect(0, 0, x.w, x.h)
		x.told.Clear()
		x.changed.Clear()
		if x.whole {
			x.told.Add(screen)
		}
		for _, r := range reply.Rectangles {
			x.told.Add(image.Rect(int(r.X), int(r.Y), int(r.X)+int(r.Width), int(r.Y)+int(r.Height)).Intersect(screen))
		}
		for _, r := range x.told.All() {
			if err = x.merge(r); err != nil {
				break
			}
		}
		var match xproto.MatchError
		switch {
		case err == nil:
		case errors.As(err, &match) && tries < 10:
			// The screen shrank after it was measured.
			x.resized.Store(true)
			x.whole = true
			continue
		default:
			return x.failed("read the screen", err)
		}
		if x.whole {
			x.whole = false
			x.changed.Add(screen)
		}
		return nil
	}
}

// merge fetches r, merges it into pix and notes what changed.
func (x *X11) merge(r image.Rectangle) error {
	changed := image.Rectangle{}
	err := x.fetch.fetch(r, func(y int, row []uint32) {
		from, to := mergeRow(x.pix[y*x.w+r.Min.X:y*x.w+r.Max.X], row)
		if from < to {
			changed = changed.Union(image.Rect(r.Min.X+from, y, r.Min.X+to, y+1))
		}
	})
	x.changed.Add(changed)
	return err
}

// Close implements Source. It waits for Next and NextCursor to return.
func (x *X11) Close() error {
	x.c.Close()
	select {
	case <-x.lost:
	case <-time.After(closeWait):
		// The server does not answer. Next may still be reading from the
		// segment, so it stays: better a leak than a crash.
		return fmt.Errorf("%w: the X server does not answer", ErrLost)
	}
	x.grabbing.Lock()
	defer x.grabbing.Unlock()
	x.cursor.Lock()
	defer x.cursor.Unlock()
	if x.fetch != nil {
		x.fetch.close()
		x.fetch = nil
	}
	return nil
}
