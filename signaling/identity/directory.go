// Package identity knows who signs in and what each role may do.
//
// A [Directory] holds users, their sign-ins and the one-time links that make
// accounts. There is no default password and no way to sign up: the first
// administrator comes in by a link that the server prints once while there is no
// user at all ([Directory.SetupLink]); everybody else by a link that an
// administrator makes ([Directory.Link]).
//
// Passwords are argon2id. Sign-ins and links are 256 random bits in the hands of
// their owner; the database holds only their SHA-256, so that a stolen copy
// signs nobody in. Every attempt is limited for its account and address before
// any expensive work is done, and a name that does not exist costs the same work
// as one that does.
//
// Programs act by API tokens ([Directory.NewToken]), which are made for few things,
// end, and may never do more than their owner.
//
// [Authorize] and [AuthorizeToken] are the whole of what roles and tokens may do:
// one table, deny by default.
package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
)

// Errors that callers branch on.
var (
	ErrNotSignedIn  = errors.New("identity: not signed in")
	ErrNotAllowed   = errors.New("identity: the role may not do this")
	ErrWrong        = errors.New("identity: name or password is wrong")
	ErrLimited      = errors.New("identity: too many attempts")
	ErrNoLink       = errors.New("identity: no such link, or it was used, or it is too old")
	ErrNameTaken    = errors.New("identity: the name is taken")
	ErrBadName      = errors.New("identity: the name is empty or too long")
	ErrWeakPassword = errors.New("identity: the password is too short, too long, or the name itself")

	ErrCodeNeeded     = errors.New("identity: the password is right; a code is needed too")
	ErrWrongCode      = errors.New("identity: the code is wrong, or was used")
	ErrStepUp         = errors.New("identity: it must be proven again who this is")
	ErrNoFactor       = errors.New("identity: there is no such factor")
	ErrTooManyFactors = errors.New("identity: there are as many factors as there may be")
)

// Methods of signing in, as the person on the host reads them.
const (
	ByPassword = "password"
	ByLink     = "link"
	ByProvider = "oidc"
	ByCode     = "password+code"
	ByPasskey  = "passkey"
)

// User is somebody who signs in. Name is hostile text.
type User struct {
	ID   string // ULID
	Name string
	Role Role
	Lang string // "en", "fr" or empty
}

// SignIn is one browser of one user.
type SignIn struct {
	ID      string // opaque; not the token, and the same when that is changed
	User    User
	Method  string
	Via     string // of ByProvider: the provider, as people read it
	At      time.Time
	Expires time.Time // the absolute end

	Proven     time.Time // when the strongest that the user has was last proven in it; zero: not
	Factor     bool      // whether the user has a second factor or a passkey
	Failed     int       // sign-ins of the user that had failed before this one
	FailedLast time.Time
}

// Told is how the user signed in, as the person's computer is told: the method, and
// after a colon who vouches.
func (in SignIn) Told() string {
	if in.Via == "" {
		return in.Method
	}
	return in.Method + ":" + in.Via
}

// Log is the part of the audit log that identity writes to.
type Log interface {
	AppendTx(tx store.Tx, events ...audit.Event) (first int64, err error)
	// Seal closes a secret for the database, Unseal opens it under the same what.
	Seal(what string, secret []byte) []byte
	Unseal(what string, box []byte) ([]byte, error)
}

// Config of a Directory. Store and Log are required; the rest has defaults.
type Config struct {
	Store store.Store
	Log   Log
	Now   func() time.Time
	Cost  Cost
	// Ended is told the ids of sign-ins that ended before their time.
	Ended func(ids []string)

	Idle     time.Duration // a sign-in unused for so long ends; default 30 min
	Absolute time.Duration // and none lives longer; default 12 h

	PerAccount limit.Every // failures of one account from one address; default 5 in 10 min
	AllAccount limit.Every // failures of one account from anywhere; default 60 in 1 h
	PerAddress limit.Every // failures of one address; default 30 in 10 min

	PerCode limit.Every // wrong codes of one account, whose password was right; default 10 in 24 h

	// Require is which roles must have a second factor or a passkey; none by default.
	Require []Role

	PerToken  limit.Every // calls by one API token; default 120 in 1 min
	BadTokens limit.Every // calls of one address with a token that is none; default 30 in 10 min
}

// Directory of users. Safe for concurrent use.
type Directory struct {
	cfg  Config
	hash *hasher

	pair, account, address *limit.Keyed
	codes                  *limit.Keyed
	tokens, badTokens      *limit.Keyed
	flows                  *limit.Keyed // of sign-ins by a provider: each once
}

// limitedKeys bounds the memory of each limiter: a few megabytes.
const limitedKeys = 20_000

// New makes a Directory on the tables of store.
func New(cfg Config) (*Directory, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Cost == (Cost{}) {
		cfg.Cost = DefaultCost
	}
	if cfg.Ended == nil {
		cfg.Ended = func([]string) {}
	}
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&cfg.Idle, 30*time.Minute)
	def(&cfg.Absolute, 12*time.Hour)
	lim := func(e *limit.Every, n int, in time.Duration) {
		if e.In == 0 {
			*e = limit.Every{N: n, In: in}
		}
	}
	lim(&cfg.PerAccount, 5, 10*time.Minute)
	lim(&cfg.AllAccount, 60, time.Hour)
	lim(&cfg.PerAddress, 30, 10*time.Minute)
	lim(&cfg.PerCode, 10, 24*time.Hour)
	lim(&cfg.PerToken, 120, time.Minute)
	lim(&cfg.BadTokens, 30, 10*time.Minute)
	h, err := newHasher(cfg.Cost)
	if err != nil {
		return nil, err
	}
	return &Directory{
		cfg:     cfg,
		hash:    h,
		pair:    limit.New(cfg.PerAccount, limitedKeys),
		account: limit.New(cfg.AllAccount, limitedKeys),
		address: limit.New(cfg.PerAddress, limitedKeys),
		codes:   limit.New(cfg.PerCode, limitedKeys),

		tokens:    limit.New(cfg.PerToken, limitedKeys),
		badTokens: limit.New(cfg.BadTokens, limitedKeys),
		flows:     limit.New(limit.Every{N: 1, In: FlowLife}, limitedKeys),
	}, nil
}

// SignIn checks a password and makes a sign-in; token goes into the cookie.
// Errors: ErrLimited, ErrWrong (also for a name that does not exist), ErrCodeNeeded,
// or one of the store.
func (d *Directory) SignIn(ctx context.Context, name, password string, from netip.Addr) (token string, in SignIn, err error) {
	return d.SignInWithCode(ctx, name, password, "", from)
}

// SignInWithCode is SignIn of somebody who may have a second factor: code is of the
// authenticator app, or a recovery code, or empty. The password comes with it
// again: nothing stands open between the two. Errors also: ErrWrongCode.
func (d *Directory) SignInWithCode(ctx context.Context, name, password, code string, from netip.Addr) (token string, in SignIn, err error) {
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
	if stale {
		if phc, err = d.hash.hash(ctx, password); err != nil {
			refund()
			return "", SignIn{}, fmt.Errorf("identity: %w", err)
		}
	}
	err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		if stale {
			if _, err := tx.Exec(`update users set password_hash = ? where id = ?`, phc, user.ID); err != nil {
				return err
			}
		}
		if method == ByCode {
			if err := d.useCode(tx, user, code, now); err != nil {
				return err
			}
		}
		token, in, err = d.open(tx, user, method, from, now)
		return err
	})
	if errors.Is(err, ErrWrongCode) {
		return "", SignIn{}, d.failed(ctx, user, true, ByCode, from)
	}
	if method == ByCode {
		d.codes.Refund(user.ID, now)
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
// it. It is the only way in. Whoever has a factor has proven the strongest that they
// have only by a method that takes it.
func (d *Directory) open(tx store.Tx, user User, method string, from netip.Addr, now time.Time) (string, SignIn, error) {
	token, sum := newToken()
	in := SignIn{ID: newID(now), User: user, Method: method, At: now, Expires: now.Add(d.cfg.Absolute)}
	var factors, failed int64
	var last string
	if err := tx.QueryRow(`select failed, failed_last, (select count(*) from factors where user_id = users.id and confirmed <> '') from users where id = ?`, user.ID).
		Scan(&failed, &last, &factors); err != nil {
		return "", SignIn{}, err
	}
	in.Factor, in.Failed = factors > 0, int(failed)
	if !in.Factor || method == ByCode || method == ByPasskey {
		in.Proven = now
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

// SetLang keeps the language a user chose, "en" or "fr".
func (d *Directory) SetLang(ctx context.Context, userID, lang string) error {
	return d.cfg.Store.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec(`update users set lang = ? where id = ?`, lang, userID)
		return err
	})
}

// Names gives the names of users by their ids; unknown ids are left out.
func (d *Directory) Names(ctx context.Context, ids []string) (map[string]string, error) {
	out := make(map[string]string, len(ids))
	err := d.cfg.Store.View(ctx, func(tx store.Tx) error {
		for _, id := range ids {
			if _, done := out[id]; done || id == "" {
				continue
			}
			var name string
			err := tx.QueryRow(`select name from users where id = ?`, id).Scan(&name)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			out[id] = name
		}
		return nil
	})
	return out, err
}

func (d *Directory) log(tx store.Tx, events ...audit.Event) error {
	_, err := d.cfg.Log.AppendTx(tx, events...)
	return err
}

// newToken is 256 random bits for their owner, and their hash for the database.
func newToken() (token string, sum []byte) {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails since Go 1.24
	h := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(raw), h[:]
}

func parseToken(token string) (sum []byte, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 32 {
		return nil, false
	}
	h := sha256.Sum256(raw)
	return h[:], true
}

var fold = cases.Fold()

// nameKey is what makes two names the same: case and compatibility forms do not.
func nameKey(name string) string {
	return norm.NFKC.String(fold.String(norm.NFKC.String(wire.Clean(name))))
}

func newID(now time.Time) string { return ulid.MustNew(ulid.Timestamp(now), rand.Reader).String() }
