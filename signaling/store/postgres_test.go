//go:build unix

package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainforte/mainforte/certs"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

func openPostgres(t testing.TB, url string) *store.Postgres {
	t.Helper()
	s, err := store.OpenPostgres(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// fresh is the address of an empty database.
func fresh(t testing.TB) string {
	t.Helper()
	return storetest.Postgres(t).Database(t, t.TempDir())
}

func TestPostgresKeepsThePromisesOfAStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) store.Store {
		return openPostgres(t, storetest.Postgres(t).Database(t, dir))
	})
}

// Both databases have the same tables and columns, of types that behave alike.
func TestBothSchemasAreTwins(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		other := map[string]string{"sqlite": "postgres", "postgres": "sqlite"}[kind]
		files, err := filepath.Glob("migrations/" + kind + "/*.sql")
		if err != nil || len(files) < 3 {
			t.Fatal(files, err)
		}
		for _, f := range files {
			if _, err := os.Stat("migrations/" + other + "/" + filepath.Base(f)); err != nil {
				t.Errorf("%s has no twin: %v", f, err)
			}
		}
	}
	columns := func(s store.Store, query string) (list []string) {
		t.Helper()
		if err := s.View(bg, func(tx store.Tx) error {
			rows, err := tx.Query(query)
			if err != nil {
				return err
			}
			for rows.Next() {
				var table, column, typ, collation string
				var required int64
				if err := rows.Scan(&table, &column, &typ, &required, &collation); err != nil {
					return err
				}
				if strings.HasPrefix(table, "goose_") || strings.HasPrefix(table, "store_") {
					continue
				}
				switch typ {
				case "blob":
					typ = "bytea"
				case "integer":
					typ = "bigint"
				}
				if typ == "text" && collation != "C" {
					t.Errorf("%s.%s is collated %q", table, column, collation)
				}
				list = append(list, fmt.Sprintf("%s.%s %s, required %d", table, column, typ, required))
			}
			return rows.Err()
		}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(list)
		return list
	}
	here := columns(open(t, filepath.Join(t.TempDir(), "mf.db")),
		`select m.name, c.name, lower(c.type), c."notnull" or c.pk > 0, 'C' from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and m.name not like 'sqlite_%'`)
	there := columns(openPostgres(t, fresh(t)),
		`select table_name, column_name, data_type, case is_nullable when 'NO' then 1 else 0 end, coalesce(collation_name, '')
		from information_schema.columns where table_schema = current_schema()`)
	if len(here) < 80 || !slices.Equal(here, there) {
		t.Errorf("SQLite:     %q\nPostgreSQL: %q", here, there)
	}
}

func TestKeptValuesAreDroppedWhenAnotherServerWrites(t *testing.T) {
	url := fresh(t)
	a, b := openPostgres(t, url), openPostgres(t, url)
	kept := func() (v any) {
		if err := a.Update(bg, func(tx store.Tx) error { v = tx.Kept("k"); return nil }); err != nil {
			t.Fatal(err)
		}
		return v
	}
	if err := a.Update(bg, func(tx store.Tx) error { tx.Keep("k", 1); return nil }); err != nil {
		t.Fatal(err)
	}
	if v := kept(); v != 1 {
		t.Errorf("kept %v", v) // else nothing is saved by keeping
	}
	if err := b.Update(bg, add("a", 1)); err != nil {
		t.Fatal(err)
	}
	if v := kept(); v != nil {
		t.Errorf("still %v after another server wrote", v)
	}
}

// Many servers count one number up; none may overwrite another's.
func TestServersWriteOneAfterTheOther(t *testing.T) {
	url := fresh(t)
	first := openPostgres(t, url)
	if err := first.Update(bg, add("n", 0)); err != nil {
		t.Fatal(err)
	}
	servers := []*store.Postgres{first, openPostgres(t, url), openPostgres(t, url)}
	var wg sync.WaitGroup
	for i := range 30 {
		s := servers[i%3]
		wg.Go(func() {
			for range 10 {
				if err := s.Update(bg, func(tx store.Tx) error {
					n, ok := tx.Kept("n").(int64)
					if !ok {
						if err := tx.QueryRow("select value from counters where name = 'n'").Scan(&n); err != nil {
							return err
						}
					}
					tx.Later("update counters set value = ? where name = 'n'", n+1)
					tx.Keep("n", n+1)
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := count(t, first, "name = 'n' and value = 300"); n != 1 {
		t.Error("updates are lost")
	}
}

func TestAPostgresOfANewerProgramIsRefused(t *testing.T) {
	url := fresh(t)
	s := openPostgres(t, url)
	if err := s.Update(bg, func(tx store.Tx) error {
		_, err := tx.Exec("insert into goose_db_version (version_id, is_applied) values (9999, true)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := store.OpenPostgres(url)
	if err == nil {
		_ = s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("opened, or the wrong words: %v", err)
	}
}

func TestManyServersMayOpenAtOnce(t *testing.T) {
	url := fresh(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			s, err := store.OpenPostgres(url)
			if err == nil {
				err = errors.Join(s.Update(bg, add(fmt.Sprint(i), 1)), s.Close())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, openPostgres(t, url), "value = 1"); n != 4 {
		t.Errorf("%d rows", n)
	}
}

func TestADatabaseThatForgetsIsNotTrusted(t *testing.T) {
	shared := storetest.Postgres(t)
	shared.Do(t, "alter database postgres set synchronous_commit = off")
	defer shared.Do(t, "alter database postgres reset synchronous_commit")
	s := openPostgres(t, fresh(t))
	var got string
	if err := s.Update(bg, func(tx store.Tx) error { return tx.QueryRow("show synchronous_commit").Scan(&got) }); err != nil || got != "on" {
		t.Errorf("synchronous_commit is %q, %v", got, err)
	}

	c := storetest.NewPostgres(t)
	for _, bad := range []string{"fsync", "full_page_writes"} {
		c.Kill(t)
		if err := c.Start(bad + "=off"); err != nil {
			t.Fatal(err)
		}
		if s, err := store.OpenPostgres(c.URL()); err == nil {
			_ = s.Close()
			t.Errorf("opened with %s=off", bad)
		} else if !strings.Contains(err.Error(), bad) {
			t.Errorf("the wrong words: %v", err)
		}
	}
}

func TestPasswordsAreInFilesAndInNoError(t *testing.T) {
	c := storetest.Postgres(t)
	url := fresh(t)
	c.Do(t, "create role scram login superuser password 'hidden-Word'")
	t.Cleanup(func() { c.Do(t, "drop owned by scram cascade; drop role scram") })
	scram := strings.Replace(url, "mainforte@", "scram@", 1)
	refused := func(what, url, words string) {
		t.Helper()
		s, err := store.OpenPostgres(url)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: opened", what)
		} else if strings.Contains(err.Error(), "hidden-") || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: the wrong words: %v", what, err)
		}
	}
	refused("in the address", strings.Replace(scram, "scram@", "scram:hidden-Word@", 1), "password_file=FILE")
	refused("as a parameter", scram+"&password=hidden-Word", "password_file=FILE")
	refused("none", scram, "password")
	refused("an address that is none", "postgres://scram:hidden-Word@[::1/x", "no address")
	file := filepath.Join(t.TempDir(), "word")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(file, []byte(text), 0o600), os.Chmod(file, mode)); err != nil {
			t.Fatal(err)
		}
	}
	with := scram + "&password_file=" + file
	refused("no file", with, file)
	write("hidden-Other\n", 0o600)
	refused("a wrong one", with, "authentication failed")
	write("hidden-Word\n", 0o644)
	refused("for all to read", with, "chmod 600")
	write("hidden-Word\n", 0o600)
	s := openPostgres(t, with)
	if err := s.Update(bg, add("a", 1)); err != nil {
		t.Error(err)
	}
	write("localhost:*:*:scram:hidden-Word\n", 0o600)
	t.Setenv("PGPASSFILE", file)
	openPostgres(t, scram)
}

// A database that is reached over a network proves who it is.
func TestADatabaseElsewhereProvesItsName(t *testing.T) {
	made := func() (dir string, cert, key []byte) {
		t.Helper()
		dir = t.TempDir()
		_, err := certs.Dev(dir, nil, time.Now())
		cert, err1 := os.ReadFile(filepath.Join(dir, certs.CertFile))
		key, err2 := os.ReadFile(filepath.Join(dir, certs.KeyFile))
		if err := errors.Join(err, err1, err2); err != nil {
			t.Fatal(err)
		}
		return dir, cert, key
	}
	dir, cert, key := made()
	other, _, _ := made()
	address := storetest.NewPostgres(t).Serve(t, cert, key)
	at := func(mode, authority string) string {
		return "postgres://mainforte@" + address + "/postgres?sslmode=" + mode + "&sslrootcert=" + filepath.Join(authority, certs.CAFile)
	}
	s := openPostgres(t, at("verify-full", dir))
	var secure bool
	if err := s.Update(bg, func(tx store.Tx) error {
		return tx.QueryRow("select ssl from pg_stat_ssl where pid = pg_backend_pid()").Scan(&secure)
	}); err != nil || !secure {
		t.Errorf("not secure: %v", err)
	}
	if s, err := store.OpenPostgres(at("verify-full", other)); err == nil {
		_ = s.Close()
		t.Error("another authority's certificate was taken")
	} else if !strings.Contains(err.Error(), "certificate") {
		t.Errorf("the wrong words: %v", err)
	}
}

// backend is the process that serves the store's writer.
func backend(t *testing.T, tx store.Tx) (pid int64) {
	t.Helper()
	if err := tx.QueryRow("select pg_backend_pid()").Scan(&pid); err != nil {
		t.Error(err)
	}
	return pid
}

func TestALineThatBreaksInMidTransactionLeavesNothing(t *testing.T) {
	c, url := storetest.Postgres(t), fresh(t)
	s := openPostgres(t, url)
	for _, careless := range []bool{false, true} {
		err := s.Update(bg, func(tx store.Tx) error {
			if err := add("a", 1)(tx); err != nil {
				return err
			}
			c.Do(t, fmt.Sprintf("select pg_terminate_backend(%d, 10000)", backend(t, tx)))
			err := add("b", 1)(tx)
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("inside: %v", err)
			}
			if careless {
				return nil
			}
			return err
		})
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		if n := count(t, s, "name in ('a', 'b')"); n != 0 {
			t.Errorf("%d rows", n)
		}
	}
	// The one that comes next has a new line.
	if err := s.Update(bg, add("c", 1)); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, "name = 'c'"); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// relay passes a store's lines on to the database and can cut them.
type relay struct {
	dir, to string
	cut     atomic.Pointer[string] // "before" or "after" the next message to the database
	down    atomic.Bool
}

func newRelay(t *testing.T, address string) (*relay, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	dir, err := os.MkdirTemp("", "mfr")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{dir: dir, to: filepath.Join(q.Get("host"), ".s.PGSQL.5432")}
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432")) // port 5432, as in the address
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(l.Close(), os.RemoveAll(dir)) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.pass(c)
		}
	}()
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	return r, u.String()
}

func (r *relay) pass(c net.Conn) {
	defer c.Close()
	if r.down.Load() {
		return
	}
	db, err := net.Dial("unix", r.to)
	if err != nil {
		return
	}
	defer db.Close()
	go func() {
		_, _ = io.Copy(c, db)
		_ = c.Close()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if how := r.cut.Swap(nil); how != nil {
			_ = c.Close() // no answer gets through
			if *how == "after" {
				_, _ = db.Write(buf[:n])
				// The database reads on to the end of the line, and so gets to it.
			}
			return
		}
		if _, err := db.Write(buf[:n]); err != nil {
			return
		}
	}
}

// The line breaks as the commit is under way. Whether it arrived is found out:
// what was taken is acknowledged, what was not may be tried again.
func TestACommitWithoutAnswerIsFoundOut(t *testing.T) {
	url := fresh(t)
	r, through := newRelay(t, url)
	s := openPostgres(t, through)
	for i, how := range []string{"before", "after", "before", "after"} {
		name := fmt.Sprint(how, i)
		err := s.Update(bg, func(tx store.Tx) error {
			if err := add(name, 1)(tx); err != nil {
				return err
			}
			r.cut.Store(&how)
			return nil
		})
		if r.cut.Load() != nil {
			t.Fatal("nothing was cut")
		}
		n := count(t, s, "name = '"+name+"'")
		if how == "after" && (err != nil || n != 1) || how == "before" && (!errors.Is(err, store.ErrUnavailable) || n != 0) {
			t.Errorf("%s: %v, %d rows", how, err, n)
		}
	}
	if err := s.Update(bg, add("on", 1)); err != nil {
		t.Error(err)
	}
}

// What the database said of a statement left for later is found before the next
// update shares its transaction.
func TestStatementsAfterAnErrorAreDoneAgain(t *testing.T) {
	s := openPostgres(t, fresh(t))
	if err := s.Update(bg, func(tx store.Tx) error {
		tx.Later("insert into counters (name, value) values ('late', 1)")
		if err := add("a", 1)(tx); err != nil {
			return err
		}
		for range 2 {
			if err := add("a", 2)(tx); !errors.Is(err, store.ErrExists) {
				t.Errorf("the same key: %v", err)
			}
			var n int64
			if err := tx.QueryRow("select value / 0 from counters where name = 'a'").Scan(&n); err == nil {
				t.Error("divided by nothing")
			}
			if _, err := tx.Exec("insert into no_such_table values (1)"); err == nil {
				t.Error("a table that is not there")
			}
		}
		tx.Later("insert into counters (name, value) values ('later', 1)")
		if err := add("b", 3)(tx); err != nil {
			return err
		}
		var n int64
		if err := tx.QueryRow("select value / 0 from counters where name = 'a'").Scan(&n); err == nil {
			t.Error("divided by nothing")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, "name in ('a', 'b', 'late', 'later') and value in (1, 3)"); n != 4 {
		t.Errorf("%d rows of 4", n)
	}
}

func TestScrubbedTextIsNowhereInPostgres(t *testing.T) {
	c := storetest.Postgres(t)
	s := openPostgres(t, fresh(t))
	const text = "lives here"
	for i := range 20 {
		if err := s.Update(bg, add(fmt.Sprint(i, text), 1)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Contains(c.Bytes(t), []byte(text)) {
		t.Fatal("the search finds nothing at all")
	}
	// A reader of before still needs it.
	if err := s.View(bg, func(tx store.Tx) error {
		var n int64
		if err := tx.QueryRow("select count(*) from counters").Scan(&n); err != nil {
			return err
		}
		if err := s.Update(bg, func(tx store.Tx) error { _, err := tx.Exec("delete from counters where value = 1"); return err }); err != nil {
			return err
		}
		if err := s.Scrub(bg); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Scrub(bg); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(c.Bytes(t), []byte(text)) {
		t.Error("deleted text is still in the files")
	}
}

// Everything is killed while 16 write: what was acknowledged is there when the
// database comes back, what was refused is not, and the store finds it by itself.
func TestNothingAcknowledgedIsLostWhenPostgresIsKilled(t *testing.T) {
	c := storetest.NewPostgres(t)
	s := openPostgres(t, c.URL())
	var mu sync.Mutex
	outcome := map[string]error{}
	acked := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, err := range outcome {
			if err == nil {
				n++
			}
		}
		return n
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("%d-%d", w, i)
				// Two rows: neither may be there without the other.
				err := s.Update(bg, func(tx store.Tx) error { return errors.Join(add(name, 1)(tx), add(name+"b", 2)(tx)) })
				mu.Lock()
				outcome[name] = err
				mu.Unlock()
			}
		})
	}
	grown := func(by int) {
		t.Helper()
		from := acked()
		for deadline := time.Now().Add(time.Minute); acked() < from+by; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("only %d acknowledged", acked()-from)
			}
		}
	}
	const kills = 3
	for range kills {
		grown(200)
		c.Kill(t)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	grown(200)
	close(stop)
	wg.Wait()
	there := map[string]bool{}
	if err := s.View(bg, func(tx store.Tx) error {
		rows, err := tx.Query("select name from counters where name <> 'ticket'")
		if err != nil {
			return err
		}
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			there[name] = true
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for name, err := range outcome {
		switch {
		case there[name] != there[name+"b"]:
			t.Errorf("half of %s", name)
		case err == nil && !there[name]:
			t.Errorf("%s was acknowledged and is gone", name)
		case errors.Is(err, store.ErrUnavailable) && there[name]:
			t.Errorf("%s was refused and is there: %v", name, err)
		case err != nil && !errors.Is(err, store.ErrUnavailable):
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			refused++
		}
	}
	t.Logf("%d kills, %d acknowledged, %d refused", kills, acked(), refused)
}

// A database of the first schema, as of SQLite in migrate_test.go.
func TestPostgresSessionsOfTheFirstSchemaHaveTheirParticipant(t *testing.T) {
	url := fresh(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	old(t, db, "postgres", "'\\x07'", "'\\x08'")
	checkParticipants(t, openPostgres(t, url))
}
