package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/netns"
	"github.com/mainforte/mainforte/internal/e2e/scan"
	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/viewer"
	"github.com/mainforte/mainforte/web"
)

var programs stage.Programs
var artefacts string

func TestMain(m *testing.M) {
	if !viewer.Built() || !web.Built() {
		fmt.Fprintln(os.Stderr, "e2e: the front end is not built; run `task build:web` first")
		os.Exit(1)
	}
	// A line of one's own takes root: others are that in namespaces of their own.
	if os.Geteuid() != 0 && !netns.Inside() {
		code, err := netns.Enter()
		if err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			os.Exit(1)
		}
		os.Exit(code)
	}
	if netns.Inside() {
		if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "e2e: %v: %s\n", err, out)
			os.Exit(1)
		}
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mainforte-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs, err = stage.Build(context.Background(), dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	artefacts = os.Getenv("MAINFORTE_ARTEFACTS")
	if artefacts == "" {
		root, err := stage.Root(context.Background())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		artefacts = filepath.Join(root, "artefacts")
	}
	if err := os.MkdirAll(artefacts, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// world is one whole set-up: desktop, server behind a tap, host, browser.
type world struct {
	t       *testing.T
	ctx     context.Context
	lang    string
	desktop *stage.Desktop
	server  *stage.Server
	tap     *scan.Tap
	host    *stage.Host
	browser *stage.Browser
	url     string // of the server, through the tap
	file    string // the host's program
	args    []string
	seen    int // host events looked at so far
	shots   int
}

const screenWidth, screenHeight = 1024, 700

// newWorld starts everything but the host.
func newWorld(t *testing.T, lang string) *world {
	t.Helper()
	return newWorldOf(t, lang, screenWidth, screenHeight)
}

// newWorldOf does so with a desktop of another size, and further flags for the browser.
func newWorldOf(t *testing.T, lang string, width, height int, flags ...string) *world {
	t.Helper()
	return newWorldFor(t, lang, 4*time.Minute, width, height, flags...)
}

// newWorldFor does so for a test that takes so long.
func newWorldFor(t *testing.T, lang string, life time.Duration, width, height int, flags ...string) *world {
	t.Helper()
	return newWorldServed(t, lang, life, width, height, nil, flags...)
}

// newWorldServed does so with further flags for the server.
func newWorldServed(t *testing.T, lang string, life time.Duration, width, height int, serve []string, flags ...string) *world {
	t.Helper()
	return newWorldSeen(t, lang, life, width, height, serve, stage.BrowserOptions{Args: flags})
}

// newWorldSeen does so with a browser that is not like the others.
func newWorldSeen(t *testing.T, lang string, life time.Duration, width, height int, serve []string, browser stage.BrowserOptions) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), life)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, lang: lang, file: programs.Host}
	var err error
	w.desktop, err = stage.StartDesktop(ctx, width, height)
	w.must(err)
	t.Cleanup(w.desktop.Stop)
	addr, err := stage.FreeAddr()
	w.must(err)
	serve = append([]string{"--organisation", "Hôpital Sainte-Anne"}, serve...)
	w.server, err = stage.StartServer(ctx, programs.Signaling, addr, filepath.Join(t.TempDir(), "data"), serve...)
	w.must(err)
	t.Cleanup(func() { _ = w.server.Stop() })
	w.tap, err = scan.NewTap("127.0.0.1:0", addr)
	w.must(err)
	t.Cleanup(w.tap.Close)
	w.url = "http://" + w.tap.Addr()
	browser.Lang = lang + "-CA"
	w.browser, err = stage.StartBrowser(ctx, browser)
	w.must(err)
	t.Cleanup(w.browser.Close)
	t.Cleanup(func() {
		if t.Failed() {
			w.shot("failed")
			t.Logf("server:\n%s", tail(w.server.Out.String()))
			if w.host != nil {
				t.Logf("host:\n%s", tail(w.host.Out.String()))
			}
			t.Logf("console: %q", w.browser.Console())
		}
	})
	return w
}

func tail(s string) string {
	if len(s) > 6000 {
		return "…" + s[len(s)-6000:]
	}
	return s
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// startHost runs the host as a person would, and returns the code it shows.
func (w *world) startHost() string {
	w.t.Helper()
	var err error
	w.host, err = stage.StartHost(w.ctx, w.file, w.desktop.Display, w.url, w.lang, w.args...)
	w.must(err)
	w.t.Cleanup(func() { _ = w.host.Stop() })
	return w.hear("code").Code
}

// hear waits for the host's next event of a name.
func (w *world) hear(name string) ui.Event {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 20*time.Second)
	defer cancel()
	e, next, err := w.host.Await(ctx, w.seen, stage.Named(name))
	if err != nil {
		w.t.Fatalf("waiting for %q: %v", name, err)
	}
	w.seen = next
	return e
}

// answer answers the host's next question as the person.
func (w *world) answer(grant, answer string) ui.Event {
	w.t.Helper()
	q := w.hear("ask")
	if q.Grant != grant {
		w.t.Fatalf("the host asks for %q, not for %q", q.Grant, grant)
	}
	w.must(w.host.Say(ui.Command{ID: q.ID, Answer: answer}))
	return q
}

// signIn makes an account from a one-time link.
func (w *world) signIn(b *stage.Browser, role, name string) {
	w.t.Helper()
	link, err := w.server.Link(w.ctx, role)
	w.must(err)
	link = strings.Replace(link, w.server.URL, w.url, 1)
	w.must(b.Goto(link))
	w.must(b.Fill("#name", name))
	w.must(b.Fill("#password", "correct horse battery staple"))
	w.must(b.Click("#submit"))
}

// shot writes a screenshot of the technician's page.
func (w *world) shot(step string) image.Image {
	w.t.Helper()
	img, png, err := w.browser.Screenshot()
	if err != nil {
		w.t.Logf("no screenshot of %s: %v", step, err)
		return nil
	}
	w.keep(step, png)
	return img
}

// keep writes one artefact.
func (w *world) keep(step string, png []byte) {
	w.t.Helper()
	w.shots++
	test := strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(w.t.Name(), "/", "-"), "Test"))
	if !strings.HasSuffix(test, "-"+w.lang) {
		test += "-" + w.lang
	}
	name := fmt.Sprintf("%s-%02d-%s.png", test, w.shots, step)
	if err := os.WriteFile(filepath.Join(artefacts, name), png, 0o644); err != nil {
		w.t.Error(err)
	}
}

// toSession signs a technician in, makes a ticket and opens the code entry.
func (w *world) toSession(subject, requester string) {
	w.t.Helper()
	w.signIn(w.browser, "technician", "Anaïs Tremblay")
	w.newSession(subject, requester)
}

// newSession does so for who is signed in.
func (w *world) newSession(subject, requester string) {
	w.t.Helper()
	w.must(w.browser.Click("#new-ticket"))
	w.must(w.browser.Fill("#ticket-subject", subject))
	w.must(w.browser.Fill("#ticket-requester", requester))
	_, err := stage.Eval[bool](w.browser, fmt.Sprintf(`(e => { e.value = %q; e.dispatchEvent(new Event('input', {bubbles: true})); e.dispatchEvent(new Event('change', {bubbles: true})); return true })(%s)`, w.lang, stage.Element("#ticket-lang")))
	w.must(err)
	w.shot("new-ticket")
	w.must(w.browser.Click("#create-ticket"))
	w.must(w.browser.WaitFor(10*time.Second, "#start-session"))
	w.shot("ticket")
	w.must(w.browser.Click("#start-session"))
	w.must(w.browser.WaitFor(10*time.Second, "#code"))
	w.shot("code-entry")
}

// state waits until the element says it is in a state.
func (w *world) state(state string) {
	w.t.Helper()
	w.stateOf(w.browser, state)
}

// stateOf does so on somebody's page.
func (w *world) stateOf(b *stage.Browser, state string) {
	w.t.Helper()
	w.must(b.Wait(25*time.Second, fmt.Sprintf("%s?.state === %q", stage.Element("remote-session"), state)))
}

// typeCode types a code and sends it.
func (w *world) typeCode(code string) {
	w.t.Helper()
	w.must(w.browser.Fill("#code", code))
	w.must(w.browser.Keys("\r"))
}

// canvas is where the picture stands on the page.
type canvas struct {
	X, Y, Width, Height float64
	W, H                int // of the backing store
}

// canvasPlace asks a page for it.
var canvasPlace = fmt.Sprintf(`(e => { const r = e.getBoundingClientRect(); return {X: r.x, Y: r.y, Width: r.width, Height: r.height, W: Math.round(r.width * devicePixelRatio), H: Math.round(r.height * devicePixelRatio)} })(%s)`, stage.Element("#picture"))

func (w *world) canvas(b *stage.Browser) canvas {
	w.t.Helper()
	c, err := stage.Eval[canvas](b, canvasPlace)
	w.must(err)
	return c
}

// on is a point of the remote desktop, as a point of the page.
func (w *world) on(x, y int) stage.Point { return w.onOf(w.browser, x, y) }

// onOf is a point of the remote desktop, as a point of somebody's page.
func (w *world) onOf(b *stage.Browser, x, y int) stage.Point {
	w.t.Helper()
	c := w.canvas(b)
	return stage.Point{X: c.X + float64(x) + 0.5, Y: c.Y + float64(y) + 0.5}
}

// xwd is the host's display as another program sees it.
func (w *world) xwd() *image.RGBA {
	w.t.Helper()
	dump, err := w.desktop.Output(w.ctx, "xwd", "-root", "-silent")
	// It lists the windows and then asks about each: one may be gone by then.
	for tries := 1; err != nil && tries < 5; tries++ {
		dump, err = w.desktop.Output(w.ctx, "xwd", "-root", "-silent")
	}
	w.must(err)
	img, err := stage.DecodeXWD(dump)
	w.must(err)
	return img
}

// differing counts the pixels in which a page's picture differs from the display.
func (w *world) differing(browser *stage.Browser, page image.Image, display *image.RGBA) (count int, first image.Point) {
	w.t.Helper()
	c := w.canvas(browser)
	if c.X != float64(int(c.X)) || c.Y != float64(int(c.Y)) {
		w.t.Fatalf("the picture does not stand on whole pixels: %+v", c)
	}
	b := display.Bounds()
	for y := range b.Dy() {
		for x := range b.Dx() {
			r, g, bl, _ := page.At(int(c.X)+x, int(c.Y)+y).RGBA()
			i := display.PixOffset(x, y)
			if byte(r>>8) != display.Pix[i] || byte(g>>8) != display.Pix[i+1] || byte(bl>>8) != display.Pix[i+2] {
				if count == 0 {
					first = image.Pt(x, y)
				}
				count++
			}
		}
	}
	return count, first
}

// exact waits until the page shows the display, every pixel, and fails when it
// does not come to that.
func (w *world) exact(step string) {
	w.t.Helper()
	w.exactFor(w.browser, step)
}

// exactFor does so for somebody's page.
func (w *world) exactFor(b *stage.Browser, step string) {
	w.t.Helper()
	// Somebody else's pointer lies over the picture and is no part of it.
	_, err := stage.Eval[bool](b, fmt.Sprintf("(e => { if (e) e.style.visibility = 'hidden'; return true })(%s)", stage.Element("#ghosts")))
	w.must(err)
	var count int
	var first image.Point
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		before := w.xwd()
		page, png, err := b.Screenshot()
		w.must(err)
		if count, first = w.differing(b, page, before); count == 0 {
			w.keep(step, png)
			return
		}
		if time.Now().After(deadline) {
			w.keep(step+"-differs", png)
			w.t.Fatalf("%s: %d pixels differ, the first at %v", step, count, first)
		}
	}
}

func encodePNG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// texts is what the technician's page calls something.
func (w *world) texts(key string) string { return w.textsOf("viewer", key) }

// webTexts is what the pages around it call something.
func (w *world) webTexts(key string) string { return w.textsOf("web", key) }

func (w *world) textsOf(part, key string) string {
	w.t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "..", part, "locales", w.lang+".json"))
	w.must(err)
	var texts map[string]string
	w.must(json.Unmarshal(file, &texts))
	if texts[key] == "" {
		w.t.Fatalf("no text %q", key)
	}
	return texts[key]
}

// log is what the server wrote down, as an auditor takes it out of the house, once
// a session has ended in it.
func (w *world) log() (events string) {
	w.t.Helper()
	w.until("the log holds the session to its end", func() bool {
		file := filepath.Join(w.t.TempDir(), "events.jsonl")
		out, err := exec.CommandContext(w.ctx, programs.Signaling, "export", "--personal", "--format", "jsonl", "--out", file, "--data", w.server.Data).CombinedOutput()
		if err != nil {
			w.t.Fatalf("%v\n%s", err, out)
		}
		b, err := os.ReadFile(file)
		w.must(err)
		events = string(b)
		return strings.Contains(events, "session.ended")
	}, func() string { return events })
	return events
}

// noComplaints fails for what the page had to complain of.
func (w *world) noComplaints() {
	w.t.Helper()
	for _, line := range w.browser.Console() {
		if strings.Contains(line, "Content Security Policy") || strings.Contains(line, "TrustedScript") || strings.HasPrefix(line, "exception") {
			w.t.Errorf("the page complains: %s", line)
		}
	}
}
