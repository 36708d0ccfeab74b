package session_test

import (
	"image"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

func TestWhoLooksAtADisplaySeesItsBounds(t *testing.T) {
	left, right := image.Rect(0, 0, 100, 80), image.Rect(100, 0, 164, 64)
	displays := []capture.Display{{ID: 7, Bounds: left}, {ID: 9, Bounds: right}}
	for _, c := range []struct {
		name    string
		display *uint32
		want    image.Rectangle
	}{
		{"nothing said", nil, image.Rectangle{}},
		{"the second", proto.Uint32(9), right},
		{"one that is not there", proto.Uint32(8), image.Rectangle{}},
	} {
		if got := session.BoundsOf(c.display, displays); got != c.want {
			t.Errorf("%s: %v instead of %v", c.name, got, c.want)
		}
	}
}

// What changes on a display that a viewer does not look at is not sent, and
// comes as soon as it looks at all of them again: also by itself, when the one
// it looked at is unplugged.
func TestOnlyTheDisplayThatIsLookedAtIsSent(t *testing.T) {
	r := start(t)
	const w, h = 512, 128
	left := capture.Display{ID: 7, Name: "left", Bounds: image.Rect(0, 0, w/2, h)}
	right := capture.Display{ID: 9, Name: "right", Bounds: image.Rect(w/2, 0, w, h)}
	r.screen.Resize(w, h)
	r.screen.SetDisplays(left, right)
	v, _ := r.live()
	r.watch(v, proto.Uint32(7))
	r.paint(w-1, 0, 0x111111)
	r.paint(0, 0, 0x222222)
	r.sees(v, 0, 0, 0x222222)
	if _, _, pix := v.Pixels(); pix[w-1] == 0x111111 {
		t.Error("the other display was sent")
	}
	ok(t, v.Watch(nil))
	r.sees(v, w-1, 0, 0x111111)

	r.watch(v, proto.Uint32(7))
	r.paint(w-1, 0, 0x333333)
	r.screen.SetDisplays(right)
	r.paint(0, 0, 0x444444)
	r.sees(v, 0, 0, 0x444444)
	r.sees(v, w-1, 0, 0x333333)
}

// watch returns when the host knows what the viewer looks at: figures that are
// asked for later come later.
func (r *rig) watch(v *gopeer.Viewer, display *uint32) {
	r.t.Helper()
	ok(r.t, v.Watch(display))
	ok(r.t, v.Measure(true))
	must[*mfpb.Figures](r.t)(v.WaitFigures(ctx(r.t), v.FiguresSeen()+1))
}
