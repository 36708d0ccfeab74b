package bundle

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// plainLines are the shell lines of a HOWTO that need no program of ours.
func plainLines(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	must(t, err)
	var lines []string
	for l := range strings.Lines(string(text)) {
		if cmd, ok := strings.CutPrefix(l, "    "); ok && !strings.Contains(cmd, "mainforte-signaling") {
			lines = append(lines, cmd)
		}
	}
	if len(lines) != 5 {
		t.Fatalf("%s has %d lines of shell, want 5", name, len(lines))
	}
	return strings.Join(lines, "")
}

// The five lines of each HOWTO, as they stand there, with openssl and no program
// of ours: they agree, and they see a change.
func TestTheFiveLinesOfOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatalf("the package openssl is needed: %v", err)
	}
	for _, size := range []int{40, 300} {
		l, _, _ := filled(t, size)
		for _, name := range howtoFiles {
			dir := write(t, l, Options{Personal: true})
			script := plainLines(t, dir, name)
			sh := func() (string, error) {
				c := exec.Command("bash", "-e", "-o", "pipefail", "-c", script)
				c.Dir = dir
				var errs bytes.Buffer
				c.Stderr = &errs
				out, err := c.Output()
				return string(out) + errs.String(), err
			}
			out, err := sh()
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if err != nil || len(lines) != 4 || lines[0] != "Signature Verified Successfully" || lines[2] != lines[3] {
				t.Fatalf("%s: %v: %s", name, err, out)
			}
			key, err := base64.StdEncoding.DecodeString(lines[1])
			whole, err2 := base64.StdEncoding.DecodeString(strings.SplitN(l.VerifierKey(), "+", 3)[2])
			if err != nil || err2 != nil || !bytes.Equal(key, whole[1:]) {
				t.Errorf("%s: the key is shown as %s", name, lines[1])
			}
			path := filepath.Join(dir, checkpointFile)
			good, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, bytes.Replace(good, []byte("\n"), []byte("\n1"), 1), 0o600))
			if out, err := sh(); err == nil || strings.Contains(out, "Verified Successfully") {
				t.Errorf("%s: a changed checkpoint passes: %s", name, out)
			}
		}
	}
}
