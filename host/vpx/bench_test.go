//go:build cgo && (linux || (windows && vpx))

package vpx_test

import (
	"fmt"
	"testing"

	"github.com/mainforte/mainforte/host/vpx"
)

// BenchmarkLoad turns a whole 1080p screen into planes.
func BenchmarkLoad(b *testing.B) {
	const w, h = 1920, 1080
	pix := scene(w, h, 0)
	for scale, name := range []string{"1", "3/4", "1/2"} {
		for codec, planes := range map[vpx.Codec]string{vpx.VP8: "4:2:0", vpx.VP9Full: "4:4:4"} {
			b.Run(fmt.Sprintf("%s scale %s", planes, name), func(b *testing.B) {
				c := config(codec, w, h)
				c.Scale = vpx.Scale(scale)
				e := open(b, c)
				for b.Loop() {
					if err := e.Load(pix, w, everything); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkEncode encodes a 1080p film at 9.6 Mbit/s and 30 frames a second, one
// thread, and says what a frame takes.
func BenchmarkEncode(b *testing.B) {
	const w, h = 1920, 1080
	var film [][]uint32
	for frame := range 10 {
		film = append(film, scene(w, h, frame))
	}
	for _, c := range []struct {
		codec vpx.Codec
		speed int
	}{{vpx.VP8, 10}, {vpx.VP8, 12}, {vpx.VP8, 16}, {vpx.VP9, 9}, {vpx.VP9Full, 9}} {
		b.Run(fmt.Sprintf("%v speed %d", c.codec, c.speed), func(b *testing.B) {
			conf := config(c.codec, w, h)
			conf.Speed, conf.Threads, conf.Kbps = c.speed, 1, 9600
			e := open(b, conf)
			frame, bytes := 0, 0
			for b.Loop() {
				// There and back, so that no cut is in it.
				n := frame % (2*len(film) - 2)
				if n >= len(film) {
					n = 2*len(film) - 2 - n
				}
				if err := e.Load(film[n], w, everything); err != nil {
					b.Fatal(err)
				}
				frame++
				f, err := e.Encode(uint64(frame)*3000, false)
				if err != nil {
					b.Fatal(err)
				}
				bytes += len(f.Data)
			}
			b.ReportMetric(float64(bytes)/float64(frame)/1000, "kB/frame")
		})
	}
}
