package pairing

import (
	"errors"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/identity"
)

// viewer is one line to a technician's browser. What is below in is guarded by
// the desk's mutex, but for greeted, which only the reader knows.
type viewer struct {
	*line
	desk    *Desk
	in      identity.SignIn
	greeted bool
	asked   bool // something came after Hello: it cannot resume any more

	open    *claim
	session *session
	place   *participant // in the session
	past    string       // id of the claim that ended last
	had     bool         // it had a session; late messages about it are no fault
}

func (v *viewer) receive(b []byte) {
	var m mfpb.ViewerMessage
	err := wire.DecodeEnvelope(b, wire.MaxFrame, &m)
	if v.greeted && errors.Is(err, wire.ErrSkip) {
		return
	}
	if err != nil && !errors.Is(err, wire.ErrSkip) {
		v.fault(wire.Reason(err))
		return
	}
	d := v.desk
	if !v.greeted {
		v.greeted = d.welcome(v.line, m.GetHello(), mfpb.Kind_KIND_VIEWER)
		return
	}
	if resume := m.GetResume(); resume != nil {
		if v.asked {
			v.fault(mfpb.Reason_REASON_PROTOCOL)
			return
		}
		v.asked = true
		d.resumeViewer(v, resume)
		return
	}
	v.asked = true
	if c := m.GetClaim(); c != nil {
		v.claim(c)
		return
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	if r := v.handle(&m); r != 0 {
		v.fault(r)
	}
}

// handle does what a message asks, with the lock held. It returns the fault that
// ends the line, or 0.
func (v *viewer) handle(m *mfpb.ViewerMessage) mfpb.Reason {
	switch b := m.Body.(type) {
	case *mfpb.ViewerMessage_Verdict:
		return v.verdict(b.Verdict)
	case *mfpb.ViewerMessage_Confirm:
		return v.confirm(b.Confirm)
	case *mfpb.ViewerMessage_Attach:
		return v.relay(func(h *host) bool {
			if len(b.Attach.Nonce) != wire.NonceSize {
				return false
			}
			b.Attach.Participant = v.place.id() // C37
			h.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Attach{Attach: b.Attach}})
			return true
		})
	case *mfpb.ViewerMessage_Sealed:
		if len(b.Sealed.Box) > maxBox {
			return mfpb.Reason_REASON_TOO_LARGE
		}
		return v.relay(func(h *host) bool {
			b.Sealed.Participant = v.place.id() // C37
			h.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Sealed{Sealed: b.Sealed}})
			return true
		})
	case *mfpb.ViewerMessage_End:
		if v.session == nil {
			return v.late()
		}
		v.session.viewerEnds(v.place, viewerReason(b.End.Reason))
		return 0
	}
	return mfpb.Reason_REASON_PROTOCOL // a second Hello
}

// viewerReason is what a viewer may say about an end: what it did or found. It
// cannot speak for the person.
func viewerReason(r mfpb.Reason) mfpb.Reason {
	switch r {
	case mfpb.Reason_REASON_LEFT, mfpb.Reason_REASON_NO_ROUTE, mfpb.Reason_REASON_RELAY_REFUSED, mfpb.Reason_REASON_CERTIFICATE_MISMATCH, mfpb.Reason_REASON_VIEWER_GONE,
		mfpb.Reason_REASON_PROTOCOL, mfpb.Reason_REASON_VERSION, mfpb.Reason_REASON_TOO_LARGE,
		mfpb.Reason_REASON_UNKNOWN_MESSAGE, mfpb.Reason_REASON_TAMPERED, mfpb.Reason_REASON_OLD_EPOCH,
		mfpb.Reason_REASON_INTERNAL:
		return r
	}
	return mfpb.Reason_REASON_TECHNICIAN_ENDED
}

func (v *viewer) late() mfpb.Reason {
	if v.had {
		return 0
	}
	return mfpb.Reason_REASON_PROTOCOL
}

// relay passes a message to the host of the same session and to nobody else (C8).
func (v *viewer) relay(send func(*host) bool) mfpb.Reason {
	s := v.session
	switch {
	case s == nil:
		return v.late()
	case s.state == opening || v.place.state == joining:
		return mfpb.Reason_REASON_PROTOCOL // before Opened
	case s.state != open || s.host == nil:
		return 0
	case !send(s.host):
		return mfpb.Reason_REASON_PROTOCOL
	}
	return 0
}

func (v *viewer) claimOf(id []byte) (c *claim, reason mfpb.Reason, ok bool) {
	if v.open != nil && v.open.key() == string(id) {
		return v.open, 0, true
	}
	if len(id) == wire.ClaimSize && v.past == string(id) {
		return nil, 0, false
	}
	return nil, mfpb.Reason_REASON_PROTOCOL, false
}

func (v *viewer) verdict(m *mfpb.ClaimVerdict) mfpb.Reason {
	c, r, ok := v.claimOf(m.Claim)
	if !ok {
		return r
	}
	why := m.Reason
	if _, known := mfpb.Reason_name[int32(why)]; !known || why == 0 {
		why = mfpb.Reason_REASON_PROTOCOL
	}
	v.desk.drop(c, 0, why)
	return 0
}

func (v *viewer) confirm(m *mfpb.Confirm) mfpb.Reason {
	c, r, ok := v.claimOf(m.Claim)
	if !ok {
		return r
	}
	if c.step != replied || len(m.Tag) != wire.TagSize {
		v.desk.drop(c, 0, mfpb.Reason_REASON_PROTOCOL)
		return mfpb.Reason_REASON_PROTOCOL
	}
	c.step = confirmed
	c.host.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Confirm{Confirm: m}})
	return 0
}

// signedOut ends the line, with the lock held, because the sign-in behind it
// ended.
func (v *viewer) signedOut() {
	if v.open != nil {
		v.desk.drop(v.open, 0, mfpb.Reason_REASON_SIGNED_OUT)
	}
	const r = mfpb.Reason_REASON_SIGNED_OUT
	if s := v.session; s != nil {
		s.signedOut(v.place)
		if v.place != nil { // on its way in: not told yet
			v.place.vacate().end(r)
		}
	} else {
		v.end(r)
	}
	v.close(closeDone)
}

// gone is the end of the line, on its reader.
func (v *viewer) gone() {
	d := v.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	if v.open != nil {
		d.drop(v.open, 0, mfpb.Reason_REASON_VIEWER_GONE)
	}
	if s, p := v.session, v.place; s != nil {
		v.session, v.place = nil, nil
		s.lostViewer(v, p)
	}
}
