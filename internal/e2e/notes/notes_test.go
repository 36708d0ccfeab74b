package notes

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// run holds n sessions, many at once, a second's share of perSecond each second.
// pick says which desk a session is for.
func (w *world) run(seed uint64, n int, perSecond float64, pick func(i int) *desk) (all []*held) {
	w.t.Helper()
	var mu sync.Mutex
	var sessions sync.WaitGroup
	room := make(chan struct{}, 14*len(w.cookies)) // the server bounds the lines of one account
	every := time.Duration(float64(time.Second) / perSecond)
	next := time.NewTicker(every)
	defer next.Stop()
	for i := range n {
		select {
		case <-next.C:
		case <-w.ctx.Done():
			w.t.Fatal(w.ctx.Err())
		}
		room <- struct{}{}
		sessions.Go(func() {
			defer func() { <-room }()
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			d := pick(i)
			ticket := d.tickets[rng.IntN(len(d.tickets))]
			s, err := w.session(w.ctx, rng, d, ticket, w.cookies[i%len(w.cookies)])
			if err != nil {
				w.t.Errorf("session %d: %v", i, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, s)
		})
	}
	sessions.Wait()
	return all
}

// killing kills the server n times, so long apart.
func (w *world) killing(seed uint64, n int, least, most time.Duration) (done <-chan struct{}) {
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		rng := rand.New(rand.NewPCG(seed, 1<<32))
		for range n {
			pause(w.ctx, least+time.Duration(rng.Int64N(int64(most-least))))
			w.kill()
		}
	}()
	return killed
}

// TestAKilledServerLosesNoNoteAndNoEvent: a few sessions, and three kills.
func TestAKilledServerLosesNoNoteAndNoEvent(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	w := newWorld(t, 3*time.Minute)
	w.open(3)
	d := w.embedded(5)
	killed := w.killing(seed, 3, 500*time.Millisecond, 2*time.Second)
	all := w.run(seed, 40, 8, func(int) *desk { return d })
	<-killed
	w.drained()
	r := w.check(all)
	if r.Sessions != 40 || r.Notes < 40 || r.Events < 160 {
		t.Errorf("%+v", r)
	}
	w.purge(all)
	t.Logf("%+v; %d kills, %d pairings again, %d resumed", r, w.kills.Load(), w.again.Load(), w.resumed.Load())
}
