package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

func unknown(_ *rig, cfg *session.Config) { cfg.Unknown = true }

// A server that nobody vouches for learns nothing and gets no code before the
// person has had the time to read the warning and says that they called it.
func TestAnUnknownServerWaitsForThePerson(t *testing.T) {
	r := start(t, withClock, unknown)
	if e := r.window.Wait(t, "hello"); !e.Unknown || e.Server != "127.0.0.1" {
		t.Errorf("the person is shown %+v", e)
	}
	r.clock.Advance(ui.ContactTime)
	r.window.Say(ui.Command{Do: "called"})
	l := r.server.accept()
	expect[*mfpb.Hello](l)
}

// Whatever the window does, a yes counts only after that time; a no always does,
// and ends the app.
func TestAYesThatComesTooEarlyDoesNotCount(t *testing.T) {
	r := start(t, withClock, unknown)
	r.clock.Advance(ui.ContactTime - time.Millisecond)
	r.window.Say(ui.Command{Do: "called"})
	r.window.Say(ui.Command{Do: "not_called"})
	r.window.Wait(t, "hang_up")
	if err := r.wait(); !errors.Is(err, session.ErrNotCalled) {
		t.Errorf("Run: %v", err)
	}
	for _, e := range r.window.Events() {
		if e.Name == "code" || e.Name == "status" {
			t.Errorf("the person was shown %+v", e)
		}
	}
	select {
	case <-r.server.lines:
		t.Error("the server heard of this computer")
	default:
	}
}

// A server that is known is called at once, and a word about it changes nothing.
func TestAKnownServerIsCalledAtOnce(t *testing.T) {
	r := start(t, withClock)
	l := r.server.accept()
	expect[*mfpb.Hello](l)
	r.window.Say(ui.Command{Do: "not_called"})
	r.window.Say(ui.Command{Do: "quit"})
	if err := r.wait(); !errors.Is(err, session.ErrQuit) {
		t.Errorf("Run: %v", err)
	}
	if e := r.window.Events()[0]; e.Unknown {
		t.Error("it is called unknown")
	}
}
