package tickets

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
)

// forgetUnused is how long a ticket is remembered that no session belongs to and
// nobody works on: somebody only looked at it.
const forgetUnused = 30 * 24 * time.Hour

// rememberAgain is how old a memory may be that says the same as the desk.
const rememberAgain = 24 * time.Hour

// RememberTx keeps what this server needs of another desk's ticket: what sessions
// and notes show of it while that desk is away. A ticket of the embedded desk,
// and one that is itself remembered, changes nothing.
func RememberTx(tx store.Tx, t Ticket, now time.Time) error {
	desk, _ := Split(t.ID)
	if desk == LocalName || t.Remembered {
		return nil
	}
	is := fold(t.Number + "\n" + t.Subject)
	was, err := searchTx(tx, t.ID)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into desk_tickets (id, desk, number, subject, lang, is_open, url, search, seen, priority, due) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (id) do update set number = excluded.number, subject = excluded.subject, lang = excluded.lang,
is_open = excluded.is_open, url = excluded.url, search = excluded.search, seen = excluded.seen,
priority = excluded.priority, due = excluded.due`,
		t.ID, desk, t.Number, t.Subject, t.Lang, bit(t.Open), t.URL, is, store.FormatTime(now), int64(t.Priority), store.FormatTime(t.Due))
	if err != nil || was == is {
		return err
	}
	return reindexTx(tx, t.ID)
}

// Recall is another desk's ticket as this server remembers it, without asking the
// desk: Remembered is set, and Updated is when it was seen. ErrNotFound if it was
// never seen. A ticket of the embedded desk is simply read.
func (d *Desks) Recall(ctx context.Context, ticket string) (t Ticket, err error) {
	if desk, _ := Split(ticket); desk == LocalName {
		return d.local.Get(ctx, ticket)
	}
	err = d.local.st.View(ctx, func(tx store.Tx) error {
		t, err = recall(tx, ticket)
		return err
	})
	return t, transient(err)
}

func recall(tx store.Tx, ticket string) (t Ticket, err error) {
	var open int64
	var seen, due string
	err = tx.QueryRow(`select k.id, k.number, k.subject, k.lang, k.is_open, k.url, k.seen, k.priority, k.due,
(select count(*) from sessions s where s.ticket_id = k.id) from desk_tickets k where k.id = ?`, ticket).
		Scan(&t.ID, &t.Number, &t.Subject, &t.Lang, &open, &t.URL, &seen, &t.Priority, &due, &t.Sessions)
	if errors.Is(err, sql.ErrNoRows) {
		return Ticket{}, fmt.Errorf("%w: %.80q is not remembered", ErrNotFound, ticket)
	}
	if err != nil {
		return Ticket{}, err
	}
	t.Open, t.Remembered = open == 1, true
	if t.Due, err = store.ParseTime(due); err != nil {
		return Ticket{}, err
	}
	t.Updated, err = store.ParseTime(seen)
	return t, err
}

// remember keeps t where it says something new, and counts its sessions.
func (d *Desks) remember(ctx context.Context, t *Ticket) error {
	var old Ticket
	now := d.local.now()
	err := d.local.st.View(ctx, func(tx store.Tx) (err error) {
		old, err = recall(tx, t.ID)
		if errors.Is(err, ErrNotFound) {
			return tx.QueryRow("select count(*) from sessions s where s.ticket_id = ?", t.ID).Scan(&old.Sessions)
		}
		return err
	})
	if err != nil {
		return transient(err)
	}
	t.Sessions = old.Sessions
	if old.Number == t.Number && old.Subject == t.Subject && old.Lang == t.Lang && old.Open == t.Open && old.URL == t.URL &&
		old.Priority == t.Priority && old.Due.Equal(t.Due) && now.Sub(old.Updated) < rememberAgain {
		return nil
	}
	return transient(d.local.st.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Exec("delete from desk_tickets where seen < ? and not exists (select 1 from sessions s where s.ticket_id = desk_tickets.id)"+
			" and id not in (select ticket_id from assignments) and id not in (select ticket_id from transfers)",
			store.FormatTime(now.Add(-forgetUnused))); err != nil {
			return err
		}
		return RememberTx(tx, *t, now)
	}))
}

// forgetTicketTx forgets the memory of a purged session's ticket, unless a
// session needs it that was not purged. The desk has the ticket itself.
func forgetTicketTx(tx store.Tx, session string) error {
	_, err := tx.Exec(`delete from desk_tickets where id in (select ticket_id from sessions where id = ?)
and not exists (select 1 from sessions s where s.ticket_id = desk_tickets.id and s.id <> ?
and not exists (select 1 from audit_keys k where k.scope = 'session:' || s.id and k.purged is not null))`, session, session)
	return err
}
