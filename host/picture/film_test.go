package picture_test

import (
	"image"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/picture"
	"github.com/mainforte/mainforte/internal/standstill"
)

// camera is a Film that is ready when it is told to, and remembers.
type camera struct {
	mu      sync.Mutex
	wake    func()
	busy    bool
	frames  int
	keys    int
	pauses  int       // of the video, long enough to end it
	at      time.Time // of the last frame
	idles   int
	area    image.Rectangle
	damaged image.Rectangle
	last    uint32 // the pixel in the middle of the area in the last frame
	err     error
}

func (c *camera) Ready() bool { c.mu.Lock(); defer c.mu.Unlock(); return !c.busy }

func (c *camera) OnReady(f func()) { c.wake = f }

func (c *camera) Frame(f capture.Frame, area image.Rectangle, damage []image.Rectangle, key bool) (uint32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames++
	now := time.Now()
	if c.frames > 1 && now.Sub(c.at) > 250*time.Millisecond {
		c.pauses++
	}
	c.at = now
	if key {
		c.keys++
	}
	c.area, c.damaged = area, damage[0]
	at := area.Min.Add(area.Size().Div(2))
	c.last = f.Pix[at.Y*f.Width+at.X]
	return uint32(1000 * c.frames), c.err
}

func (c *camera) Idle() { c.mu.Lock(); defer c.mu.Unlock(); c.idles++ }

func (c *camera) seen() camera {
	c.mu.Lock()
	defer c.mu.Unlock()
	return camera{frames: c.frames, keys: c.keys, pauses: c.pauses, idles: c.idles, area: c.area, damaged: c.damaged, last: c.last}
}

// until waits for what must come soon.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// filmed is a desktop with text that a viewer sees who has the track.
func filmed(t *testing.T) (*picture.Pump, *remote, *camera, func(i int), func(r image.Rectangle, f func(x, y int) uint32)) {
	p, src := pumping(t, 640, 400)
	page := newPage()
	src.Draw(image.Rect(0, 0, 640, 400), page.at)
	cam := &camera{}
	p.SetFilm(cam)
	r := join(t, p)
	r.src = src
	r.stream.Film(true)
	r.shows(src)
	play := func(i int) {
		rng := uint32(i)*2654435761 + 1
		src.Draw(image.Rect(170, 90, 490, 350), func(int, int) uint32 {
			rng = rng*1664525 + 1013904223
			return rng >> 8
		})
	}
	return p, r, cam, play, src.Draw
}

func (r *remote) video() (rects []image.Rectangle, area image.Rectangle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.v.Video.Rects, r.v.Video.Area
}

// step plays one frame and waits until the pump has taken it.
func (r *remote) step(i int, play func(int)) {
	before := r.src.Frames()
	play(i)
	until(r.t.(*testing.T), "no frame was captured", func() bool { return r.src.Frames() > before })
}

func TestWhatMovesLikeVideoIsFilmedAndSettlesExactly(t *testing.T) {
	machine := standstill.Begin(t)
	_, r, cam, play, draw := filmed(t)
	for i := range 100 {
		r.step(i, play)
		if rects, _ := r.video(); len(rects) > 0 && i > 20 {
			break
		}
	}
	rects, area := r.video()
	want := image.Rect(160, 80, 496, 352)
	if len(rects) != 1 || rects[0] != want || area != want {
		t.Fatalf("video is %v in %v, want %v", rects, area, want)
	}
	// Meanwhile no tiles of it are sent, and text beside it is exact.
	before, _, _ := r.received()
	for i := range 20 {
		r.step(1000+i, play)
	}
	if after, _, _ := r.received(); after-before > 10 {
		t.Errorf("%d messages of what is video", after-before)
	}
	page := newPage()
	draw(cutout(96, 96, 8, 16), page.below(16*99))
	until(t, "a letter beside the video does not come", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.v.Pix[100*640+98] == page.at(98, 100+16*99) && r.v.Pix[104*640+101] == page.at(101, 104+16*99)
	})
	// It stands still: exact tiles, then no video, without a change of the desktop.
	r.shows(r.src)
	until(t, "the video is not taken away", func() bool { rects, _ := r.video(); return len(rects) == 0 })
	until(t, "the film does not rest", func() bool { return cam.seen().idles > 0 })
	// A pause is a reason for another key frame where the machine itself stood still.
	if got := cam.seen(); got.keys < 1 || got.keys > 1+min(got.pauses, machine.Times(50*time.Millisecond)) || got.area != want {
		t.Errorf("%d key frames, %d pauses, area %v", got.keys, got.pauses, got.area)
	}
}

func TestAFilmThatIsBusyGetsTheNewestFrameWhenItIsReady(t *testing.T) {
	_, r, cam, play, _ := filmed(t)
	for i := 0; cam.seen().frames == 0; i++ {
		r.step(i, play)
	}
	cam.mu.Lock()
	cam.busy = true
	cam.mu.Unlock()
	before := cam.seen().frames
	for i := range 3 {
		r.step(500+i, play)
	}
	if got := cam.seen().frames; got > before+1 {
		t.Errorf("%d frames for a film that is not ready", got-before)
	}
	cam.mu.Lock()
	cam.busy = false
	cam.mu.Unlock()
	cam.wake()
	until(t, "the newest frame does not come", func() bool {
		pix, w, _ := r.src.Pix()
		got := cam.seen()
		at := got.area.Min.Add(got.area.Size().Div(2))
		return got.last == pix[at.Y*w+at.X]
	})
}

func TestNothingIsFilmedForAViewerWithoutTheTrack(t *testing.T) {
	_, r, cam, play, _ := filmed(t)
	r.stream.Film(false)
	for i := range 25 {
		r.step(i, play)
	}
	r.shows(r.src)
	if rects, _ := r.video(); cam.seen().frames > 0 || len(rects) > 0 {
		t.Errorf("%d frames, video %v", cam.seen().frames, rects)
	}
}

// The track breaks while it is needed: tiles go on, exactly.
func TestAFilmThatFailsLeavesTiles(t *testing.T) {
	_, r, cam, play, _ := filmed(t)
	for i := 0; cam.seen().frames == 0; i++ {
		r.step(i, play)
	}
	cam.mu.Lock()
	cam.err = image.ErrFormat
	cam.mu.Unlock()
	for i, end := 0, time.Now().Add(2500*time.Millisecond); time.Now().Before(end); i++ {
		r.step(900+i, play)
	}
	failed := cam.seen().frames
	for i := range 5 {
		r.step(5000+i, play)
	}
	if n := cam.seen().frames; n != failed {
		t.Errorf("%d frames to a film that was given up", n-failed)
	}
	r.shows(r.src)
	until(t, "the video is not taken away", func() bool { rects, _ := r.video(); return len(rects) == 0 })
}

func TestWhatScrollsOrIsTurnedIsNeverVideo(t *testing.T) {
	_, r, cam, _, draw := filmed(t)
	page := newPage()
	for i := range 30 {
		r.step(i, func(i int) { draw(image.Rect(64, 32, 600, 380), page.below(24*(i+1))) })
	}
	r.shows(r.src)
	if n := cam.seen().frames; n > 0 {
		t.Errorf("scrolling is filmed: %d frames", n)
	}
}

// A viewer on a thin line does not have the page yet when it begins to scroll: no
// row of what it has can be used again. That is no video all the same.
func TestAPageThatScrollsBeforeItIsThereIsNotFilmed(t *testing.T) {
	p, src := pumping(t, 640, 400)
	cam := &camera{}
	p.SetFilm(cam)
	r := join(t, p)
	r.src = src
	r.mu.Lock()
	r.delay = 60 * time.Millisecond
	r.mu.Unlock()
	r.stream.Film(true)
	r.shows(src)
	rng := rand.New(rand.NewPCG(1, 5))
	rows := make([]uint32, 640*4000)
	for i := range rows {
		rows[i] = rng.Uint32() & 0xffffff
	}
	for i := range 25 {
		r.step(i, func(i int) {
			src.Draw(image.Rect(0, 0, 640, 400), func(x, y int) uint32 { return rows[(y+24*i)*640+x] })
		})
	}
	if seen := cam.seen(); seen.frames > 0 {
		t.Errorf("%d frames were filmed", seen.frames)
	}
}
