package picture

import (
	"image"
	"testing"
)

// What changed just now goes first, and of two things that changed the cheaper
// one, if not both fit.
func TestTheCheapestOfWhatIsFreshGoesFirst(t *testing.T) {
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		var c cells
		c.init(640, 64)
		all := []image.Rectangle{image.Rect(0, 0, 128, 64), image.Rect(448, 0, 512, 64)} // cells 0 and 1; 7
		costs := map[int]int{0: 30, 1: 30, 7: 50}
		for i := range costs {
			c.owed[i], c.marks[i], c.pixels[i] = true, 1, 1
		}
		left := c.choose(80, []image.Rectangle{all[order[0]], all[order[1]]}, image.Pt(0, 0), func(i int) int { return costs[i] })
		if !left || c.marks[7] != 1 {
			t.Errorf("order %v: left %v, marks %v", order, left, c.marks)
		}
	}
}
