package pairing

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"strconv"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// Bounds of a session's participants, those of the host (PROTOCOL.md §2.1).
const (
	maxParticipants = 4
	maxEver         = 64 // who left included: each stands in the log
)

// Kinds of a participant.
const (
	leads    = mfpb.ParticipantKind_PARTICIPANT_KIND_LEAD
	expert   = mfpb.ParticipantKind_PARTICIPANT_KIND_EXPERT
	observer = mfpb.ParticipantKind_PARTICIPANT_KIND_OBSERVER
)

// kinds are their names in the log and in the database.
var kinds = map[mfpb.ParticipantKind]string{leads: "lead", expert: "expert", observer: "observer"}

func kindOf(name string) mfpb.ParticipantKind {
	for k, n := range kinds {
		if n == name {
			return k
		}
	}
	return 0
}

// presence of a participant. It only goes forward.
type presence int

const (
	joining presence = iota // Paired came; the log does not hold it yet
	in                      // Opened was sent
	out                     // it left; the session may go on
)

// participant is a viewer that paired: its place in the session, which outlives
// its lines. Guarded by the desk's mutex.
type participant struct {
	number int // from 1, never used twice in a session
	kind   mfpb.ParticipantKind
	tech   audit.Actor
	name   string // of the technician
	method string // how the technician had signed in
	token  [sha256.Size]byte
	joined time.Time

	state    presence
	early    mfpb.Reason // why it goes again as soon as it is in
	viewer   *viewer     // nil: its line is away, or it is out
	lost     time.Time   // zero while the line stands
	left     time.Time
	reason   mfpb.Reason // why it left
	relayDue time.Time   // when it needs new credentials; zero: it has none
}

// id is how the wire calls it.
func (p *participant) id() string { return strconv.Itoa(p.number) }

// newParticipant makes the one that a claim became, and its resume token.
func (s *session) newParticipant(c *claim, kind mfpb.ParticipantKind, now time.Time) (p *participant, token []byte) {
	token = make([]byte, wire.ResumeSize)
	rand.Read(token) // never fails since Go 1.24
	user := c.viewer.in.User
	p = &participant{
		number: s.nextNumber(), kind: kind,
		tech: audit.Actor{Kind: string(user.Role), Ref: user.ID}, name: user.Name, method: c.viewer.in.Method,
		token: sha256.Sum256(token), joined: now, viewer: c.viewer,
	}
	s.participants = append(s.participants, p)
	c.viewer.session, c.viewer.place = s, p
	return p, token
}

func (s *session) nextNumber() int {
	if n := len(s.participants); n > 0 {
		return s.participants[n-1].number + 1
	}
	return 1
}

// participant finds one that is in the session.
func (s *session) participant(id string) *participant {
	for _, p := range s.participants {
		if p.state == in && p.id() == id {
			return p
		}
	}
	return nil
}

// places counts the participants that are in the session or about to be.
func (s *session) places() (n int) {
	for _, p := range s.participants {
		if p.state != out {
			n++
		}
	}
	return n
}

// has tells whether a user has a place in the session.
func (s *session) has(user string) bool {
	for _, p := range s.participants {
		if p.state != out && p.tech.Ref == user {
			return true
		}
	}
	return false
}

// lead is who may end the session: the first technician, after that the first
// expert; nil when there is neither. but is left out of account. The host goes by
// the same rule.
func (s *session) lead(but *participant) *participant {
	var first *participant
	for _, p := range s.participants {
		switch {
		case p == but || p.state != in || p.kind == observer:
		case p.kind == leads:
			return p
		case first == nil:
			first = p
		}
	}
	return first
}

// mayJoin says why a technician may not claim an invite of this session, or 0.
// named is the ticket that the claim names, empty for none.
func (s *session) mayJoin(v *viewer, named string) mfpb.Reason {
	switch {
	case named != "" && named != s.ticket.ID: // C38
		return mfpb.Reason_REASON_OTHER_TICKET
	case s.has(v.in.User.ID):
		return mfpb.Reason_REASON_NOT_ALLOWED
	case s.places() >= maxParticipants || len(s.participants) >= maxEver:
		return mfpb.Reason_REASON_TOO_MANY_PARTICIPANTS
	}
	return 0
}

// join writes another participant into the log (C9) and then tells both sides.
func (s *session) join(c *claim) {
	p, token := s.newParticipant(c, c.plate.invite, s.desk.cfg.Now())
	joined := s.event("participant.joined", "ok", p.tech, map[string]any{
		"participant": p.id(), "kind": kinds[p.kind], "signed_in": p.method,
	})
	joined.Personal = map[string]any{"technician": wire.Clean(p.name), "viewer_address": c.viewer.addr.String()}
	s.journal.must(job{
		events: []audit.Event{joined},
		also:   func(tx store.Tx, _ int64) error { return s.insertParticipant(tx, p) },
		once:   true,
		done: func(err error) {
			if err != nil {
				s.notJoined(c, p)
				return
			}
			s.seat(c, p, token)
		},
	})
}

// notJoined: the log did not take the participant, so there is none. The session
// goes on.
func (s *session) notJoined(c *claim, p *participant) {
	const r = mfpb.Reason_REASON_LOG_UNAVAILABLE
	told := s.state != open // by End
	p.state = out
	s.participants = slices.DeleteFunc(s.participants, func(q *participant) bool { return q == p })
	if s.host != nil && !told {
		s.host.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_ClaimFailed{ClaimFailed: &mfpb.ClaimFailed{Claim: c.id[:], Reason: r}}})
	}
	if v := p.vacate(); v != nil && !told {
		v.refuse(r)
	}
}

// seat tells both sides that a participant stands in the log.
func (s *session) seat(c *claim, p *participant, token []byte) {
	if s.state != open {
		return // it ended meanwhile
	}
	p.state = in
	s.changed()
	if s.host != nil && s.host == c.host {
		s.host.had = true
		opened := &mfpb.Opened{
			Session: s.id, ResumeToken: s.hostSecret, Claim: c.id[:], Participant: p.id(), Kind: p.kind,
			Chat: string(s.chat()), Abuse: s.desk.cfg.Abuse, RuledOut: s.ruledOut, EndsInS: s.endsIn(),
		}
		if path := s.desk.cfg.Receipt; path != nil {
			opened.Receipt = path(s.id, s.started)
		}
		s.host.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Opened{Opened: opened}})
	}
	if p.viewer != nil {
		p.viewer.had = true
		p.viewer.send(&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Opened{Opened: &mfpb.Opened{
			Session: s.id, ResumeToken: token, Claim: c.id[:], Participant: p.id(), Kind: p.kind,
			Ticket: told(s.ticket),
		}}})
	}
	if s.hostRelayDue.IsZero() {
		s.relayHost()
	}
	s.relayViewer(p)
	// Whose line went while the log was being written knows nothing of this, and
	// has nothing to come back with.
	switch {
	case p.early != 0:
		s.leave(p, p.early, byServer)
	case s.host != c.host:
		s.leave(p, mfpb.Reason_REASON_HOST_GONE, byServer)
	case p.viewer == nil:
		s.leave(p, mfpb.Reason_REASON_VIEWER_GONE, byServer)
	}
}

// sayHost tells one viewer whether the host's line stands.
func (s *session) sayHost(p *participant, connected bool) {
	if p.viewer != nil && p.state == in {
		p.viewer.send(&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Host{Host: &mfpb.HostState{Connected: connected}}})
	}
}

// sayHostToAll tells every viewer.
func (s *session) sayHostToAll(connected bool) {
	for _, p := range s.participants {
		s.sayHost(p, connected)
	}
}

// sayViewer tells the host whether a participant's line stands.
func (s *session) sayViewer(p *participant) {
	if s.host != nil && p.state == in {
		s.host.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Viewer{Viewer: &mfpb.ViewerState{
			Connected: p.viewer != nil, Participant: p.id(),
		}}})
	}
}

// sayGone tells the host that a participant is out.
func (s *session) sayGone(p *participant) {
	if s.host != nil {
		s.host.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Gone{Gone: &mfpb.ParticipantGone{Participant: p.id(), Reason: p.reason}}})
	}
}

// viewerEnds is a viewer's End. From the lead it ends the session, unless it only
// leaves; anybody else is out.
func (s *session) viewerEnds(p *participant, r mfpb.Reason) {
	switch {
	case p.state == joining && s.state == open:
		p.early = mfpb.Reason_REASON_LEFT
	case s.state == opening, p == s.lead(nil) && r != mfpb.Reason_REASON_LEFT:
		s.endAs(r, byViewer, p.tech)
	default:
		if r == mfpb.Reason_REASON_TECHNICIAN_ENDED {
			r = mfpb.Reason_REASON_LEFT
		}
		s.leave(p, r, byViewer)
	}
}

// signedOut: the sign-in behind a participant ended.
func (s *session) signedOut(p *participant) {
	const r = mfpb.Reason_REASON_SIGNED_OUT
	switch {
	case s.state == opening:
		s.end(r, byServer)
	case p.state == joining:
		p.early = r
	default:
		s.leave(p, r, byServer)
	}
}

// hostGone is the host's word that a participant is out. One it does not know, or
// that is out already, is nothing new: both sides may say so at once.
func (s *session) hostGone(m *mfpb.ParticipantGone) mfpb.Reason {
	if _, known := mfpb.Reason_name[int32(m.Reason)]; !known || m.Reason == 0 || s.state == opening {
		return mfpb.Reason_REASON_PROTOCOL
	}
	if p := s.participant(m.Participant); p != nil {
		s.leave(p, m.Reason, byHost)
	}
	return 0
}

// leave takes one participant out; the others go on. If nobody is left who could
// help, it is the session's end: observers alone are no session.
func (s *session) leave(p *participant, r mfpb.Reason, who by) {
	if s.state != open || p.state != in {
		return
	}
	if s.lead(p) == nil {
		if r == mfpb.Reason_REASON_LEFT {
			r = mfpb.Reason_REASON_TECHNICIAN_ENDED
		}
		actor := audit.Actor{Kind: "system"}
		if who == byViewer {
			actor = p.tech
		}
		s.endAs(r, who, actor)
		return
	}
	p.state, p.left, p.reason = out, s.desk.cfg.Now(), r
	s.changed()
	actor := audit.Actor{Kind: "system"}
	switch {
	case who == byViewer:
		actor = p.tech
	case persons(r):
		actor = audit.Actor{Kind: "person"}
	}
	s.journal.must(job{
		events: []audit.Event{s.event("participant.left", "ok", actor, map[string]any{
			"participant": p.id(), "kind": kinds[p.kind], "reason": wire.Name(r), "by": string(who),
		})},
		also: func(tx store.Tx, _ int64) error { return s.departed(tx, p) },
	})
	if who != byHost {
		s.sayGone(p)
	}
	if v := p.vacate(); v != nil {
		v.end(r)
	}
	s.relayDone(p.id())
}

// persons are the reasons that are the person's own act.
func persons(r mfpb.Reason) bool {
	return r == mfpb.Reason_REASON_PERSON_STOPPED || r == mfpb.Reason_REASON_PERSON_DENIED || r == mfpb.Reason_REASON_HOST_QUIT
}

// vacate parts a participant from its line, which may claim again.
func (p *participant) vacate() *viewer {
	v := p.viewer
	if v != nil {
		p.viewer, v.session, v.place, v.had = nil, nil, nil, true
	}
	return v
}

// lostViewer: a participant's line is gone. The session waits for it.
func (s *session) lostViewer(v *viewer, p *participant) {
	if p.viewer != v {
		return // replaced by a resume
	}
	p.viewer, p.lost = nil, s.desk.cfg.Now()
	s.changed()
	if s.state == open && p.state == in {
		s.line("session.paused", p)
		s.sayViewer(p)
	}
}
