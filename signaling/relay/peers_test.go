package relay

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
)

// peerConnection is one side of a session as host and viewer make it.
func peerConnection(t *testing.T, policy webrtc.ICETransportPolicy, servers []ICEServer, only ...string) *webrtc.PeerConnection {
	t.Helper()
	var se webrtc.SettingEngine
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	se.SetIncludeLoopbackCandidate(true)
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	se.SetIPFilter(func(ip net.IP) bool {
		for _, o := range only {
			if ip.String() == o {
				return true
			}
		}
		return len(only) == 0
	})
	cfg := webrtc.Configuration{ICETransportPolicy: policy}
	for _, s := range servers {
		cfg.ICEServers = append(cfg.ICEServers, webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se)).NewPeerConnection(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return pc
}

// connect makes two peers talk and returns the selected pair of the first.
func connect(t *testing.T, a, b *webrtc.PeerConnection) (local, remote string) {
	t.Helper()
	dc, err := a.CreateDataChannel("x", nil)
	if err != nil {
		t.Fatal(err)
	}
	b.OnDataChannel(func(d *webrtc.DataChannel) {
		d.OnMessage(func(m webrtc.DataChannelMessage) { _ = d.SendText(string(m.Data) + "!") })
	})
	got := make(chan string, 1)
	dc.OnOpen(func() { _ = dc.SendText("hello") })
	dc.OnMessage(func(m webrtc.DataChannelMessage) { got <- string(m.Data) })

	describe := func(pc *webrtc.PeerConnection, d webrtc.SessionDescription, err error) webrtc.SessionDescription {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		done := webrtc.GatheringCompletePromise(pc)
		if err := pc.SetLocalDescription(d); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("gathering takes too long")
		}
		return *pc.LocalDescription()
	}
	offer, err := a.CreateOffer(nil)
	offer = describe(a, offer, err)
	if err := b.SetRemoteDescription(offer); err != nil {
		t.Fatal(err)
	}
	answer, err := b.CreateAnswer(nil)
	answer = describe(b, answer, err)
	if err := a.SetRemoteDescription(answer); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-got:
		if m != "hello!" {
			t.Fatalf("got %q", m)
		}
	case <-time.After(15 * time.Second):
		t.Fatalf("not connected\n%s\n%s", offer.SDP, answer.SDP)
	}
	pair, err := a.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		t.Fatalf("no pair: %v", err)
	}
	return pair.Local.Typ.String(), pair.Remote.Typ.String()
}

// TestSessionsAreRelayed: real peers that may use the relay only, on a public
// server and on an inner one, over UDP and over TCP.
func TestSessionsAreRelayed(t *testing.T) {
	for _, public := range []string{"203.0.113.5", "10.20.0.5", ""} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := start(t, public, func(c *Config) { c.StreamPort = int(addrPort(ln.Addr()).Port()) })
		go s.Serve(ln)
		defer ln.Close()
		side := func(party, transport string) []ICEServer {
			c := credentials(t, s, ses, party, "198.51.100.1")
			for _, u := range c.URLs {
				if strings.HasSuffix(u, transport) {
					return []ICEServer{{URLs: []string{u}, Username: c.Username, Credential: c.Credential}}
				}
			}
			t.Fatalf("no %s in %v", transport, c.URLs)
			return nil
		}
		host := peerConnection(t, webrtc.ICETransportPolicyRelay, side(Host, "tcp"))
		viewer := peerConnection(t, webrtc.ICETransportPolicyRelay, side(them, "udp"))
		if l, r := connect(t, host, viewer); l != "relay" || r != "relay" {
			t.Errorf("%q: %s to %s", public, l, r)
		}
		if st := s.Stats(); st.Packets == 0 || st.Bytes == 0 {
			t.Errorf("%q: nothing was relayed: %+v", public, st)
		}
		s.End(ses)
	}
}

const inNetwork = "MAINFORTE_TEST_NETWORK"

// ownNetwork runs the calling test again in a network of its own, with these
// addresses, and returns true there. Addresses that stand for other computers
// are on the same loopback interface: they are plain addresses to the relay, and
// packets to them arrive.
func ownNetwork(t *testing.T, addrs ...string) bool {
	t.Helper()
	if os.Getenv(inNetwork) != "" {
		for _, a := range append([]string{"link set lo up"}, addrs...) {
			if !strings.Contains(a, " ") {
				a = "addr add " + a + " dev lo nodad"
			}
			if out, err := exec.Command("ip", strings.Fields(a)...).CombinedOutput(); err != nil {
				t.Fatalf("ip %s: %v: %s", a, err, out)
			}
		}
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inNetwork+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Skipf("this system gives no network namespace to a test, so packets to other addresses are not proven here: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("in its own network: %v\n%s", err, out)
	}
	return false
}

// inner is a service of the network that nobody of the session may reach.
func inner(t *testing.T, ip string, port int) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestOnAnInnerNetwork is the whole promise on a hospital's 10.x network, with
// addresses that are really there: server, host, viewer and a service beside
// them. The host that has no relay of its own is reached where it is seen; the
// service is not, in no form and by no way.
func TestOnAnInnerNetwork(t *testing.T) {
	if !ownNetwork(t, "10.20.0.5/24", "10.20.0.20/24", "10.20.0.21/24", "10.20.0.80/24", "192.168.7.7/24", "169.254.169.254/32", "fd12:3456::80/64") {
		return
	}
	services := []*net.UDPConn{
		inner(t, "10.20.0.80", 5353), inner(t, "10.20.0.80", 40000), inner(t, "192.168.7.7", 40000),
		inner(t, "169.254.169.254", 40000), inner(t, "fd12:3456::80", 40000), inner(t, "127.0.0.1", 40000),
		inner(t, "10.20.0.5", 40000), inner(t, "10.20.0.20", 161),
	}
	s := start(t, "", func(c *Config) {
		c.PublicHost, c.Listen = "10.20.0.5", "10.20.0.5:0"
		c.Addrs = func() ([]netip.Addr, error) { return []netip.Addr{addr("10.20.0.5"), addr("127.0.0.1")}, nil }
	})
	viewerCred := credentials(t, s, ses, them, "10.20.0.21")
	credentials(t, s, ses, Host, "10.20.0.20")

	host := peerConnection(t, webrtc.ICETransportPolicyAll, nil, "10.20.0.20")
	viewer := peerConnection(t, webrtc.ICETransportPolicyRelay, []ICEServer{viewerCred}, "10.20.0.21")
	if l, r := connect(t, viewer, host); l != "relay" || r == "relay" {
		t.Fatalf("from %s to %s", l, r)
	}

	c := dialUDP(t, s, viewerCred)
	c.mustAllocate()
	if code := c.permission(netip.MustParseAddrPort("10.20.0.20:40000")); code != 0 {
		t.Fatalf("the host is refused: %d", code)
	}
	refused := append(forbidden, elsewhere...)
	for i, f := range refused {
		for _, port := range []uint16{161, 5353, 40000} {
			to := netip.AddrPortFrom(addr(f.ip), port)
			if code := c.permission(to); code == 0 && f.ip != "10.20.0.20" {
				t.Errorf("a permission for %s", f.what)
			}
			_, _ = c.request(stun.MethodChannelBind, channelNumber(0x4000+i), peer(to))
			c.send(to, "out of bounds")
		}
	}
	for _, to := range []string{"10.20.0.80:5353", "10.20.0.80:40000", "192.168.7.7:40000", "10.20.0.5:40000", "10.20.0.20:161"} {
		ap := netip.MustParseAddrPort(to)
		_ = c.permission(ap)
		c.send(ap, "out of bounds")
	}
	// Let every packet that was sent arrive: the last one is a legitimate one.
	last := inner(t, "10.20.0.20", 41000)
	c.send(netip.MustParseAddrPort("10.20.0.20:41000"), "last")
	b := make([]byte, 100)
	if err := last.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, from, err := last.ReadFromUDP(b)
	if err != nil || string(b[:n]) != "last" {
		t.Fatalf("the host got %q: %v", b[:n], err)
	}
	for _, sv := range services {
		if err := sv.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, _, err := sv.ReadFromUDP(b); err == nil {
			t.Errorf("the service at %v got %q", sv.LocalAddr(), b[:n])
		}
	}
	// Inwards: what the service sends to the relayed address does not arrive (R6).
	before := s.Stats().RefusedIn
	if _, err := services[0].WriteToUDP([]byte("from a service"), from); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a packet of a service was let in", func() bool { return s.Stats().RefusedIn > before })
	if _, err := last.WriteToUDP([]byte("from the host"), from); err != nil {
		t.Fatal(err)
	}
	if got := c.got(time.Second); got != "from the host" {
		t.Errorf("the viewer got %q", got)
	}
}

// TestBandwidthOfWhoIsNotRelayed (R13): what the other side sends from where it is
// seen is paid for too.
func TestBandwidthOfWhoIsNotRelayed(t *testing.T) {
	if !ownNetwork(t, "10.20.0.5/24", "10.20.0.20/24") {
		return
	}
	s := start(t, "", func(c *Config) {
		c.PublicHost, c.Listen, c.Limits.Bandwidth = "10.20.0.5", "10.20.0.5:0", 5000
		c.Addrs = func() ([]netip.Addr, error) { return []netip.Addr{addr("10.20.0.5")}, nil }
	})
	credentials(t, s, ses, Host, "10.20.0.20")
	viewer := dialUDP(t, s, credentials(t, s, ses, them, "10.20.0.21"))
	to := viewer.mustAllocate()
	host := inner(t, "10.20.0.20", 41000)
	if code := viewer.permission(addrPort(host.LocalAddr())); code != 0 {
		t.Fatal(code)
	}
	for range 20 {
		if _, err := host.WriteToUDPAddrPort(make([]byte, 1000), to); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for viewer.got(200*time.Millisecond) != "" {
		n++
	}
	if n < 4 || n > 8 {
		t.Errorf("%d of 20 packets arrived with room for 5", n)
	}
}
