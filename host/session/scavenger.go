package session

import (
	"math"
	"time"
)

const (
	// scavengeDelay is how long what is on its way may wait in queues, on top of what
	// the line itself takes: keys and the picture wait behind it.
	scavengeDelay = 25 * time.Millisecond
	// scavengeLeast and scavengeMost bound the bytes on their way.
	scavengeLeast = 8 << 10
	scavengeMost  = 2 << 20
	// scavengePeriod is how often the line's own delay is measured anew, which needs a
	// line that is almost empty for a moment.
	scavengePeriod = 30 * time.Second
)

// A scavenger says how many bytes of a file may be on their way: as many as the line
// takes, and no queue. It watches delay, as LEDBAT does (RFC 6817), and gives way to
// everything else; every second round trip it sets its window to what would have taken the
// line's own delay and scavengeDelay, as FAST TCP does (draft-jin-wei-jacobsson-tcp-fast).
// The viewer's twin is viewer/src/files/scavenger.ts.
type scavenger struct {
	window int64 // bytes that may be on their way
	full   bool  // the window kept something back in this round

	sent, acked int64 // bytes since the connection began
	flying      []flight
	round       int64         // acked ends a round there
	settled     bool          // all of the round was sent under this window
	fastest     time.Duration // of the round

	line, before time.Duration // the least delay of this period and of the one before
	began        time.Time     // of this period
	emptying     bool          // the line is left almost empty
	kept         int64         // the window before that
}

// flight is a message on its way: where it ends in the count of bytes, and since when.
type flight struct {
	end int64
	at  time.Time
}

func newScavenger(now time.Time) scavenger {
	return scavenger{window: 4 * scavengeLeast, fastest: math.MaxInt64, line: math.MaxInt64, before: math.MaxInt64, began: now}
}

// room tells whether more may be sent.
func (s *scavenger) room() bool {
	if s.sent-s.acked < s.window {
		return true
	}
	s.full = true
	return false
}

// piece is how much goes into one message, at most most: a key waits behind it.
func (s *scavenger) piece(most int) int {
	return min(most, max(int(s.window/4), scavengeLeast/4))
}

// sends counts a message of n bytes that leaves now.
func (s *scavenger) sends(now time.Time, n int) {
	s.sent += int64(n)
	s.flying = append(s.flying, flight{s.sent, now})
}

// hears is told how many bytes have arrived, of all that were sent.
func (s *scavenger) hears(now time.Time, acked int64) {
	n := 0
	for n < len(s.flying) && s.flying[n].end <= acked {
		n++
	}
	s.acked = max(s.acked, acked)
	if n == 0 {
		return
	}
	s.fastest = min(s.fastest, now.Sub(s.flying[n-1].at))
	s.flying = append(s.flying[:0], s.flying[n:]...)
	if s.acked < s.round {
		return
	}
	if s.settled {
		s.turn(now, max(s.fastest, time.Microsecond))
	}
	s.settled = !s.settled
	s.round, s.fastest, s.full = s.sent, math.MaxInt64, false
}

// turn ends a round whose fastest message took took.
func (s *scavenger) turn(now time.Time, took time.Duration) {
	s.line = min(s.line, took)
	if s.emptying {
		s.emptying, s.window = false, max(s.kept/4, scavengeLeast)
		return
	}
	if now.Sub(s.began) >= scavengePeriod {
		s.before, s.line, s.began = s.line, math.MaxInt64, now
		s.kept, s.window, s.emptying = s.window, scavengeLeast, true
		return
	}
	change := float64(min(s.line, s.before)+scavengeDelay) / float64(took)
	if change > 1 {
		if !s.full {
			return // it was not the window that held it up
		}
		change = (1 + change) / 2
	}
	s.window = min(max(int64(float64(s.window)*min(max(change, 0.5), 1.5)), scavengeLeast), scavengeMost)
}
