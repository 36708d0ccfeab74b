package pairing

import (
	"slices"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// narrow is a policy.
func narrow(life time.Duration, names ...string) func(*Config) {
	return func(c *Config) { c.Bounds = func() ([]string, time.Duration) { return names, life } }
}

// The host is told what the policy of that moment takes away, and the log as well; a
// session goes on by it, whatever is in force later.
func TestTheHostIsToldWhatIsRuledOut(t *testing.T) {
	names := []string{"control", "file_out"}
	b := newBench(t, func(c *Config) { c.Bounds = func() ([]string, time.Duration) { return names, time.Hour } })
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, ann)
	if o := h.opened; !slices.Equal(o.RuledOut, []string{"control", "file_out"}) || o.EndsInS != 3600 {
		t.Errorf("the host is told %v", o)
	}
	names[0], names = "view", nil // another policy
	b.advance(10 * time.Minute)
	h.invite(t, expert)
	h.paired(b.confirmedFor(h, bob, ""))
	if o := want[*mfpb.Opened](t, h.peer); !slices.Equal(o.RuledOut, []string{"control", "file_out"}) || o.EndsInS != 3000 {
		t.Errorf("of the second participant the host is told %v", o)
	}
	if o := want[*mfpb.Opened](t, bob.peer); len(o.RuledOut) > 0 || o.EndsInS != 0 {
		t.Errorf("the viewer is told %v: it hears of it from the host", o)
	}
	h.close(mfpb.Reason_REASON_PERSON_STOPPED)
	b.ended(h.session)
	for _, e := range b.events(h.session) {
		if e.Type == "session.bounded" {
			if e.Data["ruled_out"] != "control+file_out" {
				t.Errorf("the log holds %v", e.Data)
			}
			return
		}
	}
	t.Error("the log does not say what was ruled out")
}

// C126: the time is over for a session that a server before this one opened, too.
func TestASessionEndsWhenItsTimeIsOver(t *testing.T) {
	b := newBench(t, narrow(20*time.Minute))
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	b.advance(19 * time.Minute)
	h.event("consent.granted", "ok", `{"grant":"view"}`)
	h.acked(t, 1)
	b.stop()
	b.start()
	n := b.resumeHost(h)
	want[*mfpb.ViewerState](t, n.peer)
	n.acked(t, 1)
	w := b.resumeViewer(v, "ann")
	want[*mfpb.ViewerState](t, n.peer)
	want[*mfpb.HostState](t, w.peer)
	b.advance(time.Minute)
	wantEnd(t, n.peer, mfpb.Reason_REASON_TIME_UP, false)
	wantEnd(t, w.peer, mfpb.Reason_REASON_TIME_UP, false)
	n.close(mfpb.Reason_REASON_TIME_UP)
	if r := b.ended(h.session); r.Reason != "TIME_UP" || r.Ended.Sub(r.Started) != 20*time.Minute {
		t.Errorf("ended with %s after %v", r.Reason, r.Ended.Sub(r.Started))
	}
}

// C127: a host that gives what is ruled out does not go by our policy, and nothing
// more goes by our server.
func TestAHostThatGivesWhatIsRuledOut(t *testing.T) {
	b := newBench(t, narrow(0, "control"))
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	h.event("consent.granted", "ok", `{"grant":"view","participant":"1"}`)
	h.event("consent.denied", "deny", `{"grant":"control","participant":"1","by":"policy"}`)
	h.acked(t, 2)
	h.event("consent.granted", "ok", `{"grant":"control","participant":"1"}`)
	wantEnd(t, v.peer, mfpb.Reason_REASON_PROTOCOL, false)
	b.advance(5 * time.Second) // for its signed close, which does not come
	if r := b.ended(h.session); r.Reason != "PROTOCOL" {
		t.Errorf("ended with %s", r.Reason)
	}
	given := 0
	for _, e := range b.events(h.session) {
		if e.Type == "consent.granted" {
			given++
		}
	}
	if given != 2 {
		t.Errorf("%d of both grants stand in the log: what it did is evidence", given)
	}
}
