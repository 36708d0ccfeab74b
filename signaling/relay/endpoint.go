package relay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

// endpoint is the relay at one address of this machine. Clients get the relayed
// address of the address they reached: it is one that others reach too, which
// nothing else on a machine with several networks would tell.
type endpoint struct {
	udp, tcp *door // either may be nil
}

// maxEndpoints bounds the addresses that are answered on.
const maxEndpoints = 64

func (e *endpoint) close() error {
	var err error
	for _, d := range []*door{e.udp, e.tcp} {
		if d != nil {
			err = errors.Join(err, d.turn.Close())
		}
	}
	return err
}

// door is one transport of an endpoint, with the turn.Server behind it: one each,
// because pion/turn tells its handlers a client's address and nothing else.
type door struct {
	server *Server
	local  netip.Addr
	turn   *turn.Server
	queue  *queue // of streams; nil for UDP

	// Of the one goroutine that reads the socket: what it works on.
	request []byte
	working *conn

	mu      sync.Mutex
	clients map[netip.AddrPort]*conn
}

// openDoor starts a turn.Server on a UDP socket or, without one, on a queue of
// streams.
func (s *Server) openDoor(local netip.Addr, udp *net.UDPConn) (*door, error) {
	d := &door{server: s, local: local, clients: map[netip.AddrPort]*conn{}}
	cfg := turn.ServerConfig{
		Realm:         s.cfg.PublicHost,
		LoggerFactory: s.quiet, // its lines hold addresses
		AuthHandler:   d.auth,
		QuotaHandler:  func(userID, _ string, _ net.Addr) bool { return s.room(userID) },
		EventHandler: turn.EventHandler{
			OnAuth:              d.authenticated,
			OnAllocationCreated: d.created,
			OnChannelCreated: func(_, _ net.Addr, _, _, _ string, relayed, _ net.Addr, _ uint16) {
				d.channel(relayed, 1)
			},
			OnChannelDeleted: func(_, _ net.Addr, _, _, _ string, relayed, _ net.Addr, _ uint16) {
				d.channel(relayed, -1)
			},
		},
		AllocationLifetime: allocationLife,
		// A client that came by IPv6 gets an IPv4 relayed address where there is one:
		// addresses of two families are no pair, and the other side may have IPv4 only.
		StrictAddressFamily: s.first4().IsValid(),
	}
	if udp != nil {
		cfg.PacketConnConfigs = []turn.PacketConnConfig{{
			PacketConn: &socket{UDPConn: udp, door: d}, RelayAddressGenerator: d, PermissionHandler: d.permit,
		}}
	} else {
		d.queue = newQueue(&net.TCPAddr{IP: local.AsSlice()}, s.readers.Done)
		cfg.ListenerConfigs = []turn.ListenerConfig{{Listener: d.queue, RelayAddressGenerator: d, PermissionHandler: d.permit}}
	}
	s.readers.Add(1)
	var err error
	if d.turn, err = turn.NewServer(cfg); err != nil {
		s.readers.Done()
		return nil, fmt.Errorf("relay: %w", err)
	}
	return d, nil
}

// auth is pion's question for the key of a username.
func (d *door) auth(ra *turn.RequestAttributes) (userID string, key []byte, ok bool) {
	userID, password, ok := d.server.password(ra.Username, ra.Method == stun.MethodAllocate)
	if !ok || ra.Realm != d.server.cfg.PublicHost {
		d.bad(ra.SrcAddr)
		return "", nil, false
	}
	return userID, turn.GenerateAuthKey(ra.Username, ra.Realm, password), true
}

// authenticated hears whether the signature was right (R3).
func (d *door) authenticated(src, _ net.Addr, _, username, _, method string, ok bool) {
	if !ok {
		d.bad(src)
		return
	}
	c := d.client(addrPort(src))
	if c == nil || method != stun.MethodRefresh.String() || !strings.HasSuffix(username, ":"+c.party.userID()) {
		return
	}
	if l, ok := lifetime(d.current(src)); ok {
		c.lasts(l)
	}
}

// current is the request that pion/turn works on for a client.
func (d *door) current(src net.Addr) []byte {
	if st := d.server.stream(src); st != nil {
		return st.request
	}
	return d.request
}

// lifetime is what pion/turn makes of the lifetime in an Allocate or Refresh
// request; false if it may refuse the request.
func lifetime(request []byte) (time.Duration, bool) {
	m := &stun.Message{Raw: request}
	if m.Decode() != nil || m.Type.Method == stun.MethodRefresh && m.Contains(stun.AttrRequestedAddressFamily) {
		return 0, false
	}
	if v, err := m.Get(stun.AttrLifetime); err == nil && len(v) == 4 {
		if d := time.Duration(binary.BigEndian.Uint32(v)) * time.Second; d < time.Hour {
			return d, true
		}
	}
	return allocationLife, true
}

// allocationLife is how long an allocation lasts that is not refreshed, unless
// the client asks for less or, up to an hour, for more (RFC 8656 §7.2).
const allocationLife = 10 * time.Minute

func (d *door) bad(src net.Addr) {
	d.server.count.badAuth.Add(1)
	if st := d.server.stream(src); st != nil {
		st.bad()
	}
}

// room tells whether a side may have another allocation (R12).
func (s *Server) room(userID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.party(userID)
	ok := p != nil && len(p.conns) < s.cfg.Limits.PerParty && len(s.relayed) < s.cfg.Limits.Total
	if !ok {
		s.count.quota.Add(1)
	}
	return ok
}

// Validate, AllocatePacketConn, AllocateListener and AllocateConn make a door a
// turn.RelayAddressGenerator.
func (d *door) Validate() error { return nil }

// AllocatePacketConn binds the address of a new allocation.
func (d *door) AllocatePacketConn(cfg turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	s := d.server
	local := d.local
	if local.Is4() != (cfg.Network == "udp4") {
		if local = s.first4(); !local.IsValid() || cfg.Network != "udp4" {
			return nil, nil, errRefused
		}
	}
	// Two of this machine's addresses may have one name outside, and then one port.
	for range 4 {
		udp, err := net.ListenUDP(cfg.Network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
		if err != nil {
			return nil, nil, err
		}
		c := &conn{udp: udp, server: s, door: d, bound: addrPort(udp.LocalAddr())}
		c.relayed = netip.AddrPortFrom(s.outside(local), c.bound.Port())
		err = s.enter(c, cfg.UserID)
		if err == nil {
			return c, net.UDPAddrFromAddrPort(c.relayed), nil
		}
		_ = udp.Close()
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, nil, err
		}
	}
	return nil, nil, syscall.EADDRINUSE
}

// enter makes a conn one of its side's. A probe for EVEN-PORT has no user id, so
// it finds no side, and no port is ever reserved (R11).
func (s *Server) enter(c *conn, userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.party(userID)
	switch {
	case s.closed || p == nil: // R11, R18
		return errRefused
	case len(p.conns) >= s.cfg.Limits.PerParty || len(s.relayed) >= s.cfg.Limits.Total: // R12
		return errRefused
	case s.relayed[c.relayed] != nil:
		return syscall.EADDRINUSE
	}
	c.party = p
	p.conns[c] = struct{}{}
	s.relayed[c.relayed] = c
	s.relist(p.session)
	s.readers.Add(1)
	s.count.granted.Add(1)
	return nil
}

// AllocateListener refuses TCP allocations (R11).
func (d *door) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errRefused
}

// AllocateConn refuses TCP connections to peers (R11).
func (d *door) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errRefused }

// created hears whose allocation an address became.
func (d *door) created(src, _ net.Addr, _, _, _ string, relayed net.Addr, _ int) {
	from := addrPort(src)
	s := d.server
	s.mu.Lock()
	c := s.relayed[addrPort(relayed)]
	if c != nil {
		// Under the lock, or a Close in between would not find what to forget.
		c.client.Store(&from)
		d.mu.Lock()
		d.clients[from] = c
		d.mu.Unlock()
	}
	s.mu.Unlock()
	if c == nil { // its session ended in between
		return
	}
	if l, ok := lifetime(d.current(src)); ok {
		c.lasts(l)
	}
	if st := s.stream(src); st != nil {
		st.allocated(c.party)
	}
	s.log.Debug("relay: allocation", "session", c.party.session.id, "party", c.party.name, "stream", d.queue != nil)
}

// leave forgets whose a conn was; the client may have another by now.
func (d *door) leave(c *conn) {
	from := c.client.Load()
	if from == nil {
		return
	}
	d.mu.Lock()
	last := d.clients[*from] == c
	if last {
		delete(d.clients, *from)
	}
	d.mu.Unlock()
	if d.queue != nil && last {
		if st := d.server.stream(net.TCPAddrFromAddrPort(*from)); st != nil {
			st.deallocated()
		}
	}
}

func (d *door) client(from netip.AddrPort) *conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clients[from]
}

// permit is pion's question whether a client may talk to an address (R4).
func (d *door) permit(client net.Addr, peer net.IP) bool {
	c := d.client(addrPort(client))
	if c == nil || !c.party.list.Load().address(addrOf(peer)) { // R4
		d.server.count.permissions.Add(1)
		return false
	}
	if !c.begin() {
		return false
	}
	if st := d.server.stream(client); st != nil {
		st.working = c
	} else {
		d.working = c
	}
	return true
}

// channel counts the channels of an allocation (R14). pion/turn looks through
// them one by one for every packet, so whoever binds thousands gets none.
func (d *door) channel(relayed net.Addr, change int32) {
	s := d.server
	s.mu.Lock()
	c := s.relayed[addrPort(relayed)]
	s.mu.Unlock()
	if c != nil && int(c.channels.Add(change)) > s.cfg.Limits.Channels {
		c.end()
	}
}

// socket is the UDP socket of an endpoint. It keeps the flood of strangers from
// those who have an allocation (R17), and errors about single packets from
// pion/turn, which would stop reading.
type socket struct {
	*net.UDPConn
	door *door
}

func (k *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	if k.door.working != nil {
		k.door.working.done()
		k.door.working = nil
	}
	for {
		n, from, err := k.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			k.door.server.readers.Done()
			return 0, nil, err
		}
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		from = unmap(from)
		if k.door.client(from) == nil && !k.door.server.stranger(from.Addr()) {
			continue
		}
		k.door.request = b[:n]
		return n, net.UDPAddrFromAddrPort(from), nil
	}
}

// openUDP binds what Config.Listen asks for.
func (s *Server) openUDP() error {
	if s.cfg.Listen == "" {
		return s.scan()
	}
	host, port, err := net.SplitHostPort(s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("relay: %q is not host:port", s.cfg.Listen)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("relay: %q has no port", s.cfg.Listen)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if host != "" {
		ip, err := netip.ParseAddr(host)
		if err != nil {
			return fmt.Errorf("relay: %q is not an address of this machine", host)
		}
		if ip = ip.Unmap(); !ip.IsUnspecified() {
			s.listenIP = ip
		}
	}
	s.port = uint16(n)
	if s.port == 0 { // one free port, the same on every address
		probe, err := net.ListenUDP("udp", &net.UDPAddr{IP: s.listenIP.AsSlice()})
		if err != nil {
			return fmt.Errorf("relay: cannot answer on %s: %w", s.cfg.Listen, err)
		}
		s.port = addrPort(probe.LocalAddr()).Port()
		if err := probe.Close(); err != nil {
			return fmt.Errorf("relay: %w", err)
		}
	}
	err = s.scan()
	if err == nil || s.listenIP.IsValid() || errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	// An address that is not ready yet (IPv6 looks for duplicates first) is tried
	// again; the others answer.
	s.log.Warn("the relay does not answer on every address yet", "error", err)
	return nil
}

// scan looks which addresses this machine has, answers UDP on new ones and
// leaves those that are gone. Addresses come late (IPv6, DHCP) and change.
func (s *Server) scan() error {
	have, err := s.cfg.Addrs()
	if err != nil {
		return fmt.Errorf("relay: this machine's addresses: %w", err)
	}
	own := map[netip.Addr]bool{}
	for _, a := range append(have, s.public4, s.public6) {
		if a.IsValid() {
			own[a.Unmap()] = true
		}
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	changed := len(own) != len(s.own)
	for a := range own {
		changed = changed || !s.own[a]
	}
	var gone []*endpoint
	if changed {
		s.own = own
		for _, ses := range s.sessions {
			s.relist(ses)
		}
		for a, e := range s.endpoints {
			if !own[a] && a != s.listenIP {
				gone = append(gone, e)
				delete(s.endpoints, a)
			}
		}
	}
	s.mu.Unlock()
	for _, e := range gone {
		err = errors.Join(err, e.close())
	}
	if s.port == 0 {
		return err
	}
	if s.listenIP.IsValid() {
		return errors.Join(err, s.answer(s.listenIP))
	}
	for _, a := range have {
		err = errors.Join(err, s.answer(a))
	}
	return err
}

// answer opens the UDP door at an address, if there is none.
func (s *Server) answer(ip netip.Addr) error {
	s.mu.Lock()
	e := s.endpoints[ip]
	full := e == nil && len(s.endpoints) >= maxEndpoints
	s.mu.Unlock()
	if full || e != nil && e.udp != nil {
		return nil
	}
	at := netip.AddrPortFrom(ip, s.port)
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return fmt.Errorf("relay: cannot answer UDP on %s: %w", at, err)
	}
	d, err := s.openDoor(ip, udp)
	if err != nil {
		return errors.Join(err, udp.Close())
	}
	return s.place(ip, func(e *endpoint) { e.udp = d }, d)
}

// place puts a door in its endpoint.
func (s *Server) place(ip netip.Addr, put func(*endpoint), d *door) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.Join(ErrClosed, d.turn.Close())
	}
	e := s.endpoints[ip]
	if e == nil {
		e = &endpoint{}
		s.endpoints[ip] = e
	}
	put(e)
	s.mu.Unlock()
	return nil
}

// first4 is the IPv4 address for allocations of those who came by IPv6.
func (s *Server) first4() netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first netip.Addr
	for a := range s.own {
		if a.Is4() && plain(a) && a != s.public4 && (!first.IsValid() || a.Less(first)) {
			first = a
		}
	}
	return first
}

// outside is what others call one of this machine's addresses.
func (s *Server) outside(local netip.Addr) netip.Addr {
	switch {
	case local.Is4() && s.public4.IsValid():
		return s.public4
	case local.Is6() && s.public6.IsValid():
		return s.public6
	}
	return local
}

// stranger tells whether a datagram of somebody without an allocation is read
// (R17).
func (s *Server) stranger(from netip.Addr) bool {
	now := time.Now()
	if !s.strangers.Take(addressKey(from), now) || !s.allStrange.AllowN(now, 1) {
		s.count.strangers.Add(1)
		return false
	}
	return true
}
