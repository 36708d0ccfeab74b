package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/mainforte/mainforte/signaling/store"
)

// Hold keeps the personal parts of a session until the hold is lifted, whatever
// a policy says. why is sealed with them. Holding twice is holding once.
func (l *Log) Hold(ctx context.Context, session, why string, by Actor) error {
	return l.hold(ctx, session, why, by, "legal_hold.set",
		"insert into audit_holds (session, created) values (?, ?) on conflict (session) do nothing", session, store.FormatTime(l.now()))
}

// Lift ends a hold. Lifting what is not held does nothing.
func (l *Log) Lift(ctx context.Context, session, why string, by Actor) error {
	return l.hold(ctx, session, why, by, "legal_hold.cleared", "delete from audit_holds where session = ?", session)
}

func (l *Log) hold(ctx context.Context, session, why string, by Actor, typ, query string, args ...any) error {
	if session == "" {
		return fmt.Errorf("%w: a hold names its session", ErrBadEvent)
	}
	e := Event{Type: typ, Session: session, Outcome: "ok", Actor: by, Origin: "server"}
	if why != "" {
		e.Personal = map[string]any{"why": why}
	}
	err := l.st.Update(ctx, func(tx store.Tx) error {
		var n int64
		if err := tx.QueryRow("select count(*) from audit_leaves where session = ?", session).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return ErrNoSession
		}
		res, err := tx.Exec(query, args...)
		if err != nil {
			return err
		}
		if n, err = res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		_, err = l.AppendTx(tx, e)
		return err
	})
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// ErrNoSession: the log has no line of this session.
var ErrNoSession = errors.New("audit: the log knows no such session")

// Held lists the sessions under a hold, oldest first.
func (l *Log) Held(ctx context.Context) (list []string, err error) {
	err = l.st.View(ctx, func(tx store.Tx) error {
		list = nil
		rows, err := tx.Query("select session from audit_holds order by created, session")
		if err != nil {
			return err
		}
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				return err
			}
			list = append(list, s)
		}
		return rows.Err()
	})
	return list, err
}

func heldTx(tx store.Tx, session string) (bool, error) {
	var n int64
	err := tx.QueryRow("select count(*) from audit_holds where session = ?", session).Scan(&n)
	return n > 0, err
}
