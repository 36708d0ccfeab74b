package pairing

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

func TestPairing(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	if len(h.plate) != 3 || h.plate[0] == '0' {
		t.Errorf("the nameplate is %q", h.plate)
	}
	sid, share := []byte("0123456789abcdef"), []byte("0123456789abcdef0123456789abcdef")
	v.send(&mfpb.ViewerMessage{Body: &mfpb.ViewerMessage_Claim{Claim: &mfpb.Claim{
		Nameplate: h.plate, TicketId: b.ticket.ID, Sid: sid, Share: share, Ad: wire.ViewerAD(),
	}}})
	start := want[*mfpb.ClaimStart](t, h.peer)
	if string(start.Sid) != string(sid) || string(start.Share) != string(share) || string(start.Ad) != string(wire.ViewerAD()) {
		t.Errorf("the viewer's half was changed: %v", start)
	}
	if tech := start.Technician; tech.Id != "id-ann" || tech.Name != "ann" || tech.SignedIn != "password" || tech.SignedInAt == 0 {
		t.Errorf("the technician is told as %v", tech)
	}
	if tk := start.Ticket; tk.Id != b.ticket.ID || tk.Number != b.ticket.Number || tk.Subject != "Imprimante en panne" {
		t.Errorf("the ticket is told as %v", tk)
	}
	h.reply(start.Claim)
	if r := want[*mfpb.PakeReply](t, v.peer); string(r.Claim) != string(start.Claim) || len(r.Tag) != 64 {
		t.Errorf("the host's half was changed: %v", r)
	}
	v.confirm(start.Claim)
	want[*mfpb.Confirm](t, h.peer)
	h.paired(start.Claim)
	ho, vo := want[*mfpb.Opened](t, h.peer), want[*mfpb.Opened](t, v.peer)
	if ho.Session != vo.Session || len(ho.ResumeToken) != 32 || string(ho.ResumeToken) == string(vo.ResumeToken) {
		t.Errorf("opened as %v and %v", ho, vo)
	}
}

// C92: a claim without a fresh proof reaches no host and costs no try; after one it
// goes on, on the same line.
func TestC92_AClaimNeedsAFreshProof(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Account = limit.Every{N: 1, In: time.Hour} })
	h, v := b.host(), b.viewer("ann")
	b.stale.Store("signin-ann", true)
	for range 3 {
		v.claim(h.plate, b.ticket.ID)
		v.refused(t, mfpb.Reason_REASON_STEP_UP)
	}
	b.stale.Delete("signin-ann")
	v.claim(h.plate, b.ticket.ID)
	want[*mfpb.ClaimStart](t, h.peer)
}

func TestC4_AClaimNeedsAnOpenTicket(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Account = limit.Every{N: 1, In: time.Hour} })
	h, v := b.host(), b.viewer("ann")
	for _, id := range []string{"01JUNKNOWN", strings.Repeat("x", 300)} {
		v.claim(h.plate, id)
		v.refused(t, mfpb.Reason_REASON_TICKET_CLOSED)
	}
	if _, err := b.local.Close(t.Context(), b.ticket.ID); err != nil {
		t.Fatal(err)
	}
	v.claim(h.plate, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_TICKET_CLOSED)
	quiet(t, h.peer)
	if _, err := b.local.Open(t.Context(), b.ticket.ID); err != nil {
		t.Fatal(err)
	}
	b.pair(h, v) // and none of these was counted as a guess
}

// deskOf is a service desk whose tickets cannot be read.
type deskOf struct {
	tickets.System
	err error
}

func (d deskOf) Get(context.Context, string) (tickets.Ticket, error) { return tickets.Ticket{}, d.err }

// A desk that does not tell whether the ticket is open is no yes.
func TestC4_AClaimNeedsADeskThatTells(t *testing.T) {
	for _, c := range []struct {
		err  error
		want mfpb.Reason
	}{
		{tickets.ErrTransient, mfpb.Reason_REASON_DESK_AWAY},
		{tickets.ErrRateLimited{After: time.Minute}, mfpb.Reason_REASON_DESK_AWAY},
		{tickets.ErrAuth, mfpb.Reason_REASON_DESK_AWAY},
		{tickets.ErrConfig, mfpb.Reason_REASON_DESK_AWAY},
		{tickets.ErrNoDesk, mfpb.Reason_REASON_DESK_AWAY},
		{tickets.ErrForbidden, mfpb.Reason_REASON_TICKET_CLOSED},
		{fmt.Errorf("%w: %w", tickets.ErrTransient, store.ErrUnavailable), mfpb.Reason_REASON_INTERNAL},
		{tickets.ErrConflict, mfpb.Reason_REASON_INTERNAL},
	} {
		b := newBench(t, func(cfg *Config) {
			cfg.Limits.Account = limit.Every{N: 1, In: time.Hour}
			cfg.Tickets = deskOf{cfg.Tickets, c.err}
		})
		h, v := b.host(), b.viewer("ann")
		for range 2 { // and it is not counted as a guess
			v.claim(h.plate, "rt:17")
			v.refused(t, c.want)
		}
		quiet(t, h.peer)
		b.stop()
	}
}

// Without a ticket only an invite can be claimed. Whether a nameplate is one is
// worth a guess: else all of them could be tried at no cost.
func TestC4_AClaimWithoutATicketIsAGuess(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Account = limit.Every{N: 2, In: time.Hour} })
	h, v := b.host(), b.viewer("ann")
	v.claim(h.plate, "")
	v.refused(t, mfpb.Reason_REASON_TICKET_CLOSED)
	v.claim("999999999", "")
	v.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	v.claim(h.plate, "")
	v.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
	quiet(t, h.peer)
}

func TestC5_ClaimsOfOneAccountAreLimited(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Account = limit.Every{N: 5, In: 10 * time.Minute} })
	h, v := b.host(), b.viewer("ann")
	for range 4 { // wrong codes, told or not
		v.claim(h.plate, b.ticket.ID)
		claim := want[*mfpb.ClaimStart](t, h.peer).Claim
		h.reply(claim)
		want[*mfpb.PakeReply](t, v.peer)
		v.verdict(claim, mfpb.Reason_REASON_WRONG_CODE)
		if f := want[*mfpb.ClaimFailed](t, h.peer); f.Reason != mfpb.Reason_REASON_WRONG_CODE {
			t.Fatalf("told the host %v", f)
		}
	}
	unknown := "999999999"
	v.claim(unknown, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	v.claim(h.plate, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
	second := b.viewer("ann") // another tab of the same account
	second.claim(h.plate, b.ticket.ID)
	second.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
	quiet(t, h.peer)
	b.advance(2*time.Minute + time.Second)
	b.pair(h, v)
	if log := b.output.String(); strings.Contains(log, h.plate) {
		t.Error("a nameplate stands in the server's output")
	}
}

func TestC5_ClaimsOfOneAddressAreLimited(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Address = limit.Every{N: 3, In: time.Hour} })
	h := b.host()
	for _, u := range []string{"ann", "bob", "ann"} {
		v := b.viewer(u)
		v.claim("999999999", b.ticket.ID)
		v.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	}
	v := b.viewer("bob")
	v.claim(h.plate, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
}

func TestC5_TheBreakerStopsEverybody(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.All = limit.Every{N: 2, In: time.Hour} })
	h := b.host()
	for _, u := range []string{"ann", "bob"} {
		v := b.viewer(u)
		v.claim("999999999", b.ticket.ID)
		v.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	}
	v := b.viewer("ann")
	v.claim(h.plate, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
}

func TestC5_ClaimsOfOneAccountAreLimitedOverADay(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Limits.Account = limit.Every{N: 5, In: 10 * time.Minute}
		c.Limits.AccountDay = limit.Every{N: 7, In: 24 * time.Hour}
	})
	h, v := b.host(), b.viewer("ann")
	for range 7 { // patient enough for the short limit
		v.claim("999999999", b.ticket.ID)
		v.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
		b.advance(2 * time.Minute)
	}
	h.want(t)
	v.claim(h.plate, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
}

func TestC5_OnlyGuessesAreCounted(t *testing.T) {
	one := limit.Every{N: 1, In: 100 * time.Hour}
	b := newBench(t, func(c *Config) {
		c.Limits.Account, c.Limits.AccountDay, c.Limits.Address, c.Limits.All = one, one, one, one
	})
	v := b.viewer("ann")
	for range 2 {
		h := b.host()
		v.claim(h.plate, b.ticket.ID)
		want[*mfpb.ClaimStart](t, h.peer)
		h.ws.Close() // before anything could be guessed
		v.refused(t, mfpb.Reason_REASON_HOST_GONE)
	}
	for range 3 { // the right code, again and again
		h := b.host()
		b.pair(h, v)
		v.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
		wantEnd(t, v.peer, mfpb.Reason_REASON_TECHNICIAN_ENDED, false)
		h.close(mfpb.Reason_REASON_TECHNICIAN_ENDED)
		b.ended(h.session)
	}
	// A guess that was not told is a guess.
	h := b.host()
	v.claim(h.plate, b.ticket.ID)
	h.reply(want[*mfpb.ClaimStart](t, h.peer).Claim)
	want[*mfpb.PakeReply](t, v.peer)
	v.ws.Close()
	want[*mfpb.ClaimFailed](t, h.peer)
	v = b.viewer("ann")
	v.claim(h.plate, b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_RATE_LIMITED)
}

func TestC6_TwoClaimsDropBoth(t *testing.T) {
	b := newBench(t)
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	ann.claim(h.plate, b.ticket.ID)
	claim := want[*mfpb.ClaimStart](t, h.peer).Claim
	h.reply(claim)
	want[*mfpb.PakeReply](t, ann.peer)
	bob.claim(h.plate, b.ticket.ID)
	bob.refused(t, mfpb.Reason_REASON_TWO_CLAIMS)
	ann.refused(t, mfpb.Reason_REASON_TWO_CLAIMS)
	if f := want[*mfpb.ClaimFailed](t, h.peer); f.Reason != mfpb.Reason_REASON_TWO_CLAIMS || string(f.Claim) != string(claim) {
		t.Fatalf("the host was told %v", f)
	}
	// The nameplate is used up, whatever the host does.
	ann.claim(h.plate, b.ticket.ID)
	ann.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	// What crossed the news is no fault.
	ann.confirm(claim)
	quiet(t, h.peer)
	old := h.plate
	h.want(t)
	if h.plate == old {
		t.Error("the host got the same nameplate again")
	}
	b.pair(h, ann)
}

func TestC9_OpenedComesAfterTheLogHoldsTheSession(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	claim := b.confirmed(h, v)
	open := b.store.shut()
	h.paired(claim)
	quiet(t, h.peer)
	quiet(t, v.peer)
	open()
	id := want[*mfpb.Opened](t, h.peer).Session
	want[*mfpb.Opened](t, v.peer)
	if got := b.types(id); got != "session.requested session.paired ticket.linked" {
		t.Errorf("the log holds %q", got)
	}
}

func TestC9_NoSessionWithoutALog(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	claim := b.confirmed(h, v)
	b.store.full.Store(true)
	h.paired(claim)
	wantEnd(t, h.peer, mfpb.Reason_REASON_LOG_UNAVAILABLE, false)
	wantEnd(t, v.peer, mfpb.Reason_REASON_LOG_UNAVAILABLE, false)
	b.store.full.Store(false)
	if list, _, err := Records(t.Context(), b.store, Filter{}); err != nil || len(list) != 0 {
		t.Errorf("sessions: %v %v", list, err)
	}
	// Once there is room again, both go on with a new code.
	h.want(t)
	b.pair(h, v)
}

func TestC9_ALogThatDoesNotAnswerOpensNothing(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	claim := b.confirmed(h, v)
	open := b.store.shut()
	h.paired(claim)
	quiet(t, h.peer)
	b.advance(31 * time.Second)
	wantEnd(t, h.peer, mfpb.Reason_REASON_LOG_UNAVAILABLE, false)
	wantEnd(t, v.peer, mfpb.Reason_REASON_LOG_UNAVAILABLE, false)
	open()
	quiet(t, h.peer) // no Opened
	b.advance(5 * time.Second)
	list, _, err := Records(t.Context(), b.store, Filter{})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if r := b.ended(list[0].ID); r.Reason != "LOG_UNAVAILABLE" {
		t.Errorf("ended with %s", r.Reason)
	}
}

func TestFailedClaimsStandInTheLog(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	v.claim("999999999", b.ticket.ID)
	v.refused(t, mfpb.Reason_REASON_NO_SUCH_CODE)
	v.claim(h.plate, "nothing")
	v.refused(t, mfpb.Reason_REASON_TICKET_CLOSED)
	v.claim(h.plate, b.ticket.ID)
	claim := want[*mfpb.ClaimStart](t, h.peer).Claim
	h.reply(claim)
	want[*mfpb.PakeReply](t, v.peer)
	v.verdict(claim, mfpb.Reason_REASON_WRONG_CODE)
	want[*mfpb.ClaimFailed](t, h.peer)
	wanted := "session.code_failed NO_SUCH_CODE, session.rejected TICKET_CLOSED, session.code_failed WRONG_CODE"
	for deadline := time.Now().Add(soon); ; time.Sleep(5 * time.Millisecond) {
		var got []string
		for _, e := range b.events("") {
			got = append(got, e.Type+" "+e.Data["reason"].(string))
			if e.Actor.Ref != "id-ann" || e.Personal["address"] != "127.0.0.1" {
				t.Fatalf("logged as %+v", e)
			}
			if strings.Contains(string(e.Leaf), "999999999") || strings.Contains(string(e.Leaf), h.plate+`"`) {
				t.Fatal("a nameplate stands in the log")
			}
		}
		if strings.Join(got, ", ") == wanted {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("logged %v", got)
		}
	}
}

func TestTheServerHoldsOnlyHashesOfTokens(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	err := b.store.View(t.Context(), func(tx store.Tx) error {
		var host, viewer []byte
		q := `select s.host_token, p.viewer_token from sessions s join session_participants p on p.session_id = s.id`
		if err := tx.QueryRow(q).Scan(&host, &viewer); err != nil {
			return err
		}
		if string(host) == string(h.token) || string(viewer) == string(v.token) || len(host) != 32 || len(viewer) != 32 {
			t.Error("a resume token stands in the database")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
