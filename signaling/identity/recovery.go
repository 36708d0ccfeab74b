package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
)

// Recovery codes: so many, each of 16 characters out of 32, 80 random bits. That is
// too many to be guessed from a stolen hash too.
const (
	recoveryCodes = 10
	recoverySize  = 16
	// Crockford's letters: none is mistaken for another.
	recoveryAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"
)

// NewRecovery makes new recovery codes and returns them this once; the earlier ones
// are worth nothing. Errors: ErrStepUp, ErrNoFactor (there is nothing to recover),
// or one of the store.
func (d *Directory) NewRecovery(ctx context.Context, in SignIn) (codes []string, err error) {
	err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		if err := d.FreshTx(tx, in); err != nil {
			return err
		}
		has, err := hasFactor(tx, in.User.ID)
		if err != nil {
			return err
		}
		if !has {
			return ErrNoFactor
		}
		codes, err = d.makeRecovery(tx, in)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return codes, nil
}

func (d *Directory) makeRecovery(tx store.Tx, in SignIn) ([]string, error) {
	if _, err := tx.Exec(`delete from recovery_codes where user_id = ?`, in.User.ID); err != nil {
		return nil, err
	}
	codes := make([]string, recoveryCodes)
	for i := range codes {
		codes[i] = newRecovery()
		if _, err := tx.Exec(`insert into recovery_codes (user_id, code_hash) values (?, ?)`,
			in.User.ID, recoverySum(in.User.ID, plainCode(codes[i]))); err != nil {
			return nil, err
		}
	}
	return codes, d.log(tx, d.own(in, "factor.codes_made", map[string]any{"codes": len(codes)}))
}

// newRecovery is four groups of four letters and digits, as one copies them by hand.
func newRecovery() string {
	raw := make([]byte, recoverySize)
	rand.Read(raw) // never fails since Go 1.24
	var b strings.Builder
	for i, r := range raw {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(recoveryAlphabet[r%32])
	}
	return b.String()
}

// recoverySum is a code as the database has it. The user's id stands in it, so that
// one computation is a guess at one account.
func recoverySum(userID, plain string) []byte {
	h := sha256.Sum256([]byte("mf recovery 1\x00" + userID + "\x00" + plain))
	return h[:]
}

// useRecovery uses a recovery code up, in tx, or returns ErrWrongCode.
func (d *Directory) useRecovery(tx store.Tx, user User, sum []byte, now time.Time) error {
	// C91: a code that was used is none.
	r, err := tx.Exec(`update recovery_codes set used = ? where user_id = ? and code_hash = ? and used = ''`,
		store.FormatTime(now), user.ID, sum)
	if err != nil {
		return err
	}
	switch n, err := r.RowsAffected(); {
	case err != nil:
		return err
	case n != 1:
		return ErrWrongCode
	}
	left, err := recoveryLeft(tx, user.ID)
	if err != nil {
		return err
	}
	return d.log(tx, d.own(SignIn{User: user}, "factor.code_used", map[string]any{"left": left}))
}

func recoveryLeft(tx store.Tx, userID string) (int, error) {
	var n int64
	err := tx.QueryRow(`select count(*) from recovery_codes where user_id = ? and used = ''`, userID).Scan(&n)
	return int(n), err
}
