//go:build linux || freebsd || netbsd || openbsd

package overlay

import "image"

// runs are the rectangles of all inked pixels of r: one a run of a row, joined
// with those above that are as wide.
func (c *canvas) runs(r image.Rectangle) []image.Rectangle {
	var all []image.Rectangle
	var above, here []int // of all: those of the row before, those of this row
	for y := r.Min.Y; y < r.Max.Y; y++ {
		here = here[:0]
		row, next := c.pix[y*c.w:(y+1)*c.w], 0
		for x := r.Min.X; x < r.Max.X; x++ {
			if row[x] == 0 {
				continue
			}
			from := x
			for x < r.Max.X && row[x] != 0 {
				x++
			}
			for next < len(above) && all[above[next]].Min.X < from {
				next++
			}
			if next < len(above) && all[above[next]].Min.X == from && all[above[next]].Max.X == x {
				all[above[next]].Max.Y++
				here = append(here, above[next])
				continue
			}
			all = append(all, image.Rect(from, y, x, y+1))
			here = append(here, len(all)-1)
		}
		above, here = here, above
	}
	return all
}
