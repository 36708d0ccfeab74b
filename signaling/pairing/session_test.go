package pairing

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

func TestASessionEndedByThePerson(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	h.event("consent.granted", "ok", `{"grant":"view"}`)
	h.event("consent.granted", "ok", `{"grant":"control"}`)
	h.event("input.summary", "ok", `{"keys":40,"clicks":2}`)
	h.event("input.summary", "ok", `{"keys":2}`)
	h.event("consent.revoked", "ok", `{"grant":"control"}`)
	h.acked(t, 5)
	b.advance(61 * time.Second)
	h.close(mfpb.Reason_REASON_PERSON_STOPPED)
	wantEnd(t, v.peer, mfpb.Reason_REASON_PERSON_STOPPED, false)
	wantEnd(t, h.peer, mfpb.Reason_REASON_PERSON_STOPPED, false)

	r := b.ended(h.session)
	if r.Reason != "PERSON_STOPPED" || r.TicketNumber != b.ticket.Number || r.TechnicianName != "ann" || r.Ended.Sub(r.Started) != 61*time.Second {
		t.Errorf("the record is %+v", r)
	}
	if got, want := b.types(h.session), "session.requested session.paired ticket.linked consent.granted consent.granted "+
		"input.summary input.summary consent.revoked host.closed session.ended"; got != want {
		t.Errorf("the log holds\n%s, want\n%s", got, want)
	}
	events := b.events(h.session)
	for _, e := range events {
		switch e.Type {
		case "session.paired":
			if e.Personal["technician"] != "ann" || e.Data["host_key"] != base64.StdEncoding.EncodeToString(h.pub()) {
				t.Errorf("paired: %v %v", e.Data, e.Personal)
			}
		case "consent.granted":
			if e.Origin != "host" || e.Actor != (audit.Actor{Kind: "person"}) {
				t.Errorf("consent: %+v", e.Event)
			}
		case "input.summary":
			if e.Actor != (audit.Actor{Kind: "technician", Ref: "id-ann"}) {
				t.Errorf("input: %+v", e.Event)
			}
		case "host.closed":
			sig, err := base64.StdEncoding.DecodeString(e.Data["signature"].(string))
			if err != nil || !ed25519.Verify(h.pub(), wire.CloseMessage(h.session, mfpb.Reason_REASON_PERSON_STOPPED, 5, 61_000), sig) {
				t.Errorf("an auditor cannot check the host's signature: %v", e.Data)
			}
		case "session.ended":
			if e.Data["reason"] != "PERSON_STOPPED" || e.Data["by"] != "host" || e.Data["duration_ms"] != int64(61_000) || e.Actor.Kind != "person" {
				t.Errorf("ended: %+v", e.Event)
			}
		}
	}
	note := b.notes(1)[0].Text
	for _, s := range []string{"ann", "Élodie Caron", h.session, "42", "2"} { // keys and clicks
		if !strings.Contains(note, s) {
			t.Errorf("the note lacks %q:\n%s", s, note)
		}
	}
	point, err := b.log.Latest(t.Context())
	if err != nil || !strings.Contains(note, point.RootText()) {
		t.Errorf("the note lacks the root %s (%v):\n%s", point.RootText(), err, note)
	}
	// The host may show another code on the same line.
	h.want(t)
	b.pair(h, v)
}

func TestASessionEndedByTheTechnician(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	v.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	wantEnd(t, h.peer, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
	wantEnd(t, v.peer, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
	// The host still has something to say, and signs.
	h.event("input.summary", "ok", `{"keys":7}`)
	h.close(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	h.acked(t, 1)
	b.ended(h.session)
	if got, want := b.types(h.session), "session.requested session.paired ticket.linked input.summary host.closed session.ended"; got != want {
		t.Errorf("the log holds %s, want %s", got, want)
	}
	b.notes(1)
	h.close(mfpb.Reason_REASON_TECHNICIAN_ENDED) // again: too late to matter
	v.sealed(0, []byte("late"))
	quiet(t, h.peer)
	quiet(t, v.peer)
}

func TestAViewerCannotSpeakForThePerson(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	v.end(mfpb.Reason_REASON_PERSON_STOPPED)
	wantEnd(t, h.peer, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
}

func TestAHostThatDoesNotSignLeavesAGap(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	v.end(mfpb.Reason_REASON_NO_ROUTE)
	wantEnd(t, h.peer, mfpb.Reason_REASON_NO_ROUTE, false)
	quiet(t, h.peer)
	b.advance(3*time.Second + time.Millisecond)
	if r := b.ended(h.session); r.Reason != "NO_ROUTE" {
		t.Errorf("ended with %s", r.Reason)
	}
	if got := b.types(h.session); !strings.HasSuffix(got, "log.gap session.ended") {
		t.Errorf("the log holds %s", got)
	}
}

func TestAForgedCloseIsNotBelieved(t *testing.T) {
	b := newBench(t)
	for name, forge := range map[string]func(*mfpb.HostClose){
		"reason":    func(c *mfpb.HostClose) { c.Reason = mfpb.Reason_REASON_PERSON_DENIED },
		"events":    func(c *mfpb.HostClose) { c.Events++ },
		"duration":  func(c *mfpb.HostClose) { c.DurationMs++ },
		"signature": func(c *mfpb.HostClose) { c.Signature[0] ^= 1 },
		"none":      func(c *mfpb.HostClose) { c.Signature = nil },
	} {
		t.Run(name, func(t *testing.T) {
			h, v := b.host(), b.viewer("ann")
			b.pair(h, v)
			c := &mfpb.HostClose{Reason: mfpb.Reason_REASON_PERSON_STOPPED, Events: 0, DurationMs: 5}
			c.Signature = ed25519.Sign(h.key, wire.CloseMessage(h.session, c.Reason, c.Events, c.DurationMs))
			forge(c)
			h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Close{Close: c}})
			wantEnd(t, h.peer, mfpb.Reason_REASON_PROTOCOL, true)
			if want[*mfpb.HostState](t, v.peer).Connected {
				t.Error("the viewer was told that the host is there")
			}
		})
	}
}

func TestAFullDiskInMidSession(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	b.store.full.Store(true)
	h.event("consent.granted", "ok", `{"grant":"view"}`)
	quiet(t, h.peer) // no acknowledgement, and no end yet
	b.advance(31 * time.Second)
	wantEnd(t, h.peer, mfpb.Reason_REASON_LOG_UNAVAILABLE, false)
	wantEnd(t, v.peer, mfpb.Reason_REASON_LOG_UNAVAILABLE, false)
	h.close(mfpb.Reason_REASON_LOG_UNAVAILABLE)
	time.Sleep(20 * time.Millisecond)
	// Room again: nothing that was taken is lost.
	b.store.full.Store(false)
	h.acked(t, 1)
	if r := b.ended(h.session); r.Reason != "LOG_UNAVAILABLE" {
		t.Errorf("ended with %s", r.Reason)
	}
	if got := b.types(h.session); !strings.HasSuffix(got, "consent.granted host.closed session.ended") {
		t.Errorf("the log holds %s", got)
	}
	b.notes(1)
}

func TestAShortHiccupOfTheDiskEndsNothing(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	b.store.full.Store(true)
	h.event("consent.granted", "ok", `{"grant":"view"}`)
	time.Sleep(20 * time.Millisecond)
	b.advance(20 * time.Second)
	b.store.full.Store(false)
	h.acked(t, 1)
	b.advance(20 * time.Second)
	quiet(t, h.peer)
	quiet(t, v.peer)
}

func TestSigningOutEndsTheSession(t *testing.T) {
	b := newBench(t)
	h, v, other := b.host(), b.viewer("ann"), b.viewer("bob")
	b.pair(h, v)
	b.desk.SignedOut([]string{"signin-ann"})
	wantEnd(t, v.peer, mfpb.Reason_REASON_SIGNED_OUT, false)
	wantClosed(t, v.peer, websocket.CloseNormalClosure)
	wantEnd(t, h.peer, mfpb.Reason_REASON_SIGNED_OUT, false)
	h.close(mfpb.Reason_REASON_SIGNED_OUT)
	b.ended(h.session)
	quiet(t, other.peer)
}

func TestASignInThatRunsOutEndsTheSession(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	b.desk.checkSignIns()
	quiet(t, v.peer)
	b.over.Store("signin-ann", true)
	b.desk.checkSignIns()
	wantEnd(t, v.peer, mfpb.Reason_REASON_SIGNED_OUT, false)
	wantEnd(t, h.peer, mfpb.Reason_REASON_SIGNED_OUT, false)
}

func TestThePartsOfTheEndStandTogether(t *testing.T) {
	// A row that is closed already: the last transaction must leave nothing.
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	err := b.store.Store.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Exec(`update sessions set ended = started, reason = 'INTERNAL'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.close(mfpb.Reason_REASON_PERSON_STOPPED)
	wantEnd(t, v.peer, mfpb.Reason_REASON_PERSON_STOPPED, false)
	for deadline := time.Now().Add(soon); ; time.Sleep(5 * time.Millisecond) {
		if _, live := b.desk.Waiting(); live == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the session is still held")
		}
	}
	if got := b.types(h.session); strings.Contains(got, "ended") || strings.Contains(got, "closed") {
		t.Errorf("the log holds %s", got)
	}
	b.notes(0)
}

// Many at once, some of them rude: nothing is left, nothing is mixed up. Run
// with -race this is the proof that one line has one writer.
func TestManyPairingsAtOnce(t *testing.T) {
	b := newBench(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 4 {
				h, v := b.host(), b.viewer("ann")
				b.pair(h, v)
				for n := range 5 {
					v.sealed(uint64(n), []byte(h.session))
					h.sealed(uint64(n), []byte(h.session))
					h.event("input.summary", "ok", `{"keys":1}`)
				}
				got := 0
				for got < 5 {
					if s := want[*mfpb.Sealed](t, v.peer); string(s.Box) != h.session {
						t.Errorf("another session's message: %s", s.Box)
					}
					got++
				}
				switch i {
				case 0:
					h.close(mfpb.Reason_REASON_PERSON_STOPPED)
				case 1:
					v.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
					h.close(mfpb.Reason_REASON_TECHNICIAN_ENDED)
				case 2:
					v.ws.Close()
					h.close(mfpb.Reason_REASON_PERSON_STOPPED)
				case 3:
					h.close(mfpb.Reason_REASON_PERSON_STOPPED)
					wantEnd(t, v.peer, mfpb.Reason_REASON_PERSON_STOPPED, false)
					h.ws.Close() // its last acknowledgement finds nobody
				}
				b.ended(h.session)
				h.ws.Close()
				v.ws.Close()
			}
		})
	}
	wg.Wait()
	b.notes(32)
	for deadline := time.Now().Add(soon); ; time.Sleep(5 * time.Millisecond) {
		b.desk.mu.Lock()
		left := len(b.desk.hosts) + len(b.desk.viewers) + len(b.desk.claims) + len(b.desk.sessions) + len(b.desk.perAddr)
		b.desk.mu.Unlock()
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d things are left", left)
		}
	}
	if r, err := b.log.Verify(t.Context()); err != nil || !r.OK() {
		t.Errorf("the log does not verify: %+v %v", r, err)
	}
}

// vain is an outbox that takes no note, for a reason.
type vain struct {
	Outbox
	why error
}

func (v vain) EnqueueTx(store.Tx, string, tickets.Note) error { return v.why }

// Whatever is wrong with a note, the end of its session stands in the log.
func TestASessionEndsWhoseNoteCannotBeWritten(t *testing.T) {
	for _, why := range []error{tickets.ErrInvalid, fmt.Errorf("%w: 20,001 characters", tickets.ErrTooLarge)} {
		b := newBench(t, func(c *Config) { c.Outbox = vain{c.Outbox, why} })
		h, ann := b.host(), b.viewer("ann")
		b.pair(h, ann)
		h.close(mfpb.Reason_REASON_PERSON_STOPPED)
		b.ended(h.session)
		if list := b.events(h.session); list[len(list)-1].Type != "session.ended" {
			t.Errorf("the log ends with %+v", list[len(list)-1])
		}
	}
}
