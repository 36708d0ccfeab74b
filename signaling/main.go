// Signaling is the server: it brings hosts and technicians together, keeps the
// tickets and the session log, and serves the pages. It never sees a screen and
// never learns a code's secret.
//
//	signaling serve         with SQLite in ./data, on http://127.0.0.1:8080
//	signaling migrate       copy the database file into a PostgreSQL
//	signaling admin link    print a one-time link that makes an account
//	signaling admin token   print an API token for a program
//	signaling certs dev     make a development certificate for this machine
//	signaling desks check   try the service desks that a server would use
//	signaling export        take the session log out, with its proof
//	signaling verify        prove an export or a receipt, or check a server's pages
//	signaling manifest      list what this program sends to browsers
//	signaling report        print one session for people
//	signaling retention     say how long names stay in the log, and purge them
//	signaling version
//	signaling help [command]
//
// Plain HTTP is spoken on loopback only; anything else needs a certificate.
// On SIGINT or SIGTERM the server says that it goes away, finishes what it is
// writing and ends within five seconds. Sessions are between host and viewer:
// they live on, and both come back to the next server on the same data.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

// version is set by the release build: -ldflags "-X main.version=1.2.3".
var version = ""

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// command is one subcommand.
type command struct {
	name  string
	short string
	run   func(ctx context.Context, args []string, out, errs io.Writer) error
}

// commands is filled at start because help looks at it.
var commands []command

func init() {
	commands = []command{
		{"serve", "run the server", serve},
		{"migrate", "copy the database file into a PostgreSQL", migrate},
		{"admin", "make one-time sign-in links: admin link; API tokens: admin token; change the log's key: admin rotate-key", admin},
		{"certs", "make a development certificate: certs dev", certsCommand},
		{"desks", "try the service desks that a server would use: desks check", desks},
		{"export", "take the session log out, with its proof", export},
		{"verify", "prove an export, a receipt or the pages of a server", verify},
		{"manifest", "list the pages that this program sends, for verify", manifest},
		{"report", "print one session for people, in English or French", printReport},
		{"retention", "say how long names stay in the log, hold, purge", retain},
		{"version", "print the version", printVersion},
		{"help", "say how a command is used", help},
	}
}

// usage is an error of the one who typed: it is shown as it is, with exit code 2.
type usage string

func (u usage) Error() string { return string(u) }

// verdict is an exit code whose reasons stand on stdout already.
type verdict int

func (verdict) Error() string { return "" }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main, for tests too. It returns the exit code: 0, 1 for what went
// wrong, 2 for what was typed wrong or, of verify, for what nobody vouches for.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(errs, overview())
		return 2
	}
	name := args[0]
	if name == "-h" || name == "--help" || name == "-help" {
		name = "help"
	}
	for _, c := range commands {
		if c.name != name {
			continue
		}
		err := c.run(ctx, args[1:], out, errs)
		var typed usage
		var code verdict
		switch {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		case errors.As(err, &code):
			return int(code)
		case errors.As(err, &typed):
			fmt.Fprintf(errs, "signaling %s: %s\n", name, typed)
			return 2
		}
		fmt.Fprintf(errs, "signaling %s: %v\n", name, err)
		return 1
	}
	fmt.Fprintf(errs, "signaling: there is no command %q\n\n%s", name, overview())
	return 2
}

func overview() string {
	var b strings.Builder
	b.WriteString("Signaling is the Mainforte server.\n\nUsage: signaling COMMAND [FLAGS]\n\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  %-9s  %s\n", c.name, c.short)
	}
	b.WriteString("\nEach command explains itself with --help.\n")
	return b.String()
}

// flags parses the flags of a command. Nothing but flags is taken.
func flags(name, about string, args []string, out io.Writer, define func(*flag.FlagSet)) error {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	define(f)
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(out, "Usage: signaling %s [FLAGS]\n\n%s\n\n", name, about)
		f.VisitAll(func(fl *flag.Flag) {
			kind, text := flag.UnquoteUsage(fl)
			line := "  --" + fl.Name
			if kind != "" {
				line += " " + kind
			}
			if fl.DefValue != "" && fl.DefValue != "false" {
				text += " (default " + fl.DefValue + ")"
			}
			fmt.Fprintf(out, "%s\n        %s\n", line, text)
		})
		return flag.ErrHelp
	case err != nil:
		return usage(fmt.Sprintf("%v\nsignaling %s --help lists the flags.", err, name))
	case f.NArg() > 0:
		return usage(fmt.Sprintf("%q is not understood here\nsignaling %s --help lists the flags.", f.Arg(0), name))
	}
	return nil
}

func printVersion(_ context.Context, args []string, out, _ io.Writer) error {
	if err := flags("version", "Prints the version of this program.", args, out, func(*flag.FlagSet) {}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "mainforte-signaling", versionText())
	return err
}

func help(ctx context.Context, args []string, out, errs io.Writer) error {
	if len(args) == 0 {
		_, err := fmt.Fprint(out, overview())
		return err
	}
	for _, c := range commands {
		if c.name == args[0] && c.name != "help" {
			return c.run(ctx, append(args[1:], "--help"), out, errs)
		}
	}
	return usage(fmt.Sprintf("there is no command %q", args[0]))
}
