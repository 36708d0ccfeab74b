// Package appointments keeps times at which a person and a technician will both be
// there.
//
// An appointment is what two people said to each other and nothing more (DESIGN §10,
// P6): no session comes of it, nobody is let into one by it, and nothing happens when
// its time comes but that both are reminded. The person runs the app, reads the code
// aloud and is asked, as ever.
//
// [Book] holds them, each on a ticket, each with one technician. What the person reads
// stands behind a token ([Book.Token]) that is made of the appointment's id: nothing
// that opens one is kept, and the address stays the same when the time changes, as the
// entry in somebody's calendar does. Once the time is over, or the technician cancelled
// it, the token opens nothing ([Appointment.Open]).
//
// What happens here and the event that says so are one transaction of the caller's.
// An appointment is forgotten a month after its end, or with a session of its ticket
// that is purged.
package appointments

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/store"
)

// Errors of a Book.
var (
	ErrNone     = errors.New("appointments: there is none of this id")
	ErrNotYours = errors.New("appointments: it is somebody else's")
	ErrPast     = errors.New("appointments: that time is over")
	ErrFar      = errors.New("appointments: that is too far away")
	ErrLength   = errors.New("appointments: too short or too long")
	ErrZone     = errors.New("appointments: there is no such time zone")
	ErrSaid     = errors.New("appointments: what it is for, or the list, is missing or too long")
	ErrWhy      = errors.New("appointments: it needs to be said why, and briefly")
	ErrOverlaps = errors.New("appointments: there is another one at that time")
	ErrMany     = errors.New("appointments: too many are to come")
	ErrSettled  = errors.New("appointments: it was cancelled, declined or is over")
	ErrStale    = errors.New("appointments: it was changed meanwhile")
	ErrEarly    = errors.New("appointments: its time has not come")
)

// Bounds.
const (
	Shortest = 10 * time.Minute
	Longest  = 4 * time.Hour
	Ahead    = 90 * 24 * time.Hour // how far away one may begin
	Before   = 10 * time.Minute    // when both are reminded, and the person may come
	MaxAbout = 120                 // characters; more is refused
	MaxItem  = 120
	MaxItems = 12
	MaxWhy   = 300

	ofUser   = 100 // to come, of one technician
	ofTicket = 5   // to come, of one ticket
	shown    = 500 // of one list
	kept     = 30 * 24 * time.Hour
	settles  = 24 * time.Hour // how long after the end a session still tells that it took place
)

// Book is safe for concurrent use.
type Book struct {
	st  store.Store
	key []byte
	now func() time.Time
}

// New returns the book in st; key, which is secret, makes its tokens.
func New(st store.Store, key []byte, now func() time.Time) *Book {
	if now == nil {
		now = time.Now
	}
	return &Book{st: st, key: key, now: now}
}

// Now is the time by the clock of the book.
func (b *Book) Now() time.Time { return b.now() }

const macSize = 16

// Token opens the person's page of an appointment: 43 characters for an address.
func (b *Book) Token(id string) string {
	u, err := ulid.ParseStrict(id)
	if err != nil {
		return "" // ours always are
	}
	return base64.RawURLEncoding.EncodeToString(append(u[:], b.mac(u)...))
}

func (b *Book) mac(u ulid.ULID) []byte {
	m := hmac.New(sha256.New, b.key)
	m.Write(u[:])
	return m.Sum(nil)[:macSize]
}

// Find is the appointment that a token opens. Errors: ErrNone.
func (b *Book) Find(ctx context.Context, token string) (a Appointment, err error) {
	err = b.st.View(ctx, func(tx store.Tx) error {
		a, err = b.FindTx(tx, token)
		return err
	})
	return a, err
}

// FindTx is Find within a transaction.
func (b *Book) FindTx(tx store.Tx, token string) (Appointment, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	var u ulid.ULID
	if err != nil || len(raw) != len(u)+macSize {
		return Appointment{}, ErrNone
	}
	copy(u[:], raw)
	if !hmac.Equal(raw[len(u):], b.mac(u)) {
		return Appointment{}, ErrNone
	}
	return get(tx, u.String())
}

const columns = `a.id, a.ticket_id, a.number, a.user_id, u.name, a.lang, a.starts, a.ends, a.zone, a.about, a.items, a.state, a.why,
	a.sequence, a.created, a.updated from appointments a join users u on u.id = a.user_id`

func scan(row interface{ Scan(...any) error }) (a Appointment, err error) {
	var starts, ends, items, created, updated string
	err = row.Scan(&a.ID, &a.Ticket, &a.Number, &a.User, &a.UserName, &a.Lang, &starts, &ends, &a.Zone, &a.About, &items, &a.State, &a.Why,
		&a.Sequence, &created, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return Appointment{}, ErrNone
	}
	if err != nil {
		return Appointment{}, err
	}
	for to, text := range map[*time.Time]string{&a.Starts: starts, &a.Ends: ends, &a.Created: created, &a.Updated: updated} {
		if *to, err = store.ParseTime(text); err != nil {
			return Appointment{}, err
		}
	}
	return a, json.Unmarshal([]byte(items), &a.Items)
}

func get(tx store.Tx, id string) (Appointment, error) {
	if !audit.IsToken(id) { // PostgreSQL takes no text with a NUL, not even to look for it
		return Appointment{}, ErrNone
	}
	return scan(tx.QueryRow(`select `+columns+` where a.id = ?`, id))
}

// Get is the appointment of an id. Errors: ErrNone.
func (b *Book) Get(ctx context.Context, id string) (a Appointment, err error) {
	err = b.st.View(ctx, func(tx store.Tx) error {
		a, err = get(tx, id)
		return err
	})
	return a, err
}

// Of are those of a user, or of all who are in a team of theirs too, that end after
// since, the first one first.
func (b *Book) Of(ctx context.Context, user string, team bool, since time.Time) ([]Appointment, error) {
	where, args := `a.user_id = ?`, []any{user}
	if team {
		where += ` or a.user_id in (select o.user_id from team_members o join team_members m on m.team_id = o.team_id where m.user_id = ?)`
		args = append(args, user)
	}
	return b.list(ctx, `(`+where+`) and a.ends > ?`, append(args, store.FormatTime(since))...)
}

// On are those of a ticket, the first one first.
func (b *Book) On(ctx context.Context, ticket string) ([]Appointment, error) {
	if !audit.IsToken(ticket) {
		return nil, nil
	}
	return b.list(ctx, `a.ticket_id = ?`, ticket)
}

// Turns are those that stand and began to be soon, now or over after one time and not
// after the other: whom it is time to tell.
func (b *Book) Turns(ctx context.Context, after, until time.Time) ([]Appointment, error) {
	from, to := store.FormatTime(after), store.FormatTime(until)
	return b.list(ctx, `a.state = 'made' and a.ends > ? and (a.ends <= ? or a.starts > ? and a.starts <= ? or a.starts > ? and a.starts <= ?)`,
		from, to, from, to, store.FormatTime(after.Add(Before)), store.FormatTime(until.Add(Before)))
}

func (b *Book) list(ctx context.Context, where string, args ...any) (out []Appointment, err error) {
	err = b.st.View(ctx, func(tx store.Tx) error {
		out, err = list(tx, where, args...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("appointments: %w", err)
	}
	return out, nil
}

func list(tx store.Tx, where string, args ...any) (out []Appointment, err error) {
	rows, err := tx.Query(`select `+columns+` where `+where+` order by a.starts, a.id limit ?`, append(args, shown)...)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		a, err := scan(rows)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		out = append(out, a)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// check makes what somebody wants fit to be kept, or says what is wrong with it. One
// that has begun already began when it was to: it may only be made longer or shorter.
func (b *Book) check(a Appointment, was time.Time) (Appointment, error) {
	now := b.now()
	a.Starts, a.Ends = a.Starts.UTC().Truncate(time.Minute), a.Ends.UTC().Truncate(time.Minute)
	if a.Lang != "fr" {
		a.Lang = "en"
	}
	switch length := a.Ends.Sub(a.Starts); {
	case length < Shortest || length > Longest:
		return a, ErrLength
	case a.Starts.Before(now.Truncate(time.Minute)) && !a.Starts.Equal(was), !a.Ends.After(now):
		return a, ErrPast
	case a.Starts.Sub(now) > Ahead:
		return a, ErrFar
	}
	if _, err := place(a.Zone); err != nil {
		return a, err
	}
	// One more than may be is let through the cleaning, so that what is too long is
	// refused and never cut: half a sentence may say the opposite.
	if a.About = wire.CleanLine(a.About, MaxAbout+1); a.About == "" || len([]rune(a.About)) > MaxAbout || len(a.Items) > MaxItems {
		return a, ErrSaid
	}
	items, seen := []Item{}, map[Item]bool{}
	for _, i := range a.Items {
		i.Text = wire.CleanLine(i.Text, MaxItem+1)
		switch {
		case len([]rune(i.Text)) > MaxItem, i.Key != "" && !slices.Contains(Keys, i.Key):
			return a, ErrSaid
		case i.Key != "" && i.Key != KeyPassword:
			i.Text = "" // ours say all
		case i.Text == "":
			if i.Key == KeyPassword {
				return a, ErrSaid
			}
			continue
		}
		if !seen[i] {
			seen[i], items = true, append(items, i)
		}
	}
	a.Items = items
	a.Number = wire.Clean(a.Number)
	return a, nil
}

// why is what who calls it off says.
func why(text string, needed bool) (string, error) {
	text = wire.CleanLine(text, MaxWhy+1)
	if len([]rune(text)) > MaxWhy || needed && text == "" {
		return "", ErrWhy
	}
	return text, nil
}

// working are those who can work on tickets, of users u.
const working = `u.disabled is null and u.role in ('technician', 'supervisor')`

// worker is somebody who can work on tickets today, whatever they could when they
// signed in.
func worker(tx store.Tx, id string) (u identity.User, err error) {
	if !audit.IsToken(id) {
		return u, ErrNotYours
	}
	err = tx.QueryRow(`select u.id, u.name, u.role from users u where u.id = ? and `+working, id).Scan(&u.ID, &u.Name, &u.Role)
	if errors.Is(err, sql.ErrNoRows) {
		return u, ErrNotYours
	}
	return u, err
}

// May tells whether a user may change an appointment: its technician, a supervisor, or
// whoever works on tickets where its technician can no more.
func (b *Book) May(ctx context.Context, a Appointment, user string) (ok bool, err error) {
	err = b.st.View(ctx, func(tx store.Tx) error {
		ok, err = may(tx, a, user)
		return err
	})
	return ok, err
}

func may(tx store.Tx, a Appointment, user string) (bool, error) {
	u, err := worker(tx, user)
	switch {
	case errors.Is(err, ErrNotYours):
		return false, nil
	case err != nil:
		return false, err
	case a.User == u.ID, u.Role == identity.Supervisor:
		return true, nil
	}
	_, err = worker(tx, a.User)
	if errors.Is(err, ErrNotYours) {
		return true, nil
	}
	return false, err
}

// MakeTx makes an appointment of a.User. Unless it is despite others of theirs it is
// refused where one overlaps. Errors: those of what is said, ErrOverlaps, ErrMany,
// ErrNotYours (the user works on no tickets).
func (b *Book) MakeTx(tx store.Tx, a Appointment, despite bool) (Appointment, error) {
	u, err := worker(tx, a.User)
	if err != nil {
		return Appointment{}, err
	}
	if a, err = b.check(a, time.Time{}); err != nil {
		return Appointment{}, err
	}
	if err := b.prune(tx); err != nil {
		return Appointment{}, err
	}
	now := b.now().UTC()
	for _, most := range []struct {
		of, id string
		n      int64
	}{{"user_id", a.User, ofUser}, {"ticket_id", a.Ticket, ofTicket}} {
		var n int64
		err := tx.QueryRow(`select count(*) from appointments where state = 'made' and ends > ? and `+most.of+` = ?`, store.FormatTime(now), most.id).Scan(&n)
		if err != nil {
			return Appointment{}, err
		}
		if n >= most.n {
			return Appointment{}, ErrMany
		}
	}
	a.ID, a.UserName, a.State, a.Why, a.Sequence, a.Created, a.Updated = ulid.Make().String(), u.Name, Made, "", 0, now, now
	if err := b.free(tx, a, despite); err != nil {
		return Appointment{}, err
	}
	items, err := json.Marshal(a.Items)
	if err != nil {
		return Appointment{}, err
	}
	_, err = tx.Exec(`insert into appointments (id, ticket_id, number, user_id, lang, starts, ends, zone, about, items, state, created, updated)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'made', ?, ?)`,
		a.ID, a.Ticket, a.Number, a.User, a.Lang, store.FormatTime(a.Starts), store.FormatTime(a.Ends), a.Zone, a.About, string(items),
		store.FormatTime(now), store.FormatTime(now))
	return a, err
}

// free refuses a time at which the technician has another appointment.
func (b *Book) free(tx store.Tx, a Appointment, despite bool) error {
	if despite {
		return nil
	}
	others, err := list(tx, `a.user_id = ? and a.state = 'made' and a.id <> ? and a.starts < ? and a.ends > ?`,
		a.User, a.ID, store.FormatTime(a.Ends), store.FormatTime(a.Starts))
	if err == nil && len(others) > 0 {
		err = ErrOverlaps
	}
	return err
}

// standing is an appointment that the user may change and that may still take place.
func (b *Book) standing(tx store.Tx, id, user string) (Appointment, error) {
	a, err := get(tx, id)
	if err != nil {
		return a, err
	}
	ok, err := may(tx, a, user)
	switch {
	case err != nil:
		return a, err
	case !ok:
		return a, ErrNotYours
	case !a.Stands(b.now()):
		return a, ErrSettled
	}
	return a, nil
}

// ChangeTx gives an appointment another time, language, purpose or list; it was read as
// sequence. Errors: as MakeTx, ErrNone, ErrSettled, ErrStale.
func (b *Book) ChangeTx(tx store.Tx, id, user string, sequence int64, to Appointment, despite bool) (was, is Appointment, err error) {
	if was, err = b.standing(tx, id, user); err != nil {
		return was, was, err
	}
	if was.Sequence != sequence {
		return was, was, ErrStale
	}
	is = was
	is.Starts, is.Ends, is.Zone, is.Lang, is.About, is.Items = to.Starts, to.Ends, to.Zone, to.Lang, to.About, to.Items
	if is, err = b.check(is, was.Starts); err != nil {
		return was, was, err
	}
	if err := b.free(tx, is, despite); err != nil {
		return was, was, err
	}
	items, err := json.Marshal(is.Items)
	if err != nil {
		return was, was, err
	}
	is.Sequence, is.Updated = was.Sequence+1, b.now().UTC()
	_, err = tx.Exec(`update appointments set starts = ?, ends = ?, zone = ?, lang = ?, about = ?, items = ?, sequence = ?, updated = ? where id = ?`,
		store.FormatTime(is.Starts), store.FormatTime(is.Ends), is.Zone, is.Lang, is.About, string(items), is.Sequence, store.FormatTime(is.Updated), id)
	return was, is, err
}

// CancelTx calls an appointment off, with a reason that the person reads. Errors:
// ErrNone, ErrNotYours, ErrSettled, ErrWhy.
func (b *Book) CancelTx(tx store.Tx, id, user, text string) (Appointment, error) {
	a, err := b.standing(tx, id, user)
	if err != nil {
		return a, err
	}
	if text, err = why(text, true); err != nil {
		return a, err
	}
	return b.settle(tx, a, Cancelled, text)
}

// DeclineTx is the holder of a token who says that they cannot come, once, perhaps with
// why, as long as it may take place. Errors: ErrNone, ErrSettled, ErrWhy.
func (b *Book) DeclineTx(tx store.Tx, token, text string) (Appointment, error) {
	a, err := b.FindTx(tx, token)
	switch {
	case err != nil:
		return a, err
	case !a.Stands(b.now()):
		return a, ErrSettled
	}
	if text, err = why(text, false); err != nil {
		return a, err
	}
	return b.settle(tx, a, Declined, text)
}

// EndTx says that an appointment took place, or did not, once it has begun. Errors:
// ErrNone, ErrNotYours, ErrSettled, ErrEarly.
func (b *Book) EndTx(tx store.Tx, id, user string, took bool) (Appointment, error) {
	a, err := get(tx, id)
	if err != nil {
		return a, err
	}
	ok, err := may(tx, a, user)
	switch {
	case err != nil:
		return a, err
	case !ok:
		return a, ErrNotYours
	case a.State != Made:
		return a, ErrSettled
	case b.now().Before(a.Starts):
		return a, ErrEarly
	case took:
		return b.settle(tx, a, Kept, "")
	}
	return b.settle(tx, a, Missed, "")
}

// KeepTx settles those that are over and had a session of their ticket in their time:
// nobody needs to say that they took place. It returns them.
func (b *Book) KeepTx(tx store.Tx) ([]Appointment, error) {
	now := b.now()
	over, err := list(tx, `a.state = 'made' and a.ends <= ? and a.ends > ?`, store.FormatTime(now), store.FormatTime(now.Add(-settles)))
	if err != nil {
		return nil, err
	}
	var out []Appointment
	for _, a := range over {
		var n int64
		err := tx.QueryRow(`select count(*) from sessions where ticket_id = ? and started >= ? and started < ?`,
			a.Ticket, store.FormatTime(a.Starts.Add(-Before)), store.FormatTime(a.Ends)).Scan(&n)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			continue
		}
		if a, err = b.settle(tx, a, Kept, ""); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func (b *Book) settle(tx store.Tx, a Appointment, s State, text string) (Appointment, error) {
	a.State, a.Why, a.Sequence, a.Updated = s, text, a.Sequence+1, b.now().UTC()
	_, err := tx.Exec(`update appointments set state = ?, why = ?, sequence = ?, updated = ? where id = ?`,
		string(s), text, a.Sequence, store.FormatTime(a.Updated), a.ID)
	return a, err
}

// Prune forgets what is long over.
func (b *Book) Prune(ctx context.Context) error { return b.st.Update(ctx, b.prune) }

func (b *Book) prune(tx store.Tx) error {
	_, err := tx.Exec(`delete from appointments where ends < ?`, store.FormatTime(b.now().Add(-kept)))
	return err
}

// ForgetTx forgets the appointments of a purged session's ticket that are over.
func ForgetTx(tx store.Tx, session string) error {
	_, err := tx.Exec(`delete from appointments where ends < ? and ticket_id in (select s.ticket_id from sessions s where s.id = ?)`,
		store.FormatTime(time.Now()), session)
	return err
}
