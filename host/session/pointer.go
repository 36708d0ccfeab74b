package session

import (
	"context"
	"image"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/mainforte/mainforte/host/beat"
	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

const (
	// pointerEvery is how often the pointer is looked for: the most that a viewer
	// is told. No system tells of every movement without a hook into all input.
	pointerEvery = 100 * time.Millisecond
	// pointerCalm is how often it is looked for once it has stood still for pointerRests:
	// each look wakes this program and the X server, in a session where nothing happens
	// more often than all else together.
	pointerCalm  = beat.Every
	pointerRests = 2 * time.Second
	// stillOurs is how long after the hands moved the pointer it may be on its way.
	stillOurs = 150 * time.Millisecond
	// maxPlaces bounds the bytes of shapes and places that wait on a bad line: a
	// place that would come late is not sent at all.
	maxPlaces = 1024
)

// movement is where the hands put the pointer last, without a lock on their way.
type movement struct {
	at   atomic.Uint64 // x and y, 32 bits each; and
	when atomic.Int64  // Unix nanoseconds, 0 for never
}

func (m *movement) to(x, y int) {
	m.at.Store(uint64(uint32(x))<<32 | uint64(uint32(y)))
	m.when.Store(time.Now().UnixNano())
}

// explains tells whether the hands can have put the pointer where it was seen.
func (m *movement) explains(seen image.Point, now time.Time) bool {
	when := m.when.Load()
	if when == 0 {
		return false
	}
	at := m.at.Load()
	there := image.Pt(int(int32(at>>32)), int(int32(at)))
	return there == seen || now.Sub(time.Unix(0, when)) < stillOurs
}

// watchPointer looks for the pointer while anybody may see the desktop. Where it
// stood before anybody moved it is no news.
func (h *Host) watchPointer(ctx context.Context, d *desktop, src capture.Pointing) {
	tick := time.NewTimer(0)
	defer tick.Stop()
	last, _ := src.Pointer()
	calm := true
	var moved time.Time
	for {
		if calm {
			tick.Reset(beat.Wait(pointerCalm))
		} else {
			tick.Reset(pointerEvery)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if d.suspended.Load() {
			continue
		}
		at, ok := src.Pointer()
		if !ok || at == last {
			calm = calm || time.Since(moved) > pointerRests
			continue
		}
		last, moved, calm = at, time.Now(), false
		if !h.post(d.gone, func() { h.pointerSeen(d, at) }) {
			return
		}
	}
}

// pointerSeen tells everybody but whoever moved it where the pointer is.
func (h *Host) pointerSeen(d *desktop, at image.Point) {
	s := h.live
	if s == nil || s.desk != d || at.X < 0 || at.Y < 0 {
		return
	}
	place := &mfpb.CursorPlace{X: uint32(at.X), Y: uint32(at.Y)}
	if p := s.holder(); p != nil && s.hands.moved.explains(at, time.Now()) {
		place.Participant = p.id
	}
	d.place = place
	for _, p := range s.participants {
		h.showPlace(p)
	}
}

// showPlace tells a viewer where somebody else put the pointer.
func (h *Host) showPlace(p *participant) {
	s := h.live
	if s == nil || s.desk == nil || s.desk.place == nil || !p.allowed(grantView) || !p.up() { // C27
		return
	}
	place, k := s.desk.place, p.link
	if place.Participant == p.id || k.cursor.ReadyState() != webrtc.DataChannelStateOpen || k.cursor.BufferedAmount() > maxPlaces {
		return
	}
	b, err := wire.Encode(&mfpb.CursorUpdate{Optional: true, Body: &mfpb.CursorUpdate_Place{Place: place}}, wire.MaxCursor)
	if err == nil {
		err = k.cursor.Send(b)
	}
	if err != nil {
		h.log.Info("pointer's place not sent", "error", err)
	}
}
