package notes

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// run holds n sessions, so many a second, at most some at once. pick says which
// desk a session is for.
func (w *world) run(seed uint64, n int, perSecond float64, atOnce int, pick func(i int) *desk) (all []*held) {
	w.t.Helper()
	var mu sync.Mutex
	var sessions sync.WaitGroup
	room := make(chan struct{}, atOnce)
	every := time.Duration(float64(time.Second) / perSecond)
	next := time.NewTicker(every)
	defer next.Stop()
	for i := range n {
		select {
		case <-next.C:
		case <-w.ctx.Done():
			w.t.Error(w.ctx.Err())
			sessions.Wait()
			return all
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
	all := w.run(seed, 40, 8, 40, func(int) *desk { return d })
	<-killed
	w.drained()
	r := w.check(all)
	if r.Sessions != 40 || r.Notes < 40 || r.Events < 160 {
		t.Errorf("%+v", r)
	}
	w.purge(all)
	t.Logf("%+v; %d kills, %d pairings again, %d resumed", r, w.kills.Load(), w.again.Load(), w.resumed.Load())
}

// TestATroubledLineLosesNoNoteAndDoublesNone: desks of others whose replies get
// lost and who ask for pauses.
func TestATroubledLineLosesNoNoteAndDoublesNone(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	w := newWorld(t, 3*time.Minute)
	w.with(w.faked("zammad", 3), w.faked("servicenow", 3))
	w.open(3)
	w.embedded(3)
	w.trouble.Store(true)
	all := w.run(seed, 45, 10, 40, func(i int) *desk { return w.desks[i%3] })
	w.drained()
	w.trouble.Store(false)
	r := w.check(all)
	if r.Sessions != 45 || w.lost.Load() == 0 || w.paused.Load() == 0 {
		t.Errorf("%+v, %d replies lost, %d pauses", r, w.lost.Load(), w.paused.Load())
	}
	t.Logf("%d notes; %d replies lost, %d pauses, %d pairings again", r.Notes, w.lost.Load(), w.paused.Load(), w.again.Load())
}
