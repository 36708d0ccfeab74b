package session

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// far is a relay over TLS that says its protocol and then "hello".
func far(t *testing.T) (addr string, roots *x509.CertPool) {
	t.Helper()
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	cfg := cert.TLS.Clone()
	roots = x509.NewCertPool()
	roots.AddCert(cert.Certificate())
	cert.Close()
	cfg.NextProtos = []string{"http/1.1", "stun.turn"}
	l, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if c.(*tls.Conn).Handshake() == nil {
				_, _ = io.WriteString(c, c.(*tls.Conn).ConnectionState().NegotiatedProtocol+" hello")
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String(), roots
}

func direct(string) (*url.URL, error) { return nil, nil }

func heard(t *testing.T, d relayDialer, addr string) (string, error) {
	t.Helper()
	c, err := d.Dial("tcp4", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, ok := c.LocalAddr().(*net.TCPAddr); !ok {
		t.Errorf("pion/ice needs a TCP address and gets %T", c.LocalAddr())
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

func TestARelayOverTLSIsTrustedByTheSameRoots(t *testing.T) {
	addr, roots := far(t)
	d := relayDialer{ctx: context.Background(), tls: &tls.Config{RootCAs: roots}, proxy: direct,
		secure: func(a string) bool { return a == addr }}
	if got, err := heard(t, d, addr); err != nil || got != "stun.turn hello" {
		t.Errorf("%q, %v", got, err)
	}
	for what, cfg := range map[string]*tls.Config{"other roots": {RootCAs: x509.NewCertPool()}, "the system's roots": nil} {
		d.tls = cfg
		if got, err := heard(t, d, addr); err == nil {
			t.Errorf("by %s: %q", what, got)
		}
	}
	d.tls = &tls.Config{RootCAs: roots}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	d.secure = func(string) bool { return true }
	if got, err := heard(t, d, net.JoinHostPort("localhost", port)); err == nil {
		t.Errorf("a name that the certificate does not hold: %q", got)
	}
}

func TestWhichRelaysSpeakTLS(t *testing.T) {
	m := &mfpb.Relay{Servers: []*mfpb.IceServer{
		{Urls: []string{"stun:a.example:3478"}},
		{Urls: []string{"turn:a.example:3478?transport=udp", "turns:A.example:443?transport=tcp", "turn:b.example:80?transport=tcp", "turns:c.example", "turns:[2001:db8::1]:8443?transport=tcp", "nonsense"}},
	}}
	h := &Host{}
	if h.relayIsSecure("a.example:443") {
		t.Error("before any was named")
	}
	all := secureRelays(m)
	h.secureRelays.Store(&all)
	for addr, want := range map[string]bool{
		"a.example:443": true, "A.Example:443": true, "a.example:3478": false, "b.example:80": false,
		"c.example:5349": true, "[2001:db8::1]:8443": true, "": false,
	} {
		if got := h.relayIsSecure(addr); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}

// TestARelayBehindAProxy: where only a proxy leads out, it leads to the relay too.
func TestARelayBehindAProxy(t *testing.T) {
	addr, roots := far(t)
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := strings.Cut(r.Header.Get("Proxy-Authorization"), " ")
		asked = append(asked, r.Method+" "+r.Host+" "+password)
		if r.Host != addr {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		out, err := net.Dial("tcp", r.Host)
		if err != nil {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		in, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			out.Close()
			return
		}
		_, _ = io.WriteString(in, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { _, _ = io.Copy(out, in); out.Close() }()
		_, _ = io.Copy(in, out)
		in.Close()
	}))
	defer proxy.Close()
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("ann", "pass")
	d := relayDialer{ctx: context.Background(), tls: &tls.Config{RootCAs: roots},
		secure: func(string) bool { return true }, proxy: func(string) (*url.URL, error) { return u, nil }}
	if got, err := heard(t, d, addr); err != nil || got != "stun.turn hello" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := heard(t, d, "relay.invalid:443"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a proxy that refuses: %v", err)
	}
	if len(asked) != 2 || asked[0] != "CONNECT "+addr+" YW5uOnBhc3M=" {
		t.Errorf("the proxy was asked %q", asked)
	}
}

// TestAProxyThatTalksTooMuch: its answer is bounded, and its silence too.
func TestAProxyThatTalksTooMuch(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() {
		_, _ = http.ReadRequest(bufio.NewReader(theirs))
		_, _ = io.WriteString(theirs, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 64<<10))
		theirs.Close()
	}()
	if err := tunnel(ours, &url.URL{Host: "proxy"}, "relay.example:443"); err == nil {
		t.Error("an endless answer was taken")
	}
	ours.Close()

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d := relayDialer{ctx: ctx, secure: func(string) bool { return true },
		proxy: func(string) (*url.URL, error) { return &url.URL{Scheme: "http", Host: silent.Addr().String()}, nil }}
	if _, err := d.Dial("tcp4", "relay.example:443"); err == nil {
		t.Error("a silent proxy")
	}
}
