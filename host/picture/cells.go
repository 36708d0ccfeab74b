package picture

import "image"

// cell is the side of a cell in pixels: what a viewer still lacks is kept cell
// by cell, so that any part of it can wait.
const cell = 64

const cellTiles = cell / tile

// cells is the account of what a viewer's picture lacks. A cell that is owed may
// differ from the host's picture; one that is not equals it.
type cells struct {
	w, h   int      // cells across and down
	owed   []bool   // may differ
	marks  []uint8  // tiles that differ, found by the diff of the update in hand
	pixels []uint8  // those whose pixels must be sent
	cost   []int32  // bytes that they are likely to cost; set only where there is a choice
	turn   []uint32 // the round in which the cell was sent last
	round  uint32
}

func (c *cells) init(w, h int) {
	c.w, c.h = (w+cell-1)/cell, (h+cell-1)/cell
	n := c.w * c.h
	c.owed, c.marks, c.pixels = make([]bool, n), make([]uint8, n), make([]uint8, n)
	c.cost, c.turn, c.round = make([]int32, n), make([]uint32, n), 1
}

// of is the rectangle of all cells that touch r, in cells.
func (c *cells) of(r image.Rectangle) image.Rectangle {
	if r = r.Intersect(image.Rect(0, 0, c.w*cell, c.h*cell)); r.Empty() {
		return image.Rectangle{}
	}
	return image.Rect(r.Min.X/cell, r.Min.Y/cell, (r.Max.X+cell-1)/cell, (r.Max.Y+cell-1)/cell)
}

// owe marks the cells that touch r as owed.
func (c *cells) owe(r image.Rectangle) {
	t := c.of(r)
	for y := t.Min.Y; y < t.Max.Y; y++ {
		row := c.owed[y*c.w : (y+1)*c.w]
		for x := t.Min.X; x < t.Max.X; x++ {
			row[x] = true
		}
	}
}

// owes says whether a cell that touches r is owed.
func (c *cells) owes(r image.Rectangle) bool {
	t := c.of(r)
	for y := t.Min.Y; y < t.Max.Y; y++ {
		for _, owed := range c.owed[y*c.w+t.Min.X : y*c.w+t.Max.X] {
			if owed {
				return true
			}
		}
	}
	return false
}

// ring calls visit for the cells at distance d from the cell at, row by row,
// until it says no. The distance is that of a king on a chessboard.
func (c *cells) ring(at image.Point, d int, visit func(i int) bool) bool {
	for y := max(at.Y-d, 0); y <= min(at.Y+d, c.h-1); y++ {
		step := 1
		if y != at.Y-d && y != at.Y+d && d > 0 {
			step = 2 * d
		}
		for x := at.X - d; x <= at.X+d; x += step {
			if x >= 0 && x < c.w && !visit(y*c.w+x) {
				return false
			}
		}
	}
	return true
}

// price is what the marked cells that touch r cost, without those that were
// chosen before.
func (c *cells) price(r image.Rectangle, chosen uint8, cost func(i int) int) (sum int) {
	t := c.of(r)
	for y := t.Min.Y; y < t.Max.Y; y++ {
		for x := t.Min.X; x < t.Max.X; x++ {
			if i := y*c.w + x; c.marks[i] > 0 && c.marks[i]&chosen == 0 {
				sum += cost(i)
			}
		}
	}
	return sum
}

// choose picks from the marked cells what costs at most budget bytes, and takes
// the marks off the others: they stay owed. First come the parts of what changed
// just now that fit, the cheapest first: the echo of a key. The rest goes from
// the cell focus outwards, every cell once before any comes twice, and those
// first that were calm for longest: nothing starves beside what changes all the
// time. At least one cell is chosen. A cell costs what cost says, which may mark it
// only then; 0 is nothing to send. It returns whether any was left.
func (c *cells) choose(budget int, fresh []image.Rectangle, focus image.Point, cost func(i int) int) (left bool) {
	const chosen = 0x80 // bit of marks
	any := false
	for range fresh {
		sum, cheapest := 0, image.Rectangle{}
		for _, r := range fresh {
			if n := c.price(r, chosen, cost); n > 0 && (n < sum || sum == 0) {
				sum, cheapest = n, r
			}
		}
		if sum == 0 || sum > budget {
			break
		}
		budget -= sum
		any = true
		t := c.of(cheapest)
		for y := t.Min.Y; y < t.Max.Y; y++ {
			for x := t.Min.X; x < t.Max.X; x++ {
				if i := y*c.w + x; c.marks[i] > 0 {
					c.marks[i] |= chosen
				}
			}
		}
	}
	full, before := false, c.round-1 // cells whose last turn was before go
	take := func(i int) bool {
		if c.marks[i]&chosen != 0 || c.turn[i] >= before {
			return true
		}
		n := cost(i)
		if n == 0 {
			return true
		}
		if n > budget && any {
			full = true
			return false
		}
		budget -= n
		c.marks[i] |= chosen
		c.turn[i] = c.round
		any = true
		return true
	}
	for pass := range 3 {
		for d := 0; d < max(c.w, c.h) && c.ring(focus, d, take); d++ {
		}
		if full {
			break
		}
		if pass > 0 {
			c.round++ // each had its turn
		}
		before = c.round
	}
	for i, m := range c.marks {
		switch {
		case m == 0:
		case m&chosen != 0:
			c.marks[i] = m &^ chosen
		default:
			c.marks[i], c.pixels[i] = 0, 0
			left = true
		}
	}
	return left
}
