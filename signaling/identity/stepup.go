package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
)

// StepUpLife is how long a proof is good for what needs a fresh one: to claim a code,
// to change one's own factors.
const StepUpLife = 5 * time.Minute

// Fresh tells whether the strongest that a user has was proven in the last minutes: a
// factor by who has one, else what they signed in with.
func (d *Directory) Fresh(in SignIn) bool {
	return !in.Proven.IsZero() && d.cfg.Now().Sub(in.Proven) < StepUpLife
}

// FreshTx is Fresh as the database has it, in the transaction that writes what needs a
// fresh proof: what was proven when the call came may have been undone since. Errors:
// ErrStepUp, ErrNotSignedIn, or one of the store.
func (d *Directory) FreshTx(tx store.Tx, in SignIn) error {
	var proven string
	err := tx.QueryRow(`select proven from signins where id = ? and user_id = ?`, in.ID, in.User.ID).Scan(&proven)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotSignedIn
	}
	if err != nil {
		return err
	}
	if in.Proven, err = store.ParseTime(proven); err != nil {
		return err
	}
	if !d.Fresh(in) {
		return ErrStepUp
	}
	return nil
}

// MayControl tells whether the sign-in of that id may come to control a host now. Who
// has a factor must have proven it in the last minutes; who must have one and has none
// may not. A sign-in that is gone may not either.
func (d *Directory) MayControl(ctx context.Context, id string) (bool, error) {
	in, _, err := d.look(ctx, byID, id)
	if errors.Is(err, ErrNotSignedIn) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return d.Controls(in), nil
}

// Controls is MayControl of a sign-in as it was just read.
func (d *Directory) Controls(in SignIn) bool {
	return !d.Lacks(in) && (!in.Factor || d.Fresh(in))
}

// StepUp proves once more who is signed in, by a code of the app or a recovery code.
// token takes the place of the sign-in's. Errors: ErrLimited, ErrWrongCode, or one of
// the store.
func (d *Directory) StepUp(ctx context.Context, in SignIn, code string, from netip.Addr) (token string, err error) {
	now := d.cfg.Now()
	if !d.codes.Take(in.User.ID, now) {
		return "", ErrLimited
	}
	err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		method, err := d.useCode(tx, in.User, code, now)
		if err != nil {
			return err
		}
		token, err = d.steppedUp(tx, in, method, now)
		return err
	})
	if errors.Is(err, ErrWrongCode) {
		return "", d.failed(ctx, in.User, true, ByCode, from)
	}
	d.codes.Refund(in.User.ID, now)
	if err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	return token, nil
}

// First tells by what a user signs in who has no factor: by a password, or at the
// provider of that name in the configuration.
func (d *Directory) First(ctx context.Context, userID string) (password bool, provider string, err error) {
	phc := ""
	err = d.cfg.Store.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow(`select password_hash, coalesce((select provider from user_origins o where o.user_id = u.id), '') from users u where id = ?`, userID).
			Scan(&phc, &provider)
	})
	if err != nil {
		return false, "", fmt.Errorf("identity: %w", err)
	}
	return phc != "", provider, nil
}

// StepUpByPassword is StepUp of somebody who has nothing else: who has a factor, or no
// password, gets ErrStepUp. Errors also: ErrWrong.
func (d *Directory) StepUpByPassword(ctx context.Context, in SignIn, password string, from netip.Addr) (token string, err error) {
	if in.Factor {
		return "", ErrStepUp
	}
	phc := ""
	err = d.cfg.Store.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow(`select password_hash from users where id = ?`, in.User.ID).Scan(&phc)
	})
	if err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	if phc == "" {
		// Signs in elsewhere. The limits below are of a typed name: a namesake's.
		return "", ErrStepUp
	}
	now := d.cfg.Now()
	refund, ok := d.take(nameKey(in.User.Name), from, now)
	if !ok {
		return "", ErrLimited
	}
	if len(password) > maxPassword {
		password = ""
	}
	right, _, err := d.hash.verify(ctx, password, phc)
	if err != nil {
		refund()
		return "", fmt.Errorf("identity: %w", err)
	}
	if !right {
		return "", d.failed(ctx, in.User, true, ByPassword, from)
	}
	refund()
	err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		// A factor that came meanwhile is stronger.
		switch has, err := hasFactor(tx, in.User.ID); {
		case err != nil:
			return err
		case has:
			return ErrStepUp
		}
		token, err = d.steppedUp(tx, in, "password", now)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	return token, nil
}

// steppedUp is the end of a step up, in tx.
func (d *Directory) steppedUp(tx store.Tx, in SignIn, method string, now time.Time) (token string, err error) {
	if token, err = renew(tx, in, now); err != nil {
		return "", err
	}
	return token, d.log(tx, d.own(in, "auth.stepped_up", map[string]any{"method": method}))
}

// renew gives a sign-in a new token, because it may do more from now on: whoever knew
// the old one does not (C93). Its id stays, so that an open session does.
func renew(tx store.Tx, in SignIn, now time.Time) (token string, err error) {
	token, sum := newToken()
	r, err := tx.Exec(`update signins set token_hash = ?, proven = ? where id = ?`, sum, store.FormatTime(now), in.ID)
	if err != nil {
		return "", err
	}
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		return "", errors.Join(ErrNotSignedIn, err)
	}
	return token, nil
}

// SawFailures tells that a user has read how many sign-ins had failed before this one.
func (d *Directory) SawFailures(ctx context.Context, in SignIn) error {
	return d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec(`update signins set failed = 0, failed_last = '' where id = ?`, in.ID)
		return err
	})
}
