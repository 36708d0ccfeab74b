package tickets

import (
	"context"
	"errors"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
)

// maxPutBack is how often a note is written again that somebody takes away.
const maxPutBack = 2

// looks tells whether a written note is looked for again: not in our own store,
// and not where nobody can look.
func (d *outlet) looks() bool { return d.name != LocalName && !d.caps.Blind }

// lookAgain takes one note that is due to be looked for. One that is gone waits to
// be written again, with an event; worked is false when none is due.
func (o *Outbox) lookAgain(ctx context.Context, d *outlet) (worked bool, err error) {
	now := o.now()
	due, err := o.rows(ctx, "where system = ? and state = 'written' and look_at <> '' and look_at <= ? order by look_at limit 1", d.name, store.FormatTime(now))
	if err != nil || len(due) == 0 {
		return false, err
	}
	l := due[0]
	held := now.Add(o.pace.lease)
	mine, err := o.looked(ctx, &l, held, func(store.Tx) error { return nil })
	if err != nil || !mine {
		return false, err
	}
	l.look = held
	call, cancel := context.WithTimeout(ctx, o.pace.call)
	defer cancel()
	_, there, err := d.desk.Find(call, l.Ticket, l.Key)
	switch {
	case ctx.Err() != nil:
		return true, nil // the next server looks once the lease is over
	case err == nil && there:
		_, err = o.looked(ctx, &l, o.nextLook(&l, now), func(store.Tx) error { return nil })
		return true, err
	case err == nil && l.putBack < maxPutBack && l.note != "":
		mine, err = o.looked(ctx, &l, time.Time{}, func(tx store.Tx) error {
			if _, err := tx.Exec("update outbox set state = 'waiting', note = ?, next_at = ?, put_back = put_back + 1, updated = ? where id = ?",
				l.note, store.FormatTime(now), store.FormatTime(now), l.ID); err != nil {
				return err
			}
			return o.logTx(tx, "ticket.note_missing", "fail", l.Session, l.Ticket, map[string]any{"system": l.System})
		})
		if mine {
			o.Wake()
		}
		return true, err
	case err == nil:
		// Whoever takes it away again and again means it.
		_, err = o.looked(ctx, &l, time.Time{}, func(tx store.Tx) error {
			return o.logTx(tx, "ticket.note_missing", "deny", l.Session, l.Ticket, map[string]any{"system": l.System})
		})
		return true, err
	}
	next := now.Add(o.pace.longest)
	lasting := !errors.Is(err, ErrTransient) && !errors.Is(err, ErrAuth) && !errors.Is(err, ErrConfig)
	if lasting || next.Sub(l.updated) > o.pace.patient {
		next = time.Time{} // nobody can tell any more
	}
	_, e := o.looked(ctx, &l, next, func(store.Tx) error { return nil })
	return true, errors.Join(err, e)
}

// nextLook is the time of the next look after now; zero: there is none.
func (o *Outbox) nextLook(l *letter, now time.Time) time.Time {
	for _, after := range o.pace.looks {
		if t := l.updated.Add(after); t.After(now) {
			return t
		}
	}
	return time.Time{}
}

// looked sets the next look, and lets the text go where there is none, unless
// somebody else did so meanwhile: then mine is false.
func (o *Outbox) looked(ctx context.Context, l *letter, next time.Time, also func(store.Tx) error) (mine bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.pace.call)
	defer cancel()
	err = o.st.Update(ctx, func(tx store.Tx) error {
		res, err := tx.Exec("update outbox set look_at = ?, note = case when ? = '' then '' else note end where id = ? and state = 'written' and look_at = ?",
			store.FormatTime(next), store.FormatTime(next), l.ID, store.FormatTime(l.look))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if mine = n == 1; err != nil || !mine {
			return err
		}
		return also(tx)
	})
	return mine, err
}
