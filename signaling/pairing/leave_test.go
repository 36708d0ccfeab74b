package pairing

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/identity"
)

// three is a session of a lead (ann), an expert (bob) and an observer (cat).
func (b *bench) three() (h *hostPeer, ann, bob, cat *viewerPeer) {
	b.t.Helper()
	h, ann, bob, cat = b.host(), b.viewer("ann"), b.viewer("bob"), b.viewer("cat")
	b.pair(h, ann)
	b.join(h, bob, expert)
	b.join(h, cat, observer)
	return h, ann, bob, cat
}

func TestAParticipantLeaves(t *testing.T) {
	b := newBench(t)
	h, ann, bob, cat := b.three()
	bob.end(mfpb.Reason_REASON_TECHNICIAN_ENDED) // who is not the lead only leaves
	h.hears(t, "2", mfpb.Reason_REASON_LEFT)
	wantEnd(t, bob.peer, mfpb.Reason_REASON_LEFT, false)
	quiet(t, ann.peer)
	quiet(t, cat.peer)
	ann.sealed(0, []byte("the session goes on"))
	want[*mfpb.Sealed](t, h.peer)
	if got := b.types(h.session); !strings.HasSuffix(got, "participant.joined participant.joined participant.left") {
		t.Errorf("the log holds %s", got)
	}
	for _, e := range b.events(h.session) {
		if e.Type == "participant.left" && (e.Data["participant"] != "2" || e.Data["kind"] != "expert" || e.Data["reason"] != "LEFT" ||
			e.Data["by"] != "viewer" || e.Actor.Ref != "id-bob") {
			t.Errorf("left: %+v", e.Event)
		}
	}
	bob.end(mfpb.Reason_REASON_TECHNICIAN_ENDED) // too late to matter
	// The same line may claim another code, and come back by another invite.
	b.join(h, bob, expert)
	if bob.id != "4" {
		t.Errorf("came back as %s", bob.id)
	}
	bob.end(mfpb.Reason_REASON_NO_ROUTE)
	h.hears(t, "4", mfpb.Reason_REASON_NO_ROUTE)
}

func TestTheLeadEndsTheSession(t *testing.T) {
	for _, r := range []mfpb.Reason{mfpb.Reason_REASON_TECHNICIAN_ENDED, mfpb.Reason_REASON_NO_ROUTE, mfpb.Reason_REASON_RELAY_REFUSED} {
		b := newBench(t)
		h, ann, bob, cat := b.three()
		ann.end(r)
		for _, p := range []*peer{h.peer, ann.peer, bob.peer, cat.peer} {
			wantEnd(t, p, r, false)
		}
		h.close(r)
		b.ended(h.session)
	}
}

func TestTheFirstExpertFollowsTheLead(t *testing.T) {
	b := newBench(t)
	h, ann, bob, cat := b.three()
	dan := b.viewer("dan")
	b.join(h, dan, expert)
	ann.end(mfpb.Reason_REASON_LEFT)
	h.hears(t, "1", mfpb.Reason_REASON_LEFT)
	wantEnd(t, ann.peer, mfpb.Reason_REASON_LEFT, false)
	dan.end(mfpb.Reason_REASON_TECHNICIAN_ENDED) // the second expert is not
	h.hears(t, "4", mfpb.Reason_REASON_LEFT)
	bob.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	for _, p := range []*peer{h.peer, bob.peer, cat.peer} {
		wantEnd(t, p, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
	}
	h.close(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	b.ended(h.session)
	for _, e := range b.events(h.session) {
		if e.Type == "session.ended" && e.Actor.Ref != "id-bob" {
			t.Errorf("ended by %+v", e.Actor)
		}
	}
}

func TestObserversAloneAreNoSession(t *testing.T) {
	b := newBench(t)
	h, ann, cat := b.host(), b.viewer("ann"), b.viewer("cat")
	b.pair(h, ann)
	b.join(h, cat, observer)
	ann.end(mfpb.Reason_REASON_LEFT)
	for _, p := range []*peer{h.peer, ann.peer, cat.peer} {
		wantEnd(t, p, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
	}
	h.close(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	b.ended(h.session)
	b.notes(1)
}

func TestTheHostTakesAParticipantOut(t *testing.T) {
	b := newBench(t)
	h, ann, bob, cat := b.three()
	h.gone("2", mfpb.Reason_REASON_PERSON_STOPPED)
	wantEnd(t, bob.peer, mfpb.Reason_REASON_PERSON_STOPPED, false)
	h.gone("2", mfpb.Reason_REASON_PERSON_STOPPED) // again, on a new line perhaps
	h.gone("7", mfpb.Reason_REASON_PERSON_STOPPED)
	h.gone("", mfpb.Reason_REASON_PERSON_STOPPED)
	quiet(t, h.peer)
	quiet(t, ann.peer)
	quiet(t, cat.peer)
	if got := b.types(h.session); strings.Count(got, "participant.left") != 1 {
		t.Errorf("the log holds %s", got)
	}
	events := b.events(h.session)
	if e := events[len(events)-1]; e.Data["by"] != "host" || e.Data["reason"] != "PERSON_STOPPED" || e.Actor.Kind != "person" {
		t.Errorf("left: %+v", e.Event)
	}
	// Its token is worth nothing but the reason.
	wantEnd(t, b.resumeViewer(bob, "bob").peer, mfpb.Reason_REASON_PERSON_STOPPED, true)
	h.gone("1", mfpb.Reason_REASON_VIEWER_GONE) // the observer is alone
	wantEnd(t, cat.peer, mfpb.Reason_REASON_VIEWER_GONE, false)
	wantEnd(t, h.peer, mfpb.Reason_REASON_VIEWER_GONE, false)
}

func TestAHostThatTakesOutForNoReason(t *testing.T) {
	b := newBench(t)
	for _, r := range []mfpb.Reason{0, 9999, -1} {
		h, ann := b.host(), b.viewer("ann")
		b.pair(h, ann)
		h.gone("1", r)
		wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
	}
	h := b.host()
	h.gone("1", mfpb.Reason_REASON_LEFT) // without a session
	wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
}

func TestSigningOutTakesOneOut(t *testing.T) {
	b := newBench(t)
	h, ann, bob, cat := b.three()
	b.desk.SignedOut([]string{"signin-ann"})
	wantEnd(t, ann.peer, mfpb.Reason_REASON_SIGNED_OUT, false)
	h.hears(t, "1", mfpb.Reason_REASON_SIGNED_OUT)
	bob.sealed(0, []byte("the session goes on"))
	want[*mfpb.Sealed](t, h.peer)
	b.desk.SignedOut([]string{"signin-bob"}) // the observer is alone
	for _, p := range []*peer{h.peer, bob.peer, cat.peer} {
		wantEnd(t, p, mfpb.Reason_REASON_SIGNED_OUT, false)
	}
}

func TestSigningOutOnTheWayIn(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	h.invite(t, expert)
	claim := b.confirmedFor(h, bob, "")
	open := b.store.shut()
	h.paired(claim)
	quiet(t, h.peer)
	b.desk.SignedOut([]string{"signin-bob"})
	wantEnd(t, bob.peer, mfpb.Reason_REASON_SIGNED_OUT, false)
	open()
	want[*mfpb.Opened](t, h.peer)
	h.hears(t, "2", mfpb.Reason_REASON_SIGNED_OUT)
}

func TestAParticipantThatStaysAway(t *testing.T) {
	b := newBench(t)
	h, ann, bob, _ := b.three()
	bob.ws.Close()
	h.sees(t, "2", false)
	b.advance(20 * time.Second)
	ann.ws.Close()
	h.sees(t, "1", false)
	b.advance(11 * time.Second)
	h.hears(t, "2", mfpb.Reason_REASON_VIEWER_GONE)
	n := b.resumeViewer(ann, "ann")
	if !want[*mfpb.HostState](t, n.peer).Connected {
		t.Error("not told that the host is there")
	}
	h.sees(t, "1", true)
	b.advance(time.Minute)
	n.sealed(0, []byte("still there"))
	want[*mfpb.Sealed](t, h.peer)
	wantEnd(t, b.resumeViewer(bob, "bob").peer, mfpb.Reason_REASON_VIEWER_GONE, true)
}

func TestALeadThatStaysAway(t *testing.T) {
	b := newBench(t)
	h, ann, bob, cat := b.three()
	ann.ws.Close()
	h.sees(t, "1", false)
	b.advance(31 * time.Second)
	h.hears(t, "1", mfpb.Reason_REASON_VIEWER_GONE)
	quiet(t, cat.peer)
	bob.ws.Close() // nobody is left who could help
	h.sees(t, "2", false)
	b.advance(31 * time.Second)
	wantEnd(t, h.peer, mfpb.Reason_REASON_VIEWER_GONE, false)
	wantEnd(t, cat.peer, mfpb.Reason_REASON_VIEWER_GONE, false)
}

func TestAllParticipantsStayAway(t *testing.T) {
	b := newBench(t)
	h, ann, bob, cat := b.three()
	for _, v := range []*viewerPeer{ann, bob, cat} {
		v.ws.Close()
		h.sees(t, v.id, false)
	}
	b.advance(31 * time.Second)
	h.hears(t, "3", mfpb.Reason_REASON_VIEWER_GONE)
	h.hears(t, "2", mfpb.Reason_REASON_VIEWER_GONE)
	wantEnd(t, h.peer, mfpb.Reason_REASON_VIEWER_GONE, false)
	h.close(mfpb.Reason_REASON_VIEWER_GONE)
	b.ended(h.session)
	b.notes(1)
}

func TestASupervisorEndsASession(t *testing.T) {
	b := newBench(t)
	h, ann, bob, _ := b.three()
	sue := identity.User{ID: "id-super", Role: identity.Supervisor}
	for name, c := range map[string]struct {
		session string
		user    identity.User
		want    error
	}{
		"an expert of it":      {h.session, identity.User{ID: "id-bob", Role: identity.Technician}, ErrNotYours},
		"another technician":   {h.session, identity.User{ID: "id-eve", Role: identity.Technician}, ErrNotYours},
		"an auditor":           {h.session, identity.User{ID: "id-ada", Role: identity.Auditor}, ErrNotYours},
		"an admin":             {h.session, identity.User{ID: "id-root", Role: identity.Admin}, ErrNotYours},
		"no session":           {"01JUNKNOWN", sue, ErrNoSession},
		"a technician, no one": {"", identity.User{ID: "id-bob", Role: identity.Technician}, ErrNoSession},
	} {
		if err := b.desk.End(c.session, c.user, "x"); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	quiet(t, h.peer)
	if err := b.desk.End(h.session, sue, "x"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*peer{h.peer, ann.peer, bob.peer} {
		wantEnd(t, p, mfpb.Reason_REASON_SUPERVISOR_ENDED, false)
	}
	if err := b.desk.End(h.session, sue, "x"); !errors.Is(err, ErrNoSession) {
		t.Errorf("a second time: %v", err)
	}
	h.close(mfpb.Reason_REASON_SUPERVISOR_ENDED)
	if r := b.ended(h.session); r.Reason != "SUPERVISOR_ENDED" {
		t.Errorf("ended with %s", r.Reason)
	}
	events := b.events(h.session)
	for _, e := range events {
		if e.Type == "session.ended" && (e.Actor.Kind != "supervisor" || e.Actor.Ref != "id-super" || e.Data["by"] != "supervisor") {
			t.Errorf("ended: %+v", e.Event)
		}
	}
}

func TestATechnicianEndsTheSessionThatHeLeads(t *testing.T) {
	b := newBench(t)
	h, ann, bob, _ := b.three()
	ann.ws.Close() // the tab is gone; the console ends it
	h.sees(t, "1", false)
	if err := b.desk.End(h.session, identity.User{ID: "id-ann", Role: identity.Technician}, ""); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, h.peer, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
	wantEnd(t, bob.peer, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
}

// A supervisor may end a session, and watch one only by an invite that the person
// hears of: nothing that a viewer can say makes a participant without one.
func TestNobodyJoinsUnseen(t *testing.T) {
	b := newBench(t)
	h, ann := b.host(), b.viewer("ann")
	b.pair(h, ann)
	used := h.plate
	tag, share := make([]byte, 64), make([]byte, 32)
	for name, m := range map[string]*mfpb.ViewerMessage{
		"hello as one of them": {Body: &mfpb.ViewerMessage_Hello{Hello: &mfpb.Hello{MinVersion: 1, MaxVersion: 1, Kind: mfpb.Kind_KIND_VIEWER, Participant: "1"}}},
		"the code that was":    {Body: &mfpb.ViewerMessage_Claim{Claim: &mfpb.Claim{Nameplate: used, TicketId: b.ticket.ID, Sid: make([]byte, 16), Share: share}}},
		"no code":              {Body: &mfpb.ViewerMessage_Claim{Claim: &mfpb.Claim{TicketId: b.ticket.ID, Sid: make([]byte, 16), Share: share}}},
		"no ticket":            {Body: &mfpb.ViewerMessage_Claim{Claim: &mfpb.Claim{Nameplate: used, Sid: make([]byte, 16), Share: share}}},
		"the session as code":  {Body: &mfpb.ViewerMessage_Claim{Claim: &mfpb.Claim{Nameplate: h.session, Sid: make([]byte, 16), Share: share}}},
		"a confirmation":       {Body: &mfpb.ViewerMessage_Confirm{Confirm: &mfpb.Confirm{Claim: make([]byte, 16), Tag: tag}}},
		"a verdict":            {Body: &mfpb.ViewerMessage_Verdict{Verdict: &mfpb.ClaimVerdict{Claim: make([]byte, 16)}}},
		"an attach":            {Body: &mfpb.ViewerMessage_Attach{Attach: &mfpb.Attach{Epoch: 1, Nonce: make([]byte, 16), Participant: "1"}}},
		"a sealed body":        {Body: &mfpb.ViewerMessage_Sealed{Sealed: &mfpb.Sealed{Epoch: 1, Box: []byte("x"), Participant: "1"}}},
		"an end":               {Body: &mfpb.ViewerMessage_End{End: &mfpb.End{Reason: mfpb.Reason_REASON_SUPERVISOR_ENDED}}},
		"a resume":             {Body: &mfpb.ViewerMessage_Resume{Resume: &mfpb.ViewerResume{Session: h.session, Token: make([]byte, 32)}}},
		"a stolen token":       {Body: &mfpb.ViewerMessage_Resume{Resume: &mfpb.ViewerResume{Session: h.session, Token: ann.token}}},
		"the host's token":     {Body: &mfpb.ViewerMessage_Resume{Resume: &mfpb.ViewerResume{Session: h.session, Token: h.token}}},
	} {
		t.Run(name, func(t *testing.T) {
			v := b.viewer("super")
			v.send(m)
			for {
				got, err := v.next(soon)
				if err != nil {
					break // the line was closed
				}
				body := bodyOf(got)
				if r, refused := body.(*mfpb.ClaimResult); refused && r.Reason != 0 {
					break
				}
				if end, ended := body.(*mfpb.End); !ended || end.Reason == 0 {
					t.Fatalf("got %v", got)
				}
			}
			b.desk.mu.Lock()
			defer b.desk.mu.Unlock()
			if s := b.desk.sessions[h.session]; len(s.participants) != 1 || s.state != open || s.has("id-super") {
				t.Error("the session is not what it was")
			}
		})
	}
	quiet(t, h.peer)
	quiet(t, ann.peer)
}
