package session_test

import (
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// back puts the relay on the host's next line.
func (r *rig) back(s *relay) *hostLine {
	r.t.Helper()
	l := r.server.accept()
	l.welcome()
	s.mu.Lock()
	s.line = l
	s.mu.Unlock()
	go s.fromHost(l)
	select {
	case <-s.resumed:
	case <-time.After(patience):
		r.t.Fatal("the host did not resume")
	}
	return l
}

func TestTheSessionGoesOnWithoutTheServer(t *testing.T) {
	r := start(t)
	v, s := r.live()
	s.event("consent.granted")
	s.mu.Lock()
	s.acking = false
	s.mu.Unlock()
	s.to().conn.Close()
	ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_SERVER_AWAY))
	r.control(v) // consent does not need the server
	r.paint(4, 4, 0x778899)
	r.sees(v, 4, 4, 0x778899)

	s.mu.Lock()
	s.acking = true
	s.mu.Unlock()
	r.back(s)
	ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_SERVER_BACK))
	// What happened meanwhile is in the log, in order, without a gap.
	s.until("both answers", func() bool {
		answers := 0
		for _, e := range s.events {
			if e.Type == "consent.granted" {
				answers++
			}
		}
		return answers == 2
	})
	r.window.Say(ui.Command{Do: "stop"})
	r.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
	if c := s.closed(); c.Events != uint64(len(s.events)) {
		t.Errorf("the host counted %d events, the log holds %d", c.Events, len(s.events))
	}
}

func TestAServerThatStaysAwayEndsTheSession(t *testing.T) {
	r := start(t, withClock)
	v, s := r.live()
	s.to().conn.Close()
	ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_SERVER_AWAY))
	r.clock.Advance(3 * time.Second) // Welcome granted two
	if why, err := v.WaitEnd(ctx(t)); why != mfpb.Reason_REASON_SERVER_GONE {
		t.Errorf("the viewer was told %v %v", why, err)
	}
	if e := r.window.Wait(t, "ended"); e.Reason != "SERVER_GONE" {
		t.Errorf("the person was told %+v", e)
	}
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}

func TestTheServersEndEndsTheSession(t *testing.T) {
	r := start(t)
	v, s := r.live()
	s.to().send(&mfpb.End{Reason: mfpb.Reason_REASON_SUPERVISOR_ENDED})
	r.ends(v, s, mfpb.Reason_REASON_SUPERVISOR_ENDED)
}

func TestAServerThatBreaksTheProtocolInASessionEndsIt(t *testing.T) {
	for name, say := range map[string]func(l *hostLine){
		"ack ahead":  func(l *hostLine) { l.send(&mfpb.EventAck{Seq: 1000}) },
		"two opened": func(l *hostLine) { l.send(&mfpb.Plate{Nameplate: "123"}) },
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			v, s := r.live()
			say(s.to())
			r.ends(v, s, mfpb.Reason_REASON_PROTOCOL)
		})
	}
}

func TestALogThatTakesNothingEndsTheSession(t *testing.T) {
	r := start(t)
	v, s := r.live()
	s.event("consent.granted")
	s.mu.Lock()
	s.acking = false
	s.mu.Unlock()
	s.to().conn.Close()
	ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_SERVER_AWAY))
	r.host.Note(session.MaxKept + 1)
	if why, err := v.WaitEnd(ctx(t)); why != mfpb.Reason_REASON_LOG_UNAVAILABLE {
		t.Errorf("the viewer was told %v %v", why, err)
	}
}

func TestQuitEndsTheSession(t *testing.T) {
	r := start(t)
	v, s := r.live()
	ok(t, r.window.Close())
	r.ends(v, s, mfpb.Reason_REASON_HOST_QUIT)
}

func TestAnotherServerInMidSessionIsRefused(t *testing.T) { // C10
	r := start(t)
	v, s := r.live()
	s.to().conn.Close()
	l := r.server.accept()
	l.send(wire.Versions(&mfpb.Hello{Kind: mfpb.Kind_KIND_SERVER}))
	l.send(&mfpb.Welcome{PublicHost: "evil.example"})
	if why, err := v.WaitEnd(ctx(t)); why != mfpb.Reason_REASON_SERVER_NAME {
		t.Errorf("the viewer was told %v %v", why, err)
	}
}
