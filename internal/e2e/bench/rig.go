package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/shape"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

const width, height = 1920, 1080

// seed of the losses.
const seed = 20261122

// rig is one set-up that is measured: for every kind but alone a whole session.
type rig struct {
	kind    kind
	ctx     context.Context
	cancel  context.CancelFunc
	dir     string
	files   stage.Programs
	far     *stage.Desktop // the person's
	near    *stage.Desktop // the technician's
	server  *stage.Server
	line    *shape.Line // behind only
	file    string      // the host, as it is started
	host    *stage.Host
	browser *stage.Browser
	ticket  string      // the page of the ticket
	origin  image.Point // where the picture begins on the technician's screen

	codeTime time.Duration
	consent  time.Time  // when the person allowed view
	rss      [2]float64 // before and in the session
}

func newRig(ctx context.Context, dir string, files stage.Programs, k kind) (*rig, error) {
	r := &rig{kind: k, dir: dir, files: files}
	r.ctx, r.cancel = context.WithCancel(ctx)
	if err := r.open(); err != nil {
		if r.host != nil {
			err = fmt.Errorf("%w\nthe host says:\n%s", err, r.host.Out)
		}
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *rig) close() {
	if r == nil {
		return
	}
	if r.browser != nil {
		r.browser.Close()
	}
	if r.host != nil {
		_ = r.host.Stop()
	}
	if r.server != nil {
		_ = r.server.Stop()
	}
	for _, d := range []*stage.Desktop{r.near, r.far} {
		if d != nil {
			d.Stop()
		}
	}
	if r.line != nil {
		_ = r.line.Close()
	}
	r.cancel()
}

// open pairs one session with view and control, unless the rig is alone.
func (r *rig) open() (err error) {
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	if r.kind == alone {
		return nil
	}
	if r.far, err = stage.StartDesktop(r.ctx, width, height); err != nil {
		return err
	}
	// Room for the page's own bars beside the picture, so that it stands 1:1.
	if r.near, err = stage.StartDesktop(r.ctx, width+640, height+400); err != nil {
		return err
	}
	addr, err := stage.FreeAddr()
	if err != nil {
		return err
	}
	if r.server, err = stage.StartServer(r.ctx, r.files.Signaling, addr, filepath.Join(r.dir, "data")); err != nil {
		return err
	}
	r.file = r.files.Host
	if r.kind == behind {
		if err := r.putBehind(addr); err != nil {
			return err
		}
	}
	if r.browser, err = stage.StartBrowser(r.ctx, stage.BrowserOptions{Display: r.near.Display, Width: width + 640, Height: height + 400}); err != nil {
		return err
	}
	if err := r.signIn(); err != nil {
		return err
	}
	if err := r.pair(); err != nil {
		return err
	}
	time.Sleep(2 * time.Second) // the first picture, and the page, settle
	if err := r.place(); err != nil {
		return err
	}
	r.rss[1], err = rssMB(r.host.Cmd.Process.Pid)
	return err
}

// putBehind puts the host behind a line that is perfect until it is set.
func (r *rig) putBehind(server string) (err error) {
	if r.line, err = shape.Open(seed); err != nil {
		return err
	}
	if err := r.line.Reach(server); err != nil {
		return err
	}
	r.file, err = r.line.Program(r.dir, r.files.Host)
	return err
}

// signIn brings a new technician's page up to the field for the code.
func (r *rig) signIn() error {
	link, err := r.server.Link(r.ctx, "technician")
	if err != nil {
		return err
	}
	p := r.browser
	return steps(
		func() error { return p.Goto(link) },
		func() error { return p.Fill("#name", "Bench") },
		func() error { return p.Fill("#password", "correct horse battery staple") },
		func() error { return p.Click("#submit") },
		func() error { return p.Click("#new-ticket") },
		func() error { return p.Fill("#ticket-subject", "Figures") },
		func() error { return p.Fill("#ticket-requester", "Nobody") },
		func() error { return p.Click("#create-ticket") },
		func() error { return p.WaitFor(10*time.Second, "#start-session") },
		func() (err error) { r.ticket, err = stage.Eval[string](p, "location.href"); return err },
		func() error { return p.Click("#start-session") },
		func() error { return p.WaitFor(10*time.Second, "#code") },
		func() error { _, err := stage.Eval[bool](p, recordConnections); return err },
	)
}

func steps(all ...func() error) error {
	for _, step := range all {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// pair starts the host and allows view and control to who types its code.
func (r *rig) pair() (err error) {
	if r.host, err = stage.StartHost(r.ctx, r.file, r.far.Display, r.server.URL, "en"); err != nil {
		return err
	}
	code, n, err := r.host.Await(r.ctx, 0, stage.Named("code"))
	if err != nil {
		return err
	}
	r.codeTime = time.Since(r.host.Started)
	if r.rss[0], err = rssMB(r.host.Cmd.Process.Pid); err != nil {
		return err
	}
	if err := r.browser.Fill("#code", code.Code); err != nil {
		return err
	}
	if err := r.browser.Keys("\r"); err != nil {
		return err
	}
	for _, grant := range []string{"view", "control"} {
		ctx, cancel := context.WithTimeout(r.ctx, 20*time.Second)
		q, next, err := r.host.Await(ctx, n, stage.Named("ask"))
		cancel()
		if err != nil {
			return err
		}
		n = next
		if grant == "view" {
			r.consent = time.Now()
		}
		if err := r.host.Say(ui.Command{ID: q.ID, Answer: "allow"}); err != nil {
			return err
		}
		if grant == "view" {
			if err := r.browser.Click("#ask-control"); err != nil {
				return err
			}
		}
	}
	return r.browser.WaitFor(15*time.Second, "#give-back")
}

// place finds the picture on the technician's screen.
func (r *rig) place() error {
	at, err := stage.Eval[stage.Point](r.browser, fmt.Sprintf(`(e => { const r = e.getBoundingClientRect(); return {x: r.x + window.screenX + (window.outerWidth - window.innerWidth), y: r.y + window.screenY + (window.outerHeight - window.innerHeight)} })(%s)`, stage.Element("#picture")))
	r.origin = image.Pt(int(math.Round(at.X)), int(math.Round(at.Y)))
	return err
}

// shown is where an area of the person's screen is on the technician's.
func (r *rig) shown(area image.Rectangle) image.Rectangle { return area.Add(r.origin) }

// recordConnections keeps the page's peer connections for their statistics, and
// the time of its last key and click.
const recordConnections = `(() => { window.__pcs = []; const o = RTCPeerConnection;
 const n = function (...a) { const pc = new o(...a); window.__pcs.push(pc); return pc }; n.prototype = o.prototype; n.generateCertificate = o.generateCertificate.bind(o); window.RTCPeerConnection = n;
 for (const t of ['keydown', 'pointerdown']) addEventListener(t, e => { window.__at = performance.timeOrigin + e.timeStamp }, true); return true })()`

// eventTime is when the page's last key or click happened, ms since 1970.
func (r *rig) eventTime() (float64, error) { return stage.Eval[float64](r.browser, "window.__at") }

// received counts what came over the connection, in bytes, and how many of them were video.
func (r *rig) received() (all, video float64, err error) {
	n, err := stage.Eval[[]float64](r.browser, `(async () => { const n = [0, 0]; for (const pc of window.__pcs) for (const s of (await pc.getStats()).values()) {
		if (s.type === 'transport') n[0] += s.bytesReceived; if (s.type === 'inbound-rtp' && s.kind === 'video') n[1] += s.bytesReceived } return n })()`)
	if err != nil || len(n) != 2 {
		return 0, 0, errors.Join(err, errors.New("the page counts nothing"))
	}
	return n[0], n[1], nil
}

// usage is CPU, in % of a core, and bytes over a time.
type usage struct{ host, x, bytes, video, seconds float64 }

// path names how the picture came.
func (u usage) path() string {
	if u.video < u.bytes/100 {
		return "by tiles"
	}
	return fmt.Sprintf("%.0f %% by video", 100*u.video/u.bytes)
}

// measure counts while work runs, for d at most.
func (r *rig) measure(d time.Duration, work func(context.Context) error) (usage, error) {
	pids := []int{r.host.Cmd.Process.Pid, r.far.XServer().Cmd.Process.Pid}
	read := func() (v [4]float64, err error) {
		for i, pid := range pids {
			if v[i], err = cpuSeconds(pid); err != nil {
				return v, err
			}
		}
		v[2], v[3], err = r.received()
		return v, err
	}
	from, err := read()
	if err != nil {
		return usage{}, err
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(r.ctx, d)
	defer cancel()
	if err := work(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return usage{}, err
	}
	to, err := read()
	if err != nil {
		return usage{}, err
	}
	s := time.Since(start).Seconds()
	return usage{100 * (to[0] - from[0]) / s, 100 * (to[1] - from[1]) / s, to[2] - from[2], to[3] - from[3], s}, nil
}

// quiet: idle and typing.
func (r *rig) quiet() ([]Row, error) {
	time.Sleep(3 * time.Second) // what the part before this one took off the screen is still on its way
	idle, err := r.measure(15*time.Second, func(ctx context.Context) error { <-ctx.Done(); return nil })
	if err != nil {
		return nil, err
	}
	caret, err := newTyper(r.far.Display)
	if err != nil {
		return nil, err
	}
	defer caret.close()
	time.Sleep(500 * time.Millisecond)
	typing, err := r.measure(10*time.Second, func(ctx context.Context) error { return caret.run(ctx, 100*time.Millisecond) })
	if err != nil {
		return nil, err
	}
	rows := []Row{
		atMost("idle: bytes", "kB/s", idle.bytes/1000/idle.seconds, 0.1),
		atMost("idle: CPU of host and X server", "% of a core", idle.host+idle.x, 1),
		atMost("typing 10 keys/s: bytes", "kB/s", typing.bytes/1000/typing.seconds, 2),
		atMost("typing 10 keys/s: CPU of host", "% of a core", typing.host, 2),
	}
	rows[1].Note = fmt.Sprintf("host %.2f", idle.host)
	return rows, nil
}
