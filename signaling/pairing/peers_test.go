package pairing

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

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

type hostPeer struct {
	*peer
	opened  *mfpb.Opened // of the first participant
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

// invite asks for a nameplate under which the session is joined.
func (h *hostPeer) invite(t *testing.T, kind mfpb.ParticipantKind) {
	t.Helper()
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_PlateRequest{PlateRequest: &mfpb.PlateRequest{Invite: kind}}})
	p := want[*mfpb.Plate](t, h.peer)
	if p.Invite != kind {
		t.Fatalf("a nameplate for %v is %v", kind, p)
	}
	h.plate = p.Nameplate
}

// gone says that a participant is out.
func (h *hostPeer) gone(id string, r mfpb.Reason) {
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Gone{Gone: &mfpb.ParticipantGone{Participant: id, Reason: r}}})
}

// sealedTo sends to one participant.
func (h *hostPeer) sealedTo(id, box string) {
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Sealed{Sealed: &mfpb.Sealed{Epoch: 1, Box: []byte(box), Participant: id}}})
}

func (h *hostPeer) attachTo(id string) {
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Attach{Attach: &mfpb.Attach{Epoch: 1, Nonce: make([]byte, 16), Participant: id}}})
}

// hears checks that the host is told that a participant is out.
func (h *hostPeer) hears(t *testing.T, id string, r mfpb.Reason) {
	t.Helper()
	if g := want[*mfpb.ParticipantGone](t, h.peer); g.Participant != id || g.Reason != r {
		t.Fatalf("the host was told %v, want that %s is out with %v", g, id, r)
	}
}

// sees checks what the host is told about a participant's line.
func (h *hostPeer) sees(t *testing.T, id string, connected bool) {
	t.Helper()
	if s := want[*mfpb.ViewerState](t, h.peer); s.Participant != id || s.Connected != connected {
		t.Fatalf("the host was told %v, want %s connected: %v", s, id, connected)
	}
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
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Attach{Attach: &mfpb.Attach{Epoch: epoch, Nonce: make([]byte, 16), Participant: "1"}}})
}

func (h *hostPeer) sealed(counter uint64, box []byte) {
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Sealed{Sealed: &mfpb.Sealed{Epoch: 1, Counter: counter, Box: box, Participant: "1"}}})
}

type viewerPeer struct {
	*peer
	session string
	token   []byte
	id      string // as a participant
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
	return b.confirmedFor(h, v, b.ticket.ID)
}

func (b *bench) confirmedFor(h *hostPeer, v *viewerPeer, ticket string) (claim []byte) {
	b.t.Helper()
	v.claim(h.plate, ticket)
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
	h.session, h.token, h.opened = o.Session, o.ResumeToken, o
	o = want[*mfpb.Opened](b.t, v.peer)
	v.session, v.token, v.id = o.Session, o.ResumeToken, o.Participant
}

// join brings another viewer into the host's session by an invite.
func (b *bench) join(h *hostPeer, v *viewerPeer, kind mfpb.ParticipantKind) {
	b.t.Helper()
	h.invite(b.t, kind)
	h.paired(b.confirmedFor(h, v, ""))
	o := want[*mfpb.Opened](b.t, h.peer)
	p := want[*mfpb.Opened](b.t, v.peer)
	if o.Participant != p.Participant || o.Kind != kind || p.Kind != kind || o.Session != h.session || p.Session != h.session {
		b.t.Fatalf("joined as %v and %v", o, p)
	}
	v.session, v.token, v.id = p.Session, p.ResumeToken, p.Participant
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
	n.session, n.token, n.id = v.session, v.token, v.id
	n.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Resume{Resume: &mfpb.ViewerResume{Session: n.session, Token: n.token}}})
	return n
}
