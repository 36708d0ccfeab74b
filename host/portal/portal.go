//go:build linux

// Package portal is the desktop of a Wayland session: screen and hands through
// the system's portal, org.freedesktop.portal.ScreenCast and RemoteDesktop over
// D-Bus.
//
// [Open] returns at once, and the system then asks the person a question of its
// own: which screen may be seen, and whether it may be driven. A [Desk] is
// [capture.Asked] until that is answered. The picture then comes by PipeWire
// ([capture.OpenCast]), input goes by the portal's Notify methods.
//
// Nothing is remembered: no restore token is asked for, sent or kept, so every
// session is asked about anew (C81).
//
// Where the portal offers no RemoteDesktop, or the person keeps the mouse for
// themselves, the desktop is seen and not driven: [Desk.Able] tells. Where there
// is no portal at all the error, Open's or Next's, wraps [capture.ErrWayland].
//
// Wayland tells no program where its windows are. So the [Guard] goes by what our
// own window tells of itself: whether it has the pointer, or the keyboard (C82).
package portal

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/input"
)

// Wayland tells whether this process was started in a Wayland session.
func Wayland() bool {
	kind := os.Getenv("XDG_SESSION_TYPE")
	return kind == "wayland" || kind == "" && os.Getenv("WAYLAND_DISPLAY") != ""
}

// Config is how to open a desktop.
type Config struct {
	Control bool   // control may be asked for in this session
	Bus     string // the address of the session bus; empty: this session's

	openScreen func([]capture.CastStream, func() (*os.File, error)) (screen, error) // nil: capture.OpenCast
}

// screen is what shows the streams: a capture.Cast.
type screen interface {
	capture.Pointing
	Spot(x, y int) (node uint32, sx, sy float64, ok bool)
}

// answerTime bounds what the portal does by itself, without the person.
const answerTime = 5 * time.Second

// Desk is the desktop of a Wayland session. It is a [capture.Veiled] and
// [capture.Pointing] source; [Desk.Hands] and [Desk.Guard] go with it.
type Desk struct {
	cfg     Config
	talk    *talk
	guard   *Guard
	cancel  context.CancelFunc
	working sync.WaitGroup
	once    sync.Once
	closing sync.Once // the screen

	met    chan struct{} // closed when the person is asked
	ready  chan struct{} // closed when the screen can be seen
	screen screen        // set before ready is closed
	gone   chan struct{} // closed when it is lost or could not be opened
	ending sync.Once
	why    error // set before gone is closed

	veils sync.Mutex // held by NextVeil; guards what follows
	told  int        // how many veils it returned
}

// Open connects to the session bus, and has the portal ask the person. It waits for
// no answer of the portal's, which may have to be started: that there is none, or none
// with a ScreenCast, is Next's error, and wraps capture.ErrWayland. So does Open's,
// where there is no bus.
func Open(cfg Config) (*Desk, error) {
	if cfg.openScreen == nil {
		cfg.openScreen = func(s []capture.CastStream, connect func() (*os.File, error)) (screen, error) {
			return capture.OpenCast(s, connect)
		}
	}
	t, err := dial(cfg.Bus)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", capture.ErrWayland, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &Desk{cfg: cfg, talk: t, guard: new(Guard), cancel: cancel, met: make(chan struct{}), ready: make(chan struct{}), gone: make(chan struct{})}
	d.working.Go(func() { d.watch(ctx) })
	d.working.Go(func() {
		if err := d.open(ctx); err != nil {
			d.lose(err)
		}
	})
	return d, nil
}

// meet finds out what the portal offers.
func (d *Desk) meet(ctx context.Context) error {
	t := d.talk
	quick, stop := context.WithTimeout(ctx, answerTime)
	defer stop()
	if err := t.listen(quick); err != nil {
		return err
	}
	if t.sources = t.property(quick, screenCast, "AvailableSourceTypes"); t.sources&sourceMonitor == 0 {
		return fmt.Errorf("%w: the portal shows no monitor", capture.ErrWayland)
	}
	t.cursors = t.property(quick, screenCast, "AvailableCursorModes")
	if d.cfg.Control {
		t.offers(t.property(quick, remoteDesktop, "AvailableDeviceTypes") & (deviceKeyboard | devicePointer))
	}
	return nil
}

// open has the person asked and opens what they allow.
func (d *Desk) open(ctx context.Context) error {
	err := d.meet(ctx)
	if err != nil {
		return err
	}
	close(d.met)
	streams, err := d.talk.start(ctx)
	if err != nil {
		return err
	}
	s, err := d.cfg.openScreen(streams, func() (*os.File, error) { return d.talk.pipeWire(ctx) })
	if err != nil {
		return err
	}
	d.screen = s
	close(d.ready)
	return nil
}

// watch ends the desk when the compositor ends the session; who waits for the
// screen hears of it by the screen.
func (d *Desk) watch(ctx context.Context) {
	select {
	case <-d.talk.closed:
		d.lose(fmt.Errorf("%w: the desktop ended the sharing", capture.ErrLost))
		d.closeScreen()
	case <-ctx.Done():
	}
}

func (d *Desk) closeScreen() {
	if s := d.seen(); s != nil {
		d.closing.Do(func() { _ = s.Close() }) // its children were ended, whatever they said
	}
}

// lose ends the desk for one reason: the first.
func (d *Desk) lose(err error) {
	d.ending.Do(func() {
		d.why = err
		close(d.gone)
	})
}

// wait returns once the screen can be seen.
func (d *Desk) wait(ctx context.Context) error {
	select {
	case <-d.gone: // before all else
		return d.why
	default:
	}
	select {
	case <-d.ready:
		return nil
	case <-d.gone:
		return d.why
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lost makes of a screen's error what it means for the desk.
func (d *Desk) lost(err error) error {
	select {
	case <-d.gone:
		return d.why
	default:
		return err
	}
}

// Next implements capture.Source.
func (d *Desk) Next(ctx context.Context) (capture.Frame, error) {
	if err := d.wait(ctx); err != nil {
		return capture.Frame{}, err
	}
	f, err := d.screen.Next(ctx)
	if err != nil {
		err = d.lost(err)
	}
	return f, err
}

// NextCursor implements capture.Source.
func (d *Desk) NextCursor(ctx context.Context) (capture.Cursor, error) {
	if err := d.wait(ctx); err != nil {
		return capture.Cursor{}, err
	}
	c, err := d.screen.NextCursor(ctx)
	if err != nil {
		err = d.lost(err)
	}
	return c, err
}

// NextVeil implements capture.Veiled: the system's question is a veil.
func (d *Desk) NextVeil(ctx context.Context) (capture.Veil, error) {
	d.veils.Lock()
	defer d.veils.Unlock()
	switch d.told {
	case 0:
		select {
		case <-d.met: // before all else
		default:
			select {
			case <-d.met:
			case <-d.gone:
				return capture.Unveiled, d.why
			case <-ctx.Done():
				return capture.Unveiled, ctx.Err()
			}
		}
		d.told++
		return capture.Asked, nil
	case 1:
		if err := d.wait(ctx); err != nil {
			return capture.Unveiled, err
		}
		d.told++
		return capture.Unveiled, nil
	}
	select {
	case <-d.gone:
		return capture.Unveiled, d.why
	case <-ctx.Done():
		return capture.Unveiled, ctx.Err()
	}
}

// seen is the screen once there is one.
func (d *Desk) seen() screen {
	select {
	case <-d.ready:
		return d.screen
	default:
		return nil
	}
}

// Displays implements capture.Source.
func (d *Desk) Displays() []capture.Display {
	if s := d.seen(); s != nil {
		return s.Displays()
	}
	return nil
}

// Pointer implements capture.Pointing.
func (d *Desk) Pointer() (image.Point, bool) {
	if s := d.seen(); s != nil {
		return s.Pointer()
	}
	return image.Point{}, false
}

// Hands drive the desktop; nil where control may not be asked for. Where the portal
// lets nobody, or the person keeps the mouse, they move nothing: see Able.
func (d *Desk) Hands() input.Injector {
	if !d.cfg.Control {
		return nil
	}
	return input.NewPortal(d)
}

// Able tells whether the person lets the desktop be driven, mouse and keyboard,
// in the system's own question.
func (d *Desk) Able() bool {
	return d.seen() != nil && d.talk.may(devicePointer) && d.talk.may(deviceKeyboard)
}

// Notify implements input.PortalLine.
func (d *Desk) Notify(method string, args ...any) { d.talk.notify(method, args...) }

// Spot implements input.PortalLine.
func (d *Desk) Spot(x, y int) (node uint32, sx, sy float64, ok bool) {
	if s := d.seen(); s != nil {
		return s.Spot(x, y)
	}
	return 0, 0, 0, false
}

// Reach implements input.PortalLine.
func (d *Desk) Reach() error {
	select {
	case <-d.gone:
		return fmt.Errorf("%w: %w", input.ErrLost, d.why)
	default:
	}
	if !d.Able() {
		return fmt.Errorf("%w: the person keeps the mouse", input.ErrUnsupported)
	}
	return nil
}

// Guard watches over our own window.
func (d *Desk) Guard() *Guard { return d.guard }

// Close implements capture.Source: the portal's session ends with it.
func (d *Desk) Close() error {
	d.once.Do(func() {
		d.lose(fmt.Errorf("%w: it was closed", capture.ErrLost))
		d.cancel()
		d.working.Wait()
		d.closeScreen()
		d.talk.close()
	})
	return nil
}

// The D-Bus side, as https://flatpak.github.io/xdg-desktop-portal/ describes it.
const (
	busName       = "org.freedesktop.portal.Desktop"
	busPath       = dbus.ObjectPath("/org/freedesktop/portal/desktop")
	screenCast    = "org.freedesktop.portal.ScreenCast"
	remoteDesktop = "org.freedesktop.portal.RemoteDesktop"
	requestIface  = "org.freedesktop.portal.Request"
	sessionIface  = "org.freedesktop.portal.Session"

	sourceMonitor  = 1
	deviceKeyboard = 1
	devicePointer  = 2

	cursorHidden   = 1
	cursorEmbedded = 2
	cursorMetadata = 4

	persistNot = 0 // nothing is remembered

	answerAllowed   = 0
	answerCancelled = 1
)

var errNoAnswer = errors.New("the portal does not answer")
