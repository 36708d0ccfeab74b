//go:build prove

package tls

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestProveTestsslFindsNothing: no finding above INFO.
func TestProveTestsslFindsNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	dir := t.TempDir()
	program, err := stage.BuildServer(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	keys, found := filepath.Join(dir, "keys"), filepath.Join(dir, "found.json")
	if out, err := exec.CommandContext(ctx, program, "certs", "dev", "--out", keys).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	addr, err := stage.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	server := exec.CommandContext(ctx, program, "serve", "--listen", addr, "--data", filepath.Join(dir, "data"),
		"--public-host", "localhost", "--turn-listen", "127.0.0.1:0", "--cert", filepath.Join(keys, "cert.pem"), "--key", filepath.Join(keys, "key.pem"))
	var said stage.Tail
	server.Stdout, server.Stderr = &said, &said
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}) // only whether it is there
		if err == nil {
			conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v\n%s", err, &said)
		}
	}
	// It exits with the number of findings, of whatever weight.
	out, err := exec.CommandContext(ctx, "testssl", "-U", "--quiet", "--color", "0", "--warnings", "off",
		"--add-ca", filepath.Join(keys, "ca.pem"), "--jsonfile", found, "localhost:"+port).CombinedOutput()
	t.Logf("testssl: %v\n%s", err, out)
	text, err := os.ReadFile(found)
	if err != nil {
		t.Fatalf("%v: is testssl.sh installed?", err)
	}
	var findings []struct{ ID, Severity, Finding string }
	if err := json.Unmarshal(text, &findings); err != nil {
		t.Fatal(err)
	}
	looked := map[string]bool{}
	for _, f := range findings {
		looked[f.ID] = true
		// What the scanner's own OpenSSL lacks is no finding about the server.
		if f.Severity != "OK" && f.Severity != "INFO" && f.ID != "engine_problem" {
			t.Errorf("%s %s: %s", f.ID, f.Severity, f.Finding)
		}
	}
	for _, id := range []string{"heartbleed", "ROBOT", "secure_renego", "POODLE_SSL", "SWEET32", "LOGJAM", "BEAST", "RC4"} {
		if !looked[id] {
			t.Errorf("testssl did not look for %s", id)
		}
	}
}
