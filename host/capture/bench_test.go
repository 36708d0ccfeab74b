//go:build linux || freebsd || netbsd || openbsd

package capture_test

import (
	"image"
	"testing"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/capture/capturetest"
)

// BenchmarkX11 is the time from a change, painted and confirmed by the server,
// to the frame that shows it.
func BenchmarkX11(b *testing.B) {
	display := capturetest.Xvfb(b, 1920, 1080)
	p := capturetest.NewPainter(b, display)
	src, err := capture.OpenX11(display)
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	for _, c := range []struct {
		name string
		r    image.Rectangle
	}{
		{"letter", image.Rect(100, 100, 108, 116)},
		{"640x360", image.Rect(100, 100, 740, 460)},
		{"screen", image.Rect(0, 0, 1920, 1080)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			colour := uint32(1)
			for b.Loop() {
				b.StopTimer()
				colour = (colour + 0x010203) & 0xffffff
				p.Fill(c.r, colour)
				b.StartTimer()
				if _, err := src.Next(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
