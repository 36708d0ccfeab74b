package session_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// relay plays an honest server between one host line and its viewers: it opens
// the session, relays, acknowledges and keeps events.
type relay struct {
	t    *testing.T
	pipe *gopeer.Pipe // of the first viewer

	mu       sync.Mutex
	line     *hostLine
	seats    map[string]*gopeer.Pipe // by participant
	claims   map[string]*gopeer.Pipe // open ones, by id
	kinds    map[string]mfpb.ParticipantKind
	invited  mfpb.ParticipantKind // of the plate that is out
	came     int
	attaches int  // that the host answered
	losing   bool // its answers are lost
	verdicts int  // passed on to the host
	events   []*mfpb.HostEvent
	gone     []*mfpb.ParticipantGone
	refusals []*mfpb.ClaimRefused
	closing  *mfpb.HostClose
	key      []byte
	acking   bool
	chat     string // what Opened says of it
	receipt  string
	ruledOut []string
	endsIn   uint32
	toHost   func(*mfpb.ViewerMessage) *mfpb.ViewerMessage // may change or drop (nil)
	resumed  chan struct{}
	changed  chan struct{}
}

const sessionID = "01JTESTSESSION000000000000"

// pair starts a relay on l and lets a viewer pair and attach through it.
func (r *rig) pair(l *hostLine, options ...func(*gopeer.Options)) (*gopeer.Viewer, *relay) {
	r.t.Helper()
	plate, secret := r.code()
	s := &relay{
		t: r.t, line: l, acking: true, chat: r.chat, receipt: r.receipt, ruledOut: r.ruledOut, endsIn: r.endsIn, resumed: make(chan struct{}, 8), changed: make(chan struct{}),
		seats: map[string]*gopeer.Pipe{}, claims: map[string]*gopeer.Pipe{}, kinds: map[string]mfpb.ParticipantKind{},
	}
	go s.fromHost(l)
	v, err := r.claim(s, plate+secret, options...)
	if err != nil {
		r.t.Fatal(err)
	}
	return v, s
}

// claim lets one more viewer pair through the relay.
func (r *rig) claim(s *relay, code string, options ...func(*gopeer.Options)) (*gopeer.Viewer, error) {
	r.t.Helper()
	pipe := gopeer.NewPipe()
	if s.pipe == nil {
		s.pipe = pipe
	}
	go s.fromViewer(pipe)
	pipe.FromServer <- &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Welcome{Welcome: &mfpb.Welcome{PublicHost: "127.0.0.1"}}}
	opt := gopeer.Options{Line: pipe, Code: code, Ticket: "t1"}
	for _, o := range options {
		o(&opt)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	v, err := gopeer.Pair(ctx, opt)
	if err == nil {
		r.t.Cleanup(func() { v.Close() })
	}
	return v, err
}

func (s *relay) to() *hostLine {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.line
}

// seat is the participant that a pipe belongs to.
func (s *relay) seat(pipe *gopeer.Pipe) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, p := range s.seats {
		if p == pipe {
			return id
		}
	}
	return ""
}

func (s *relay) fromViewer(pipe *gopeer.Pipe) {
	for {
		var m *mfpb.ViewerMessage
		select {
		case m = <-pipe.ToServer:
		case <-pipe.Closed():
			return
		}
		s.mu.Lock()
		change := s.toHost
		s.mu.Unlock()
		if change != nil {
			if m = change(m); m == nil {
				continue
			}
		}
		l, id := s.to(), s.seat(pipe)
		switch b := m.Body.(type) {
		case *mfpb.ViewerMessage_Claim:
			s.mu.Lock()
			claim := fmt.Sprintf("claim-%010d", len(s.claims))
			s.claims[claim] = pipe
			s.mu.Unlock()
			l.send(&mfpb.ClaimStart{
				Claim: []byte(claim), Sid: b.Claim.Sid, Share: b.Claim.Share, Ad: b.Claim.Ad,
				Technician: &mfpb.Technician{Id: "u1", Name: names[min(s.count(), len(names)-1)], SignedIn: "password", SignedInAt: 1},
				Ticket:     &mfpb.Ticket{Id: "t1", Number: "INC1", Subject: "Printer"},
			})
		case *mfpb.ViewerMessage_Confirm:
			l.send(b.Confirm)
		case *mfpb.ViewerMessage_Verdict:
			l.send(&mfpb.ClaimFailed{Claim: b.Verdict.Claim, Reason: b.Verdict.Reason})
			s.mu.Lock()
			s.verdicts++
			close(s.changed)
			s.changed = make(chan struct{})
			s.mu.Unlock()
		case *mfpb.ViewerMessage_Attach:
			b.Attach.Participant = id
			l.send(b.Attach)
		case *mfpb.ViewerMessage_Sealed:
			b.Sealed.Participant = id
			l.send(b.Sealed)
		case *mfpb.ViewerMessage_End:
			l.send(b.End)
		}
	}
}

// names of those who pair, in their order.
var names = []string{"Ana \u202eTremblay", "Paul Roy", "Zoé Martin", "Omar Diallo", "Li Wei"}

// count is how many participants came so far.
func (s *relay) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.came
}

func (s *relay) fromHost(l *hostLine) {
	for {
		var m *mfpb.HostMessage
		select {
		case m = <-l.in:
		case <-l.over:
			select {
			case m = <-l.in:
			default:
				return
			}
		}
		s.host(l, m)
	}
}

// put passes a message on to a viewer.
func put(pipe *gopeer.Pipe, m *mfpb.ServerToViewer) {
	if pipe == nil {
		return
	}
	select {
	case pipe.FromServer <- m:
	case <-pipe.Closed():
	}
}

func (s *relay) host(l *hostLine, m *mfpb.HostMessage) {
	s.mu.Lock()
	var then func()
	to := func(pipe *gopeer.Pipe, m *mfpb.ServerToViewer) { then = func() { put(pipe, m) } }
	switch b := m.Body.(type) {
	case *mfpb.HostMessage_PakeReply:
		to(s.claims[string(b.PakeReply.Claim)], &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_PakeReply{PakeReply: b.PakeReply}})
	case *mfpb.HostMessage_ClaimRefused:
		s.refusals = append(s.refusals, b.ClaimRefused)
		to(s.claims[string(b.ClaimRefused.Claim)], &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_ClaimResult{ClaimResult: &mfpb.ClaimResult{Reason: b.ClaimRefused.Reason}}})
	case *mfpb.HostMessage_PlateRequest:
		s.invited = b.PlateRequest.Invite
		l.send(&mfpb.Plate{Nameplate: "555", Invite: s.invited})
	case *mfpb.HostMessage_Paired:
		s.key = b.Paired.SigningKey
		s.came++
		id, kind := strconv.Itoa(s.came), mfpb.ParticipantKind_PARTICIPANT_KIND_LEAD
		if s.came > 1 {
			kind = s.invited
		}
		pipe := s.claims[string(b.Paired.Claim)]
		s.seats[id], s.kinds[id] = pipe, kind
		token := make([]byte, wire.ResumeSize)
		l.send(&mfpb.Opened{Session: sessionID, ResumeToken: token, Claim: b.Paired.Claim, Participant: id, Kind: kind, Chat: s.chat, Receipt: s.receipt, Abuse: "mailto:abus@exemple.ca",
			RuledOut: s.ruledOut, EndsInS: s.endsIn})
		to(pipe, &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Opened{Opened: &mfpb.Opened{Session: sessionID, ResumeToken: token, Participant: id, Kind: kind}}})
	case *mfpb.HostMessage_Attach:
		if s.attaches++; s.losing {
			break
		}
		to(s.seats[b.Attach.Participant], &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Attach{Attach: b.Attach}})
	case *mfpb.HostMessage_Sealed:
		to(s.seats[b.Sealed.Participant], &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Sealed{Sealed: b.Sealed}})
	case *mfpb.HostMessage_Gone:
		s.gone = append(s.gone, b.Gone)
		to(s.seats[b.Gone.Participant], &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_End{End: &mfpb.End{Reason: b.Gone.Reason}}})
	case *mfpb.HostMessage_Event:
		if last := len(s.events); uint64(last) < b.Event.Seq {
			if b.Event.Seq != uint64(last)+1 {
				s.t.Errorf("event %d follows %d", b.Event.Seq, last)
			}
			s.events = append(s.events, b.Event)
		}
		if s.acking {
			l.send(&mfpb.EventAck{Seq: b.Event.Seq})
		}
	case *mfpb.HostMessage_Close:
		s.closing = b.Close
		then = func() {
			for _, pipe := range s.seats {
				put(pipe, &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_End{End: &mfpb.End{Reason: b.Close.Reason}}})
			}
		}
	case *mfpb.HostMessage_Resume:
		select {
		case s.resumed <- struct{}{}:
		default:
		}
	}
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	if then != nil {
		then()
	}
}

// until waits for something about the relay.
func (s *relay) until(what string, ok func() bool) {
	s.t.Helper()
	late := time.After(patience)
	for {
		s.mu.Lock()
		done, changed := ok(), s.changed
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-late:
			s.t.Fatalf("waited for %s; events: %v", what, s.events)
		}
	}
}

// event waits for an event of a type.
func (s *relay) event(kind string) *mfpb.HostEvent {
	s.t.Helper()
	var e *mfpb.HostEvent
	s.until("event "+kind, func() bool {
		for _, e = range s.events {
			if e.Type == kind {
				return true
			}
		}
		return false
	})
	return e
}

// closed waits for the host's signed close.
func (s *relay) closed() *mfpb.HostClose {
	s.t.Helper()
	s.until("HostClose", func() bool { return s.closing != nil })
	return s.closing
}
