//go:build linux || freebsd || netbsd || openbsd

package overlay

import (
	"image"
	"slices"
	"testing"
)

// TestOnlyWhatAPointerTouchesIsTaken, and for one that touches nothing, nothing is
// allocated: it is asked for each pointer at each move.
func TestOnlyWhatAPointerTouchesIsTaken(t *testing.T) {
	places := []image.Rectangle{image.Rect(0, 0, 10, 10), image.Rect(100, 100, 200, 200), image.Rect(5, 5, 40, 40)}
	if got := touching(places, image.Rect(8, 8, 20, 20)); !slices.Equal(got, []image.Rectangle{places[0], places[2]}) {
		t.Errorf("touched: %v", got)
	}
	if n := testing.AllocsPerRun(100, func() { touching(places, image.Rect(50, 50, 60, 60)) }); n != 0 {
		t.Errorf("%v allocations for nothing", n)
	}
}
