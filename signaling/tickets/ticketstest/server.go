package ticketstest

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// server is a real desk's process.
type server struct {
	cmd   *exec.Cmd
	log   string // file
	ended chan struct{}
}

// launch starts cmd with its output in a file.
func launch(cmd *exec.Cmd, log string) (*server, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = out, out
	// It goes with the test, also with one that was killed. The signal comes when
	// the starting thread ends, so that thread waits.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s := &server{cmd, log, make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		_ = out.Close()
		close(s.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return s, nil
}

// ready waits until req is answered with 200; such a server has no other way to
// say so.
func (s *server) ready(req *http.Request) error {
	limit := time.After(3 * time.Minute)
	for {
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the desk ended at once:\n%s", s.tail())
		case <-limit:
			return fmt.Errorf("the desk does not answer:\n%s", s.tail())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *server) tail() []byte {
	b, _ := os.ReadFile(s.log)
	return b[max(0, len(b)-4000):]
}

func (s *server) stop() {
	if s != nil {
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
