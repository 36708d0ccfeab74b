package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

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

// Due lists sessions that have personal parts and ended before a time, oldest
// first, at most limit; those under a hold are left out. One whose end was never
// written counts by its last line. Looking at a session does not make it younger.
func (l *Log) Due(ctx context.Context, before time.Time, limit int) (list []string, err error) {
	err = l.st.View(ctx, func(tx store.Tx) error {
		list = nil
		rows, err := tx.Query(`select distinct k.scope from audit_keys k
			where k.wrapped is not null and k.scope like 'session:%' and k.created < ?
			and not exists (select 1 from audit_holds h where 'session:' || h.session = k.scope) order by k.scope`, store.FormatTime(before))
		if err != nil {
			return err
		}
		// First all of them: not every database reads a second thing meanwhile.
		var scopes []string
		for rows.Next() && len(scopes) < maxCandidates {
			var scope string
			if err := rows.Scan(&scope); err != nil {
				return err
			}
			scopes = append(scopes, scope)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		for _, scope := range scopes {
			session := strings.TrimPrefix(scope, "session:")
			at, err := endedTx(tx, session)
			if err != nil {
				return err
			}
			if at.Before(before) {
				if list = append(list, session); len(list) == limit {
					break
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return list, nil
}

// maxCandidates bounds how many sessions are looked at in one go.
const maxCandidates = 100_000

// endedTx is when a session ended, or its last line was written.
func endedTx(tx store.Tx, session string) (time.Time, error) {
	var leaf string
	err := tx.QueryRow("select leaf from audit_leaves where session = ? and type = 'session.ended' order by idx limit 1", session).Scan(&leaf)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.QueryRow("select leaf from audit_leaves where session = ? order by idx desc limit 1", session).Scan(&leaf)
	}
	if err != nil {
		return time.Time{}, err
	}
	p, err := parseLeaf([]byte(leaf))
	if err != nil {
		return time.Time{}, err
	}
	return store.ParseTime(p.T)
}

// Newest is the time of the last line of the log; zero if there is none.
func (l *Log) Newest(ctx context.Context) (at time.Time, err error) {
	err = l.st.View(ctx, func(tx store.Tx) error {
		var leaf string
		err := tx.QueryRow("select leaf from audit_leaves order by idx desc limit 1").Scan(&leaf)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		p, err := parseLeaf([]byte(leaf))
		if err == nil {
			at, err = store.ParseTime(p.T)
		}
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("audit: %w", err)
	}
	return at, nil
}

// Store is where the log stands, for what must share its transactions.
func (l *Log) Store() store.Store { return l.st }
