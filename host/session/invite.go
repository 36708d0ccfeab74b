package session

import (
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// invite is one wish for another participant: the code that comes of it is the
// host's [code] like any other, and is tried, counted and burned like it.
type invite struct {
	by   *participant
	kind mfpb.ParticipantKind
}

// asksInvite is a participant's wish to bring somebody in.
func (h *Host) asksInvite(p *participant, kind mfpb.ParticipantKind) error {
	s := h.live
	if p.wishes++; p.wishes > maxWishes || kind != expert && kind != observer {
		return errProtocol
	}
	switch {
	case p.kind == observer: // C40
		p.sendInvite(kind, nil, mfpb.Reason_REASON_NOT_ALLOWED)
		return nil
	case len(s.participants) >= maxParticipants || s.ever >= maxEver: // C40
		p.sendInvite(kind, nil, mfpb.Reason_REASON_TOO_MANY_PARTICIPANTS)
		return nil
	case h.line == nil || !h.line.ready:
		p.sendInvite(kind, nil, mfpb.Reason_REASON_SERVER_GONE)
		return nil
	case h.claim != nil:
		p.sendInvite(kind, nil, mfpb.Reason_REASON_TWO_CLAIMS) // somebody is joining at this moment
		return nil
	}
	h.endInvite(mfpb.Reason_REASON_CODE_EXPIRED)
	s.invite = &invite{by: p, kind: kind}
	h.ask(mfpb.Reason_REASON_UNSPECIFIED)
	return nil
}

// inviteMade shows the code to the person and gives it to who asked for it. It
// never goes to the server.
func (h *Host) inviteMade(c *code, expires time.Time) {
	in := h.live.invite
	h.live.note("invite.made", "ok", map[string]any{"participant": in.by.id, "kind": kindNames[in.kind]}, nil)
	h.show(ui.Event{
		Name: "invite", Server: h.server, Code: wire.FormatCode(c.nameplate, c.secret), Expires: &expires,
		Technician: in.by.technician, Kind: kindNames[in.kind],
		Text: h.texts.T("invite."+kindNames[in.kind], "name", in.by.technician.Name),
	})
	in.by.sendInvite(in.kind, c, mfpb.Reason_REASON_UNSPECIFIED)
}

// sendInvite tells who asked what became of the wish.
func (p *participant) sendInvite(kind mfpb.ParticipantKind, c *code, why mfpb.Reason) {
	if !p.up() {
		return
	}
	m := &mfpb.Invite{Kind: kind, Reason: why}
	if c != nil {
		m.Code, m.Expires = wire.FormatCode(c.nameplate, c.secret), c.made.Add(CodeLife).UnixMilli()
	}
	p.link.control(&mfpb.Control{Body: &mfpb.Control_Invite{Invite: m}})
}

// endInvite makes the open invite code worthless; a reason of 0: it was used.
func (h *Host) endInvite(why mfpb.Reason) {
	s := h.live
	in := s.invite
	if in == nil {
		return
	}
	s.invite = nil
	if h.claim != nil && h.claim.paired == nil {
		h.refuse(h.claim.id, why)
		h.drop()
	}
	h.cancelAlarm("code")
	if h.code != nil {
		h.code.secret = ""
	}
	if why != 0 && !h.asked { // a nameplate that is still to come is given back then
		h.giveBackPlate(why)
	}
	outcome, name, shown := "ok", "USED", ""
	if why != 0 {
		outcome, name, shown = "fail", wire.Name(why), wire.Name(why)
	}
	s.note("invite.ended", outcome, map[string]any{"participant": in.by.id, "kind": kindNames[in.kind], "reason": name}, nil)
	h.show(ui.Event{Name: "invite", Technician: in.by.technician, Kind: kindNames[in.kind], Reason: shown})
	in.by.sendInvite(in.kind, nil, why)
}

func (h *Host) giveBackPlate(why mfpb.Reason) {
	h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_PlateReturn{PlateReturn: &mfpb.PlateReturn{Why: why}}})
}

// cancelInvite is the wish of the person, or of who asked for the code.
func (h *Host) cancelInvite(by *participant) {
	if in := h.live.invite; in != nil && (by == nil || in.by == by) {
		why := mfpb.Reason_REASON_TECHNICIAN_ENDED
		if by == nil {
			why = mfpb.Reason_REASON_PERSON_STOPPED
		}
		h.endInvite(why)
	}
}
