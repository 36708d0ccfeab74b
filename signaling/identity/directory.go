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
// Beside a password an account may have factors of its own (an authenticator app with
// recovery codes, passkeys), which a role may be made to have ([Config].Require). What
// hurts most asks for a proof of the last minutes ([Directory.Fresh]). A [Provider] of
// OpenID Connect may vouch for people instead ([Directory.Finish]); what role and which
// teams its groups give is in a [ProviderSetup].
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
	// RequireToo names more of them, asked anew each time; nil: none.
	RequireToo func(Role) bool

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
	d := &Directory{
		cfg:     cfg,
		hash:    h,
		pair:    limit.New(cfg.PerAccount, limitedKeys),
		account: limit.New(cfg.AllAccount, limitedKeys),
		address: limit.New(cfg.PerAddress, limitedKeys),
		codes:   limit.New(cfg.PerCode, limitedKeys),

		tokens:    limit.New(cfg.PerToken, limitedKeys),
		badTokens: limit.New(cfg.BadTokens, limitedKeys),
		flows:     limit.New(limit.Every{N: 1, In: FlowLife}, limitedKeys),
	}
	return d, d.refold(context.Background())
}

// refold puts right by what people are found: SQL alone could not fold the names of
// before (0009_teams.sql), and a newer version may fold otherwise.
func (d *Directory) refold(ctx context.Context) error {
	stale := map[string]string{} // by id
	err := d.cfg.Store.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query(`select id, name, search from users`)
		if err != nil {
			return err
		}
		for rows.Next() {
			var id, name, search string
			if err := rows.Scan(&id, &name, &search); err != nil {
				return err
			}
			if folded := audit.Fold(name); folded != search {
				stale[id] = folded
			}
		}
		return errors.Join(rows.Err(), rows.Close())
	})
	if err == nil && len(stale) > 0 {
		err = d.cfg.Store.Update(ctx, func(tx store.Tx) error {
			for id, folded := range stale {
				if _, err := tx.Exec(`update users set search = ? where id = ?`, folded, id); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("identity: names could not be folded: %w", err)
	}
	return nil
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
