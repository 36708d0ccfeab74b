package main

import (
	"bytes"
	"fmt"
	"time"
)

// settle: from the moment a picture stands still until every pixel of the
// technician's screen equals the person's.
func (r *rig) settle() ([]Row, error) {
	h, err := openHands(r.near.Display)
	if err != nil {
		return nil, err
	}
	defer h.close()
	// A pointer that rests on a button brings up its hint, over the picture.
	if err := h.move(width+640-1, height+400-1); err != nil {
		return nil, err
	}
	p, err := newPoster(r.far.Display)
	if err != nil {
		return nil, err
	}
	defer p.close()
	var rows []Row
	var all []float64
	for _, c := range r.stills(p) {
		var v []float64
		for range 5 {
			ms, err := r.settles(p, c.draw)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			v = append(v, ms)
		}
		all = append(all, v...)
		row := atMost("still picture exact: "+c.name+", worst of 5", "ms", percentile(v, 1), 0)
		row.samples = v
		rows = append(rows, row)
	}
	for _, m := range []struct {
		name string
		open func(string) (mover, error)
		hz   float64
	}{{"text that scrolled", newScroller, 30}, {"a window that was dragged", newDragger, 60}} {
		var v []float64
		for range 4 {
			var mover mover
			ms, err := r.settles(p, func() (err error) {
				// Not before: its window would cover the blank page.
				if mover, err = m.open(r.far.Display); err != nil {
					return err
				}
				tick := time.NewTicker(time.Duration(float64(time.Second) / m.hz))
				defer tick.Stop()
				for n := range uint32(45) {
					if err := mover.draw(n); err != nil {
						return err
					}
					<-tick.C
				}
				return nil
			})
			if mover != nil {
				mover.close()
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			v = append(v, ms)
		}
		all = append(all, v...)
		row := atMost("still picture exact: after "+m.name+", worst of 4", "ms", percentile(v, 1), 0)
		row.samples = v
		rows = append(rows, row)
	}
	target := 300.0
	if r.kind == behind {
		target = 2000
	}
	return append(rows, atMost("still picture exact: all of these, p95", "ms", percentile(all, .95), target)), nil
}

// settleSlowly is settle over a line of 4 Mbit/s.
func (r *rig) settleSlowly() ([]Row, error) {
	r.line.Both(20*time.Millisecond, 0, 4e6)
	rows, err := r.settle()
	for i := range rows {
		rows[i].Name = "4 Mbit/s: " + rows[i].Name
	}
	return rows, err
}

type scenery struct {
	name string
	draw func() error
}

func (r *rig) stills(p *poster) []scenery {
	s := []scenery{{"coloured text on black", p.text}}
	for _, pic := range still() {
		s = append(s, scenery{pic.name, func() error { return p.show(pic) }})
	}
	return s
}

// settles measures one: a blank page that is exact, then what draw leaves.
func (r *rig) settles(p *poster, draw func() error) (ms float64, err error) {
	p.fill(0, 0, width, height, 0xf0f0f0)
	if err := p.sync(); err != nil {
		return 0, err
	}
	blank := bytes.Repeat([]byte{0xf0, 0xf0, 0xf0, 0}, width*height)
	same, err := newSameness(r.near.Display, r.shown(wholeScreen))
	if err != nil {
		return 0, err
	}
	defer same.close()
	if _, err := same.await(patience, blank); err != nil {
		return 0, fmt.Errorf("a blank page: %w", err)
	}
	if err := draw(); err != nil {
		return 0, err
	}
	still := time.Now()
	want, err := pixels(r.far.Display, wholeScreen)
	if err != nil {
		return 0, err
	}
	at, err := same.await(patience, want)
	return max(0, float64(at.Sub(still).Microseconds())/1000), err
}
