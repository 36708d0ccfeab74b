package audit

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/signaling/store"
)

// Log is the session log in a Store. It is safe for use by many goroutines, and
// several processes may append to the same database.
type Log struct {
	st     store.Store
	keys   keyring
	keyDir string
	now    func() time.Time

	mu   sync.Mutex
	sign signing // as this process last saw it; signingTx tells the one in force
}

// Open opens the log in st with the keys in folder keyDir, which it makes on the
// first start. Missing or foreign keys are ErrKey: a log that could no longer be
// read or proved is not written on.
func Open(ctx context.Context, st store.Store, keyDir string) (*Log, error) {
	l := &Log{st: st, keyDir: keyDir, now: time.Now}
	var keys, checkpoints int64
	var id, scope string
	var wrapped []byte
	err := st.View(ctx, func(tx store.Tx) error {
		if err := tx.QueryRow("select count(*) from audit_keys where wrapped is not null").Scan(&keys); err != nil {
			return err
		}
		if keys > 0 {
			if err := tx.QueryRow("select id, scope, wrapped from audit_keys where wrapped is not null order by id desc limit 1").Scan(&id, &scope, &wrapped); err != nil {
				return err
			}
		}
		return tx.QueryRow("select count(*) from audit_checkpoints").Scan(&checkpoints)
	})
	if err != nil {
		return nil, fmt.Errorf("audit: opening the log: %w", err)
	}
	if l.keys.kek, err = loadKEK(keyDir, keys == 0); err != nil {
		return nil, err
	}
	l.keys.deks = map[string]*dek{}
	if keys > 0 {
		if _, err := l.keys.open(id, scope, wrapped); err != nil {
			return nil, err
		}
	}
	if l.sign, err = loadSigner(filepath.Join(keyDir, signerFile), checkpoints == 0, newOrigin()); err != nil {
		return nil, err
	}
	// Reads the newest checkpoint, so that a foreign signing key shows now.
	if _, err := l.Latest(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// VerifierKey is the public half of the checkpoint key, in the form of
// x/mod/sumdb/note. An auditor keeps it outside the server.
func (l *Log) VerifierKey() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sign.vkey
}

// Append writes events in order and returns the index of the first when all are
// durable. On an error none was written: ErrBadEvent if they may not stand in
// the log, store.ErrUnavailable if the database cannot be written. An event
// session.ended is followed by a checkpoint in the same transaction.
func (l *Log) Append(ctx context.Context, events ...Event) (first int64, err error) {
	lines, err := l.prepare(events)
	if err != nil {
		return 0, err
	}
	err = l.st.Update(ctx, func(tx store.Tx) error {
		first, err = l.write(tx, events, lines)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("audit: %w", err)
	}
	return first, nil
}

// AppendTx is Append within the transaction of the change that the events are
// about. They stand when that transaction does.
func (l *Log) AppendTx(tx store.Tx, events ...Event) (first int64, err error) {
	lines, err := l.prepare(events)
	if err != nil {
		return 0, err
	}
	return l.write(tx, events, lines)
}

// line is an event ready to be written, but for its index.
type line struct {
	id        string
	pre, post []byte // of the leaf, around its index
	dek       *dek   // nil: no personal part
	box       []byte
}

func (l *Log) prepare(events []Event) ([]line, error) {
	if len(events) == 0 {
		return nil, fmt.Errorf("%w: there is none", ErrBadEvent)
	}
	lines := make([]line, len(events))
	for i, e := range events {
		var err error
		if lines[i], err = l.seal(e); err != nil {
			return nil, fmt.Errorf("audit: event %q: %w", e.Type, err)
		}
	}
	return lines, nil
}

// seal checks e and splits it into leaf and sealed part.
func (l *Log) seal(e Event) (line, error) {
	if err := check(e); err != nil {
		return line{}, err
	}
	now := l.now()
	if e.Time.IsZero() {
		e.Time = now
	}
	id := ulid.Make().String()
	var commit []byte
	n := line{id: id}
	if len(e.Personal) > 0 {
		plain := make([]byte, saltSize, saltSize+256)
		rand.Read(plain)
		plain, err := canonical(plain, e.Personal, false, 0)
		if err != nil {
			return line{}, err
		}
		if len(plain)-saltSize > maxPersonal {
			return line{}, fmt.Errorf("%w: personal part over %d bytes", ErrBadEvent, maxPersonal)
		}
		commit = Commitment(plain[:saltSize], plain[saltSize:])
		if n.dek, err = l.keys.sealing(scopeOf(e.Session, now), now); err != nil {
			return line{}, err
		}
		n.box = n.dek.aead.Seal(nil, nil, plain, personalAAD(id))
	}
	var err error
	n.pre, n.post, err = leaf(e, id, commit)
	return n, err
}

// saltSize is that of the random bytes before each personal part.
const saltSize = 32

// Commitment is what a leaf says of its personal part: HMAC-SHA-256 of its
// canonical JSON under its salt.
func Commitment(salt, personal []byte) []byte {
	m := hmac.New(sha256.New, salt)
	m.Write(personal)
	return m.Sum(nil)
}

func personalAAD(id string) []byte { return []byte("mf/1 personal|" + id) }

// write gives the lines their places.
func (l *Log) write(tx store.Tx, events []Event, lines []line) (int64, error) {
	h, err := l.headTx(tx)
	if err != nil {
		return 0, err
	}
	first, ended := h.size, false
	for i := range lines {
		n, e := &lines[i], &events[i]
		if n.dek != nil {
			if err := l.putKey(tx, e, n); err != nil {
				return 0, err
			}
		}
		text := make([]byte, 0, len(n.pre)+20+len(n.post))
		text = append(strconv.AppendInt(append(text, n.pre...), h.size, 10), n.post...)
		var nodes []node
		var hash [32]byte
		at := h.size
		h, hash, nodes = h.grow(text)
		tx.Later("insert into audit_leaves (idx, id, session, type, leaf, hash) values (?, ?, ?, ?, ?, ?)",
			at, n.id, e.Session, e.Type, string(text), hash[:])
		if n.box != nil {
			tx.Later("insert into audit_personal (idx, key_id, box) values (?, ?, ?)", at, n.dek.id, n.box)
			if err := l.indexTx(tx, e); err != nil {
				return 0, err
			}
		}
		saveNodes(tx, nodes)
		ended = ended || e.Type == "session.ended"
	}
	h.save(tx)
	if ended {
		if _, err := l.CheckpointTx(tx); err != nil {
			return 0, err
		}
	}
	return first, nil
}

// putKey makes sure that the line's key stands in the database. One that was
// purged between sealing and now is replaced and the line sealed again.
func (l *Log) putKey(tx store.Tx, e *Event, n *line) error {
	ok, err := n.dek.put(tx)
	if ok || err != nil {
		return err
	}
	l.keys.forget(n.dek.scope, n.dek.id)
	again, err := l.seal(*e)
	if err != nil {
		return err
	}
	*n = again
	if ok, err = n.dek.put(tx); err == nil && !ok {
		err = fmt.Errorf("%w: a new key is already purged", ErrDamaged)
	}
	return err
}

// headTx is the tree as it stands.
func (l *Log) headTx(tx store.Tx) (head, error) {
	if h, ok := tx.Kept(headKey{}).(head); ok {
		return h, nil
	}
	var h head
	var edge []byte
	var stored int64
	err := tx.QueryRow("select size, edge from audit_head where id = 1").Scan(&h.size, &edge)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return head{}, err
	}
	if err := tx.QueryRow("select coalesce(max(idx) + 1, 0) from audit_leaves").Scan(&stored); err != nil {
		return head{}, err
	}
	if stored != h.size {
		return head{}, fmt.Errorf("%w: the tree has %d leaves, the table %d", ErrDamaged, h.size, stored)
	}
	if h.edge, err = readEdge(h.size, edge); err != nil {
		return head{}, err
	}
	return h, nil
}
