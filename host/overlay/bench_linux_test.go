package overlay_test

import (
	"image"
	"testing"

	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/overlay"
	"github.com/mainforte/mainforte/host/overlay/overlaytest"
)

// BenchmarkLaser moves a pointer over a screen with marks on it; an operation ends
// when the X server has shown it.
func BenchmarkLaser(b *testing.B) {
	x, err := overlay.OpenX11(capturetest.Xvfb(b, 1920, 1080))
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	s := overlay.Scene{Marks: overlaytest.Everything.Marks, Pointers: []overlay.Pointer{{Who: 1, Name: "Chloé Martin"}}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Pointers = []overlay.Pointer{{Who: 1, Name: "Chloé Martin", At: image.Pt(100+i%1700, 300+i%500)}}
		<-x.Show(s)
	}
}
