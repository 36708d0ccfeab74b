package capture

import "image"

// MaxAreas is the most rectangles that an [Areas] holds.
const MaxAreas = 4

// near is the gap in pixels up to which two rectangles are one.
const near = 16

// Areas is a set of a few rectangles that keep their distance: what is added
// near one of them, or when there is no more room, is joined to it. A caret that
// blinks beside a page that scrolls stays a thing of its own. The zero value is
// empty.
type Areas struct {
	rects [MaxAreas]image.Rectangle
	n     int
}

// Add adds all pixels of r.
func (a *Areas) Add(r image.Rectangle) {
	if r.Empty() {
		return
	}
	for i := a.closest(r); i >= 0; i = a.closest(r) {
		if r.In(a.rects[i]) {
			return
		}
		r = r.Union(a.rects[i])
		a.n--
		a.rects[i] = a.rects[a.n]
	}
	a.rects[a.n] = r
	a.n++
}

// closest returns which rectangle r must be joined to, or -1.
func (a *Areas) closest(r image.Rectangle) int {
	at, least := -1, 0
	for i, o := range a.All() {
		if o.Inset(-near).Overlaps(r) {
			return i
		}
		u := r.Union(o)
		if growth := u.Dx()*u.Dy() - o.Dx()*o.Dy(); a.n == MaxAreas && (at < 0 || growth < least) {
			at, least = i, growth
		}
	}
	return at
}

// All are the rectangles, in no order. They are valid until the next change.
func (a *Areas) All() []image.Rectangle { return a.rects[:a.n] }

// Bounds is the smallest rectangle that holds them all.
func (a *Areas) Bounds() (r image.Rectangle) {
	for _, o := range a.All() {
		r = r.Union(o)
	}
	return r
}

// Clear empties the set.
func (a *Areas) Clear() { a.n = 0 }
