package ticketstest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
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
	server *server
}

// RTPackages are what a real RT needs.
const RTPackages = "request-tracker5 rt5-db-sqlite rt5-standalone"

// rtPassword is that of the admin, root.
const rtPassword = "only-for-tests-1"

// Where Debian puts them.
const (
	rtServer = "/usr/share/request-tracker5/libexec/rt-server"
	rtSetup  = "/usr/sbin/rt-setup-database-5"
)

// StartRT starts one; Stop it. It takes ten seconds on an idle machine. more is
// configuration of its own, in Perl.
//
// RT hashes the token of each request with bcrypt, at a cost that takes it longer
// than the request: here the least that it takes.
func StartRT(more ...string) (*RT, error) {
	for _, program := range []string{rtServer, rtSetup} {
		if _, err := os.Stat(program); err != nil {
			return nil, fmt.Errorf("a real Request Tracker is needed: apt-get install --no-install-recommends %s (%w)", RTPackages, err)
		}
	}
	dir, err := os.MkdirTemp("", "mainforte-rt-")
	if err != nil {
		return nil, err
	}
	d := &RT{dir: dir}
	if err := d.start(strings.Join(more, "\n")); err != nil {
		d.Stop()
		return nil, err
	}
	return d, nil
}

func (d *RT) start(more string) error {
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
Set($MainforteURL, 'https://help.example.test/'); Set($MainforteDesk, 'rt');
Set($MailCommand, 'testfile'); Set($Timezone, 'UTC');
Set($BcryptCost, 4);
Set($LogToSyslog, undef); Set($LogToFile, 'info'); Set($LogDir, 'DIR/log'); Set($LogToFileNamed, 'rt.log'); Set($StatementLog, undef);
$MasonLocalComponentRoot = 'DIR/html'; $MasonDataDir = 'DIR/mason'; $MasonSessionDir = 'DIR/session'; $VarPath = 'DIR';
` + more + "\n1;\n")
	// The tab of docs/desks, as an admin installs it.
	if err := os.CopyFS(filepath.Join(d.dir, "html", "Callbacks"), os.DirFS(callbacks())); err != nil {
		return err
	}
	for name, text := range map[string]string{"RT_SiteConfig.pm": config, "seed.pl": string(rtSeed), "password": rtPassword + "\n"} {
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

	cmd := d.command(rtServer, "--server", "Standalone", "--host", "127.0.0.1", "--port", fmt.Sprint(port))
	if d.server, err = launch(cmd, filepath.Join(d.dir, "log", "server.log")); err != nil {
		return err
	}
	return d.ready()
}

// callbacks is the folder of docs/desks, wherever a test runs.
func callbacks() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "../../../docs/desks/rt/Callbacks")
}

// Page is a page of RT's web interface as its admin sees it, in a language.
func (d *RT) Page(path, lang string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	browser := &http.Client{Jar: jar}
	get := func(method, path string, form url.Values) (string, error) {
		req, err := http.NewRequest(method, d.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			return "", err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept-Language", lang)
		req.Header.Set("Referer", d.URL+"/")
		resp, err := browser.Do(req)
		if err != nil {
			return "", err
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", path, resp.Status)
		}
		return string(b), err
	}
	if _, err := get("POST", "/NoAuth/Login.html", url.Values{"user": {"root"}, "pass": {rtPassword}}); err != nil {
		return "", err
	}
	return get("GET", path, nil)
}

func (d *RT) ready() error {
	req, err := http.NewRequest("GET", d.URL+"/REST/2.0/rt", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "token "+d.Worker)
	return d.server.ready(req)
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
	d.server.stop()
	_ = os.RemoveAll(d.dir)
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

// Script runs a Perl script of an admin's where RT is.
func (d *RT) Script(path string, args ...string) error {
	full, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	_, err = d.run("perl", append([]string{full}, args...)...)
	return err
}
