package main

import (
	"context"
	"fmt"
	"image"
	"math"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/jezek/xgb/xproto"
)

// hog starts a busy loop for every core, at normal priority.
func hog(ctx context.Context) (all []*exec.Cmd, err error) {
	for range runtime.NumCPU() {
		c := exec.CommandContext(ctx, "sh", "-c", "while :; do :; done")
		if err := c.Start(); err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return all, nil
}

const (
	clipFrames = 120
	clipRate   = 30
)

// screening is a mover that shows a film of the whole screen: a camera pans over a
// natural-looking scene, and a part of it moves another way. Its frames wait on the
// X server, so that what decodes a film elsewhere takes nothing from the measured.
type screening struct {
	*canvas
	frames []xproto.Pixmap
}

func newScreening(display string) (*screening, error) {
	v, err := newCanvas(display, 0, 0, width, height, 0)
	if err != nil {
		return nil, err
	}
	const margin = 240
	w, h := width+2*margin, height+2*margin
	luma, cb, cr := scene(w, h, 5)
	pixels := make([]byte, 4*w*h)
	for i := range luma {
		l, b, r := float64(luma[i]), float64(cb[i])-128, float64(cr[i])-128
		pixels[4*i], pixels[4*i+1], pixels[4*i+2] = clamp(l+1.772*b), clamp(l-0.344*b-0.714*r), clamp(l+1.402*r)
	}
	s := &screening{canvas: v}
	pic := picture{pix: make([]byte, 4*width*height)}
	for n := range clipFrames {
		t := 2 * math.Pi * float64(n) / clipFrames
		ox, oy := margin+int(margin/2*math.Sin(t)), margin+int(margin/2*math.Sin(2*t))
		px, py := width/2+int(600*math.Cos(2*t)), height/2+int(300*math.Sin(2*t)) // what moves apart
		for y := range height {
			copy(pic.pix[4*y*width:4*(y+1)*width], pixels[4*((y+oy)*w+ox):])
			if dy := y - py; dy*dy < 150*150 {
				half := int(math.Sqrt(float64(150*150 - dy*dy)))
				from, to := max(px-half, 0), min(px+half, width)
				copy(pic.pix[4*(y*width+from):4*(y*width+to)], pixels[4*((dy+margin+300)*w+from-px+margin+300):])
			}
		}
		frame, err := v.hidden(pic)
		if err != nil {
			return nil, err
		}
		s.frames = append(s.frames, frame)
	}
	return s, v.sync()
}

func (s *screening) draw(n uint32) error {
	xproto.CopyArea(s.c, xproto.Drawable(s.frames[n%clipFrames]), xproto.Drawable(s.win), s.gc, 0, 0, 0, 0, width, height)
	s.mark(n)
	return s.sync()
}

func (s *screening) marker() image.Point { return image.Point{} }

// video: a film of the whole screen.
func (r *rig) video() ([]Row, error) {
	m, err := newScreening(r.far.Display)
	if err != nil {
		return nil, err
	}
	defer m.close()
	ctx, cancel := context.WithCancel(r.ctx)
	played := make(chan error, 1)
	go func() { played <- drawnBy(m, clipRate)(ctx, func(uint32, time.Time) {}) }()
	defer func() { cancel(); <-played }()
	time.Sleep(5 * time.Second) // until it is known for video
	v, err := r.watch(m.marker(), r.playedBy(m.marker()), 7*time.Second, nil)
	if err != nil {
		return nil, err
	}
	rows := v.rows("1080p video, 30 Hz", goal{fps: 25, age: 50, kB: 40, cpu: 60})
	psnr, err := r.likeness(6 * time.Second)
	if err != nil {
		return nil, err
	}
	if len(psnr) == 0 {
		return append(rows, Row{Name: "1080p video: PSNR-Y", Unit: "dB", Target: 35, Note: "no frame was caught on both screens"}), nil
	}
	row := atLeast("1080p video: PSNR-Y p50", "dB", percentile(psnr, .5), 35)
	row.samples, row.Note = psnr, fmt.Sprintf("%d frames, worst %.1f", len(psnr), percentile(psnr, 0))
	return append(rows, row), nil
}

// likeness catches the same frames on both screens and compares their luma, in dB.
func (r *rig) likeness(d time.Duration) ([]float64, error) {
	ctx, cancel := context.WithTimeout(r.ctx, d)
	defer cancel()
	var caught [2]map[uint32][]byte
	var errs [2]error
	var both sync.WaitGroup
	for i, place := range []struct {
		display string
		area    image.Rectangle
	}{{r.far.Display, wholeScreen}, {r.near.Display, r.shown(wholeScreen)}} {
		caught[i] = map[uint32][]byte{}
		both.Go(func() {
			mark := image.Rectangle{Min: place.area.Min, Max: place.area.Min.Add(image.Pt(markWidth, 1))}.Add(image.Pt(0, markSide/2))
			e, err := openEye(place.display, mark, readMark)
			if err != nil {
				errs[i] = err
				return
			}
			defer e.close()
			for {
				select {
				case s := <-e.sees:
					if s.value%12 != 0 {
						continue
					}
					pix, err := pixels(place.display, place.area)
					if err != nil {
						errs[i] = err
						return
					}
					// It may be the next one by now.
					if n, ok := readMark(pix[4*width*markSide/2:]); ok {
						caught[i][n] = pix
					}
				case <-ctx.Done():
					return
				}
			}
		})
	}
	both.Wait()
	var v []float64
	for n, want := range caught[0] {
		if got := caught[1][n]; got != nil {
			v = append(v, psnrY(want, got))
		}
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}

// psnrY compares the luma (BT.601) of two pictures, BGRX.
func psnrY(a, b []byte) float64 {
	luma := func(p []byte) float64 { return 0.114*float64(p[0]) + 0.587*float64(p[1]) + 0.299*float64(p[2]) }
	sum := 0.0
	for i := 0; i < len(a); i += 4 {
		d := luma(a[i:]) - luma(b[i:])
		sum += d * d
	}
	if sum == 0 {
		return 99
	}
	return 10 * math.Log10(255*255/(sum/float64(len(a)/4)))
}
