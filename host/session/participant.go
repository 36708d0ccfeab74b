package session

import (
	"slices"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/pake"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// maxParticipants bounds a session: one encoder each, and a person can keep an
// eye on as many.
const maxParticipants = 4

// maxEver bounds the participants that a session has had, those who left
// included: each stands in the log.
const maxEver = 64

// Kinds of a participant.
const (
	lead     = mfpb.ParticipantKind_PARTICIPANT_KIND_LEAD
	expert   = mfpb.ParticipantKind_PARTICIPANT_KIND_EXPERT
	observer = mfpb.ParticipantKind_PARTICIPANT_KIND_OBSERVER
)

var kindNames = map[mfpb.ParticipantKind]string{lead: "lead", expert: "expert", observer: "observer"}

// participant is one of those who help: it paired by its own code, has its own
// keys, connection and grants. It belongs to the loop.
type participant struct {
	h          *Host
	id         string
	kind       mfpb.ParticipantKind
	technician *ui.Technician
	techID     string
	keys       *pake.Keys

	grants  []*grant
	trusted bool // the person allowed it control in this session, and has not taken it back
	asks    int  // questions about it put to the person so far
	wishes  int  // what its viewer asked for
	gate    gate
	link    *link     // of its newest attach; down when that is lost
	lost    time.Time // when its connection was lost; zero while it stands or before the first
	met     bool      // it had a proven connection
	welcome bool      // the person said yes to it once
	out     bool      // it is no longer in the session

	slowBrowser bool // its viewer says that it paints slowly
}

// join makes the claim that paired a participant.
func (l *live) join(c *claim, id string, kind mfpb.ParticipantKind) *participant {
	p := &participant{
		h: l.h, id: id, kind: kind, technician: c.technician, techID: c.techID, keys: c.paired,
		grants: l.everyGrant(),
	}
	p.gate.question, p.gate.first = &l.asking, &l.first
	l.participants = append(l.participants, p)
	l.came(p)
	l.ever++
	l.awaitViewer(p, mfpb.Reason_REASON_NO_ROUTE, viewerTime)
	l.h.put(p, p.grant(grantView))
	return p
}

// participant finds one that is in the session.
func (l *live) participant(id string) *participant {
	for _, p := range l.participants {
		if p.id == id {
			return p
		}
	}
	return nil
}

// up tells whether the participant's connection stands and is proven.
func (p *participant) up() bool { return p.link != nil && !p.link.down && p.link.proven }

// alarmed names one of the participant's alarms.
func (p *participant) alarmed(what string) string { return what + " " + p.id }

// leave takes one participant out of the session; the others go on. Without
// anybody who could help it is the session's end. tell: the server does not know.
func (h *Host) leave(p *participant, why mfpb.Reason, tell bool) {
	s := h.live
	if s.over || p.out {
		return
	}
	heir := s.heir(p)
	if heir == nil {
		if why == mfpb.Reason_REASON_LEFT {
			why = mfpb.Reason_REASON_TECHNICIAN_ENDED
		}
		h.end(why)
		return
	}
	h.log.Info("a participant is out", "participant", p.id, "reason", wire.Name(why))
	s.takeOut(p, why)
	// A copy: whoever goes through the list at this moment goes on with the old one.
	s.participants = slices.DeleteFunc(slices.Clone(s.participants), func(q *participant) bool { return q == p })
	heir.kind = lead
	if tell {
		s.tellGone(&mfpb.ParticipantGone{Participant: p.id, Reason: why})
	}
	if s.invite != nil && s.invite.by == p {
		h.endInvite(why)
	}
	h.nextQuestion()
	s.tellParticipants()
	h.weigh()
}

// heir is who leads when p is out: the lead that there is, else the first
// expert. Observers alone are no session.
func (l *live) heir(p *participant) *participant {
	var first *participant
	for _, q := range l.participants {
		switch {
		case q == p || q.kind == observer:
		case q.kind == lead:
			return q
		case first == nil:
			first = q
		}
	}
	return first
}

// takeOut ends everything of one participant. The order is that of the end: hands
// and picture first, then everybody is told.
func (l *live) takeOut(p *participant, why mfpb.Reason) {
	p.out = true
	l.went(p)
	p.gate.control.Store(false)
	if p.allowed(grantControl) {
		if err := l.restore(p); err != nil { // C34
			l.h.log.Warn("the keyboard could not be put back", "error", err)
		}
	}
	l.pausePicture(p)
	for _, g := range p.grants {
		g.open.Store(false)
	}
	for _, t := range l.tools {
		t.left(p)
	}
	l.withdraw(p, nil)
	l.h.cancelAlarm(p.alarmed("viewer"))
	l.h.cancelAlarm(p.alarmed("proof"))
	if k := p.link; k != nil && !k.down {
		if l.desk != nil {
			l.desk.detach(k)
		}
		bye := &mfpb.Bye{Reason: why}
		k.seal(&mfpb.SealedBody{Body: &mfpb.SealedBody_Bye{Bye: bye}})
		k.takeDown(&mfpb.Control{Body: &mfpb.Control_Bye{Bye: bye}})
	}
	p.keys.Wipe()
}

// stopOne is the person's Stop for one participant.
func (h *Host) stopOne(id string) {
	s := h.live
	p := s.participant(id)
	if p == nil || s.over {
		return
	}
	if s.heir(p) != nil { // else it is the session's end, which says it all
		s.note("participant.stopped", "ok", map[string]any{"participant": p.id, "by": "person"}, nil)
	}
	h.leave(p, mfpb.Reason_REASON_PERSON_STOPPED, true)
}

// gone is the server's word that a participant's viewer ended or stays away.
func (h *Host) gone(m *mfpb.ParticipantGone) {
	if p := h.live.participant(m.GetParticipant()); p != nil { // C41: else it is out already
		h.leave(p, fromServer(m.GetReason()), false)
	}
}

// tellGone tells the server, now and on every later line: one may be lost with
// its last messages.
func (l *live) tellGone(m *mfpb.ParticipantGone) {
	l.goneSince = append(l.goneSince, m)
	if l.h.line != nil && l.h.line.ready {
		l.h.send(&mfpb.HostMessage{Body: &mfpb.HostMessage_Gone{Gone: m}})
	}
}

// tellParticipants tells everybody who is there.
func (l *live) tellParticipants() {
	if l.over {
		return
	}
	l.h.show(ui.Event{Name: "participants", Session: l.id, Participants: l.shown(), Key: l.panicKey()})
	for _, p := range l.participants {
		p.sendParticipants()
	}
}

// sendParticipants tells one viewer who is there.
func (p *participant) sendParticipants() {
	if !p.up() {
		return
	}
	m := new(mfpb.Participants)
	for _, q := range p.h.live.participants {
		m.Participants = append(m.Participants, &mfpb.Participant{
			Id: q.id, Name: q.technician.Name, Kind: q.kind, You: q == p, Connected: q.up(), Grants: q.wireGrants(),
		})
	}
	p.link.control(&mfpb.Control{Body: &mfpb.Control_Participants{Participants: m}})
}

// shown is the list as the person sees it: a grant that was never asked is not there.
func (l *live) shown() []ui.Participant {
	names := map[mfpb.GrantState]string{
		mfpb.GrantState_GRANT_STATE_ASKED:       "asked",
		mfpb.GrantState_GRANT_STATE_ALLOWED:     "allowed",
		mfpb.GrantState_GRANT_STATE_DENIED:      "denied",
		mfpb.GrantState_GRANT_STATE_REVOKED:     "revoked",
		mfpb.GrantState_GRANT_STATE_GIVEN_BACK:  "given_back",
		mfpb.GrantState_GRANT_STATE_HANDED_OVER: "handed_over",
	}
	list := make([]ui.Participant, 0, len(l.participants))
	for _, p := range l.participants {
		u := ui.Participant{ID: p.id, Technician: *p.technician, Kind: kindNames[p.kind], Connected: p.up(), Grants: []ui.Grant{}}
		for _, g := range p.grants {
			if state, ok := names[g.state]; ok {
				u.Grants = append(u.Grants, ui.Grant{Name: g.name, State: state})
			}
		}
		list = append(list, u)
	}
	return list
}
