package pairing

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// step of a claim: which message is next, and from whom.
type step int

const (
	asked     step = iota // ClaimStart sent; PakeReply or ClaimRefused is next
	replied               // PakeReply relayed; Confirm or ClaimVerdict is next
	confirmed             // Confirm relayed; Paired or ClaimRefused is next
)

// claim is one try to pair, from Claim to Paired.
type claim struct {
	id       [wire.ClaimSize]byte
	plate    *plate
	host     *host
	viewer   *viewer
	ticket   tickets.Ticket
	step     step
	began    time.Time
	deadline time.Time
	hostKey  ed25519.PublicKey // of the PakeReply, nil if its AD is malformed
	refund   func()            // gives the try back; see spend
	shown    bool              // the host's half reached the viewer: a guess was made
}

func (c *claim) key() string { return string(c.id[:]) }

// spend takes one try from every limit (C5), or none. The try is given back when
// the claim paired, or ended before the viewer had anything to check a guess with.
func (d *Desk) spend(v *viewer, now time.Time) (refund func(), ok bool) {
	user, addr := v.in.User.ID, limit.AddressKey(v.addr)
	var taken []func()
	refund = func() {
		for _, f := range taken {
			f()
		}
		taken = nil
	}
	for _, l := range []struct {
		k    *limit.Keyed
		key  string
		name string
	}{{d.account, user, "account"}, {d.accountDay, user, "account, day"}, {d.address, addr, "address"}, {d.all, "", "everybody"}} {
		if !l.k.Take(l.key, now) {
			refund()
			d.cfg.Logger.Warn("claims are limited", "limit", l.name, "user", user)
			return nil, false
		}
		taken = append(taken, func() { l.k.Refund(l.key, now) })
	}
	return refund, true
}

// claim begins one. It runs on the viewer's reader, without the lock: the ticket
// comes from the desk of tickets.
func (v *viewer) claim(m *mfpb.Claim) {
	d := v.desk
	if len(m.Sid) != wire.SIDSize || len(m.Share) != wire.ShareSize || len(m.Ad) > maxAD {
		v.fault(mfpb.Reason_REASON_PROTOCOL)
		return
	}
	d.mu.Lock()
	bound := v.session != nil || v.open != nil
	d.mu.Unlock()
	if bound {
		v.refuse(mfpb.Reason_REASON_PROTOCOL)
		return
	}
	// The sign-in was checked when the socket opened, which may be hours ago.
	switch ok, err := d.cfg.SignIns.Alive(d.stopped, v.in.ID); {
	case err != nil:
		d.cfg.Logger.Error("the sign-in of a claim cannot be read", "error", err)
		v.refuse(mfpb.Reason_REASON_INTERNAL)
		return
	case !ok:
		d.SignedOut([]string{v.in.ID})
		return
	}
	// C92: who has a second factor or a passkey has proven one in the last minutes.
	// It costs no try: the code was not looked at, and the page claims again.
	switch ok, err := d.cfg.SignIns.MayControl(d.stopped, v.in.ID); {
	case err != nil:
		d.cfg.Logger.Error("the sign-in of a claim cannot be read", "error", err)
		v.refuse(mfpb.Reason_REASON_INTERNAL)
		return
	case !ok:
		v.refuse(mfpb.Reason_REASON_STEP_UP)
		d.rejected(v, "", mfpb.Reason_REASON_STEP_UP)
		return
	}
	// Who is invited may leave the ticket out: it is the session's.
	id, joins := m.TicketId, false
	if id == "" {
		id, joins = d.ticketUnder(m.Nameplate)
	}
	ticket, reason := d.ticket(id)
	if reason != 0 && m.TicketId != "" {
		v.refuse(reason)
		d.rejected(v, "", reason)
		return
	}

	if id == "" && (joins || d.ticketless()) {
		reason = 0
	}

	// From here on it is a guess: a claim without a ticket too, or nameplates of
	// invites could be looked for at no cost.
	now := d.cfg.Now()
	refund, ok := d.spend(v, now)
	if !ok {
		v.refuse(mfpb.Reason_REASON_RATE_LIMITED)
		d.rejected(v, ticket.ID, mfpb.Reason_REASON_RATE_LIMITED)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		refund()
		v.refuse(mfpb.Reason_REASON_SERVER_STOPPING)
		return
	}
	if v.isClosing() {
		refund() // its reader ends next; a claim now would have no owner
		return
	}
	p := d.plates[m.Nameplate]
	switch {
	case p == nil, p.host == nil, now.After(p.until):
		// Not given back: or every nameplate could be tried for nothing.
		reason := mfpb.Reason_REASON_NO_SUCH_CODE
		if p != nil && (p.expired || p.host != nil) {
			reason = mfpb.Reason_REASON_CODE_EXPIRED
		}
		v.refuse(reason)
		d.codeFailed(v, ticket.ID, reason)
		return
	case reason != 0:
		v.refuse(reason)
		d.outside(v, "session.rejected", "", reason)
		return
	case id == "" && p.session == nil && !d.ticketless(): // the session ended that was to be joined
		v.refuse(mfpb.Reason_REASON_TICKET_CLOSED)
		d.outside(v, "session.rejected", "", mfpb.Reason_REASON_TICKET_CLOSED)
		return
	}
	if p.session != nil {
		if reason := p.session.mayJoin(v, m.TicketId); reason != 0 {
			v.refuse(reason)
			d.codeFailed(v, p.session.ticket.ID, reason)
			return
		}
	}
	if p.claim != nil {
		// C6: one of the two is not the technician on the phone. Nobody can tell
		// which, so neither goes on.
		v.refuse(mfpb.Reason_REASON_TWO_CLAIMS)
		d.codeFailed(v, ticket.ID, mfpb.Reason_REASON_TWO_CLAIMS)
		d.drop(p.claim, mfpb.Reason_REASON_TWO_CLAIMS, mfpb.Reason_REASON_TWO_CLAIMS)
		d.retire(p, now, false)
		return
	}
	c := &claim{plate: p, host: p.host, viewer: v, ticket: ticket, began: now, deadline: now.Add(d.cfg.Claim), refund: refund}
	rand.Read(c.id[:]) // never fails since Go 1.24
	p.claim, p.host.open, v.open = c, c, c
	d.claims[c.key()] = c
	c.host.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Claim{Claim: &mfpb.ClaimStart{
		Claim: c.id[:], Sid: m.Sid, Share: m.Share, Ad: m.Ad,
		Technician: &mfpb.Technician{
			Id: v.in.User.ID, Name: wire.Clean(v.in.User.Name),
			SignedIn: v.in.Told(), SignedInAt: v.in.At.UnixMilli(),
		},
		Ticket: told(ticket),
	}}})
}

// maxAD is more than any associated data of this protocol: the host's is 43 bytes.
const maxAD = 128

// ticketless tells whether a session may begin without a ticket.
func (d *Desk) ticketless() bool {
	t := d.policy().Ticket
	return t == tickets.TicketAllowed || t == tickets.TicketCreated
}

// told is a ticket as both sides are told it; nil for none.
func told(t tickets.Ticket) *mfpb.Ticket {
	if t.ID == "" {
		return nil
	}
	return &mfpb.Ticket{Id: t.ID, Number: wire.Clean(t.Number), Subject: wire.Clean(t.Subject)}
}

// ticketUnder is the ticket of the session that is joined under a nameplate;
// joins is false if none is.
func (d *Desk) ticketUnder(nameplate string) (id string, joins bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.plates[nameplate]; p != nil && p.host != nil && p.session != nil {
		return p.session.ticket.ID, true
	}
	return "", false
}

// deskTrouble is what keeps a desk from telling whether a ticket is open.
var deskTrouble = []error{tickets.ErrTransient, tickets.ErrAuth, tickets.ErrConfig, tickets.ErrNoDesk}

// ticket is C4: the ticket of a claim exists and is open.
func (d *Desk) ticket(id string) (tickets.Ticket, mfpb.Reason) {
	if id == "" || len(id) > 128 {
		return tickets.Ticket{}, mfpb.Reason_REASON_TICKET_CLOSED
	}
	t, err := d.cfg.Tickets.Get(d.stopped, id)
	switch {
	case errors.Is(err, tickets.ErrNotFound), errors.Is(err, tickets.ErrForbidden):
		return tickets.Ticket{}, mfpb.Reason_REASON_TICKET_CLOSED
	case errors.Is(err, store.ErrUnavailable):
		d.cfg.Logger.Error("the ticket of a claim cannot be read", "error", err)
		return tickets.Ticket{}, mfpb.Reason_REASON_INTERNAL
	case slices.ContainsFunc(deskTrouble, func(kind error) bool { return errors.Is(err, kind) }):
		d.cfg.Logger.Warn("the desk of a claim's ticket is away", "error", err)
		return tickets.Ticket{}, mfpb.Reason_REASON_DESK_AWAY
	case err != nil:
		d.cfg.Logger.Error("the ticket of a claim cannot be read", "error", err)
		return tickets.Ticket{}, mfpb.Reason_REASON_INTERNAL
	case !t.Open:
		return tickets.Ticket{}, mfpb.Reason_REASON_TICKET_CLOSED
	}
	return t, 0
}

// refuse answers a Claim.
func (v *viewer) refuse(r mfpb.Reason) {
	v.send(&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_ClaimResult{ClaimResult: &mfpb.ClaimResult{Reason: r}}})
}

// drop ends an open claim that did not pair; a reason of 0 tells that side
// nothing, because the end came from it.
func (d *Desk) drop(c *claim, viewer, host mfpb.Reason) {
	if !d.forget(c) {
		return
	}
	if !c.shown {
		c.refund()
	}
	if viewer != 0 {
		c.viewer.refuse(viewer)
	}
	if host != 0 {
		c.host.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_ClaimFailed{ClaimFailed: &mfpb.ClaimFailed{Claim: c.id[:], Reason: host}}})
	}
	why := viewer
	if why == 0 {
		why = host
	}
	d.codeFailed(c.viewer, c.ticket.ID, why)
}

// forget takes an open claim out of the books; false if it was out already.
func (d *Desk) forget(c *claim) bool {
	if d.claims[c.key()] != c {
		return false
	}
	delete(d.claims, c.key())
	c.plate.claim, c.host.open, c.viewer.open = nil, nil, nil
	c.host.past, c.viewer.past = c.key(), c.key()
	return true
}

// codeFailed logs a claim that did not pair.
func (d *Desk) codeFailed(v *viewer, ticket string, r mfpb.Reason) {
	d.outside(v, "session.code_failed", ticket, r)
}

// rejected logs a claim that never reached a host. It takes the lock.
func (d *Desk) rejected(v *viewer, ticket string, r mfpb.Reason) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.outside(v, "session.rejected", ticket, r)
}

func (d *Desk) outside(v *viewer, typ, ticket string, r mfpb.Reason) {
	e := audit.Event{
		Type: typ, Outcome: "deny", Origin: "server", Time: d.cfg.Now(),
		Actor:    audit.Actor{Kind: string(v.in.User.Role), Ref: v.in.User.ID},
		Data:     map[string]any{"reason": wire.Name(r)},
		Personal: map[string]any{"address": v.addr.String()},
	}
	if audit.IsToken(ticket) {
		e.Ticket = ticket
	}
	d.loose.add(job{events: []audit.Event{e}})
}
