package track

import "time"

const (
	// slowAfter is how much longer than on the empty path a frame may take to be
	// shown before the path counts as slow, and fullAfter before it takes no more.
	slowAfter = 120 * time.Millisecond
	fullAfter = 300 * time.Millisecond
	// lostAfter is for how long nothing may be shown before what is on its way
	// counts as lost, and the viewer has to begin again: a stall that repairs
	// would have ended by then.
	lostAfter  = 1500 * time.Millisecond
	retryLimit = 16 * time.Second

	maxOut    = 64 // frames on their way
	firstOut  = 2  // the same, before anything was ever shown
	rateTime  = 400 * time.Millisecond
	baseTime  = 10 * time.Second // the empty path is remembered this long
	easeTime  = 200 * time.Millisecond
	guessBase = 50 * time.Millisecond
)

// window bounds what is on its way to a viewer by what it has shown. Its
// methods take the time; they are the Track's, under its lock.
type window struct {
	out   []frame // sent and not shown, the oldest first
	bytes int64   // sent in all
	acks  []frame // the last shown ones; at is when

	base, nextBase time.Duration // shortest way to the screen, of this and the last period
	baseSince      time.Time

	cap      int // bit/s; 0: the path showed no bound
	eased    time.Time
	repairAt time.Time // the viewer asked for lost packets last

	lost    bool // too much was lost: only a key frame helps
	retryAt time.Time
	wait    time.Duration
}

// frame is one frame with all bytes up to it.
type frame struct {
	stamp uint32
	size  int
	bytes int64
	at    time.Time     // when it was sent; of an ack: when it was shown
	way   time.Duration // of an ack: from one to the other
}

// add notes a frame that is sent now.
func (w *window) add(stamp uint32, size int, now time.Time) {
	w.bytes += int64(size)
	if len(w.out) < maxOut {
		w.out = append(w.out, frame{stamp: stamp, size: size, bytes: w.bytes, at: now})
	}
	if w.lost { // a try
		w.lost = false
	}
}

// shown takes the viewer's word; it is false for a frame that is not on its way.
func (w *window) shown(stamp uint32, now time.Time) bool {
	at := -1
	for i, f := range w.out {
		if f.stamp == stamp {
			at = i
			break
		}
	}
	if at < 0 {
		return false
	}
	f := w.out[at]
	w.out = append(w.out[:0], w.out[at+1:]...)
	way := now.Sub(f.at)
	w.measure(way, now)
	w.wait = 0
	slow := w.slow(f.at)
	f.at, f.way = now, way
	if len(w.acks) == 32 {
		w.acks = append(w.acks[:0], w.acks[16:]...)
	}
	w.acks = append(w.acks, f)
	switch {
	case way > slow:
		w.ease(now)
	case w.cap > 0 && way < w.base+slowAfter/2:
		if w.cap += w.cap / 32; w.cap > 5*fullRate {
			w.cap = 0
		}
	}
	return true
}

// measure keeps the shortest way of the last one to two periods.
func (w *window) measure(way time.Duration, now time.Time) {
	if w.baseSince.IsZero() {
		w.base, w.nextBase, w.baseSince = way, way, now
	}
	if now.Sub(w.baseSince) > baseTime {
		w.base, w.nextBase, w.baseSince = w.nextBase, way, now
	}
	w.base, w.nextBase = min(w.base, way), min(w.nextBase, way)
}

// slow is the way that is too long for a frame sent at sent. While lost
// packets of it are being sent again, that is no sign of a slow path.
func (w *window) slow(sent time.Time) time.Duration {
	base := w.base
	if w.baseSince.IsZero() {
		base = guessBase
	}
	if w.repairAt.Add(base).After(sent) { // what was sent after the lost packet waits for it, too
		return 2*base + slowAfter*3/2
	}
	return base + slowAfter
}

// full says whether no frame may be sent now, and until when at the latest.
func (w *window) full(now time.Time) (bool, time.Time) {
	if len(w.out) == 0 || w.lost {
		return false, time.Time{}
	}
	oldest := w.out[0]
	age := now.Sub(oldest.at)
	if age > lostAfter {
		w.give(now)
		return false, time.Time{}
	}
	end := oldest.at.Add(lostAfter)
	slow := w.slow(oldest.at)
	if age > slow {
		w.ease(now)
	}
	if len(w.out) >= maxOut || len(w.acks) == 0 && len(w.out) >= firstOut || age > slow+fullAfter-slowAfter {
		return true, end.Add(time.Millisecond)
	}
	return false, time.Time{}
}

// ease lowers the bound below what came through lately.
func (w *window) ease(now time.Time) {
	if now.Sub(w.eased) < easeTime {
		return
	}
	w.eased = now
	came := w.came()
	if w.cap > 0 {
		came = min(came, w.cap)
	}
	w.cap = max(came*7/10, leastRate)
}

// came is the rate at which frames were shown lately, bit/s.
func (w *window) came() int {
	if len(w.acks) == 0 {
		return fullRate / 4
	}
	last := w.acks[len(w.acks)-1]
	first := last
	for i := len(w.acks) - 2; i >= 0 && last.at.Sub(w.acks[i].at) < rateTime; i-- {
		first = w.acks[i]
	}
	took, bytes := last.at.Sub(first.at), last.bytes-first.bytes
	if took < rateTime/4 { // one frame, or almost: by its way
		took, bytes = max(last.way, 5*time.Millisecond), int64(last.size)
	}
	return int(float64(bytes) * 8 / took.Seconds())
}

// give gives up what is on its way.
func (w *window) give(now time.Time) {
	w.out, w.lost = w.out[:0], true
	w.retryAt = now.Add(w.wait)
	w.wait = min(max(2*w.wait, time.Second), retryLimit)
	w.cap = max(min(w.came(), fullRate)/2, leastRate)
	w.acks = w.acks[:0] // a try is two frames
}
