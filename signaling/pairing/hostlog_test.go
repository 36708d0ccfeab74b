package pairing

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit"
)

func TestEventsAreDurableBeforeTheyAreAcknowledged(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	open := b.store.shut()
	h.event("consent.granted", "ok", `{"grant":"view"}`)
	quiet(t, h.peer)
	v.sealed(0, []byte("goes on meanwhile"))
	want[*mfpb.Sealed](t, h.peer)
	open()
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

// What the note counts is the host's word: prose is left out of it, numbers that
// cannot be are not added, and however much comes it stays short.
func TestWhatTheNoteCountsIsKeptInBounds(t *testing.T) {
	type data = map[string]any
	said := func(tl *tally, typ string, d data) {
		t.Helper()
		row := tl.add(audit.Event{Type: typ, Data: d}, time.Now())
		if want := (tallied{grants: list(tl.Grants), used: object(tl.Used), course: list(tl.Course)}); row != want {
			t.Fatalf("after %s %v: the row holds %+v, want %+v", typ, d, row, want)
		}
	}
	fresh := func() *tally { return &tally{Used: map[string]int64{}} }

	tl := fresh()
	for _, bad := range []any{"Monsieur Dupont", "", 7.0, nil} {
		said(tl, "consent.granted", data{"grant": bad})
		said(tl, "session.degraded", data{"reason": bad})
		said(tl, "session.route", data{"route": bad})
	}
	if len(tl.Grants)+len(tl.Course) != 0 {
		t.Errorf("counted %+v %+v", tl.Grants, tl.Course)
	}
	for _, n := range []any{3.0, -5.0, 1e9, 1e300, "4"} {
		said(tl, "input.summary", data{"keys": n, "clicks": n})
	}
	if tl.Used["keys"] != 3 || tl.Used["clicks"] != 3 {
		t.Errorf("used: %v", tl.Used)
	}
	for i, want := range []int64{812, 0, 1e9} {
		said(tl, "session.degraded", data{"reason": "LINE_SLOW", "value": []float64{812, -1, 1e300}[i]})
		if got := tl.Course[i].Value; got != want {
			t.Errorf("a line of %d, want %d", got, want)
		}
	}
	said(tl, "consent.granted", data{"grant": "view"})
	said(tl, "session.restored", data{"reason": "LINE_SLOW"})
	said(tl, "session.route", data{"route": "direct"})
	said(tl, "consent.shown", data{"grant": "control"})

	slow, routes := fresh(), fresh()
	for range 200 {
		said(slow, "consent.granted", data{"grant": "view"})
		said(slow, "session.degraded", data{"reason": "LINE_SLOW"})
		said(routes, "session.route", data{"route": "direct"})
	}
	if g, c, r := len(slow.Grants), len(slow.Course), len(routes.Course); g != maxGrants || c != maxCourse || r != maxCourse {
		t.Errorf("%d answers, %d moments, %d routes", g, c, r)
	}
}

// A host whose clock is wrong by days: its events stand with the time that it
// says, in the order of its count; what people are told goes by the server's.
func TestAClockThreeDaysOff(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead": 72 * time.Hour, "behind": -72 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			h, ann := b.host(), b.viewer("ann")
			b.pair(h, ann)
			b.advance(time.Minute)
			began := b.clock.now().Add(off)
			say := func(seq uint64, typ string, wall time.Duration, mono time.Duration, data string) {
				h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Event{Event: &mfpb.HostEvent{
					Seq: seq, Time: began.Add(wall).UnixNano(), MonoMs: mono.Milliseconds(), Type: typ, Outcome: "ok", Data: []byte(data),
				}}})
			}
			say(1, "consent.granted", 0, 5*time.Second, `{"grant":"view"}`)
			say(2, "consent.granted", time.Second, 6*time.Second, `{"grant":"control"}`)
			say(3, "session.degraded", 2*time.Second, 10*time.Second, `{"reason":"LINE_SLOW","value":64}`)
			say(4, "session.restored", -time.Hour, 25*time.Second, `{"reason":"LINE_SLOW"}`) // put right meanwhile, or wrong
			say(5, "consent.revoked", 0, 1<<40*time.Millisecond, `{"grant":"control"}`)      // nonsense
			h.acked(t, 5)
			h.seq = 5
			var mono []int64
			for _, e := range b.events(h.session) {
				if e.Origin != "host" {
					continue
				}
				mono = append(mono, e.MonoMS)
				if e.Type == "session.degraded" && !e.Time.Equal(began.Add(2*time.Second)) {
					t.Errorf("the host's time is %v, logged as %v", began.Add(2*time.Second), e.Time)
				}
			}
			if want := []int64{5000, 6000, 10000, 25000, 1 << 40}; !slices.Equal(mono, want) {
				t.Errorf("in the order %v, want %v", mono, want)
			}
			h.close(mfpb.Reason_REASON_PERSON_STOPPED)
			wantEnd(t, ann.peer, mfpb.Reason_REASON_PERSON_STOPPED, false)
			r := b.ended(h.session)
			if r.Ended.Sub(r.Started) != time.Minute {
				t.Errorf("lasted %v", r.Ended.Sub(r.Started))
			}
			at := func(d time.Duration) string { return r.Started.Add(d).UTC().Format("15:04:05") }
			note := b.notes(1)[0].Text
			for _, s := range []string{"écran : autorisé à " + at(5*time.Second), "retiré à " + at(time.Minute), "64 kbit/s pendant 15 s, à partir de " + at(10*time.Second)} {
				if !strings.Contains(note, s) {
					t.Errorf("the note lacks %q:\n%s", s, note)
				}
			}
			if v, err := b.log.Verify(t.Context()); err != nil || !v.OK() {
				t.Errorf("the log does not verify: %+v %v", v, err)
			}
		})
	}
}
