// Package standstill tells a test whether the machine stood still: that what was late
// was late for want of a processor, and not by the code under test. It looks at nothing
// of that code, but at a ticker of its own.
package standstill

import (
	"sync"
	"testing"
	"time"
)

// every is how often the watch wakes.
const every = 10 * time.Millisecond

// Watch counts how late it was itself.
type Watch struct {
	mu   sync.Mutex
	last time.Time
	late []time.Duration // of more than every, each
}

// Begin watches until the test ends.
func Begin(t testing.TB) *Watch {
	w := &Watch{last: time.Now()}
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	tick := time.NewTicker(every)
	go func() {
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				w.woke(time.Now())
			}
		}
	}()
	return w
}

// woke notes that the watch woke.
func (w *Watch) woke(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if late := now.Sub(w.last) - every; late > every {
		w.late = append(w.late, late)
	}
	w.last = now
}

// Times is how often the machine stood still for at least so long, up to now.
func (w *Watch) Times(long time.Duration) int {
	w.woke(time.Now())
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, late := range w.late {
		if late >= long {
			n++
		}
	}
	return n
}
