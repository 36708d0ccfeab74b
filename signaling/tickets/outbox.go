package tickets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// Outbox carries notes from the server's own database to a desk. A note is
// queued in the transaction of what it is about; the worker looks for its key in
// the desk before it writes, and tries again until it stands, so a crash or a
// lost reply at any point neither loses nor doubles it. Several workers, in
// several processes, may serve the same outbox.
type Outbox struct {
	st   store.Store
	log  *audit.Log
	desk System
	wake chan struct{}
	now  func() time.Time
	pace pace
}

// pace is how the outbox tries again.
type pace struct {
	poll    time.Duration // looks for work at least so often
	call    time.Duration // one try, its looking and its writing together
	lease   time.Duration // nobody else tries meanwhile; longer than call
	first   time.Duration // wait after the first failure; doubles
	longest time.Duration
	giveUp  time.Duration // age at which a note that cannot be written is dead
}

// The lease is what a note waits when its worker was killed between writing and
// marking. The age covers a desk that is away over a long weekend.
var usual = pace{
	poll: time.Second, call: 20 * time.Second, lease: 30 * time.Second,
	first: time.Second, longest: 10 * time.Minute, giveUp: 96 * time.Hour,
}

// NewOutbox returns the outbox of one desk. Nothing leaves it until Run.
func NewOutbox(st store.Store, log *audit.Log, desk System) *Outbox {
	return &Outbox{st: st, log: log, desk: desk, wake: make(chan struct{}, 1), now: time.Now, pace: usual}
}

// Marker is the key of the note about an event of a session: "mf:<session>:<event>".
func Marker(session, event string) string { return "mf:" + session + ":" + event }

// sessionOf reads a marker back.
func sessionOf(key string) (session string, err error) {
	p := strings.Split(key, ":")
	if len(p) != 3 || p[0] != "mf" || p[1] == "" || p[2] == "" || !audit.IsToken(key) {
		return "", fmt.Errorf("%w: %q is not the key of a note", ErrInvalid, key)
	}
	return p[1], nil
}

// EnqueueTx queues a note for a ticket and logs ticket.note_queued, both in tx.
// A key that is queued already changes nothing. Call Wake when tx has committed.
func (o *Outbox) EnqueueTx(tx store.Tx, ticket string, n Note) error {
	session, err := sessionOf(n.Key)
	if err != nil {
		return err
	}
	if len(n.Doc.Blocks) > 0 {
		n.Text = ""
		_, err = prose(Plain(n.Doc))
	} else {
		n.Text, err = prose(n.Text)
	}
	if err != nil {
		return err
	}
	n.Author = line(n.Author)
	payload, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("tickets: %w", err)
	}
	now := store.FormatTime(o.now())
	res, err := tx.Exec(`insert into outbox (id, note_key, system, ticket_id, session_id, note, state, next_at, created, updated)
values (?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?) on conflict (note_key) do nothing`,
		ulid.Make().String(), n.Key, o.desk.Name(), ticket, session, string(payload), now, now, now)
	if err != nil {
		return err
	}
	if added, err := res.RowsAffected(); err != nil || added == 0 {
		return err
	}
	return o.logTx(tx, "ticket.note_queued", "ok", session, ticket, map[string]any{"system": o.desk.Name()})
}

func (o *Outbox) logTx(tx store.Tx, typ, outcome, session, ticket string, data map[string]any) error {
	e := audit.Event{
		Type: typ, Session: session, Outcome: outcome, Origin: "server",
		Actor: audit.Actor{Kind: "system", Ref: "outbox"}, Data: data,
	}
	if audit.IsToken(ticket) {
		e.Ticket = ticket
	}
	_, err := o.log.AppendTx(tx, e)
	return err
}

// Wake makes the worker look at once. It never blocks.
func (o *Outbox) Wake() {
	select {
	case o.wake <- struct{}{}:
	default: // it is awake
	}
}

// Run writes what is due until ctx ends, and returns when the note in hand is
// done. problem hears what failed; the outbox tries again by itself.
func (o *Outbox) Run(ctx context.Context, problem func(error)) {
	tick := time.NewTicker(o.pace.poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		worked, err := o.next(ctx)
		if err != nil && ctx.Err() == nil {
			problem(err)
		}
		if worked && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-o.wake:
		case <-tick.C:
		}
	}
}

// letter is a row of the outbox.
type letter struct {
	Letter
	note string
}

// next takes one due letter and tries it. worked is false when none is due.
func (o *Outbox) next(ctx context.Context) (worked bool, err error) {
	l, err := o.take(ctx)
	if err != nil || l == nil {
		return false, err
	}
	var n Note
	if err := json.Unmarshal([]byte(l.note), &n); err != nil {
		return true, o.failed(ctx, l, fmt.Errorf("%w: the queued note cannot be read: %w", ErrInvalid, err))
	}
	call, cancel := context.WithTimeout(ctx, o.pace.call)
	defer cancel()
	id, ok, err := o.desk.Find(call, l.Ticket, n.Key)
	if err == nil && !ok {
		id, err = o.desk.Append(call, l.Ticket, n)
	}
	if err != nil {
		if ctx.Err() != nil {
			return true, o.release(ctx, l) // stopped in between: it may stand or not
		}
		return true, o.failed(ctx, l, err)
	}
	return true, o.written(ctx, l, id)
}

// take leases the letter that is due longest.
func (o *Outbox) take(ctx context.Context) (*letter, error) {
	now := o.now()
	due, err := o.rows(ctx, "where system = ? and state = 'waiting' and next_at <= ? order by next_at limit 1", o.desk.Name(), store.FormatTime(now))
	if err != nil || len(due) == 0 {
		return nil, err
	}
	l := due[0]
	mine := false
	err = o.st.Update(ctx, func(tx store.Tx) error {
		res, err := tx.Exec("update outbox set next_at = ?, attempts = attempts + 1 where id = ? and state = 'waiting' and next_at = ?",
			store.FormatTime(now.Add(o.pace.lease)), l.ID, store.FormatTime(l.Next))
		if err != nil {
			return err
		}
		changed, err := res.RowsAffected()
		mine = changed == 1
		return err
	})
	if err != nil {
		return nil, err
	}
	if !mine {
		return nil, nil // another worker was faster; the poll looks again
	}
	l.Attempts++
	return &l, nil
}

// written marks a letter done and drops its text: it stands in the ticket.
func (o *Outbox) written(ctx context.Context, l *letter, remote string) error {
	return o.settle(ctx, l, func(tx store.Tx) error {
		data := map[string]any{"attempts": l.Attempts, "system": o.desk.Name()}
		if audit.IsToken(remote) {
			data["note"] = remote
		}
		if _, err := tx.Exec("update outbox set state = 'written', note = '', remote_id = ?, problem = '', updated = ? where id = ?",
			line(remote), store.FormatTime(o.now()), l.ID); err != nil {
			return err
		}
		return o.logTx(tx, "ticket.note_written", "ok", l.Session, l.Ticket, data)
	})
}

// failed plans the next try, or gives the letter up. It returns why, so that
// the problem is heard.
func (o *Outbox) failed(ctx context.Context, l *letter, why error) error {
	now := o.now()
	hopeless := errors.Is(why, ErrNotFound) || errors.Is(why, ErrClosed) || errors.Is(why, ErrTooLarge) || errors.Is(why, ErrInvalid)
	dead := hopeless || now.Sub(l.Created) >= o.pace.giveUp
	wait := o.pace.wait(l.Attempts)
	if asked := (ErrRateLimited{}); errors.As(why, &asked) {
		wait = max(wait, min(asked.After, o.pace.longest))
	}
	err := o.settle(ctx, l, func(tx store.Tx) error {
		if !dead {
			_, err := tx.Exec("update outbox set next_at = ?, problem = ?, updated = ? where id = ?",
				store.FormatTime(now.Add(wait)), line(why.Error()), store.FormatTime(now), l.ID)
			return err
		}
		if _, err := tx.Exec("update outbox set state = 'dead', problem = ?, updated = ? where id = ?", line(why.Error()), store.FormatTime(now), l.ID); err != nil {
			return err
		}
		return o.logTx(tx, "ticket.note_failed", "fail", l.Session, l.Ticket, map[string]any{"attempts": l.Attempts, "system": o.desk.Name()})
	})
	return errors.Join(fmt.Errorf("tickets: note %s: %w", l.Key, why), err)
}

// release lets the next worker look at once.
func (o *Outbox) release(ctx context.Context, l *letter) error {
	return o.settle(ctx, l, func(tx store.Tx) error {
		_, err := tx.Exec("update outbox set next_at = ? where id = ?", store.FormatTime(o.now()), l.ID)
		return err
	})
}

// settle writes an outcome unless another worker has done so, or holds the
// letter since our lease ran out: then the outcome is its.
func (o *Outbox) settle(ctx context.Context, l *letter, fn func(store.Tx) error) error {
	// Also when the server is stopping: what is known is written down.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.pace.call)
	defer cancel()
	return o.st.Update(ctx, func(tx store.Tx) error {
		var state string
		var attempts int64
		if err := tx.QueryRow("select state, attempts from outbox where id = ?", l.ID).Scan(&state, &attempts); err != nil {
			return err
		}
		if state != "waiting" || attempts != l.Attempts {
			return nil
		}
		return fn(tx)
	})
}

// wait is the pause after the n-th failure: doubling, half of it by chance, so
// that a desk that comes back is not met by all at once.
func (p pace) wait(n int64) time.Duration {
	d := p.longest
	if n < 32 {
		d = min(p.first<<max(n-1, 0), p.longest)
	}
	return d/2 + rand.N(d/2+1)
}

// Letter is a note in the outbox.
type Letter struct {
	ID       string
	Key      string
	Ticket   string
	Session  string
	Attempts int64
	Problem  string // of the last try
	Created  time.Time
	Next     time.Time // of the next try
}

// Dead lists notes that were given up, the newest first.
func (o *Outbox) Dead(ctx context.Context, limit int) ([]Letter, error) {
	return o.list(ctx, "dead", limit)
}

// Waiting lists notes on their way, the newest first.
func (o *Outbox) Waiting(ctx context.Context, limit int) ([]Letter, error) {
	return o.list(ctx, "waiting", limit)
}

func (o *Outbox) list(ctx context.Context, state string, limit int) ([]Letter, error) {
	if limit <= 0 || limit > maxList {
		limit = maxList
	}
	rows, err := o.rows(ctx, "where system = ? and state = ? order by id desc limit ?", o.desk.Name(), state, limit)
	list := make([]Letter, len(rows))
	for i, r := range rows {
		list[i] = r.Letter
	}
	return list, err
}

// ForgetTx empties the notes of a session that was purged; those on their way
// still go. What was written into a ticket is the ticket's. An emptied note
// cannot be revived.
func ForgetTx(tx store.Tx, session string) error {
	_, err := tx.Exec("update outbox set note = '' where session_id = ? and state <> 'waiting'", session)
	return err
}

// Revive puts a dead note back to be tried at once; ErrNotFound if there is none,
// or nothing left in it.
func (o *Outbox) Revive(ctx context.Context, id string) error {
	now := store.FormatTime(o.now())
	err := o.st.Update(ctx, func(tx store.Tx) error {
		res, err := tx.Exec("update outbox set state = 'waiting', next_at = ?, created = ?, updated = ? where id = ? and system = ? and state = 'dead' and note <> ''", now, now, now, id, o.desk.Name())
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fmt.Errorf("%w: no dead note %q", ErrNotFound, id)
		}
		return nil
	})
	if err == nil {
		o.Wake()
	}
	return err
}

func (o *Outbox) rows(ctx context.Context, where string, args ...any) (list []letter, err error) {
	err = o.st.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("select id, note_key, ticket_id, session_id, note, attempts, problem, created, next_at from outbox "+where, args...)
		if err != nil {
			return err
		}
		for rows.Next() {
			var l letter
			var created, next string
			if err := rows.Scan(&l.ID, &l.Key, &l.Ticket, &l.Session, &l.note, &l.Attempts, &l.Problem, &created, &next); err != nil {
				return err
			}
			if l.Created, err = store.ParseTime(created); err != nil {
				return err
			}
			if l.Next, err = store.ParseTime(next); err != nil {
				return err
			}
			list = append(list, l)
		}
		return rows.Err()
	})
	return list, err
}
