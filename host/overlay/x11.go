//go:build linux || freebsd || netbsd || openbsd

package overlay

import (
	"errors"
	"fmt"
	"image"
	"io"
	"log"
	"slices"
	"sync"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/shape"
	"github.com/jezek/xgb/xproto"
)

func init() {
	// xgb writes to standard error whenever a connection ends.
	xgb.Logger = log.New(io.Discard, "", 0)
}

// raiseEvery bounds how often the overlay goes back above a window that covers
// it: another program that wants to lie above all must not make a fight of it.
const raiseEvery = time.Second

// closeWait bounds how long Close waits for an X server that does not answer.
const closeWait = 2 * time.Second

// X11 is the overlay of an X server: one window for all marks and a small one a
// pointer, each cut to the shape of its ink, so that it needs no compositor. What
// they show is their background, which the server itself paints again whenever
// something that lay above goes away. While nothing is shown there is no window,
// and nothing is done.
type X11 struct {
	c    *xgb.Conn
	root xproto.Window
	gc   xproto.Gcontext
	lost chan struct{} // closed when the connection is gone
	wake chan struct{} // there is a scene to show, or news of the server
	done chan struct{} // closed when the painter has ended

	mu      sync.Mutex
	scene   Scene
	waiting []chan struct{} // for the scene
	moved   bool            // something that is spared, maybe
	covered bool            // something lies above
	size    image.Point     // of the screen
	gone    bool            // the painter has ended

	// The painter's own.
	sheet
	pix      xproto.Pixmap
	window   xproto.Window     // 0: none
	watched  []uint64          // windows whose moves we are told
	spared   []image.Rectangle // what the marks' window leaves free
	raised   time.Time
	pointers map[int]*pointerWindow
}

// pointerWindow is a pointer as it stands.
type pointerWindow struct {
	inkedPointer
	window xproto.Window
	last   Pointer
	runs   []image.Rectangle
	bites  []image.Rectangle // places on the screen that it leaves free
}

// OpenX11 connects to an X server, such as ":0"; an empty name is that of
// DISPLAY. The error wraps ErrUnsupported where the server cannot do it.
func OpenX11(display string) (*X11, error) {
	c, err := xgb.NewConnDisplay(display)
	if err != nil {
		return nil, fmt.Errorf("%w: no X server at %q: %w", ErrUnsupported, display, err)
	}
	setup := xproto.Setup(c)
	screen := setup.DefaultScreen(c)
	x := &X11{
		c: c, root: screen.Root, lost: make(chan struct{}), wake: make(chan struct{}, 1), done: make(chan struct{}),
		size: image.Pt(int(screen.WidthInPixels), int(screen.HeightInPixels)), pointers: make(map[int]*pointerWindow),
	}
	go x.events()
	if err := x.open(setup, screen); err != nil {
		c.Close()
		return nil, err
	}
	go x.work()
	return x, nil
}

func (x *X11) open(setup *xproto.SetupInfo, screen *xproto.ScreenInfo) error {
	if screen.RootDepth != 24 && screen.RootDepth != 32 || setup.ImageByteOrder != xproto.ImageOrderLSBFirst {
		return fmt.Errorf("%w: the X screen has %d bits a pixel; 24 are needed", ErrUnsupported, screen.RootDepth)
	}
	// Not shape.Init: it writes to tables that every connection reads, and we use
	// no events of SHAPE.
	r, err := xproto.QueryExtension(x.c, 5, "SHAPE").Reply()
	if err != nil || !r.Present {
		return fmt.Errorf("%w: the X server lacks SHAPE: %w", ErrUnsupported, errors.Join(err))
	}
	x.c.ExtLock.Lock()
	x.c.Extensions["SHAPE"] = r.MajorOpcode
	x.c.ExtLock.Unlock()
	v, err := shape.QueryVersion(x.c).Reply()
	if err != nil || v.MajorVersion < 1 || v.MajorVersion == 1 && v.MinorVersion < 1 {
		return fmt.Errorf("%w: the X server's SHAPE has no input shapes: %w", ErrUnsupported, errors.Join(err))
	}
	if x.gc, err = xproto.NewGcontextId(x.c); err == nil {
		err = xproto.CreateGCChecked(x.c, x.gc, xproto.Drawable(x.root), xproto.GcGraphicsExposures, []uint32{0}).Check()
	}
	if err == nil {
		// The root tells when the screen changes its size.
		err = xproto.ChangeWindowAttributesChecked(x.c, x.root, xproto.CwEventMask, []uint32{xproto.EventMaskStructureNotify}).Check()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return nil
}

// events leaves word of what the server tells.
func (x *X11) events() {
	defer close(x.lost)
	for {
		e, err := x.c.WaitForEvent()
		x.mu.Lock()
		switch e := e.(type) {
		case xproto.ConfigureNotifyEvent:
			if e.Window == x.root {
				x.size = image.Pt(int(e.Width), int(e.Height))
			}
			x.moved = true
		case xproto.MapNotifyEvent, xproto.UnmapNotifyEvent, xproto.ReparentNotifyEvent, xproto.DestroyNotifyEvent:
			x.moved = true
		case xproto.VisibilityNotifyEvent:
			x.covered = x.covered || e.State != xproto.VisibilityUnobscured
		case nil:
			if err == nil {
				x.mu.Unlock()
				return
			}
		}
		news := x.moved || x.covered
		x.mu.Unlock()
		if news {
			x.wakeUp()
		}
	}
}

func (x *X11) wakeUp() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// Show implements Overlay.
func (x *X11) Show(s Scene) <-chan struct{} {
	done := make(chan struct{})
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone {
		close(done)
		return done
	}
	x.scene = s
	x.waiting = append(x.waiting, done)
	x.wakeUp()
	return done
}

// Close implements Overlay. With the connection go all windows.
func (x *X11) Close() error {
	x.c.Close()
	select {
	case <-x.done:
	case <-time.After(closeWait):
		// The server does not answer: its end of the connection is closed all the same.
	}
	return nil
}

// work shows scenes until the connection ends.
func (x *X11) work() {
	defer func() {
		x.mu.Lock()
		x.gone = true
		waiting := x.waiting
		x.waiting = nil
		x.mu.Unlock()
		for _, w := range waiting {
			close(w)
		}
		close(x.done)
	}()
	var again <-chan time.Time // when to go back above what covers us
	for {
		select {
		case <-x.wake:
		case <-again:
			again = nil
		case <-x.lost:
			return
		}
		x.mu.Lock()
		scene, waiting, size, covered := x.scene, x.waiting, x.size, x.covered
		x.waiting, x.moved = nil, false
		x.mu.Unlock()
		x.show(&scene, size)
		if covered && (x.window != 0 || len(x.pointers) > 0) {
			if wait := raiseEvery - time.Since(x.raised); wait > 0 {
				if again == nil {
					again = time.After(wait)
				}
			} else {
				x.mu.Lock()
				x.covered = false
				x.mu.Unlock()
				x.raise()
			}
		}
		// An answer means that everything before it is done.
		if len(waiting) > 0 {
			_, _ = xproto.GetInputFocus(x.c).Reply()
		}
		for _, w := range waiting {
			close(w)
		}
	}
}

// show makes the screen what the scene says.
func (x *X11) show(s *Scene, size image.Point) {
	if x.ink != nil && (x.ink.w != size.X || x.ink.h != size.Y) {
		x.dropMarks()
		x.dropPointers(nil)
	}
	x.watch(s.Spared)
	spared := x.places(s)
	x.marks(s, size, spared)
	x.point(s, size, spared)
}

// marks makes the marks' window what the scene says.
func (x *X11) marks(s *Scene, size image.Point, spared []image.Rectangle) {
	if len(s.Marks) == 0 || s.Hidden { // C75
		x.dropMarks()
		return
	}
	fresh := x.window == 0
	if fresh {
		x.ink = newScreen(size.X, size.Y)
		x.window, x.pix = x.newWindow(image.Rectangle{Max: size})
	}
	touched := image.Rectangle{}
	whole := x.begin(s.Marks) || fresh || !slices.Equal(spared, x.spared)
	x.spared = spared
	x.paint(s.Marks, func(r image.Rectangle) {
		x.put(x.ink, x.pix, r)
		if !whole {
			x.cut(x.window, shape.SoUnion, without(x.ink.runs(r), spared, image.Point{}))
		}
		touched = touched.Union(r)
	})
	if whole {
		x.cut(x.window, shape.SoSet, without(x.ink.runs(image.Rectangle{Max: size}), spared, image.Point{}))
	}
	if fresh {
		xproto.MapWindow(x.c, x.window)
	}
	if !touched.Empty() {
		xproto.ClearArea(x.c, false, x.window, int16(touched.Min.X), int16(touched.Min.Y), uint16(touched.Dx()), uint16(touched.Dy()))
	}
}

func (x *X11) dropMarks() {
	if x.window != 0 {
		xproto.DestroyWindow(x.c, x.window)
		xproto.FreePixmap(x.c, x.pix)
	}
	x.window, x.pix, x.ink, x.shown = 0, 0, nil, nil
}

// point makes the pointers' windows what the scene says.
func (x *X11) point(s *Scene, size image.Point, spared []image.Rectangle) {
	if s.Hidden { // C75
		x.dropPointers(nil)
		return
	}
	x.dropPointers(s.Pointers)
	for i := range s.Pointers {
		p := &s.Pointers[i]
		w := x.pointers[p.Who]
		if w != nil && !w.suits(p, &w.last, size) {
			x.dropPointer(p.Who)
			w = nil
		}
		fresh := w == nil
		if fresh {
			w = &pointerWindow{inkedPointer: inkPointer(p, size)}
			ink := w.ink
			w.runs = ink.runs(image.Rect(0, 0, ink.w, ink.h))
			var pix xproto.Pixmap
			w.window, pix = x.newWindow(image.Rectangle{Max: image.Pt(ink.w, ink.h)}.Add(p.At.Sub(w.hot)))
			x.put(ink, pix, image.Rect(0, 0, ink.w, ink.h))
			xproto.FreePixmap(x.c, pix) // the window keeps its background
			x.pointers[p.Who] = w
		}
		at, was := p.At.Sub(w.hot), w.last.At.Sub(w.hot)
		moves := !fresh && at != was
		bites := touching(spared, image.Rect(0, 0, w.ink.w, w.ink.h).Add(at))
		runs := without(w.runs, bites, at)
		if moves {
			if len(bites) > 0 { // it is cut for where it goes before it goes there
				x.cut(w.window, shape.SoSet, without(runs, w.bites, was))
			}
			xproto.ConfigureWindow(x.c, w.window, xproto.ConfigWindowX|xproto.ConfigWindowY, []uint32{uint32(int32(at.X)), uint32(int32(at.Y))})
		}
		if fresh || moves && len(bites) > 0 || !slices.Equal(bites, w.bites) {
			x.cut(w.window, shape.SoSet, runs)
		}
		w.last, w.bites = *p, bites
		if fresh {
			xproto.MapWindow(x.c, w.window)
		}
	}
}

// dropPointers takes away those that are not among these.
func (x *X11) dropPointers(but []Pointer) {
	for who := range x.pointers {
		if !has(but, who) {
			x.dropPointer(who)
		}
	}
}

func (x *X11) dropPointer(who int) {
	xproto.DestroyWindow(x.c, x.pointers[who].window)
	delete(x.pointers, who)
}

// newWindow makes a window that no window manager sees and no input reaches, not
// mapped yet, and its background. Its colours are set before its shape.
func (x *X11) newWindow(r image.Rectangle) (xproto.Window, xproto.Pixmap) {
	w, _ := xproto.NewWindowId(x.c)
	pix, _ := xproto.NewPixmapId(x.c)
	width, height := uint16(max(r.Dx(), 1)), uint16(max(r.Dy(), 1))
	depth := xproto.Setup(x.c).DefaultScreen(x.c).RootDepth
	xproto.CreatePixmap(x.c, depth, pix, xproto.Drawable(x.root), width, height)
	xproto.CreateWindow(x.c, xproto.WindowClassCopyFromParent, w, x.root, int16(r.Min.X), int16(r.Min.Y), width, height, 0,
		xproto.WindowClassInputOutput, xproto.WindowClassCopyFromParent,
		xproto.CwBackPixmap|xproto.CwOverrideRedirect|xproto.CwEventMask,
		[]uint32{uint32(pix), 1, xproto.EventMaskVisibilityChange})
	const name = "Mainforte: marks of those who help you"
	xproto.ChangeProperty(x.c, xproto.PropModeReplace, w, xproto.AtomWmName, xproto.AtomString, 8, uint32(len(name)), []byte(name))
	shape.Rectangles(x.c, shape.SoSet, shape.SkInput, xproto.ClipOrderingUnsorted, w, 0, 0, nil) // C74
	return w, pix
}

// cut changes a window's shape by rectangles. What is to be free is never among
// them: between two requests others see the screen.
func (x *X11) cut(w xproto.Window, op shape.Op, runs []image.Rectangle) {
	const most = 8000 // in one request of at most 256 KiB
	for first := true; first || len(runs) > 0; first = false {
		part := runs[:min(most, len(runs))]
		runs = runs[len(part):]
		rects := make([]xproto.Rectangle, len(part))
		for i, r := range part {
			rects[i] = xproto.Rectangle{X: int16(r.Min.X), Y: int16(r.Min.Y), Width: uint16(r.Dx()), Height: uint16(r.Dy())}
		}
		shape.Rectangles(x.c, op, shape.SkBounding, xproto.ClipOrderingUnsorted, w, 0, 0, rects)
		op = shape.SoUnion
	}
}

// put sends what is inked of r to a pixmap, in bands that fit into a request.
func (x *X11) put(ink *canvas, pix xproto.Pixmap, r image.Rectangle) {
	r = r.Intersect(image.Rect(0, 0, ink.w, ink.h))
	if r.Empty() {
		return
	}
	depth := xproto.Setup(x.c).DefaultScreen(x.c).RootDepth
	step := max(1, 200_000/(4*r.Dx()))
	for y := r.Min.Y; y < r.Max.Y; y += step {
		rows := min(step, r.Max.Y-y)
		data := make([]byte, 4*r.Dx()*rows)
		i := 0
		for row := y; row < y+rows; row++ {
			for _, p := range ink.pix[row*ink.w+r.Min.X : row*ink.w+r.Max.X] {
				if p != 0 {
					xgb.Put32(data[i:], rgb(p)|0xff000000)
				}
				i += 4
			}
		}
		xproto.PutImage(x.c, xproto.ImageFormatZPixmap, xproto.Drawable(pix), x.gc, uint16(r.Dx()), uint16(rows),
			int16(r.Min.X), int16(y), 0, depth, data)
	}
}

// raise puts all windows above the others again.
func (x *X11) raise() {
	x.raised = time.Now()
	above := []uint32{xproto.StackModeAbove}
	if x.window != 0 {
		xproto.ConfigureWindow(x.c, x.window, xproto.ConfigWindowStackMode, above)
	}
	for _, p := range x.pointers {
		xproto.ConfigureWindow(x.c, p.window, xproto.ConfigWindowStackMode, above)
	}
}

// watch lets the server tell us when a window that is to be spared moves.
func (x *X11) watch(spared []uint64) {
	for _, id := range spared {
		if !slices.Contains(x.watched, id) {
			x.watched = append(x.watched, id)
			xproto.ChangeWindowAttributes(x.c, xproto.Window(id), xproto.CwEventMask, []uint32{xproto.EventMaskStructureNotify})
		}
	}
}

// places are where the windows that are to be spared are seen, with their frames.
func (x *X11) places(s *Scene) []image.Rectangle {
	if s.Hidden || len(s.Marks) == 0 && len(s.Pointers) == 0 {
		return nil
	}
	var all []image.Rectangle
	for _, id := range s.Spared {
		w := xproto.Window(id)
		if a, err := xproto.GetWindowAttributes(x.c, w).Reply(); err != nil || a.MapState != xproto.MapStateViewable {
			continue
		}
		for range 16 { // up to the frame that a window manager puts around it
			t, err := xproto.QueryTree(x.c, w).Reply()
			if err != nil || t.Parent == x.root || t.Parent == 0 {
				break
			}
			w = t.Parent
		}
		if g, err := xproto.GetGeometry(x.c, xproto.Drawable(w)).Reply(); err == nil {
			b := int(g.BorderWidth)
			all = append(all, image.Rect(0, 0, int(g.Width)+2*b, int(g.Height)+2*b).Add(image.Pt(int(g.X), int(g.Y))))
		}
	}
	return all
}
