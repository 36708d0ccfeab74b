package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/store"
)

// Line is a record as it leaves the house.
type Line struct {
	Index    int64
	Leaf     []byte   // canonical JSON
	Hash     [32]byte // of the leaf, as it stands in the tables
	State    State
	Salt     []byte // 32 bytes, if Present
	Personal []byte // canonical JSON, if Present
}

// Read calls f for the lines from index from to before size, in order, on one
// snapshot. What is passed to f is valid during the call. An error of f ends it.
func (l *Log) Read(ctx context.Context, from, size int64, f func(Line) error) error {
	next := from
	err := l.st.View(ctx, func(tx store.Tx) error {
		next = from
		purges, err := purgesTx(tx, "")
		if err != nil {
			return err
		}
		err = l.lines(tx, purges, func(n Line) error {
			if n.Index != next {
				return fmt.Errorf("%w: line %d is gone", ErrDamaged, next)
			}
			next++
			return f(n)
		}, "l.idx >= ? and l.idx < ?", from, size)
		if err == nil && next < size {
			err = fmt.Errorf("%w: line %d is gone", ErrDamaged, next)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("audit: reading the log: %w", err)
	}
	return nil
}

// ReadSession is Read for the lines of one session before size.
func (l *Log) ReadSession(ctx context.Context, session string, size int64, f func(Line) error) error {
	err := l.st.View(ctx, func(tx store.Tx) error {
		purges, err := purgesTx(tx, "and session = ?", session)
		if err != nil {
			return err
		}
		return l.lines(tx, purges, f, "l.session = ? and l.idx < ?", session, size)
	})
	if err != nil {
		return fmt.Errorf("audit: reading a session: %w", err)
	}
	return nil
}

// ReadRotations is Read for the lines before size that change the signing key.
func (l *Log) ReadRotations(ctx context.Context, size int64, f func(Line) error) error {
	err := l.st.View(ctx, func(tx store.Tx) error {
		return l.lines(tx, purges{}, f, "l.type = ? and l.idx < ?", rotateType, size)
	})
	if err != nil {
		return fmt.Errorf("audit: reading the changes of the key: %w", err)
	}
	return nil
}

// lines reads those that a condition names, in order.
func (l *Log) lines(tx store.Tx, purges purges, f func(Line) error, where string, args ...any) error {
	rows, err := tx.Query(stored+" where "+where+" order by l.idx", args...)
	if err != nil {
		return err
	}
	open := opener{keys: &l.keys}
	for rows.Next() {
		var r row
		if err := r.scan(rows); err != nil {
			return err
		}
		p, err := parseLeaf(r.leaf)
		if err != nil {
			return fmt.Errorf("line %d: %w", r.idx, err)
		}
		n := Line{Index: r.idx, Leaf: r.leaf}
		copy(n.Hash[:], r.hash)
		state, plain, err := open.plain(p.Commit, p.ID, r)
		if err != nil && !errors.Is(err, errPersonal) {
			return err
		}
		n.State = state
		switch {
		case state == Present:
			n.Salt, n.Personal = plain[:saltSize], plain[saltSize:]
		case state == Missing && purges.explain(r.session, r.idx):
			n.State = Purged
		}
		if err := f(n); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Hashes calls f with the stored hashes of the tree, by tlog's numbering, on one
// snapshot.
func (l *Log) Hashes(ctx context.Context, f func(tlog.HashReader) error) error {
	err := l.st.View(ctx, func(tx store.Tx) error {
		return f(tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			list := make([]tlog.Hash, len(indexes))
			for i, idx := range indexes {
				query, at := "select hash from audit_nodes where idx = ?", idx
				if level, n := tlog.SplitStoredHashIndex(idx); level == 0 {
					query, at = "select hash from audit_leaves where idx = ?", n
				}
				var b []byte
				if err := tx.QueryRow(query, at).Scan(&b); err != nil {
					return nil, fmt.Errorf("%w: hash %d of the tree: %w", ErrDamaged, idx, err)
				}
				copy(list[i][:], b)
			}
			return list, nil
		}))
	})
	if err != nil {
		return fmt.Errorf("audit: reading the tree: %w", err)
	}
	return nil
}

// Keys are the verifier keys of the log, from the first to the one in force.
func (l *Log) Keys(ctx context.Context) (keys []string, err error) {
	err = l.st.View(ctx, func(tx store.Tx) error {
		s, err := l.signingTx(tx)
		if err != nil {
			return err
		}
		rows, err := tx.Query("select old from audit_signers order by idx")
		if err != nil {
			return err
		}
		keys = nil
		for rows.Next() {
			var k string
			if err := rows.Scan(&k); err != nil {
				return err
			}
			keys = append(keys, k)
		}
		keys = append(keys, s.vkey)
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("audit: reading the keys: %w", err)
	}
	return keys, nil
}

// ExportHead is the first line of what SignExport signs. A checkpoint begins
// with the log's origin, so neither passes for the other.
const ExportHead = "mainforte export v1\n"

// ReceiptHead is the same of what SignReceipt signs.
const ReceiptHead = "mainforte receipt v1\n"

// SignExport signs the list of an export's files, which begins with [ExportHead],
// with the key in force.
func (l *Log) SignExport(ctx context.Context, text string) (signed string, err error) {
	return l.signText(ctx, text, ExportHead)
}

// SignReceipt signs what the server states in a receipt, which begins with
// [ReceiptHead], with the key in force.
func (l *Log) SignReceipt(ctx context.Context, text string) (signed string, err error) {
	return l.signText(ctx, text, ReceiptHead)
}

func (l *Log) signText(ctx context.Context, text, head string) (signed string, err error) {
	if !strings.HasPrefix(text, head) {
		return "", fmt.Errorf("%w: it signs no other texts than its own", ErrKey)
	}
	err = l.st.View(ctx, func(tx store.Tx) error {
		s, err := l.signingTx(tx)
		if err != nil {
			return err
		}
		b, err := note.Sign(&note.Note{Text: text}, s.signer)
		signed = string(b)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("audit: signing: %w", err)
	}
	return signed, nil
}

// Record reads a line as an event.
func (n Line) Record() (Record, error) {
	p, err := parseLeaf(n.Leaf)
	if err != nil {
		return Record{}, err
	}
	r, err := p.record()
	if err != nil {
		return Record{}, err
	}
	r.Leaf, r.Hash, r.State = n.Leaf, n.Hash, n.State
	if n.Personal != nil {
		if r.Personal, err = readObject(n.Personal); err != nil {
			return Record{}, fmt.Errorf("%w: personal part: %w", ErrDamaged, err)
		}
	}
	return r, nil
}
