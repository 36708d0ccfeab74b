package relay

import (
	"net"
	"net/netip"
)

// list is what the allocations of one side may talk to. It is never changed.
type list struct {
	// bound maps a relayed address of the other side to the address its socket is
	// bound to, and named the other way. They differ where this machine is called
	// by another address outside; nothing that is relayed twice leaves the machine.
	bound, named map[netip.AddrPort]netip.AddrPort
	seen         []netip.Addr
}

// lowPorts are those of services. A router gives no client a port below 1024
// (RFC 4787, REQ-3).
const lowPorts = 1024

// relist makes the lists of a session anew, with the lock held.
func (s *Server) relist(ses *session) {
	for _, me := range ses.parties {
		l := &list{bound: map[netip.AddrPort]netip.AddrPort{}, named: map[netip.AddrPort]netip.AddrPort{}}
		for _, other := range ses.parties {
			if (me.name == Host) == (other.name == Host) { // R10
				continue
			}
			for c := range other.conns {
				l.bound[c.relayed] = c.bound
				l.named[c.bound] = c.relayed
			}
			if plain(other.seen) && !s.own[other.seen] { // R7, R8
				l.seen = append(l.seen, other.seen)
			}
		}
		me.list.Store(l)
	}
}

// address tells whether some port of an address is on the list.
func (l *list) address(ip netip.Addr) bool {
	for ap := range l.bound {
		if ap.Addr() == ip {
			return true
		}
	}
	return l.sees(ip)
}

func (l *list) sees(ip netip.Addr) bool {
	for _, a := range l.seen {
		if a == ip {
			return true
		}
	}
	return false
}

// out is where a packet for to is sent; false if nowhere.
func (l *list) out(to netip.AddrPort) (netip.AddrPort, bool) {
	if b, ok := l.bound[to]; ok {
		return b, true
	}
	return to, l.sees(to.Addr()) && to.Port() >= lowPorts // R9
}

// in is whom a packet that arrived came from; false if from nobody on the list.
// relayed tells that it was relayed once already.
func (l *list) in(from netip.AddrPort) (name netip.AddrPort, relayed, ok bool) {
	if n, ok := l.named[from]; ok {
		return n, true, true
	}
	return from, false, l.sees(from.Addr()) && from.Port() >= lowPorts // R9
}

// notPlain are the ranges in which no side can be, or in which an address means
// another one. They are refused even if a side is seen there: its relayed
// address stays.
var notPlain = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),         // this network, RFC 791
	netip.MustParsePrefix("192.0.0.0/24"),      // protocol assignments, RFC 6890
	netip.MustParsePrefix("192.88.99.0/24"),    // 6to4 relays, RFC 3068
	netip.MustParsePrefix("240.0.0.0/4"),       // reserved, and broadcast
	netip.MustParsePrefix("::/96"),             // IPv4-compatible, RFC 4291
	netip.MustParsePrefix("::ffff:0:0:0/96"),   // IPv4-translated, RFC 2765
	netip.MustParsePrefix("64:ff9b::/96"),      // NAT64, RFC 6052
	netip.MustParsePrefix("64:ff9b:1::/48"),    // NAT64 of one network, RFC 8215
	netip.MustParsePrefix("2001::/32"),         // Teredo, RFC 4380
	netip.MustParsePrefix("2002::/16"),         // 6to4, RFC 3056
	netip.MustParsePrefix("fec0::/10"),         // site-local, RFC 3879
	netip.MustParsePrefix("fd00:ec2::254/128"), // metadata of a cloud
}

// plain tells whether an address can be that of a side: unicast, with a meaning
// beyond its link, and no IPv4 address inside it.
func plain(a netip.Addr) bool {
	if !a.IsValid() || a.Is4In6() || a.Zone() != "" || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range notPlain {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// addrOf is a net.IP as it is compared here: IPv4 is IPv4 however it is written.
func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip) // the zero Addr is on no list
	return a.Unmap()
}

// addrPort of an address of package net, unmapped; zero for anything else.
func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		ap = a.AddrPort()
	case *net.TCPAddr:
		ap = a.AddrPort()
	}
	return unmap(ap)
}

func unmap(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}
