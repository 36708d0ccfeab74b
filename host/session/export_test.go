package session

import (
	"time"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/track"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// AddGrant makes the host know one more grant, as a later version will.
func (h *Host) AddGrant(name string) {
	done := make(chan struct{})
	h.post(nil, func() {
		for _, p := range h.live.participants {
			p.grants = append(p.grants, &grant{name: name})
		}
		close(done)
	})
	<-done
}

// Note writes n events down.
func (h *Host) Note(n int) {
	h.post(nil, func() {
		for range n {
			h.live.note("consent.denied", "deny", nil, nil)
		}
	})
}

// Look makes the host look at screen and link again, as the pump's word does. It
// may have been said before the person took something back.
func (h *Host) Look() { h.look <- struct{}{} }

// MaxKept is the bound of unacknowledged events.
const MaxKept = maxKept

// FromViewer and FromServer are what is made of their reasons.
func FromViewer(r mfpb.Reason) mfpb.Reason { return fromViewer(r) }
func FromServer(r mfpb.Reason) mfpb.Reason { return fromServer(r) }

// LookTime is how often the computer's addresses are looked at.
const LookTime = lookTime

// Pace is what a link knows of its line.
type Pace struct{ p pace }

// Look takes one look.
func (p *Pace) Look(waits time.Duration, given, held uint64) (changed bool, rate uint32) {
	return p.p.look(waits, given, held)
}

// Slow makes the first participant's line a slow one.
func (h *Host) Slow() {
	done := make(chan struct{})
	h.post(nil, func() {
		h.live.participants[0].link.pace.slow = true
		close(done)
	})
	<-done
}

// Film is the session's video track; nil: this build has none.
func (h *Host) Film() (film *track.Track) {
	done := make(chan struct{})
	h.post(nil, func() {
		film = h.live.film
		close(done)
	})
	<-done
	return film
}

// Toil is what the host knows of its own work.
type Toil struct{ t toil }

// Look takes one look.
func (t *Toil) Look(took time.Duration) (changed bool) { return t.t.look(took) }

// Slow tells how it stands.
func (t *Toil) Slow() bool { return t.t.slow }

// BoundsOf is what a viewer that looks at a display sees.
var BoundsOf = boundsOf

// ParseMark is what the channel marks is read by.
var ParseMark = parseMark

// Stall runs f before each turn of a disk's: "list", "read", "open", "write",
// "finish" and "remove".
func (h *Host) Stall(f func(what string)) { h.stall.Store(&f) }

// Listed is how many files of an offer that still goes on are kept.
func (h *Host) Listed() (n int) {
	done := make(chan struct{})
	h.post(nil, func() {
		for _, t := range h.live.tools {
			f, ok := t.(*fileTool)
			if !ok {
				continue
			}
			for _, c := range f.all() {
				c.locked(func() {
					if c.listed != nil {
						n += len(c.listed.entries)
					}
				})
			}
		}
		close(done)
	})
	<-done
	return n
}

// HearLate gives the files' tool a message as if the first participant's present link
// had brought it, and had been replaced before it was read: by another link, or by
// nobody when the participant is out. It tells whether anything came of it.
func (h *Host) HearLate(msg []byte, out bool) (couriers int, err error) {
	done := make(chan struct{})
	h.post(nil, func() {
		defer close(done)
		p := h.live.participants[0]
		f := h.live.toolFor(grantFileIn).(*fileTool)
		old := p.link
		if out {
			f.left(p)
		} else {
			old = &link{h: h, p: p, gone: make(chan struct{})}
		}
		err = f.hear(old, msg)
		f.mu.Lock()
		couriers = len(f.couriers)
		f.mu.Unlock()
	})
	<-done
	return couriers, err
}

// LastOf is the number of the newest event that is kept.
func LastOf(r *Return) uint64 { return r.kept.Acked + uint64(len(r.events)) }

// LiftedKey presses or releases a key by raised hands.
func LiftedKey(far, own input.Injector, k input.Key, down bool) error {
	f := &lifted{own: &reach{Injector: own}, far: far, down: map[any]bool{}}
	f.on.Store(true)
	return f.Key(k, down)
}
