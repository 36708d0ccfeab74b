package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

var bg = context.Background()

func open(t testing.TB, path string) *store.SQLite {
	t.Helper()
	s, err := store.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func add(name string, value int64) func(store.Tx) error {
	return func(tx store.Tx) error {
		_, err := tx.Exec("insert into counters (name, value) values (?, ?)", name, value)
		return err
	}
}

func count(t testing.TB, s store.Store, where string) (n int64) {
	t.Helper()
	if err := s.View(bg, func(tx store.Tx) error {
		return tx.QueryRow("select count(*) from counters where " + where).Scan(&n)
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// names are those of all rows that tests add.
func names(t testing.TB, s store.Store) map[string]bool {
	t.Helper()
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
	return there
}

func TestSQLiteKeepsThePromisesOfAStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) store.Store { return open(t, filepath.Join(dir, "mf.db")) })
}

func TestNobodyElseCanReadTheFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no file modes: the folder's ACL decides there")
	}
	path := filepath.Join(t.TempDir(), "data", "mf ü?#%.db") // also: a name that would break a careless DSN
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil { // made by somebody careless
		t.Fatal(err)
	}
	s := open(t, path)
	if err := s.Update(bg, add("a", 1)); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + end)
		if err != nil {
			t.Fatal(err)
		}
		if m := info.Mode().Perm(); m != 0o600 {
			t.Errorf("%s has mode %o", path+end, m)
		}
	}
	fresh := filepath.Join(t.TempDir(), "new", "mf.db")
	open(t, fresh)
	for path, want := range map[string]os.FileMode{fresh: 0o600, filepath.Dir(fresh): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestEveryCommitIsFlushed(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "mf.db"))
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "secure_delete": "1", "temp_store": "2", "recursive_triggers": "1"} {
		var got string
		if err := s.Update(bg, func(tx store.Tx) error { return tx.QueryRow("pragma " + pragma).Scan(&got) }); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", pragma, got, err, want)
		}
	}
}

// "insert or replace" deletes without asking the delete trigger unless SQLite is told to.
func TestReplacingIsDeletingToo(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "mf.db"))
	put := func(verb, leaf string) error {
		return s.Update(bg, func(tx store.Tx) error {
			_, err := tx.Exec(verb+" into audit_leaves (idx, id, session, type, leaf, hash) values (0, 'x', 's', 't', ?, 'h')", leaf)
			return err
		})
	}
	if err := put("insert", "{}"); err != nil {
		t.Fatal(err)
	}
	if err := put("insert or replace", "[]"); !errors.Is(err, store.ErrRefused) {
		t.Errorf("replaced: %v", err)
	}
}

func TestADatabaseOfANewerProgramIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mf.db")
	s := open(t, path)
	if err := s.Update(bg, func(tx store.Tx) error {
		_, err := tx.Exec("insert into goose_db_version (version_id, is_applied) values (9999, 1)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := store.OpenSQLite(path)
	if err == nil {
		_ = s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("opened, or the wrong words: %v", err)
	}
}

func TestWhatIsNoDatabaseIsRefusedAndLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mf.db")
	text := []byte(strings.Repeat("not a database, and somebody's only copy\n", 100))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.OpenSQLite(path)
	if err == nil {
		_ = s.Close()
	}
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, text) {
		t.Errorf("the file was changed: %v", err)
	}
}

// An admin command beside the running server starts on the same empty folder.
func TestManyProcessesMayOpenAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mf.db")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			s, err := store.OpenSQLite(path)
			if err == nil {
				err = errors.Join(s.Update(bg, add(fmt.Sprint(i), 1)), s.Close())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, open(t, path), "value = 1"); n != 4 {
		t.Errorf("%d rows", n)
	}
}

func TestScrubbedTextIsNowhereInTheFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mf.db")
	s := open(t, path)
	secret := strings.Repeat("Zoë Ölçü lives here. ", 300)
	for i := range 20 {
		if err := s.Update(bg, add(fmt.Sprint(i, secret), 1)); err != nil {
			t.Fatal(err)
		}
	}
	if !inFiles(t, path, "Zoë Ölçü") {
		t.Fatal("the search finds nothing at all")
	}
	if err := s.Update(bg, func(tx store.Tx) error { _, err := tx.Exec("delete from counters where value = 1"); return err }); err != nil {
		t.Fatal(err)
	}
	if err := s.Scrub(bg); err != nil {
		t.Fatal(err)
	}
	if inFiles(t, path, "Zoë Ölçü") {
		t.Error("deleted text is still in the files")
	}
}

func TestScrubSaysWhenAReaderStandsInTheWay(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "mf.db"))
	if err := s.View(bg, func(tx store.Tx) error {
		var n int64
		if err := tx.QueryRow("select count(*) from counters").Scan(&n); err != nil {
			return err
		}
		if err := s.Update(bg, add("a", 1)); err != nil {
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
		t.Error(err)
	}
}

func inFiles(t *testing.T, path, text string) bool {
	t.Helper()
	found := false
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		found = found || bytes.Contains(b, []byte(text))
	}
	return found
}

func TestTimesSortAsTheyPass(t *testing.T) {
	base := time.Date(2026, 11, 24, 23, 59, 59, 999_999_999, time.FixedZone("", 3600))
	last := ""
	for _, d := range []time.Duration{-time.Hour, 0, 1, time.Second, 30 * time.Hour} {
		s := store.FormatTime(base.Add(d))
		if s <= last || len(s) != 30 {
			t.Errorf("%q after %q", s, last)
		}
		last = s
		if got, err := store.ParseTime(s); err != nil || !got.Equal(base.Add(d)) || got.Location() != time.UTC {
			t.Errorf("%q reads as %v, %v", s, got, err)
		}
	}
	if s := store.FormatTime(time.Time{}); s != "" {
		t.Errorf("no time is %q", s)
	}
	if _, err := store.ParseTime("yesterday"); err == nil {
		t.Error("yesterday is no time")
	}
}
