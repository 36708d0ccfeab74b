package capture

import (
	"testing"
	"time"
)

func TestAStillDesktopIsGlancedAt(t *testing.T) {
	var p pace
	now := time.Unix(1000, 0)
	p.stir(now)
	p.done(now, now.Add(4*time.Millisecond), true)
	now = now.Add(lively + time.Second)
	p.done(now, now, true)
	const h = 203
	rows := 0
	began := now
	for range glances {
		now = now.Add(p.wait(now))
		from, to := p.rows(now, h)
		if from != rows || to-from > h/glances+1 {
			t.Fatalf("a glance at rows %d to %d after %d", from, to, rows)
		}
		rows = to
		p.done(now, now, false)
	}
	if rows != h {
		t.Errorf("the glances saw %d of %d rows", rows, h)
	}
	if took := now.Sub(began); took != glances*glanceTime {
		t.Errorf("they took %v", took)
	}
	for cost, want := range map[time.Duration]time.Duration{2 * time.Millisecond: 200 * time.Millisecond, time.Second: glanceMost} {
		p.done(now.Add(-cost), now, false)
		if w := p.wait(now); w != want {
			t.Errorf("after a glance of %v the next one is %v away, want %v", cost, w, want)
		}
	}
}

func TestALivelyDesktopIsSeenWholeAndSoon(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, cost := range []time.Duration{0, 4 * time.Millisecond, 30 * time.Millisecond} {
		var p pace
		p.stir(now)
		for at, used := now, time.Duration(0); ; {
			at = at.Add(p.wait(at))
			if !p.isLively(at) {
				break
			}
			if from, to := p.rows(at, 100); from != 0 || to != 100 {
				t.Fatalf("rows %d to %d", from, to)
			}
			used += cost
			p.done(at, at.Add(cost), true)
			at = at.Add(cost)
			if spent := at.Sub(now); used > spent/2+cost {
				t.Fatalf("looks of %v took %v of %v", cost, used, spent)
			}
			if next := p.wait(at); p.isLively(at) && next+cost > max(frameTime, 2*cost) {
				t.Fatalf("the look after one of %v is %v away", cost, next)
			}
		}
	}
}

func TestANudgedDesktopIsLookedAtAtOnce(t *testing.T) {
	var p pace
	now := time.Unix(1000, 0)
	p.done(now.Add(-5*time.Millisecond), now, true)
	now = now.Add(10 * time.Second)
	p.done(now.Add(-time.Millisecond), now, false) // a glance
	now = now.Add(50 * time.Millisecond)
	p.nudge(now)
	if w := p.wait(now); w != settle {
		t.Errorf("the look is %v away", w)
	}
	p.nudge(now.Add(time.Millisecond)) // does not put it off
	if w := p.wait(now); w != settle {
		t.Errorf("after another nudge the look is %v away", w)
	}
	if from, to := p.rows(now.Add(settle), 80); from != 0 || to != 80 {
		t.Errorf("it is at rows %d to %d", from, to)
	}
	// A stream of nudges does not make it look all the time.
	p.done(now, now.Add(20*time.Millisecond), true)
	now = now.Add(20 * time.Millisecond)
	p.nudge(now)
	if w := p.wait(now); w != 20*time.Millisecond {
		t.Errorf("after a look of 20 ms the next one is %v away", w)
	}
}
