package storetest

import (
	"context"
	"database/sql"
	"sync"

	"github.com/mainforte/mainforte/signaling/store"
)

// Asked is a statement that reads, as it was asked.
type Asked struct {
	Query string
	Args  []any
}

// Listening is a Store that keeps what it is asked to read, so that a test can look at how
// the database goes about it.
type Listening struct {
	store.Store
	mu    sync.Mutex
	asked []Asked
}

// Listen puts a Listening around a Store.
func Listen(st store.Store) *Listening { return &Listening{Store: st} }

// Heard are the statements since it was last called.
func (l *Listening) Heard() []Asked {
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := l.asked
	l.asked = nil
	return asked
}

// Update implements store.Store.
func (l *Listening) Update(ctx context.Context, fn func(store.Tx) error) error {
	return l.Store.Update(ctx, func(tx store.Tx) error { return fn(listeningTx{tx, l}) })
}

// View implements store.Store.
func (l *Listening) View(ctx context.Context, fn func(store.Tx) error) error {
	return l.Store.View(ctx, func(tx store.Tx) error { return fn(listeningTx{tx, l}) })
}

type listeningTx struct {
	store.Tx
	l *Listening
}

func (t listeningTx) hear(query string, args []any) {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	t.l.asked = append(t.l.asked, Asked{query, args})
}

func (t listeningTx) Query(query string, args ...any) (*sql.Rows, error) {
	t.hear(query, args)
	return t.Tx.Query(query, args...)
}

func (t listeningTx) QueryRow(query string, args ...any) *sql.Row {
	t.hear(query, args)
	return t.Tx.QueryRow(query, args...)
}
