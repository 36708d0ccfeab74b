package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"github.com/mainforte/mainforte/signaling/relay"
)

// turnOptions are those of the relay.
type turnOptions struct {
	listen     string
	publicIPs  []netip.Addr
	urls       []string
	secretFile string
	off        bool
}

// turnPort is where UDP is relayed by default, RFC 8656 §18.
const turnPort = "3478"

func (o *turnOptions) flags(f *flag.FlagSet) {
	f.StringVar(&o.listen, "turn-listen", "", "`ADDRESS` to relay on over UDP, host:port; default: port 3478 of --listen's host, any free port on loopback")
	f.Func("turn-public-ip", "`IP` by which others reach this server, if it stands behind address translation; twice for IPv4 and IPv6", func(v string) error {
		ip, err := netip.ParseAddr(v)
		if err == nil {
			o.publicIPs = append(o.publicIPs, ip)
		}
		return err
	})
	f.Func("turn-url", "`URL` of another relay, such as turns:relay.example.org:443?transport=tcp; may be given more than once", func(v string) error {
		o.urls = append(o.urls, v)
		return relay.CheckURL(v)
	})
	f.StringVar(&o.secretFile, "turn-secret-file", "", "`FILE` whose first line is the secret shared with the relays of --turn-url")
	f.BoolVar(&o.off, "no-turn", false, "do not relay here")
}

// check fills the default and refuses what could not work. host is that of
// --listen.
func (o *turnOptions) check(host string, secure bool) error {
	if len(o.urls) > 0 && o.secretFile == "" {
		return usage("--turn-url needs --turn-secret-file FILE: without the shared secret the relay there accepts nobody")
	}
	if o.off {
		if o.listen != "" || len(o.publicIPs) > 0 {
			return usage("--no-turn does not go with --turn-listen or --turn-public-ip")
		}
		return nil
	}
	if o.listen == "" {
		port := turnPort
		if !secure {
			port = "0"
		}
		if ip, err := netip.ParseAddr(host); err != nil && host != "localhost" || err == nil && ip.IsUnspecified() {
			host = "" // every address
		}
		o.listen = net.JoinHostPort(host, port)
		return nil
	}
	if _, _, err := net.SplitHostPort(o.listen); err != nil {
		return usage(fmt.Sprintf("--turn-listen %q is not host:port, for instance :3478", o.listen))
	}
	return nil
}

// relay starts the relay beside the pages that are answered at web; nil if there
// is none at all.
func (o *options) relay(secure bool, web net.Addr, log *slog.Logger) (*relay.Server, error) {
	if o.turn.off && len(o.turn.urls) == 0 {
		return nil, nil
	}
	cfg := relay.Config{
		PublicHost: o.publicHost, Secure: secure, PublicIPs: o.turn.publicIPs,
		External: o.turn.urls, SecretFile: o.turn.secretFile, Logger: log,
	}
	if tcp, ok := web.(*net.TCPAddr); ok && !o.turn.off {
		cfg.Listen, cfg.StreamPort = o.turn.listen, tcp.Port
	}
	s, err := relay.New(cfg)
	if err == nil {
		return s, nil
	}
	text := strings.TrimPrefix(err.Error(), "relay: ")
	if errors.Is(err, syscall.EADDRINUSE) {
		text += "\nIs another relay running here? Choose another port: --turn-listen :PORT, or none: --no-turn"
	}
	return nil, errors.New(text)
}

// serve gives the relay its streams. Without one, and where only others
// relay, they are turned away.
func (o *turnOptions) serve(s *relay.Server, port *relay.Split) error {
	if s != nil && !o.off {
		return s.Serve(port.Relay())
	}
	for {
		c, err := port.Relay().Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		_ = c.Close()
	}
}

func closeRelay(s *relay.Server) error {
	if s == nil {
		return nil
	}
	return s.Close()
}
