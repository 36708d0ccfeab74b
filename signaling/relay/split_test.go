package relay

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/mainforte/mainforte/certs"
)

// port is an HTTP server and a relay on one port.
type port struct {
	at    string
	trust *tls.Config // nil for a plain one
	split *Split
	relay *Server
}

func sharePort(t *testing.T, secure bool, first time.Duration) port {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := port{at: ln.Addr().String(), relay: start(t, "203.0.113.5", nil)}
	var cfg *tls.Config
	if secure {
		dir := t.TempDir()
		if _, err := certs.Dev(dir, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
		pair, err := certs.Load(filepath.Join(dir, certs.CertFile), filepath.Join(dir, certs.KeyFile))
		if err != nil {
			t.Fatal(err)
		}
		ca, err := os.ReadFile(filepath.Join(dir, certs.CAFile))
		if err != nil {
			t.Fatal(err)
		}
		p.trust = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
		p.trust.RootCAs.AppendCertsFromPEM(ca)
		cfg = certs.ServerConfig(pair)
		cfg.NextProtos = []string{"h2", "http/1.1", ALPN}
	}
	p.split = NewSplit(ln, cfg)
	if first != 0 {
		p.split.firstTime = first
	}
	web := &http.Server{TLSConfig: cfg, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto)
	}), ErrorLog: log.New(io.Discard, "", 0), Protocols: new(http.Protocols)}
	web.Protocols.SetHTTP1(true)
	web.Protocols.SetHTTP2(true)
	done := make(chan error, 3)
	go func() { done <- p.split.Run() }()
	go func() { done <- web.Serve(p.split.Web()) }()
	go func() { done <- p.relay.Serve(p.split.Relay()) }()
	t.Cleanup(func() {
		if err := p.split.Close(); err != nil {
			t.Error(err)
		}
		web.Close()
		for range 3 {
			if err := <-done; err != nil && err != http.ErrServerClosed && err != net.ErrClosed {
				t.Error(err)
			}
		}
	})
	return p
}

func (p port) dial(t *testing.T, alpn ...string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if p.trust == nil {
		return c
	}
	cfg := p.trust.Clone()
	cfg.NextProtos = alpn
	tc := tls.Client(c, cfg)
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	return tc
}

// turn proves that a connection reached the relay.
func (p port) turn(t *testing.T, c net.Conn) {
	t.Helper()
	cl := &client{t: t, conn: c, stream: true, realm: stun.NewRealm(name), cred: credentials(t, p.relay, ses, Host, "")}
	cl.mustAllocate()
}

// http1 proves that a connection reached the web server.
func http1(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "HTTP/1.1" {
		t.Fatalf("%q, %v", b, err)
	}
}

// TestOnePortForPagesAndRelay: every way in which browsers, hosts and TURN
// clients come.
func TestOnePortForPagesAndRelay(t *testing.T) {
	p := sharePort(t, true, 0)
	http1(t, p.dial(t, "http/1.1"))
	http1(t, p.dial(t)) // as gorilla/websocket dials
	p.turn(t, p.dial(t))
	p.turn(t, p.dial(t, ALPN))

	tr := &http.Transport{TLSClientConfig: p.trust.Clone(), ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr, Timeout: 3 * time.Second}).Get("https://" + p.at + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "HTTP/2.0" {
		t.Errorf("HTTP/2: %q, %v", b, err)
	}
}

// TestOnePlainPort: as on loopback.
func TestOnePlainPort(t *testing.T) {
	p := sharePort(t, false, 0)
	http1(t, p.dial(t))
	p.turn(t, p.dial(t))
}

// TestWhoSpeaksPlainHTTPToTLSIsTold: net/http's answer is not lost.
func TestWhoSpeaksPlainHTTPToTLSIsTold(t *testing.T) {
	p := sharePort(t, true, 0)
	c, err := net.Dial("tcp", p.at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(b), "HTTPS server") {
		t.Errorf("%q, %v", b, err)
	}
}

// TestASilentConnectionEnds: before TLS, within it, and after it.
func TestASilentConnectionEnds(t *testing.T) {
	p := sharePort(t, true, time.Second)
	silent, err := net.Dial("tcp", p.at)
	if err != nil {
		t.Fatal(err)
	}
	half, err := net.Dial("tcp", p.at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := half.Write([]byte{22, 3, 1}); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]net.Conn{"before TLS": silent, "within TLS": half, "after TLS": p.dial(t)} {
		if !ended(t, c, 5*time.Second) {
			t.Errorf("silent %s: it stays", what)
		}
		c.Close()
	}
	// One that said what it is has its time.
	c := p.dial(t)
	if _, err := c.Write([]byte("G")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1200 * time.Millisecond)
	if _, err := io.WriteString(c, "ET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != 200 {
		t.Errorf("slow HTTP: %v", err)
	}
}

// TestClosingWaitsForNobody: an undecided connection does not hold the end.
func TestClosingWaitsForNobody(t *testing.T) {
	p := sharePort(t, true, time.Minute)
	handshaken := p.dial(t)
	defer handshaken.Close()
	c, err := net.Dial("tcp", p.at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	waitFor(t, "not taken", func() bool { return p.split.undecided.Load() == 2 })
	began := time.Now()
	if err := p.split.Close(); err != nil {
		t.Fatal(err)
	}
	if !within(5*time.Second, &p.split.work) {
		c.Close() // so that the test ends
		t.Fatal("closing waits for a connection that says nothing")
	}
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("closing took %v", d)
	}
	if _, err := p.split.Web().Accept(); err != net.ErrClosed {
		t.Errorf("Accept: %v", err)
	}
}

// TestUndecidedConnectionsAreBounded: beyond the bound a new one is closed.
func TestUndecidedConnectionsAreBounded(t *testing.T) {
	p := sharePort(t, false, time.Minute)
	p.split.undecided.Store(maxUndecided)
	c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !ended(t, c, time.Second) {
		t.Error("it stays")
	}
	p.split.undecided.Store(0)
	http1(t, p.dial(t))
}
