package pairing

import (
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
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
	v.sealed(0, []byte("to the new line"))
	want[*mfpb.EventAck](t, n.peer)
	want[*mfpb.Sealed](t, n.peer)
	time.Sleep(50 * time.Millisecond)
	b.advance(time.Minute)
	n.sealed(0, []byte("still there"))
	want[*mfpb.HostState](t, v.peer)
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
