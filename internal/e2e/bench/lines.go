package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"
)

// badLine is one line and what is to be reached on it; 0: no figure.
type badLine struct {
	name, what string
	rtt        time.Duration
	loss       float64
	rate       int // bit/s
	low        int // for the middle third of a moving picture

	keyP50, keyP95 float64 // key → screen, ms
	eventP95       float64 // key → the person's program
	fps            float64 // of text that scrolls at 30 Hz
	gap            float64 // the worst one, ms
	ageP50, ageP95 float64
}

var lines = []badLine{
	{name: "loss2", what: "50 ms round trip, 2 % loss", rtt: 50 * time.Millisecond, loss: 0.02, keyP50: 62, keyP95: 90, fps: 20, gap: 250},
	{name: "loss5", what: "50 ms round trip, 5 % loss", rtt: 50 * time.Millisecond, loss: 0.05, eventP95: 25 + 10, fps: 12, gap: 450},
	{name: "rtt100", what: "100 ms round trip", rtt: 100 * time.Millisecond, keyP50: 100 + 25, ageP50: 50 + 25},
	{name: "slow", what: "2 Mbit/s, 40 ms round trip", rtt: 40 * time.Millisecond, rate: 2e6, keyP50: 52, keyP95: 70, fps: 20, ageP95: 170},
	{name: "step", what: "8, then 1, then 8 Mbit/s, 40 ms round trip", rtt: 40 * time.Millisecond, rate: 8e6, low: 1e6, gap: 500},
}

// badLine: key, and scrolling text, over a line.
func (r *rig) badLine(l badLine, keys int) ([]Row, error) {
	r.line.Both(l.rtt, l.loss, l.rate)
	time.Sleep(time.Second)
	var rows []Row
	idle, err := r.newReaction(600, 300, 256)
	if err != nil {
		return nil, err
	}
	t, err := idle.measure(keys, keySpace, false)
	idle.close()
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	rows = append(rows, spread(l.what+": key → screen", "ms", t.screen, l.keyP50, 95, l.keyP95)...)
	rows = append(rows, spread(l.what+": key → program", "ms", t.event, 0, 95, l.eventP95)...)

	// A strip is left free beside the text, for the window that keys change.
	const strip = 320
	text, err := newScrollerIn(r.far.Display, image.Rect(0, 0, width-strip, height))
	if err != nil {
		return nil, err
	}
	defer text.close()
	beside, err := r.newReaction(width-strip+32, 400, 256)
	if err != nil {
		return nil, err
	}
	defer beside.close()
	time.Sleep(2 * time.Second) // the page of text arrives
	before, _ := r.line.Counts()
	v, err := r.show(text, 30, 18*time.Second, func(ctx context.Context) error { return r.step(ctx, l) })
	if err != nil {
		return nil, err
	}
	if after, _ := r.line.Counts(); after.Packets == before.Packets {
		return nil, errors.New("the picture did not go over the line")
	}
	var busy times
	if _, err := r.show(text, 30, 10*time.Second, func(ctx context.Context) (err error) {
		for ctx.Err() == nil && err == nil {
			time.Sleep(time.Duration(150+time.Now().UnixNano()%200) * time.Millisecond)
			err = busy.add(beside.one(keySpace, false))
		}
		return err
	}); err != nil {
		return nil, fmt.Errorf("key while text scrolls: %w", err)
	}
	what := l.what + ", text scrolls"
	fps := atLeast(what+": frames shown", "1/s", v.fps(), l.fps)
	fps.Note = fmt.Sprintf("%.1f drawn, %s", float64(v.drawn)/v.seconds, v.path())
	gap := atMost(what+": worst gap", "ms", v.worstGap(), l.gap)
	gap.samples = v.gaps
	rows = append(rows, fps, gap)
	rows = append(rows, spread(what+": age", "ms", v.ages, l.ageP50, 95, l.ageP95)...)
	high, mid := 0.0, 0.0
	if l.name == "slow" { // "also while scrolling"
		mid, high = l.keyP50, l.keyP95
	}
	rows = append(rows, spread(what+": key → screen", "ms", busy.screen, mid, 95, high)...)
	rows = append(rows, spread(what+": key → program", "ms", busy.event, 0, 95, 0)...)
	rows = append(rows, atMost(what+": bytes a frame", "kB", v.kB(), 0))
	return rows, nil
}

// step lowers the rate of a line for the middle third of the time, if it has one
// that is lower.
func (r *rig) step(ctx context.Context, l badLine) error {
	if l.low == 0 {
		return nil
	}
	end, _ := ctx.Deadline()
	for i, rate := range []int{l.rate, l.low, l.rate} {
		r.line.Both(l.rtt, l.loss, rate)
		select {
		case <-time.After(time.Until(end) / time.Duration(3-i)):
		case <-ctx.Done():
			r.line.Both(l.rtt, l.loss, l.rate)
			return nil
		}
	}
	return nil
}
