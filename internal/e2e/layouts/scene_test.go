package layouts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/netns"
	"github.com/mainforte/mainforte/internal/e2e/shape"
	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/viewer"
	"github.com/mainforte/mainforte/web"
)

// TestMain runs the tests in namespaces of their own, for the line between the
// two desks; that needs no root.
func TestMain(m *testing.M) {
	fail := func(what any) {
		fmt.Fprintln(os.Stderr, "layouts:", what)
		os.Exit(1)
	}
	if !viewer.Built() || !web.Built() {
		fail("the front end is not built; run `task build:web` first")
	}
	if netns.Inside() {
		if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			fail(fmt.Errorf("%w: %s", err, out))
		}
		os.Exit(m.Run())
	}
	code, err := netns.Enter()
	if err != nil {
		fail(err)
	}
	os.Exit(code)
}

// scene is one session with control: a technician's desk with a browser in full
// screen, and a person's desk.
type scene struct {
	t       *testing.T
	ctx     context.Context
	dir     string
	near    *stage.Desktop // the technician's
	far     *stage.Desktop // the person's
	line    *shape.Line    // between them
	host    *stage.Host
	browser *stage.Browser
	typist  *Typist
	eye     *xgb.Conn // looks at far
	told    int
}

// The technician's window manager takes no keys for itself, so that the test is
// about keyboards; in full screen the browser keeps none either. The person's
// takes what every desktop takes.
const (
	noKeys     = ``
	commonKeys = `<keybind key="A-F4"><action name="Close"/></keybind><keybind key="A-Tab"><action name="NextWindow"><finalactions><action name="Focus"/></finalactions></action></keybind>`
)

// startDesk starts a desktop whose window manager has these keys.
func (s *scene) startDesk(width, height int, keys string) *stage.Desktop {
	s.t.Helper()
	f, err := os.CreateTemp(s.dir, "rc-*.xml")
	s.must(err)
	_, err = fmt.Fprintf(f, `<?xml version="1.0"?><openbox_config xmlns="http://openbox.org/3.4/rc"><keyboard>%s</keyboard></openbox_config>`, keys)
	s.must(errors.Join(err, f.Close()))
	d, err := stage.StartDesktop(s.ctx, width, height, "--config-file", f.Name())
	s.must(err)
	s.t.Cleanup(d.Stop)
	return d
}

// seed is that of the packets that are lost.
const seed = 20261129

func newScene(t *testing.T, timeout time.Duration) *scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	t.Cleanup(cancel)
	s := &scene{t: t, ctx: ctx, dir: t.TempDir()}
	programs, err := stage.Build(ctx, s.dir)
	s.must(err)
	s.near = s.startDesk(1280, 900, noKeys)
	s.far = s.startDesk(800, 600, commonKeys)
	addr, err := stage.FreeAddr()
	s.must(err)
	server, err := stage.StartServer(ctx, programs.Signaling, addr, filepath.Join(s.dir, "data"))
	s.must(err)
	t.Cleanup(func() { _ = server.Stop() })
	s.line, err = shape.Open(seed)
	s.must(err)
	t.Cleanup(func() {
		if err := s.line.Close(); err != nil {
			t.Error(err)
		}
	})
	s.must(s.line.Reach(server.Addr))
	behind, err := s.line.Program(s.dir, programs.Host)
	s.must(err)
	s.browser, err = stage.StartBrowser(ctx, stage.BrowserOptions{Display: s.near.Display, Width: 1280, Height: 900})
	s.must(err)
	t.Cleanup(s.browser.Close)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("console: %q", s.browser.Console())
		}
	})
	s.open(server, behind)
	s.typist, err = NewTypist(s.near.Display)
	s.must(err)
	t.Cleanup(s.typist.Close)
	s.eye, err = stage.Dial(s.far.Display)
	s.must(err)
	t.Cleanup(s.eye.Close)
	return s
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// open pairs one session with view and control, in full screen.
func (s *scene) open(server *stage.Server, host string) {
	s.t.Helper()
	link, err := server.Link(s.ctx, "technician")
	s.must(err)
	b := s.browser
	s.must(b.Goto(link))
	s.must(b.Fill("#name", "Anaïs Tremblay"))
	s.must(b.Fill("#password", "correct horse battery staple"))
	for _, id := range []string{"#submit", "#new-ticket"} {
		s.must(b.Click(id))
	}
	s.must(b.Fill("#ticket-subject", "Claviers"))
	s.must(b.Fill("#ticket-requester", "Zoé Côté"))
	for _, id := range []string{"#create-ticket", "#start-session"} {
		s.must(b.Click(id))
	}
	s.host, err = stage.StartHost(s.ctx, host, s.far.Display, server.URL, "fr")
	s.must(err)
	s.t.Cleanup(func() { _ = s.host.Stop() })
	s.must(b.Fill("#code", s.hear("code").Code))
	s.must(b.Keys("\r"))
	s.must(s.host.Say(ui.Command{ID: s.hear("ask").ID, Answer: "allow"}))
	s.must(b.Click("#ask-control"))
	s.must(s.host.Say(ui.Command{ID: s.hear("ask").ID, Answer: "allow"}))
	s.must(b.WaitFor(15*time.Second, "#give-back"))
	s.must(b.Click("#fullscreen"))
	s.must(b.Wait(10*time.Second, "document.fullscreenElement !== null"))
	s.must(b.Wait(10*time.Second, keysFocused))
}

// keysFocused: what the technician types goes to the host.
var keysFocused = fmt.Sprintf("%s?.shadowRoot.activeElement?.id === 'keys'", stage.Element("remote-session"))

func (s *scene) hear(name string) ui.Event {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	e, next, err := s.host.Await(ctx, s.told, stage.Named(name))
	s.must(err)
	s.told = next
	return e
}

// layout is a keyboard as setxkbmap knows it: "fr" or "fr/bepo".
type layout string

func (l layout) set(ctx context.Context, d *stage.Desktop) error {
	name, variant, _ := strings.Cut(string(l), "/")
	// An empty option first: setxkbmap would add to those that are set.
	_, err := d.Output(ctx, "setxkbmap", "-layout", name, "-variant", variant, "-option", "", "-option", "compose:menu")
	return err
}

// program is one that a run types into.
type program struct {
	name  string // of its window
	start func(ctx context.Context, d *stage.Desktop, dir string) (*stage.Process, error)
	steps []step
	want  string
}

// step is a text to type, or shortcuts to press.
type step struct{ text, press string }

// The run's text: what differs between the layouts, as it stands in the issue,
// and plain letters, digits and signs around it.
const text = `Voilà: é à ç ô ü ß ñ @ # € { } « » zqwamy ZQWAMY 01289 -_/.;`

// programs: a terminal whose program reads every byte as it comes, and a GTK
// editor, in which Ctrl+Shift+T says so in the text by the theme's key bindings.
var programs = []program{
	{
		name: "XTerm",
		start: func(ctx context.Context, d *stage.Desktop, dir string) (*stage.Process, error) {
			return d.Run(ctx, "xterm", "-u8", "-e", "sh", "-c", "stty raw -echo; exec tee '"+filepath.Join(dir, "typed")+"'")
		},
		steps: []step{{text: text}, {press: "Control+c Control+v Control+Shift+t"}},
		want:  text + "\x03\x16\x14",
	},
	{
		name: "Mousepad",
		start: func(ctx context.Context, d *stage.Desktop, dir string) (*stage.Process, error) {
			return d.Run(ctx, "env", "GSETTINGS_BACKEND=memory", "GTK_THEME=Adwaita", "XDG_CONFIG_HOME="+filepath.Join(dir, ".."), "NO_AT_BRIDGE=1",
				"mousepad", "--disable-server", filepath.Join(dir, "typed"))
		},
		steps: []step{{text: text}, {press: "Control+a Control+c Right Control+Shift+t Control+v Control+s"}},
		want:  text + "[CST]" + text,
	},
}

const bindings = `@binding-set test { bind "<ctrl><shift>t" { "insert-at-cursor" ("[CST]") }; }
textview { -gtk-key-bindings: test; }
`

// run types everything into one program and returns what is wrong.
func (s *scene) run(p program) error {
	dir, err := os.MkdirTemp(s.dir, "run-")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.dir, "gtk-3.0"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "gtk-3.0", "gtk.css"), []byte(bindings), 0o600); err != nil {
		return err
	}
	file := filepath.Join(dir, "typed")
	if p.name != "XTerm" {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return err
		}
	}
	process, err := p.start(s.ctx, s.far, dir)
	if err != nil {
		return err
	}
	defer process.Kill()
	err = s.until(15*time.Second, func() (bool, error) {
		_, err := os.Stat(file)
		return err == nil && s.focused() == p.name, nil
	})
	if err != nil {
		return fmt.Errorf("%s has not the keyboard (%q has): %w\n%s", p.name, s.focused(), err, process.Out)
	}
	for _, step := range p.steps {
		if step.text != "" {
			err = s.typist.Type(step.text)
		} else {
			err = s.typist.Press(step.press)
		}
		if err != nil {
			return err
		}
	}
	var got []byte
	err = s.until(5*time.Second, func() (bool, error) {
		got, err = os.ReadFile(file)
		return string(bytes.TrimRight(got, "\n")) == p.want, err
	})
	if err != nil {
		return fmt.Errorf("%s got\n\t%q, not\n\t%q", p.name, got, p.want)
	}
	if err := s.typist.Press("Alt+F4"); err != nil {
		return err
	}
	select {
	case <-process.Exited():
		return nil
	case <-time.After(5 * time.Second):
		return fmt.Errorf("%s is not closed by Alt+F4", p.name)
	}
}

var errNever = errors.New("not in time")

func (s *scene) until(d time.Duration, done func() (bool, error)) error {
	for end := time.Now().Add(d); ; time.Sleep(10 * time.Millisecond) {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return errNever
		}
	}
}

// focused is the class of the window with the keyboard on the person's desk; GTK
// gives it to a window inside of the one that has the class.
func (s *scene) focused() string {
	f, err := xproto.GetInputFocus(s.eye).Reply()
	if err != nil {
		return ""
	}
	for w := f.Focus; w > 1; {
		r, err := xproto.GetProperty(s.eye, false, w, xproto.AtomWmClass, xproto.AtomString, 0, 64).Reply()
		if err != nil {
			return ""
		}
		if _, class, has := strings.Cut(string(r.Value), "\x00"); has {
			return strings.TrimRight(class, "\x00")
		}
		tree, err := xproto.QueryTree(s.eye, w).Reply()
		if err != nil || tree.Parent == tree.Root {
			return ""
		}
		w = tree.Parent
	}
	return ""
}

// title is the name of the window with the keyboard.
func (s *scene) title() string {
	f, err := xproto.GetInputFocus(s.eye).Reply()
	if err != nil {
		return ""
	}
	r, err := xproto.GetProperty(s.eye, false, f.Focus, xproto.AtomWmName, xproto.AtomString, 0, 64).Reply()
	if err != nil {
		return ""
	}
	return string(r.Value)
}

// down are the keycodes that the person's X server sees held.
func (s *scene) down() []int {
	m, err := xproto.QueryKeymap(s.eye).Reply()
	s.must(err)
	var codes []int
	for code := range 256 {
		if m.Keys[code/8]>>(code%8)&1 == 1 {
			codes = append(codes, code)
		}
	}
	return codes
}

// subtest runs f as a subtest with the scene.
func (s *scene) subtest(t *testing.T, name string, f func()) {
	t.Run(name, func(sub *testing.T) {
		s.t = sub
		defer func() { s.t = t }()
		f()
		if err := s.until(5*time.Second, func() (bool, error) { return len(s.down()) == 0, nil }); err != nil {
			sub.Errorf("keycodes %v stay down", s.down())
		}
	})
}

// terminal opens one that has the keyboard, and returns the file of what its
// program reads. It ends with the test.
func (s *scene) terminal() string {
	s.t.Helper()
	dir, err := os.MkdirTemp(s.dir, "run-")
	s.must(err)
	p, err := programs[0].start(s.ctx, s.far, dir)
	s.must(err)
	s.t.Cleanup(p.Kill)
	file := filepath.Join(dir, "typed")
	s.must(s.until(15*time.Second, func() (bool, error) {
		_, err := os.Stat(file)
		return err == nil && s.focused() == "XTerm", nil
	}))
	return file
}

func (s *scene) arrives(file, want string) {
	s.t.Helper()
	var got []byte
	err := s.until(5*time.Second, func() (bool, error) {
		var err error
		got, err = os.ReadFile(file)
		return string(got) == want, err
	})
	if err != nil {
		s.t.Errorf("the program read %q, want %q", got, want)
	}
}

// both gives the two desks their layouts.
func (s *scene) both(technician, person layout) error {
	if err := technician.set(s.ctx, s.near); err != nil {
		return err
	}
	if err := person.set(s.ctx, s.far); err != nil {
		return err
	}
	return s.typist.Look()
}
