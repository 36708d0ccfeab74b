package relay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// Names of the test relays.
const (
	name = "relay.test"
	ses  = "01J0000000000000000000SESS"
	them = "viewer-1"
)

// start makes a relay on loopback that believes to be called public outside, and
// to have these addresses.
func start(t *testing.T, public string, change func(*Config), own ...string) *Server {
	t.Helper()
	cfg := Config{
		PublicHost: name, Listen: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Addrs: func() ([]netip.Addr, error) {
			var out []netip.Addr
			for _, a := range append([]string{"127.0.0.1", "::1"}, own...) {
				out = append(out, netip.MustParseAddr(a))
			}
			return out, nil
		},
	}
	if public != "" {
		cfg.PublicIPs = []netip.Addr{netip.MustParseAddr(public)}
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// credentials of one side, which the server sees at seen; the last server is TURN.
func credentials(t *testing.T, s *Server, session, party, seen string) ICEServer {
	t.Helper()
	c, err := s.Credentials(session, party, addr(seen))
	if err != nil {
		t.Fatal(err)
	}
	return c.Servers[len(c.Servers)-1]
}

// addr is the zero Addr for "".
func addr(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

// client is a TURN client that says exactly what it is told to, so that it can
// also say what a good one never would.
type client struct {
	t      *testing.T
	conn   net.Conn
	stream bool
	cred   ICEServer
	realm  stun.Realm
	nonce  stun.Nonce
	data   [][]byte // what Data indications and channels brought
}

func dialUDP(t *testing.T, s *Server, cred ICEServer) *client {
	t.Helper()
	var local net.Addr
	s.mu.Lock()
	for a := range s.endpoints {
		local = net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, s.port))
	}
	s.mu.Unlock()
	c, err := net.Dial("udp", local.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{t: t, conn: c, cred: cred, realm: stun.NewRealm(s.cfg.PublicHost)}
}

// request sends one request and returns the response; a first one fetches the
// nonce.
func (c *client) request(method stun.Method, attrs ...stun.Setter) (*stun.Message, error) {
	c.t.Helper()
	for range 2 {
		all := []stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}
		all = append(all, attrs...)
		if len(c.nonce) > 0 {
			all = append(all, stun.NewUsername(c.cred.Username), c.realm, c.nonce,
				stun.NewLongTermIntegrity(c.cred.Username, c.realm.String(), c.cred.Credential))
		}
		m, err := stun.Build(all...)
		if err != nil {
			c.t.Fatal(err)
		}
		if _, err := c.conn.Write(m.Raw); err != nil {
			return nil, err
		}
		res, err := c.answer(m.TransactionID, 2*time.Second)
		if err != nil {
			return nil, err
		}
		var code stun.ErrorCodeAttribute
		if code.GetFrom(res) == nil && (code.Code == stun.CodeUnauthorized && len(c.nonce) == 0 || code.Code == stun.CodeStaleNonce) {
			if err := c.nonce.GetFrom(res); err != nil {
				c.t.Fatal(err)
			}
			continue
		}
		return res, nil
	}
	return nil, errors.New("asked for a nonce twice")
}

// answer reads until the response to a transaction; data is kept.
func (c *client) answer(id [stun.TransactionIDSize]byte, wait time.Duration) (*stun.Message, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	for {
		b, err := c.message()
		if err != nil {
			return nil, err
		}
		if b[0]>>6 == 1 {
			c.data = append(c.data, b[4:4+binary.BigEndian.Uint16(b[2:])])
			continue
		}
		m := &stun.Message{Raw: b}
		if err := m.Decode(); err != nil {
			return nil, err
		}
		if m.Type == stun.NewType(stun.MethodData, stun.ClassIndication) {
			d, err := m.Get(stun.AttrData)
			if err != nil {
				return nil, err
			}
			c.data = append(c.data, bytes.Clone(d))
			continue
		}
		if m.TransactionID == id {
			return m, nil
		}
	}
}

func (c *client) message() ([]byte, error) {
	b := make([]byte, 2000)
	if !c.stream {
		n, err := c.conn.Read(b)
		return b[:n], err
	}
	if _, err := io.ReadFull(c.conn, b[:4]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if b[0]>>6 == 0 {
		n += 16
	} else {
		n = (n + 3) &^ 3
	}
	_, err := io.ReadFull(c.conn, b[4:4+n])
	return b[:4+n], err
}

// code is a request's error code, 0 for success.
func (c *client) code(method stun.Method, attrs ...stun.Setter) stun.ErrorCode {
	c.t.Helper()
	res, err := c.request(method, attrs...)
	if err != nil {
		c.t.Fatalf("%v: %v", method, err)
	}
	var code stun.ErrorCodeAttribute
	if err := code.GetFrom(res); err == nil {
		return code.Code
	}
	if res.Type.Class != stun.ClassSuccessResponse {
		c.t.Fatalf("%v was answered by %v", method, res.Type)
	}
	return 0
}

var overUDP = stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}}

type raw stun.RawAttribute

func (r raw) AddTo(m *stun.Message) error { m.Add(r.Type, r.Value); return nil }

// allocate asks for a relayed address.
func (c *client) allocate(attrs ...stun.Setter) (netip.AddrPort, stun.ErrorCode) {
	c.t.Helper()
	res, err := c.request(stun.MethodAllocate, append([]stun.Setter{raw(overUDP)}, attrs...)...)
	if err != nil {
		c.t.Fatalf("allocate: %v", err)
	}
	var code stun.ErrorCodeAttribute
	if err := code.GetFrom(res); err == nil {
		return netip.AddrPort{}, code.Code
	}
	var x stun.XORMappedAddress
	if err := x.GetFromAs(res, stun.AttrXORRelayedAddress); err != nil {
		c.t.Fatal(err)
	}
	ip, _ := netip.AddrFromSlice(x.IP)
	return netip.AddrPortFrom(ip.Unmap(), uint16(x.Port)), 0
}

func (c *client) mustAllocate() netip.AddrPort {
	c.t.Helper()
	a, code := c.allocate()
	if code != 0 {
		c.t.Fatalf("no allocation: %d", code)
	}
	return a
}

// peer is XOR-PEER-ADDRESS exactly as written: ::ffff:1.2.3.4 stays IPv6.
type peer netip.AddrPort

func (p peer) AddTo(m *stun.Message) error {
	ap := netip.AddrPort(p)
	b := ap.Addr().AsSlice()
	key := append([]byte{0x21, 0x12, 0xa4, 0x42}, m.TransactionID[:]...)
	for i := range b {
		b[i] ^= key[i]
	}
	family := byte(1)
	if len(b) == 16 {
		family = 2
	}
	m.Add(stun.AttrXORPeerAddress, append([]byte{0, family, byte(ap.Port()>>8) ^ 0x21, byte(ap.Port()) ^ 0x12}, b...))
	return nil
}

func channelNumber(n int) stun.Setter {
	return raw{Type: stun.AttrChannelNumber, Value: []byte{byte(n >> 8), byte(n), 0, 0}}
}

// permission asks to talk to an address; 0 is yes.
func (c *client) permission(to netip.AddrPort) stun.ErrorCode {
	c.t.Helper()
	return c.code(stun.MethodCreatePermission, peer(to))
}

// send sends a Send indication, which is never answered.
func (c *client) send(to netip.AddrPort, data string) {
	c.t.Helper()
	m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication), peer(to),
		raw{Type: stun.AttrData, Value: []byte(data)})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.conn.Write(m.Raw); err != nil {
		c.t.Fatal(err)
	}
}

// got is what arrived within a moment; the moment ends early when something did.
func (c *client) got(wait time.Duration) string {
	c.t.Helper()
	for until := time.Now().Add(wait); len(c.data) == 0 && time.Now().Before(until); {
		if _, err := c.answer([12]byte{}, 20*time.Millisecond); err != nil && !errors.Is(err, errTimeout) {
			var ne net.Error
			if !errors.As(err, &ne) || !ne.Timeout() {
				return fmt.Sprint(err)
			}
		}
	}
	if len(c.data) == 0 {
		return ""
	}
	d := string(c.data[0])
	c.data = c.data[1:]
	return d
}

var errTimeout = errors.New("timeout")
