package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/api"
	"github.com/mainforte/mainforte/signaling/audit/bundle"
	"github.com/mainforte/mainforte/signaling/audit/proof"
	"github.com/mainforte/mainforte/signaling/audit/receipt"
	"github.com/mainforte/mainforte/signaling/release"
)

// verifyFile proves a receipt or the proof of one session.
func verifyFile(name string, trust bundle.Trust, out io.Writer) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(io.LimitReader(f, proof.MaxSize+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	var kind struct{ Format string }
	if err := json.Unmarshal(b, &kind); err != nil {
		return fmt.Errorf("%s is neither a receipt nor the proof of a session", name)
	}
	t := proof.Trust{Key: trust.Key, Ticket: trust.Ticket}
	var said strings.Builder
	switch kind.Format {
	case proof.Format:
		p, err := proof.Parse(b)
		if err != nil {
			return err
		}
		r := proof.Verify(p, true, t)
		fmt.Fprintf(&said, "session %s\n", p.Session)
		return toldSession(out, r, said.String(), t, true)
	case receipt.Format:
		got, err := receipt.Parse(b)
		if err != nil {
			return err
		}
		r, s := receipt.Verify(got, t)
		fmt.Fprintf(&said, "receipt of session %s\nserver %s\n", got.Proof.Session, s.Server)
		if s.Organisation != "" {
			fmt.Fprintf(&said, "organisation %s\n", s.Organisation)
		}
		for _, p := range s.Technicians {
			fmt.Fprintf(&said, "technician %s\n", p.Name)
		}
		return toldSession(out, r, said.String(), t, false)
	}
	return fmt.Errorf("%s is neither a receipt nor the proof of a session", name)
}

// toldSession says what came out of a proof, in words, and returns the exit code.
func toldSession(out io.Writer, r proof.Report, said string, t proof.Trust, whole bool) error {
	var b strings.Builder
	for _, p := range r.Problems {
		fmt.Fprintln(&b, p)
	}
	if r.More {
		b.WriteString("and more\n")
	}
	if !r.OK() {
		b.WriteString("NOT PROVEN: this is not what was signed.\n")
		return errors.Join(print(out, b.String()), verdict(1))
	}
	b.WriteString(said)
	for _, e := range r.Events {
		grant := struct{ Grant, Reason string }{}
		if err := json.Unmarshal(e.Data, &grant); err != nil {
			grant.Grant, grant.Reason = "", "" // of another type: not shown
		}
		fmt.Fprintf(&b, "%8d  %s  %s\n", e.Index, e.T, strings.TrimSpace(strings.Join([]string{e.Type, grant.Grant, grant.Reason}, " ")))
	}
	fmt.Fprintf(&b, "%s: %d of its %d records, root %s\n", r.Origin, r.Lines, r.Size, base64.StdEncoding.EncodeToString(r.Root[:]))
	switch {
	case !r.Ended:
		b.WriteString("the session is still open\n")
	case !r.Closed:
		b.WriteString("the host did not sign the end of the session\n")
	default:
		fmt.Fprintf(&b, "the host counted %d events and signed the end with its key %s\n", r.Counted, r.HostKey)
	}
	if r.Missing != 0 {
		fmt.Fprintf(&b, "the log says itself that its events of the host differ from the host's own count by %d\n", r.Missing)
	}
	if whole && !r.Complete {
		b.WriteString("whether a line of the session was left out only an export of the whole log can tell\n")
	}
	for why, n := range r.Policies {
		fmt.Fprintf(&b, "purged under policy %s: %d\n", why, n)
	}
	switch {
	case r.Signer:
		b.WriteString("PROVEN: every line is as it was signed by the key that you gave.\n")
	case r.Ticket > 0:
		fmt.Fprintf(&b, "PROVEN by the ticket up to record %d: these lines, in this order.\n", r.Ticket-1)
	default:
		b.WriteString("CONSISTENT, SIGNER UNPROVEN: nothing contradicts itself, but nobody vouches for who signed it. Give --key or --ticket.\n")
		return errors.Join(print(out, b.String()), verdict(2))
	}
	return print(out, b.String())
}

// verifyServer holds what a server sends to the manifest of a release.
func verifyServer(ctx context.Context, address string, o verifyOptions, out io.Writer) error {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.User != nil || strings.Trim(base.Path, "/") != "" || base.RawQuery != "" {
		return usage(fmt.Sprintf("%q is not the address of a server, like https://help.example.org", address))
	}
	m, err := released(o.manifest)
	if err != nil {
		return err
	}
	cookie := ""
	if o.cookie != "" {
		if cookie, err = given(o.cookie); err != nil {
			return err
		}
		if cookie = strings.TrimSpace(cookie); strings.ContainsAny(cookie, "\r\n") || !strings.Contains(cookie, "=") {
			return usage("--cookie: there is no cookie in it, name=value on one line")
		}
	}
	var cfg tls.Config
	if o.ca != "" {
		if cfg.RootCAs, err = certificates(o.ca); err != nil {
			return err
		}
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &cfg, Proxy: http.ProxyFromEnvironment}}
	r, err := release.Check(ctx, client, base, m, cookie)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, p := range r.Problems {
		fmt.Fprintln(&b, p)
	}
	if len(r.Problems) > 0 {
		fmt.Fprintf(&b, "NOT THE RELEASE: %s does not send what release %s holds. Do not type a code there before you know why.\n", base.Host, m.Version)
		return errors.Join(print(out, b.String()), verdict(1))
	}
	fmt.Fprintf(&b, "%s: %d of %d files, and their policies, are those of release %s\n", base.Host, r.Files, len(m.Files), m.Version)
	if len(r.Unseen) > 0 {
		fmt.Fprintf(&b, "NOT ALL LOOKED AT: %s need a sign-in: give --cookie, of an administrator.\n", strings.Join(r.Unseen, ", "))
		return errors.Join(print(out, b.String()), verdict(2))
	}
	b.WriteString("THE RELEASE: this is what the server sent to you, now. What it sends to others only they can check.\n")
	return print(out, b.String())
}

// released is the manifest in a file, or that of this program.
func released(name string) (m release.Manifest, err error) {
	if name == "" {
		m, err = api.Manifest(versionText())
		if errors.Is(err, api.ErrNotBuilt) {
			err = fmt.Errorf("%w: give the --manifest of the release", err)
		}
		return m, err
	}
	f, err := os.Open(name)
	if err != nil {
		return m, err
	}
	m, err = release.Read(f)
	return m, errors.Join(err, f.Close())
}

const manifestAbout = `Lists what this program sends to browsers, with the SHA-256 of each file and the
policies that go with it, as JSON. Two people who build the same source get the
same list; signaling verify URL holds a server to it.`

func manifest(_ context.Context, args []string, out, _ io.Writer) error {
	if err := flags("manifest", manifestAbout, args, out, func(*flag.FlagSet) {}); err != nil {
		return err
	}
	m, err := api.Manifest(versionText())
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return print(out, string(b)+"\n")
}
