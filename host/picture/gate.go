package picture

import (
	"image"
	"math/bits"
	"slices"
	"time"

	"github.com/mainforte/mainforte/host/capture"
)

// A region is video if its tiles would cost more than its share of the line in
// at least gateHits of the last gateFrames expensive frames, and gateHits of
// those came within gateTime: pages that are turned stay tiles, and so do pages that
// scroll.
const (
	gateFrames = 10
	gateHits   = 5
	gateTime   = time.Second

	// leastCost and mostCost bound what a region may cost, bytes a frame, however
	// slow or fast the line is: above, an encoder is cheaper for both computers.
	leastCost = 32 << 10
	mostCost  = 192 << 10
	costTime  = 100 * time.Millisecond // of the line

	// settleTime is for how long a region must stand still to be tiles again.
	settleTime = 300 * time.Millisecond

	maxFilms = 4
)

// gate decides which rectangles of the picture are video, for all viewers that
// have the track. It belongs to the goroutine of the Pump.
type gate struct {
	w, h, tw, th int
	hits         []uint16 // of each tile: bit n says that it changed n expensive frames ago
	when         [gateHits]time.Time
	at           int
	carried      float64 // what the slowest line carries, bytes a second; 0: not known
	noted        bool    // of this frame
	now          time.Time
	perTile      float32
	films        []region
	suspects     []region // look like video; to be seen whether they change all over
	boxes        []image.Rectangle
	area         image.Rectangle // of the frames: all films since there was none
	scroll       scrollSearch    // from one expensive frame to the next
	scrolled     bool            // this frame
}

// region is a rectangle that is video, or looks like it.
type region struct {
	at      image.Rectangle
	sums    []uint64 // of each cell from its corner
	changed time.Time
}

func (g *gate) size(w, h int) {
	if g.w == w && g.h == h {
		return
	}
	g.w, g.h, g.tw, g.th = w, h, (w+tile-1)/tile, (h+tile-1)/tile
	g.hits = make([]uint16, g.tw*g.th)
	g.scroll = scrollSearch{every: true}
	g.scroll.init(h)
	g.drop()
}

// drop begins again without any video.
func (g *gate) drop() {
	clear(g.hits)
	g.films, g.suspects, g.area = g.films[:0], g.suspects[:0], image.Rectangle{}
	g.when = [gateHits]time.Time{}
	g.scroll.forget(0, g.h)
}

// turn begins a frame.
func (g *gate) turn(now time.Time) { g.noted, g.scrolled, g.carried, g.now = false, false, 0, now }

// carries takes what one viewer's line carries, bytes a second; 0 is unknown.
func (g *gate) carries(rate float64) {
	if g != nil && rate > 0 && (g.carried == 0 || rate < g.carried) {
		g.carried = rate
	}
}

// threshold is what a region may cost, bytes a frame.
func (g *gate) threshold() int {
	if g.carried == 0 {
		return mostCost / 2
	}
	return min(max(int(g.carried*costTime.Seconds()), leastCost), mostCost)
}

// note takes what an encoder found: the tiles of the fresh parts whose pixels it
// would have to send.
func (g *gate) note(e *encoder, cur []uint32, fresh []image.Rectangle) {
	n := 0
	for _, r := range fresh {
		t := tilesOf(r)
		for ty := t.Min.Y; ty < t.Max.Y; ty++ {
			for _, state := range e.tiles[ty*e.tw+t.Min.X : ty*e.tw+t.Max.X] {
				if state == tilePixels {
					n++
				}
			}
		}
	}
	cost, limit := int(float32(n)*e.perTile), g.threshold()
	if len(e.moves) > 0 {
		limit *= 2 // a scroll or a drag is best as what it is, even if it uncovers a photograph
	}
	if e.w != g.w || e.h != g.h || cost <= limit {
		return
	}
	if g.scrolled {
		return
	}
	if !g.noted {
		if g.scrolled = g.scrolls(cur, searchBox(fresh, image.Rect(0, 0, g.w, g.h))); g.scrolled {
			return
		}
		g.noted = true
		if g.now.Sub(g.when[g.at]) > gateTime {
			clear(g.hits)
		}
		g.at = (g.at + 1) % len(g.when)
		g.when[g.at] = g.now
		for i := range g.hits {
			g.hits[i] = g.hits[i] << 1 & (1<<gateFrames - 1)
		}
		g.perTile = e.perTile
	}
	g.perTile = min(g.perTile, e.perTile)
	for _, r := range fresh {
		t := tilesOf(r)
		for ty := t.Min.Y; ty < t.Max.Y; ty++ {
			hits := g.hits[ty*g.tw : (ty+1)*g.tw]
			state := e.tiles[ty*e.tw : (ty+1)*e.tw]
			for tx := t.Min.X; tx < t.Max.X; tx++ {
				if state[tx] == tilePixels {
					hits[tx] |= 1
				}
			}
		}
	}
}

// scrolls says whether most of box is what was there in the last expensive frame,
// moved up or down. To a viewer who does not have all of that frame yet it may
// cost as much as a video, and is none: once it has, it costs next to nothing.
func (g *gate) scrolls(cur []uint32, box image.Rectangle) bool {
	if !searchable(box) {
		return false
	}
	m, ok := g.scroll.find(cur, cur, g.w, box)
	return ok && 2*m.to.Dy() >= box.Dy()
}

// decide finds what is video after a frame, and what is not any more.
func (g *gate) decide(f capture.Frame) {
	g.watch(f)
	g.confirm(f)
	if g.noted && g.now.Sub(g.when[(g.at+1)%len(g.when)]) <= gateTime {
		g.suspect(f)
	}
	g.films = slices.DeleteFunc(g.films, func(v region) bool { return g.now.Sub(v.changed) >= settleTime })
	if len(g.films) == 0 {
		g.area = image.Rectangle{}
	}
}

// settles is the time at which the next rectangle will have stood still for long
// enough, if it does.
func (g *gate) settles() (at time.Time, any bool) {
	for _, v := range g.films {
		if t := v.changed.Add(settleTime); !any || t.Before(at) {
			at, any = t, true
		}
	}
	return at, any
}

// watch sees which rectangles still change like video.
func (g *gate) watch(f capture.Frame) {
	for i := range g.films {
		v := &g.films[i]
		if v.at.Overlaps(f.Damage) && v.moves(f) {
			v.changed = g.now
		}
	}
}

// confirm makes suspects that changed again all over video.
func (g *gate) confirm(f capture.Frame) {
	kept := g.suspects[:0]
	for _, v := range g.suspects {
		if !v.at.Overlaps(f.Damage) {
			kept = append(kept, v)
			continue
		}
		if v.moves(f) {
			v.changed = g.now
			g.add(f, v)
		}
	}
	g.suspects = kept
}

// add makes v video, and one with what it touches.
func (g *gate) add(f capture.Frame, v region) {
	v.at = v.at.Intersect(image.Rect(0, 0, g.w, g.h))
	for again := true; again; {
		again = false
		for i, o := range g.films {
			if o.at.Inset(-tile).Overlaps(v.at) || len(g.films) == maxFilms {
				v.at = v.at.Union(o.at)
				g.films = slices.Delete(g.films, i, i+1)
				v.sums, again = nil, true
				break
			}
		}
	}
	v.moves(f)
	g.films = append(g.films, v)
	g.area = g.area.Union(v.at)
	for ty := v.at.Min.Y / tile; ty < (v.at.Max.Y+tile-1)/tile; ty++ {
		clear(g.hits[ty*g.tw+v.at.Min.X/tile : ty*g.tw+(v.at.Max.X+tile-1)/tile])
	}
}

// moves says whether a good part of the rectangle's cells differ from when it
// was asked last. A sample of their pixels is enough: what it misses is cheap
// as tiles.
func (v *region) moves(f capture.Frame) bool {
	n, differ := 0, 0
	fresh := len(v.sums) == 0
	for y := v.at.Min.Y; y < v.at.Max.Y; y += cell {
		for x := v.at.Min.X; x < v.at.Max.X; x += cell {
			sum := uint64(y)
			for row := y + 3; row < min(y+cell, v.at.Max.Y); row += 8 {
				q := asWords(f.Pix[row*f.Width+x : row*f.Width+min(x+cell, v.at.Max.X)])
				for i := 0; i < len(q); i += 2 {
					sum = (sum ^ q[i]) * hashMul
				}
				sum ^= sum >> 29
			}
			switch {
			case fresh:
				v.sums = append(v.sums, sum)
			case v.sums[n] != sum:
				v.sums[n] = sum
				differ++
			}
			n++
		}
	}
	return differ*8 > n || differ == n
}

// suspect looks for rectangles of tiles that change all the time.
func (g *gate) suspect(f capture.Frame) {
	g.boxes = g.boxes[:0]
	for ty := range g.th {
		hits := g.hits[ty*g.tw : (ty+1)*g.tw]
		for tx := 0; tx < g.tw; tx++ {
			if bits.OnesCount16(hits[tx]) < gateHits {
				continue
			}
			from := tx
			for tx < g.tw && bits.OnesCount16(hits[tx]) >= gateHits {
				tx++
			}
			g.join(image.Rect(from, ty, tx, ty+1))
		}
	}
	for _, b := range g.boxes {
		hot := 0
		for ty := b.Min.Y; ty < b.Max.Y; ty++ {
			for _, h := range g.hits[ty*g.tw+b.Min.X : ty*g.tw+b.Max.X] {
				if bits.OnesCount16(h) >= gateHits {
					hot++
				}
			}
		}
		if int(float32(hot)*g.perTile) <= g.threshold() || hot*3 < b.Dx()*b.Dy() || len(g.suspects) >= maxFilms {
			continue
		}
		v := region{at: image.Rect(b.Min.X*tile, b.Min.Y*tile, min(b.Max.X*tile, g.w), min(b.Max.Y*tile, g.h))}
		same := func(o region) bool { return o.at == v.at || v.at.In(o.at) }
		if slices.ContainsFunc(g.suspects, same) || slices.ContainsFunc(g.films, same) {
			continue
		}
		v.moves(f)
		g.suspects = append(g.suspects, v)
	}
}

// join adds a box of tiles to those it touches, with two tiles between.
func (g *gate) join(b image.Rectangle) {
	const most = 16
	for again := true; again; {
		again = false
		for i, o := range g.boxes {
			if o.Inset(-2).Overlaps(b) || len(g.boxes) == most {
				b = b.Union(o)
				g.boxes = slices.Delete(g.boxes, i, i+1)
				again = true
				break
			}
		}
	}
	g.boxes = append(g.boxes, b)
}
