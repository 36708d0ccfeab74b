package main

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/mainforte/mainforte/signaling/api"
)

const migrateAbout = `Copies the database file of --data into the PostgreSQL of --database, which must be
empty, and proves the log there. Stop the server first and start it with
--database afterwards; the keys stay in --data. The file is left as it is: keep it
until the new server runs, then put it away like a backup.`

func migrate(ctx context.Context, args []string, out, _ io.Writer) error {
	var place api.Place
	err := flags("migrate", migrateAbout, args, out, func(f *flag.FlagSet) { placeFlags(f, &place, "data") })
	if err != nil {
		return err
	}
	if place.Database == "" {
		return usage("--database URL is needed: where to")
	}
	n, err := api.Move(ctx, place)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%d rows copied\n", n); err != nil {
		return err
	}
	return verifyOwn(ctx, place, out)
}
