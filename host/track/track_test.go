//go:build cgo && linux

package track_test

import (
	"errors"
	"image"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/picture"
	"github.com/mainforte/mainforte/host/track"
	"github.com/mainforte/mainforte/host/vpx/vpxtest"
)

var _ picture.Film = (*track.Track)(nil)

const width, height = 320, 240

var full = image.Rect(0, 0, width, height)

func TestAFilmArrives(t *testing.T) {
	tr := newTrack(t)
	w := watch(t, tr)
	w.viewer.Show(true)
	p := play(t, tr)
	var last capture.Frame
	var stamp uint32
	for n := range 40 {
		last = scene(width, height, n)
		before := stamp
		stamp = p.frame(last, full, whole(last))
		if n > 0 && stamp-before >= 1<<31 {
			t.Fatalf("frame %d has an older timestamp", n)
		}
	}
	img := w.sees(stamp)
	if db := vpxtest.PSNR(img, last.Pix, width); db < 30 {
		t.Errorf("PSNR-Y %.1f dB", db)
	}
	packets, plain, frames, keys := w.counts()
	if frames != 40 || keys != 1 && !w.stood() || plain != 0 {
		t.Errorf("%d frames, %d key frames; %d of %d packets without a playout delay of 0", frames, keys, plain, packets)
	}
	if c := tr.Counts(); c.Frames != 40 || c.Keys != uint64(keys) || c.Encode == 0 || c.Convert == 0 {
		t.Errorf("%+v", c)
	}
}

func TestOnlyAPartIsFilmed(t *testing.T) {
	tr := newTrack(t)
	w := watch(t, tr)
	w.viewer.Show(true)
	p := play(t, tr)
	area := image.Rect(33, 17, 33+160, 17+96)
	f := scene(width, height, 0)
	p.frame(f, area, whole(f))
	moving := image.Rect(64, 48, 128, 96) // of the frame
	var stamp uint32
	for n := range 15 {
		next := scene(width, height, n)
		for y := moving.Min.Y; y < moving.Max.Y; y++ {
			copy(f.Pix[y*width+moving.Min.X:y*width+moving.Max.X], next.Pix[y*width+moving.Min.X:])
		}
		stamp = p.frame(f, area, []image.Rectangle{moving})
	}
	img := w.sees(stamp)
	if img.Rect.Dx() != area.Dx() || img.Rect.Dy() != area.Dy() {
		t.Fatalf("decoded as %v", img.Rect)
	}
	if db := vpxtest.PSNR(img, f.Pix[area.Min.Y*width+area.Min.X:], width); db < 30 {
		t.Errorf("PSNR-Y %.1f dB", db)
	}
}

// TestLostPacketsComeAgain: no frame is missing and no key frame was needed.
func TestLostPacketsComeAgain(t *testing.T) {
	tr := newTrack(t)
	w := watch(t, tr)
	w.viewer.Show(true)
	p := play(t, tr)
	f := scene(width, height, 0)
	w.sees(p.frame(f, full, whole(f)))
	w.socket.lose(5)
	for n := range 60 {
		f = scene(width, height, n)
		p.frame(f, full, whole(f))
	}
	w.socket.lose(0)
	// What ends with a lost packet is noticed with the next frame.
	f = scene(width, height, 61)
	w.sees(p.frame(f, full, whole(f)))
	_, plain, frames, keys := w.counts()
	if frames != 62 || keys != 1 && !w.stood() || plain != 0 {
		t.Errorf("%d frames, %d key frames, %d packets without a playout delay of 0", frames, keys, plain)
	}
	if w.socket.Lost() < 10 {
		t.Errorf("only %d packets were lost", w.socket.Lost())
	}
}

func TestNothingIsSentToAViewerThatIsNotShown(t *testing.T) { // C49
	tr := newTrack(t)
	hidden, seeing := watch(t, tr), watch(t, tr)
	if tr.Ready() {
		t.Error("ready without anybody to show it to")
	}
	if _, err := tr.Frame(scene(width, height, 0), full, nil, false); !errors.Is(err, picture.ErrSkipped) {
		t.Errorf("a frame for nobody: %v", err)
	}
	seeing.viewer.Show(true)
	p := play(t, tr)
	var stamp uint32
	for n := range 10 {
		f := scene(width, height, n)
		stamp = p.frame(f, full, whole(f))
	}
	seeing.sees(stamp)
	seeing.viewer.Show(false)
	_, _, frames, _ := seeing.counts()
	if tr.Ready() {
		t.Error("still ready when nobody is shown anything")
	}
	hidden.viewer.Show(true)
	for n := range 10 {
		f := scene(width, height, n)
		stamp = p.frame(f, full, whole(f))
	}
	hidden.sees(stamp)
	if _, _, now, _ := seeing.counts(); now != frames {
		t.Errorf("%d frames were sent after the end", now-frames)
	}
	if _, _, frames, keys := hidden.counts(); frames != 10 || keys != 1 {
		t.Errorf("who comes later got %d frames, %d key frames", frames, keys)
	}
	// Nor again, at its wish: packets it saw before would be picture, too.
	seeing.lacks()
}

// TestWhoComesLaterGetsAKeyFrame: and those who were there go on.
func TestWhoComesLaterGetsAKeyFrame(t *testing.T) {
	tr := newTrack(t)
	first, second := watch(t, tr), watch(t, tr)
	first.viewer.Show(true)
	p := play(t, tr)
	var stamp uint32
	n := 0
	some := func(count int) {
		for range count {
			f := scene(width, height, n)
			stamp = p.frame(f, full, whole(f))
			n++
		}
	}
	some(10)
	first.sees(stamp)
	second.viewer.Show(true)
	for _, _, frames, _ := second.counts(); frames == 0; _, _, frames, _ = second.counts() {
		some(1)
	}
	some(10)
	first.sees(stamp)
	second.sees(stamp)
	if _, _, _, keys := first.counts(); keys != 2 {
		t.Errorf("%d key frames", keys)
	}
}

// TestKeyFramesAreRare: whoever asks without end gets one a second.
func TestKeyFramesAreRare(t *testing.T) {
	tr := newTrack(t)
	w := watch(t, tr)
	w.viewer.Show(true)
	p := play(t, tr)
	began := time.Now()
	f := scene(width, height, 0)
	w.sees(p.frame(f, full, whole(f)))
	n := 0
	for _, _, _, keys := w.counts(); keys < 3; _, _, _, keys = w.counts() {
		w.lacks()
		n++
		f := scene(width, height, n)
		w.sees(p.frame(f, full, whole(f)))
	}
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("three key frames in %v", took)
	}
}

// TestASilentViewerHoldsUpTheFilmAndThenBeginsAnew: what is not shown bounds
// what is sent; after a while all of it counts as lost.
func TestASilentViewerHoldsUpTheFilm(t *testing.T) {
	tr := newTrack(t)
	w := watch(t, tr)
	w.mu.Lock()
	w.silent = true
	w.mu.Unlock()
	w.viewer.Show(true)
	p := play(t, tr)
	for n := range 2 {
		f := scene(width, height, n)
		w.sees(p.frame(f, full, whole(f)))
	}
	if tr.Ready() {
		t.Error("two frames that nobody has shown, and it takes a third")
	}
	w.mu.Lock()
	w.silent = false
	w.mu.Unlock()
	f := scene(width, height, 5)
	w.sees(p.frame(f, full, whole(f))) // after the stall
	if _, _, _, keys := w.counts(); keys != 2 {
		t.Errorf("%d key frames", keys)
	}
	if !tr.Ready() {
		select {
		case <-p.kick:
		case <-time.After(10 * time.Second):
			t.Error("it does not go on")
		}
	}
}

func TestWhatIsShownTwiceOrWasNeverSentIsNothing(t *testing.T) {
	tr := newTrack(t)
	w := watch(t, tr)
	w.viewer.Show(true)
	p := play(t, tr)
	for n := range 5 {
		f := scene(width, height, n)
		stamp := p.frame(f, full, whole(f))
		w.viewer.Shown(stamp + 12345)
		w.sees(stamp)
		w.viewer.Shown(stamp)
		w.viewer.Shown(stamp - 1<<31)
	}
}

func TestASceneOfAnotherSizeIsAnotherFilm(t *testing.T) {
	tr := newTrack(t)
	w := watch(t, tr)
	w.viewer.Show(true)
	p := play(t, tr)
	f := scene(width, height, 0)
	w.sees(p.frame(f, full, whole(f)))
	for _, area := range []image.Rectangle{image.Rect(1, 3, 100, 96), image.Rect(0, 0, 1, 1)} {
		f := scene(width, height, 3)
		img := w.sees(p.frame(f, area, nil))
		if img.Rect.Dx() != area.Dx() || img.Rect.Dy() != area.Dy() {
			t.Fatalf("%v was decoded as %v", area, img.Rect)
		}
	}
	if _, err := tr.Frame(f, image.Rect(400, 0, 500, 100), nil, false); !errors.Is(err, track.ErrArea) {
		t.Errorf("an area outside: %v", err)
	}
	tr.Idle()
	w.sees(p.frame(f, full, nil))
	if c := tr.Counts(); c.Keys != 4 {
		t.Errorf("%d key frames", c.Keys)
	}
}

// TestCloseEndsWhatIsUnderWay: with frames in the encoder and on the line.
func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	tr := newTrack(t)
	w := watch(t, tr)
	w.viewer.Show(true)
	f := scene(1280, 720, 0)
	if _, err := tr.Frame(f, image.Rect(0, 0, 1280, 720), nil, false); err != nil {
		t.Fatal(err)
	}
	tr.Close()
	if tr.Ready() {
		t.Error("ready after its end")
	}
	if _, err := tr.Frame(f, full, nil, false); !errors.Is(err, picture.ErrSkipped) {
		t.Errorf("a frame after the end: %v", err)
	}
	tr.Close()
}
