package relay

import (
	"net/netip"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// Relays and Done are what package pairing calls. Relays gives one side of a
// session Credentials in the form of the wire; false where there is no room for
// it, or nothing to give.
func (s *Server) Relays(session, party string, seen netip.Addr) (*mfpb.Relay, bool) {
	c, err := s.Credentials(session, party, seen)
	if err != nil {
		s.log.Warn("no relay for a side of a session", "session", session, "party", party, "error", err)
		return nil, false
	}
	m := &mfpb.Relay{Expires: c.Expires.UnixMilli()}
	for _, srv := range c.Servers {
		m.Servers = append(m.Servers, &mfpb.IceServer{Urls: srv.URLs, Username: srv.Username, Credential: srv.Credential})
	}
	return m, len(m.Servers) > 0
}

// Done ends what one side of a session, or with an empty party the session, has
// at the relay.
func (s *Server) Done(session, party string) {
	if party == "" {
		s.End(session)
	} else {
		s.Release(session, party)
	}
}
