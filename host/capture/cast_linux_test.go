package capture_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/capture/capturetest"
)

// needCast fails where the child or PipeWire is missing: `task test` sees to both.
func needCast(t *testing.T) {
	t.Helper()
	if !capture.CastBuilt() {
		t.Fatal("the reader of PipeWire is not built: run task build:cast")
	}
	for _, p := range []string{"pipewire", "wireplumber", "pw-cli", "gst-launch-1.0"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Fatalf("%v: task test installs what is missing", err)
		}
	}
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// A real PipeWire daemon with two monitors, one of which has red and blue the
// other way round and is then unplugged.
func TestCastSeesEveryMonitor(t *testing.T) {
	needCast(t)
	pw := capturetest.NewPipeWire(t)
	left, _ := pw.Monitor(64, 48, "BGRx", "pattern=solid-color foreground-color=0xff112233")
	right, unplug := pw.Monitor(32, 40, "RGBA", "pattern=solid-color foreground-color=0xff445566")
	c, err := capture.OpenCast([]capture.CastStream{
		{Node: right, Position: image.Pt(64, 8), Size: image.Pt(32, 40), Placed: true},
		{Node: left, Size: image.Pt(64, 48), Placed: true},
	}, pw.Connect)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	f, err := c.Next(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if f.Width != 96 || f.Height != 48 || f.Damage != image.Rect(0, 0, 96, 48) {
		t.Fatalf("the first frame is %d x %d, damage %v", f.Width, f.Height, f.Damage)
	}
	for y := range f.Height {
		for x := range f.Width {
			want := uint32(0x112233)
			if x >= 64 {
				want = 0x445566
				if y < 8 {
					want = 0 // no monitor is there
				}
			}
			if got := f.Pix[y*f.Width+x]; got != want {
				t.Fatalf("pixel %d,%d is %06x, want %06x", x, y, got, want)
			}
		}
	}
	if d := c.Displays(); len(d) != 2 || d[0].Bounds != image.Rect(64, 8, 96, 48) || d[1].Bounds != image.Rect(0, 0, 64, 48) {
		t.Errorf("the monitors are %v", d)
	}
	if node, x, y, ok := c.Spot(70, 10); node != right || x != 6 || y != 2 || !ok {
		t.Errorf("70,10 is %d: %v,%v,%v", node, x, y, ok)
	}
	if _, _, _, ok := c.Spot(70, 2); ok {
		t.Error("there is no monitor at 70,2")
	}

	// Nothing changes, though 30 pictures a second arrive.
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if f, err := c.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a frame without a change: %v, %v", f.Damage, err)
	}
	if cur, err := c.NextCursor(soon(t)); err != nil || cur.Width == 0 {
		t.Errorf("no pointer: %v, %v", cur, err)
	}

	unplug()
	if _, err := c.Next(soon(t)); !errors.Is(err, capture.ErrLost) {
		t.Errorf("the monitor is gone, and Next returns %v", err)
	}
	if _, err := c.NextCursor(soon(t)); !errors.Is(err, capture.ErrLost) {
		t.Errorf("the monitor is gone, and NextCursor returns %v", err)
	}
}

// What moves is damaged, and nothing else.
func TestCastTellsWhatChanged(t *testing.T) {
	needCast(t)
	pw := capturetest.NewPipeWire(t)
	node, _ := pw.Monitor(320, 240, "BGRA", "pattern=ball")
	c, err := capture.OpenCast([]capture.CastStream{{Node: node}}, pw.Connect)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	var shown []uint32
	for i := range 10 {
		f, err := c.Next(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			if f.Damage.Dx() > 100 || f.Damage.Dy() > 100 {
				t.Errorf("a ball of 40 pixels damaged %v", f.Damage)
			}
			for at, p := range f.Pix {
				if p != shown[at] && !image.Pt(at%320, at/320).In(f.Damage) {
					t.Fatalf("pixel %d,%d changed outside %v", at%320, at/320, f.Damage)
				}
			}
		}
		shown = append(shown[:0], f.Pix...)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Next(soon(t)); !errors.Is(err, capture.ErrLost) {
		t.Errorf("Next after Close returns %v", err)
	}
}

func TestCastWithoutPipeWire(t *testing.T) {
	needCast(t)
	for name, connect := range map[string]func() (*os.File, error){
		"refused":       func() (*os.File, error) { return nil, fmt.Errorf("%w: refused", capture.ErrLost) },
		"no connection": func() (*os.File, error) { return os.Open(os.DevNull) },
	} {
		c, err := capture.OpenCast([]capture.CastStream{{Node: 1}}, connect)
		if err == nil {
			_, err = c.Next(soon(t))
			c.Close()
		}
		if !errors.Is(err, capture.ErrLost) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := capture.OpenCast(nil, nil); !errors.Is(err, capture.ErrUnsupported) {
		t.Errorf("no monitors: %v", err)
	}
}
