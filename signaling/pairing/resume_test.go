package pairing

import (
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit"
)

func TestAHostComesBack(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	h.event("consent.granted", "ok", `{"grant":"view"}`)
	h.acked(t, 1)
	h.ws.Close()
	if want[*mfpb.HostState](t, v.peer).Connected {
		t.Fatal("told that the host is there")
	}
	b.advance(29 * time.Second)
	n := b.resumeHost(h)
	if !want[*mfpb.ViewerState](t, n.peer).Connected {
		t.Error("the host was not told that the viewer is there")
	}
	n.acked(t, 1)
	if !want[*mfpb.HostState](t, v.peer).Connected {
		t.Error("the viewer was not told that the host is back")
	}
	v.sealed(0, []byte("again"))
	want[*mfpb.Sealed](t, n.peer)
	b.advance(time.Minute) // the grace time does not run on
	n.event("consent.revoked", "ok", `{"grant":"view"}`)
	n.acked(t, 2)
	n.close(mfpb.Reason_REASON_PERSON_STOPPED)
	if r := b.ended(h.session); r.Reason != "PERSON_STOPPED" {
		t.Errorf("ended with %s", r.Reason)
	}
	if got, want := b.types(h.session), "session.requested session.paired ticket.linked consent.granted session.paused session.resumed consent.revoked host.closed session.ended"; got != want {
		t.Errorf("the log holds %s, want %s", got, want)
	}
	b.notes(1)
}

func TestAHostTakesItsOwnPlaceFromADeadLine(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	n := b.resumeHost(h) // the server still believes in the old line
	want[*mfpb.ViewerState](t, n.peer)
	wantClosed(t, h.peer, websocket.CloseNormalClosure)
	for _, there := range []bool{false, true} { // sealed bodies may be lost: the viewer must know
		if want[*mfpb.HostState](t, v.peer).Connected != there {
			t.Fatalf("the viewer was not told that the host is there: %v", there)
		}
	}
	v.sealed(0, []byte("to the new line"))
	want[*mfpb.EventAck](t, n.peer)
	want[*mfpb.Sealed](t, n.peer)
	time.Sleep(50 * time.Millisecond)
	b.advance(time.Minute)
	n.sealed(0, []byte("still there"))
	want[*mfpb.Sealed](t, v.peer)
}

func TestAHostThatStaysAway(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	h.ws.Close()
	want[*mfpb.HostState](t, v.peer)
	b.advance(31 * time.Second)
	wantEnd(t, v.peer, mfpb.Reason_REASON_HOST_GONE, false)
	if r := b.ended(h.session); r.Reason != "HOST_GONE" {
		t.Errorf("ended with %s", r.Reason)
	}
	b.notes(1)
	// It learns why, but only with its token.
	n := b.resumeHost(h)
	wantEnd(t, n.peer, mfpb.Reason_REASON_HOST_GONE, true)
	h.token = make([]byte, 32)
	n = b.resumeHost(h)
	wantEnd(t, n.peer, mfpb.Reason_REASON_NOT_ALLOWED, true)
}

func TestAViewerComesBackOrStaysAway(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	v.ws.Close()
	if want[*mfpb.ViewerState](t, h.peer).Connected {
		t.Fatal("told that the viewer is there")
	}
	n := b.resumeViewer(v, "ann")
	if !want[*mfpb.HostState](t, n.peer).Connected || !want[*mfpb.ViewerState](t, h.peer).Connected {
		t.Error("not told that both are there")
	}
	h.attach(2)
	want[*mfpb.Attach](t, n.peer)
	n.ws.Close()
	want[*mfpb.ViewerState](t, h.peer)
	b.advance(31 * time.Second)
	wantEnd(t, h.peer, mfpb.Reason_REASON_VIEWER_GONE, false)
	h.close(mfpb.Reason_REASON_VIEWER_GONE)
	if r := b.ended(h.session); r.Reason != "VIEWER_GONE" {
		t.Errorf("ended with %s", r.Reason)
	}
	late := b.resumeViewer(v, "ann")
	wantEnd(t, late.peer, mfpb.Reason_REASON_VIEWER_GONE, true)
}

func TestOnlyTheSameTechnicianResumes(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	n := b.resumeViewer(v, "bob") // with ann's token
	wantEnd(t, n.peer, mfpb.Reason_REASON_NOT_ALLOWED, true)
	v.token, h.token = h.token, v.token // one side's token is not the other's
	wantEnd(t, b.resumeViewer(v, "ann").peer, mfpb.Reason_REASON_NOT_ALLOWED, true)
	wantEnd(t, b.resumeHost(h).peer, mfpb.Reason_REASON_NOT_ALLOWED, true)
	v.sealed(0, []byte("undisturbed"))
	want[*mfpb.Sealed](t, h.peer)
}

func TestResumeComesRightAfterHello(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	late := b.host() // asked for a plate
	late.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Resume{Resume: &mfpb.HostResume{Session: h.session, Token: h.token}}})
	wantEnd(t, late.peer, mfpb.Reason_REASON_PROTOCOL, true)
	lateViewer := b.viewer("ann")
	lateViewer.claim("999999999", b.ticket.ID)
	lateViewer.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	lateViewer.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Resume{Resume: &mfpb.ViewerResume{Session: v.session, Token: v.token}}})
	wantEnd(t, lateViewer.peer, mfpb.Reason_REASON_PROTOCOL, true)
}

func TestARestartInMidSession(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	h.event("consent.granted", "ok", `{"grant":"view"}`)
	h.event("input.summary", "ok", `{"keys":3}`)
	h.acked(t, 2)
	before := b.types(h.session)
	b.stop()
	wantClosed(t, h.peer, websocket.CloseGoingAway)
	wantClosed(t, v.peer, websocket.CloseGoingAway)
	b.start()

	h2 := b.resumeHost(h)
	if want[*mfpb.ViewerState](t, h2.peer).Connected {
		t.Error("the host was told that the viewer is there already")
	}
	h2.acked(t, 2)
	v2 := b.resumeViewer(v, "ann")
	if !want[*mfpb.HostState](t, v2.peer).Connected || !want[*mfpb.ViewerState](t, h2.peer).Connected {
		t.Error("not told that both are there")
	}
	v2.sealed(0, []byte("as before"))
	want[*mfpb.Sealed](t, h2.peer)
	h2.event("input.summary", "ok", `{"keys":4}`)
	h2.acked(t, 3)
	h2.close(mfpb.Reason_REASON_PERSON_STOPPED)
	if r := b.ended(h.session); r.Reason != "PERSON_STOPPED" {
		t.Errorf("ended with %s", r.Reason)
	}
	if got, want := b.types(h.session), before+" session.resumed session.resumed input.summary host.closed session.ended"; got != want {
		t.Errorf("the log holds %s, want %s", got, want)
	}
	if note := b.notes(1)[0].Text; !strings.Contains(note, "7") {
		t.Errorf("the count did not survive:\n%s", note)
	}
}

func TestAServerThatDiesInMidSession(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	h.event("consent.granted", "ok", `{"grant":"view"}`)
	h.acked(t, 1)
	// No drain, no goodbye. What the old process does later reaches nobody.
	old := b.desk
	b.kill()
	t.Cleanup(func() { old.Close(t.Context()) })
	b.start()

	b.advance(29 * time.Second)
	time.Sleep(30 * time.Millisecond)
	h2 := b.resumeHost(h)
	want[*mfpb.ViewerState](t, h2.peer)
	h2.acked(t, 1)
	// The viewer's tab was closed meanwhile.
	b.advance(2 * time.Second)
	wantEnd(t, h2.peer, mfpb.Reason_REASON_VIEWER_GONE, false)
	h2.close(mfpb.Reason_REASON_VIEWER_GONE)
	b.ended(h.session)
	b.notes(1)
}

func TestNobodyComesBackAfterARestart(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	b.stop()
	b.start()
	b.advance(31 * time.Second)
	if r := b.ended(h.session); r.Reason != "SERVER_GONE" {
		t.Errorf("ended with %s", r.Reason)
	}
	b.notes(1)
	b.stop()
	b.start() // an ended session is not taken up again
	b.advance(31 * time.Second)
	time.Sleep(30 * time.Millisecond)
	b.notes(1)
	if got := strings.Count(b.types(h.session), "session.ended"); got != 1 {
		t.Errorf("ended %d times", got)
	}
}

func TestParticipantsComeBack(t *testing.T) {
	b := newBench(t)
	h, ann, bob, cat := b.three()
	bob.ws.Close()
	h.sees(t, "2", false)
	n := b.resumeViewer(bob, "bob")
	if !want[*mfpb.HostState](t, n.peer).Connected {
		t.Error("not told that the host is there")
	}
	h.sees(t, "2", true)
	n.sealed(0, []byte("x"))
	if m := want[*mfpb.Sealed](t, h.peer); m.Participant != "2" {
		t.Errorf("came as %q", m.Participant)
	}
	h.sealedTo("2", "y")
	want[*mfpb.Sealed](t, n.peer)
	quiet(t, ann.peer)
	quiet(t, cat.peer)
	events := b.events(h.session)
	if e := events[len(events)-1]; e.Type != "session.resumed" || e.Data["line"] != "viewer" || e.Data["participant"] != "2" {
		t.Errorf("logged as %+v", e.Event)
	}
}

func TestAHostThatComesBackIsToldOfEverybody(t *testing.T) {
	b := newBench(t)
	h, ann, bob, cat := b.three()
	h.ws.Close()
	for _, v := range []*viewerPeer{ann, bob, cat} {
		if want[*mfpb.HostState](t, v.peer).Connected {
			t.Error("told that the host is there")
		}
	}
	bob.end(mfpb.Reason_REASON_LEFT) // while the host cannot hear it
	wantEnd(t, bob.peer, mfpb.Reason_REASON_LEFT, false)
	cat.ws.Close()
	time.Sleep(30 * time.Millisecond)
	n := b.resumeHost(h)
	n.sees(t, "1", true)
	n.hears(t, "2", mfpb.Reason_REASON_LEFT)
	n.sees(t, "3", false)
	n.acked(t, 0)
	if !want[*mfpb.HostState](t, ann.peer).Connected {
		t.Error("not told that the host is back")
	}
}

func TestAnInviteIsTheLinesThatMadeIt(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	h.invite(t, expert)
	b.confirmedFor(h, bob, "")
	n := b.resumeHost(h) // while the old line stands
	bob.refused(t, mfpb.Reason_REASON_HOST_GONE)
	n.sees(t, "1", true)
	n.acked(t, 0)
	bob.claim(h.plate, "")
	bob.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	b.join(n, bob, expert)
}

func TestOneParticipantsTokenIsNotAnothers(t *testing.T) {
	b := newBench(t)
	h, ann, bob, cat := b.three()
	for name, c := range map[string]struct {
		token []byte
		user  string
	}{
		"bob's, by ann": {bob.token, "ann"},
		"ann's, by bob": {ann.token, "bob"},
		"the host's":    {h.token, "ann"},
		"none":          {nil, "ann"},
		"cut":           {cat.token[:31], "cat"},
	} {
		t.Run(name, func(t *testing.T) {
			v := &viewerPeer{session: h.session, token: c.token}
			wantEnd(t, b.resumeViewer(v, c.user).peer, mfpb.Reason_REASON_NOT_ALLOWED, true)
		})
	}
	for _, token := range [][]byte{ann.token, bob.token, nil} {
		f := &hostPeer{session: h.session, token: token}
		wantEnd(t, b.resumeHost(f).peer, mfpb.Reason_REASON_NOT_ALLOWED, true)
	}
	bob.sealed(0, []byte("undisturbed"))
	want[*mfpb.Sealed](t, h.peer)
	h.sealedTo("1", "undisturbed")
	want[*mfpb.Sealed](t, ann.peer)
}

func TestParticipantsSurviveARestart(t *testing.T) {
	b := newBench(t)
	h, ann, bob, cat := b.three()
	dan := b.viewer("dan")
	b.join(h, dan, expert)
	dan.end(mfpb.Reason_REASON_LEFT)
	h.hears(t, "4", mfpb.Reason_REASON_LEFT)
	h.event("session.degraded", "ok", `{"reason":"SCREEN_LOCKED"}`)
	h.acked(t, 1)
	b.stop()
	b.start()

	h2 := b.resumeHost(h)
	for _, id := range []string{"1", "2", "3"} {
		h2.sees(t, id, false)
	}
	h2.hears(t, "4", mfpb.Reason_REASON_LEFT)
	h2.acked(t, 1)
	wantEnd(t, b.resumeViewer(dan, "dan").peer, mfpb.Reason_REASON_LEFT, true)
	wantEnd(t, b.resumeViewer(bob, "ann").peer, mfpb.Reason_REASON_NOT_ALLOWED, true)
	bob2, cat2 := b.resumeViewer(bob, "bob"), b.resumeViewer(cat, "cat")
	for _, v := range []*viewerPeer{bob2, cat2} {
		want[*mfpb.HostState](t, v.peer)
		if s := want[*mfpb.ViewerState](t, h2.peer); !s.Connected {
			t.Errorf("told %v", s)
		}
	}
	h2.event("session.restored", "ok", `{"reason":"SCREEN_LOCKED"}`)
	h2.acked(t, 2)
	// No number is given out twice, and the lead is who it was.
	eve := b.viewer("eve")
	b.join(h2, eve, observer)
	if eve.id != "5" {
		t.Errorf("joined as %s", eve.id)
	}
	bob2.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	h2.hears(t, "2", mfpb.Reason_REASON_LEFT)
	ann2 := b.resumeViewer(ann, "ann")
	want[*mfpb.HostState](t, ann2.peer)
	h2.sees(t, "1", true)
	ann2.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	wantEnd(t, h2.peer, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
	wantEnd(t, cat2.peer, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
	h2.close(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	if r := b.ended(h.session); len(r.Participants) != 5 || r.Participants[3].Reason != "LEFT" || r.Participants[4].Kind != "observer" {
		t.Errorf("recorded: %+v", r.Participants)
	}
	if note := b.notes(1)[0].Text; !strings.Contains(note, "ann, bob, cat, dan, eve") || !strings.Contains(note, "verrouillé") {
		t.Errorf("the note is\n%s", note)
	}
}

func TestARefusedResumeStandsInTheLog(t *testing.T) {
	b := newBench(t)
	h, ann := b.host(), b.viewer("ann")
	b.pair(h, ann)
	refused := func(id string) (list []audit.Record) {
		for _, e := range b.events(id) {
			if e.Type == "session.resume_refused" {
				list = append(list, e)
			}
		}
		return list
	}
	forged := &viewerPeer{session: h.session, token: make([]byte, 32)}
	wantEnd(t, b.resumeViewer(forged, "bob").peer, mfpb.Reason_REASON_NOT_ALLOWED, true)
	wantEnd(t, b.resumeHost(&hostPeer{session: h.session}).peer, mfpb.Reason_REASON_NOT_ALLOWED, true)
	wantEnd(t, b.resumeHost(&hostPeer{session: "no such"}).peer, mfpb.Reason_REASON_NOT_ALLOWED, true)
	for range 10 {
		wantEnd(t, b.resumeHost(&hostPeer{session: h.session}).peer, mfpb.Reason_REASON_NOT_ALLOWED, true)
	}
	b.advance(0) // what is being written is written
	in, outside := refused(h.session), refused("")
	if len(in) != 4 || len(outside) != 1 { // 5 of one address
		t.Fatalf("%d and %d lines in the log", len(in), len(outside))
	}
	if e := in[0]; e.Actor.Ref != "id-bob" || e.Data["line"] != "viewer" || e.Outcome != "deny" || e.Personal["address"] != "127.0.0.1" {
		t.Errorf("logged as %+v", e.Event)
	}
	if e := in[1]; e.Actor.Kind != "system" || e.Data["line"] != "host" {
		t.Errorf("logged as %+v", e.Event)
	}
}

func TestASessionIsWaitedForTenMinutes(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Grace = 0 }) // as it is without a word about it
	w := b.dial(false, "ann")
	w.hello(mfpb.Kind_KIND_VIEWER)
	want[*mfpb.Hello](t, w)
	if s := want[*mfpb.Welcome](t, w).GraceS; s != 600 {
		t.Errorf("told %d seconds", s)
	}
	h, ann := b.host(), b.viewer("ann")
	b.pair(h, ann)
	h.ws.Close()
	want[*mfpb.HostState](t, ann.peer)
	b.advance(10*time.Minute - time.Second)
	n := b.resumeHost(h)
	n.sees(t, "1", true)
	n.acked(t, 0)
	want[*mfpb.HostState](t, ann.peer)
	n.ws.Close()
	want[*mfpb.HostState](t, ann.peer)
	b.advance(10*time.Minute + time.Second)
	wantEnd(t, ann.peer, mfpb.Reason_REASON_HOST_GONE, false)
}
