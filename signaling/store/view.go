package store

import (
	"context"
	"database/sql"
)

// dialect turns a statement and its arguments into the database's own.
type dialect func(query string, args []any) (string, []any)

// view runs fn in a transaction of a pool that reads.
func view(ctx context.Context, readers *sql.DB, opts *sql.TxOptions, dialect dialect, fn func(Tx) error) error {
	tx, err := readers.BeginTx(ctx, opts)
	if err != nil {
		return classify(err)
	}
	v := &viewTx{ctx: ctx, tx: tx, dialect: dialect}
	defer func() {
		v.open.close()
		_ = tx.Rollback() // a read has nothing to lose
	}()
	if err = fn(v); err == nil {
		err = v.late
	}
	return classify(err)
}

func asItIs(query string, args []any) (string, []any) { return query, args }

// viewTx is the Tx of a View.
type viewTx struct {
	ctx     context.Context
	tx      *sql.Tx
	dialect dialect
	open    openRows
	late    error
}

func (t *viewTx) Exec(query string, args ...any) (sql.Result, error) {
	query, args = t.dialect(query, args)
	res, err := t.tx.ExecContext(t.ctx, query, args...)
	return res, classify(err)
}

func (t *viewTx) Later(query string, args ...any) {
	if _, err := t.Exec(query, args...); t.late == nil {
		t.late = err
	}
}

func (t *viewTx) Query(query string, args ...any) (*sql.Rows, error) {
	query, args = t.dialect(query, args)
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return nil, classify(err)
	}
	t.open.add(rows)
	return rows, nil
}

func (t *viewTx) QueryRow(query string, args ...any) *sql.Row {
	query, args = t.dialect(query, args)
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
