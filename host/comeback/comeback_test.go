package comeback

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// command is a program that is there.
func command(t *testing.T) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, "--come-back"}
}

func kept(t *testing.T, p Place, state string) *File {
	t.Helper()
	f, err := p.Open(command(t), time.Now().Add(Life))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write([]byte(state)); err != nil {
		t.Fatal(err)
	}
	return f
}

// gone checks that nothing is kept, and that the entry is gone.
func gone(t *testing.T, p Place) {
	t.Helper()
	if _, err := os.Lstat(p.file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
	if entryStands(t, p) {
		t.Error("the start entry is still there")
	}
	if _, err := p.Take(time.Now()); !errors.Is(err, ErrNone) {
		t.Errorf("it can be taken again: %v", err)
	}
}

func TestWhatIsKeptIsTakenOnce(t *testing.T) { // C84
	p, home := place(t)
	before := list(t, home)
	f := kept(t, p, "first")
	if err := f.Write([]byte("second")); err != nil {
		t.Fatal(err)
	}
	if !entryStands(t, p) {
		t.Error("no start entry")
	}
	if got, err := p.Take(time.Now()); err != nil || string(got) != "second" {
		t.Fatalf("taken: %q, %v", got, err)
	}
	gone(t, p)
	if err := f.Remove(); err != nil {
		t.Errorf("removed twice: %v", err)
	}
	if after := list(t, home); after != before {
		t.Errorf("left behind:\n%s", after)
	}
}

func TestWhatIsTakenBackLeavesNothing(t *testing.T) { // C83
	p, home := place(t)
	before := list(t, home)
	f, err := p.Open(command(t), time.Now().Add(Life))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(); err != nil { // before anything was written
		t.Fatal(err)
	}
	f = kept(t, p, "state")
	if err := f.Remove(); err != nil {
		t.Fatal(err)
	}
	gone(t, p)
	if after := list(t, home); after != before {
		t.Errorf("left behind:\n%s", after)
	}
}

// TestARestartIsTold is C89: what another host keeps now waits for nobody; after a
// restart it does, for whoever is started first, and is still there to be taken.
func TestARestartIsTold(t *testing.T) {
	p, _ := place(t)
	if p.boot == "" {
		t.Fatal("this start of the system has no name")
	}
	if again, err := Here(); err != nil || again.boot != p.boot {
		t.Errorf("the same start is called %q and %q, %v", p.boot, again.boot, err)
	}
	if _, ok := p.Waiting(time.Now()); ok {
		t.Error("nothing waits")
	}
	kept(t, p, "state")
	if _, ok := p.Waiting(time.Now()); ok {
		t.Error("what is kept now waits")
	}
	later := p
	for _, boot := range []string{"", "another"} {
		later.boot = boot
		state, ok := later.Waiting(time.Now())
		if ok != (boot != "") || ok && string(state) != "state" {
			t.Errorf("after the start %q: %q, %v", boot, state, ok)
		}
	}
	if _, ok := later.Waiting(time.Now().Add(Life)); ok {
		t.Error("what is too old waits")
	}
	if got, err := later.Take(time.Now()); err != nil || string(got) != "state" {
		t.Errorf("taken: %q, %v", got, err)
	}
	if _, ok := later.Waiting(time.Now()); ok {
		t.Error("what was taken waits")
	}
}

// TestTooLateIsTooLate is C84: after a quarter of an hour, and with a clock that went back.
func TestTooLateIsTooLate(t *testing.T) {
	for name, when := range map[string]time.Duration{"late": Life, "the clock went back": -2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			p, _ := place(t)
			kept(t, p, "state")
			if got, err := p.Take(time.Now().Add(when)); !errors.Is(err, ErrLate) || got != nil {
				t.Fatalf("taken: %q, %v", got, err)
			}
			gone(t, p)
		})
	}
	p, _ := place(t)
	kept(t, p, "state")
	if err := p.Sweep(time.Now()); err != nil {
		t.Fatal(err)
	}
	if !entryStands(t, p) {
		t.Error("what can still be used was swept away")
	}
	if err := p.Sweep(time.Now().Add(Life)); err != nil {
		t.Fatal(err)
	}
	gone(t, p)
}

// TestWhatIsDamagedIsRefused is C84: nothing of it is believed, and it is removed.
func TestWhatIsDamagedIsRefused(t *testing.T) {
	change := map[string]func(b []byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"cut":       func(b []byte) []byte { return b[:len(b)-1] },
		"one bit":   func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"longer":    func(b []byte) []byte { return append(b, 0) },
		"another's": func([]byte) []byte { return []byte("[Desktop Entry]\n") },
		"too large": func([]byte) []byte { return make([]byte, 4*MaxSize+1) },
		"too long a life": func([]byte) []byte {
			now := time.Now()
			b, err := pack(head{ID: "x", Made: now.Unix(), Until: now.Add(24 * time.Hour).Unix(), State: []byte("state")})
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
	}
	for name, f := range change {
		t.Run(name, func(t *testing.T) {
			p, _ := place(t)
			kept(t, p, "state")
			b, err := os.ReadFile(p.file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p.file, f(b), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := p.Take(time.Now()); !errors.Is(err, ErrSpoilt) || got != nil {
				t.Fatalf("taken: %q, %v", got, err)
			}
			gone(t, p)
		})
	}
}

// TestOneSessionIsKeptAtATime: two hosts of one person do not take each other's.
func TestOneSessionIsKeptAtATime(t *testing.T) {
	p, home := place(t)
	first := kept(t, p, "first")
	if _, err := p.Open(command(t), time.Now().Add(Life)); !errors.Is(err, ErrTaken) {
		t.Fatalf("a second one: %v", err)
	}
	if _, err := p.Take(time.Now()); err != nil {
		t.Fatal(err)
	}
	second := kept(t, p, "second")
	if err := first.Remove(); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Take(time.Now()); err != nil || string(got) != "second" {
		t.Errorf("the first session's end took the second's: %q, %v", got, err)
	}
	if err := second.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Open([]string{filepath.Join(home, "gone"), "--come-back"}, time.Now().Add(Life)); err == nil {
		t.Error("a program that is not there can come back")
	}
	gone(t, p)
}

func TestTooMuchIsNotKept(t *testing.T) {
	p, _ := place(t)
	f := kept(t, p, "state")
	if err := f.Write(make([]byte, MaxSize+1)); err == nil {
		t.Error("more than the bound was kept")
	}
	if err := f.Write(bytes.Repeat([]byte{'x'}, MaxSize)); err != nil {
		t.Error(err)
	}
	if got, err := p.Take(time.Now()); err != nil || len(got) != MaxSize {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestFoldersOfOthersStay: a file that names folders which were not made for it removes none.
func TestFoldersOfOthersStay(t *testing.T) {
	p, home := place(t)
	kept(t, p, "state")
	other := filepath.Join(home, "empty folder")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	b, err := pack(head{ID: "x", Made: now.Unix(), Until: now.Add(Life).Unix(), Dirs: []string{other, ""}, State: []byte("state")})
	if err == nil {
		err = os.WriteFile(p.file, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Take(now); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
}

// list is every path below a folder.
func list(t *testing.T, home string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(home, func(path string, _ fs.DirEntry, err error) error {
		b.WriteString(path + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func FuzzUnpack(f *testing.F) {
	b, err := pack(head{ID: "x", Made: 1, Until: 2, State: []byte("state")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := unpack(b)
		if err != nil && !errors.Is(err, ErrSpoilt) {
			t.Error(err)
		}
		if err == nil {
			if _, err := json.Marshal(h); err != nil {
				t.Error(err)
			}
			_ = h.stands(time.Now())
		}
	})
}
