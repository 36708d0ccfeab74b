//go:build prove

package picture_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// proveTime is 10 minutes, or what MAINFORTE_FUZZ says.
func proveTime(t *testing.T) time.Duration {
	long := 10 * time.Minute
	if s := os.Getenv("MAINFORTE_FUZZ"); s != "" {
		var err error
		if long, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	return long
}

// TestProveTheViewerShowsTheDesktop looks by fuzzing for a script that makes a
// viewer's picture differ from the desktop. What is found is left in
// testdata/fuzz: keep it.
func TestProveTheViewerShowsTheDesktop(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "test", "-run", "^$", "-fuzz", "^FuzzViewerShowsTheDesktop$",
		"-fuzztime", proveTime(t).String(), "-parallel", "1", ".").CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	t.Log(strings.Join(lines[max(0, len(lines)-12):], "\n"))
	if err != nil {
		t.Fatal(err)
	}
}

// TestProveAnyScriptShowsTheDesktop plays long scripts of chance for as long: many
// more than the fuzzer can, which measures what each reaches.
func TestProveAnyScriptShowsTheDesktop(t *testing.T) {
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	n := uint64(0)
	for end := time.Now().Add(proveTime(t)); time.Now().Before(end) && !t.Failed(); n++ {
		rng := rand.New(rand.NewPCG(first+n, 1))
		script := make([]byte, 20+rng.IntN(200))
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		ok := t.Run(fmt.Sprintf("seed=%d", first+n), func(t *testing.T) { showsTheDesktop(t, first+n, script) })
		if !ok {
			t.Logf("the script: %x", script)
		}
	}
	t.Logf("%d scripts from seed %d on", n, first)
}
