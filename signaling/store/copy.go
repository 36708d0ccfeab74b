package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// ErrNotEmpty: there is something in the database that was to be filled.
var ErrNotEmpty = errors.New("store: the database is not empty")

// Copy fills an empty PostgreSQL with all that a SQLite holds, in one transaction,
// and returns the number of rows. Whoever writes to the SQLite must have stopped.
func Copy(ctx context.Context, from *SQLite, to *Postgres) (n int64, err error) {
	conn, err := to.readers.Conn(ctx)
	if err != nil {
		return 0, classify(err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	err = from.View(ctx, func(tx Tx) error {
		return conn.Raw(func(driver any) error {
			n, err = fill(ctx, tx, driver.(*stdlib.Conn).Conn())
			return err
		})
	})
	return n, classify(err)
}

func fill(ctx context.Context, from Tx, conn *pgx.Conn) (n int64, err error) {
	tables, err := names(from.Query("select name from sqlite_master where type = 'table' and name not like 'sqlite_%' and name not like 'goose_%' order by rowid"))
	if err != nil {
		return 0, err
	}
	to, err := conn.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = to.Rollback(ctx) }() // after a commit it does nothing
	// As every writer: alone, seen by the others, and on the disk.
	if _, err := to.Exec(ctx, "set local synchronous_commit = on"); err != nil {
		return 0, err
	}
	if _, err := to.Exec(ctx, "select pg_advisory_xact_lock($1), nextval('store_batch')", int64(writeLock)); err != nil {
		return 0, err
	}
	for _, t := range tables {
		name := pgx.Identifier{t}
		if t == "counters" { // the schema begins with one
			if _, err := to.Exec(ctx, "delete from counters"); err != nil {
				return 0, err
			}
		}
		var full bool
		if err := to.QueryRow(ctx, "select exists (select 1 from "+name.Sanitize()+")").Scan(&full); err != nil {
			return 0, err
		}
		if full {
			return 0, fmt.Errorf("%w: there are %s in it", ErrNotEmpty, t)
		}
		columns, err := names(from.Query("select name from pragma_table_info(?)", t))
		if err != nil {
			return 0, err
		}
		rows, err := from.Query("select " + strings.Join(quoted(columns), ", ") + " from " + name.Sanitize())
		if err != nil {
			return 0, err
		}
		copied, err := to.CopyFrom(ctx, name, columns, &source{rows: rows, width: len(columns)})
		if err = errors.Join(err, rows.Close()); err != nil {
			return 0, fmt.Errorf("copying %s: %w", t, err)
		}
		n += copied
	}
	return n, to.Commit(ctx)
}

func quoted(columns []string) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = pgx.Identifier{c}.Sanitize()
	}
	return out
}

func names(rows *sql.Rows, err error) (list []string, _ error) {
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, errors.Join(rows.Err(), rows.Close())
}

// source hands rows of one database to the other.
type source struct {
	rows  *sql.Rows
	width int
}

func (s *source) Next() bool { return s.rows.Next() }
func (s *source) Err() error { return s.rows.Err() }

func (s *source) Values() ([]any, error) {
	row, to := make([]any, s.width), make([]any, s.width)
	for i := range row {
		to[i] = &row[i]
	}
	return row, s.rows.Scan(to...)
}
