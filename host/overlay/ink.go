package overlay

import (
	"image"
	"math"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// Sizes on a screen of 1080 rows; larger ones have larger marks.
const (
	lineWidth = 4
	edgeWidth = 2 // of white on either side
	textSize  = 18
	nameSize  = 14
	textWide  = 420 // where a text is broken
	ringSize  = 11

	platePad   = 6 // under a text, left and right; half of it above and below
	plateFrame = 2
)

// dark is the colour of letters, after those of [Colours].
const (
	dark       = len(Colours)
	darkColour = 0x14201d
)

// inkShare bounds what is inked: one pixel of so many (C76).
const inkShare = 4

// canvas is a raster of ink. A pixel is 0 where nothing is drawn, else
// 1 + colour<<8 in the upper bits and how much of that colour over white in the
// lower eight.
type canvas struct {
	w, h  int
	pix   []uint16
	inked int
	most  int     // inked pixels that there may be
	scale float64 // of the sizes
	faces [2]font.Face
	ras   vector.Rasterizer
	mask  image.Alpha
	edge  image.Alpha
}

func newCanvas(w, h int, scale float64) *canvas {
	return &canvas{w: w, h: h, pix: make([]uint16, w*h), most: w * h, scale: scale}
}

// newScreen is a canvas of a whole screen.
func newScreen(w, h int) *canvas {
	c := newCanvas(w, h, scaleOf(h))
	c.most = w * h / inkShare
	return c
}

// scaleOf is how large marks are on a screen with so many rows.
func scaleOf(rows int) float64 { return min(max(float64(rows)/1080, 1), 2) }

// clear takes everything away.
func (c *canvas) clear() {
	clear(c.pix)
	c.inked = 0
}

// put inks one pixel, unless too much is inked. Of one colour the fuller wins:
// a line is painted piece by piece, and no piece's edge may cut the one before.
func (c *canvas) put(x, y, colour int, cover uint8) {
	if x < 0 || y < 0 || x >= c.w || y >= c.h {
		return
	}
	p := &c.pix[y*c.w+x]
	v := uint16(colour+1)<<8 | uint16(cover)
	switch {
	case *p == 0:
		if c.inked >= c.most { // C76
			return
		}
		c.inked++
	case *p>>8 == v>>8 && *p > v:
		return
	}
	*p = v
}

// rgb is a pixel's colour, 0xRRGGBB.
func rgb(p uint16) uint32 {
	ink, cover := uint32(darkColour), uint32(p&0xff)
	if i := int(p>>8) - 1; i < len(Colours) {
		ink = Colours[i]
	}
	mix := func(shift uint) uint32 {
		return ((ink>>shift&0xff)*cover + 255*(255-cover)) / 255 << shift
	}
	return mix(16) | mix(8) | mix(0)
}

// mark paints a mark, of a pen only what follows its first from points, and
// returns what it touched.
func (c *canvas) mark(m *Mark, from int) image.Rectangle {
	switch p := m.Points; {
	case len(p) == 0:
		return image.Rectangle{}
	case m.Kind == Text:
		return c.text(m.Text, p[0], 0, m.Colour, c.n(textWide))
	case m.Kind == Pen:
		return c.line(floats(p[max(from-1, 0):]), m.Colour)
	case len(p) < 2:
		return image.Rectangle{}
	case m.Kind == Arrow:
		return c.arrow(p[0], p[1], m.Colour)
	case m.Kind == Box:
		r := image.Rectangle{Min: p[0], Max: p[1]}.Canon()
		return c.line(floats([]image.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}, r.Min}), m.Colour)
	case m.Kind == Ellipse:
		return c.ellipse(image.Rectangle{Min: p[0], Max: p[1]}.Canon(), m.Colour)
	}
	return image.Rectangle{}
}

func (c *canvas) n(size float64) int { return int(math.Round(size * c.scale)) }

type point struct{ x, y float64 }

func floats(points []image.Point) []point {
	list := make([]point, len(points))
	for i, p := range points {
		list[i] = point{float64(p.X) + 0.5, float64(p.Y) + 0.5}
	}
	return list
}

func (c *canvas) arrow(tail, head image.Point, colour int) image.Rectangle {
	f := floats([]image.Point{tail, head})
	a, b := f[0], f[1]
	dx, dy := a.x-b.x, a.y-b.y
	long := math.Hypot(dx, dy)
	r := c.line(f, colour)
	if long < 1 {
		return r
	}
	size := min(22*c.scale, max(long/2, 8*c.scale))
	dx, dy = dx/long*size, dy/long*size
	const cos, sin = 0.866, 0.5 // 30 degrees
	return r.Union(c.line([]point{
		{b.x + dx*cos - dy*sin, b.y + dx*sin + dy*cos}, b, {b.x + dx*cos + dy*sin, b.y - dx*sin + dy*cos},
	}, colour))
}

func (c *canvas) ellipse(r image.Rectangle, colour int) image.Rectangle {
	const steps = 96
	list := make([]point, steps+1)
	cx, cy := float64(r.Min.X+r.Max.X)/2+0.5, float64(r.Min.Y+r.Max.Y)/2+0.5
	rx, ry := float64(r.Dx())/2, float64(r.Dy())/2
	for i := range list {
		s, k := math.Sincos(2 * math.Pi * float64(i) / steps)
		list[i] = point{cx + rx*k, cy + ry*s}
	}
	return c.line(list, colour)
}

// line paints a line of round pen strokes, piece by piece: each is a small area.
func (c *canvas) line(points []point, colour int) image.Rectangle {
	touched := image.Rectangle{}
	inner := lineWidth * c.scale / 2
	outer := inner + edgeWidth*c.scale
	if len(points) == 1 {
		return c.stroke(points[0], points[0], inner, outer, colour)
	}
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		// A long slanted piece would bound a large area: it is painted in parts.
		n := max(1, int(min(math.Abs(a.x-b.x), math.Abs(a.y-b.y))/128))
		for k := range n {
			at := func(k int) point {
				f := float64(k) / float64(n)
				return point{a.x + (b.x-a.x)*f, a.y + (b.y-a.y)*f}
			}
			touched = touched.Union(c.stroke(at(k), at(k+1), inner, outer, colour))
		}
	}
	return touched
}

// stroke paints one round piece: inner is the radius of the colour, outer that of
// the white edge. It returns the pixels that it may have touched.
func (c *canvas) stroke(a, b point, inner, outer float64, colour int) image.Rectangle {
	r := image.Rect(
		int(math.Floor(min(a.x, b.x)-outer))-1, int(math.Floor(min(a.y, b.y)-outer))-1,
		int(math.Ceil(max(a.x, b.x)+outer))+1, int(math.Ceil(max(a.y, b.y)+outer))+1,
	).Intersect(image.Rect(0, 0, c.w, c.h))
	if r.Empty() {
		return r
	}
	c.capsule(&c.edge, r, a, b, outer)
	c.capsule(&c.mask, r, a, b, inner)
	for y := range r.Dy() {
		edge, mask := c.edge.Pix[y*c.edge.Stride:], c.mask.Pix[y*c.mask.Stride:]
		for x := range r.Dx() {
			if edge[x] >= 128 {
				c.put(r.Min.X+x, r.Min.Y+y, colour, mask[x])
			}
		}
	}
	return r
}

// capsule rasters what lies within a distance of the line from a to b.
func (c *canvas) capsule(into *image.Alpha, r image.Rectangle, a, b point, radius float64) {
	w, h := r.Dx(), r.Dy()
	if cap(into.Pix) < w*h {
		into.Pix = make([]uint8, w*h)
	}
	into.Pix, into.Stride, into.Rect = into.Pix[:w*h], w, image.Rect(0, 0, w, h)
	clear(into.Pix)
	c.ras.Reset(w, h)
	ox, oy := float64(r.Min.X), float64(r.Min.Y)
	angle := math.Atan2(b.y-a.y, b.x-a.x)
	const steps = 12
	for i := range 2*steps + 2 {
		from, k := b, i
		t := angle - math.Pi/2 + math.Pi*float64(k)/steps
		if i > steps {
			from, k = a, i-steps-1
			t = angle + math.Pi/2 + math.Pi*float64(k)/steps
		}
		s, co := math.Sincos(t)
		x, y := float32(from.x+radius*co-ox), float32(from.y+radius*s-oy)
		if i == 0 {
			c.ras.MoveTo(x, y)
		} else {
			c.ras.LineTo(x, y)
		}
	}
	c.ras.ClosePath()
	c.ras.Draw(into, into.Rect, image.Opaque, image.Point{})
}

// face is one of the two sizes of letters, made when it is first wanted: 0 for
// texts, 1 for names.
func (c *canvas) face(which int) font.Face {
	if c.faces[which] == nil {
		f, err := opentype.Parse(gomedium.TTF)
		if err != nil {
			panic(err) // our own, compiled in
		}
		size := []float64{textSize, nameSize}[which]
		c.faces[which], err = opentype.NewFace(f, &opentype.FaceOptions{Size: size * c.scale, DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			panic(err) // of options that are constants
		}
	}
	return c.faces[which]
}

// text paints lines on a plate with a frame in the colour; at is its upper left
// corner, moved so that all of it is on the canvas. It returns the plate.
func (c *canvas) text(s string, at image.Point, which, colour, wide int) image.Rectangle {
	face := c.face(which)
	lines := wrap(s, wide, func(s string) int { return font.MeasureString(face, s).Ceil() })
	metrics := face.Metrics()
	high, pad, frame := metrics.Height.Ceil(), c.n(platePad), c.n(plateFrame)
	plate := image.Rectangle{Max: c.plate(lines, which)}.Add(at)
	plate = plate.Add(image.Pt(min(0, c.w-plate.Max.X), min(0, c.h-plate.Max.Y)))
	plate = plate.Add(image.Pt(max(0, -plate.Min.X), max(0, -plate.Min.Y)))
	round := c.n(4)
	for y := plate.Min.Y; y < plate.Max.Y; y++ {
		for x := plate.Min.X; x < plate.Max.X; x++ {
			if corner(x, y, plate, round) {
				continue
			}
			in := plate.Inset(frame)
			if (image.Point{X: x, Y: y}).In(in) && !corner(x, y, in, max(round-frame, 0)) {
				c.put(x, y, dark, 0)
			} else {
				c.put(x, y, colour, 255)
			}
		}
	}
	for i, l := range lines {
		dot := fixed.P(plate.Min.X+frame+pad, plate.Min.Y+frame+pad/2+i*high+metrics.Ascent.Ceil())
		before := rune(-1)
		for _, r := range l {
			if before >= 0 {
				dot.X += face.Kern(before, r)
			}
			to, mask, from, advance, ok := face.Glyph(dot, r)
			if ok {
				for y := to.Min.Y; y < to.Max.Y; y++ {
					for x := to.Min.X; x < to.Max.X; x++ {
						_, _, _, a := mask.At(from.X+x-to.Min.X, from.Y+y-to.Min.Y).RGBA()
						if a > 0 && (image.Point{X: x, Y: y}).In(plate.Inset(frame)) {
							c.put(x, y, dark, uint8(a>>8))
						}
					}
				}
			}
			dot.X += advance
			before = r
		}
	}
	return plate.Intersect(image.Rect(0, 0, c.w, c.h))
}

// plate is the size of the plate under these lines.
func (c *canvas) plate(lines []string, which int) image.Point {
	face := c.face(which)
	w := 0
	for _, l := range lines {
		w = max(w, font.MeasureString(face, l).Ceil())
	}
	return image.Pt(w+2*c.n(platePad)+2*c.n(plateFrame), len(lines)*face.Metrics().Height.Ceil()+c.n(platePad)+2*c.n(plateFrame))
}

// corner tells whether a pixel is cut off by a round corner.
func corner(x, y int, r image.Rectangle, round int) bool {
	dx := max(r.Min.X+round-x, x-(r.Max.X-1-round), 0)
	dy := max(r.Min.Y+round-y, y-(r.Max.Y-1-round), 0)
	return dx*dx+dy*dy > round*round+round
}

// wrap breaks a text into lines no wider than wide, at blanks where it can.
func wrap(s string, wide int, measure func(string) int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		if line != "" && measure(line+" "+word) <= wide {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		line = ""
		for _, r := range word {
			if line != "" && measure(line+string(r)) > wide {
				lines = append(lines, line)
				line = ""
			}
			line += string(r)
		}
	}
	return append(lines, line)
}

// inkedPointer is a pointer as it is painted for where it is.
type inkedPointer struct {
	ink   *canvas
	hot   image.Point // its spot in the ink
	reach image.Point // from there to the far side of the name
	turn  turn
}

// inkPointer paints one for a screen of this size.
func inkPointer(p *Pointer, screen image.Point) inkedPointer {
	i := pointer(p, scaleOf(screen.Y), turn{})
	if to := turnAt(p.At, i.reach, screen); to != i.turn {
		i = pointer(p, scaleOf(screen.Y), to)
	}
	return i
}

// suits tells whether it can stand for a pointer that looked like last.
func (i *inkedPointer) suits(p, last *Pointer, screen image.Point) bool {
	return last.looks(p) && i.turn == turnAt(p.At, i.reach, screen)
}

// turn tells on which sides of a pointer its name stands: to the right and below,
// but where the screen ends.
type turn struct{ left, up bool }

// turnAt is the turn of a pointer that reaches so far from its hot spot.
func turnAt(at, reach, screen image.Point) turn {
	return turn{left: at.X+reach.X > screen.X, up: at.Y+reach.Y > screen.Y}
}

// pointer paints a pointer on a canvas of its own.
func pointer(p *Pointer, scale float64, to turn) inkedPointer {
	pen := newCanvas(0, 0, scale) // to measure with
	ring := int(ringSize * scale)
	near := ring + int(3*scale)
	reach := image.Pt(near, near)
	name := ""
	if p.Name != "" {
		lines := wrap(p.Name, pen.n(200), func(s string) int { return font.MeasureString(pen.face(1), s).Ceil() })
		if name = lines[0]; len(lines) > 1 {
			name += " …"
		}
		reach = pen.plate([]string{name}, 1).Add(image.Pt(ring, ring))
	}
	c := newCanvas(near+reach.X, near+reach.Y, scale)
	c.faces = pen.faces
	hot := image.Pt(near, near)
	at := hot.Add(image.Pt(ring, ring))
	if to.left {
		hot.X, at.X = reach.X, 0
	}
	if to.up {
		hot.Y, at.Y = reach.Y, 0
	}
	if !p.Bare {
		c.ellipse(image.Rect(hot.X-ring, hot.Y-ring, hot.X+ring, hot.Y+ring), p.Colour)
		c.stroke(floats([]image.Point{hot})[0], floats([]image.Point{hot})[0], 2*scale, 3*scale, p.Colour)
	}
	if name != "" {
		c.text(name, at, 1, p.Colour, c.w)
	}
	return inkedPointer{c, hot, reach, to}
}
