package picture

import (
	"encoding/binary"
	"image"
	"slices"
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
// holds after the last update: the picture ref and the under picture. It reads
// nothing of a new picture outside the tiles that touch the damage, so a
// source may already show something newer there.
type encoder struct {
	w, h, tw, th int
	ref, under   []uint32
	tiles        []uint8 // state of each tile of the damage
	moves        []move
	runs         []run
	out          []byte
	scroll       scrollSearch
	move         moveSearch
}

// newEncoder begins with a black picture and an empty under picture.
func newEncoder(w, h int) *encoder {
	tw, th := (w+tile-1)/tile, (h+tile-1)/tile
	e := &encoder{
		w: w, h: h, tw: tw, th: th,
		ref: make([]uint32, w*h), under: make([]uint32, w*h),
		tiles: make([]uint8, tw*th),
		moves: make([]move, 0, maxMoves), runs: make([]run, 0, 256),
	}
	e.scroll.init(h)
	e.move.init()
	return e
}

// reset begins again as newEncoder does.
func (e *encoder) reset() {
	clear(e.ref)
	clear(e.under)
	e.scroll.forget(0, e.h)
}

// encode returns the update that turns the viewer's picture into cur, or nil
// when it already is. All differences lie in box. With search set, box is
// searched for what only moved. The result is valid until the next call.
func (e *encoder) encode(cur []uint32, box image.Rectangle, search bool) []byte {
	e.moves = e.moves[:0]
	box = e.trim(cur, box.Intersect(image.Rect(0, 0, e.w, e.h)))
	if box.Empty() {
		return nil
	}
	if search {
		e.search(cur, box)
	} else {
		e.scroll.forget(0, e.h)
	}
	if e.diff(cur, box) == 0 && len(e.moves) == 0 {
		return nil
	}
	// The seam for video: here the number of tiles whose pixels would be sent
	// is known, region by region, before anything is spent on them. Regions
	// that cost too much, too often, will leave the tiles at this point.
	e.sync(cur, box)
	return e.write(box)
}

// empty returns an update that changes nothing.
func (e *encoder) empty() []byte {
	e.out = append(e.out[:0], 0, 0, 0)
	return e.out
}

// trim drops rows above and below that show what the viewer already has: some
// compositors repaint the whole screen for one changed letter.
func (e *encoder) trim(cur []uint32, box image.Rectangle) image.Rectangle {
	same := func(y int) bool {
		i, j := y*e.w+box.Min.X, y*e.w+box.Max.X
		return equal(cur[i:j], e.ref[i:j])
	}
	for box.Min.Y < box.Max.Y && same(box.Min.Y) {
		box.Min.Y++
	}
	for box.Max.Y > box.Min.Y && same(box.Max.Y-1) {
		box.Max.Y--
	}
	return box
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

// diff marks the tiles of box that differ from ref and returns their number.
func (e *encoder) diff(cur []uint32, box image.Rectangle) (n int) {
	w, t := e.w, tilesOf(box)
	left, right := t.Min.X*tile, min(t.Max.X*tile, w)
	for ty := t.Min.Y; ty < t.Max.Y; ty++ {
		state := e.tiles[ty*e.tw : (ty+1)*e.tw]
		clear(state[t.Min.X:t.Max.X])
		bottom := min((ty+1)*tile, e.h)
		for y := ty * tile; y < bottom; y++ {
			a, b := cur[y*w+left:y*w+right], e.ref[y*w+left:y*w+right]
			if equal(a, b) {
				continue
			}
			for tx := t.Min.X; tx < t.Max.X; tx++ {
				if state[tx] != tileSame {
					continue
				}
				i := tx*tile - left
				if i+tile <= len(a) && differ(a[i:], b[i:]) || i+tile > len(a) && !equal(a[i:], b[i:]) {
					state[tx] = tilePixels
					n++
				}
			}
		}
		for tx := t.Min.X; tx < t.Max.X; tx++ {
			if state[tx] != tileSame && e.matchesUnder(cur, e.pixelsOf(tx, ty, 1)) {
				state[tx] = tileRestored
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
				if e.photographic(px) {
					r.mode = modeMedian
				}
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
