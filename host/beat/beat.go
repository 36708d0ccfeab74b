// Package beat lets those who only look from time to time look at the same moment.
// What such a look finds costs less than the waking, after which the Go runtime's own
// watch is busy for a while too: those that looked four times a second, each by a timer
// of its own, took three times what they take together.
package beat

import "time"

// Every is the time between two moments at which all wake.
const Every = 200 * time.Millisecond

var first = time.Now()

// Wait is how long to wait in place of about d, until such a moment.
func Wait(d time.Duration) time.Duration { return after(time.Since(first), d) }

// after is Wait at a time since the first one.
func after(now, d time.Duration) time.Duration {
	next := (now + d + Every/2) / Every * Every
	if next <= now {
		next += Every
	}
	return next - now
}
