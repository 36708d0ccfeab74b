package session_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/input"
	inputfake "github.com/mainforte/mainforte/host/input/fake"
	"github.com/mainforte/mainforte/host/raise"
	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// uac is the system's own question.
type uac struct {
	closed chan struct{}
	asked  chan context.Context
	answer chan error
	hands  *inputfake.Injector
}

func newUAC(t *testing.T) *uac {
	return &uac{closed: make(chan struct{}, 1), asked: make(chan context.Context, 4), answer: make(chan error), hands: inputfake.New(t)}
}

func (u *uac) option(_ *rig, cfg *session.Config) {
	cfg.Raise = func(ctx context.Context) (input.Injector, error) {
		u.asked <- ctx
		select {
		case err := <-u.answer:
			if err != nil {
				return nil, err
			}
			return &closing{u.hands, u.closed}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// closing tells when hands are closed.
type closing struct {
	input.Injector
	closed chan struct{}
}

func (c *closing) Close() error {
	select {
	case c.closed <- struct{}{}:
	default:
	}
	return c.Injector.Close()
}

// raises lets the technician ask, the person allow it, and the system say yes.
func (r *rig) raises(u *uac, v *gopeer.Viewer) {
	r.t.Helper()
	ok(r.t, v.Ask("elevate"))
	r.window.Answer(r.t, "elevate", "allow")
	happens(r.t, "the system's question", u.asked)
	if v.Grant("elevate") == gopeer.Allowed {
		r.t.Error("the grant stands before the system said yes")
	}
	u.answer <- nil
	ok(r.t, v.WaitGrant(ctx(r.t), "elevate", gopeer.Allowed))
}

// types presses a key and waits until it was applied.
func (r *rig) types(v *gopeer.Viewer, usage uint16, text string, down bool) {
	r.t.Helper()
	seq, err := v.Key(usage, text, down)
	ok(r.t, err)
	ok(r.t, v.WaitAck(ctx(r.t), seq))
}

// happens waits for something that must come.
func happens[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("waited for %s", what)
	}
	return v
}

// keysIn are the keys among what an injector did.
func keysIn(f *inputfake.Injector) (keys []string) {
	for _, op := range f.Ops() {
		if len(op) > 3 && op[:3] == "key" {
			keys = append(keys, op)
		}
	}
	return keys
}

// TestRaisedHandsServeTheirGrant: input goes by them while the grant stands and its
// participant has the controls, and by the host's own before and after.
func TestRaisedHandsServeTheirGrant(t *testing.T) { // C87
	u := newUAC(t)
	r := start(t, u.option)
	v, s := r.live()
	r.control(v)
	r.types(v, 4, "a", true)
	r.raises(u, v)
	if own := keysIn(r.hands); len(own) != 2 || len(r.hands.Down()) > 0 {
		t.Errorf("what was down was not let go of by the hands that pressed it: %v", own)
	}
	r.types(v, 5, "b", true)
	if far, own := keysIn(u.hands), keysIn(r.hands); len(far) != 1 || len(own) != 2 {
		t.Errorf("raised: %v, own: %v", far, own)
	}
	r.window.Say(ui.Command{Do: "revoke", Grant: "elevate"})
	ok(t, v.WaitGrant(ctx(t), "elevate", mfpb.GrantState_GRANT_STATE_REVOKED))
	happens(t, "the end of the raised hands", u.closed)
	if len(u.hands.Down()) > 0 {
		t.Errorf("the raised hands stay: %v, down %v", u.hands.Ops(), u.hands.Down())
	}
	r.types(v, 6, "c", true)
	r.types(v, 6, "c", false)
	if far, own := keysIn(u.hands), keysIn(r.hands); len(far) != 2 || len(own) != 4 {
		t.Errorf("after it was taken back: raised %v, own %v", far, own)
	}
	r.window.Say(ui.Command{Do: "stop"})
	r.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
}

// TestANoOfTheSystemIsANo: it is told, and the session goes on.
func TestANoOfTheSystemIsANo(t *testing.T) {
	u := newUAC(t)
	r := start(t, u.option)
	v, s := r.live()
	for _, err := range []error{raise.ErrRefused, raise.ErrForeign} {
		ok(t, v.Ask("elevate"))
		r.window.Answer(t, "elevate", "allow")
		happens(t, "the system's question", u.asked)
		u.answer <- fmt.Errorf("as if: %w", err)
		ok(t, v.WaitGrant(ctx(t), "elevate", mfpb.GrantState_GRANT_STATE_DENIED))
	}
	// While the system asks, the technician may take it back, and the person end it all.
	ok(t, v.Ask("elevate"))
	r.window.Answer(t, "elevate", "allow")
	wait := happens(t, "the system's question", u.asked)
	ok(t, v.GiveBack("elevate"))
	ok(t, v.WaitGrant(ctx(t), "elevate", mfpb.GrantState_GRANT_STATE_GIVEN_BACK))
	happens(t, "that nobody waits", wait.Done())
	ok(t, v.Ask("elevate"))
	r.window.Answer(t, "elevate", "allow")
	wait = happens(t, "the system's question", u.asked)
	r.window.Say(ui.Command{Do: "stop"})
	happens(t, "that nobody waits", wait.Done())
	r.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
}

// TestHandsThatAreLostAreToldOf: the grant ends, and the host's own go on.
func TestHandsThatAreLostAreToldOf(t *testing.T) {
	u := newUAC(t)
	r := start(t, u.option)
	v, s := r.live()
	r.control(v)
	r.raises(u, v)
	u.hands.Lose(raise.ErrGone)
	r.types(v, 5, "b", true)
	ok(t, v.WaitGrant(ctx(t), "elevate", mfpb.GrantState_GRANT_STATE_REVOKED))
	r.types(v, 5, "b", false)
	r.types(v, 6, "c", true)
	r.types(v, 6, "c", false)
	if own := keysIn(r.hands); len(own) < 2 {
		t.Errorf("the host's own hands did %v", own)
	}
	r.window.Say(ui.Command{Do: "stop"})
	r.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
}

// TestRaisedHandsAreOnesOwn is C42: somebody else's keys go by the host's own hands.
func TestRaisedHandsAreOnesOwn(t *testing.T) {
	u := newUAC(t)
	r := start(t, u.option)
	v, s := r.live()
	r.raises(u, v)
	v2 := r.joined(v, s, mfpb.ParticipantKind_PARTICIPANT_KIND_EXPERT, 1)
	r.control(v2)
	r.types(v2, 5, "b", true)
	r.types(v2, 5, "b", false)
	if far, own := keysIn(u.hands), keysIn(r.hands); len(far) != 0 || len(own) != 2 {
		t.Errorf("raised: %v, own: %v", far, own)
	}
	r.control(v)
	r.types(v, 6, "c", true)
	r.types(v, 6, "c", false)
	if far, own := keysIn(u.hands), keysIn(r.hands); len(far) != 2 || len(own) != 2 {
		t.Errorf("raised: %v, own: %v", far, own)
	}
	r.window.Say(ui.Command{Do: "stop"})
	r.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
}

// TestTheTechniciansPanicKeyIsNotRaised is C64: in an administrator's window nobody
// could tell it from the person's.
func TestTheTechniciansPanicKeyIsNotRaised(t *testing.T) {
	far, own := inputfake.New(t), inputfake.New(t)
	for _, usage := range []uint16{0x4d, 0x59} {
		k := input.Key{Usage: usage, Modifiers: input.ModControl | input.ModAlt}
		if err := session.LiftedKey(far, own, k, true); !errors.Is(err, input.ErrReserved) {
			t.Errorf("usage %#x: %v", usage, err)
		}
		k.Modifiers = input.ModControl
		for _, down := range []bool{true, false} {
			if err := session.LiftedKey(far, own, k, down); err != nil {
				t.Errorf("usage %#x without Alt: %v", usage, err)
			}
		}
	}
	if keys := keysIn(far); len(keys) != 4 || len(keysIn(own)) > 0 {
		t.Errorf("pressed: %v, %v", keys, keysIn(own))
	}
}
