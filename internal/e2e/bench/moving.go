package main

import (
	"context"
	"errors"
	"fmt"
	"image"
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

// film draws a moving picture until its context ends, and says when which frame
// was on the person's screen.
type film func(ctx context.Context, drawn func(n uint32, at time.Time)) error

// drawnBy is the film of a mover.
func drawnBy(m mover, hz float64) film {
	return func(ctx context.Context, drawn func(uint32, time.Time)) error {
		tick := time.NewTicker(time.Duration(float64(time.Second) / hz))
		defer tick.Stop()
		for n := uint32(1); ; n++ {
			if err := m.draw(n); err != nil {
				return err
			}
			drawn(n, time.Now())
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	}
}

// playedBy is the film of a program that draws by itself, as it is seen on the
// person's screen.
func (r *rig) playedBy(marker image.Point) film {
	return func(ctx context.Context, drawn func(uint32, time.Time)) error {
		e, err := openEye(r.far.Display, markLine(marker), readMark)
		if err != nil {
			return err
		}
		defer e.close()
		for {
			select {
			case s := <-e.sees:
				drawn(s.value, s.at)
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// show draws a moving picture for a time and watches for it on the technician's
// screen. during runs beside it, and does not outlast it.
func (r *rig) show(m mover, hz float64, d time.Duration, during func(context.Context) error) (motion, error) {
	return r.watch(m.marker(), drawnBy(m, hz), d, during)
}

func (r *rig) watch(marker image.Point, play film, d time.Duration, during func(context.Context) error) (motion, error) {
	e, err := openEye(r.near.Display, r.shown(markLine(marker)), readMark)
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
		err := play(ctx, func(n uint32, at time.Time) { drawn[n] = at; v.drawn++ })
		return errors.Join(err, <-beside)
	})
	if err != nil {
		return motion{}, err
	}
	end := time.Now()
	time.Sleep(time.Second) // for what is still under way
	last := start
	for _, s := range e.drain() {
		at, ok := drawn[s.value]
		if !ok || s.at.Before(at) {
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

// goal is what is to be reached with a moving picture; 0: no figure.
type goal struct{ fps, age, kB, cpuFrame, cpu float64 }

func (m motion) rows(name string, g goal) []Row {
	fps := atLeast(name+": frames shown", "1/s", m.fps(), g.fps)
	fps.Note = fmt.Sprintf("%.1f drawn, %s", float64(m.drawn)/m.seconds, m.path())
	rows := append([]Row{fps}, spread(name+": age", "ms", m.ages, g.age, 95, 0)...)
	return append(rows, atMost(name+": bytes a frame", "kB", m.kB(), g.kB), atMost(name+": CPU of host", "% of a core", m.host, g.cpu),
		atMost(name+": CPU of host a frame", "ms", m.cpu(), g.cpuFrame))
}

// moving: age of the picture and frames a second under load.
func (r *rig) moving() ([]Row, error) {
	var rows []Row
	for _, c := range []struct {
		name string
		hz   float64
		goal goal
		open func(display string) (mover, error)
		d    time.Duration
	}{
		{"sprite 60 Hz", 60, goal{fps: 58, age: 12}, newSprite, 5 * time.Second},
		{"text scroll 30 Hz", 30, goal{fps: 29, age: 30, kB: 8, cpuFrame: 3}, newScroller, 8 * time.Second},
		{"window drag 60 Hz", 60, goal{fps: 50, age: 30, kB: 8, cpuFrame: 3}, newDragger, 5 * time.Second},
	} {
		m, err := c.open(r.far.Display)
		if err != nil {
			return nil, err
		}
		v, err := r.show(m, c.hz, c.d, nil)
		m.close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		rows = append(rows, v.rows(c.name, c.goal)...)
	}
	return rows, nil
}
