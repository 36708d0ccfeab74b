//go:build linux

package input

import "testing"

func TestWheelTurnsWholeNotches(t *testing.T) {
	rest := 0
	for i, step := range [][2]int{{50, 0}, {50, 0}, {50, 1}, {-10, 0}, {-109, 0}, {-1, -1}, {0, 0}, {32767, 273}, {-120, -1}} {
		if got := turn(&rest, step[0]); got != step[1] {
			t.Errorf("step %d: turning by %d gives %d notches, want %d", i, step[0], got, step[1])
		}
	}
}
