package pairing

import (
	"crypto/ed25519"
	"errors"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/limit"
)

// host is one line to a host. What is below line is guarded by the desk's mutex,
// but for greeted, which only the reader knows.
type host struct {
	*line
	desk     *Desk
	greeted  bool
	asked    bool   // something came after Hello: it cannot resume any more
	software string // as it calls itself
	lang     string // of the person, as its hello says

	plate   *plate
	open    *claim
	session *session
	past    string // id of the claim that ended last
	had     bool   // it had a session; late messages about it are no fault
}

func (h *host) receive(b []byte) {
	var m mfpb.HostMessage
	err := wire.DecodeEnvelope(b, wire.MaxFrame, &m)
	if h.greeted && errors.Is(err, wire.ErrSkip) {
		return
	}
	if err != nil && !errors.Is(err, wire.ErrSkip) {
		h.fault(wire.Reason(err))
		return
	}
	if !h.greeted {
		hello := m.GetHello()
		if h.greeted = h.desk.welcome(h.line, hello, mfpb.Kind_KIND_HOST); h.greeted {
			h.software, h.lang = wire.Clean(hello.Software), hello.Lang
		}
		return
	}
	d := h.desk
	if resume := m.GetResume(); resume != nil {
		if h.asked {
			h.fault(mfpb.Reason_REASON_PROTOCOL)
			return
		}
		h.asked = true
		d.resumeHost(h, resume)
		return
	}
	h.asked = true

	d.mu.Lock()
	defer d.mu.Unlock()
	if r := h.handle(&m); r != 0 {
		h.fault(r)
	}
}

// handle does what a message asks, with the lock held. It returns the fault that
// ends the line, or 0.
func (h *host) handle(m *mfpb.HostMessage) mfpb.Reason {
	switch b := m.Body.(type) {
	case *mfpb.HostMessage_PlateRequest:
		return h.wantPlate(b.PlateRequest)
	case *mfpb.HostMessage_PlateReturn:
		h.desk.takeDown(h, b.PlateReturn.Why)
		return 0
	case *mfpb.HostMessage_PakeReply:
		return h.reply(b.PakeReply)
	case *mfpb.HostMessage_ClaimRefused:
		return h.refused(b.ClaimRefused)
	case *mfpb.HostMessage_Paired:
		return h.paired(b.Paired)
	case *mfpb.HostMessage_Attach:
		return h.relay(b.Attach.Participant, func(p *participant) bool {
			if len(b.Attach.Nonce) != wire.NonceSize {
				return false
			}
			b.Attach.Participant = p.id() // C37
			p.viewer.send(&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Attach{Attach: b.Attach}})
			return true
		})
	case *mfpb.HostMessage_Sealed:
		if len(b.Sealed.Box) > maxBox {
			return mfpb.Reason_REASON_TOO_LARGE
		}
		return h.relay(b.Sealed.Participant, func(p *participant) bool {
			b.Sealed.Participant = p.id() // C37
			p.viewer.send(&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Sealed{Sealed: b.Sealed}})
			return true
		})
	case *mfpb.HostMessage_Event:
		if h.session == nil {
			return h.late()
		}
		return h.session.hostEvent(b.Event)
	case *mfpb.HostMessage_Close:
		if h.session == nil {
			return h.late()
		}
		return h.session.hostClose(b.Close)
	case *mfpb.HostMessage_Gone:
		if h.session == nil {
			return h.late()
		}
		return h.session.hostGone(b.Gone)
	}
	return mfpb.Reason_REASON_PROTOCOL // a second Hello
}

// maxBox is a sealed body with the tag of AES-GCM.
const maxBox = wire.MaxSealed + 16

// late is the answer to a message of a session when there is none.
func (h *host) late() mfpb.Reason {
	if h.had {
		return 0
	}
	return mfpb.Reason_REASON_PROTOCOL
}

// relay passes a message to the viewer of one participant of the same session and
// to nobody else (C8). If its line is away, or there is no such participant (any
// more), the message is lost: after a resume both sides attach anew.
func (h *host) relay(to string, send func(*participant) bool) mfpb.Reason {
	s := h.session
	switch {
	case s == nil:
		return h.late()
	case s.state == opening:
		return mfpb.Reason_REASON_PROTOCOL // before Opened
	case s.state != open:
		return 0
	}
	if p := s.participant(to); p != nil && p.viewer != nil && !send(p) {
		return mfpb.Reason_REASON_PROTOCOL
	}
	return 0
}

// wantPlate hangs a nameplate: outside a session one for a session to come, in a
// session one under which the session is joined.
func (h *host) wantPlate(m *mfpb.PlateRequest) mfpb.Reason {
	d, s := h.desk, h.session
	invite := m.Invite != 0
	switch {
	case invite && m.Invite != expert && m.Invite != observer:
		return mfpb.Reason_REASON_PROTOCOL
	case invite && s == nil:
		return h.late()
	case invite && s.state >= ending:
		return 0 // it crossed the news
	case !invite && s != nil && s.finished:
		// All of that session has come; what is still being written needs no line.
		h.session, s.host, s = nil, nil, nil
	case invite && s.state != open, !invite && s != nil:
		return mfpb.Reason_REASON_PROTOCOL
	}
	now := d.cfg.Now()
	if !d.platesOf.Take(limit.AddressKey(h.addr), now) {
		return mfpb.Reason_REASON_RATE_LIMITED
	}
	d.takeDown(h, m.Why)
	p, err := d.hang(h, now)
	if err != nil {
		d.cfg.Logger.Error("a host got no nameplate", "error", err)
		return mfpb.Reason_REASON_INTERNAL
	}
	if invite {
		p.session, p.invite = s, m.Invite
	}
	h.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Plate{Plate: &mfpb.Plate{
		Nameplate: p.number, Expires: p.until.UnixMilli(), Invite: p.invite,
	}}})
	return 0
}

// claimOf finds the host's open claim of that id. ok is false if the message is
// not about it; reason then says whether that is a fault.
func (h *host) claimOf(id []byte) (c *claim, reason mfpb.Reason, ok bool) {
	if h.open != nil && h.open.key() == string(id) {
		return h.open, 0, true
	}
	if len(id) == wire.ClaimSize && h.past == string(id) {
		return nil, 0, false // it crossed the news
	}
	return nil, mfpb.Reason_REASON_PROTOCOL, false
}

func (h *host) reply(m *mfpb.PakeReply) mfpb.Reason {
	c, r, ok := h.claimOf(m.Claim)
	if !ok {
		return r
	}
	if c.step != asked || len(m.Share) != wire.ShareSize || len(m.Tag) != wire.TagSize || len(m.Ad) > maxAD {
		h.desk.drop(c, mfpb.Reason_REASON_PROTOCOL, 0)
		return mfpb.Reason_REASON_PROTOCOL
	}
	if key, err := wire.ParseHostAD(m.Ad); err == nil {
		c.hostKey = key
	}
	c.step, c.shown = replied, true
	c.viewer.send(&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_PakeReply{PakeReply: m}})
	return 0
}

func (h *host) refused(m *mfpb.ClaimRefused) mfpb.Reason {
	c, r, ok := h.claimOf(m.Claim)
	if !ok {
		return r
	}
	why := m.Reason
	if _, known := mfpb.Reason_name[int32(why)]; !known || why == 0 {
		why = mfpb.Reason_REASON_PROTOCOL
	}
	h.desk.drop(c, why, 0)
	return 0
}

func (h *host) paired(m *mfpb.Paired) mfpb.Reason {
	d := h.desk
	c, r, ok := h.claimOf(m.Claim)
	if !ok {
		return r
	}
	// The key that will sign the close is the one the viewer saw in the PAKE.
	if c.step != confirmed || c.hostKey == nil || !c.hostKey.Equal(ed25519.PublicKey(m.SigningKey)) {
		d.drop(c, mfpb.Reason_REASON_PROTOCOL, 0)
		return mfpb.Reason_REASON_PROTOCOL
	}
	if s := c.plate.session; s != nil && !c.hostKey.Equal(s.key) {
		// One key signs the close for all who were there.
		d.cfg.Logger.Warn("a host invited with another signing key than its session's", "session", s.id)
		d.drop(c, mfpb.Reason_REASON_PROTOCOL, 0)
		return mfpb.Reason_REASON_PROTOCOL
	}
	d.forget(c)
	c.refund()
	d.retire(c.plate, d.cfg.Now(), false) // C7: single use
	if c.plate.session != nil {
		c.plate.session.join(c)
	} else {
		d.openSession(c)
	}
	return 0
}

// gone is the end of the line, on its reader.
func (h *host) gone() {
	d := h.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	if h.open != nil {
		d.drop(h.open, mfpb.Reason_REASON_HOST_GONE, 0)
	}
	d.retire(h.plate, d.cfg.Now(), false)
	if s := h.session; s != nil {
		h.session = nil
		s.lostHost(h)
	}
}
