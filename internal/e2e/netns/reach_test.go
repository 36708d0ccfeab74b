package netns

import (
	"testing"
	"time"
)

// TestBothBehindRouters: two homes, each behind address translation. The two
// sides find each other directly; nobody configured anything. A session may
// begin on the relay, where that way answers first: it does not stay there.
func TestBothBehindRouters(t *testing.T) {
	s := newScene(t, Options{})
	s.session()
	direct := func(p pair) bool {
		return p.Local.CandidateType != "" && p.Local.CandidateType != "relay" && p.Remote.CandidateType != "relay" && p.Local.Protocol == "udp"
	}
	var p pair
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		if p = s.pair(); direct(p) {
			return
		}
	}
	t.Errorf("the way is not direct: %+v", p)
}

// TestRoutersThatGiveEveryConnectionAnotherPort: no direct way exists; the relay
// carries the session over UDP.
func TestRoutersThatGiveEveryConnectionAnotherPort(t *testing.T) {
	s := newScene(t, Options{Symmetric: true})
	s.session()
	if p := s.pair(); p.Local.RelayProtocol != "udp" && p.Remote.CandidateType != "relay" {
		t.Errorf("the way is %+v", p)
	}
}

// TestUDPBlocked: both routers drop every UDP packet. The session goes by the
// relay, over TLS, on the port of the pages.
func TestUDPBlocked(t *testing.T) {
	s := newScene(t, Options{BlockUDP: true})
	s.session()
	p := s.pair()
	if p.Local.CandidateType != "relay" || p.Local.RelayProtocol != "tls" || p.Local.URL != "turns:"+Server4+":443?transport=tcp" || p.Remote.CandidateType != "relay" {
		t.Errorf("the way is %+v", p)
	}
	for _, gate := range []Place{HostGate, TechGate} {
		n, err := s.net.Dropped(gate)
		s.must(err)
		if n == 0 {
			t.Errorf("%s dropped nothing: UDP was not blocked, or nobody tried it", gate)
		}
		t.Logf("%s dropped %d UDP packets", gate, n)
	}
}

// TestIPv6Only: no IPv4 anywhere.
func TestIPv6Only(t *testing.T) {
	s := newScene(t, Options{IPv6Only: true})
	s.session()
	if p := s.pair(); p.Local.CandidateType == "" {
		t.Errorf("no pair: %+v", p)
	}
}

// TestIPv6OnlyAndUDPBlocked: what is left is TLS.
func TestIPv6OnlyAndUDPBlocked(t *testing.T) {
	s := newScene(t, Options{IPv6Only: true, BlockUDP: true})
	s.session()
	if p := s.pair(); p.Local.RelayProtocol != "tls" || p.Local.URL != "turns:["+Server6+"]:443?transport=tcp" {
		t.Errorf("the way is %+v", p)
	}
}

// TestOneSideHasIPv4AndTheOtherIPv6: no direct way can exist. Both get a relayed
// address of the same kind, whatever they came by.
func TestOneSideHasIPv4AndTheOtherIPv6(t *testing.T) {
	s := newScene(t, Options{Mixed: true})
	s.session()
	if p := s.pair(); p.Local.CandidateType != "relay" || p.Local.Address != Server4 {
		t.Errorf("the way is %+v", p)
	}
}
