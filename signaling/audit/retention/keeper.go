package retention

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// Keeper puts the policy in force into effect.
type Keeper struct {
	Log *audit.Log
	// Also runs in the transaction of each session's purge: for what others keep
	// of it.
	Also func(tx store.Tx, session string) error
	Now  func() time.Time // nil: time.Now
}

var keeper = audit.Actor{Kind: "system", Ref: "retention"}

func (k *Keeper) now() time.Time {
	if k.Now != nil {
		return k.Now()
	}
	return time.Now()
}

// Set puts a policy in force, and writes that down. Nothing is purged yet.
func (k *Keeper) Set(ctx context.Context, p Policy, by audit.Actor) error {
	return k.Log.Store().Update(ctx, func(tx store.Tx) error { return k.SetTx(tx, p, by) })
}

// SetTx is Set as part of a transaction.
func (k *Keeper) SetTx(tx store.Tx, p Policy, by audit.Actor) error {
	if err := p.Check(); err != nil {
		return err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	if _, err := tx.Exec(`insert into retention (id, policy, created) values (1, ?, ?)
		on conflict (id) do update set policy = excluded.policy, created = excluded.created`, string(text), store.FormatTime(k.now())); err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	if _, err := k.Log.AppendTx(tx, audit.Event{
		Type: "policy.changed", Outcome: "ok", Actor: by, Origin: "server",
		Data: map[string]any{"policy": p.Name, "sessions_days": p.Sessions, "outside_days": p.Outside},
	}); err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	return nil
}

// InForce is the policy; ok is false if there is none. ran is when it was last put
// into effect; before the first time, when it was set.
func (k *Keeper) InForce(ctx context.Context) (p Policy, ran time.Time, ok bool, err error) {
	var text, created, last string
	err = k.Log.Store().View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("select policy, created, ran from retention where id = 1").Scan(&text, &created, &last)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Policy{}, time.Time{}, false, nil
	}
	if err == nil {
		p, err = Parse([]byte(text))
	}
	if err == nil {
		ran, err = store.ParseTime(cmp.Or(last, created))
	}
	if err != nil {
		return Policy{}, time.Time{}, false, fmt.Errorf("retention: %w", err)
	}
	return p, ran, true, nil
}

// Result is what a run did.
type Result struct {
	Policy   Policy
	Sessions int   // purged
	Records  int64 // personal parts of those
	Outside  int64 // personal parts outside sessions
	Held     int   // sessions that a hold keeps, whether due or not
}

// ErrClock: the clock says something that cannot be, and nothing was purged.
var ErrClock = errors.New("retention: the clock cannot be trusted, so nothing is purged")

// How far the clock may be from the last sign of life: what is purged is gone, so
// a clock that jumped must not decide.
const (
	maxAhead  = 7 * 24 * time.Hour
	maxBehind = time.Hour
)

// batch is how many sessions are looked up at a time.
const batch = 500

// Run purges what is due under the policy in force; without one it does nothing.
// ErrClock: the clock is more than seven days after the last run (what a server
// does once a day), or more than an hour before it or the newest line of the log;
// sure says that it is right. How late the newest line is tells nothing: it was
// written by the same clock.
func (k *Keeper) Run(ctx context.Context, sure bool) (r Result, err error) {
	p, ran, ok, err := k.InForce(ctx)
	if err != nil || !ok {
		return Result{}, err
	}
	r.Policy = p
	now := k.now()
	newest, err := k.Log.Newest(ctx)
	if err != nil {
		return r, err
	}
	if !sure && (now.Sub(ran) > maxAhead || ran.Sub(now) > maxBehind || newest.Sub(now) > maxBehind) {
		return r, fmt.Errorf("%w: it is %s, the last run was %s, the newest line is of %s",
			ErrClock, now.UTC().Format(time.RFC3339), ran.UTC().Format(time.RFC3339), newest.UTC().Format(time.RFC3339))
	}
	held, err := k.Log.Held(ctx)
	if err != nil {
		return r, err
	}
	r.Held = len(held)
	if p.Sessions > 0 {
		if err := k.sessions(ctx, p, now.AddDate(0, 0, -p.Sessions), &r); err != nil {
			return r, err
		}
	}
	if p.Outside > 0 {
		if r.Outside, err = k.Log.PurgeOutside(ctx, now.AddDate(0, 0, -p.Outside), p.Name, keeper); err != nil {
			return r, err
		}
	}
	// Also when nothing was due: a scrub that failed is made up for.
	if err := k.Log.Scrub(ctx); err != nil {
		return r, err
	}
	err = k.Log.Store().Update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec("update retention set ran = ? where id = 1", store.FormatTime(now))
		return err
	})
	if err != nil {
		return r, fmt.Errorf("retention: %w", err)
	}
	return r, nil
}

func (k *Keeper) sessions(ctx context.Context, p Policy, before time.Time, r *Result) error {
	for {
		due, err := k.Log.Due(ctx, before, batch)
		if err != nil {
			return err
		}
		for _, s := range due {
			var also []func(store.Tx, string) error
			if k.Also != nil {
				also = append(also, k.Also)
			}
			n, err := k.Log.PurgeUnscrubbed(ctx, s, p.Name, keeper, also...)
			if errors.Is(err, audit.ErrHeld) {
				continue // since we looked
			}
			if err != nil {
				return err
			}
			r.Sessions++
			r.Records += n
		}
		if len(due) < batch {
			return nil
		}
	}
}

// lookEvery is how often a server asks whether a day has passed.
const lookEvery = time.Hour

// Loop runs once a day until ctx ends: for the first time a day after the policy was
// set, so that a mistake can be put right. told hears what was done or went wrong.
func (k *Keeper) Loop(ctx context.Context, told func(Result, error)) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		_, ran, ok, err := k.InForce(ctx)
		if since := k.now().Sub(ran); err == nil && ok && (since >= 24*time.Hour || since < -maxBehind) {
			var r Result
			if r, err = k.Run(ctx, false); err == nil && r.Sessions+int(r.Outside) > 0 {
				told(r, nil)
			}
		}
		if err != nil && ctx.Err() == nil {
			told(Result{}, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
