package portal

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/mainforte/mainforte/host/capture/capturetest"
)

// fakePortal is a strict org.freedesktop.portal.Desktop on a private bus: it
// knows the calls that a session needs, in their order, checks every argument
// and option, and complains to the test of anything else.
type fakePortal struct {
	t       *testing.T
	bus     string
	c       *dbus.Conn
	devices uint32 // AvailableDeviceTypes; 0: there is no RemoteDesktop
	cursors uint32
	answer  map[string]uint32 // response code by method, 0 unless said
	allowed uint32            // devices that the person allows
	streams any
	remote  func() (*os.File, error)

	mu      sync.Mutex
	calls   []string
	session dbus.ObjectPath
	asked   chan string // methods that wait for the person, when hold is set
	hold    string      // the method that is not answered
	notes   chan note   // Notify calls, as each was handled
	closed  chan string // objects that were closed
	// Where they are set, the first word and the session's end wait for them.
	slow, stuck chan struct{}
}

// note is one Notify call; the bus gives calls of one sender growing serials, and
// this library handles each on a goroutine of its own.
type note struct {
	serial uint32
	text   string
}

func newFake(t *testing.T) *fakePortal {
	t.Helper()
	f := &fakePortal{t: t, bus: capturetest.NewBus(t), devices: 7, cursors: 7, answer: map[string]uint32{}, allowed: 3,
		asked: make(chan string, 8), notes: make(chan note, 64), closed: make(chan string, 8)}
	c, err := dbus.Connect(f.bus)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	f.c = c
	f.streams = []struct {
		Node  uint32
		About map[string]dbus.Variant
	}{{42, map[string]dbus.Variant{
		"position": dbus.MakeVariant(struct{ X, Y int32 }{0, 0}), "size": dbus.MakeVariant(struct{ X, Y int32 }{100, 50}),
		"source_type": dbus.MakeVariant(uint32(1)), "id": dbus.MakeVariant("0")}}}
	return f
}

// serve takes the name: from then on the portal is there.
func (f *fakePortal) serve() {
	f.t.Helper()
	export := func(methods map[string]any, path dbus.ObjectPath, iface string) {
		if err := f.c.ExportMethodTable(methods, path, iface); err != nil {
			f.t.Fatal(err)
		}
	}
	export(map[string]any{"Get": f.get}, busPath, "org.freedesktop.DBus.Properties")
	export(map[string]any{
		"CreateSession": f.create(screenCast), "SelectSources": f.selectSources, "Start": f.start(screenCast),
		"OpenPipeWireRemote": f.openRemote,
	}, busPath, screenCast)
	if f.devices != 0 {
		export(map[string]any{
			"CreateSession": f.create(remoteDesktop), "SelectDevices": f.selectDevices, "Start": f.start(remoteDesktop),
			"NotifyPointerMotionAbsolute": func(m dbus.Message, s dbus.ObjectPath, o map[string]dbus.Variant, node uint32, x, y float64) *dbus.Error {
				return f.note(m, s, o, "motion %d %g %g", node, x, y)
			},
			"NotifyPointerButton": func(m dbus.Message, s dbus.ObjectPath, o map[string]dbus.Variant, b int32, state uint32) *dbus.Error {
				return f.note(m, s, o, "button %#x %d", b, state)
			},
			"NotifyPointerAxisDiscrete": func(m dbus.Message, s dbus.ObjectPath, o map[string]dbus.Variant, axis uint32, n int32) *dbus.Error {
				return f.note(m, s, o, "axis %d %d", axis, n)
			},
			"NotifyKeyboardKeycode": func(m dbus.Message, s dbus.ObjectPath, o map[string]dbus.Variant, k int32, state uint32) *dbus.Error {
				return f.note(m, s, o, "code %d %d", k, state)
			},
			"NotifyKeyboardKeysym": func(m dbus.Message, s dbus.ObjectPath, o map[string]dbus.Variant, k int32, state uint32) *dbus.Error {
				return f.note(m, s, o, "sym %#x %d", k, state)
			},
		}, busPath, remoteDesktop)
	}
	if r, err := f.c.RequestName(busName, dbus.NameFlagDoNotQueue); err != nil || r != dbus.RequestNameReplyPrimaryOwner {
		f.t.Fatal(r, err)
	}
}

func (f *fakePortal) get(iface, name string) (dbus.Variant, *dbus.Error) {
	if f.slow != nil {
		<-f.slow
	}
	switch {
	case iface == screenCast && name == "AvailableSourceTypes":
		return dbus.MakeVariant(uint32(3)), nil
	case iface == screenCast && name == "AvailableCursorModes":
		return dbus.MakeVariant(f.cursors), nil
	case iface == remoteDesktop && name == "AvailableDeviceTypes" && f.devices != 0:
		return dbus.MakeVariant(f.devices), nil
	}
	return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", nil)
}

var tokenForm = regexp.MustCompile(`^mainforte[0-9a-f]{32}$`)

// request checks what every request has, and answers as the scenario says: after
// the reply, or never.
func (f *fakePortal) request(method string, sender dbus.Sender, o map[string]dbus.Variant, may map[string]string, results map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, method)
	may["handle_token"] = "s"
	for k, v := range o {
		switch {
		case may[k] == "":
			f.t.Errorf("%s got the option %s = %v", method, k, v)
		case v.Signature().String() != may[k]:
			f.t.Errorf("%s: option %s has signature %s, want %s", method, k, v.Signature(), may[k])
		}
		if strings.Contains(k, "restore") {
			f.t.Errorf("%s was given a restore token", method) // C81
		}
		if k == "persist_mode" && v.Value() != uint32(0) {
			f.t.Errorf("%s asks to be remembered: persist_mode %v", method, v) // C81
		}
	}
	for k := range may {
		if _, ok := o[k]; !ok {
			f.t.Errorf("%s lacks the option %s", method, k)
		}
	}
	token, _ := o["handle_token"].Value().(string)
	if !tokenForm.MatchString(token) {
		f.t.Errorf("%s has the token %q", method, token)
	}
	path := busPath + dbus.ObjectPath("/request/"+strings.ReplaceAll(string(sender[1:]), ".", "_")+"/"+token)
	if err := f.c.ExportMethodTable(map[string]any{"Close": func() *dbus.Error { f.closed <- "request"; return nil }}, path, requestIface); err != nil {
		f.t.Error(err)
	}
	if f.hold == method {
		f.asked <- method
		return path, nil
	}
	code := f.answer[method]
	if code != 0 {
		results = map[string]dbus.Variant{}
	}
	// Real portals may answer before the caller has the handle; so does this one.
	if err := f.c.Emit(path, requestIface+".Response", code, results); err != nil {
		f.t.Error(err)
	}
	return path, nil
}

func (f *fakePortal) create(iface string) any {
	return func(sender dbus.Sender, o map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
		token, _ := o["session_handle_token"].Value().(string)
		if !tokenForm.MatchString(token) {
			f.t.Errorf("the session's token is %q", token)
		}
		s := busPath + dbus.ObjectPath("/session/"+strings.ReplaceAll(string(sender[1:]), ".", "_")+"/"+token)
		f.mu.Lock()
		f.session = s
		f.mu.Unlock()
		if err := f.c.ExportMethodTable(map[string]any{"Close": func() *dbus.Error {
			f.closed <- "session"
			if f.stuck != nil {
				<-f.stuck
			}
			return nil
		}}, s, sessionIface); err != nil {
			f.t.Error(err)
		}
		return f.request(iface+".CreateSession", sender, o, map[string]string{"session_handle_token": "s"},
			map[string]dbus.Variant{"session_handle": dbus.MakeVariant(string(s))})
	}
}

func (f *fakePortal) ours(method string, s dbus.ObjectPath) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s != f.session {
		f.t.Errorf("%s names the session %q, not %q", method, s, f.session)
	}
}

func (f *fakePortal) selectDevices(sender dbus.Sender, s dbus.ObjectPath, o map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
	f.ours("SelectDevices", s)
	if got := o["types"].Value(); got != f.devices&3 {
		f.t.Errorf("SelectDevices asks for devices %v", got)
	}
	return f.request(remoteDesktop+".SelectDevices", sender, o, map[string]string{"types": "u", "persist_mode": "u"}, map[string]dbus.Variant{})
}

func (f *fakePortal) selectSources(sender dbus.Sender, s dbus.ObjectPath, o map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
	f.ours("SelectSources", s)
	if o["types"].Value() != uint32(1) || o["multiple"].Value() != true {
		f.t.Errorf("SelectSources asks for %v", o)
	}
	want := uint32(1)
	for _, m := range []uint32{4, 2} {
		if f.cursors&m != 0 {
			want = m
			break
		}
	}
	if got := o["cursor_mode"].Value(); got != want {
		f.t.Errorf("the cursor mode is %v, want %d of %d", got, want, f.cursors)
	}
	may := map[string]string{"types": "u", "multiple": "b", "cursor_mode": "u"}
	f.mu.Lock()
	driven := f.calls[0] == remoteDesktop+".CreateSession"
	f.mu.Unlock()
	if !driven { // a session that is driven is remembered, or not, by its devices
		may["persist_mode"] = "u"
	}
	return f.request(screenCast+".SelectSources", sender, o, may, map[string]dbus.Variant{})
}

func (f *fakePortal) start(iface string) any {
	return func(sender dbus.Sender, s dbus.ObjectPath, parent string, o map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
		f.ours("Start", s)
		if parent != "" {
			f.t.Errorf("Start names the window %q", parent)
		}
		results := map[string]dbus.Variant{"streams": dbus.MakeVariant(f.streams)}
		if iface == remoteDesktop {
			results["devices"] = dbus.MakeVariant(f.allowed)
			// One that was not asked for; nothing may come of it.
			results["restore_token"] = dbus.MakeVariant("a token that must not be kept")
		}
		return f.request(iface+".Start", sender, o, map[string]string{}, results)
	}
}

func (f *fakePortal) openRemote(s dbus.ObjectPath, o map[string]dbus.Variant) (dbus.UnixFD, *dbus.Error) {
	f.ours("OpenPipeWireRemote", s)
	if len(o) != 0 {
		f.t.Errorf("OpenPipeWireRemote has options: %v", o)
	}
	file, err := f.remote()
	if err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	f.t.Cleanup(func() { file.Close() })
	return dbus.UnixFD(file.Fd()), nil
}

func (f *fakePortal) note(m dbus.Message, s dbus.ObjectPath, o map[string]dbus.Variant, format string, args ...any) *dbus.Error {
	f.ours("a Notify method", s)
	if len(o) != 0 {
		f.t.Errorf("a Notify method has options: %v", o)
	}
	f.notes <- note{m.Serial(), fmt.Sprintf(format, args...)}
	return nil
}

// called are the requests so far, in order.
func (f *fakePortal) called() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// handle is the session's.
func (f *fakePortal) handle() dbus.ObjectPath {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.session
}
