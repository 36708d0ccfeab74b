//go:build prove

package picture_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestProveTheViewerShowsTheDesktop looks for 10 minutes for a script that makes
// a viewer's picture differ from the desktop. MAINFORTE_FUZZ is another time, as
// 30m. What the fuzzer finds it leaves in testdata/fuzz: keep it.
func TestProveTheViewerShowsTheDesktop(t *testing.T) {
	long := os.Getenv("MAINFORTE_FUZZ")
	if long == "" {
		long = "10m"
	}
	out, err := exec.CommandContext(t.Context(), "go", "test", "-run", "^$",
		"-fuzz", "^FuzzViewerShowsTheDesktop$", "-fuzztime", long, "-parallel", "1", ".").CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	t.Log(strings.Join(lines[max(0, len(lines)-12):], "\n"))
	if err != nil {
		t.Fatal(err)
	}
}
