//go:build unix

package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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

func TestWhatWasThereBeforeIsFoundInPostgres(t *testing.T) {
	url := fresh(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	upTo(t, db, "postgres", 12, beforeRows()...)
	checkRows(t, openPostgres(t, url))
}
