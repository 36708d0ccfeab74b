package overlay_test

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/tailscale/win"
	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/capture"
	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/host/overlay"
	"github.com/mainforte/mainforte/host/overlay/overlaytest"
	"github.com/mainforte/mainforte/host/winthread/wintest"
)

const ground = 0x336699

// TestMain is the other program as well: a window under everything of the ground's
// colour.
func TestMain(m *testing.M) {
	if _, is := wintest.Other(); is {
		every := func(string, string) (bool, error) { return true, nil }
		testing.Main(every, []testing.InternalTest{{Name: "ground", F: showGround}}, nil, nil) // exits
	}
	os.Exit(m.Run())
}

func screen() image.Rectangle {
	return image.Rect(0, 0, int(win.GetSystemMetrics(win.SM_CXSCREEN)), int(win.GetSystemMetrics(win.SM_CYSCREEN)))
}

// showGround is the other program: it tells what buttons it got when it is asked.
func showGround(t *testing.T) {
	w := capturetest.NewWindow(t, screen(), true)
	w.Fill(screen(), ground)
	fmt.Println("ground", w.Handle)
	in := bufio.NewReader(os.Stdin)
	for {
		if _, err := in.ReadString('\n'); err != nil {
			return
		}
		fmt.Println("buttons", strings.Join(w.Buttons(), ","))
	}
}

// desk is the screen under one window of another program's.
type desk struct {
	t       *testing.T
	over    *overlay.Windows
	size    image.Point
	window  win.HWND // the ground
	buttons func() string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, size: screen().Max}
	other := wintest.Start(t, "ground")
	lines := bufio.NewScanner(other.Out)
	for lines.Scan() && d.window == 0 {
		var w uint64
		if _, err := fmt.Sscanf(lines.Text(), "ground %d", &w); err == nil {
			d.window = win.HWND(w)
			break
		}
	}
	if d.window == 0 {
		t.Fatal("the other program shows no window")
	}
	d.buttons = func() string {
		fmt.Fprintln(other.In)
		lines.Scan()
		return strings.TrimPrefix(lines.Text(), "buttons ")
	}
	d.until("the ground is there", func() bool {
		pix := d.pixels()
		return !slices.ContainsFunc(pix, func(p uint32) bool { return p != ground })
	})
	var err error
	if d.over, err = overlay.OpenWindows(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.over.Close() })
	return d
}

func (d *desk) until(what string, ok func() bool) {
	d.t.Helper()
	for late := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(late) {
			d.t.Fatalf("not in time: %s", what)
		}
	}
}

// pixels are what a technician sees: the marks are in everybody's picture.
func (d *desk) pixels() []uint32 {
	d.t.Helper()
	src, err := capture.OpenGDI()
	if err != nil {
		d.t.Fatal(err)
	}
	defer src.Close()
	ctx, cancel := context.WithTimeout(d.t.Context(), 20*time.Second)
	defer cancel()
	f, err := src.Next(ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	pix := make([]uint32, len(f.Pix))
	for i, p := range f.Pix {
		pix[i] = p & 0xffffff
	}
	return pix
}

// ours counts the overlay's windows, by the name that says whose they are.
func (d *desk) ours() (n int) {
	user32 := windows.NewLazySystemDLL("user32.dll")
	top, _, _ := user32.NewProc("GetTopWindow").Call(0)
	for ; top != 0; top, _, _ = user32.NewProc("GetWindow").Call(top, 2) { // GW_HWNDNEXT
		var title [64]uint16
		user32.NewProc("InternalGetWindowText").Call(top, uintptr(unsafe.Pointer(&title[0])), uintptr(len(title)))
		if strings.HasPrefix(windows.UTF16ToString(title[:]), "Mainforte: marks") {
			n++
		}
	}
	return n
}

// keep keeps a picture for who wants to look: MAINFORTE_SHOTS names the folder.
func (d *desk) keep() {
	folder := os.Getenv("MAINFORTE_SHOTS")
	if folder == "" {
		return
	}
	img := image.NewRGBA(image.Rectangle{Max: d.size})
	for i, p := range d.pixels() {
		img.Set(i%d.size.X, i/d.size.X, color.RGBA{byte(p >> 16), byte(p >> 8), byte(p), 255})
	}
	f, err := os.Create(folder + "/overlay-windows.png")
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		d.t.Fatal(err)
	}
}

func TestWindowsPassesTheSuite(t *testing.T) {
	overlaytest.Run(t, func(t *testing.T) overlaytest.Desk {
		d := newDesk(t)
		return overlaytest.Desk{
			Overlay: d.over, Width: d.size.X, Height: d.size.Y, Ground: ground, Windows: d.ours, Pixels: d.pixels, Keep: d.keep, Late: true,
		}
	})
}

// TestTheOverlayTakesNoInput clicks on ink: the window beneath gets it, and the
// keyboard stays where it was. The host's own guard sees that window, too.
func TestTheOverlayTakesNoInput(t *testing.T) { // C74
	d := newDesk(t)
	front := win.GetForegroundWindow()
	overlaytest.Show(t, d.over, overlay.Scene{
		Marks:    []overlay.Mark{{ID: 1, Kind: overlay.Pen, Points: []image.Point{{X: 150, Y: 200}, {X: 250, Y: 200}}}},
		Pointers: []overlay.Pointer{{Who: 1, At: image.Pt(200, 200), Name: "Chloé"}},
	})
	d.until("there is ink to click on", func() bool { return d.pixels()[200*d.size.X+160] == overlay.Colours[0] })
	g := new(input.WindowsGuard)
	defer g.Close()
	hands := input.OpenSendInput(input.VirtualKeys)
	defer hands.Close()
	want := ""
	for _, at := range []image.Point{{X: 160, Y: 200}, {X: 200, Y: 200}} {
		if !g.PointerAllowed(at.X, at.Y) {
			t.Errorf("the technician may not click at %v, as if that were the host's", at)
		}
		if err := hands.Move(at.X, at.Y); err != nil {
			t.Fatal(err)
		}
		for _, down := range []bool{true, false} {
			if err := hands.Button(input.Left, down); err != nil {
				t.Fatal(err)
			}
		}
		want = strings.TrimPrefix(want+",left down,left up", ",")
		d.until("the click arrives beneath", func() bool { return d.buttons() == want })
	}
	if now := win.GetForegroundWindow(); now != front {
		t.Errorf("the keyboard went from %x to %x", front, now)
	}
}

// TestOwnWindowsAreNeverCovered draws across a window that is to be spared, and its
// dialog, which then move.
func TestOwnWindowsAreNeverCovered(t *testing.T) { // C75
	d := newDesk(t)
	const white = 0xffffff
	place := image.Rect(200, 200, 420, 440)
	w := capturetest.NewWindow(t, place, false)
	dialog := image.Rect(600, 100, 700, 180)
	owned := capturetest.NewOwned(t, dialog, false, w.Handle)
	fill := func() {
		w.Fill(image.Rectangle{Max: d.size}, white)
		owned.Fill(image.Rectangle{Max: d.size}, white)
	}
	free := func(r image.Rectangle) bool {
		pix := d.pixels()
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				if pix[y*d.size.X+x] != white {
					return false
				}
			}
		}
		return true
	}
	d.until("the windows are painted", func() bool { fill(); return free(place) && free(dialog) })
	s := overlay.Scene{Spared: []uint64{uint64(w.Handle)}, Pointers: []overlay.Pointer{{Who: 1, At: image.Pt(300, 300), Name: "Chloé"}}}
	for y := 0; y < d.size.Y; y += 40 {
		s.Marks = append(s.Marks, overlay.Mark{ID: uint64(y + 1), Kind: overlay.Pen, Points: []image.Point{{X: 0, Y: y}, {X: d.size.X - 1, Y: y + 30}}})
	}
	overlaytest.Show(t, d.over, s)
	at := func(x, y int) uint32 { return d.pixels()[y*d.size.X+x] }
	d.until("something is drawn", func() bool { return at(10, 1) != ground })
	if !free(place) || !free(dialog) {
		t.Error("the window or its dialog is covered")
	}
	s.Marks = append(slices.Clone(s.Marks), overlay.Mark{ID: 9999, Kind: overlay.Pen, Points: []image.Point{{X: 310, Y: 0}, {X: 310, Y: d.size.Y}}})
	overlaytest.Show(t, d.over, s)
	d.until("the new mark is seen", func() bool { return at(310, 100) != ground })
	if !free(place) {
		t.Error("a new mark covers the window")
	}
	w.Do(func() {
		win.SetWindowPos(win.HWND(w.Handle), 0, 60, 80, 0, 0, win.SWP_NOSIZE|win.SWP_NOZORDER|win.SWP_NOACTIVATE)
	})
	d.until("the window is free where it is now", func() bool { return free(image.Rect(0, 0, 220, 240).Add(image.Pt(60, 80))) })
	d.until("ink is where it was", func() bool { return at(310, 330) != white && at(310, 330) != ground })
	if !free(dialog) {
		t.Error("the dialog is covered")
	}
}
