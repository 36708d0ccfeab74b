package store

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// Time limits towards a PostgreSQL.
const (
	// connectTimeout is for one connection.
	connectTimeout = 5 * time.Second
	// batchTimeout is for one transaction of the writer, its locks included.
	batchTimeout = 30 * time.Second
	// certainTimeout is how long the writer asks what became of a transaction
	// whose line broke while it committed.
	certainTimeout = 30 * time.Second
)

// Postgres is a Store in a PostgreSQL, which several servers may share. One
// connection of each server writes, and only one server at a time.
type Postgres struct {
	writer  *sql.DB
	readers *sql.DB
	queue
}

var _ Store = (*Postgres)(nil)

// OpenPostgres opens the database of a URL, postgres://USER@HOST/NAME?…, and
// brings its schema up to date. Parameters are those of libpq. Three things
// differ from it:
//
//   - the password is not in the URL, which others can read: it comes from
//     password_file=FILE, which holds nothing else and is read again for each
//     connection, or from PGPASSFILE, ~/.pgpass, passfile=FILE, or PGPASSWORD;
//   - without sslmode, a database on another machine must prove its name by a
//     certificate (verify-full); without TLS it is not spoken to at all;
//   - a database that may lose what it acknowledged (fsync=off,
//     full_page_writes=off) is refused, and synchronous_commit=off is overruled.
//
// A database of a newer program is refused. Errors hold no password.
func OpenPostgres(address string) (*Postgres, error) {
	cfg, before, err := readAddress(address)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &Postgres{readers: stdlib.OpenDB(*cfg, stdlib.OptionBeforeConnect(before))}
	cfg = cfg.Copy()
	// A server that vanished must not keep the writers' lock: the database gives up
	// on it.
	cfg.RuntimeParams["idle_in_transaction_session_timeout"] = "20000"
	s.writer = stdlib.OpenDB(*cfg, stdlib.OptionBeforeConnect(before), stdlib.OptionAfterConnect(durable))
	n := max(8, runtime.NumCPU())
	s.readers.SetMaxOpenConns(n)
	s.readers.SetMaxIdleConns(n)
	s.readers.SetConnMaxIdleTime(5 * time.Minute)
	s.writer.SetMaxIdleConns(1)
	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", classify(err)), s.readers.Close(), s.writer.Close())
	}
	s.queue.start(newPostgresConn(s.writer))
	return s, nil
}

// Ours among the advisory locks of the database.
const (
	migrateLock = 0x6d661 // "mf" 1
	writeLock   = 0x6d662
)

// prepare brings the schema up to date; of several servers that start at once,
// one after the other.
func (s *Postgres) prepare() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	conn, err := s.readers.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := trustworthy(ctx, conn); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "set lock_timeout = 0"); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "select pg_advisory_lock($1)", migrateLock); err != nil {
		return err
	}
	err = migrate(ctx, s.writer, goose.DialectPostgres)
	_, unlock := conn.ExecContext(ctx, "select pg_advisory_unlock($1)", migrateLock)
	_, reset := conn.ExecContext(ctx, "reset lock_timeout")
	return errors.Join(err, unlock, reset)
}

// trustworthy refuses a database that cannot keep what it is given.
func trustworthy(ctx context.Context, conn *sql.Conn) error {
	for setting, want := range map[string]string{"fsync": "on", "full_page_writes": "on", "server_encoding": "UTF8"} {
		var got string
		if err := conn.QueryRowContext(ctx, "select current_setting($1)", setting).Scan(&got); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("the PostgreSQL runs with %s = %s, which loses what it acknowledges: it must be %s", setting, got, want)
		}
	}
	return nil
}

// durable makes sure that a commit which was acknowledged is on the disk.
// Stronger settings, for standbys, stay.
func durable(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') in ('off', 'local')")
	return err
}

// View implements Store.
func (s *Postgres) View(ctx context.Context, fn func(Tx) error) error {
	if s.isClosed() {
		return ErrClosed
	}
	return view(ctx, s.readers, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, inPostgres, fn)
}

// Close implements Store.
func (s *Postgres) Close() error {
	if !s.queue.close() {
		return nil
	}
	return errors.Join(s.closeErr, s.readers.Close(), s.writer.Close())
}

// IsPostgres tells whether a text names a PostgreSQL, and not a file.
func IsPostgres(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

// readAddress makes a configuration of a URL, and what completes it before each
// connection.
func readAddress(address string) (*pgx.ConnConfig, func(context.Context, *pgx.ConnConfig) error, error) {
	u, err := url.Parse(address)
	if err != nil || !IsPostgres(address) {
		return nil, nil, errors.New("that is no address of a PostgreSQL, like postgres://mainforte@db.example.org/mainforte")
	}
	q := u.Query()
	_, given := u.User.Password()
	if given || q.Has("password") || q.Has("sslpassword") {
		return nil, nil, errors.New("a password in the address can be read by every program on this machine: put it into a file, password_file=FILE, or use PGPASSFILE")
	}
	file := q.Get("password_file")
	q.Del("password_file")
	set := func(name, value string) {
		if !q.Has(name) {
			q.Set(name, value)
		}
	}
	set("connect_timeout", fmt.Sprint(int(connectTimeout.Seconds())))
	set("application_name", "mainforte")

	// up on it.
	set("lock_timeout", fmt.Sprint(busyTimeout.Milliseconds()))
	set("tcp_keepalives_idle", "10")
	set("tcp_keepalives_interval", "5")
	set("tcp_keepalives_count", "3")
	if !q.Has("sslmode") && os.Getenv("PGSSLMODE") == "" {
		away := *u
		away.RawQuery = withMode(q, "disable")
		cfg, err := pgconn.ParseConfig(away.String())
		if err != nil {
			return nil, nil, err
		}
		for _, h := range hosts(cfg) {
			if !local(h.Host) {
				q.Set("sslmode", "verify-full")
			}
		}
	}
	u.RawQuery = q.Encode()
	cfg, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, nil, err // without the password: there was none in it
	}
	for _, h := range hosts(&cfg.Config) {
		if h.TLSConfig == nil && !local(h.Host) {
			return nil, nil, fmt.Errorf("the database on %s would be spoken to without TLS: leave out sslmode, or name the authority behind its certificate with sslrootcert=FILE", h.Host)
		}
	}
	dial := &net.Dialer{Timeout: connectTimeout, Control: impatient,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}}
	cfg.DialFunc = dial.DialContext
	return cfg, func(_ context.Context, c *pgx.ConnConfig) error {
		if file == "" {
			return nil
		}
		text, err := readPassword(file)
		c.Password = text
		return err
	}, nil
}

func withMode(q url.Values, mode string) string {
	v := url.Values{"sslmode": {mode}}
	for _, name := range []string{"host", "port"} {
		if q.Has(name) {
			v[name] = q[name]
		}
	}
	return v.Encode()
}

// host is a place where the database may be.
type host struct {
	Host      string
	TLSConfig *tls.Config
}

func hosts(cfg *pgconn.Config) []host {
	list := []host{{cfg.Host, cfg.TLSConfig}}
	for _, f := range cfg.Fallbacks {
		list = append(list, host{f.Host, f.TLSConfig})
	}
	return list
}

// local tells whether a host is this machine: a socket's folder or loopback.
func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func readPassword(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("the password of the database: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("everybody can read the password of the database in %s: make it private (chmod 600)", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("the password of the database: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// postgresTrouble names the error of PostgreSQL or of the line to it, if it is one.
// Codes: PostgreSQL documentation, appendix A.
func postgresTrouble(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		switch {
		case e.Code == "23505":
			return ErrExists
		case e.Code[:2] == "23" || e.Code[:2] == "22":
			return ErrRefused
		}
		switch e.Code[:2] {
		case "08", "53", "57", "58", "XX":
			return ErrUnavailable
		}
		switch e.Code {
		case "25006", "25P03", "25P04", "40001", "40P01", "55P03":
			return ErrUnavailable
		}
		return nil
	}
	var noConnection *pgconn.ConnectError
	var network *net.OpError
	if errors.As(err, &noConnection) || errors.As(err, &network) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, pgconn.ErrConnClosed) {
		return ErrUnavailable
	}
	return nil
}

func inPostgres(query string, args []any) (string, []any) { return numbered(query), texts(args) }

// texts makes text of strings that PostgreSQL could not hold: with a byte of zero,
// or not in UTF-8. Whoever looks for one finds nothing.
func texts(args []any) []any {
	copied := false
	for i, a := range args {
		s, ok := a.(string)
		if !ok || utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
			continue
		}
		if !copied {
			args, copied = slices.Clone(args), true
		}
		args[i] = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	}
	return args
}

// numbered turns ? into $1, $2, …, but not within ” or "".
func numbered(query string) string {
	if n, ok := numbers.Load(query); ok {
		return n.(string)
	}
	var b strings.Builder
	var quote rune
	n := 0
	for _, r := range query {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r == '?':
			n++
			fmt.Fprintf(&b, "$%d", n)
			continue
		}
		b.WriteRune(r)
	}
	numbers.Store(query, b.String())
	return b.String()
}

// numbers are the statements as numbered left them: those of the program, which
// are bounded.
var numbers sync.Map
