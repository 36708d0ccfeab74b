package identity

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
)

// passkeyLife is how long a challenge may be answered; maxPasskeys how many one user
// may have.
const (
	passkeyLife = 5 * time.Minute
	maxPasskeys = 10
)

// ErrWrongPasskey: the answer is not one to a challenge of ours by a passkey that we
// know, or it was given before.
var ErrWrongPasskey = errors.New("identity: the passkey is unknown, or its answer is wrong")

// Site is where passkeys belong to.
type Site struct {
	ID     string // the public host: a domain name, never an address
	Name   string // shown by the browser
	Origin string // of the page that asks
}

func (s Site) party() (*webauthn.WebAuthn, error) {
	name := s.Name
	if name == "" {
		name = s.ID
	}
	wait := webauthn.TimeoutConfig{Enforce: true, Timeout: passkeyLife, TimeoutUVD: passkeyLife}
	return webauthn.New(&webauthn.Config{
		RPID: s.ID, RPDisplayName: name, RPOrigins: []string{s.Origin},
		Timeouts: webauthn.TimeoutsConfig{Login: wait, Registration: wait},
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationRequired,
		},
		AttestationPreference: protocol.PreferNoAttestation,
	})
}

// Challenge is what a browser is asked, and what it gives back with its answer. State
// is sealed: nothing is kept here until an answer is right.
type Challenge struct {
	Options any // of navigator.credentials, as JSON
	State   string
}

// What a challenge is for stands in its seal.
const (
	toSignIn = "passkey sign-in"
	toAdd    = "passkey add "
)

func (d *Directory) challenge(what string, options any, s *webauthn.SessionData) (Challenge, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return Challenge{}, fmt.Errorf("identity: %w", err)
	}
	return Challenge{options, base64.RawURLEncoding.EncodeToString(d.cfg.Log.Seal(what, b))}, nil
}

func (d *Directory) opened(what, state string) (s webauthn.SessionData, err error) {
	box, err := base64.RawURLEncoding.DecodeString(state)
	if err != nil {
		return s, ErrWrongPasskey
	}
	b, err := d.cfg.Log.Unseal(what, box)
	if err != nil {
		return s, ErrWrongPasskey
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, ErrWrongPasskey
	}
	return s, nil
}

// keeper is a user as the library knows one.
type keeper struct {
	User
	keys []webauthn.Credential
	rows []string // ids of factors, as keys
}

func (k *keeper) WebAuthnID() []byte                         { return []byte(k.ID) }
func (k *keeper) WebAuthnName() string                       { return k.Name }
func (k *keeper) WebAuthnDisplayName() string                { return k.Name }
func (k *keeper) WebAuthnCredentials() []webauthn.Credential { return k.keys }

// keeper reads a user who may sign in, with their passkeys.
func (d *Directory) keeper(ctx context.Context, userID string) (*keeper, error) {
	k := &keeper{}
	err := d.cfg.Store.View(ctx, func(tx store.Tx) error {
		*k = keeper{}
		if err := tx.QueryRow(`select id, name, role, lang from users where id = ? and disabled is null`, userID).
			Scan(&k.ID, &k.Name, &k.Role, &k.Lang); err != nil {
			return err
		}
		rows, err := tx.Query(`select id, box from factors where user_id = ? and kind = 'passkey'`, userID)
		if err != nil {
			return err
		}
		for rows.Next() {
			var id string
			var box []byte
			if err := rows.Scan(&id, &box); err != nil {
				return err
			}
			var c webauthn.Credential
			if err := json.Unmarshal(box, &c); err != nil {
				return err
			}
			k.keys, k.rows = append(k.keys, c), append(k.rows, id)
		}
		return rows.Err()
	})
	return k, err
}

// AskPasskey begins a sign-in, or a step up, by whatever passkey the browser has.
func (d *Directory) AskPasskey(site Site) (Challenge, error) {
	party, err := site.party()
	if err != nil {
		return Challenge{}, fmt.Errorf("identity: %w", err)
	}
	options, s, err := party.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return Challenge{}, fmt.Errorf("identity: %w", err)
	}
	return d.challenge(toSignIn, options, s)
}

// answer is a right answer of a passkey.
type answer struct {
	user      User
	factor    string // id
	box       []byte // the credential as it is now
	challenge string
}

// heard checks an answer to AskPasskey. Nothing is written.
func (d *Directory) heard(ctx context.Context, site Site, state string, response []byte) (a answer, known *keeper, err error) {
	s, err := d.opened(toSignIn, state)
	if err != nil {
		return a, nil, err
	}
	party, err := site.party()
	if err != nil {
		return a, nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return a, nil, ErrWrongPasskey
	}
	var trouble error
	_, c, err := party.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		k, err := d.keeper(ctx, string(handle))
		if err != nil {
			if !errors.Is(err, sql.ErrNoRows) {
				trouble = err
			}
			return nil, err
		}
		known = k
		return k, nil
	}, s, parsed)
	switch {
	case trouble != nil:
		return a, nil, trouble
	case err != nil, c.Authenticator.CloneWarning:
		return a, known, ErrWrongPasskey
	}
	a = answer{user: known.User, challenge: s.Challenge}
	for i, key := range known.keys {
		if bytes.Equal(key.ID, c.ID) {
			a.factor = known.rows[i]
		}
	}
	a.box, err = json.Marshal(c)
	return a, known, err
}

// take uses an answer up, in tx: no challenge is answered twice.
func (a answer) take(tx store.Tx, now time.Time) error {
	if _, err := tx.Exec(`delete from answered where until < ?`, store.FormatTime(now)); err != nil {
		return err
	}
	_, err := tx.Exec(`insert into answered (challenge, until) values (?, ?)`, a.challenge, store.FormatTime(now.Add(2*passkeyLife)))
	if errors.Is(err, store.ErrExists) {
		return ErrWrongPasskey
	}
	if err != nil {
		return err
	}
	r, err := tx.Exec(`update factors set box = ?, used = ? where id = ?`, a.box, store.FormatTime(now), a.factor)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		return errors.Join(ErrWrongPasskey, err)
	}
	return nil
}

// SignInByPasskey makes a sign-in of the answer to a challenge. Errors: ErrLimited,
// ErrWrongPasskey, or one of the store.
func (d *Directory) SignInByPasskey(ctx context.Context, site Site, state string, response []byte, from netip.Addr) (token string, in SignIn, err error) {
	now := d.cfg.Now()
	addr := limit.AddressKey(from)
	if !d.address.Take(addr, now) {
		return "", SignIn{}, ErrLimited
	}
	a, known, err := d.heard(ctx, site, state, response)
	if err == nil {
		err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
			if err := a.take(tx, now); err != nil {
				return err
			}
			token, in, err = d.open(tx, a.user, ByPasskey, from, now, now)
			return err
		})
	}
	switch {
	case errors.Is(err, ErrWrongPasskey), errors.Is(err, ErrClosed):
		var user User
		if known != nil {
			user = known.User
		}
		return "", SignIn{}, d.failed(ctx, user, known != nil, ByPasskey, from)
	case err != nil:
		d.address.Refund(addr, now)
		return "", SignIn{}, fmt.Errorf("identity: %w", err)
	}
	d.address.Refund(addr, now)
	return token, in, nil
}

// StepUpByPasskey proves once more who is signed in. token takes the place of the
// sign-in's. Errors: ErrLimited, ErrWrongPasskey (also of somebody else's), or one of
// the store.
func (d *Directory) StepUpByPasskey(ctx context.Context, site Site, in SignIn, state string, response []byte, from netip.Addr) (token string, err error) {
	now := d.cfg.Now()
	addr := limit.AddressKey(from)
	if !d.address.Take(addr, now) {
		return "", ErrLimited
	}
	a, _, err := d.heard(ctx, site, state, response)
	if err == nil && a.user.ID != in.User.ID {
		err = ErrWrongPasskey
	}
	if err == nil {
		err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
			if err := a.take(tx, now); err != nil {
				return err
			}
			token, err = d.steppedUp(tx, in, ByPasskey, now)
			return err
		})
	}
	if errors.Is(err, ErrWrongPasskey) {
		return "", d.failed(ctx, in.User, true, ByPasskey, from)
	}
	d.address.Refund(addr, now)
	if err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	return token, nil
}

// OfferPasskey begins to add a passkey. Errors: ErrStepUp, ErrTooManyFactors, or one of the
// store.
func (d *Directory) OfferPasskey(ctx context.Context, site Site, in SignIn) (Challenge, error) {
	if !d.Fresh(in) {
		return Challenge{}, ErrStepUp
	}
	k, err := d.keeper(ctx, in.User.ID)
	if err != nil {
		return Challenge{}, fmt.Errorf("identity: %w", err)
	}
	if len(k.keys) >= maxPasskeys {
		return Challenge{}, ErrTooManyFactors
	}
	party, err := site.party()
	if err != nil {
		return Challenge{}, fmt.Errorf("identity: %w", err)
	}
	options, s, err := party.BeginRegistration(k, webauthn.WithExclusions(webauthn.Credentials(k.keys).CredentialDescriptors()))
	if err != nil {
		return Challenge{}, fmt.Errorf("identity: %w", err)
	}
	return d.challenge(toAdd+in.ID, options, s)
}

// AddPasskey keeps the passkey that the browser made, under a name. token takes the
// place of the sign-in's. Errors: ErrStepUp, ErrBadName, ErrTooManyFactors, ErrWrongPasskey,
// or one of the store.
func (d *Directory) AddPasskey(ctx context.Context, site Site, in SignIn, name, state string, response []byte) (token string, err error) {
	if name = wire.Clean(name); name == "" || utf8.RuneCountInString(name) > maxName {
		return "", ErrBadName
	}
	s, err := d.opened(toAdd+in.ID, state)
	if err != nil {
		return "", err
	}
	party, err := site.party()
	if err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	k, err := d.keeper(ctx, in.User.ID)
	if err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return "", ErrWrongPasskey
	}
	c, err := party.CreateCredential(k, s, parsed)
	if err != nil {
		return "", ErrWrongPasskey
	}
	// Who made the authenticator is not asked, so that what it says of it is not kept.
	c.Attestation = webauthn.CredentialAttestation{}
	box, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	now := d.cfg.Now()
	id := newID(now)
	err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		if err := d.FreshTx(tx, in); err != nil {
			return err
		}
		var n int64
		if err := tx.QueryRow(`select count(*) from factors where user_id = ? and kind = 'passkey'`, in.User.ID).Scan(&n); err != nil {
			return err
		}
		if n >= maxPasskeys {
			return ErrTooManyFactors
		}
		_, err := tx.Exec(`insert into factors (id, user_id, kind, name, box, credential, created, confirmed) values (?, ?, 'passkey', ?, ?, ?, ?, ?)`,
			id, in.User.ID, name, box, c.ID, store.FormatTime(now), store.FormatTime(now))
		if errors.Is(err, store.ErrExists) {
			return ErrWrongPasskey
		}
		if err != nil {
			return err
		}
		token, err = d.added(tx, in, kindPasskey, id, now)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	return token, nil
}
