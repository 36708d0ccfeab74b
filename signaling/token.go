package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mainforte/mainforte/signaling/api"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
)

const tokenAbout = `Prints an API token for a program, this once: the server keeps only its hash. The
program sends it as "Authorization: Bearer mf_...". It works while the server runs.

A token is for few things, which --for names, as far as its role may use them:
launch (make links to a ticket, for the person and the technician), tickets (read
tickets), sessions (read which sessions there were). No token can open a session,
see one or read its log. With --owner it belongs to an account: it never may more
than that account, and ends with it. admin token-list shows all tokens,
admin token-revoke ends one at once.`

// tokenLife is how long a token is good for unless --expires says otherwise.
const tokenLife = 365 * 24 * time.Hour

func makeToken(ctx context.Context, args []string, out io.Writer) error {
	var place api.Place
	var role, scopes, expires string
	n := identity.NewToken{Expires: time.Now().Add(tokenLife)}
	err := flags("admin token", tokenAbout, args, out, func(f *flag.FlagSet) {
		placeFlags(f, &place, "data")
		f.StringVar(&n.Name, "name", "", "`NAME` that tells people what the token is for")
		f.StringVar(&role, "role", "", "`ROLE` it acts with: technician, supervisor, auditor or admin; the owner's if there is one")
		f.StringVar(&n.Owner, "owner", "", "`NAME` of the account it belongs to")
		f.StringVar(&scopes, "for", string(identity.Launch), "`WHAT` it may be used for, separated by commas: launch, tickets, sessions, trends")
		f.StringVar(&expires, "expires", "", "`DATE` on which it ends, 2027-12-31; a year from now if empty")
	})
	if err != nil {
		return err
	}
	r, ok := identity.ParseRole(role)
	if !ok && (role != "" || n.Owner == "") {
		return usage(fmt.Sprintf("--role %q is none: technician, supervisor, auditor or admin", role))
	}
	n.Role = r
	if role == "" {
		n.Role = ""
	}
	for w := range strings.SplitSeq(scopes, ",") {
		s, ok := identity.ParseScope(strings.TrimSpace(w))
		if !ok {
			return usage(fmt.Sprintf("--for %q is none: launch, tickets, sessions or trends", w))
		}
		n.Scopes = append(n.Scopes, s)
	}
	if expires != "" {
		if n.Expires, err = time.ParseInLocation(time.DateOnly, expires, time.Local); err != nil {
			return usage(fmt.Sprintf("--expires %q is not a date like 2027-12-31", expires))
		}
	}
	return api.Admin(ctx, place, func(users *identity.Directory) error {
		secret, _, err := users.NewToken(ctx, n)
		switch {
		case errors.Is(err, identity.ErrBadName):
			return usage("--name says in 1 to 64 characters what the token is for")
		case errors.Is(err, identity.ErrBadUntil):
			return usage(fmt.Sprintf("--expires %s is over", expires))
		case errors.Is(err, identity.ErrNoOwner):
			return usage(fmt.Sprintf("--owner %q has no account here, or it is closed", n.Owner))
		case errors.Is(err, identity.ErrTooMuch):
			return usage(fmt.Sprintf("--role %s is not the role of %s, and a token may not more than its owner", role, n.Owner))
		case err != nil:
			return err
		}
		_, err = fmt.Fprintln(out, secret)
		return err
	})
}

func listTokens(ctx context.Context, args []string, out io.Writer) error {
	var place api.Place
	err := flags("admin token-list", "Lists the API tokens, also those that ended, without their secrets.", args, out, func(f *flag.FlagSet) {
		placeFlags(f, &place, "data")
	})
	if err != nil {
		return err
	}
	return api.Admin(ctx, place, func(users *identity.Directory) error {
		list, err := users.Tokens(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tNAME\tROLE\tOWNER\tFOR\tENDS\tLAST USED")
		for _, t := range list {
			words := make([]string, len(t.Scopes))
			for i, s := range t.Scopes {
				words[i] = string(s)
			}
			ends := t.Expires.Local().Format(time.DateOnly)
			switch {
			case !t.Revoked.IsZero():
				ends = "revoked"
			case !time.Now().Before(t.Expires):
				ends += ", over"
			}
			used := "never"
			if !t.Used.IsZero() {
				used = t.Used.Local().Format("2006-01-02 15:04")
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, t.Role, t.Owner, strings.Join(words, ","), ends, used)
		}
		return w.Flush()
	})
}

func revokeToken(ctx context.Context, args []string, out io.Writer) error {
	var place api.Place
	var id string
	err := flags("admin token-revoke", "Ends an API token at once, also while the server runs.", args, out, func(f *flag.FlagSet) {
		placeFlags(f, &place, "data")
		f.StringVar(&id, "id", "", "`ID` of the token, as admin token-list shows it")
	})
	if err != nil {
		return err
	}
	return api.Admin(ctx, place, func(users *identity.Directory) error {
		err := users.RevokeToken(ctx, id, audit.Actor{Kind: "system"})
		if errors.Is(err, identity.ErrNoToken) {
			return usage(fmt.Sprintf("--id %q is no token; admin token-list shows them", id))
		}
		return err
	})
}
