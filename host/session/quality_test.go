package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture"
	capturefake "github.com/mainforte/mainforte/host/capture/fake"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// veiledScreen is a screen that the system hides when the test says so.
type veiledScreen struct {
	*capturefake.Source
	veils  chan capture.Veil
	nudges chan struct{}
}

func (v *veiledScreen) NextVeil(ctx context.Context) (capture.Veil, error) {
	select {
	case veil := <-v.veils:
		return veil, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (v *veiledScreen) Nudge() {
	select {
	case v.nudges <- struct{}{}:
	default:
	}
}

func withVeil(veils chan capture.Veil, nudges chan struct{}) func(*rig, *session.Config) {
	return func(r *rig, cfg *session.Config) {
		cfg.OpenDesktop = func() (capture.Source, input.Injector, input.Guard, error) {
			return &veiledScreen{r.screen, veils, nudges}, r.hands, anywhere{}, nil
		}
	}
}

func TestAHiddenScreenIsToldToBothSidesAndTheLog(t *testing.T) {
	veils := make(chan capture.Veil)
	r := start(t, withVeil(veils, nil))
	v, s := r.live()
	for _, step := range []struct {
		veil   capture.Veil
		notice mfpb.NoticeCode
		text   string
	}{
		{capture.Locked, mfpb.NoticeCode_NOTICE_CODE_SCREEN_LOCKED, "Your screen is locked, so nobody sees it. Unlock it when you are ready."},
		{capture.Secure, mfpb.NoticeCode_NOTICE_CODE_SECURE_DESKTOP, "Your computer asks you something that only you can see. Answer it yourself; read it first."},
		{capture.Unveiled, mfpb.NoticeCode_NOTICE_CODE_SCREEN_BACK, "Your screen is seen again."},
	} {
		veils <- step.veil
		ok(t, v.WaitNotice(ctx(t), step.notice))
		r.window.WaitFor(t, step.text, func(e ui.Event) bool { return e.Name == "status" && e.Text == step.text })
	}
	s.event("session.degraded")
	s.event("session.restored")
}

func TestASourceThatMustLookIsToldOfInput(t *testing.T) {
	nudges := make(chan struct{}, 1)
	r := start(t, withVeil(nil, nudges))
	v, _ := r.live()
	r.control(v)
	for name, move := range map[string]func() (uint32, error){
		"a motion": func() (uint32, error) { return 0, v.Motion(3, 4) },
		"a button": func() (uint32, error) { return v.Button(0, 5, 6, true) },
		"a wheel":  func() (uint32, error) { return v.Wheel(5, 6, 0, 120) },
		"a key":    func() (uint32, error) { return v.Key(0x04, "a", true) },
		"a text":   func() (uint32, error) { return v.Type("é") },
	} {
		for len(nudges) > 0 {
			<-nudges
		}
		must[uint32](t)(move())
		select {
		case <-nudges:
		case <-time.After(patience):
			t.Errorf("the source was not told of %s", name)
		}
	}
}

func TestALineThatIsLostIsSlowNoMore(t *testing.T) {
	r := start(t)
	v, s := r.live()
	r.host.Slow()
	v.Cut()
	if e := s.event("session.restored"); string(e.Data) != `{"participant":"1","reason":"LINE_SLOW"}` {
		t.Errorf("logged %s", e.Data)
	}
}

func TestTheRouteStandsInTheLog(t *testing.T) {
	r := start(t)
	_, s := r.live()
	if e := s.event("session.route"); string(e.Data) != `{"participant":"1","route":"direct"}` {
		t.Errorf("logged %s", e.Data)
	}
}

func TestWhatTheChannelHoldsMayBeMoreThanWasCounted(t *testing.T) {
	p := new(session.Pace)
	for i := range 10 { // a message is in the channel a moment before it is counted
		if changed, rate := p.Look(2*time.Second, uint64(i), 1000); rate > 1000 {
			t.Fatalf("%v: %d kbit/s", changed, rate)
		}
	}
}

func TestALineIsSlowWhenPicturesWaitForIt(t *testing.T) {
	p := new(session.Pace)
	given, left := uint64(0), uint64(0)
	second := func(waits time.Duration, in, out uint64) (bool, uint32) {
		given, left = given+in, left+out
		return p.Look(waits, given, given-left)
	}
	for range 5 { // much is sent and nothing waits
		if changed, _ := second(50*time.Millisecond, 1e6, 1e6); changed {
			t.Fatal("a good line is called slow")
		}
	}
	for range 5 { // pictures wait, but not for the network: the browser is slow
		if changed, _ := second(3*time.Second, 1000, 1000); changed {
			t.Fatal("a line that holds nothing is called slow")
		}
	}
	var rate uint32
	n := 0
	for changed := false; !changed; n++ { // 100 kB leave in a second
		changed, rate = second(2*time.Second, 300_000, 100_000)
		if n > 10 {
			t.Fatal("a slow line is not noticed")
		}
	}
	if n < 3 {
		t.Errorf("called slow after %d looks", n)
	}
	if rate < 500 || rate > 900 {
		t.Errorf("it carries %d kbit/s; 800 left", rate)
	}
	for range 4 {
		second(2*time.Second, 0, 100_000)
	}
	for i := range 3 {
		if changed, _ := second(0, 0, 0); changed != (i == 2) {
			t.Errorf("look %d after it is good again: %v", i+1, changed)
		}
	}
}
