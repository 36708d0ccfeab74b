package shape

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Line stands between this process's namespace and one of its own.
type Line struct {
	// Seed is that of the losses: the same seed and the same packets lose the same.
	Seed uint64
	// Near and Far are the addresses of this side and of the other one.
	Near, Far string

	space    *os.File // the namespace
	ends     [2]*os.File
	in, out  *way // to the other side, and back
	running  sync.WaitGroup
	mu       sync.Mutex
	relays   []net.Listener
	relaying sync.WaitGroup
	conns    map[net.Conn]struct{} // nil once closed
}

// Open makes a namespace and a perfect line to it. Losses are drawn from seed.
func Open(seed uint64) (*Line, error) {
	l := &Line{Seed: seed, conns: map[net.Conn]struct{}{}}
	// Several lines of one machine must not share addresses.
	a, b := 64+rand.IntN(128), rand.IntN(256)
	l.Near, l.Far = fmt.Sprintf("10.%d.%d.1", a, b), fmt.Sprintf("10.%d.%d.2", a, b)
	if err := l.open(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.in = newWay(l.ends[0], l.ends[1], rand.New(rand.NewPCG(seed, 1)))
	l.out = newWay(l.ends[1], l.ends[0], rand.New(rand.NewPCG(seed, 2)))
	l.Set(Conditions{}, Conditions{})
	l.running.Go(l.in.run)
	l.running.Go(l.out.run)
	return l, nil
}

func (l *Line) open() (err error) {
	if l.space, err = newSpace(); err != nil {
		return err
	}
	name := ""
	if l.ends[0], name, err = openTUN(); err != nil {
		return err
	}
	// Without an IPv6 address of its own a device is silent until somebody speaks.
	for _, args := range [][]string{
		{"link", "set", name, "addrgenmode", "none"},
		{"addr", "add", l.Near, "peer", l.Far, "dev", name},
		{"link", "set", name, "up"},
	} {
		if err := run("ip", args...); err != nil {
			return err
		}
	}
	err = l.inside(func() (err error) {
		l.ends[1], name, err = openTUN()
		return err
	})
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "set", name, "addrgenmode", "none"},
		{"addr", "add", l.Far, "peer", l.Near, "dev", name},
		{"link", "set", name, "up"},
		{"route", "add", "default", "via", l.Near},
	} {
		if err := run("nsenter", append([]string{"--net=" + l.path(), "ip"}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// Set changes the line for packets that are sent from now on: in is towards the
// other side, out is from there.
func (l *Line) Set(in, out Conditions) {
	l.in.set(in)
	l.out.set(out)
}

// Both sets the same conditions both ways, with half of the round trip each.
func (l *Line) Both(rtt time.Duration, loss float64, rate int) {
	c := Conditions{Rate: rate, Delay: rtt / 2, Loss: loss}
	l.Set(c, c)
}

// Counts are what both directions have seen so far.
func (l *Line) Counts() (in, out Counts) { return l.in.count(), l.out.count() }

// Program makes a program in dir that runs file behind the line, with the
// arguments it is given, and returns its path.
func (l *Line) Program(dir, file string) (string, error) {
	path := filepath.Join(dir, "behind-"+filepath.Base(file))
	text := fmt.Sprintf("#!/bin/sh\nexec nsenter --net=%s -- '%s' \"$@\"\n", l.path(), file)
	return path, os.WriteFile(path, []byte(text), 0o755)
}

// Reach lets the other side reach by TCP what listens on a loopback address
// here: under the same address there, and over the line.
func (l *Line) Reach(addr string) error {
	near, err := net.Listen("tcp", net.JoinHostPort(l.Near, "0"))
	if err != nil {
		return fmt.Errorf("shape: %w", err)
	}
	l.relay(near, func() (net.Conn, error) { return net.Dial("tcp", addr) })
	var far net.Listener
	if err := l.inside(func() (err error) {
		far, err = net.Listen("tcp", addr)
		return err
	}); err != nil {
		return fmt.Errorf("shape: %w", err)
	}
	l.relay(far, func() (c net.Conn, err error) {
		err = l.inside(func() error { c, err = net.Dial("tcp", near.Addr().String()); return err })
		return c, err
	})
	return nil
}

// relay joins every connection that comes in to one that dial makes.
func (l *Line) relay(in net.Listener, dial func() (net.Conn, error)) {
	l.mu.Lock()
	l.relays = append(l.relays, in)
	l.mu.Unlock()
	l.relaying.Go(func() {
		for {
			a, err := in.Accept()
			if err != nil {
				return
			}
			l.relaying.Go(func() {
				defer a.Close()
				b, err := dial()
				if err != nil {
					return
				}
				defer b.Close()
				if !l.keep(a, b) {
					return
				}
				defer l.drop(a, b)
				var back sync.WaitGroup
				back.Go(func() { pour(a, b) })
				pour(b, a)
				back.Wait()
			})
		}
	})
}

// pour copies until from ends, and says so to the other side.
func pour(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if c, ok := to.(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
}

func (l *Line) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		if l.conns == nil {
			return false
		}
		l.conns[c] = struct{}{}
	}
	return true
}

func (l *Line) drop(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		delete(l.conns, c)
	}
}

// Close cuts the line. The programs behind it are the caller's to end.
func (l *Line) Close() error {
	l.mu.Lock()
	for _, r := range l.relays {
		r.Close()
	}
	for c := range l.conns {
		c.Close()
	}
	l.conns = nil
	l.mu.Unlock()
	l.relaying.Wait()
	var err error
	for _, f := range append(l.ends[:], l.space) {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	l.running.Wait()
	return err
}

// path is the namespace as another program finds it.
func (l *Line) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), l.space.Fd()) }

// inside runs f on a thread in the line's namespace.
func (l *Line) inside(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(l.space.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("shape: enter the namespace: %w", err)
		}
		return f()
	})
}

// newSpace makes a network namespace that lives as long as the file.
func newSpace() (space *os.File, err error) {
	err = onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("shape: make a namespace (this needs root): %w", err)
		}
		space, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	return space, err
}

// onThread runs f, which may move its thread to another namespace, and moves it
// back. The thread must not end: it may be the parent of programs that die with
// their parent (Pdeathsig), which Linux takes to be a thread.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			done <- fmt.Errorf("shape: %w", err)
			return
		}
		defer home.Close()
		err = f()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
			done <- errors.Join(err, fmt.Errorf("shape: leave the namespace: %w", back))
			select {} // for ever: nothing else may run here
		}
		runtime.UnlockOSThread()
		done <- err
	}()
	return <-done
}

// openTUN makes a device in the thread's namespace; it goes when it is closed.
func openTUN() (*os.File, string, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", fmt.Errorf("shape: /dev/net/tun: %w", err)
	}
	req, err := unix.NewIfreq("shape%d")
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, "", fmt.Errorf("shape: make a TUN device (this needs root): %w", err)
	}
	return os.NewFile(uintptr(fd), "tun"), req.Name(), nil
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("shape: %s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
