package session_test

import (
	"image"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

func TestAViewerIsToldWhereThePersonPoints(t *testing.T) {
	r := start(t)
	v, _ := r.live()
	for _, at := range []image.Point{{10, 20}, {11, 20}, {0, 0}} {
		r.screen.SetPointer(at)
		if by := must[string](t)(v.WaitPlace(ctx(t), uint32(at.X), uint32(at.Y))); by != "" {
			t.Errorf("participant %q is said to point at %v", by, at)
		}
	}
	n := v.Places()
	time.Sleep(moment)
	if more := v.Places() - n; more > 0 {
		t.Errorf("%d places of a pointer that stands still", more)
	}
}

func TestAViewerIsNotToldOfItsOwnPointerAndOthersAre(t *testing.T) {
	r := start(t)
	v, s := r.live()
	other := r.joined(v, s, mfpb.ParticipantKind_PARTICIPANT_KIND_OBSERVER, 1)
	r.control(v)
	r.screen.SetPointer(image.Pt(1, 1))
	must[string](t)(v.WaitPlace(ctx(t), 1, 1))
	n := v.Places()
	r.click(v) // at 5, 6
	r.screen.SetPointer(image.Pt(5, 6))
	if by := must[string](t)(other.WaitPlace(ctx(t), 5, 6)); by != v.Participant {
		t.Errorf("participant %q is said to point there, not %q", by, v.Participant)
	}
	time.Sleep(moment)
	if more := v.Places() - n; more > 0 {
		t.Errorf("the technician is told %d times of what they did", more)
	}
	// The person takes the mouse.
	r.screen.SetPointer(image.Pt(30, 40))
	for _, w := range []*gopeer.Viewer{v, other} {
		if by := must[string](t)(w.WaitPlace(ctx(t), 30, 40)); by != "" {
			t.Errorf("participant %q is said to point where the person does", by)
		}
	}
}

func TestNoPointerIsToldWithoutView(t *testing.T) { // C27
	r := start(t)
	v, s := r.live()
	other := r.joined(v, s, mfpb.ParticipantKind_PARTICIPANT_KIND_OBSERVER, 1)
	r.screen.SetPointer(image.Pt(3, 4))
	must[string](t)(v.WaitPlace(ctx(t), 3, 4))
	must[string](t)(other.WaitPlace(ctx(t), 3, 4))
	r.window.Say(ui.Command{Do: "revoke", Grant: "view", Participant: v.Participant})
	ok(t, v.WaitGrant(ctx(t), "view", gopeer.Revoked))
	n := v.Places()
	r.screen.SetPointer(image.Pt(7, 8))
	must[string](t)(other.WaitPlace(ctx(t), 7, 8))
	time.Sleep(moment)
	if more := v.Places() - n; more > 0 {
		t.Errorf("%d places after view was revoked", more)
	}
}
