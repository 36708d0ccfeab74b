package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
)

// SignIn checks a password and makes a sign-in; token goes into the cookie. code is of
// the authenticator app of who has one, or a recovery code, or empty. The password
// comes with it again: nothing stands open between the two. Errors: ErrLimited,
// ErrWrong (also for a name that does not exist), ErrCodeNeeded, ErrWrongCode, or one of
// the store.
func (d *Directory) SignIn(ctx context.Context, name, password, code string, from netip.Addr) (token string, in SignIn, err error) {
	now := d.cfg.Now()
	key := nameKey(name)
	refund, ok := d.take(key, from, now)
	if !ok {
		return "", SignIn{}, ErrLimited
	}
	var (
		user    User
		phc     = d.hash.dummy
		known   bool
		retired bool
	)
	err = d.cfg.Store.View(ctx, func(tx store.Tx) error {
		var off sql.NullString
		err := tx.QueryRow(`select id, name, role, lang, password_hash, disabled from users where name_key = ?`, key).
			Scan(&user.ID, &user.Name, &user.Role, &user.Lang, &phc, &off)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		known, retired = err == nil, off.Valid
		return err
	})
	if err != nil {
		refund()
		return "", SignIn{}, fmt.Errorf("identity: %w", err)
	}
	if phc == "" {
		// Somebody else vouches for this user: no password is right.
		phc, retired = d.hash.dummy, true
	}
	if len(password) > maxPassword {
		password = "" // not worth hashing; it matches nobody's, who has at least minPassword
	}
	right, stale, err := d.hash.verify(ctx, password, phc)
	if err != nil {
		refund()
		return "", SignIn{}, fmt.Errorf("identity: %w", err)
	}
	if !right || !known || retired {
		return "", SignIn{}, d.failed(ctx, user, known, ByPassword, from)
	}
	method := ByPassword
	switch need, err := d.needsCode(ctx, user.ID); {
	case err != nil:
		refund()
		return "", SignIn{}, fmt.Errorf("identity: %w", err)
	case need && code == "":
		refund()
		return "", SignIn{}, ErrCodeNeeded
	case need:
		method = ByCode
	}
	if method == ByCode && !d.codes.Take(user.ID, now) {
		return "", SignIn{}, ErrLimited
	}
	anew := ""
	if stale {
		if anew, err = d.hash.hash(ctx, password); err != nil {
			refund()
			return "", SignIn{}, fmt.Errorf("identity: %w", err)
		}
	}
	err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		// All of the above was read before the hash was computed, which waits in a queue:
		// the password may be another by now, and an app may have come.
		var today string
		if err := tx.QueryRow(`select name, role, lang, password_hash from users where id = ?`, user.ID).
			Scan(&user.Name, &user.Role, &user.Lang, &today); err != nil {
			return err
		}
		if today != phc {
			return ErrWrong
		}
		switch need, err := hasApp(tx, user.ID); {
		case err != nil:
			return err
		case need && method != ByCode:
			return ErrCodeNeeded
		}
		if stale {
			if _, err := tx.Exec(`update users set password_hash = ? where id = ? and password_hash = ?`, anew, user.ID, phc); err != nil {
				return err
			}
		}
		if method == ByCode {
			if _, err := d.useCode(tx, user, code, now); err != nil {
				return err
			}
		}
		token, in, err = d.open(tx, user, method, from, now, now)
		return err
	})
	if errors.Is(err, ErrWrongCode) {
		return "", SignIn{}, d.failed(ctx, user, true, ByCode, from)
	}
	if method == ByCode {
		d.codes.Refund(user.ID, now)
	}
	if errors.Is(err, ErrWrong) || errors.Is(err, ErrClosed) {
		return "", SignIn{}, d.failed(ctx, user, true, ByPassword, from)
	}
	if err != nil {
		refund()
		return "", SignIn{}, fmt.Errorf("identity: %w", err)
	}
	refund()
	return token, in, nil
}

// take uses one attempt of each limiter, or none.
func (d *Directory) take(key string, from netip.Addr, now time.Time) (refund func(), ok bool) {
	addr := limit.AddressKey(from)
	taken := []func(){}
	refund = func() {
		for _, f := range taken {
			f()
		}
	}
	for _, l := range []struct {
		k   *limit.Keyed
		key string
	}{{d.pair, key + "\x00" + addr}, {d.account, key}, {d.address, addr}} {
		if !l.k.Take(l.key, now) {
			refund()
			return nil, false
		}
		taken = append(taken, func() { l.k.Refund(l.key, now) })
	}
	return refund, true
}

// failed logs a failed sign-in, counts it for its user to know, and returns ErrWrong,
// or ErrWrongCode where the password was right. The typed name is never logged:
// people type passwords into that field. The attempt that used up a limit is logged
// as such.
func (d *Directory) failed(ctx context.Context, user User, known bool, method string, from netip.Addr) error {
	now := d.cfg.Now()
	e := audit.Event{
		Type: "auth.failed", Outcome: "deny", Origin: "server", Time: now,
		Actor:    audit.Actor{Kind: "system"},
		Data:     map[string]any{"method": method},
		Personal: map[string]any{"address": from.Unmap().String()},
	}
	if known {
		e.Actor = audit.Actor{Kind: string(user.Role), Ref: user.ID}
	}
	events := []audit.Event{e}
	key := nameKey(user.Name)
	if known && (d.pair.Wait(key+"\x00"+limit.AddressKey(from), now) > 0 || d.account.Wait(key, now) > 0 ||
		method == ByCode && d.codes.Wait(user.ID, now) > 0) {
		locked := e
		locked.Type = "auth.locked"
		events = append(events, locked)
	}
	err := d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		// Nobody's row is updated too: the same work for a name that does not exist.
		if _, err := tx.Exec(`update users set failed = failed + 1, failed_last = ? where id = ?`, store.FormatTime(now), user.ID); err != nil {
			return err
		}
		return d.log(tx, events...)
	})
	switch {
	case err != nil:
		return fmt.Errorf("identity: a failed sign-in could not be logged: %w", err)
	case method == ByCode:
		return ErrWrongCode
	case method == ByPasskey:
		return ErrWrongPasskey
	}
	return ErrWrong
}

// open makes a sign-in in tx of somebody who proved by method who they are, and logs
// it. It is the only way in, and closed to who has a closed account: ErrClosed. Proven is
// when they did; whoever has a factor has proven the strongest that they have only by a
// method that takes it.
func (d *Directory) open(tx store.Tx, user User, method string, from netip.Addr, now, proven time.Time) (string, SignIn, error) {
	token, sum := newToken()
	in := SignIn{ID: newID(now), User: user, Method: method, At: now, Expires: now.Add(d.cfg.Absolute)}
	var factors, failed int64
	var last string
	var off sql.NullString
	if err := tx.QueryRow(`select failed, failed_last, disabled, (select count(*) from factors where user_id = users.id and confirmed <> '') from users where id = ?`, user.ID).
		Scan(&failed, &last, &off, &factors); err != nil {
		return "", SignIn{}, err
	}
	if off.Valid {
		return "", SignIn{}, ErrClosed
	}
	in.Factor, in.Failed = factors > 0, int(failed)
	if !in.Factor || method == ByCode || method == ByPasskey {
		in.Proven = proven
	}
	_, err := tx.Exec(`insert into signins (token_hash, id, user_id, method, created, last_seen, expires, proven, failed, failed_last) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		sum, in.ID, user.ID, method, store.FormatTime(now), store.FormatTime(now), store.FormatTime(in.Expires), store.FormatTime(in.Proven), failed, last)
	if err != nil {
		return "", SignIn{}, err
	}
	if _, err := tx.Exec(`update users set failed = 0, failed_last = '' where id = ?`, user.ID); err != nil {
		return "", SignIn{}, err
	}
	// What is over is swept up here: the table holds no history.
	if _, err := tx.Exec(`delete from signins where expires < ? or last_seen < ?`,
		store.FormatTime(now), store.FormatTime(now.Add(-d.cfg.Idle))); err != nil {
		return "", SignIn{}, err
	}
	return token, in, d.log(tx, audit.Event{
		Type: "auth.login", Outcome: "ok", Origin: "server", Time: now,
		Actor:    audit.Actor{Kind: string(user.Role), Ref: user.ID},
		Data:     map[string]any{"method": method},
		Personal: map[string]any{"name": user.Name, "address": from.Unmap().String()},
	})
}

// Check gives the sign-in of a cookie's token and counts as its use. Errors:
// ErrNotSignedIn, or one of the store.
func (d *Directory) Check(ctx context.Context, token string) (SignIn, error) {
	sum, ok := parseToken(token)
	if !ok {
		return SignIn{}, ErrNotSignedIn
	}
	return d.check(ctx, byToken, sum)
}

// Look is Check, and no use.
func (d *Directory) Look(ctx context.Context, token string) (SignIn, error) {
	sum, ok := parseToken(token)
	if !ok {
		return SignIn{}, ErrNotSignedIn
	}
	in, _, err := d.look(ctx, byToken, sum)
	return in, err
}

// Standing tells whether the sign-in of that id still stands, and is no use of it.
func (d *Directory) Standing(ctx context.Context, id string) (bool, error) {
	_, _, err := d.look(ctx, byID, id)
	return stands(err)
}

// Alive tells whether the sign-in of that id still stands and counts as its use:
// a technician in a session does not click in the console for an hour.
func (d *Directory) Alive(ctx context.Context, id string) (bool, error) {
	_, err := d.check(ctx, byID, id)
	return stands(err)
}

func stands(err error) (bool, error) {
	if errors.Is(err, ErrNotSignedIn) {
		return false, nil
	}
	return err == nil, err
}

// touchEvery is how exact last_seen is: a write to the disk for each request
// would be too dear.
const touchEvery = time.Minute

// How a sign-in is found.
const (
	byToken = "token_hash"
	byID    = "id"
)

// check looks and counts as a use.
func (d *Directory) check(ctx context.Context, column string, value any) (SignIn, error) {
	in, last, err := d.look(ctx, column, value)
	if err != nil {
		return SignIn{}, err
	}
	if now := d.cfg.Now(); now.Sub(last) >= touchEvery {
		err := d.cfg.Store.Update(ctx, func(tx store.Tx) error {
			_, err := tx.Exec(`update signins set last_seen = ? where id = ?`, store.FormatTime(now), in.ID)
			return err
		})
		// A full disk must not sign everybody out in the middle of a session.
		if err != nil && !errors.Is(err, store.ErrUnavailable) {
			return SignIn{}, fmt.Errorf("identity: %w", err)
		}
	}
	return in, nil
}

// look reads a sign-in that stands, and when it was last used.
func (d *Directory) look(ctx context.Context, column string, value any) (SignIn, time.Time, error) {
	now := d.cfg.Now()
	var in SignIn
	var at, seen, expires, proven, failed string
	var factors int64
	err := d.cfg.Store.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow(`select s.id, u.id, u.name, u.role, u.lang, s.method, s.via, s.created, s.last_seen, s.expires, s.proven, s.failed, s.failed_last,
			(select count(*) from factors f where f.user_id = u.id and f.confirmed <> '')
			from signins s join users u on u.id = s.user_id where s.`+column+` = ? and u.disabled is null`, value).
			Scan(&in.ID, &in.User.ID, &in.User.Name, &in.User.Role, &in.User.Lang, &in.Method, &in.Via, &at, &seen, &expires, &proven, &in.Failed, &failed, &factors)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return SignIn{}, time.Time{}, ErrNotSignedIn
	}
	if err != nil {
		return SignIn{}, time.Time{}, fmt.Errorf("identity: %w", err)
	}
	var last time.Time
	for _, t := range []struct {
		to   *time.Time
		from string
	}{{&in.At, at}, {&last, seen}, {&in.Expires, expires}, {&in.Proven, proven}, {&in.FailedLast, failed}} {
		if *t.to, err = store.ParseTime(t.from); err != nil {
			return SignIn{}, time.Time{}, err
		}
	}
	in.Factor = factors > 0
	if !now.Before(in.Expires) || now.Sub(last) >= d.cfg.Idle {
		return SignIn{}, time.Time{}, ErrNotSignedIn
	}
	return in, last, nil
}

// SignOut ends the sign-in of a token. One that does not exist is no error.
func (d *Directory) SignOut(ctx context.Context, token string) error {
	sum, ok := parseToken(token)
	if !ok {
		return nil
	}
	gone := ""
	err := d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		gone = ""
		var user User
		var id string
		err := tx.QueryRow(`select s.id, u.id, u.role from signins s join users u on u.id = s.user_id where s.token_hash = ?`, sum).
			Scan(&id, &user.ID, &user.Role)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`delete from signins where token_hash = ?`, sum); err != nil {
			return err
		}
		gone = id
		return d.log(tx, audit.Event{
			Type: "auth.logout", Outcome: "ok", Origin: "server", Time: d.cfg.Now(),
			Actor: audit.Actor{Kind: string(user.Role), Ref: user.ID},
		})
	})
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	if gone != "" {
		d.cfg.Ended([]string{gone})
	}
	return nil
}

// endAll ends the sign-ins of a user but that of the id kept, and returns their ids.
func endAll(tx store.Tx, userID, kept string) (ids []string, err error) {
	rows, err := tx.Query(`select id from signins where user_id = ? and id <> ?`, userID, kept)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	_, err = tx.Exec(`delete from signins where user_id = ? and id <> ?`, userID, kept)
	return ids, err
}
