package portal

import (
	"context"
	"errors"
	"image"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/capture/fake"
	"github.com/mainforte/mainforte/host/input"
)

// shown is a screen of 200 x 100 pixels on a monitor that the compositor counts
// as 100 x 50: a capture/fake, so no PipeWire is needed.
type shown struct {
	*fake.Source
	streams []capture.CastStream
}

func (s *shown) Spot(x, y int) (uint32, float64, float64, bool) {
	return s.streams[0].Node, float64(x) / 2, float64(y) / 2, x < 200 && y < 100
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, f *fakePortal, control bool) *Desk {
	t.Helper()
	f.serve()
	d, err := Open(Config{Control: control, Bus: f.bus, openScreen: func(s []capture.CastStream, _ func() (*os.File, error)) (screen, error) {
		return &shown{Source: fake.New(t, 200, 100), streams: s}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func veil(t *testing.T, d *Desk, want capture.Veil) {
	t.Helper()
	if v, err := d.NextVeil(soon(t)); err != nil || v != want {
		t.Fatalf("the veil is %v, %v; want %v", v, err, want)
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	d := open(t, f, true)
	veil(t, d, capture.Asked)
	veil(t, d, capture.Unveiled)
	if fr, err := d.Next(soon(t)); err != nil || fr.Width != 200 {
		t.Fatalf("no picture: %v", err)
	}
	if want := []string{remoteDesktop + ".CreateSession", remoteDesktop + ".SelectDevices", screenCast + ".SelectSources", remoteDesktop + ".Start"}; !slices.Equal(f.called(), want) {
		t.Errorf("it called %v", f.called())
	}
	if s := d.screen.(*shown).streams; len(s) != 1 || s[0].Node != 42 || s[0].Size != image.Pt(100, 50) || !s[0].Placed {
		t.Errorf("the streams are %v", s)
	}
	h := d.Hands()
	if h == nil || !d.Able() {
		t.Fatal("control was allowed and there are no hands")
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	do(h.Move(20, 10))
	do(h.Move(500, 10)) // where no monitor is
	do(h.Button(input.Right, true))
	do(h.Button(input.Right, false))
	do(h.Wheel(0, 60))
	do(h.Wheel(-120, 60))
	do(h.Key(input.Key{Usage: 0x04, Text: "é"}, true)) // tapped
	do(h.Key(input.Key{Usage: 0x04, Text: "é"}, false))
	do(h.Key(input.Key{Usage: 0xE0}, true))                                         // Control stays down
	do(h.Key(input.Key{Usage: 0x06, Text: "C", Modifiers: input.ModControl}, true)) // goes by its letter
	do(h.Key(input.Key{Usage: 0x1E, Text: "&", Modifiers: input.ModControl}, true)) // goes by its place
	do(h.Key(input.Key{Usage: 0xE6, Text: ""}, true))                               // AltGr: its characters are text
	do(h.Key(input.Key{Usage: 0x2A}, true))                                         // Backspace
	do(h.Text("\nœ😀"))
	if err := h.Key(input.Key{Usage: 0xA5}, true); !errors.Is(err, input.ErrCannotType) {
		t.Errorf("a key that is none: %v", err)
	}
	do(h.Button(input.Left, true))
	do(h.Restore()) // lets go of Control and the button
	do(h.Move(0, 0))
	want := []string{
		"motion 42 10 5", "button 0x111 1", "button 0x111 0", "axis 0 1", "axis 1 -1",
		"sym 0xe9 1", "sym 0xe9 0", "code 29 1", "sym 0x63 1", "sym 0x63 0", "code 2 1", "code 2 0",
		"code 14 1", "code 14 0", "sym 0xff0d 1", "sym 0xff0d 0", "sym 0x13bd 1", "sym 0x13bd 0", "sym 0x101f600 1", "sym 0x101f600 0",
		"button 0x110 1", "code 29 0", "button 0x110 0", "motion 42 0 0",
	}
	var got []note
	for range want {
		select {
		case n := <-f.notes:
			got = append(got, n)
		case <-soon(t).Done():
			t.Fatalf("the portal heard only %v", got)
		}
	}
	slices.SortFunc(got, func(a, b note) int { return int(a.serial) - int(b.serial) })
	for i, n := range got {
		if n.text != want[i] {
			t.Fatalf("the portal heard %q, want %q", n.text, want[i])
		}
	}
	do(d.Close())
	if got := <-f.closed; got != "session" {
		t.Errorf("it closed the %s", got)
	}
	if err := h.Move(1, 1); !errors.Is(err, input.ErrLost) {
		t.Errorf("a closed desk's hands: %v", err)
	}
}

// What the person keeps for themselves is theirs, whatever the app's own grants say.
func TestThePersonKeepsTheMouse(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.allowed = deviceKeyboard
	d := open(t, f, true)
	if _, err := d.Next(soon(t)); err != nil {
		t.Fatal(err)
	}
	if d.Able() {
		t.Error("the person kept the mouse, and control has a use")
	}
	h := d.Hands()
	for _, err := range []error{h.Move(1, 1), h.Button(input.Left, true), h.Key(input.Key{Usage: 4}, true), h.Text("a"), h.Restore()} {
		if err != nil {
			t.Error(err)
		}
	}
	d.Close()
	if n := len(f.notes); n != 0 {
		t.Errorf("%d inputs went to the portal", n)
	}
}

// A portal without RemoteDesktop, as wlroots' one, and a host that must not
// drive, as on a terminal: the desktop is seen only.
func TestSeenOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		devices, cursors uint32
		control          bool
	}{
		"no RemoteDesktop": {0, 3, true},
		"no shapes at all": {0, 0, true},
		"on a terminal":    {7, 7, false},
		"a touch screen":   {4, 7, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.devices, f.cursors = c.devices, c.cursors
			d := open(t, f, c.control)
			if _, err := d.Next(soon(t)); err != nil {
				t.Fatal(err)
			}
			if d.Able() {
				t.Error("it may be driven")
			}
			if hands := d.Hands(); hands != nil && !c.control {
				t.Error("there are hands")
			} else if hands != nil && (hands.Button(input.Left, true) != nil || hands.Restore() != nil) {
				t.Error("hands that may nothing fail")
			}
			if want := []string{screenCast + ".CreateSession", screenCast + ".SelectSources", screenCast + ".Start"}; !slices.Equal(f.called(), want) {
				t.Errorf("it called %v", f.called())
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method string
		code   uint32
		want   error
	}{
		"the person cancels": {remoteDesktop + ".Start", 1, capture.ErrDenied},
		"it ends":            {remoteDesktop + ".Start", 2, capture.ErrWayland},
		"no session":         {remoteDesktop + ".CreateSession", 2, capture.ErrWayland},
		"no devices":         {remoteDesktop + ".SelectDevices", 2, capture.ErrWayland},
		"no sources":         {screenCast + ".SelectSources", 2, capture.ErrWayland},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.answer[c.method] = c.code
			d := open(t, f, true)
			if _, err := d.Next(soon(t)); !errors.Is(err, c.want) {
				t.Errorf("Next returns %v, want %v", err, c.want)
			}
			veil(t, d, capture.Asked)
			if _, err := d.NextVeil(soon(t)); !errors.Is(err, c.want) {
				t.Errorf("NextVeil returns %v", err)
			}
			if d.Able() || d.Displays() != nil {
				t.Error("there is something to be seen")
			}
		})
	}
}

// Streams that make no sense are none.
func TestStrangeStreams(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]any{
		"none": []struct {
			Node  uint32
			About map[string]dbus.Variant
		}{},
		"a number": uint32(7),
		"strings":  []string{"a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.streams = s
			if _, err := open(t, f, true).Next(soon(t)); !errors.Is(err, capture.ErrWayland) {
				t.Errorf("Next returns %v", err)
			}
		})
	}
}

func TestNoPortal(t *testing.T) {
	t.Parallel()
	for name, bus := range map[string]string{
		"no service on the bus": capturetest.NewBus(t),
		"no bus":                "unix:path=" + t.TempDir() + "/bus",
		"a bus to be started":   "autolaunch:",
	} {
		d, err := Open(Config{Bus: bus})
		if err == nil {
			t.Cleanup(func() { d.Close() })
			_, err = d.Next(soon(t))
			if _, err := d.NextVeil(soon(t)); !errors.Is(err, capture.ErrWayland) {
				t.Errorf("%s: the person is said to be asked: %v", name, err)
			}
		}
		if !errors.Is(err, capture.ErrWayland) || !errors.Is(err, capture.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A portal that has to be started first, and one that hangs, keep nobody waiting.
func TestAPortalThatHangsKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	prompt := func(t *testing.T, what string, do func()) {
		t.Helper()
		done := make(chan struct{})
		go func() {
			do()
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(answerTime * 3 / 5):
			t.Errorf("%s waits for the portal", what)
			<-done
		}
	}
	t.Run("at first", func(t *testing.T) {
		t.Parallel()
		f := newFake(t)
		f.slow = make(chan struct{})
		var d *Desk
		prompt(t, "Open", func() { d = open(t, f, true) })
		close(f.slow)
		if _, err := d.Next(soon(t)); err != nil {
			t.Error(err)
		}
		veil(t, d, capture.Asked)
	})
	t.Run("at the end", func(t *testing.T) {
		t.Parallel()
		f := newFake(t)
		f.stuck = make(chan struct{})
		d := open(t, f, true)
		if _, err := d.Next(soon(t)); err != nil {
			t.Fatal(err)
		}
		prompt(t, "Close", func() { d.Close() })
		if got := <-f.closed; got != "session" {
			t.Errorf("it closed %v", got)
		}
		close(f.stuck)
	})
}

// The host that ends takes the system's question off the screen.
func TestClosedWhileThePersonIsAsked(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.hold = remoteDesktop + ".Start"
	d := open(t, f, true)
	<-f.asked
	if d.Able() || d.Hands().Move(1, 1) != nil {
		t.Error("before the answer the hands move or fail")
	}
	d.Close()
	got := []string{<-f.closed, <-f.closed}
	if !slices.Contains(got, "request") || !slices.Contains(got, "session") {
		t.Errorf("it closed %v", got)
	}
	if _, err := d.Next(soon(t)); !errors.Is(err, capture.ErrLost) {
		t.Errorf("Next returns %v", err)
	}
}

func TestTheCompositorEndsTheSession(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(f *fakePortal){
		"the person presses stop in the system's bar": func(f *fakePortal) {
			if err := f.c.Emit(f.handle(), sessionIface+".Closed", map[string]dbus.Variant{}); err != nil {
				f.t.Error(err)
			}
		},
		"the portal crashes": func(f *fakePortal) { f.c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			d := open(t, f, true)
			if _, err := d.Next(soon(t)); err != nil {
				t.Fatal(err)
			}
			// Somebody else's session is no news.
			if err := f.c.Emit(f.handle()+"x", sessionIface+".Closed", map[string]dbus.Variant{}); err != nil {
				t.Error(err)
			}
			end(f)
			if _, err := d.Next(soon(t)); !errors.Is(err, capture.ErrLost) {
				t.Errorf("Next returns %v", err)
			}
			if err := d.Hands().Button(input.Left, true); !errors.Is(err, input.ErrLost) {
				t.Errorf("Button returns %v", err)
			}
		})
	}
}

// The whole way: fake portal, real PipeWire.
func TestRealFrames(t *testing.T) {
	if _, err := exec.LookPath("gst-launch-1.0"); err != nil || !capture.CastBuilt() {
		t.Fatal("PipeWire, GStreamer or the reader is missing: task test installs and builds them")
	}
	pw := capturetest.NewPipeWire(t)
	node, _ := pw.Monitor(200, 100, "BGRx", "pattern=solid-color foreground-color=0xff0a0b0c")
	f := newFake(t)
	f.remote = pw.Connect
	f.streams = []struct {
		Node  uint32
		About map[string]dbus.Variant
	}{{node, map[string]dbus.Variant{"size": dbus.MakeVariant(struct{ X, Y int32 }{100, 50})}}}
	f.serve()
	d, err := Open(Config{Control: true, Bus: f.bus})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	fr, err := d.Next(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if fr.Width != 200 || fr.Height != 100 || fr.Pix[0] != 0x0a0b0c {
		t.Errorf("a picture of %d x %d, %06x", fr.Width, fr.Height, fr.Pix[0])
	}
	// The compositor counts half as many pixels.
	if err := d.Hands().Move(100, 60); err != nil {
		t.Error(err)
	}
	if n, x, y, ok := d.Spot(100, 60); n != node || x != 50 || y != 30 || !ok {
		t.Errorf("100,60 is %d: %v,%v,%v", n, x, y, ok)
	}
	<-f.notes
}

func TestGuard(t *testing.T) {
	t.Parallel()
	g := new(Guard)
	if g.PointerAllowed(1, 1) || g.KeysAllowed() { // C82
		t.Error("our window has told nothing, and input passes")
	}
	for what, want := range map[string][2]bool{
		"none": {true, true}, "pointer": {false, false}, "focus": {true, false}, "both": {false, false}, "unknown": {false, false}, "": {false, false},
	} {
		g.Near(what)
		if g.PointerAllowed(1, 1) != want[0] || g.KeysAllowed() != want[1] { // C82
			t.Errorf("%q: pointer %v, keys %v", what, g.PointerAllowed(1, 1), g.KeysAllowed())
		}
	}
}

func TestWayland(t *testing.T) {
	for _, c := range []struct {
		kind, display string
		want          bool
	}{{"wayland", "", true}, {"x11", "wayland-0", false}, {"", "wayland-0", true}, {"", "", false}, {"tty", "", false}} {
		t.Setenv("XDG_SESSION_TYPE", c.kind)
		t.Setenv("WAYLAND_DISPLAY", c.display)
		if Wayland() != c.want {
			t.Errorf("%+v", c)
		}
	}
}
