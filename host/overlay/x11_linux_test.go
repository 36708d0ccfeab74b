package overlay_test

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"

	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/overlay"
	"github.com/mainforte/mainforte/host/overlay/overlaytest"
)

const (
	patience      = 20 * time.Second
	width, height = overlaytest.Width, overlaytest.Height
	ground        = 0x336699
)

// desk is an X server with a ground colour, an overlay, and our own eyes.
type desk struct {
	t       *testing.T
	display string
	c       *xgb.Conn
	root    xproto.Window
	eyes    *capturetest.Painter
	over    *overlay.X11
}

func newDesk(t *testing.T, manager bool) *desk {
	t.Helper()
	d := &desk{t: t, display: capturetest.Xvfb(t, width, height)}
	var err error
	if d.c, err = xgb.NewConnDisplay(d.display); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.c.Close)
	d.root = xproto.Setup(d.c).DefaultScreen(d.c).Root
	if manager {
		d.manage()
	}
	xproto.ChangeWindowAttributes(d.c, d.root, xproto.CwBackPixel, []uint32{ground})
	xproto.ClearArea(d.c, false, d.root, 0, 0, 0, 0)
	d.eyes = capturetest.NewPainter(t, d.display)
	if d.over, err = overlay.OpenX11(d.display); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.over.Close() })
	return d
}

// manage starts a window manager and waits until it manages.
func (d *desk) manage() {
	d.t.Helper()
	path, err := exec.LookPath("openbox")
	if err != nil {
		d.t.Fatalf("%v: task test installs it", err)
	}
	cmd := exec.Command(path, "--sm-disable")
	cmd.Env = append(os.Environ(), "DISPLAY="+d.display, "HOME="+d.t.TempDir())
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	check, err := xproto.InternAtom(d.c, false, 24, "_NET_SUPPORTING_WM_CHECK").Reply()
	if err != nil {
		d.t.Fatal(err)
	}
	d.until("the window manager manages", func() bool {
		r, err := xproto.GetProperty(d.c, false, d.root, check.Atom, xproto.GetPropertyTypeAny, 0, 1).Reply()
		return err == nil && len(r.Value) == 4
	})
}

func (d *desk) until(what string, ok func() bool) {
	d.t.Helper()
	for late := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			d.t.Fatalf("not in time: %s", what)
		}
	}
}

// show shows a scene and waits until it is on the screen.
func (d *desk) show(s overlay.Scene) {
	d.t.Helper()
	select {
	case <-d.over.Show(s):
	case <-time.After(patience):
		d.t.Fatal("the scene was not shown")
	}
}

func (d *desk) at(x, y int) uint32 { return d.eyes.Pixels(width, height)[y*width+x] }

// inked counts pixels that are not the ground's.
func (d *desk) inked(r image.Rectangle) (n int) {
	pix := d.eyes.Pixels(width, height)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if pix[y*width+x] != ground {
				n++
			}
		}
	}
	return n
}

// ours counts the overlay's windows, by the name that says whose they are.
func (d *desk) ours() (n int) {
	d.t.Helper()
	t, err := xproto.QueryTree(d.c, d.root).Reply()
	if err != nil {
		d.t.Fatal(err)
	}
	for _, w := range t.Children {
		r, err := xproto.GetProperty(d.c, false, w, xproto.AtomWmName, xproto.AtomString, 0, 64).Reply()
		if err == nil && strings.HasPrefix(string(r.Value), "Mainforte") {
			n++
		}
	}
	return n
}

// window shows a window that hears of clicks.
func (d *desk) window(parent xproto.Window, r image.Rectangle) xproto.Window {
	d.t.Helper()
	w, _ := xproto.NewWindowId(d.c)
	err := xproto.CreateWindowChecked(d.c, 0, w, parent, int16(r.Min.X), int16(r.Min.Y), uint16(r.Dx()), uint16(r.Dy()), 0,
		xproto.WindowClassInputOutput, 0, xproto.CwBackPixel|xproto.CwOverrideRedirect|xproto.CwEventMask,
		[]uint32{0xffffff, 1, xproto.EventMaskButtonPress}).Check()
	if err == nil {
		err = xproto.MapWindowChecked(d.c, w).Check()
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return w
}

// TestX11PassesTheSuite with and without a window manager.
func TestX11PassesTheSuite(t *testing.T) {
	t.Parallel()
	for _, manager := range []bool{false, true} {
		t.Run(map[bool]string{false: "bare", true: "openbox"}[manager], func(t *testing.T) {
			t.Parallel()
			overlaytest.Run(t, func(t *testing.T) overlaytest.Desk {
				d := newDesk(t, manager)
				return overlaytest.Desk{
					Overlay: d.over, Width: width, Height: height, Ground: ground, Windows: d.ours,
					Pixels: func() []uint32 { return d.eyes.Pixels(width, height) }, Keep: func() { save(t, d) },
				}
			})
		})
	}
}

// save keeps a picture for who wants to look: MAINFORTE_SHOTS names the folder.
func save(t *testing.T, d *desk) {
	folder := os.Getenv("MAINFORTE_SHOTS")
	if folder == "" {
		return
	}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i, p := range d.eyes.Pixels(width, height) {
		img.Set(i%width, i/width, color.RGBA{byte(p >> 16), byte(p >> 8), byte(p), 255})
	}
	f, err := os.Create(folder + "/" + strings.ReplaceAll(t.Name(), "/", "-") + ".png")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

// TestTheOverlayTakesNoInput clicks on ink: the window beneath gets it, and
// neither focus nor pointer ever belong to the overlay.
func TestTheOverlayTakesNoInput(t *testing.T) {
	t.Parallel()
	d := newDesk(t, false)
	w := d.window(d.root, image.Rect(100, 100, 300, 300))
	if err := xtest.Init(d.c); err != nil {
		t.Fatal(err)
	}
	focus, err := xproto.GetInputFocus(d.c).Reply()
	if err != nil {
		t.Fatal(err)
	}
	d.show(overlay.Scene{
		Marks:    []overlay.Mark{{ID: 1, Kind: overlay.Pen, Points: []image.Point{{X: 150, Y: 200}, {X: 250, Y: 200}}}},
		Pointers: []overlay.Pointer{{Who: 1, At: image.Pt(200, 200), Name: "Chloé"}},
	})
	if got := d.at(160, 200); got != overlay.Colours[0] {
		t.Fatalf("no ink to click on: %06x", got)
	}
	for _, at := range []image.Point{{X: 160, Y: 200}, {X: 200, Y: 200}} {
		for _, kind := range []byte{xproto.MotionNotify, xproto.ButtonPress, xproto.ButtonRelease} {
			detail := byte(1)
			if kind == xproto.MotionNotify {
				detail = 0
			}
			if err := xtest.FakeInputChecked(d.c, kind, detail, 0, d.root, int16(at.X), int16(at.Y), 0).Check(); err != nil {
				t.Fatal(err)
			}
		}
		e, err := nextPress(d.c)
		if err != nil || e.Event != w || e.RootX != int16(at.X) || e.RootY != int16(at.Y) {
			t.Errorf("the click at %v: %+v, %v", at, e, err)
		}
	}
	if now, err := xproto.GetInputFocus(d.c).Reply(); err != nil || now.Focus != focus.Focus {
		t.Errorf("the focus went from %v to %v, %v", focus, now, err)
	}
}

// nextPress is the next click on any of our windows.
func nextPress(c *xgb.Conn) (xproto.ButtonPressEvent, error) {
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(time.Millisecond) {
		e, err := c.PollForEvent()
		if err != nil {
			return xproto.ButtonPressEvent{}, err
		}
		if p, ok := e.(xproto.ButtonPressEvent); ok {
			return p, nil
		}
	}
	return xproto.ButtonPressEvent{}, os.ErrDeadlineExceeded
}

// TestOwnWindowsAreNeverCovered draws across a window that is to be spared, which
// then moves: by itself, or in the frame that a window manager put around it, which
// tells of the move as ICCCM 4.1.5 says.
func TestOwnWindowsAreNeverCovered(t *testing.T) {
	t.Parallel()
	for _, framed := range []bool{false, true} {
		t.Run(map[bool]string{false: "bare", true: "framed"}[framed], func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, false)
			frame := d.window(d.root, image.Rect(200, 200, 420, 440))
			w := frame
			if framed {
				w = d.window(frame, image.Rect(10, 30, 210, 230))
			}
			corner := image.Pt(200, 200)
			whole := func() bool {
				r := image.Rect(0, 0, 220, 240).Add(corner)
				pix := d.eyes.Pixels(width, height)
				for y := r.Min.Y; y < r.Max.Y; y++ {
					for x := r.Min.X; x < r.Max.X; x++ {
						if pix[y*width+x] != 0xffffff {
							return false
						}
					}
				}
				return true
			}
			d.until("the window is painted", whole)
			s := overlay.Scene{Spared: []uint64{uint64(w)}, Pointers: []overlay.Pointer{{Who: 1, At: image.Pt(300, 300), Name: "Chloé"}}}
			for y := 0; y < height; y += 40 {
				s.Marks = append(s.Marks, overlay.Mark{ID: uint64(y + 1), Kind: overlay.Pen, Points: []image.Point{{X: 0, Y: y}, {X: width - 1, Y: y + 30}}})
			}
			d.show(s)
			if n := d.inked(image.Rect(0, 0, 100, height)); n == 0 {
				t.Fatal("nothing is drawn")
			}
			if !whole() {
				t.Error("the window is covered")
			}
			s.Marks = append(slices.Clone(s.Marks), overlay.Mark{ID: 9999, Kind: overlay.Pen, Points: []image.Point{{X: 310, Y: 0}, {X: 310, Y: height}}})
			d.show(s)
			if d.at(310, 100) == ground || !whole() {
				t.Error("a new mark is not seen, or covers the window")
			}

			// Not for a moment either, while a pointer goes across it and a mark grows.
			for i := range 25 {
				s.Marks = slices.Clone(s.Marks)
				grown := &s.Marks[len(s.Marks)-1]
				grown.Points = append(slices.Clone(grown.Points), image.Pt(200+8*i, 220))
				s.Pointers = []overlay.Pointer{{Who: 1, At: image.Pt(180+8*i, 190+8*i), Name: "Chloé"}}
				shown := d.over.Show(s)
				for over := false; !over; {
					select {
					case <-shown:
						over = true
					default:
					}
					if !whole() {
						t.Fatalf("the window is covered while a pointer goes to %v", s.Pointers[0].At)
					}
				}
			}
			s.Pointers = []overlay.Pointer{{Who: 1, At: image.Pt(300, 300), Name: "Chloé"}}

			d.show(overlay.Scene{Spared: s.Spared, Pointers: s.Pointers})
			if !whole() {
				t.Error("a pointer covers the window")
			}
			d.show(overlay.Scene{Pointers: s.Pointers}) // it is no window of ours any more
			d.until("the pointer has no bite", func() bool { return !whole() })
			d.show(s)

			corner = image.Pt(60, 80)
			xproto.ConfigureWindow(d.c, frame, xproto.ConfigWindowX|xproto.ConfigWindowY, []uint32{60, 80})
			if framed {
				e := xproto.ConfigureNotifyEvent{Event: w, Window: w, X: 70, Y: 110, Width: 200, Height: 200}
				xproto.SendEvent(d.c, false, w, xproto.EventMaskStructureNotify, string(e.Bytes()))
			}
			d.until("the window is free where it is now", whole)
			d.until("ink is where it was", func() bool { return d.at(310, 330) != ground })
		})
	}
}

// TestWithoutAServerThereIsNoOverlay: the grant is then not served.
func TestWithoutAServerThereIsNoOverlay(t *testing.T) {
	t.Parallel()
	if x, err := overlay.OpenX11(":987"); err == nil {
		_ = x.Close()
		t.Error("an overlay without a server")
	}
}
