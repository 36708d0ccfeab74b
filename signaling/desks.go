package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mainforte/mainforte/signaling/tickets"
)

const desksAbout = `Tries the service desks that a server would use: signaling desks check --desks FILE.
One line for each says whether it answers and accepts our account, or what is wrong
with it; nothing is written there. It ends with 1 if one cannot be used.

FILE is that of signaling serve --desks; docs/tickets.md says how to write it:

  {"desks": [{"name": "rt", "system": "rt", "url": "https://rt.example.org",
              "token": {"file": "rt.token"}}],
   "policy": {"desk": "rt"}}`

// deskWait is how long a desk has to answer to a check.
const deskWait = 30 * time.Second

func desks(ctx context.Context, args []string, out, _ io.Writer) error {
	word := "check"
	if len(args) > 0 && len(args[0]) > 0 && args[0][0] != '-' {
		word, args = args[0], args[1:]
	}
	if word != "check" {
		return usage(fmt.Sprintf("there is no %q; signaling desks --help says what there is", word))
	}
	file := ""
	err := flags("desks", desksAbout, args, out, func(f *flag.FlagSet) {
		f.StringVar(&file, "desks", "", "`FILE` with the service desks")
	})
	switch {
	case err != nil:
		return err
	case file == "":
		return usage("check: --desks FILE is needed")
	}
	setup, err := tickets.ReadDesks(file)
	if err != nil {
		return err
	}
	all, err := tickets.NewDesks(nil, setup)
	if err != nil {
		return err
	}
	return checkDesks(ctx, setup, all, out)
}

// checkDesks asks all at once and tells in the order of the file.
func checkDesks(ctx context.Context, setup tickets.Setup, all *tickets.Desks, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, deskWait)
	defer cancel()
	wide := 0
	for _, d := range setup.Desks {
		wide = max(wide, len(d.Name))
	}
	said := make([]error, len(setup.Desks))
	var asked sync.WaitGroup
	for i, d := range setup.Desks {
		asked.Go(func() {
			desk, err := all.Desk(d.Name)
			if err == nil {
				err = desk.Check(ctx)
			}
			said[i] = err
		})
	}
	asked.Wait()
	failed := 0
	for i, d := range setup.Desks {
		text := "ok"
		if said[i] != nil {
			text, failed = "failed: "+said[i].Error(), failed+1
		}
		if _, err := fmt.Fprintf(out, "%-*s  %-10s  %s\n", wide, d.Name, d.Config.System, text); err != nil {
			return err
		}
	}
	if len(setup.Desks) == 0 {
		if _, err := fmt.Fprintln(out, "the file names no desk; the server uses its own"); err != nil {
			return err
		}
	}
	if failed > 0 {
		return verdict(1)
	}
	return nil
}
