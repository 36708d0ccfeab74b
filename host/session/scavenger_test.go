package session

import (
	"fmt"
	"testing"
	"time"
)

// pipe is a line of rate bytes a second and a queue without end, in simulated time.
type pipe struct {
	rate  float64
	delay time.Duration // one way; acks wait in no queue
	free  time.Time     // when the line is
}

// carry is when a message that leaves now has arrived and that is known here.
func (p *pipe) carry(now time.Time, n int) time.Time {
	if p.free.Before(now) {
		p.free = now
	}
	p.free = p.free.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
	return p.free.Add(2 * p.delay)
}

// scavenged sends over a pipe for so long and returns the bytes that arrived in the
// second half, and the longest that anything new would have waited in its queue then.
func scavenged(s *scavenger, p *pipe, now time.Time, length time.Duration) (arrived int64, wait time.Duration) {
	type ack struct {
		at    time.Time
		acked int64
	}
	var acks []ack
	middle, end := now.Add(length/2), now.Add(length)
	var before int64
	for now.Before(end) {
		for s.room() {
			n := s.piece(16 << 10)
			s.sends(now, n)
			acks = append(acks, ack{p.carry(now, n), s.sent})
		}
		if now.After(middle) {
			wait = max(wait, p.free.Sub(now))
			if before == 0 {
				before = s.acked
			}
		}
		now = acks[0].at
		s.hears(now, acks[0].acked)
		acks = acks[1:]
	}
	return s.acked - before, wait
}

func TestAFileTakesTheLineAndNoQueue(t *testing.T) {
	for _, mbit := range []float64{2, 8, 20, 100} {
		for _, rtt := range []time.Duration{1, 20, 50, 100} {
			t.Run(fmt.Sprint(mbit, " Mbit/s, ", int(rtt), " ms"), func(t *testing.T) {
				rtt *= time.Millisecond
				rate := mbit * 1e6 / 8
				now := time.Unix(1000, 0)
				s := newScavenger(now)
				const length = 100 * time.Second // three periods
				arrived, wait := scavenged(&s, &pipe{rate: rate, delay: rtt / 2}, now, length)
				if share := float64(arrived) / (rate * (length / 2).Seconds()); share < 0.9 {
					t.Errorf("%.0f %% of the line were used", share*100)
				}
				// A message of the least size takes 8 ms at 2 Mbit/s.
				if most := 2*scavengeDelay + time.Duration(scavengeLeast/rate*float64(time.Second)); wait > most {
					t.Errorf("a key would have waited %v, more than %v", wait, most)
				}
			})
		}
	}
}

func TestAFileFollowsALineThatChanges(t *testing.T) {
	now := time.Unix(1000, 0)
	s := newScavenger(now)
	p := &pipe{rate: 1e6, delay: 20 * time.Millisecond}
	for i, mbit := range []float64{8, 1, 8} {
		p.rate = mbit * 1e6 / 8
		p.free = time.Time{}
		const length = 10 * time.Second
		s.flying, s.acked, s.round = nil, s.sent, s.sent // what was on its way has arrived
		arrived, wait := scavenged(&s, p, now, length)
		now = now.Add(length)
		if share := float64(arrived) / (p.rate * (length / 2).Seconds()); share < 0.8 {
			t.Errorf("%d: %.0f %% of the line were used", i, share*100)
		}
		if wait > 2*scavengeDelay+time.Duration(scavengeLeast/p.rate*float64(time.Second)) {
			t.Errorf("%d: a key would have waited %v", i, wait)
		}
	}
}

// Where the disk is slower than the line, the window does not grow for nothing.
func TestAWindowThatIsNotFullDoesNotGrow(t *testing.T) {
	now := time.Unix(1000, 0)
	s := newScavenger(now)
	first := s.window
	for range 1000 {
		s.sends(now, 100)
		now = now.Add(time.Millisecond)
		s.hears(now, s.sent)
	}
	if s.window != first {
		t.Errorf("the window went from %d to %d", first, s.window)
	}
	if len(s.flying) != 0 || s.acked != s.sent {
		t.Errorf("%d messages are still on their way", len(s.flying))
	}
}
