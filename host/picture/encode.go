package picture

import (
	"encoding/binary"
	"image"
	"slices"

	"github.com/mainforte/mainforte/host/capture"
)

// tile is the side of a tile in pixels.
const tile = 16

// What the diff found out about a tile.
const (
	tileSame     = 0
	tilePixels   = 1 // its pixels are sent
	tileRestored = 2 // it shows again what it showed before it was covered
)

// Modes of a run on the wire.
const (
	modePlain  = 0
	modeSwap   = 1
	modeMedian = 2
)

// run is a row of n neighbouring tiles whose pixels are sent alike.
type run struct{ tx, ty, n, mode int }

// encoder turns pictures into updates of format 1. It holds what the viewer
// holds after the last update, the picture ref and the under picture, and what
// of the host's picture ref lacks, cell by cell. It reads nothing of a new
// picture outside the cells that are owed and the box that is searched, so a
// source may already show something newer there.
type encoder struct {
	w, h, tw, th int
	ref, under   []uint32
	cells        cells
	fresh        capture.Areas // damage since the last search
	tiles        []uint8       // what the diff found out; tileSame between updates
	film         []bool        // tiles that are shown as video: they wait
	filmed       bool          // any is
	moves        []move
	runs         []run
	out          []byte
	steps        int // sampled pixels of the last update that differ from their left neighbour
	sent         int // tiles of pixels in the last update
	perStep      float32
	perTile      float32 // bytes on the wire, lately
	scroll       scrollSearch
	move         moveSearch
}

// newEncoder begins with a black picture and an empty under picture, and owes
// all cells.
func newEncoder(w, h int) *encoder {
	tw, th := (w+tile-1)/tile, (h+tile-1)/tile
	e := &encoder{
		w: w, h: h, tw: tw, th: th,
		ref: make([]uint32, w*h), under: make([]uint32, w*h),
		tiles: make([]uint8, tw*th), film: make([]bool, tw*th),
		moves: make([]move, 0, maxMoves), runs: make([]run, 0, 256),
		perStep: 1.5, perTile: 200,
	}
	e.cells.init(w, h)
	e.scroll.init(h)
	e.move.init()
	e.cells.owe(e.bounds())
	return e
}

// reset begins again as newEncoder does.
func (e *encoder) reset() {
	clear(e.ref)
	clear(e.under)
	e.scroll.forget(0, e.h)
	e.fresh.Clear()
	e.cells.owe(e.bounds())
}

func (e *encoder) bounds() image.Rectangle { return image.Rect(0, 0, e.w, e.h) }

// damage adds what may differ from now on.
func (e *encoder) damage(r image.Rectangle) {
	r = r.Intersect(e.bounds())
	e.cells.owe(r)
	e.fresh.Add(r)
}

// order says what an update may hold.
type order struct {
	view   image.Rectangle // pixels; what lies in no cell that touches it waits
	focus  image.Point     // where the viewer looks, in pixels
	budget int             // bytes after compression, about
	small  bool            // only what is fresh, and only if it fits the budget
	first  bool            // small though the line has room: the rest follows at once
	search bool            // look for what only moved
	gate   *gate           // learns what the tiles cost; may be nil
}

// encode returns an update that brings the viewer's picture nearer to cur, or
// nil if there is nothing to send of what may be sent now; more says that there
// will be with the next. The result is valid until the next call.
func (e *encoder) encode(cur []uint32, o order) (update []byte, more bool) {
	e.moves = e.moves[:0]
	if o.small {
		return e.encodeSmall(cur, o)
	}
	if len(e.fresh.All()) == 0 {
		return e.encodeRest(cur, o)
	}
	fresh := e.fresh
	e.fresh.Clear()
	box := searchBox(fresh.All(), o.view)
	limit := e.tw * e.th
	if o.search && searchable(box) {
		limit = searchFrom
	}
	n := e.diff(cur, o.view, limit)
	searched := image.Rectangle{}
	if n > limit {
		searched = e.search(cur, box)
		n = e.diff(cur, o.view, e.tw*e.th)
	}
	if n == 0 && len(e.moves) == 0 {
		e.forget(searched)
		return nil, false
	}
	if o.gate != nil {
		o.gate.note(e, cur, fresh.All())
	}
	more = e.choose(cur, o, fresh.All())
	return e.take(cur, searched), more
}

// encodeRest is encode where nothing is new: of what is owed of earlier frames it
// looks only at as many cells as an update can hold.
func (e *encoder) encodeRest(cur []uint32, o order) (update []byte, more bool) {
	c := &e.cells
	view := c.of(o.view)
	more = e.pick(o, nil, func(i int) int {
		x, y := i%c.w, i/c.w
		if !c.owed[i] || c.marks[i] == 0 && (!image.Pt(x, y).In(view) || e.diffCells(cur, y, x, x+1) == 0) {
			return 0
		}
		return e.price(cur, i)
	})
	if !slices.ContainsFunc(c.marks, func(n uint8) bool { return n > 0 }) {
		return nil, false
	}
	return e.take(cur, image.Rectangle{}), more
}

// searchBox is where what moved is searched: the largest of the parts, and those
// that are about as large, for the place that a window left.
func searchBox(parts []image.Rectangle, view image.Rectangle) (box image.Rectangle) {
	most := 0
	area := func(r image.Rectangle) int { r = r.Intersect(view); return r.Dx() * r.Dy() }
	for _, r := range parts {
		most = max(most, area(r))
	}
	for _, r := range parts {
		if 2*area(r) >= most {
			box = box.Union(r.Intersect(view))
		}
	}
	return box
}

// small says how many cells the part r of the damage touches, and whether that
// is few enough for a small update.
func (e *encoder) small(r, view image.Rectangle) (cells int, ok bool) {
	t := e.cells.of(r.Intersect(view))
	cells = t.Dx() * t.Dy()
	return cells, cells <= maxSmall
}

// mixed says whether something small is new beside something that is not.
func (e *encoder) mixed(view image.Rectangle) bool {
	small, large := false, false
	for _, r := range e.fresh.All() {
		if n, ok := e.small(r, view); n > 0 {
			small, large = small || ok, large || !ok
		}
	}
	return small && large
}

// encodeSmall is encode for an update that overtakes what waits.
func (e *encoder) encodeSmall(cur []uint32, o order) (update []byte, more bool) {
	var rest capture.Areas
	n, cells := 0, 0
	for _, r := range e.fresh.All() {
		c, ok := e.small(r, o.view)
		if !ok || cells+c > maxSmall {
			rest.Add(r)
			continue
		}
		cells += c
		n += e.diff(cur, r.Intersect(o.view), e.tw*e.th)
	}
	if n == 0 {
		e.fresh = rest
		return nil, true
	}
	if e.likely(cur, o.budget) > o.budget {
		for i, m := range e.cells.marks {
			if m > 0 {
				e.unmark(i)
				e.cells.marks[i], e.cells.pixels[i] = 0, 0
			}
		}
		return nil, true
	}
	e.fresh = rest
	return e.take(cur, image.Rectangle{}), true
}

// maxSmall bounds what a small update looks at, in cells.
const maxSmall = 32

// take makes the update of what is marked.
func (e *encoder) take(cur []uint32, searched image.Rectangle) []byte {
	box := e.chosen()
	e.sync(cur, box)
	update := e.write(box)
	e.settle(box, searched)
	return update
}

// empty returns an update that changes nothing.
func (e *encoder) empty() []byte {
	e.out = append(e.out[:0], 0, 0, 0)
	return e.out
}

// tilesOf is the rectangle of all tiles that touch box, in tiles.
func tilesOf(box image.Rectangle) image.Rectangle {
	return image.Rect(box.Min.X/tile, box.Min.Y/tile, (box.Max.X+tile-1)/tile, (box.Max.Y+tile-1)/tile)
}

// pixelsOf is the rectangle of n tiles from tx, ty, in pixels, cut at the edge
// of the picture.
func (e *encoder) pixelsOf(tx, ty, n int) image.Rectangle {
	return image.Rect(tx*tile, ty*tile, min((tx+n)*tile, e.w), min((ty+1)*tile, e.h))
}

// diff marks the tiles that differ from ref in the owed cells that touch view
// and returns their number. Cells without any are no longer owed. It may stop
// when it has found more than limit.
func (e *encoder) diff(cur []uint32, view image.Rectangle, limit int) (n int) {
	c := &e.cells
	t := c.of(view)
	for cy := t.Min.Y; cy < t.Max.Y; cy++ {
		owed := c.owed[cy*c.w : (cy+1)*c.w]
		for cx := t.Min.X; cx < t.Max.X; cx++ {
			if !owed[cx] {
				continue
			}
			from := cx
			for cx < t.Max.X && owed[cx] {
				cx++
			}
			n += e.diffCells(cur, cy, from, cx)
			if n > limit {
				return n
			}
		}
	}
	return n
}

// tileFilmed is the state of a tile during the diff that is shown as video.
const tileFilmed = 3

// diffCells marks the tiles that differ in a row of cells that are owed.
func (e *encoder) diffCells(cur []uint32, cy, from, to int) (n int) {
	w, c := e.w, &e.cells
	clear(c.marks[cy*c.w+from : cy*c.w+to])
	clear(c.pixels[cy*c.w+from : cy*c.w+to])
	clear(c.owed[cy*c.w+from : cy*c.w+to])
	first, last := from*cellTiles, min(to*cellTiles, e.tw)
	left, right := first*tile, min(last*tile, w)
	for ty := cy * cellTiles; ty < min((cy+1)*cellTiles, e.th); ty++ {
		state := e.tiles[ty*e.tw : (ty+1)*e.tw]
		clear(state[first:last])
		if e.filmed {
			for tx := first; tx < last; tx++ {
				if e.film[ty*e.tw+tx] {
					state[tx] = tileFilmed
				}
			}
		}
		bottom := min((ty+1)*tile, e.h)
		for y := ty * tile; y < bottom; y++ {
			a, b := cur[y*w+left:y*w+right], e.ref[y*w+left:y*w+right]
			if equal(a, b) {
				continue
			}
			for tx := first; tx < last; tx++ {
				if state[tx] != tileSame {
					continue
				}
				i := tx*tile - left
				if i+tile <= len(a) && differ(a[i:], b[i:]) || i+tile > len(a) && !equal(a[i:], b[i:]) {
					state[tx] = tilePixels
				}
			}
		}
		for tx := first; tx < last; tx++ {
			if state[tx] == tileSame {
				continue
			}
			i := cy*c.w + tx/cellTiles
			c.owed[i] = true
			if state[tx] == tileFilmed {
				state[tx] = tileSame
				continue
			}
			n++
			c.marks[i]++
			if e.matchesUnder(cur, e.pixelsOf(tx, ty, 1)) {
				state[tx] = tileRestored
			} else {
				c.pixels[i]++
			}
		}
	}
	return n
}

func (e *encoder) matchesUnder(cur []uint32, r image.Rectangle) bool {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		i, j := y*e.w+r.Min.X, y*e.w+r.Max.X
		if !equal(cur[i:j], e.under[i:j]) {
			return false
		}
	}
	return true
}

// likely is what the marked tiles are likely to come to in bytes. If that can
// only be less than enough, it may be any number up to it, and the cells have
// no cost.
func (e *encoder) likely(cur []uint32, enough int) (sum int) {
	c := &e.cells
	tiles := 0
	for _, n := range c.pixels {
		tiles += int(n)
	}
	// No pixel costs more than its three bytes.
	if tiles*(3*tile*tile+4) <= enough {
		return 0
	}
	for i, n := range c.marks {
		if n > 0 {
			c.cost[i] = int32(e.price(cur, i))
			sum += int(c.cost[i])
		}
	}
	return sum
}

// price is what the marked tiles of cell i are likely to come to in bytes.
func (e *encoder) price(cur []uint32, i int) int {
	cost := 2 * int(e.cells.marks[i])
	if n := int(e.cells.pixels[i]); n > 0 {
		_, steps, all := look(cur, e.w, e.cellPixels(i))
		cost += int(float32(steps*n*tile*tile/all) * e.perStep)
	}
	return cost
}

// choose leaves marked what fits the budget and says whether anything is left.
func (e *encoder) choose(cur []uint32, o order, fresh []image.Rectangle) (left bool) {
	c := &e.cells
	if e.likely(cur, o.budget) <= o.budget {
		c.round++
		return false
	}
	return e.pick(o, fresh, func(i int) int {
		if c.marks[i] == 0 {
			return 0
		}
		return int(c.cost[i])
	})
}

// pick leaves marked what fits the budget of o, by what each cell costs, and says
// whether anything is left.
func (e *encoder) pick(o order, fresh []image.Rectangle, cost func(i int) int) (left bool) {
	c := &e.cells
	focus := image.Pt(min(max(o.focus.X/cell, 0), c.w-1), min(max(o.focus.Y/cell, 0), c.h-1))
	left = c.choose(o.budget, fresh, focus, cost)
	for i, m := range c.marks {
		if m == 0 && c.owed[i] {
			e.unmark(i)
		}
	}
	return left
}

// cellPixels is the place of cell i in pixels, cut at the edge of the picture.
func (e *encoder) cellPixels(i int) image.Rectangle {
	x, y := i%e.cells.w*cell, i/e.cells.w*cell
	return image.Rect(x, y, min(x+cell, e.w), min(y+cell, e.h))
}

// unmark takes the marks off the tiles of cell i.
func (e *encoder) unmark(i int) {
	t := tilesOf(e.cellPixels(i))
	for ty := t.Min.Y; ty < t.Max.Y; ty++ {
		clear(e.tiles[ty*e.tw+t.Min.X : ty*e.tw+t.Max.X])
	}
}

// chosen is the box of all cells with marks, in pixels.
func (e *encoder) chosen() (box image.Rectangle) {
	for i, m := range e.cells.marks {
		if m > 0 {
			box = box.Union(e.cellPixels(i))
		}
	}
	return box
}

// sync brings ref and under to what the viewer will have.
func (e *encoder) sync(cur []uint32, box image.Rectangle) {
	t := tilesOf(box)
	for ty := t.Min.Y; ty < t.Max.Y; ty++ {
		for tx := t.Min.X; tx < t.Max.X; tx++ {
			if e.tiles[ty*e.tw+tx] == tileSame {
				continue
			}
			r := e.pixelsOf(tx, ty, 1)
			for y := r.Min.Y; y < r.Max.Y; y++ {
				i, j := y*e.w+r.Min.X, y*e.w+r.Max.X
				copy(e.under[i:j], e.ref[i:j])
				copy(e.ref[i:j], cur[i:j])
			}
		}
	}
}

// settle takes the marks off what was sent. Cells that were sent are no longer
// owed, but for tiles that are video.
func (e *encoder) settle(box, searched image.Rectangle) {
	c := &e.cells
	for i, m := range c.marks {
		if m == 0 {
			continue
		}
		e.unmark(i)
		c.marks[i], c.pixels[i] = 0, 0
		c.owed[i] = e.filmed && e.filmedCell(i)
		if e.scroll.sparse && !searched.Empty() {
			y := i / c.w * cell
			e.scroll.forget(y, min(y+cell, e.h))
		}
	}
	e.scroll.forgetOutside(box, searched)
	e.forget(searched)
}

// forget drops what the scroll search holds for known of rows that ref does not
// show as the host's picture does: the search takes for granted that it does.
func (e *encoder) forget(searched image.Rectangle) {
	if searched.Empty() {
		return
	}
	c := &e.cells
	t := c.of(searched)
	for cy := t.Min.Y; cy < t.Max.Y; cy++ {
		for _, owed := range c.owed[cy*c.w : (cy+1)*c.w] {
			if owed {
				e.scroll.forget(cy*cell, min((cy+1)*cell, e.h))
				break
			}
		}
	}
}

// filmedCell says whether a tile of cell i is shown as video.
func (e *encoder) filmedCell(i int) bool {
	t := tilesOf(e.cellPixels(i))
	for ty := t.Min.Y; ty < t.Max.Y; ty++ {
		for _, film := range e.film[ty*e.tw+t.Min.X : ty*e.tw+t.Max.X] {
			if film {
				return true
			}
		}
	}
	return false
}

// video sets which rectangles are video now: tiles that lie in one wait. Only
// whole tiles can.
func (e *encoder) video(rects []image.Rectangle) {
	if e.filmed {
		clear(e.film)
	}
	e.filmed = false
	for _, r := range rects {
		r = r.Intersect(e.bounds())
		for ty := (r.Min.Y + tile - 1) / tile; ty < e.th && min((ty+1)*tile, e.h) <= r.Max.Y; ty++ {
			for tx := (r.Min.X + tile - 1) / tile; tx < e.tw && min((tx+1)*tile, e.w) <= r.Max.X; tx++ {
				e.film[ty*e.tw+tx] = true
				e.filmed = true
			}
		}
	}
}

// learn takes the bytes that the last update came to.
func (e *encoder) learn(bytes int) {
	if e.steps >= 256 {
		per := float32(bytes) / float32(4*e.steps)
		e.perStep = max(per, e.perStep*0.75+per*0.25) // too low would make a part too long
	}
	if e.sent >= 8 {
		e.perTile = e.perTile*0.75 + float32(bytes)/float32(e.sent)*0.25
	}
}

// write lays out the update: moves, runs, planes.
func (e *encoder) write(box image.Rectangle) []byte {
	out := binary.AppendUvarint(e.out[:0], uint64(len(e.moves)))
	for _, m := range e.moves {
		flags := uint64(0)
		if m.under {
			flags = 1
		}
		out = binary.AppendUvarint(out, flags)
		for _, v := range [...]int{m.to.Min.X, m.to.Min.Y, m.to.Dx(), m.to.Dy()} {
			out = binary.AppendUvarint(out, uint64(v))
		}
		out = binary.AppendVarint(out, int64(m.by.X))
		out = binary.AppendVarint(out, int64(m.by.Y))
	}

	e.runs = e.runs[:0]
	e.steps, e.sent = 0, 0
	pixels, t := 0, tilesOf(box)
	skip := t.Min.Y * e.tw
	for ty := t.Min.Y; ty < t.Max.Y; ty++ {
		state := e.tiles[ty*e.tw : (ty+1)*e.tw]
		skip += t.Min.X
		for tx := t.Min.X; tx < t.Max.X; {
			if state[tx] == tileSame {
				skip++
				tx++
				continue
			}
			r := run{tx: tx, ty: ty, n: 1, mode: modeSwap}
			for tx+r.n < t.Max.X && state[tx+r.n] == state[tx] {
				r.n++
			}
			if state[tx] == tilePixels {
				px := e.pixelsOf(tx, ty, r.n)
				r.mode = modePlain
				little, steps, all := look(e.ref, e.w, px)
				if little*5 >= all {
					r.mode = modeMedian
				}
				e.steps += steps
				e.sent += r.n
				e.runs = append(e.runs, r)
				pixels += px.Dx() * px.Dy()
			}
			out = binary.AppendUvarint(out, uint64(skip))
			out = binary.AppendUvarint(out, uint64(r.n<<2|r.mode))
			skip = 0
			tx += r.n
		}
		skip += e.tw - t.Max.X
	}
	out = append(out, 0, 0)

	at := len(out)
	out = slices.Grow(out, 3*pixels)[:at+3*pixels]
	p := planes{out[at : at+pixels], out[at+pixels : at+2*pixels], out[at+2*pixels:]}
	for _, r := range e.runs {
		px := e.pixelsOf(r.tx, r.ty, r.n)
		for y := px.Min.Y; y < px.Max.Y; y++ {
			if r.mode == modeMedian {
				p = p.median(e.ref, e.w, px.Min.X, px.Max.X, y)
			} else {
				p = p.plain(e.ref[y*e.w+px.Min.X : y*e.w+px.Max.X])
			}
		}
	}
	e.out = out
	return out
}
