package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/api"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/audit/bundle"
	"github.com/mainforte/mainforte/signaling/identity"
)

// operator is who works at the server's own command line. Who that was only the
// computer knows.
var operator = audit.Actor{Kind: "system", Ref: "cli"}

const rotateAbout = `Makes a new key that signs the session log from now on and destroys the old one,
which signs for the new one first. Who trusts the old key need do nothing. It
works while the server runs. Prints the new verifier key: give it to auditors.`

func rotateKey(ctx context.Context, args []string, out io.Writer) error {
	var place api.Place
	err := flags("admin rotate-key", rotateAbout, args, out, func(f *flag.FlagSet) {
		placeFlags(f, &place, "data")
	})
	if err != nil {
		return err
	}
	return api.Evidence(ctx, place, func(log *audit.Log, _ *identity.Directory) error {
		vkey, err := log.Rotate(ctx, operator)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, vkey)
		return err
	})
}

const verifyAbout = `Proves what left a server: signaling verify WHAT [FLAGS], where WHAT is

  DIR    an export of the session log
  FILE   a person's receipt, or the proof of one session, as saved from a browser
  URL    what a server sends to browsers, against the manifest of a release

A folder or a file needs nothing else, and no server. Exit code 0: proven. 1:
something is not what was signed, or not of the release; the first record or
file is named. 2: consistent, but it was signed by a key that nobody vouches
for, because neither --key nor --ticket was given; or, of a server, the pages
behind a sign-in were not looked at, because there was no --cookie.

With --data instead it looks at the log of a server on this computer.`

// verifyOptions are the flags of verify.
type verifyOptions struct {
	place                api.Place // of a server's own log
	key, ticket, tsa     string    // of a log that left its server
	manifest, cookie, ca string    // of a server
}

func verify(ctx context.Context, args []string, out, _ io.Writer) error {
	var what string
	var o verifyOptions
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		what, args = args[0], args[1:]
	}
	err := flags("verify", verifyAbout, args, out, func(f *flag.FlagSet) {
		f.StringVar(&o.key, "key", "", "verifier `KEY` of the log, or a file with it; one from before a change of key does as well")
		f.StringVar(&o.ticket, "ticket", "", "`FILE` with the note that a session left in its ticket, - for input, or the root in it")
		f.StringVar(&o.tsa, "tsa-ca", "", "`FILE` with the authority behind the timestamp, PEM; there must be one then")
		placeFlags(f, &o.place, "")
		f.StringVar(&o.manifest, "manifest", "", "`FILE` of the release, for a server; default: the pages that are in this program")
		f.StringVar(&o.cookie, "cookie", "", "`FILE` with the cookie of a sign-in at the server, name=value, - for input")
		f.StringVar(&o.ca, "ca", "", "`FILE` with the authority that vouches for the server, PEM; default: the system's")
	})
	server := strings.HasPrefix(what, "http://") || strings.HasPrefix(what, "https://")
	switch {
	case err != nil:
		return err
	case (what == "") == (o.place.Data == ""):
		if what == "" && o.place.Database != "" {
			return usage("--data DIR is needed too: the keys are there")
		}
		return usage("say what: signaling verify DIR, FILE or URL")
	case o.place.Data != "" && (o.key != "" || o.ticket != "" || o.tsa != ""):
		return usage("--key, --ticket and --tsa-ca go with an export; the server's own log is proved by its own keys")
	case !server && (o.manifest != "" || o.cookie != "" || o.ca != ""):
		return usage("--manifest, --cookie and --ca go with the address of a server")
	case server && (o.key != "" || o.ticket != "" || o.tsa != ""):
		return usage("--key, --ticket and --tsa-ca go with an export, a proof or a receipt")
	case server:
		return verifyServer(ctx, what, o, out)
	case o.place.Data != "":
		return verifyOwn(ctx, o.place, out)
	}
	trust, err := trusted(o.key, o.ticket)
	if err != nil {
		return err
	}
	if info, err := os.Stat(what); err == nil && info.Mode().IsRegular() {
		if o.tsa != "" {
			return usage("--tsa-ca goes with a whole export")
		}
		return verifyFile(what, trust, out)
	}
	if o.tsa != "" {
		if trust.Authorities, err = certificates(o.tsa); err != nil {
			return err
		}
	}
	r, err := bundle.Verify(what, trust)
	if err != nil {
		return err
	}
	return told(out, r, trust)
}

// trusted reads what --key and --ticket name.
func trusted(key, ticket string) (bundle.Trust, error) {
	var t bundle.Trust
	if key != "" {
		text, err := given(key)
		if err != nil {
			return t, err
		}
		lines := strings.Fields(text)
		if len(lines) == 0 {
			return t, usage("--key names an empty file")
		}
		t.Key = lines[len(lines)-1] // of a list of keys the one in force
		if strings.Count(t.Key, "+") < 2 {
			return t, usage(fmt.Sprintf("--key %.80q is neither a verifier key (name+hash+key) nor a file with one", key))
		}
	}
	if ticket != "" {
		text, err := given(ticket)
		if err != nil {
			return t, err
		}
		if t.Ticket = bundle.ReadTicket(text); len(t.Ticket) == 0 {
			return t, usage("--ticket: there is no root in it, 44 characters that end with =")
		}
	}
	return t, nil
}

// maxGiven bounds a file that is named on the command line.
const maxGiven = 16 << 20

// given is the text of a file, of standard input, or the argument itself.
func given(arg string) (string, error) {
	f := os.Stdin
	if arg != "-" {
		var err error
		f, err = os.Open(arg)
		if errors.Is(err, fs.ErrNotExist) {
			return arg, nil
		}
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
	}
	b, err := io.ReadAll(io.LimitReader(f, maxGiven+1))
	if err == nil && len(b) > maxGiven {
		err = fmt.Errorf("%s is longer than %d MiB", arg, maxGiven>>20)
	}
	return string(b), err
}

// told says what came out, in words, and returns the exit code.
func told(out io.Writer, r bundle.Report, t bundle.Trust) error {
	var b strings.Builder
	for _, p := range r.Problems {
		fmt.Fprintln(&b, p)
	}
	if r.More {
		b.WriteString("and more\n")
	}
	if len(r.Extra) > 0 {
		fmt.Fprintf(&b, "not part of the export, and not looked at: %s\n", strings.Join(r.Extra, ", "))
	}
	if !r.OK() {
		b.WriteString("NOT PROVEN: this is not the log that was signed.\n")
		return errors.Join(print(out, b.String()), verdict(1))
	}
	fmt.Fprintf(&b, "%s: %d events, root %s\n", r.Origin, r.Size, audit.Checkpoint{Tree: audit.Tree{Root: r.Root}}.RootText())
	fmt.Fprintf(&b, "personal parts: %d present, %d withheld, %d purged; %d events have none\n", r.Present, r.Withheld, r.Purged, r.None)
	for _, why := range slices.Sorted(maps.Keys(r.Policies)) {
		fmt.Fprintf(&b, "purged under policy %s: %d\n", why, r.Policies[why])
	}
	if r.Rotations > 0 {
		fmt.Fprintf(&b, "changes of the signing key, each signed by the key before: %d\n", r.Rotations)
	}
	if !r.Stamped.IsZero() {
		how := "by its own word; --tsa-ca proves it"
		if r.StampProven {
			how = "proven"
		}
		fmt.Fprintf(&b, "seen by %q no later than %s (%s)\n", r.StampedBy, r.Stamped.UTC().Format(time.RFC3339), how)
	}
	switch {
	case r.Signer:
		b.WriteString("PROVEN: every event is as it was signed by the key that you gave.\n")
	case r.Ticket > 0:
		fmt.Fprintf(&b, "PROVEN by the ticket up to record %d: these events, in this order.\n", r.Ticket-1)
		if r.Ticket < r.Size {
			fmt.Fprintf(&b, "Records %d to %d came later; for them only the export's own key speaks.\n", r.Ticket, r.Size-1)
		}
	default:
		b.WriteString("CONSISTENT, SIGNER UNPROVEN: nothing contradicts itself, but nobody vouches for who signed it. Give --key or --ticket.\n")
		return errors.Join(print(out, b.String()), verdict(2))
	}
	return print(out, b.String())
}

func print(out io.Writer, text string) error {
	_, err := io.WriteString(out, text)
	return err
}

// verifyOwn proves the tables of a server on this computer.
func verifyOwn(ctx context.Context, place api.Place, out io.Writer) error {
	return api.Evidence(ctx, place, func(log *audit.Log, _ *identity.Directory) error {
		r, err := log.Verify(ctx)
		if err != nil {
			return err
		}
		var b strings.Builder
		for _, f := range r.Findings {
			fmt.Fprintf(&b, "record %d: %s\n", f.Index, f.Detail)
		}
		if !r.OK() {
			b.WriteString("NOT PROVEN: the tables are not the log that was signed.\n")
			return errors.Join(print(out, b.String()), verdict(1))
		}
		fmt.Fprintf(&b, "%d events, %d checkpoints hold, %d events are not signed yet\npersonal parts: %d present, %d purged; %d events have none\nPROVEN by the key of this server: %s\n",
			r.Size, r.Checkpoints, r.Unsigned, r.Present, r.Purged, r.None, log.VerifierKey())
		return print(out, b.String())
	})
}
