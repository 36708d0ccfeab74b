package fake

import (
	"fmt"
	"testing"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/input/inputtest"
)

func TestFakePassesTheSuite(t *testing.T) {
	inputtest.Run(t, func(t *testing.T) inputtest.Desk {
		f := New(t)
		f.lenient = true
		return inputtest.Desk{
			Injector: f, Pointer: f.Pointer, Buttons: f.Buttons, Typed: f.Typed,
			Lose: func() { f.Lose(fmt.Errorf("test: %w", input.ErrLost)) },
		}
	})
}

// complaints stands in for the test that misuses a fake.
type complaints struct {
	testing.TB
	n int
}

func (c *complaints) Errorf(string, ...any) { c.n++ }

func TestFakeReportsMisuse(t *testing.T) {
	for name, misuse := range map[string]func(*Injector){
		"key up that is up":     func(f *Injector) { f.Key(input.Key{Usage: 4}, false) },
		"button up that is up":  func(f *Injector) { f.Button(input.Left, false) },
		"button down twice":     func(f *Injector) { f.Button(input.Left, true); f.Button(input.Left, true) },
		"no such button":        func(f *Injector) { f.Button(17, true) },
		"a call after Close":    func(f *Injector) { f.Close(); f.Move(1, 1) },
		"a call during another": func(f *Injector) { defer f.alone()(); f.Prepare() },
	} {
		var c complaints
		misuse(New(&c))
		if c.n == 0 {
			t.Errorf("%s goes unnoticed", name)
		}
	}
}
