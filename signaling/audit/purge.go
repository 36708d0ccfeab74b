package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
)

const purgeType = "retention.purged"

// ErrHeld: a legal hold keeps the session's personal parts.
var ErrHeld = errors.New("audit: a legal hold keeps this session")

// Purge destroys the personal parts of a session and the keys that open them,
// takes it out of the search index, and writes down that it did: why is a token such as the name of the policy.
// The leaves stay, so every proof and checkpoint still holds. Events that come
// later get a new key. also, if there is any, runs in the same transaction: for
// what others keep of the session. It returns how many personal parts were
// destroyed. ErrHeld: nothing was, because of a legal hold.
//
// An error that comes with a count above zero means that they are destroyed but
// old pages may still be in the database's files: call [Log.Scrub].
func (l *Log) Purge(ctx context.Context, session, why string, by Actor, also ...func(tx store.Tx, session string) error) (n int64, err error) {
	if n, err = l.PurgeUnscrubbed(ctx, session, why, by, also...); err != nil {
		return n, err
	}
	return n, l.Scrub(ctx)
}

// PurgeUnscrubbed is Purge without overwriting the old pages, for many sessions
// in a row. Call [Log.Scrub] after the last one.
func (l *Log) PurgeUnscrubbed(ctx context.Context, session, why string, by Actor, also ...func(tx store.Tx, session string) error) (n int64, err error) {
	if session == "" {
		return 0, fmt.Errorf("%w: a purge names its session", ErrBadEvent)
	}
	scope := scopeOf(session, l.now())
	l.keys.forget(scope, "")
	err = l.st.Update(ctx, func(tx store.Tx) error {
		held, err := heldTx(tx, session)
		if err != nil {
			return err
		}
		if held {
			return ErrHeld
		}
		if n, err = l.destroy(tx, "session = ?", "scope = ?", session, scope); err != nil {
			return err
		}
		if err := l.unindexTx(tx, session); err != nil {
			return err
		}
		for _, f := range also {
			if err := f(tx, session); err != nil {
				return err
			}
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
	return n, nil
}

// PurgeOutside destroys the personal parts of events outside sessions (sign-ins,
// refused claims) that were sealed before the day of before, UTC. Its leaf names
// the lines from the first to the last of them. Nothing is written if there are
// none. Call [Log.Scrub] afterwards.
func (l *Log) PurgeOutside(ctx context.Context, before time.Time, why string, by Actor) (n int64, err error) {
	day := scopeOf("", before)
	err = l.st.Update(ctx, func(tx store.Tx) error {
		n = 0
		const due = "key_id in (select id from audit_keys where scope like 'day:%' and scope < ?)"
		var from, to *int64
		if err := tx.QueryRow("select min(idx), max(idx) from audit_personal where "+due, day).Scan(&from, &to); err != nil || from == nil {
			return err
		}
		if n, err = l.destroy(tx, "session = '' and idx >= ? and idx <= ? and idx in (select idx from audit_personal where "+due+")",
			"scope like 'day:%' and scope < ?", *from, *to, day, day); err != nil {
			return err
		}
		_, err = l.AppendTx(tx, Event{
			Type: purgeType, Outcome: "ok", Actor: by, Origin: "server",
			Data: map[string]any{"why": why, "records": n, "from": *from, "to": *to},
		})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("audit: purging: %w", err)
	}
	l.keys.forgetDaysBefore(day)
	return n, nil
}

// Scrub makes what was purged unreadable in the files of the database.
func (l *Log) Scrub(ctx context.Context) error {
	if err := l.st.Scrub(ctx); err != nil {
		return fmt.Errorf("audit: purged, but not yet overwritten: %w", err)
	}
	return nil
}

// destroy takes away the personal parts of some leaves and then some keys. The
// arguments are those of both conditions, the last one that of the keys.
func (l *Log) destroy(tx store.Tx, leaves, keys string, args ...any) (int64, error) {
	last := len(args) - 1
	ids, err := keyIDs(tx, keys, args[last])
	if err != nil {
		return 0, err
	}
	res, err := tx.Exec("delete from audit_personal where idx in (select idx from audit_leaves where "+leaves+")", args[:last]...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, err
	}
	if _, err := tx.Exec("update audit_keys set wrapped = null, purged = ? where purged is null and "+keys, store.FormatTime(l.now()), args[last]); err != nil {
		return 0, err
	}
	for _, id := range ids {
		tx.Keep(stands{id}, nil) // an event sealed a moment ago must not use it
	}
	return n, nil
}

func keyIDs(tx store.Tx, where string, arg any) (ids []string, err error) {
	rows, err := tx.Query("select id from audit_keys where purged is null and "+where, arg)
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

// forgetDaysBefore drops the keys of days that were purged.
func (k *keyring) forgetDaysBefore(day string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for scope := range k.deks {
		if strings.HasPrefix(scope, "day:") && scope < day {
			delete(k.deks, scope)
		}
	}
}

// PurgedLeaf is what a leaf retention.purged says: of its session, or of the lines
// From to To outside sessions.
type PurgedLeaf struct {
	Why      string
	Records  int64
	From, To int64
}

// ReadPurge reads the data of a leaf retention.purged.
func ReadPurge(data []byte) (p PurgedLeaf, err error) {
	p.To = -1
	if err := json.Unmarshal(data, &p); err != nil {
		return PurgedLeaf{}, fmt.Errorf("%w: a purge that cannot be read: %w", ErrDamaged, err)
	}
	return p, nil
}

// purges is what the log says was destroyed.
type purges struct {
	sessions map[string]int64 // index of the last purge
	outside  []span
}

// span is lines that a purge outside sessions was about, and its own.
type span struct{ from, to, at int64 }

// purgesTx reads the purges of all leaves, or of those of a further condition.
func purgesTx(tx store.Tx, and string, args ...any) (purges, error) {
	p := purges{sessions: map[string]int64{}}
	rows, err := tx.Query("select idx, session, leaf from audit_leaves where type = ? "+and+" order by idx", append([]any{purgeType}, args...)...)
	if err != nil {
		return p, err
	}
	for rows.Next() {
		var idx int64
		var session, leaf string
		if err := rows.Scan(&idx, &session, &leaf); err != nil {
			return p, err
		}
		if session != "" {
			p.sessions[session] = idx
			continue
		}
		// One that cannot be read explains nothing, and is found as a line.
		if l, err := parseLeaf([]byte(leaf)); err == nil {
			if d, err := ReadPurge(l.Data); err == nil {
				p.outside = append(p.outside, span{d.From, d.To, idx})
			}
		}
	}
	return p, rows.Err()
}

// PurgedTx tells whether a session was purged, be it in part.
func PurgedTx(tx store.Tx, session string) (bool, error) {
	var n int64
	err := tx.QueryRow("select count(*) from audit_leaves where session = ? and type = ?", session, purgeType).Scan(&n)
	return n > 0, err
}

// explain tells whether a purge says that the personal part of a line is gone.
func (p purges) explain(session string, idx int64) bool {
	if session != "" {
		at, ok := p.sessions[session]
		return ok && at > idx
	}
	for _, s := range p.outside {
		if s.from <= idx && idx <= s.to && idx < s.at {
			return true
		}
	}
	return false
}
