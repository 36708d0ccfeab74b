package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
)

// Vouched is whom a sign-in provider vouches for. Names are hostile text.
type Vouched struct {
	Provider, Label string
	Issuer, Subject string // what identifies somebody for ever; nothing else does
	Name            string
	Role            Role
	Teams           []string  // names
	Asked           time.Time // when the provider last asked who it is; zero: it does not say
}

// byProvider is the actor of what a provider decides.
var byProvider = audit.Actor{Kind: "system"}

// Begin is [Provider.Begin] for somebody at an address, which it limits: who may make us
// ask others is anybody. Errors also: ErrLimited.
func (d *Directory) Begin(ctx context.Context, p *Provider, back, next string, again bool, from netip.Addr) (at string, f Flow, err error) {
	now := d.cfg.Now()
	addr := limit.AddressKey(from)
	if !d.address.Take(addr, now) {
		return "", Flow{}, ErrLimited
	}
	if at, f, err = p.Begin(ctx, back, next, again); err != nil {
		return "", Flow{}, err
	}
	d.address.Refund(addr, now)
	return at, f, nil
}

// Finish signs in whom a provider vouches for: back, f and q are those of
// [Provider.Begin] and of the request that came back. A user whom nobody knows yet is
// made; a known one gets the name, the role and the teams that the provider gives
// today. An account of the same name that signs in otherwise is somebody else.
//
// Errors: ErrLimited, the errors of providers, ErrClosed, or one of the store.
func (d *Directory) Finish(ctx context.Context, p *Provider, back string, f Flow, q url.Values, from netip.Addr) (token string, in SignIn, err error) {
	now := d.cfg.Now()
	// By address only: nobody else's bad answers may keep anybody out.
	addr := limit.AddressKey(from)
	if !d.address.Take(addr, now) {
		return "", SignIn{}, ErrLimited
	}
	// A state is good once, also for whoever holds the cookie of then.
	if len(f.State) > 64 || !d.flows.Take(f.State, now) {
		return "", SignIn{}, d.refused(ctx, p, from, ErrProviderLost)
	}
	v, err := p.finish(ctx, back, f, q)
	if err == nil && f.Again && !recent(v.Asked, now) {
		err = ErrProviderStale
	}
	if err != nil {
		return "", SignIn{}, d.refused(ctx, p, from, err)
	}
	token, in, err = d.signInVouched(ctx, v, from)
	if errors.Is(err, ErrClosed) {
		return "", SignIn{}, d.refused(ctx, p, from, err)
	}
	if err == nil {
		d.address.Refund(addr, now)
	}
	return token, in, err
}

// recent tells whether a provider asked so lately that it is a fresh proof. Its clock
// may be ahead.
func recent(asked, now time.Time) bool {
	return now.Sub(asked) < StepUpLife && asked.Sub(now) <= clockSkew
}

// refused logs a sign-in that did not come to pass, and returns why.
func (d *Directory) refused(ctx context.Context, p *Provider, from netip.Addr, why error) error {
	err := d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		return d.log(tx, audit.Event{
			Type: "auth.failed", Outcome: "deny", Origin: "server", Time: d.cfg.Now(), Actor: audit.Actor{Kind: "system"},
			Data:     map[string]any{"method": ByProvider, "provider": p.set.Name},
			Personal: map[string]any{"address": from.Unmap().String()},
		})
	})
	if err != nil {
		return fmt.Errorf("identity: a failed sign-in could not be logged: %w", err)
	}
	return why
}

func (d *Directory) signInVouched(ctx context.Context, v Vouched, from netip.Addr) (token string, in SignIn, err error) {
	v.Name = wire.Clean(v.Name)
	if r := []rune(v.Name); len(r) > maxName {
		v.Name = string(r[:maxName])
	}
	if v.Name == "" {
		return "", SignIn{}, fmt.Errorf("%w: nobody's name", ErrProviderBad)
	}
	now := d.cfg.Now()
	var ended []string
	err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		ended = nil
		a, err := d.origin(tx, v)
		if err != nil {
			return err
		}
		if !a.Disabled.IsZero() { // also in open: but nothing of it is brought up to date
			return ErrClosed
		}
		if a.Role != v.Role {
			if ended, err = d.setRole(tx, byProvider, a, v.Role); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(`update users set name = ?, search = ? where id = ? and name <> ?`, v.Name, audit.Fold(v.Name), a.ID, v.Name); err != nil {
			return err
		}
		if _, err := tx.Exec(`update user_origins set label = ?, provider = ? where user_id = ?`, v.Label, v.Provider, a.ID); err != nil {
			return err
		}
		if err := d.syncTeams(tx, a, v.Teams); err != nil {
			return err
		}
		a.User.Name, a.User.Role = v.Name, v.Role
		// Whom the provider just knew, be it since the morning, has proven nothing now (C98):
		// whoever stands at the desk of somebody who went for coffee could.
		proven := time.Time{}
		if recent(v.Asked, now) {
			proven = now
			if v.Asked.Before(now) {
				proven = v.Asked
			}
		}
		if token, in, err = d.open(tx, a.User, ByProvider, from, now, proven); err != nil {
			return err
		}
		in.Via = v.Label
		_, err = tx.Exec(`update signins set via = ? where id = ?`, v.Label, in.ID)
		return err
	})
	if err != nil {
		return "", SignIn{}, fmt.Errorf("identity: %w", err)
	}
	if len(ended) > 0 {
		d.cfg.Ended(ended)
	}
	return token, in, nil
}

// origin is the account of (issuer, subject), made if there is none.
func (d *Directory) origin(tx store.Tx, v Vouched) (Account, error) {
	var id string
	err := tx.QueryRow(`select user_id from user_origins where issuer = ? and subject = ?`, v.Issuer, v.Subject).Scan(&id)
	if err == nil {
		return d.accountTx(tx, id)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return Account{}, err
	}
	u := User{Name: v.Name, Role: v.Role}
	// Never the key of a typed name: those hold no control characters.
	if err := d.newUser(tx, &u, "\x01"+newID(d.cfg.Now()), ""); err != nil {
		return Account{}, err
	}
	if _, err := tx.Exec(`insert into user_origins (issuer, subject, user_id, provider, label, created) values (?, ?, ?, ?, ?, ?)`,
		v.Issuer, v.Subject, u.ID, v.Provider, v.Label, store.FormatTime(d.cfg.Now())); err != nil {
		return Account{}, err
	}
	if err := d.log(tx, audit.Event{
		Type: "auth.provided", Outcome: "ok", Origin: "server", Time: d.cfg.Now(), Actor: byProvider,
		Data:     map[string]any{"user": u.ID, "role": string(v.Role), "provider": v.Provider},
		Personal: map[string]any{"name": v.Name},
	}); err != nil {
		return Account{}, err
	}
	return d.accountTx(tx, u.ID)
}

// syncTeams puts a user into the teams of these names, makes those that are not
// there, and takes the user out of those that only the provider had given.
func (d *Directory) syncTeams(tx store.Tx, a Account, names []string) error {
	var want []string
	for _, name := range names {
		t := Team{Name: name, Tier: MinTier}
		if err := checkTeam(&t); err != nil {
			return err
		}
		err := tx.QueryRow(`select id from teams where name_key = ?`, nameKey(t.Name)).Scan(&t.ID)
		if errors.Is(err, sql.ErrNoRows) {
			t, err = d.makeTeam(tx, byProvider, t)
		}
		if err != nil {
			return err
		}
		if !slices.Contains(want, t.ID) { // two names may be one
			want = append(want, t.ID)
		}
	}
	var given []string
	rows, err := tx.Query(`select team_id from team_members where user_id = ? and provided = 1 order by team_id`, a.ID)
	if err != nil {
		return err
	}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		given = append(given, id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, t := range given {
		if !slices.Contains(want, t) {
			if err := d.leave(tx, byProvider, a.ID, t); err != nil {
				return err
			}
		}
	}
	for _, t := range want {
		if !slices.Contains(a.Teams, t) {
			if err := d.join(tx, byProvider, a.ID, t, true); err != nil {
				return err
			}
		}
	}
	return nil
}
