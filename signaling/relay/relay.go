// Package relay carries a session's packets where host and viewer cannot reach
// each other: a TURN server (RFC 8656) for the two sides of live sessions, and
// for nobody and nothing else.
//
// A [Server] answers over UDP on a port of its own, and over TCP on whatever
// listener it is given: [NewSplit] lets it share the HTTPS port, which is the one
// port that every network lets through. Package pairing asks [Server.Relays] for
// [Credentials] when a session opens, when a side comes back and before they
// expire, and calls [Server.Done] when a side or the session is out; what was given
// out is worth nothing after that, and the allocations made with it close at once.
//
// The relay stands inside the network of whoever runs it, so what it may reach
// is an allow-list and not a list of what it may not: the relayed addresses of
// the same session, port by port, then the address from which the server itself
// sees the other side, then nothing. The packets of a session are encrypted from
// end to end; the relay cannot read them. Addresses are kept in memory only, and
// are not logged.
//
// The checks, each with a test that fails without it:
//
//	R1   a credential is one that this server gave out for a live session
//	R2   a new allocation needs a credential that has not expired
//	R3   a request is signed with the credential's key (done by pion/turn)
//	R4   a permission is given for addresses on the allow-list only
//	R5   a packet leaves only to an address and port on the list
//	R6   a packet comes in only from an address and port on the list
//	R7   what a side is seen as counts only if it is plain unicast: no loopback,
//	     link-local, multicast, or IPv6 form with an IPv4 address inside
//	R8   the server's own addresses are no side's address
//	R9   ports below 1024 are no side's ports
//	R10  the other side of a viewer is the host, never another viewer
//	R11  UDP only, and no port is reserved: no TCP allocation, CONNECT, EVEN-PORT
//	R12  a side holds few allocations, and all sides a bounded number
//	R13  a session has a bandwidth
//	R14  an allocation has few channels
//	R15  a stream carries whole, small frames, and ends otherwise
//	R16  a stream without an allocation ends soon; few are open at once
//	R17  strangers are answered slowly: a flood costs those who send it
//	R18  the end of a session, or of a side, closes its allocations
//
// Credentials are those of draft-uberti-behave-turn-rest-00, so that another TURN
// server with the same secret (coturn: use-auth-secret) takes them too. It knows
// neither sessions nor the list above.
package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/logging"
	"golang.org/x/time/rate"

	"github.com/mainforte/mainforte/signaling/limit"
)

// Host is the party name of a session's host. Every other name is a viewer's.
const Host = "host"

// Errors of Credentials.
var (
	ErrClosed = errors.New("relay: closed")
	ErrFull   = errors.New("relay: no room for another session")
	ErrName   = errors.New("relay: a session or party name may hold letters, digits, - and _ only")
)

// Limits bound what sessions and strangers may use. A field that is 0 takes its
// default.
type Limits struct {
	Life        time.Duration // of a credential; 10 min
	PerParty    int           // allocations of one side at a time; 16: a browser makes one for each of its networks and our URLs
	Total       int           // allocations in all; 4,096
	Sessions    int           // 20,000
	Parties     int           // of one session; 16
	Channels    int           // of one allocation; 256
	Bandwidth   int           // of one session, bytes a second in both directions; 8,000,000
	Strangers   limit.Every   // datagrams of an address (/64) without an allocation; 200 in 1 s
	AllStrange  limit.Every   // of all such addresses; 10,000 in 1 s
	Streams     int           // without an allocation, in all; 1,024
	AddrStreams int           // of those, from one address (/64); 128
	FirstTime   time.Duration // a stream may be without an allocation; 15 s
	IdleTime    time.Duration // a stream with one may be silent; 12 min, longer than the life of an allocation
}

// Config of a Server. PublicHost is required, and either Listen, a stream port,
// or External.
type Config struct {
	PublicHost string // the name in the URLs that clients get, and the realm

	// Listen is where UDP is answered, "host:port". Without a host: on every
	// address of this machine, each with a socket of its own, because an answer
	// must leave from the address that was asked. Port 0 takes a free one. Empty:
	// no UDP.
	Listen string
	// StreamPort is the TCP port whose listener is handed to Serve; 0: none.
	StreamPort int
	// Secure tells that the streams were taken out of TLS.
	Secure bool
	// PublicIPs are what this machine is called outside, at most one a family, if
	// that differs from the addresses it has: behind one-to-one NAT.
	PublicIPs []netip.Addr

	// External are the URLs of further TURN servers (RFC 7065).
	External []string
	// SecretFile holds the secret shared with those, in its first line. It is read
	// again when it changes: what was given out before stays good until it expires,
	// so a secret is changed by adding the new one there, changing the file here,
	// and removing the old one there after Limits.Life. Empty: a random secret.
	SecretFile string

	Limits Limits
	Logger *slog.Logger
	Now    func() time.Time
	// Addrs are this machine's addresses; for tests. Default: those of its
	// interfaces.
	Addrs func() ([]netip.Addr, error)
}

// Stats are counters since the start; the first three are of this moment.
type Stats struct {
	Sessions, Parties, Allocations int

	Credentials  uint64 // given out
	Granted      uint64 // allocations
	BadAuth      uint64 // requests with a credential that is not good (R1, R2, R3)
	Quota        uint64 // allocations refused for their number (R12)
	Permissions  uint64 // permissions and channels refused (R4)
	RefusedOut   uint64 // packets not sent (R5)
	RefusedIn    uint64 // packets not let in (R6)
	OverBudget   uint64 // packets dropped for bandwidth (R13)
	Strangers    uint64 // datagrams dropped unread (R17)
	StreamsEnded uint64 // streams ended for their frames, their silence or their number (R15, R16)
	Packets      uint64 // relayed
	Bytes        uint64 // relayed, payload
}

// Server is the relay. Make it with New, end it with Close.
type Server struct {
	cfg      Config
	log      *slog.Logger
	count    counters
	public4  netip.Addr
	public6  netip.Addr
	listenIP netip.Addr // zero: every address
	port     uint16     // UDP; 0: none
	quiet    logging.LoggerFactory

	strangers  *limit.Keyed
	allStrange *rate.Limiter

	stop    context.CancelFunc
	loops   sync.WaitGroup
	readers sync.WaitGroup // of pion/turn: one for each door and allocation
	clients sync.WaitGroup // one for each stream
	doors   sync.Mutex     // held while a door for streams is opened

	mu        sync.Mutex
	closed    bool
	secret    secret
	sessions  map[string]*session
	parties   int
	relayed   map[netip.AddrPort]*conn   // by relayed address
	own       map[netip.Addr]bool        // this machine's, and PublicIPs
	endpoints map[netip.Addr]*endpoint   // by local address
	streams   map[netip.AddrPort]*stream // by the client's address
	waiting   map[string]int             // streams without an allocation, by address
	unproven  int                        // the sum of waiting
}

// New starts answering UDP, if Listen is set.
func New(cfg Config) (*Server, error) {
	defaults(&cfg)
	s := &Server{
		cfg: cfg, log: cfg.Logger,
		quiet:      &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled},
		strangers:  limit.New(cfg.Limits.Strangers, 20_000),
		allStrange: rate.NewLimiter(rate.Limit(float64(cfg.Limits.AllStrange.N)/cfg.Limits.AllStrange.In.Seconds()), cfg.Limits.AllStrange.N),
		sessions:   map[string]*session{},
		relayed:    map[netip.AddrPort]*conn{},
		own:        map[netip.Addr]bool{},
		endpoints:  map[netip.Addr]*endpoint{},
		streams:    map[netip.AddrPort]*stream{},
		waiting:    map[string]int{},
	}
	for _, ip := range cfg.PublicIPs {
		ip = ip.Unmap().WithZone("")
		switch {
		case !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast():
			return nil, fmt.Errorf("relay: the public address %v is none", ip)
		case ip.Is4() && !s.public4.IsValid():
			s.public4 = ip
		case ip.Is6() && !s.public6.IsValid():
			s.public6 = ip
		default:
			return nil, fmt.Errorf("relay: more than one public address of a kind, the second is %v", ip)
		}
	}
	if err := s.readSecret(); err != nil {
		return nil, err
	}
	if err := s.openUDP(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.loops.Go(func() { s.keep(ctx) })
	return s, nil
}

func defaults(c *Config) {
	num := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	dur := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	every := func(e *limit.Every, n int, in time.Duration) {
		if e.In == 0 {
			*e = limit.Every{N: n, In: in}
		}
	}
	l := &c.Limits
	dur(&l.Life, 10*time.Minute)
	num(&l.PerParty, 16)
	num(&l.Total, 4096)
	num(&l.Sessions, 20_000)
	num(&l.Parties, 16)
	num(&l.Channels, 256)
	num(&l.Bandwidth, 8_000_000)
	every(&l.Strangers, 200, time.Second)
	every(&l.AllStrange, 10_000, time.Second)
	num(&l.Streams, 1024)
	num(&l.AddrStreams, 128)
	dur(&l.FirstTime, 15*time.Second)
	dur(&l.IdleTime, 12*time.Minute)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Addrs == nil {
		c.Addrs = interfaceAddrs
	}
}

// keepEvery is how often addresses, the secret file and forgotten sessions are
// looked at.
const keepEvery = 10 * time.Second

func (s *Server) keep(ctx context.Context) {
	t := time.NewTicker(keepEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := s.readSecret(); err != nil {
			s.log.Error("the relay's changed secret is not taken; the one before stays", "error", err)
		}
		if err := s.scan(); err != nil {
			s.log.Warn("the relay does not answer on every address", "error", err)
		}
		s.forget()
	}
}

// Stats are the counters of now.
func (s *Server) Stats() Stats {
	st := s.count.stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Sessions, st.Parties, st.Allocations = len(s.sessions), s.parties, len(s.relayed)
	return st
}

// Port is the UDP port that is answered, 0 for none.
func (s *Server) Port() int { return int(s.port) }

// ender is what ends when its session does.
type ender interface{ end() }

// closeTime bounds how long Close waits for pion/turn.
const closeTime = 2 * time.Second

// Close ends every allocation and stream, and returns when nothing of the relay
// runs any more. A listener given to Serve is closed by its owner.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	var ends []ender
	for _, c := range s.relayed {
		ends = append(ends, c)
	}
	for _, st := range s.streams {
		ends = append(ends, st)
	}
	eps := s.endpoints
	s.endpoints = map[netip.Addr]*endpoint{}
	s.mu.Unlock()

	if s.stop != nil {
		s.stop()
	}
	for _, c := range ends {
		c.end()
	}
	s.loops.Wait()
	// The streams go first: pion/turn must not delete allocations while it still
	// works on requests.
	late := !within(closeTime, &s.clients)
	var err error
	for _, e := range eps {
		err = errors.Join(err, e.close())
	}
	if late || !within(closeTime, &s.readers) {
		err = errors.Join(err, errors.New("relay: not everything ended by itself"))
	}
	return err
}

// within waits for a group, as long as d.
func within(d time.Duration, group *sync.WaitGroup) bool {
	gone := make(chan struct{})
	go func() { group.Wait(); close(gone) }()
	select {
	case <-gone:
		return true
	case <-time.After(d):
		return false
	}
}

// interfaceAddrs are the addresses of this machine's interfaces that others can
// reach it by: link-local ones need a zone, which TURN has no room for.
func interfaceAddrs() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		if ip := p.Addr().Unmap(); !ip.IsLinkLocalUnicast() && !ip.IsMulticast() {
			out = append(out, ip)
		}
	}
	return out, nil
}
