package session_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// relay plays an honest server between one host line and one viewer: it opens
// the session, relays, acknowledges and keeps events.
type relay struct {
	t    *testing.T
	pipe *gopeer.Pipe

	mu      sync.Mutex
	line    *hostLine
	claim   []byte
	events  []*mfpb.HostEvent
	closing *mfpb.HostClose
	key     []byte
	acking  bool
	toHost  func(*mfpb.ViewerMessage) *mfpb.ViewerMessage // may change or drop (nil)
	resumed chan struct{}
	changed chan struct{}
}

const sessionID = "01JTESTSESSION000000000000"

// pair starts a relay on l and lets a viewer pair and attach through it.
func (r *rig) pair(l *hostLine, options ...func(*gopeer.Options)) (*gopeer.Viewer, *relay) {
	r.t.Helper()
	plate, secret := r.code()
	s := &relay{t: r.t, pipe: gopeer.NewPipe(), line: l, acking: true, resumed: make(chan struct{}, 8), changed: make(chan struct{})}
	go s.fromHost(l)
	go s.fromViewer()
	s.pipe.FromServer <- &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Welcome{Welcome: &mfpb.Welcome{PublicHost: "127.0.0.1"}}}
	opt := gopeer.Options{Line: s.pipe, Code: plate + secret, Ticket: "t1"}
	for _, o := range options {
		o(&opt)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	v, err := gopeer.Pair(ctx, opt)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { v.Close() })
	return v, s
}

func (s *relay) to() *hostLine {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.line
}

func (s *relay) fromViewer() {
	for {
		var m *mfpb.ViewerMessage
		select {
		case m = <-s.pipe.ToServer:
		case <-s.pipe.Closed():
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
		l := s.to()
		switch b := m.Body.(type) {
		case *mfpb.ViewerMessage_Claim:
			s.claim = []byte("claim-----------")
			l.send(&mfpb.ClaimStart{
				Claim: s.claim, Sid: b.Claim.Sid, Share: b.Claim.Share, Ad: b.Claim.Ad,
				Technician: &mfpb.Technician{Id: "u1", Name: "Ana \u202eTremblay", SignedIn: "password", SignedInAt: 1},
				Ticket:     &mfpb.Ticket{Id: "t1", Number: "INC1", Subject: "Printer"},
			})
		case *mfpb.ViewerMessage_Confirm:
			l.send(b.Confirm)
		case *mfpb.ViewerMessage_Verdict:
			l.send(&mfpb.ClaimFailed{Claim: b.Verdict.Claim, Reason: b.Verdict.Reason})
		case *mfpb.ViewerMessage_Attach:
			l.send(b.Attach)
		case *mfpb.ViewerMessage_Sealed:
			l.send(b.Sealed)
		case *mfpb.ViewerMessage_End:
			l.send(b.End)
		}
	}
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

func (s *relay) host(l *hostLine, m *mfpb.HostMessage) {
	var to *mfpb.ServerToViewer
	s.mu.Lock()
	switch b := m.Body.(type) {
	case *mfpb.HostMessage_PakeReply:
		to = &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_PakeReply{PakeReply: b.PakeReply}}
	case *mfpb.HostMessage_ClaimRefused:
		to = &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_ClaimResult{ClaimResult: &mfpb.ClaimResult{Reason: b.ClaimRefused.Reason}}}
	case *mfpb.HostMessage_Paired:
		s.key = b.Paired.SigningKey
		token := make([]byte, wire.ResumeSize)
		l.send(&mfpb.Opened{Session: sessionID, ResumeToken: token, Claim: b.Paired.Claim})
		to = &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Opened{Opened: &mfpb.Opened{Session: sessionID, ResumeToken: token}}}
	case *mfpb.HostMessage_Attach:
		to = &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Attach{Attach: b.Attach}}
	case *mfpb.HostMessage_Sealed:
		to = &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Sealed{Sealed: b.Sealed}}
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
		to = &mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_End{End: &mfpb.End{Reason: b.Close.Reason}}}
	case *mfpb.HostMessage_Resume:
		select {
		case s.resumed <- struct{}{}:
		default:
		}
	}
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	if to != nil {
		select {
		case s.pipe.FromServer <- to:
		case <-s.pipe.Closed():
		}
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
