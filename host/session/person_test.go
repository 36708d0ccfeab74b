package session_test

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// someone is a person whose hands the test moves.
type someone struct {
	ears   input.Ears
	key    string
	mu     sync.Mutex
	closed bool
	open   chan struct{}
}

func (s *someone) PanicKey() string { return s.key }

func (s *someone) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// withPerson lets the test be the person's hands.
func withPerson(p *someone) func(*rig, *session.Config) {
	p.open = make(chan struct{})
	return func(_ *rig, cfg *session.Config) {
		cfg.OpenPerson = func(ears input.Ears) (input.Person, error) {
			p.ears = ears
			close(p.open)
			return p, nil
		}
	}
}

// driven is a session whose technician has control.
func driven(t *testing.T, options ...func(*rig, *session.Config)) (*rig, *someone, *gopeer.Viewer, *relay) {
	t.Helper()
	p := &someone{key: input.PanicKey}
	r := start(t, append(options, withPerson(p))...)
	v, s := r.live()
	r.control(v)
	<-p.open
	return r, p, v, s
}

// acked sends a key press and release and waits until both were applied or refused.
func acked(t *testing.T, v *gopeer.Viewer, usage uint16) {
	t.Helper()
	for _, down := range []bool{true, false} {
		seq := must[uint32](t)(v.Key(usage, "", down))
		ok(t, v.WaitAck(ctx(t), seq))
	}
}

func held(t *testing.T, r *rig, want string) ui.Event {
	t.Helper()
	for {
		e := r.window.Wait(t, "held")
		if want == "" && e.Held == nil || e.Held != nil && e.Held.Why == want {
			return e
		}
	}
}

func TestThePersonsHandsComeFirst(t *testing.T) { // C65
	r, p, v, s := driven(t, withClock)
	must[uint32](t)(v.Key(4, "a", true))
	ok(t, v.WaitAck(ctx(t), must[uint32](t)(v.Button(0, 5, 5, true))))
	if !slices.Contains(r.hands.Ops(), "left down") {
		t.Fatal("the technician's hands do nothing")
	}
	p.ears.Acted()
	held(t, r, "person")
	// What was down is up, and nothing comes after it.
	ops := r.hands.Ops()
	if !slices.Contains(ops, "left up") || !slices.Contains(ops, "key 04 up") {
		t.Errorf("something stays down under the person's hands: %v", ops)
	}
	acked(t, v, 5)
	ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_PERSON))
	r.clock.Advance(900 * time.Millisecond)
	p.ears.Acted()                          // the second counts from the last of them
	r.clock.Advance(200 * time.Millisecond) // when the first is over
	acked(t, v, 6)
	if now := r.hands.Ops(); len(now) != len(ops) {
		t.Errorf("applied beside the person's hands: %v", now[len(ops):])
	}
	r.clock.Advance(time.Second)
	held(t, r, "")
	ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_INPUT_RESUMED))
	acked(t, v, 7)
	if now := r.hands.Ops(); len(now) != len(ops)+2 {
		t.Errorf("after a second: %v", now[len(ops):])
	}
	if e := s.event("input.held"); !strings.Contains(string(e.Data), `"why":"person"`) {
		t.Errorf("the log says %s", e.Data)
	}
}

// crossing is a clock on which the person acts while the host looks whether their
// second is over.
type crossing struct {
	*clock
	act atomic.Pointer[func()]
}

func (c *crossing) Now() time.Time {
	pc := make([]uintptr, 1)
	runtime.Callers(2, pc)
	if f, _ := runtime.CallersFrames(pc).Next(); strings.HasSuffix(f.Function, ".personStill") {
		if act := c.act.Swap(nil); act != nil {
			(*act)()
		}
	}
	return c.clock.Now()
}

// An event of the person's is not lost when their second ends at that moment.
func TestThePersonActsAsTheirSecondEnds(t *testing.T) { // C65
	c := &crossing{clock: newClock()}
	r, p, v, _ := driven(t, func(_ *rig, cfg *session.Config) { cfg.Clock = c })
	p.ears.Acted()
	held(t, r, "person")
	acted := make(chan struct{})
	act := func() {
		p.ears.Acted()
		close(acted)
	}
	c.act.Store(&act)
	before := len(r.hands.Ops())
	c.Advance(time.Second)
	<-acted
	acked(t, v, 6)
	r.window.Say(ui.Command{Do: "private"}) // the loop has gone on when it answers
	r.window.WaitFor(t, "an answer", func(e ui.Event) bool { return e.Name == "private" && len(e.Texts) == 0 })
	acked(t, v, 6)
	if now := r.hands.Ops(); len(now) != before {
		t.Errorf("applied beside the person's hands: %v", now[before:])
	}
	c.Advance(time.Second)
	held(t, r, "")
	acked(t, v, 7)
	if now := r.hands.Ops(); len(now) != before+2 {
		t.Errorf("after a second: %v", now[before:])
	}
}

func TestPasswordsAndBanksAreThePersonsAlone(t *testing.T) { // C66, C67
	const secret = "Canari – Ma Banque"
	r, p, v, s := driven(t)
	for _, c := range []struct {
		front input.Front
		why   string
		code  mfpb.NoticeCode
	}{
		{input.Front{Class: "pinentry-gtk-2 Pinentry-gtk-2", Title: secret}, "password", mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_PASSWORD},
		{input.Front{Class: "#32770", Program: "credentialuibroker", Title: secret}, "password", mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_PASSWORD},
		{input.Front{Class: "Notepad", Program: "notepad", Title: secret, Secret: true}, "password", mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_PASSWORD},
		{input.Front{Class: "firefox Firefox", Title: secret}, "private", mfpb.NoticeCode_NOTICE_CODE_INPUT_HELD_PRIVATE},
	} {
		acked(t, v, 4)
		before := len(r.hands.Ops())
		seq := must[uint32](t)(v.Key(0xe0, "", true))
		ok(t, v.WaitAck(ctx(t), seq))
		p.ears.Front(c.front)
		if e := held(t, r, c.why); e.Held.Title != secret {
			t.Errorf("the person is told %+v", e.Held)
		}
		ok(t, v.WaitNotice(ctx(t), c.code))
		acked(t, v, 5)
		if got := r.hands.Ops()[before:]; len(got) != 2 { // Control down, and up again
			t.Errorf("%s: applied %v", c.why, got)
		}
		s.until("the log has it", func() bool {
			return slices.ContainsFunc(s.events, func(e *mfpb.HostEvent) bool {
				return e.Type == "input.held" && strings.Contains(string(e.Data), `"why":"`+c.why+`"`)
			})
		})
		p.ears.Front(input.Front{Class: "xterm XTerm", Title: "notes"})
		held(t, r, "")
		ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_INPUT_RESUMED))
	}
	s.until("nothing of the title is told", func() bool {
		return !slices.ContainsFunc(s.events, func(e *mfpb.HostEvent) bool { return strings.Contains(e.String(), "Canari") })
	})
	t.Run("by the person's own list", func(t *testing.T) {
		events := r.window.Events()
		if i := slices.IndexFunc(events, func(e ui.Event) bool { return e.Name == "private" }); i < 0 || !slices.Contains(events[i].Texts, "banque") {
			t.Error("the person is not shown the list that they begin with")
		}
		p.ears.Front(input.Front{Class: "app App", Title: "Mon Journal : mars"})
		r.window.Say(ui.Command{Do: "private", Texts: []string{" journal ", "", "?!", "journal"}})
		if list := r.window.Wait(t, "private"); !slices.Equal(list.Texts, []string{"journal"}) {
			t.Errorf("the list is %q", list.Texts)
		}
		held(t, r, "private")
		r.window.Say(ui.Command{Do: "private"})
		held(t, r, "")
		acked(t, v, 6)
	})
}

func TestThePanicKeyEndsEverything(t *testing.T) { // C64
	r, p, v, s := driven(t)
	if !slices.ContainsFunc(r.window.Events(), func(e ui.Event) bool { return e.Name == "participants" && e.Key == "Ctrl+Alt+End" }) {
		t.Error("the person is not shown the key")
	}
	must[uint32](t)(v.Key(0xe1, "", true))
	ok(t, v.WaitAck(ctx(t), must[uint32](t)(v.Button(0, 5, 5, true))))
	p.ears.Panic()
	r.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
	ops := r.hands.Ops()
	if !slices.Contains(ops, "left up") || !slices.Contains(ops, "key e1 up") {
		t.Errorf("something stays down: %v", ops)
	}
	if !p.closed {
		t.Error("the key was not given back")
	}
}

func TestWithoutThePersonsHandsTheSessionGoesOn(t *testing.T) {
	r := start(t, func(_ *rig, cfg *session.Config) {
		cfg.OpenPerson = func(input.Ears) (input.Person, error) { return nil, errors.New("no XInput") }
	})
	v, _ := r.live()
	r.control(v)
	acked(t, v, 4)
	for _, e := range r.window.Events() {
		if e.Name == "participants" && e.Key != "" {
			t.Errorf("a key is promised that nobody listens for: %+v", e)
		}
	}
}
