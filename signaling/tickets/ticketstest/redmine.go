package ticketstest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed testdata/seed.rb
var redmineSeed []byte

// Redmine is a real Redmine 5, from Debian's packages, in a copy of its own.
type Redmine struct {
	URL                   string
	Worker, Other, Reader string // keys, as those of RT
	Closed                string // id of a status

	dir    string
	server *server
}

// RedminePackages are what a real Redmine needs.
const RedminePackages = "redmine redmine-sqlite"

const redmineHome = "/usr/share/redmine"

// StartRedmine starts one whose notes are in format ("textile", "common_mark",
// "markdown"); Stop it. It takes a minute.
func StartRedmine(format string) (*Redmine, error) {
	if _, err := os.Stat(redmineHome); err != nil {
		return nil, fmt.Errorf("a real Redmine is needed: apt-get install --no-install-recommends %s (%w)", RedminePackages, err)
	}
	dir, err := os.MkdirTemp("", "mainforte-redmine-")
	if err != nil {
		return nil, err
	}
	d := &Redmine{dir: dir}
	if err := d.start(format); err != nil {
		d.Stop()
		return nil, err
	}
	return d, nil
}

func (d *Redmine) start(format string) error {
	// Redmine writes into its own folder, and Debian's keeps the site's apart by
	// links: a copy without them.
	for _, part := range []string{"app", "bin", "config", "db", "lib", "public", "extra", "Rakefile", "config.ru", "Gemfile"} {
		// Links that lead nowhere are of no use here either.
		if out, err := exec.Command("cp", "-rL", filepath.Join(redmineHome, part), d.dir).CombinedOutput(); err != nil {
			if _, missing := os.Stat(filepath.Join(d.dir, part)); missing != nil {
				return fmt.Errorf("copying %s: %w\n%s", part, err, out)
			}
		}
	}
	site := filepath.Join(d.dir, "instances", "default")
	for _, sub := range []string{"tmp", "log", "files", "plugins", "instances/default/config"} {
		if err := os.MkdirAll(filepath.Join(d.dir, sub), 0o700); err != nil {
			return err
		}
	}
	for _, sub := range []string{"tmp", "log", "files"} {
		if err := os.Symlink(filepath.Join(d.dir, sub), filepath.Join(site, sub)); err != nil {
			return err
		}
	}
	lock, err := os.ReadFile("/var/lib/redmine/Gemfile.lock")
	if err != nil {
		return err
	}
	gems, err := os.ReadFile(filepath.Join(d.dir, "Gemfile"))
	if err != nil {
		return err
	}
	database := []byte("production:\n  adapter: sqlite3\n  database: " + filepath.Join(d.dir, "redmine.db") + "\n")
	_ = os.Remove(filepath.Join(d.dir, "config", "database.yml"))
	for name, content := range map[string][]byte{
		"Gemfile.lock": lock, "Gemfile": append(gems, "\ngem 'webrick'\n"...), "config/database.yml": database, "seed.rb": redmineSeed,
		"instances/default/config/database.yml": database, "instances/default/config/secret_key.txt": []byte(strings.Repeat("only-for-tests-", 5)),
	} {
		if err := os.WriteFile(filepath.Join(d.dir, name), content, 0o600); err != nil {
			return err
		}
	}
	var keys []byte
	for _, step := range [][]string{
		{"install", "--local"}, {"exec", "rake", "db:migrate"}, {"exec", "rake", "redmine:load_default_data"}, {"exec", "rails", "runner", "seed.rb"},
	} {
		c := d.command(format, step...)
		var problems bytes.Buffer
		c.Stderr = &problems
		if keys, err = c.Output(); err != nil {
			return fmt.Errorf("bundle %s: %w\n%s%s", strings.Join(step, " "), err, keys, problems.Bytes())
		}
	}
	keys = keys[bytes.LastIndexByte(bytes.TrimSpace(keys), '\n')+1:]
	var got struct{ Worker, Other, Reader, Closed string }
	if err := json.Unmarshal(keys, &got); err != nil {
		return fmt.Errorf("the seed of Redmine says %q: %w", keys, err)
	}
	d.Worker, d.Other, d.Reader, d.Closed = got.Worker, got.Other, got.Reader, got.Closed

	port, err := freePort()
	if err != nil {
		return err
	}
	d.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
	cmd := d.command(format, "exec", "rails", "server", "-u", "webrick", "-b", "127.0.0.1", "-p", fmt.Sprint(port), "-e", "production", "-P", filepath.Join(d.dir, "rails.pid"))
	if d.server, err = launch(cmd, filepath.Join(d.dir, "log", "server.log")); err != nil {
		return err
	}
	req, err := http.NewRequest("GET", d.URL+"/users/current.json", nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-Redmine-API-Key", d.Worker)
	return d.server.ready(req)
}

func (d *Redmine) command(format string, args ...string) *exec.Cmd {
	c := exec.Command("bundle", args...)
	c.Dir = d.dir
	c.Env = append(os.Environ(), "RAILS_ENV=production", "REDMINE_LANG=fr", "FORMAT="+format, "SECRET_KEY_BASE="+strings.Repeat("only-for-tests-", 5))
	return c
}

// Shown renders a note as the pages of this Redmine do.
func (d *Redmine) Shown(format, note string) (string, error) {
	file := filepath.Join(d.dir, "note")
	if err := os.WriteFile(file, []byte(note), 0o600); err != nil {
		return "", err
	}
	c := d.command(format, "exec", "rails", "runner", `Setting.text_formatting = ENV['FORMAT']; print "\0" + ApplicationController.helpers.textilizable(File.read('note'))`)
	out, err := c.Output()
	_, shown, _ := strings.Cut(string(out), "\x00")
	return shown, err
}

// Stop ends the server and removes what it kept.
func (d *Redmine) Stop() {
	d.server.stop()
	_ = os.RemoveAll(d.dir)
}
