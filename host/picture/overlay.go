package picture

import (
	"errors"
	"image"
	"slices"

	"github.com/mainforte/mainforte/internal/wire"
)

// overlay is what of a stream's picture is video.
type overlay struct {
	rects []image.Rectangle // tiles in these wait
	told  []image.Rectangle // what the viewer was told to show
	area  image.Rectangle   // of the frames, as it was told
	ts    uint32
	shown bool // since the start of the picture
}

// setVideo says which rectangles are video from now on: whole tiles. Those that
// were and are not any more are sent by tiles, and then taken off the overlay. It
// returns whether the viewer begins to need the track.
func (s *Stream) setVideo(rects []image.Rectangle) (begins bool) {
	s.encoding.Lock()
	defer s.encoding.Unlock()
	s.mu.Lock()
	filming := s.filming
	s.mu.Unlock()
	if !filming {
		rects = nil
	}
	if slices.Equal(s.video.rects, rects) {
		return false
	}
	begins = len(s.video.rects) == 0
	s.video.rects = append(s.video.rects[:0], rects...)
	if s.enc == nil {
		return begins
	}
	s.enc.video(rects)
	s.mu.Lock()
	s.owed = true
	s.mu.Unlock()
	return begins
}

// films says whether the viewer has the track and may see the picture.
func (s *Stream) films() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.filming && s.hello && !s.stopped()
}

// showVideo tells the viewer what the track shows from the frame ts on, if that
// is news.
func (s *Stream) showVideo(ts uint32, area image.Rectangle) {
	s.encoding.Lock()
	defer s.encoding.Unlock()
	v := &s.video
	s.mu.Lock()
	restart := s.restart // as for a size that the viewer does not know yet
	s.mu.Unlock()
	if s.enc == nil || restart || len(v.rects) == 0 || !area.In(s.enc.bounds()) {
		return
	}
	var room [wire.MaxVideoRects]image.Rectangle
	list := append(room[:0], v.rects...)
	if v.shown {
		for _, r := range v.told { // what was video goes on until its tiles are there
			inside := slices.ContainsFunc(v.rects, func(o image.Rectangle) bool { return r.In(o) })
			if !inside && len(list) < len(room) && r.In(area) && s.enc.cells.owes(r) {
				list = append(list, r)
			}
		}
	}
	if v.shown && area == v.area && slices.Equal(list, v.told) {
		v.ts = ts
		return
	}
	v.ts, v.area = ts, area
	if err := s.tellVideo(list); err != nil && !errors.Is(err, errStopped) {
		s.fail(err)
	}
}

// endVideo takes off the overlay what is not video any more and whose tiles were
// sent.
func (s *Stream) endVideo() error {
	v := &s.video
	if !v.shown {
		return nil
	}
	s.mu.Lock()
	filming := s.filming
	s.mu.Unlock()
	var room [wire.MaxVideoRects]image.Rectangle
	list := room[:0]
	for _, r := range v.told {
		if filming && (slices.Contains(v.rects, r) || s.enc.cells.owes(r)) {
			list = append(list, r)
		}
	}
	if len(list) == len(v.told) {
		return nil
	}
	return s.tellVideo(list)
}

func (s *Stream) tellVideo(list []image.Rectangle) error {
	v := &s.video
	v.told = append(v.told[:0], list...)
	v.shown = len(list) > 0
	m := wire.Video{Timestamp: v.ts, Area: v.area, Rects: v.told}
	if !v.shown {
		m.Area = image.Rectangle{}
	}
	s.msg = wire.AppendVideo(s.msg[:0], m)
	return s.send(s.msg)
}
