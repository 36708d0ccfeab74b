package main

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// picture is a still image of the whole screen: BGRX, row by row.
type picture struct {
	name string
	pix  []byte
}

func (p picture) set(x, y int, r, g, b byte) {
	i := 4 * (y*width + x)
	p.pix[i], p.pix[i+1], p.pix[i+2], p.pix[i+3] = b, g, r, 0
}

// still makes the test images: what a lossy codec spoils first, and what costs
// an exact one most.
func still() []picture {
	return []picture{onePixel(), gradients(), photograph()}
}

// onePixel is a pattern of single pixels in pure colours.
func onePixel() picture {
	p := picture{"1-pixel patterns", make([]byte, 4*width*height)}
	for y := range height {
		for x := range width {
			switch v := byte((x ^ y) & 1 * 255); {
			case x < width/3:
				p.set(x, y, v, v, v)
			case x < 2*width/3:
				p.set(x, y, v, 0, 255-v)
			default:
				p.set(x, y, byte(x%2*255), byte(y%3/2*255), byte((x+y)%5/4*255))
			}
		}
	}
	return p
}

func gradients() picture {
	p := picture{"gradients", make([]byte, 4*width*height)}
	for y := range height {
		for x := range width {
			p.set(x, y, byte(x*255/width), byte(y*255/height), byte((x+y)*255/(width+height)))
		}
	}
	return p
}

// photograph looks like one to a codec: clouds of several scales, light that
// falls off, some hard edges, and a sensor's noise.
func photograph() picture {
	p := picture{"photograph", make([]byte, 4*width*height)}
	y, cb, cr := scene(width, height, 3)
	for i := range width * height {
		l, b, r := float64(y[i]), float64(cb[i])-128, float64(cr[i])-128
		p.set(i%width, i/width, clamp(l+1.402*r), clamp(l-0.344*b-0.714*r), clamp(l+1.772*b))
	}
	return p
}

func clamp(v float64) byte { return byte(max(0, min(255, math.Round(v)))) }

// scene is a natural-looking picture in planes of luma and chroma, made from a seed.
func scene(w, h int, seed uint64) (luma, cb, cr []byte) {
	rng := rand.New(rand.NewPCG(seed, seed))
	clouds := func(from, to float64) []float64 {
		sum := make([]float64, w*h)
		for scale := from; scale >= to; scale /= 2 {
			cols, rows := int(float64(w)/scale)+2, int(float64(h)/scale)+2
			grid := make([]float64, cols*rows)
			for i := range grid {
				grid[i] = rng.Float64() - .5
			}
			for y := range h {
				gy := float64(y) / scale
				iy := int(gy)
				fy := smooth(gy - float64(iy))
				for x := range w {
					gx := float64(x) / scale
					ix := int(gx)
					fx := smooth(gx - float64(ix))
					a, b := grid[iy*cols+ix], grid[iy*cols+ix+1]
					c, d := grid[(iy+1)*cols+ix], grid[(iy+1)*cols+ix+1]
					sum[y*w+x] += ((a+(b-a)*fx)*(1-fy) + (c+(d-c)*fx)*fy) * scale / from
				}
			}
		}
		return sum
	}
	l, u, v := clouds(400, 6), clouds(500, 60), clouds(500, 60)
	type disc struct{ x, y, r, tone float64 }
	var discs []disc
	for range 12 {
		discs = append(discs, disc{rng.Float64() * float64(w), rng.Float64() * float64(h), 20 + 120*rng.Float64(), 90*rng.Float64() - 45})
	}
	luma, cb, cr = make([]byte, w*h), make([]byte, w*h), make([]byte, w*h)
	for i := range luma {
		x, y := float64(i%w), float64(i/w)
		tone := 120 + 150*l[i] + 40*(1-y/float64(h))
		for _, d := range discs {
			if (x-d.x)*(x-d.x)+(y-d.y)*(y-d.y) < d.r*d.r {
				tone += d.tone
			}
		}
		luma[i] = clamp(max(16, min(235, tone+2*rng.NormFloat64())))
		cb[i], cr[i] = clamp(128+90*u[i]), clamp(128+90*v[i])
	}
	return luma, cb, cr
}

func smooth(t float64) float64 { return t * t * (3 - 2*t) }

// poster is a window over the whole screen that shows still pictures.
type poster struct {
	*canvas
	turn int // of what it shows: nothing is ever shown where it was before
}

func newPoster(display string) (*poster, error) {
	v, err := newCanvas(display, 0, 0, width, height, 0)
	if err != nil {
		return nil, err
	}
	return &poster{canvas: v}, v.sync()
}

// show puts a picture on the screen at once: it comes in strips to the server,
// and from there in one step. Each time it is turned a little further round.
func (p *poster) show(pic picture) error {
	const rows = 30
	p.turn++
	at := 4 * width * (p.turn * rows % height)
	pic.pix = append(slices.Clone(pic.pix[at:]), pic.pix[:at]...)
	hidden, err := p.hidden(pic)
	if err != nil {
		return err
	}
	defer xproto.FreePixmap(p.c, hidden)
	xproto.CopyArea(p.c, xproto.Drawable(hidden), xproto.Drawable(p.win), p.gc, 0, 0, 0, 0, width, height)
	return p.sync()
}

// hidden brings a picture to the server, where nobody sees it.
func (v *canvas) hidden(pic picture) (xproto.Pixmap, error) {
	hidden, err := xproto.NewPixmapId(v.c)
	if err != nil {
		return 0, err
	}
	depth := xproto.Setup(v.c).DefaultScreen(v.c).RootDepth
	if err := xproto.CreatePixmapChecked(v.c, depth, hidden, xproto.Drawable(v.win), width, height).Check(); err != nil {
		return 0, fmt.Errorf("a picture of the bench: %w", err)
	}
	const rows = 30
	for y := 0; y < height; y += rows {
		xproto.PutImage(v.c, xproto.ImageFormatZPixmap, xproto.Drawable(hidden), v.gc, width, rows, 0, int16(y), 0, depth, pic.pix[4*y*width:4*(y+rows)*width])
	}
	return hidden, nil
}

// text fills the screen with coloured text on black, most of it red.
func (p *poster) text() error {
	p.fill(0, 0, width, height, 0)
	colors := []uint32{0xff0000, 0xff0000, 0xff2020, 0x00ff00, 0x0000ff, 0xff00ff, 0xffff00}
	p.turn++
	for i, y := p.turn, p.turn%14; y < height+14; i, y = i+1, y+14 {
		xproto.ChangeGC(p.c, p.gc, xproto.GcForeground|xproto.GcBackground, []uint32{colors[i%len(colors)], 0})
		for x := 0; x < width; x += 240 * 6 {
			s := strings.Repeat("The quick brown fox jumps over the lazy dog; 0123456789 ", 5)[i%17 : i%17+240]
			xproto.ImageText8(p.c, byte(len(s)), xproto.Drawable(p.win), p.gc, int16(x), int16(y), s)
		}
	}
	xproto.ChangeGC(p.c, p.gc, xproto.GcBackground, []uint32{0xffffff})
	return p.sync()
}

var wholeScreen = image.Rect(0, 0, width, height)

// pixels are those of a whole screen as it is now.
func pixels(display string, area image.Rectangle) ([]byte, error) {
	c, err := xgb.NewConnDisplay(display)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return grab(c, area)
}
