//go:build linux

package ui

import (
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"time"
)

//go:embed all:window/bin
var windowProgram embed.FS

// windowFile is the window child, gzipped, as `task build` leaves it.
const windowFile = "window/bin/window.gz"

// WindowBuilt tells whether the window child is embedded.
func WindowBuilt() bool {
	_, err := fs.Stat(windowProgram, windowFile)
	return err == nil
}

// startTime is how long the child may take to open its window.
const startTime = 8 * time.Second

// Child is the window, run as a child process that speaks the JSON form.
type Child struct {
	*JSON
	cmd      *exec.Cmd
	stdin    io.WriteCloser
	commands chan Command
	done     chan struct{}
}

// OpenWindow starts the window child in the language lang. The error wraps
// ErrNoWindow when a library, a display or the embedded program is missing, and is
// ErrAlready when a window of ours was there already.
func OpenWindow(lang string) (*Child, error) {
	f, err := windowExecutable()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoWindow, err)
	}
	defer f.Close()
	// The kernel's own name of the open file: nothing is left on the disk.
	cmd := exec.Command(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	cmd.Args = []string{"mainforte-window"}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoWindow, err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoWindow, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoWindow, err)
	}
	c := &Child{JSON: NewJSON(stdout, stdin), cmd: cmd, stdin: stdin, commands: make(chan Command, 16), done: make(chan struct{})}
	c.Show(Event{Name: "hello", Lang: lang})
	// Its first command names its window: before that, a missing library or
	// display would go unnoticed and the person would look at nothing.
	select {
	case first, ok := <-c.JSON.Commands():
		if !ok {
			err := cmd.Wait()
			return nil, fmt.Errorf("%w: %w", ErrNoWindow, errors.Join(err, errors.New("it ended at once")))
		}
		if first.Do == Already {
			_ = cmd.Wait() // it has said all
			return nil, ErrAlready
		}
		c.commands <- first
	case <-time.After(startTime):
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("%w: it did not open in %v", ErrNoWindow, startTime)
	}
	go c.forward()
	Rest() // the window's program was unpacked
	return c, nil
}

func (c *Child) forward() {
	defer close(c.done)
	defer close(c.commands)
	for cmd := range c.JSON.Commands() {
		c.commands <- cmd
	}
}

// Commands is closed when the person closes the window.
func (c *Child) Commands() <-chan Command { return c.commands }

// Close ends the child and waits for it.
func (c *Child) Close() error {
	_ = c.JSON.Close()
	_ = c.stdin.Close() // the child ends with its input
	timer := time.AfterFunc(2*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer timer.Stop()
	for {
		select {
		case <-c.commands: // it may be waiting to be heard
		case <-c.done:
			return c.wait()
		}
	}
}

func (c *Child) wait() error {
	var exit *exec.ExitError
	if err := c.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("ui: end the window: %w", err)
	}
	return nil
}

// unpack writes the window program to w.
func unpack(w io.Writer) error {
	z, err := windowProgram.Open(windowFile)
	if err != nil {
		return fmt.Errorf("the window is not built in: %w", err)
	}
	defer z.Close()
	r, err := gzip.NewReader(z)
	if err != nil {
		return fmt.Errorf("the built-in window: %w", err)
	}
	if _, err := io.Copy(w, r); err != nil {
		return fmt.Errorf("the built-in window: %w", err)
	}
	return nil
}

// seal makes f readable and executable by its owner alone.
func seal(f *os.File) error { return f.Chmod(0o700) }
