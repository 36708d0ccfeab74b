package wine

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/host/ui/face"
	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/viewer"
	"github.com/mainforte/mainforte/web"
)

// TestASessionUnderWine is the whole job on Windows: the shipped program with its
// native window on a Wine desktop, and a technician's real browser. What the person
// may allow is allowed by their click, used, taken back and refused; and of all of it
// nothing is left but what they kept.
func TestASessionUnderWine(t *testing.T) {
	if !viewer.Built() || !web.Built() {
		t.Fatal("the front end is not built; run `task build:web` first")
	}
	for _, lang := range stage.Langs("fr") {
		t.Run(lang, func(t *testing.T) { session(t, lang) })
	}
}

// scene is one whole set-up: a Windows desktop, a server, a browser.
type scene struct {
	t       testing.TB
	ctx     context.Context
	lang    string
	texts   *ui.Texts
	desktop *Desktop
	x       *capturetest.Server
	server  *stage.Server
	browser *stage.Browser
	url     string
	host    *Program
	shots   int
}

func session(t *testing.T, lang string) {
	s := newScene(t, lang)
	notepad, err := s.desktop.Start(s.ctx, "notepad")
	s.must(err)
	t.Cleanup(notepad.Kill)
	page := s.control("notepad's text", isClass("Edit"))
	s.toSession()
	before := s.traces()

	s.host, err = s.desktop.Start(s.ctx, host(t), "--server", s.url, "--lang", lang)
	s.must(err)
	t.Cleanup(s.host.Kill)
	t.Cleanup(s.failed)
	digits := regexp.MustCompile(`^\d[\d ]{9,}\d$`)
	code := s.control("the code", func(c Control) bool { return c.Class == "Static" && digits.MatchString(c.Text) }).Text
	s.desktopShot("code")

	// The person says no, sees what that did, and begins anew.
	s.claim(code)
	s.press("ask.deny")
	s.state("ended")
	s.control("that they said no", says(s.texts.T("reason.PERSON_DENIED")))
	s.desktopShot("denied")
	s.press("ended.again")
	code = s.control("another code", func(c Control) bool { return c.Class == "Static" && digits.MatchString(c.Text) }).Text
	s.must(s.browser.Click("#start-session")) // of the ticket, where the technician is by now
	s.must(s.browser.WaitFor(10*time.Second, "#code"))

	s.claim(code)
	s.control("who asks", says(s.texts.T("ask.view", "name", technician)))
	s.control("the server's name", says("127.0.0.1"))
	s.desktopShot("ask-view")
	s.press("ask.allow")
	s.state("live")
	s.exact("view")

	// No control yet: neither pointer nor key arrives.
	stood := s.pointer()
	s.must(s.browser.ClickAt(s.on(middle(page.Bounds))))
	s.must(s.browser.Keys("x"))
	time.Sleep(300 * time.Millisecond)
	if after := s.pointer(); after != stood {
		t.Errorf("the pointer moved from %v to %v without the control grant", stood, after)
	}

	// The technician sees the question about control and cannot answer it.
	s.must(s.browser.Click("#ask-control"))
	allow := s.button("ask.allow")
	s.exact("ask-control")
	time.Sleep(700 * time.Millisecond) // by now the window takes an answer
	s.must(s.browser.ClickAt(s.on(middle(allow.Bounds))))
	s.must(s.browser.Keys("\t\r \t "))
	time.Sleep(500 * time.Millisecond)
	if yes, err := stage.Eval[bool](s.browser, fmt.Sprintf("Boolean(%s)", stage.Element("#give-back"))); err != nil || yes {
		t.Fatalf("the technician has answered for the person (%v)", err)
	}
	s.press("ask.allow")
	s.must(s.browser.WaitFor(10*time.Second, "#give-back"))

	// The technician's hands in another program.
	at := s.free(page.Bounds, hostClass)
	s.rest()
	s.until("the pointer follows", func() bool {
		s.must(s.browser.ClickAt(s.on(at)))
		return s.pointer() == at
	})
	var clicked time.Time
	s.until("notepad has the keyboard", func() bool { // until then keys would go into the host's window, and are held
		all, err := s.desktop.Windows(s.ctx)
		s.must(err)
		_, has := Find(all, func(c Control) bool { return c.Class == "Notepad" && c.Foreground })
		if !has && time.Since(clicked) > 3*time.Second { // see press
			clicked = time.Now()
			s.must(s.browser.ClickAt(s.on(at)))
		}
		return has
	})
	time.Sleep(300 * time.Millisecond) // the control within it follows
	const text = "Bonjour, ça va ? @#€"
	s.typeOnDesktop(text)
	s.until("notepad has the line", func() bool { return s.control("notepad's text", isClass("Edit")).Text == text+"\r\n" },
		func() string {
			return fmt.Sprintf("it has %q", s.control("notepad's text", isClass("Edit")).Text)
		})
	s.exact("typed")

	s.clip(at.Add(image.Pt(30, -20)), text)
	s.marks()
	s.computer()
	s.tools()

	// With control granted, the window's Stop is still the person's alone.
	s.raise()
	stop := s.button("session.stop")
	s.rest() // else it proves nothing
	s.must(s.browser.ClickAt(s.on(middle(stop.Bounds))))
	s.must(s.browser.Keys("\r"))
	time.Sleep(700 * time.Millisecond)
	s.state("live")
	s.must(s.browser.WaitFor(5*time.Second, "#give-back"))
	s.shot("own-window")

	// The person takes control back, and then the picture.
	s.take("control")
	s.again("#ask-control")
	s.must(s.browser.WaitFor(10*time.Second, "#ask-control"))
	s.take("view")
	s.control("that nothing is seen", says(s.texts.T("session.paused", "name", technician)))
	s.x.Command(t, "xdotool", "key", "ctrl+alt+End") // the panic key; Stop is TestEveryPageOfTheWindowUnderWine's
	s.state("ended")
	s.control("why it ended", says(s.texts.T("reason.PERSON_STOPPED")))
	s.shot("ended")
	s.goodbye()
	select {
	case <-s.host.Exited():
		if err := s.host.Err(); err != nil {
			t.Errorf("the host ended with %v\n%s", err, s.host.Output())
		}
	case <-time.After(15 * time.Second):
		t.Error("the host still runs 15 s after its window was closed")
	}
	s.nothingIsLeft(before)
	for _, line := range s.browser.Console() {
		if strings.Contains(line, "Content Security Policy") || strings.Contains(line, "TrustedScript") || strings.HasPrefix(line, "exception") {
			t.Errorf("the page complains: %s", line)
		}
	}
}

const technician = "Anaïs Tremblay"

func newScene(t testing.TB, lang string) *scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute) // outlives the test's own, for its cleanups
	t.Cleanup(cancel)
	s := &scene{t: t, ctx: ctx, lang: lang, texts: ui.Load(lang)}
	s.desktop, s.x = desktop(t)
	signaling := filepath.Join(programs, "mainforte-signaling")
	if _, err := os.Stat(signaling); err != nil {
		built, err := stage.Build(ctx, programs)
		s.must(err)
		signaling = built.Signaling
	}
	addr, err := stage.FreeAddr()
	s.must(err)
	s.server, err = stage.StartServer(ctx, signaling, addr, filepath.Join(t.TempDir(), "data"), "--organisation", "Hôpital Sainte-Anne")
	s.must(err)
	t.Cleanup(func() { _ = s.server.Stop() })
	s.url = s.server.URL
	s.browser, err = stage.StartBrowser(ctx, stage.BrowserOptions{Lang: lang + "-CA"})
	s.must(err)
	t.Cleanup(s.browser.Close)
	link, err := s.server.Link(ctx, "technician")
	s.must(err)
	s.must(s.browser.Goto(link))
	return s
}

// failed keeps what is to be seen when a test has failed. It is registered after
// all that the picture holds was started, so that it comes before its end.
func (s *scene) failed() {
	if !s.t.Failed() {
		return
	}
	s.shot("failed")
	s.desktopShot("failed")
	if all, err := s.desktop.Windows(s.ctx); err == nil {
		s.t.Logf("windows: %+v", all)
	}
	s.t.Logf("server:\n%s\nhost:\n%s", s.server.Out.String(), s.host.Output())
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// toSession signs the technician in, makes a ticket and opens the code entry.
func (s *scene) toSession() {
	s.t.Helper()
	s.must(s.browser.Fill("#name", technician))
	s.must(s.browser.Fill("#password", "correct horse battery staple"))
	s.must(s.browser.Click("#submit"))
	s.must(s.browser.Click("#new-ticket"))
	s.must(s.browser.Fill("#ticket-subject", "L'imprimante du 3e ne répond plus"))
	s.must(s.browser.Fill("#ticket-requester", "Zoé Côté"))
	s.must(s.browser.Click("#create-ticket"))
	s.must(s.browser.Click("#start-session"))
	s.must(s.browser.WaitFor(10*time.Second, "#code"))
}

// claim types the code and waits until the person is asked.
func (s *scene) claim(code string) {
	s.t.Helper()
	s.must(s.browser.Fill("#code", code))
	s.must(s.browser.Keys("\r"))
	s.state("asking")
}

// state waits until the page says it is in a state.
func (s *scene) state(state string) {
	s.t.Helper()
	s.must(s.browser.Wait(25*time.Second, fmt.Sprintf("%s?.state === %q", stage.Element("remote-session"), state)))
}

// until waits until something holds.
func (s *scene) until(what string, holds func() bool, detail ...func() string) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			more := ""
			for _, d := range detail {
				more += ": " + d()
			}
			s.t.Fatalf("not so: %s%s", what, more)
		}
	}
}

// control waits for a control in any window.
func (s *scene) control(what string, fits func(Control) bool) (found Control) {
	s.t.Helper()
	var all []Control
	s.until("on the Windows desktop is "+what, func() bool {
		var err error
		all, err = s.desktop.Windows(s.ctx)
		s.must(err)
		var ok bool
		found, ok = Find(all, fits)
		return ok
	}, func() string { return fmt.Sprintf("there is %+v", all) })
	return found
}

func isClass(class string) func(Control) bool {
	return func(c Control) bool { return c.Class == class }
}

func says(text string) func(Control) bool {
	return func(c Control) bool { return strings.Contains(c.Text, text) }
}

// button waits for a button of the host's window that can be pressed.
func (s *scene) button(key string) Control {
	s.t.Helper()
	text := s.texts.T(key)
	return s.control("the button "+text, func(c Control) bool {
		return c.Class == "Button" && c.Enabled && Plain(c.Text) == text
	})
}

// press presses a button as the person does: with the mouse of the X server,
// which Wine takes for hardware. A person needs a moment to read, and presses
// again what is still there: about once in twenty sessions Wine 8 swallows the
// press of a click that also brings its window to the front, and the program
// gets the release alone.
func (s *scene) press(key string) {
	s.t.Helper()
	text := s.texts.T(key)
	b := s.button(key)
	time.Sleep(face.AnswerDelay + 30*time.Millisecond)
	s.click(middle(b.Bounds))
	for deadline := time.Now().Add(4 * time.Second); time.Now().Before(deadline); time.Sleep(30 * time.Millisecond) {
		all, err := s.desktop.Windows(s.ctx)
		s.must(err)
		if _, there := Find(all, func(c Control) bool { return c.Handle == b.Handle && Plain(c.Text) == text }); !there {
			return
		}
	}
	s.t.Logf("%s is still there: the person presses it again", text)
	s.click(middle(b.Bounds))
}

// click clicks as a hand does, which comes from somewhere.
func (s *scene) click(at image.Point) {
	s.t.Helper()
	s.x.Command(s.t, "xdotool", "mousemove", fmt.Sprint(at.X-9), fmt.Sprint(at.Y-5), "sleep", "0.06",
		"mousemove", fmt.Sprint(at.X), fmt.Sprint(at.Y), "sleep", "0.06", "click", "1")
}

// raise clicks into what is to be seen of the host's window, beside its buttons,
// as the person does who wants to use it.
func (s *scene) raise() {
	s.t.Helper()
	window := s.control("the host's window", isClass(hostClass))
	at := s.free(window.Bounds, "Notepad", "Button")
	s.click(at)
	s.before(hostClass)
}

// rest lets the person's hands rest for as long as they come first (C65).
func (s *scene) rest() { time.Sleep(1200 * time.Millisecond) }

// before waits until a window has the keyboard.
func (s *scene) before(class string) {
	s.t.Helper()
	s.control(class+" with the keyboard", func(c Control) bool { return c.Class == class && c.Foreground })
	time.Sleep(300 * time.Millisecond) // the control within it follows
}

// hostClass is the class of the host's window.
const hostClass = "MainforteWindow"

func middle(r image.Rectangle) image.Point { return r.Min.Add(r.Size().Div(2)) }

// free is a point within r that no window or control of these classes covers.
func (s *scene) free(r image.Rectangle, classes ...string) image.Point {
	s.t.Helper()
	all, err := s.desktop.Windows(s.ctx)
	s.must(err)
	r = r.Inset(4)
	for y := r.Max.Y - 1; y >= r.Min.Y; y -= 5 {
		for x := r.Min.X; x < r.Max.X; x += 5 {
			at := image.Pt(x, y)
			_, covered := Find(all, func(c Control) bool {
				return slices.Contains(classes, c.Class) && at.In(c.Bounds.Inset(-4))
			})
			if !covered {
				return at
			}
		}
	}
	s.t.Fatalf("%v cover all of %v", classes, r)
	return image.Point{}
}

// pointer is where the pointer stands on the Windows desktop.
func (s *scene) pointer() (at image.Point) {
	s.t.Helper()
	out := s.x.Command(s.t, "xdotool", "getmouselocation")
	if _, err := fmt.Sscanf(string(out), "x:%d y:%d", &at.X, &at.Y); err != nil {
		s.t.Fatalf("%q: %v", out, err)
	}
	return at
}

// typeOnDesktop types as a technician with a French keyboard does; one character
// comes from an input method.
func (s *scene) typeOnDesktop(text string) {
	s.t.Helper()
	foreign := map[rune]string{'ç': "Digit9", '@': "Digit0", '#': "Digit3"}
	for _, r := range text {
		switch {
		case r == '€':
			s.must(s.browser.Insert("€"))
		case foreign[r] != "":
			s.must(s.browser.Key(foreign[r], string(r), 0))
		default:
			s.must(s.browser.Keys(string(r)))
		}
	}
	s.must(s.browser.Keys("\r"))
}

// corner is where the picture stands on the page.
func (s *scene) corner() image.Point {
	s.t.Helper()
	c, err := stage.Eval[stage.Point](s.browser, fmt.Sprintf(`(e => { const r = e.getBoundingClientRect(); return {x: r.x, y: r.y} })(%s)`, stage.Element("#picture")))
	s.must(err)
	at := image.Pt(int(c.X), int(c.Y))
	if c.X != float64(at.X) || c.Y != float64(at.Y) {
		s.t.Fatalf("the picture does not stand on whole pixels: %+v", c)
	}
	return at
}

// on is a point of the Windows desktop, as a point of the page.
func (s *scene) on(p image.Point) stage.Point {
	c := s.corner()
	return stage.Point{X: float64(c.X+p.X) + 0.5, Y: float64(c.Y+p.Y) + 0.5}
}

// xwd is the Windows desktop as the X server shows it.
func (s *scene) xwd() *image.RGBA {
	s.t.Helper()
	img, err := stage.DecodeXWD(s.x.Command(s.t, "xwd", "-root", "-silent"))
	s.must(err)
	return img
}

// exact waits until the page shows the desktop, every pixel.
func (s *scene) exact(step string) {
	s.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		real := s.xwd()
		page, data, err := s.browser.Screenshot()
		s.must(err)
		count, first := differing(page, s.corner(), real)
		if count == 0 {
			s.keep(step, data)
			return
		}
		if time.Now().After(deadline) {
			s.keep(step+"-differs", data)
			s.t.Fatalf("%s: %d pixels differ, the first at %v", step, count, first)
		}
	}
}

// differing counts the pixels of a picture on the page that are not the desktop's.
func differing(page image.Image, corner image.Point, real *image.RGBA) (count int, first image.Point) {
	b := real.Bounds()
	for y := range b.Dy() {
		for x := range b.Dx() {
			r, g, bl, _ := page.At(corner.X+x, corner.Y+y).RGBA()
			i := real.PixOffset(x, y)
			if byte(r>>8) != real.Pix[i] || byte(g>>8) != real.Pix[i+1] || byte(bl>>8) != real.Pix[i+2] {
				if count == 0 {
					first = image.Pt(x, y)
				}
				count++
			}
		}
	}
	return count, first
}

// shot keeps a picture of the technician's page, desktopShot one of the person's
// screen.
func (s *scene) shot(step string) {
	s.t.Helper()
	_, data, err := s.browser.Screenshot()
	if err != nil {
		s.t.Logf("no screenshot of %s: %v", step, err)
		return
	}
	s.keep(step, data)
}

func (s *scene) desktopShot(step string) {
	s.t.Helper()
	time.Sleep(150 * time.Millisecond)
	var b bytes.Buffer
	s.must(png.Encode(&b, s.xwd()))
	s.keep("desktop-"+step, b.Bytes())
}

func (s *scene) keep(step string, data []byte) {
	s.t.Helper()
	s.shots++
	folder := os.Getenv("MAINFORTE_ARTEFACTS")
	if folder == "" {
		folder = filepath.Join(root, "artefacts")
	}
	name := filepath.Join(folder, fmt.Sprintf("wine-%s-%02d-%s.png", s.lang, s.shots, step))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		s.t.Error(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		s.t.Error(err)
	}
}
