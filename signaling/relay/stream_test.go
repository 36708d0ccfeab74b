package relay

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// serve gives a relay a plain TCP listener and returns its address.
func serve(t *testing.T, s *Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		ln.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

func dialTCP(t *testing.T, at string, cred ICEServer) *client {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{t: t, conn: c, stream: true, cred: cred, realm: stun.NewRealm(name)}
}

// ended tells whether the other end closed the connection within d.
func ended(t *testing.T, c net.Conn, d time.Duration) bool {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(d)); err != nil {
		t.Fatal(err)
	}
	_, err := io.Copy(io.Discard, c)
	ne, ok := err.(net.Error)
	return !ok || !ne.Timeout()
}

// TestStreamsAndDatagramsMeet: one side by TCP, the other by UDP, both ways, with
// the same rules.
func TestStreamsAndDatagramsMeet(t *testing.T) {
	s := start(t, "203.0.113.5", nil)
	at := serve(t, s)
	host := dialTCP(t, at, credentials(t, s, ses, Host, ""))
	viewer := dialUDP(t, s, credentials(t, s, ses, them, ""))
	h, v := host.mustAllocate(), viewer.mustAllocate()
	for _, c := range []stun.ErrorCode{host.permission(v), viewer.permission(h)} {
		if c != 0 {
			t.Fatal(c)
		}
	}
	if c := host.permission(netip.MustParseAddrPort("10.20.0.1:80")); c == 0 {
		t.Error("by TCP, an address inside is reached")
	}
	host.send(v, "by TCP")
	if got := viewer.got(time.Second); got != "by TCP" {
		t.Errorf("the viewer got %q", got)
	}
	// By a channel, whose data is padded on streams.
	if c := host.code(stun.MethodChannelBind, channelNumber(0x4000), peer(v)); c != 0 {
		t.Fatal(c)
	}
	if _, err := host.conn.Write([]byte("\x40\x00\x00\x0bby channel!\x00")); err != nil {
		t.Fatal(err)
	}
	if got := viewer.got(time.Second); got != "by channel!" {
		t.Errorf("the viewer got %q", got)
	}
	viewer.send(h, "answer, odd")
	if got := host.got(time.Second); got != "answer, odd" {
		t.Errorf("the host got %q", got)
	}
	s.End(ses)
	if !ended(t, host.conn, time.Second) {
		t.Error("the stream of a session that ended stays (R18)")
	}
}

// TestABadStreamEnds (R15): each of these would hold memory, or the processor,
// for whoever sends it without a credential.
func TestABadStreamEnds(t *testing.T) {
	s := start(t, "203.0.113.5", nil)
	at := serve(t, s)
	header := func(length uint16) []byte {
		m := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
		binary.BigEndian.PutUint16(m.Raw[2:], length)
		return m.Raw
	}
	for what, b := range map[string][]byte{
		"a length that is 0 in 16 bits":    header(0xffec),
		"a length that is small in them":   header(0xfffc),
		"a long message":                   header(1600),
		"one byte too long for pion/turn":  header(maxFrame + 1 - 20),
		"a length that is no multiple":     header(3),
		"long channel data":                {0x40, 0, 0x06, 0x40},
		"channel data of all there is":     {0x40, 0, 0xff, 0xff},
		"HTTP":                             []byte("GET / HTTP/1.1\r\n"),
		"neither STUN nor a channel":       bytes.Repeat([]byte{0x80}, 40),
		"STUN without its cookie, and all": append([]byte{0, 1, 0, 0}, make([]byte, 16)...),
	} {
		before := s.Stats()
		c := dialTCP(t, at, ICEServer{})
		if _, err := c.conn.Write(b); err != nil {
			t.Fatal(err)
		}
		if !ended(t, c.conn, time.Second) {
			t.Errorf("%s: the stream stays", what)
		}
		if s.Stats().StreamsEnded == before.StreamsEnded && what != "STUN without its cookie, and all" {
			t.Errorf("%s: not counted", what)
		}
	}
	waitFor(t, "streams are remembered", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.streams)+len(s.waiting)+s.unproven == 0
	})
}

// TestAMessageInPiecesIsOneMessage, and two at once are two.
func TestAMessageInPiecesIsOneMessage(t *testing.T) {
	s := start(t, "203.0.113.5", nil)
	c := dialTCP(t, serve(t, s), ICEServer{})
	a, b := stun.MustBuild(stun.TransactionID, stun.BindingRequest), stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	for _, piece := range [][]byte{a.Raw[:1], a.Raw[1:7], append(a.Raw[7:len(a.Raw):len(a.Raw)], b.Raw...)} {
		if _, err := c.conn.Write(piece); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, m := range []*stun.Message{a, b} {
		if _, err := c.answer(m.TransactionID, time.Second); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAStreamWithoutAnAllocationEndsSoon (R16), one with an allocation does not,
// and one that gave it back has its time again.
func TestAStreamWithoutAnAllocationEndsSoon(t *testing.T) {
	s := start(t, "203.0.113.5", func(c *Config) { c.Limits.FirstTime = 300 * time.Millisecond })
	at := serve(t, s)
	silent := dialTCP(t, at, ICEServer{})
	asking := dialTCP(t, at, ICEServer{})
	host := dialTCP(t, at, credentials(t, s, ses, Host, ""))
	host.mustAllocate()
	ends := make(chan bool)
	go func() { ends <- ended(t, silent.conn, 2*time.Second) }()
	for range 8 { // binding requests are answered and buy no time
		m := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
		if _, err := asking.conn.Write(m.Raw); err != nil {
			break
		}
		time.Sleep(60 * time.Millisecond)
	}
	if !<-ends {
		t.Error("a silent stream stays")
	}
	if !ended(t, asking.conn, 500*time.Millisecond) {
		t.Error("a stream that only asks stays")
	}
	if c := host.code(stun.MethodRefresh); c != 0 {
		t.Errorf("one with an allocation: %d", c)
	}
	if c := host.code(stun.MethodRefresh, raw{Type: stun.AttrLifetime, Value: []byte{0, 0, 0, 0}}); c != 0 {
		t.Fatal(c)
	}
	if !ended(t, host.conn, 2*time.Second) {
		t.Error("a stream whose allocation is gone stays")
	}
}

// TestStreamsAreFew (R16): in all and from one address; those with an allocation
// do not count.
func TestStreamsAreFew(t *testing.T) {
	for what, l := range map[string]Limits{"in all": {Streams: 2}, "of an address": {AddrStreams: 2}} {
		s := start(t, "203.0.113.5", func(c *Config) { c.Limits = l })
		at := serve(t, s)
		cred := credentials(t, s, ses, Host, "")
		for range 3 { // one after the other: each counts only until it has an allocation
			dialTCP(t, at, cred).mustAllocate()
		}
		a, b := dialTCP(t, at, cred), dialTCP(t, at, cred)
		waitFor(t, what+": two are let in", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.unproven == 2 })
		if !ended(t, dialTCP(t, at, cred).conn, time.Second) {
			t.Errorf("%s: a third stays", what)
		}
		a.conn.Close()
		waitFor(t, what+": one left", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.unproven == 1 })
		dialTCP(t, at, cred).mustAllocate()
		b.mustAllocate()
	}
}

// TestAStreamThatTriesCredentialsEnds (R16).
func TestAStreamThatTriesCredentialsEnds(t *testing.T) {
	s := start(t, "203.0.113.5", nil)
	good := credentials(t, s, ses, Host, "")
	for what, cred := range map[string]ICEServer{
		"unknown": {Username: "1:2:3", Credential: "x"}, "a wrong signature": {Username: good.Username, Credential: "x"},
	} {
		c := dialTCP(t, serve(t, s), cred)
		n := 0
		for ; n < 100; n++ {
			if _, err := c.request(stun.MethodAllocate, raw(overUDP)); err != nil {
				break
			}
		}
		if n > maxBad+1 {
			t.Errorf("%s: %d tries", what, n)
		}
	}
}

// TestAClientThatTakesNothingEnds: writing to it must not hold the relay for ever.
func TestAClientThatTakesNothingEnds(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	s := start(t, "", nil)
	st := &stream{Conn: late{ours}, server: s}
	s.clients.Add(1)
	if _, err := st.Write([]byte("x")); err == nil {
		t.Fatal("written to nobody")
	}
	if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the stream stays: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

// late is a connection whose write time is over at once.
type late struct{ net.Conn }

func (l late) SetWriteDeadline(time.Time) error {
	return l.Conn.SetWriteDeadline(time.Now().Add(-time.Second))
}
