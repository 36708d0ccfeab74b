package main

import (
	"context"
	"fmt"
	"image"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// again brings the page back to the field for the code, for another session of
// the same ticket.
func (r *rig) again() error {
	return steps(
		func() error { return r.browser.Goto(r.ticket) },
		func() error { return r.browser.Click("#start-session") },
		func() error { return r.browser.WaitFor(10*time.Second, "#code") },
		func() error { _, err := stage.Eval[bool](r.browser, recordConnections); return err },
	)
}

// first: from the person's consent to the first picture.
func (r *rig) first() ([]Row, error) {
	page, err := newCanvas(r.far.Display, 300, 200, 800, 500, 0)
	if err != nil {
		return nil, err
	}
	defer page.close()
	var v []float64
	for n := range 12 {
		if err := r.host.Say(ui.Command{Do: "stop"}); err != nil {
			return nil, err
		}
		select {
		case <-r.host.Exited():
		case <-time.After(10 * time.Second):
			return nil, fmt.Errorf("the host does not end")
		}
		if err := r.again(); err != nil {
			return nil, err
		}
		tone := uint32(0x104080 + 0x0a0a0a*n)
		page.fill(0, 0, 800, 500, tone)
		if err := page.sync(); err != nil {
			return nil, err
		}
		e, err := openEye(r.near.Display, r.shown(image.Rect(700, 450, 701, 451)), color)
		if err != nil {
			return nil, err
		}
		err = r.pair()
		if err == nil {
			var s sight
			if s, err = e.await(patience, near24(tone)); err == nil {
				v = append(v, ms(s.at)-ms(r.consent))
			}
		}
		e.close()
		if err != nil {
			return nil, err
		}
	}
	return spread("consent → first picture", "ms", v, 0, 95, 1000), nil
}

// two: keys in one session while another one of the same browser, in a tab that
// is not seen, is busy.
func (r *rig) two(n int) ([]Row, error) {
	n = min(n, 150)
	tab, err := r.browser.Tab()
	if err != nil {
		return nil, err
	}
	defer tab.Close()
	other := &rig{kind: near, ctx: r.ctx, cancel: func() {}, dir: r.dir, files: r.files, file: r.file, server: r.server, browser: tab, ticket: r.ticket}
	if other.far, err = stage.StartDesktop(r.ctx, width, height); err != nil {
		return nil, err
	}
	defer other.far.Stop()
	defer func() {
		if other.host != nil {
			_ = other.host.Stop()
		}
	}()
	if err := steps(other.again, other.pair, r.browser.Front); err != nil {
		return nil, err
	}
	busy, err := newSprite(other.far.Display)
	if err != nil {
		return nil, err
	}
	defer busy.close()
	ctx, stop := context.WithCancel(r.ctx)
	done := make(chan error, 1)
	go func() { done <- drawnBy(busy, 60)(ctx, func(uint32, time.Time) {}) }()
	defer func() { stop(); <-done }()
	time.Sleep(time.Second)
	v, err := r.newReaction(600, 300, 256)
	if err != nil {
		return nil, err
	}
	defer v.close()
	t, err := v.measure(n, keySpace, false)
	if err != nil {
		return nil, err
	}
	return spread("key → screen beside a busy session in a hidden tab", "ms", t.screen, 8, 95, 11), nil
}
