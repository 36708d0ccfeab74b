package gallery

import (
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"maps"
	"slices"
	"testing"
)

const (
	// flat is how far a colour may be from what it was where nothing is near; of 255.
	flat = 5
	// edge is how far it may be beside, as a part of what differs around: on a glyph's edge a
	// pixel may become half of what it was, but nothing may go away.
	edge = 0.7
	// block is the side of the squares whose mean is compared: text in another colour has the
	// same edges.
	block     = 16
	blockMean = 6
	// line is the length from which pixels in a row that are alike are a line, as a border is
	// and no part of a glyph: its colour counts as that of what is flat.
	line = 24
	// few pixels that differ are none: a corner's, say.
	few = 3
)

// compare returns where a picture is not as it was. A size that differs is everything.
func compare(was, is *image.RGBA) (where []image.Point) {
	if was.Rect != is.Rect {
		return []image.Point{{}}
	}
	for y := range was.Rect.Dy() {
		for x := range was.Rect.Dx() {
			a, b := was.RGBAAt(x, y), is.RGBAAt(x, y)
			if apart(a, b) <= flat {
				continue
			}
			if straight(was, x, y) && straight(is, x, y) && max(nearest(is, x, y, a), nearest(was, x, y, b)) > flat {
				where = append(where, image.Pt(x, y))
				continue
			}
			before, now := float64(contrast(was, x, y)), float64(contrast(is, x, y))
			if float64(nearest(is, x, y, a)) > flat+edge*before || float64(nearest(was, x, y, b)) > flat+edge*max(before, now) {
				where = append(where, image.Pt(x, y))
			}
		}
	}
	for y := 0; y < was.Rect.Dy(); y += block {
		for x := 0; x < was.Rect.Dx(); x += block {
			r := image.Rect(x, y, x+block, y+block).Intersect(was.Rect)
			a, b := mean(was, r), mean(is, r)
			for i := range a {
				if d := a[i] - b[i]; d > blockMean || d < -blockMean {
					where = append(where, image.Pt(x, y), image.Pt(x+1, y), image.Pt(x, y+1), image.Pt(x+1, y+1))
					break
				}
			}
		}
	}
	if len(where) <= few {
		return nil
	}
	return where
}

// apart is the largest difference of a channel.
func apart(a, b color.RGBA) int {
	d := func(x, y uint8) int { return max(int(x)-int(y), int(y)-int(x)) }
	return max(d(a.R, b.R), d(a.G, b.G), d(a.B, b.B))
}

// nearest is how far the most alike of a pixel and its neighbours is from a colour.
func nearest(p *image.RGBA, x, y int, c color.RGBA) int {
	least := 255
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			if q := image.Pt(x+dx, y+dy); q.In(p.Rect) {
				least = min(least, apart(p.RGBAAt(q.X, q.Y), c))
			}
		}
	}
	return least
}

// straight is whether a pixel is of a line, across or down.
func straight(p *image.RGBA, x, y int) bool {
	c := p.RGBAAt(x, y)
	for _, d := range []image.Point{{X: 1}, {Y: 1}} {
		n := 1
		for _, way := range []int{-1, 1} {
			for q := image.Pt(x, y).Add(d.Mul(way)); q.In(p.Rect) && n < line && apart(p.RGBAAt(q.X, q.Y), c) <= 2; q = q.Add(d.Mul(way)) {
				n++
			}
		}
		if n >= line {
			return true
		}
	}
	return false
}

// contrast is how far apart the colours around a pixel are.
func contrast(p *image.RGBA, x, y int) int {
	low, high := color.RGBA{R: 255, G: 255, B: 255}, color.RGBA{}
	for dy := -2; dy <= 2; dy++ {
		for dx := -2; dx <= 2; dx++ {
			if q := image.Pt(x+dx, y+dy); q.In(p.Rect) {
				c := p.RGBAAt(q.X, q.Y)
				low = color.RGBA{R: min(low.R, c.R), G: min(low.G, c.G), B: min(low.B, c.B)}
				high = color.RGBA{R: max(high.R, c.R), G: max(high.G, c.G), B: max(high.B, c.B)}
			}
		}
	}
	return apart(low, high)
}

func mean(p *image.RGBA, r image.Rectangle) (m [3]float64) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			c := p.RGBAAt(x, y)
			m[0] += float64(c.R)
			m[1] += float64(c.G)
			m[2] += float64(c.B)
		}
	}
	for i := range m {
		m[i] /= float64(r.Dx() * r.Dy())
	}
	return m
}

// indexed is a picture as it is kept: with as few colours as it can be and still be the
// same to compare.
func indexed(p *image.RGBA) *image.Paletted {
	for colours := 16; ; colours *= 2 {
		out := reduced(p, colours)
		if colours >= 256 || compare(rgba(out), p) == nil {
			return out
		}
	}
}

// reduced is a picture with at most so many colours. What is frequent is flat and stays as
// it is; the edges of glyphs take the nearest of the rest, which are those that are missed
// most.
func reduced(p *image.RGBA, colours int) *image.Paletted {
	count := map[color.RGBA]int{}
	for y := range p.Rect.Dy() {
		for x := range p.Rect.Dx() {
			count[p.RGBAAt(x, y)]++
		}
	}
	frequent := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int {
		return cmp.Or(count[b]-count[a], int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B))
	})
	palette := color.Palette{}
	as := make([]uint8, len(frequent)) // indices of the palette
	off := make([]int, len(frequent))  // how far that is from the colour
	for i := range off {
		off[i] = 256
	}
	for len(palette) < min(colours, len(frequent)) {
		next, most := 0, -1
		for i, c := range frequent {
			if len(palette) < colours/2 && off[i] > 0 {
				next = i
				break
			}
			if missed := off[i] * off[i] * count[c]; missed > most {
				next, most = i, missed
			}
		}
		for i, c := range frequent {
			if d := apart(c, frequent[next]); d < off[i] {
				off[i], as[i] = d, uint8(len(palette))
			}
		}
		palette = append(palette, frequent[next])
	}
	index := map[color.RGBA]uint8{}
	for i, c := range frequent {
		index[c] = as[i]
	}
	out := image.NewPaletted(p.Rect, palette)
	for y := range p.Rect.Dy() {
		for x := range p.Rect.Dx() {
			out.SetColorIndex(x, y, index[p.RGBAAt(x, y)])
		}
	}
	return out
}

// beside are the picture that was, the one that is, and where they differ, in red.
func beside(was, is *image.RGBA, where []image.Point) *image.RGBA {
	w, h := max(was.Rect.Dx(), is.Rect.Dx()), max(was.Rect.Dy(), is.Rect.Dy())
	const gap = 8
	out := image.NewRGBA(image.Rect(0, 0, 3*w+2*gap, h))
	draw.Draw(out, out.Rect, image.NewUniform(color.RGBA{R: 128, G: 128, B: 128, A: 255}), image.Point{}, draw.Src)
	for i, p := range []*image.RGBA{was, is, is} {
		draw.Draw(out, p.Rect.Add(image.Pt(i*(w+gap), 0)), p, image.Point{}, draw.Src)
	}
	for _, at := range where {
		out.SetRGBA(2*(w+gap)+at.X, at.Y, color.RGBA{R: 255, A: 255})
	}
	return out
}

func rgba(p image.Image) *image.RGBA {
	out := image.NewRGBA(image.Rectangle{Max: p.Bounds().Size()})
	draw.Draw(out, out.Rect, p, p.Bounds().Min, draw.Src)
	return out
}

// TestAComparisonSeesWhatMatters: on a card with a border and a line of something like text.
func TestAComparisonSeesWhatMatters(t *testing.T) {
	white, grey, ink := color.RGBA{255, 255, 255, 255}, color.RGBA{217, 223, 220, 255}, color.RGBA{23, 33, 31, 255}
	half := color.RGBA{140, 144, 143, 255}
	type card struct {
		back, border, text color.RGBA
		at                 int // where the text begins
		soft               bool
	}
	drawn := func(c card) *image.RGBA {
		p := image.NewRGBA(image.Rect(0, 0, 160, 64))
		draw.Draw(p, p.Rect, image.NewUniform(white), image.Point{}, draw.Src)
		draw.Draw(p, image.Rect(8, 8, 152, 56), image.NewUniform(c.border), image.Point{}, draw.Src)
		draw.Draw(p, image.Rect(9, 9, 151, 55), image.NewUniform(c.back), image.Point{}, draw.Src)
		for x := c.at; x < c.at+100; x += 5 { // stems
			draw.Draw(p, image.Rect(x, 24, x+1, 34), image.NewUniform(c.text), image.Point{}, draw.Src)
			if c.soft { // the same ink, over two pixels
				draw.Draw(p, image.Rect(x, 24, x+2, 34), image.NewUniform(half), image.Point{}, draw.Src)
			}
		}
		return p
	}
	plain := card{white, grey, ink, 16, false}
	for what, c := range map[string]struct {
		card card
		same bool
	}{
		"nothing":                {plain, true},
		"smoothed otherwise":     {card{white, grey, ink, 16, true}, true},
		"a border a bit darker":  {card{white, color.RGBA{206, 213, 209, 255}, ink, 16, false}, false},
		"no border":              {card{white, white, ink, 16, false}, false},
		"another border":         {card{white, color.RGBA{180, 190, 186, 255}, ink, 16, false}, false},
		"another back":           {card{color.RGBA{248, 250, 249, 255}, grey, ink, 16, false}, false},
		"text in another grey":   {card{white, grey, color.RGBA{85, 98, 94, 255}, 16, false}, false},
		"text two pixels beside": {card{white, grey, ink, 18, false}, false},
	} {
		if where := compare(drawn(plain), drawn(c.card)); (len(where) == 0) != c.same {
			t.Errorf("%s: %d pixels differ", what, len(where))
		}
		if where := compare(rgba(indexed(drawn(c.card))), drawn(c.card)); len(where) != 0 {
			t.Errorf("%s: what is kept of it differs in %d pixels", what, len(where))
		}
	}
	if where := compare(drawn(plain), rgba(drawn(plain).SubImage(image.Rect(0, 0, 160, 63)))); len(where) == 0 {
		t.Error("another size is no difference")
	}
}
