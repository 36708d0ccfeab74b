package tickets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// Fault is why a note is not in its ticket, in one word.
type Fault string

// Faults. Each stands for the error of its name.
const (
	FaultNone    Fault = ""
	FaultAway    Fault = "away"    // ErrTransient
	FaultBusy    Fault = "busy"    // ErrRateLimited
	FaultRefuses Fault = "refuses" // ErrAuth
	FaultForbids Fault = "forbids" // ErrForbidden
	FaultConfig  Fault = "config"  // ErrConfig
	FaultGone    Fault = "gone"    // ErrNotFound
	FaultClosed  Fault = "closed"  // ErrClosed
	FaultChanged Fault = "changed" // ErrConflict
	FaultLarge   Fault = "large"   // ErrTooLarge
	FaultInvalid Fault = "invalid" // ErrInvalid
	FaultNoDesk  Fault = "no_desk" // ErrNoDesk
	FaultOther   Fault = "other"
)

func faultOf(err error) Fault {
	if errors.As(err, new(ErrRateLimited)) {
		return FaultBusy
	}
	for _, k := range []struct {
		err error
		is  Fault
	}{
		{ErrNoDesk, FaultNoDesk}, {ErrNotFound, FaultGone}, {ErrClosed, FaultClosed}, {ErrAuth, FaultRefuses},
		{ErrForbidden, FaultForbids}, {ErrConflict, FaultChanged}, {ErrTooLarge, FaultLarge}, {ErrInvalid, FaultInvalid},
		{ErrConfig, FaultConfig}, {ErrTransient, FaultAway},
	} {
		if errors.Is(err, k.err) {
			return k.is
		}
	}
	return FaultOther
}

// letter is a row of the outbox.
type letter struct {
	Letter
	note    string
	look    time.Time
	updated time.Time
	putBack int64
}

// Letter is a note in the outbox.
type Letter struct {
	ID       string
	Key      string
	System   string // name of the desk
	Ticket   string
	Session  string // empty: it is of none
	Attempts int64
	Problem  string // of the last try, in the desk's words: for the admin
	Fault    Fault  // the same in ours
	Created  time.Time
	Next     time.Time // of the next try
	Dead     bool      // it was given up
	Empty    bool      // its session was purged: there is nothing left to write
}

// Dead lists notes that were given up, the newest first.
func (o *Outbox) Dead(ctx context.Context, limit int) ([]Letter, error) {
	return o.list(ctx, "dead", limit)
}

// Waiting lists notes on their way, the newest first. One to a desk that the
// configuration does not name waits until it does. A rating that waits for a closing
// note is not on its way yet.
func (o *Outbox) Waiting(ctx context.Context, limit int) ([]Letter, error) {
	return o.list(ctx, "waiting", limit)
}

// held is a letter that was queued for later, to be compared with now.
const held = "attempts = 0 and state = 'waiting' and next_at > ?"

func (o *Outbox) list(ctx context.Context, state string, limit int) ([]Letter, error) {
	if limit <= 0 || limit > maxList {
		limit = maxList
	}
	rows, err := o.rows(ctx, "where state = ? and not ("+held+") order by id desc limit ?", state, store.FormatTime(o.now()), limit)
	list := make([]Letter, len(rows))
	for i, r := range rows {
		list[i] = r.Letter
		list[i].Dead, list[i].Empty = state == "dead", r.note == ""
		if !o.serves(r.System) {
			list[i].Fault = FaultNoDesk
		}
	}
	return list, transient(err)
}

// WaitingBy is how many notes wait, by desk; also of desks that are gone.
func (o *Outbox) WaitingBy(ctx context.Context) (map[string]int, error) {
	list := map[string]int{}
	err := o.st.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("select system, count(*) from outbox where state = 'waiting' group by system")
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var system string
			var n int64
			if err := rows.Scan(&system, &n); err != nil {
				return err
			}
			list[system] = int(n)
		}
		return rows.Err()
	})
	return list, transient(err)
}

// serves tells whether a desk has a worker.
func (o *Outbox) serves(system string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.desks {
		if d.name == system {
			return true
		}
	}
	return false
}

// Ends tells how the end notes of a ticket's sessions stand, by session:
// "waiting", "written" or "dead". A session that is open has none.
func (o *Outbox) Ends(ctx context.Context, ticket string) (map[string]string, error) {
	states := map[string]string{}
	err := o.st.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query(`select o.session_id, o.state from sessions s join outbox o on o.note_key = 'mf:' || s.id || ':end' where s.ticket_id = ?`, ticket)
		if err != nil {
			return err
		}
		for rows.Next() {
			var session, state string
			if err := rows.Scan(&session, &state); err != nil {
				return err
			}
			states[session] = state
		}
		return rows.Err()
	})
	return states, transient(err)
}

// ForgetTx empties the notes of a session that was purged and what a desk said of
// them, deletes what was attached and the words of its ticket by which it is found, and
// forgets what is remembered of that; notes on their way still go, and are emptied where their way ends. What was written into a ticket is the
// ticket's. An emptied note cannot be revived.
func ForgetTx(tx store.Tx, session string) error {
	if _, err := tx.Exec("update outbox set note = '', problem = '', look_at = '' where session_id = ? and state <> 'waiting'", session); err != nil {
		return err
	}
	if _, err := tx.Exec("delete from attachments where session_id = ?", session); err != nil {
		return err
	}
	if err := unindexTx(tx, session); err != nil {
		return err
	}
	return forgetTicketTx(tx, session)
}

// forgetPurgedTx empties what a purge let go on its way, where that way ends.
func forgetPurgedTx(tx store.Tx, session string) error {
	purged, err := audit.PurgedTx(tx, session)
	if err != nil || !purged {
		return err
	}
	return ForgetTx(tx, session)
}

// Revive has a note tried at once that was given up or that waits for its next
// try, and logs ticket.note_retried; ErrNotFound if there is none, or nothing left
// in it.
func (o *Outbox) Revive(ctx context.Context, id string, who audit.Actor) error {
	at := o.now()
	now := store.FormatTime(at)
	err := o.st.Update(ctx, func(tx store.Tx) error {
		list, err := letters(tx, "where id = ? and state in ('dead', 'waiting') and note <> '' and not ("+held+")", id, now)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return fmt.Errorf("%w: no note %.40q waits or was given up", ErrNotFound, id)
		}
		l := list[0]
		// What may be the lease of a worker stays: it is trying.
		if _, err := tx.Exec(`update outbox set next_at = case when state = 'dead' or next_at > ? then ? else next_at end,
created = case when state = 'dead' then ? else created end, state = 'waiting', updated = ? where id = ?`,
			store.FormatTime(at.Add(o.pace.lease)), now, now, now, id); err != nil {
			return err
		}
		return o.logAsTx(tx, who, "ticket.note_retried", "ok", l.Session, l.Ticket, map[string]any{"attempts": l.Attempts, "system": l.System})
	})
	if err == nil {
		o.Wake()
	}
	return transient(err)
}

func (o *Outbox) rows(ctx context.Context, where string, args ...any) (list []letter, err error) {
	err = o.st.View(ctx, func(tx store.Tx) error {
		list, err = letters(tx, where, args...)
		return err
	})
	return list, err
}

func letters(tx store.Tx, where string, args ...any) (list []letter, err error) {
	rows, err := tx.Query(`select id, note_key, system, ticket_id, session_id, note, attempts, problem, fault, put_back, created, next_at, look_at, updated from outbox `+where, args...)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var l letter
		var created, next, look, updated string
		if err := rows.Scan(&l.ID, &l.Key, &l.System, &l.Ticket, &l.Session, &l.note, &l.Attempts, &l.Problem, &l.Fault, &l.putBack,
			&created, &next, &look, &updated); err != nil {
			return nil, err
		}
		for _, t := range []struct {
			at   *time.Time
			text string
		}{{&l.Created, created}, {&l.Next, next}, {&l.look, look}, {&l.updated, updated}} {
			if *t.at, err = store.ParseTime(t.text); err != nil {
				return nil, err
			}
		}
		list = append(list, l)
	}
	return list, rows.Err()
}
