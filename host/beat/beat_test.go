package beat

import (
	"testing"
	"time"
)

// TestWhoWaitsByTheBeatWakesTogether: whenever they begin, and never at once.
func TestWhoWaitsByTheBeatWakesTogether(t *testing.T) {
	for now := time.Duration(0); now < 3*Every; now += 7 * time.Millisecond {
		for _, d := range []time.Duration{0, time.Millisecond, Every / 2, Every, 250 * time.Millisecond, 300 * time.Millisecond, time.Second} {
			w := after(now, d)
			if w <= 0 || (now+w)%Every != 0 {
				t.Fatalf("at %v, asked for %v: %v", now, d, w)
			}
			if off := w - d; off > Every || off < -Every/2 {
				t.Fatalf("at %v, asked for %v: %v", now, d, w)
			}
		}
	}
}
