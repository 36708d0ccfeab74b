package tickets_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/tickets/fake"
)

// world is a server's store and log beside a desk that outlives it.
type world struct {
	t    *testing.T
	dir  string
	st   store.Store
	log  *audit.Log
	desk *fake.Desk
	box  *tickets.Outbox
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), desk: &fake.Desk{}}
	w.desk.Add(tickets.Ticket{ID: "1", Number: "F-1", Subject: "x", Lang: "en", Open: true})
	w.use(openStore(t, w.dir))
	return w
}

func (w *world) use(st store.Store) {
	w.t.Helper()
	log, err := audit.Open(bg, st, filepath.Join(w.dir, "keys"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.st, w.log = st, log
	w.box = tickets.NewOutbox(st, log, w.desk)
	w.box.Hurry(40 * time.Millisecond)
}

func endNote(session string) tickets.Note {
	return tickets.Note{Key: tickets.Marker(session, "end"), Author: "Mainforte", Lang: "fr", Text: "Zoë was helped, " + session}
}

func (w *world) enqueue(session, ticket string) {
	w.t.Helper()
	if err := w.st.Update(bg, func(tx store.Tx) error { return w.box.EnqueueTx(tx, ticket, endNote(session)) }); err != nil {
		w.t.Fatal(err)
	}
	w.box.Wake()
}

// run lets the worker work until done says so.
func (w *world) run(problem func(error), done func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(bg)
	var wg sync.WaitGroup
	wg.Go(func() { w.box.Run(ctx, problem) })
	for limit := time.Now().Add(60 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			w.t.Error("still not done after a minute")
			break
		}
	}
	cancel()
	wg.Wait()
}

func (w *world) waiting() int {
	list, err := w.box.Waiting(bg, 0)
	if err != nil {
		w.t.Error(err)
	}
	return len(list)
}

func (w *world) dead() []tickets.Letter {
	list, err := w.box.Dead(bg, 0)
	if err != nil {
		w.t.Error(err)
	}
	return list
}

// steps are the types of a session's events.
func (w *world) steps(session string) (types []string) {
	list, err := w.log.Events(bg, session)
	if err != nil {
		w.t.Error(err)
	}
	for _, e := range list {
		types = append(types, strings.TrimPrefix(e.Type, "ticket."))
		if e.Ticket != "1" && e.Ticket != "gone" || e.Actor.Kind != "system" {
			w.t.Errorf("%+v", e)
		}
	}
	return types
}

func quiet(error) {}

var adam = audit.Actor{Kind: "admin", Ref: "id-adam"}

func TestANoteReachesItsTicketAtOnce(t *testing.T) {
	w := newWorld(t)
	w.box = tickets.NewOutbox(w.st, w.log, w.desk) // at its usual pace
	began := time.Now()
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); w.box.Run(ctx, func(err error) { t.Error(err) }) }()
	w.enqueue("S1", "1")
	for w.waiting() > 0 && time.Since(began) < 10*time.Second {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	notes := w.desk.Notes("1")
	if len(notes) != 1 || !reflect.DeepEqual(notes[0], endNote("S1")) {
		t.Fatalf("%+v", notes)
	}
	if got := w.steps("S1"); fmt.Sprint(got) != "[note_queued note_written]" {
		t.Errorf("%v", got)
	}
	// After the last look the text stands in the ticket, and nowhere else.
	w.box.SetNow(func() time.Time { return time.Now().Add(25 * time.Hour) })
	w.lookAgain()
	if err := w.st.Scrub(bg); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(storetest.Files(t, w.dir), []byte("was helped")) {
		t.Error("the files still hold the text")
	}
}

func TestANoteIsQueuedWithItsTransactionOrNotAtAll(t *testing.T) {
	w := newWorld(t)
	odd := errors.New("odd")
	if err := w.st.Update(bg, func(tx store.Tx) error { return errors.Join(odd, w.box.EnqueueTx(tx, "1", endNote("S1"))) }); !errors.Is(err, odd) {
		t.Fatal(err)
	}
	if n := w.waiting(); n != 0 || len(w.steps("S1")) != 0 {
		t.Errorf("%d wait, %v", n, w.steps("S1"))
	}
	w.enqueue("S1", "1")
	w.enqueue("S1", "1") // the same key again
	if n := w.waiting(); n != 1 || len(w.steps("S1")) != 1 {
		t.Errorf("%d wait, %v", n, w.steps("S1"))
	}
	for _, key := range []string{"", "S1", "mf:S1", "mf::end", "mf:S1:", "mf:S1:end:x", "mf:S 1:end", "xx:S1:end"} {
		n := endNote("S1")
		n.Key = key
		if err := w.st.Update(bg, func(tx store.Tx) error { return w.box.EnqueueTx(tx, "1", n) }); !errors.Is(err, tickets.ErrInvalid) {
			t.Errorf("%q: %v", key, err)
		}
	}
}

// crashing is a store whose process has died: nothing is written any more.
type crashing struct {
	store.Store
	dead atomic.Bool
}

func (c *crashing) Update(ctx context.Context, fn func(store.Tx) error) error {
	if c.dead.Load() {
		return store.ErrUnavailable
	}
	return c.Store.Update(ctx, fn)
}

// 200 notes through a desk that loses replies and is often away, with a server
// that dies 20 times between writing a note and remembering it.
func TestNothingIsLostAndNothingDoubled(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newWorld(t)
	base := w.st
	flaky := fake.Flaky(seed, 0.15, 0.2)
	rnd := rand.New(rand.NewPCG(seed, 2))
	var proc *crashing
	var mu sync.Mutex
	crashes := 0
	w.desk.Faults = func(op, key string, written bool) error {
		mu.Lock()
		defer mu.Unlock()
		if op == "append" && written && crashes < 20 && rnd.Float64() < 0.15 {
			crashes++
			proc.dead.Store(true) // the note stands; nobody will know
		}
		return flaky(op, key, written)
	}
	const n = 200
	for i := range n {
		w.enqueue(fmt.Sprintf("S%d", i), "1")
	}
	left := n
	for lives := 0; left > 0 && lives < 100; lives++ {
		proc = &crashing{Store: base}
		w.use(proc)
		w.run(quiet, func() bool { left = w.waiting(); return left == 0 || proc.dead.Load() })
	}
	seen := map[string]int{}
	for _, note := range w.desk.Notes("1") {
		seen[note.Key]++
	}
	for i := range n {
		s := fmt.Sprintf("S%d", i)
		if c := seen[tickets.Marker(s, "end")]; c != 1 {
			t.Errorf("%s stands %d times", s, c)
		}
		if got := w.steps(s); fmt.Sprint(got) != "[note_queued note_written]" {
			t.Errorf("%s: %v", s, got)
		}
	}
	if len(seen) != n || len(w.dead()) != 0 || crashes != 20 {
		t.Errorf("%d notes, %d dead, %d crashes", len(seen), len(w.dead()), crashes)
	}
}

// slow is a store behind a slow line: what was read may be old when it is used.
type slow struct{ store.Store }

func (s slow) View(ctx context.Context, fn func(store.Tx) error) error {
	err := s.Store.View(ctx, fn)
	time.Sleep(time.Millisecond)
	return err
}

func TestTwoWorkersDoNotWriteTheSameNote(t *testing.T) {
	w := newWorld(t)
	o := &world{t: t, dir: w.dir, desk: w.desk}
	o.use(slow{openStore(t, w.dir)}) // another process
	w.use(slow{w.st})
	w.box.Hurry(time.Minute)
	o.box.Hurry(time.Minute)
	for i := range 60 {
		w.enqueue(fmt.Sprintf("S%d", i), "1")
	}
	ctx, cancel := context.WithCancel(bg)
	var wg sync.WaitGroup
	wg.Go(func() { o.box.Run(ctx, func(err error) { t.Error(err) }) })
	w.run(func(err error) { t.Error(err) }, func() bool { return w.waiting() == 0 })
	cancel()
	wg.Wait()
	if n := len(w.desk.Notes("1")); n != 60 {
		t.Errorf("%d notes", n)
	}
}

// A purged session leaves nothing in notes that were given up; one on its way
// still arrives.
func TestWhatIsForgottenIsNotRevived(t *testing.T) {
	w := newWorld(t)
	w.enqueue("S1", "gone")
	w.run(func(error) {}, func() bool { return w.waiting() == 0 })
	w.enqueue("S1b", "1")
	forget := func(session string) {
		t.Helper()
		if err := w.st.Update(bg, func(tx store.Tx) error { return tickets.ForgetTx(tx, session) }); err != nil {
			t.Fatal(err)
		}
	}
	forget("S1")
	forget("S1b")
	w.desk.Add(tickets.Ticket{ID: "gone", Number: "F-2", Lang: "en", Open: true})
	if err := w.box.Revive(bg, w.dead()[0].ID, adam); !errors.Is(err, tickets.ErrNotFound) {
		t.Errorf("an emptied note was revived: %v", err)
	}
	w.run(func(err error) { t.Error(err) }, func() bool { return w.waiting() == 0 })
	if n := len(w.desk.Notes("1")); n != 1 {
		t.Errorf("%d notes of a session that was purged while its note was on its way", n)
	}
	if n := len(w.desk.Notes("gone")); n != 0 {
		t.Errorf("%d empty notes", n)
	}
}

// A purge lets a note on its way go; where that ends, in the ticket or without one,
// nothing of it stays.
func TestANoteThatWasOnItsWayInAPurgeIsEmptied(t *testing.T) {
	w := newWorld(t)
	w.enqueue("S1", "gone")
	w.enqueue("S2", "gone")
	w.enqueue("S3", "1")
	w.enqueue("S4", "1")
	for _, s := range []string{"S1", "S3"} {
		if _, err := w.log.Purge(bg, s, "request", audit.Actor{Kind: "admin", Ref: "01A"}, tickets.ForgetTx); err != nil {
			t.Fatal(err)
		}
	}
	w.run(func(error) {}, func() bool { return w.waiting() == 0 })
	got := map[string]bool{}
	if err := w.st.View(bg, func(tx store.Tx) error {
		rows, err := tx.Query("select session_id, note <> '' or problem <> '' from outbox where state <> 'waiting'")
		if err != nil {
			return err
		}
		for rows.Next() {
			var session string
			var full bool
			if err := rows.Scan(&session, &full); err != nil {
				return err
			}
			got[session] = full
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 4 || got["S1"] || !got["S2"] || got["S3"] || !got["S4"] {
		t.Errorf("%v", got)
	}
	if n := len(w.desk.Notes("1")); n != 2 {
		t.Errorf("%d notes", n)
	}
}

func TestHopelessNotesAreListedAndCanBeRevived(t *testing.T) {
	w := newWorld(t)
	w.enqueue("S1", "gone")
	w.enqueue("S2", "1")
	var heard atomic.Int64
	w.run(func(err error) {
		if !errors.Is(err, tickets.ErrNotFound) || !strings.Contains(err.Error(), "mf:S1:end") {
			t.Errorf("heard %v", err)
		}
		heard.Add(1)
	}, func() bool { return w.waiting() == 0 })
	dead := w.dead()
	if len(dead) != 1 || dead[0].Key != "mf:S1:end" || dead[0].Ticket != "gone" || dead[0].Session != "S1" || dead[0].Attempts != 1 || !strings.Contains(dead[0].Problem, "no such ticket") || heard.Load() != 1 {
		t.Fatalf("%+v, heard %d", dead, heard.Load())
	}
	if got := w.steps("S1"); fmt.Sprint(got) != "[note_queued note_failed]" {
		t.Errorf("%v", got)
	}
	if n := len(w.desk.Notes("1")); n != 1 {
		t.Errorf("the other note: %d", n)
	}

	w.desk.Add(tickets.Ticket{ID: "gone", Number: "F-2", Lang: "en", Open: true})
	if err := w.box.Revive(bg, "nobody", adam); !errors.Is(err, tickets.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := w.box.Revive(bg, dead[0].ID, adam); err != nil {
		t.Fatal(err)
	}
	w.run(func(err error) { t.Error(err) }, func() bool { return w.waiting() == 0 })
	if n := len(w.desk.Notes("gone")); n != 1 || len(w.dead()) != 0 {
		t.Errorf("%d notes, %d dead", n, len(w.dead()))
	}
	if err := w.box.Revive(bg, dead[0].ID, adam); !errors.Is(err, tickets.ErrNotFound) {
		t.Errorf("what is written cannot be revived: %v", err)
	}
}

func TestADeskThatStaysAwayIsGivenUpAfterDays(t *testing.T) {
	w := newWorld(t)
	w.desk.Faults = func(string, string, bool) error { return tickets.ErrTransient }
	w.enqueue("S1", "1")
	tries := 0
	w.run(func(error) { tries++ }, func() bool {
		l, err := w.box.Waiting(bg, 1)
		return err != nil || len(l) == 1 && l[0].Attempts >= 5 && l[0].Problem != ""
	})
	if len(w.dead()) != 0 || tries < 4 {
		t.Errorf("%d dead after %d tries", len(w.dead()), tries)
	}
	var ahead atomic.Int64
	w.box.SetNow(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	ahead.Store(int64(95 * time.Hour))
	w.run(quiet, func() bool {
		l, err := w.box.Waiting(bg, 1)
		return err != nil || len(l) == 0 || l[0].Attempts >= 10
	})
	if len(w.dead()) != 0 {
		t.Error("given up too early")
	}
	ahead.Store(int64(97 * time.Hour))
	w.run(quiet, func() bool { return w.waiting() == 0 })
	if len(w.dead()) != 1 {
		t.Error("never given up")
	}
}

func TestADeskThatWantsAPauseGetsIt(t *testing.T) {
	w := newWorld(t)
	w.box = tickets.NewOutbox(w.st, w.log, w.desk) // at its usual pace: a first wait of a second
	w.desk.Faults = func(string, string, bool) error { return tickets.ErrRateLimited{After: 5 * time.Minute} }
	w.enqueue("S1", "1")
	began := time.Now()
	w.run(quiet, func() bool {
		l, err := w.box.Waiting(bg, 1)
		return err != nil || l[0].Problem != ""
	})
	l, err := w.box.Waiting(bg, 1)
	if err != nil || len(l) != 1 || l[0].Next.Sub(began) < 5*time.Minute {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestWhatOlderServersQueuedIsStillWritten(t *testing.T) {
	w := newWorld(t)
	w.enqueue("S1", "1")
	// As the first version wrote it: a text, and no document.
	if err := w.st.Update(bg, func(tx store.Tx) error {
		_, err := tx.Exec("update outbox set note = ?", `{"Key":"mf:S1:end","Author":"Mainforte","Lang":"fr","Text":"one\n- two","Public":false}`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	w.run(func(err error) { t.Error(err) }, func() bool { return w.waiting() == 0 })
	if n := w.desk.Notes("1"); len(n) != 1 || n[0].Plain() != "one\n- two" || tickets.HTML(n[0].Document()) != "<p>one<br>- two</p>" {
		t.Errorf("%+v", n)
	}
}

func TestTheWaitDoublesAndIsSpread(t *testing.T) {
	if tickets.Lease <= tickets.Call {
		t.Errorf("a lease of %v ends while a try of %v goes on", tickets.Lease, tickets.Call)
	}
	for n := int64(1); n < 80; n++ {
		full := tickets.Longest
		if n < 11 {
			full = min(time.Second<<(n-1), full)
		}
		spread := map[time.Duration]bool{}
		for range 20 {
			d := tickets.Wait(n)
			if d < full/2 || d > full {
				t.Fatalf("after %d failures %v, want %v to %v", n, d, full/2, full)
			}
			spread[d] = true
		}
		if len(spread) < 2 {
			t.Errorf("after %d failures all wait alike", n)
		}
	}
}

func TestAStoppedWorkerLeavesItsNoteToTheNext(t *testing.T) {
	w := newWorld(t)
	w.box = tickets.NewOutbox(w.st, w.log, w.desk) // with the usual, long lease
	ctx, cancel := context.WithCancel(bg)
	w.desk.Faults = func(op, _ string, written bool) error {
		if op == "append" && written {
			cancel() // the server is told to stop while the reply is on its way
			return context.Canceled
		}
		return nil
	}
	w.enqueue("S1", "1")
	w.box.Run(ctx, func(err error) { t.Error(err) })
	w.desk.Faults = nil
	began := time.Now()
	w.run(func(err error) { t.Error(err) }, func() bool { return w.waiting() == 0 })
	if n := len(w.desk.Notes("1")); n != 1 || time.Since(began) > tickets.Lease/2 {
		t.Errorf("%d notes after %v", n, time.Since(began))
	}
}

// carrier is a desk that takes files, so many bytes.
type carrier struct {
	*fake.Desk
	takes int64
	mu    sync.Mutex
	files []tickets.File
}

func (c *carrier) Caps() tickets.Caps { return tickets.Caps{Files: true, MaxFile: c.takes} }

func (c *carrier) Append(ctx context.Context, ticket string, n tickets.Note) (string, error) {
	c.mu.Lock()
	c.files = n.Files
	c.mu.Unlock()
	return c.Desk.Append(ctx, ticket, n)
}

// Files that fit alone may be too much together: what has no room stays here, and
// the note goes.
func TestTheFilesOfANoteFitTogether(t *testing.T) {
	w := newWorld(t)
	desk := &carrier{Desk: w.desk, takes: 1000}
	w.box = tickets.NewOutbox(w.st, w.log, desk)
	w.box.Hurry(40 * time.Millisecond)
	note := endNote("S")
	note.Files = []tickets.File{{Name: "own", Data: make([]byte, 100)}}
	err := w.st.Update(bg, func(tx store.Tx) error {
		for _, size := range []int{1001, 500, 401, 400, 1} {
			a, err := tickets.AttachTx(tx, tickets.Attachment{Session: "S", Kind: tickets.AttachedPicture, Body: make([]byte, size)}, time.Now())
			if err != nil {
				return err
			}
			note.Files = append(note.Files, tickets.File{Name: fmt.Sprint(size), Ref: a.ID})
		}
		return w.box.EnqueueTx(tx, "1", note)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.box.Wake()
	w.run(func(err error) { t.Error(err) }, func() bool { return w.waiting() == 0 })
	var names []string
	for _, f := range desk.files {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "own 500 400" {
		t.Errorf("the note carries %q", got)
	}
}

// An answer waits for the closing note, which takes it over; also one whose sending
// failed, but none that a worker is just sending.
func TestAnAnswerIsTakenOverByTheClosingNote(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	w.box.SetNow(func() time.Time { return now })
	take := func(session string) (lines int) {
		t.Helper()
		n := tickets.Closing{Session: session, Technician: "Ann", Text: "x"}.Note("en")
		err := w.st.Update(bg, func(tx store.Tx) error {
			got, err := w.box.TakeRatingTx(tx, session, n)
			lines = len(got.Doc.Blocks) - len(n.Doc.Blocks)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return lines
	}
	for _, c := range []struct {
		session  string
		attempts int
		next     time.Duration
		taken    int
	}{{"waits", 0, time.Hour, 1}, {"failed", 3, 0, 1}, {"leased", 1, tickets.Lease, 0}} {
		err := w.st.Update(bg, func(tx store.Tx) error {
			if err := w.box.EnqueueRatingTx(tx, "1", tickets.Rating{Session: c.session, Score: 4}.Note("en"), now.Add(time.Hour)); err != nil {
				return err
			}
			if c.attempts == 0 {
				return nil
			}
			_, err := tx.Exec("update outbox set attempts = ?, next_at = ? where session_id = ?", int64(c.attempts), store.FormatTime(now.Add(c.next)), c.session)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		waiting, err := w.box.Waiting(bg, 0)
		if err != nil || len(waiting) != min(c.attempts, 1) {
			t.Errorf("%s: %d on their way, %v", c.session, len(waiting), err)
		}
		if c.attempts == 0 {
			var id string
			if err := w.st.View(bg, func(tx store.Tx) error {
				return tx.QueryRow("select id from outbox where session_id = ?", c.session).Scan(&id)
			}); err != nil {
				t.Fatal(err)
			}
			if err := w.box.Revive(bg, id, audit.Actor{Kind: "admin", Ref: "a"}); !errors.Is(err, tickets.ErrNotFound) {
				t.Errorf("%s: it was sent before its time: %v", c.session, err)
			}
		}
		if got := take(c.session); got != c.taken {
			t.Errorf("%s: the closing note takes %d answers, want %d", c.session, got, c.taken)
		}
		if got := take(c.session); got != 0 {
			t.Errorf("%s: it was taken twice", c.session)
		}
	}
}
