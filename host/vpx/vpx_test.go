//go:build cgo && (linux || (windows && vpx))

package vpx_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mainforte/mainforte/host/vpx"
	"github.com/mainforte/mainforte/host/vpx/vpxtest"
)

var codecs = map[string]vpx.Codec{"VP8": vpx.VP8, "VP9": vpx.VP9, "VP9 4:4:4": vpx.VP9Full}

func config(c vpx.Codec, w, h int) vpx.Config {
	speed := 12
	if c != vpx.VP8 {
		speed = 9
	}
	return vpx.Config{Codec: c, Width: w, Height: h, Kbps: 8000, Threads: 2, Speed: speed, MinQ: 2, MaxQ: 56}
}

func open(t testing.TB, c vpx.Config) *vpx.Encoder {
	t.Helper()
	e, err := vpx.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// noise is a picture without any order: no rounding hides in it.
func noise(w, h int, seed uint64) []uint32 {
	r := rand.New(rand.NewPCG(seed, 1))
	pix := make([]uint32, w*h)
	for i := range pix {
		pix[i] = r.Uint32() & 0xffffff
	}
	return pix
}

// scene is a picture as of a film: waves of colour that travel, with some detail.
func scene(w, h, frame int) []uint32 {
	pix := make([]uint32, w*h)
	t := float64(frame) / 12
	for y := range h {
		for x := range w {
			fx, fy := float64(x)/40, float64(y)/40
			a, b := math.Sin(fx+t*3+math.Sin(fy)), math.Cos(fy*1.3-t*2+math.Cos(fx*0.7))
			d := float64((x+frame*4)/6%2*8 + (y+frame*2)/6%2*6)
			r, g, c := 128+90*a+d, 128+80*b, 128+60*a*b-d
			pix[y*w+x] = uint32(r)<<16 | uint32(g)<<8 | uint32(c)
		}
	}
	return pix
}

var everything = []image.Rectangle{image.Rect(-1000, -1000, 1<<20, 1<<20)}

// reference scales and converts as slowly and exactly as it can be done.
func reference(c vpx.Config, pix []uint32) (y, cb, cr func(x, y int) float64) {
	channel := func(p uint32, shift int) float64 { return float64(p >> shift & 255) }
	clamp := func(v, n int) int { return min(max(v, 0), n-1) }
	at := func(x, y, shift int) float64 {
		return channel(pix[clamp(y, c.Height)*c.Width+clamp(x, c.Width)], shift)
	}
	scaled := func(x, y, shift int) float64 {
		switch c.Scale {
		case vpx.Half:
			return (at(2*x, 2*y, shift) + at(2*x+1, 2*y, shift) + at(2*x, 2*y+1, shift) + at(2*x+1, 2*y+1, shift)) / 4
		case vpx.ThreeQuarters:
			// Each of three takes a third of four: 3:1, 2:2, 1:3.
			sx, sy, wx, wy := x/3*4+x%3, y/3*4+y%3, float64(3-x%3)/4, float64(3-y%3)/4
			return wy*(wx*at(sx, sy, shift)+(1-wx)*at(sx+1, sy, shift)) + (1-wy)*(wx*at(sx, sy+1, shift)+(1-wx)*at(sx+1, sy+1, shift))
		}
		return at(x, y, shift)
	}
	w, h := c.Size()
	mean := func(x, y, shift int) float64 {
		if c.Codec == vpx.VP9Full {
			return scaled(x, y, shift)
		}
		x1, y1 := clamp(2*x+1, w), clamp(2*y+1, h)
		return (scaled(2*x, 2*y, shift) + scaled(x1, 2*y, shift) + scaled(2*x, y1, shift) + scaled(x1, y1, shift)) / 4
	}
	y = func(x, y int) float64 {
		return 16 + (65.481*scaled(x, y, 16)+128.553*scaled(x, y, 8)+24.966*scaled(x, y, 0))/255
	}
	cb = func(x, y int) float64 {
		return 128 + (-37.797*mean(x, y, 16)-74.203*mean(x, y, 8)+112*mean(x, y, 0))/255
	}
	cr = func(x, y int) float64 {
		return 128 + (112*mean(x, y, 16)-93.786*mean(x, y, 8)-18.214*mean(x, y, 0))/255
	}
	return y, cb, cr
}

// TestPlanesAreWithinTwoLevelsOfTheExactColours: of every size, also odd ones,
// whole or in part, and at every scale.
func TestPlanesAreWithinTwoLevelsOfTheExactColours(t *testing.T) {
	sizes := [][2]int{{64, 48}, {949, 533}, {1, 1}, {2, 3}, {7, 5}, {33, 17}, {6, 6}, {97, 4}}
	for name, codec := range codecs {
		for scale := vpx.Whole; scale <= vpx.Half; scale++ {
			for _, size := range sizes {
				t.Run(fmt.Sprintf("%s %d %dx%d", name, scale, size[0], size[1]), func(t *testing.T) {
					c := config(codec, size[0], size[1])
					c.Scale = scale
					e := open(t, c)
					pix := noise(c.Width, c.Height, 1)
					if err := e.Load(pix, c.Width, everything); err != nil {
						t.Fatal(err)
					}
					compare(t, c, e.Planes(), pix)
					// Now what changed, piece by piece: what is around it must be right as well.
					r := rand.New(rand.NewPCG(7, 7))
					for range 20 {
						x, y := r.IntN(c.Width), r.IntN(c.Height)
						part := image.Rect(x, y, x+1+r.IntN(c.Width-x), y+1+r.IntN(c.Height-y))
						for py := part.Min.Y; py < part.Max.Y; py++ {
							for px := part.Min.X; px < part.Max.X; px++ {
								pix[py*c.Width+px] = r.Uint32() & 0xffffff
							}
						}
						if err := e.Load(pix, c.Width, []image.Rectangle{part}); err != nil {
							t.Fatal(err)
						}
					}
					compare(t, c, e.Planes(), pix)
				})
			}
		}
	}
}

func compare(t *testing.T, c vpx.Config, got *image.YCbCr, pix []uint32) {
	t.Helper()
	ry, rcb, rcr := reference(c, pix)
	plane := func(name string, b []byte, stride int, want func(x, y int) float64) {
		for i, v := range b {
			if d := math.Abs(want(i%stride, i/stride) - float64(v)); d > 2 {
				t.Fatalf("%s at %d,%d is %d, %.1f levels away", name, i%stride, i/stride, v, d)
			}
		}
	}
	plane("Y", got.Y, got.YStride, ry)
	plane("Cb", got.Cb, got.CStride, rcb)
	plane("Cr", got.Cr, got.CStride, rcr)
}

// TestAFilmIsSeenAsItIs: encoded by every codec, decoded by another's decoder.
func TestAFilmIsSeenAsItIs(t *testing.T) {
	for name, codec := range codecs {
		for _, size := range [][2]int{{320, 240}, {949, 533}, {1, 1}, {17, 3}} {
			t.Run(fmt.Sprintf("%s %dx%d", name, size[0], size[1]), func(t *testing.T) {
				w, h := size[0], size[1]
				e := open(t, config(codec, w, h))
				dec, err := vpxtest.NewDecoder(codec != vpx.VP8)
				if err != nil {
					t.Fatal(err)
				}
				defer dec.Close()
				bytes, worst := 0, math.Inf(1)
				for frame := range 14 {
					pix := scene(w, h, frame)
					if err := e.Load(pix, w, everything); err != nil {
						t.Fatal(err)
					}
					f, err := e.Encode(uint64(frame+1)*3000, frame == 12)
					if err != nil {
						t.Fatal(err)
					}
					if f.Key != (frame == 0 || frame == 12) {
						t.Errorf("frame %d: key frame is %t", frame, f.Key)
					}
					bytes += len(f.Data)
					img, err := dec.Decode(f.Data)
					if err != nil {
						t.Fatal(err)
					}
					if img.Rect.Dx() != w || img.Rect.Dy() != h {
						t.Fatalf("decoded as %v", img.Rect)
					}
					worst = min(worst, vpxtest.PSNR(img, pix, w))
				}
				t.Logf("%.1f kB a frame, worst PSNR-Y %.1f dB", float64(bytes)/14/1000, worst)
				if worst < 30 && w > 1 { // one pixel can only be coarse
					t.Errorf("PSNR-Y of %.1f dB", worst)
				}
			})
		}
	}
}

// TestBlocksThatAreNotActiveStay: what the map leaves out costs nothing and
// keeps what it showed, to the pixel.
func TestBlocksThatAreNotActiveStay(t *testing.T) {
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			const w, h = 448, 320
			e := open(t, config(codec, w, h))
			dec, err := vpxtest.NewDecoder(codec != vpx.VP8)
			if err != nil {
				t.Fatal(err)
			}
			defer dec.Close()
			encode := func(at uint64, key bool) *image.YCbCr {
				f, err := e.Encode(at, key)
				if err != nil {
					t.Fatal(err)
				}
				img, err := dec.Decode(f.Data)
				if err != nil {
					t.Fatal(err)
				}
				return img
			}
			load := func(n int) {
				if err := e.Load(scene(w, h, n), w, everything); err != nil {
					t.Fatal(err)
				}
			}
			load(0)
			encode(1000, true)
			for n := range 10 { // so that the picture is fine, and nothing is left to better
				load(0)
				encode(4000+uint64(n)*3000, false)
			}
			before := encode(40000, false)
			moving := image.Rect(128, 128, 256, 192)
			if err := e.SetActive([]image.Rectangle{moving}); err != nil {
				t.Fatal(err)
			}
			load(30)
			after := encode(43000, false)
			changed, outside := false, 0
			for y := range h {
				for x := range w {
					same := before.Y[y*w+x] == after.Y[y*w+x]
					if !same && !image.Pt(x, y).In(moving.Inset(-16)) { // the loop filter reaches a few pixels over the edge
						outside++
					}
					changed = changed || !same && image.Pt(x, y).In(moving)
				}
			}
			t.Logf("%d pixels changed outside the active blocks", outside)
			// VP8 keeps to its blocks. VP9 skips by superblocks of 64, and filters what is around them.
			if codec == vpx.VP8 && outside > 0 || outside > w*h/4 {
				t.Errorf("%d pixels changed outside the active blocks", outside)
			}
			if !changed {
				t.Error("nothing changed in the active blocks")
			}
			if err := e.SetActive(nil); err != nil {
				t.Fatal(err)
			}
			whole := encode(46000, false)
			if bytes.Equal(whole.Y, after.Y) {
				t.Error("the rest never followed")
			}
		})
	}
}

func TestLessRateIsFewerBytes(t *testing.T) {
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			const w, h = 320, 240
			e := open(t, config(codec, w, h))
			at := uint64(0)
			run := func(kbps int) (n int) {
				if err := e.SetRate(kbps); err != nil {
					t.Fatal(err)
				}
				for frame := range 60 {
					if err := e.Load(scene(w, h, frame), w, everything); err != nil {
						t.Fatal(err)
					}
					at += 3000
					f, err := e.Encode(at, false)
					if err != nil {
						t.Fatal(err)
					}
					if frame >= 30 {
						n += len(f.Data)
					}
				}
				return n
			}
			much, little := run(6000), run(600)
			t.Logf("30 frames: %d bytes at 6000 kbit/s, %d at 600", much, little)
			if little*2 > much {
				t.Errorf("a tenth of the rate takes %d of %d bytes", little, much)
			}
		})
	}
}

func TestAFasterEncoderGoesOnWithTheSameFilm(t *testing.T) {
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			const w, h = 320, 240
			e := open(t, config(codec, w, h))
			dec, err := vpxtest.NewDecoder(codec != vpx.VP8)
			if err != nil {
				t.Fatal(err)
			}
			defer dec.Close()
			for frame := range 12 {
				if frame == 4 {
					if err := e.SetSpeed(8); err != nil {
						t.Fatal(err)
					}
				}
				pix := scene(w, h, frame)
				if err := e.Load(pix, w, everything); err != nil {
					t.Fatal(err)
				}
				f, err := e.Encode(uint64(frame+1)*3000, false)
				if err != nil {
					t.Fatal(err)
				}
				img, err := dec.Decode(f.Data)
				if err != nil {
					t.Fatal(err)
				}
				if f.Key && frame > 0 {
					t.Errorf("frame %d is a key frame", frame)
				}
				if db := vpxtest.PSNR(img, pix, w); db < 30 {
					t.Errorf("frame %d: %.1f dB", frame, db)
				}
			}
		})
	}
}

func TestWhatIsOutOfRangeIsRefused(t *testing.T) {
	good := config(vpx.VP8, 64, 64)
	for name, spoil := range map[string]func(*vpx.Config){
		"no width":         func(c *vpx.Config) { c.Width = 0 },
		"too high":         func(c *vpx.Config) { c.Height = vpx.MaxSide + 1 },
		"no rate":          func(c *vpx.Config) { c.Kbps = 0 },
		"no thread":        func(c *vpx.Config) { c.Threads = 0 },
		"many threads":     func(c *vpx.Config) { c.Threads = 17 },
		"too fast":         func(c *vpx.Config) { c.Speed = 17 },
		"too fast for VP9": func(c *vpx.Config) { c.Codec, c.Speed = vpx.VP9, 10 },
		"another codec":    func(c *vpx.Config) { c.Codec = 3 },
		"another scale":    func(c *vpx.Config) { c.Scale = 3 },
		"quantizers":       func(c *vpx.Config) { c.MinQ, c.MaxQ = 40, 30 },
	} {
		c := good
		spoil(&c)
		if e, err := vpx.New(c); !errors.Is(err, vpx.ErrConfig) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				e.Close()
			}
		}
	}
	e := open(t, good)
	if err := e.Load(make([]uint32, 64*64-1), 64, everything); !errors.Is(err, vpx.ErrConfig) {
		t.Errorf("too few pixels: %v", err)
	}
	if err := e.Load(make([]uint32, 64*64), 63, everything); !errors.Is(err, vpx.ErrConfig) {
		t.Errorf("rows too short: %v", err)
	}
	if err := e.SetRate(0); !errors.Is(err, vpx.ErrConfig) {
		t.Errorf("no rate: %v", err)
	}
	if err := e.SetSpeed(17); !errors.Is(err, vpx.ErrConfig) {
		t.Errorf("speed: %v", err)
	}
	if _, err := e.Encode(3000, false); err != nil {
		t.Error(err)
	}
	if _, err := e.Encode(3000, false); !errors.Is(err, vpx.ErrConfig) {
		t.Errorf("a second frame at the same time: %v", err)
	}
	e.Close()
	e.Close()
}

// TestAnEncoderTakesNoMemoryAFrame counts Go's; libvpx's own is fixed at New.
func TestAnEncoderTakesNoMemoryAFrame(t *testing.T) {
	e := open(t, config(vpx.VP8, 320, 240))
	pix := scene(320, 240, 0)
	at := uint64(0)
	if n := testing.AllocsPerRun(20, func() {
		at += 3000
		if err := errors.Join(e.SetActive(everything), e.Load(pix, 320, everything), e.SetRate(4000)); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Encode(at, false); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
