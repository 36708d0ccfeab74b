package raise

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/input/inputtest"
)

// A test binary with this in its environment is a host: it starts hands, names their
// process and waits.
const asHost = "MAINFORTE_TEST_RAISE_AS_HOST"

// TestMain: the test binary is also the program that is started as hands.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == Argument {
		if err := Run(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	if os.Getenv(asHost) != "" {
		h, err := Start(context.Background())
		if err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
		fmt.Println("process", h.conn.(*timed).process)
		_, _ = io.ReadAll(os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func raised(t *testing.T) *Hands {
	t.Helper()
	h, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = h.Close()
		ends(t, h.conn.(*timed).process, "the test") // who waits for this program waits for its output to be closed
	})
	return h
}

// runHost runs this program as a host that has started hands, and returns their process.
func runHost(t *testing.T) (host *exec.Cmd, hands uint32) {
	t.Helper()
	host = exec.Command(os.Args[0])
	host.Env = append(os.Environ(), asHost+"=1")
	stdin, err := host.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = stdin.Close(), host.Process.Kill()
		_ = host.Wait()
		ends(t, hands, "the host's end")
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if _, scanned := fmt.Sscanf(line, "process %d", &hands); err != nil || scanned != nil {
		t.Fatalf("%q, %v", line, err)
	}
	return host, hands
}

// ends waits until a process has ended.
func ends(t *testing.T, process uint32, what string) {
	t.Helper()
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, process)
	if err != nil {
		return // it is gone already
	}
	defer windows.CloseHandle(h)
	if which, err := windows.WaitForSingleObject(h, 10_000); which != windows.WAIT_OBJECT_0 {
		t.Errorf("the hands go on after %s: %d, %v", what, which, err)
	}
}

var getCursorPos = windows.NewLazySystemDLL("user32.dll").NewProc("GetCursorPos")

// TestRaisedHandsPassTheSuite: what the host tells them they do, in another process.
func TestRaisedHandsPassTheSuite(t *testing.T) {
	w := capturetest.NewWindow(t, image.Rect(0, 0, 400, 300), true)
	first := raised(t)
	for end := time.Now().Add(20 * time.Second); len(w.Keys()) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no key reaches the window")
		}
		for _, down := range []bool{true, false} {
			if err := first.Key(input.Key{Usage: 0x69}, down); err != nil { // F14, which nobody misses
				t.Fatal(err)
			}
		}
	}
	time.Sleep(200 * time.Millisecond)
	w.Forget()
	typed := func() string { return strings.ReplaceAll(w.Typed(), "\r", "\n") }
	inputtest.Run(t, func(t *testing.T) inputtest.Desk {
		read, seen := len(typed()), len(w.Buttons())
		return inputtest.Desk{
			Injector: raised(t),
			Pointer: func() (int, int) {
				var at [2]int32
				if ok, _, err := getCursorPos.Call(uintptr(unsafe.Pointer(&at))); ok == 0 {
					t.Fatal(err)
				}
				return int(at[0]), int(at[1])
			},
			Buttons: func() []string { return w.Buttons()[seen:] },
			Typed:   func() string { return typed()[read:] },
		}
	})
}

// TestTheHandsEndWithTheirGrant is C87: with the pipe, and with the host's process.
func TestTheHandsEndWithTheirGrant(t *testing.T) {
	h := raised(t)
	process := h.conn.(*timed).process
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	ends(t, process, "the grant")

	host, process := runHost(t)
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ends(t, process, "the host was killed")
}

// copyOf is this program under another name.
func copyOf(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "raise") // not t.TempDir: Wine 8 removes no folder by it
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "other.exe")
	if err := os.WriteFile(path, b, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = os.Remove(path), os.Remove(dir) })
	return path
}

// TestAnotherProgramIsRefused is C87: at either end of the pipe.
func TestAnotherProgramIsRefused(t *testing.T) {
	other := copyOf(t)
	if h, err := start(t.Context(), other); !errors.Is(err, ErrForeign) || h != nil {
		t.Errorf("another program as hands: %v", err)
	}

	const name = "mainforte-00000000000000000000000000000000"
	pipe, err := listen(name)
	if err != nil {
		t.Fatal(err)
	}
	conn := os.NewFile(uintptr(pipe), name)
	defer conn.Close()
	hands := exec.Command(other, Argument, name)
	out, err := hands.CombinedOutput()
	if err == nil || !strings.Contains(string(out), ErrForeign.Error()) {
		t.Errorf("hands that serve another program: %v\n%s", err, out)
	}
	if _, err := listen(name); err == nil {
		t.Error("a pipe of that name can be made twice")
	}
	for _, bad := range []string{"", "mainforte-", `..\mainforte-00000000000000000000000000000000`, "mainforte-0000000000000000000000000000000g"} {
		if err := Run(bad); err == nil {
			t.Errorf("the hands open %q", bad)
		}
	}
}

// TestAnotherProcessOfTheSameProgramIsRefused is C87: only the one that was started.
func TestAnotherProcessOfTheSameProgramIsRefused(t *testing.T) {
	idle, _ := runHost(t)
	started, err := windows.OpenProcess(windows.SYNCHRONIZE|windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(idle.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(started)
	const name = "mainforte-11111111111111111111111111111111"
	pipe, err := listen(name)
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(pipe)
	forger := exec.Command(os.Args[0], Argument, name)
	if err := forger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = forger.Process.Kill(), forger.Wait() }()
	if err := meet(t.Context(), pipe, started); err != nil {
		t.Fatal(err)
	}
	if err := theOne(pipe, started); !errors.Is(err, ErrForeign) {
		t.Errorf("a process that was not started: %v", err)
	}
}
