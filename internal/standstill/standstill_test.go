package standstill

import (
	"testing"
	"time"
)

// TestOnlyTheWatchsOwnDelayIsAStandstill, by its own clock.
func TestOnlyTheWatchsOwnDelayIsAStandstill(t *testing.T) {
	now := time.Now().Add(-time.Minute)
	w := &Watch{last: now}
	for _, gap := range []time.Duration{10, 12, 4, 80, 10, 400, 1} {
		now = now.Add(gap * time.Millisecond)
		w.woke(now)
	}
	w.last = time.Now() // what follows is on time
	for long, want := range map[time.Duration]int{50 * time.Millisecond: 2, 100 * time.Millisecond: 1, time.Second: 0} {
		if got := w.Times(long); got != want {
			t.Errorf("%d times for %v, want %d", got, long, want)
		}
	}
}
