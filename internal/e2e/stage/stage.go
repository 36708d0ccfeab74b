// Package stage sets the whole system up as it runs in the world: the real
// server program, the real host program on a real X server with a small
// desktop, and a real browser. The end-to-end tests, the benchmarks and
// `task up` stand on it.
//
// Everything started here dies with its context or its Stop, and with this
// process whatever happens (parent-death signal).
package stage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mainforte/mainforte/host/ui"
)

// Process is one program of the stage. Its output is kept.
type Process struct {
	Name string
	Cmd  *exec.Cmd
	Out  *Tail

	exited chan struct{}
	err    error // valid once exited is closed
}

// Tail keeps the last bytes written to it.
type Tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

const tailSize = 1 << 20

func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.b.Len() > tailSize {
		t.b.Next(t.b.Len() - tailSize/2)
	}
	return t.b.Write(p)
}

func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// starter runs what it is sent on one thread, for as long as this process lives.
// Pdeathsig kills a program when the thread that started it ends, not only when
// the process does (golang/go#27505), and threads end: those that were in
// another network namespace, for one.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

func onStarter(f func() error) error {
	done := make(chan error, 1)
	starter() <- func() { done <- f() }
	return <-done
}

// start runs a program; its output goes to Out, and to tee when that is not nil.
func start(name string, cmd *exec.Cmd, tee io.Writer) (*Process, error) {
	p := &Process{Name: name, Cmd: cmd, Out: &Tail{}, exited: make(chan struct{})}
	var out io.Writer = p.Out
	if tee != nil {
		out = io.MultiWriter(p.Out, tee)
	}
	if cmd.Stdout == nil {
		cmd.Stdout = out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = out
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := onStarter(cmd.Start); err != nil {
		return nil, fmt.Errorf("stage: start %s: %w", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// Exited is closed when the program has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Stop asks the program to end, and ends it when it does not within 5 s. It
// returns how the program ended; killed by our own signal is no error.
func (p *Process) Stop() error {
	select {
	case <-p.exited:
		return p.result()
	default:
	}
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(5 * time.Second):
		p.Kill()
		return fmt.Errorf("stage: %s did not end in 5 s", p.Name)
	}
	return p.result()
}

func (p *Process) result() error {
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGTERM {
			return nil
		}
	}
	return p.err
}

// Kill ends the program and its children at once, without a chance to tidy up.
func (p *Process) Kill() {
	_ = syscall.Kill(-p.Cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
}

// Programs are the files to run.
type Programs struct{ Host, Signaling string }

// Build compiles host and server into dir, as `task build` does but faster.
func Build(ctx context.Context, dir string) (Programs, error) {
	root, err := Root(ctx)
	if err != nil {
		return Programs{}, err
	}
	p := Programs{Host: filepath.Join(dir, "mainforte-host")}
	host := exec.CommandContext(ctx, "go", "build", "-tags", "netgo,osusergo",
		"-ldflags", "-linkmode external -extldflags -static", "-o", p.Host, "./host")
	host.Env = append(os.Environ(), "CGO_ENABLED=1") // libvpx
	host.Dir = root
	if out, err := host.CombinedOutput(); err != nil {
		return p, fmt.Errorf("stage: %s: %w\n%s", strings.Join(host.Args, " "), err, out)
	}
	p.Signaling, err = BuildServer(ctx, dir)
	return p, err
}

// BuildServer compiles the server alone.
func BuildServer(ctx context.Context, dir string) (file string, err error) {
	root, err := Root(ctx)
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, "mainforte-signaling")
	server := exec.CommandContext(ctx, "go", "build", "-o", file, "./signaling")
	server.Env = append(os.Environ(), "CGO_ENABLED=0")
	server.Dir = root
	if out, err := server.CombinedOutput(); err != nil {
		return "", fmt.Errorf("stage: %s: %w\n%s", strings.Join(server.Args, " "), err, out)
	}
	return file, nil
}

// Langs are the languages in which a test walks through what people see: the one
// that it is given, or both where MAINFORTE_LANGS is "both", as in `task prove`. That
// every text stands in both has tests of its own.
func Langs(one string) []string {
	if os.Getenv("MAINFORTE_LANGS") == "both" {
		return []string{"en", "fr"}
	}
	return []string{one}
}

// Root is the folder of the module.
func Root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/mainforte/mainforte").Output()
	if err != nil {
		return "", fmt.Errorf("stage: find the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Server is the running server program.
type Server struct {
	*Process
	URL  string // http://127.0.0.1:PORT
	Addr string // 127.0.0.1:PORT
	Data string

	file string
}

// FreeAddr is a loopback address that was free a moment ago.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("stage: find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// StartServer runs the server on addr with its data in data and waits until it
// is ready. A session waits 30 s for a side that is lost, unless args say otherwise.
func StartServer(ctx context.Context, file, addr, data string, args ...string) (*Server, error) {
	argv := append([]string{"serve", "--listen", addr, "--data", data, "--grace", "30s"}, args...)
	p, err := start("the server", exec.CommandContext(ctx, file, argv...), nil)
	if err != nil {
		return nil, err
	}
	s := &Server{Process: p, URL: "http://" + addr, Addr: addr, Data: data, file: file}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get(s.URL + "/healthz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return s, nil
			}
		}
		select {
		case <-p.exited:
			return nil, fmt.Errorf("stage: the server ended: %v\n%s", p.err, p.Out)
		default:
		}
		if time.Now().After(deadline) {
			p.Kill()
			return nil, fmt.Errorf("stage: the server is not ready\n%s", p.Out)
		}
	}
}

// Link prints a one-time sign-in link for a role, as an administrator would.
func (s *Server) Link(ctx context.Context, role string) (string, error) {
	out, err := exec.CommandContext(ctx, s.file, "admin", "link", "--data", s.Data, "--role", role, "--base", s.URL).Output()
	if err != nil {
		return "", fmt.Errorf("stage: make a sign-in link: %w", err)
	}
	for word := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(word, "http") {
			return word, nil
		}
	}
	return "", fmt.Errorf("stage: no link in %q", out)
}

// Host is the host program on a display, spoken to as --console=json.
type Host struct {
	*Process
	Started time.Time

	in     io.WriteCloser
	mu     sync.Mutex
	events []ui.Event
	fresh  chan struct{} // closed and renewed at each event
}

// StartHost runs the host on a display against a server. Where the server is not
// on this computer the person says that they called it, as soon as that counts.
func StartHost(ctx context.Context, file, display, server, lang string, args ...string) (*Host, error) {
	return RunHost(ctx, display, append([]string{file, "--server", server, "--lang", lang, "--console=json"}, args...)...)
}

// RunHost runs a host by a whole command line, which must make it speak JSON.
func RunHost(ctx context.Context, display string, argv ...string) (*Host, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "DISPLAY="+display)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("stage: host: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("stage: host: %w", err)
	}
	cmd.Stdout = w
	h := &Host{in: in, Started: time.Now(), fresh: make(chan struct{})}
	h.Process, err = start("the host", cmd, nil)
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	go h.read(r)
	return h, nil
}

func (h *Host) read(r *os.File) {
	defer r.Close()
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		var e ui.Event
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			fmt.Fprintf(h.Out, "not JSON: %s\n", sc.Bytes())
			continue
		}
		if e.Name == "hello" && e.Unknown {
			time.AfterFunc(ui.ContactTime+100*time.Millisecond, func() { _ = h.Say(ui.Command{Do: "called"}) })
		}
		h.mu.Lock()
		h.events = append(h.events, e)
		close(h.fresh)
		h.fresh = make(chan struct{})
		h.mu.Unlock()
	}
}

// Events are all events so far.
func (h *Host) Events() []ui.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]ui.Event(nil), h.events...)
}

// Await returns the first event, from the one numbered from on, that match
// accepts, and the number of the one after it.
func (h *Host) Await(ctx context.Context, from int, match func(ui.Event) bool) (ui.Event, int, error) {
	for {
		h.mu.Lock()
		fresh := h.fresh
		for i := from; i < len(h.events); i++ {
			if match(h.events[i]) {
				e := h.events[i]
				h.mu.Unlock()
				return e, i + 1, nil
			}
		}
		from = max(from, len(h.events))
		h.mu.Unlock()
		select {
		case <-fresh:
		case <-h.exited:
			// What it said last may still be on its way.
			select {
			case <-fresh:
			case <-time.After(200 * time.Millisecond):
				return ui.Event{}, from, fmt.Errorf("stage: the host ended: %v\n%s", h.err, h.Out)
			}
		case <-ctx.Done():
			return ui.Event{}, from, fmt.Errorf("stage: the host did not say it in time; it said %s\n%s", names(h.Events()), h.Out)
		}
	}
}

// Named matches events by name.
func Named(name string) func(ui.Event) bool {
	return func(e ui.Event) bool { return e.Name == name }
}

func names(events []ui.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, " %s", e.Name)
		if e.Text != "" {
			fmt.Fprintf(&b, "(%s)", e.Text)
		}
	}
	return b.String()
}

// Say sends one command, as the person's window would.
func (h *Host) Say(c ui.Command) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if _, err := h.in.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("stage: speak to the host: %w", err)
	}
	return nil
}

// Desktop is a private X server with a window manager.
type Desktop struct {
	Display string
	procs   []*Process
}

// Display numbers of StartDesktop. The X server would find a free one by itself,
// but only among those of its own network namespace, while the socket files and
// locks in /tmp belong to all of them: two would take the same. With a number it
// is told, it respects the lock. The low ones are left to whoever lets it choose.
const firstDisplay, displays = 100, 800

// StartDesktop starts Xvfb with a screen of width × height pixels and openbox,
// with openbox's further arguments.
func StartDesktop(ctx context.Context, width, height int, openbox ...string) (*Desktop, error) {
	var d *Desktop
	var err error
	for range 20 {
		if d, err = startX(ctx, firstDisplay+rand.IntN(displays), width, height); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if _, err := d.Run(ctx, "openbox", append([]string{"--sm-disable"}, openbox...)...); err != nil {
		d.Stop()
		return nil, err
	}
	return d, nil
}

// startX starts Xvfb under a number; it fails if that is taken.
func startX(ctx context.Context, number, width, height int) (*Desktop, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("stage: desktop: %w", err)
	}
	defer r.Close()
	display := ":" + strconv.Itoa(number)
	cmd := exec.CommandContext(ctx, "Xvfb", display, "-displayfd", "3", "-nolisten", "tcp", "-noreset",
		"-screen", "0", fmt.Sprintf("%dx%dx24", width, height))
	cmd.ExtraFiles = []*os.File{w}
	p, err := start("Xvfb", cmd, nil)
	w.Close()
	if err != nil {
		return nil, err
	}
	d := &Desktop{procs: []*Process{p}, Display: display}
	_ = r.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil { // it says so when it is ready
		d.Stop()
		return nil, fmt.Errorf("stage: Xvfb did not start: %w\n%s", err, p.Out)
	}
	return d, nil
}

// Run starts a program on the desktop; it ends with the desktop.
func (d *Desktop) Run(ctx context.Context, name string, args ...string) (*Process, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	// A desktop speaks UTF-8, also where the machine's own language is not set.
	cmd.Env = append(os.Environ(), "DISPLAY="+d.Display, "LC_ALL=C.UTF-8")
	p, err := start(name, cmd, nil)
	if err != nil {
		return nil, err
	}
	d.procs = append(d.procs, p)
	return p, nil
}

// Output runs a program on the desktop to its end.
func (d *Desktop) Output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+d.Display)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return out, fmt.Errorf("stage: %s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(exit.Stderr))
	}
	if err != nil {
		return out, fmt.Errorf("stage: %s %s: %w", name, strings.Join(args, " "), err)
	}
	return out, nil
}

// XServer is the X server itself.
func (d *Desktop) XServer() *Process { return d.procs[0] }

// Stop ends everything on the desktop, the X server last.
func (d *Desktop) Stop() {
	for i := len(d.procs) - 1; i >= 0; i-- {
		_ = d.procs[i].Stop()
	}
}
