//go:build prove

package bundle

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A thousand changes of an export of 100,000 events: each is found and named.
func TestProveTamperingWithALargeExport(t *testing.T) {
	l, first, _ := filled(t, 100_000)
	dir := write(t, l, Options{Personal: true})
	start := time.Now()
	tampering(t, dir, 1000, l.VerifierKey(), first)
	t.Logf("1,000 changes of an export of 100,000 events in %v", time.Since(start).Round(time.Second))
}

// fsck of transparency-dev/tessera shares no code with ours. It exits 0 also on
// failure and hangs on a corrupt bundle without -N, so its words decide, within
// a time.
func TestProveAnIndependentVerifierAgrees(t *testing.T) {
	bin := t.TempDir()
	c := exec.Command("go", "install", "github.com/transparency-dev/tessera/cmd/fsck@v1.0.4")
	c.Dir = bin // outside this module
	c.Env = append(c.Environ(), "GOBIN="+bin, "GOFLAGS=-mod=mod")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("fsck cannot be built: %v: %s", err, out)
	}
	l, first, _ := filled(t, 20_000)
	dir := write(t, l, Options{Personal: true})
	fsck := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		key := filepath.Join(bin, "key")
		must(t, os.WriteFile(key, []byte(l.VerifierKey()), 0o600))
		c := exec.CommandContext(ctx, filepath.Join(bin, "fsck"), "-N", "4", "-ui=false", "-v", "1", "-logtostderr",
			"--storage_url", "file://"+dir+"/", "--public_key", key)
		r, w := io.Pipe()
		c.Stderr = w
		found := make(chan bool, 1)
		go func() {
			b, _ := io.ReadAll(r)
			found <- strings.Contains(string(b), "Successfully fsck'd")
		}()
		err := c.Run()
		must(t, w.Close())
		ok := <-found
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return false
		}
		return ok && err == nil
	}
	if !fsck() {
		t.Fatal("fsck does not accept the export")
	}
	m := newTamperer(t, dir)
	// Only what fsck looks at; of the checkpoint and the tiles.
	m.kinds = append(m.kinds[7:], m.kinds[1])
	for range 20 {
		what, _, restore := m.change()
		r := check(t, dir, Trust{Key: first})
		if f := fsck(); f || r.OK() {
			t.Errorf("%s: fsck accepts: %v, we: %v", what, f, r.OK())
		}
		restore()
	}
	if !fsck() {
		t.Error("put back, it is not accepted")
	}
}
