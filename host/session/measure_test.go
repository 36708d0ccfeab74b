package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// painting changes a pixel again and again until the test ends.
func (r *rig) painting() {
	stop, ended := make(chan struct{}), make(chan struct{})
	r.t.Cleanup(func() { close(stop); <-ended })
	go func() {
		defer close(ended)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for colour := uint32(1); ; colour++ {
			select {
			case <-tick.C:
				r.paint(1, 1, colour)
			case <-stop:
				return
			}
		}
	}()
}

func TestFiguresComeAsLongAsSomebodyLooks(t *testing.T) {
	r := start(t)
	r.screen.SetTook(7 * time.Millisecond)
	v, _ := r.live()
	r.painting()
	ok(t, v.Measure(true))
	for n := 1; n <= 2; n++ {
		f := must[*mfpb.Figures](t)(v.WaitFigures(ctx(t), n))
		if f.CaptureUs != 7000 || f.Updates == 0 || f.Bytes == 0 || f.EncodeUs == 0 || f.Acked == 0 || f.WayUs == 0 || f.Ms == 0 {
			t.Errorf("%v", f)
		}
	}
	ok(t, v.Measure(false))
	ok(t, v.AskInvite(mfpb.ParticipantKind_PARTICIPANT_KIND_OBSERVER))
	must[*mfpb.Invite](t)(v.WaitInvite(ctx(t), 1)) // so the host has heard both
	before := v.FiguresSeen()
	// The host looks three times before it says this.
	r.screen.SetTook(300 * time.Millisecond)
	ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_HOST_SLOW))
	if after := v.FiguresSeen(); after != before {
		t.Errorf("%d more figures for somebody who does not look", after-before)
	}
}

func TestNoFiguresAreToldWithoutView(t *testing.T) { // C27
	r := start(t)
	v, s := r.live()
	ok(t, v.Measure(true))
	must[*mfpb.Figures](t)(v.WaitFigures(ctx(t), 1))
	r.window.Say(ui.Command{Do: "revoke", Grant: "view"})
	ok(t, v.WaitGrant(ctx(t), "view", gopeer.Revoked))
	s.event("consent.revoked")
	brief, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond) // two looks
	defer cancel()
	before := v.FiguresSeen()
	if f, err := v.WaitFigures(brief, before+1); err == nil {
		t.Errorf("%v after view was revoked", f)
	}
}

// A computer that takes long to read its own screen is called slow, on both
// sides and in the log, and no more when it is quick again.
func TestASlowComputerIsToldToBothSidesAndTheLog(t *testing.T) {
	r := start(t)
	v, s := r.live()
	r.painting()
	heard := func(text string) {
		t.Helper()
		r.window.WaitFor(t, text, func(e ui.Event) bool { return e.Name == "status" && e.Text == text })
	}
	r.screen.SetTook(300 * time.Millisecond)
	ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_HOST_SLOW))
	heard("Your computer is very busy, so your screen is seen late. If you can, close programs that you do not need.")
	if e := s.event("session.degraded"); len(e.Data) == 0 || string(e.Data[:23]) != `{"reason":"HOST_SLOW","` {
		t.Errorf("logged %s", e.Data)
	}
	r.screen.SetTook(time.Millisecond)
	ok(t, v.WaitNotice(ctx(t), mfpb.NoticeCode_NOTICE_CODE_HOST_GOOD))
	heard("Your computer is less busy, and your screen is seen without delay again.")
	if e := s.event("session.restored"); string(e.Data) != `{"reason":"HOST_SLOW"}` {
		t.Errorf("logged %s", e.Data)
	}
}

func TestAComputerIsSlowWhenPicturesTakeLongToMake(t *testing.T) {
	for _, c := range []struct {
		name  string
		looks []time.Duration
		slow  bool
	}{
		{"quick", []time.Duration{3, 5, 90, 150, 199}, false},
		{"once, as the first picture may be", []time.Duration{900, 5, 5, 900, 5}, false},
		{"for three looks", []time.Duration{250, 250, 250}, true},
		{"neither here nor there", []time.Duration{250, 250, 250, 150, 150, 150, 150}, true},
		{"good again", []time.Duration{250, 250, 250, 50, 50, 50}, false},
		{"idle again", []time.Duration{250, 250, 250, 0, 0, 0}, false},
		{"good for a moment", []time.Duration{250, 250, 250, 50, 50, 250, 50, 50}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var toil session.Toil
			for i, look := range c.looks {
				before := toil.Slow()
				if changed := toil.Look(look * time.Millisecond); changed != (toil.Slow() != before) {
					t.Errorf("look %d: changed is %v", i, changed)
				}
			}
			if toil.Slow() != c.slow {
				t.Errorf("slow is %v", toil.Slow())
			}
		})
	}
}
