package picture

import (
	"slices"
	"sync"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
)

// A lost packet of an update, and everything behind it, waits for the channel's
// own retransmission: one and a half round trips at best, a whole second if it
// was the last one, or is lost again. So a small update is sent once more in
// parts, by a way that loses what it loses and waits for nothing: when its
// acknowledgement is late, and while the line was found to lose packets right away.
const (
	maxRepeated  = 16 << 10 // bytes of an update that is repeated
	maxUnacked   = 12       // updates that are held for it
	maxRepeats   = 4        // of one update
	repeatAfter  = 15 * time.Millisecond
	leastLate    = 60 * time.Millisecond // a viewer's own hiccup is shorter
	lateBy       = 45 * time.Millisecond // above the shortest round trip, and a quarter of it: what waits in a good line
	lossyFor     = 20 * time.Second      // after a part came before what it repeats
	repeatCredit = 64 << 10              // bytes that may be repeated at once
	repeatFloor  = 16 << 10              // bytes a second that may be repeated in any case
)

// repeats remembers the updates under way and says when which of them is sent
// once more. Repeats cost no more than what the line proved to carry, so a line
// that is merely slow is never filled by them.
type repeats struct {
	mu         sync.Mutex
	updates    [maxUnacked]repeated
	oldest, n  int // of updates, a ring
	generation uint32
	rtt        time.Duration // the shortest of late, from an update to its ack
	lossyUntil time.Time
	credit     float64
	credited   time.Time
}

type repeated struct {
	number uint32
	data   []byte // none: too large
	at     time.Time
	times  int
	last   time.Time // of the last repeat
}

// began forgets everything: a picture begins.
func (r *repeats) began(generation uint32) {
	r.mu.Lock()
	r.generation, r.n = generation, 0
	r.mu.Unlock()
}

// sent remembers an update. It returns when its repeat is due.
func (r *repeats) sent(number uint32, data []byte, now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == maxUnacked {
		r.drop(1)
	}
	u := &r.updates[(r.oldest+r.n)%maxUnacked]
	r.n++
	*u = repeated{number: number, data: u.data[:0], at: now}
	if len(data) <= maxRepeated {
		u.data = append(u.data, data...)
	}
	return r.next(u, now)
}

// acked forgets what is on the canvas. parts tells that some of it came by a repeat
// before it came by the channel: the line loses packets. rtt is the shortest time
// that an ack took of late. It returns whether the line loses packets these days.
func (r *repeats) acked(number uint32, parts bool, rtt time.Duration, now time.Time) (lossy bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rtt = rtt
	if parts {
		r.lossyUntil = now.Add(lossyFor)
	}
	for r.n > 0 {
		u := &r.updates[r.oldest]
		if int32(u.number-number) > 0 {
			break
		}
		r.pay(float64(len(u.data)), now)
		r.drop(1)
	}
	return now.Before(r.lossyUntil)
}

func (r *repeats) drop(n int) {
	r.oldest = (r.oldest + n) % maxUnacked
	r.n -= n
}

// pay gives credit for bytes that arrived and for the time.
func (r *repeats) pay(bytes float64, now time.Time) {
	if !r.credited.IsZero() {
		bytes += now.Sub(r.credited).Seconds() * repeatFloor
	}
	r.credited = now
	r.credit = min(r.credit+bytes, repeatCredit)
}

// late is how long an acknowledgement may take. It does not follow what acks took
// on average: those of a line that loses would teach it to wait for ever.
func (r *repeats) late() time.Duration { return max(leastLate, r.rtt*5/4+lateBy) }

// next is when an update is to be repeated; the zero time if it is not.
func (r *repeats) next(u *repeated, now time.Time) time.Time {
	switch {
	case len(u.data) == 0 || u.times == maxRepeats:
		return time.Time{}
	case u.times > 0:
		return u.last.Add(max(leastLate, r.late()/2))
	case now.Before(r.lossyUntil):
		return u.at.Add(repeatAfter)
	}
	return u.at.Add(r.late())
}

// due appends the parts of what is to be repeated now to dst, and says when to
// ask again; the zero time if nothing more is to come.
func (r *repeats) due(now time.Time, dst [][]byte) (parts [][]byte, again time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pay(0, now)
	behind := false // an update is missing: what came after it waits there
	for i := range r.n {
		u := &r.updates[(r.oldest+i)%maxUnacked]
		at := r.next(u, now)
		if at.IsZero() {
			continue
		}
		if behind && u.times == 0 || !at.After(now) {
			behind = true
			u.times++
			u.last = now
			if r.credit >= float64(len(u.data)) {
				r.credit -= float64(len(u.data))
				dst = appendParts(dst, *u, r.generation)
			}
			at = r.next(u, now)
		}
		if !at.IsZero() && (again.IsZero() || at.Before(again)) {
			again = at
		}
	}
	return dst, again
}

// appendParts appends the messages that repeat an update. Their memory is reused.
func appendParts(dst [][]byte, u repeated, generation uint32) [][]byte {
	for at := 0; at < len(u.data); at += wire.MaxTilePart - wire.PartHeader {
		end := min(at+wire.MaxTilePart-wire.PartHeader, len(u.data))
		if len(dst) < cap(dst) {
			dst = dst[:len(dst)+1]
		} else {
			dst = append(dst, nil)
		}
		last := &dst[len(dst)-1]
		*last = wire.AppendPart((*last)[:0], wire.Part{Update: u.number, Generation: generation, Offset: uint16(at), Last: end == len(u.data), Data: u.data[at:end]})
	}
	return dst
}

// repeater sends a stream's repeats. Its zero value sends none.
type repeater struct {
	repeats
	send func(msg []byte) error

	timing sync.Mutex
	timer  *time.Timer
	at     time.Time // when it rings; zero: it does not

	sending sync.Mutex // held while parts are made and sent
	parts   [][]byte
}

func (r *repeater) sent(number uint32, data []byte, now time.Time) {
	if r.send != nil {
		r.ring(r.repeats.sent(number, data, now), now)
	}
}

// ring sets the clock to the given time, unless it rings before.
func (r *repeater) ring(at, now time.Time) {
	if at.IsZero() {
		return
	}
	r.timing.Lock()
	defer r.timing.Unlock()
	if !r.at.IsZero() && !at.Before(r.at) {
		return
	}
	r.at = at
	if r.timer == nil {
		r.timer = time.AfterFunc(at.Sub(now), r.rung)
	} else {
		r.timer.Reset(at.Sub(now))
	}
}

func (r *repeater) rung() {
	r.timing.Lock()
	r.at = time.Time{}
	r.timing.Unlock()
	r.sending.Lock()
	defer r.sending.Unlock()
	now := time.Now()
	var again time.Time
	r.parts, again = r.due(now, r.parts[:0])
	for _, p := range r.parts {
		if r.send(p) != nil {
			return
		}
	}
	r.ring(again, now)
}

// close lets no more be sent and gives the memory back.
func (r *repeater) close() {
	r.timing.Lock()
	if r.timer != nil {
		r.timer.Stop()
	}
	r.timing.Unlock()
	r.mu.Lock()
	r.n = 0
	r.updates = [maxUnacked]repeated{}
	r.mu.Unlock()
	r.sending.Lock()
	r.parts = slices.Clip(r.parts[:0:0])
	r.sending.Unlock()
}
