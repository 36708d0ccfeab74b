package input

import "github.com/mainforte/mainforte/internal/wire"

// order makes one sequence of events that arrive twice and out of order: each
// once on the reliable channel and perhaps several times on the fast one (C36).
type order struct {
	next     uint32 // the event to apply next
	reliable uint32 // the last one that came by the reliable channel
	waiting  map[uint32]wire.InputEvent
}

// add takes an event in, unless it was there before.
func (o *order) add(channel Channel, ev wire.InputEvent) error {
	if channel == In {
		if ev.Seq != o.reliable+1 {
			return ErrOutOfOrder
		}
		o.reliable = ev.Seq
	}
	if ev.Seq < o.next {
		return nil // applied before, by the other channel
	}
	if ev.Seq-o.next >= window {
		return ErrTooFarAhead
	}
	if _, ok := o.waiting[ev.Seq]; !ok {
		o.waiting[ev.Seq] = ev
	}
	return nil
}

// pop returns the next event once it is there, and never again.
func (o *order) pop() (wire.InputEvent, bool) {
	ev, ok := o.waiting[o.next]
	if ok {
		delete(o.waiting, o.next)
		o.next++
	}
	return ev, ok
}
