package store

import (
	"database/sql"
	"errors"
	"fmt"
)

// connection is the one connection of a process that writes. It belongs to the
// writer's goroutine.
type connection interface {
	// begin opens a transaction beside which nobody else writes. alone tells that
	// nobody has written since the last commit of this connection.
	begin() (alone bool, err error)
	// enter and leave are around each update of a transaction; undo, instead of
	// leave, takes back what it did. An error of these ends the transaction.
	enter() error
	leave() error
	undo() error
	// commit returns when all is durable. Its error means that nothing was
	// written, or is ErrUncertain.
	commit() error
	rollback()

	// An error of these leaves the update as it was before, unless it is lost or
	// a lateError.
	exec(query string, args []any) (sql.Result, error)
	query(query string, args []any) (*sql.Rows, error)
	queryRow(query string, args []any) *sql.Row
	// later is exec, at the latest before the next of the others or settle, which
	// then have its error as a lateError.
	later(query string, args []any) error
	settle() error
	nothing() *sql.Row // a Row that carries an error
	// lost tells whether the transaction is over, whatever became of err.
	lost(err error) bool

	scrub(r *request) error
	close() error
}

// lateError is that of a statement which was left for later.
type lateError struct{ error }

func (e lateError) Unwrap() error { return e.error }

// writer owns the connection.
type writer struct {
	conn connection
	kept map[any]any
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
	return classify(w.conn.close())
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
			if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrUncertain) {
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
		scrub.err = classify(w.conn.scrub(scrub))
		close(scrub.done)
	}
}

// transact runs the batch in one transaction. An error means that nothing of it
// was written, unless it is ErrUncertain.
func (w *writer) transact(batch []*request) (err error) {
	defer func() {
		if err != nil {
			w.conn.rollback()
		}
	}()
	alone, err := w.conn.begin()
	if err != nil {
		return err
	}
	if !alone || len(w.kept) > maxKept {
		clear(w.kept)
	}
	for _, r := range batch {
		if err := w.one(r); err != nil {
			return err
		}
	}
	return w.conn.commit()
}

// one runs a request. An error ends the whole batch.
func (w *writer) one(r *request) error {
	if err := w.conn.enter(); err != nil {
		return err
	}
	tx := &updateTx{w: w}
	func() {
		defer func() { r.panicked = recover() }()
		r.err = tx.result(r.fn(tx))
	}()
	tx.open.close()
	if r.panicked == nil {
		if r.err == nil {
			r.err = tx.result(w.conn.settle())
		}
		if r.err == nil {
			r.err = tx.late
		}
	}
	tx.over = true
	if tx.broken != nil {
		// The database has given up the transaction, whatever fn made of the error.
		r.err = nil
		return tx.broken
	}
	if r.err == nil && r.panicked == nil {
		return w.conn.leave()
	}
	clear(w.kept)
	return w.conn.undo()
}

// errOver answers a Tx that was kept beyond its transaction.
var errOver = errors.New("store: the transaction is over")

// updateTx is the Tx of one request.
type updateTx struct {
	w      *writer
	open   openRows
	broken error // the error with which the database gave up the transaction
	late   error // of a statement that was left for later: the update is not to stand
	over   bool
}

// result notes an error after which the transaction, or this update, cannot stand.
func (t *updateTx) result(err error) error {
	err = classify(err)
	if late := (lateError{}); t.late == nil && errors.As(err, &late) {
		t.late = err
	}
	if t.broken == nil && t.w.conn.lost(err) {
		if !errors.Is(err, ErrUnavailable) {
			err = errors.Join(ErrUnavailable, err)
		}
		t.broken = err
	}
	return err
}

func (t *updateTx) usable() error {
	if t.over {
		return errOver
	}
	return errors.Join(t.broken, t.late)
}

func (t *updateTx) Exec(query string, args ...any) (sql.Result, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	res, err := t.w.conn.exec(query, args)
	if err = t.result(err); err != nil {
		return nil, err
	}
	return res, nil
}

func (t *updateTx) Later(query string, args ...any) {
	if t.usable() != nil {
		return
	}
	if err := t.result(t.w.conn.later(query, args)); t.late == nil {
		t.late = err
	}
}

func (t *updateTx) Query(query string, args ...any) (*sql.Rows, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	rows, err := t.w.conn.query(query, args)
	if err = t.result(err); err != nil {
		return nil, err
	}
	t.open.add(rows)
	return rows, nil
}

func (t *updateTx) QueryRow(query string, args ...any) *sql.Row {
	if t.usable() != nil {
		return t.w.conn.nothing()
	}
	return t.w.conn.queryRow(query, args)
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
