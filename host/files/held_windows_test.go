package files

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// TestWhatAnotherProgramHasOpenLandsAllTheSame: what scans or shows new files holds
// them for a moment, so that they cannot be renamed. Of what is not whole nothing is
// said here: Wine 8 removes nothing by a handle of its folder, as os.Root does.
func TestWhatAnotherProgramHasOpenLandsAllTheSame(t *testing.T) {
	dir, err := os.MkdirTemp("", "held")
	if err != nil {
		t.Fatal(err)
	}
	part, whole := filepath.Join(dir, "a.txt.part"), filepath.Join(dir, "a.txt")
	defer func() {
		for _, name := range []string{whole, part, part + ":Zone.Identifier", dir} {
			_ = os.Remove(name)
		}
	}()
	content := []byte("what was sent")
	sum := sha256.Sum256(content)
	in, err := Open(dir, []Entry{{Path: []string{"a.txt"}, Size: int64(len(content))}})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := in.Write(0, 0, content); err != nil {
		t.Fatal(err)
	}
	name, err := windows.UTF16PtrFromString(part)
	if err != nil {
		t.Fatal(err)
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(part, part+"2"); err == nil {
		t.Fatal("a file that is open got another name: this test would prove nothing")
	}
	time.AfterFunc(200*time.Millisecond, func() { _ = windows.CloseHandle(h) })
	if _, err := in.Finish(0, sum[:]); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(whole); err != nil || string(got) != string(content) {
		t.Errorf("there landed %q, %v", got, err)
	}
}
