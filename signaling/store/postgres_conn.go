package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/oklog/ulid/v2"
)

// postgresConn is the writer's connection. What needs no answer at once waits in
// a queue and goes out with what does: an update that leaves its statements for
// later costs one journey to the database.
//
// A statement that fails spoils a transaction of PostgreSQL. A savepoint before
// each would cost every one; instead the savepoint of the update is gone back to
// and what the update had done is done again, which gives the same, because
// nobody else writes meanwhile.
type postgresConn struct {
	db     *sql.DB
	me     string    // in store_commits
	conn   *sql.Conn // nil: to be made
	pg     *pgx.Conn // under conn
	names  map[string]string
	batch  int64 // the number of this transaction, or of the last
	pruned int64

	ctx    context.Context // of this transaction
	cancel context.CancelFunc

	queue  []statement // not sent yet; all are prepared
	mark   int         // where this update begins in the queue; -1: that was sent
	done   []statement // what this update did
	spoilt error       // of what stands before this update: the transaction is over
}

type statement struct {
	query string // as written, with ?
	args  []any
	later bool // an error is the update's
}

func newPostgresConn(db *sql.DB) *postgresConn {
	return &postgresConn{db: db, me: ulid.Make().String(), mark: -1}
}

// Statements of the writer itself.
const (
	sqlEnter  = "savepoint one"
	sqlLeave  = "release savepoint one"
	sqlCommit = "commit"
	// Held to the end of the transaction, so that a server whose line broke can
	// wait for it and then knows what became of it.
	sqlLock   = "select pg_advisory_xact_lock(?)"
	sqlNumber = "select nextval('store_batch')"
	sqlNote   = "insert into store_commits (batch, writer) values (?, ?)"
	sqlPrune  = "delete from store_commits where writer = ? and batch < ?"
	sqlStands = "select count(*) from store_commits where writer = ? and batch = ?"
)

// pruneEvery is after how many transactions old notes in store_commits go.
const pruneEvery = 256

func (c *postgresConn) begin() (alone bool, err error) {
	c.ctx, c.cancel = context.WithTimeout(context.Background(), batchTimeout)
	c.queue, c.mark, c.done, c.spoilt = c.queue[:0], -1, nil, nil
	if err := c.connect(c.ctx); err != nil {
		return false, err
	}
	// Its own snapshot for each statement: what the one before us wrote is seen
	// once the lock is ours.
	if err := c.simple("begin isolation level read committed"); err != nil {
		return false, err
	}
	before := c.batch
	res, err := c.send(statement{query: sqlLock, args: []any{int64(writeLock)}}, statement{query: sqlNumber})
	if err != nil {
		return false, err
	}
	c.batch = res[1].number
	c.queue = append(c.queue, statement{query: sqlNote, args: []any{c.batch, c.me}})
	if c.batch-c.pruned >= pruneEvery {
		c.queue = append(c.queue, statement{query: sqlPrune, args: []any{c.me, c.batch}})
		c.pruned = c.batch
	}
	return c.batch == before+1, nil
}

// connect makes the line if there is none.
func (c *postgresConn) connect(ctx context.Context) error {
	if c.pg != nil && !c.pg.IsClosed() {
		return nil
	}
	c.drop()
	conn, err := c.db.Conn(ctx)
	if err != nil {
		return err
	}
	if err := conn.Raw(func(driver any) error {
		c.pg = driver.(*stdlib.Conn).Conn()
		return nil
	}); err != nil {
		return errors.Join(err, conn.Close())
	}
	c.conn, c.names = conn, map[string]string{}
	if err := c.prepareOwn(ctx); err != nil {
		c.drop()
		return err
	}
	return nil
}

func (c *postgresConn) prepareOwn(ctx context.Context) error {
	clear(c.names)
	for _, q := range []string{sqlEnter, sqlLeave, sqlCommit, sqlLock, sqlNumber, sqlNote, sqlPrune, sqlStands} {
		if err := c.prepare(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// drop gives the line up.
func (c *postgresConn) drop() {
	if c.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.pg.Close(ctx)
	_ = c.conn.Close()
	c.conn, c.pg = nil, nil
}

func (c *postgresConn) enter() error {
	c.done = c.done[:0]
	c.mark = len(c.queue)
	c.queue = append(c.queue, statement{query: sqlEnter})
	return nil
}

func (c *postgresConn) leave() error {
	if c.mark >= 0 && len(c.queue) == c.mark+1 {
		c.queue = c.queue[:c.mark] // it did nothing
		return nil
	}
	c.queue = append(c.queue, statement{query: sqlLeave})
	return nil
}

func (c *postgresConn) undo() error {
	if c.spoilt != nil {
		return c.spoilt
	}
	if c.mark >= 0 {
		clear(c.queue[c.mark:])
		c.queue = c.queue[:c.mark]
		return nil
	}
	c.queue = c.queue[:0]
	return c.simple("rollback to savepoint one; release savepoint one")
}

func (c *postgresConn) commit() error {
	defer c.cancel()
	res, err := c.send(statement{query: sqlCommit})
	if err == nil {
		if tag := res[0].String(); tag != "COMMIT" {
			return fmt.Errorf("the database answered %s to a commit", tag)
		}
		return nil
	}
	if !c.pg.IsClosed() {
		return err // it said no
	}
	stands, unknown := c.became()
	switch {
	case unknown != nil:
		return fmt.Errorf("%w: %w; asking again: %w", ErrUncertain, err, unknown)
	case stands:
		return nil
	}
	return errors.Join(ErrUnavailable, err)
}

// became finds out whether the last transaction stands. Its lock is free once it
// is over, whichever way.
func (c *postgresConn) became() (stands bool, err error) {
	until := time.Now().Add(certainTimeout)
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		stands, err = c.ask()
		if err == nil || time.Now().After(until) {
			return stands, err
		}
		time.Sleep(wait)
	}
}

func (c *postgresConn) ask() (bool, error) {
	c.ctx, c.cancel = context.WithTimeout(context.Background(), batchTimeout)
	defer c.cancel()
	defer c.rollback()
	c.queue = c.queue[:0]
	if err := c.connect(c.ctx); err != nil {
		return false, err
	}
	if err := c.simple("begin isolation level read committed"); err != nil {
		return false, err
	}
	if _, err := c.send(statement{query: sqlLock, args: []any{int64(writeLock)}}); err != nil {
		return false, err
	}
	res, err := c.send(statement{query: sqlStands, args: []any{c.me, c.batch}})
	if err != nil {
		return false, err
	}
	return res[0].number == 1, nil
}

// rollback is also called where nothing began.
func (c *postgresConn) rollback() {
	defer c.cancel()
	c.queue = c.queue[:0]
	if c.pg == nil {
		return
	}
	if c.pg.IsClosed() || c.pg.PgConn().TxStatus() != 'I' && c.simple("rollback") != nil {
		c.drop()
	}
}

func (c *postgresConn) exec(query string, args []any) (sql.Result, error) {
	if err := c.ready(query); err != nil {
		return nil, err
	}
	st := statement{query: query, args: texts(args)}
	res, err := c.send(st)
	if err != nil {
		return nil, err
	}
	c.done = append(c.done, st)
	return res[0], nil
}

func (c *postgresConn) later(query string, args []any) error {
	if err := c.ready(query); err != nil {
		return lateError{err}
	}
	c.queue = append(c.queue, statement{query: query, args: texts(args), later: true})
	if len(c.queue) < maxBatch {
		return nil
	}
	return c.settle()
}

func (c *postgresConn) settle() error {
	if err := c.whole(); err != nil {
		return err
	}
	if !slices.ContainsFunc(c.queue, func(s statement) bool { return s.later }) {
		return nil
	}
	_, err := c.send()
	return err
}

func (c *postgresConn) query(query string, args []any) (*sql.Rows, error) {
	if err := c.readyToRead(query); err != nil {
		return nil, err
	}
	return c.conn.QueryContext(c.ctx, c.names[query], texts(args)...)
}

func (c *postgresConn) queryRow(query string, args []any) *sql.Row {
	if err := c.readyToRead(query); err != nil {
		return c.db.QueryRowContext(failed{err}, query)
	}
	return c.conn.QueryRowContext(c.ctx, c.names[query], texts(args)...)
}

// readyToRead sends what waits, so that the reading sees it.
func (c *postgresConn) readyToRead(query string) error {
	if err := c.ready(query); err != nil {
		return err
	}
	_, err := c.send()
	return err
}

// ready brings the transaction back that a statement has spoiled, and prepares a
// statement. What is wrong with it is found here.
func (c *postgresConn) ready(query string) error {
	if err := c.whole(); err != nil {
		return err
	}
	if _, ok := c.names[query]; ok {
		return nil
	}
	// An error must find the savepoint of this update in its place.
	if _, err := c.send(); err != nil {
		return err
	}
	if len(c.names) >= maxStmts {
		if err := c.pg.DeallocateAll(c.ctx); err != nil {
			return err
		}
		if err := c.prepareOwn(c.ctx); err != nil {
			return err
		}
	}
	return c.prepare(c.ctx, query)
}

func (c *postgresConn) prepare(ctx context.Context, query string) error {
	name := "mf" + strconv.Itoa(len(c.names))
	if _, err := c.pg.Prepare(ctx, name, numbered(query)); err != nil {
		return err
	}
	c.names[query] = name
	return nil
}

// failed is a context that ended with an error of ours: a Row carries it.
type failed struct{ error }

func (f failed) Err() error                { return f.error }
func (failed) Deadline() (time.Time, bool) { return time.Time{}, false }
func (failed) Value(any) any               { return nil }
func (failed) Done() <-chan struct{}       { return over }

var over = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (c *postgresConn) nothing() *sql.Row {
	return c.db.QueryRowContext(failed{errOver}, "select 1")
}

func (c *postgresConn) lost(error) bool {
	return c.spoilt != nil || c.pg.IsClosed() || c.pg.PgConn().TxStatus() == 'I'
}

// whole brings a transaction back that a statement has spoiled.
func (c *postgresConn) whole() error {
	if c.spoilt != nil {
		return c.spoilt
	}
	if c.pg.IsClosed() {
		return pgconn.ErrConnClosed
	}
	if c.pg.PgConn().TxStatus() != 'E' {
		return nil
	}
	if err := c.simple("rollback to savepoint one"); err != nil {
		return err
	}
	again := c.done
	c.done = nil
	_, err := c.send(again...)
	c.done = again
	return err
}

// result is what became of one statement.
type result struct {
	pgconn.CommandTag
	number int64 // of its first row and column, if that is one
}

func (r result) LastInsertId() (int64, error) {
	return 0, errors.New("store: a statement that writes returns nothing")
}
func (r result) RowsAffected() (int64, error) { return r.CommandTag.RowsAffected(), nil }

// send sends what waits and then more, in one journey, and returns the results of
// more.
func (c *postgresConn) send(more ...statement) ([]result, error) {
	all := append(c.queue, more...)
	if len(all) == 0 {
		return nil, nil
	}
	var b pgx.Batch
	for _, s := range all {
		b.Queue(c.names[s.query], s.args...)
	}
	waited, mark := len(c.queue), c.mark
	c.queue, c.mark = c.queue[:0], -1
	out := make([]result, 0, len(more))
	answers := c.pg.SendBatch(c.ctx, &b)
	for i, s := range all {
		var r result
		if err := r.read(answers, s.query); err != nil {
			err = errors.Join(err, unlessSame(answers.Close(), err))
			if i <= mark {
				c.spoilt = err
			}
			if s.later {
				return nil, lateError{err}
			}
			return nil, err
		}
		if s.later {
			c.done = append(c.done, s)
		}
		if i >= waited {
			out = append(out, r)
		}
	}
	clear(all)
	return out, answers.Close()
}

// unlessSame drops what Close says once more.
func unlessSame(err, said error) error {
	if err == nil || err.Error() == said.Error() {
		return nil
	}
	return err
}

func (r *result) read(answers pgx.BatchResults, query string) (err error) {
	switch query {
	case sqlNumber, sqlStands:
		return answers.QueryRow().Scan(&r.number)
	}
	r.CommandTag, err = answers.Exec()
	return err
}

// simple runs a statement of our own that needs no preparing.
func (c *postgresConn) simple(query string) error {
	_, err := c.pg.PgConn().Exec(c.ctx, query).ReadAll()
	return err
}

// scrubUpTo is the size of a table, in bytes, up to which it is written anew: that
// keeps everybody waiting. A bigger one is only swept, which leaves remains in its
// pages; those of sealed parts have lost their keys.
const scrubUpTo = 1 << 30

// scrub has the database write its tables anew, without what was deleted. The
// tables that only grow have nothing to lose.
func (c *postgresConn) scrub(r *request) (err error) {
	c.ctx, c.cancel = context.WithTimeout(context.Background(), time.Hour)
	defer c.cancel()
	if err := c.connect(c.ctx); err != nil {
		return err
	}
	if r.since == "" {
		if err := c.conn.QueryRowContext(c.ctx, "select clock_timestamp()::text").Scan(&r.since); err != nil {
			return err
		}
	}
	var readers int64
	if err := c.conn.QueryRowContext(c.ctx, `select count(*) from pg_stat_activity
		where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
		and backend_xmin is not null and xact_start < $1::timestamptz`, r.since).Scan(&readers); err != nil {
		return err
	}
	if readers > 0 {
		return errReader
	}
	rows, err := c.conn.QueryContext(c.ctx, `select case when pg_total_relation_size(c.oid) <= $1 then 'vacuum (full) ' else 'vacuum ' end || quote_ident(c.relname)
		from pg_class c where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace
		and not exists (select 1 from pg_trigger t where t.tgrelid = c.oid and t.tgfoid = 'only_grows'::regproc)`, int64(scrubUpTo))
	if err != nil {
		return err
	}
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return errors.Join(err, rows.Close())
		}
		all = append(all, one)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, one := range all {
		if err := c.simple(one); err != nil {
			return err
		}
	}
	return nil
}

func (c *postgresConn) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	if c.pg != nil && !c.pg.IsClosed() {
		// Nobody asks what became of our transactions any more.
		_, _ = c.pg.Exec(ctx, "delete from store_commits where writer = $1", c.me)
	}
	c.drop()
	return nil
}
