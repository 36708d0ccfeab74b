// Package capturetest holds what tests of the screen need: [Xvfb] starts a
// private X server that ends with the test, and [Command] runs X programs on it.
package capturetest

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a private X server that belongs to one test.
type Server struct {
	// Display is its name, such as ":17", for DISPLAY and for OpenX11.
	Display string

	cmd    *exec.Cmd
	exited chan struct{} // closed after Wait has returned
	log    *bytes.Buffer // may be read once exited is closed
}

// Xvfb starts a private X server with one screen of width x height pixels, 24
// bits deep, and returns its display name. The server picks a free display
// number itself, so tests may run side by side; it ends with the test. Further
// args are given to Xvfb as they are. Where Xvfb is not installed the test is
// skipped, unless MAINFORTE_NEED_XVFB is set: then it fails.
func Xvfb(t testing.TB, width, height int, args ...string) (display string) {
	t.Helper()
	return Start(t, width, height, args...).Display
}

// Start is Xvfb for tests that also end the server in the middle.
func Start(t testing.TB, width, height int, args ...string) *Server {
	t.Helper()
	path, err := exec.LookPath("Xvfb")
	if err != nil {
		if os.Getenv("MAINFORTE_NEED_XVFB") != "" {
			t.Fatalf("Xvfb is needed: %v", err)
		}
		t.Skipf("needs a real X server: install the package xvfb (%v)", err)
	}
	number, numberIn, err := os.Pipe()
	if err != nil {
		t.Fatalf("make a pipe for the display number: %v", err)
	}
	defer number.Close()
	argv := append([]string{
		"-displayfd", "3", "-nolisten", "tcp", "-noreset",
		"-screen", "0", fmt.Sprintf("%dx%dx24", width, height),
	}, args...)
	s := &Server{cmd: exec.Command(path, argv...), exited: make(chan struct{}), log: new(bytes.Buffer)}
	s.cmd.ExtraFiles = []*os.File{numberIn}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.SysProcAttr = dieWithParent()
	err = s.cmd.Start()
	numberIn.Close()
	if err != nil {
		t.Fatalf("start Xvfb: %v", err)
	}
	go func() {
		_ = s.cmd.Wait() // the exit state of a killed server says nothing
		close(s.exited)
	}()
	t.Cleanup(s.Kill)

	// Xvfb writes the number when it is ready for connections.
	if err := number.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatalf("limit the wait for Xvfb: %v", err)
	}
	line, err := bufio.NewReader(number).ReadString('\n')
	if err != nil {
		s.Kill()
		t.Fatalf("Xvfb did not start: %v (%s)", err, strings.TrimSpace(s.log.String()))
	}
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("Xvfb named no display: %q", line)
	}
	s.Display = ":" + strconv.Itoa(n)
	return s
}

// Kill ends the server under its clients and waits until it is gone.
func (s *Server) Kill() {
	select {
	case <-s.exited:
		return
	default:
	}
	// SIGTERM first: Xvfb then removes its lock file and its socket.
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(5 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}

// PID is the process id of the server.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Command is [Command] on this server.
func (s *Server) Command(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	return Command(t, s.Display, name, args...)
}

// Command runs one X program on a display and fails the test when it fails. It
// returns what the program wrote to its standard output.
func Command(t testing.TB, display, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+display)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, errs.String())
	}
	return out.Bytes()
}
