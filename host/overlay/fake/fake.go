// Package fake is an overlay for tests: it keeps what it is told to show.
package fake

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/overlay"
)

// patience is how long a test waits for a scene before it fails.
const patience = 20 * time.Second

// Overlay implements overlay.Overlay. It fails the test when it is used after Close.
type Overlay struct {
	t       testing.TB
	mu      sync.Mutex
	scene   overlay.Scene
	changed chan struct{}
	closed  bool
}

// New returns an overlay that shows nothing.
func New(t testing.TB) *Overlay { return &Overlay{t: t, changed: make(chan struct{})} }

// Show implements overlay.Overlay.
func (o *Overlay) Show(s overlay.Scene) <-chan struct{} {
	done := make(chan struct{})
	close(done)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		o.t.Error("a scene was shown on a closed overlay")
	}
	o.scene = overlay.Scene{
		Marks: slices.Clone(s.Marks), Pointers: slices.Clone(s.Pointers), Hidden: s.Hidden, Spared: slices.Clone(s.Spared),
	}
	close(o.changed)
	o.changed = make(chan struct{})
	return done
}

// Close implements overlay.Overlay.
func (o *Overlay) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.scene = overlay.Scene{}
	close(o.changed)
	o.changed = make(chan struct{})
	return nil
}

// Scene is what is shown now, and whether the overlay is closed.
func (o *Overlay) Scene() (s overlay.Scene, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.scene, o.closed
}

// Wait waits for a scene for which ok is true; what names it in a failure.
func (o *Overlay) Wait(what string, ok func(overlay.Scene) bool) overlay.Scene {
	o.t.Helper()
	late := time.After(patience)
	for {
		o.mu.Lock()
		s, changed := o.scene, o.changed
		o.mu.Unlock()
		if ok(s) {
			return s
		}
		select {
		case <-changed:
		case <-late:
			o.t.Fatalf("never shown: %s; shown now: %+v", what, s)
		}
	}
}
