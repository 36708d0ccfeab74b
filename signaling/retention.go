package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/mainforte/mainforte/signaling/api"
	"github.com/mainforte/mainforte/signaling/appointments"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/audit/retention"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/solutions"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

const retentionAbout = `Says how long names and addresses stay in the session log, and destroys them when
it is time: signaling retention WORD [FLAGS]. Without a policy they stay for ever.

  show      the policy in force, and the sessions under a legal hold
  presets   the policies that come with this program
  set       put a policy in force: --preset NAME or --file FILE
  run       purge what is due now; a server does so once a day by itself, for the
            first time a day after the policy was set
  hold      keep a session whatever the policy says: --session ID [--why TEXT]
  lift      end that: --session ID [--why TEXT]
  purge     purge one session now, for instance at a person's request: --session ID

What is purged cannot be brought back. The log itself stays, and every proof of
it; it says what was purged under which policy.`

// retentionOptions are the flags of all its words.
type retentionOptions struct {
	place                      api.Place
	preset, file, session, why string
	sure                       bool
}

func retain(ctx context.Context, args []string, out, _ io.Writer) error {
	words := map[string]func(context.Context, *retentionOptions, *retention.Keeper, io.Writer) error{
		"show": showRetention, "set": setRetention, "run": runRetention, "hold": holdSession, "lift": liftSession, "purge": purgeSession, "presets": nil,
	}
	word := "show"
	if len(args) > 0 && len(args[0]) > 0 && args[0][0] != '-' {
		word, args = args[0], args[1:]
	}
	do, known := words[word]
	if !known {
		return usage(fmt.Sprintf("there is no %q; signaling retention --help lists what there is", word))
	}
	var o retentionOptions
	err := flags("retention", retentionAbout, args, out, func(f *flag.FlagSet) {
		placeFlags(f, &o.place, "data")
		f.StringVar(&o.preset, "preset", "", "set: `NAME` of a preset")
		f.StringVar(&o.file, "file", "", "set: `FILE` with a policy of your own, JSON")
		f.StringVar(&o.session, "session", "", "hold, lift, purge: `ID` of the session")
		f.StringVar(&o.why, "why", "", "hold, lift: `TEXT`, sealed in the log")
		f.BoolVar(&o.sure, "clock-is-right", false, "run: purge although the clock is more than a week after the last run, or went back")
	})
	switch {
	case err != nil:
		return err
	case word == "presets":
		return presets(out)
	case (o.session != "") != (word == "hold" || word == "lift" || word == "purge"):
		return usage(word + ": --session goes with hold, lift and purge, which need it")
	case word == "set" && (o.preset == "") == (o.file == ""):
		return usage("set: --preset NAME or --file FILE")
	}
	return api.Evidence(ctx, o.place, func(log *audit.Log, _ *identity.Directory) error {
		return do(ctx, &o, keeperOf(log), out)
	})
}

// keeperOf purges the log and, with a session, its notes.
func keeperOf(log *audit.Log) *retention.Keeper {
	return &retention.Keeper{Log: log, Also: func(tx store.Tx, session string) error {
		return errors.Join(tickets.ForgetTx(tx, session), solutions.ForgetTx(tx, session), appointments.ForgetTx(tx, session))
	}}
}

func presets(out io.Writer) error {
	for _, p := range retention.Presets() {
		if _, err := fmt.Fprintf(out, "%-10s  %s\n", p.Name, ages(p)); err != nil {
			return err
		}
	}
	return nil
}

func ages(p retention.Policy) string {
	say := func(days int) string {
		if days == 0 {
			return "for ever"
		}
		return fmt.Sprintf("%d days", days)
	}
	after := ""
	if p.Sessions > 0 {
		after = " after their end"
	}
	return fmt.Sprintf("sessions: %s%s; sign-ins and refused claims: %s", say(p.Sessions), after, say(p.Outside))
}

func showRetention(ctx context.Context, _ *retentionOptions, k *retention.Keeper, out io.Writer) error {
	p, ran, ok, err := k.InForce(ctx)
	if err != nil {
		return err
	}
	text := "no policy is in force: names and addresses stay for ever\n"
	if ok {
		text = fmt.Sprintf("policy %s\n%s\n", p.Name, ages(p))
		text += "set or last run: " + ran.UTC().Format(time.RFC3339) + "\n"
	}
	held, err := k.Log.Held(ctx)
	if err != nil {
		return err
	}
	for _, s := range held {
		text += "held: " + s + "\n"
	}
	return print(out, text)
}

func setRetention(ctx context.Context, o *retentionOptions, k *retention.Keeper, out io.Writer) error {
	p, ok := retention.Preset(o.preset)
	if o.file != "" {
		text, err := os.ReadFile(o.file)
		if errors.Is(err, fs.ErrNotExist) {
			return usage(fmt.Sprintf("there is no file %s", o.file))
		}
		if err != nil {
			return err
		}
		if p, err = retention.Parse(text); err != nil {
			return fmt.Errorf("%s: %w", o.file, err)
		}
	} else if !ok {
		return usage(fmt.Sprintf("there is no preset %q; signaling retention presets lists them", o.preset))
	}
	if err := k.Set(ctx, p, operator); err != nil {
		return err
	}
	return print(out, fmt.Sprintf("policy %s is in force\n%s\n", p.Name, ages(p)))
}

func runRetention(ctx context.Context, o *retentionOptions, k *retention.Keeper, out io.Writer) error {
	r, err := k.Run(ctx, o.sure)
	if errors.Is(err, retention.ErrClock) {
		return fmt.Errorf("%w\nIf the clock is right: --clock-is-right", err)
	}
	if err != nil {
		return err
	}
	if r.Policy == (retention.Policy{}) {
		return print(out, "no policy is in force, so nothing is due\n")
	}
	return print(out, fmt.Sprintf("purged under policy %s: %d sessions with %d personal parts, and %d outside sessions; %d sessions are held\n",
		r.Policy.Name, r.Sessions, r.Records, r.Outside, r.Held))
}

func holdSession(ctx context.Context, o *retentionOptions, k *retention.Keeper, _ io.Writer) error {
	return k.Log.Hold(ctx, o.session, o.why, operator)
}

func liftSession(ctx context.Context, o *retentionOptions, k *retention.Keeper, _ io.Writer) error {
	return k.Log.Lift(ctx, o.session, o.why, operator)
}

func purgeSession(ctx context.Context, o *retentionOptions, k *retention.Keeper, out io.Writer) error {
	n, err := k.Log.Count(ctx, o.session)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("%w: %s", audit.ErrNoSession, o.session)
	}
	if n, err = k.Log.Purge(ctx, o.session, "request", operator, k.Also); err != nil {
		return err
	}
	return print(out, fmt.Sprintf("%d personal parts destroyed\n", n))
}
