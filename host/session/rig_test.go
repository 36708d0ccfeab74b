package session_test

import (
	"cmp"
	"context"
	"image"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/host/capture"
	capturefake "github.com/mainforte/mainforte/host/capture/fake"
	"github.com/mainforte/mainforte/host/input"
	inputfake "github.com/mainforte/mainforte/host/input/fake"
	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/host/ui/uitest"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const (
	patience  = 20 * time.Second
	nameplate = "482"
)

// server is a signaling server that says what the test tells it to say.
type server struct {
	t     *testing.T
	http  *httptest.Server
	lines chan *hostLine

	mu  sync.Mutex
	all []*hostLine
}

// close ends every connection: an upgraded one is no longer httptest's.
func (s *server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.all {
		l.conn.Close()
		<-l.over
	}
	s.http.Close()
}

func newServer(t *testing.T) *server {
	s := &server{t: t, lines: make(chan *hostLine, 16)}
	up := websocket.Upgrader{}
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ws/host" || r.Header.Get("Cookie") != "" || r.Header.Get("Origin") != "" {
			t.Errorf("the host asked for %s with %v", r.URL, r.Header)
		}
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		l := &hostLine{t: t, conn: conn, in: make(chan *mfpb.HostMessage, 1024), over: make(chan struct{})}
		go l.read()
		s.mu.Lock()
		s.all = append(s.all, l)
		s.mu.Unlock()
		s.lines <- l
	}))
	return s
}

// url is where the host dials.
func (s *server) url() *url.URL {
	u, err := session.ParseServer(s.http.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

// hostLine is one connection of the host's.
type hostLine struct {
	t    *testing.T
	conn *websocket.Conn
	in   chan *mfpb.HostMessage
	over chan struct{}
	why  error // valid once over is closed
	mu   sync.Mutex
}

func (l *hostLine) read() {
	defer close(l.over)
	for {
		_, b, err := l.conn.ReadMessage()
		if err != nil {
			l.why = err
			l.conn.Close()
			return
		}
		m := new(mfpb.HostMessage)
		if err := wire.Decode(b, wire.MaxFrame, m); err != nil {
			l.t.Errorf("the host sent what is no message: %v", err)
			return
		}
		l.in <- m
	}
}

func (s *server) accept() *hostLine {
	s.t.Helper()
	select {
	case l := <-s.lines:
		return l
	case <-time.After(patience):
		s.t.Fatal("the host did not connect")
		return nil
	}
}

// send sends a message by its body: send(&mfpb.Plate{…}).
// What names no participant is meant for the first.
func (l *hostLine) send(body proto.Message) {
	switch b := body.(type) {
	case *mfpb.Attach:
		b.Participant = cmp.Or(b.Participant, "1")
	case *mfpb.Sealed:
		b.Participant = cmp.Or(b.Participant, "1")
	case *mfpb.ViewerState:
		b.Participant = cmp.Or(b.Participant, "1")
	}
	m := &mfpb.ServerToHost{}
	r := m.ProtoReflect()
	fields := r.Descriptor().Oneofs().ByName("body").Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.Message().FullName() == body.ProtoReflect().Descriptor().FullName() {
			r.Set(f, protoValue(body))
			l.write(m)
			return
		}
	}
	l.t.Fatalf("no body %T", body)
}

func (l *hostLine) write(m *mfpb.ServerToHost) {
	b, err := wire.Encode(m, wire.MaxFrame)
	if err != nil {
		l.t.Fatal(err)
	}
	l.raw(websocket.BinaryMessage, b)
}

func (l *hostLine) raw(kind int, b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.conn.WriteMessage(kind, b)
}

// next is the host's next message.
func (l *hostLine) next() *mfpb.HostMessage {
	l.t.Helper()
	select {
	case m := <-l.in:
		return m
	case <-time.After(patience):
		l.t.Fatalf("the host says nothing")
	case <-l.over:
		select {
		case m := <-l.in:
			return m
		default:
		}
		l.t.Fatalf("the host closed the line: %v", l.why)
	}
	return nil
}

// expect is the host's next message, which must have this body: expect[*mfpb.Hello](l).
func expect[T proto.Message](l *hostLine) T {
	l.t.Helper()
	body := bodyOf(l.next())
	m, ok := body.(T)
	if !ok {
		l.t.Fatalf("the host sent %T %v, want %v", body, body, reflect.TypeFor[T]())
	}
	return m
}

// quiet fails if the host says anything within a short time.
func (l *hostLine) quiet() {
	l.t.Helper()
	select {
	case m := <-l.in:
		l.t.Fatalf("the host said %v", m)
	case <-time.After(300 * time.Millisecond):
	}
}

func bodyOf(m *mfpb.HostMessage) proto.Message {
	r := m.ProtoReflect()
	f := r.WhichOneof(r.Descriptor().Oneofs().ByName("body"))
	if f == nil {
		return nil
	}
	return r.Get(f).Message().Interface()
}

// welcome takes the host's hello and answers as the server it dialled.
func (l *hostLine) welcome() {
	l.t.Helper()
	if h := expect[*mfpb.Hello](l); h.Kind != mfpb.Kind_KIND_HOST {
		l.t.Fatalf("hello: %v", h)
	}
	l.send(wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_SERVER}))
	l.send(&mfpb.Welcome{PublicHost: "127.0.0.1", Organisation: "Aide & Co", GraceS: 2})
}

// plate gives the nameplate that the host asks for.
func (l *hostLine) plate(number string) *mfpb.PlateRequest {
	l.t.Helper()
	m := expect[*mfpb.PlateRequest](l)
	l.send(&mfpb.Plate{Nameplate: number})
	return m
}

// clock is a time that stands still until the test moves it.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	timers []timer
}

type timer struct {
	at time.Time
	c  chan time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Until(at time.Time) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := timer{at, make(chan time.Time, 1)}
	if at.After(c.now) {
		c.timers = append(c.timers, t)
	} else {
		t.c <- c.now
	}
	return t.c
}

// Advance moves the time and wakes who waited for it.
func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	rest := c.timers[:0]
	for _, t := range c.timers {
		if t.at.After(c.now) {
			rest = append(rest, t)
		} else {
			t.c <- c.now
		}
	}
	c.timers = rest
}

// rig is a host that runs against a scripted server.
type rig struct {
	t      *testing.T
	server *server
	window *uitest.Window
	host   *session.Host
	clock  *clock // nil: the system's
	hands  *inputfake.Injector
	screen *capturefake.Source
	opens  int // how often the desktop was opened
	// What the server says of the chat, and of the receipt.
	chat, receipt string
	ruledOut      []string // by the server's policy
	endsIn        uint32   // seconds
	cancel        context.CancelFunc
	down          func() // the system stops

	mu  sync.Mutex
	err error
	out chan struct{} // closed when Run returned
}

// start runs a host. Options change its configuration.
func start(t *testing.T, options ...func(*rig, *session.Config)) *rig {
	t.Helper()
	return startAt(t, newServer(t), options...)
}

// startAt runs a host against a server that another one may have used.
func startAt(t *testing.T, at *server, options ...func(*rig, *session.Config)) *rig {
	t.Helper()
	before := runtime.NumGoroutine()
	r := &rig{t: t, server: at, window: uitest.New(), hands: inputfake.New(t), screen: capturefake.New(t, 64, 48), out: make(chan struct{})}
	cfg := session.Config{
		Server: r.server.url(), Lang: "en", Window: r.window, Software: "test",
		OpenDesktop: func() (capture.Source, input.Injector, input.Guard, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.opens++
			return r.screen, r.hands, anywhere{}, nil
		},
	}
	if testing.Verbose() {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	for _, o := range options {
		o(r, &cfg)
	}
	ctx, cause := context.WithCancelCause(t.Context())
	cancel := func() { cause(nil) }
	r.cancel, r.down = cancel, func() { cause(session.ErrGoingDown) }
	r.host = session.New(cfg)
	go func() {
		err := r.host.Run(ctx)
		r.mu.Lock()
		r.err = err
		r.mu.Unlock()
		close(r.out)
	}()
	t.Cleanup(func() {
		cancel()
		r.wait()
		r.server.close()
		nothingLeft(t, before)
	})
	return r
}

// withClock makes the test the master of time.
func withClock(r *rig, cfg *session.Config) {
	r.clock = newClock()
	cfg.Clock = r.clock
}

// wait returns Run's error.
func (r *rig) wait() error {
	r.t.Helper()
	select {
	case <-r.out:
	case <-time.After(patience):
		buf := make([]byte, 1<<20)
		r.t.Fatalf("the host does not end:\n%s", buf[:runtime.Stack(buf, true)])
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *rig) opened() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opens
}

// code waits for the next code and splits it.
func (r *rig) code() (plate, secret string) {
	r.t.Helper()
	plate, secret, err := wire.ParseCode(r.window.Wait(r.t, "code").Code)
	if err != nil {
		r.t.Fatal(err)
	}
	return plate, secret
}

// nothingLeft fails when goroutines of ours or pion's outlive the host.
func nothingLeft(t *testing.T, before int) {
	t.Helper()
	var stacks string
	for range 100 {
		buf := make([]byte, 1<<20)
		stacks = string(buf[:runtime.Stack(buf, true)])
		left := 0
		for g := range strings.SplitSeq(stacks, "\n\n") {
			ours := strings.Contains(g, "mainforte/host/") && !strings.Contains(g, "session_test.") && !strings.Contains(g, "testing.tRunner")
			if ours || strings.Contains(g, "pion/") {
				left++
			}
		}
		if left == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("goroutines outlive the host (%d before):\n%s", before, stacks)
}

// anywhere is a guard with nothing to protect.
type anywhere struct{}

func (anywhere) PointerAllowed(int, int) bool { return true }
func (anywhere) KeysAllowed() bool            { return true }
func (anywhere) Protect(uint64)               {}

// paint changes one pixel of the host's screen.
func (r *rig) paint(x, y int, colour uint32) { r.screen.Fill(image.Rect(x, y, x+1, y+1), colour) }

// ctx is a context that a test's waiting ends with.
func ctx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return c
}

// live pairs and attaches a viewer and lets the person allow view.
func (r *rig) live(options ...func(*gopeer.Options)) (*gopeer.Viewer, *relay) {
	r.t.Helper()
	l := r.server.accept()
	l.welcome()
	l.plate(nameplate)
	v, s := r.pair(l, options...)
	r.window.Answer(r.t, "view", "allow")
	if err := v.Attach(ctx(r.t)); err != nil {
		r.t.Fatal(err)
	}
	if err := v.WaitGrant(ctx(r.t), "view", gopeer.Allowed); err != nil {
		r.t.Fatal(err)
	}
	return v, s
}

// control lets the technician ask for control and the person allow it.
func (r *rig) control(v *gopeer.Viewer) {
	r.t.Helper()
	if err := v.Ask("control"); err != nil {
		r.t.Fatal(err)
	}
	r.window.Answer(r.t, "control", "allow")
	if err := v.WaitGrant(ctx(r.t), "control", gopeer.Allowed); err != nil {
		r.t.Fatal(err)
	}
}

// ends expects the reason that both sides, the person and the log are told.
func (r *rig) ends(v *gopeer.Viewer, s *relay, want mfpb.Reason) {
	r.t.Helper()
	if v != nil {
		if got, err := v.WaitEnd(ctx(r.t)); err != nil || got != want {
			r.t.Errorf("the viewer was told %v, %v; want %v", got, err, want)
		}
	}
	if e := r.window.Wait(r.t, "ended"); e.Reason != wire.Name(want) || e.Text == "" {
		r.t.Errorf("the person was told %q %q, want %v", e.Reason, e.Text, want)
	}
	r.logged(s, want)
}

// logged is the end as the log is told it.
func (r *rig) logged(s *relay, want mfpb.Reason) {
	r.t.Helper()
	if c := s.closed(); c.Reason != want {
		r.t.Errorf("the log was told %v, want %v", c.Reason, want)
	}
	if err := r.wait(); err != nil && (want != mfpb.Reason_REASON_HOST_QUIT || err != session.ErrQuit) {
		r.t.Errorf("Run: %v", err)
	}
}

var _ ui.Window = (*uitest.Window)(nil)

// sees waits until the viewer's picture has a colour at a place.
func (r *rig) sees(v *gopeer.Viewer, x, y int, colour uint32) {
	r.t.Helper()
	late := time.Now().Add(patience)
	for {
		if w, _, pix := v.Pixels(); len(pix) > y*w+x && pix[y*w+x] == colour {
			return
		}
		if time.Now().After(late) {
			r.t.Fatalf("the viewer does not see %06x at %d,%d", colour, x, y)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
