package storetest

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
)

// chosen is where a run of tests is told to use PostgreSQL.
const chosen = "MAINFORTE_TEST_STORE"

func onPostgres() bool { return os.Getenv(chosen) == "postgres" }

// Open opens the database that belongs to a folder until the test ends: a file
// mf.db in it, or one of PostgreSQL in a run that [OnPostgres] started.
func Open(t testing.TB, dir string) store.Store {
	t.Helper()
	remember(t)
	var st store.Store
	var err error
	if onPostgres() {
		st, err = store.OpenPostgres(Postgres(t).Database(t, dir))
	} else {
		path := filepath.Join(dir, "mf.db")
		lay(t, path)
		st, err = store.OpenSQLite(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// empty is a database with all its tables and nothing in them: to make them anew
// for each test takes most of the time of a small one.
var empty = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "mfdb")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "mf.db")
	st, err := store.OpenSQLite(path)
	if err == nil {
		err = st.Close()
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(path)
	}
	return b, errors.Join(err, os.RemoveAll(dir))
})

// lay puts an empty database where there is none.
func lay(t testing.TB, path string) {
	t.Helper()
	if _, err := os.Stat(path); err == nil {
		return
	}
	b, err := empty()
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Files are all bytes in which the database of [Open] stands: of SQLite with its
// log of pages, of PostgreSQL without its log, which goes round by itself.
func Files(t testing.TB, dir string) []byte {
	t.Helper()
	if onPostgres() {
		return Postgres(t).Bytes(t)
	}
	names, err := filepath.Glob(filepath.Join(dir, "mf.db*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return contents(t, names)
}

// contents are the bytes of files, as far as they are there still.
func contents(t testing.TB, names []string) (all []byte) {
	t.Helper()
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// opened are the tests of this process whose databases came from [Open].
var opened = struct {
	sync.Mutex
	names map[string]bool
}{names: make(map[string]bool)}

// remember notes a test that uses a database.
func remember(t testing.TB) {
	name, _, _ := strings.Cut(t.Name(), "/")
	opened.Lock()
	defer opened.Unlock()
	opened.names[name] = strings.HasPrefix(name, "Test")
}

// tests is the pattern of those that were noted, or of all where none was.
func tests() string {
	opened.Lock()
	defer opened.Unlock()
	var names []string
	for name, is := range opened.names {
		if is {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "^Test"
	}
	slices.Sort(names)
	return "^(" + strings.Join(names, "|") + ")$"
}

// OnPostgres runs the tests of the package whose databases come from [Open] once
// more, on PostgreSQL. The package has one test that calls it; no other of its
// tests is parallel, so that this one comes after all of them and knows which they are.
func OnPostgres(t *testing.T) {
	if onPostgres() {
		t.Skip("these tests run on PostgreSQL already")
	}
	t.Parallel()
	args := []string{"-test.run=" + tests(), "-test.count=1"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	if end, ok := t.Deadline(); ok {
		args = append(args, "-test.timeout="+(time.Until(end)-5*time.Second).String())
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), chosen+"=postgres")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("on PostgreSQL: %v\n%s", err, out)
	}
}

// OnlySQLite leaves a test out on PostgreSQL.
func OnlySQLite(t testing.TB, why string) {
	t.Helper()
	if onPostgres() {
		t.Skip(why)
	}
}
