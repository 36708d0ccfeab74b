package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// Lives of one-time links.
const (
	LinkLife  = 24 * time.Hour
	SetupLife = 15 * time.Minute
)

// maxName is the longest account name in characters.
const maxName = 64

// Link is an invitation to make one account.
type Link struct {
	Role Role
	Name string // suggested; empty: the person chooses
}

// Link makes a one-time link for an account with that role; who holds the token
// may make it, once, within LinkLife.
func (d *Directory) Link(ctx context.Context, l Link) (token string, err error) {
	return d.link(ctx, l, LinkLife, false)
}

// SetupLink makes the link for the first administrator, good for SetupLife and
// only while there is no user; it takes the place of earlier ones. It returns ""
// when there is a user already: setup cannot be opened again.
func (d *Directory) SetupLink(ctx context.Context) (token string, err error) {
	token, err = d.link(ctx, Link{Role: Admin}, SetupLife, true)
	if errors.Is(err, errUsers) {
		return "", nil
	}
	return token, err
}

var errUsers = errors.New("identity: there are users already")

func (d *Directory) link(ctx context.Context, l Link, life time.Duration, setup bool) (string, error) {
	if _, ok := ParseRole(string(l.Role)); !ok {
		return "", fmt.Errorf("identity: %q is not a role", l.Role)
	}
	now := d.cfg.Now()
	token, sum := newToken()
	err := d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		flag := 0
		if setup {
			flag = 1
			if err := noUsers(tx); err != nil {
				return err
			}
			if _, err := tx.Exec(`delete from links where setup = 1`); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(`insert into links (token_hash, role, name, created, expires, setup) values (?, ?, ?, ?, ?, ?)`,
			sum, string(l.Role), sql.NullString{String: l.Name, Valid: l.Name != ""},
			store.FormatTime(now), store.FormatTime(now.Add(life)), flag); err != nil {
			return err
		}
		return d.log(tx, audit.Event{
			Type: "auth.link_created", Outcome: "ok", Origin: "server", Time: now,
			Actor: audit.Actor{Kind: "system"}, Data: map[string]any{"role": string(l.Role), "setup": setup},
		})
	})
	if err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	return token, nil
}

func noUsers(tx store.Tx) error {
	var n int64
	if err := tx.QueryRow(`select count(*) from users`).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return errUsers
	}
	return nil
}

// LookLink tells what a link would make, without using it. ErrNoLink: it does
// not stand.
func (d *Directory) LookLink(ctx context.Context, token string) (l Link, err error) {
	sum, ok := parseToken(token)
	if !ok {
		return Link{}, ErrNoLink
	}
	err = d.cfg.Store.View(ctx, func(tx store.Tx) error {
		l, err = d.standing(tx, sum)
		return err
	})
	return l, err
}

// standing reads a link that can still be used.
func (d *Directory) standing(tx store.Tx, sum []byte) (Link, error) {
	var (
		l     Link
		name  sql.NullString
		setup int64
	)
	err := tx.QueryRow(`select role, name, setup from links where token_hash = ? and used is null and expires > ?`,
		sum, store.FormatTime(d.cfg.Now())).Scan(&l.Role, &name, &setup)
	if errors.Is(err, sql.ErrNoRows) {
		return Link{}, ErrNoLink
	}
	if err != nil {
		return Link{}, fmt.Errorf("identity: %w", err)
	}
	if setup != 0 {
		if err := noUsers(tx); errors.Is(err, errUsers) {
			return Link{}, ErrNoLink
		} else if err != nil {
			return Link{}, fmt.Errorf("identity: %w", err)
		}
	}
	l.Name = name.String
	return l, nil
}

// UseLink makes the account and signs it in; the link is used up in the same
// transaction. Errors: ErrLimited, ErrNoLink, ErrBadName, ErrWeakPassword,
// ErrNameTaken (the link stays good for these three), or one of the store.
func (d *Directory) UseLink(ctx context.Context, token, name, password string, from netip.Addr) (cookie string, in SignIn, err error) {
	now := d.cfg.Now()
	refund, ok := d.take("\x00link", from, now)
	if !ok {
		return "", SignIn{}, ErrLimited
	}
	if _, err := d.LookLink(ctx, token); err != nil {
		return "", SignIn{}, err // a guess: not given back
	}
	refund()
	name = wire.Clean(name)
	if name == "" || utf8.RuneCountInString(name) > maxName || nameKey(name) == "" {
		return "", SignIn{}, ErrBadName
	}
	if err := checkPassword(name, password); err != nil {
		return "", SignIn{}, err
	}
	phc, err := d.hash.hash(ctx, password)
	if err != nil {
		return "", SignIn{}, fmt.Errorf("identity: %w", err)
	}
	sum, _ := parseToken(token)
	err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		l, err := d.standing(tx, sum)
		if err != nil {
			return err
		}
		user := User{ID: newID(now), Name: name, Role: l.Role}
		_, err = tx.Exec(`insert into users (id, name, name_key, role, password_hash, created) values (?, ?, ?, ?, ?, ?)`,
			user.ID, user.Name, nameKey(name), string(user.Role), phc, store.FormatTime(now))
		if errors.Is(err, store.ErrExists) {
			return ErrNameTaken
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`update links set used = ? where token_hash = ?`, store.FormatTime(now), sum); err != nil {
			return err
		}
		if err := d.log(tx, audit.Event{
			Type: "auth.link_used", Outcome: "ok", Origin: "server", Time: now,
			Actor: audit.Actor{Kind: string(user.Role), Ref: user.ID}, Data: map[string]any{"role": string(l.Role)},
		}); err != nil {
			return err
		}
		cookie, in, err = d.open(tx, user, ByLink, from, now)
		return err
	})
	switch {
	case errors.Is(err, ErrNoLink), errors.Is(err, ErrNameTaken):
		return "", SignIn{}, err
	case err != nil:
		return "", SignIn{}, fmt.Errorf("identity: %w", err)
	}
	return cookie, in, nil
}
