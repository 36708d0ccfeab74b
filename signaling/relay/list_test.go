package relay

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// forbidden are the forms in which an address inside could be written. None is
// ever talked to, whatever the server's own network is.
var forbidden = []struct{ what, ip string }{
	{"loopback", "127.0.0.1"},
	{"loopback, another", "127.8.9.10"},
	{"unspecified", "0.0.0.0"},
	{"this network", "0.0.0.7"},
	{"broadcast", "255.255.255.255"},
	{"reserved", "240.0.0.1"},
	{"multicast", "224.0.0.251"},
	{"link-local", "169.254.10.10"},
	{"metadata", "169.254.169.254"},
	{"protocol assignments", "192.0.0.170"},
	{"loopback as IPv6", "::1"},
	{"unspecified as IPv6", "::"},
	{"IPv4-mapped loopback", "::ffff:127.0.0.1"},
	{"IPv4-mapped metadata", "::ffff:169.254.169.254"},
	{"IPv4-compatible", "::10.20.0.1"},
	{"IPv4-translated", "::ffff:0:10.20.0.1"},
	{"NAT64", "64:ff9b::10.20.0.1"},
	{"NAT64 of one network", "64:ff9b:1::10.20.0.1"},
	{"6to4", "2002:a14:1::1"},
	{"Teredo", "2001:0:4136:e378:8000:63bf:3fff:fdd2"},
	{"link-local as IPv6", "fe80::1"},
	{"site-local", "fec0::1"},
	{"multicast as IPv6", "ff02::fb"},
	{"metadata as IPv6", "fd00:ec2::254"},
}

// elsewhere are addresses that somebody could have, and nobody of the session has.
var elsewhere = []struct{ what, ip string }{
	{"private", "10.20.0.1"},
	{"private, a neighbour", "10.20.0.77"},
	{"private 172", "172.16.0.1"},
	{"private 192", "192.168.1.1"},
	{"IPv4-mapped private", "::ffff:10.20.0.1"},
	{"CGNAT", "100.64.0.1"},
	{"unique local", "fd12:3456::1"},
	{"global", "198.51.100.7"},
	{"global as IPv6", "2001:db8:ffff::7"},
	{"the server's own, outside", "203.0.113.5"},
	{"the server's own, inside", "10.20.0.5"},
	{"the server's own as IPv6", "2001:db8::5"},
	{"IPv4-mapped own", "::ffff:203.0.113.5"},
}

// servers are a public one and one of an inner network, by IPv4 and IPv6.
func servers(t *testing.T) map[string]*Server {
	v6 := func(c *Config) { c.Listen = "[::1]:0" }
	own := []string{"203.0.113.5", "10.20.0.5", "2001:db8::5", "fd12:3456::5"}
	return map[string]*Server{
		"public":    start(t, "203.0.113.5", nil, own...),
		"inside":    start(t, "10.20.0.5", nil, own...),
		"public v6": start(t, "2001:db8::5", v6, own[2:]...),
		"inside v6": start(t, "fd12:3456::5", v6, own[2:]...),
	}
}

// TestNothingInsideIsReached is the promise that the relay cannot be used to
// reach the network it stands in (R4): every form of address is refused, as a
// permission and as a channel, on a public server and on an inner one, while the
// session itself is relayed.
func TestNothingInsideIsReached(t *testing.T) {
	for label, s := range servers(t) {
		host := dialUDP(t, s, credentials(t, s, ses, Host, "198.51.100.20"))
		viewer := dialUDP(t, s, credentials(t, s, ses, them, "198.51.100.21"))
		h, v := host.mustAllocate(), viewer.mustAllocate()
		family := h.Addr().Is6()

		if c := host.permission(v); c != 0 {
			t.Fatalf("%s: the other side's relayed address is refused: %d", label, c)
		}
		if c := viewer.permission(h); c != 0 {
			t.Fatalf("%s: the host's relayed address is refused: %d", label, c)
		}
		host.send(v, "legitimate")
		if got := viewer.got(time.Second); got != "legitimate" {
			t.Fatalf("%s: a legitimate packet did not arrive, got %q", label, got)
		}

		for i, f := range append(forbidden, elsewhere...) {
			ip := addr(f.ip)
			if ip.Unmap() == h.Addr() {
				// Its own address is the relayed one of both: a permission is for
				// addresses, and TestOnlyTheSessionsPorts proves the ports.
				continue
			}
			for _, port := range []uint16{80, 5353, 40000} {
				to := netip.AddrPortFrom(ip, port)
				if c := viewer.permission(to); c == 0 {
					t.Errorf("%s: a permission for %s (%s) was given", label, f.what, f.ip)
				}
				if c := viewer.code(stun.MethodChannelBind, channelNumber(0x4000+i), peer(to)); c == 0 {
					t.Errorf("%s: a channel to %s (%s) was bound", label, f.what, f.ip)
				}
			}
		}
		if family != (len(label) > 6) {
			t.Errorf("%s: the relayed address is %v", label, h)
		}
		if n := s.Stats().Permissions; n == 0 {
			t.Errorf("%s: nothing of it was counted", label)
		}
	}
}

// TestBeingSeenSomewhereForbiddenOpensNothing: even a side that the server sees
// at such an address, by a proxy or a trick, makes it reachable for nobody (R7,
// R8).
func TestBeingSeenSomewhereForbiddenOpensNothing(t *testing.T) {
	for label, s := range servers(t) {
		viewer := dialUDP(t, s, credentials(t, s, ses, them, ""))
		viewer.mustAllocate()
		for _, f := range append(forbidden, elsewhere...) {
			ip := addr(f.ip)
			s.mu.Lock()
			mine := s.own[ip.Unmap()]
			s.mu.Unlock()
			credentials(t, s, ses, Host, f.ip)
			got := viewer.permission(netip.AddrPortFrom(ip, 5353))
			s.mu.Lock()
			listed := s.sessions[ses].parties[them].list.Load().sees(ip.Unmap())
			s.mu.Unlock()
			open := !mine && plain(ip.Unmap())
			if listed != open {
				t.Errorf("%s: seen at %s (%s): listed %v", label, f.what, f.ip, listed)
			}
			if !open && got == 0 {
				t.Errorf("%s: seen at %s (%s), a permission was given", label, f.what, f.ip)
			}
		}
		for _, f := range forbidden {
			if plain(addr(f.ip).Unmap()) {
				t.Errorf("%s (%s) counts as a side's address", f.what, f.ip)
			}
		}
	}
}

// TestOnlyTheSessionsPorts: an address on the list is reached at the ports of
// this session only (R5), and from nowhere else is anything let in (R6).
func TestOnlyTheSessionsPorts(t *testing.T) {
	s := start(t, "203.0.113.5", nil)
	host := dialUDP(t, s, credentials(t, s, ses, Host, ""))
	viewer := dialUDP(t, s, credentials(t, s, ses, them, ""))
	h, v := host.mustAllocate(), viewer.mustAllocate()
	other := dialUDP(t, s, credentials(t, s, "another", Host, ""))
	o := other.mustAllocate()

	// A service on the server itself, and the socket of another session.
	service, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	inner := addrPort(service.LocalAddr())

	viewer.permission(h)
	host.permission(v)
	for what, to := range map[string]netip.AddrPort{
		"a service of the server, by its outer name": netip.AddrPortFrom(h.Addr(), inner.Port()),
		"a service of the server":                    inner,
		"another session":                            o,
		"another session's socket":                   netip.AddrPortFrom(inner.Addr(), o.Port()),
		"TURN itself":                                netip.AddrPortFrom(h.Addr(), s.port),
		"the other side's socket":                    netip.AddrPortFrom(inner.Addr(), h.Port()),
	} {
		before := s.Stats().RefusedOut
		viewer.send(to, "x")
		viewer.code(stun.MethodChannelBind, channelNumber(0x4001), peer(to)) // the permission exists: only the packet can be refused
		if to.Addr() == h.Addr() {
			waitFor(t, what+": not refused", func() bool { return s.Stats().RefusedOut > before })
		}
	}
	viewer.send(h, "last")
	if got := host.got(time.Second); got != "last" {
		t.Fatalf("the other side got %q", got)
	}
	if err := service.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, from, err := service.ReadFromUDP(make([]byte, 100)); err == nil {
		t.Errorf("the server's own service got %d bytes from %v", n, from)
	}
	if got := other.got(50 * time.Millisecond); got != "" {
		t.Errorf("another session got %q", got)
	}

	// Inwards: somebody sends to the relayed address of the host.
	before := s.Stats().RefusedIn
	if _, err := service.WriteToUDPAddrPort([]byte("from outside"), netip.AddrPortFrom(inner.Addr(), h.Port())); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a packet from outside was not refused", func() bool { return s.Stats().RefusedIn > before })
	if got := host.got(50 * time.Millisecond); got != "" {
		t.Errorf("a packet from outside arrived: %q", got)
	}
}

// TestViewersDoNotMeet: a viewer may talk to the host and not to another viewer
// (R10).
func TestViewersDoNotMeet(t *testing.T) {
	s := start(t, "203.0.113.5", nil)
	a := dialUDP(t, s, credentials(t, s, ses, "viewer-a", "198.51.100.1"))
	b := dialUDP(t, s, credentials(t, s, ses, "viewer-b", "198.51.100.2"))
	a.mustAllocate()
	to := b.mustAllocate()
	if c := a.permission(to); c == 0 {
		t.Error("a viewer may talk to another viewer's relayed address")
	}
	if c := a.permission(netip.MustParseAddrPort("198.51.100.2:40000")); c == 0 {
		t.Error("a viewer may talk to where another viewer is seen")
	}
	host := dialUDP(t, s, credentials(t, s, ses, Host, "198.51.100.3"))
	host.mustAllocate()
	for _, to := range []netip.AddrPort{to, netip.MustParseAddrPort("198.51.100.1:40000"), netip.MustParseAddrPort("198.51.100.2:40000")} {
		if c := host.permission(to); c != 0 {
			t.Errorf("the host may not talk to %v: %d", to, c)
		}
	}
	if c := a.permission(netip.MustParseAddrPort("198.51.100.3:40000")); c != 0 {
		t.Errorf("a viewer may not talk to the host: %d", c)
	}
}

// TestServicePortsOfASideAreNotReached (R9).
func TestServicePortsOfASideAreNotReached(t *testing.T) {
	l := &list{seen: []netip.Addr{addr("198.51.100.1")}}
	for port, want := range map[uint16]bool{0: false, 53: false, 161: false, 1023: false, 1024: true, 65535: true} {
		ap := netip.AddrPortFrom(addr("198.51.100.1"), port)
		if _, ok := l.out(ap); ok != want {
			t.Errorf("out to port %d: %v", port, ok)
		}
		if _, _, ok := l.in(ap); ok != want {
			t.Errorf("in from port %d: %v", port, ok)
		}
	}
}

// TestTheListFollowsTheSession: a side that moved is reached where it is now, and
// the address it had before is anybody's.
func TestTheListFollowsTheSession(t *testing.T) {
	s := start(t, "203.0.113.5", nil)
	viewer := dialUDP(t, s, credentials(t, s, ses, them, ""))
	viewer.mustAllocate()
	old, now := netip.MustParseAddrPort("198.51.100.1:40000"), netip.MustParseAddrPort("198.51.100.2:40000")
	credentials(t, s, ses, Host, "198.51.100.1")
	if c := viewer.permission(old); c != 0 {
		t.Fatalf("refused: %d", c)
	}
	credentials(t, s, ses, Host, "198.51.100.2")
	if c := viewer.permission(now); c != 0 {
		t.Errorf("the new address is refused: %d", c)
	}
	// The old permission holds for minutes; packets do not.
	before := s.Stats().RefusedOut
	viewer.send(old, "x")
	waitFor(t, "a packet left for an address that is no longer a side's", func() bool { return s.Stats().RefusedOut > before })
	if c := viewer.permission(old); c == 0 {
		t.Error("a permission for the old address was given")
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(2 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal(what)
		}
	}
}
