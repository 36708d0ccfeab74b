package pairing

import (
	"maps"
	"slices"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
)

// Live is a session that is open, as a supervisor sees it: who is in it and how its
// lines stand, never what is said or shown. Names and texts are hostile.
type Live struct {
	ID            string
	TicketID      string // empty: it has none
	TicketNumber  string
	TicketSubject string
	Person        string // as the ticket calls them; may be empty
	Host          string // how the host's program calls itself; empty while its line is away after a restart
	Started       time.Time
	HostLost      time.Time // since when its line is away; zero while it stands
	Participants  []Present // those that are in it, by number
	Trouble       []Trouble // what is not at its best just now, each once, in the order of its beginning
	// Counted is false once more answers came than are counted: then the standing
	// grants are not known any more.
	Counted bool
}

// Present is a participant of a Live.
type Present struct {
	ID           string
	TechnicianID string
	Technician   string
	Kind         string // as it joined
	Leads        bool   // it may end the session
	Joined       time.Time
	Lost         time.Time // since when its line is away; zero while it stands
	Grants       []Standing
}

// Standing is a grant that the person gave and nobody took back.
type Standing struct {
	Name  string
	Since time.Time
}

// Trouble is a notice that stands.
type Trouble struct {
	What        string // name of a wire NoticeCode without NOTICE_CODE_
	Participant string
	Since       time.Time
}

// Live lists the sessions that are open, the oldest first.
func (d *Desk) Live() []Live {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Live
	for _, id := range slices.Sorted(maps.Keys(d.sessions)) {
		if s := d.sessions[id]; s.state == open {
			out = append(out, s.live())
		}
	}
	return out
}

// Lead is the user who leads an open session; ErrNoSession if there is no such one.
// in tells whether the user that asks is in it already.
func (d *Desk) Lead(id, asks string) (user string, in bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.sessions[id]
	if s == nil || s.state != open {
		return "", false, ErrNoSession
	}
	if lead := s.lead(nil); lead != nil {
		user = lead.tech.Ref
	}
	return user, s.has(asks), nil
}

func (s *session) live() Live {
	l := Live{
		ID: s.id, TicketID: s.ticket.ID, TicketNumber: s.ticket.Number, TicketSubject: s.ticket.Subject,
		Person: wire.Clean(s.ticket.Requester), Started: s.started, HostLost: s.hostLost,
		Counted: len(s.tally.Grants) < maxGrants,
	}
	if s.host != nil {
		l.Host = s.host.software
	}
	lead := s.lead(nil)
	for _, p := range s.participants {
		if p.state != in {
			continue
		}
		l.Participants = append(l.Participants, Present{
			ID: p.id(), TechnicianID: p.tech.Ref, Technician: p.name, Kind: kinds[p.kind], Leads: p == lead,
			Joined: p.joined, Lost: p.lost, Grants: s.standing(p),
		})
	}
	for _, m := range s.tally.Course {
		// A host may say twice that the same is wrong, before it says that it is over: both end at once.
		twice := slices.ContainsFunc(l.Trouble, func(o Trouble) bool { return o.What == m.What && o.Participant == m.Participant })
		if m.Until.IsZero() && !twice {
			l.Trouble = append(l.Trouble, Trouble{m.What, m.Participant, m.At})
		}
	}
	return l
}

// standing are the grants of a participant that nobody took back, as the host
// reported them.
func (s *session) standing(p *participant) (out []Standing) {
	for _, g := range s.tally.Grants {
		who := g.Participant
		if who == "" {
			who = "1" // an answer that names nobody is the first's
		}
		if who != p.id() {
			continue
		}
		out = slices.DeleteFunc(out, func(o Standing) bool { return o.Name == g.Name })
		if g.State == "allowed" {
			out = append(out, Standing{g.Name, g.At})
		}
	}
	return out
}

// changed says that what Live tells is not as it was.
func (s *session) changed() {
	if f := s.desk.cfg.Changed; f != nil {
		f()
	}
}

// tells are the events of a host after which Live tells something else.
func tells(typ string) bool {
	return answers[typ] != "" || typ == "session.degraded" || typ == "session.restored"
}
