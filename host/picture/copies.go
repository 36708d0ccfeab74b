package picture

import "image"

// move says that the rectangle to shows what stood at to+by before. With under
// set, what the target covered is kept in the under picture, and what the
// source uncovered comes back from there: a window that is dragged.
type move struct {
	to    image.Rectangle
	by    image.Point
	under bool
}

// apply carries m out on the picture ref and the under picture, both w pixels
// wide.
func (m move) apply(ref, under []uint32, w int) {
	from := m.to.Add(m.by)
	if m.under {
		copyOutside(under, ref, w, m.to, from)
	}
	row := func(y int) {
		d, s := y*w+m.to.Min.X, (y+m.by.Y)*w+from.Min.X
		copy(ref[d:d+m.to.Dx()], ref[s:s+m.to.Dx()])
	}
	if m.by.Y >= 0 { // in the order in which no row is overwritten before it is read
		for y := m.to.Min.Y; y < m.to.Max.Y; y++ {
			row(y)
		}
	} else {
		for y := m.to.Max.Y - 1; y >= m.to.Min.Y; y-- {
			row(y)
		}
	}
	if m.under {
		copyOutside(ref, under, w, from, m.to)
	}
}

// copyOutside copies the pixels of a that lie outside b, a rectangle of the
// same size, from src to the same places in dst.
func copyOutside(dst, src []uint32, w int, a, b image.Rectangle) {
	for y := a.Min.Y; y < a.Max.Y; y++ {
		d, s := dst[y*w:(y+1)*w], src[y*w:(y+1)*w]
		if y < b.Min.Y || y >= b.Max.Y || b.Min.X >= a.Max.X || b.Max.X <= a.Min.X {
			copy(d[a.Min.X:a.Max.X], s[a.Min.X:a.Max.X])
			continue
		}
		if b.Min.X > a.Min.X {
			copy(d[a.Min.X:b.Min.X], s[a.Min.X:b.Min.X])
		}
		if b.Max.X < a.Max.X {
			copy(d[b.Max.X:a.Max.X], s[b.Max.X:a.Max.X])
		}
	}
}
