package tickets_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// lookAgain does every look that is due.
func (w *world) lookAgain() {
	w.t.Helper()
	for done := true; done; {
		var err error
		if done, err = w.box.LookAgain(bg); err != nil {
			w.t.Fatal(err)
		}
	}
}

// later is a clock that can be set ahead.
func (w *world) later(d time.Duration) {
	w.box.SetNow(func() time.Time { return time.Now().Add(d) })
}

// text is what the outbox still holds of the note of a session.
func (w *world) text(session string) (text string) {
	w.t.Helper()
	err := w.st.View(bg, func(tx store.Tx) error {
		return tx.QueryRow("select note from outbox where session_id = ?", session).Scan(&text)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func (w *world) written(session string) {
	w.t.Helper()
	w.enqueue(session, "1")
	w.run(func(err error) { w.t.Error(err) }, func() bool { return w.waiting() == 0 })
}

func TestANoteThatIsGoneIsPutBackOnceLookedFor(t *testing.T) {
	w := newWorld(t)
	w.written("S1")
	w.desk.TakeAway(tickets.Marker("S1", "end"))
	w.lookAgain()
	if w.waiting() != 0 {
		t.Error("looked for before its time")
	}
	w.later(11 * time.Minute)
	w.lookAgain()
	if w.waiting() != 1 {
		t.Fatal("nobody missed it")
	}
	w.run(func(err error) { t.Error(err) }, func() bool { return w.waiting() == 0 })
	if n := w.desk.Notes("1"); len(n) != 1 || n[0].Text != endNote("S1").Text {
		t.Errorf("%+v", n)
	}
	if got := w.steps("S1"); fmt.Sprint(got) != "[note_queued note_written note_missing note_written]" {
		t.Errorf("%v", got)
	}
	// The next looks find it; after the last one its text is let go.
	for _, at := range []time.Duration{12*time.Minute + 10*time.Minute, 3 * time.Hour, 25 * time.Hour} {
		if w.text("S1") == "" {
			t.Errorf("no text %v before its last look", at)
		}
		w.later(at)
		w.lookAgain()
	}
	if w.text("S1") != "" {
		t.Error("the text is kept after the last look")
	}
	w.desk.TakeAway(tickets.Marker("S1", "end"))
	w.later(72 * time.Hour)
	w.lookAgain()
	if w.waiting() != 0 {
		t.Error("looked for after a day")
	}
}

func TestWhoTakesANoteAwayAgainAndAgainMeansIt(t *testing.T) {
	w := newWorld(t)
	w.written("S1")
	for i := range 3 {
		w.desk.TakeAway(tickets.Marker("S1", "end"))
		w.later(time.Duration(i+1) * 11 * time.Minute)
		w.lookAgain()
		if got := w.waiting() == 1; got != (i < 2) {
			t.Fatalf("after %d: %v", i+1, got)
		}
		w.run(func(err error) { t.Error(err) }, func() bool { return w.waiting() == 0 })
	}
	if w.text("S1") != "" || len(w.desk.Notes("1")) != 0 {
		t.Error("it was written once more, or could be")
	}
	if got := w.steps("S1"); len(got) != 7 || got[6] != "note_missing" {
		t.Errorf("%v", got)
	}
}

func TestALookWaitsForADeskThatIsAway(t *testing.T) {
	w := newWorld(t)
	w.written("S1")
	w.desk.Faults = func(string, string, bool) error { return tickets.ErrTransient }
	at := 11 * time.Minute
	for ; at < 47*time.Hour; at += 11 * time.Minute {
		w.later(at)
		if done, err := w.box.LookAgain(bg); !done || !errors.Is(err, tickets.ErrTransient) {
			t.Fatalf("after %v: %v %v", at, done, err)
		}
	}
	if w.text("S1") == "" {
		t.Fatal("given up too early")
	}
	w.later(49 * time.Hour)
	if _, err := w.box.LookAgain(bg); err == nil || w.text("S1") != "" {
		t.Errorf("still waited for after two days: %v", err)
	}
	if got := w.steps("S1"); len(got) != 2 {
		t.Errorf("nobody can tell that it is missing: %v", got)
	}
}

func TestANoteThatIsWrittenAfterAPurgeKeepsNoText(t *testing.T) {
	w := newWorld(t)
	w.enqueue("S1", "1")
	if _, err := w.log.Purge(bg, "S1", "request", adam, tickets.ForgetTx); err != nil {
		t.Fatal(err)
	}
	w.run(func(err error) { t.Error(err) }, func() bool { return w.waiting() == 0 })
	if n := w.desk.Notes("1"); len(n) != 1 || w.text("S1") != "" {
		t.Errorf("%d notes, and the outbox holds %q", len(n), w.text("S1"))
	}
	w.desk.TakeAway(tickets.Marker("S1", "end"))
	w.later(11 * time.Minute)
	w.lookAgain()
	if w.waiting() != 0 {
		t.Error("it comes back")
	}
}

func TestWhatWasPurgedIsNotPutBack(t *testing.T) {
	w := newWorld(t)
	w.written("S1")
	w.desk.TakeAway(tickets.Marker("S1", "end"))
	if err := w.st.Update(bg, func(tx store.Tx) error { return tickets.ForgetTx(tx, "S1") }); err != nil {
		t.Fatal(err)
	}
	w.later(11 * time.Minute)
	w.lookAgain()
	if w.waiting() != 0 || w.text("S1") != "" {
		t.Error("it comes back")
	}
}
