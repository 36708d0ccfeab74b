package hostile

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/viewer"
)

// PublicHost is the name by which an honest server calls itself here: the one
// that its URL holds.
const PublicHost = "127.0.0.1"

// Attack says what becomes of a message. Each function gets one message and
// returns what takes its place, in order; none is a message dropped. A function
// that is nil lets everything pass. From… sees what a side said before the server
// acts on it, To… what the server is about to say.
//
// One function runs at a time, so they may share variables; they may call Say
// and Raw on any line, and must not wait for an answer.
type Attack struct {
	FromHost   func(from *Line, m *mfpb.HostMessage) []*mfpb.HostMessage
	ToHost     func(to *Line, m *mfpb.ServerToHost) []*mfpb.ServerToHost
	FromViewer func(from *Line, m *mfpb.ViewerMessage) []*mfpb.ViewerMessage
	ToViewer   func(to *Line, m *mfpb.ServerToViewer) []*mfpb.ServerToViewer
}

// Pass lets messages through.
func Pass[M proto.Message](m ...M) []M { return m }

// Server is one hostile server on a loopback port.
type Server struct {
	// URL is where hosts dial and browsers go: http://127.0.0.1:PORT.
	URL string

	http   *httptest.Server
	attack Attack
	record record
	reads  sync.WaitGroup // one for each line

	turn   sync.Mutex // held while one message is acted on
	lines  []*Line
	plates map[string]*Line // who waits under a nameplate
	next   int              // nameplate
}

// Serve starts a server. Close it.
func Serve(a Attack) *Server {
	s := &Server{attack: a, plates: make(map[string]*Line), next: 482}
	s.record.init()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", page)
	mux.HandleFunc("GET /page.css", css)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.Handle("GET /viewer/", http.StripPrefix("/viewer/", http.FileServerFS(viewer.Files())))
	mux.HandleFunc("GET /ws/host", func(w http.ResponseWriter, r *http.Request) { s.accept(w, r, Host) })
	mux.HandleFunc("GET /ws/viewer", func(w http.ResponseWriter, r *http.Request) { s.accept(w, r, Viewer) })
	s.http = httptest.NewServer(headers(mux))
	s.URL = s.http.URL
	return s
}

// Close cuts every line and waits until nothing of the server runs.
func (s *Server) Close() {
	s.take(func() {
		for _, l := range s.lines {
			l.Cut()
		}
	})
	s.http.Close() // no line begins after this
	s.reads.Wait()
}

// Side is who is at the other end of a line.
type Side int

// The two sides.
const (
	Host Side = iota
	Viewer
)

func (s Side) String() string { return [...]string{"host", "viewer"}[s] }

// Line is one WebSocket of a host or a viewer.
type Line struct {
	// Side is who is at the other end.
	Side Side

	server  *Server
	conn    *websocket.Conn
	writing sync.Mutex

	// What an honest server knows, guarded by the server's turn.
	plate   string
	claim   []byte
	peer    *Line // the host, or the viewer that came last
	session string
	seq     uint64
	seats   map[string]*Line // a host's viewers, by participant
	seat    string           // a viewer's participant
	invite  mfpb.ParticipantKind
}

func (s *Server) accept(w http.ResponseWriter, r *http.Request, side Side) {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	l := &Line{Side: side, server: s, conn: conn}
	s.reads.Add(1)
	defer s.reads.Done()
	defer l.Cut()
	s.take(func() { s.lines = append(s.lines, l) })
	for {
		_, b, err := conn.ReadMessage()
		if err != nil {
			s.take(func() {
				s.record.add(Entry{Line: l, Closed: err})
				s.gone(l)
			})
			return
		}
		s.take(func() { s.heard(l, b) })
	}
}

// take does something while nothing else is done. An attack that panics is
// reported by net/http and ends its line, not the test.
func (s *Server) take(do func()) {
	s.turn.Lock()
	defer s.turn.Unlock()
	do()
}

// heard is one frame of a side.
func (s *Server) heard(l *Line, b []byte) {
	if l.Side == Host {
		m := new(mfpb.HostMessage)
		s.record.add(Entry{Line: l, Raw: b, Body: decode(b, m)})
		for _, m := range hooked(s.attack.FromHost, l, proto.CloneOf(m)) {
			s.fromHost(l, m)
		}
		return
	}
	m := new(mfpb.ViewerMessage)
	s.record.add(Entry{Line: l, Raw: b, Body: decode(b, m)})
	for _, m := range hooked(s.attack.FromViewer, l, proto.CloneOf(m)) {
		s.fromViewer(l, m)
	}
}

func hooked[M proto.Message](hook func(*Line, M) []M, l *Line, m M) []M {
	if hook == nil {
		return []M{m}
	}
	return hook(l, m)
}

// decode returns the body of a message, or nil if there is none.
func decode(b []byte, m proto.Message) proto.Message {
	if wire.Decode(b, wire.MaxFrame, m) != nil {
		return nil
	}
	return bodyOf(m)
}

// tell says what an honest server says, by way of the attack.
func (s *Server) tell(l *Line, body proto.Message) {
	if l == nil {
		return
	}
	switch m := l.envelope(proto.Clone(body)).(type) { // the record keeps what was heard
	case *mfpb.ServerToHost:
		for _, m := range hooked(s.attack.ToHost, l, m) {
			l.send(m)
		}
	case *mfpb.ServerToViewer:
		for _, m := range hooked(s.attack.ToViewer, l, m) {
			l.send(m)
		}
	}
}

func (s *Server) fromHost(l *Line, m *mfpb.HostMessage) {
	switch b := m.Body.(type) {
	case *mfpb.HostMessage_Hello:
		s.welcome(l)
	case *mfpb.HostMessage_PlateRequest:
		delete(s.plates, l.plate)
		l.plate = strconv.Itoa(s.next)
		s.next++
		s.plates[l.plate] = l
		l.invite = b.PlateRequest.Invite
		s.tell(l, &mfpb.Plate{Nameplate: l.plate, Invite: l.invite})
	case *mfpb.HostMessage_PakeReply:
		if bytes.Equal(b.PakeReply.Claim, l.claim) {
			s.tell(l.peer, b.PakeReply)
		}
	case *mfpb.HostMessage_ClaimRefused:
		if l.peer != nil && bytes.Equal(b.ClaimRefused.Claim, l.claim) && l.peer.seat == "" {
			s.tell(l.peer, &mfpb.ClaimResult{Reason: b.ClaimRefused.Reason})
			l.part()
		}
	case *mfpb.HostMessage_Paired:
		if l.peer == nil || !bytes.Equal(b.Paired.Claim, l.claim) {
			return
		}
		delete(s.plates, l.plate)
		kind := l.invite
		if l.session == "" {
			l.session = fmt.Sprintf("01HOSTILE%017d", s.next)
			l.seats, kind = map[string]*Line{}, mfpb.ParticipantKind_PARTICIPANT_KIND_LEAD
		}
		l.peer.session, l.peer.seat = l.session, strconv.Itoa(len(l.seats)+1)
		l.seats[l.peer.seat] = l.peer
		for _, side := range []*Line{l, l.peer} {
			token := make([]byte, wire.ResumeSize)
			rand.Read(token) // never fails since Go 1.24
			s.tell(side, &mfpb.Opened{Session: l.session, ResumeToken: token, Claim: l.claim, Participant: l.peer.seat, Kind: kind})
		}
	case *mfpb.HostMessage_Attach:
		s.tell(l.seats[b.Attach.Participant], b.Attach)
	case *mfpb.HostMessage_Sealed:
		s.tell(l.seats[b.Sealed.Participant], b.Sealed)
	case *mfpb.HostMessage_Gone:
		s.tell(l.seats[b.Gone.Participant], &mfpb.End{Reason: b.Gone.Reason})
	case *mfpb.HostMessage_Event:
		l.seq = max(l.seq, b.Event.Seq)
		s.tell(l, &mfpb.EventAck{Seq: l.seq})
	case *mfpb.HostMessage_Close:
		for _, v := range l.seats {
			s.tell(v, &mfpb.End{Reason: b.Close.Reason})
		}
	}
}

func (s *Server) fromViewer(l *Line, m *mfpb.ViewerMessage) {
	switch b := m.Body.(type) {
	case *mfpb.ViewerMessage_Hello:
		s.welcome(l)
	case *mfpb.ViewerMessage_Claim:
		host := s.plates[b.Claim.Nameplate]
		if host == nil {
			s.tell(l, &mfpb.ClaimResult{Reason: mfpb.Reason_REASON_NO_SUCH_CODE})
			return
		}
		claim := make([]byte, wire.ClaimSize)
		rand.Read(claim) // never fails since Go 1.24
		l.peer, host.peer, l.claim, host.claim = host, l, claim, claim
		s.tell(host, &mfpb.ClaimStart{
			Claim: claim, Sid: b.Claim.Sid, Share: b.Claim.Share, Ad: b.Claim.Ad,
			Technician: &mfpb.Technician{Id: "u1", Name: "Anaïs Tremblay", SignedIn: "password", SignedInAt: 1},
			Ticket:     &mfpb.Ticket{Id: b.Claim.TicketId, Number: "INC0012345", Subject: "L’imprimante ne répond plus"},
		})
	case *mfpb.ViewerMessage_Verdict:
		s.tell(l.peer, &mfpb.ClaimFailed{Claim: b.Verdict.Claim, Reason: b.Verdict.Reason})
		l.part()
	case *mfpb.ViewerMessage_Confirm:
		s.tell(l.peer, b.Confirm)
	case *mfpb.ViewerMessage_Attach:
		b.Attach.Participant = l.seat
		s.tell(l.peer, b.Attach)
	case *mfpb.ViewerMessage_Sealed:
		b.Sealed.Participant = l.seat
		s.tell(l.peer, b.Sealed)
	case *mfpb.ViewerMessage_End:
		s.tell(l.peer, b.End)
	}
}

func (s *Server) welcome(l *Line) {
	s.tell(l, wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_SERVER, Software: "hostile"}))
	s.tell(l, &mfpb.Welcome{PublicHost: PublicHost, Organisation: "Hôpital Sainte-Anne", GraceS: 30})
}

// gone is the end of a line.
func (s *Server) gone(l *Line) {
	delete(s.plates, l.plate)
	peer := l.peer
	l.part()
	switch {
	case peer == nil:
	case l.session != "" && l.Side == Host:
		s.tell(peer, &mfpb.HostState{})
	case l.session != "":
		s.tell(peer, &mfpb.ViewerState{Participant: l.seat})
	case l.Side == Host:
		s.tell(peer, &mfpb.ClaimResult{Reason: mfpb.Reason_REASON_HOST_GONE})
	default:
		s.tell(peer, &mfpb.ClaimFailed{Claim: l.claim, Reason: mfpb.Reason_REASON_VIEWER_GONE})
	}
}

func (l *Line) part() {
	if l.peer != nil {
		l.peer.peer, l.peer = nil, nil
	}
}

// Peer is the line that this one is connected with, or nil. Call it from an Attack.
func (l *Line) Peer() *Line { return l.peer }

// Nameplate is the one that a host has. Call it from an Attack.
func (l *Line) Nameplate() string { return l.plate }

// Say sends a message of the server's own making, past the attack: Say(&mfpb.End{…}).
func (l *Line) Say(body proto.Message) { l.send(l.envelope(body)) }

// Raw sends a frame as it is: websocket.BinaryMessage or TextMessage.
func (l *Line) Raw(kind int, b []byte) { l.write(kind, b, nil) }

// Cut breaks the line without a word.
func (l *Line) Cut() { _ = l.conn.Close() }

func (l *Line) send(m proto.Message) {
	b, err := proto.Marshal(m) // of any size
	if err != nil {
		panic(err) // a message of our own that is none: the test is wrong
	}
	l.write(websocket.BinaryMessage, b, bodyOf(m))
}

func (l *Line) write(kind int, b []byte, body proto.Message) {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.server.record.add(Entry{Line: l, Told: true, Raw: b, Body: body})
	_ = l.conn.WriteMessage(kind, b) // a line that broke says so where it is read
}

// envelope puts a body into the message that this side receives.
func (l *Line) envelope(body proto.Message) proto.Message {
	var m proto.Message = new(mfpb.ServerToHost)
	if l.Side == Viewer {
		m = new(mfpb.ServerToViewer)
	}
	fields := m.ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.Message().FullName() == body.ProtoReflect().Descriptor().FullName() {
			m.ProtoReflect().Set(f, valueOf(body))
			return m
		}
	}
	panic(fmt.Sprintf("hostile: a %v is not told %T", l.Side, body))
}
