package capture

import (
	"testing"
	"time"
)

// TestWhoWaitsByTheBeatWakesTogether: whenever they begin, and never at once.
func TestWhoWaitsByTheBeatWakesTogether(t *testing.T) {
	for now := time.Duration(0); now < 3*beat; now += 7 * time.Millisecond {
		for _, d := range []time.Duration{0, time.Millisecond, beat / 2, beat, 250 * time.Millisecond, 300 * time.Millisecond, time.Second} {
			w := beatAfter(now, d)
			if w <= 0 || (now+w)%beat != 0 {
				t.Fatalf("at %v, asked for %v: %v", now, d, w)
			}
			if off := w - d; off > beat || off < -beat/2 {
				t.Fatalf("at %v, asked for %v: %v", now, d, w)
			}
		}
	}
}
