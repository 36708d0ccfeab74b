package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/mainforte/mainforte/certs"
	"github.com/mainforte/mainforte/signaling/api"
	"github.com/mainforte/mainforte/signaling/identity"
)

const linkAbout = `Prints a link that makes one account with a role, once, within 24 hours. The
person who opens it chooses name and password. It works while the server runs.

Roles: technician (works on tickets and sessions), supervisor (as technician,
and reads every session's log), auditor (reads sessions and their logs, nothing
else), admin (settings; can neither join a session nor read its log).`

// adminWords are the commands of admin beside link.
var adminWords = map[string]func(ctx context.Context, args []string, out io.Writer) error{
	"reset-factors": resetFactors,
	"rotate-key":    rotateKey,
	"token":         makeToken,
	"token-list":    listTokens,
	"token-revoke":  revokeToken,
}

func admin(ctx context.Context, args []string, out, _ io.Writer) error {
	if len(args) > 0 {
		if run, ok := adminWords[args[0]]; ok {
			return run(ctx, args[1:], out)
		}
	}
	args, err := only("admin", "link", args)
	if err != nil {
		return err
	}
	var place api.Place
	var role, name, base string
	err = flags("admin link", linkAbout, args, out, func(f *flag.FlagSet) {
		placeFlags(f, &place, "data")
		f.StringVar(&role, "role", "", "`ROLE` of the account: technician, supervisor, auditor or admin")
		f.StringVar(&name, "name", "", "`NAME` suggested to the person")
		f.StringVar(&base, "base", "http://127.0.0.1:8080", "`URL` of the server's pages")
	})
	if err != nil {
		return err
	}
	r, ok := identity.ParseRole(role)
	if !ok {
		return usage(fmt.Sprintf("--role %q is none: technician, supervisor, auditor or admin", role))
	}
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return usage(fmt.Sprintf("--base %q is not an address like https://help.example.org", base))
	}
	return api.Admin(ctx, place, func(users *identity.Directory) error {
		token, err := users.Link(ctx, identity.Link{Role: r, Name: name})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s/signin/%s\n", strings.TrimRight(base, "/"), token)
		return err
	})
}

// only takes the one word that a command knows off its arguments.
func only(command, word string, args []string) ([]string, error) {
	if len(args) > 0 && args[0] == word {
		return args[1:], nil
	}
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help" || args[0] == "-help") {
		return args, nil
	}
	return nil, usage(fmt.Sprintf("say `signaling %s %s`; --help explains it", command, word))
}

const certsAbout = `Makes a certificate for localhost, 127.0.0.1, ::1 and the names given after the
flags, signed by an authority that can vouch for nothing else. The authority
stays the same while it may vouch for the names, so it needs to be trusted once.
For a host program: --ca DIR/ca.pem.`

func certsCommand(_ context.Context, args []string, out, _ io.Writer) error {
	args, err := only("certs", "dev", args)
	if err != nil {
		return err
	}
	// Names follow the flags; everything from the first of them is a name.
	var names []string
	for i := 0; i < len(args); i++ {
		if strings.HasPrefix(args[i], "-") {
			if !strings.Contains(args[i], "=") && !strings.HasSuffix(args[i], "help") && args[i] != "-h" {
				i++ // its value
			}
			continue
		}
		args, names = args[:i], args[i:]
		break
	}
	var dir string
	err = flags("certs dev", certsAbout, args, out, func(f *flag.FlagSet) {
		f.StringVar(&dir, "out", "certs/dev", "`DIR` to write to; made if missing")
	})
	if err != nil {
		return err
	}
	kept, err := certs.Dev(dir, names, time.Now())
	if err != nil {
		return err
	}
	what := "new authority, to be trusted once: "
	if kept {
		what = "the authority is the one before: "
	}
	_, err = fmt.Fprintf(out, "%s%s/%s\nserve with: --cert %s/%s --key %s/%s\n", what, dir, certs.CAFile, dir, certs.CertFile, dir, certs.KeyFile)
	return err
}
