package input_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/jezek/xgb/xproto"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/input/fake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

func (d *desktop) guard() *input.X11Guard {
	d.t.Helper()
	g, err := input.OpenX11Guard(d.server.Display)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { g.Close() })
	return g
}

// windowManager starts openbox and waits until it manages the screen.
func (d *desktop) windowManager() {
	d.t.Helper()
	d.start("openbox", "--sm-disable")
	d.until("openbox manages the screen", func() bool {
		cmd := exec.Command("xprop", "-display", d.server.Display, "-root", "_NET_SUPPORTING_WM_CHECK")
		out, err := cmd.Output()
		return err == nil && bytes.Contains(out, []byte("window id"))
	})
}

// topLevel is the child of the root that holds a window: the frame, if any.
func (d *desktop) topLevel(w xproto.Window) xproto.Window {
	d.t.Helper()
	for {
		tree, err := xproto.QueryTree(d.c, w).Reply()
		if err != nil {
			d.t.Fatal(err)
		}
		if tree.Parent == d.root {
			return w
		}
		w = tree.Parent
	}
}

// session drives the real hands and guard with a technician's messages.
type session struct {
	t       *testing.T
	r       *input.Receiver
	seq     uint32
	acked   chan uint32
	notices chan mfpb.NoticeCode
}

func (d *desktop) session(g input.Guard) *session {
	var gate fake.Gate
	gate.Open()
	s := &session{t: d.t, acked: make(chan uint32, 1000), notices: make(chan mfpb.NoticeCode, 100)}
	s.r = input.NewReceiver(d.hands(true), g, &gate, func(c mfpb.NoticeCode) { s.notices <- c })
	s.r.OnAck(func(msg []byte) {
		var ev wire.InputEvent
		_ = wire.ParseInput(msg, &ev)
		s.acked <- ev.Seq
	})
	d.t.Cleanup(func() { s.r.Close() })
	return s
}

// send hands an event over and waits until it is done.
func (s *session) send(ev wire.InputEvent) {
	s.t.Helper()
	s.seq++
	ev.Seq = s.seq
	if err := s.r.Handle(input.In, encode(s.t, ev)); err != nil {
		s.t.Fatal(err)
	}
	for got := uint32(0); got < s.seq; {
		select {
		case got = <-s.acked:
		case <-time.After(10 * time.Second):
			s.t.Fatalf("event %d is not done: %v", s.seq, s.r.Err())
		}
	}
}

func (s *session) typeKeys(usages ...uint16) {
	s.t.Helper()
	for _, u := range usages {
		s.send(key(u, true, ""))
		s.send(key(u, false, ""))
	}
}

func (s *session) click(b uint8, x, y int) {
	s.t.Helper()
	s.send(button(b, true, uint16(x), uint16(y)))
	s.send(button(b, false, uint16(x), uint16(y)))
}

// P19: the whole path, on real windows, with and without a window manager.
func TestInputNeverReachesAProtectedTerminal(t *testing.T) {
	for _, manager := range []bool{false, true} {
		t.Run(fmt.Sprintf("window manager %v", manager), func(t *testing.T) {
			d := newDesktop(t)
			if manager {
				d.windowManager()
			}
			d.layout("us")
			own, other := d.terminal(0, 30), d.terminal(400, 300)
			d.until("windows stand still", func() bool {
				a, b := own.cx, other.cx
				time.Sleep(50 * time.Millisecond)
				own.locate()
				other.locate()
				return a == own.cx && b == other.cx
			})
			g := d.guard()
			s := d.session(g)

			// Nothing is protected yet: this shows that the way is open.
			own.focus()
			s.typeKeys(0x04)
			own.wantTyped("a")

			g.Protect(uint64(own.window))
			s.typeKeys(0x05)
			s.send(text("allow"))
			other.focus()
			s.typeKeys(0x06)
			s.send(text("é"))
			other.wantTyped("cé")
			own.wantTyped("")

			// A double click selects a word, the middle button pastes it.
			paste := func(into *terminal) {
				for range 2 {
					s.click(wire.ButtonLeft, other.tx, other.ty)
				}
				d.until("the word is selected", func() bool {
					owner, err := xproto.GetSelectionOwner(d.c, xproto.AtomPrimary).Reply()
					return err == nil && owner.Owner != 0
				})
				s.click(wire.ButtonMiddle, into.cx, into.cy)
			}
			paste(other)
			other.wantTyped("cé")
			if got := drainNotices(s); !slices.Contains(got, ownWindow) {
				t.Errorf("the technician was told %v", got)
			}
			before := s.r.Counts()
			paste(own)
			own.wantTyped("")
			if c := s.r.Counts(); c.Refused != before.Refused+1 || c.Clicks != before.Clicks+2 {
				t.Errorf("a click into the terminal: %+v, before %+v", c, before)
			}
			if g.PointerAllowed(own.cx, own.cy) {
				t.Error("the terminal may be clicked")
			}
			if !g.PointerAllowed(other.cx, other.cy) {
				t.Error("the other terminal may not be clicked")
			}
			if manager {
				frame := d.topLevel(own.window)
				if frame == own.window {
					t.Fatal("openbox put no frame around the terminal")
				}
				geo, err := xproto.GetGeometry(d.c, xproto.Drawable(frame)).Reply()
				if err != nil {
					t.Fatal(err)
				}
				if g.PointerAllowed(int(geo.X)+int(geo.Width)/2, int(geo.Y)+8) {
					t.Error("the title bar of the terminal may be clicked")
				}
			}
			if !g.PointerAllowed(780, 10) {
				t.Error("the bare desktop may not be clicked")
			}
			for _, p := range [][2]int{{-1, 5}, {5, -1}, {800, 5}, {5, 600}, {65535, 65535}} {
				if g.PointerAllowed(p[0], p[1]) {
					t.Errorf("%v is off the screen and allowed", p)
				}
			}
		})
	}
}

func drainNotices(s *session) []mfpb.NoticeCode {
	var got []mfpb.NoticeCode
	for {
		select {
		case c := <-s.notices:
			got = append(got, c)
		default:
			return got
		}
	}
}

func TestKeysFollowTheRealFocus(t *testing.T) {
	d := newDesktop(t)
	own := d.terminal(0, 0)
	g := d.guard()
	g.Protect(uint64(own.window))
	x := d.hands(false)
	focus := func(w xproto.Window) {
		t.Helper()
		if err := xproto.SetInputFocusChecked(d.c, xproto.InputFocusNone, w, xproto.TimeCurrentTime).Check(); err != nil {
			t.Fatal(err)
		}
	}
	over := func(px, py int) {
		t.Helper()
		if err := x.Move(px, py); err != nil {
			t.Fatal(err)
		}
		d.until("the pointer is there", func() bool { a, b := d.pointer(); return a == px && b == py })
	}
	for name, w := range map[string]xproto.Window{
		"no focus": xproto.InputFocusNone, "focus follows the pointer": xproto.InputFocusPointerRoot, "focus on the root": d.root,
	} {
		focus(w)
		over(own.cx, own.cy)
		if g.KeysAllowed() {
			t.Errorf("%s: the terminal under the pointer gets keys", name)
		}
		over(790, 590)
		if !g.KeysAllowed() {
			t.Errorf("%s: the bare desktop gets none", name)
		}
	}
	focus(own.window)
	if g.KeysAllowed() {
		t.Error("the terminal has the focus and gets keys")
	}
}

func TestAllWindowsOfAProtectedClientAreProtected(t *testing.T) {
	d := newDesktop(t)
	window := func(x int16) xproto.Window {
		t.Helper()
		id, err := xproto.NewWindowId(d.c)
		if err != nil {
			t.Fatal(err)
		}
		err = xproto.CreateWindowChecked(d.c, 0, id, d.root, x, 0, 100, 100, 0, xproto.WindowClassInputOutput, 0, 0, nil).Check()
		if err != nil {
			t.Fatal(err)
		}
		if err := xproto.MapWindowChecked(d.c, id).Check(); err != nil {
			t.Fatal(err)
		}
		return id
	}
	first := window(0)
	stranger := d.panel(400, 0, 100, 100)
	g := d.guard()
	g.Protect(uint64(first))
	window(200) // a dialog, opened later
	if g.PointerAllowed(250, 50) {
		t.Error("another window of the same client may be clicked")
	}
	if !g.PointerAllowed(450, 50) {
		t.Error("a stranger's window may not be clicked")
	}

	// A protected window that is gone shuts nothing but its client.
	if err := xproto.DestroyWindowChecked(d.c, first).Check(); err != nil {
		t.Fatal(err)
	}
	if g.PointerAllowed(250, 50) || !g.PointerAllowed(450, 50) {
		t.Error("a destroyed window changed the answers")
	}
	// A window inside a stranger's: what some hosts of plug-ins do.
	inner := window(600)
	if err := xproto.ReparentWindowChecked(d.c, inner, stranger.window, 10, 10).Check(); err != nil {
		t.Fatal(err)
	}
	g.Protect(uint64(inner))
	if g.PointerAllowed(402, 2) {
		t.Error("the window around a protected one may be clicked")
	}
	// Nonsense protects nothing, least of all everything.
	for _, w := range []uint64{0, uint64(d.root), 1 << 40} {
		g.Protect(w)
	}
	if !g.PointerAllowed(700, 500) {
		t.Error("the bare desktop may not be clicked")
	}
}

func TestAGuardThatCannotAskAllowsNothing(t *testing.T) {
	d := newDesktop(t)
	closed, dead := d.guard(), d.guard()
	closed.Close()
	if !dead.PointerAllowed(5, 5) || !dead.KeysAllowed() {
		t.Fatal("nothing is protected, but refused")
	}
	d.server.Kill()
	for name, g := range map[string]*input.X11Guard{"closed": closed, "without a server": dead} {
		if g.PointerAllowed(5, 5) || g.KeysAllowed() {
			t.Errorf("a guard that is %s allows input", name)
		}
	}
}

// TestTheTerminalIsFound runs this test binary again as a host in a terminal.
func TestTheTerminalIsFound(t *testing.T) {
	if path := os.Getenv("MAINFORTE_TEST_TERMINAL"); path != "" {
		if os.Getenv("MAINFORTE_TEST_NO_WINDOWID") != "" {
			os.Unsetenv("WINDOWID")
		} else {
			os.Setenv("WINDOWID", os.Getenv("MAINFORTE_TEST_WINDOWID"))
		}
		g, err := input.OpenX11Guard("")
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		n, err := g.ProtectTerminal()
		report := fmt.Sprintf("%d %v keys %v\n", n, err, g.KeysAllowed())
		if err := os.WriteFile(path, []byte(report), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // the terminal stays until the outer test ends it
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, hide := range map[string]string{"by WINDOWID": "", "by its process": "1"} {
		t.Run(name, func(t *testing.T) {
			d := newDesktop(t)
			path := t.TempDir() + "/report"
			// xterm sets no _NET_WM_PID itself; where it does not, xdotool's way is used.
			script := fmt.Sprintf("xprop -id $WINDOWID -f _NET_WM_PID 32c -set _NET_WM_PID $PPID; xdotool windowfocus --sync $WINDOWID; "+
				"MAINFORTE_TEST_WINDOWID=$WINDOWID MAINFORTE_TEST_NO_WINDOWID=%s MAINFORTE_TEST_TERMINAL=%s %s -test.run '^TestTheTerminalIsFound$'", hide, path, exe)
			d.start("xterm", "-e", "sh", "-c", script)
			d.until("the host in the terminal reports", func() bool {
				b, err := os.ReadFile(path)
				return err == nil && len(b) > 0
			})
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := string(b), "1 <nil> keys false\n"; got != want {
				t.Errorf("in the terminal: %q, want %q", got, want)
			}
		})
	}
}
