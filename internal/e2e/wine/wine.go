// Package wine runs the Windows programs of this repository on a Linux machine,
// so that what is written for Windows is run before it is shipped.
//
// [Open] takes the Wine prefix, a Windows installation in a folder that is made
// once and kept in the user's cache; one test has it at a time. [Prefix.Desktop]
// opens its desktop, a window over the whole of a private X server, and
// [Desktop.Start] runs a program on it as it is, without a shell between.
// [Desktop.Windows] reads the native windows of whatever runs there, by the
// program in eye.
//
// Wine 8 needs a DLL of ours to run Go programs at all, testdata/bcryptprimitives.c.
// It is compiled into the prefix and never shipped: TestTheStubIsNotShipped. What
// Wine cannot show is listed in docs/release.md.
package wine

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrMissing is wrapped when Wine or the compiler for its DLL is not installed.
var ErrMissing = errors.New("wine: not installed; run: sudo apt-get install --no-install-recommends wine wine64 gcc-mingw-w64-x86-64")

//go:embed testdata/bcryptprimitives.c
var stub []byte

// Marker is what every copy of the DLL for tests contains.
const Marker = "mainforte-wine-stub"

// Width and Height are the size of every desktop: it stands in the prefix.
const (
	Width  = 1024
	Height = 700
)

// settings are what differs from a fresh prefix: all programs share one desktop
// of one colour, in a window of their own, and no dialog is shown for a crash.
var settings = fmt.Sprintf(`REGEDIT4

[HKEY_CURRENT_USER\Software\Wine\Explorer]
"Desktop"="mainforte"

[HKEY_CURRENT_USER\Software\Wine\Explorer\Desktops]
"mainforte"="%dx%d"

[HKEY_CURRENT_USER\Control Panel\Colors]
"Background"="58 110 165"

[HKEY_CURRENT_USER\Control Panel\Desktop]
"Wallpaper"=""
"Pattern"=""

[HKEY_CURRENT_USER\Software\Wine\WineDbg]
"ShowCrashDialog"=dword:00000000
`, Width, Height)

// Prefix is a Windows installation.
type Prefix struct {
	dir  string
	lock *os.File
}

// Open takes the prefix, and makes it where there is none yet, which takes half
// a minute and 700 MB of the user's cache. It waits while another test has it.
func Open(ctx context.Context) (*Prefix, error) {
	version, err := exec.CommandContext(ctx, "wine", "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrMissing, err)
	}
	for _, program := range []string{"wineserver", "wineboot", compiler} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%w (%w)", ErrMissing, err)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("wine: find a place for the prefix: %w", err)
	}
	cache = filepath.Join(cache, "mainforte")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("wine: %w", err)
	}
	// A prefix fits one Wine, one DLL and one set of settings.
	sum := sha256.New()
	for _, part := range [][]byte{version, stub, []byte(settings)} {
		sum.Write(part)
	}
	p := &Prefix{dir: filepath.Join(cache, "wine-"+hex.EncodeToString(sum.Sum(nil)[:6]))}
	if p.lock, err = lock(ctx, filepath.Join(cache, "wine.lock")); err != nil {
		return nil, err
	}
	// Left over by a test that was killed.
	_ = p.command(context.WithoutCancel(ctx), "", "wineserver", "-k").Run()
	if _, err := os.Stat(p.dir); err == nil {
		return p, nil
	}
	if err := p.make(ctx, cache); err != nil {
		return nil, errors.Join(err, p.lock.Close())
	}
	return p, nil
}

// lock waits for a file's lock. It goes with the process, whatever happens to it.
func lock(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("wine: %w", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("wine: lock %s: %w", path, err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wine: another test has the prefix: %w", ctx.Err()), f.Close())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// make makes the prefix beside its place and moves it there when it is whole.
func (p *Prefix) make(ctx context.Context, cache string) (err error) {
	old, err := filepath.Glob(filepath.Join(cache, "wine-*"))
	if err != nil {
		return fmt.Errorf("wine: %w", err)
	}
	for _, dir := range old { // of another Wine, or half made
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("wine: %w", err)
		}
	}
	fresh := &Prefix{dir: p.dir + ".new"}
	defer func() {
		if err != nil {
			err = errors.Join(err, fresh.stop(context.WithoutCancel(ctx)), os.RemoveAll(fresh.dir))
		}
	}()
	if err := fresh.run(ctx, "wineboot", "-i"); err != nil {
		return err
	}
	source := filepath.Join(fresh.dir, "bcryptprimitives.c")
	registry := filepath.Join(fresh.dir, "settings.reg")
	if err := errors.Join(os.WriteFile(source, stub, 0o644), os.WriteFile(registry, []byte(settings), 0o644)); err != nil {
		return fmt.Errorf("wine: %w", err)
	}
	library := filepath.Join(fresh.dir, "drive_c", "windows", "system32", "bcryptprimitives.dll")
	if err := compile(ctx, source, library); err != nil {
		return err
	}
	if err := fresh.run(ctx, "wine", "regedit", "/S", windowsPath(registry)); err != nil {
		return err
	}
	// Until then the registry is only in the server's memory.
	if err := errors.Join(fresh.stop(ctx), os.Rename(fresh.dir, p.dir)); err != nil {
		return fmt.Errorf("wine: %w", err)
	}
	return nil
}

const compiler = "x86_64-w64-mingw32-gcc"

// compile makes the DLL.
func compile(ctx context.Context, source, library string) error {
	out, err := exec.CommandContext(ctx, compiler, "-shared", "-O2", "-s", "-Wall", "-Wextra", "-Werror",
		"-o", library, source, "-ladvapi32").CombinedOutput()
	if err != nil {
		return fmt.Errorf("wine: compile the DLL for tests: %w\n%s", err, out)
	}
	return nil
}

// windowsPath is a file as programs under Wine know it.
func windowsPath(path string) string { return "Z:" + strings.ReplaceAll(path, "/", `\`) }

// command is a program of Wine's in this prefix.
func (p *Prefix) command(ctx context.Context, display, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(),
		"WINEPREFIX="+p.dir, "WINEARCH=win64", "WINEDEBUG=-all", "DISPLAY="+display, "LC_ALL=C.UTF-8",
		// No .NET, no browser engine, no menus written into the user's desktop.
		"WINEDLLOVERRIDES=mscoree,mshtml,winemenubuilder.exe=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 10 * time.Second // what it started may hold its output open
	return cmd
}

// run runs a program without a screen to its end.
func (p *Prefix) run(ctx context.Context, name string, args ...string) error {
	if out, err := p.command(ctx, "", name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("wine: %s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// stop ends every program in the prefix and waits for the last.
func (p *Prefix) stop(ctx context.Context) error {
	// It fails when there is nothing to end.
	_ = p.command(ctx, "", "wineserver", "-k").Run()
	return p.run(ctx, "wineserver", "-w")
}

// Close ends every program in the prefix and gives it free.
func (p *Prefix) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return errors.Join(p.stop(ctx), p.lock.Close())
}
