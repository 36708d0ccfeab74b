// Package queue keeps who works on which ticket, and what is on its way from one to
// another.
//
// A ticket is given to nobody or to one user: by its own desk's webhook (package
// launch), or here. A [Transfer] is a ticket that somebody hands to a person or a
// team, with a note: it stays the sender's until exactly one of those takes it, hands
// it back, or the sender undoes it. Whoever could take it no more, because an account
// was closed, a role changed or a team taken away, makes it everybody's who works on
// tickets: a transfer that nobody sees would be a person whom nobody helps.
//
// What happens here and the event that says so are one transaction; nobody is told of
// what the log does not hold. None of it opens a session or lets anybody into one:
// that takes an invite code of the person's own app.
package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/store"
)

// Errors of a Queue.
var (
	ErrGone     = errors.New("queue: it does not wait any more")
	ErrNotYours = errors.New("queue: it was handed to somebody else")
	ErrReceiver = errors.New("queue: who should get it cannot take it")
	ErrWaits    = errors.New("queue: the ticket waits to be taken already")
	ErrNoNote   = errors.New("queue: a note is needed")
	ErrLong     = errors.New("queue: the note is too long")
	ErrMany     = errors.New("queue: too many tickets wait to be taken")
	ErrTaken    = errors.New("queue: somebody else works on it")
)

// Bounds.
const (
	MaxNote    = 4000 // characters; a longer one is refused, not cut
	maxWaiting = 2000 // transfers
	maxGiven   = 500  // tickets of one answer
	shownTaken = 24 * time.Hour
)

// Queue is safe for concurrent use.
type Queue struct {
	st  store.Store
	now func() time.Time
}

// New returns the queue in st.
func New(st store.Store) *Queue { return &Queue{st: st, now: time.Now} }

// Transfer is a ticket on its way. Names and Note are hostile text.
type Transfer struct {
	ID, Ticket     string
	From, FromName string // who hands it over
	User, Team     string // to whom: the one or the other
	ToName         string // of that, as it is called today, or was then
	Note           string // empty once it was taken
	Back           bool   // it was handed to From, who hands it back
	Created        time.Time

	By, ByName string // who took it; empty: it waits
	Settled    time.Time

	Mine   bool // it was handed to the one who asks, or to a team of theirs
	Orphan bool // nobody to whom it was handed can take it any more

	asks identity.Role // of the one who asks; empty: works on no tickets
	who  string
}

// MayTake tells whether the one who asks may take it or hand it back.
func (t Transfer) MayTake() bool {
	return t.asks.Works() && t.From != t.who && (t.Mine || t.Orphan || t.asks == identity.Supervisor)
}

// working are those who can work on tickets, of users u.
const working = `u.disabled is null and u.role in ('technician', 'supervisor')`

// transferSQL reads Transfers; its argument is who asks, three times.
const transferSQL = `select x.id, x.ticket_id, x.from_id, f.name, x.to_user, x.to_team,
	coalesce((select u.name from users u where u.id = x.to_user), (select t.name from teams t where t.id = x.to_team), x.to_name),
	x.note, x.is_back, x.created, x.taken_by, coalesce((select u.name from users u where u.id = x.taken_by), ''), x.settled,
	case when x.to_user = ? or x.to_team <> '' and exists (select 1 from team_members m where m.team_id = x.to_team and m.user_id = ?) then 1 else 0 end,
	(select count(*) from users u where ` + working + ` and u.id <> x.from_id and (u.id = x.to_user
		or exists (select 1 from team_members m where m.team_id = x.to_team and m.user_id = u.id))),
	coalesce((select u.role from users u where u.id = ? and ` + working + `), '')
	from transfers x join users f on f.id = x.from_id`

func scan(row interface{ Scan(...any) error }, asks string) (t Transfer, err error) {
	t.who = asks
	var back, mine, takers int64
	var created, settled string
	err = row.Scan(&t.ID, &t.Ticket, &t.From, &t.FromName, &t.User, &t.Team, &t.ToName, &t.Note, &back, &created,
		&t.By, &t.ByName, &settled, &mine, &takers, &t.asks)
	if errors.Is(err, sql.ErrNoRows) {
		return Transfer{}, ErrGone
	}
	if err != nil {
		return Transfer{}, err
	}
	t.Back, t.Mine, t.Orphan = back == 1, mine == 1, takers == 0
	if t.Created, err = store.ParseTime(created); err != nil {
		return Transfer{}, err
	}
	t.Settled, err = store.ParseTime(settled)
	return t, err
}

// For are the transfers that concern a user: those that wait for them to take, the
// oldest first, and those that they sent, with who took them for a day.
func (q *Queue) For(ctx context.Context, user string) (toTake, sent []Transfer, err error) {
	since := store.FormatTime(q.now().Add(-shownTaken))
	err = q.st.View(ctx, func(tx store.Tx) error {
		toTake, sent = nil, nil
		rows, err := tx.Query(transferSQL+` where x.taken_by = '' or x.from_id = ? and x.settled > ? order by x.created, x.id`,
			user, user, user, user, since)
		if err != nil {
			return err
		}
		for rows.Next() {
			t, err := scan(rows, user)
			if err != nil {
				return err
			}
			if t.From == user {
				sent = append(sent, t)
			} else if t.By == "" && t.MayTake() {
				toTake = append(toTake, t)
			}
		}
		return errors.Join(rows.Err(), rows.Close())
	})
	if err != nil {
		return nil, nil, fmt.Errorf("queue: %w", err)
	}
	return toTake, sent, nil
}

// Concerns are the users who may be told of a transfer: who sent it and who may take
// it, but for supervisors, whom it does not concern before they look; all is true when
// it is everybody's.
func (q *Queue) Concerns(ctx context.Context, t Transfer) (users []string, all bool, err error) {
	users = []string{t.From}
	err = q.st.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query(`select u.id from users u where `+working+` and (u.id = ?
			or exists (select 1 from team_members m where m.team_id = ? and m.user_id = u.id))`, t.User, t.Team)
		if err != nil {
			return err
		}
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			if id != t.From {
				users = append(users, id)
			}
		}
		all = len(users) == 1
		return errors.Join(rows.Err(), rows.Close())
	})
	return users, all, err
}

// CheckNote refuses a note that says nothing, or too much; it is cleaned where it is
// shown and where it is written.
func CheckNote(note string, needed bool) error {
	switch {
	case utf8.RuneCountInString(note) > MaxNote:
		return ErrLong
	case needed && strings.TrimSpace(note) == "":
		return ErrNoNote
	}
	return nil
}

// HandTx hands t.Ticket from t.From to t.User or t.Team, with t.Note. Errors:
// ErrReceiver, ErrWaits, ErrMany, ErrNotYours (the sender works on no tickets).
func (q *Queue) HandTx(tx store.Tx, t Transfer) (Transfer, error) {
	if _, err := worker(tx, t.From); err != nil {
		return Transfer{}, err
	}
	var err error
	switch {
	case t.User == t.From, (t.User == "") == (t.Team == ""):
		return Transfer{}, ErrReceiver
	case t.User != "":
		var u identity.User
		if u, err = worker(tx, t.User); errors.Is(err, ErrNotYours) {
			return Transfer{}, ErrReceiver
		}
		t.ToName = u.Name
	case !audit.IsToken(t.Team):
		return Transfer{}, ErrReceiver
	default:
		err = tx.QueryRow(`select name from teams where id = ?`, t.Team).Scan(&t.ToName)
		if errors.Is(err, sql.ErrNoRows) {
			return Transfer{}, ErrReceiver
		}
	}
	if err != nil {
		return Transfer{}, err
	}
	if err := q.prune(tx); err != nil {
		return Transfer{}, err
	}
	var n int64
	if err := tx.QueryRow(`select count(*) from transfers where taken_by = ''`).Scan(&n); err != nil {
		return Transfer{}, err
	}
	if n >= maxWaiting {
		return Transfer{}, ErrMany
	}
	return q.put(tx, t)
}

// put writes a transfer.
func (q *Queue) put(tx store.Tx, t Transfer) (Transfer, error) {
	t.ID, t.Created = ulid.Make().String(), q.now().UTC()
	back := 0
	if t.Back {
		back = 1
	}
	_, err := tx.Exec(`insert into transfers (id, ticket_id, from_id, to_user, to_team, to_name, note, is_back, created) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.ID, t.Ticket, t.From, t.User, t.Team, t.ToName, t.Note, back, store.FormatTime(t.Created))
	if errors.Is(err, store.ErrExists) {
		return Transfer{}, ErrWaits
	}
	return t, err
}

// prune forgets who took what, after a while.
func (q *Queue) prune(tx store.Tx) error {
	_, err := tx.Exec(`delete from transfers where taken_by <> '' and settled < ?`, store.FormatTime(q.now().Add(-shownTaken)))
	return err
}

// worker is somebody who can work on tickets today, whatever they could when they
// signed in.
func worker(tx store.Tx, id string) (u identity.User, err error) {
	if !audit.IsToken(id) { // PostgreSQL takes no text with a NUL, not even to look for it
		return u, ErrNotYours
	}
	err = tx.QueryRow(`select u.id, u.name, u.role from users u where u.id = ? and `+working, id).Scan(&u.ID, &u.Name, &u.Role)
	if errors.Is(err, sql.ErrNoRows) {
		return u, ErrNotYours
	}
	return u, err
}

// waiting is the transfer of an id that waits.
func (q *Queue) waiting(tx store.Tx, id, user string) (Transfer, error) {
	if !audit.IsToken(id) {
		return Transfer{}, ErrGone
	}
	return scan(tx.QueryRow(transferSQL+` where x.id = ? and x.taken_by = ''`, user, user, user, id), user)
}

// TakeTx gives a transfer that waits to the first who takes it, and its ticket with
// it. Errors: ErrGone, ErrNotYours.
func (q *Queue) TakeTx(tx store.Tx, id, user string) (Transfer, error) {
	t, err := q.waiting(tx, id, user)
	if err != nil {
		return Transfer{}, err
	}
	if !t.MayTake() {
		return Transfer{}, ErrNotYours
	}
	_, err = tx.Exec(`update transfers set taken_by = ?, settled = ?, note = '' where id = ?`, user, store.FormatTime(q.now()), id)
	if err != nil {
		return Transfer{}, err
	}
	return t, q.giveTx(tx, t.Ticket, user)
}

// ReturnTx hands a transfer that waits back to who sent it, with a note. It returns
// both. Errors: ErrGone, ErrNotYours.
func (q *Queue) ReturnTx(tx store.Tx, id, user, note string) (was, back Transfer, err error) {
	if was, err = q.waiting(tx, id, user); err != nil {
		return was, back, err
	}
	if !was.MayTake() {
		return was, back, ErrNotYours
	}
	if _, err = tx.Exec(`delete from transfers where id = ?`, id); err != nil {
		return was, back, err
	}
	back, err = q.put(tx, Transfer{Ticket: was.Ticket, From: user, User: was.From, ToName: was.FromName, Note: note, Back: true})
	return was, back, err
}

// UndoTx takes a transfer back that nobody has taken yet; one that was handed back is
// then the user's own. Errors: ErrGone, ErrNotYours.
func (q *Queue) UndoTx(tx store.Tx, id, user string) (Transfer, error) {
	t, err := q.waiting(tx, id, user)
	if err != nil {
		return Transfer{}, err
	}
	if t.From != user || !t.asks.Works() {
		return Transfer{}, ErrNotYours
	}
	if _, err := tx.Exec(`delete from transfers where id = ?`, id); err != nil {
		return Transfer{}, err
	}
	if t.Back {
		err = q.giveTx(tx, t.Ticket, user)
	}
	return t, err
}

// giveTx makes a ticket a user's.
func (q *Queue) giveTx(tx store.Tx, ticket, user string) error {
	_, err := tx.Exec(`insert into assignments (ticket_id, user_id, at) values (?, ?, ?)
		on conflict (ticket_id) do update set user_id = excluded.user_id, at = excluded.at`, ticket, user, store.FormatTime(q.now()))
	return err
}

// GiveTx makes a ticket that nobody works on a user's; from somebody who works on it
// only a supervisor takes it. changed is false where it is theirs already. Errors:
// ErrTaken, ErrNotYours, ErrWaits (it was handed over, and whoever may take that does).
func (q *Queue) GiveTx(tx store.Tx, ticket, user string) (changed bool, err error) {
	u, err := worker(tx, user)
	if err != nil {
		return false, err
	}
	var n int64
	if err := tx.QueryRow(`select count(*) from transfers where ticket_id = ? and taken_by = ''`, ticket).Scan(&n); err != nil {
		return false, err
	}
	if n > 0 {
		return false, ErrWaits
	}
	var holder string
	err = tx.QueryRow(`select a.user_id from assignments a join users u on u.id = a.user_id where a.ticket_id = ? and `+working, ticket).Scan(&holder)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return false, err
	case holder == user:
		return false, nil
	case u.Role != identity.Supervisor:
		return false, ErrTaken
	}
	return true, q.giveTx(tx, ticket, user)
}

// Given are the open tickets that a user works on, or that somebody does who is in a
// team of theirs, the last given first, at most 500. One that was never seen counts as
// open; what was closed keeps nobody's open ticket out.
func (q *Queue) Given(ctx context.Context, user string, team bool) (ids []string, err error) {
	where, args := `a.user_id = ?`, []any{user}
	if team {
		where += ` or a.user_id in (select o.user_id from team_members o join team_members m on m.team_id = o.team_id where m.user_id = ?)`
		args = append(args, user)
	}
	err = q.st.View(ctx, func(tx store.Tx) error {
		ids = nil
		rows, err := tx.Query(`select a.ticket_id from assignments a where (`+where+`) and coalesce((select t.is_open from tickets t where t.id = a.ticket_id),
			(select k.is_open from desk_tickets k where k.id = a.ticket_id), 1) = 1 order by a.at desc, a.ticket_id limit ?`, append(args, maxGiven)...)
		if err != nil {
			return err
		}
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return errors.Join(rows.Err(), rows.Close())
	})
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	return ids, nil
}

// Holders are who works on these tickets; those of nobody are not in it.
func (q *Queue) Holders(ctx context.Context, tickets []string) (map[string]identity.User, error) {
	out := map[string]identity.User{}
	err := q.st.View(ctx, func(tx store.Tx) error {
		clear(out)
		for part := range slices.Chunk(tickets, 200) {
			args := make([]any, len(part))
			for i, id := range part {
				args[i] = id
			}
			rows, err := tx.Query(`select a.ticket_id, u.id, u.name, u.role from assignments a join users u on u.id = a.user_id
				where a.ticket_id in (?`+strings.Repeat(", ?", len(part)-1)+`)`, args...)
			if err != nil {
				return err
			}
			for rows.Next() {
				var ticket string
				var u identity.User
				if err := rows.Scan(&ticket, &u.ID, &u.Name, &u.Role); err != nil {
					return err
				}
				out[ticket] = u
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	return out, nil
}
