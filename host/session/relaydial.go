package session

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pion/stun/v4"
	"golang.org/x/net/http/httpproxy"

	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// relayDialTime bounds how long a relay over TCP may take to answer.
const relayDialTime = 5 * time.Second

// relayDialer opens the TCP connections to relays, over TLS where the URL says
// turns. pion/ice v4.4.2 would do so itself, but can be given neither roots to
// trust (only not to check at all), nor an IPv6 address, nor a proxy.
type relayDialer struct {
	ctx    context.Context
	tls    *tls.Config // as towards the server; may be nil
	secure func(addr string) bool
	proxy  func(addr string) (*url.URL, error)
}

func (h *Host) relayDialer() relayDialer {
	return relayDialer{ctx: h.ctx, tls: h.cfg.TLS, secure: h.relayIsSecure, proxy: environmentProxy}
}

// environmentProxy is the proxy that this computer's settings name for a TLS
// connection, the one by which the server is reached too.
func environmentProxy(addr string) (*url.URL, error) {
	return httpproxy.FromEnvironment().ProxyFunc()(&url.URL{Scheme: "https", Host: addr})
}

// Dial makes a relayDialer a proxy.Dialer. pion/ice asks with "tcp4" whatever the
// network is; the relay's name decides here.
func (d relayDialer) Dial(_, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.ctx, relayDialTime)
	defer cancel()
	conn, err := d.reach(ctx, addr)
	if err != nil || !d.secure(addr) {
		return conn, err
	}
	cfg := d.tls.Clone()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg.MinVersion = tls.VersionTLS12
	if cfg.ServerName, _, err = net.SplitHostPort(addr); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	cfg.NextProtos = []string{"stun.turn"} // RFC 7443; it may share the port with HTTP
	secured := tls.Client(conn, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}

// reach connects to addr, through the proxy if there is one.
func (d relayDialer) reach(ctx context.Context, addr string) (net.Conn, error) {
	proxy, err := d.proxy(addr)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	if proxy == nil || !d.secure(addr) || proxy.Scheme != "http" {
		return dialer.DialContext(ctx, "tcp", addr)
	}
	host := proxy.Host
	if proxy.Port() == "" {
		host = net.JoinHostPort(proxy.Hostname(), "80")
	}
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	if err := tunnel(conn, proxy, addr); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// tunnel asks an HTTP proxy for a connection to addr, RFC 9110 §9.3.6.
func tunnel(conn net.Conn, proxy *url.URL, addr string) error {
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		a := http.Request{Header: http.Header{}}
		a.SetBasicAuth(u.Username(), password)
		r.Header.Set("Proxy-Authorization", a.Header.Get("Authorization"))
	}
	if err := r.Write(conn); err != nil {
		return err
	}
	// The far side says nothing before we do: what is read is the proxy's.
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, 16<<10)), r)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the proxy answered %s", resp.Status)
	}
	return nil
}

// relayIsSecure tells whether a relay's URL said turns.
func (h *Host) relayIsSecure(addr string) bool {
	all := h.secureRelays.Load()
	return all != nil && (*all)[strings.ToLower(addr)]
}

// secureRelays are the addresses, host:port, of the relays over TLS.
func secureRelays(m *mfpb.Relay) map[string]bool {
	all := map[string]bool{}
	for _, s := range m.GetServers() {
		for _, u := range s.GetUrls() {
			if p, err := stun.ParseURI(u); err == nil && p.Scheme == stun.SchemeTypeTURNS && p.Proto == stun.ProtoTypeTCP {
				all[strings.ToLower(net.JoinHostPort(p.Host, fmt.Sprint(p.Port)))] = true
			}
		}
	}
	return all
}
