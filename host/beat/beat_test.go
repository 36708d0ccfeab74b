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
			if w > max(d+slack, Every) || w <= d-Every+slack {
				t.Fatalf("at %v, asked for %v: %v", now, d, w)
			}
		}
	}
}

// TestWhoWaitsAgainAndAgainIsNeverLater: a time that is no whole number of beats is
// rounded down, and one that is stays what it is, however late (or, by a timer that
// counts milliseconds, early) each waking is.
func TestWhoWaitsAgainAndAgainIsNeverLater(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{
		Every: Every, 250 * time.Millisecond: Every, 300 * time.Millisecond: Every, 395 * time.Millisecond: 2 * Every,
		2 * Every: 2 * Every, 500 * time.Millisecond: 2 * Every, 5 * Every: 5 * Every,
	} {
		for _, late := range []time.Duration{-time.Millisecond, 0, 2 * time.Millisecond, 50 * time.Millisecond} {
			now := time.Duration(0)
			for range 100 {
				now += late
				now += after(now, d)
			}
			if now != 100*want {
				t.Errorf("asked for %v a hundred times, each %v late: %v, want %v", d, late, now, 100*want)
			}
		}
	}
}
