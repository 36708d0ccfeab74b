package main

import (
	"fmt"
	"image"
	"time"
)

// reaction is a window on the person's screen that changes its colour at every
// key and click, with the hands that press them on the technician's screen and
// the eye that sees it there.
type reaction struct {
	r     *rig
	flip  *flipper
	eye   *eye
	hands *hands
	where image.Point // its middle
}

// newReaction opens a window of the given side.
func (r *rig) newReaction(x, y, side int) (*reaction, error) {
	v := &reaction{r: r, where: image.Pt(x+side/2, y+side/2)}
	var err error
	if v.flip, err = newFlipper(r.far.Display, x, y, side); err != nil {
		return nil, err
	}
	pixel := image.Rectangle{Min: v.where, Max: v.where.Add(image.Pt(1, 1))}
	if v.eye, err = openEye(r.near.Display, r.shown(pixel), color); err != nil {
		return nil, err
	}
	if v.hands, err = openHands(r.near.Display); err != nil {
		return nil, err
	}
	at := v.where.Add(r.origin)
	if err := v.hands.move(at.X-side/4, at.Y-side/4); err != nil {
		return nil, err
	}
	time.Sleep(500 * time.Millisecond)
	return v, nil
}

func (v *reaction) close() {
	v.hands.close()
	v.eye.close()
	v.flip.close()
}

// times are those of one kind of input, from the page's event, in ms: to the
// person's program, and to the technician's screen.
type times struct{ event, screen []float64 }

const warmUp = 3

// measure presses and releases n times, at odd moments.
func (v *reaction) measure(n int, detail byte, button bool) (times, error) {
	var t times
	for i := range n + warmUp {
		time.Sleep(time.Duration(60+time.Now().UnixNano()%90) * time.Millisecond)
		if err := t.add(v.one(detail, button)); err != nil {
			return t, fmt.Errorf("%d of %d: %w", i, n, err)
		}
	}
	return times{t.event[warmUp:], t.screen[warmUp:]}, nil
}

func (t *times) add(event, screen float64, err error) error {
	if err == nil {
		t.event, t.screen = append(t.event, event), append(t.screen, screen)
	}
	return err
}

// patience is how long a key may take before it counts as lost, and the run as failed.
const patience = 10 * time.Second

func (v *reaction) one(detail byte, button bool) (event, screen float64, err error) {
	for len(v.flip.came) > 0 {
		<-v.flip.came
	}
	want := v.flip.other()
	v.eye.drain()
	if err := v.hands.press(detail, button, true); err != nil {
		return 0, 0, err
	}
	s, err := v.eye.await(patience, near24(want))
	if err != nil {
		return 0, 0, err
	}
	came := <-v.flip.came
	if err := v.hands.press(detail, button, false); err != nil {
		return 0, 0, err
	}
	at, err := v.r.eventTime()
	return ms(came) - at, ms(s.at) - at, err
}

// near24 accepts a colour, also as a lossy picture shows it.
func near24(want uint32) func(uint32) bool {
	return func(c uint32) bool {
		for shift := 0; shift < 24; shift += 8 {
			if d := int(want>>shift&0xff) - int(c>>shift&0xff); d < -24 || d > 24 {
				return false
			}
		}
		return true
	}
}

func ms(t time.Time) float64 { return float64(t.UnixMicro()) / 1000 }

// latency: key and click to the changed pixel.
func (r *rig) latency(n int) ([]Row, error) {
	v, err := r.newReaction(600, 300, 256)
	if err != nil {
		return nil, err
	}
	defer v.close()
	clicks, err := v.measure(n, 1, true)
	if err != nil {
		return nil, fmt.Errorf("click: %w", err)
	}
	keys, err := v.measure(n, keySpace, false)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	rows := append(spread("key → screen", "ms", keys.screen, 8, 95, 11), spread("click → screen", "ms", clicks.screen, 8, 95, 12)...)
	return append(rows, spread("key → program", "ms", keys.event, 0, 95, 0)...), nil
}
