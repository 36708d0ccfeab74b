package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/gorilla/websocket"
	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const width, height = 1920, 1080

// bench is one session that is measured.
type bench struct {
	ctx      context.Context
	cancel   context.CancelFunc
	dir      string
	files    stage.Programs
	far      *stage.Desktop // the person's
	near     *stage.Desktop // the technician's
	server   *stage.Server
	host     *stage.Host
	browser  *stage.Browser
	codeTime time.Duration
	rss      [2]float64 // before and in the session
	ox, oy   int        // where the picture begins on the technician's screen
}

func newBench(ctx context.Context) (*bench, error) {
	b := &bench{}
	b.ctx, b.cancel = context.WithCancel(ctx)
	var err error
	if b.dir, err = os.MkdirTemp("", "mainforte-bench-"); err != nil {
		return nil, err
	}
	if err := b.open(); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) close() {
	if b.browser != nil {
		b.browser.Close()
	}
	if b.host != nil {
		_ = b.host.Stop()
	}
	if b.server != nil {
		_ = b.server.Stop()
	}
	for _, d := range []*stage.Desktop{b.near, b.far} {
		if d != nil {
			d.Stop()
		}
	}
	b.cancel()
	_ = os.RemoveAll(b.dir)
}

// open builds the programs and pairs one session with view and control.
func (b *bench) open() (err error) {
	if b.files, err = stage.Build(b.ctx, b.dir); err != nil {
		return err
	}
	if b.far, err = stage.StartDesktop(b.ctx, width, height); err != nil {
		return err
	}
	// Room for the page's own bars beside the picture, so that it stands 1:1.
	if b.near, err = stage.StartDesktop(b.ctx, width+640, height+400); err != nil {
		return err
	}
	addr, err := stage.FreeAddr()
	if err != nil {
		return err
	}
	if b.server, err = stage.StartServer(b.ctx, b.files.Signaling, addr, filepath.Join(b.dir, "data")); err != nil {
		return err
	}
	if b.browser, err = stage.StartBrowser(b.ctx, stage.BrowserOptions{Display: b.near.Display, Width: width + 640, Height: height + 400}); err != nil {
		return err
	}
	link, err := b.server.Link(b.ctx, "technician")
	if err != nil {
		return err
	}
	p := b.browser
	for _, step := range []func() error{
		func() error { return p.Goto(link) },
		func() error { return p.Fill("#name", "Bench") },
		func() error { return p.Fill("#password", "correct horse battery staple") },
		func() error { return p.Click("#submit") },
		func() error { return p.Click("#new-ticket") },
		func() error { return p.Fill("#ticket-subject", "Figures") },
		func() error { return p.Fill("#ticket-requester", "Nobody") },
		func() error { return p.Click("#create-ticket") },
		func() error { return p.Click("#start-session") },
		func() error { return p.WaitFor(10*time.Second, "#code") },
		func() error { _, err := stage.Eval[bool](p, recordConnections); return err },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if b.host, err = stage.StartHost(b.ctx, b.files.Host, b.far.Display, b.server.URL, "en"); err != nil {
		return err
	}
	code, n, err := b.host.Await(b.ctx, 0, stage.Named("code"))
	if err != nil {
		return err
	}
	b.codeTime = time.Since(b.host.Started)
	if b.rss[0], err = rssMB(b.host.Cmd.Process.Pid); err != nil {
		return err
	}
	if err := p.Fill("#code", code.Code); err != nil {
		return err
	}
	if err := p.Keys("\r"); err != nil {
		return err
	}
	for _, grant := range []string{"view", "control"} {
		q, next, err := b.host.Await(b.ctx, n, stage.Named("ask"))
		if err != nil {
			return err
		}
		n = next
		if err := b.host.Say(ui.Command{ID: q.ID, Answer: "allow"}); err != nil {
			return err
		}
		if grant == "view" {
			if err := p.Click("#ask-control"); err != nil {
				return err
			}
		}
	}
	if err := p.WaitFor(15*time.Second, "#give-back"); err != nil {
		return err
	}
	time.Sleep(2 * time.Second) // the first picture, and the page, settle
	place, err := stage.Eval[stage.Point](p, fmt.Sprintf(`(e => { const r = e.getBoundingClientRect(); return {x: r.x + window.screenX + (window.outerWidth - window.innerWidth), y: r.y + window.screenY + (window.outerHeight - window.innerHeight)} })(%s)`, stage.Element("canvas#picture")))
	if err != nil {
		return err
	}
	b.ox, b.oy = int(math.Round(place.X)), int(math.Round(place.Y))
	b.rss[1], err = rssMB(b.host.Cmd.Process.Pid)
	return err
}

// recordConnections keeps the page's peer connections for their statistics, and
// the time of its last key and click.
const recordConnections = `(() => { window.__pcs = []; const o = RTCPeerConnection;
 const n = function (...a) { const pc = new o(...a); window.__pcs.push(pc); return pc }; n.prototype = o.prototype; n.generateCertificate = o.generateCertificate.bind(o); window.RTCPeerConnection = n;
 for (const t of ['keydown', 'pointerdown']) addEventListener(t, e => { window.__at = performance.timeOrigin + e.timeStamp }, true); return true })()`

// bytesReceived counts what came over the connection, in bytes.
func (b *bench) bytesReceived() (float64, error) {
	return stage.Eval[float64](b.browser, `(async () => { let n = 0; for (const pc of window.__pcs) for (const s of (await pc.getStats()).values()) if (s.type === 'transport') n += s.bytesReceived; return n })()`)
}

// start: host start to code, and its memory.
func (b *bench) start() ([]Row, error) {
	return []Row{
		{Name: "host: start to code", Unit: "s", Value: b.codeTime.Seconds(), Target: 2, AtMost: true},
		{Name: "host: RSS waiting (without window)", Unit: "MB", Value: b.rss[0], Target: 120, AtMost: true},
		{Name: "host: RSS in session (without window)", Unit: "MB", Value: b.rss[1], Target: 220, AtMost: true},
	}, nil
}

// latency: key and click to the changed pixel.
func (b *bench) latency(n int) ([]Row, error) {
	flip, err := newFlipper(b.far.Display, 600, 300, 256)
	if err != nil {
		return nil, err
	}
	defer flip.close()
	e, err := openEye(b.near.Display, b.ox+600+128, b.oy+300+128)
	if err != nil {
		return nil, err
	}
	defer e.close()
	hands, err := xgb.NewConnDisplay(b.near.Display)
	if err != nil {
		return nil, err
	}
	defer hands.Close()
	if err := xtest.Init(hands); err != nil {
		return nil, err
	}
	root := xproto.Setup(hands).DefaultScreen(hands).Root
	send := func(typ, detail byte, x, y int) error {
		return xtest.FakeInputChecked(hands, typ, detail, 0, root, int16(x), int16(y), 0).Check()
	}
	const motion, keyDown, keyUp, buttonDown, buttonUp, spaceKey = 6, 2, 3, 4, 5, 65
	if err := send(motion, 0, b.ox+600+40, b.oy+300+40); err != nil {
		return nil, err
	}
	time.Sleep(300 * time.Millisecond)
	one := func(down, up, detail byte) (float64, error) {
		time.Sleep(time.Duration(60+time.Now().UnixNano()%90) * time.Millisecond)
		want := flip.other()
		e.drain()
		if err := send(down, detail, 0, 0); err != nil {
			return 0, err
		}
		s, err := e.await(3*time.Second, func(c uint32) bool { return c == want })
		if err != nil {
			return 0, err
		}
		if err := send(up, detail, 0, 0); err != nil {
			return 0, err
		}
		at, err := stage.Eval[float64](b.browser, "window.__at")
		if err != nil {
			return 0, err
		}
		return float64(s.at.UnixMicro())/1000 - at, nil
	}
	measure := func(down, up, detail byte, n int) ([]float64, error) {
		var v []float64
		for i := range n + 3 {
			ms, err := one(down, up, detail)
			if err != nil {
				return nil, fmt.Errorf("%d of %d: %w", i, n, err)
			}
			if i >= 3 { // the first ones warm up
				v = append(v, ms)
			}
		}
		return v, nil
	}
	clicks, err := measure(buttonDown, buttonUp, 1, n)
	if err != nil {
		return nil, fmt.Errorf("click: %w", err)
	}
	keys, err := measure(keyDown, keyUp, spaceKey, n)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return []Row{
		{Name: "key → screen p50", Unit: "ms", Value: percentile(keys, .5), Target: 8, AtMost: true},
		{Name: "key → screen p95", Unit: "ms", Value: percentile(keys, .95), Target: 11, AtMost: true},
		{Name: "click → screen p50", Unit: "ms", Value: percentile(clicks, .5), Target: 8, AtMost: true},
		{Name: "click → screen p95", Unit: "ms", Value: percentile(clicks, .95), Target: 12, AtMost: true},
	}, nil
}

// usage is CPU and bytes over a time.
type usage struct{ host, x, bytes, seconds float64 }

func (b *bench) measure(d time.Duration, work func(context.Context) error) (usage, error) {
	pids := []int{b.host.Cmd.Process.Pid, b.far.XServer().Cmd.Process.Pid}
	read := func() (v [3]float64, err error) {
		for i, pid := range pids {
			if v[i], err = cpuSeconds(pid); err != nil {
				return v, err
			}
		}
		v[2], err = b.bytesReceived()
		return v, err
	}
	from, err := read()
	if err != nil {
		return usage{}, err
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(b.ctx, d)
	defer cancel()
	if err := work(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return usage{}, err
	}
	to, err := read()
	if err != nil {
		return usage{}, err
	}
	s := time.Since(start).Seconds()
	return usage{100 * (to[0] - from[0]) / s, 100 * (to[1] - from[1]) / s, (to[2] - from[2]) / s, s}, nil
}

// quiet: idle and typing.
func (b *bench) quiet() ([]Row, error) {
	idle, err := b.measure(15*time.Second, func(ctx context.Context) error { <-ctx.Done(); return nil })
	if err != nil {
		return nil, err
	}
	caret, err := newTyper(b.far.Display)
	if err != nil {
		return nil, err
	}
	defer caret.close()
	time.Sleep(500 * time.Millisecond)
	typing, err := b.measure(10*time.Second, func(ctx context.Context) error { return caret.run(ctx, 100*time.Millisecond) })
	if err != nil {
		return nil, err
	}
	return []Row{
		{Name: "idle: bytes", Unit: "kB/s", Value: idle.bytes / 1000, Target: 0.1, AtMost: true},
		{Name: "idle: CPU of host and X server", Unit: "% of a core", Value: idle.host + idle.x, Target: 1, AtMost: true, Note: fmt.Sprintf("host %.2f", idle.host)},
		{Name: "typing 10 keys/s: bytes", Unit: "kB/s", Value: typing.bytes / 1000, Target: 2, AtMost: true},
		{Name: "typing 10 keys/s: CPU of host", Unit: "% of a core", Value: typing.host, Target: 2, AtMost: true},
	}, nil
}

// moving: age of the picture and frames a second under load.
func (b *bench) moving() ([]Row, error) {
	var rows []Row
	for _, c := range []struct {
		name     string
		hz       float64
		age, fps float64
		scroll   bool
		make     func(display string) (mover, error)
	}{
		{"sprite 60 Hz", 60, 12, 58, false, newSprite},
		{"text scroll 30 Hz", 30, 30, 29, true, newScroller},
		{"window drag 60 Hz", 60, 30, 50, true, newDragger},
	} {
		m, err := c.make(b.far.Display)
		if err != nil {
			return nil, err
		}
		mx, my := m.marker()
		e, err := openEye(b.near.Display, b.ox+mx, b.oy+my)
		if err != nil {
			return nil, err
		}
		time.Sleep(time.Second)
		e.drain()
		drawn := map[uint32]time.Time{}
		frames := 0
		u, err := b.measure(5*time.Second, func(ctx context.Context) error {
			tick := time.NewTicker(time.Duration(float64(time.Second) / c.hz))
			defer tick.Stop()
			for n := uint32(1); ; n++ {
				color := n * 0x010307 & 0xffffff
				if err := m.draw(color); err != nil {
					return err
				}
				drawn[color] = time.Now()
				frames++
				select {
				case <-ctx.Done():
					return nil
				case <-tick.C:
				}
			}
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		time.Sleep(300 * time.Millisecond)
		var ages []float64
		for done := false; !done; {
			select {
			case s := <-e.sees:
				if at, ok := drawn[s.color]; ok {
					ages = append(ages, float64(s.at.Sub(at).Microseconds())/1000)
				}
			default:
				done = true
			}
		}
		e.close()
		m.close()
		fps := float64(len(ages)) / u.seconds
		rows = append(rows,
			Row{Name: c.name + ": age p50", Unit: "ms", Value: percentile(ages, .5), Target: c.age, AtMost: true, Note: fmt.Sprintf("p95 %.1f", percentile(ages, .95))},
			Row{Name: c.name + ": frames shown", Unit: "1/s", Value: fps, Target: c.fps, Note: fmt.Sprintf("%.1f drawn", float64(frames)/u.seconds)},
			Row{Name: c.name + ": CPU of host", Unit: "% of a core", Value: u.host})
		if c.scroll {
			rows = append(rows, Row{Name: c.name + ": bytes a frame", Unit: "kB", Value: u.bytes / 1000 / max(fps, 1), Target: 8, AtMost: true})
		} else {
			rows = append(rows, Row{Name: c.name + ": bytes a frame", Unit: "kB", Value: u.bytes / 1000 / max(fps, 1)})
		}
	}
	return rows, nil
}

// idleHosts: memory of the server for each waiting host.
func (b *bench) idleHosts() ([]Row, error) {
	const n = 6000
	// A server of its own: another one's memory still holds what sign-in needed.
	addr, err := stage.FreeAddr()
	if err != nil {
		return nil, err
	}
	server, err := stage.StartServer(b.ctx, b.files.Signaling, addr, filepath.Join(b.dir, "idle"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = server.Stop() }()
	pid := server.Cmd.Process.Pid
	before, err := rssMB(pid)
	if err != nil {
		return nil, err
	}
	hello, err := proto.Marshal(&mfpb.HostMessage{Body: &mfpb.HostMessage_Hello{Hello: &mfpb.Hello{MinVersion: 1, MaxVersion: 1, Kind: mfpb.Kind_KIND_HOST, Software: "bench"}}})
	if err != nil {
		return nil, err
	}
	plate, err := proto.Marshal(&mfpb.HostMessage{Body: &mfpb.HostMessage_PlateRequest{PlateRequest: &mfpb.PlateRequest{}}})
	if err != nil {
		return nil, err
	}
	var conns []*websocket.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	u := url.URL{Scheme: "ws", Host: server.Addr, Path: "/ws/host"}
	dialer := websocket.Dialer{ReadBufferSize: 512, WriteBufferSize: 512}
	for i := range n {
		// The server bounds the sockets of one address: each few hosts have their own.
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+i/100), 1)}}
		dialer.NetDialContext = from.DialContext
		c, _, err := dialer.DialContext(b.ctx, u.String(), nil)
		if err != nil {
			return nil, fmt.Errorf("host %d: %w", len(conns), err)
		}
		conns = append(conns, c)
		for _, m := range [][]byte{hello, plate} {
			if err := c.WriteMessage(websocket.BinaryMessage, m); err != nil {
				return nil, err
			}
		}
		for range 3 { // Hello, Welcome, Plate
			if _, _, err := c.ReadMessage(); err != nil {
				return nil, fmt.Errorf("host %d: %w", len(conns), err)
			}
		}
	}
	// What connecting cost is garbage until the runtime's own collection, which
	// comes at the latest every two minutes, and some seconds to give it back.
	select {
	case <-time.After(150 * time.Second):
	case <-b.ctx.Done():
		return nil, b.ctx.Err()
	}
	after, err := rssMB(pid)
	if err != nil {
		return nil, err
	}
	return []Row{{Name: "server: RSS of an idle host", Unit: "kB", Value: (after - before) * 1024 / n, Target: 5.5, AtMost: true,
		Note: fmt.Sprintf("%d hosts, %.0f → %.0f MB after the runtime's own collection", n, before, after)}}, nil
}
