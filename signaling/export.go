package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/mainforte/mainforte/signaling/api"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/audit/bundle"
	"github.com/mainforte/mainforte/signaling/audit/formats"
	"github.com/mainforte/mainforte/signaling/audit/report"
	"github.com/mainforte/mainforte/signaling/identity"
)

const exportAbout = `Takes the session log out. It works while the server runs, and is itself logged.

  --out DIR                   the whole log with its proof and a HOWTO, for an
                              auditor; anyone can prove it with signaling verify,
                              or with openssl alone
  --format FORMAT --out FILE  the events for another program; - is output
  --format FORMAT --syslog HOST:PORT
                              the same as RFC 5424 messages over TLS
  --otlp URL                  the same as OpenTelemetry's logs over HTTP, JSON
  --webhook URL --secret FILE --state FILE
                              posts each event that is new from now on, signed,
                              to a program of yours; --only session.*,ticket.*
                              chooses which

Formats: jsonl (canonical; the schema is event.v1.json of every export), csv, cef,
ecs, ocsf, otlp. With --state only what is new since the last time is sent, and with
--follow everything from now on, until it is stopped.

Names and addresses stay out unless --personal is given: what was taken out with
them is not reached by a later purge.`

// exportOptions are the flags of export.
type exportOptions struct {
	place                                                    api.Place
	out, format, syslog, otlp, headers, ca, host, state, tsa string
	webhook, secret, only                                    string
	personal, follow                                         bool
}

func export(ctx context.Context, args []string, out, errs io.Writer) error {
	var o exportOptions
	err := flags("export", exportAbout, args, out, func(f *flag.FlagSet) {
		placeFlags(f, &o.place, "data")
		f.StringVar(&o.out, "out", "", "`DIR` or file to make")
		f.BoolVar(&o.personal, "personal", false, "with names and addresses, as far as they were not purged")
		f.StringVar(&o.tsa, "tsa", "", "`URL` of a timestamp authority, RFC 3161, that is to vouch for the time; it sees a hash only")
		f.StringVar(&o.format, "format", "", "`FORMAT` for another program")
		f.StringVar(&o.syslog, "syslog", "", "`HOST:PORT` of a collector, usually port 6514")
		f.StringVar(&o.otlp, "otlp", "", "`URL` of a collector, like https://collector.example.org:4318/v1/logs")
		f.StringVar(&o.webhook, "webhook", "", "`URL` to which events are posted, signed after standardwebhooks.com")
		f.StringVar(&o.secret, "secret", "", "`FILE` with the key of --webhook: whsec_ and the base64 of 24 to 64 random bytes")
		f.StringVar(&o.only, "only", "", "`TYPES` of events for --webhook, with commas between; default: all")
		f.StringVar(&o.headers, "headers", "", "`FILE` with the headers that the collector of --otlp wants, one a line: Authorization: Bearer TOKEN")
		f.StringVar(&o.ca, "ca", "", "`FILE` with the authority that vouches for the collector, PEM; default: the system's")
		f.StringVar(&o.host, "host", "", "`NAME` of this server in the messages; default: this computer's")
		f.StringVar(&o.state, "state", "", "`FILE` that remembers what was sent; made if missing")
		f.BoolVar(&o.follow, "follow", false, "go on sending what is new")
	})
	if err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	return api.Evidence(ctx, o.place, func(log *audit.Log, users *identity.Directory) error {
		if o.format == "" {
			return o.bundle(ctx, log, out)
		}
		return o.events(ctx, log, users, out, errs)
	})
}

// check refuses what could not work.
func (o *exportOptions) check() error {
	if o.otlp != "" {
		if o.format != "" && o.format != "otlp" || o.out != "" || o.syslog != "" || o.host != "" {
			return usage("--otlp sends otlp, and goes with neither another --format nor --out, --syslog or --host")
		}
		if o.webhook != "" || o.secret != "" || o.only != "" {
			return usage("--otlp and --webhook do not go together")
		}
		o.format = "otlp"
		return address("--otlp", o.otlp, "https://collector.example.org:4318/v1/logs")
	}
	if o.webhook != "" {
		return o.checkWebhook()
	}
	if o.secret != "" || o.only != "" {
		return usage("--secret and --only go with --webhook")
	}
	if o.format != "" {
		if _, ok := formats.New(o.format, formats.Options{}); !ok {
			return usage(fmt.Sprintf("--format %q is none: %s", o.format, strings.Join(formats.Names(), ", ")))
		}
	}
	switch {
	case o.out == "" && o.syslog == "":
		return usage("--out is needed: a folder that does not exist yet, or a file with --format")
	case o.out != "" && o.syslog != "":
		return usage("--out and --syslog do not go together")
	case o.syslog != "" && o.format == "":
		return usage("--syslog needs --format: what the messages say, for instance cef")
	case o.headers != "":
		return usage("--headers goes with --otlp")
	case o.syslog == "" && (o.ca != "" || o.host != "" || o.state != "" || o.follow):
		return usage("--ca, --host, --state and --follow go with --syslog, and all but --host with --otlp and --webhook")
	case o.tsa != "" && o.format != "":
		return usage("--tsa stamps the log with its proof, so it does not go with --format")
	case o.tsa != "" && !strings.HasPrefix(o.tsa, "http://") && !strings.HasPrefix(o.tsa, "https://"):
		return usage(fmt.Sprintf("--tsa %q is not an address like https://tsa.example.org/", o.tsa))
	case o.syslog != "" && o.format == "csv":
		return usage("a message of syslog is no table: take cef, ecs, ocsf or jsonl")
	}
	if o.syslog != "" {
		if _, _, err := net.SplitHostPort(o.syslog); err != nil {
			return usage(fmt.Sprintf("--syslog %q is not host:port, for instance logs.example.org:6514", o.syslog))
		}
	}
	return nil
}

// checkWebhook is check of --webhook.
func (o *exportOptions) checkWebhook() error {
	switch {
	case o.format != "" || o.out != "" || o.syslog != "" || o.host != "" || o.headers != "" || o.tsa != "":
		return usage("--webhook goes with neither --format nor --out, --syslog, --host, --headers or --tsa")
	case o.secret == "":
		return usage("--webhook needs --secret FILE: a receiver that cannot tell who posts should believe nobody")
	case o.state == "":
		return usage("--webhook needs --state FILE: without it nobody knows what is new")
	}
	if _, err := formats.ParseSelection(o.only); err != nil {
		return usage(fmt.Sprintf("--only: %v", err))
	}
	o.format = "webhook"
	return address("--webhook", o.webhook, "https://hooks.example.org/mainforte")
}

// address refuses a URL to which the log may not be sent.
func address(flag, text, like string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https":
		return usage(fmt.Sprintf("%s %q is not an address like %s", flag, text, like))
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return usage(flag + ": beyond this computer the log is sent over https only")
	}
	return nil
}

func (o *exportOptions) bundle(ctx context.Context, log *audit.Log, out io.Writer) error {
	opts := bundle.Options{Personal: o.personal, By: operator}
	if o.tsa != "" {
		opts.Stamp = bundle.Authority(&http.Client{Timeout: 30 * time.Second}, o.tsa)
	}
	sum, err := bundle.Write(ctx, log, o.out, opts)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d events in %s\nroot: %s\nkey:  %s\n", sum.Size, o.out, audit.Checkpoint{Tree: audit.Tree{Root: sum.Root}}.RootText(), sum.Key)
	return err
}

// events writes what is there in a format. That it left the house is written
// down first.
func (o *exportOptions) events(ctx context.Context, log *audit.Log, users *identity.Directory, out, errs io.Writer) error {
	origin, _, _ := strings.Cut(log.VerifierKey(), "+")
	names := map[string]string{}
	say := formats.Options{Origin: origin, Version: versionText(), Personal: o.personal, Name: func(ref string) string {
		if _, asked := names[ref]; !asked {
			got, err := users.Names(ctx, []string{ref})
			if err != nil {
				return "" // its id is there
			}
			names[ref] = got[ref]
		}
		return names[ref]
	}}
	f, _ := formats.New(o.format, say)
	dial, err := o.collector(f, say, errs)
	if err != nil {
		return err
	}
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	how := o.format
	if o.syslog != "" {
		how += "_syslog"
	}
	if o.otlp != "" || o.webhook != "" {
		how += "_http"
	}
	if _, err := log.Append(ctx, audit.Event{
		Type: "log.exported", Outcome: "ok", Actor: operator, Origin: "server",
		Data: map[string]any{"format": how, "size": head.Size, "personal": o.personal},
	}); err != nil {
		return err
	}
	if dial != nil {
		return o.send(ctx, log, dial, out, errs)
	}
	if head, err = log.Head(ctx); err != nil {
		return err
	}
	if o.out == "-" {
		return list(ctx, log, f, head.Size, out)
	}
	file, err := os.OpenFile(o.out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(list(ctx, log, f, head.Size, file), file.Close()); err != nil {
		return errors.Join(err, os.Remove(o.out))
	}
	_, err = fmt.Fprintf(out, "%d events in %s\n", head.Size, o.out)
	return err
}

func list(ctx context.Context, log *audit.Log, f formats.Format, size int64, out io.Writer) error {
	w := bufio.NewWriterSize(out, 1<<20)
	if _, err := w.Write(f.Head()); err != nil {
		return err
	}
	var b []byte
	err := log.Read(ctx, 0, size, func(n audit.Line) error {
		var err error
		if b, err = f.Append(b[:0], n); err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	})
	return errors.Join(err, w.Flush())
}

// Pace of a follower.
const (
	lookEvery = time.Second
	// After so many records it is remembered how far it came: those since may come twice.
	stride        = 512
	strideWebhook = 16 // each is a call
	waitLeast     = time.Second
	waitMost      = time.Minute
)

// sink is a connection to a collector.
type sink interface {
	Send(audit.Line) error
	Flush() error
	Close() error
}

// collector returns what connects to the collector; nil if there is none.
func (o *exportOptions) collector(f formats.Format, say formats.Options, errs io.Writer) (dial func(context.Context) (sink, error), err error) {
	if o.syslog == "" && o.otlp == "" && o.webhook == "" {
		return nil, nil
	}
	var cfg tls.Config
	if o.ca != "" {
		if cfg.RootCAs, err = certificates(o.ca); err != nil {
			return nil, err
		}
	}
	problem := func(text string) { fmt.Fprintf(errs, "signaling export: %s\n", text) }
	client := func() *http.Client {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		cfg.MinVersion = tls.VersionTLS12
		transport.TLSClientConfig = &cfg
		return &http.Client{Transport: transport}
	}
	switch {
	case o.webhook != "":
		key, only, err := o.signed()
		if err != nil {
			return nil, err
		}
		client := client()
		return func(ctx context.Context) (sink, error) {
			return formats.NewWebhook(ctx, o.webhook, client, key, only, say, problem), nil
		}, nil
	case o.otlp != "":
		header, err := headers(o.headers)
		if err != nil {
			return nil, err
		}
		client := client()
		return func(ctx context.Context) (sink, error) {
			return formats.NewOTLP(ctx, o.otlp, client, header, say, problem), nil
		}, nil
	}
	s := formats.Syslog{Host: o.host, Body: f}
	if s.Host == "" {
		s.Host, _ = os.Hostname() // unknown then, which the format allows
	}
	return func(ctx context.Context) (sink, error) { return formats.Dial(ctx, o.syslog, &cfg, s) }, nil
}

// signed is the key of a webhook, and what it is posted.
func (o *exportOptions) signed() (key []byte, only formats.Selection, err error) {
	text, err := os.ReadFile(o.secret)
	if err != nil {
		return nil, nil, err
	}
	if key, err = formats.ParseKey(string(text)); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", o.secret, err)
	}
	only, err = formats.ParseSelection(o.only)
	return key, only, err
}

// headers reads those in a file, one a line; no file is none.
func headers(path string) (http.Header, error) {
	h := http.Header{}
	if path == "" {
		return h, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("a line of %s is no header, like Authorization: Bearer TOKEN", path)
		}
		h.Add(name, value)
	}
	return h, nil
}

// send sends everything after the state to the collector, once or for ever.
func (o *exportOptions) send(ctx context.Context, log *audit.Log, dial func(context.Context) (sink, error), out, errs io.Writer) error {
	next, err := o.position(ctx, log)
	if err != nil {
		return err
	}
	first := next
	for wait := waitLeast; ; {
		next, err = o.sendFrom(ctx, log, dial, next, func() { wait = waitLeast })
		switch {
		case ctx.Err() != nil:
			err = nil
			fallthrough
		case !o.follow:
			if err == nil {
				how := "sent"
				if o.only != "" {
					how = "looked at"
				}
				_, err = fmt.Fprintf(out, "%d events %s, up to record %d\n", next-first, how, next-1)
			}
			return err
		}
		if later := (*formats.Later)(nil); errors.As(err, &later) {
			wait = min(max(wait, later.After), waitMost)
		}
		fmt.Fprintf(errs, "signaling export: %v; again in %v\n", err, wait)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, waitMost)
	}
}

// certificates reads those in a file, PEM.
func certificates(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("there is no certificate in %s", path)
	}
	return pool, nil
}

// sendFrom opens a connection and sends from next on; it returns what is next.
func (o *exportOptions) sendFrom(ctx context.Context, log *audit.Log, dial func(context.Context) (sink, error), next int64, good func()) (int64, error) {
	c, err := dial(ctx)
	if err != nil {
		return next, err
	}
	step := int64(stride)
	if o.webhook != "" {
		step = strideWebhook
	}
	for {
		head, err := log.Head(ctx)
		end := min(head.Size, next+step)
		if err == nil && end > next {
			err = log.Read(ctx, next, end, c.Send)
		}
		if err == nil {
			err = c.Flush()
		}
		if err == nil && end > next {
			next = end
			err = o.remember(next)
		}
		if err != nil || !o.follow && next >= head.Size {
			return next, errors.Join(err, c.Close())
		}
		good()
		if next < head.Size {
			continue
		}
		select {
		case <-ctx.Done():
			return next, c.Close()
		case <-time.After(lookEvery):
		}
	}
}

// position is the first record that was not sent yet: of a webhook that is new the
// first that is to come, for nobody wants to be called about last year.
func (o *exportOptions) position(ctx context.Context, log *audit.Log) (int64, error) {
	if o.state == "" {
		return 0, nil
	}
	b, err := os.ReadFile(o.state)
	if errors.Is(err, fs.ErrNotExist) && o.webhook != "" {
		head, err := log.Head(ctx)
		if err != nil {
			return 0, err
		}
		return head.Size, o.remember(head.Size)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s does not hold the number of a record", o.state)
	}
	return n, nil
}

// remember writes the position whole or not at all: what was sent may be sent
// twice, never left out.
func (o *exportOptions) remember(next int64) error {
	if o.state == "" {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(o.state), ".state-*")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, next)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), o.state)
}

const reportAbout = `Prints one session for people: a page of HTML that needs nothing else, or a PDF, in
English or French, to be read, printed or kept. It shows what stands in
the log and by which signed root that can be checked. That it was printed is
logged. Names and addresses stay out unless --personal is given.`

func printReport(ctx context.Context, args []string, out, _ io.Writer) error {
	var place api.Place
	var to, session, lang string
	var personal, pdf bool
	err := flags("report", reportAbout, args, out, func(f *flag.FlagSet) {
		placeFlags(f, &place, "data")
		f.StringVar(&session, "session", "", "`ID` of the session")
		f.StringVar(&to, "out", "-", "`FILE` to make; - is output")
		f.StringVar(&lang, "lang", "en", "`LANGUAGE`: en or fr")
		f.BoolVar(&pdf, "pdf", false, "a PDF instead of HTML; letters beyond Latin, Greek and Cyrillic are boxes in it")
		f.BoolVar(&personal, "personal", false, "with names and addresses, as far as they were not purged")
	})
	switch {
	case err != nil:
		return err
	case session == "":
		return usage("--session ID is needed")
	case lang != "en" && lang != "fr":
		return usage(fmt.Sprintf("--lang %q: en or fr", lang))
	}
	return api.Evidence(ctx, place, func(log *audit.Log, users *identity.Directory) error {
		n, err := log.Count(ctx, session)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%w: %s", audit.ErrNoSession, session)
		}
		head, err := log.Head(ctx)
		if err != nil {
			return err
		}
		if _, err := log.Append(ctx, audit.Event{
			Type: "log.exported", Session: session, Outcome: "ok", Actor: operator, Origin: "server",
			Data: map[string]any{"format": "report", "size": head.Size, "personal": personal},
		}); err != nil {
			return err
		}
		point, err := log.Checkpoint(ctx)
		if err != nil {
			return err
		}
		events, err := log.Events(ctx, session)
		if err != nil {
			return err
		}
		refs := make([]string, len(events))
		for i, e := range events {
			refs[i] = e.Actor.Ref
		}
		names, err := users.Names(ctx, refs)
		if err != nil {
			return err
		}
		origin, _, _ := strings.Cut(log.VerifierKey(), "+")
		var page bytes.Buffer
		write := report.Write
		if pdf {
			write = report.WritePDF
		}
		if err := write(&page, events, report.Options{
			Lang: lang, Personal: personal, Name: func(ref string) string { return names[ref] },
			Origin: origin, Key: log.VerifierKey(), Point: point, Now: time.Now(),
		}); err != nil {
			return err
		}
		if to == "-" {
			_, err := out.Write(page.Bytes())
			return err
		}
		f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(page.Bytes())
		return errors.Join(err, f.Close())
	})
}
