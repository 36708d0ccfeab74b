package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
)

// tokenMark begins every API token, so that scanners for leaked secrets, and
// people, know one when they see it.
const tokenMark = "mf_"

// Scope is a group of routes that an API token may be made for. Routes without
// one are for people only.
type Scope string

// The scopes there are; the table says which routes they are.
const (
	Launch       Scope = "launch"   // make links to a ticket, for the person and the technician
	ReadTickets  Scope = "tickets"  // read tickets
	ReadSessions Scope = "sessions" // read which sessions there were
	ReadTrends   Scope = "trends"   // read how satisfied people were and which problems came again, of nobody in particular
)

// Scopes are all scopes.
func Scopes() []Scope { return []Scope{Launch, ReadTickets, ReadSessions, ReadTrends} }

// ParseScope is the scope of that name.
func ParseScope(s string) (Scope, bool) {
	sc := Scope(s)
	return sc, slices.Contains(Scopes(), sc)
}

// Token is what a program acts by. It may use the routes of its scopes, as far
// as both its own role and, if it has an owner, that account's role of today may
// use them.
type Token struct {
	ID      string // ULID; not the secret
	Name    string
	Role    Role
	Owner   string // name of the account; empty: of who runs the server
	Scopes  []Scope
	Created time.Time
	Expires time.Time
	Revoked time.Time // zero: not
	Used    time.Time // to the minute; zero: never

	owner  Role // of the owner today; empty if there is none
	closed bool // the owner's account
}

// NewToken describes a token to be made.
type NewToken struct {
	Name    string
	Role    Role   // may be empty with an Owner: the owner's
	Owner   string // name of an account, or empty
	Scopes  []Scope
	Expires time.Time
}

// Errors of making a token.
var (
	ErrNoOwner  = errors.New("identity: there is no such account, or it is closed")
	ErrTooMuch  = errors.New("identity: a token may not have another role than its owner")
	ErrNoScope  = errors.New("identity: a token needs to be for something")
	ErrBadUntil = errors.New("identity: a token ends later than now")
)

// ErrNoToken: the token does not exist, was revoked, is too old, or its owner's
// account is closed.
var ErrNoToken = errors.New("identity: no such token")

// NewToken makes a token. The secret is returned this once. Errors: ErrBadName,
// ErrNoScope, ErrBadUntil, ErrNoOwner, ErrTooMuch, or one of the store.
func (d *Directory) NewToken(ctx context.Context, n NewToken) (secret string, t Token, err error) {
	now := d.cfg.Now()
	t = Token{ID: newID(now), Name: wire.Clean(n.Name), Role: n.Role, Owner: n.Owner, Created: now, Expires: n.Expires}
	for _, s := range Scopes() {
		if slices.Contains(n.Scopes, s) {
			t.Scopes = append(t.Scopes, s)
		}
	}
	switch {
	case t.Name == "" || utf8.RuneCountInString(t.Name) > maxName:
		return "", Token{}, ErrBadName
	case len(t.Scopes) == 0:
		return "", Token{}, ErrNoScope
	case !now.Before(t.Expires):
		return "", Token{}, ErrBadUntil
	}
	raw, sum := newToken()
	err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		var owner sql.NullString
		if n.Owner != "" {
			owner.Valid = true
			err := tx.QueryRow(`select id, name, role from users where name_key = ? and disabled is null`, nameKey(n.Owner)).
				Scan(&owner.String, &t.Owner, &t.owner)
			if errors.Is(err, sql.ErrNoRows) {
				return ErrNoOwner
			}
			if err != nil {
				return err
			}
			if n.Role == "" {
				t.Role = t.owner
			}
			if t.Role != t.owner {
				return ErrTooMuch
			}
		}
		if _, ok := ParseRole(string(t.Role)); !ok {
			return fmt.Errorf("%q is not a role", t.Role)
		}
		if _, err := tx.Exec(`insert into api_tokens (id, token_hash, name, role, owner_id, scopes, created, expires) values (?, ?, ?, ?, ?, ?, ?, ?)`,
			t.ID, sum, t.Name, string(t.Role), owner, joined(t.Scopes, " "), store.FormatTime(now), store.FormatTime(t.Expires)); err != nil {
			return err
		}
		return d.log(tx, audit.Event{
			Type: "token.created", Outcome: "ok", Origin: "server", Time: now, Actor: audit.Actor{Kind: "system"},
			Data:     map[string]any{"token": t.ID, "role": string(t.Role), "scopes": joined(t.Scopes, "+"), "owner": owner.String},
			Personal: map[string]any{"name": t.Name},
		})
	})
	if err != nil {
		return "", Token{}, fmt.Errorf("identity: %w", err)
	}
	return tokenMark + raw, t, nil
}

func joined(list []Scope, with string) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	return strings.Join(words, with)
}

const tokenColumns = `t.id, t.name, t.role, coalesce(u.name, ''), coalesce(u.role, ''), case when u.disabled is null then 0 else 1 end, t.scopes, t.created, t.expires, coalesce(t.revoked, ''), t.last_used
	from api_tokens t left join users u on u.id = t.owner_id`

func scanToken(row interface{ Scan(...any) error }) (t Token, err error) {
	var scopes string
	var closed int64
	var times [4]string
	if err := row.Scan(&t.ID, &t.Name, &t.Role, &t.Owner, &t.owner, &closed, &scopes, &times[0], &times[1], &times[2], &times[3]); err != nil {
		return Token{}, err
	}
	t.closed = closed != 0
	for _, w := range strings.Fields(scopes) {
		if s, ok := ParseScope(w); ok {
			t.Scopes = append(t.Scopes, s)
		}
	}
	for i, to := range []*time.Time{&t.Created, &t.Expires, &t.Revoked, &t.Used} {
		if *to, err = store.ParseTime(times[i]); err != nil {
			return Token{}, err
		}
	}
	return t, nil
}

// Tokens are all tokens there ever were, the newest first.
func (d *Directory) Tokens(ctx context.Context) (list []Token, err error) {
	err = d.cfg.Store.View(ctx, func(tx store.Tx) error {
		list = nil
		rows, err := tx.Query(`select ` + tokenColumns + ` order by t.id desc`)
		if err != nil {
			return err
		}
		for rows.Next() {
			t, err := scanToken(rows)
			if err != nil {
				return err
			}
			list = append(list, t)
		}
		return rows.Err()
	})
	return list, err
}

// RevokeToken ends a token by its id; by is who does it. Revoking it again
// changes nothing. ErrNoToken: there is none of this id.
func (d *Directory) RevokeToken(ctx context.Context, id string, by audit.Actor) error {
	now := d.cfg.Now()
	return d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		t, err := scanToken(tx.QueryRow(`select `+tokenColumns+` where t.id = ?`, id))
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNoToken
		}
		if err != nil || !t.Revoked.IsZero() {
			return err
		}
		if _, err := tx.Exec(`update api_tokens set revoked = ? where id = ?`, store.FormatTime(now), id); err != nil {
			return err
		}
		return d.log(tx, audit.Event{
			Type: "token.revoked", Outcome: "ok", Origin: "server", Time: now, Actor: by,
			Data: map[string]any{"token": id}, Personal: map[string]any{"name": t.Name},
		})
	})
}

// CheckToken gives the token of a secret and counts as its use. Errors:
// ErrLimited, ErrNoToken, or one of the store.
func (d *Directory) CheckToken(ctx context.Context, secret string, from netip.Addr) (Token, error) {
	now := d.cfg.Now()
	addr := limit.AddressKey(from)
	if !d.badTokens.Take(addr, now) {
		return Token{}, ErrLimited
	}
	raw, marked := strings.CutPrefix(secret, tokenMark)
	sum, ok := parseToken(raw)
	if !marked || !ok {
		return Token{}, ErrNoToken
	}
	var t Token
	err := d.cfg.Store.View(ctx, func(tx store.Tx) (err error) {
		t, err = scanToken(tx.QueryRow(`select `+tokenColumns+` where t.token_hash = ?`, sum))
		return err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Token{}, ErrNoToken
	case err != nil:
		d.badTokens.Refund(addr, now)
		return Token{}, fmt.Errorf("identity: %w", err)
	case !t.Revoked.IsZero(), !now.Before(t.Expires), t.closed:
		return Token{}, ErrNoToken
	}
	d.badTokens.Refund(addr, now)
	if !d.tokens.Take(t.ID, now) {
		return Token{}, ErrLimited
	}
	if now.Sub(t.Used) >= touchEvery {
		err := d.cfg.Store.Update(ctx, func(tx store.Tx) error {
			_, err := tx.Exec(`update api_tokens set last_used = ? where id = ?`, store.FormatTime(now), t.ID)
			return err
		})
		if err != nil && !errors.Is(err, store.ErrUnavailable) {
			return Token{}, fmt.Errorf("identity: %w", err)
		}
	}
	return t, nil
}

// AuthorizeToken tells whether a token may use the route registered under
// pattern: nil or ErrNotAllowed. A route without a scope is for no token.
func AuthorizeToken(pattern string, t Token) error {
	row := table[pattern]
	if row.scope == "" || !slices.Contains(t.Scopes, row.scope) || !slices.Contains(row.roles, t.Role) {
		return ErrNotAllowed
	}
	if t.Owner != "" && !slices.Contains(row.roles, t.owner) {
		return ErrNotAllowed
	}
	return nil
}
