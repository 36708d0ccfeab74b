// Package store keeps what the server must not lose, in SQLite by default.
//
// All writing goes through [Store.Update]: one writer gathers what is waiting
// into one transaction (group commit) and returns when it is durable. The SQL
// lives with the packages whose tables it is (audit, tickets, identity,
// pairing), in the common ground of SQLite and PostgreSQL; the migrations live
// here.
package store

import (
	"context"
	"database/sql"
)

// Tx is a transaction. Placeholders are ?.
type Tx interface {
	Exec(query string, args ...any) (sql.Result, error)
	Query(query string, args ...any) (*sql.Rows, error)
	QueryRow(query string, args ...any) *sql.Row
}

// Store is a database.
type Store interface {
	// Update runs fn in a transaction and returns when it is durable. fn may
	// share its transaction with other callers' and is isolated from their
	// failures by a savepoint; it must not keep the Tx, block on anything else,
	// or have effects outside the database. An error that wraps ErrUnavailable
	// means that nothing was written.
	Update(ctx context.Context, fn func(Tx) error) error
	// View runs fn on a snapshot that sees every finished Update.
	View(ctx context.Context, fn func(Tx) error) error
	Close() error
}
