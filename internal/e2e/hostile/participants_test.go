package hostile_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/e2e/hostile"
	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// crowd is a session of three by way of a hostile server that has been honest so far.
type crowd struct {
	*scene
	host   *hostile.Line // the host's; read it in a take of the server's only
	lead   *gopeer.Viewer
	expert *gopeer.Viewer
}

// pairs lets a real viewer type a code.
func (s *scene) pairs(code string) *gopeer.Viewer {
	s.t.Helper()
	line, err := gopeer.Dial(s.ctx, "ws"+strings.TrimPrefix(s.server.URL, "http")+"/ws/viewer", nil, nil)
	if err == nil {
		var v *gopeer.Viewer
		if v, err = gopeer.Pair(s.ctx, gopeer.Options{Line: line, Code: code, Ticket: "t1"}); err == nil {
			s.t.Cleanup(func() { v.Close() })
			if err = v.Attach(s.ctx); err == nil {
				err = v.WaitGrant(s.ctx, "view", gopeer.Allowed)
			}
		}
		if err == nil {
			return v
		}
	}
	s.t.Fatalf("%v; the person was told %q", err, s.person.words())
	return nil
}

// invited is the nth code for somebody else.
func invited(t *testing.T, ctx context.Context, by *gopeer.Viewer, kind mfpb.ParticipantKind, n int) string {
	t.Helper()
	if err := by.AskInvite(kind); err != nil {
		t.Fatal(err)
	}
	in, err := by.WaitInvite(ctx, n)
	if err != nil || in.Code == "" {
		t.Fatalf("%v %v", in, err)
	}
	return in.Code
}

// newCrowd brings a technician, an expert and an observer together.
func newCrowd(t *testing.T, attack func(*crowd) hostile.Attack) *crowd {
	t.Helper()
	c := new(crowd)
	c.scene = newScene(t, func(*scene) hostile.Attack {
		a := hostile.Attack{}
		if attack != nil {
			a = attack(c)
		}
		first := a.FromHost
		a.FromHost = func(from *hostile.Line, m *mfpb.HostMessage) []*mfpb.HostMessage {
			c.host = from
			if first != nil {
				return first(from, m)
			}
			return hostile.Pass(m)
		}
		return a
	})
	c.lead = c.pairs(c.code())
	c.expert = c.pairs(invited(t, c.ctx, c.lead, mfpb.ParticipantKind_PARTICIPANT_KIND_EXPERT, 1))
	c.pairs(invited(t, c.ctx, c.lead, mfpb.ParticipantKind_PARTICIPANT_KIND_OBSERVER, 3))
	return c
}

// three are there, and nobody else ever was.
func (c *crowd) three() {
	c.t.Helper()
	err := c.lead.WaitParticipants(c.ctx, "three participants", func(list []*mfpb.Participant) bool { return len(list) == 3 })
	if err != nil {
		c.t.Errorf("%v; the person was told %q", err, c.person.words())
	}
	asked := 0
	for _, e := range c.person.seen() {
		if e.Name == "ask" {
			asked++
		}
		if e.Name == "participants" && len(e.Participants) > 3 {
			c.t.Errorf("the person was shown %d participants", len(e.Participants))
		}
	}
	if asked != 3 {
		c.t.Errorf("the person was asked %d times", asked)
	}
}

func TestAHostileServerAddsNobody(t *testing.T) { // P2
	c := newCrowd(t, nil)
	host := c.host
	guess, err := hostile.GuessAsViewer("000000", "482")
	if err != nil {
		t.Fatal(err)
	}
	host.Say(guess.Start()) // nobody is invited: C39
	claim := make([]byte, wire.ClaimSize)
	token := make([]byte, wire.ResumeSize)
	for _, kind := range []mfpb.ParticipantKind{1, 2, 3} {
		host.Say(&mfpb.Opened{Session: "01HOSTILE", ResumeToken: token, Claim: claim, Participant: "4", Kind: kind})
	}
	host.Say(&mfpb.Attach{Epoch: 1, Nonce: pake.NewNonce(), Participant: "4"}) // C41
	host.Say(&mfpb.Sealed{Epoch: 1, Box: ownDescription("offer"), Participant: "4"})
	host.Say(&mfpb.ViewerState{Connected: true, Participant: "4"})
	c.hearsRefusal()
	c.three()
}

// hearsRefusal waits until the host refused the claim that nobody was invited for.
func (c *crowd) hearsRefusal() {
	c.t.Helper()
	late := time.Now().Add(patience)
	for {
		for _, e := range c.server.Record() {
			if m, ok := e.Body.(*mfpb.ClaimRefused); ok && !e.Told {
				if m.Reason != mfpb.Reason_REASON_NO_SUCH_CODE {
					c.t.Errorf("the claim was refused with %v", m.Reason)
				}
				return
			}
			if _, ok := e.Body.(*mfpb.PakeReply); ok && !e.Told && c.replies() > 3 {
				c.t.Fatal("the host answered a claim that nobody was invited for")
			}
		}
		if time.Now().After(late) {
			c.t.Fatal("the host says nothing to a claim that nobody was invited for")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (c *crowd) replies() int {
	n := 0
	for _, e := range c.server.Record() {
		if _, ok := e.Body.(*mfpb.PakeReply); ok && !e.Told {
			n++
		}
	}
	return n
}

// The server sees an invite's nameplate and guesses its secret: three times.
func TestAHostileServerGuessesAnInviteThreeTimes(t *testing.T) {
	c := newCrowd(t, nil)
	code := invited(t, c.ctx, c.lead, mfpb.ParticipantKind_PARTICIPANT_KIND_EXPERT, 5)
	nameplate, secret, err := wire.ParseCode(code)
	if err != nil {
		t.Fatal(err)
	}
	wrong := "000000"
	if secret == wrong {
		wrong = "000001"
	}
	for range 5 {
		before := len(c.answers())
		guess, err := hostile.GuessAsViewer(wrong, nameplate)
		if err != nil {
			t.Fatal(err)
		}
		c.host.Say(guess.Start())
		if r, ok := c.answer(before).(*mfpb.PakeReply); ok {
			c.host.Say(guess.Confirm(r))
			c.answer(before + 1)
		}
	}
	in, err := c.lead.WaitInvite(c.ctx, 6)
	if err != nil || in.Code != "" || in.Reason != mfpb.Reason_REASON_TOO_MANY_TRIES {
		t.Errorf("after the guesses: %v %v", in, err)
	}
	if n := c.replies(); n != 3+3 {
		t.Errorf("%d claims were answered, three of them guesses", n)
	}
	c.three()
}

// answer waits for the nth thing that the host said to claims, from 0.
func (c *crowd) answer(n int) proto.Message {
	c.t.Helper()
	late := time.Now().Add(patience)
	for {
		if all := c.answers(); len(all) > n {
			return all[n]
		}
		if time.Now().After(late) {
			c.t.Fatal("the host says nothing to a claim")
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// answers are what the host said to claims, in order.
func (c *crowd) answers() []proto.Message {
	var all []proto.Message
	for _, e := range c.server.Record() {
		switch e.Body.(type) {
		case *mfpb.PakeReply, *mfpb.ClaimRefused:
			if !e.Told {
				all = append(all, e.Body)
			}
		}
	}
	return all
}

// One participant's messages under another's name open with no key.
func TestAHostileServerSpeaksForNoParticipant(t *testing.T) {
	swap := make(chan struct{})
	c := newCrowd(t, func(*crowd) hostile.Attack {
		return hostile.Attack{ToHost: func(_ *hostile.Line, m *mfpb.ServerToHost) []*mfpb.ServerToHost {
			select {
			case <-swap:
				if s := m.GetSealed(); s != nil && s.Participant == "2" {
					s.Participant = "1"
				}
			default:
			}
			return hostile.Pass(m)
		}}
	})
	c.three()
	close(swap)
	if err := c.expert.Seal(&mfpb.SealedBody{Body: &mfpb.SealedBody_Bye{Bye: &mfpb.Bye{Reason: mfpb.Reason_REASON_TECHNICIAN_ENDED}}}); err != nil {
		t.Fatal(err)
	}
	// The lead is out: its keys did not open it. The others go on, and nobody spoke for it.
	if why, err := c.lead.WaitEnd(c.ctx); why != mfpb.Reason_REASON_TAMPERED {
		t.Errorf("the lead was told %v %v", why, err)
	}
	err := c.expert.WaitParticipants(c.ctx, "two that are left", func(list []*mfpb.Participant) bool {
		return len(list) == 2 && list[0].You && list[0].Kind == mfpb.ParticipantKind_PARTICIPANT_KIND_LEAD
	})
	if err != nil {
		t.Error(err)
	}
	if slices.ContainsFunc(c.person.seen(), func(e ui.Event) bool { return e.Name == "ended" }) {
		t.Error("the session ended in the lead's name")
	}
}
