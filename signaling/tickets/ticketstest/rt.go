package ticketstest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

//go:embed testdata/seed.pl
var rtSeed []byte

// RT is a real Request Tracker 5, from Debian's packages, with a database,
// configuration and port of its own, on loopback.
type RT struct {
	URL string
	// Tokens of an account that works on tickets, of another one that does, and
	// of one that only reads.
	Worker, Other, Reader string

	dir    string
	server *exec.Cmd
	ended  chan struct{}
}

// RTPackages are what a real RT needs.
const RTPackages = "request-tracker5 rt5-db-sqlite rt5-standalone"

// Where Debian puts them.
const (
	rtServer = "/usr/share/request-tracker5/libexec/rt-server"
	rtSetup  = "/usr/sbin/rt-setup-database-5"
)

// StartRT starts one; Stop it. It takes ten seconds on an idle machine.
func StartRT() (*RT, error) {
	for _, program := range []string{rtServer, rtSetup} {
		if _, err := os.Stat(program); err != nil {
			return nil, fmt.Errorf("a real Request Tracker is needed: apt-get install --no-install-recommends %s (%w)", RTPackages, err)
		}
	}
	dir, err := os.MkdirTemp("", "mainforte-rt-")
	if err != nil {
		return nil, err
	}
	d := &RT{dir: dir, ended: make(chan struct{})}
	if err := d.start(); err != nil {
		d.Stop()
		return nil, err
	}
	return d, nil
}

func (d *RT) start() error {
	for _, sub := range []string{"conf.d", "html", "mason", "session", "log"} {
		if err := os.Mkdir(filepath.Join(d.dir, sub), 0o700); err != nil {
			return err
		}
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	d.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
	config := strings.NewReplacer("DIR", d.dir, "PORT", fmt.Sprint(port)).Replace(`
Set($rtname, 'desk.test'); Set($Organization, 'desk.test');
Set($WebDomain, '127.0.0.1'); Set($WebPort, PORT); Set($WebPath, '');
Set($DatabaseType, 'SQLite'); Set($DatabaseName, 'DIR/rt.db'); Set($DatabaseUser, ''); Set($DatabasePassword, '');
Set($MailCommand, 'testfile'); Set($Timezone, 'UTC');
Set($LogToSyslog, undef); Set($LogToFile, 'info'); Set($LogDir, 'DIR/log'); Set($LogToFileNamed, 'rt.log'); Set($StatementLog, undef);
$MasonLocalComponentRoot = 'DIR/html'; $MasonDataDir = 'DIR/mason'; $MasonSessionDir = 'DIR/session'; $VarPath = 'DIR';
1;
`)
	for name, text := range map[string]string{"RT_SiteConfig.pm": config, "seed.pl": string(rtSeed), "password": "only-for-tests-1\n"} {
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if _, err := d.run(rtSetup, "--action", "init", "--skip-create", "--root-password-file", filepath.Join(d.dir, "password")); err != nil {
		return err
	}
	tokens, err := d.run("perl", filepath.Join(d.dir, "seed.pl"))
	if err != nil {
		return err
	}
	var got struct{ Worker, Other, Reader string }
	if err := json.Unmarshal(tokens, &got); err != nil {
		return fmt.Errorf("the seed of RT says %q: %w", tokens, err)
	}
	d.Worker, d.Other, d.Reader = got.Worker, got.Other, got.Reader

	d.server = d.command(rtServer, "--server", "Standalone", "--host", "127.0.0.1", "--port", fmt.Sprint(port))
	out, err := os.Create(filepath.Join(d.dir, "log", "server.log"))
	if err != nil {
		return err
	}
	d.server.Stdout, d.server.Stderr = out, out
	// It goes with the test, also with one that was killed. The signal comes when
	// the starting thread ends, so that thread waits.
	d.server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := d.server.Start()
		started <- err
		if err == nil {
			_ = d.server.Wait()
		}
		_ = out.Close()
		close(d.ended)
	}()
	if err := <-started; err != nil {
		return err
	}
	return d.ready()
}

// ready waits until the server answers; it has no other way to say so.
func (d *RT) ready() error {
	limit := time.After(2 * time.Minute)
	for {
		req, err := http.NewRequest("GET", d.URL+"/REST/2.0/rt", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "token "+d.Worker)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-d.ended:
			return fmt.Errorf("RT ended at once:\n%s", d.log())
		case <-limit:
			return fmt.Errorf("RT does not answer:\n%s", d.log())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (d *RT) log() []byte {
	b, _ := os.ReadFile(filepath.Join(d.dir, "log", "server.log"))
	return b[max(0, len(b)-4000):]
}

func (d *RT) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), "RT_SITE_CONFIG="+filepath.Join(d.dir, "RT_SiteConfig.pm"), "RT_SITE_CONFIG_DIR="+filepath.Join(d.dir, "conf.d"))
	c.Dir = d.dir
	return c
}

func (d *RT) run(name string, args ...string) ([]byte, error) {
	c := d.command(name, args...)
	var out, problems bytes.Buffer
	c.Stdout, c.Stderr = &out, &problems
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", filepath.Base(name), err, out.Bytes(), problems.Bytes())
	}
	return out.Bytes(), nil
}

// Stop ends the server and removes what it kept.
func (d *RT) Stop() {
	if d.server != nil && d.server.Process != nil {
		_ = d.server.Process.Kill()
		<-d.ended
	}
	_ = os.RemoveAll(d.dir)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// SharedRT is one RT for all tests of a process; StopSharedRT ends it.
var SharedRT = sync.OnceValues(func() (*RT, error) {
	d, err := StartRT()
	shared = d
	return d, err
})

var shared *RT

// StopSharedRT ends what SharedRT started, if it did: for a TestMain.
func StopSharedRT() {
	if shared != nil {
		shared.Stop()
	}
}
