package session

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"image"
	"io"
	"slices"
	"sync/atomic"

	"github.com/pion/webrtc/v4"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/picture"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// desktop is the screen and the hands, open from the person's first yes to the
// end of the session. While view is not allowed it is suspended: nothing is
// captured.
type desktop struct {
	src    capture.Source
	guard  input.Guard
	hands  bool // there is an injector
	pump   *picture.Pump
	person input.Person // nil: their own hands are not heard
	cancel context.CancelFunc
	gone   chan struct{} // closed when it is closed

	suspended atomic.Bool       // written by the loop
	cursor    *capture.Cursor   // the present shape
	place     *mfpb.CursorPlace // of the pointer, and who put it there
	displays  []capture.Display
	veil      capture.Veil // what hides the screen
}

// startPicture shows the desktop to a viewer as soon as both stand: its view
// grant and a proven link. It is called when either comes.
func (h *Host) startPicture(p *participant) {
	s := h.live
	if !p.allowed(grantView) { // C27
		return
	}
	if s.desk == nil && !h.openDesktop() {
		return
	}
	if s.desk.suspended.CompareAndSwap(true, false) {
		s.desk.pump.Resume()
	}
	if k := p.link; p.up() {
		if err := s.desk.attach(k); err != nil {
			h.refused(p, "viewer", err)
			return
		}
		k.displays = nil
		h.showDisplays(p)
		h.showCursor(p)
		h.showPlace(p)
		if s.desk.veil != capture.Unveiled {
			s.desk.tellVeil(p)
		}
		if s.toil.slow {
			s.tellToil(p, toilAbove)
		}
	}
}

// openDesktop opens screen and hands and begins to capture.
func (h *Host) openDesktop() bool {
	s := h.live
	src, inj, guard, err := h.cfg.OpenDesktop()
	if err != nil {
		h.log.Error("the desktop cannot be opened", "error", err)
		h.sayNoDesktop(err)
		h.end(mfpb.Reason_REASON_CAPTURE_LOST)
		return false
	}
	ctx, cancel := context.WithCancel(h.ctx)
	d := &desktop{src: src, guard: guard, hands: inj != nil && guard != nil, pump: picture.NewPump(src), cancel: cancel, gone: make(chan struct{})}
	s.desk = d
	if s.film != nil {
		d.pump.SetFilm(s.film)
	}
	if d.hands {
		for _, id := range h.windows {
			guard.Protect(id)
		}
		r := &reach{Injector: inj, guard: guard}
		if n, ok := src.(capture.Nudger); ok {
			r.nudge = n.Nudge
		}
		s.hands.desktop.Store(r)
	}
	h.watchPerson(d)
	h.tellNear()
	h.spawn(func() {
		if err := d.pump.Run(ctx); ctx.Err() == nil {
			h.post(d.gone, func() { h.lostDesktop(d, err) })
		}
	})
	if v, ok := src.(capture.Veiled); ok {
		h.spawn(func() { h.watchVeil(ctx, d, v) })
	}
	if v, ok := src.(capture.Pointing); ok {
		h.spawn(func() { h.watchPointer(ctx, d, v) })
	}
	h.spawn(func() {
		for {
			c, err := src.NextCursor(ctx)
			if ctx.Err() != nil {
				return
			}
			ok := h.post(d.gone, func() {
				if err != nil {
					h.lostDesktop(d, err)
					return
				}
				d.cursor = &c
				for _, p := range s.participants {
					h.showCursor(p)
				}
			})
			if err != nil || !ok {
				return
			}
		}
	})
	return true
}

// late are hands that the system's own question gives or refuses.
type late interface {
	capture.Source
	// Able tells, once the screen is seen, whether it may be driven as well.
	Able() bool
}

// drivable tells whether control has any use.
func (d *desktop) drivable() bool {
	if l, ok := d.src.(late); ok && !l.Able() {
		return false
	}
	return d.hands
}

// nearer is a guard that knows no windows: our own one tells what is in it.
type nearer interface {
	input.Guard
	// Near takes "none", "pointer", "focus" or "both".
	Near(string)
}

// near: our own window tells whether it has the pointer, the keyboard, or both.
func (h *Host) near(what string) {
	h.nearby = what
	h.tellNear()
}

func (h *Host) tellNear() {
	if h.live == nil || h.live.desk == nil {
		return
	}
	if g, ok := h.live.desk.guard.(nearer); ok && h.nearby != "" {
		g.Near(h.nearby)
		if h.nearby != "none" {
			h.live.release() // what is held would reach our own window
		}
	}
}

// sayNoDesktop tells the person why their screen is not seen, and what to do.
func (h *Host) sayNoDesktop(err error) {
	text := h.texts.T("error.desktop", "detail", err.Error())
	if errors.Is(err, capture.ErrWayland) {
		text = h.texts.T("error.wayland")
	}
	h.show(ui.Event{Name: "error", Text: text})
}

// lostDesktop: the screen can no longer be read, or the person said no to the
// system's own question.
func (h *Host) lostDesktop(d *desktop, err error) {
	if h.live == nil || h.live.desk != d || h.live.over {
		return
	}
	if errors.Is(err, capture.ErrDenied) {
		h.end(mfpb.Reason_REASON_PERSON_DENIED)
		return
	}
	h.log.Error("the desktop was lost", "error", err)
	if errors.Is(err, capture.ErrUnsupported) {
		h.sayNoDesktop(err)
	}
	h.live.note("session.refused", "fail", map[string]any{"from": "desktop", "reason": wire.Name(mfpb.Reason_REASON_CAPTURE_LOST)}, nil)
	h.end(mfpb.Reason_REASON_CAPTURE_LOST)
}

// pausePicture stops one participant's picture. When it returns, no more of it
// leaves the host for that one; nothing is captured if nobody else may see it.
func (l *live) pausePicture(p *participant) {
	if l.desk == nil {
		return
	}
	if p.link != nil {
		p.link.showFilm(false) // C49
	}
	for _, q := range l.participants {
		if q != p && q.allowed(grantView) {
			if p.link != nil {
				l.desk.hold(p.link)
			}
			return
		}
	}
	l.desk.suspend()
}

func (d *desktop) suspend() {
	if d.suspended.CompareAndSwap(false, true) {
		d.pump.Suspend()
	}
}

// stopDesktop stops capture and puts the keyboard back. When it returns nothing is
// seen or driven any more; freeDesktop gives back the rest of what it returns.
func (l *live) stopDesktop() *desktop {
	d := l.desk
	if d == nil {
		return nil
	}
	d.suspend()
	l.desk = nil
	for _, p := range l.participants {
		if p.link != nil {
			d.detach(p.link)
		}
	}
	close(d.gone)
	d.cancel()
	if d.person != nil {
		if err := d.person.Close(); err != nil {
			l.h.log.Info("the panic key was not given back cleanly", "error", err)
		}
	}
	if d.hands {
		for _, p := range l.participants { // C34
			if p.link != nil && !p.link.down {
				p.link.recv.ReleaseAll()
			}
		}
		if err := l.hands.Restore(); err != nil && !errors.Is(err, input.ErrClosed) {
			l.h.log.Warn("the keyboard could not be put back", "error", err)
		}
		if r := l.hands.desktop.Swap(nil); r != nil {
			if err := r.Close(); err != nil {
				l.h.log.Info("the hands were not closed cleanly", "error", err)
			}
		}
	}
	// The watcher is gone, and so are the hands: what it heard last is not held against
	// the next desktop.
	l.h.cancelAlarm("person")
	l.first.acting.Store(false)
	return d
}

// freeDesktop gives back a desktop that was stopped. It may wait for other programs.
func (l *live) freeDesktop(d *desktop) {
	if d == nil {
		return
	}
	if c, ok := d.guard.(io.Closer); ok {
		if err := c.Close(); err != nil {
			l.h.log.Info("the guard was not closed cleanly", "error", err)
		}
	}
	if err := d.src.Close(); err != nil {
		l.h.log.Info("the screen was not closed cleanly", "error", err)
	}
}

// attach gives a link its own stream, and that the hello that came before.
func (d *desktop) attach(k *link) error {
	k.tiles.mu.Lock()
	defer k.tiles.mu.Unlock()
	k.showFilm(true)
	if k.tiles.stream != nil {
		if k.tiles.held {
			k.tiles.held = false
			k.tiles.stream.Resume()
		}
		return nil
	}
	stream, err := d.pump.Add(k)
	if err != nil {
		return err
	}
	k.tiles.stream = stream
	stream.Film(k.seesFilm())
	if k.tiles.hello != nil {
		return stream.Handle(k.tiles.hello)
	}
	return nil
}

// hold stops a link's stream until attach is called again. When it returns,
// nothing more is sent to it.
func (d *desktop) hold(k *link) {
	k.tiles.mu.Lock()
	stream := k.tiles.stream
	k.tiles.held = stream != nil
	k.tiles.mu.Unlock()
	if stream != nil {
		stream.Suspend()
	}
}

// detach ends a link's stream. When it returns, nothing more is sent to it.
func (d *desktop) detach(k *link) {
	k.showFilm(false) // C49
	k.tiles.mu.Lock()
	stream := k.tiles.stream
	k.tiles.stream = nil
	k.tiles.mu.Unlock()
	if stream != nil {
		d.pump.Remove(stream)
	}
}

// looked follows up what the pump's goroutine left word of.
func (h *Host) looked() {
	s := h.live
	if s == nil || s.over {
		return
	}
	for _, p := range s.participants {
		if p.link != nil && !p.link.down && p.link.failed.Load() {
			h.linkLost(p.link)
		}
	}
	if d := s.desk; d != nil {
		now := d.src.Displays()
		if d.displays != nil && !slices.Equal(now, d.displays) {
			all := image.Rectangle{}
			for _, o := range now {
				all = all.Union(o.Bounds)
			}
			s.note("display.changed", "ok", map[string]any{"displays": len(now), "width": all.Dx(), "height": all.Dy()}, nil)
		}
		d.displays = now
	}
	for _, p := range s.participants {
		h.showDisplays(p)
	}
}

// showDisplays tells a viewer the monitors, if it does not know them.
func (h *Host) showDisplays(p *participant) {
	s := h.live
	if s.desk == nil || !p.allowed(grantView) || !p.up() { // C27
		return
	}
	k, now := p.link, s.desk.src.Displays()
	if k.displays != nil && slices.Equal(now, k.displays) {
		return
	}
	k.displays = now
	h.aim(p)
	m := new(mfpb.Displays)
	for _, d := range now {
		m.Displays = append(m.Displays, &mfpb.Display{
			Id: d.ID, X: int32(d.Bounds.Min.X), Y: int32(d.Bounds.Min.Y),
			Width: uint32(d.Bounds.Dx()), Height: uint32(d.Bounds.Dy()), Name: wire.Clean(d.Name),
		})
	}
	k.control(&mfpb.Control{Body: &mfpb.Control_Displays{Displays: m}})
}

// shapes remembers which pointer shapes a viewer has: a ring of ids.
type shapes struct {
	ids  map[[sha256.Size]byte]uint32
	ring [64][sha256.Size]byte
	next uint32
}

// showCursor tells a viewer the pointer's present shape.
func (h *Host) showCursor(p *participant) {
	s := h.live
	if s == nil || s.desk == nil || s.desk.cursor == nil || !p.allowed(grantView) || !p.up() { // C27
		return
	}
	k := p.link
	if k.cursor.ReadyState() != webrtc.DataChannelStateOpen {
		return // its opening calls again
	}
	b, err := wire.Encode(k.shapes.update(clip(*s.desk.cursor)), wire.MaxCursor)
	if err == nil {
		err = k.cursor.Send(b)
	}
	if err != nil {
		h.log.Info("pointer shape not sent", "error", err)
	}
}

func (r *shapes) update(c capture.Cursor) *mfpb.CursorUpdate {
	if c.Width == 0 || c.Height == 0 {
		return &mfpb.CursorUpdate{Body: &mfpb.CursorUpdate_Hidden{Hidden: &mfpb.CursorHidden{}}}
	}
	var size [16]byte
	for i, v := range []int{c.Width, c.Height, c.HotX, c.HotY} {
		binary.LittleEndian.PutUint32(size[i*4:], uint32(v))
	}
	key := sha256.Sum256(append(size[:], c.RGBA...))
	if id, ok := r.ids[key]; ok {
		return &mfpb.CursorUpdate{Body: &mfpb.CursorUpdate_Use{Use: &mfpb.CursorUse{Id: id}}}
	}
	if r.ids == nil {
		r.ids = make(map[[sha256.Size]byte]uint32)
	}
	id := r.next % uint32(len(r.ring))
	r.next++
	delete(r.ids, r.ring[id])
	r.ring[id] = key
	r.ids[key] = id
	return &mfpb.CursorUpdate{Body: &mfpb.CursorUpdate_Shape{Shape: &mfpb.CursorShape{
		Id: id, Width: uint32(c.Width), Height: uint32(c.Height), HotX: uint32(c.HotX), HotY: uint32(c.HotY), Rgba: c.RGBA,
	}}}
}

// clip cuts a shape larger than the wire allows to the part around its hot spot.
func clip(c capture.Cursor) capture.Cursor {
	if len(c.RGBA) != c.Width*c.Height*4 || c.Width < 0 {
		return capture.Cursor{}
	}
	const side = wire.MaxCursorSide
	if c.Width <= side && c.Height <= side {
		return c
	}
	x := min(max(c.HotX-side/2, 0), max(c.Width-side, 0))
	y := min(max(c.HotY-side/2, 0), max(c.Height-side, 0))
	w, h := min(c.Width, side), min(c.Height, side)
	out := capture.Cursor{Width: w, Height: h, HotX: c.HotX - x, HotY: c.HotY - y, RGBA: make([]byte, 0, w*h*4)}
	for row := y; row < y+h; row++ {
		at := (row*c.Width + x) * 4
		out.RGBA = append(out.RGBA, c.RGBA[at:at+w*4]...)
	}
	return out
}
