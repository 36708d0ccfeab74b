package wine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Desktop is the prefix's desktop on an X server of Width x Height pixels.
type Desktop struct {
	prefix  *Prefix
	display string
	eye     string // the program that looks at windows

	mu      sync.Mutex
	looking *look // the one that runs, or nil
}

// look is an eye that runs: it answers each line with one.
type look struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Desktop opens the desktop on an X display. eye is the program of that name,
// compiled.
func (p *Prefix) Desktop(ctx context.Context, display, eye string) (*Desktop, error) {
	d := &Desktop{prefix: p, display: display, eye: eye}
	// Wine closes a desktop that nobody uses, so one program stays on it. Nobody
	// who may have to open it has streams: the processes behind a desktop would
	// hold them open.
	keeper := d.Command(context.WithoutCancel(ctx), d.eye, "stay")
	if err := keeper.Start(); err != nil {
		return nil, fmt.Errorf("wine: open the desktop: %w", err)
	}
	go func() { _ = keeper.Wait() }() // until Close ends it
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		err := d.Command(ctx, d.eye, "stays").Run()
		if err == nil {
			return d, nil
		}
		if ctx.Err() != nil {
			return nil, errors.Join(fmt.Errorf("wine: the desktop does not open: %w", err), d.Close())
		}
	}
}

// Close ends every program on the desktop.
func (d *Desktop) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.blind()
	return d.prefix.stop(ctx)
}

// Command is a Windows program, to be run on the desktop. file is its path on
// this machine, or the name of one of Wine's own such as "notepad".
func (d *Desktop) Command(ctx context.Context, file string, args ...string) *exec.Cmd {
	return d.prefix.command(ctx, d.display, "wine", append([]string{file}, args...)...)
}

// Program is a Windows program that runs.
type Program struct {
	Cmd  *exec.Cmd
	done chan struct{}
	err  error // valid once done is closed

	mu  sync.Mutex
	out bytes.Buffer
}

// Write implements io.Writer: it takes the program's output.
func (p *Program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

// Output is what the program wrote so far.
func (p *Program) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// Exited is closed when the program has ended; Err then says how.
func (p *Program) Exited() <-chan struct{} { return p.done }

// Err is how it ended, once Exited is closed.
func (p *Program) Err() error { return p.err }

// Kill ends the program and waits for it.
func (p *Program) Kill() {
	_ = p.Cmd.Process.Kill()
	<-p.done
}

// Start runs a program. Its standard input is open and empty.
func (d *Desktop) Start(ctx context.Context, file string, args ...string) (*Program, error) {
	p := &Program{Cmd: d.Command(ctx, file, args...), done: make(chan struct{})}
	p.Cmd.Stdout, p.Cmd.Stderr = p, p
	in, err := p.Cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("wine: %w", err)
	}
	if err := p.Cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("wine: start %s: %w", file, err), in.Close())
	}
	go func() {
		defer close(p.done)
		p.err = p.Cmd.Wait()
	}()
	return p, nil
}

var _ io.Writer = (*Program)(nil)

// Control is a native window, or a control within one, as its own program knows it.
type Control struct {
	Handle     uint64
	Process    uint32
	Class      string // such as Static, Button, Edit
	Text       string // by WM_GETTEXT
	Bounds     image.Rectangle
	Enabled    bool
	Foreground bool // its program has the keyboard
	Controls   []Control
}

// Windows are the visible windows on the desktop, with their visible controls,
// the one above all others first.
func (d *Desktop) Windows(ctx context.Context) ([]Control, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	line, err := d.ask(ctx)
	if err != nil {
		return nil, fmt.Errorf("wine: look at the windows: %w", err)
	}
	var all []Control
	if err := json.Unmarshal(line, &all); err != nil {
		return nil, fmt.Errorf("wine: look at the windows: %w in %q", err, line)
	}
	return all, nil
}

// ask gets one answer of the eye, which is started when it does not run yet.
func (d *Desktop) ask(ctx context.Context) ([]byte, error) {
	if d.looking == nil {
		cmd := d.Command(context.WithoutCancel(ctx), d.eye)
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		d.looking = &look{cmd: cmd, in: in, out: bufio.NewReader(out)}
	}
	l := d.looking
	defer context.AfterFunc(ctx, func() { _ = l.cmd.Process.Kill() })() // a read then ends
	_, err := l.in.Write([]byte("\n"))
	var line []byte
	if err == nil {
		line, err = l.out.ReadBytes('\n')
	}
	if err != nil {
		d.blind()
		return nil, errors.Join(err, ctx.Err())
	}
	return line, nil
}

// blind ends the eye.
func (d *Desktop) blind() {
	if l := d.looking; l != nil {
		d.looking = nil
		_ = l.in.Close()
		_ = l.cmd.Process.Kill()
		_ = l.cmd.Wait()
	}
}

// Find returns the first window or control that fits, looking into each before
// the next one.
func Find(all []Control, fits func(Control) bool) (Control, bool) {
	for _, c := range all {
		if fits(c) {
			return c, true
		}
		if within, ok := Find(c.Controls, fits); ok {
			return within, true
		}
	}
	return Control{}, false
}

// Plain is a button's text as a person reads it: without the sign that
// underlines a letter.
func Plain(text string) string {
	const and = "\x00"
	return strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(text, "&&", and), "&", ""), and, "&")
}
