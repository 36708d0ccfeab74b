package picture

import (
	"image"
	"math/bits"
)

// Searching costs about a millisecond on a whole screen; below these sizes the
// pixels themselves are cheaper.
const (
	minSearchArea   = 64 * 64
	minSearchHeight = 64
	minScrollWidth  = 128
	minMoveWidth    = 64
)

// searchFrom is the number of tiles that differ above which a search is worth
// its time.
const searchFrom = 24

// searchable says whether a search of box can find anything.
func searchable(box image.Rectangle) bool {
	return box.Dx()*box.Dy() >= minSearchArea && box.Dy() > minSearchHeight && box.Dx() > minMoveWidth
}

// search looks in box for what only moved since the last update, and carries
// the moves it finds out on ref. A wrong guess costs bytes, never exactness: what
// moves touched is owed, and the diff that follows repairs it. It returns the
// rows whose hashes are known from now on, if ref shows the new picture there.
func (e *encoder) search(cur []uint32, box image.Rectangle) (searched image.Rectangle) {
	found := false
	if e.move.lately { // a drag is seldom one step
		e.moves = e.move.find(e, cur, box)
		found = len(e.moves) > 0
	}
	if !found && box.Dx() > minScrollWidth {
		var m move
		if m, found = e.scroll.find(e.ref, cur, e.w, box); found {
			e.moves = append(e.moves, m)
			m.apply(e.ref, e.under, e.w)
		}
		searched = box
	}
	if !found && !e.move.lately {
		e.moves = e.move.find(e, cur, box)
	}
	for _, m := range e.moves {
		e.moved(m.to, searched)
		if m.under {
			e.moved(m.to.Add(m.by), searched)
		}
	}
	return searched
}

// moved says that a move changed r.
func (e *encoder) moved(r, searched image.Rectangle) {
	e.cells.owe(r)
	e.scroll.forgetOutside(r, searched)
}

// scrollSearch finds rows that moved up or down together, by their hashes. The
// hashes of the last picture are kept, since scrolling is seldom one step.
type scrollSearch struct {
	x0, x1   int      // the columns that were hashed
	old, now []uint64 // hash of each row of ref and of the new picture
	known    []bool   // old is right for this row
	table    rowTable
	votes    []int32 // for each offset + height
	total    int     // rows of the picture
	every    bool    // hash every row: what find is given as ref is not what old is of
	sparse   bool    // find hashed only some rows: rows whose tiles are sent are not known
}

const (
	// sparseRows is the distance of the rows that are hashed first. It is no part of
	// a usual height of a line of text, so blank rows are not all that is seen.
	sparseRows  = 7
	sparseVotes = 12 // of rows that moved alike make the others superfluous
)

func (s *scrollSearch) init(h int) {
	s.old, s.now, s.known = make([]uint64, h), make([]uint64, h), make([]bool, h)
	s.votes = make([]int32, 2*h+1)
	s.table.init(h)
	s.total = h
}

// forget drops what is known of the rows from top to bottom.
func (s *scrollSearch) forget(top, bottom int) {
	if top < bottom {
		clear(s.known[top:bottom])
	}
}

// forgetOutside drops what is known of the rows of r that are not of known.
func (s *scrollSearch) forgetOutside(r, known image.Rectangle) {
	if known.Empty() {
		known = image.Rect(0, r.Max.Y, 1, r.Max.Y)
	}
	s.forget(r.Min.Y, min(r.Max.Y, known.Min.Y))
	s.forget(max(r.Min.Y, known.Max.Y), r.Max.Y)
}

// find returns the longest block of rows of box that moved vertically. It
// takes for granted that ref equals cur in box after the update, but for rows of
// tiles that are sent where it says that it was sparse.
func (s *scrollSearch) find(ref, cur []uint32, w int, box image.Rectangle) (move, bool) {
	x0, x1 := box.Min.X, box.Max.X
	if s.x0 != x0 || s.x1 != x1 {
		s.x0, s.x1 = x0, x1
		clear(s.known)
	}
	s.table.clear()
	for y := box.Min.Y; y < box.Max.Y; y++ {
		if !s.known[y] {
			s.old[y] = rowHash(ref[y*w+x0 : y*w+x1])
		}
		s.table.add(s.old[y], int32(y))
	}
	clear(s.votes)
	best, by, cast := int32(0), 0, int32(0)
	vote := func(y int) {
		s.now[y] = rowHash(cur[y*w+x0 : y*w+x1])
		from, ok := s.table.only(s.now[y])
		if !ok || from == y {
			return
		}
		cast++
		v := &s.votes[from-y+s.total]
		*v++
		if *v > best {
			best, by = *v, from-y
		}
	}
	for y := box.Min.Y; y < box.Max.Y; y += sparseRows {
		vote(y)
	}
	if s.sparse = !s.every && best >= sparseVotes && 2*best > cast; s.sparse {
		return s.sparseBlock(ref, cur, w, box, by)
	}
	for y := box.Min.Y; y < box.Max.Y; y++ {
		if (y-box.Min.Y)%sparseRows != 0 {
			vote(y)
		}
	}
	defer func() {
		for y := box.Min.Y; y < box.Max.Y; y++ {
			s.old[y], s.known[y] = s.now[y], true
		}
	}()
	if best <= 16 {
		return move{}, false
	}
	first, length := s.longest(box, by, 1)
	if length <= leastBlock {
		return move{}, false
	}
	return move{to: image.Rect(x0, first, x1, first+length), by: image.Pt(0, by)}, true
}

// leastBlock is the number of rows that are too few to be moved.
const leastBlock = 48

// longest is the longest block of rows that moved by by, of which only every
// step-th was hashed. In it up to 24 rows in a row may not match.
func (s *scrollSearch) longest(box image.Rectangle, by, step int) (first, length int) {
	const gap = 24
	begin, last := -1, 0
	end := func() {
		if n := last + 1 - begin; begin >= 0 && n > length {
			first, length = begin, n
		}
	}
	for y := box.Min.Y; y < box.Max.Y; y += step {
		if from := y + by; from < box.Min.Y || from >= box.Max.Y || s.old[from] != s.now[y] {
			continue
		}
		if begin >= 0 && y-last > gap+1 {
			end()
			begin = -1
		}
		if begin < 0 {
			begin = y
		}
		last = y
	}
	end()
	return first, length
}

// sparseBlock is find where a few rows agree on by. The hashes of what moved move
// with it; of the other rows they are not known.
func (s *scrollSearch) sparseBlock(ref, cur []uint32, w int, box image.Rectangle, by int) (move, bool) {
	x0, x1 := box.Min.X, box.Max.X
	first, length := s.longest(box, by, sparseRows)
	same := func(y int) bool {
		from := y + by
		return y >= box.Min.Y && y < box.Max.Y && from >= box.Min.Y && from < box.Max.Y &&
			equal(cur[y*w+x0:y*w+x1], ref[from*w+x0:from*w+x1])
	}
	for n := 1; length > 0 && n < sparseRows && same(first-1); n++ {
		first, length = first-1, length+1
	}
	for n := 1; length > 0 && n < sparseRows && same(first+length); n++ {
		length++
	}
	found := length > leastBlock
	for y := box.Min.Y; y < box.Max.Y; y++ {
		hashed := (y-box.Min.Y)%sparseRows == 0
		moves := found && y >= first && y < first+length
		if moves && !hashed {
			s.now[y] = s.old[y+by]
		}
		s.known[y] = moves || hashed
	}
	copy(s.old[box.Min.Y:box.Max.Y], s.now[box.Min.Y:box.Max.Y])
	if !found {
		return move{}, false
	}
	return move{to: image.Rect(x0, first, x1, first+length), by: image.Pt(0, by)}, true
}

const hashMul = 0x9E3779B97F4A7C15

// rowHash samples up to 256 pixels spread over a row.
func rowHash(row []uint32) uint64 {
	q := asWords(row)
	a, b := uint64(1469598103934665603), uint64(7)
	step := max(1, len(q)/128)
	for i := 0; i+step < len(q); i += 2 * step {
		a = (a ^ q[i]) * hashMul
		b = (b ^ q[i+step]) * hashMul
		a ^= a >> 29
		b ^= b >> 31
	}
	return a ^ b*3
}

// rowTable maps a hash to its row if only one row has it. Open addressing, at
// most half full, emptied by a new generation number.
type rowTable struct {
	generation uint32
	shift      int // the slot is hash >> shift
	keys       []uint64
	slots      []rowSlot
}

type rowSlot struct {
	generation uint32
	row        int32 // -1: several rows
}

func (t *rowTable) init(rows int) {
	n := bits.Len(uint(2*rows - 1))
	t.shift = 64 - n
	t.keys, t.slots = make([]uint64, 1<<n), make([]rowSlot, 1<<n)
}

func (t *rowTable) clear() {
	t.generation++
	if t.generation == 0 {
		clear(t.slots)
		t.generation = 1
	}
}

func (t *rowTable) slot(hash uint64) int {
	i := int(hash >> t.shift)
	for t.slots[i].generation == t.generation && t.keys[i] != hash {
		i = (i + 1) & (len(t.slots) - 1)
	}
	return i
}

func (t *rowTable) add(hash uint64, row int32) {
	i := t.slot(hash)
	if t.slots[i].generation == t.generation {
		row = -1
	}
	t.keys[i], t.slots[i] = hash, rowSlot{t.generation, row}
}

func (t *rowTable) only(hash uint64) (row int, ok bool) {
	s := t.slots[t.slot(hash)]
	return int(s.row), s.generation == t.generation && s.row >= 0
}
