package audit

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"strings"

	"github.com/mainforte/mainforte/signaling/store"
)

// maxEvents bounds what Events returns: a day of a session that writes one event
// a second is 86,400.
const maxEvents = 100_000

// Events returns the events of a session in order, with their personal parts
// opened where they still can be. An empty session means the events outside
// sessions. A leaf that cannot be read is ErrDamaged.
func (l *Log) Events(ctx context.Context, session string) (list []Record, err error) {
	err = l.st.View(ctx, func(tx store.Tx) error {
		list, err = l.EventsTx(tx, session)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("audit: reading the events: %w", err)
	}
	return list, nil
}

// EventsTx is Events within a transaction.
func (l *Log) EventsTx(tx store.Tx, session string) ([]Record, error) {
	return l.recordsTx(tx, session, " order by l.idx limit ?", maxEvents)
}

// MaxRecent bounds what Recent returns.
const MaxRecent = 200

// Recent returns the events outside sessions that have one of these types, the last
// first; only those before a line, if before is not negative; at most limit.
func (l *Log) Recent(ctx context.Context, types []string, before int64, limit int) (list []Record, err error) {
	if len(types) == 0 {
		return nil, nil
	}
	limit = max(1, min(limit, MaxRecent))
	// The last of each type, and of those the last: what else happened is not looked at.
	var each []string
	var args []any
	for _, t := range types {
		one, more := "select idx from audit_leaves where session = '' and type = ?", []any{t}
		if before >= 0 {
			one, more = one+" and idx < ?", append(more, before)
		}
		each = append(each, "select idx from ("+one+" order by idx desc limit ?) n")
		args = append(append(args, more...), int64(limit))
	}
	rest := " and l.idx in (" + strings.Join(each, " union all ") + ") order by l.idx desc limit ?"
	args = append(args, int64(limit))
	err = l.st.View(ctx, func(tx store.Tx) error {
		list, err = l.recordsTx(tx, "", rest, args...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("audit: reading the last events: %w", err)
	}
	return list, nil
}

// recordsTx reads events of a session; rest goes on after the where clause.
func (l *Log) recordsTx(tx store.Tx, session, rest string, args ...any) ([]Record, error) {
	rows, err := tx.Query(stored+" where l.session = ?"+rest, append([]any{session}, args...)...)
	if err != nil {
		return nil, err
	}
	var list []Record
	open := opener{keys: &l.keys}
	for rows.Next() {
		var row row
		if err := row.scan(rows); err != nil {
			return nil, err
		}
		p, err := parseLeaf(row.leaf)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", row.idx, err)
		}
		r, err := p.record()
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", row.idx, err)
		}
		r.Leaf = row.leaf
		copy(r.Hash[:], row.hash)
		r.State, r.Personal, err = open.personal(p, row)
		if err != nil && !errors.Is(err, errPersonal) {
			return nil, err
		}
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	p, err := purgesTx(tx, "and session = ?", session)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if r := &list[i]; r.State == Missing && p.explain(r.Session, r.Index) {
			r.State = Purged
		}
	}
	return list, nil
}

// Count is the number of a session's events.
func (l *Log) Count(ctx context.Context, session string) (n int64, err error) {
	err = l.st.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("select count(*) from audit_leaves where session = ?", session).Scan(&n)
	})
	return n, err
}

// stored selects what row.scan reads.
const stored = `select l.idx, l.id, l.session, l.type, l.leaf, l.hash, p.box, p.key_id, k.scope, k.wrapped
from audit_leaves l left join audit_personal p on p.idx = l.idx left join audit_keys k on k.id = p.key_id`

type row struct {
	idx              int64
	id, session, typ string
	leaf, hash       []byte
	box, wrapped     []byte
	keyID, scope     *string
}

func (r *row) scan(s interface{ Scan(...any) error }) error {
	return s.Scan(&r.idx, &r.id, &r.session, &r.typ, &r.leaf, &r.hash, &r.box, &r.keyID, &r.scope, &r.wrapped)
}

// errPersonal: a personal part is there and is not what its leaf committed to.
var errPersonal = errors.New("audit: the personal part was changed")

// opener opens personal parts, unwrapping each key once.
type opener struct {
	keys *keyring
	last string // key id
	aead interface {
		Open(dst, nonce, box, aad []byte) ([]byte, error)
	}
}

// personal opens the sealed part of a row. Missing with errPersonal means that
// it was changed; Missing alone, that it or its key is gone.
func (o *opener) personal(p parsed, r row) (State, map[string]any, error) {
	state, plain, err := o.plain(p.Commit, p.ID, r)
	if state != Present {
		return state, nil, err
	}
	m, err := readObject(plain[saltSize:])
	if err != nil {
		return Missing, nil, fmt.Errorf("%w: %w", errPersonal, err)
	}
	return Present, m, nil
}

// plain is personal before it is read: salt ‖ canonical JSON.
func (o *opener) plain(commit []byte, id string, r row) (State, []byte, error) {
	if len(commit) == 0 {
		if r.box != nil {
			return None, nil, errPersonal
		}
		return None, nil, nil
	}
	if r.box == nil || r.keyID == nil || r.scope == nil || r.wrapped == nil {
		return Missing, nil, nil
	}
	if o.last != *r.keyID {
		aead, err := o.keys.open(*r.keyID, *r.scope, r.wrapped)
		if err != nil {
			return Missing, nil, fmt.Errorf("%w: %w", errPersonal, err)
		}
		o.last, o.aead = *r.keyID, aead
	}
	plain, err := o.aead.Open(nil, nil, r.box, personalAAD(id))
	if err != nil || len(plain) < saltSize {
		return Missing, nil, fmt.Errorf("%w: it does not open", errPersonal)
	}
	if !hmac.Equal(Commitment(plain[:saltSize], plain[saltSize:]), commit) {
		return Missing, nil, fmt.Errorf("%w: it is not what the line committed to", errPersonal)
	}
	return Present, plain, nil
}
