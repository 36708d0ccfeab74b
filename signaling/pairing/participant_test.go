package pairing

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/tickets"
)

func TestAnotherParticipantJoins(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	h.paired(b.confirmed(h, ann))
	first, told := want[*mfpb.Opened](t, h.peer), want[*mfpb.Opened](t, ann.peer)
	for side, o := range map[string]*mfpb.Opened{"host": first, "viewer": told} {
		if o.Participant != "1" || o.Kind != leads {
			t.Errorf("the %s was told of the first as %v", side, o)
		}
	}
	if tk := told.Ticket; tk.GetId() != b.ticket.ID || tk.GetNumber() != b.ticket.Number || tk.GetSubject() != "Imprimante en panne" {
		t.Errorf("the first viewer's ticket is %v", tk)
	}
	h.session, h.token = first.Session, first.ResumeToken

	h.invite(t, expert)
	claim := b.confirmedFor(h, bob, "")
	quiet(t, ann.peer)
	h.paired(claim)
	second, hers := want[*mfpb.Opened](t, h.peer), want[*mfpb.Opened](t, bob.peer)
	if second.Session != first.Session || second.Participant != "2" || second.Kind != expert || string(second.Claim) != string(claim) {
		t.Errorf("the host was told of the second as %v", second)
	}
	if string(second.ResumeToken) != string(first.ResumeToken) {
		t.Error("the host's token changed with the second participant")
	}
	if hers.Session != first.Session || hers.Participant != "2" || hers.Kind != expert || string(hers.Claim) != string(claim) || hers.Ticket.GetId() != b.ticket.ID {
		t.Errorf("the second viewer was told %v", hers)
	}
	if len(hers.ResumeToken) != wire.ResumeSize || string(hers.ResumeToken) == string(told.ResumeToken) {
		t.Error("the second viewer has no token of its own")
	}
	quiet(t, ann.peer)

	if got := b.types(h.session); got != "session.requested session.paired ticket.linked participant.joined" {
		t.Errorf("the log holds %s", got)
	}
	events := b.events(h.session)
	e := events[len(events)-1]
	if e.Data["participant"] != "2" || e.Data["kind"] != "expert" || e.Data["signed_in"] != "password" || e.Actor.Ref != "id-bob" {
		t.Errorf("joined: %+v", e.Event)
	}
	if e.Personal["technician"] != "bob" || e.Personal["viewer_address"] != "127.0.0.1" || strings.Contains(string(e.Leaf), `"bob"`) {
		t.Errorf("the personal part of joining: %v", e.Personal)
	}
	list, _, err := Records(t.Context(), b.store, Filter{Live: true, Query: "bob"})
	if err != nil || len(list) != 1 || len(list[0].Participants) != 2 {
		t.Fatal(list, err)
	}
	if p := list[0].Participants[1]; p.ID != "2" || p.TechnicianName != "bob" || p.Kind != "expert" || p.Joined.IsZero() || !p.Left.IsZero() {
		t.Errorf("recorded as %+v", p)
	}
}

func TestC37_MessagesCarryTheNameOfTheirSocket(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	b.join(h, bob, expert)
	for _, c := range []struct {
		from *viewerPeer
		says string
	}{{ann, ""}, {ann, "2"}, {ann, "9"}, {bob, ""}, {bob, "1"}} {
		c.from.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Sealed{Sealed: &mfpb.Sealed{Epoch: 1, Box: []byte("x"), Participant: c.says}}})
		if m := want[*mfpb.Sealed](t, h.peer); m.Participant != c.from.id {
			t.Errorf("a sealed body of %s that says %q came as %q", c.from.id, c.says, m.Participant)
		}
		c.from.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Attach{Attach: &mfpb.Attach{Epoch: 1, Nonce: make([]byte, 16), Participant: c.says}}})
		if m := want[*mfpb.Attach](t, h.peer); m.Participant != c.from.id {
			t.Errorf("an attach of %s that says %q came as %q", c.from.id, c.says, m.Participant)
		}
	}
}

func TestC37_WhatIsForOneParticipantReachesNoOther(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	h.sealed(0, []byte("names nobody")) // with one there is nobody else
	if m := want[*mfpb.Sealed](t, ann.peer); string(m.Box) != "names nobody" {
		t.Errorf("got %v", m)
	}
	b.join(h, bob, observer)
	h.sealedTo("2", "to bob")
	h.attachTo("2")
	if m := want[*mfpb.Sealed](t, bob.peer); string(m.Box) != "to bob" || m.Participant != "2" {
		t.Errorf("got %v", m)
	}
	want[*mfpb.Attach](t, bob.peer)
	quiet(t, ann.peer)
	h.sealedTo("1", "to ann")
	h.attachTo("1")
	want[*mfpb.Sealed](t, ann.peer)
	want[*mfpb.Attach](t, ann.peer)
	for _, id := range []string{"3", "0", "-1", "01", " 2", "x", ""} {
		h.sealedTo(id, "to nobody")
		h.attachTo(id)
	}
	quiet(t, ann.peer)
	quiet(t, bob.peer)
	h.gone("2", mfpb.Reason_REASON_PERSON_STOPPED)
	wantEnd(t, bob.peer, mfpb.Reason_REASON_PERSON_STOPPED, false)
	h.sealedTo("2", "to who is out")
	bob.sealed(0, []byte("from who is out"))
	quiet(t, bob.peer)
	quiet(t, h.peer)
}

func TestC38_AnInviteIsForTheTicketOfItsSession(t *testing.T) {
	b := newBench(t)
	other, err := b.local.Create(t.Context(), tickets.New{Subject: "Another", Lang: "en"})
	if err != nil {
		t.Fatal(err)
	}
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	h.invite(t, expert)
	bob.claim(h.plate, other.ID)
	bob.refused(t, mfpb.Reason_REASON_OTHER_TICKET)
	quiet(t, h.peer)
	// It names the right one, and comes into that session, not into one of its own.
	h.paired(b.confirmedFor(h, bob, b.ticket.ID))
	if o := want[*mfpb.Opened](t, bob.peer); o.Session != h.session || o.Participant != "2" {
		t.Errorf("opened as %v", o)
	}
	if _, live := b.desk.Waiting(); live != 1 {
		t.Errorf("%d sessions are open", live)
	}
}

func TestC38_AnotherTicketIsAGuess(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Account = limit.Every{N: 1, In: time.Hour} })
	other, err := b.local.Create(t.Context(), tickets.New{Subject: "Another", Lang: "en"})
	if err != nil {
		t.Fatal(err)
	}
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	h.invite(t, expert)
	bob.claim(h.plate, other.ID)
	bob.refused(t, mfpb.Reason_REASON_OTHER_TICKET)
	bob.claim(h.plate, b.ticket.ID)
	bob.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
}

func TestC4_AnInviteNeedsAnOpenTicketToo(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	h.invite(t, expert)
	if _, err := b.local.Close(t.Context(), b.ticket.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", b.ticket.ID} {
		bob.claim(h.plate, id)
		bob.refused(t, mfpb.Reason_REASON_TICKET_CLOSED)
	}
	quiet(t, h.peer)
}

func TestNobodyIsTwiceInASession(t *testing.T) {
	b := newBench(t)
	h, ann, again := b.host(), b.viewer("ann"), b.viewer("ann")
	b.pair(h, ann)
	h.invite(t, observer)
	again.claim(h.plate, "")
	again.refused(t, mfpb.Reason_REASON_NOT_ALLOWED)
	ann.claim(h.plate, "") // from within the session
	ann.refused(t, mfpb.Reason_REASON_PROTOCOL)
	quiet(t, h.peer)
}

func TestASessionHasFourParticipants(t *testing.T) {
	b := newBench(t)
	h, ann := b.host(), b.viewer("ann")
	b.pair(h, ann)
	var dan *viewerPeer
	for _, u := range []string{"bob", "cat", "dan"} {
		dan = b.viewer(u)
		b.join(h, dan, expert)
	}
	h.invite(t, observer) // a host that does not count
	eve := b.viewer("eve")
	eve.claim(h.plate, "")
	eve.refused(t, mfpb.Reason_REASON_TOO_MANY_PARTICIPANTS)
	quiet(t, h.peer)
	// A place that became free is one; its number is not given out again.
	dan.end(mfpb.Reason_REASON_LEFT)
	h.hears(t, "4", mfpb.Reason_REASON_LEFT)
	h.paired(b.confirmedFor(h, eve, ""))
	if o := want[*mfpb.Opened](t, eve.peer); o.Participant != "5" {
		t.Errorf("opened as %v", o)
	}
}

func TestASessionHasSixtyFourParticipantsInAll(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	b.desk.mu.Lock()
	s := b.desk.sessions[h.session]
	for n := range 63 {
		s.participants = append(s.participants, &participant{number: n + 2, kind: observer, state: out})
	}
	b.desk.mu.Unlock()
	h.invite(t, observer)
	bob.claim(h.plate, "")
	bob.refused(t, mfpb.Reason_REASON_TOO_MANY_PARTICIPANTS)
	quiet(t, h.peer)
}

func TestWhenANameplateMayInvite(t *testing.T) {
	b := newBench(t)
	request := func(h *hostPeer, kind mfpb.ParticipantKind) {
		h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_PlateRequest{PlateRequest: &mfpb.PlateRequest{Invite: kind}}})
	}
	t.Run("outside a session", func(t *testing.T) {
		h := b.host()
		request(h, expert)
		wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
	})
	for name, kind := range map[string]mfpb.ParticipantKind{"a lead": leads, "something new": 9} {
		t.Run(name, func(t *testing.T) {
			h := b.host()
			b.pair(h, b.viewer("ann"))
			request(h, kind)
			wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
		})
	}
	t.Run("in a session that ended", func(t *testing.T) {
		h, v := b.host(), b.viewer("ann")
		b.pair(h, v)
		v.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
		wantEnd(t, h.peer, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
		request(h, expert) // it crossed the news
		h.close(mfpb.Reason_REASON_TECHNICIAN_ENDED)
		b.ended(h.session)
		request(h, expert)
		quiet(t, h.peer)
		h.want(t)
	})
}

func TestAnInviteCodeIsOne(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	dead := func(plate string) {
		t.Helper()
		bob.claim(plate, "")
		bob.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
		quiet(t, h.peer)
	}
	b.pair(h, ann)
	h.invite(t, expert)
	old := h.plate
	h.invite(t, observer) // another one retires it
	dead(old)
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_PlateReturn{PlateReturn: &mfpb.PlateReturn{Why: mfpb.Reason_REASON_PERSON_STOPPED}}})
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_PlateReturn{PlateReturn: &mfpb.PlateReturn{}}}) // there is none
	quiet(t, h.peer)
	dead(h.plate)
	b.join(h, bob, expert)
	used := h.plate
	bob = b.viewer("cat")
	dead(used) // it works once
	h.invite(t, expert)
	ann.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	wantEnd(t, h.peer, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
	bob.claim(h.plate, "")
	bob.refused(t, mfpb.Reason_REASON_CODE_EXPIRED) // with its session
}

func TestAClaimOnAnInviteEndsWithIt(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(*hostPeer, *viewerPeer)
		told mfpb.Reason
	}{
		"given back": {func(h *hostPeer, _ *viewerPeer) {
			h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_PlateReturn{PlateReturn: &mfpb.PlateReturn{Why: mfpb.Reason_REASON_PERSON_STOPPED}}})
		}, mfpb.Reason_REASON_PERSON_STOPPED},
		"session ended": {func(h *hostPeer, _ *viewerPeer) { h.close(mfpb.Reason_REASON_PERSON_STOPPED) }, mfpb.Reason_REASON_CODE_EXPIRED},
		"host lost":     {func(h *hostPeer, _ *viewerPeer) { h.ws.Close() }, mfpb.Reason_REASON_HOST_GONE},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
			b.pair(h, ann)
			h.invite(t, expert)
			b.confirmedFor(h, bob, "")
			end.do(h, ann)
			bob.refused(t, end.told)
		})
	}
}

func TestC6_TwoClaimsOnAnInviteDropBoth(t *testing.T) {
	b := newBench(t)
	h, ann, bob, cat := b.host(), b.viewer("ann"), b.viewer("bob"), b.viewer("cat")
	b.pair(h, ann)
	h.invite(t, expert)
	claim := b.confirmedFor(h, bob, "")
	cat.claim(h.plate, "")
	cat.refused(t, mfpb.Reason_REASON_TWO_CLAIMS)
	bob.refused(t, mfpb.Reason_REASON_TWO_CLAIMS)
	if f := want[*mfpb.ClaimFailed](t, h.peer); f.Reason != mfpb.Reason_REASON_TWO_CLAIMS {
		t.Errorf("the host was told %v", f)
	}
	h.paired(claim) // crossed the news: nobody joins
	quiet(t, bob.peer)
	cat.claim(h.plate, "")
	cat.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	ann.sealed(0, []byte("undisturbed"))
	want[*mfpb.Sealed](t, h.peer)
}

func TestC7_AnInviteLivesTenMinutes(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	h.invite(t, expert)
	b.advance(10*time.Minute + time.Second)
	bob.claim(h.plate, "")
	bob.refused(t, mfpb.Reason_REASON_CODE_EXPIRED)
	quiet(t, h.peer)
}

func TestC8_NothingOfAParticipantIsRelayedBeforeOpened(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	h.invite(t, expert)
	claim := b.confirmedFor(h, bob, "")
	open := b.store.shut()
	h.paired(claim)
	h.sealedTo("2", "early") // nobody yet
	quiet(t, bob.peer)
	bob.sealed(0, []byte("early"))
	wantEnd(t, bob.peer, mfpb.Reason_REASON_PROTOCOL, true)
	quiet(t, h.peer)
	open()
	want[*mfpb.Opened](t, h.peer)
	h.hears(t, "2", mfpb.Reason_REASON_VIEWER_GONE) // it has no token to come back with
	ann.sealed(0, []byte("the session goes on"))
	want[*mfpb.Sealed](t, h.peer)
}

// Between Paired and Opened neither side has anything to come back with: who is
// lost then is not waited for.
func TestALineThatIsLostOnTheWayInIsNotWaitedFor(t *testing.T) {
	for _, lost := range []string{"host", "viewer"} {
		for _, joins := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %v", lost, joins), func(t *testing.T) {
				b := newBench(t)
				h, v := b.host(), b.viewer("bob")
				reason := mfpb.Reason_REASON_HOST_GONE
				if lost == "viewer" {
					reason = mfpb.Reason_REASON_VIEWER_GONE
				}
				ticket := b.ticket.ID
				if joins {
					b.pair(h, b.viewer("ann"))
					h.invite(t, expert)
					ticket = ""
				}
				claim := b.confirmedFor(h, v, ticket)
				open := b.store.shut()
				h.paired(claim)
				quiet(t, h.peer)
				if lost == "host" {
					h.ws.Close()
				} else {
					v.ws.Close()
				}
				time.Sleep(50 * time.Millisecond)
				open()
				if lost == "host" {
					want[*mfpb.Opened](t, v.peer)
					wantEnd(t, v.peer, reason, false)
				} else {
					want[*mfpb.Opened](t, h.peer)
					if joins {
						h.hears(t, "2", reason)
					} else {
						wantEnd(t, h.peer, reason, false)
					}
				}
			})
		}
	}
}

func TestC9_AParticipantIsInTheLogBeforeItIsOpened(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	h.invite(t, expert)
	claim := b.confirmedFor(h, bob, "")
	open := b.store.shut()
	h.paired(claim)
	quiet(t, h.peer)
	quiet(t, bob.peer)
	open()
	want[*mfpb.Opened](t, h.peer)
	want[*mfpb.Opened](t, bob.peer)
	if got := b.types(h.session); !strings.HasSuffix(got, "participant.joined") {
		t.Errorf("the log holds %s", got)
	}
}

func TestC9_NoParticipantWithoutALog(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	h.invite(t, expert)
	claim := b.confirmedFor(h, bob, "")
	b.store.full.Store(true)
	h.paired(claim)
	bob.refused(t, mfpb.Reason_REASON_LOG_UNAVAILABLE)
	if f := want[*mfpb.ClaimFailed](t, h.peer); f.Reason != mfpb.Reason_REASON_LOG_UNAVAILABLE || string(f.Claim) != string(claim) {
		t.Errorf("the host was told %v", f)
	}
	b.store.full.Store(false)
	h.sealedTo("2", "to nobody")
	quiet(t, bob.peer)
	ann.sealed(0, []byte("the session goes on"))
	want[*mfpb.Sealed](t, h.peer)
	b.join(h, bob, expert) // once there is room
	if bob.id != "2" {
		t.Errorf("joined as %s", bob.id)
	}
}

// The session ends while the log is still to take the next participant: whether it
// does or not, nobody hears more than the end, and the note does not name who
// was never in.
func TestASessionThatEndsWhileOneIsOnTheWayIn(t *testing.T) {
	for _, full := range []bool{false, true} {
		t.Run(fmt.Sprintf("full %v", full), func(t *testing.T) {
			b := newBench(t)
			h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
			b.pair(h, ann)
			h.invite(t, expert)
			claim := b.confirmedFor(h, bob, "")
			open := b.store.shut()
			h.paired(claim)
			quiet(t, h.peer)
			ann.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
			wantEnd(t, h.peer, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
			wantEnd(t, bob.peer, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
			b.store.full.Store(full)
			open()
			quiet(t, h.peer)
			quiet(t, bob.peer)
			b.store.full.Store(false)
			h.close(mfpb.Reason_REASON_TECHNICIAN_ENDED)
			b.ended(h.session)
			if note := b.notes(1)[0].Text; strings.Contains(note, "bob") {
				t.Errorf("the note is\n%s", note)
			}
		})
	}
}

func TestAnInviteIsPairedWithTheKeyOfTheSession(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	h.invite(t, expert)
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h.key = other // what it signs at the end, bob could not check
	h.paired(b.confirmedFor(h, bob, ""))
	wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
	bob.refused(t, mfpb.Reason_REASON_PROTOCOL)
}
