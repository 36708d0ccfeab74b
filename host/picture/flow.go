package picture

import "time"

const (
	// Window is the number of updates that may be on their way to a viewer's
	// canvas over a short line: one travels while the other is drawn. Over a
	// long one there may be more, one for each frameTime of its round trip.
	// One more is let through for what is small: the echo of a key does not wait
	// for parts of a large picture.
	Window = 2

	maxWindow = 10
	frameTime = time.Second / 60

	// partTime is how long a part may keep the line busy, and slack what may
	// wait in it above the round trip: so long waits, at most, what comes after.
	// While the rate is found to be higher and higher it is probing. Less slack than
	// browsers take now and then to paint would let the rate that is found sink.
	partTime = 40 * time.Millisecond
	slack    = 60 * time.Millisecond
	probing  = 100 * time.Millisecond

	// lateAfter is how much longer than the shortest round trip an update may be
	// out before the line counts as congested: then no more than Window are out,
	// and only the newest measurement of its rate counts. A packet that was lost
	// is sent again in about that time.
	lateAfter = 150 * time.Millisecond

	thinRate = 1 << 20 // bytes a second

	firstPart = 16 << 10 // bytes, while nothing was measured
	leastPart = 4 << 10
	urgent    = 2 << 10 // bytes of an update that is small

	// stalls is how many acks in a row must be late to count as congestion where the
	// line is known to lose packets: there a late one is a packet that was lost.
	stalls = 6

	rateTime = time.Second  // the best rate of this time counts
	lossTime = 5 * rateTime // and of this where packets are lost
	rttTime  = 10 * time.Second
)

// flow knows what is on its way to one viewer's canvas and learns from the
// acknowledgements how much the way carries: the line, and the browser at its
// end. Bytes are those after compression.
type flow struct {
	out       [maxWindow + 2]onWay // a ring of n from first
	first, n  int
	inFlight  int   // bytes
	delivered int64 // bytes that were acknowledged, in all
	heard     time.Time

	lossy bool // the line loses packets
	late  int  // acks in a row that were

	rates [8]rate // a ring; the newest is at
	at    int
	rises bool      // the newest is well above those before
	rtt   [2]minRTT // of this rttTime and the one before
}

// onWay is an update whose acknowledgement is awaited.
type onWay struct {
	number    uint32
	bytes     int
	at        time.Time
	delivered int64     // when it was sent
	heard     time.Time // when delivered was true, or when it was sent after a pause
	full      bool      // as much was out as may be: its rate is the line's, not the desktop's
}

type rate struct {
	perSecond float64 // bytes
	at        time.Time
}

type minRTT struct {
	time  time.Duration
	since time.Time
}

// forget begins again with nothing on its way. What is known of the line stays.
func (f *flow) forget() { f.first, f.n, f.inFlight = 0, 0, 0 }

// sent notes that an update left. more says that the budget cut it short.
func (f *flow) sent(number uint32, bytes int, more bool, now time.Time) {
	if f.n == 0 {
		f.heard = now
	}
	full := more || f.inFlight+bytes >= f.limit()
	f.out[(f.first+f.n)%len(f.out)] = onWay{number, bytes, now, f.delivered, f.heard, full}
	f.n++
	f.inFlight += bytes
}

// acked notes that an update, and so all before it, is on the canvas.
func (f *flow) acked(number uint32, now time.Time) {
	var newest onWay
	for f.n > 0 && f.out[f.first].number-number > 1<<31 || f.n > 0 && f.out[f.first].number == number {
		newest = f.out[f.first]
		f.first, f.n = (f.first+1)%len(f.out), f.n-1
		f.inFlight -= newest.bytes
		f.delivered += int64(newest.bytes)
		f.heard = now
	}
	if newest.bytes == 0 {
		return
	}
	took := now.Sub(newest.at)
	late := f.minRTT() > 0 && took > f.minRTT()+lateAfter
	if f.late++; !late {
		f.late = 0
	}
	if late && f.lossy && f.late < stalls {
		return
	}
	if f.rtt[0].time == 0 || now.Sub(f.rtt[0].since) > rttTime {
		f.rtt[1], f.rtt[0] = f.rtt[0], minRTT{took, now}
	}
	f.rtt[0].time = min(f.rtt[0].time, max(took, time.Microsecond))
	over := max(now.Sub(newest.heard), time.Microsecond)
	r := rate{float64(f.delivered-newest.delivered) / over.Seconds(), now}
	if !newest.full && r.perSecond <= f.rate(now) {
		return // the desktop gave no more
	}
	f.rises = newest.full && r.perSecond > 1.1*f.rate(now)
	if late && newest.full {
		f.rates = [len(f.rates)]rate{}
	}
	f.at = (f.at + 1) % len(f.rates)
	f.rates[f.at] = r
}

// rate is what the way carries in bytes a second; 0 if it is not known.
func (f *flow) rate(now time.Time) float64 {
	best, counts := f.rates[f.at].perSecond, rateTime
	if f.lossy {
		counts = lossTime
	}
	for _, r := range f.rates {
		if r.perSecond > best && now.Sub(r.at) < counts {
			best = r.perSecond
		}
	}
	return best
}

// thin says whether the way is known to carry so little that what else is in an
// update is felt.
func (f *flow) thin(now time.Time) bool {
	r := f.rate(now)
	return r > 0 && r < thinRate
}

func (f *flow) minRTT() time.Duration {
	if f.rtt[1].time == 0 {
		return f.rtt[0].time
	}
	return min(f.rtt[0].time, f.rtt[1].time)
}

// limit is the number of bytes that may be on their way.
func (f *flow) limit() int { return f.limitAt(f.rates[f.at].at) }

func (f *flow) limitAt(now time.Time) int {
	r := f.rate(now)
	if r == 0 {
		return firstPart
	}
	wait := slack
	if f.rises {
		wait = probing
	}
	return max(int(r*(f.minRTT()+wait).Seconds()), 2*leastPart)
}

// room is what the next update may hold: bulk bytes of what can wait, or if that
// is 0, small bytes of what cannot. Both are 0 while nothing may be sent.
func (f *flow) room(now time.Time) (bulk, small int) {
	window := min(Window+int(f.minRTT()/frameTime), maxWindow)
	if f.n > 0 && now.Sub(f.out[f.first].at) > f.minRTT()+lateAfter && (!f.lossy || f.late >= stalls) {
		window = Window
	}
	if f.n > window {
		return 0, 0
	}
	if f.n == window {
		return 0, urgent
	}
	part := firstPart
	if r := f.rate(now); r > 0 {
		part = max(int(r*partTime.Seconds()), leastPart)
	}
	free := f.limitAt(now) - f.inFlight
	if free < min(part, leastPart) {
		return 0, urgent
	}
	return min(part, free), urgent
}
