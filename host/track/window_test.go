package track

import (
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/vpx"
)

// path is a line with a rate and a way, frame by frame.
type path struct {
	w     window
	now   time.Time
	rate  int           // bit/s
	way   time.Duration // of an empty frame
	free  time.Time     // when the line has sent what it has
	queue []arrival
	stamp uint32
	gap   time.Duration // longest between two that were shown
	last  time.Time
	sent  int
}

type arrival struct {
	stamp uint32
	at    time.Time
}

// run sends a frame every 33 ms, as large as the window's bound says, for d.
func (p *path) run(d time.Duration) {
	for end := p.now.Add(d); p.now.Before(end); p.now = p.now.Add(time.Millisecond) {
		for len(p.queue) > 0 && !p.queue[0].at.After(p.now) {
			p.w.shown(p.queue[0].stamp, p.now)
			if !p.last.IsZero() {
				p.gap = max(p.gap, p.now.Sub(p.last))
			}
			p.last, p.queue = p.now, p.queue[1:]
		}
		if p.now.UnixMilli()%33 != 0 {
			continue
		}
		if full, _ := p.w.full(p.now); full || p.w.lost && p.now.Before(p.w.retryAt) {
			continue
		}
		bps := fullRate
		if p.w.cap > 0 {
			bps = min(bps, p.w.cap)
		}
		p.stamp++
		size := bps / 8 / 30
		p.sent += size
		p.w.add(p.stamp, size, p.now)
		if p.free.Before(p.now) {
			p.free = p.now
		}
		p.free = p.free.Add(time.Duration(size) * 8 * time.Second / time.Duration(p.rate))
		p.queue = append(p.queue, arrival{p.stamp, p.free.Add(p.way)})
	}
}

func newPath(rate int) *path {
	return &path{now: time.UnixMilli(33_000_000_000), rate: rate, way: 45 * time.Millisecond}
}

func TestALineThatCarriesEverythingIsNotBound(t *testing.T) {
	p := newPath(50_000_000)
	p.run(10 * time.Second)
	if p.w.cap != 0 || p.gap > 40*time.Millisecond {
		t.Errorf("bound %d bit/s, gap %v", p.w.cap, p.gap)
	}
	if p.stamp < 290 {
		t.Errorf("%d frames", p.stamp)
	}
}

// TestALineThatGetsThinnerIsNoticed: 8, 1 and again 8 Mbit/s. This is the model
// of the promise; what a real line does, task bench measures.
func TestALineThatGetsThinnerIsNoticed(t *testing.T) {
	p := newPath(8_000_000)
	p.run(5 * time.Second)
	p.gap = 0
	p.rate = 1_000_000
	p.run(5 * time.Second)
	t.Logf("gap %v at 1 Mbit/s, bound %d", p.gap, p.w.cap)
	if p.gap > 600*time.Millisecond {
		t.Errorf("nothing for %v", p.gap)
	}
	if p.w.cap == 0 || p.w.cap > 1_300_000 {
		t.Errorf("bound %d bit/s on a line of 1,000,000", p.w.cap)
	}
	p.rate, p.gap = 8_000_000, 0
	before := p.sent
	p.run(5 * time.Second)
	if rate := (p.sent - before) * 8 / 5; rate < 3_000_000 {
		t.Errorf("%d bit/s when the line carries 8,000,000 again", rate)
	}
}

// TestALossIsNotCongestion: a frame that waits for a packet that comes again
// makes nothing slower; the same wait without a loss does.
func TestALossIsNotCongestion(t *testing.T) {
	for _, loss := range []bool{true, false} {
		p := newPath(20_000_000)
		p.run(2 * time.Second)
		// The next frames come 200 ms late.
		p.free = p.now.Add(200 * time.Millisecond)
		if loss {
			p.w.repairAt = p.now.Add(50 * time.Millisecond)
		}
		p.run(300 * time.Millisecond)
		if bound := p.w.cap != 0; bound == loss {
			t.Errorf("loss %t: bound to %d bit/s", loss, p.w.cap)
		}
	}
}

// TestWhoShowsNothingIsTriedMoreAndMoreRarely: a page in the background.
func TestWhoShowsNothingIsTriedMoreAndMoreRarely(t *testing.T) {
	p := newPath(20_000_000)
	p.run(time.Second)
	p.way = time.Hour
	before := p.stamp
	p.run(time.Minute)
	if tries := p.stamp - before; tries < 5 || tries > 40 {
		t.Errorf("%d frames in a minute to a viewer that shows none", tries)
	}
}

func TestAGearForEveryMachine(t *testing.T) {
	now := time.Now()
	run := func(g *gear, d time.Duration, frames int) {
		for range frames {
			now = now.Add(33 * time.Millisecond)
			g.took(d, now)
		}
	}
	g := newGear()
	run(&g, 5*time.Millisecond, 300)
	if g.speed != firstSpeed || g.scale != vpx.Whole {
		t.Errorf("quick: speed %d, scale %d", g.speed, g.scale)
	}
	run(&g, 18*time.Millisecond, 300)
	if g.speed != lastSpeed || g.scale != vpx.Whole {
		t.Errorf("busy: speed %d, scale %d", g.speed, g.scale)
	}
	run(&g, 50*time.Millisecond, 40)
	if g.scale != vpx.ThreeQuarters {
		t.Errorf("slow: scale %d", g.scale)
	}
	run(&g, 30*time.Millisecond, 600)
	if g.scale != vpx.Half {
		t.Errorf("very slow: scale %d", g.scale)
	}
	run(&g, 4*time.Millisecond, 2000)
	if g.speed != firstSpeed || g.scale != vpx.Whole {
		t.Errorf("quick again: speed %d, scale %d", g.speed, g.scale)
	}
}
