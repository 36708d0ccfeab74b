package capture_test

import (
	"context"
	"errors"
	"image"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/capture/capturetest"
)

// onDesktop is the desktop that the test runs on, under one window.
func onDesktop(t *testing.T) capturetest.Desktop {
	t.Helper()
	area := capture.VirtualScreen()
	w := capturetest.NewWindow(t, area, false)
	shown(t, w, area)
	src, err := capture.OpenGDI()
	if err != nil {
		t.Fatal(err)
	}
	pointers := []uintptr{32513, 32515, 32646} // IDC_IBEAM, IDC_CROSS, IDC_SIZEALL
	return capturetest.Desktop{
		Source: src, Width: area.Dx(), Height: area.Dy(),
		Fill:      func(r image.Rectangle, colour uint32) { w.Fill(r.Add(area.Min), colour) },
		SetCursor: func(n int) { w.SetCursor(pointers[n%len(pointers)]) },
	}
}

// shown waits until a new window is on the screen, all of it: what is painted
// before may be lost.
func shown(t *testing.T, w *capturetest.Window, area image.Rectangle) {
	t.Helper()
	const colour = 0x0a0b0c
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		w.Fill(area, colour)
		src, err := capture.OpenGDI()
		if err != nil {
			t.Fatal(err)
		}
		f, err := src.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		there := true
		for _, at := range []image.Point{{}, {f.Width - 1, 0}, {0, f.Height - 1}, {f.Width - 1, f.Height - 1}, {f.Width / 2, f.Height / 2}} {
			there = there && f.Pix[at.Y*f.Width+at.X] == colour
		}
		src.Close()
		if there {
			return
		}
	}
	t.Fatal("the window does not come")
}

func TestGDIKeepsThePromises(t *testing.T) { capturetest.Run(t, onDesktop) }

// Wine 8 has no desktop duplication; on Windows Open takes that.
func TestOpenTakesGDIWhereNothingIsDuplicated(t *testing.T) {
	if d, err := capture.OpenDXGI(); err == nil {
		d.Close()
		t.Skip("this desktop can be duplicated")
	}
	src, err := capture.Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if _, ok := src.(*capture.GDI); !ok {
		t.Errorf("it is %T", src)
	}
	for name, ok := range map[string]bool{"Veiled": is[capture.Veiled](src), "Nudger": is[capture.Nudger](src)} {
		if !ok {
			t.Errorf("it is no %s", name)
		}
	}
}

func is[T any](v any) bool { _, ok := v.(T); return ok }

// next returns the next frame within d.
func next(t *testing.T, src capture.Source, d time.Duration) capture.Frame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	f, err := src.Next(ctx)
	if err != nil {
		t.Fatalf("Next: %v", err)
	}
	return f
}

// still takes frames until there is none for long enough that the source only
// glances.
func still(t *testing.T, src capture.Source) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		_, err := src.Next(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return
		}
	}
	t.Fatal("the desktop does not come to rest")
}

// A program that changes something on its own, while nobody touches the
// computer, is seen wherever it is, and all of it in one frame.
func TestAChangeThatNobodyCausedIsSeen(t *testing.T) {
	d := onDesktop(t)
	defer d.Source.Close()
	still(t, d.Source)
	for i := range 4 {
		r := image.Rect(7, d.Height*i/4+3, 8, d.Height*i/4+4)
		if i == 3 {
			r = image.Rect(9, 0, 10, d.Height) // seen by a glance at any strip
		}
		painted := make(chan struct{})
		go func() {
			defer close(painted)
			time.Sleep(700 * time.Millisecond) // glances by then
			d.Fill(r, 0x00ff00^uint32(i+1))
		}()
		f := next(t, d.Source, 10*time.Second)
		<-painted
		if f.Damage != r {
			t.Errorf("painted %v, damage %v", r, f.Damage)
		}
	}
}

// What follows an input that the host itself injects does not wait for a glance.
func TestANudgeIsFollowedByAWholeLook(t *testing.T) {
	d := onDesktop(t)
	defer d.Source.Close()
	nudge := d.Source.(capture.Nudger).Nudge
	var took []time.Duration
	for i := range 4 {
		still(t, d.Source)
		began := make(chan time.Time, 1)
		go func() {
			time.Sleep(700 * time.Millisecond)
			d.Fill(image.Rect(0, d.Height*i/4, 1, d.Height*i/4+1), uint32(0x123456+i))
			began <- time.Now()
			nudge()
		}()
		next(t, d.Source, 10*time.Second)
		took = append(took, time.Since(<-began))
	}
	slices.Sort(took)
	t.Logf("from the nudge to the frame: %v", took)
	// Glances alone take half a second on average.
	if median := took[len(took)/2]; median > 150*time.Millisecond {
		t.Errorf("a nudged source took %v", median)
	}
}

var (
	user32         = windows.NewLazySystemDLL("user32.dll")
	changeSettings = user32.NewProc("ChangeDisplaySettingsW")
)

// resize gives the primary monitor another size, or with 0 its own again.
func resize(t *testing.T, w, h int) {
	t.Helper()
	var mode [220]byte // DEVMODEW
	if w == 0 {
		changeSettings.Call(0, 0)
		return
	}
	at := func(offset uintptr) *uint32 { return (*uint32)(unsafe.Add(unsafe.Pointer(&mode), offset)) }
	const width, height, pelsWidth, pelsHeight, size, fields = 0x80000, 0x100000, 172, 176, 68, 72
	*at(size) = uint32(len(mode)) // dmSize, and no driver data
	*at(fields) = width | height
	*at(pelsWidth), *at(pelsHeight) = uint32(w), uint32(h)
	if r, _, _ := changeSettings.Call(uintptr(unsafe.Pointer(&mode)), 0); r != 0 {
		t.Fatalf("a screen of %d x %d is refused: %d", w, h, int32(r))
	}
}

func TestGDIFollowsTheScreensSize(t *testing.T) {
	src, err := capture.OpenGDI()
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	before := next(t, src, 10*time.Second)
	t.Cleanup(func() { resize(t, 0, 0) })
	for _, size := range []image.Point{{640, 480}, {800, 600}} {
		resize(t, size.X, size.Y)
		for end := time.Now().Add(10 * time.Second); ; {
			f := next(t, src, 10*time.Second)
			if f.Width == size.X && f.Height == size.Y {
				if whole := (image.Rectangle{Max: size}); f.Damage != whole {
					t.Errorf("damage %v, want %v", f.Damage, whole)
				}
				break
			}
			if time.Now().After(end) {
				t.Fatalf("the frames have %d x %d, the screen %v", f.Width, f.Height, size)
			}
		}
		if got := src.Displays(); len(got) != 1 || got[0].Bounds != (image.Rectangle{Max: size}) {
			t.Errorf("displays %v on a screen of %v", got, size)
		}
	}
	if len(before.Pix) != before.Width*before.Height {
		t.Error("a frame that is out has changed")
	}
}

// A look makes no garbage that grows with the screen.
func TestALookMakesNoGarbage(t *testing.T) {
	d := onDesktop(t)
	src := d.Source.(*capture.GDI)
	defer src.Close()
	src.Look()
	const looks = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range looks {
		src.Look()
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / looks; n > uint64(d.Width*d.Height)/16 {
		t.Errorf("%d bytes a look", n)
	}
}

// While another desktop has the screen, as the lock screen does, there is no
// frame, and who asks is told; afterwards all goes on. Wine has one desktop only,
// so the answer of Windows is stood in for.
func TestAVeiledDesktopIsNotSeen(t *testing.T) {
	d := onDesktop(t)
	src := d.Source.(*capture.GDI)
	defer src.Close()
	var veil atomic.Uint32
	src.Ask(func() capture.Veil { return capture.Veil(veil.Load()) })
	told := make(chan capture.Veil, 8)
	go func() {
		defer close(told)
		for {
			v, err := src.NextVeil(context.Background())
			if err != nil {
				if !errors.Is(err, capture.ErrLost) {
					t.Errorf("NextVeil: %v, want ErrLost", err)
				}
				return
			}
			told <- v
		}
	}()
	if v := <-told; v != capture.Unveiled {
		t.Fatalf("at first it is %v", v)
	}
	still(t, src)
	for _, v := range []capture.Veil{capture.Locked, capture.Secure, capture.Unveiled} {
		veil.Store(uint32(v))
		select {
		case got := <-told:
			if got != v {
				t.Errorf("told %v, want %v", got, v)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("never told of %v", v)
		}
		if v == capture.Unveiled {
			break
		}
		time.Sleep(300 * time.Millisecond) // until the next look has noticed
		d.Fill(image.Rect(0, 0, 50, 50), 0x00c0de<<8^uint32(v))
		src.Nudge()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		if f, err := src.Next(ctx); err == nil {
			t.Errorf("%v, and a frame with %v", v, f.Damage)
		}
		cancel()
	}
	if f := next(t, src, 10*time.Second); !image.Rect(0, 0, 50, 50).In(f.Damage) {
		t.Errorf("afterwards the damage is %v", f.Damage)
	}
	src.Close()
	for range told { // until NextVeil has ended
	}
}
