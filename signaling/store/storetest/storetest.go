// Package storetest holds the promises that every [store.Store] keeps, as tests.
// A new database runs them with one line:
//
//	storetest.Run(t, func(t *testing.T, dir string) store.Store { … })
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
)

// Opener opens the database that belongs to dir: a new one the first time, the
// same one after that.
type Opener func(t *testing.T, dir string) store.Store

// Run runs the suite.
func Run(t *testing.T, open Opener) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Opener)
	}{
		{"an update is there after closing and opening", durable},
		{"an error undoes its own update and no other", isolated},
		{"a panic comes back to its caller and undoes its update", panics},
		{"an update taken back in time never runs", takenBack},
		{"an update that has begun is waited for", begun},
		{"a view cannot write", viewReads},
		{"a view is a snapshot", snapshot},
		{"what is not committed is not seen", uncommitted},
		{"the schema's rules come back as errors to branch on", rules},
		{"the log only grows", appendOnly},
		{"what is no text is looked for in vain, and harms nothing", noText},
		{"nothing kept outlives a rollback", kept},
		{"what is kept is dropped when somebody else writes", keptAlone},
		{"a transaction ends with its function", over},
		{"what is left for later is there when it is looked at", later},
		{"an error left for later undoes its own update and no other", lateError},
		{"rows left open hold nothing", openRows},
		{"concurrent updates are one after the other", serial},
		{"a closed store says so", closed},
		{"closing waits for what was handed over", closing},
		{"scrubbing changes nothing that is there", scrub},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
}

var bg = context.Background()

func fresh(t *testing.T, open Opener) store.Store {
	t.Helper()
	s := open(t, t.TempDir())
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// add writes one row; counters is the plainest table there is.
func add(tx store.Tx, name string, value int64) error {
	_, err := tx.Exec("insert into counters (name, value) values (?, ?)", name, value)
	return err
}

func value(tx store.Tx, name string) (n int64, err error) {
	err = tx.QueryRow("select coalesce(max(value), -1) from counters where name = ?", name).Scan(&n)
	return n, err
}

// has reads a row's value from outside; -1 means that it is not there.
func has(t *testing.T, s store.Store, name string) (n int64) {
	t.Helper()
	err := s.View(bg, func(tx store.Tx) (err error) {
		n, err = value(tx, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func durable(t *testing.T, open Opener) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Update(bg, func(tx store.Tx) error { return add(tx, "a", 7) }))
	if n := has(t, s, "a"); n != 7 {
		t.Errorf("right after: %d", n)
	}
	must(t, s.Close())
	s = open(t, dir)
	defer func() { must(t, s.Close()) }()
	if n := has(t, s, "a"); n != 7 {
		t.Errorf("after opening again: %d", n)
	}
}

func isolated(t *testing.T, open Opener) {
	s := fresh(t, open)
	odd := errors.New("odd")
	hold := hold(t, s)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			err := s.Update(bg, func(tx store.Tx) error {
				if err := add(tx, fmt.Sprint(i), int64(i)); err != nil {
					return err
				}
				if i%2 == 1 {
					return odd
				}
				return nil
			})
			if want := i%2 == 1; errors.Is(err, odd) != want || !want && err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	time.Sleep(20 * time.Millisecond) // so that many of them share a transaction
	hold()
	wg.Wait()
	for i := range 200 {
		want := int64(i)
		if i%2 == 1 {
			want = -1
		}
		if n := has(t, s, fmt.Sprint(i)); n != want {
			t.Errorf("%d: %d", i, n)
		}
	}
}

// hold keeps the writer busy until the returned function is called.
func hold(t *testing.T, s store.Store) (release func()) {
	t.Helper()
	in, out, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- s.Update(bg, func(store.Tx) error { close(in); <-out; return nil })
	}()
	<-in
	return func() {
		close(out)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func panics(t *testing.T, open Opener) {
	s := fresh(t, open)
	func() {
		defer func() {
			if p := recover(); p != "boom" {
				t.Errorf("recovered %v", p)
			}
		}()
		_ = s.Update(bg, func(tx store.Tx) error {
			must(t, add(tx, "a", 1))
			panic("boom")
		})
	}()
	if n := has(t, s, "a"); n != -1 {
		t.Errorf("the row is there: %d", n)
	}
	must(t, s.Update(bg, func(tx store.Tx) error { return add(tx, "a", 2) }))
}

func takenBack(t *testing.T, open Opener) {
	s := fresh(t, open)
	gone, cancel := context.WithCancel(bg)
	cancel()
	if err := s.Update(gone, func(store.Tx) error { t.Error("it ran"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that had ended: %v", err)
	}

	release := hold(t, s)
	ctx, cancel := context.WithTimeout(bg, 20*time.Millisecond)
	defer cancel()
	if err := s.Update(ctx, func(tx store.Tx) error { return add(tx, "a", 1) }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting: %v", err)
	}
	release()
	must(t, s.Update(bg, func(store.Tx) error { return nil })) // what was before it has run
	if n := has(t, s, "a"); n != -1 {
		t.Errorf("it ran all the same: %d", n)
	}
}

func begun(t *testing.T, open Opener) {
	s := fresh(t, open)
	ctx, cancel := context.WithCancel(bg)
	must(t, s.Update(ctx, func(tx store.Tx) error {
		cancel()
		time.Sleep(10 * time.Millisecond)
		return add(tx, "a", 1)
	}))
	if n := has(t, s, "a"); n != 1 {
		t.Errorf("got %d", n)
	}
}

func viewReads(t *testing.T, open Opener) {
	s := fresh(t, open)
	if err := s.View(bg, func(tx store.Tx) error { return add(tx, "a", 1) }); err == nil {
		t.Error("it could")
	}
	if n := has(t, s, "a"); n != -1 {
		t.Errorf("and did: %d", n)
	}
	odd := errors.New("odd")
	if err := s.View(bg, func(store.Tx) error { return odd }); !errors.Is(err, odd) {
		t.Errorf("its error: %v", err)
	}
}

func snapshot(t *testing.T, open Opener) {
	s := fresh(t, open)
	must(t, s.View(bg, func(tx store.Tx) error {
		before, err := value(tx, "a")
		if err != nil {
			return err
		}
		must(t, s.Update(bg, func(tx store.Tx) error { return add(tx, "a", 1) }))
		after, err := value(tx, "a")
		if before != -1 || after != -1 {
			t.Errorf("%d, then %d", before, after)
		}
		return err
	}))
	if n := has(t, s, "a"); n != 1 {
		t.Errorf("a later view: %d", n)
	}
}

func uncommitted(t *testing.T, open Opener) {
	s := fresh(t, open)
	must(t, s.Update(bg, func(tx store.Tx) error {
		if err := add(tx, "a", 1); err != nil {
			return err
		}
		if n, err := value(tx, "a"); n != 1 || err != nil {
			t.Errorf("from inside: %d, %v", n, err)
		}
		if n := has(t, s, "a"); n != -1 {
			t.Errorf("from outside: %d", n)
		}
		return nil
	}))
}

func rules(t *testing.T, open Opener) {
	s := fresh(t, open)
	must(t, s.Update(bg, func(tx store.Tx) error { return add(tx, "a", 1) }))
	if err := s.Update(bg, func(tx store.Tx) error { return add(tx, "a", 2) }); !errors.Is(err, store.ErrExists) {
		t.Errorf("the same key twice: %v", err)
	}
	user := func(id, key string) func(store.Tx) error {
		return func(tx store.Tx) error {
			_, err := tx.Exec("insert into users (id, name, name_key, role, password_hash, created) values (?, 'x', ?, 'admin', '', '')", id, key)
			return err
		}
	}
	must(t, s.Update(bg, user("1", "x")))
	if err := s.Update(bg, user("2", "x")); !errors.Is(err, store.ErrExists) {
		t.Errorf("a unique column: %v", err)
	}
	for what, q := range map[string]string{
		"a reference to nobody": "insert into signins (token_hash, user_id, method, created, last_seen, expires) values ('t', 'nobody', '', '', '', '')",
		"a value off its list":  "insert into outbox (id, note_key, system, ticket_id, note, state, next_at, created, updated) values ('', '', '', '', '', 'lost', '', '', '')",
		"nothing where needed":  "insert into counters (name, value) values ('b', null)",
	} {
		err := s.Update(bg, func(tx store.Tx) error { _, err := tx.Exec(q); return err })
		if !errors.Is(err, store.ErrRefused) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// One may go on after such an error, in the same transaction.
	must(t, s.Update(bg, func(tx store.Tx) error {
		if err := add(tx, "a", 2); !errors.Is(err, store.ErrExists) {
			t.Errorf("inside: %v", err)
		}
		return add(tx, "b", 2)
	}))
	if n := has(t, s, "b"); n != 2 {
		t.Errorf("after going on: %d", n)
	}
}

func appendOnly(t *testing.T, open Opener) {
	s := fresh(t, open)
	must(t, s.Update(bg, func(tx store.Tx) error {
		for _, q := range []string{
			"insert into audit_leaves (idx, id, session, type, leaf, hash) values (0, 'x', 's', 't', '{}', 'h')",
			"insert into audit_nodes (idx, hash) values (2, 'h')",
			"insert into audit_checkpoints (size, note, created) values (1, 'n', '')",
		} {
			if _, err := tx.Exec(q); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, q := range []string{
		"update audit_leaves set leaf = '[]'", "delete from audit_leaves",
		"update audit_nodes set hash = 'g'", "delete from audit_nodes",
		"update audit_checkpoints set note = 'm'", "delete from audit_checkpoints",
	} {
		if err := s.Update(bg, func(tx store.Tx) error { _, err := tx.Exec(q); return err }); !errors.Is(err, store.ErrRefused) {
			t.Errorf("%s: %v", q, err)
		}
	}
}

func noText(t *testing.T, open Opener) {
	s := fresh(t, open)
	must(t, s.Update(bg, func(tx store.Tx) error { return add(tx, "a", 1) }))
	for _, name := range []string{"\x00", "a\x00", "\xff", "a\xc3", "\xed\xa0\x80"} {
		if n := has(t, s, name); n != -1 {
			t.Errorf("%q is there: %d", name, n)
		}
		must(t, s.Update(bg, func(tx store.Tx) error {
			if n, err := value(tx, name); n != -1 || err != nil {
				t.Errorf("%q: %d, %v", name, n, err)
			}
			return add(tx, "b"+name, 2)
		}))
		must(t, s.Update(bg, func(tx store.Tx) error { _, err := tx.Exec("delete from counters where value = 2"); return err }))
	}
}

func kept(t *testing.T, open Opener) {
	s := fresh(t, open)
	type key struct{}
	odd := errors.New("odd")
	must(t, s.Update(bg, func(tx store.Tx) error { tx.Keep(key{}, "first"); return nil }))
	must(t, s.Update(bg, func(tx store.Tx) error {
		if v := tx.Kept(key{}); v != nil && v != "first" {
			t.Errorf("kept %v", v)
		}
		return nil
	}))
	_ = s.Update(bg, func(tx store.Tx) error { tx.Keep(key{}, "undone"); return odd })
	must(t, s.Update(bg, func(tx store.Tx) error {
		if tx.Kept(key{}) == "undone" {
			t.Error("a value outlived its rollback")
		}
		return nil
	}))
	must(t, s.View(bg, func(tx store.Tx) error {
		tx.Keep(key{}, "seen")
		if v := tx.Kept(key{}); v != nil {
			t.Errorf("a view keeps %v", v)
		}
		return nil
	}))
}

func keptAlone(t *testing.T, open Opener) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	defer func() { must(t, errors.Join(a.Close(), b.Close())) }()
	kept := func() (v any) {
		must(t, a.Update(bg, func(tx store.Tx) error { v = tx.Kept("k"); return nil }))
		return v
	}
	must(t, a.Update(bg, func(tx store.Tx) error { tx.Keep("k", 1); return nil }))
	if v := kept(); v != 1 {
		t.Errorf("kept %v", v) // else nothing is saved by keeping
	}
	must(t, b.Update(bg, func(tx store.Tx) error { return add(tx, "a", 1) }))
	if v := kept(); v != nil {
		t.Errorf("still %v after somebody else wrote", v)
	}
}

func over(t *testing.T, open Opener) {
	s := fresh(t, open)
	var stolen store.Tx
	must(t, s.Update(bg, func(tx store.Tx) error { stolen = tx; return nil }))
	if err := add(stolen, "a", 1); err == nil {
		t.Error("a Tx still writes after its transaction")
	}
	if n, err := value(stolen, "a"); err == nil {
		t.Errorf("a Tx still reads after its transaction: %d", n)
	}
	if n := has(t, s, "a"); n != -1 {
		t.Errorf("it wrote: %d", n)
	}
}

func later(t *testing.T, open Opener) {
	s := fresh(t, open)
	const insert = "insert into counters (name, value) values (?, ?)"
	must(t, s.Update(bg, func(tx store.Tx) error {
		for i := range 1000 { // more than any queue holds
			tx.Later(insert, fmt.Sprint(i), int64(i))
		}
		if n, err := value(tx, "999"); n != 999 || err != nil {
			t.Errorf("read: %d, %v", n, err)
		}
		tx.Later(insert, "a", int64(1))
		if err := add(tx, "a", 2); !errors.Is(err, store.ErrExists) {
			t.Errorf("written: %v", err)
		}
		tx.Later(insert, "b", int64(2))
		return nil
	}))
	if a, b := has(t, s, "a"), has(t, s, "b"); a != 1 || b != 2 {
		t.Errorf("%d, %d", a, b)
	}
	if err := s.View(bg, func(tx store.Tx) error { tx.Later(insert, "c", int64(3)); return nil }); err == nil {
		t.Error("a view wrote later")
	}
}

func lateError(t *testing.T, open Opener) {
	s := fresh(t, open)
	const insert = "insert into counters (name, value) values (?, ?)"
	hold := hold(t, s)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			err := s.Update(bg, func(tx store.Tx) error {
				tx.Later(insert, fmt.Sprint(i), int64(i))
				tx.Keep("last", i)
				switch i % 4 {
				case 1: // found at the end
					tx.Later(insert, "ticket", int64(i))
				case 2: // found by the next statement, and not cared for
					tx.Later(insert, "ticket", int64(i))
					if err := add(tx, fmt.Sprint(i, "x"), 1); !errors.Is(err, store.ErrExists) {
						t.Errorf("the next statement: %v", err)
					}
					if _, err := value(tx, "ticket"); err == nil {
						t.Error("one may read on")
					}
				case 3: // wrong in itself
					tx.Later("insert into no_such_table (name) values (?)", "a")
				}
				return nil
			})
			bad, exists := i%4 != 0, i%4 == 1 || i%4 == 2
			if (err != nil) != bad || exists && !errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	time.Sleep(20 * time.Millisecond) // so that many of them share a transaction
	hold()
	wg.Wait()
	for i := range 100 {
		want := int64(i)
		if i%4 != 0 {
			want = -1
		}
		if n := has(t, s, fmt.Sprint(i)); n != want {
			t.Errorf("%d: %d", i, n)
		}
	}
}

func openRows(t *testing.T, open Opener) {
	s := fresh(t, open)
	must(t, s.Update(bg, func(tx store.Tx) error { return add(tx, "a", 1) }))
	read := func(tx store.Tx) error {
		rows, err := tx.Query("select name from counters order by name")
		if err == nil && !rows.Next() {
			err = errors.New("no rows")
		}
		return err
	}
	for range 20 { // more than there are readers
		must(t, s.Update(bg, read))
		ctx, cancel := context.WithTimeout(bg, 5*time.Second)
		must(t, s.View(ctx, read))
		cancel()
	}
	must(t, s.Update(bg, func(tx store.Tx) error { return add(tx, "b", 1) }))
}

func serial(t *testing.T, open Opener) {
	s := fresh(t, open)
	must(t, s.Update(bg, func(tx store.Tx) error { return add(tx, "n", 0) }))
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 20 {
				err := s.Update(bg, func(tx store.Tx) error {
					n, err := value(tx, "n")
					if err != nil {
						return err
					}
					_, err = tx.Exec("update counters set value = ? where name = 'n'", n+1)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := has(t, s, "n"); n != 640 {
		t.Errorf("%d of 640 are left", n)
	}
}

func closed(t *testing.T, open Opener) {
	s := fresh(t, open)
	must(t, s.Close())
	must(t, s.Close())
	for what, err := range map[string]error{
		"update": s.Update(bg, func(store.Tx) error { t.Error("update ran"); return nil }),
		"view":   s.View(bg, func(store.Tx) error { t.Error("view ran"); return nil }),
		"scrub":  s.Scrub(bg),
	} {
		if !errors.Is(err, store.ErrClosed) || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func closing(t *testing.T, open Opener) {
	dir := t.TempDir()
	s := open(t, dir)
	release := hold(t, s)
	got := make(chan error, 1)
	go func() { got <- s.Update(bg, func(tx store.Tx) error { return add(tx, "late", 1) }) }()
	time.Sleep(20 * time.Millisecond)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	release()
	must(t, <-closed)
	err := <-got
	s = open(t, dir)
	defer func() { must(t, s.Close()) }()
	if n := has(t, s, "late"); (n == 1) != (err == nil) {
		t.Errorf("the row is %d, its caller was told %v", n, err)
	}
	if err != nil {
		t.Errorf("handed over before Close, yet: %v", err)
	}
}

func scrub(t *testing.T, open Opener) {
	s := fresh(t, open)
	must(t, s.Update(bg, func(tx store.Tx) error { return add(tx, strings.Repeat("a", 10_000), 1) }))
	must(t, s.Update(bg, func(tx store.Tx) error { return add(tx, "b", 1) }))
	must(t, s.Update(bg, func(tx store.Tx) error { _, err := tx.Exec("delete from counters where name = 'b'"); return err }))
	must(t, s.Scrub(bg))
	if a, b := has(t, s, strings.Repeat("a", 10_000)), has(t, s, "b"); a != 1 || b != -1 {
		t.Errorf("%d, %d", a, b)
	}
	must(t, s.Update(bg, func(tx store.Tx) error { return add(tx, "c", 1) }))
}
