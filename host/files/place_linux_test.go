package files

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// asNobody makes the rest of a test act on files as somebody who may not write
// everywhere, if it runs as root.
func asNobody(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	const nobody = 65534
	runtime.LockOSThread() // it is the thread's; one that is left locked ends with its goroutine
	if _, err := unix.SetfsuidRetUid(nobody); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := unix.SetfsuidRetUid(0); err != nil {
			t.Error(err)
		}
		runtime.UnlockOSThread()
	})
}

func TestAFolderThatCannotBeWrittenInIsSaid(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	in := open(t, dir, Entry{Path: []string{"a"}, Size: 1})
	asNobody(t)
	if err := in.Write(0, 0, []byte("1")); !errors.Is(err, ErrFolder) {
		t.Errorf("wrote: %v", err)
	}
}

// TestThePersonsDownloadFolder: XDG's folders, which other systems do not have.
func TestThePersonsDownloadFolder(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	if got := Downloads(); got != home {
		t.Errorf("%q, want the home folder", got)
	}
	for _, dir := range []string{".config", "Downloads", "Téléchargements"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got := Downloads(); got != filepath.Join(home, "Downloads") {
		t.Errorf("%q, want Downloads", got)
	}
	line := "# comment\nXDG_DESKTOP_DIR=\"$HOME/Bureau\"\nXDG_DOWNLOAD_DIR=\"$HOME/Téléchargements\"\n"
	if err := os.WriteFile(filepath.Join(home, ".config/user-dirs.dirs"), []byte(line), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := Downloads(); got != filepath.Join(home, "Téléchargements") {
		t.Errorf("%q, want Téléchargements", got)
	}
}
