package comeback

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// place is one below a folder of the test's, as XDG's variables name it.
func place(t *testing.T) (p Place, home string) {
	t.Helper()
	home = t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	p, err := Here()
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(home, ".local/state/mainforte/return"); p.file != want {
		t.Errorf("the file is %s, want %s", p.file, want)
	}
	if want := filepath.Join(home, ".config/autostart/mainforte-return.desktop"); p.entry.path != want {
		t.Errorf("the entry is %s, want %s", p.entry.path, want)
	}
	return p, home
}

func entryStands(t *testing.T, p Place) bool {
	t.Helper()
	_, err := os.Lstat(p.entry.path)
	return !errors.Is(err, fs.ErrNotExist)
}

func TestOnlyThePersonCanReadIt(t *testing.T) {
	p, _ := place(t)
	kept(t, p, "state")
	for path, want := range map[string]fs.FileMode{p.file: 0o600, filepath.Dir(p.file): 0o700 | fs.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// TestWhatOthersCouldHaveWrittenIsRefused is C84.
func TestWhatOthersCouldHaveWrittenIsRefused(t *testing.T) {
	elsewhere := func(t *testing.T, p Place) string {
		other := filepath.Join(t.TempDir(), "other")
		b, err := os.ReadFile(p.file)
		if err == nil {
			err = os.WriteFile(other, b, 0o600)
		}
		if err == nil {
			err = os.Remove(p.file)
		}
		if err != nil {
			t.Fatal(err)
		}
		return other
	}
	for name, change := range map[string]func(t *testing.T, p Place) error{
		"readable":        func(t *testing.T, p Place) error { return os.Chmod(p.file, 0o640) },
		"writable":        func(t *testing.T, p Place) error { return os.Chmod(p.file, 0o622) },
		"its folder too":  func(t *testing.T, p Place) error { return os.Chmod(filepath.Dir(p.file), 0o777) },
		"a symbolic link": func(t *testing.T, p Place) error { return os.Symlink(elsewhere(t, p), p.file) },
		"a second name":   func(t *testing.T, p Place) error { return os.Link(elsewhere(t, p), p.file) },
		"a folder":        func(t *testing.T, p Place) error { return errors.Join(os.Remove(p.file), os.Mkdir(p.file, 0o700)) },
		"a pipe": func(t *testing.T, p Place) error {
			return errors.Join(os.Remove(p.file), exec.Command("mkfifo", "-m", "600", p.file).Run())
		},
		"of somebody else's": func(t *testing.T, p Place) error { return foreign(p.file) },
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := place(t)
			kept(t, p, "state")
			if err := change(t, p); err != nil {
				t.Fatal(err)
			}
			if got, err := p.Take(time.Now()); !errors.Is(err, ErrForeign) || got != nil {
				t.Fatalf("taken: %q, %v", got, err)
			}
			gone(t, p)
		})
	}
}

// foreign gives a file to somebody else, which takes root or sudo.
func foreign(path string) error {
	if os.Geteuid() == 0 {
		return os.Chown(path, 65534, 65534)
	}
	if out, err := exec.Command("sudo", "-n", "chown", "65534:65534", path).CombinedOutput(); err != nil {
		return fmt.Errorf("only root can give a file away: %w: %s", err, out)
	}
	return nil
}

// TestWhatCannotBeRemovedIsNotUsed is C84: it could be used a second time.
func TestWhatCannotBeRemovedIsNotUsed(t *testing.T) {
	p, _ := place(t)
	kept(t, p, "state")
	if err := os.Remove(p.entry.path); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(p.entry.path, "in the way"), 0o700); err != nil { // a folder that is not empty stays
		t.Fatal(err)
	}
	if got, err := p.Take(time.Now()); err == nil || got != nil {
		t.Fatalf("taken: %q, %v", got, err)
	}
}

// TestTheEntryStartsWhatItNames: an Exec line is read as a shell reads it, once its
// string is; "%%" is a percent sign.
func TestTheEntryStartsWhatItNames(t *testing.T) {
	p, home := place(t)
	program := filepath.Join(home, "a \"b\" `c` $d \\e 100% é'f", "host")
	if err := os.MkdirAll(filepath.Dir(program), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho started \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Open([]string{program, "--come-back"}, time.Now().Add(Life)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(p.entry.path)
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(b), "\nExec=")
	line, _, _ = strings.Cut(line, "\n")
	line = strings.ReplaceAll(strings.ReplaceAll(line, `\\`, `\`), "%%", "%")
	out, err := exec.Command("sh", "-c", line).CombinedOutput()
	if err != nil || string(out) != "started --come-back\n" {
		t.Errorf("%s\n%s%v", line, out, err)
	}
}
