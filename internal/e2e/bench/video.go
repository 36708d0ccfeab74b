package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"math"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"
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

const clipFrames, clipRate = 240, 30

// clip makes a film: a natural-looking scene that the camera pans over, and a
// part of it that moves another way. Its frames carry their numbers.
func clip(ctx context.Context, file string) error {
	const margin = 240
	w, h := width+2*margin, height+2*margin
	luma, cb, cr := scene(w, h, 5)
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "ffmpeg", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", fmt.Sprintf("%dx%d", width, height),
		"-r", fmt.Sprint(clipRate), "-i", "-", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "fastdecode", "-crf", "16", "-y", file)
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("ffmpeg: %w", err)
	}
	frame := make([]byte, width*height*3/2)
	y, u, v := frame[:width*height], frame[width*height:width*height*5/4], frame[width*height*5/4:]
	for n := range clipFrames {
		t := 2 * math.Pi * float64(n) / clipFrames
		ox, oy := margin+2*int(margin/2*math.Sin(t)), margin+2*int(margin/2*math.Sin(2*t))
		px, py := width/2+int(600*math.Cos(3*t)), height/2+int(300*math.Sin(3*t)) // what moves apart
		at := func(x, yy int) int {
			if dx, dy := x-px, yy-py; dx*dx+dy*dy < 150*150 {
				return (yy-py+margin+300)*w + x - px + margin + 300
			}
			return (yy+oy)*w + x + ox
		}
		for yy := range height {
			for x := range width {
				y[yy*width+x] = luma[at(x, yy)]
			}
		}
		for yy := range height / 2 {
			for x := range width / 2 {
				i := at(2*x, 2*yy)
				u[yy*width/2+x], v[yy*width/2+x] = cb[i], cr[i]
			}
		}
		bits := markOf(uint32(n))
		for i := range markBits {
			tone := byte(16 + 219*(bits>>(markBits-1-i)&1))
			for yy := range markSide {
				for x := range markSide {
					xx := i*markSide + x
					y[yy*width+xx] = tone
					u[yy/2*width/2+xx/2], v[yy/2*width/2+xx/2] = 128, 128
				}
			}
		}
		if _, err := in.Write(frame); err != nil {
			break // it says why itself
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("ffmpeg: %w: %s", err, errs.String())
	}
	return nil
}

// video: a film of the whole screen.
func (r *rig) video() ([]Row, error) {
	file := filepath.Join(r.dir, "clip.mp4")
	if err := clip(r.ctx, file); err != nil {
		return nil, err
	}
	p, err := r.far.Run(r.ctx, "env", "SDL_VIDEODRIVER=x11", "SDL_RENDER_DRIVER=software", "ffplay", "-loglevel", "error", "-fs", "-an", "-loop", "0", file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Stop() }()
	time.Sleep(5 * time.Second) // until it is known for video
	var at image.Point
	v, err := r.watch(at, r.playedBy(at), 7*time.Second, nil)
	if err != nil {
		return nil, err
	}
	if v.drawn == 0 {
		return nil, fmt.Errorf("ffplay shows nothing: %s", p.Out)
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
