//go:build unix

package store_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

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
	there := names(t, s)
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
