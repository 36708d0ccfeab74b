package relay

import (
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Credentials is what one side needs to use the relay, in the form that a peer
// connection wants.
type Credentials struct {
	Servers []ICEServer
	// Expires is when a new allocation needs newer ones. Ask again before: what is
	// allocated by then lives on with the session.
	Expires time.Time
}

// ICEServer is an RTCIceServer.
type ICEServer struct {
	URLs                 []string
	Username, Credential string // empty for STUN
}

// session is one session that may use the relay. Everything in it but the
// parties' lists is guarded by Server.mu.
type session struct {
	id      string
	parties map[string]*party
	budget  *rate.Limiter // bytes
}

// party is one side.
type party struct {
	session *session
	name    string
	seen    netip.Addr
	issued  []issued
	conns   map[*conn]struct{}

	// list is what this side's allocations may talk to, made anew whenever the
	// session changes, read by every packet.
	list atomic.Pointer[list]
}

// issued is one credential that was given out.
type issued struct {
	username, password string
	expires            time.Time
}

// keepIssued is how many credentials of a side are known at a time: the newest,
// and those that a peer connection made before may still sign with.
const keepIssued = 4

// userID of a party's allocations; the username but for its expiry, so that an
// allocation is refreshed with a newer credential too.
func (p *party) userID() string { return p.session.id + ":" + p.name }

// named tells whether a name can stand between the colons of a username.
func named(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_'
	})
}

// Credentials gives out a credential for one side of a live session. The party is
// Host or the name of a viewer; seen is the address from which the server sees
// it, for the other side's packets to go to. Ask again when a side comes back:
// the newest address counts. It does not block.
func (s *Server) Credentials(sessionID, partyName string, seen netip.Addr) (Credentials, error) {
	if !named(sessionID) || !named(partyName) {
		return Credentials{}, ErrName
	}
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return Credentials{}, ErrClosed
	}
	ses := s.sessions[sessionID]
	if ses == nil {
		if len(s.sessions) >= s.cfg.Limits.Sessions {
			return Credentials{}, ErrFull
		}
		ses = &session{id: sessionID, parties: map[string]*party{},
			budget: rate.NewLimiter(rate.Limit(s.cfg.Limits.Bandwidth), s.cfg.Limits.Bandwidth)}
		s.sessions[sessionID] = ses
	}
	p := ses.parties[partyName]
	if p == nil {
		if len(ses.parties) >= s.cfg.Limits.Parties {
			return Credentials{}, ErrFull
		}
		p = &party{session: ses, name: partyName, conns: map[*conn]struct{}{}}
		ses.parties[partyName] = p
		s.parties++
	}
	p.seen = seen.Unmap().WithZone("")
	s.relist(ses)

	expires := now.Add(s.cfg.Limits.Life)
	if n := len(p.issued); n > 0 && expires.Unix() <= p.issued[n-1].expires.Unix() {
		// A username has one password only; the secret may have changed in between.
		expires = p.issued[n-1].expires.Add(time.Second)
	}
	username := strconv.FormatInt(expires.Unix(), 10) + ":" + p.userID()
	password := s.secret.password(username)
	p.issued = append(p.issued, issued{username, password, expires})
	if n := len(p.issued) - keepIssued; n > 0 {
		p.issued = p.issued[n:]
	}
	s.count.credentials.Add(1)
	return Credentials{
		Servers: s.servers(username, password),
		Expires: expires,
	}, nil
}

// Release ends what one side has at the relay (R18).
func (s *Server) Release(sessionID, partyName string) {
	s.mu.Lock()
	var ends []ender
	if ses := s.sessions[sessionID]; ses != nil {
		ends = s.drop(ses.parties[partyName])
	}
	s.mu.Unlock()
	for _, c := range ends {
		c.end()
	}
}

// End ends what a session has at the relay (R18).
func (s *Server) End(sessionID string) {
	s.mu.Lock()
	var ends []ender
	if ses := s.sessions[sessionID]; ses != nil {
		for _, p := range ses.parties {
			ends = append(ends, s.drop(p)...)
		}
	}
	s.mu.Unlock()
	for _, c := range ends {
		c.end()
	}
}

// drop takes a party out, with the lock held, and returns what is to be closed
// without it.
func (s *Server) drop(p *party) (ends []ender) {
	if p == nil {
		return nil
	}
	p.list.Store(&list{})
	delete(p.session.parties, p.name)
	s.parties--
	for c := range p.conns {
		if from := c.client.Load(); from != nil && c.door.queue != nil && s.streams[*from] != nil {
			ends = append(ends, s.streams[*from])
		}
		ends = append(ends, c)
	}
	if len(p.session.parties) == 0 {
		delete(s.sessions, p.session.id)
	}
	s.relist(p.session)
	return ends
}

// forgetAfter is how long a side without an allocation is remembered after its
// last credential expired: a net for ends that nobody told.
const forgetAfter = time.Hour

func (s *Server) forget() {
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ses := range s.sessions {
		for _, p := range ses.parties {
			if len(p.conns) == 0 && now.After(p.issued[len(p.issued)-1].expires.Add(forgetAfter)) {
				s.drop(p)
			}
		}
	}
}

// party finds the side that a user id belongs to; nil if it is not live.
func (s *Server) party(userID string) *party {
	ses, name, ok := strings.Cut(userID, ":")
	if !ok || s.sessions[ses] == nil {
		return nil
	}
	return s.sessions[ses].parties[name]
}

// password of a username, if the relay gave it out for a side that is live (R1).
// An expired one is good for what is allocated already, not for more (R2): a
// session lasts longer than its first credential.
func (s *Server) password(username string, fresh bool) (userID, password string, ok bool) {
	_, userID, has := strings.Cut(username, ":")
	if !has {
		return "", "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.party(userID)
	if p == nil { // R1
		return "", "", false
	}
	for _, i := range p.issued {
		if i.username != username {
			continue
		}
		if fresh && s.cfg.Now().After(i.expires) { // R2
			return "", "", false
		}
		return userID, i.password, true
	}
	return "", "", false
}
