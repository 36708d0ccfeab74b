//go:build linux || freebsd || netbsd || openbsd

package capture_test

import (
	"context"
	"errors"
	"image"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/capture/fake"
)

// onXvfb is a desktop on a private X server, seen by what open returns.
func onXvfb(open func(display string) (capture.Source, error), args ...string) func(t *testing.T) capturetest.Desktop {
	return func(t *testing.T) capturetest.Desktop {
		server := capturetest.Start(t, 317, 203, args...)
		p := capturetest.NewPainter(t, server.Display)
		src, err := open(server.Display)
		if err != nil {
			t.Fatal(err)
		}
		return capturetest.Desktop{
			Source: src, Width: 317, Height: 203,
			Fill: p.Fill, Resize: p.Resize, Lose: server.Kill,
			SetCursor: func(n int) { p.SetCursor([]uint16{34, 152, 52}[n%3]) },
		}
	}
}

func openX11(display string) (capture.Source, error) { return capture.OpenX11(display) }

func TestX11KeepsThePromises(t *testing.T) { capturetest.Run(t, onXvfb(openX11)) }

// A caret that blinks beside a page that scrolls is a part of its own.
func TestX11TellsApartWhatIsFarApart(t *testing.T) {
	d := onXvfb(openX11)(t)
	defer d.Source.Close()
	caret, page := image.Rect(300, 100, 302, 112), image.Rect(5, 5, 200, 190)
	for _, r := range []image.Rectangle{caret, page} {
		d.Fill(r, 0x102030)
	}
	if _, err := d.Source.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.Fill(caret, 0xffffff)
	d.Fill(page, 0xff0000)
	// What is painted later may come with a later frame.
	var seen capture.Areas
	for seen.Bounds() != caret.Union(page) {
		f, err := d.Source.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range f.Parts {
			seen.Add(r)
		}
	}
	if got := seen.All(); len(got) != 2 {
		t.Errorf("%v and %v come as %v", caret, page, got)
	}
}

// The X server is on another machine, as far as it can be told from here.
func TestX11WithoutSharedMemoryKeepsThePromises(t *testing.T) {
	capturetest.Run(t, onXvfb(openX11, "-extension", "MIT-SHM"))
}

func TestPortableKeepsThePromises(t *testing.T) {
	open := onXvfb(func(display string) (capture.Source, error) {
		os.Setenv("DISPLAY", display)
		return capture.OpenPortable()
	})
	t.Setenv("DISPLAY", "")
	t.Setenv("XDG_SESSION_TYPE", "x11")
	capturetest.Run(t, func(t *testing.T) capturetest.Desktop {
		d := open(t)
		d.SetCursor = nil // it cannot be seen this way
		return d
	})
}

func TestFakeKeepsThePromises(t *testing.T) {
	capturetest.Run(t, func(t *testing.T) capturetest.Desktop {
		s := fake.New(t, 240, 130)
		return capturetest.Desktop{
			Source: s, Width: 240, Height: 130,
			Fill: s.Fill, Resize: s.Resize, Lose: s.Lose,
			SetCursor: func(n int) {
				s.SetCursor(capture.Cursor{Width: 1, Height: 1, RGBA: []byte{byte(n), 0, 0, 255}})
			},
		}
	})
}

func TestScreensOfOtherFormatsAreRefused(t *testing.T) {
	for _, screen := range []string{"200x100x8", "200x100x16"} {
		display := capturetest.Xvfb(t, 200, 100, "-screen", "0", screen)
		x, err := capture.OpenX11(display)
		if !errors.Is(err, capture.ErrUnsupported) {
			t.Errorf("%s: %v, want ErrUnsupported", screen, err)
		}
		if err == nil {
			x.Close()
		}
	}
}

func TestServersWithoutDamageAreRefused(t *testing.T) {
	display := capturetest.Xvfb(t, 200, 100, "-extension", "DAMAGE")
	if _, err := capture.OpenX11(display); !errors.Is(err, capture.ErrUnsupported) || !strings.Contains(err.Error(), "DAMAGE") {
		t.Errorf("%v, want ErrUnsupported that names DAMAGE", err)
	}
}

func TestNoServerIsLost(t *testing.T) {
	if _, err := capture.Open(":64321"); !errors.Is(err, capture.ErrLost) {
		t.Errorf("%v, want ErrLost", err)
	}
}

func TestOpenTakesX11WhereItCan(t *testing.T) {
	display := capturetest.Xvfb(t, 200, 100)
	t.Setenv("DISPLAY", display)
	for session, want := range map[string]bool{"x11": true, "": true, "wayland": false} {
		t.Setenv("XDG_SESSION_TYPE", session)
		src, err := capture.Open("")
		if session == "wayland" && err != nil {
			continue // there is no portal to ask here, and X11 was not taken
		}
		if err != nil {
			t.Errorf("session %q: %v", session, err)
			continue
		}
		if _, ok := src.(*capture.X11); ok != want {
			t.Errorf("session %q: %T", session, src)
		}
		src.Close()
	}
}

func TestShotShowsTheScreen(t *testing.T) {
	display := capturetest.Xvfb(t, 200, 100)
	p := capturetest.NewPainter(t, display)
	p.Fill(image.Rect(0, 0, 200, 100), 0x102030)
	p.Fill(image.Rect(50, 50, 60, 60), 0xf0e0d0)
	img, err := capture.Shot(t.Context(), display)
	if err != nil {
		t.Fatal(err)
	}
	if img.Rect != image.Rect(0, 0, 200, 100) {
		t.Fatalf("the picture has %v", img.Rect)
	}
	for i, want := range p.Pixels(200, 100) {
		o := img.Pix[4*i : 4*i+4]
		if got := uint32(o[0])<<16 | uint32(o[1])<<8 | uint32(o[2]); got != want || o[3] != 255 {
			t.Fatalf("pixel %d is %06x, alpha %d, instead of %06x", i, got, o[3], want)
		}
	}
}

// Whoever asks again and again, each time for less than the pause between two
// looks, is answered: the pause goes on from one Next to the following.
func TestPortableIsPatientWithTheImpatient(t *testing.T) {
	open := onXvfb(func(display string) (capture.Source, error) {
		os.Setenv("DISPLAY", display)
		return capture.OpenPortable()
	})
	t.Setenv("DISPLAY", "")
	t.Setenv("XDG_SESSION_TYPE", "x11")
	d := open(t)
	ask := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		_, err := d.Source.Next(ctx)
		return err
	}
	for frames, began := 0, time.Now(); frames < 2; {
		err := ask()
		switch {
		case err == nil:
			frames++
			d.Fill(image.Rect(0, 0, 50, 50), 0xabcdef)
		case !errors.Is(err, context.DeadlineExceeded):
			t.Fatal(err)
		case time.Since(began) > 20*time.Second:
			t.Fatalf("%d frames, and no more", frames)
		}
	}
}
