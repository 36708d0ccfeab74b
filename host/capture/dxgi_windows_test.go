package capture

import (
	"context"
	"errors"
	"fmt"
	"image"
	"testing"
	"time"
)

// TestWhereNothingIsDuplicatedGDISees: a desktop whose duplication is taken away
// for good goes on by GDI, whole at first, and by duplication again once that can
// be had.
func TestWhereNothingIsDuplicatedGDISees(t *testing.T) {
	g, err := OpenGDI()
	if err != nil {
		t.Fatal(err)
	}
	desk := &fakeDesk{t: t, clock: time.Now()}
	o := desk.add(virtualScreen(), upright)
	back := false
	d := newDXGI(g, nil, func() ([]output, error) {
		if !back {
			return nil, fmt.Errorf("%w: DuplicateOutput: E_NOTIMPL", ErrUnsupported)
		}
		return desk.duplicator().open()
	})
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if !o.closed {
			t.Error("the output is still duplicated")
		}
		if _, err := d.Next(t.Context()); !errors.Is(err, ErrLost) {
			t.Errorf("closed, it says %v", err)
		}
	}()
	whole := image.Rectangle{Max: virtualScreen().Size()}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	f, err := d.Next(ctx)
	if err != nil || f.Damage != whole {
		t.Fatalf("by GDI: %v, %v", f.Damage, err)
	}
	if len(d.Displays()) == 0 {
		t.Error("there are no monitors")
	}
	back = true
	d.seeing.Lock()
	d.dup.resting = time.Now()
	d.seeing.Unlock()
	for i := range o.truth {
		o.truth[i] = 0x123456
	}
	if f, err = d.Next(ctx); err != nil || f.Damage != whole || f.Pix[0] != 0x123456 {
		t.Fatalf("by duplication again: %v, %#x, %v", f.Damage, f.Pix[0], err)
	}
}

// TestTheDesktopsDuplicationOrWhyNot: under Wine 8 there is none; on Windows this
// says what Open takes, and takes a picture by it.
func TestTheDesktopsDuplicationOrWhyNot(t *testing.T) {
	d, err := OpenDXGI()
	if err != nil {
		if !errors.Is(err, ErrUnsupported) {
			t.Errorf("%v does not wrap ErrUnsupported", err)
		}
		t.Logf("by GDI: %v", err)
		return
	}
	defer d.Close()
	f, err := d.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("by duplication: %d x %d, %v", f.Width, f.Height, d.Displays())
}
