package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"strings"
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

// Link is an invitation to make one account, or to choose a new password.
type Link struct {
	Role  Role
	Name  string   // suggested; empty: the person chooses
	Teams []string // ids of those that a new account is in
	For   string   // id of the user who chooses a new password; empty: a new account

	By audit.Actor // who makes it; zero: who runs the server
}

// Link makes a one-time link for an account with that role, or with For for a new
// password of a user, whose name and role are then those of the link; who holds the
// token may use it, once, within LinkLife. It ends before that when its maker is
// admin no more. Errors: ErrBadName, ErrNoTeam; ErrNoUser, ErrClosed and ErrProvided
// of the user; or one of the store.
func (d *Directory) Link(ctx context.Context, l Link) (token string, err error) {
	l.Name = wire.Clean(l.Name)
	if utf8.RuneCountInString(l.Name) > maxName {
		return "", ErrBadName
	}
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
	if _, ok := ParseRole(string(l.Role)); !ok && l.For == "" {
		return "", fmt.Errorf("identity: %q is not a role", l.Role)
	}
	if l.By.Kind == "" {
		l.By.Kind = "system"
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
		if err := d.linkFor(tx, &l); err != nil {
			return err
		}
		if _, err := tx.Exec(`insert into links (token_hash, role, name, created, expires, setup, user_id, teams, made_by) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			sum, string(l.Role), sql.NullString{String: l.Name, Valid: l.Name != ""},
			store.FormatTime(now), store.FormatTime(now.Add(life)), flag,
			sql.NullString{String: l.For, Valid: l.For != ""}, strings.Join(l.Teams, " "), l.By.Ref); err != nil {
			return err
		}
		data := map[string]any{"role": string(l.Role), "setup": setup}
		if l.For != "" {
			data["user"] = l.For
		}
		return d.log(tx, audit.Event{
			Type: "auth.link_created", Outcome: "ok", Origin: "server", Time: now, Actor: l.By, Data: data,
		})
	})
	if err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	return token, nil
}

// linkFor completes a link: who it is for, and that the teams are there. A new link
// for a password takes the place of earlier ones.
func (d *Directory) linkFor(tx store.Tx, l *Link) error {
	for _, t := range l.Teams {
		var n int64
		if err := tx.QueryRow(`select count(*) from teams where id = ?`, t).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return ErrNoTeam
		}
	}
	if l.For == "" {
		return nil
	}
	a, err := d.accountTx(tx, l.For)
	switch {
	case err != nil:
		return err
	case !a.Disabled.IsZero():
		return ErrClosed
	case a.Provider != "":
		return ErrProvided
	}
	l.Name, l.Role, l.Teams = a.Name, a.Role, nil
	_, err = tx.Exec(`delete from links where user_id = ? and used is null`, l.For)
	return err
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
		l          Link
		name, user sql.NullString
		teams      string
		setup      int64
	)
	err := tx.QueryRow(`select role, name, setup, user_id, teams from links where token_hash = ? and used is null and expires > ?`,
		sum, store.FormatTime(d.cfg.Now())).Scan(&l.Role, &name, &setup, &user, &teams)
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
	l.Name, l.For, l.Teams = name.String, user.String, strings.Fields(teams)
	if l.For == "" {
		return l, nil
	}
	a, err := d.accountTx(tx, l.For)
	if errors.Is(err, ErrNoUser) || err == nil && !a.Disabled.IsZero() {
		return Link{}, ErrNoLink
	}
	l.Name, l.Role = a.Name, a.Role // as they are today
	return l, err
}

// UseLink makes the account and signs it in; the link is used up in the same
// transaction. One for a new password leaves the account its name, and ends every
// other sign-in of it; ErrCodeNeeded then says that the password is set, and that the
// user has an authenticator app, whose code a link does not replace. Errors:
// ErrLimited, ErrNoLink, ErrBadName, ErrWeakPassword, ErrNameTaken (the link stays
// good for these three), or one of the store.
func (d *Directory) UseLink(ctx context.Context, token, name, password string, from netip.Addr) (cookie string, in SignIn, err error) {
	now := d.cfg.Now()
	refund, ok := d.take("\x00link", from, now)
	if !ok {
		return "", SignIn{}, ErrLimited
	}
	known, err := d.LookLink(ctx, token)
	if err != nil {
		return "", SignIn{}, err // a guess: not given back
	}
	refund()
	if known.For != "" {
		name = known.Name
	}
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
	var ended []string
	code := false
	err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		l, err := d.standing(tx, sum)
		if err != nil {
			return err
		}
		user := User{ID: l.For, Name: name, Role: l.Role}
		who := audit.Actor{Kind: string(user.Role)}
		if l.For != "" {
			if _, err := tx.Exec(`update users set password_hash = ? where id = ?`, phc, user.ID); err != nil {
				return err
			}
			if ended, err = endAll(tx, user.ID, ""); err != nil {
				return err
			}
			if code, err = hasApp(tx, user.ID); err != nil {
				return err
			}
		} else if err := d.newUser(tx, &user, nameKey(name), phc); err != nil {
			return err
		}
		who.Ref = user.ID
		if _, err := tx.Exec(`update links set used = ? where token_hash = ?`, store.FormatTime(now), sum); err != nil {
			return err
		}
		if err := d.log(tx, audit.Event{
			Type: "auth.link_used", Outcome: "ok", Origin: "server", Time: now,
			Actor: who, Data: map[string]any{"role": string(l.Role), "reset": l.For != ""},
		}); err != nil {
			return err
		}
		if l.For == "" {
			if err := d.joinAll(tx, who, user.ID, strings.Join(l.Teams, " ")); err != nil {
				return err
			}
		}
		if code { // C97
			return nil
		}
		cookie, in, err = d.open(tx, user, ByLink, from, now, now)
		return err
	})
	switch {
	case errors.Is(err, ErrNoLink), errors.Is(err, ErrNameTaken):
		return "", SignIn{}, err
	case err != nil:
		return "", SignIn{}, fmt.Errorf("identity: %w", err)
	}
	if len(ended) > 0 {
		d.cfg.Ended(ended)
	}
	if code {
		return "", SignIn{}, ErrCodeNeeded
	}
	return cookie, in, nil
}

// newUser makes a user in tx and gives it an id. key is what no other user has.
func (d *Directory) newUser(tx store.Tx, u *User, key, phc string) error {
	now := d.cfg.Now()
	u.ID = newID(now)
	_, err := tx.Exec(`insert into users (id, name, name_key, search, role, password_hash, created) values (?, ?, ?, ?, ?, ?, ?)`,
		u.ID, u.Name, key, audit.Fold(u.Name), string(u.Role), phc, store.FormatTime(now))
	if errors.Is(err, store.ErrExists) {
		return ErrNameTaken
	}
	return err
}
