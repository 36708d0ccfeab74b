package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// maxBatch is how many updates share one transaction: enough that one flush of
// the disk carries all that waits, few enough that nobody waits long for others.
const maxBatch = 512

// busyTimeout is how long a writer waits for another process (an admin command
// beside the running server) to finish its transaction.
const busyTimeout = 10 * time.Second

// SQLite is a Store in one file (and its -wal and -shm beside it).
//
// One connection writes, in a goroutine of its own; a pool of others reads.
type SQLite struct {
	path    string
	writer  *sql.DB
	readers *sql.DB

	mu       sync.RWMutex // held to send, so that nothing is sent after closed is set
	closed   bool
	requests chan *request
	done     chan struct{} // the writer goroutine is gone
	closeErr error
}

var _ Store = (*SQLite)(nil)

// OpenSQLite opens the database at path, makes it (mode 0600, the folder 0700)
// if it is not there, and brings its schema up to date. A database of a newer
// program is refused.
func OpenSQLite(path string) (*SQLite, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := private(path); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &SQLite{path: path, requests: make(chan *request, maxBatch), done: make(chan struct{})}
	s.writer, err = sql.Open("sqlite", dsn(path, "immediate", "journal_mode(WAL)", "synchronous(FULL)", "secure_delete(1)", "journal_size_limit(67108864)",
		"recursive_triggers(1)", // else "insert or replace" deletes behind the append-only triggers
	))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s.writer.SetMaxOpenConns(1)
	s.readers, err = sql.Open("sqlite", dsn(path, "deferred", "query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), s.writer.Close())
	}
	n := max(4, runtime.NumCPU())
	s.readers.SetMaxOpenConns(n)
	s.readers.SetMaxIdleConns(n)
	conn, err := s.start()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: %s: %w", path, classify(err)), s.readers.Close(), s.writer.Close())
	}
	w := &writer{conn: conn, stmts: map[string]*sql.Stmt{}, kept: map[any]any{}}
	go func() {
		defer close(s.done)
		s.closeErr = w.run(s.requests)
	}()
	return s, nil
}

// start migrates and takes the writer's connection.
func (s *SQLite) start() (*sql.Conn, error) {
	if err := migrate(context.Background(), s.writer); err != nil {
		return nil, err
	}
	return s.writer.Conn(context.Background())
}

// private makes the file before SQLite does, because SQLite would leave its mode
// to the umask; the -wal and -shm files take their mode from it.
func private(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

func dsn(path, lock string, pragmas ...string) string {
	q := url.Values{"_txlock": {lock}}
	// First of all pragmas, because the others may already need a lock.
	q.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()))
	for _, p := range append(pragmas, "foreign_keys(1)", "temp_store(2)", "trusted_schema(0)") {
		q.Add("_pragma", p)
	}
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // C:/data on Windows
	}
	return (&url.URL{Scheme: "file", Path: p, RawQuery: q.Encode()}).String()
}

// Update implements Store.
func (s *SQLite) Update(ctx context.Context, fn func(Tx) error) error {
	return s.do(ctx, &request{fn: fn})
}

// Scrub implements Store: deleted content is already overwritten in the file
// (secure_delete); what remains is the log of old pages.
func (s *SQLite) Scrub(ctx context.Context) error {
	var err error
	for try := range scrubTries {
		if err = s.do(ctx, &request{scrub: true}); !errors.Is(err, errReader) {
			return err
		}
		// The waiting is done here and not in the writer, where others wait too.
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(time.Duration(try+1) * 50 * time.Millisecond):
		}
	}
	return err
}

const scrubTries = 8

// errReader: somebody still reads pages of before.
var errReader = fmt.Errorf("%w: a reader still needs the old pages; scrub again", ErrUnavailable)

func (s *SQLite) do(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.done = make(chan struct{})
	if err := s.send(ctx, r); err != nil {
		return err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, given) {
			return ctx.Err()
		}
		<-r.done
	}
	if r.panicked != nil {
		panic(r.panicked) // the caller's own, on the caller's goroutine
	}
	return r.err
}

func (s *SQLite) send(ctx context.Context, r *request) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	select {
	case s.requests <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// View implements Store.
func (s *SQLite) View(ctx context.Context, fn func(Tx) error) error {
	s.mu.RLock()
	closed := s.closed
	s.mu.RUnlock()
	if closed {
		return ErrClosed
	}
	tx, err := s.readers.BeginTx(ctx, nil)
	if err != nil {
		return classify(err)
	}
	v := &viewTx{ctx: ctx, tx: tx}
	defer func() {
		v.open.close()
		_ = tx.Rollback() // a read has nothing to lose
	}()
	return classify(fn(v))
}

// Close implements Store.
func (s *SQLite) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.done
		return nil
	}
	s.closed = true
	close(s.requests)
	s.mu.Unlock()
	<-s.done
	return errors.Join(s.closeErr, s.readers.Close(), s.writer.Close())
}

// classify adds the sentinel that a caller branches on.
func classify(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrExists) || errors.Is(err, ErrRefused) {
		return err
	}
	if errors.Is(err, sql.ErrConnDone) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return fmt.Errorf("%w: %w", ErrExists, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT:
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY,
		sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
		sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_PERM:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
