package audit

import (
	"context"
	"fmt"

	"github.com/mainforte/mainforte/signaling/store"
)

const purgeType = "retention.purged"

// Purge destroys the personal parts of a session and the keys that open them,
// and writes down that it did: why is a token such as the name of the policy.
// The leaves stay, so every proof and checkpoint still holds. Events that come
// later get a new key. It returns how many personal parts were destroyed.
//
// An error that comes with a count above zero means that they are destroyed but
// old pages may still be in the database's files: call it again.
func (l *Log) Purge(ctx context.Context, session, why string, by Actor) (n int64, err error) {
	if session == "" {
		return 0, fmt.Errorf("%w: a purge names its session", ErrBadEvent)
	}
	scope := scopeOf(session, l.now())
	l.keys.forget(scope, "")
	err = l.st.Update(ctx, func(tx store.Tx) error {
		ids, err := keyIDs(tx, scope)
		if err != nil {
			return err
		}
		res, err := tx.Exec("delete from audit_personal where idx in (select idx from audit_leaves where session = ?)", session)
		if err != nil {
			return err
		}
		if n, err = res.RowsAffected(); err != nil {
			return err
		}
		if _, err := tx.Exec("update audit_keys set wrapped = null, purged = ? where scope = ? and purged is null", store.FormatTime(l.now()), scope); err != nil {
			return err
		}
		for _, id := range ids {
			tx.Keep(stands{id}, nil) // an event sealed a moment ago must not use it
		}
		_, err = l.AppendTx(tx, Event{
			Type: purgeType, Session: session, Outcome: "ok", Actor: by, Origin: "server",
			Data: map[string]any{"why": why, "records": n},
		})
		return err
	})
	l.keys.forget(scope, "") // one that was made while we waited is purged too
	if err != nil {
		return 0, fmt.Errorf("audit: purging: %w", err)
	}
	if err := l.st.Scrub(ctx); err != nil {
		return n, fmt.Errorf("audit: purged, but not yet overwritten: %w", err)
	}
	return n, nil
}

func keyIDs(tx store.Tx, scope string) (ids []string, err error) {
	rows, err := tx.Query("select id from audit_keys where scope = ?", scope)
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
	return ids, rows.Err()
}
