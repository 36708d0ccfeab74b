// Package beat lets those who only look from time to time look at the same moment.
// What such a look finds costs less than the waking, after which the Go runtime's own
// watch is busy for a while too: those that looked four times a second, each by a timer
// of its own, took three times what they take together.
package beat

import "time"

// Every is the time between two moments at which all wake.
const Every = 200 * time.Millisecond

// slack is how much later than asked for such a moment may come, so that a timer that
// fires a little early waits for the same one.
const slack = Every / 20

var first = time.Now()

// Wait is how long to wait in place of d, until the last such moment that is no later,
// or the next one where none comes before. Who waits for d again and again wakes after
// each d/Every moments, rounded down: what is promised of a time must be one of them.
func Wait(d time.Duration) time.Duration { return after(time.Since(first), d) }

// after is Wait at a time since the first one.
func after(now, d time.Duration) time.Duration {
	next := (now + d + slack) / Every * Every
	if next <= now {
		next += Every
	}
	return next - now
}
