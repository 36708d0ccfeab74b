package picture

import "time"

// Figures are what a stream measured since it began: sums, so that whoever
// wants means of a while takes the difference of two. `task bench` and the
// technician's panel read the same ones.
type Figures struct {
	Updates uint64        // that were sent
	Bytes   uint64        // of them, compressed
	Encode  time.Duration // spent on making them, from the frame to the last compressed byte
	Acked   uint64        // that the viewer has on its canvas
	Way     time.Duration // of those, from the first message given to the Sink to the acknowledgement
	Late    time.Duration // of Way, after everything had arrived: what the viewer itself took
}

// Since is what was measured after before.
func (f Figures) Since(before Figures) Figures {
	return Figures{
		Updates: f.Updates - before.Updates, Bytes: f.Bytes - before.Bytes, Encode: f.Encode - before.Encode,
		Acked: f.Acked - before.Acked, Way: f.Way - before.Way, Late: f.Late - before.Late,
	}
}

// Captures are what a Pump measured of its source since it began.
type Captures struct {
	Frames uint64
	Took   time.Duration
}

// Since is what was measured after before.
func (c Captures) Since(before Captures) Captures {
	return Captures{Frames: c.Frames - before.Frames, Took: c.Took - before.Took}
}

// tally counts for Figures. It is part of a stream's state.
type tally struct {
	Figures
	left    [maxWindow + 6]time.Time // when update n left, at n modulo the length
	arrived time.Time                // when nothing was on the network any more
}

func (t *tally) sent(number uint32, bytes int, encode time.Duration, now time.Time) {
	t.Updates++
	t.Bytes += uint64(bytes)
	t.Encode += encode
	t.left[number%uint32(len(t.left))] = now
}

// acked counts the updates after from up to to. What was lost to a restart was
// never acknowledged: it is not among them.
func (t *tally) acked(from, to uint32, now time.Time) {
	for n := from; n != to && to-n <= uint32(len(t.left)); {
		n++
		left := t.left[n%uint32(len(t.left))]
		t.Acked++
		t.Way += now.Sub(left)
		if t.arrived.After(left) {
			t.Late += now.Sub(t.arrived)
		}
	}
}

// Arrived tells a stream that the viewer's end of the network has everything
// that was given to the Sink. What passes from here to the acknowledgement is
// the viewer's own time.
func (s *Stream) Arrived() {
	s.mu.Lock()
	s.tally.arrived = time.Now()
	s.mu.Unlock()
}

// Figures are the stream's so far.
func (s *Stream) Figures() Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tally.Figures
}

// Captures are the pump's so far.
func (p *Pump) Captures() Captures {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.captured
}
