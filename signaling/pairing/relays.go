package pairing

import (
	"time"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// RelayHost is the host's name towards the relay; a participant's is its id.
const RelayHost = "host"

// relayHost gives the host what it needs to use the relay.
func (s *session) relayHost() {
	s.hostRelayDue = time.Time{}
	if s.host == nil || s.desk.cfg.Relays == nil {
		return
	}
	r, ok := s.desk.cfg.Relays(s.id, RelayHost, s.host.addr)
	if !ok {
		return
	}
	s.hostRelayDue = s.desk.renewal(r)
	s.host.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Relay{Relay: r}})
}

// relayViewer does so for a participant: everybody has credentials of its own.
func (s *session) relayViewer(p *participant) {
	p.relayDue = time.Time{}
	if p.viewer == nil || s.desk.cfg.Relays == nil {
		return
	}
	r, ok := s.desk.cfg.Relays(s.id, p.id(), p.viewer.addr)
	if !ok {
		return
	}
	p.relayDue = s.desk.renewal(r)
	p.viewer.send(&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Relay{Relay: r}})
}

// renewal is three quarters into the life of credentials: whoever misses the new
// ones has time for a resume, which brings others.
func (d *Desk) renewal(r *mfpb.Relay) time.Time {
	now := d.cfg.Now()
	life := max(time.UnixMilli(r.Expires).Sub(now), time.Second)
	return now.Add(life / 4 * 3)
}

// renewRelays sends new credentials before the old ones expire. A session that is
// over gets none: the relay has forgotten it, and would take it for a new one.
func (s *session) renewRelays(now time.Time) {
	if s.state != open {
		return
	}
	due := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	if due(s.hostRelayDue) {
		s.relayHost()
	}
	for _, p := range s.participants {
		if p.state == in && due(p.relayDue) {
			s.relayViewer(p)
		}
	}
}

// relayDone ends what one side may relay; empty: all of the session.
func (s *session) relayDone(who string) {
	if s.desk.cfg.RelayDone != nil {
		s.desk.cfg.RelayDone(s.id, who)
	}
}
