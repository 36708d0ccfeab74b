package input_test

import (
	"errors"
	"testing"

	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/input"
)

// BenchmarkKeyAndGuard is one key down and up with what the guard asks first, on
// a real display: the time from the message to the X server.
func BenchmarkKeyAndGuard(b *testing.B) {
	display := capturetest.Xvfb(b, 640, 480)
	x, g, err := input.Open(display)
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	defer g.Close()
	for b.Loop() {
		if !g.KeysAllowed() {
			b.Fatal("refused")
		}
		if err := errors.Join(x.Key(input.Key{Usage: 4, Text: "a"}, true), x.Key(input.Key{Usage: 4}, false)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkClickAndGuard is one motion and click the same way.
func BenchmarkClickAndGuard(b *testing.B) {
	display := capturetest.Xvfb(b, 640, 480)
	x, g, err := input.Open(display)
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	defer g.Close()
	for b.Loop() {
		if err := x.Move(100, 100); err != nil {
			b.Fatal(err)
		}
		if !g.PointerAllowed(100, 100) {
			b.Fatal("refused")
		}
		if err := errors.Join(x.Button(input.Left, true), x.Button(input.Left, false)); err != nil {
			b.Fatal(err)
		}
	}
}
