//go:build linux

package portal

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"os"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/mainforte/mainforte/host/capture"
)

// maxStreams bounds what one session may show.
const maxStreams = 16

// talk is one conversation with the portal: one connection, one session.
type talk struct {
	c       *dbus.Conn
	portal  dbus.BusObject
	sources uint32 // what the portal offers
	cursors uint32
	devices uint32 // what may be driven: offered and, once started, allowed
	signals chan *dbus.Signal
	ended   chan struct{} // closed when signals are no longer heard
	closed  chan struct{} // closed when the session or the portal is gone
	once    sync.Once

	mu      sync.Mutex // guards what follows
	session dbus.ObjectPath
	waiting map[dbus.ObjectPath]chan *dbus.Signal
}

// dial connects to a session bus. It starts none: a bus that is not there is no desktop's.
func dial(address string) (*talk, error) {
	if address == "" {
		address = os.Getenv("DBUS_SESSION_BUS_ADDRESS")
	}
	if address == "" && os.Getenv("XDG_RUNTIME_DIR") != "" {
		address = "unix:path=" + dbus.EscapeBusAddressValue(os.Getenv("XDG_RUNTIME_DIR")+"/bus")
	}
	if !strings.HasPrefix(address, "unix:") {
		return nil, errors.New("there is no session bus")
	}
	c, err := dbus.Connect(address, dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		return nil, fmt.Errorf("connect to the session bus: %w", err)
	}
	t := &talk{
		c: c, portal: c.Object(busName, busPath), signals: make(chan *dbus.Signal, 16),
		ended: make(chan struct{}), closed: make(chan struct{}), waiting: make(map[dbus.ObjectPath]chan *dbus.Signal),
	}
	c.Signal(t.signals)
	go t.hear()
	return t, nil
}

// listen has the bus tell what the portal says.
func (t *talk) listen(ctx context.Context) error {
	for _, rule := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(busName), dbus.WithMatchInterface(requestIface), dbus.WithMatchMember("Response")},
		{dbus.WithMatchSender(busName), dbus.WithMatchInterface(sessionIface), dbus.WithMatchMember("Closed")},
		{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, busName)},
	} {
		if err := t.c.AddMatchSignalContext(ctx, rule...); err != nil {
			return fmt.Errorf("%w: listen to the portal: %w", capture.ErrWayland, err)
		}
	}
	return nil
}

// hear hands signals to whoever waits for them until the connection ends.
func (t *talk) hear() {
	defer close(t.ended)
	defer t.over()
	for s := range t.signals {
		switch s.Name {
		case requestIface + ".Response":
			t.mu.Lock()
			ch := t.waiting[s.Path]
			delete(t.waiting, s.Path)
			t.mu.Unlock()
			if ch != nil {
				ch <- s
			}
		case sessionIface + ".Closed":
			t.mu.Lock()
			ours := s.Path == t.session
			t.mu.Unlock()
			if ours {
				t.over()
			}
		case "org.freedesktop.DBus.NameOwnerChanged":
			if len(s.Body) == 3 && s.Body[0] == busName && s.Body[1] != "" {
				t.over() // with its sessions
			}
		}
	}
}

func (t *talk) over() { t.once.Do(func() { close(t.closed) }) }

// property is a number that an interface of the portal offers; 0 where it is not there.
func (t *talk) property(ctx context.Context, iface, name string) uint32 {
	var v dbus.Variant
	if err := t.portal.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, iface, name).Store(&v); err != nil {
		return 0
	}
	n, _ := v.Value().(uint32)
	return n
}

// token is a name that nobody guesses, for one request or session.
func token() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails since Go 1.24
	return "mainforte" + hex.EncodeToString(raw[:])
}

type options map[string]dbus.Variant

// with returns options and one more.
func (o options) with(key string, value any) options {
	o[key] = dbus.MakeVariant(value)
	return o
}

// ask makes a request and waits for its response, as long as the person takes
// where they are asked. args end with the options, which get the request's token.
func (t *talk) ask(ctx context.Context, method string, o options, args ...any) (map[string]dbus.Variant, error) {
	name := token()
	sender := strings.ReplaceAll(strings.TrimPrefix(t.c.Names()[0], ":"), ".", "_")
	path := busPath + dbus.ObjectPath("/request/"+sender+"/"+name)
	answer := make(chan *dbus.Signal, 1)
	t.mu.Lock()
	t.waiting[path] = answer // before it is asked: the answer may come at once
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		delete(t.waiting, path)
		t.mu.Unlock()
	}()
	quick, stop := context.WithTimeout(ctx, answerTime)
	defer stop()
	var handle dbus.ObjectPath
	if err := t.portal.CallWithContext(quick, method, 0, append(args, o.with("handle_token", name))...).Store(&handle); err != nil {
		if ctx.Err() != nil {
			t.withdraw(path) // it may have been asked by now
		}
		return nil, fmt.Errorf("%w: %s: %w", capture.ErrWayland, method, err)
	}
	if handle != path {
		return nil, fmt.Errorf("%w: %s: the portal is older than 0.9", capture.ErrWayland, method)
	}
	select {
	case s := <-answer:
		return response(method, s)
	case <-t.closed:
		return nil, fmt.Errorf("%w: %w", capture.ErrLost, errNoAnswer)
	case <-ctx.Done():
		t.withdraw(path)
		return nil, ctx.Err()
	}
}

// withdraw takes a question off the person's screen.
func (t *talk) withdraw(request dbus.ObjectPath) {
	_ = t.c.Object(busName, request).Go(requestIface+".Close", dbus.FlagNoReplyExpected, nil)
}

// response reads a response.
func response(method string, s *dbus.Signal) (map[string]dbus.Variant, error) {
	if len(s.Body) != 2 {
		return nil, fmt.Errorf("%w: %s: an unreadable response", capture.ErrWayland, method)
	}
	code, ok := s.Body[0].(uint32)
	results, ok2 := s.Body[1].(map[string]dbus.Variant)
	switch {
	case !ok || !ok2:
		return nil, fmt.Errorf("%w: %s: an unreadable response", capture.ErrWayland, method)
	case code == answerCancelled:
		return nil, fmt.Errorf("%w: %s", capture.ErrDenied, method)
	case code != answerAllowed:
		return nil, fmt.Errorf("%w: %s: the portal refuses (code %d)", capture.ErrWayland, method, code)
	}
	return results, nil
}

// start makes the session, has the person asked, and returns what may be seen.
func (t *talk) start(ctx context.Context) ([]capture.CastStream, error) {
	iface := screenCast
	if t.devices != 0 {
		iface = remoteDesktop
	}
	results, err := t.ask(ctx, iface+".CreateSession", options{}.with("session_handle_token", token()))
	if err != nil {
		return nil, err
	}
	session, ok := path(results["session_handle"])
	if !ok {
		return nil, fmt.Errorf("%w: no session", capture.ErrWayland)
	}
	t.mu.Lock()
	t.session = session
	t.mu.Unlock()
	sources := options{}.with("types", uint32(sourceMonitor)).with("multiple", true).with("cursor_mode", t.cursorMode())
	if t.devices != 0 {
		// A session that is driven is remembered by its devices; naming it for the
		// sources as well is an error to the portal.
		devices := options{}.with("types", t.devices).with("persist_mode", uint32(persistNot)) // C81
		if _, err := t.ask(ctx, remoteDesktop+".SelectDevices", devices, session); err != nil {
			return nil, err
		}
	} else {
		sources.with("persist_mode", uint32(persistNot)) // C81
	}
	if _, err := t.ask(ctx, screenCast+".SelectSources", sources, session); err != nil {
		return nil, err
	}
	if results, err = t.ask(ctx, iface+".Start", options{}, session, ""); err != nil {
		return nil, err
	}
	allowed, _ := results["devices"].Value().(uint32)
	t.mu.Lock()
	t.devices &= allowed
	t.mu.Unlock()
	return streams(results["streams"])
}

// cursorMode is the best that is offered: told apart from the picture, else in it.
func (t *talk) cursorMode() uint32 {
	for _, mode := range []uint32{cursorMetadata, cursorEmbedded} {
		if t.cursors&mode != 0 {
			return mode
		}
	}
	return cursorHidden
}

// path reads a handle, which is a string in old portals.
func path(v dbus.Variant) (dbus.ObjectPath, bool) {
	switch p := v.Value().(type) {
	case dbus.ObjectPath:
		return p, p.IsValid()
	case string:
		return dbus.ObjectPath(p), dbus.ObjectPath(p).IsValid()
	}
	return "", false
}

// streams reads a(ua{sv}).
func streams(v dbus.Variant) ([]capture.CastStream, error) {
	var list []struct {
		Node  uint32
		About map[string]dbus.Variant
	}
	if v.Signature().String() != "a(ua{sv})" || v.Store(&list) != nil || len(list) == 0 || len(list) > maxStreams {
		return nil, fmt.Errorf("%w: the portal shows no screen", capture.ErrWayland)
	}
	var all []capture.CastStream
	for _, s := range list {
		c := capture.CastStream{Node: s.Node}
		c.Position, c.Placed = pair(s.About["position"])
		c.Size, _ = pair(s.About["size"])
		all = append(all, c)
	}
	return all, nil
}

// pair reads (ii), within bounds.
func pair(v dbus.Variant) (image.Point, bool) {
	const most = 1 << 20
	p, _ := v.Value().([]any)
	if len(p) != 2 {
		return image.Point{}, false
	}
	x, isX := p[0].(int32)
	y, isY := p[1].(int32)
	if !isX || !isY || max(x, y) > most || min(x, y) < -most {
		return image.Point{}, false
	}
	return image.Pt(int(x), int(y)), true
}

// pipeWire opens a connection that shows this session's streams and no others.
func (t *talk) pipeWire(ctx context.Context) (*os.File, error) {
	quick, stop := context.WithTimeout(ctx, answerTime)
	defer stop()
	var fd dbus.UnixFD
	if err := t.portal.CallWithContext(quick, screenCast+".OpenPipeWireRemote", 0, t.handle(), options{}).Store(&fd); err != nil {
		return nil, fmt.Errorf("%w: open PipeWire: %w", capture.ErrWayland, err)
	}
	return os.NewFile(uintptr(fd), "pipewire"), nil
}

func (t *talk) handle() dbus.ObjectPath {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.session
}

// offers keeps what may be driven.
func (t *talk) offers(devices uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.devices = devices
}

func (t *talk) may(device uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.devices&device != 0
}

// notify sends input and does not wait: one connection keeps it in order.
func (t *talk) notify(method string, args ...any) {
	t.portal.Go(remoteDesktop+"."+method, dbus.FlagNoReplyExpected, nil, append([]any{t.handle(), options{}}, args...)...)
}

// close ends the session and the connection. It waits for no answer: the session
// ends with the connection anyway, and whoever stops everything waits for this.
func (t *talk) close() {
	if s := t.handle(); s != "" {
		_ = t.c.Object(busName, s).Go(sessionIface+".Close", dbus.FlagNoReplyExpected, nil)
	}
	_ = t.c.Close() // it may be gone
	<-t.ended
}
