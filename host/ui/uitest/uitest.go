// Package uitest is a person for tests: [Window] keeps every event it is shown
// and says what the test tells it to say.
package uitest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/ui"
)

// patience is how long a test waits for an event before it fails.
const patience = 20 * time.Second

// Window implements ui.Window.
type Window struct {
	mu       sync.Mutex
	events   []ui.Event
	seen     int // events that Wait has passed
	changed  chan struct{}
	commands chan ui.Command
	closed   bool
}

// New returns a window that has shown nothing.
func New() *Window {
	return &Window{changed: make(chan struct{}), commands: make(chan ui.Command, 64)}
}

// Show keeps the event.
func (w *Window) Show(e ui.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	close(w.changed)
	w.changed = make(chan struct{})
}

// Commands is what Say said.
func (w *Window) Commands() <-chan ui.Command { return w.commands }

// Say is the person's command.
func (w *Window) Say(c ui.Command) { w.commands <- c }

// Close ends the commands, like a window that is closed.
func (w *Window) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		close(w.commands)
	}
	return nil
}

// Events so far.
func (w *Window) Events() []ui.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

// Wait returns the next event with a name after those that Wait returned before.
func (w *Window) Wait(t testing.TB, name string) ui.Event {
	t.Helper()
	return w.WaitFor(t, name, func(e ui.Event) bool { return e.Name == name })
}

// WaitFor returns the next event for which ok is true; what names it in a failure.
func (w *Window) WaitFor(t testing.TB, what string, ok func(ui.Event) bool) ui.Event {
	t.Helper()
	late := time.After(patience)
	for {
		w.mu.Lock()
		for i := w.seen; i < len(w.events); i++ {
			if ok(w.events[i]) {
				w.seen = i + 1
				e := w.events[i]
				w.mu.Unlock()
				return e
			}
		}
		changed := w.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-late:
			t.Fatalf("the person was never shown: %s; shown: %+v", what, w.Events())
		}
	}
}

// Answer waits for the question about a grant and answers it: "allow", "deny".
func (w *Window) Answer(t testing.TB, grant, answer string) ui.Event {
	t.Helper()
	e := w.WaitFor(t, "a question about "+grant, func(e ui.Event) bool { return e.Name == "ask" && e.Grant == grant })
	w.Say(ui.Command{ID: e.ID, Answer: answer})
	return e
}
