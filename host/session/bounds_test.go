package session_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const ruledOut = mfpb.GrantState_GRANT_STATE_RULED_OUT

// narrowed is a host whose server has a policy.
func narrowed(names ...string) func(*rig, *session.Config) {
	return func(r *rig, _ *session.Config) { r.ruledOut = names }
}

// asked counts the questions for a grant that the person was shown.
func (r *rig) asked(grant string) (n int) {
	for _, e := range r.window.Events() {
		if e.Name == "ask" && e.Grant == grant {
			n++
		}
	}
	return n
}

// refused asks for a grant and waits until the host has written down that it is denied.
func (r *rig) refused(v *gopeer.Viewer, s *relay, grant string, nth int) {
	r.t.Helper()
	ok(r.t, v.Ask(grant))
	s.until("the refusal", func() bool {
		n := 0
		for _, e := range s.events {
			var data map[string]any
			if e.Type == "consent.denied" && json.Unmarshal(e.Data, &data) == nil && data["by"] == "policy" && data["grant"] == grant {
				n++
			}
		}
		return n == nth
	})
	ok(r.t, v.WaitGrant(ctx(r.t), grant, ruledOut))
}

// C124: what the policy rules out is no question for anybody, whoever asks and how often.
func TestWhatThePolicyRulesOutIsNotAsked(t *testing.T) {
	r := start(t, narrowed("control", "file_out", "time_travel"))
	v, s := r.live()
	ok(t, v.WaitGrant(ctx(t), "file_out", ruledOut)) // told before it asks
	r.refused(v, s, "control", 1)
	ok(t, v.GiveBack("control"))
	r.refused(v, s, "control", 2)
	r.refused(v, s, "file_out", 1)
	second := r.joined(v, s, expert, 1)
	r.refused(second, s, "control", 3)
	key := must[uint32](t)(v.Key(4, "a", true))
	ok(t, v.WaitAck(ctx(t), key))
	if n := r.asked("control") + r.asked("file_out"); n > 0 || len(r.hands.Ops()) > 0 {
		t.Errorf("%d questions for what is ruled out, input %v", n, r.hands.Ops())
	}
	r.allowOne(v, "file_in") // the rest is the person's to allow
}

// C124 after a restart of the computer, with the policy of then.
func TestWhatIsRuledOutStaysSoAfterAReturn(t *testing.T) {
	r, k, v, s := keeps(t, narrowed("file_out"))
	r.down()
	_ = r.wait()
	again := new(shelf)
	r2 := r.comesBack(s, k.kept(), again.option)
	ok(t, v.Attach(ctx(t)))
	r2.window.Answer(t, "view", "allow")
	ok(t, v.WaitGrant(ctx(t), "view", gopeer.Allowed))
	r2.refused(v, s, "file_out", 1)
	if n := r2.asked("file_out"); n > 0 {
		t.Errorf("the person is asked %d times for what was ruled out", n)
	}
}

// A server that rules out the session itself, or more than there can be, is none to
// deal with.
func TestAPolicyThatCannotBe(t *testing.T) {
	for _, names := range [][]string{{"view"}, slices.Repeat([]string{"x"}, 65)} {
		r, l, secret := waiting(t)
		g := r.try(l, 1, secret, nameplate)
		l.send(&mfpb.Confirm{Claim: g.id, Tag: g.tag(t, expect[*mfpb.PakeReply](l))})
		expect[*mfpb.Paired](l)
		l.send(&mfpb.Opened{Session: sessionID, ResumeToken: make([]byte, wire.ResumeSize), Claim: g.id, Participant: "1", RuledOut: names})
		<-l.over
		for _, e := range r.window.Events() {
			if e.Name == "session" || e.Name == "ask" {
				t.Errorf("the person was shown %+v", e)
			}
		}
	}
}

// C126: all are told before the time is over, and the host ends the session itself if
// its server does not.
func TestTheTimeOfASessionIsOver(t *testing.T) {
	r := start(t, withClock, func(r *rig, _ *session.Config) { r.endsIn = 3600 })
	v, s := r.live()
	r.clock.Advance(54 * time.Minute)
	r.clock.Advance(time.Minute)
	ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_TIME_SHORT))
	r.clock.Advance(5 * time.Minute)
	r.allowOne(v, "file_in") // its server has half a minute to end it
	r.clock.Advance(30 * time.Second)
	r.ends(v, s, mfpb.Reason_REASON_TIME_UP)
}
