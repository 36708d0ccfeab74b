package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/mainforte/mainforte/signaling/store"
)

// TOTP as every app knows it: RFC 6238, SHA-1, six digits, a step of 30 s, of which
// the one before and the one after are taken too.
const (
	totpStep    = 30 * time.Second
	totpSecret  = 20 // bytes: what RFC 4226 recommends
	totpConfirm = 10 * time.Minute
)

var totpOptions = totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

var base32Plain = base32.StdEncoding.WithPadding(base32.NoPadding)

// TOTP is a secret for an app, shown once.
type TOTP struct {
	Secret string // base32
	URI    string // otpauth, for a QR code
}

// NewTOTP makes a secret, which counts only once a code of it confirmed in the same
// sign-in that the app has it: [Directory.ConfirmTOTP]. An earlier one stays good until then. issuer is
// what the app shows beside the name. Errors: ErrStepUp, or one of the store.
func (d *Directory) NewTOTP(ctx context.Context, in SignIn, issuer string) (TOTP, error) {
	now := d.cfg.Now()
	secret := make([]byte, totpSecret)
	rand.Read(secret) // never fails since Go 1.24
	id := newID(now)
	err := d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		if err := d.FreshTx(tx, in); err != nil {
			return err
		}
		if _, err := tx.Exec(`delete from factors where user_id = ? and kind = 'totp' and confirmed = ''`, in.User.ID); err != nil {
			return err
		}
		// Until it counts its name is the sign-in that began it.
		_, err := tx.Exec(`insert into factors (id, user_id, kind, name, box, created) values (?, ?, 'totp', ?, ?, ?)`,
			id, in.User.ID, in.ID, d.cfg.Log.Seal(totpPlace(id), secret), store.FormatTime(now))
		return err
	})
	if err != nil {
		return TOTP{}, fmt.Errorf("identity: %w", err)
	}
	text := base32Plain.EncodeToString(secret)
	issuer = strings.ReplaceAll(issuer, ":", " ") // which the format gives a meaning
	label := url.PathEscape(issuer + ":" + in.User.Name)
	q := "secret=" + text + "&issuer=" + url.PathEscape(issuer)
	return TOTP{Secret: text, URI: "otpauth://totp/" + label + "?" + q}, nil
}

// totpPlace binds a sealed secret to its row.
func totpPlace(id string) string { return "totp " + id }

// ConfirmTOTP makes the secret count. Who has no recovery codes yet gets them; token
// takes the place of the sign-in's. Errors: ErrLimited, ErrStepUp, ErrWrongCode,
// ErrNoFactor (no secret of this sign-in waits, or it waited too long), or one of the
// store.
func (d *Directory) ConfirmTOTP(ctx context.Context, in SignIn, code string) (token string, recovery []string, err error) {
	now := d.cfg.Now()
	if !d.codes.Take(in.User.ID, now) {
		return "", nil, ErrLimited
	}
	err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		// Asked for at the beginning, and yet: that may be ten minutes ago, and whoever
		// holds a stolen cookie would end here what they began in time.
		if err := d.FreshTx(tx, in); err != nil {
			return err
		}
		var id string
		var box []byte
		err := tx.QueryRow(`select id, box from factors where user_id = ? and kind = 'totp' and confirmed = '' and name = ? and created > ?`,
			in.User.ID, in.ID, store.FormatTime(now.Add(-totpConfirm))).Scan(&id, &box)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNoFactor
		}
		if err != nil {
			return err
		}
		secret, err := d.cfg.Log.Unseal(totpPlace(id), box)
		if err != nil {
			return err
		}
		step, err := matchTOTP(secret, plainCode(code), now)
		if err != nil {
			return err
		}
		if step == 0 {
			return ErrWrongCode
		}
		if _, err := tx.Exec(`delete from factors where user_id = ? and kind = 'totp' and id <> ?`, in.User.ID, id); err != nil {
			return err
		}
		if _, err := tx.Exec(`update factors set confirmed = ?, step = ?, name = '' where id = ?`, store.FormatTime(now), step, id); err != nil {
			return err
		}
		left, err := recoveryLeft(tx, in.User.ID)
		if err != nil {
			return err
		}
		recovery = nil
		if left == 0 {
			if recovery, err = d.makeRecovery(tx, in); err != nil {
				return err
			}
		}
		token, err = d.added(tx, in, kindTOTP, id, now)
		return err
	})
	if !errors.Is(err, ErrWrongCode) {
		d.codes.Refund(in.User.ID, now)
	}
	if err != nil {
		return "", nil, fmt.Errorf("identity: %w", err)
	}
	return token, recovery, nil
}

// matchTOTP is the step that a code is of, 0 if of none that is near. It compares with
// each, whatever it finds.
func matchTOTP(secret []byte, code string, now time.Time) (step int64, err error) {
	text := base32Plain.EncodeToString(secret)
	for _, off := range []time.Duration{-totpStep, 0, totpStep} {
		at := now.Add(off)
		want, err := totp.GenerateCodeCustom(text, at, totpOptions)
		if err != nil {
			return 0, err
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step = at.Unix() / int64(totpStep/time.Second)
		}
	}
	return step, nil
}

// useCode takes a code of the app or a recovery code, once, in tx, and tells which, as
// the log has it: "code" or "recovery". It does the same work for every wrong one, and
// answers ErrWrongCode.
func (d *Directory) useCode(tx store.Tx, user User, code string, now time.Time) (method string, err error) {
	plain := plainCode(code)
	sum := recoverySum(user.ID, plain)
	var id string
	var box []byte
	var last int64
	secret := make([]byte, totpSecret)
	err = tx.QueryRow(`select id, box, step from factors where user_id = ? and kind = 'totp' and confirmed <> ''`, user.ID).Scan(&id, &box, &last)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		rand.Read(secret)
	case err != nil:
		return "", err
	default:
		if secret, err = d.cfg.Log.Unseal(totpPlace(id), box); err != nil {
			return "", err
		}
	}
	step, err := matchTOTP(secret, plain, now)
	if err != nil {
		return "", err
	}
	// C90: of a step that was used, or came before, no code is taken.
	if step > last && id != "" {
		_, err := tx.Exec(`update factors set step = ?, used = ? where id = ?`, step, store.FormatTime(now), id)
		return "code", err
	}
	return "recovery", d.useRecovery(tx, user, sum, now)
}

// plainCode is a code as it is compared: however people wrote it down.
func plainCode(code string) string {
	if len(code) > 64 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return -1
	}, code)
}
