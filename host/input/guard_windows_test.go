package input_test

import (
	"bufio"
	"fmt"
	"image"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/winthread/wintest"
)

// TestMain is the other program as well: it shows two windows and waits. The second
// window belongs to the one that it was given, if any.
func TestMain(m *testing.M) {
	if _, is := wintest.Other(); is {
		every := func(string, string) (bool, error) { return true, nil }
		testing.Main(every, []testing.InternalTest{{Name: "windows", F: showWindows}}, nil, nil) // exits
	}
	os.Exit(m.Run())
}

// showWindows is the other program.
func showWindows(t *testing.T) {
	a := capturetest.NewWindow(t, image.Rect(0, 0, 150, 150), true)
	given, _ := wintest.Other()
	owner, err := strconv.ParseUint(given, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	b := capturetest.NewOwned(t, image.Rect(150, 0, 300, 150), false, windows.HWND(uintptr(owner)))
	fmt.Printf("windows %d %d\n", a.Handle, b.Handle)
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if order, ok := strings.CutPrefix(strings.TrimSpace(line), "do "); ok {
			obey(t, a, order)
			fmt.Println("done")
		} else if strings.TrimSpace(line) == "focus" {
			a.Focus()
			fmt.Println("done")
		}
	}
}

// program is another program with two windows.
type program struct {
	first, second uint64 // HWNDs
	focus         func()
	do            func(order string) // see obey
}

// other starts it; its second window belongs to owner, or to nobody for 0.
func other(t *testing.T, owner windows.HWND) *program {
	t.Helper()
	started := wintest.Start(t, strconv.FormatUint(uint64(owner), 10))
	p := new(program)
	lines := bufio.NewScanner(started.Out)
	for lines.Scan() {
		if _, err := fmt.Sscanf(lines.Text(), "windows %d %d", &p.first, &p.second); err == nil {
			break
		}
	}
	if p.first == 0 {
		t.Fatal("the other program shows no windows")
	}
	tell := func(line string) {
		t.Helper()
		if _, err := io.WriteString(started.In, line+"\n"); err != nil || !lines.Scan() {
			t.Fatalf("the other program does not do it: %s: %v", line, err)
		}
	}
	p.focus = func() { t.Helper(); tell("focus") }
	p.do = func(order string) { t.Helper(); tell("do " + order) }
	return p
}

func guard(t *testing.T) *input.WindowsGuard {
	g := new(input.WindowsGuard)
	t.Cleanup(func() { g.Close() })
	return g
}

// becomes waits for a guard's answer to settle: a focus moves when it may.
func becomes(t *testing.T, what string, want bool, answer func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); answer() != want && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	if answer() != want {
		t.Errorf("%s: %v, want %v", what, !want, want)
	}
}

func TestNoInputReachesTheHostsOwnWindows(t *testing.T) {
	g := guard(t)
	p := other(t, 0)
	p.focus()
	becomes(t, "keys into another program", true, g.KeysAllowed)
	becomes(t, "a click on another program", true, func() bool { return g.PointerAllowed(50, 50) })
	w := capturetest.NewWindow(t, image.Rect(0, 0, 100, 100), true)
	w.Focus()
	becomes(t, "keys into the host's window", false, g.KeysAllowed)
	becomes(t, "a click on the host's window", false, func() bool { return g.PointerAllowed(50, 50) })
	becomes(t, "a click beside it", true, func() bool { return g.PointerAllowed(120, 50) })
	w.Close()
	p.focus()
	becomes(t, "keys once the host's window is gone", true, g.KeysAllowed)
	becomes(t, "a click where it was", true, func() bool { return g.PointerAllowed(50, 50) })
}

func TestAProtectedWindowsWholeProgramIsProtected(t *testing.T) {
	g := guard(t)
	p := other(t, 0)
	p.focus()
	becomes(t, "keys before", true, g.KeysAllowed)
	becomes(t, "a click before", true, func() bool { return g.PointerAllowed(200, 50) })
	g.Protect(p.second)
	becomes(t, "keys into its first window", false, g.KeysAllowed)
	becomes(t, "a click on its first window", false, func() bool { return g.PointerAllowed(50, 50) })
	becomes(t, "a click on its second window", false, func() bool { return g.PointerAllowed(200, 50) })
	becomes(t, "a click on the desktop", true, func() bool { return g.PointerAllowed(350, 250) })
}

// A dialog that another process shows for the host is the host's.
func TestAWindowThatBelongsToTheHostsIsProtected(t *testing.T) {
	g := guard(t)
	w := capturetest.NewWindow(t, image.Rect(0, 200, 100, 300), false)
	p := other(t, w.Handle)
	p.focus()
	becomes(t, "a click on a window of its own", true, func() bool { return g.PointerAllowed(50, 50) })
	becomes(t, "a click on the one that belongs to the host's", false, func() bool { return g.PointerAllowed(200, 50) })
}

func TestTheProgramsAboveAreTheTerminal(t *testing.T) {
	g := guard(t)
	p := other(t, 0)
	// The other program's parent is this one: seen from there, we are the terminal.
	above, err := input.ProcessesAbove(input.ProcessOf(p.first))
	if err != nil {
		t.Fatal(err)
	}
	if len(above) == 0 || above[0] != uint32(os.Getpid()) {
		t.Errorf("above the other program are %v, not %d", above, os.Getpid())
	}
	if _, err := g.ProtectTerminal(); err != nil {
		t.Error(err)
	}
	becomes(t, "a click on a program that is no terminal", true, func() bool { return g.PointerAllowed(50, 50) })
}

func TestAGuardThatCannotTellSaysNo(t *testing.T) {
	g := guard(t)
	p := other(t, 0)
	p.focus()
	for _, at := range []image.Point{{-1, 5}, {5, -1}, {100000, 5}, {5, 100000}} {
		if g.PointerAllowed(at.X, at.Y) {
			t.Errorf("a click at %v is allowed", at)
		}
	}
	for _, w := range []uint64{0, 1 << 63, 0xdead} {
		g.Protect(w) // no window: nothing happens
	}
	becomes(t, "keys", true, g.KeysAllowed)
	g.Close()
	if g.KeysAllowed() || g.PointerAllowed(50, 50) {
		t.Error("a closed guard allows")
	}
}
