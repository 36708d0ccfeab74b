package relay

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/mainforte/mainforte/signaling/limit"
)

// clock is a time that passes when a test says so.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.at.Store(time.Now().UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()) }
func (c *clock) pass(d time.Duration) { c.at.Add(int64(d)) }

// TestOnlyCredentialsGivenOutAreGood (R1, R2, R3).
func TestOnlyCredentialsGivenOutAreGood(t *testing.T) {
	clock := newClock()
	s := start(t, "203.0.113.5", func(c *Config) { c.Now = clock.now })
	cred := credentials(t, s, ses, Host, "")
	try := func(cred ICEServer) stun.ErrorCode {
		_, code := dialUDP(t, s, cred).allocate()
		return code
	}
	if code := try(cred); code != 0 {
		t.Fatalf("the right one: %d", code)
	}
	later := strconv.FormatInt(clock.now().Add(time.Hour).Unix(), 10) + ":"
	forged := func(username string) ICEServer {
		return ICEServer{Username: username, Credential: s.secret.password(username)}
	}
	for what, bad := range map[string]ICEServer{
		"a wrong password":                    {Username: cred.Username, Credential: "c2VjcmV0"},
		"no password":                         {Username: cred.Username},
		"a longer life, rightly signed":       forged(later + ses + ":" + Host),
		"another side, rightly signed":        forged(later + ses + ":viewer-9"),
		"another session, rightly signed":     forged(later + "none:host"),
		"no session":                          forged(later),
		"no expiry":                           forged(ses + ":" + Host),
		"nothing":                             forged(""),
		"another's password":                  {Username: cred.Username, Credential: credentials(t, s, "another", Host, "").Credential},
		"something in the name of a username": forged(later + ses + ":" + Host + ":"),
	} {
		before := s.Stats().BadAuth
		if code := try(bad); code == 0 {
			t.Errorf("%s was taken", what)
		}
		if s.Stats().BadAuth == before {
			t.Errorf("%s was not counted", what)
		}
	}
	clock.pass(s.cfg.Limits.Life + time.Second)
	if code := try(cred); code == 0 {
		t.Error("an expired credential made an allocation (R2)")
	}
}

// TestAnAllocationOutlivesItsCredential: a session is longer than 10 minutes;
// what it has allocated is refreshed with the credential it has.
func TestAnAllocationOutlivesItsCredential(t *testing.T) {
	clock := newClock()
	s := start(t, "203.0.113.5", func(c *Config) { c.Now = clock.now })
	host := dialUDP(t, s, credentials(t, s, ses, Host, ""))
	viewer := dialUDP(t, s, credentials(t, s, ses, them, ""))
	host.mustAllocate()
	v := viewer.mustAllocate()
	clock.pass(time.Hour)
	if code := host.code(stun.MethodRefresh); code != 0 {
		t.Errorf("refresh: %d", code)
	}
	if code := host.permission(v); code != 0 {
		t.Errorf("permission: %d", code)
	}
	// And with a newer one, that comes at a resume.
	for range keepIssued {
		clock.pass(time.Second)
		host.cred = credentials(t, s, ses, Host, "")
	}
	if code := host.code(stun.MethodRefresh); code != 0 {
		t.Errorf("refresh with the newest: %d", code)
	}
	// But nobody else's.
	host.cred = viewer.cred
	if res, err := host.request(stun.MethodRefresh); err == nil && res.Type.Class == stun.ClassSuccessResponse {
		t.Error("the other side's credential refreshed an allocation")
	}
}

// TestTheEndOfASessionEndsItsAllocations (R18), also of one side alone.
func TestTheEndOfASessionEndsItsAllocations(t *testing.T) {
	s := start(t, "203.0.113.5", nil)
	hostCred := credentials(t, s, ses, Host, "")
	host, viewer := dialUDP(t, s, hostCred), dialUDP(t, s, credentials(t, s, ses, them, ""))
	other := dialUDP(t, s, credentials(t, s, "another", Host, ""))
	host.mustAllocate()
	v := viewer.mustAllocate()
	other.mustAllocate()
	if c := host.permission(v); c != 0 {
		t.Fatal(c)
	}

	s.Release(ses, them)
	waitFor(t, "the viewer's allocation stays", func() bool { return s.Stats().Allocations == 2 })
	before := s.Stats().RefusedOut
	host.send(v, "x")
	waitFor(t, "a packet left for a side that is gone", func() bool { return s.Stats().RefusedOut > before })
	if _, code := viewer.allocate(); code == 0 {
		t.Error("the credential of a side that is gone made an allocation")
	}

	s.End(ses)
	waitFor(t, "the host's allocation stays", func() bool { return s.Stats().Allocations == 1 })
	if _, code := dialUDP(t, s, hostCred).allocate(); code == 0 {
		t.Error("the credential of a session that ended made an allocation")
	}
	if code := other.code(stun.MethodRefresh); code != 0 {
		t.Errorf("another session lost its allocation: %d", code)
	}
	if st := s.Stats(); st.Sessions != 1 || st.Parties != 1 {
		t.Errorf("what is left: %+v", st)
	}
	s.End(ses) // again, and of what never was
	s.Release("never", Host)
}

// TestQuotas (R12): of one side, of all, of sessions and of sides.
func TestQuotas(t *testing.T) {
	s := start(t, "203.0.113.5", func(c *Config) {
		c.Limits = Limits{PerParty: 2, Total: 3, Sessions: 2, Parties: 2}
	})
	cred := credentials(t, s, ses, Host, "")
	for range 2 {
		dialUDP(t, s, cred).mustAllocate()
	}
	if _, code := dialUDP(t, s, cred).allocate(); code != stun.CodeAllocQuotaReached {
		t.Errorf("the third of a side: %d", code)
	}
	viewer := credentials(t, s, ses, them, "")
	one := dialUDP(t, s, viewer)
	one.mustAllocate()
	if _, code := dialUDP(t, s, viewer).allocate(); code != stun.CodeAllocQuotaReached {
		t.Errorf("the fourth of all: %d", code)
	}
	// What is given back can be had again.
	if code := one.code(stun.MethodRefresh, raw{Type: stun.AttrLifetime, Value: []byte{0, 0, 0, 0}}); code != 0 {
		t.Fatal(code)
	}
	dialUDP(t, s, viewer).mustAllocate()

	if _, err := s.Credentials(ses, "viewer-2", netip.Addr{}); err != ErrFull {
		t.Errorf("a third side: %v", err)
	}
	credentials(t, s, "second", Host, "")
	if _, err := s.Credentials("third", Host, netip.Addr{}); err != ErrFull {
		t.Errorf("a third session: %v", err)
	}
	if n := s.Stats().Quota; n != 2 {
		t.Errorf("%d refusals counted", n)
	}
}

// TestQuotaHoldsWhereTheAddressIsBound: the answer 486 is a courtesy; the bound
// is kept where the address is made.
func TestQuotaHoldsWhereTheAddressIsBound(t *testing.T) {
	s := start(t, "203.0.113.5", func(c *Config) { c.Limits.PerParty = 1 })
	dialUDP(t, s, credentials(t, s, ses, Host, "")).mustAllocate()
	p := s.party(ses + ":" + Host)
	if err := s.enter(&conn{relayed: netip.MustParseAddrPort("203.0.113.5:1")}, p.userID()); err == nil {
		t.Error("a second address was entered")
	}
	if err := s.enter(&conn{}, "none:host"); err == nil {
		t.Error("an address of nobody was entered")
	}
}

// TestOnlyPlainUDPAllocations (R11).
func TestOnlyPlainUDPAllocations(t *testing.T) {
	s := start(t, "203.0.113.5", nil)
	cred := credentials(t, s, ses, Host, "")
	if code := dialUDP(t, s, cred).code(stun.MethodAllocate, raw{Type: stun.AttrRequestedTransport, Value: []byte{6, 0, 0, 0}}); code == 0 {
		t.Error("a TCP allocation was made")
	}
	for _, r := range []byte{0, 0x80} {
		if _, code := dialUDP(t, s, cred).allocate(raw{Type: stun.AttrEvenPort, Value: []byte{r}}); code == 0 {
			t.Error("a port was reserved")
		}
	}
	if _, code := dialUDP(t, s, cred).allocate(raw{Type: stun.AttrReservationToken, Value: []byte("12345678")}); code == 0 {
		t.Error("a reservation was taken")
	}
	viewer := dialUDP(t, s, credentials(t, s, ses, them, "198.51.100.1"))
	h := dialUDP(t, s, cred).mustAllocate()
	viewer.mustAllocate()
	for _, to := range []netip.AddrPort{h, netip.MustParseAddrPort("198.51.100.1:8080")} {
		if code := viewer.code(stun.MethodConnect, peer(to)); code == 0 {
			t.Errorf("a TCP connection to %v was made", to)
		}
	}
	if n := s.Stats().Allocations; n != 2 {
		t.Errorf("%d allocations", n)
	}
}

// TestBandwidth (R13): what is over a session's share is dropped, and another
// session does not notice.
func TestBandwidth(t *testing.T) {
	s := start(t, "203.0.113.5", func(c *Config) { c.Limits.Bandwidth = 5000 })
	pair := func(session string) (*client, *client, netip.AddrPort) {
		h, v := dialUDP(t, s, credentials(t, s, session, Host, "")), dialUDP(t, s, credentials(t, s, session, them, ""))
		to := v.mustAllocate()
		from := h.mustAllocate()
		if c := h.permission(to); c != 0 {
			t.Fatal(c)
		}
		if c := v.permission(from); c != 0 {
			t.Fatal(c)
		}
		return h, v, to
	}
	h, v, to := pair(ses)
	h2, v2, to2 := pair("another")
	kilo := strings.Repeat("x", 1000)
	for range 20 {
		h.send(to, kilo)
	}
	waitFor(t, "nothing was dropped", func() bool { return s.Stats().OverBudget >= 10 })
	n := 0
	for v.got(100*time.Millisecond) != "" {
		n++
	}
	if n < 4 || n > 8 {
		t.Errorf("%d of 20 packets arrived with room for 5", n)
	}
	h2.send(to2, "hello")
	if got := v2.got(time.Second); got != "hello" {
		t.Errorf("another session got %q", got)
	}
}

// TestManyChannelsEndAnAllocation (R14).
func TestManyChannelsEndAnAllocation(t *testing.T) {
	s := start(t, "203.0.113.5", func(c *Config) { c.Limits.Channels = 8 })
	credentials(t, s, ses, Host, "198.51.100.1")
	viewer := dialUDP(t, s, credentials(t, s, ses, them, ""))
	viewer.mustAllocate()
	for i := range 8 {
		if c := viewer.code(stun.MethodChannelBind, channelNumber(0x4000+i), peer(netip.AddrPortFrom(addr("198.51.100.1"), uint16(2000+i)))); c != 0 {
			t.Fatalf("channel %d: %d", i, c)
		}
	}
	if n := s.Stats().Allocations; n != 1 {
		t.Fatalf("%d allocations", n)
	}
	_, _ = viewer.request(stun.MethodChannelBind, channelNumber(0x4100), peer(netip.MustParseAddrPort("198.51.100.1:3000")))
	waitFor(t, "the allocation stays", func() bool { return s.Stats().Allocations == 0 })
}

// TestAFloodOfStrangersIsNotRead (R17), and does not touch who has an allocation.
func TestAFloodOfStrangersIsNotRead(t *testing.T) {
	s := start(t, "203.0.113.5", func(c *Config) {
		c.Limits.Strangers = limit.Every{N: 20, In: time.Hour}
	})
	host, viewer := dialUDP(t, s, credentials(t, s, ses, Host, "")), dialUDP(t, s, credentials(t, s, ses, them, ""))
	h, v := host.mustAllocate(), viewer.mustAllocate()
	host.permission(v)
	viewer.permission(h)
	flood, err := net.Dial("udp", host.conn.RemoteAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer flood.Close()
	m := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	answers := 0
	for range 200 {
		if _, err := flood.Write(m.Raw); err != nil {
			t.Fatal(err)
		}
	}
	b := make([]byte, 1500)
	for {
		if err := flood.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := flood.Read(b); err != nil {
			break
		}
		answers++
	}
	if answers > 20 {
		t.Errorf("%d of 200 were answered", answers)
	}
	if n := s.Stats().Strangers; n < 150 {
		t.Errorf("%d were dropped", n)
	}
	host.send(v, "still here")
	if got := viewer.got(time.Second); got != "still here" {
		t.Errorf("who has an allocation got %q", got)
	}
}

// TestSecretOfAFile: credentials are signed as other TURN servers expect, and a
// changed secret spoils nothing that was given out.
func TestSecretOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("short\n")
	if _, err := New(Config{PublicHost: name, SecretFile: file}); err == nil {
		t.Error("a short secret was taken")
	}
	write("north-sea-secret-1\nrest\n")
	s := start(t, "203.0.113.5", func(c *Config) {
		c.SecretFile, c.External = file, []string{"turns:relay.example.org:443?transport=tcp"}
	})
	old := credentials(t, s, ses, Host, "")
	// printf 1433065916:ab | openssl dgst -sha1 -hmac north-sea-secret-1 -binary | base64
	if got, want := secret("north-sea-secret-1").password("1433065916:ab"), "h4SWXcMKglnZvG53o80rhnLvvv4="; got != want {
		t.Errorf("the password is %s, openssl says %s", got, want)
	}
	if old.URLs[len(old.URLs)-1] != "turns:relay.example.org:443?transport=tcp" {
		t.Errorf("URLs %v", old.URLs)
	}
	write("north-sea-secret-2\n")
	if err := s.readSecret(); err != nil {
		t.Fatal(err)
	}
	changed := credentials(t, s, ses, Host, "")
	if changed.Credential != secret("north-sea-secret-2").password(changed.Username) {
		t.Error("the changed secret does not sign")
	}
	for what, cred := range map[string]ICEServer{"before": old, "after": changed} {
		if _, code := dialUDP(t, s, cred).allocate(); code != 0 {
			t.Errorf("given out %s the change: %d", what, code)
		}
	}
	write("")
	if err := s.readSecret(); err == nil {
		t.Error("an empty file was taken")
	}
	if s.secret != "north-sea-secret-2" {
		t.Error("a bad file took the secret away")
	}
}

// TestURLs: what clients are told, for each way of serving.
func TestURLs(t *testing.T) {
	for what, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"public":       {func(c *Config) { c.StreamPort, c.Secure = 443, true }, "stun:relay.test:PORT turn:relay.test:PORT?transport=udp turns:relay.test:443?transport=tcp"},
		"loopback":     {func(c *Config) { c.PublicHost, c.StreamPort = "localhost", 8080 }, "stun:127.0.0.1:PORT turn:127.0.0.1:PORT?transport=udp turn:127.0.0.1:8080?transport=tcp"},
		"no UDP":       {func(c *Config) { c.Listen, c.StreamPort, c.Secure = "", 8443, true }, "turns:relay.test:8443?transport=tcp"},
		"IPv6 literal": {func(c *Config) { c.PublicHost, c.StreamPort, c.Secure = "2001:db8::5", 443, true }, "stun:[2001:db8::5]:PORT turn:[2001:db8::5]:PORT?transport=udp turns:[2001:db8::5]:443?transport=tcp"},
		"external":     {func(c *Config) { c.Listen = ""; c.External = []string{"turn:a.example:3478"} }, "turn:a.example:3478"},
	} {
		s := start(t, "", c.change)
		cred, err := s.Credentials(ses, Host, netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, srv := range cred.Servers {
			got = append(got, srv.URLs...)
			if (srv.Credential == "") != strings.HasPrefix(srv.URLs[0], "stun:") {
				t.Errorf("%s: a credential for %v: %q", what, srv.URLs, srv.Credential)
			}
			for _, u := range srv.URLs {
				if _, err := stun.ParseURI(u); err != nil {
					t.Errorf("%s: %s: %v", what, u, err)
				}
			}
		}
		if want := strings.ReplaceAll(c.want, "PORT", strconv.Itoa(s.Port())); strings.Join(got, " ") != want {
			t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, " "), want)
		}
		if d := time.Until(cred.Expires); d < 9*time.Minute || d > 10*time.Minute {
			t.Errorf("%s: good for %v", what, d)
		}
	}
	for url, ok := range map[string]bool{
		"turn:a.example": true, "turns:a.example:443?transport=tcp": true, "stun:a.example": false,
		"https://a.example": false, "": false, "turn:a.example?transport=smoke": false,
	} {
		if err := CheckURL(url); (err == nil) != ok {
			t.Errorf("CheckURL(%q) = %v", url, err)
		}
	}
}

// TestNamesCannotBeConfused: a colon in a name would make one side another.
func TestNamesCannotBeConfused(t *testing.T) {
	s := start(t, "", nil)
	for _, bad := range []string{"", "a:b", "a b", "é", "a\x00", strings.Repeat("a", 65)} {
		if _, err := s.Credentials(bad, Host, netip.Addr{}); err != ErrName {
			t.Errorf("session %q: %v", bad, err)
		}
		if _, err := s.Credentials(ses, bad, netip.Addr{}); err != ErrName {
			t.Errorf("party %q: %v", bad, err)
		}
	}
}

// TestForgottenSessionsAreForgotten: nobody told the end, and an hour passes.
func TestForgottenSessionsAreForgotten(t *testing.T) {
	clock := newClock()
	s := start(t, "203.0.113.5", func(c *Config) { c.Now = clock.now })
	credentials(t, s, ses, them, "")
	host := dialUDP(t, s, credentials(t, s, ses, Host, ""))
	host.mustAllocate()
	s.forget()
	if n := s.Stats().Parties; n != 2 {
		t.Fatalf("%d sides after nothing", n)
	}
	clock.pass(s.cfg.Limits.Life + forgetAfter + time.Second)
	s.forget()
	if st := s.Stats(); st.Parties != 1 || st.Allocations != 1 {
		t.Errorf("the one with an allocation stays, the other does not: %+v", st)
	}
}

// TestAPortInUseIsSaid: two relays on one port.
func TestAPortInUseIsSaid(t *testing.T) {
	s := start(t, "", nil)
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port()))
	if _, err := New(Config{PublicHost: name, Listen: at}); err == nil || !strings.Contains(err.Error(), at) {
		t.Errorf("a second relay on %s: %v", at, err)
	}
	for _, bad := range []string{"nothing", "example.org:1", "127.0.0.1:x", "127.0.0.1:70000"} {
		if _, err := New(Config{PublicHost: name, Listen: bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	for _, bad := range [][]string{{"0.0.0.0"}, {"198.51.100.1", "198.51.100.2"}, {"ff02::1"}} {
		var ips []netip.Addr
		for _, b := range bad {
			ips = append(ips, addr(b))
		}
		if _, err := New(Config{PublicHost: name, PublicIPs: ips}); err == nil {
			t.Errorf("the public addresses %v were taken", bad)
		}
	}
}

// TestAddressesComeAndGo: a new address is answered on, one that is gone is left.
func TestAddressesComeAndGo(t *testing.T) {
	have := []netip.Addr{addr("127.0.0.1")}
	s := start(t, "", func(c *Config) {
		c.Listen = ":0"
		c.Addrs = func() ([]netip.Addr, error) { return have, nil }
	})
	answers := func(ip string) bool {
		c, err := net.Dial("udp", net.JoinHostPort(ip, strconv.Itoa(s.Port())))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		m := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
		if _, err := c.Write(m.Raw); err != nil {
			return false
		}
		if err := c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err = c.Read(make([]byte, 1500))
		return err == nil
	}
	if !answers("127.0.0.1") || answers("127.0.0.2") {
		t.Fatal("it does not answer where it should")
	}
	have = []netip.Addr{addr("127.0.0.2"), addr("::1")}
	if err := s.scan(); err != nil {
		t.Fatal(err)
	}
	if answers("127.0.0.1") || !answers("127.0.0.2") || !answers("::1") {
		t.Error("it does not follow the machine's addresses")
	}
}
