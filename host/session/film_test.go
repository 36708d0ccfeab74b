//go:build cgo && linux

package session_test

import (
	"image"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/track"
	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/internal/e2e/gopeer"
	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

// watching wants video.
func watching(o *gopeer.Options) { o.Video = true }

// shoot gives the session's track one frame as soon as it takes it.
func shoot(t *testing.T, film *track.Track, n int) uint32 {
	t.Helper()
	f := capture.Frame{Pix: make([]uint32, 64*48), Width: 64, Height: 48}
	for i := range f.Pix {
		f.Pix[i] = uint32(i*n*2654435761) & 0xffffff
	}
	whole := image.Rect(0, 0, f.Width, f.Height)
	kick := make(chan struct{}, 1)
	film.OnReady(func() {
		select {
		case kick <- struct{}{}:
		default:
		}
	})
	for late := time.After(patience); ; {
		if film.Ready() {
			if stamp, err := film.Frame(f, whole, []image.Rectangle{whole}, false); err == nil {
				return stamp
			}
		}
		select {
		case <-kick:
		case <-late:
			t.Fatal("the track is never ready")
		}
	}
}

// TestVideoGoesWithTheView: from the proof and the yes on, and not a packet
// after it was taken back. // C49
func TestVideoGoesWithTheView(t *testing.T) {
	r := start(t)
	v, s := r.live(watching)
	must[uint32](t)(v.WaitUpdate(ctx(t), 0))
	film := r.host.Film()
	for n := range 5 {
		ok(t, v.WaitFilm(ctx(t), shoot(t, film, n)))
	}
	r.window.Say(ui.Command{Do: "revoke", Grant: "view"})
	ok(t, v.WaitGrant(ctx(t), "view", gopeer.Revoked))
	s.event("consent.revoked")
	if film.Ready() {
		t.Error("the track takes frames that nobody may see")
	}
	before := v.Film()
	time.Sleep(moment)
	if n := v.Film(); n != before {
		t.Errorf("%d packets of video after view was revoked", n-before)
	}
	ok(t, v.Ask("view"))
	r.window.Answer(t, "view", "allow")
	ok(t, v.WaitGrant(ctx(t), "view", gopeer.Allowed))
	ok(t, v.WaitFilm(ctx(t), shoot(t, film, 9)))
	r.window.Say(ui.Command{Do: "stop"})
	r.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
	if film.Ready() {
		t.Error("the track outlives the session")
	}
}

// TestVideoIsHeldUntilTheProof: view is allowed, the connection stands, and who
// is at its other end is not known. // C25, C49
func TestVideoIsHeldUntilTheProof(t *testing.T) {
	r := start(t)
	l := r.server.accept()
	l.welcome()
	l.plate(nameplate)
	v, s := r.pair(l, watching, func(o *gopeer.Options) { o.Proof = func([]byte) []byte { return nil } })
	r.window.Answer(t, "view", "allow")
	ok(t, v.Connect(ctx(t)))
	ok(t, v.WaitState(ctx(t), "connected"))
	time.Sleep(moment)
	if r.host.Film().Ready() {
		t.Error("the track takes frames for somebody unknown")
	}
	if n := v.Film(); n != 0 {
		t.Errorf("%d packets of video", n)
	}
	r.window.Say(ui.Command{Do: "stop"})
	r.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
}

// TestAViewerWithoutVideoIsServedByTiles: it offers no such section.
func TestAViewerWithoutVideoIsServedByTiles(t *testing.T) {
	r := start(t)
	v, s := r.live()
	must[uint32](t)(v.WaitUpdate(ctx(t), 0))
	if r.host.Film().Ready() {
		t.Error("the track takes frames that nobody can see")
	}
	r.window.Say(ui.Command{Do: "stop"})
	r.ends(v, s, mfpb.Reason_REASON_PERSON_STOPPED)
}

// TestAnOfferOfAnythingElseIsRefused: sound, a camera, a second track. // C50
func TestAnOfferOfAnythingElseIsRefused(t *testing.T) {
	section := func(sdp, media string) (before, it string) {
		at := strings.Index(sdp, "m="+media)
		rest := sdp[at:]
		if next := strings.Index(rest[2:], "\r\nm="); next >= 0 {
			rest = rest[:next+4]
		}
		return sdp[:at], rest
	}
	for name, change := range map[string]func(sdp string) string{
		"a camera": func(sdp string) string { return strings.Replace(sdp, "a=recvonly", "a=sendrecv", 1) },
		"sound": func(sdp string) string {
			_, video := section(sdp, "video")
			return sdp + strings.NewReplacer("m=video", "m=audio", "a=mid:", "a=mid:7").Replace(video)
		},
		"a second track": func(sdp string) string {
			_, video := section(sdp, "video")
			return sdp + strings.Replace(video, "a=mid:", "a=mid:7", 1)
		},
		"no channels": func(sdp string) string {
			_, data := section(sdp, "application")
			return strings.Replace(sdp, data, "", 1)
		},
		"nothing": func(string) string { return "v=0" },
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			l := r.server.accept()
			l.welcome()
			l.plate(nameplate)
			v, s := r.pair(l, watching, func(o *gopeer.Options) { o.Offer = change })
			r.window.Answer(t, "view", "allow")
			_ = v.Attach(ctx(t))
			r.ends(v, s, mfpb.Reason_REASON_PROTOCOL)
			s.event("session.refused")
		})
	}
}

// TestWhatIsShownIsNoInput: it needs no control, keeps nothing alive, and a bad
// one ends the viewer's part.
func TestWhatIsShownIsNoInput(t *testing.T) {
	r := start(t)
	v, s := r.live(watching)
	must[uint32](t)(v.WaitUpdate(ctx(t), 0))
	ok(t, v.SendRaw(wire.ChannelInputFast, wire.AppendShown(nil, 12345)))
	ok(t, v.WaitFilm(ctx(t), shoot(t, r.host.Film(), 1)))
	ok(t, v.SendRaw(wire.ChannelInputFast, []byte{byte(wire.InputShown), 1, 0, 0, 0, 0, 0, 0}))
	r.ends(v, s, mfpb.Reason_REASON_PROTOCOL)
}
