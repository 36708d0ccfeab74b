// Package fake is a desktop for tests: it shows what the test draws, changes
// when the test says so, and is strict where real ones are forgiving. Whoever
// keeps reading a frame after the next one reads poison; whoever calls Next
// twice at a time, or gives Close twice, fails the test.
package fake

import (
	"context"
	"fmt"
	"image"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture"
)

// Poison is what pixels of a frame turn to when the frame is no longer valid.
const Poison = 0xdead00

// Source is a desktop that a test draws.
type Source struct {
	t testing.TB

	mu        sync.Mutex
	w, h      int
	desktop   []uint32
	damage    capture.Areas
	parts     []image.Rectangle // of the last frame
	last      []uint32          // the frame that is out
	cursor    capture.Cursor
	newCursor bool
	pointer   image.Point
	displays  []capture.Display
	took      time.Duration // what a frame says of itself
	calls     int           // of Next that returned a frame
	inNext    bool
	inCursor  bool
	lost      bool
	closed    bool
	changed   chan struct{} // closed and replaced with every change
}

// New returns a black desktop of w x h pixels with a cursor of one white pixel.
func New(t testing.TB, w, h int) *Source {
	s := &Source{t: t, changed: make(chan struct{}), newCursor: true}
	s.cursor = capture.Cursor{Width: 1, Height: 1, RGBA: []byte{255, 255, 255, 255}}
	s.resize(w, h)
	return s
}

func (s *Source) resize(w, h int) {
	s.w, s.h, s.desktop = w, h, make([]uint32, w*h)
	whole := image.Rect(0, 0, w, h)
	s.damage.Clear()
	s.damage.Add(whole)
	s.displays = []capture.Display{{ID: 1, Name: "fake", Bounds: whole}}
}

// tell wakes who waits. s.mu is held.
func (s *Source) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Fill paints r, cut at the edge of the desktop, in one colour.
func (s *Source) Fill(r image.Rectangle, colour uint32) {
	s.Draw(r, func(int, int) uint32 { return colour })
}

// Draw paints r, cut at the edge of the desktop, pixel by pixel.
func (s *Source) Draw(r image.Rectangle, colour func(x, y int) uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r = r.Intersect(image.Rect(0, 0, s.w, s.h))
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			p := &s.desktop[y*s.w+x]
			if c := colour(x, y) & 0xffffff; c != *p {
				*p = c
				s.damage.Add(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	s.tell()
}

// Resize makes the desktop black and another size.
func (s *Source) Resize(w, h int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resize(w, h)
	s.tell()
}

// SetCursor gives the pointer another shape.
func (s *Source) SetCursor(c capture.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursor, s.newCursor = c, true
	s.tell()
}

// SetPointer moves the pointer.
func (s *Source) SetPointer(at image.Point) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pointer = at
}

// Pointer implements capture.Pointing.
func (s *Source) Pointer() (image.Point, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pointer, true
}

// SetDisplays plugs other monitors in; the desktop stays as large as it is.
func (s *Source) SetDisplays(displays ...capture.Display) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.displays = displays
	s.tell()
}

// SetTook makes frames say that reading them took so long.
func (s *Source) SetTook(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = took
}

// Lose takes the desktop away, as when the X server ends.
func (s *Source) Lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = true
	s.tell()
}

// Pix is a copy of what the desktop shows.
func (s *Source) Pix() (pix []uint32, w, h int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.desktop), s.w, s.h
}

// Frames is the number of frames that were taken.
func (s *Source) Frames() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Closed says whether the source was given back.
func (s *Source) Closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// wait calls ready, with s.mu held, until it says yes.
func (s *Source) wait(ctx context.Context, busy *bool, name string, ready func() bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *busy {
		s.t.Errorf("fake: %s called twice at a time", name)
	}
	*busy = true
	defer func() { *busy = false }()
	for {
		if s.lost || s.closed {
			return fmt.Errorf("%w: the fake desktop is gone", capture.ErrLost)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if ready() {
			return nil
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
}

// Next implements capture.Source.
func (s *Source) Next(ctx context.Context) (f capture.Frame, err error) {
	err = s.wait(ctx, &s.inNext, "Next", func() bool {
		if len(s.damage.All()) == 0 {
			return false
		}
		for i := range s.last {
			s.last[i] = Poison
		}
		for i := range s.parts {
			s.parts[i] = image.Rectangle{} // they may be read no longer either
		}
		s.last, s.parts = slices.Clone(s.desktop), slices.Clone(s.damage.All())
		f = capture.Frame{Pix: s.last, Width: s.w, Height: s.h, Damage: s.damage.Bounds(), Parts: s.parts, Took: s.took}
		s.damage.Clear()
		s.calls++
		return true
	})
	return f, err
}

// NextCursor implements capture.Source.
func (s *Source) NextCursor(ctx context.Context) (c capture.Cursor, err error) {
	err = s.wait(ctx, &s.inCursor, "NextCursor", func() bool {
		if !s.newCursor {
			return false
		}
		s.newCursor = false
		c = s.cursor
		c.RGBA = slices.Clone(c.RGBA)
		return true
	})
	return c, err
}

// Displays implements capture.Source: one that fills the desktop.
func (s *Source) Displays() []capture.Display {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.displays)
}

// Close implements capture.Source.
func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.t.Error("fake: closed twice")
	}
	s.closed = true
	s.tell()
	return nil
}
