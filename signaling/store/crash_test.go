//go:build linux

package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
)

// The test binary is also the child that is killed or starved of disk.
func TestMain(m *testing.M) {
	path := os.Getenv("STORE_TEST_PATH")
	switch os.Getenv("STORE_TEST_CHILD") {
	case "write":
		writeUntilKilled(path)
	case "small":
		if err := runOutOfRoom(path, func(full bool) error {
			limit := syscall.Rlimit{Cur: 600 << 10, Max: 1 << 40}
			if !full {
				limit.Cur = 1 << 40
			}
			return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
		}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func writeUntilKilled(path string) {
	s, err := store.OpenSQLite(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var out sync.Mutex
	pid := os.Getpid()
	for w := range 16 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", pid, w, i)
				// Two rows: neither may be there without the other.
				err := s.Update(bg, func(tx store.Tx) error {
					return errors.Join(add(name, 1)(tx), add(name+"b", 2)(tx))
				})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Println(name)
				out.Unlock()
			}
		}()
	}
	select {}
}

// kill -9 proves that nothing acknowledged is still in the process; that it is
// on the disk too is what synchronous=FULL is for (TestEveryCommitIsFlushed).
func TestNothingAcknowledgedIsLostWhenTheServerIsKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mf.db")
	var acked []string
	for round := range 3 {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "STORE_TEST_CHILD=write", "STORE_TEST_PATH="+path)
		c.Stderr = os.Stderr
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		n := len(acked)
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			acked = append(acked, sc.Text())
			if len(acked) == n+1 {
				time.AfterFunc(time.Duration(100+50*round)*time.Millisecond, func() { _ = c.Process.Kill() })
			}
		}
		if err := c.Wait(); err == nil || len(acked) == n {
			t.Fatalf("round %d: %v, %d acknowledged", round, err, len(acked)-n)
		}
		acked = acked[:len(acked)-1] // the last line may be cut short
	}
	s := open(t, path)
	if err := s.View(bg, func(tx store.Tx) error {
		var ok string
		if err := tx.QueryRow("pragma integrity_check").Scan(&ok); err != nil || ok != "ok" {
			return fmt.Errorf("integrity %s: %w", ok, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	there := names(t, s)
	for _, name := range acked {
		if !there[name] {
			t.Errorf("%s was acknowledged and is gone", name)
		}
	}
	for name := range there {
		if whole := strings.TrimSuffix(name, "b"); !there[whole] || !there[whole+"b"] {
			t.Errorf("half of %s", whole)
		}
	}
	t.Logf("3 kills, %d acknowledged, %d found", len(acked), len(there)/2)
}

// runOutOfRoom fills the database until it refuses, checks that what was refused
// is not there at all, makes room, and goes on.
func runOutOfRoom(path string, disk func(full bool) error) error {
	signal.Ignore(syscall.SIGXFSZ)
	s, err := store.OpenSQLite(path)
	if err != nil {
		return err
	}
	if err := disk(true); err != nil {
		return err
	}
	text := strings.Repeat("x", 4000)
	good := map[string]bool{}
	var refused []string
	for i := 0; len(refused) < 5; i++ {
		if i > 5000 {
			return errors.New("the disk never got full")
		}
		name := strconv.Itoa(i) + text
		err := s.Update(bg, func(tx store.Tx) error {
			for _, n := range []string{name, name + "b"} {
				if err := add(n, 1)(tx); err != nil {
					return err
				}
			}
			return nil
		})
		switch {
		case err == nil:
			good[name] = true
		case errors.Is(err, store.ErrUnavailable):
			refused = append(refused, name)
		default:
			return fmt.Errorf("the wrong error: %w", err)
		}
	}
	// More than fits into the cache, so that writing fails in mid-transaction;
	// and a function that does not care about errors must not go on outside it.
	if err := s.Update(bg, func(tx store.Tx) error {
		for i := range 2000 {
			_ = add(fmt.Sprint("careless ", i, text), 1)(tx)
		}
		return nil
	}); !errors.Is(err, store.ErrUnavailable) {
		return fmt.Errorf("careless: %w", err)
	}
	check := func() error {
		return s.View(bg, func(tx store.Tx) error {
			rows, err := tx.Query("select name from counters where value = 1")
			if err != nil {
				return err
			}
			n := 0
			for ; rows.Next(); n++ {
				var name string
				if err := rows.Scan(&name); err != nil {
					return err
				}
				if !good[strings.TrimSuffix(name, "b")] {
					return fmt.Errorf("%.8s… was refused and is there", name)
				}
			}
			if n != 2*len(good) {
				return fmt.Errorf("%d rows of %d", n, 2*len(good))
			}
			return rows.Err()
		})
	}
	if err := check(); err != nil {
		return fmt.Errorf("while full: %w", err)
	}
	if err := disk(false); err != nil {
		return err
	}
	for _, name := range refused {
		if err := s.Update(bg, func(tx store.Tx) error { return errors.Join(add(name, 1)(tx), add(name+"b", 1)(tx)) }); err != nil {
			return fmt.Errorf("with room again: %w", err)
		}
		good[name] = true
	}
	if err := check(); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = store.OpenSQLite(path); err != nil {
		return err
	}
	return errors.Join(check(), s.Close())
}

func TestAFileThatMayNotGrow(t *testing.T) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "STORE_TEST_CHILD=small", "STORE_TEST_PATH="+filepath.Join(t.TempDir(), "mf.db"))
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m,mode=0700"); err != nil {
		t.Skipf("no right to mount a small disk (%v): TestAFileThatMayNotGrow stands in for it", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := runOutOfRoom(filepath.Join(dir, "mf.db"), func(full bool) error {
		if full {
			return nil
		}
		return os.Remove(ballast)
	}); err != nil {
		t.Fatal(err)
	}
}
