package picture

import (
	"image"
	"unsafe"
)

const (
	// maxMoves bounds the moves of one update; no desktop clip gained from a
	// second one, but two windows can move at once.
	maxMoves = 3

	anchor     = 16 // pixels of a sample
	maxSamples = 320
	maxHits    = 1 << 14
	leastVotes = 13  // of samples that moved alike
	plain      = 512 // samples in vain, from the beginning, are enough
	scanStep   = 4   // of a window that moved, a quarter of its rows is enough to be found
	sparseStep = 16  // and of one that is being dragged, mostly a sixteenth
)

// moveSearch finds rectangles that moved in any direction: a window that is
// dragged. Samples are taken of the new picture where it is distinctive, then
// the old picture is scanned for them.
type moveSearch struct {
	filter  [1 << 13]uint64 // a set bit for the top 19 bits of each sample's hash
	table   [1024]int16     // index of a sample by the hash, -1 is free
	samples []sample
	hits    []sample
	votes   voteTable
	lately  bool // it found something when it was asked last
	drag    bool // and that was one thing
}

type sample struct {
	hash uint64
	at   image.Point
	by   image.Point // from its place in the new picture to the one in the old
	used bool
}

func (m *moveSearch) init() {
	m.samples, m.hits = make([]sample, 0, maxSamples), make([]sample, 0, 1024)
}

// find appends up to maxMoves moves to those of e and carries them out on its
// picture.
func (m *moveSearch) find(e *encoder, cur []uint32, box image.Rectangle) []move {
	m.sample(e, cur, box)
	if len(m.samples) < 24 {
		m.lately, m.drag = false, false
		return e.moves
	}
	m.hits = m.hits[:0]
	most := maxMoves
	m.scan(e, box, 0, sparseStep)
	if m.drag && m.clear() {
		most = 1
	} else {
		for row := scanStep; row < sparseStep; row += scanStep {
			m.scan(e, box, row, sparseStep)
		}
	}
	found := 0
	for range most {
		by, r, ok := m.winner()
		if !ok && found == 0 { // a small window: every row counts
			for row := 1; row < scanStep; row++ {
				m.scan(e, box, row, scanStep)
			}
			by, r, ok = m.winner()
		}
		if !ok {
			break
		}
		found++
		r = grow(e, cur, box, r, by)
		if r.Dx()*r.Dy() < minSearchArea {
			continue
		}
		// Outside the damage nothing changed: what under would bring back there
		// would have to be sent again.
		mv := move{to: r, by: by, under: r.Add(by).In(box)}
		mv.apply(e.ref, e.under, e.w)
		e.moves = append(e.moves, mv)
		for i := range m.hits {
			if h := &m.hits[i]; h.at.In(r) {
				h.used = true
			}
		}
	}
	m.lately, m.drag = found > 0, found == 1
	return e.moves
}

// sample picks places of the new picture that changed and are distinctive:
// they start at a step between two pixels and hold at least four strong ones.
func (m *moveSearch) sample(e *encoder, cur []uint32, box image.Rectangle) {
	m.samples = m.samples[:0]
	clear(m.filter[:])
	for i := range m.table {
		m.table[i] = -1
	}
	x0, x1 := box.Min.X+1, box.Max.X-anchor
	random := uint32(12345) // always the same places: the same picture gives the same bytes
	for tries := 0; tries < 4000 && len(m.samples) < maxSamples; tries++ {
		if tries == plain && len(m.samples) == 0 {
			break // one colour, or nearly: there is nothing to go by
		}
		random = random*1664525 + 1013904223
		x := x0 + int(random>>8)%(x1-x0)
		random = random*1664525 + 1013904223
		y := box.Min.Y + int(random>>8)%box.Dy()
		row := cur[y*e.w : (y+1)*e.w]
		for end := min(x+64, x1); x < end && row[x] == row[x-1]; {
			x++
		}
		if row[x] == row[x-1] || equal(row[x:x+anchor], e.ref[y*e.w+x:y*e.w+x+anchor]) {
			continue
		}
		steps := 0
		for i := x + 1; i < x+anchor; i++ {
			if d := int(row[i]>>8&255) - int(row[i-1]>>8&255); d > 24 || d < -24 {
				steps++
			}
		}
		if steps < 4 {
			continue
		}
		h := anchorHash(row[x:])
		s := m.slot(h)
		if m.table[s] >= 0 {
			continue
		}
		m.table[s] = int16(len(m.samples))
		m.samples = append(m.samples, sample{hash: h, at: image.Pt(x, y)})
		m.filter[h>>51] |= 1 << (h >> 45 & 63)
	}
}

func (m *moveSearch) slot(hash uint64) int {
	s := int(hash>>32) & (len(m.table) - 1)
	for m.table[s] >= 0 && m.samples[m.table[s]].hash != hash {
		s = (s + 1) & (len(m.table) - 1)
	}
	return s
}

// scan looks for the samples in every step-th row of the old picture from row on.
// Like samples, places start only at a step of colour, which leaves few to hash.
func (m *moveSearch) scan(e *encoder, box image.Rectangle, row, step int) {
	x0, x1 := box.Min.X+1, box.Max.X-anchor
	for y := box.Min.Y + row; y < box.Max.Y; y += step {
		row := e.ref[y*e.w : (y+1)*e.w]
		last := row[x0-1]
		for x := x0; x < x1; x++ {
			if row[x] == last {
				continue
			}
			last = row[x]
			h := anchorHash(row[x:])
			if m.filter[h>>51]>>(h>>45&63)&1 == 0 {
				continue
			}
			s := m.slot(h)
			if m.table[s] < 0 || len(m.hits) >= maxHits {
				continue
			}
			hit := m.samples[m.table[s]]
			hit.by = image.Pt(x, y).Sub(hit.at)
			if hit.by != (image.Point{}) {
				m.hits = append(m.hits, hit)
			}
		}
	}
}

// clear says whether most of the hits agree, and are enough.
func (m *moveSearch) clear() bool {
	m.votes.clear()
	best := 0
	for i := range m.hits {
		best = max(best, m.votes.add(m.hits[i].by))
	}
	return best >= leastVotes && 2*best > len(m.hits)
}

// winner returns the displacement with the most hits that no move has used,
// and the box of those hits; it uses them up.
func (m *moveSearch) winner() (by image.Point, r image.Rectangle, ok bool) {
	m.votes.clear()
	best := 0
	for i := range m.hits {
		if h := &m.hits[i]; !h.used {
			if n := m.votes.add(h.by); n > best {
				best, by = n, h.by
			}
		}
	}
	if best < leastVotes {
		return by, r, false
	}
	for i := range m.hits {
		if h := &m.hits[i]; !h.used && h.by == by {
			r = r.Union(image.Rectangle{Min: h.at, Max: h.at.Add(image.Pt(anchor, 1))})
			h.used = true
		}
	}
	return by, r, true
}

// grow extends r while whole rows and columns of the new picture match the
// displaced old one; up to 23 that do not match may lie between.
func grow(e *encoder, cur []uint32, box, r image.Rectangle, by image.Point) image.Rectangle {
	w := e.w
	limit := box.Intersect(image.Rect(0, 0, e.w, e.h).Sub(by))
	r = r.Intersect(limit)
	rowFits := func(y int) bool {
		a, b := y*w, (y+by.Y)*w+by.X
		return equal(cur[a+r.Min.X:a+r.Max.X], e.ref[b+r.Min.X:b+r.Max.X])
	}
	columnFits := func(x int) bool {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			if cur[y*w+x] != e.ref[(y+by.Y)*w+x+by.X] {
				return false
			}
		}
		return true
	}
	const gap = 24
	for changed, rounds := true, 0; changed && rounds < 8; rounds++ {
		changed = false
		for y, g := r.Min.Y-1, 0; y >= limit.Min.Y && g < gap; y-- {
			if g++; rowFits(y) {
				r.Min.Y, g, changed = y, 0, true
			}
		}
		for y, g := r.Max.Y, 0; y < limit.Max.Y && g < gap; y++ {
			if g++; rowFits(y) {
				r.Max.Y, g, changed = y+1, 0, true
			}
		}
		for x, g := r.Min.X-1, 0; x >= limit.Min.X && g < gap; x-- {
			if g++; columnFits(x) {
				r.Min.X, g, changed = x, 0, true
			}
		}
		for x, g := r.Max.X, 0; x < limit.Max.X && g < gap; x++ {
			if g++; columnFits(x) {
				r.Max.X, g, changed = x+1, 0, true
			}
		}
	}
	return r
}

// anchorHash hashes the first 16 pixels of p.
func anchorHash(p []uint32) uint64 {
	q := (*[anchor / 2]uint64)(unsafe.Pointer(&p[:anchor][0]))
	a := q[0]*hashMul ^ q[1]*0xC2B2AE3D27D4EB4F
	b := q[2]*0x165667B19E3779F9 ^ q[3]*0x27D4EB2F165667C5
	a = (a ^ a>>32) + q[4]*0x85EBCA77C2B2AE63
	b = (b ^ b>>29) + q[5]*0xD6E8FEB86659FD93
	a ^= q[6] * 0xA0761D6478BD642F
	b ^= q[7] * 0xE7037ED1A0B428DB
	return (a ^ b>>31) * hashMul
}

// voteTable counts displacements. When it is three quarters full, new ones are
// not counted: a winner has many votes and comes early.
type voteTable struct {
	generation uint32
	used       int
	slots      [4096]vote
}

type vote struct {
	generation uint32
	n          int32
	by         image.Point
}

func (t *voteTable) clear() {
	t.used = 0
	t.generation++
	if t.generation == 0 {
		clear(t.slots[:])
		t.generation = 1
	}
}

// add counts one vote and returns how many there are.
func (t *voteTable) add(by image.Point) int {
	i := int(uint64(by.X*40503+by.Y)*hashMul>>52) & (len(t.slots) - 1)
	for t.slots[i].generation == t.generation && t.slots[i].by != by {
		i = (i + 1) & (len(t.slots) - 1)
	}
	v := &t.slots[i]
	if v.generation != t.generation {
		if t.used >= len(t.slots)*3/4 {
			return 0
		}
		t.used++
		*v = vote{generation: t.generation, by: by}
	}
	v.n++
	return int(v.n)
}
