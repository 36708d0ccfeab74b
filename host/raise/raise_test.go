package raise

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/input/fake"
)

// apart is hands whose other half is served elsewhere.
func apart(t *testing.T) (h *Hands, far *fake.Injector, served <-chan error) {
	t.Helper()
	here, there := net.Pipe()
	far = fake.New(t)
	end := make(chan error, 1)
	go func() { end <- errors.Join(Serve(there, far), there.Close()) }()
	h = NewHands(here)
	t.Cleanup(func() { _ = h.Close() })
	return h, far, end
}

func TestTheOtherHandsDoWhatTheseAreTold(t *testing.T) {
	h, far, end := apart(t)
	far.CannotType("ß")
	long := strings.Repeat("é", 300) // of which no piece may cut a character
	for _, err := range []error{
		h.Prepare(), h.Move(3, 4), h.Button(input.Right, true), h.Button(input.Right, false), h.Wheel(0, -120),
		h.Key(input.Key{Usage: 4, Text: "a", Locks: 2}, true), h.Key(input.Key{Usage: 4, Text: "a"}, false), h.Text(long),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Text("aßb"); !errors.Is(err, input.ErrCannotType) {
		t.Errorf("a text that cannot be typed: %v", err)
	}
	if x, y := far.Pointer(); x != 3 || y != 4 {
		t.Errorf("the pointer is at %d,%d", x, y)
	}
	if got := far.Typed(); !strings.Contains(got, long) {
		t.Errorf("typed %q", got)
	}
	if err := h.Button(input.Left, true); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-end; err != nil {
		t.Errorf("the other half ended with %v", err)
	}
	if down := far.Down(); len(down) > 0 { // C34
		t.Errorf("still down: %v", down)
	}
	if err := h.Move(1, 1); !errors.Is(err, ErrGone) {
		t.Errorf("after the end: %v", err)
	}
}

// TestTheHandsTakeNothingElse is C88: what no technician could send ends them, and
// nothing of it is done.
func TestTheHandsTakeNothingElse(t *testing.T) {
	for name, b := range map[string][]byte{
		"unknown":            {9, 0},
		"none":               {0, 0},
		"move, short":        {move, 4, 1, 0, 0, 0},
		"move, far":          {move, 8, 0, 0, 0, 1, 0, 0, 0, 0},
		"button, no such":    {button, 2, 5, 1},
		"button, half down":  {button, 2, 0, 2},
		"wheel, wild":        {wheel, 8, 0, 0, 1, 0, 0, 0, 0, 0},
		"key, below":         {key, 5, 3, 0, 0, 0, 1},
		"key, above":         {key, 5, 232, 0, 0, 0, 1},
		"key, modifiers":     {key, 5, 4, 0, 32, 0, 1},
		"key, locks":         {key, 5, 4, 0, 0, 8, 1},
		"key, long":          append([]byte{key, 38, 4, 0, 0, 0, 1}, bytes.Repeat([]byte{'a'}, 33)...),
		"key, not UTF-8":     {key, 6, 4, 0, 0, 0, 1, 0xC3},
		"text, empty":        {text, 0},
		"text, not UTF-8":    {text, 1, 0xC3},
		"prepare, with more": {prepare, 1, 0},
		"restore, with more": {restore, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			here, there := net.Pipe()
			far := fake.New(t)
			end := make(chan error, 1)
			go func() { end <- Serve(there, far) }()
			if _, err := here.Write(b); err != nil {
				t.Fatal(err)
			}
			go func() { // whoever did take it would answer, and wait for more
				_, _ = io.ReadFull(here, make([]byte, 1))
				_, _ = here.Write([]byte{9, 0})
			}()
			if err := <-end; !errors.Is(err, errRequest) {
				t.Errorf("ended with %v", err)
			}
			if ops := slices.DeleteFunc(far.Ops(), func(op string) bool { return op == "close" }); len(ops) > 0 {
				t.Errorf("done all the same: %v", ops)
			}
			_ = here.Close()
		})
	}
}

// TestHandsThatDieAreGone: nobody waits for them.
func TestHandsThatDieAreGone(t *testing.T) {
	here, there := net.Pipe()
	h := NewHands(here)
	go func() {
		_, _ = io.ReadFull(there, make([]byte, 2))
		_ = there.Close()
	}()
	if err := h.Prepare(); !errors.Is(err, ErrGone) {
		t.Errorf("%v", err)
	}
	if err := h.Move(1, 2); !errors.Is(err, ErrGone) {
		t.Errorf("%v", err)
	}
	// Nor those whose desktop is lost.
	h, far, end := apart(t)
	far.Lose(input.ErrLost)
	if err := h.Move(1, 2); !errors.Is(err, ErrGone) {
		t.Errorf("%v", err)
	}
	if err := <-end; err == nil {
		t.Error("they go on")
	}
}

func FuzzServe(f *testing.F) {
	f.Add([]byte{move, 8, 1, 0, 0, 0, 2, 0, 0, 0, key, 6, 4, 0, 0, 0, 1, 'a', text, 2, 0xC3, 0xA9})
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = Serve(struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(b), io.Discard}, nobody{})
	})
}

// nobody is a desktop that takes everything.
type nobody struct{}

func (nobody) Move(int, int) error             { return nil }
func (nobody) Button(input.Button, bool) error { return nil }
func (nobody) Wheel(int, int) error            { return nil }
func (nobody) Key(input.Key, bool) error       { return nil }
func (nobody) Text(string) error               { return nil }
func (nobody) Prepare() error                  { return nil }
func (nobody) Restore() error                  { return nil }
func (nobody) Close() error                    { return nil }
