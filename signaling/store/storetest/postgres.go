//go:build unix

package storetest

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
)

// Cluster is a PostgreSQL server of the test's own. It ends with the test process,
// however that ends, and takes its files with it.
type Cluster struct {
	dir  string
	uid  uint32
	port int

	mu    sync.Mutex
	cmd   *exec.Cmd
	input *os.File // open as long as the server is to live
}

// Postgres starts a server, or returns the one that the tests of this process
// share. It needs initdb and postgres: Debian's package postgresql.
func Postgres(t testing.TB) *Cluster {
	t.Helper()
	c, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var shared = sync.OnceValues(newCluster)

// NewPostgres starts a server that only this test uses: one to be killed.
func NewPostgres(t testing.TB) *Cluster {
	t.Helper()
	c, err := newCluster()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	return c
}

// program finds a program of PostgreSQL, which Debian keeps out of the path.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return filepath.EvalSymlinks(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return "", fmt.Errorf("there is no %s on this machine: install PostgreSQL (Debian: apt-get install postgresql)", name)
	}
	return found[len(found)-1], nil
}

// nobody is who the server runs as where the test is root: it refuses to be root.
const nobody = 65534

// home is where a server's files stand: in memory, if there is room, where it is
// not killed to see what it keeps.
func home() string {
	const memory, room = "/dev/shm", 1 << 30
	var fs syscall.Statfs_t
	if onPostgres() && syscall.Statfs(memory, &fs) == nil && fs.Bavail*uint64(fs.Bsize) > room {
		return memory
	}
	return ""
}

func newCluster() (*Cluster, error) {
	initdb, err := program("initdb")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(home(), "mfpg") // short: a socket's path has 107 bytes
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, uid: uint32(os.Geteuid()), port: 5432}
	if c.uid == 0 {
		c.uid = nobody
	}
	if err := os.Chown(dir, int(c.uid), -1); err != nil {
		return nil, err
	}
	cmd := exec.Command(initdb, "-D", filepath.Join(dir, "data"), "--no-sync", "-U", "mainforte", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
	c.as(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(dir))
	}
	// Nobody needs a password but one role.
	hba := "local all scram scram-sha-256\nlocal all all trust\nhostssl all all 127.0.0.1/32 trust\n"
	if err := os.WriteFile(filepath.Join(dir, "data", "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, nil
}

// as lets a command run as the server's user, away from the terminal.
func (c *Cluster) as(cmd *exec.Cmd) {
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: c.uid, Gid: nobody}
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=" + c.dir}
}

// watch runs the server until its input ends, which it does with the test process.
const watch = `"$1" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=200 -c max_wal_size=256MB -c shared_buffers=32MB -c port=$3 $4 >>"$2/log" 2>&1 </dev/null &
pid=$!
cat >/dev/null
kill -QUIT $pid 2>/dev/null
while kill -0 $pid 2>/dev/null; do sleep 0.02; done
rm -rf "$2"`

// Serve has the server answer on a port of loopback, with TLS and nothing else. It
// returns host and port.
func (c *Cluster) Serve(t testing.TB, cert, key []byte) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Kill(t)
	c.port = l.Addr().(*net.TCPAddr).Port
	for name, text := range map[string][]byte{"server.crt": cert, "server.key": key} {
		path := filepath.Join(c.dir, "data", name)
		if err := errors.Join(os.WriteFile(path, text, 0o600), os.Chown(path, int(c.uid), -1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(l.Close(), c.Start("ssl=on", "listen_addresses=127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// Start starts the server anew, after Kill. Settings are like "fsync=off".
func (c *Cluster) Start(settings ...string) error {
	postgres, err := program("postgres")
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	var more strings.Builder
	for _, s := range settings {
		more.WriteString(" -c " + s)
	}
	cmd := exec.Command("sh", "-c", watch, "sh", postgres, c.dir, strconv.Itoa(c.port), more.String())
	c.as(cmd)
	cmd.Stdin = r
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := r.Close(); err != nil {
		return err
	}
	c.cmd, c.input = cmd, w
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		db, err := sql.Open("pgx", c.URL())
		if err != nil {
			return err
		}
		err = errors.Join(db.Ping(), db.Close())
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
			return fmt.Errorf("PostgreSQL does not start: %w: %s", err, log)
		}
	}
}

// URL is the address of the server's one database.
func (c *Cluster) URL() string {
	u := url.URL{Scheme: "postgres", User: url.User("mainforte"), Path: "/postgres", RawQuery: url.Values{"host": {c.dir}, "port": {strconv.Itoa(c.port)}}.Encode()}
	return u.String()
}

// Database is the address of what belongs to a folder, made if it is not there,
// for as long as the test runs. It is a schema: to make and drop a whole database
// takes the better part of a second.
func (c *Cluster) Database(t testing.TB, dir string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(dir))
	name := "t" + hex.EncodeToString(sum[:8])
	c.Do(t, "create schema if not exists "+name)
	t.Cleanup(func() { c.Do(t, "drop schema if exists "+name+" cascade") })
	return c.URL() + "&search_path=" + name
}

// files are all files of the database, every page written.
func (c *Cluster) files(t testing.TB) []string {
	t.Helper()
	c.Do(t, "checkpoint")
	names, err := filepath.Glob(filepath.Join(c.dir, "data", "base", "*", "*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return names
}

// Bytes are all of the database but its log, which goes round by itself.
func (c *Cluster) Bytes(t testing.TB) []byte {
	t.Helper()
	return contents(t, c.files(t))
}

// Do runs a statement.
func (c *Cluster) Do(t testing.TB, query string) {
	t.Helper()
	db, err := sql.Open("pgx", c.URL())
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(query)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// Kill kills every process of the server at once, as a power cut would but for
// the pages that the kernel holds.
func (c *Cluster) Kill(t testing.TB) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	text, err := os.ReadFile(filepath.Join(c.dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	// The shell would tidy up, and the first process would start others anew.
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.cmd.Process.Kill())
	_ = c.cmd.Wait()
	must(c.input.Close())
	postmaster, err := strconv.Atoi(first)
	must(err)
	must(syscall.Kill(postmaster, syscall.SIGSTOP))
	all := append(children(t, postmaster), postmaster)
	for _, pid := range all {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, pid := range all {
		for alive(pid) {
			time.Sleep(5 * time.Millisecond)
		}
	}
	// Dead, but perhaps not buried: the next server would take it for a living one.
	must(os.Remove(filepath.Join(c.dir, "data", "postmaster.pid")))
	must(os.Remove(filepath.Join(c.dir, fmt.Sprintf(".s.PGSQL.%d.lock", c.port))))
}

// children are the processes that a process started.
func children(t testing.TB, parent int) (list []int) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		b, _ := os.ReadFile(path) // it may be gone
		_, rest, _ := strings.Cut(string(b), ") ")
		var state string
		var pid, ppid int
		if _, err := fmt.Sscan(rest, &state, &ppid); err != nil || ppid != parent {
			continue
		}
		if _, err := fmt.Sscan(string(b), &pid); err == nil {
			list = append(list, pid)
		}
	}
	return list
}

// alive tells whether a process still holds anything: one that nobody waited for
// does not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z")
}

func (c *Cluster) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.input.Close()
	_ = c.cmd.Wait()
	_ = os.RemoveAll(c.dir)
}
