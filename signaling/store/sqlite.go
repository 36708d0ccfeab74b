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
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

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
	queue
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
	s := &SQLite{path: path}
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
	conn, err := s.connect()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: %s: %w", path, classify(err)), s.readers.Close(), s.writer.Close())
	}
	s.queue.start(&sqliteConn{conn: conn, stmts: map[string]*sql.Stmt{}})
	return s, nil
}

// connect migrates and takes the writer's connection.
func (s *SQLite) connect() (*sql.Conn, error) {
	if err := migrate(context.Background(), s.writer, goose.DialectSQLite3); err != nil {
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

// View implements Store.
func (s *SQLite) View(ctx context.Context, fn func(Tx) error) error {
	if s.isClosed() {
		return ErrClosed
	}
	return view(ctx, s.readers, nil, asItIs, fn)
}

// Close implements Store.
func (s *SQLite) Close() error {
	if !s.queue.close() {
		return nil
	}
	return errors.Join(s.closeErr, s.readers.Close(), s.writer.Close())
}

// sqliteConn is the writer's connection.
type sqliteConn struct {
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	version int64 // data_version when it was last asked for
}

func (c *sqliteConn) begin() (alone bool, err error) {
	if err := c.do("begin immediate"); err != nil {
		return false, err
	}
	st, err := c.stmt("pragma data_version")
	if err != nil {
		return false, err
	}
	before := c.version
	err = st.QueryRow().Scan(&c.version)
	return c.version == before, err
}

func (c *sqliteConn) enter() error { return c.do("savepoint one") }
func (c *sqliteConn) leave() error { return c.do("release one") }

func (c *sqliteConn) undo() error {
	if err := c.do("rollback to one"); err != nil {
		return err
	}
	return c.do("release one")
}

func (c *sqliteConn) commit() error { return c.do("commit") }

// rollback may find that SQLite has rolled back by itself; then it fails, rightly.
func (c *sqliteConn) rollback() { _ = c.do("rollback") }

func (c *sqliteConn) exec(query string, args []any) (sql.Result, error) {
	st, err := c.stmt(query)
	if err != nil {
		return nil, err
	}
	return st.Exec(args...)
}

// later has nothing to gain here: no network lies between.
func (c *sqliteConn) later(query string, args []any) error {
	_, err := c.exec(query, args)
	return err
}

func (c *sqliteConn) settle() error { return nil }

// query may read what another reading of the same query is in the middle of: it
// gets a statement of its own from database/sql then.
func (c *sqliteConn) query(query string, args []any) (*sql.Rows, error) {
	st, err := c.stmt(query)
	if err != nil {
		return nil, err
	}
	return st.Query(args...)
}

func (c *sqliteConn) queryRow(query string, args []any) *sql.Row {
	if st, err := c.stmt(query); err == nil {
		return st.QueryRow(args...)
	}
	// Not to be prepared: the Row carries why.
	return c.conn.QueryRowContext(context.Background(), query, args...)
}

func (c *sqliteConn) nothing() *sql.Row {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return c.conn.QueryRowContext(ctx, "select 1")
}

func (c *sqliteConn) lost(err error) bool {
	var e *sqlite.Error
	return errors.Is(err, ErrUnavailable) && errors.As(err, &e)
}

// scrub moves all pages into the file and empties the log of old ones: deleted
// content is already overwritten in the file (secure_delete). It does not wait
// for readers, as SQLite would for the whole busy timeout.
func (c *sqliteConn) scrub(*request) error {
	var busy, log, moved int64
	err := c.do("pragma busy_timeout = 0")
	if err == nil {
		err = c.conn.QueryRowContext(context.Background(), "pragma wal_checkpoint(truncate)").Scan(&busy, &log, &moved)
	}
	err = errors.Join(err, c.do(fmt.Sprintf("pragma busy_timeout = %d", busyTimeout.Milliseconds())))
	if err == nil && busy != 0 {
		return errReader
	}
	return err
}

// close makes the one file whole: a copy of it alone is a backup.
func (c *sqliteConn) close() error {
	_, err := c.conn.ExecContext(context.Background(), "pragma wal_checkpoint(truncate)")
	c.forgetStmts()
	return errors.Join(err, c.conn.Close())
}

func (c *sqliteConn) do(query string) error {
	_, err := c.exec(query, nil)
	return err
}

// stmt prepares once: parsing costs more than running.
func (c *sqliteConn) stmt(query string) (*sql.Stmt, error) {
	if st, ok := c.stmts[query]; ok {
		return st, nil
	}
	if len(c.stmts) >= maxStmts {
		c.forgetStmts()
	}
	st, err := c.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = st
	return st, nil
}

func (c *sqliteConn) forgetStmts() {
	for q, st := range c.stmts {
		_ = st.Close()
		delete(c.stmts, q)
	}
}

// sqliteTrouble names the error of SQLite, if it is one.
func sqliteTrouble(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return ErrExists
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT:
		return ErrRefused
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY,
		sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
		sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_PERM:
		return ErrUnavailable
	}
	return nil
}
