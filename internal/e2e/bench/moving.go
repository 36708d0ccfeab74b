package main

import (
	"context"
	"fmt"
	"time"
)

// motion is what was seen of a moving picture.
type motion struct {
	usage
	drawn int
	ages  []float64 // of each frame when it was seen, ms
	gaps  []float64 // between two of them, and at both ends, ms
}

func (m motion) fps() float64 { return float64(len(m.ages)) / m.seconds }

// kB is the bytes of a frame that was seen.
func (m motion) kB() float64 { return m.bytes / 1000 / max(float64(len(m.ages)), 1) }

// cpu is the host's, in ms a frame that was seen.
func (m motion) cpu() float64 { return m.host / 100 * m.seconds * 1000 / max(float64(len(m.ages)), 1) }

func (m motion) worstGap() float64 { return percentile(m.gaps, 1) }

// show draws a moving picture for a time and watches for it on the technician's
// screen. during runs beside it, and does not outlast it.
func (r *rig) show(m mover, hz float64, d time.Duration, during func(context.Context) error) (motion, error) {
	e, err := openEye(r.near.Display, r.shown(markLine(m.marker())), readMark)
	if err != nil {
		return motion{}, err
	}
	defer e.close()
	time.Sleep(time.Second)
	e.drain()
	var v motion
	drawn := map[uint32]time.Time{}
	start := time.Now()
	v.usage, err = r.measure(d, func(ctx context.Context) error {
		beside := make(chan error, 1)
		go func() {
			if during == nil {
				beside <- nil
				return
			}
			beside <- during(ctx)
		}()
		tick := time.NewTicker(time.Duration(float64(time.Second) / hz))
		defer tick.Stop()
		for n := uint32(1); ; n++ {
			if err := m.draw(n); err != nil {
				return err
			}
			drawn[n] = time.Now()
			v.drawn++
			select {
			case <-ctx.Done():
				return <-beside
			case <-tick.C:
			}
		}
	})
	if err != nil {
		return motion{}, err
	}
	end := time.Now()
	time.Sleep(time.Second) // for what is still under way
	last := start
	for _, s := range e.drain() {
		at, ok := drawn[s.value]
		if !ok {
			continue
		}
		v.ages = append(v.ages, float64(s.at.Sub(at).Microseconds())/1000)
		v.gaps = append(v.gaps, float64(s.at.Sub(last).Microseconds())/1000)
		last = s.at
	}
	if end.After(last) {
		v.gaps = append(v.gaps, float64(end.Sub(last).Microseconds())/1000)
	}
	return v, nil
}

// moving: age of the picture and frames a second under load.
func (r *rig) moving() ([]Row, error) {
	var rows []Row
	for _, c := range []struct {
		name          string
		hz            float64
		age, fps, kB  float64
		open          func(display string) (mover, error)
		cpuPerFrame   float64
		secondsOfShow time.Duration
	}{
		{"sprite 60 Hz", 60, 12, 58, 0, newSprite, 0, 5},
		{"text scroll 30 Hz", 30, 30, 29, 8, newScroller, 3, 8},
		{"window drag 60 Hz", 60, 30, 50, 8, newDragger, 3, 5},
	} {
		m, err := c.open(r.far.Display)
		if err != nil {
			return nil, err
		}
		v, err := r.show(m, c.hz, c.secondsOfShow*time.Second, nil)
		m.close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		fps := atLeast(c.name+": frames shown", "1/s", v.fps(), c.fps)
		fps.Note = fmt.Sprintf("%.1f drawn, %s", float64(v.drawn)/v.seconds, v.path())
		rows = append(rows, fps)
		rows = append(rows, spread(c.name+": age", "ms", v.ages, c.age, 95, 0)...)
		rows = append(rows, atMost(c.name+": bytes a frame", "kB", v.kB(), c.kB), atMost(c.name+": CPU of host", "% of a core", v.host, 0),
			atMost(c.name+": CPU of host a frame", "ms", v.cpu(), c.cpuPerFrame))
	}
	return rows, nil
}
