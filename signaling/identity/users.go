package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// Errors of what an admin does about accounts.
var (
	ErrNoUser    = errors.New("identity: there is no such user")
	ErrLastAdmin = errors.New("identity: nobody else could be admin")
	ErrProvided  = errors.New("identity: the sign-in provider decides this")
	ErrClosed    = errors.New("identity: the account is closed")
)

// Account is a user as an admin sees one.
type Account struct {
	User
	Created  time.Time
	Disabled time.Time // zero: not
	SignIns  int       // that stand
	Seen     time.Time // when one of them was last used, to the minute; zero: none stands
	Provider string    // who vouches for the user, as people read it; empty: a password
	Teams    []string  // ids, in no order
}

// Find is which accounts are looked for.
type Find struct {
	Query  string // words of the name, without regard to case and accents
	Closed bool   // only closed accounts, else only the open ones
	After  string // id of the last one that is known already
	Limit  int    // at most; 1 to MaxFound
}

// MaxFound bounds one answer of Accounts.
const MaxFound = 100

// accountColumns select what scanAccount reads; the arguments are those of standing.
const accountColumns = `u.id, u.name, u.role, u.lang, u.created, coalesce(u.disabled, ''),
	(select count(*) from signins s where s.user_id = u.id and s.expires > ? and s.last_seen > ?),
	coalesce((select max(s.last_seen) from signins s where s.user_id = u.id and s.expires > ? and s.last_seen > ?), ''),
	coalesce((select o.label from user_origins o where o.user_id = u.id), '') from users u`

func (d *Directory) standingNow() []any {
	now := d.cfg.Now()
	at, idle := store.FormatTime(now), store.FormatTime(now.Add(-d.cfg.Idle))
	return []any{at, idle, at, idle}
}

func scanAccount(row interface{ Scan(...any) error }) (a Account, err error) {
	var created, disabled, seen string
	if err := row.Scan(&a.ID, &a.Name, &a.Role, &a.Lang, &created, &disabled, &a.SignIns, &seen, &a.Provider); err != nil {
		return Account{}, err
	}
	for to, from := range map[*time.Time]string{&a.Created: created, &a.Disabled: disabled, &a.Seen: seen} {
		if *to, err = store.ParseTime(from); err != nil {
			return Account{}, err
		}
	}
	return a, nil
}

// Accounts are those that f looks for, by name; more tells that there are others
// after them.
func (d *Directory) Accounts(ctx context.Context, f Find) (list []Account, more bool, err error) {
	limit := max(1, min(f.Limit, MaxFound))
	where, args := " where u.disabled is null", d.standingNow()
	if f.Closed {
		where = " where u.disabled is not null"
	}
	for _, w := range strings.Fields(audit.Fold(f.Query)) {
		where += ` and u.search like ? escape '\'`
		args = append(args, "%"+strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(w)+"%")
	}
	if f.After != "" {
		where += ` and (u.search, u.id) > (select a.search, a.id from users a where a.id = ?)`
		args = append(args, f.After)
	}
	err = d.cfg.Store.View(ctx, func(tx store.Tx) error {
		list = nil
		rows, err := tx.Query("select "+accountColumns+where+" order by u.search, u.id limit ?", append(args, limit+1)...)
		if err != nil {
			return err
		}
		for rows.Next() {
			a, err := scanAccount(rows)
			if err != nil {
				return err
			}
			list = append(list, a)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		more = len(list) > limit
		list = list[:min(len(list), limit)]
		return d.teamsOf(tx, list)
	})
	if err != nil {
		return nil, false, fmt.Errorf("identity: %w", err)
	}
	return list, more, nil
}

// teamsOf fills in the teams of accounts.
func (d *Directory) teamsOf(tx store.Tx, list []Account) error {
	if len(list) == 0 {
		return nil
	}
	at := make(map[string]*Account, len(list))
	args := make([]any, len(list))
	for i := range list {
		at[list[i].ID], args[i] = &list[i], list[i].ID
	}
	rows, err := tx.Query("select user_id, team_id from team_members where user_id in (?"+strings.Repeat(", ?", len(list)-1)+") order by team_id", args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		var user, team string
		if err := rows.Scan(&user, &team); err != nil {
			return err
		}
		at[user].Teams = append(at[user].Teams, team)
	}
	return errors.Join(rows.Err(), rows.Close())
}

// Account is the one of that id. ErrNoUser: there is none.
func (d *Directory) Account(ctx context.Context, id string) (a Account, err error) {
	err = d.cfg.Store.View(ctx, func(tx store.Tx) error {
		a, err = d.accountTx(tx, id)
		return err
	})
	return a, err
}

func (d *Directory) accountTx(tx store.Tx, id string) (Account, error) {
	a, err := scanAccount(tx.QueryRow("select "+accountColumns+" where u.id = ?", append(d.standingNow(), id)...))
	if errors.Is(err, sql.ErrNoRows) {
		return Account{}, ErrNoUser
	}
	if err != nil {
		return Account{}, err
	}
	one := []Account{a}
	err = d.teamsOf(tx, one)
	return one[0], err
}

// change runs f on an account in a transaction; the sign-ins that f ended are told
// of when it is durable. It returns the account as it is then.
func (d *Directory) change(ctx context.Context, id string, f func(tx store.Tx, a Account) (ended []string, err error)) (a Account, err error) {
	var ended []string
	err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		before, err := d.accountTx(tx, id)
		if err != nil {
			return err
		}
		if ended, err = f(tx, before); err != nil {
			return err
		}
		a, err = d.accountTx(tx, id)
		return err
	})
	if err != nil {
		return Account{}, fmt.Errorf("identity: %w", err)
	}
	if len(ended) > 0 {
		d.cfg.Ended(ended)
	}
	return a, nil
}

// anotherAdmin refuses what would leave nobody who can be admin.
func anotherAdmin(tx store.Tx, but string) error {
	var n int64
	if err := tx.QueryRow(`select count(*) from users where role = ? and disabled is null and id <> ?`, string(Admin), but).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return ErrLastAdmin
	}
	return nil
}

// loseLinks takes the unused links away that an admin made who is one no more, or
// that would let in somebody whose account is closed.
func loseLinks(tx store.Tx, userID string) error {
	_, err := tx.Exec(`delete from links where used is null and (made_by = ? or user_id = ?)`, userID, userID)
	return err
}

// SetRole gives a user another role and ends every sign-in of theirs: no page, no
// socket and no cookie outlives the rights it was opened with. Errors: ErrNoUser,
// ErrLastAdmin, ErrProvided, or one of the store.
func (d *Directory) SetRole(ctx context.Context, by audit.Actor, id string, role Role) (Account, error) {
	if _, ok := ParseRole(string(role)); !ok {
		return Account{}, fmt.Errorf("identity: %q is not a role", role)
	}
	return d.change(ctx, id, func(tx store.Tx, a Account) ([]string, error) {
		switch {
		case a.Role == role:
			return nil, nil
		case a.Provider != "":
			return nil, ErrProvided
		case a.Role == Admin && a.Disabled.IsZero():
			if err := anotherAdmin(tx, a.ID); err != nil {
				return nil, err
			}
		}
		return d.setRole(tx, by, a, role)
	})
}

func (d *Directory) setRole(tx store.Tx, by audit.Actor, a Account, role Role) ([]string, error) {
	if _, err := tx.Exec(`update users set role = ? where id = ?`, string(role), a.ID); err != nil {
		return nil, err
	}
	if err := loseLinks(tx, a.ID); err != nil {
		return nil, err
	}
	ended, err := endAll(tx, a.ID, "")
	if err != nil {
		return nil, err
	}
	return ended, d.log(tx, audit.Event{
		Type: "auth.role_changed", Outcome: "ok", Origin: "server", Time: d.cfg.Now(), Actor: by,
		Data: map[string]any{"user": a.ID, "from": string(a.Role), "role": string(role), "signins": len(ended)},
	})
}

// Disable ends every sign-in of a user and refuses new ones, their tokens too. Doing
// it again changes nothing. Errors: ErrNoUser, ErrLastAdmin, or one of the store.
func (d *Directory) Disable(ctx context.Context, by audit.Actor, id string) (Account, error) {
	return d.change(ctx, id, func(tx store.Tx, a Account) ([]string, error) {
		if !a.Disabled.IsZero() {
			return nil, nil
		}
		if a.Role == Admin {
			if err := anotherAdmin(tx, a.ID); err != nil {
				return nil, err
			}
		}
		if _, err := tx.Exec(`update users set disabled = ? where id = ?`, store.FormatTime(d.cfg.Now()), id); err != nil {
			return nil, err
		}
		if err := loseLinks(tx, id); err != nil {
			return nil, err
		}
		ended, err := endAll(tx, id, "")
		if err != nil {
			return nil, err
		}
		return ended, d.log(tx, audit.Event{
			Type: "auth.disabled", Outcome: "ok", Origin: "server", Time: d.cfg.Now(), Actor: by,
			Data: map[string]any{"user": id, "signins": len(ended)},
		})
	})
}

// Enable opens a closed account again. Errors: ErrNoUser, or one of the store.
func (d *Directory) Enable(ctx context.Context, by audit.Actor, id string) (Account, error) {
	return d.change(ctx, id, func(tx store.Tx, a Account) ([]string, error) {
		if a.Disabled.IsZero() {
			return nil, nil
		}
		if _, err := tx.Exec(`update users set disabled = null where id = ?`, id); err != nil {
			return nil, err
		}
		return nil, d.log(tx, audit.Event{
			Type: "auth.enabled", Outcome: "ok", Origin: "server", Time: d.cfg.Now(), Actor: by,
			Data: map[string]any{"user": id},
		})
	})
}

// EndSignIns signs a user out everywhere. Errors: ErrNoUser, or one of the store.
func (d *Directory) EndSignIns(ctx context.Context, by audit.Actor, id string) (Account, error) {
	return d.change(ctx, id, func(tx store.Tx, a Account) ([]string, error) {
		ended, err := endAll(tx, id, "")
		if err != nil || len(ended) == 0 {
			return nil, err
		}
		return ended, d.log(tx, audit.Event{
			Type: "auth.signins_ended", Outcome: "ok", Origin: "server", Time: d.cfg.Now(), Actor: by,
			Data: map[string]any{"user": id, "signins": len(ended)},
		})
	})
}
