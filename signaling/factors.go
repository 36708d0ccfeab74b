package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/mainforte/mainforte/signaling/api"
	"github.com/mainforte/mainforte/signaling/identity"
)

const resetAbout = `Removes every second factor, passkey and recovery code of one account and ends
its sign-ins: the way out for somebody who lost them all. The password stays.
It works while the server runs, and stands in the log. Make sure that it is
really them who ask.`

func resetFactors(ctx context.Context, args []string, out io.Writer) error {
	var place api.Place
	var name string
	err := flags("admin reset-factors", resetAbout, args, out, func(f *flag.FlagSet) {
		placeFlags(f, &place, "data")
		f.StringVar(&name, "name", "", "`NAME` of the account")
	})
	if err != nil {
		return err
	}
	if name == "" {
		return usage("say whose, by --name")
	}
	return api.Admin(ctx, place, func(users *identity.Directory) error {
		n, err := users.ResetFactors(ctx, name)
		if errors.Is(err, identity.ErrNoOwner) {
			return fmt.Errorf("there is no account with the name %q", name)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s: %d removed; the next sign-in is by the password alone\n", name, n)
		return err
	})
}
