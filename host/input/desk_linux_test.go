package input_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/input/inputtest"
)

// desktop is a private X server with real programs on it, and a connection to
// look at them.
type desktop struct {
	t      *testing.T
	server *capturetest.Server
	c      *xgb.Conn
	root   xproto.Window
}

func newDesktop(t *testing.T) *desktop {
	t.Helper()
	s := capturetest.Start(t, 800, 600)
	c, err := xgb.NewConnDisplay(s.Display)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &desktop{t, s, c, xproto.Setup(c).DefaultScreen(c).Root}
}

// hands opens the display's X11. With robotgo, the display is $DISPLAY.
func (d *desktop) hands(robotgo bool) *input.X11 {
	d.t.Helper()
	d.t.Setenv("DISPLAY", "")
	if robotgo {
		d.t.Setenv("DISPLAY", d.server.Display)
	}
	x, err := input.OpenX11(d.server.Display)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { x.Close() })
	if x.ByRobotgo() != robotgo {
		d.t.Fatalf("robotgo used: %v", x.ByRobotgo())
	}
	return x
}

func (d *desktop) layout(layout string) {
	d.t.Helper()
	name, variant, _ := strings.Cut(strings.TrimSuffix(layout, ")"), "(")
	d.server.Command(d.t, "setxkbmap", "-layout", name, "-variant", variant)
}

// start runs a program until the test ends.
func (d *desktop) start(name string, args ...string) *os.Process {
	d.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+d.server.Display, "LC_ALL=C.UTF-8", "WINDOWID=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		d.t.Fatalf("needs %s: %v", name, err)
	}
	d.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process
}

// terminal is an xterm whose program reads every byte as it comes and shows it.
type terminal struct {
	d       *desktop
	process *os.Process
	window  xproto.Window // $WINDOWID inside
	file    string
	cx, cy  int // its middle, in pixels of the screen
	tx, ty  int // on its first character
	already int // bytes read before the present check
}

// terminal opens one with its corner at x, y and waits until it reads.
func (d *desktop) terminal(x, y int) *terminal {
	d.t.Helper()
	dir := d.t.TempDir()
	term := &terminal{d: d, file: filepath.Join(dir, "typed")}
	id := filepath.Join(dir, "id")
	script := fmt.Sprintf("stty raw -echo; echo $WINDOWID > %s.tmp; mv %s.tmp %s; exec tee %s", id, id, id, term.file)
	term.process = d.start("xterm", "-u8", "-geometry", fmt.Sprintf("40x10+%d+%d", x, y), "-e", "sh", "-c", script)
	d.until("xterm reads", func() bool {
		_, err := os.Stat(term.file)
		return err == nil
	})
	b, err := os.ReadFile(id)
	if err != nil {
		d.t.Fatal(err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 32)
	if err != nil {
		d.t.Fatal(err)
	}
	term.window = xproto.Window(n)
	d.until("xterm is on the screen", func() bool {
		a, err := xproto.GetWindowAttributes(d.c, term.window).Reply()
		return err == nil && a.MapState == xproto.MapStateViewable
	})
	term.locate()
	return term
}

func (term *terminal) locate() {
	d := term.d
	g, err := xproto.GetGeometry(d.c, xproto.Drawable(term.window)).Reply()
	if err != nil {
		d.t.Fatal(err)
	}
	at, err := xproto.TranslateCoordinates(d.c, term.window, d.root, int16(g.Width/2), int16(g.Height/2)).Reply()
	if err != nil {
		d.t.Fatal(err)
	}
	term.cx, term.cy = int(at.DstX), int(at.DstY)
	term.tx, term.ty = term.cx-int(g.Width/2)+6, term.cy-int(g.Height/2)+8
}

func (term *terminal) focus() {
	term.d.t.Helper()
	err := xproto.SetInputFocusChecked(term.d.c, xproto.InputFocusParent, term.window, xproto.TimeCurrentTime).Check()
	if err != nil {
		term.d.t.Fatal(err)
	}
}

// typed is what the program read, with Enter as a newline.
func (term *terminal) typed() string {
	b, err := os.ReadFile(term.file)
	if err != nil {
		term.d.t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r", "\n")
}

// wantTyped waits for what the program reads since the last call.
func (term *terminal) wantTyped(want string) {
	term.d.t.Helper()
	end := time.Now().Add(10 * time.Second)
	for len(term.typed())-term.already < len(want) && time.Now().Before(end) {
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(30 * time.Millisecond) // for what should not come
	got := term.typed()[term.already:]
	term.already += len(got)
	if got != want {
		term.d.t.Errorf("the program read %q, want %q", got, want)
	}
}

func (d *desktop) until(what string, done func() bool) {
	d.t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("never: %s", what)
		}
	}
}

func (d *desktop) pointer() (int, int) {
	p, err := xproto.QueryPointer(d.c, d.root).Reply()
	if err != nil {
		d.t.Fatal(err)
	}
	return int(p.RootX), int(p.RootY)
}

// panel is a window over a part of the screen that notes its button events.
type panel struct {
	window xproto.Window
	mu     sync.Mutex
	events []string
	xs     []int // where each was
}

var x11ButtonNames = map[xproto.Button]string{
	1: "left", 2: "middle", 3: "right", 4: "wheel up", 5: "wheel down", 6: "wheel left", 7: "wheel right", 8: "back", 9: "forward",
}

func (d *desktop) panel(x, y int16, w, h uint16) *panel {
	d.t.Helper()
	c, err := xgb.NewConnDisplay(d.server.Display)
	if err != nil {
		d.t.Fatal(err)
	}
	id, err := xproto.NewWindowId(c)
	if err != nil {
		d.t.Fatal(err)
	}
	err = xproto.CreateWindowChecked(c, 0, id, d.root, x, y, w, h, 0, xproto.WindowClassInputOutput, 0,
		xproto.CwOverrideRedirect|xproto.CwEventMask,
		[]uint32{1, xproto.EventMaskButtonPress | xproto.EventMaskButtonRelease}).Check()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := xproto.MapWindowChecked(c, id).Check(); err != nil {
		d.t.Fatal(err)
	}
	p := &panel{window: id}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			ev, err := c.WaitForEvent()
			if ev == nil && err == nil {
				return
			}
			p.mu.Lock()
			switch ev := ev.(type) {
			case xproto.ButtonPressEvent:
				p.xs = append(p.xs, int(ev.RootX))
				if ev.Detail >= 4 && ev.Detail <= 7 {
					p.events = append(p.events, x11ButtonNames[ev.Detail])
				} else {
					p.events = append(p.events, x11ButtonNames[ev.Detail]+" down")
				}
			case xproto.ButtonReleaseEvent:
				if ev.Detail < 4 || ev.Detail > 7 {
					p.xs = append(p.xs, int(ev.RootX))
					p.events = append(p.events, x11ButtonNames[ev.Detail]+" up")
				}
			}
			p.mu.Unlock()
		}
	})
	d.t.Cleanup(func() { c.Close(); wg.Wait() })
	return p
}

func (p *panel) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.events...)
}

func TestX11PassesTheSuite(t *testing.T) {
	for name, robotgo := range map[string]bool{"pointer by robotgo": true, "all by XTEST": false} {
		t.Run(name, func(t *testing.T) {
			// One desktop serves until a test takes it away.
			var (
				d     *desktop
				term  *terminal
				board *panel
			)
			inputtest.Run(t, func(sub *testing.T) inputtest.Desk {
				if d == nil {
					d = newDesktop(t)
					d.layout("us")
					term = d.terminal(400, 300)
					board = d.panel(0, 0, 400, 300)
					term.focus()
				}
				typed, seen := len(term.typed()), len(board.seen())
				use := *d
				use.t = sub
				return inputtest.Desk{
					Injector: use.hands(robotgo),
					Pointer:  use.pointer,
					Buttons:  func() []string { return board.seen()[seen:] },
					Typed:    func() string { return term.typed()[typed:] },
					Lose:     func() { d.server.Kill(); d = nil },
				}
			})
		})
	}
}
