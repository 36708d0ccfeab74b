package session_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/comeback"
	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// shelf is where a host under test keeps what it needs to come back.
type shelf struct {
	mu      sync.Mutex
	opened  int
	state   []byte
	removed int
	broken  error
}

func (s *shelf) option(_ *rig, cfg *session.Config) {
	cfg.OpenReturn = func(time.Time) (comeback.Keeper, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.opened++
		return s, s.broken
	}
}

func (s *shelf) Write(state []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = slices.Clone(state)
	return s.broken
}

func (s *shelf) Remove() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = nil
	s.removed++
	return nil
}

func (s *shelf) kept() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// gone waits until nothing is kept.
func (s *shelf) gone(t *testing.T) {
	t.Helper()
	for late := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		state, removed := s.state, s.removed
		s.mu.Unlock()
		if state == nil && removed > 0 {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("something is kept: %s", state)
		}
	}
}

// keeps is a session that the person allowed to go on after a restart.
func keeps(t *testing.T, options ...func(*rig, *session.Config)) (*rig, *shelf, *gopeer.Viewer, *relay) {
	t.Helper()
	k := new(shelf)
	r := start(t, append(options, k.option)...)
	v, s := r.live()
	r.control(v)
	if k.kept() != nil || k.opened > 0 { // C83
		t.Error("something is kept before the person allowed it")
	}
	r.allowOne(v, "reconnect")
	s.event("reconnect.kept")
	return r, k, v, s
}

// comesBack starts a host by what another one kept.
func (r *rig) comesBack(s *relay, state []byte, options ...func(*rig, *session.Config)) *rig {
	r.t.Helper()
	back, err := session.ReadReturn(state)
	if err != nil {
		r.t.Fatal(err)
	}
	if back.Server.String() != r.server.url().String() || back.Lang != "en" {
		r.t.Errorf("it comes back to %v in %s", back.Server, back.Lang)
	}
	r2 := startAt(r.t, r.server, append(options, func(_ *rig, cfg *session.Config) { cfg.Return = back })...)
	l := r.server.accept()
	s.mu.Lock()
	s.line = l
	s.mu.Unlock()
	l.welcome()
	go s.fromHost(l)
	select {
	case <-s.resumed:
	case <-time.After(patience):
		r.t.Fatal("it did not resume")
	}
	return r2
}

// TestASessionGoesOnAfterARestart is C85: nothing is seen or touched before a new yes,
// and the log goes on without a gap.
func TestASessionGoesOnAfterARestart(t *testing.T) {
	r, k, v, s := keeps(t)
	r.down()
	if err := r.wait(); !errors.Is(err, session.ErrQuit) {
		t.Fatal(err)
	}
	if s.closing != nil || len(s.gone) > 0 {
		t.Fatal("the system went down, and the session ended")
	}
	state := k.kept()
	if state == nil {
		t.Fatal("the system went down, and nothing is kept")
	}
	for _, secret := range []string{"Tremblay"} { // what the question needs is there
		if !strings.Contains(string(state), secret) {
			t.Errorf("%q is not kept", secret)
		}
	}

	again := new(shelf)
	r2 := r.comesBack(s, state, again.option)
	if err := v.Attach(ctx(t)); err != nil {
		t.Fatal(err)
	}
	q := r2.window.Wait(t, "ask")
	if !strings.Contains(q.Text, "Ana Tremblay") || !strings.Contains(q.Text, "see your screen, use your mouse and keyboard.") || q.Ticket.Number != "INC1" {
		t.Errorf("the person is asked %q about %v", q.Text, q.Ticket)
	}
	for _, g := range []string{"view", "control", "reconnect"} { // C85
		if v.Grant(g) == gopeer.Allowed {
			t.Errorf("%s stands before the person said yes", g)
		}
	}
	key, err := v.Key(4, "a", true)
	if err != nil {
		t.Fatal(err)
	}
	ok(t, v.WaitAck(ctx(t), key))
	if r2.opened() != 0 || len(r2.hands.Ops()) > 0 { // C85
		t.Error("something is seen or touched before the person said yes")
	}
	r2.window.Say(ui.Command{ID: q.ID, Answer: "allow"})
	for _, g := range []string{"view", "control"} {
		if err := v.WaitGrant(ctx(t), g, gopeer.Allowed); err != nil {
			t.Fatal(err)
		}
	}
	if v.Grant("reconnect") == gopeer.Allowed || again.opened > 0 {
		t.Error("it may come back twice by one yes")
	}
	r2.paint(3, 3, 0x123456)
	r2.sees(v, 3, 3, 0x123456)
	r2.window.Say(ui.Command{Do: "stop"})
	r2.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
	if c := s.closed(); c.Events != uint64(len(s.events)) {
		t.Errorf("the close counts %d events, the log has %d", c.Events, len(s.events))
	}
	events := r2.window.Events()
	e := events[slices.IndexFunc(events, func(e ui.Event) bool { return e.Name == "ended" })]
	for _, want := range []string{"Ana Tremblay", ui.Load("en").Grant("reconnect")} { // from before the restart
		if !strings.Contains(e.Receipt.Text, want) {
			t.Errorf("the receipt does not tell of %s:\n%s", want, e.Receipt.Text)
		}
	}
}

// TestAWindowTellsThatTheSystemStops: what follows from the stop of the system is the
// same when the window hears of it, and nothing where nothing is kept.
func TestAWindowTellsThatTheSystemStops(t *testing.T) {
	r, k, _, s := keeps(t)
	r.window.Say(ui.Command{Do: "going_down"})
	r.window.Say(ui.Command{Do: "quit"})
	if err := r.wait(); !errors.Is(err, session.ErrQuit) {
		t.Fatal(err)
	}
	if s.closing != nil || k.kept() == nil {
		t.Error("the system went down, and the session ended")
	}

	r = start(t, new(shelf).option)
	v, s := r.live()
	r.window.Say(ui.Command{Do: "going_down"})
	r.window.Say(ui.Command{Do: "quit"})
	r.ends(v, s, mfpb.Reason_REASON_HOST_QUIT)
}

// TestANoAfterARestartEndsIt is C85.
func TestANoAfterARestartEndsIt(t *testing.T) {
	r, k, v, s := keeps(t)
	r.down()
	if err := r.wait(); !errors.Is(err, session.ErrQuit) {
		t.Fatal(err)
	}
	r2 := r.comesBack(s, k.kept())
	if err := v.Attach(ctx(t)); err != nil {
		t.Fatal(err)
	}
	r2.window.Answer(t, "view", "deny")
	r2.ends(v, s, mfpb.Reason_REASON_PERSON_DENIED)
	if r2.opened() != 0 {
		t.Error("the desktop was opened")
	}
	// Before the restart somebody saw it: the goodbye does not say that nobody did.
	events := r2.window.Events()
	e := events[slices.IndexFunc(events, func(e ui.Event) bool { return e.Name == "ended" })]
	if nothing := ui.Load("en").Reason(mfpb.Reason_REASON_PERSON_DENIED); !e.Seen || e.Refused() || e.Text == nothing || strings.Contains(e.Receipt.Text, nothing) {
		t.Errorf("it says %q and keeps\n%s", e.Text, e.Receipt.Text)
	}
}

// TestWhatIsKeptGoesWithItsReason is C83.
func TestWhatIsKeptGoesWithItsReason(t *testing.T) {
	for name, way := range map[string]struct {
		do  func(r *rig, v *gopeer.Viewer)
		end mfpb.Reason // 0: the session goes on
	}{
		"the person takes it back":     {do: func(r *rig, _ *gopeer.Viewer) { r.window.Say(ui.Command{Do: "revoke", Grant: "reconnect"}) }},
		"the person takes back seeing": {do: func(r *rig, _ *gopeer.Viewer) { r.window.Say(ui.Command{Do: "revoke", Grant: "view"}) }},
		"the technician gives it back": {do: func(r *rig, v *gopeer.Viewer) { _ = v.GiveBack("reconnect") }},
		"a quarter of an hour is over": {do: func(r *rig, _ *gopeer.Viewer) { r.clock.Advance(comeback.Life) }},
		"the person stops":             {func(r *rig, _ *gopeer.Viewer) { r.window.Say(ui.Command{Do: "stop"}) }, mfpb.Reason_REASON_PERSON_STOPPED},
		"the person leaves the app":    {func(r *rig, _ *gopeer.Viewer) { r.window.Say(ui.Command{Do: "quit"}) }, mfpb.Reason_REASON_HOST_QUIT},
		"the app is interrupted":       {func(r *rig, _ *gopeer.Viewer) { r.cancel() }, mfpb.Reason_REASON_HOST_QUIT},
		"the technician ends":          {func(r *rig, v *gopeer.Viewer) { _ = v.Bye(mfpb.Reason_REASON_TECHNICIAN_ENDED) }, mfpb.Reason_REASON_TECHNICIAN_ENDED},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, k, v, s := keeps(t, withClock)
			way.do(r, v)
			k.gone(t)
			if way.end != 0 {
				r.ends(v, s, way.end)
				return
			}
			if name == "a quarter of an hour is over" {
				s.event("reconnect.expired")
			}
			if e := s.revoked(); !strings.Contains(string(e.Data), `"reconnect"`) && name != "the person takes back seeing" {
				t.Errorf("the log was told last %s %s", e.Type, e.Data)
			}
			// Without it, a system that goes down ends the session as any other way out does.
			r.down()
			r.ends(v, s, mfpb.Reason_REASON_HOST_QUIT)
		})
	}
}

// revoked is the event of a grant that ended.
func (s *relay) revoked() (e *mfpb.HostEvent) {
	s.t.Helper()
	s.until("the end of a grant", func() bool {
		for _, e = range s.events {
			if e.Type == "consent.revoked" || e.Type == "consent.given_back" {
				return true
			}
		}
		return false
	})
	return e
}

// TestNothingIsSentBeforeItIsKept is C83: no number is used twice, whenever the
// computer stops.
func TestNothingIsSentBeforeItIsKept(t *testing.T) {
	r, k, v, s := keeps(t)
	seen := func() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.events) }
	disk := r.stalls("keep")
	before := seen()
	r.host.Note(3)
	disk.stands(t)
	if _, err := v.Keep(ctx(t)); err != nil { // its answer comes after whatever was sent before
		t.Fatal(err)
	}
	if now := seen(); now != before {
		t.Errorf("%d events were sent before they were on the disk", now-before)
	}
	state := k.kept()
	disk.goOn()
	s.until("the events", func() bool { return len(s.events) == before+3 })
	if back, err := session.ReadReturn(state); err != nil {
		t.Fatal(err)
	} else if got := session.LastOf(back); got != uint64(before) {
		t.Errorf("what was kept ends at %d, and %d were sent", got, before)
	}
	r.window.Say(ui.Command{Do: "stop"})
	r.logged(s, mfpb.Reason_REASON_PERSON_STOPPED)
}

// TestADiskThatKeepsNothingTakesTheGrantBack: the person is told, and the session goes on.
func TestADiskThatKeepsNothingTakesTheGrantBack(t *testing.T) {
	k := &shelf{broken: errors.New("the disk is full")}
	r := start(t, k.option)
	v, s := r.live()
	if err := v.Ask("reconnect"); err != nil {
		t.Fatal(err)
	}
	r.window.Answer(t, "reconnect", "allow")
	if err := v.WaitGrant(ctx(t), "reconnect", mfpb.GrantState_GRANT_STATE_REVOKED); err != nil {
		t.Fatal(err)
	}
	k.gone(t)
	r.host.Note(1)
	r.window.Say(ui.Command{Do: "stop"})
	r.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
	if s.closing.Events != uint64(len(s.events)) {
		t.Errorf("%d of %d events", len(s.events), s.closing.Events)
	}
}

// TestWithoutAPlaceNobodyIsAsked: the grant is not served.
func TestWithoutAPlaceNobodyIsAsked(t *testing.T) {
	r := start(t)
	v, s := r.live()
	if err := v.Ask("reconnect"); err != nil {
		t.Fatal(err)
	}
	if err := v.WaitGrant(ctx(t), "reconnect", mfpb.GrantState_GRANT_STATE_DENIED); err != nil {
		t.Fatal(err)
	}
	r.window.Say(ui.Command{Do: "stop"})
	r.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
}

// FuzzReadReturn: what is read was written by this program, or by somebody who wants
// to be believed.
func FuzzReadReturn(f *testing.F) {
	f.Add([]byte(`{"server":"ws://127.0.0.1:1","session":"01J","token":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","signing":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","since":"2026-11-30T10:00:00Z","ever":1,"back":[{"id":"1","kind":"lead","grants":["view"],"salt":"AAAAAAAAAAAAAAAAAAAAAA==","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}],"events":["CAE="]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := session.ReadReturn(b)
		if err != nil && !errors.Is(err, session.ErrReturn) {
			t.Error(err)
		}
		if err == nil && (r.Server == nil || session.LastOf(r) < uint64(0)) {
			t.Error("a session without a server")
		}
	})
}
