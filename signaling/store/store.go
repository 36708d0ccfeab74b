// Package store keeps what the server must not lose, in SQLite by default, in
// PostgreSQL where several servers share it.
//
// All writing goes through [Store.Update]: one writer gathers what is waiting
// into one transaction (group commit) and returns when it is durable. The SQL
// lives with the packages whose tables it is (audit, tickets, identity,
// pairing), in the common ground of SQLite and PostgreSQL; the migrations live
// here, in migrations/, one folder for each database.
//
// The common ground: whole numbers are bigint and read as int64, truth values
// are 0 and 1, bytes are blob (bytea), everything else is text (in PostgreSQL
// collated "C", so that both sort by bytes). A time is text in UTC of fixed width
// ([FormatTime]), so that it sorts as it passed. An upsert is written "on
// conflict (column) do …"; a statement that writes goes through Exec or Later and
// returns nothing. Strings are text without a byte of zero: PostgreSQL holds
// U+FFFD instead of others. One reading ends before the next statement begins: PostgreSQL
// has one line to speak on.
//
// [OpenSQLite] opens the default database, [OpenPostgres] the other. Package
// storetest holds the promises that every Store keeps, and lends a PostgreSQL to
// tests.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Errors of a Store. Update and View return the error of their function as it
// is, so these are found by errors.Is in it.
var (
	// ErrUnavailable: the database cannot be written or read just now: disk
	// full, input or output error, locked by somebody else, closed. Nothing of
	// the transaction was written, and it may be tried again.
	ErrUnavailable = errors.New("store: the database is not available")
	// ErrClosed wraps ErrUnavailable: the Store was closed.
	ErrClosed = fmt.Errorf("%w: it is closed", ErrUnavailable)
	// ErrUncertain: the line to the database broke while it committed, and it has
	// not answered since: the transaction may stand or not. It does not wrap
	// ErrUnavailable, because trying again could do the same thing twice.
	ErrUncertain = errors.New("store: it is not known whether the database has taken this")
	// ErrExists: a unique column already holds this value.
	ErrExists = errors.New("store: already there")
	// ErrRefused: another rule of the schema forbids it: a missing reference, a
	// value out of its list, a change to an append-only table.
	ErrRefused = errors.New("store: the schema forbids it")
)

// Tx is a transaction. Placeholders are ?. It belongs to one goroutine. Arguments
// must not be changed before its end.
type Tx interface {
	// Exec runs a statement that changes something. After an error one may go on:
	// the statement did nothing.
	Exec(query string, args ...any) (sql.Result, error)
	// Later is Exec for a statement whose outcome decides nothing here: it runs at
	// the latest before the next one that is not left for later, and its error is
	// the error of the whole Update. It saves a journey to a database on another
	// machine.
	Later(query string, args ...any)
	// Query reads. Rows left open are closed when the transaction ends.
	Query(query string, args ...any) (*sql.Rows, error)
	QueryRow(query string, args ...any) *sql.Row

	// Keep holds a value in memory for as long as the database stands exactly
	// as this process last wrote it: until a transaction is rolled back or
	// another server writes. It saves reading back what one just wrote. Values
	// are shared between transactions and must not be changed. In a View it
	// does nothing.
	Keep(key, value any)
	// Kept returns what was kept under key, nil if there is nothing.
	Kept(key any) any
}

// Store is a database.
type Store interface {
	// Update runs fn in a transaction and returns when it is durable. fn may
	// share its transaction with other callers' and is isolated from their
	// failures by a savepoint; it must not keep the Tx, block on anything else,
	// call Update, or have effects outside the database. An error that wraps
	// ErrUnavailable means that nothing was written; see also ErrUncertain. A ctx that ends before fn
	// was started ends Update with its error; once started, Update returns with
	// the outcome.
	Update(ctx context.Context, fn func(Tx) error) error
	// View runs fn on a snapshot that sees every finished Update. It cannot write.
	View(ctx context.Context, fn func(Tx) error) error
	// Scrub makes what was deleted before it unreadable in the database's own
	// files, as far as the database can: call it after a purge.
	Scrub(ctx context.Context) error
	// Close waits for the updates already handed over, then closes.
	Close() error
}

// timeLayout is RFC 3339 with nanoseconds, always 30 characters in UTC.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// FormatTime writes t in UTC, RFC 3339 with nine decimals: as text it sorts as
// the times do. The zero time is "".
func FormatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

// ParseTime reads what FormatTime wrote.
func ParseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(timeLayout, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("store: %q is not a time of this database: %w", s, err)
	}
	return t, nil
}

// classify adds the sentinel that a caller branches on.
func classify(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUncertain) || errors.Is(err, ErrExists) || errors.Is(err, ErrRefused) {
		return err
	}
	if errors.Is(err, sql.ErrConnDone) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	for _, trouble := range []func(error) error{sqliteTrouble, postgresTrouble} {
		if kind := trouble(err); kind != nil {
			return fmt.Errorf("%w: %w", kind, err)
		}
	}
	return err
}
