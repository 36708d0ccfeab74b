package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/comeback"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
)

// A host that is told to end does not wait for somebody to close its dialog.
func TestTheDialogEndsWithTheHost(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "zenity"), []byte("#!/bin/sh\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	tell(ctx, "title", "text")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// What only an X server can do is offered nowhere in a Wayland session, however that is
// known: a screen that comes by the portal goes with hands that do.
func TestAWaylandSessionIsOneForEverything(t *testing.T) {
	for _, kind := range []string{"wayland", ""} {
		t.Setenv("XDG_SESSION_TYPE", kind)
		t.Setenv("WAYLAND_DISPLAY", "wayland-0")
		if waylandDesktop() == nil {
			t.Errorf("%q: the screen is an X server's", kind)
		}
		if _, err := openPerson(input.Ears{}); !errors.Is(err, input.ErrUnsupported) {
			t.Errorf("%q: the person's hands: %v", kind, err)
		}
		if openClipboard() != nil {
			t.Errorf("%q: there is a clipboard", kind)
		}
		if overlayHere() != nil {
			t.Errorf("%q: there is an overlay", kind)
		}
	}
}

// keepFor keeps a session of a server for this user, as a host does.
func keepFor(t *testing.T, server string) {
	t.Helper()
	state, err := json.Marshal(map[string]any{
		"server": server, "lang": "fr", "session": "s1", "token": make([]byte, 32), "signing": make([]byte, 32), "since": time.Now(), "ever": 1,
		"back": []any{map[string]any{"id": "1", "kind": "lead", "salt": make([]byte, 16), "secret": make([]byte, 64), "grants": []string{"view"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	place, err := comeback.Here()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file, err := place.Open([]string{self, "--come-back"}, time.Now().Add(comeback.Life))
	if err != nil {
		t.Fatal(err)
	}
	k := newKeeper(file, nil)
	keeps.Add(-1) // of another process
	if err := k.Write(state); err != nil {
		t.Fatal(err)
	}
}

// restarted makes what is kept look like that of another start of the system.
func restarted(t *testing.T, file string) {
	t.Helper()
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	line := bytes.IndexByte(b, '\n') + 1
	body := bytes.ReplaceAll(b[line+sha256.Size:], bytes.TrimSpace(boot), []byte("another"))
	sum := sha256.Sum256(body)
	if err := os.WriteFile(file, slices.Concat(b[:line], sum[:], body), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestWhoeverIsStartedFirstAfterARestartComesBack: also an app that the person starts
// by hand, but for another server; and none while the system still runs.
func TestWhoeverIsStartedFirstAfterARestartComesBack(t *testing.T) {
	home := t.TempDir()
	for name, dir := range map[string]string{"HOME": home, "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""} {
		t.Setenv(name, dir)
	}
	kept := filepath.Join(home, ".local/state/mainforte/return")
	var given []session.Config
	newHost = func(cfg session.Config) *session.Host {
		given = append(given, cfg)
		cfg.Patience, cfg.Return = time.Nanosecond, nil // no server is there
		return session.New(cfg)
	}
	defer func() { newHost = session.New }()
	const theirs, other = "https://127.0.0.1:9", "https://127.0.0.2:9"
	start := func(args ...string) (back bool) {
		t.Helper()
		given = nil
		run(t.Context(), append([]string{"host", "--console=json", "--lang", "en"}, args...), &streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
		if len(given) != 1 {
			t.Fatalf("%v: %d runs", args, len(given))
		}
		return given[0].Return != nil
	}
	keepFor(t, theirs)
	if start("--server", theirs) {
		t.Error("a second host takes what the first one keeps")
	}
	restarted(t, kept)
	if start("--server", other) {
		t.Error("a host for another server takes it")
	}
	if _, err := os.Stat(kept); err != nil {
		t.Fatalf("it is not there for the start entry: %v", err)
	}
	if !start("--server", theirs) {
		t.Error("started by hand it does not come back")
	}
	if _, err := os.Stat(kept); err == nil {
		t.Error("what was taken is still there")
	}
	if start("--server", theirs) {
		t.Error("it comes back twice")
	}
}

// TestWhatIsKeptWaitsForAnAppThatRuns: one that finds the window open already, or that
// nobody could hear, leaves it where it is; and an entry without what it is for goes.
func TestWhatIsKeptWaitsForAnAppThatRuns(t *testing.T) {
	home := t.TempDir()
	for name, dir := range map[string]string{"HOME": home, "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""} {
		t.Setenv(name, dir)
	}
	kept, entry := filepath.Join(home, ".local/state/mainforte/return"), filepath.Join(home, ".config/autostart/mainforte-return.desktop")
	lang := ""
	windowHere = func(l string) (ui.Window, error) { lang = l; return nil, ui.ErrAlready }
	newHost = func(session.Config) *session.Host { t.Fatal("it runs"); return nil }
	defer func() { windowHere, newHost = openWindow, session.New }()
	start := func(args ...string) {
		t.Helper()
		lang = ""
		if code := run(t.Context(), append([]string{"host"}, args...), &streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard}); code != exitOK {
			t.Errorf("%v: %d", args, code)
		}
	}
	keepFor(t, "https://127.0.0.1:9")
	restarted(t, kept)
	for _, args := range [][]string{{"--come-back"}, nil} {
		if start(args...); lang != "fr" {
			t.Errorf("%v: a window in %q, the session was in fr", args, lang)
		}
		for _, path := range []string{kept, entry} {
			if _, err := os.Stat(path); err != nil {
				t.Fatalf("%v: it did not run, and took what was kept: %v", args, err)
			}
		}
	}
	if err := os.Remove(kept); err != nil {
		t.Fatal(err)
	}
	if start("--come-back"); lang != "" {
		t.Error("it opens a window for nothing")
	}
	if _, err := os.Stat(entry); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the entry stays: %v", err)
	}
}

// TestAStopOfTheSystemIsToldFromAStopOfTheApp: by what logind and systemd say; where
// nobody says anything it is taken for the system's.
func TestAStopOfTheSystemIsToldFromAStopOfTheApp(t *testing.T) {
	bus := capturetest.NewBus(t)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
	if !stopping() {
		t.Error("where nobody can tell, only the app stops")
	}
	conn, err := dbus.Connect(bus)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var mu sync.Mutex
	says := map[string]any{}
	for _, name := range []string{"org.freedesktop.login1", "org.freedesktop.systemd1"} {
		path := dbus.ObjectPath("/" + strings.ReplaceAll(name, ".", "/"))
		err := conn.ExportMethodTable(map[string]any{"Get": func(of, property string) (dbus.Variant, *dbus.Error) {
			mu.Lock()
			defer mu.Unlock()
			if v, ok := says[property]; ok && of == name+".Manager" {
				return dbus.MakeVariant(v), nil
			}
			return dbus.Variant{}, dbus.MakeFailedError(errors.New("no such property"))
		}}, path, "org.freedesktop.DBus.Properties")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		prepares, state any
		want            bool
	}{
		{false, "running", false}, {true, "running", true}, {false, "stopping", true}, {false, nil, false}, {nil, "degraded", false}, {nil, nil, true},
	} {
		mu.Lock()
		clear(says)
		for property, v := range map[string]any{"PreparingForShutdown": c.prepares, "SystemState": c.state} {
			if v != nil {
				says[property] = v
			}
		}
		mu.Unlock()
		if got := stopping(); got != c.want {
			t.Errorf("logind says %v, systemd %v: %v", c.prepares, c.state, got)
		}
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")
	if !stopping() {
		t.Error("without a bus only the app stops")
	}
}

// nothingKept is a keeper of nothing.
type nothingKept struct{}

func (nothingKept) Write([]byte) error { return nil }
func (nothingKept) Remove() error      { return nil }

// TestTheSystemIsAskedOnlyForWhatIsKept: a stop of the app alone waits for nobody, and a
// second signal not for an answer either.
func TestTheSystemIsAskedOnlyForWhatIsKept(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere") // where nobody can tell, it stops
	if meaning(syscall.SIGTERM) != nil {
		t.Error("nothing is kept, and the system was asked")
	}
	k := newKeeper(nothingKept{}, nil)
	if meaning(syscall.SIGTERM) == nil {
		t.Error("something is kept, and the system was not asked")
	}
	if meaning(os.Interrupt) != nil {
		t.Error("Ctrl+C is the system's stop")
	}

	silent, err := net.Listen("unix", filepath.Join(t.TempDir(), "bus"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+silent.Addr().String())
	signals := make(chan os.Signal, 2)
	for n, want := range map[int]error{1: session.ErrGoingDown, 2: context.Canceled} {
		for range n {
			signals <- syscall.SIGTERM
		}
		ctx, stop := context.WithCancelCause(t.Context())
		if heed(signals, stop); !errors.Is(context.Cause(ctx), want) {
			t.Errorf("after %d signals: %v, want %v", n, context.Cause(ctx), want)
		}
	}

	for range 2 {
		if err := k.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	if meaning(syscall.SIGTERM) != nil {
		t.Error("what was kept is removed, and the system was asked")
	}
}
