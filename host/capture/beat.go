package capture

import "time"

// beat is the time between two moments at which all wake that only look from time to
// time.
const beat = 200 * time.Millisecond

var firstBeat = time.Now()

// Beat is how long to wait in place of about d: until a moment at which everybody who
// waits by Beat wakes as well. What a look finds costs less than the waking, after
// which the runtime's own watch keeps busy for a while too: together those that look
// four times a second took twice of what they take at one time.
func Beat(d time.Duration) time.Duration {
	return beatAfter(time.Since(firstBeat), d)
}

// beatAfter is Beat at a time since the first one.
func beatAfter(now, d time.Duration) time.Duration {
	next := (now + d + beat/2) / beat * beat
	if next <= now {
		next += beat
	}
	return next - now
}
