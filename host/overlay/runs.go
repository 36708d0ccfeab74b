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

// without is what of rectangles lies outside of places on the screen, where the
// rectangles count from at.
func without(runs, places []image.Rectangle, at image.Point) []image.Rectangle {
	for _, p := range places {
		p = p.Sub(at)
		var rest []image.Rectangle
		for _, r := range runs {
			in := r.Intersect(p)
			if in.Empty() {
				rest = append(rest, r)
				continue
			}
			for _, piece := range [...]image.Rectangle{
				{r.Min, image.Pt(r.Max.X, in.Min.Y)},
				{image.Pt(r.Min.X, in.Min.Y), image.Pt(in.Min.X, in.Max.Y)},
				{image.Pt(in.Max.X, in.Min.Y), image.Pt(r.Max.X, in.Max.Y)},
				{image.Pt(r.Min.X, in.Max.Y), r.Max},
			} {
				if !piece.Empty() {
					rest = append(rest, piece)
				}
			}
		}
		runs = rest
	}
	return runs
}

// touching are those places that a rectangle reaches: mostly none.
func touching(places []image.Rectangle, r image.Rectangle) (those []image.Rectangle) {
	for _, p := range places {
		if p.Overlaps(r) {
			those = append(those, p)
		}
	}
	return those
}
