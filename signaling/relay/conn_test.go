package relay

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/mainforte/mainforte/signaling/limit"
)

// TestNothingIsClosedUnderARequest: pion/turn v5.1.0 ends the process if an
// allocation is deleted while a permission is added to it.
func TestNothingIsClosedUnderARequest(t *testing.T) {
	s := start(t, "203.0.113.5", nil)
	viewer := dialUDP(t, s, credentials(t, s, ses, them, ""))
	viewer.mustAllocate()
	var c *conn
	s.mu.Lock()
	for _, c = range s.relayed {
	}
	s.mu.Unlock()
	if !c.begin() {
		t.Fatal("refused before its end")
	}
	s.End(ses)
	if s.Stats().Allocations != 1 {
		t.Fatal("closed while a request is worked on")
	}
	if c.begin() {
		t.Error("another request may add a permission")
	}
	c.done()
	if s.Stats().Allocations != 0 {
		t.Fatal("not closed after the request")
	}
}

// TestNoPermissionNearTheEnd: the same, for pion's own timer.
func TestNoPermissionNearTheEnd(t *testing.T) {
	s := start(t, "203.0.113.5", nil)
	at := serve(t, s)
	host := dialUDP(t, s, credentials(t, s, ses, Host, ""))
	h := host.mustAllocate()
	cred := credentials(t, s, ses, them, "")
	short := raw{Type: stun.AttrLifetime, Value: []byte{0, 0, 0, byte(nearEnd/time.Second) - 1}}
	long := raw{Type: stun.AttrLifetime, Value: []byte{0, 0, 2, 0}}
	for what, c := range map[string]*client{"UDP": dialUDP(t, s, cred), "TCP": dialTCP(t, at, cred)} {
		if _, code := c.allocate(short); code != 0 {
			t.Fatal(code)
		}
		if code := c.permission(h); code == 0 {
			t.Errorf("%s: a permission was added that near", what)
		}
		// A refresh that may fail, and that of another side, do not count.
		for _, a := range []stun.Setter{raw{Type: stun.AttrRequestedAddressFamily, Value: []byte{2, 0, 0, 0}}} {
			if code := c.code(stun.MethodRefresh, long, a); code == 0 {
				t.Errorf("%s: refreshed with another family", what)
			}
			if code := c.permission(h); code == 0 {
				t.Errorf("%s: a refresh that failed counted", what)
			}
		}
		if code := c.code(stun.MethodRefresh, long); code != 0 {
			t.Fatal(code)
		}
		if code := c.permission(h); code != 0 {
			t.Errorf("%s: refused after a refresh: %d", what, code)
		}
	}
	for _, c := range []struct {
		attrs []stun.Setter
		want  time.Duration
	}{
		{nil, allocationLife},
		{[]stun.Setter{raw{Type: stun.AttrLifetime, Value: []byte{0, 0, 1, 0}}}, 256 * time.Second},
		{[]stun.Setter{raw{Type: stun.AttrLifetime, Value: []byte{0, 1, 0, 0}}}, allocationLife},
		{[]stun.Setter{raw{Type: stun.AttrLifetime, Value: []byte{1}}}, allocationLife},
	} {
		m := stun.MustBuild(append([]stun.Setter{stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest)}, c.attrs...)...)
		if got, ok := lifetime(m.Raw); !ok || got != c.want {
			t.Errorf("lifetime of %v: %v", c.attrs, got)
		}
	}
}

// TestSessionsEndUnderFire: ends in the middle of requests, by UDP and TCP, many
// times over. It is the race detector and the process itself that judge.
func TestSessionsEndUnderFire(t *testing.T) {
	s := start(t, "203.0.113.5", func(c *Config) { c.Limits.Strangers = limit.Every{N: 1 << 20, In: time.Second} })
	at := serve(t, s)
	credentials(t, s, ses, Host, "198.51.100.1")
	var all sync.WaitGroup
	for i := range 40 {
		cred := credentials(t, s, ses, them, "")
		var c *client
		if i%2 == 0 {
			c = dialUDP(t, s, cred)
		} else {
			c = dialTCP(t, at, cred)
		}
		c.mustAllocate()
		to := peer(netip.MustParseAddrPort("198.51.100.1:40000"))
		m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodCreatePermission, stun.ClassRequest), to,
			stun.NewUsername(cred.Username), c.realm, c.nonce, stun.NewLongTermIntegrity(cred.Username, c.realm.String(), cred.Credential))
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for range 20 {
				if _, err := c.conn.Write(m.Raw); err != nil {
					return
				}
			}
		})
		s.Release(ses, them)
	}
	all.Wait()
	waitFor(t, "allocations are left", func() bool { return s.Stats().Allocations == 0 })
}
