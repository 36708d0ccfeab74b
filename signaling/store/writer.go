package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	"modernc.org/sqlite"
)

// request is one Update on its way to the writer.
type request struct {
	fn    func(Tx) error
	scrub bool // instead of fn: outside any transaction

	state atomic.Int32
	done  chan struct{} // closed when err stands
	err   error
	// panicked is what fn panicked with. It belongs to the caller.
	panicked any
}

// Who has the request: the writer may start one that waits, its caller may take
// back one that waits.
const (
	waiting int32 = iota
	started
	given // taken back
)

// writer owns the one connection that writes.
type writer struct {
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	kept    map[any]any
	version int64 // data_version when kept was last right
}

// Bounds of what the writer remembers between transactions.
const (
	maxStmts = 256
	maxKept  = 8192
)

// run commits until requests is closed. There is no timer: while one batch
// flushes, the next one gathers.
func (w *writer) run(requests <-chan *request) error {
	batch := make([]*request, 0, maxBatch)
	for r := range requests {
		batch = append(batch[:0], r)
	fill:
		for len(batch) < maxBatch && !batch[len(batch)-1].scrub {
			select {
			case r, ok := <-requests:
				if !ok {
					break fill
				}
				batch = append(batch, r)
			default:
				break fill
			}
		}
		w.commit(batch)
	}
	// So that the one file is whole: a copy of it alone is a backup.
	_, err := w.conn.ExecContext(context.Background(), "pragma wal_checkpoint(truncate)")
	w.forgetStmts()
	return errors.Join(classify(err), w.conn.Close())
}

// commit answers every request of the batch. A scrub can only be the last one.
func (w *writer) commit(batch []*request) {
	live := batch[:0]
	var scrub *request
	for _, r := range batch {
		switch {
		case !r.state.CompareAndSwap(waiting, started):
		case r.scrub:
			scrub = r
		default:
			live = append(live, r)
		}
	}
	if len(live) > 0 {
		if err := w.transact(live); err != nil {
			err = classify(err)
			if !errors.Is(err, ErrUnavailable) {
				err = fmt.Errorf("%w: %w", ErrUnavailable, err)
			}
			clear(w.kept)
			for _, r := range live {
				if r.err == nil && r.panicked == nil {
					r.err = err
				}
			}
		}
		for _, r := range live {
			close(r.done)
		}
	}
	if scrub != nil {
		scrub.err = w.scrub()
		close(scrub.done)
	}
}

// transact runs the batch in one transaction. An error means that nothing of it
// was written.
func (w *writer) transact(batch []*request) (err error) {
	if err := w.exec("begin immediate"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// SQLite may have rolled back by itself; then this one fails, rightly.
			_ = w.exec("rollback")
		}
	}()
	if err := w.refresh(); err != nil {
		return err
	}
	for _, r := range batch {
		if err := w.one(r); err != nil {
			return err
		}
	}
	return w.exec("commit")
}

// refresh forgets what was kept if another process has written since.
func (w *writer) refresh() error {
	st, err := w.stmt("pragma data_version")
	if err != nil {
		return err
	}
	var v int64
	if err := st.QueryRow().Scan(&v); err != nil {
		return err
	}
	if v != w.version || len(w.kept) > maxKept {
		clear(w.kept)
		w.version = v
	}
	return nil
}

// one runs a request in its savepoint. An error ends the whole batch.
func (w *writer) one(r *request) error {
	if err := w.exec("savepoint one"); err != nil {
		return err
	}
	tx := &updateTx{w: w}
	func() {
		defer func() { r.panicked = recover() }()
		r.err = tx.result(r.fn(tx))
	}()
	tx.open.close()
	tx.over = true
	if tx.broken != nil {
		// The database has given up the transaction, whatever fn made of the error.
		r.err = nil
		return tx.broken
	}
	if r.err == nil && r.panicked == nil {
		return w.exec("release one")
	}
	clear(w.kept)
	if err := w.exec("rollback to one"); err != nil {
		return err
	}
	return w.exec("release one")
}

// scrub moves all pages into the file and empties the log of old ones. It does
// not wait for readers, as SQLite would for the whole busy timeout.
func (w *writer) scrub() error {
	var busy, log, moved int64
	err := w.exec("pragma busy_timeout = 0")
	if err == nil {
		err = w.conn.QueryRowContext(context.Background(), "pragma wal_checkpoint(truncate)").Scan(&busy, &log, &moved)
	}
	err = errors.Join(err, w.exec(fmt.Sprintf("pragma busy_timeout = %d", busyTimeout.Milliseconds())))
	if err == nil && busy != 0 {
		return errReader
	}
	return classify(err)
}

func (w *writer) exec(query string) error {
	st, err := w.stmt(query)
	if err != nil {
		return err
	}
	_, err = st.Exec()
	return err
}

// stmt prepares once: parsing costs more than running.
func (w *writer) stmt(query string) (*sql.Stmt, error) {
	if st, ok := w.stmts[query]; ok {
		return st, nil
	}
	if len(w.stmts) >= maxStmts {
		w.forgetStmts()
	}
	st, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	w.stmts[query] = st
	return st, nil
}

func (w *writer) forgetStmts() {
	for q, st := range w.stmts {
		_ = st.Close()
		delete(w.stmts, q)
	}
}

// errOver answers a Tx that was kept beyond its transaction.
var errOver = errors.New("store: the transaction is over")

// updateTx is the Tx of one request.
type updateTx struct {
	w      *writer
	open   openRows
	broken error // the error with which the database gave up the transaction
	over   bool
}

// result notes an error after which the transaction cannot stand.
func (t *updateTx) result(err error) error {
	err = classify(err)
	var e *sqlite.Error
	if t.broken == nil && errors.Is(err, ErrUnavailable) && errors.As(err, &e) {
		t.broken = err
	}
	return err
}

func (t *updateTx) usable() error {
	if t.over {
		return errOver
	}
	return t.broken
}

func (t *updateTx) Exec(query string, args ...any) (sql.Result, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	st, err := t.w.stmt(query)
	if err != nil {
		return nil, t.result(err)
	}
	res, err := st.Exec(args...)
	return res, t.result(err)
}

func (t *updateTx) Query(query string, args ...any) (*sql.Rows, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	st, err := t.w.stmt(query)
	if err != nil {
		return nil, t.result(err)
	}
	// A cached statement can be read by one at a time; a second reading of the
	// same query inside the first gets its own statement from database/sql.
	rows, err := st.Query(args...)
	if err != nil {
		return nil, t.result(err)
	}
	t.open.add(rows)
	return rows, nil
}

func (t *updateTx) QueryRow(query string, args ...any) *sql.Row {
	if t.usable() != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // the Row then carries an error, and nothing is run
		return t.w.conn.QueryRowContext(ctx, query, args...)
	}
	if st, err := t.w.stmt(query); err == nil {
		return st.QueryRow(args...)
	}
	// Not to be prepared: the Row carries why.
	return t.w.conn.QueryRowContext(context.Background(), query, args...)
}

func (t *updateTx) Keep(key, value any) {
	if t.usable() == nil {
		t.w.kept[key] = value
	}
}

func (t *updateTx) Kept(key any) any {
	if t.usable() != nil {
		return nil
	}
	return t.w.kept[key]
}

// viewTx is the Tx of a View.
type viewTx struct {
	ctx  context.Context
	tx   *sql.Tx
	open openRows
}

func (t *viewTx) Exec(query string, args ...any) (sql.Result, error) {
	res, err := t.tx.ExecContext(t.ctx, query, args...)
	return res, classify(err)
}

func (t *viewTx) Query(query string, args ...any) (*sql.Rows, error) {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return nil, classify(err)
	}
	t.open.add(rows)
	return rows, nil
}

func (t *viewTx) QueryRow(query string, args ...any) *sql.Row {
	return t.tx.QueryRowContext(t.ctx, query, args...)
}

func (t *viewTx) Keep(any, any) {}
func (t *viewTx) Kept(any) any  { return nil }

// openRows are closed with their transaction, so that a forgotten Close holds nothing.
type openRows []*sql.Rows

func (o *openRows) add(r *sql.Rows) { *o = append(*o, r) }

func (o *openRows) close() {
	for _, r := range *o {
		_ = r.Close()
	}
	*o = nil
}
