// Package wintest runs a test's own binary once more as another program: what Windows
// does between two programs takes two.
package wintest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// patience is what a program that was told to end is given.
const patience = time.Second

// other is what the other program has in its environment.
const other = "MAINFORTE_TEST_OTHER_PROGRAM"

// Other tells TestMain whether this process is the other program, and what it was
// given; that is never empty.
func Other() (given string, is bool) { return os.LookupEnv(other) }

// Program is another program, as a test speaks with it.
type Program struct {
	In  io.Writer     // its standard input: it ends with that
	Out *bufio.Reader // what it prints
}

// Start starts it; it ends with the test, by force if it does not end by itself.
func Start(t *testing.T, given string) *Program {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), other+"="+given)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() }) // it may hang, as it was told
		defer late.Stop()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	return &Program{In: in, Out: bufio.NewReader(out)}
}
