package pairing

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// bench is a desk with a real database, log, ticket desk and sockets. Its clock
// stands still until it is moved.
type bench struct {
	t      *testing.T
	dir    string
	store  *failing
	log    *audit.Log
	local  *tickets.Local
	outbox *tickets.Outbox
	desk   *Desk
	srv    *httptest.Server
	change []func(*Config)
	clock  *clock
	output *buffer // what the server logged
	ticket tickets.Ticket
	over   sync.Map // sign-in ids that ended

	stopOutbox func()
}

type clock struct{ ahead atomic.Int64 }

var origin = time.Now()

func (c *clock) now() time.Time { return origin.Add(time.Duration(c.ahead.Load())) }

// advance moves the clock. What is being written is written first: a database
// must not seem slow because a test is fast.
func (b *bench) advance(d time.Duration) {
	for deadline := time.Now().Add(soon); b.writing() && !b.store.full.Load() && b.store.gate.Load() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatal("the journal does not come to rest")
		}
	}
	b.clock.ahead.Add(int64(d))
}

func (b *bench) writing() bool {
	b.desk.mu.Lock()
	defer b.desk.mu.Unlock()
	for _, s := range b.desk.sessions {
		if s.journal.working {
			return true
		}
	}
	return false
}

// failing is a database whose disk can be full, or that can take its time.
type failing struct {
	store.Store
	full atomic.Bool
	gate atomic.Pointer[chan struct{}]
}

func (f *failing) Update(ctx context.Context, fn func(store.Tx) error) error {
	if g := f.gate.Load(); g != nil {
		<-*g
	}
	if f.full.Load() {
		return store.ErrUnavailable
	}
	return f.Store.Update(ctx, fn)
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *bench) Alive(_ context.Context, id string) (bool, error) {
	_, over := b.over.Load(id)
	return !over, nil
}

// generous limits let a test try often; the tests of limits set their own.
func generous(c *Config) {
	many := limit.Every{N: 1_000_000, In: time.Hour}
	c.Limits = Limits{Account: many, AccountDay: many, Address: many, All: many, Plates: many, ViewersPerUser: 1000, HostsPerAddress: 1000}
}

func newBench(t *testing.T, change ...func(*Config)) *bench {
	t.Helper()
	return newBenchIn(t, t.TempDir(), change...)
}

func newBenchIn(t *testing.T, dir string, change ...func(*Config)) *bench {
	t.Helper()
	b := &bench{t: t, dir: dir, clock: &clock{}, output: &buffer{}, change: append([]func(*Config){generous}, change...)}
	t.Cleanup(b.stop)
	b.start()
	ticket, err := b.local.Create(t.Context(), tickets.New{Subject: "Imprimante en panne", Requester: "Élodie Caron", Lang: "fr"})
	if err != nil {
		t.Fatal(err)
	}
	b.ticket = ticket
	for _, u := range []string{"ann", "bob"} {
		err := b.store.Store.Update(t.Context(), func(tx store.Tx) error {
			_, err := tx.Exec(`insert into users (id, name, name_key, role, password_hash, created) values (?, ?, ?, 'technician', '', ?)`,
				"id-"+u, u, u, store.FormatTime(b.clock.now()))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// start is a server process that begins on the folder.
func (b *bench) start() {
	b.t.Helper()
	st, err := store.OpenSQLite(filepath.Join(b.dir, "db.sqlite"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.store = &failing{Store: st}
	if b.log, err = audit.Open(b.t.Context(), b.store, filepath.Join(b.dir, "keys")); err != nil {
		b.t.Fatal(err)
	}
	b.local = tickets.NewLocal(b.store)
	b.outbox = tickets.NewOutbox(b.store, b.log, b.local)
	cfg := Config{
		Store: b.store, Log: b.log, Tickets: b.local, Outbox: b.outbox, SignIns: b,
		PublicHost: "help.example.com", Organisation: "Example", Software: "mainforte test",
		Now: b.clock.now, Tick: 5 * time.Millisecond, Grace: 30 * time.Second,
		Logger: slog.New(slog.NewTextHandler(b.output, nil)),
	}
	for _, f := range b.change {
		f(&cfg)
	}
	if b.desk, err = New(b.t.Context(), cfg); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	outbox := b.outbox
	go func() {
		defer close(done)
		outbox.Run(ctx, func(err error) { b.output.Write([]byte(err.Error())) })
	}()
	b.stopOutbox = func() { cancel(); <-done }
	mux := http.NewServeMux()
	mux.HandleFunc("/ws/host", b.desk.ServeHost)
	mux.HandleFunc("/ws/viewer", func(w http.ResponseWriter, r *http.Request) {
		u := r.URL.Query().Get("user")
		b.desk.ServeViewer(w, r, identity.SignIn{
			ID:     "signin-" + u,
			User:   identity.User{ID: "id-" + u, Name: u + "\u202e", Role: identity.Technician},
			Method: identity.ByPassword, At: b.clock.now(), Expires: b.clock.now().Add(12 * time.Hour),
		}, "http://"+r.Host)
	})
	b.srv = httptest.NewServer(mux)
}

// stop is the end of the server process, in good order.
func (b *bench) stop() {
	if b.srv == nil {
		return
	}
	b.store.full.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.desk.Close(ctx); err != nil {
		b.t.Errorf("closing the desk: %v", err)
	}
	b.kill()
}

// kill takes the process away: what is not in the database is gone.
func (b *bench) kill() {
	b.stopOutbox()
	b.srv.CloseClientConnections()
	b.srv.Close()
	b.srv = nil
	if err := b.store.Close(); err != nil {
		b.t.Error(err)
	}
}

func (b *bench) url(path string) string { return "ws" + strings.TrimPrefix(b.srv.URL, "http") + path }

// ---- raw peers

// peer is one end of a socket that says whatever a test wants said.
type peer struct {
	t    *testing.T
	ws   *websocket.Conn
	host bool
	in   chan proto.Message
	err  chan error
	mu   sync.Mutex
	deaf atomic.Bool // reads nothing more
}

// dialWithPings is a host that says nothing but Hello; the channel hears pings.
func (b *bench) dialWithPings(t *testing.T) <-chan struct{} {
	t.Helper()
	h := b.newHost()
	heard := make(chan struct{}, pingSlots)
	// Set before the first ping can come: nothing but the wheel sends any.
	h.ws.SetPingHandler(func(string) error { heard <- struct{}{}; return nil })
	return heard
}

func (b *bench) dial(host bool, user string) *peer {
	b.t.Helper()
	path, header := "/ws/host", http.Header{}
	if !host {
		path = "/ws/viewer?user=" + user
		header.Set("Origin", b.srv.URL)
	}
	ws, resp, err := websocket.DefaultDialer.Dial(b.url(path), header)
	if err != nil {
		b.t.Fatalf("dialling %s: %v (%v)", path, err, resp)
	}
	p := &peer{t: b.t, ws: ws, host: host, in: make(chan proto.Message, 4096), err: make(chan error, 1)}
	b.t.Cleanup(func() { ws.Close() })
	go func() {
		defer close(p.in)
		for {
			for p.deaf.Load() && b.t.Context().Err() == nil {
				time.Sleep(5 * time.Millisecond)
			}
			_, raw, err := ws.ReadMessage()
			if err != nil {
				p.err <- err
				return
			}
			var m proto.Message = &mfpb.ServerToHost{}
			if !host {
				m = &mfpb.ServerToViewer{}
			}
			if err := wire.Decode(raw, wire.MaxFrame, m); err != nil {
				p.err <- err
				return
			}
			p.in <- m
		}
	}()
	return p
}

func (p *peer) raw(kind int, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ws.WriteMessage(kind, b) // the server may have closed already
}

func (p *peer) send(m proto.Message) {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	p.raw(websocket.BinaryMessage, b)
}

func (p *peer) hello(kind mfpb.Kind) {
	h := wire.Versions(&mfpb.Hello{Kind: kind, Lang: "fr", Software: "raw peer"})
	if p.host {
		p.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Hello{Hello: h}})
	} else {
		p.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Hello{Hello: h}})
	}
}

var errQuiet = errors.New("nothing came")

// next is the next message, whatever it is.
func (p *peer) next(within time.Duration) (proto.Message, error) {
	select {
	case m, ok := <-p.in:
		if !ok {
			err := <-p.err
			p.err <- err
			return nil, err
		}
		return m, nil
	case <-time.After(within):
		return nil, errQuiet
	}
}

const soon = 10 * time.Second

// want returns the next message's body, which must be of that kind.
func want[T any](t *testing.T, p *peer) T {
	t.Helper()
	m, err := p.next(soon)
	if err != nil {
		var zero T
		t.Fatalf("waiting for %T: %v", zero, err)
	}
	body := bodyOf(m)
	got, ok := body.(T)
	if !ok {
		var zero T
		t.Fatalf("got %v, want a %T", m, zero)
	}
	return got
}

// bodyOf is the message inside an envelope.
func bodyOf(m proto.Message) any {
	r := m.ProtoReflect()
	f := r.WhichOneof(r.Descriptor().Oneofs().ByName("body"))
	if f == nil {
		return nil
	}
	return r.Get(f).Message().Interface()
}

// quiet checks that nothing comes for a moment.
func quiet(t *testing.T, p *peer) {
	t.Helper()
	if m, err := p.next(80 * time.Millisecond); !errors.Is(err, errQuiet) {
		t.Fatalf("something came: %v %v", m, err)
	}
}

// wantEnd checks for an End with that reason, and for the close of the line.
func wantEnd(t *testing.T, p *peer, r mfpb.Reason, closed bool) {
	t.Helper()
	if got := want[*mfpb.End](t, p).Reason; got != r {
		t.Fatalf("ended with %v, want %v", got, r)
	}
	if closed {
		wantClosed(t, p, websocket.ClosePolicyViolation)
	}
}

func wantClosed(t *testing.T, p *peer, codes ...int) {
	t.Helper()
	m, err := p.next(soon)
	if m != nil || !websocket.IsCloseError(err, codes...) {
		t.Fatalf("got %v %v, want the line closed with %v", m, err, codes)
	}
}

// ---- the proper course of things

type hostPeer struct {
	*peer
	key     ed25519.PrivateKey
	plate   string
	session string
	token   []byte
	seq     uint64
}

func (b *bench) host() *hostPeer {
	b.t.Helper()
	h := b.newHost()
	h.want(b.t)
	return h
}

func (b *bench) newHost() *hostPeer {
	b.t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	h := &hostPeer{peer: b.dial(true, ""), key: key}
	h.hello(mfpb.Kind_KIND_HOST)
	want[*mfpb.Hello](b.t, h.peer)
	want[*mfpb.Welcome](b.t, h.peer)
	return h
}

func (h *hostPeer) pub() ed25519.PublicKey { return h.key.Public().(ed25519.PublicKey) }

// want asks for a nameplate.
func (h *hostPeer) want(t *testing.T) {
	t.Helper()
	h.ask(0)
	h.plate = want[*mfpb.Plate](t, h.peer).Nameplate
}

func (h *hostPeer) ask(why mfpb.Reason) {
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_PlateRequest{PlateRequest: &mfpb.PlateRequest{Why: why}}})
}

func (h *hostPeer) reply(claim []byte) {
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_PakeReply{PakeReply: &mfpb.PakeReply{
		Claim: claim, Share: make([]byte, 32), Ad: wire.HostAD(h.pub()), Tag: make([]byte, 64),
	}}})
}

func (h *hostPeer) paired(claim []byte) {
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Paired{Paired: &mfpb.Paired{Claim: claim, SigningKey: h.pub()}}})
}

// event writes one line of the host's log.
func (h *hostPeer) event(typ, outcome, data string) {
	h.seq++
	h.eventAt(h.seq, typ, outcome, data, "")
}

func (h *hostPeer) eventAt(seq uint64, typ, outcome, data, personal string) {
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Event{Event: &mfpb.HostEvent{
		Seq: seq, Time: time.Now().UnixNano(), MonoMs: int64(seq), Type: typ, Outcome: outcome,
		Data: []byte(data), Personal: []byte(personal),
	}}})
}

func (h *hostPeer) close(r mfpb.Reason) {
	const ms = 61_000
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Close{Close: &mfpb.HostClose{
		Reason: r, Events: h.seq, DurationMs: ms,
		Signature: ed25519.Sign(h.key, wire.CloseMessage(h.session, r, h.seq, ms)),
	}}})
}

// acked waits until the server says that everything up to seq is durable.
func (h *hostPeer) acked(t *testing.T, seq uint64) {
	t.Helper()
	for want[*mfpb.EventAck](t, h.peer).Seq < seq {
	}
}

func (h *hostPeer) attach(epoch uint32) {
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Attach{Attach: &mfpb.Attach{Epoch: epoch, Nonce: make([]byte, 16)}}})
}

func (h *hostPeer) sealed(counter uint64, box []byte) {
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Sealed{Sealed: &mfpb.Sealed{Epoch: 1, Counter: counter, Box: box}}})
}

type viewerPeer struct {
	*peer
	session string
	token   []byte
}

func (b *bench) viewer(user string) *viewerPeer {
	b.t.Helper()
	v := &viewerPeer{peer: b.dial(false, user)}
	v.hello(mfpb.Kind_KIND_VIEWER)
	want[*mfpb.Hello](b.t, v.peer)
	want[*mfpb.Welcome](b.t, v.peer)
	return v
}

func (v *viewerPeer) claim(plate, ticket string) {
	v.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Claim{Claim: &mfpb.Claim{
		Nameplate: plate, TicketId: ticket, Sid: make([]byte, 16), Share: make([]byte, 32), Ad: wire.ViewerAD(),
	}}})
}

func (v *viewerPeer) confirm(claim []byte) {
	v.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Confirm{Confirm: &mfpb.Confirm{Claim: claim, Tag: make([]byte, 64)}}})
}

func (v *viewerPeer) verdict(claim []byte, r mfpb.Reason) {
	v.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Verdict{Verdict: &mfpb.ClaimVerdict{Claim: claim, Reason: r}}})
}

func (v *viewerPeer) sealed(counter uint64, box []byte) {
	v.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Sealed{Sealed: &mfpb.Sealed{Epoch: 1, Counter: counter, Box: box}}})
}

func (v *viewerPeer) attach(epoch uint32) {
	v.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Attach{Attach: &mfpb.Attach{Epoch: epoch, Nonce: make([]byte, 16)}}})
}

func (v *viewerPeer) end(r mfpb.Reason) {
	v.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_End{End: &mfpb.End{Reason: r}}})
}

func (v *viewerPeer) refused(t *testing.T, r mfpb.Reason) {
	t.Helper()
	if got := want[*mfpb.ClaimResult](t, v.peer).Reason; got != r {
		t.Fatalf("the claim was refused with %v, want %v", got, r)
	}
}

// confirmed brings a claim to the point where only Paired is missing.
func (b *bench) confirmed(h *hostPeer, v *viewerPeer) (claim []byte) {
	b.t.Helper()
	v.claim(h.plate, b.ticket.ID)
	claim = want[*mfpb.ClaimStart](b.t, h.peer).Claim
	h.reply(claim)
	want[*mfpb.PakeReply](b.t, v.peer)
	v.confirm(claim)
	want[*mfpb.Confirm](b.t, h.peer)
	return claim
}

// pair makes a session.
func (b *bench) pair(h *hostPeer, v *viewerPeer) {
	b.t.Helper()
	h.paired(b.confirmed(h, v))
	o := want[*mfpb.Opened](b.t, h.peer)
	h.session, h.token = o.Session, o.ResumeToken
	o = want[*mfpb.Opened](b.t, v.peer)
	v.session, v.token = o.Session, o.ResumeToken
}

func (b *bench) resumeHost(h *hostPeer) *hostPeer {
	b.t.Helper()
	n := &hostPeer{peer: b.dial(true, ""), key: h.key, session: h.session, token: h.token, seq: h.seq}
	n.hello(mfpb.Kind_KIND_HOST)
	want[*mfpb.Hello](b.t, n.peer)
	want[*mfpb.Welcome](b.t, n.peer)
	n.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Resume{Resume: &mfpb.HostResume{Session: n.session, Token: n.token}}})
	return n
}

func (b *bench) resumeViewer(v *viewerPeer, user string) *viewerPeer {
	b.t.Helper()
	n := b.viewer(user)
	n.session, n.token = v.session, v.token
	n.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Resume{Resume: &mfpb.ViewerResume{Session: n.session, Token: n.token}}})
	return n
}

// ---- what stands in the end

// ended waits until the session is closed in the database.
func (b *bench) ended(id string) Record {
	b.t.Helper()
	for deadline := time.Now().Add(soon); ; {
		list, _, err := Records(b.t.Context(), b.store, Filter{ID: id})
		if err != nil {
			b.t.Fatal(err)
		}
		if len(list) == 1 && !list[0].Ended.IsZero() {
			return list[0]
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("the session is not closed: %+v\n%s\n%s", list, b.types(id), b.output)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (b *bench) events(id string) []audit.Record {
	b.t.Helper()
	list, err := b.log.Events(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

// types are the event types of a session in order, those of the outbox left out.
func (b *bench) types(id string) string {
	var out []string
	for _, e := range b.events(id) {
		if !strings.HasPrefix(e.Type, "ticket.note") {
			out = append(out, e.Type)
		}
	}
	return strings.Join(out, " ")
}

// notes waits until n notes stand in the ticket, and looks once more for others.
func (b *bench) notes(n int) []tickets.Written {
	b.t.Helper()
	for deadline := time.Now().Add(soon); ; {
		list, err := b.local.Notes(b.t.Context(), b.ticket.ID)
		if err != nil {
			b.t.Fatal(err)
		}
		if len(list) >= n {
			time.Sleep(50 * time.Millisecond)
			if list, err = b.local.Notes(b.t.Context(), b.ticket.ID); err != nil || len(list) != n {
				b.t.Fatalf("%d notes in the ticket, want %d (%v)", len(list), n, err)
			}
			return list
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%d notes in the ticket, want %d\n%s", len(list), n, b.output)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
