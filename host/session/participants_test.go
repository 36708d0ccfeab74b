package session_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const (
	expert   = mfpb.ParticipantKind_PARTICIPANT_KIND_EXPERT
	observer = mfpb.ParticipantKind_PARTICIPANT_KIND_OBSERVER
)

// invite lets a participant ask for a code and returns it.
func (r *rig) invite(by *gopeer.Viewer, kind mfpb.ParticipantKind, nth int) string {
	r.t.Helper()
	ok(r.t, by.AskInvite(kind))
	in := must[*mfpb.Invite](r.t)(by.WaitInvite(ctx(r.t), nth))
	if in.Code == "" || in.Kind != kind {
		r.t.Fatalf("the invite: %v", in)
	}
	return in.Code
}

// joined lets somebody join with an invite code and the person allow it.
func (r *rig) joined(by *gopeer.Viewer, s *relay, kind mfpb.ParticipantKind, nth int, options ...func(*gopeer.Options)) *gopeer.Viewer {
	r.t.Helper()
	v := must[*gopeer.Viewer](r.t)(r.claim(s, r.invite(by, kind, 2*nth-1), options...))
	r.window.Answer(r.t, "view", "allow")
	ok(r.t, v.Attach(ctx(r.t)))
	ok(r.t, v.WaitGrant(ctx(r.t), "view", gopeer.Allowed))
	return v
}

func TestAnInvitedParticipantSeesAfterTheirOwnYes(t *testing.T) {
	r := start(t)
	lead, s := r.live()
	code := r.invite(lead, expert, 1)
	if e := r.window.Wait(t, "invite"); e.Code != code || e.Kind != "expert" || e.Technician.Name != "Ana Tremblay" || e.Text == "" {
		t.Errorf("the person was shown %+v", e)
	}
	v := must[*gopeer.Viewer](t)(r.claim(s, code))
	ok(t, v.Attach(ctx(t)))
	ask := r.window.Wait(t, "ask")
	if ask.Technician.Name != "Paul Roy" || ask.Kind != "expert" || ask.Participant != "2" || ask.Grant != "view" {
		t.Errorf("the person was asked %+v", ask)
	}
	r.paint(1, 1, 0x010203)
	r.sees(lead, 1, 1, 0x010203)
	if n, _ := v.Received(wire.ChannelTiles); n > 0 { // C27, C42
		t.Errorf("%d picture messages before the yes", n)
	}
	r.window.Say(ui.Command{ID: ask.ID, Answer: "allow"})
	r.sees(v, 1, 1, 0x010203)
	ok(t, lead.WaitParticipants(ctx(t), "two that are connected", func(list []*mfpb.Participant) bool {
		return len(list) == 2 && list[0].You && !list[1].You && list[1].Name == "Paul Roy" && list[1].Connected
	}))
	if in := must[*mfpb.Invite](t)(lead.WaitInvite(ctx(t), 2)); in.Code != "" || in.Reason != 0 {
		t.Errorf("a used code: %v", in)
	}
	s.event("invite.made")
	s.event("invite.ended")
	if e := s.event("consent.granted"); !slices.Contains([]byte(e.Data), '1') {
		t.Errorf("consent names nobody: %s", e.Data)
	}
}

func TestASaidNoTakesOneParticipantOutAndNobodyElse(t *testing.T) {
	r := start(t)
	lead, s := r.live()
	v := must[*gopeer.Viewer](t)(r.claim(s, r.invite(lead, expert, 1)))
	ok(t, v.Attach(ctx(t)))
	r.window.Answer(t, "view", "deny")
	if why, err := v.WaitEnd(ctx(t)); why != mfpb.Reason_REASON_PERSON_DENIED {
		t.Errorf("told %v %v", why, err)
	}
	s.until("ParticipantGone", func() bool { return len(s.gone) == 1 && s.gone[0].Participant == "2" })
	r.paint(3, 3, 0x0a0b0c)
	r.sees(lead, 3, 3, 0x0a0b0c)
}

func TestGrantsOfOneAreNothingForAnother(t *testing.T) { // C42
	r := start(t)
	lead, s := r.live()
	r.control(lead)
	v := r.joined(lead, s, expert, 1)
	seq := must[uint32](t)(v.Key(0x04, "a", true))
	ok(t, v.WaitAck(ctx(t), seq))
	if ops := r.hands.Ops(); slices.Contains(ops, "key 04 down") || len(r.hands.Down()) > 0 {
		t.Errorf("another's control moved the hands: %v", ops)
	}
	// What is taken from one is left to the other.
	r.window.Say(ui.Command{Do: "revoke", Grant: "view", Participant: "2"})
	ok(t, v.WaitGrant(ctx(t), "view", gopeer.Revoked))
	r.paint(5, 5, 0x112233)
	r.sees(lead, 5, 5, 0x112233)
	// A message that left before the revoke may still arrive: it shows nothing of this.
	if w, _, pix := v.Pixels(); len(pix) > 5*w+5 && pix[5*w+5] == 0x112233 {
		t.Error("what was painted after the revoke is seen")
	}
	if lead.Grant("control") != gopeer.Allowed {
		t.Error("the lead lost control with another's view")
	}
	ok(t, v.Ask("view"))
	r.window.Answer(t, "view", "allow")
	r.sees(v, 5, 5, 0x112233)
}

func TestAnObserverSeesOnly(t *testing.T) { // C43
	r := start(t)
	lead, s := r.live()
	v := r.joined(lead, s, observer, 1)
	ok(t, v.Ask("control"))
	ok(t, v.WaitGrant(ctx(t), "control", gopeer.Denied))
	for _, e := range r.window.Events() {
		if e.Name == "ask" && e.Grant == "control" {
			t.Errorf("the person was asked %+v", e)
		}
	}
	ok(t, v.AskInvite(expert)) // C40
	if in := must[*mfpb.Invite](t)(v.WaitInvite(ctx(t), 1)); in.Code != "" || in.Reason != mfpb.Reason_REASON_NOT_ALLOWED {
		t.Errorf("an observer's invite: %v", in)
	}
}

func TestControlIsHeldByOne(t *testing.T) { // C44
	r := start(t)
	lead, s := r.live()
	r.control(lead)
	v := r.joined(lead, s, expert, 1)
	seq := must[uint32](t)(lead.Key(0x04, "a", true))
	ok(t, lead.WaitAck(ctx(t), seq))
	r.control(v)
	ok(t, lead.WaitGrant(ctx(t), "control", gopeer.HandedOver))
	if down := r.hands.Down(); len(down) > 0 {
		t.Errorf("still down after the hand-over: %v", down)
	}
	n := len(r.hands.Ops())
	seq = must[uint32](t)(lead.Key(0x05, "b", true))
	ok(t, lead.WaitAck(ctx(t), seq))
	if ops := r.hands.Ops()[n:]; len(ops) > 0 {
		t.Errorf("who handed control over still has it: %v", ops)
	}
	seq = must[uint32](t)(v.Button(0, 5, 5, true))
	ok(t, v.WaitAck(ctx(t), seq))
	if ops := r.hands.Ops()[n:]; !slices.Contains(ops, "left down") {
		t.Errorf("who has control moves nothing: %v", ops)
	}
	s.event("control.handed_over")
}

func TestHandingOverNeedsThePersonsYesOnce(t *testing.T) { // C45
	r := start(t)
	lead, s := r.live()
	r.control(lead)
	v := r.joined(lead, s, expert, 1)
	ok(t, lead.GiveBack("control"))
	ok(t, lead.WaitGrant(ctx(t), "control", gopeer.GivenBack))
	ok(t, v.HandOver("1")) // who has nothing hands over nothing
	ok(t, v.Ask("barrier"))
	ok(t, v.WaitGrant(ctx(t), "barrier", gopeer.Denied))
	if got := lead.Grant("control"); got != gopeer.GivenBack {
		t.Errorf("control was handed over by who did not have it: %v", got)
	}
	r.control(lead)
	ok(t, lead.HandOver("2"))
	r.window.Answer(t, "control", "allow")
	ok(t, v.WaitGrant(ctx(t), "control", gopeer.Allowed))
	ok(t, lead.WaitGrant(ctx(t), "control", gopeer.HandedOver))
	ok(t, lead.HandOver("2")) // it is not the lead's to give any more
	ok(t, lead.Ask("barrier"))
	ok(t, lead.WaitGrant(ctx(t), "barrier", gopeer.Denied))
	if lead.Grant("control") != gopeer.HandedOver || v.Grant("control") != gopeer.Allowed {
		t.Error("who does not hold control handed it over")
	}
	seq := must[uint32](t)(v.Button(2, 5, 6, true)) // a drag: no timer of the receiver's looks at it
	ok(t, v.WaitAck(ctx(t), seq))
	ok(t, v.HandOver("1")) // the person allowed the lead before
	ok(t, lead.WaitGrant(ctx(t), "control", gopeer.Allowed))
	if down := r.hands.Down(); len(down) > 0 { // C44
		t.Errorf("still down after the hand-over: %v", down)
	}
	ok(t, v.WaitGrant(ctx(t), "control", gopeer.HandedOver))
	r.window.Say(ui.Command{Do: "revoke", Grant: "control", Participant: "2"}) // and that yes is taken back
	ok(t, lead.HandOver("2"))
	r.window.Answer(t, "control", "deny")
	ok(t, v.WaitGrant(ctx(t), "control", gopeer.Denied))
	if lead.Grant("control") != gopeer.Allowed {
		t.Error("the lead lost control by a no to somebody else")
	}
}

func TestQuestionsAreAskedOneAfterAnother(t *testing.T) {
	r := start(t)
	lead, s := r.live()
	v := must[*gopeer.Viewer](t)(r.claim(s, r.invite(lead, expert, 1)))
	first := r.window.Wait(t, "ask")
	ok(t, lead.Ask("control"))
	ok(t, lead.WaitGrant(ctx(t), "control", gopeer.Asked))
	r.window.Say(ui.Command{ID: first.ID, Answer: "allow"})
	second := r.window.Wait(t, "ask")
	if second.Grant != "control" || second.Participant != "1" || second.ID == first.ID {
		t.Errorf("asked %+v", second)
	}
	r.window.Say(ui.Command{ID: second.ID, Answer: "allow"})
	ok(t, lead.WaitGrant(ctx(t), "control", gopeer.Allowed))
	ok(t, v.Attach(ctx(t)))
	ok(t, v.WaitGrant(ctx(t), "view", gopeer.Allowed))
}

func TestEachIsStoppedAlone(t *testing.T) {
	r := start(t)
	lead, s := r.live()
	two := r.joined(lead, s, expert, 1)
	three := r.joined(lead, s, observer, 2)
	r.window.Say(ui.Command{Do: "stop", Participant: "3"})
	if why, err := three.WaitEnd(ctx(t)); why != mfpb.Reason_REASON_PERSON_STOPPED {
		t.Errorf("the observer was told %v %v", why, err)
	}
	s.event("participant.stopped")
	// The expert leads when the lead is gone.
	r.window.Say(ui.Command{Do: "stop", Participant: "1"})
	if why, err := lead.WaitEnd(ctx(t)); why != mfpb.Reason_REASON_PERSON_STOPPED {
		t.Errorf("the lead was told %v %v", why, err)
	}
	ok(t, two.WaitParticipants(ctx(t), "themselves as the lead", func(list []*mfpb.Participant) bool {
		return len(list) == 1 && list[0].Kind == mfpb.ParticipantKind_PARTICIPANT_KIND_LEAD && list[0].You
	}))
	r.paint(6, 6, 0x998877)
	r.sees(two, 6, 6, 0x998877)
	r.window.Say(ui.Command{Do: "stop", Participant: "2"})
	r.ends(two, s, mfpb.Reason_REASON_PERSON_STOPPED)
}

func TestWhoLeavesLeavesTheOthers(t *testing.T) {
	t.Run("the expert", func(t *testing.T) {
		r := start(t)
		lead, s := r.live()
		v := r.joined(lead, s, expert, 1)
		ok(t, v.Bye(mfpb.Reason_REASON_TECHNICIAN_ENDED))
		s.until("ParticipantGone", func() bool { return len(s.gone) == 1 })
		r.paint(6, 6, 0x998877)
		r.sees(lead, 6, 6, 0x998877)
	})
	t.Run("the lead who stays away", func(t *testing.T) {
		r := start(t)
		lead, s := r.live()
		v := r.joined(lead, s, expert, 1)
		ok(t, lead.Bye(mfpb.Reason_REASON_LEFT))
		s.until("ParticipantGone", func() bool { return len(s.gone) == 1 && s.gone[0].Reason == mfpb.Reason_REASON_LEFT })
		r.paint(6, 6, 0x998877)
		r.sees(v, 6, 6, 0x998877)
	})
	t.Run("the lead who ends", func(t *testing.T) {
		r := start(t)
		lead, s := r.live()
		v := r.joined(lead, s, expert, 1)
		ok(t, lead.Bye(mfpb.Reason_REASON_TECHNICIAN_ENDED))
		if why, err := v.WaitEnd(ctx(t)); why != mfpb.Reason_REASON_TECHNICIAN_ENDED {
			t.Errorf("the expert was told %v %v", why, err)
		}
		r.ends(lead, s, mfpb.Reason_REASON_TECHNICIAN_ENDED)
	})
	t.Run("observers alone are no session", func(t *testing.T) {
		r := start(t)
		lead, s := r.live()
		v := r.joined(lead, s, observer, 1)
		ok(t, lead.Bye(mfpb.Reason_REASON_LEFT))
		r.ends(v, s, mfpb.Reason_REASON_TECHNICIAN_ENDED)
	})
	t.Run("one who breaks the protocol", func(t *testing.T) {
		r := start(t)
		lead, s := r.live()
		v := r.joined(lead, s, expert, 1)
		ok(t, v.SendRaw(wire.ChannelControl, []byte{0xff}))
		if why, err := v.WaitEnd(ctx(t)); why != mfpb.Reason_REASON_PROTOCOL {
			t.Errorf("told %v %v", why, err)
		}
		r.paint(6, 6, 0x998877)
		r.sees(lead, 6, 6, 0x998877)
	})
	t.Run("one whom the server took out", func(t *testing.T) {
		r := start(t)
		lead, s := r.live()
		v := r.joined(lead, s, expert, 1)
		s.to().send(&mfpb.ParticipantGone{Participant: "2", Reason: mfpb.Reason_REASON_PERSON_STOPPED})
		if why, err := v.WaitEnd(ctx(t)); why != mfpb.Reason_REASON_PROTOCOL { // the server does not speak for the person
			t.Errorf("told %v %v", why, err)
		}
		r.paint(6, 6, 0x998877)
		r.sees(lead, 6, 6, 0x998877)
	})
}

func TestNobodyJoinsWithoutAnInvite(t *testing.T) { // C39
	r := start(t)
	lead, s := r.live()
	l := s.to()
	guess := func() *mfpb.ClaimRefused {
		t.Helper()
		s.mu.Lock()
		n := len(s.refusals)
		s.mu.Unlock()
		l.send(&mfpb.ClaimStart{Claim: []byte("claim-of-nobody!"), Sid: make([]byte, 16), Share: make([]byte, 32), Ad: wire.ViewerAD()})
		s.until("a refusal", func() bool { return len(s.refusals) > n })
		return s.refusals[n]
	}
	if m := guess(); m.Reason != mfpb.Reason_REASON_NO_SUCH_CODE {
		t.Errorf("before any invite: %v", m)
	}
	code := r.invite(lead, expert, 1)
	ok(t, lead.CancelInvite())
	if in := must[*mfpb.Invite](t)(lead.WaitInvite(ctx(t), 2)); in.Code != "" || in.Reason == 0 {
		t.Errorf("a cancelled invite: %v", in)
	}
	if m := guess(); m.Reason != mfpb.Reason_REASON_NO_SUCH_CODE {
		t.Errorf("after the invite was cancelled: %v", m)
	}
	var refused *gopeer.Refused
	if _, err := r.claim(s, code); !errors.As(err, &refused) || refused.Why != mfpb.Reason_REASON_NO_SUCH_CODE {
		t.Errorf("with a cancelled code: %v", err)
	}
	l.send(&mfpb.Opened{Session: sessionID, Claim: []byte("claim-of-nobody!"), Participant: "9"})
	l.send(&mfpb.Attach{Epoch: 1, Nonce: make([]byte, 16), Participant: "9"}) // C41
	guess()                                                                   // the host has read it all when it answers this
	l.send(&mfpb.Sealed{Epoch: 1, Box: make([]byte, 48), Participant: "9"})
	guess()
	r.paint(6, 6, 0x998877)
	r.sees(lead, 6, 6, 0x998877)
	ok(t, lead.WaitParticipants(ctx(t), "nobody else", func(list []*mfpb.Participant) bool { return len(list) == 1 }))
}

func TestAnInviteIsACodeLikeAnyOther(t *testing.T) {
	t.Run("three tries", func(t *testing.T) { // C12
		r := start(t)
		lead, s := r.live()
		code := r.invite(lead, expert, 1)
		_, secret, err := wire.ParseCode(code)
		ok(t, err)
		wrong := "555" + map[bool]string{true: "000000", false: "000001"}[secret != "000000"]
		for n := range session.MaxTries {
			if _, err := r.claim(s, wrong); err == nil {
				t.Fatal("a wrong code pairs")
			}
			s.until("the verdict", func() bool { return s.verdicts > n })
		}
		if in := must[*mfpb.Invite](t)(lead.WaitInvite(ctx(t), 2)); in.Reason != mfpb.Reason_REASON_TOO_MANY_TRIES {
			t.Errorf("after three tries: %v", in)
		}
		if _, err := r.claim(s, code); err == nil {
			t.Error("the code works after three wrong ones")
		}
	})
	t.Run("ten minutes", func(t *testing.T) { // C13
		r := start(t, withClock)
		lead, s := r.live()
		code := r.invite(lead, expert, 1)
		r.clock.Advance(session.CodeLife + time.Second)
		if in := must[*mfpb.Invite](t)(lead.WaitInvite(ctx(t), 2)); in.Reason != mfpb.Reason_REASON_CODE_EXPIRED {
			t.Errorf("after ten minutes: %v", in)
		}
		if _, err := r.claim(s, code); err == nil {
			t.Error("the code works after ten minutes")
		}
	})
	t.Run("once", func(t *testing.T) { // C14
		r := start(t)
		lead, s := r.live()
		code := r.invite(lead, expert, 1)
		must[*gopeer.Viewer](t)(r.claim(s, code))
		r.window.Answer(t, "view", "allow")
		if _, err := r.claim(s, code); err == nil {
			t.Error("the code works twice")
		}
	})
	t.Run("cancelled by the person", func(t *testing.T) {
		r := start(t)
		lead, _ := r.live()
		r.invite(lead, expert, 1)
		r.window.Say(ui.Command{Do: "cancel_invite"})
		if in := must[*mfpb.Invite](t)(lead.WaitInvite(ctx(t), 2)); in.Reason != mfpb.Reason_REASON_PERSON_STOPPED {
			t.Errorf("told %v", in)
		}
	})
}

func TestFourAreEnough(t *testing.T) { // C40
	r := start(t)
	lead, s := r.live()
	for n := 1; n <= 3; n++ {
		r.joined(lead, s, observer, n)
	}
	ok(t, lead.AskInvite(expert))
	if in := must[*mfpb.Invite](t)(lead.WaitInvite(ctx(t), 7)); in.Code != "" || in.Reason != mfpb.Reason_REASON_TOO_MANY_PARTICIPANTS {
		t.Errorf("a fifth: %v", in)
	}
}

func TestWhoWasTakenOutIsToldToTheServerAgain(t *testing.T) {
	r := start(t)
	lead, s := r.live()
	r.joined(lead, s, expert, 1)
	s.to().conn.Close()
	ok(t, lead.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_SERVER_AWAY))
	r.window.Say(ui.Command{Do: "stop", Participant: "2"})
	r.back(s)
	s.until("ParticipantGone", func() bool { return len(s.gone) == 1 && s.gone[0].Participant == "2" })
}
