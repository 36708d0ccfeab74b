package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// Kinds of factors, as the table has them.
const (
	kindTOTP    = "totp"
	kindPasskey = "passkey"
)

// Factors are what a user has beside a password.
type Factors struct {
	TOTP     *Factor // nil: none
	Passkeys []Factor
	Recovery int // recovery codes that are left
}

// Factor is one of them. Name is hostile text.
type Factor struct {
	ID    string // ULID
	Name  string // of a passkey
	Since time.Time
	Used  time.Time // zero: never
}

// Factors tells what a user has.
func (d *Directory) Factors(ctx context.Context, userID string) (f Factors, err error) {
	err = d.cfg.Store.View(ctx, func(tx store.Tx) error {
		f = Factors{}
		rows, err := tx.Query(`select id, kind, name, confirmed, used from factors where user_id = ? and confirmed <> '' order by id`, userID)
		if err != nil {
			return err
		}
		for rows.Next() {
			var one Factor
			var kind, since, used string
			if err := rows.Scan(&one.ID, &kind, &one.Name, &since, &used); err != nil {
				return err
			}
			if one.Since, err = store.ParseTime(since); err != nil {
				return err
			}
			if one.Used, err = store.ParseTime(used); err != nil {
				return err
			}
			if kind == kindTOTP {
				f.TOTP = &one
			} else {
				f.Passkeys = append(f.Passkeys, one)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		f.Recovery, err = recoveryLeft(tx, userID)
		return err
	})
	if err != nil {
		return Factors{}, fmt.Errorf("identity: %w", err)
	}
	return f, nil
}

// Lacks tells whether a sign-in may do nothing yet but get its user a factor, or show
// the one that there is: its role must have one, and one that was never shown in this
// sign-in keeps nobody out (C92).
func (d *Directory) Lacks(in SignIn) bool {
	return d.Required(in.User.Role) && (!in.Factor || in.Proven.IsZero())
}

// Required tells whether a role must have a factor.
func (d *Directory) Required(r Role) bool {
	return slices.Contains(d.cfg.Require, r) || d.cfg.RequireToo != nil && d.cfg.RequireToo(r)
}

// needsCode tells whether a password alone does not sign a user in.
func (d *Directory) needsCode(ctx context.Context, userID string) (needs bool, err error) {
	err = d.cfg.Store.View(ctx, func(tx store.Tx) error {
		needs, err = hasApp(tx, userID)
		return err
	})
	return needs, err
}

// hasApp tells whether a user has an authenticator app.
func hasApp(tx store.Tx, userID string) (bool, error) {
	var n int64
	err := tx.QueryRow(`select count(*) from factors where user_id = ? and kind = 'totp' and confirmed <> ''`, userID).Scan(&n)
	return n > 0, err
}

// hasFactor tells whether a user has an authenticator app or a passkey.
func hasFactor(tx store.Tx, userID string) (bool, error) {
	var n int64
	err := tx.QueryRow(`select count(*) from factors where user_id = ? and confirmed <> ''`, userID).Scan(&n)
	return n > 0, err
}

// RemoveFactor takes a factor away; with the last one the recovery codes go too.
// Errors: ErrStepUp, ErrNoFactor, or one of the store.
func (d *Directory) RemoveFactor(ctx context.Context, in SignIn, id string) error {
	err := d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		if err := d.FreshTx(tx, in); err != nil {
			return err
		}
		var kind string
		err := tx.QueryRow(`select kind from factors where id = ? and user_id = ? and confirmed <> ''`, id, in.User.ID).Scan(&kind)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNoFactor
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`delete from factors where id = ?`, id); err != nil {
			return err
		}
		left, err := hasFactor(tx, in.User.ID)
		if err != nil {
			return err
		}
		if !left {
			if _, err := tx.Exec(`delete from recovery_codes where user_id = ?`, in.User.ID); err != nil {
				return err
			}
		}
		return d.log(tx, d.own(in, "factor.removed", map[string]any{"kind": kind, "factor": id}))
	})
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	return nil
}

// ResetFactors is the way out for somebody who lost them all: it removes every factor
// and recovery code of the account of that name, and ends its sign-ins. Whoever runs
// the server does it; ErrNoOwner: there is no such account.
func (d *Directory) ResetFactors(ctx context.Context, name string) (removed int, err error) {
	var ids []string
	err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		var id string
		err := tx.QueryRow(`select id from users where name_key = ?`, nameKey(name)).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNoOwner
		}
		if err != nil {
			return err
		}
		var n int64
		if err := tx.QueryRow(`select count(*) from factors where user_id = ? and confirmed <> ''`, id).Scan(&n); err != nil {
			return err
		}
		removed = int(n)
		for _, table := range []string{"factors", "recovery_codes"} {
			if _, err := tx.Exec(`delete from `+table+` where user_id = ?`, id); err != nil {
				return err
			}
		}
		if ids, err = endAll(tx, id, ""); err != nil {
			return err
		}
		return d.log(tx, audit.Event{
			Type: "factor.reset", Outcome: "ok", Origin: "server", Time: d.cfg.Now(),
			Actor: audit.Actor{Kind: "system"}, Data: map[string]any{"user": id, "factors": removed, "signins": len(ids)},
		})
	})
	if err != nil {
		return 0, fmt.Errorf("identity: %w", err)
	}
	d.cfg.Ended(ids)
	return removed, nil
}

// added is the end of adding a factor, in tx: what the user has grew, so that this
// sign-in gets a new token, and their others have proven nothing of it yet.
func (d *Directory) added(tx store.Tx, in SignIn, kind, id string, now time.Time) (token string, err error) {
	if token, err = renew(tx, in, now); err != nil {
		return "", err
	}
	if _, err := tx.Exec(`update signins set proven = '' where user_id = ? and id <> ?`, in.User.ID, in.ID); err != nil {
		return "", err
	}
	return token, d.log(tx, d.own(in, "factor.added", map[string]any{"kind": kind, "factor": id}))
}

// own is an event of what somebody does with their own account.
func (d *Directory) own(in SignIn, typ string, data map[string]any) audit.Event {
	return audit.Event{
		Type: typ, Outcome: "ok", Origin: "server", Time: d.cfg.Now(),
		Actor: audit.Actor{Kind: string(in.User.Role), Ref: in.User.ID}, Data: data,
	}
}
