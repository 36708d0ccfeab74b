package pairing

import (
	"strings"
	"testing"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

func TestEventsAreDurableBeforeTheyAreAcknowledged(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	gate := make(chan struct{})
	b.store.gate.Store(&gate)
	h.event("consent.granted", "ok", `{"grant":"view"}`)
	quiet(t, h.peer)
	v.sealed(0, []byte("goes on meanwhile"))
	want[*mfpb.Sealed](t, h.peer)
	b.store.gate.Store(nil)
	close(gate)
	h.acked(t, 1)
	if got := b.types(h.session); !strings.HasSuffix(got, "consent.granted") {
		t.Errorf("acknowledged, yet the log holds %s", got)
	}
}

func TestRepeatedAndMissingEvents(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	h.event("consent.granted", "ok", `{"grant":"view"}`)
	h.acked(t, 1)
	h.eventAt(1, "consent.granted", "ok", `{"grant":"view"}`, "") // again
	h.acked(t, 1)
	h.eventAt(4, "consent.denied", "deny", `{"grant":"control"}`, "") // 2 and 3 are missing
	h.acked(t, 4)
	h.seq = 4
	h.close(mfpb.Reason_REASON_PERSON_STOPPED)
	b.ended(h.session)
	if got, want := b.types(h.session), "session.requested session.paired ticket.linked consent.granted log.gap consent.denied host.closed session.ended"; got != want {
		t.Errorf("the log holds %s, want %s", got, want)
	}
	for _, e := range b.events(h.session) {
		if e.Type == "log.gap" && (e.Data["after"] != int64(1) || e.Data["next"] != int64(4)) {
			t.Errorf("the gap is %v", e.Data)
		}
	}
}

func TestAnEventTheHostHidShowsInItsOwnCount(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	h.event("consent.granted", "ok", `{"grant":"view"}`)
	h.acked(t, 1)
	h.seq = 3 // two more never arrived
	h.close(mfpb.Reason_REASON_PERSON_STOPPED)
	b.ended(h.session)
	if got := b.types(h.session); !strings.HasSuffix(got, "consent.granted log.gap host.closed session.ended") {
		t.Errorf("the log holds %s", got)
	}
}

func TestAHostMayNotWriteTheServersLines(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct{ typ, outcome, data string }{
		{"session.ended", "ok", "{}"},
		{"auth.login", "ok", "{}"},
		{"ticket.closed", "ok", "{}"},
		{"log.gap", "ok", "{}"},
		{"consent.granted", "maybe", "{}"},
		{"consent.granted", "ok", "not json"},
		{"consent.granted", "ok", "[1]"},
	} {
		t.Run(c.typ+" "+c.data, func(t *testing.T) {
			h, v := b.host(), b.viewer("ann")
			b.pair(h, v)
			h.event(c.typ, c.outcome, c.data)
			wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
			if got := b.types(h.session); strings.Contains(strings.TrimPrefix(got, "session.requested session.paired ticket.linked"), c.typ) {
				t.Errorf("the log holds %s", got)
			}
		})
	}
	t.Run("numbers beyond JSON", func(t *testing.T) {
		h, v := b.host(), b.viewer("ann")
		b.pair(h, v)
		h.eventAt(1<<60, "consent.granted", "ok", "{}", "")
		wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
		h, v = b.host(), b.viewer("ann")
		b.pair(h, v)
		h.seq = 1 << 60
		h.close(mfpb.Reason_REASON_PERSON_STOPPED)
		wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
	})
	t.Run("too large", func(t *testing.T) {
		h, v := b.host(), b.viewer("ann")
		b.pair(h, v)
		h.event("consent.granted", "ok", `{"a":"`+strings.Repeat("x", wire.MaxEventData)+`"}`)
		wantEnd(t, h.peer, mfpb.Reason_REASON_TOO_LARGE, true)
	})
}

func TestWhatAHostWritesIsKeptInBounds(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	h.event("consent.granted", "ok", `{"grant":"Monsieur Dupont"}`) // prose in the public part
	h.event("future.thing", "ok", `{}`)
	h.seq++
	h.eventAt(h.seq, "consent.shown", "ok", `{"grant":"view"}`, `{"name":"a\u202eb\u0000c"}`)
	h.acked(t, 3)
	if got := b.types(h.session); !strings.HasSuffix(got, "ticket.linked log.gap log.gap consent.shown") {
		t.Errorf("the log holds %s", got)
	}
	events := b.events(h.session)
	if last := events[len(events)-1]; last.Personal["name"] != "abc" {
		t.Errorf("personal part: %q", last.Personal)
	}
	for _, e := range events {
		if strings.Contains(string(e.Leaf), "Dupont") {
			t.Error("a name stands in the public part")
		}
	}
	v.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	h.close(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	b.ended(h.session)
}
