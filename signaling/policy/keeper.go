package policy

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// ErrChanged is returned by Keeper.Set for a policy that was made from an older one
// than is in force: somebody else was quicker.
var ErrChanged = errors.New("policy: it was changed meanwhile")

// Log is the part of the audit log that a Keeper writes to.
type Log interface {
	AppendTx(tx store.Tx, events ...audit.Event) (first int64, err error)
}

// Keeper holds the policy in force. Safe for concurrent use.
type Keeper struct {
	store store.Store
	log   Log
	now   func() time.Time

	setting sync.Mutex // what is in memory follows the database in its order
	force   atomic.Pointer[inForce]
}

type inForce struct {
	policy  Policy
	version int64
}

// Open reads the policy in force; without one it is the zero value.
func Open(ctx context.Context, st store.Store, log Log) (*Keeper, error) {
	k := &Keeper{store: st, log: log, now: time.Now}
	var f inForce
	err := st.View(ctx, func(tx store.Tx) (err error) {
		f, err = read(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	k.force.Store(&f)
	return k, nil
}

// read is the policy as the database has it.
func read(tx store.Tx) (f inForce, err error) {
	var text string
	err = tx.QueryRow("select policy, version from policy where id = 1").Scan(&text, &f.version)
	if errors.Is(err, sql.ErrNoRows) {
		f.policy, err = Policy{}.tidy()
		return f, err
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &f.policy)
	}
	if err == nil {
		f.policy, err = f.policy.tidy()
	}
	return f, err
}

// InForce is the policy of sessions that begin now, and its number: 0 is that of the
// beginning.
func (k *Keeper) InForce() (Policy, int64) {
	f := k.force.Load()
	return f.policy, f.version
}

// Set puts a policy in force that was made from the one of a version, and writes down
// what was and what is. may is asked in the same transaction whether the actor may;
// also runs in it. Errors: ErrPolicy, ErrChanged, that of may or also, or one of the
// store.
func (k *Keeper) Set(ctx context.Context, by audit.Actor, version int64, p Policy, may, also func(store.Tx) error) error {
	p, err := p.tidy()
	if err != nil {
		return err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	k.setting.Lock()
	defer k.setting.Unlock()
	next := inForce{p, version}
	err = k.store.Update(ctx, func(tx store.Tx) error {
		if err := may(tx); err != nil { // C125
			return err
		}
		was, err := read(tx)
		if err != nil {
			return err
		}
		if was.version != version {
			return ErrChanged
		}
		if err := also(tx); err != nil {
			return err
		}
		if next = was; was.policy.equal(p) {
			return nil
		}
		next = inForce{p, version + 1}
		if _, err := tx.Exec(`insert into policy (id, policy, version, created) values (1, ?, ?, ?)
			on conflict (id) do update set policy = excluded.policy, version = excluded.version, created = excluded.created`,
			string(text), next.version, store.FormatTime(k.now())); err != nil {
			return err
		}
		_, err = k.log.AppendTx(tx, audit.Event{ // C125
			Type: "policy.set", Outcome: "ok", Actor: by, Origin: "server",
			Data: map[string]any{
				"version": next.version, "preset": p.Called(), "was_preset": was.policy.Called(),
				"ruled_out": joined(p.RuledOut), "was_ruled_out": joined(was.policy.RuledOut),
				"minutes": p.Minutes, "was_minutes": was.policy.Minutes,
				"factor": joined(p.Factor), "was_factor": joined(was.policy.Factor),
			},
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	k.force.Store(&next)
	return nil
}
