package notes

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/gohost"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// held is a session as its host knows it.
type held struct {
	id, ticket string
	desk       *desk
	events     uint64    // that the server said are durable
	closed     bool      // the host signed its end; else it went without a word
	ended      time.Time // when the host said so
	secret     string    // stands in what is sealed of it, and nowhere else
}

// watched is a line that tells when it is lost.
type watched struct {
	gopeer.Line
	lost chan struct{}
}

func watch(l gopeer.Line) *watched { return &watched{l, make(chan struct{})} }

func (l *watched) Receive() (*mfpb.ServerToViewer, error) {
	m, err := l.Line.Receive()
	if err != nil {
		close(l.lost)
	}
	return m, err
}

// line dials as a technician.
func (w *world) line(ctx context.Context, cookie string) (*watched, error) {
	l, err := gopeer.Dial(ctx, "ws://"+w.addr+"/ws/viewer", http.Header{"Cookie": {cookie}, "Origin": {"http://" + w.addr}}, nil)
	if err != nil {
		return nil, err
	}
	return watch(l), nil
}

// pause waits a little, at most until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// pair brings a host and a technician together, however often the server is
// away or the desk does not answer.
func (w *world) pair(ctx context.Context, cookie, ticket, software string) (*gohost.Host, *gopeer.Viewer, *watched, error) {
	for wait := 200 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 5*time.Second) {
		h, v, l, err := w.pairOnce(ctx, cookie, ticket, software)
		if err == nil {
			return h, v, l, nil
		}
		w.again.Add(1)
		pause(ctx, wait/2+rand.N(wait))
	}
	return nil, nil, nil, ctx.Err()
}

func (w *world) pairOnce(ctx context.Context, cookie, ticket, software string) (*gohost.Host, *gopeer.Viewer, *watched, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	h, err := gohost.Wait(ctx, "ws://"+w.addr+"/ws/host", software)
	if err != nil {
		return nil, nil, nil, err
	}
	l, err := w.line(ctx, cookie)
	if err != nil {
		return nil, nil, nil, errors.Join(err, h.Close())
	}
	paired := make(chan error, 1)
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	go func() { paired <- h.Pair(waiting) }()
	v, err := gopeer.Pair(ctx, gopeer.Options{Line: l, Code: h.Code, Ticket: ticket})
	if err != nil {
		stop() // the host would wait for another claim
		return nil, nil, nil, errors.Join(err, <-paired, h.Close(), l.Close())
	}
	if err := <-paired; err != nil {
		return nil, nil, nil, errors.Join(err, h.Close(), v.Close())
	}
	return h, v, l, nil
}

// attend keeps the technician's line until ctx ends.
func (w *world) attend(ctx context.Context, v *gopeer.Viewer, l *watched, cookie string) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.lost:
		}
		for {
			next, err := w.line(ctx, cookie)
			if err == nil {
				if err = v.Resume(next); err == nil {
					l = next
					break
				}
				_ = next.Close()
			}
			if pause(ctx, time.Duration(50+rand.IntN(150))*time.Millisecond); ctx.Err() != nil {
				return
			}
		}
	}
}

// session holds one: some questions, some work, an end by the person, by the
// technician or, one in fifty, by a computer that was switched off.
func (w *world) session(ctx context.Context, rng *rand.Rand, d *desk, ticket, cookie string) (*held, error) {
	secret := fmt.Sprintf("host-%016x", rng.Uint64())
	h, v, l, err := w.pair(ctx, cookie, ticket, secret)
	if err != nil {
		return nil, err
	}
	s := &held{id: h.Session, ticket: ticket, desk: d, secret: secret}
	attended, leave := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() { defer close(gone); w.attend(attended, v, l, cookie) }()
	defer func() {
		leave()
		<-gone
		_ = v.Close()
		w.resumed.Add(int64(h.Resumed))
	}()

	grant := func(name string) []gohost.Event {
		about := map[string]any{"grant": name, "participant": "1"}
		return []gohost.Event{
			{Type: "consent.shown", Data: about},
			{Type: "consent.granted", Data: map[string]any{"grant": name, "participant": "1", "by": "person"}},
		}
	}
	work := [][]gohost.Event{
		grant("view"),
		append(grant("control"), gohost.Event{Type: "control.granted"}),
	}
	for range rng.IntN(4) {
		work = append(work, []gohost.Event{{Type: "input.summary", Data: map[string]any{"keys": 1 + rng.IntN(99), "clicks": rng.IntN(9)}}})
	}
	if rng.IntN(3) == 0 {
		work = append(work, []gohost.Event{{Type: "consent.revoked", Data: map[string]any{"grant": "control", "by": "person"}}, {Type: "control.released"}})
	}
	why := mfpb.Reason_REASON_PERSON_STOPPED
	for _, events := range work {
		if err := h.Write(ctx, events...); err != nil {
			return nil, err
		}
		pause(ctx, time.Duration(rng.IntN(800))*time.Millisecond)
	}
	s.events = h.Sent
	switch n := rng.IntN(50); {
	case n == 0:
		return s, h.Close()
	case n < 20:
		why = mfpb.Reason_REASON_TECHNICIAN_ENDED
	}
	s.closed, s.ended = true, time.Now()
	return s, h.End(ctx, why)
}
