package pairing

import (
	"strings"
	"testing"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// without makes sessions that begin without a ticket.
func without(policy string) func(*Config) {
	return func(c *Config) {
		c.Policy.Ticket = policy
		c.Create = c.Tickets.(*tickets.Local).CreateForTx
	}
}

// pairWithout pairs on no ticket, and returns what the viewer is told.
func (b *bench) pairWithout(h *hostPeer, v *viewerPeer) *mfpb.Opened {
	b.t.Helper()
	v.claim(h.plate, "")
	start := want[*mfpb.ClaimStart](b.t, h.peer)
	if start.Ticket != nil {
		b.t.Errorf("the host is told of ticket %v", start.Ticket)
	}
	h.reply(start.Claim)
	want[*mfpb.PakeReply](b.t, v.peer)
	v.confirm(start.Claim)
	want[*mfpb.Confirm](b.t, h.peer)
	h.paired(start.Claim)
	o := want[*mfpb.Opened](b.t, h.peer)
	h.session, h.token = o.Session, o.ResumeToken
	o = want[*mfpb.Opened](b.t, v.peer)
	v.session, v.token, v.id = o.Session, o.ResumeToken, o.Participant
	return o
}

func TestASessionMayGoWithoutATicketWhereThePolicySaysSo(t *testing.T) {
	b := newBench(t, without(tickets.TicketAllowed))
	h, ann, bob := b.host(), b.viewer("ann"), b.viewer("bob")
	if o := b.pairWithout(h, ann); o.Ticket != nil {
		t.Errorf("opened with ticket %v", o.Ticket)
	}
	b.join(h, bob, expert) // a colleague too
	ann.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	h.close(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	r := b.ended(h.session)
	if r.TicketID != "" || r.TicketNumber != "" || len(r.Participants) != 2 {
		t.Errorf("%+v", r)
	}
	types := b.types(h.session)
	if !strings.Contains(types, "ticket.none") || strings.Contains(types, "ticket.linked") || strings.Contains(types, "note") || !strings.Contains(types, "session.ended") {
		t.Errorf("the log holds %s", types)
	}
	for _, f := range []func() ([]tickets.Letter, error){
		func() ([]tickets.Letter, error) { return b.outbox.Waiting(t.Context(), 0) },
		func() ([]tickets.Letter, error) { return b.outbox.Dead(t.Context(), 0) },
	} {
		if list, err := f(); err != nil || len(list) != 0 {
			t.Errorf("notes: %+v %v", list, err)
		}
	}
	// One with a ticket is as ever.
	b.pair(b.host(), b.viewer("cat"))
}

// A session that is taken up by the next server has no ticket there either.
func TestASessionWithoutATicketOutlivesTheServer(t *testing.T) {
	b := newBench(t, without(tickets.TicketAllowed))
	h, ann := b.host(), b.viewer("ann")
	b.pairWithout(h, ann)
	b.stop()
	b.start()
	h = b.resumeHost(h)
	ann = b.resumeViewer(ann, "ann")
	ann.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	h.close(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	if r := b.ended(h.session); r.TicketID != "" || strings.Contains(b.types(h.session), "note") {
		t.Errorf("%+v", r)
	}
}

func TestASessionWithoutATicketGetsOneWhereThePolicySaysSo(t *testing.T) {
	b := newBench(t, without(tickets.TicketCreated), func(c *Config) { c.Policy.Note = tickets.NotePublic })
	h, ann := b.host(), b.viewer("ann")
	o := b.pairWithout(h, ann)
	if o.Ticket == nil || o.Ticket.Number != "MF-1002" {
		t.Fatalf("opened with ticket %v", o.Ticket)
	}
	made, err := b.local.Get(t.Context(), o.Ticket.Id)
	if err != nil || !made.Open || !strings.HasPrefix(made.Subject, "Assistance à distance du 20") || made.Lang != "fr" || made.Sessions != 1 {
		t.Errorf("%+v %v", made, err)
	}
	ann.end(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	h.close(mfpb.Reason_REASON_TECHNICIAN_ENDED)
	b.ended(h.session)
	b.ticket = made
	if n := b.notes(1)[0]; !n.Public || n.Lang != "fr" {
		t.Errorf("%+v", n)
	}
	if types := b.types(h.session); !strings.Contains(types, "ticket.created") || !strings.Contains(types, "ticket.linked") {
		t.Errorf("the log holds %s", types)
	}
	for _, e := range b.events(h.session) {
		if e.Ticket != made.ID {
			t.Errorf("%s is about ticket %q", e.Type, e.Ticket)
		}
	}
}

// An unknown word in the policy is no permission.
func TestC4_WithoutAPolicyEveryClaimNeedsATicket(t *testing.T) {
	for _, policy := range []string{"", tickets.TicketRequired, "maybe"} {
		b := newBench(t, without(policy))
		h, v := b.host(), b.viewer("ann")
		v.claim(h.plate, "")
		v.refused(t, mfpb.Reason_REASON_TICKET_CLOSED)
		quiet(t, h.peer)
		b.stop()
	}
}
