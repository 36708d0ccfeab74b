package picture

import (
	"fmt"
	"image"
	"time"
)

// SetClock replaces the clock of a stream.
func (s *Stream) SetClock(now func() time.Time) { s.now = now }

// SetVideo and ShowVideo are what a Pump calls.
func (s *Stream) SetVideo(rects []image.Rectangle)          { s.setVideo(rects) }
func (s *Stream) ShowVideo(ts uint32, area image.Rectangle) { s.showVideo(ts, area) }

// Check says whether the stream's account is right: that a viewer's picture is
// the one the encoder believes it is, and that all that differs from cur is owed.
func (s *Stream) Check(viewer, under, cur []uint32) error {
	s.encoding.Lock()
	defer s.encoding.Unlock()
	e := s.enc
	if e == nil || len(viewer) != len(e.ref) {
		return nil // nothing was sent of this size yet
	}
	if !equal(viewer, e.ref) || !equal(under, e.under) {
		return fmt.Errorf("the viewer does not hold what the encoder believes")
	}
	for _, state := range e.tiles {
		if state != tileSame {
			return fmt.Errorf("a mark was left behind")
		}
	}
	s.mu.Lock()
	restart := s.restart
	s.mu.Unlock()
	if len(cur) != len(e.ref) || restart { // then all is owed
		return nil
	}
	for i, owed := range e.cells.owed {
		if owed {
			continue
		}
		r := e.cellPixels(i)
		for y := r.Min.Y; y < r.Max.Y; y++ {
			if a, b := y*e.w+r.Min.X, y*e.w+r.Max.X; !equal(e.ref[a:b], cur[a:b]) {
				return fmt.Errorf("row %d of cell %v differs and is not owed", y, r)
			}
		}
	}
	return nil
}
