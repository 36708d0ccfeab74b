package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mainforte/mainforte/certs"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/api"
	"github.com/mainforte/mainforte/signaling/audit/retention"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/relay"
	"github.com/mainforte/mainforte/signaling/tickets"
)

const serveAbout = `Runs the server. Without flags it keeps its data in ./data and answers on
http://127.0.0.1:8080. To be reached by others it needs a certificate and the
name that hosts dial:

  signaling serve --listen :443 --public-host help.example.org \
      --cert fullchain.pem --key privkey.pem

A changed certificate is taken while the server runs.

Host and browser that cannot reach each other are relayed: over UDP on port 3478,
and over TCP on the port of the pages, which is the one that every network lets
through.

Sessions are logged to the tickets of its own desk, and to those of the service
desks that an admin connects on the page /admin or that --desks names; signaling
desks check tries the latter.

People sign in by passwords, and by the providers that --sign-in names;
docs/sign-in.md says how to write it.`

// drainIn is how long the end may take.
const drainIn = 4 * time.Second

// Bounds of --grace. The keys of a session live no longer than the upper one.
const (
	minGrace = 10 * time.Second
	maxGrace = 10 * time.Minute
)

// options of serve.
type options struct {
	place                   api.Place
	listen, publicHost      string
	cert, key               string
	organisation, downloads string
	abuse                   string
	desks                   string
	desksAllow              string
	allow                   []netip.Prefix // of desksAllow
	providers               string
	require                 string
	roles                   []identity.Role // of require
	grace                   time.Duration
	turn                    turnOptions
	verbose                 bool
}

func serve(ctx context.Context, args []string, out, errs io.Writer) error {
	var o options
	err := flags("serve", serveAbout, args, out, func(f *flag.FlagSet) {
		f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`ADDRESS` to answer on, host:port")
		placeFlags(f, &o.place, "data")
		f.StringVar(&o.publicHost, "public-host", "", "`NAME` by which hosts reach this server, without a port; default: the host of --listen")
		f.StringVar(&o.cert, "cert", "", "`FILE` with the certificate chain, PEM")
		f.StringVar(&o.key, "key", "", "`FILE` with its key, PEM")
		f.StringVar(&o.organisation, "organisation", "", "`NAME` of your organisation, shown to the person")
		f.StringVar(&o.abuse, "abuse-contact", "", "`ADDRESS` where a person reports abuse besides: https://... or an e-mail address; shown on the receipt")
		f.StringVar(&o.downloads, "downloads", "", "`DIR` with the host programs; default: downloads beside --data")
		f.StringVar(&o.desks, "desks", "", "`FILE` with the service desks of other systems and the policy of tickets")
		f.StringVar(&o.desksAllow, "desks-allow", "", "`ADDRESSES` that service desks which an admin connects on the page may have although they are of this machine, its link or its cloud, or are reached by plain http; separated by commas, for instance 127.0.0.1,10.1.2.0/24")
		f.StringVar(&o.providers, "sign-in", "", "`FILE` with the sign-in providers (OpenID Connect) that may vouch for people")
		f.DurationVar(&o.grace, "grace", maxGrace, "`TIME` for which a session waits for a side that is lost, or for this server; 10s to 10m")
		f.StringVar(&o.require, "require-factor", "", "`ROLES` that must have a second factor or a passkey, separated by commas: technician, supervisor, auditor, admin; whoever has none yet can do nothing before getting one")
		o.turn.flags(f)
		f.BoolVar(&o.verbose, "verbose", false, "also log every request")
	})
	if err != nil {
		return err
	}
	secure, err := o.check()
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewJSONHandler(errs, &slog.HandlerOptions{Level: level}))

	var setup tickets.Setup
	if o.desks != "" {
		if setup, err = tickets.ReadDesks(o.desks); err != nil {
			return err
		}
	}
	var providers []identity.ProviderSetup
	if o.providers != "" {
		if providers, err = identity.ReadProviders(o.providers); err != nil {
			return err
		}
	}
	var pair *certs.Pair
	if secure {
		if pair, err = certs.Load(o.cert, o.key); err != nil {
			return err
		}
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("cannot answer on %s: %w", o.listen, err)
	}
	base := o.base(secure, ln.Addr())
	rel, err := o.relay(secure, ln.Addr(), log)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	srv, err := api.New(api.Config{
		Data: o.place.Data, Database: o.place.Database, PublicHost: o.publicHost, BaseURL: base, Organisation: o.organisation, Abuse: o.abuse,
		Downloads: o.downloads, Version: versionText(), Secure: secure, Logger: log, Grace: o.grace,
		Relay: rel, Desks: setup, DesksAllow: o.allow, Providers: providers, Require: o.roles,
	})
	if err != nil {
		return errors.Join(err, ln.Close(), closeRelay(rel))
	}
	if err := setupLink(ctx, srv, base, errs); err != nil {
		log.Error("no setup link", "error", err)
	}

	alive, end := context.WithCancel(context.WithoutCancel(ctx))
	var loops sync.WaitGroup
	defer func() { end(); loops.Wait() }()
	var cfg *tls.Config
	if secure {
		cfg = certs.ServerConfig(pair)
		cfg.NextProtos = append(cfg.NextProtos, relay.ALPN)
		loops.Go(func() { pair.Watch(alive, 5*time.Second, log) })
	}
	// Purging rests before the database is closed.
	purging, rest := context.WithCancel(ctx)
	defer rest()
	loops.Go(func() {
		keeperOf(srv.Log()).Loop(purging, func(r retention.Result, err error) {
			if err != nil {
				log.Error("what is due was not purged", "error", err)
				return
			}
			log.Info("purged", "policy", r.Policy.Name, "sessions", r.Sessions, "outside", r.Outside, "held", r.Held)
		})
	})
	// The port is split also without a relay of ours: then what speaks TURN is
	// turned away.
	port := relay.NewSplit(ln, cfg)
	web := srv.HTTP()
	failed := make(chan error, 3)
	loops.Go(func() { failed <- port.Run() })
	loops.Go(func() { failed <- web.Serve(port.Web()) })
	loops.Go(func() { failed <- o.turn.serve(rel, port) })
	fmt.Fprintf(out, "Mainforte is ready: %s\n", base)

	select {
	case err = <-failed:
		err = fmt.Errorf("the listener failed: %w", err)
	case <-ctx.Done():
		log.Info("stopping")
		err = nil
	}
	rest()
	drain, cancel := context.WithTimeout(alive, drainIn)
	defer cancel()
	if e := port.Close(); e != nil {
		log.Warn("the listener was not closed", "error", e)
	}
	// Shutdown leaves WebSockets alone; Close of the server ends those. A request
	// that takes too long is cut off, as it would be by the end of the process.
	stop := make(chan struct{})
	loops.Go(func() {
		defer close(stop)
		if err := web.Shutdown(drain); err != nil {
			web.Close()
		}
	})
	closed := make(chan error, 1)
	go func() { closed <- srv.Close(drain) }()
	select {
	case e := <-closed:
		if e != nil {
			log.Warn("not everything ended by itself", "error", e)
		}
	case <-time.After(drainIn + 900*time.Millisecond):
		// A disk that hangs. What is not durable was not acknowledged either.
		err = errors.Join(err, errors.New("the database does not answer; ended without it"))
	}
	<-stop
	if e := closeRelay(rel); e != nil {
		log.Warn("the relay did not end by itself", "error", e)
	}
	return err
}

// check fills what was left out and refuses what would be unsafe or could not
// work, with what to do instead.
func (o *options) check() (secure bool, err error) {
	for word := range strings.SplitSeq(o.require, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		r, ok := identity.ParseRole(word)
		if !ok {
			return false, usage(fmt.Sprintf("--require-factor: %q is no role: technician, supervisor, auditor or admin", word))
		}
		o.roles = append(o.roles, r)
	}
	for text := range strings.SplitSeq(o.desksAllow, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		p, ok := tickets.ParseRange(text)
		if !ok {
			return false, usage(fmt.Sprintf("--desks-allow: %q is neither an address nor a range like 127.0.0.0/8", text))
		}
		o.allow = append(o.allow, p)
	}
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return false, usage(fmt.Sprintf("--listen %q is not host:port, for instance 127.0.0.1:8080 or :443", o.listen))
	}
	if o.abuse != "" {
		if strings.Contains(o.abuse, "@") && !strings.Contains(o.abuse, ":") {
			o.abuse = "mailto:" + o.abuse
		}
		u, err := url.Parse(o.abuse)
		if err != nil || len(o.abuse) > 256 || (u.Scheme != "https" || u.Host == "") && (u.Scheme != "mailto" || u.Opaque == "") {
			return false, usage(fmt.Sprintf("--abuse-contact %q is neither an https address nor an e-mail address", o.abuse))
		}
	}
	secure = o.cert != "" || o.key != ""
	if secure && (o.cert == "" || o.key == "") {
		return false, usage("--cert and --key belong together")
	}
	if !secure && !loopback(host) {
		return false, usage(fmt.Sprintf(`plain HTTP is only for this computer, and %q can be reached from others.
Give a certificate:           --cert FILE --key FILE
or make one to try things:    signaling certs dev --out certs/dev NAME
or stay on this computer:     --listen 127.0.0.1:8080`, o.listen))
	}
	if o.grace < minGrace || o.grace > maxGrace {
		return false, usage(fmt.Sprintf("--grace %v is not between %v and %v", o.grace, minGrace, maxGrace))
	}
	if o.publicHost == "" {
		if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
			return false, usage("--public-host NAME is needed: the name by which hosts reach this server, for instance help.example.org")
		}
		o.publicHost = host
	}
	name, err := wire.ServerName(o.publicHost)
	if err != nil {
		return false, usage(fmt.Sprintf("--public-host %q is neither a name nor an address", o.publicHost))
	}
	o.publicHost = name
	if err := o.turn.check(host, secure); err != nil {
		return false, err
	}
	if o.downloads == "" {
		o.downloads = filepath.Join(filepath.Dir(filepath.Clean(o.place.Data)), "downloads")
	}
	return secure, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// base is the address of the pages: the public name and the port that was got.
func (o *options) base(secure bool, got net.Addr) string {
	u := url.URL{Scheme: "http", Host: o.publicHost}
	if secure {
		u.Scheme = "https"
	}
	_, port, err := net.SplitHostPort(got.String())
	if err != nil {
		port = ""
	}
	switch {
	case port == "" || secure && port == "443":
		if ip, err := netip.ParseAddr(o.publicHost); err == nil && ip.Is6() {
			u.Host = "[" + o.publicHost + "]"
		}
	default:
		u.Host = net.JoinHostPort(o.publicHost, port)
	}
	return u.String()
}

// setupLink prints, to errs only, the link for the first administrator while
// there is no user at all.
func setupLink(ctx context.Context, srv *api.Server, base string, errs io.Writer) error {
	token, err := srv.Users().SetupLink(ctx)
	if err != nil || token == "" {
		return err
	}
	_, err = fmt.Fprintf(errs, "There is no user yet. This link makes the first administrator, once, within 15 minutes:\n  %s/signin/%s\n", base, token)
	return err
}
