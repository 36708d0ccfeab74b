package input_test

import (
	"errors"
	"io"
	"log"
	"os"
	"testing"

	"github.com/jezek/xgb"

	"github.com/mainforte/mainforte/host/input"
)

// TestRobotgoMovesAndScrolls is the part of robotgo that the host uses, on a
// real display, apart from our own layer.
func TestRobotgoMovesAndScrolls(t *testing.T) {
	d := newDesktop(t)
	board := d.panel(0, 0, 800, 600)
	x := d.hands(true)
	if err := x.Move(345, 123); err != nil {
		t.Fatal(err)
	}
	if px, py := d.pointer(); px != 345 || py != 123 {
		t.Errorf("the pointer is at %d, %d", px, py)
	}
	// A press on one connection and a move on robotgo's stay in order.
	for i := range 200 {
		if err := errors.Join(x.Move(10+i, 10), x.Button(input.Left, true), x.Button(input.Left, false)); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Wheel(0, -240); err != nil {
		t.Fatal(err)
	}
	d.until("all events", func() bool { return len(board.seen()) >= 402 })
	seen := board.seen()
	if len(seen) != 402 || seen[400] != "wheel up" || seen[401] != "wheel up" {
		t.Errorf("%d events, ending %v", len(seen), seen[max(0, len(seen)-3):])
	}
	board.mu.Lock()
	for i, x := range board.xs[:min(400, len(board.xs))] {
		if x != 10+i/2 {
			t.Errorf("button event %d happened at %d, want %d", i, x, 10+i/2)
		}
	}
	board.mu.Unlock()
	t.Run("not on another display", func(t *testing.T) {
		other := newDesktop(t)
		t.Setenv("DISPLAY", d.server.Display)
		y, err := input.OpenX11(other.server.Display)
		if err != nil {
			t.Fatal(err)
		}
		defer y.Close()
		if y.ByRobotgo() {
			t.Error("robotgo would move the pointer of another display")
		}
		if err := y.Move(11, 22); err != nil {
			t.Fatal(err)
		}
		other.until("the pointer is there", func() bool { x, y := other.pointer(); return x == 11 && y == 22 })
		if x, y := d.pointer(); x == 11 && y == 22 {
			t.Error("the pointer of $DISPLAY moved")
		}
	})
}

func TestADisplayThatIsNotThereIsAnError(t *testing.T) {
	for _, display := range []string{":4711", "nonsense", "", ":", "\x00"} {
		t.Run(display, func(t *testing.T) {
			t.Setenv("DISPLAY", "")
			if x, err := input.OpenX11(display); err == nil {
				x.Close()
				t.Error("opened")
			}
			if g, err := input.OpenX11Guard(display); err == nil {
				g.Close()
				t.Error("guarded")
			}
		})
	}
}

func TestMain(m *testing.M) {
	os.Unsetenv("WINDOWID") // of the terminal the tests run in
	xgb.Logger = log.New(io.Discard, "", 0)
	os.Exit(m.Run())
}
