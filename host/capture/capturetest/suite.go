package capturetest

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture"
)

// Desktop is a source under test and the means to change what it sees. A means
// that the system does not have is nil; what needs it is then not tested.
type Desktop struct {
	Source        capture.Source
	Width, Height int // at least 200 x 100

	Fill      func(r image.Rectangle, colour uint32) // done when it returns
	Resize    func(w, h int)                         // to a smaller size
	SetCursor func(n int)                            // to another shape for each n
	Lose      func()                                 // take the desktop away
}

const (
	soon  = 10 * time.Second       // what must happen happens within this time
	quiet = 300 * time.Millisecond // what must not happen does not for this long
)

// Run holds sources to the promises of capture.Source. open is called anew for
// each promise; the suite closes the source.
func Run(t *testing.T, open func(t *testing.T) Desktop) {
	promises := []struct {
		name string
		test func(*testing.T, *tester)
	}{
		{"FirstFrameIsWhole", firstFrameIsWhole},
		{"DamageCoversWhatChanged", damageCoversWhatChanged},
		{"ChangesBetweenTwoCallsAreMerged", changesAreMerged},
		{"NothingChangedMeansNoFrame", noChangeNoFrame},
		{"PaintingTheSameMeansNoFrame", samePaintNoFrame},
		{"FrameStandsStillUntilNext", frameStandsStill},
		{"CancelledNextLosesNothing", cancelledNextLosesNothing},
		{"NoChangeIsEverMissed", noChangeIsMissed},
		{"NewSizeGivesWholeFrame", newSizeGivesWholeFrame},
		{"CursorComesAtOnceThenOnChange", cursorComes},
		{"DisplaysLieInTheFrame", displaysLieInTheFrame},
		{"ClosedSourceIsLost", closedSourceIsLost},
		{"LostDesktopIsLost", lostDesktopIsLost},
	}
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			d := open(t)
			ts := &tester{Desktop: d, t: t, model: make([]uint32, d.Width*d.Height)}
			p.test(t, ts)
			if !ts.closed {
				if err := d.Source.Close(); err != nil && !ts.lost {
					t.Errorf("Close: %v", err)
				}
			}
			nothingRuns(t, before)
		})
	}
}

// nothingRuns waits until no goroutine of a source is left.
func nothingRuns(t *testing.T, before int) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for end := time.Now().Add(soon); ; time.Sleep(10 * time.Millisecond) {
		stacks := string(buf[:runtime.Stack(buf, true)])
		left := ""
		for _, s := range strings.Split(stacks, "\n\n") {
			if strings.Contains(s, "capture.(*") && !strings.Contains(s, "capturetest.") {
				left = s
			}
		}
		if left == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("a goroutine lives on (%d before):\n%s", before, left)
		}
	}
}

type tester struct {
	Desktop
	t            *testing.T
	model        []uint32 // what the frames must show
	closed, lost bool
}

func (d *tester) fill(r image.Rectangle, colour uint32) {
	d.Fill(r, colour)
	r = r.Intersect(image.Rect(0, 0, d.Width, d.Height))
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			d.model[y*d.Width+x] = colour
		}
	}
}

// next must give a frame, and one that keeps the rules all frames keep.
func (d *tester) next() capture.Frame {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), soon)
	defer cancel()
	f, err := d.Source.Next(ctx)
	if err != nil {
		d.t.Fatalf("Next: %v", err)
	}
	if len(f.Pix) != f.Width*f.Height {
		d.t.Fatalf("%d pixels for %d x %d", len(f.Pix), f.Width, f.Height)
	}
	if f.Damage.Empty() || !f.Damage.In(image.Rect(0, 0, f.Width, f.Height)) {
		d.t.Fatalf("damage %v in %d x %d", f.Damage, f.Width, f.Height)
	}
	whole := image.Rectangle{}
	for _, r := range f.Changed() {
		whole = whole.Union(r)
	}
	if whole != f.Damage {
		d.t.Fatalf("the parts %v have the damage %v", f.Parts, f.Damage)
	}
	return f
}

// none must give no frame.
func (d *tester) none() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), quiet)
	defer cancel()
	if f, err := d.Source.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		d.t.Fatalf("Next: %v, %v; want no frame until the context ends", f.Damage, err)
	}
}

// begin paints the desktop black, which changes it or is the first frame, and
// takes frames until one shows it.
func (d *tester) begin() {
	d.t.Helper()
	d.fill(image.Rect(0, 0, d.Width, d.Height), 0)
	d.until()
}

// until takes frames until one shows the model, and returns it.
func (d *tester) until() capture.Frame {
	d.t.Helper()
	for end := time.Now().Add(soon); ; {
		f := d.next()
		if err := d.shows(f); err == nil {
			return f
		} else if time.Now().After(end) {
			d.t.Fatal(err)
		}
	}
}

func (d *tester) shows(f capture.Frame) error {
	if f.Width != d.Width || f.Height != d.Height {
		return fmt.Errorf("the frame has %d x %d, the desktop %d x %d", f.Width, f.Height, d.Width, d.Height)
	}
	for i, p := range d.model {
		if f.Pix[i] != p {
			return fmt.Errorf("pixel %d, %d is %08x instead of %08x", i%f.Width, i/f.Width, f.Pix[i], p)
		}
	}
	return nil
}

func firstFrameIsWhole(t *testing.T, d *tester) {
	d.fill(image.Rect(0, 0, d.Width, d.Height), 0x203040)
	f := d.next()
	if want := image.Rect(0, 0, d.Width, d.Height); f.Damage != want {
		t.Errorf("damage %v, want %v", f.Damage, want)
	}
	if err := d.shows(f); err != nil {
		t.Error(err)
	}
}

func damageCoversWhatChanged(t *testing.T, d *tester) {
	d.begin()
	for i, r := range []image.Rectangle{
		image.Rect(10, 20, 30, 25), image.Rect(0, 0, 1, 1),
		image.Rect(d.Width-1, d.Height-1, d.Width, d.Height),
		image.Rect(0, 40, d.Width, 60), image.Rect(3, 0, d.Width-2, d.Height),
	} {
		d.fill(r, 0x010203*uint32(i+1))
		f := d.next()
		if !r.In(f.Damage) {
			t.Errorf("painted %v, damage %v", r, f.Damage)
		}
		if err := d.shows(f); err != nil {
			t.Errorf("painted %v: %v", r, err)
		}
	}
}

func changesAreMerged(t *testing.T, d *tester) {
	d.begin()
	a, b := image.Rect(5, 5, 15, 15), image.Rect(100, 50, 120, 80)
	d.fill(a, 0xff0000)
	d.fill(b, 0x00ff00)
	f := d.next()
	if !a.Union(b).In(f.Damage) {
		t.Errorf("painted %v and %v, damage %v", a, b, f.Damage)
	}
	if err := d.shows(f); err != nil {
		t.Error(err)
	}
	d.none()
}

func noChangeNoFrame(_ *testing.T, d *tester) {
	d.begin()
	d.none()
	d.fill(image.Rect(1, 1, 2, 2), 1)
	d.until()
	d.none()
}

func samePaintNoFrame(_ *testing.T, d *tester) {
	d.begin()
	d.fill(image.Rect(10, 10, 90, 90), 0x777777)
	d.until()
	d.fill(image.Rect(20, 20, 80, 80), 0x777777)
	d.fill(image.Rect(0, 95, d.Width, d.Height), 0)
	d.none()
}

func frameStandsStill(t *testing.T, d *tester) {
	d.begin()
	d.fill(image.Rect(0, 0, 50, 50), 0x123456)
	f := d.until()
	d.Fill(image.Rect(0, 0, 50, 50), 0x654321)
	time.Sleep(50 * time.Millisecond)
	if err := d.shows(f); err != nil {
		t.Errorf("the desktop changed, and with it a frame that is out: %v", err)
	}
}

func cancelledNextLosesNothing(t *testing.T, d *tester) {
	d.begin()
	d.fill(image.Rect(30, 30, 40, 40), 0xabcdef)
	last := d.until()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.Fill(image.Rect(60, 60, 70, 70), 0xfedcba)
	for range 3 {
		if _, err := d.Source.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("Next with a cancelled context: %v", err)
		}
	}
	if err := d.shows(last); err != nil {
		t.Errorf("a cancelled Next changed the last frame: %v", err)
	}
	d.fill(image.Rect(60, 60, 70, 70), 0xfedcba)
	d.until()
}

func noChangeIsMissed(t *testing.T, d *tester) {
	d.begin()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	end := make(chan struct{})
	rounds := 200
	go func() {
		defer close(end)
		for range rounds {
			w, h := 1+rng.IntN(d.Width), 1+rng.IntN(d.Height)
			at := image.Pt(rng.IntN(d.Width-w+1), rng.IntN(d.Height-h+1))
			d.fill(image.Rectangle{Min: at, Max: at.Add(image.Pt(w, h))}, rng.Uint32()&0xffffff)
			if rng.IntN(4) == 0 {
				time.Sleep(time.Duration(rng.IntN(3)) * time.Millisecond)
			}
		}
	}()
	// Shown is what a viewer has that repaints the damage and nothing else.
	shown := make([]uint32, d.Width*d.Height)
	take := func(f capture.Frame) {
		for _, r := range f.Changed() {
			for y := r.Min.Y; y < r.Max.Y; y++ {
				copy(shown[y*f.Width+r.Min.X:y*f.Width+r.Max.X], f.Pix[y*f.Width+r.Min.X:])
			}
		}
	}
	// A source that polls on a busy machine may look seconds later.
	painting, patience := true, time.Now().Add(15*time.Second)
	for painting {
		ctx, cancel := context.WithTimeout(t.Context(), quiet)
		f, err := d.Source.Next(ctx)
		cancel()
		if err == nil {
			take(f)
		}
		select {
		case <-end:
			painting = !slices.Equal(shown, d.model) && time.Now().Before(patience)
		default:
		}
	}
	for i, p := range d.model {
		if shown[i] != p {
			t.Fatalf("pixel %d, %d is %06x instead of %06x", i%d.Width, i/d.Width, shown[i], p)
		}
	}
}

func newSizeGivesWholeFrame(t *testing.T, d *tester) {
	if d.Resize == nil {
		t.Skip("this desktop cannot change its size")
	}
	d.begin()
	for _, size := range []image.Point{{150, 90}, {180, 70}} {
		d.Resize(size.X, size.Y)
		d.Width, d.Height = size.X, size.Y
		d.model = make([]uint32, d.Width*d.Height)
		for {
			f := d.next()
			if f.Width != d.Width || f.Height != d.Height {
				continue // from before
			}
			if want := image.Rect(0, 0, d.Width, d.Height); f.Damage != want {
				t.Errorf("damage %v, want %v", f.Damage, want)
			}
			break
		}
		d.fill(image.Rect(0, 0, d.Width, d.Height), 0x333333)
		d.until()
		d.fill(image.Rect(10, 10, d.Width-10, d.Height-10), 0x555555)
		d.until()
		if got := d.Source.Displays(); len(got) != 1 || got[0].Bounds != image.Rect(0, 0, d.Width, d.Height) {
			t.Errorf("displays %v in %d x %d", got, d.Width, d.Height)
		}
	}
}

func cursorComes(t *testing.T, d *tester) {
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	get := func() capture.Cursor {
		t.Helper()
		c, err := d.Source.NextCursor(ctx)
		if err != nil {
			t.Fatalf("NextCursor: %v", err)
		}
		if c.Width > capture.MaxCursor || c.Height > capture.MaxCursor || len(c.RGBA) != 4*c.Width*c.Height {
			t.Fatalf("a cursor of %d x %d with %d bytes", c.Width, c.Height, len(c.RGBA))
		}
		if c.Width > 0 && (c.HotX < 0 || c.HotX >= c.Width || c.HotY < 0 || c.HotY >= c.Height) {
			t.Fatalf("the hot spot %d, %d lies outside %d x %d", c.HotX, c.HotY, c.Width, c.Height)
		}
		return c
	}
	last := get()
	short, done := context.WithTimeout(t.Context(), quiet)
	defer done()
	if _, err := d.Source.NextCursor(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("NextCursor without a change: %v", err)
	}
	if d.SetCursor == nil {
		return
	}
	for n := range 3 {
		d.SetCursor(n)
		c := get()
		if string(c.RGBA) == string(last.RGBA) {
			t.Errorf("shape %d looks like the one before", n)
		}
		last = c
	}
}

func displaysLieInTheFrame(t *testing.T, d *tester) {
	f := d.next()
	all := d.Source.Displays()
	if len(all) == 0 {
		t.Fatal("no displays")
	}
	for _, s := range all {
		if s.Name == "" || s.Bounds.Empty() || !s.Bounds.In(image.Rect(0, 0, f.Width, f.Height)) {
			t.Errorf("display %+v in %d x %d", s, f.Width, f.Height)
		}
	}
}

// waiting starts Next and NextCursor, which both wait, and returns their errors.
func (d *tester) waiting() <-chan error {
	d.begin()
	if _, err := d.Source.NextCursor(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	errs := make(chan error, 2)
	go func() {
		_, err := d.Source.Next(context.Background())
		errs <- err
	}()
	go func() {
		_, err := d.Source.NextCursor(context.Background())
		errs <- err
	}()
	time.Sleep(50 * time.Millisecond)
	return errs
}

func (d *tester) allLost(errs <-chan error) {
	d.t.Helper()
	for range 2 {
		select {
		case err := <-errs:
			if !errors.Is(err, capture.ErrLost) {
				d.t.Errorf("who waited got %v, want ErrLost", err)
			}
		case <-time.After(soon):
			d.t.Fatal("somebody still waits for a desktop that is gone")
		}
	}
	if _, err := d.Source.Next(context.Background()); !errors.Is(err, capture.ErrLost) {
		d.t.Errorf("Next: %v, want ErrLost", err)
	}
	if _, err := d.Source.NextCursor(context.Background()); !errors.Is(err, capture.ErrLost) {
		d.t.Errorf("NextCursor: %v, want ErrLost", err)
	}
}

func closedSourceIsLost(t *testing.T, d *tester) {
	errs := d.waiting()
	if err := d.Source.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	d.closed = true
	d.allLost(errs)
}

func lostDesktopIsLost(t *testing.T, d *tester) {
	if d.Lose == nil {
		t.Skip("this desktop cannot be taken away")
	}
	errs := d.waiting()
	d.lost = true
	d.Lose()
	d.allLost(errs)
}
