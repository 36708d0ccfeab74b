package track

import (
	"image"
	"math"
	"time"

	"github.com/mainforte/mainforte/host/vpx"
)

// aim is what an area gets on a line that carries everything, bit/s. Small
// pictures are looked at as closely as large ones and get more a pixel.
func aim(area image.Rectangle) int {
	share := float64(area.Dx()*area.Dy()) / fullPixels
	return int(max(min(math.Pow(share, 0.6), 1)*fullRate, leastAim))
}

const (
	// Faster than 12 libvpx looks for no motion that is worth it: at the same rate a
	// film of fine detail has 30 dB instead of 40, for a tenth less time. A smaller
	// picture is the better way to be quick.
	firstSpeed, lastSpeed = 8, 12

	// Encoding times above which it goes faster, or smaller. They are wall time:
	// what is short is time, whoever else takes it.
	fasterOver  = 13 * time.Millisecond
	finerUnder  = 6 * time.Millisecond
	smallerOver = 26 * time.Millisecond
	largerUnder = 8 * time.Millisecond

	// A film that takes its time gets 40 frames a second and not more: what comes
	// quicker is mostly a program that paints one picture in two strokes.
	calmOver  = 8 * time.Millisecond
	calmPause = 25 * time.Millisecond

	gearPause  = 2 * time.Second  // between two changes of speed
	scalePause = 10 * time.Second // before the picture grows again: it costs a key frame
)

// gear chooses speed, then scale, from what frames take.
type gear struct {
	speed   int
	scale   vpx.Scale
	mean    time.Duration // of the last frames, weighted
	frames  int           // since the last change
	changed time.Time
}

func newGear() gear { return gear{speed: firstSpeed} }

// took takes what one frame took.
func (g *gear) took(d time.Duration, now time.Time) {
	if g.frames++; g.frames == 1 {
		g.mean = d
	}
	g.mean += (d - g.mean) / 8
	if g.frames < 15 {
		return // the first frames of a scene are no measure
	}
	since := now.Sub(g.changed)
	switch {
	case g.mean > fasterOver && g.speed < lastSpeed:
		g.change(lastSpeed, g.scale, now)
	case g.mean > smallerOver && g.scale < vpx.Half && since > gearPause:
		g.change(g.speed, g.scale+1, now)
	case g.mean < largerUnder && g.scale > vpx.Whole && since > scalePause:
		g.change(g.speed, g.scale-1, now)
	case g.mean < finerUnder && g.scale == vpx.Whole && g.speed > firstSpeed && since > gearPause:
		g.change(firstSpeed, g.scale, now)
	}
}

// pause is what must lie between two frames.
func (g *gear) pause() time.Duration {
	if g.mean > calmOver {
		return calmPause
	}
	return 0
}

func (g *gear) change(speed int, scale vpx.Scale, now time.Time) {
	g.speed, g.scale, g.changed, g.frames = speed, scale, now, 0
}
