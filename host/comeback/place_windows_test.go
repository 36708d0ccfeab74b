package comeback

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows/registry"
)

// place is one below a folder of the test's; its entry is the real RunOnce.
func place(t *testing.T) (p Place, home string) {
	t.Helper()
	home, err := os.MkdirTemp("", "comeback")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // os.RemoveAll, and so t.TempDir, removes no folder under Wine 8
		paths := strings.Split(strings.TrimSpace(list(t, home)), "\n")
		for _, path := range slices.Backward(paths) {
			_ = os.Remove(path)
		}
	})
	t.Setenv("LocalAppData", home)
	p, err = Here()
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(home, "Mainforte", "return"); p.file != want {
		t.Errorf("the file is %s, want %s", p.file, want)
	}
	t.Cleanup(func() {
		if err := p.entry.remove(); err != nil {
			t.Error(err)
		}
	})
	return p, home
}

func runOnce(t *testing.T, p Place) string {
	t.Helper()
	k, err := registry.OpenKey(registry.CURRENT_USER, `Software\Microsoft\Windows\CurrentVersion\RunOnce`, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	v, _, err := k.GetStringValue(p.entry.name)
	if err != nil && !errors.Is(err, registry.ErrNotExist) {
		t.Fatal(err)
	}
	return v
}

func entryStands(t *testing.T, p Place) bool { return runOnce(t, p) != "" }

func TestWindowsStartsWhatTheEntryNames(t *testing.T) {
	p, _ := place(t)
	kept(t, p, "a secret that is long enough to be found")
	self := command(t)[0]
	if got, want := runOnce(t, p), `"`+self+`" --come-back`; got != want && got != strings.ReplaceAll(want, `""`, `"`) {
		t.Errorf("RunOnce holds %s, want %s", got, want)
	}
	b, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("a secret")) || bytes.Contains(b, []byte(magic)) {
		t.Error("the file is not sealed")
	}
}

// TestALongPathIsNotKept: Windows would cut the command.
func TestALongPathIsNotKept(t *testing.T) {
	p, home := place(t)
	dir := filepath.Join(home, strings.Repeat("d", 120), strings.Repeat("e", 120))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "host.exe")
	if err := os.WriteFile(program, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Open([]string{program, "--come-back"}, time.Now().Add(Life)); err == nil {
		t.Error("a command that is too long was written")
	}
	if entryStands(t, p) {
		t.Error("and it stands")
	}
}
