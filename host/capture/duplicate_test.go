package capture

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// fakeOutput is a duplication as Windows describes it, and strict: what Windows
// forbids fails the test, and what an update does not name is not readable.
type fakeOutput struct {
	t      *testing.T
	desk   *fakeDesk
	at     image.Rectangle
	turned rotation
	size   image.Point // of the surface
	truth  []uint32    // the surface as it is now
	copied []uint32    // what was ever read of it
	due    change
	holds  change // of the update acquired
	taken  bool   // an update is acquired
	gone   bool   // the duplication is over
	closed bool
}

// fakeDesk is a desktop of such outputs, and a clock that only waiting moves.
type fakeDesk struct {
	t        *testing.T
	outs     []*fakeOutput
	opened   int
	openErr  error
	isVeiled bool
	clock    time.Time
	waits    int
	during   func() // called at every wait for an update or a pause
}

func (d *fakeDesk) add(at image.Rectangle, turned rotation) *fakeOutput {
	o := &fakeOutput{t: d.t, desk: d, at: at, turned: turned, size: at.Size(), closed: true}
	if turned == turned90 || turned == turned270 {
		o.size = image.Pt(o.size.Y, o.size.X)
	}
	o.truth, o.copied = make([]uint32, o.size.X*o.size.Y), make([]uint32, o.size.X*o.size.Y)
	d.outs = append(d.outs, o)
	return o
}

func (d *fakeDesk) area() (r image.Rectangle) {
	for _, o := range d.outs {
		r = r.Union(o.at)
	}
	return r
}

func (d *fakeDesk) wait(t time.Duration) {
	d.clock = d.clock.Add(t)
	if d.waits++; d.waits > 10_000 {
		d.t.Fatal("it waits for ever")
	}
	if d.during != nil {
		d.during()
	}
}

func (d *fakeDesk) duplicator() *duplicator {
	return &duplicator{
		open: func() (outs []output, err error) {
			d.opened++
			if d.openErr != nil {
				return nil, d.openErr
			}
			for _, o := range d.outs {
				if !o.closed {
					d.t.Error("an output is duplicated twice")
				}
				o.closed, o.gone, o.taken = false, false, false
				o.due = change{painted: true} // all of it, whatever the rectangles say
				for i := range o.copied {
					o.copied[i] = 0xdeaddead // a new texture holds anything
				}
				outs = append(outs, o)
			}
			return outs, nil
		},
		area: d.area, veiled: func() bool { return d.isVeiled }, over: func() error { return nil },
		opened: func(image.Rectangle) {}, moved: func() {}, now: func() time.Time { return d.clock },
		pause: func(ctx context.Context, t time.Duration) error { d.wait(t); return ctx.Err() },
	}
}

// over takes the duplications away, as a change of mode or desktop does.
func (d *fakeDesk) over() {
	for _, o := range d.outs {
		o.gone = true
	}
}

func (o *fakeOutput) place() (image.Rectangle, rotation) { return o.at, o.turned }

func (o *fakeOutput) acquire(wait time.Duration) (change, bool, error) {
	if o.closed || o.taken {
		o.t.Errorf("acquired while closed %v, acquired %v", o.closed, o.taken)
	}
	if !o.due.painted && !o.due.pointer && !o.gone && wait > 0 {
		o.desk.wait(wait)
	}
	if o.gone {
		return change{}, false, fmt.Errorf("%w: ACCESS_LOST", errTaken)
	}
	if !o.due.painted && !o.due.pointer {
		return change{}, false, nil
	}
	o.holds, o.due, o.taken = o.due, change{}, true
	return o.holds, true, nil
}

func (o *fakeOutput) read(rects []image.Rectangle, use func([]uint32, int)) error {
	if !o.taken || o.closed {
		o.t.Error("read without an update")
	}
	if o.gone {
		return fmt.Errorf("%w: DEVICE_REMOVED", errTaken)
	}
	for _, r := range rects {
		if !r.In(image.Rectangle{Max: o.size}) || r.Empty() {
			o.t.Errorf("read %v of a surface of %v", r, o.size)
		}
		for y := r.Min.Y; y < r.Max.Y; y++ {
			copy(o.copied[y*o.size.X+r.Min.X:y*o.size.X+r.Max.X], o.truth[y*o.size.X+r.Min.X:])
		}
	}
	// Rows of a texture are longer than what is seen of them.
	const pad = 3
	wide := make([]uint32, 0, (o.size.X+pad)*o.size.Y)
	for y := range o.size.Y {
		wide = append(wide, o.copied[y*o.size.X:(y+1)*o.size.X]...)
		wide = append(wide, 0xbadbad, 0xbadbad, 0xbadbad)
	}
	use(wide[:len(wide)-pad], o.size.X+pad)
	return nil
}

func (o *fakeOutput) release() error {
	if !o.taken || o.closed {
		o.t.Error("released without an update")
	}
	o.taken = false
	if o.gone {
		return fmt.Errorf("%w: ACCESS_LOST", errTaken)
	}
	return nil
}

func (o *fakeOutput) close() {
	if o.closed {
		o.t.Error("closed twice")
	}
	o.closed = true
}

// paint paints a rectangle of the surface; it is named with others or by itself.
func (o *fakeOutput) paint(r image.Rectangle, colour func() uint32) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			o.truth[y*o.size.X+x] = colour()
		}
	}
	o.due.painted, o.due.rects = true, append(slices.Clone(o.due.rects), r)
}

// move moves a rectangle of the surface, as when a page scrolls.
func (o *fakeOutput) move(r image.Rectangle, by image.Point) {
	before := slices.Clone(o.truth)
	to := r.Add(by).Intersect(image.Rectangle{Max: o.size})
	for y := to.Min.Y; y < to.Max.Y; y++ {
		for x := to.Min.X; x < to.Max.X; x++ {
			o.truth[y*o.size.X+x] = before[(y-by.Y)*o.size.X+x-by.X]
		}
	}
	o.due.painted, o.due.rects = true, append(slices.Clone(o.due.rects), to)
}

// shows is the desktop as the person sees it, worked out pixel by pixel the other
// way round: where each pixel of the surface goes.
func (d *fakeDesk) shows() []uint32 {
	area := d.area()
	pix := make([]uint32, area.Dx()*area.Dy())
	for _, o := range d.outs {
		for y := range o.size.Y {
			for x := range o.size.X {
				p := image.Pt(x, y)
				switch o.turned {
				case turned90:
					p = image.Pt(o.size.Y-1-y, x)
				case turned180:
					p = image.Pt(o.size.X-1-x, o.size.Y-1-y)
				case turned270:
					p = image.Pt(y, o.size.X-1-x)
				}
				p = p.Add(o.at.Min).Sub(area.Min)
				pix[p.Y*area.Dx()+p.X] = o.truth[y*o.size.X+x] & rgb
			}
		}
	}
	return pix
}

func frameOf(t *testing.T, d *duplicator) Frame {
	t.Helper()
	f, err := d.next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestADuplicatedDesktopIsSeenExactly: whatever is painted and moved on whatever
// outputs, however they are turned, and whenever the duplication is taken away.
func TestADuplicatedDesktopIsSeenExactly(t *testing.T) {
	const seed = 20261130
	random := rand.New(rand.NewPCG(seed, 1))
	desk := &fakeDesk{t: t, clock: time.Unix(1e9, 0)}
	desk.add(image.Rect(-40, 10, 0, 74), turned90) // to the left of the first, and lower
	desk.add(image.Rect(0, 0, 97, 61), upright)
	desk.add(image.Rect(97, 0, 130, 21), turned180)
	desk.add(image.Rect(97, 21, 118, 54), turned270)
	d := desk.duplicator()
	var seen []uint32
	rectangle := func(o *fakeOutput) image.Rectangle {
		x, y := random.IntN(o.size.X), random.IntN(o.size.Y)
		return image.Rect(x, y, x+1+random.IntN(o.size.X-x), y+1+random.IntN(o.size.Y-y))
	}
	for i := range 400 {
		before := desk.shows()
		for range 1 + random.IntN(3) {
			o := desk.outs[random.IntN(len(desk.outs))]
			switch random.IntN(8) {
			case 0:
				o.move(rectangle(o), image.Pt(random.IntN(21)-10, random.IntN(21)-10))
			case 1:
				o.due.pointer = true
			case 2: // more rectangles than anybody looks at
				for range mostRects + 1 {
					x, y := random.IntN(o.size.X), random.IntN(o.size.Y)
					o.paint(image.Rect(x, y, x+1, y+1), random.Uint32)
				}
			case 3:
				o.paint(rectangle(o), random.Uint32)
				o.due.rects, o.due.all = nil, true
			case 4: // what is named reaches over the edge, as some drivers have it
				o.due.painted, o.due.rects = true, append(slices.Clone(o.due.rects), image.Rect(-5, -5, 3, 1e6))
			default:
				o.paint(rectangle(o), random.Uint32)
			}
		}
		if random.IntN(20) == 0 {
			desk.over()
		}
		now := desk.shows()
		if len(seen) > 0 && slices.Equal(before, now) {
			continue // Next would wait
		}
		f := frameOf(t, d)
		if area := desk.area(); f.Width != area.Dx() || f.Height != area.Dy() {
			t.Fatalf("a frame of %d x %d", f.Width, f.Height)
		}
		if !slices.Equal(f.Pix, now) {
			t.Fatalf("after %d steps (seed %d) the frame is not what is shown", i, seed)
		}
		covered := func(x, y int) bool {
			return slices.ContainsFunc(f.Changed(), func(r image.Rectangle) bool { return image.Pt(x, y).In(r) })
		}
		for at := range seen {
			if x, y := at%f.Width, at/f.Width; seen[at] != f.Pix[at] && !covered(x, y) {
				t.Fatalf("after %d steps (seed %d) %d, %d changed beside the damage %v", i, seed, x, y, f.Changed())
			}
		}
		seen = slices.Clone(f.Pix)
	}
	if desk.opened < 3 {
		t.Errorf("the duplication was opened %d times only", desk.opened)
	}
	d.drop()
}

// oneOutput is a desktop of one upright output, seen once.
func oneOutput(t *testing.T) (*fakeDesk, *fakeOutput, *duplicator) {
	t.Helper()
	desk := &fakeDesk{t: t, clock: time.Unix(1e9, 0)}
	o := desk.add(image.Rect(0, 0, 64, 48), upright)
	d := desk.duplicator()
	if f := frameOf(t, d); f.Damage != image.Rect(0, 0, 64, 48) {
		t.Fatalf("at first the damage is %v", f.Damage)
	}
	return desk, o, d
}

func white1() uint32 { return 0xffffffff }

// TestDamageIsWhatDiffers: not what Windows names, which is often more.
func TestDamageIsWhatDiffers(t *testing.T) {
	desk, o, d := oneOutput(t)
	o.paint(image.Rect(5, 6, 8, 9), white1)
	o.due.rects = []image.Rectangle{image.Rect(0, 0, 64, 40)}
	if f := frameOf(t, d); f.Damage != image.Rect(5, 6, 8, 9) || f.Parts != nil {
		t.Errorf("the damage is %v, %v", f.Damage, f.Parts)
	}
	o.paint(image.Rect(0, 0, 2, 2), white1)
	o.paint(image.Rect(60, 40, 64, 48), white1)
	if f := frameOf(t, d); len(f.Parts) != 2 || f.Damage != image.Rect(0, 0, 64, 48) {
		t.Errorf("two places far apart are %v, %v", f.Damage, f.Parts)
	}
	// Painted and the same as before, and the pointer alone: no frame.
	o.paint(image.Rect(0, 0, 2, 2), white1)
	o.due.pointer = true
	ctx, cancel := context.WithCancel(t.Context())
	desk.during = func() {
		if desk.waits > 20 {
			cancel()
		}
	}
	if f, err := d.next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a frame with %v, %v", f.Damage, err)
	}
	d.drop()
}

// TestAVeiledDesktopIsGivenBackAndSeenWholeAfterwards: UAC and lock.
func TestAVeiledDesktopIsGivenBackAndSeenWholeAfterwards(t *testing.T) {
	desk, o, d := oneOutput(t)
	desk.isVeiled, desk.openErr = true, fmt.Errorf("%w: E_ACCESSDENIED", errTaken)
	desk.over()
	opened, since := desk.opened, desk.clock
	o.paint(image.Rect(0, 0, 5, 5), white1)
	desk.during = func() {
		if !o.closed {
			t.Error("a veiled desktop is still duplicated")
		}
		if desk.clock.Sub(since) > time.Minute { // the person has answered
			if desk.opened != opened {
				t.Error("it was tried while it was veiled")
			}
			desk.isVeiled, desk.openErr = false, nil
			desk.during = nil
		}
	}
	if f := frameOf(t, d); f.Damage != image.Rect(0, 0, 64, 48) || f.Pix[0] != rgb {
		t.Errorf("afterwards the damage is %v, the first pixel %#x", f.Damage, f.Pix[0])
	}
	d.drop()
}

// TestAModeChangeIsFollowed: a duplication that is over is opened again until it
// is there, with the size that the desktop then has.
func TestAModeChangeIsFollowed(t *testing.T) {
	desk, o, d := oneOutput(t)
	desk.over()
	desk.openErr = fmt.Errorf("%w: not now", errTaken)
	tries := desk.opened
	desk.during = func() {
		if desk.opened == tries+3 {
			desk.openErr = nil
			desk.outs = nil
			desk.add(image.Rect(0, 0, 32, 24), upright)
		}
	}
	if f := frameOf(t, d); f.Width != 32 || f.Height != 24 || !o.closed {
		t.Errorf("%d x %d, the old output closed %v", f.Width, f.Height, o.closed)
	}
	// A monitor more, of which the duplications that are there say nothing.
	desk.during = func() {
		if len(desk.outs) == 1 {
			desk.add(image.Rect(32, 0, 40, 8), upright)
		}
	}
	if f := frameOf(t, d); f.Width != 40 || f.Height != 24 {
		t.Errorf("%d x %d with another monitor", f.Width, f.Height)
	}
	d.drop()
}

// TestWhatCannotBeDuplicatedRests: then it is seen in another way, and tried now
// and then without a stall.
func TestWhatCannotBeDuplicatedRests(t *testing.T) {
	resting := func(t *testing.T, d *duplicator) {
		t.Helper()
		if f, err := d.next(t.Context()); !errors.Is(err, errResting) {
			t.Fatalf("a frame of %v, %v", f.Damage, err)
		}
	}
	t.Run("unsupported", func(t *testing.T) {
		desk, _, d := oneOutput(t)
		desk.over()
		desk.openErr = ErrUnsupported
		resting(t, d)
		if opened := desk.opened; opened != 2 {
			t.Errorf("opened %d times", opened)
		}
	})
	t.Run("taken for long", func(t *testing.T) {
		desk, _, d := oneOutput(t)
		desk.over()
		desk.openErr = errTaken
		since := desk.clock
		resting(t, d)
		if took := desk.clock.Sub(since); took < stubborn || took > 2*stubborn {
			t.Errorf("it is tried for %v", took)
		}
		opened, now := desk.opened, desk.clock
		resting(t, d)
		if desk.opened != opened || desk.clock != now {
			t.Error("it is tried while it rests")
		}
		desk.clock = desk.clock.Add(rest)
		now = desk.clock
		resting(t, d)
		if desk.opened != opened+1 || desk.clock != now {
			t.Errorf("after a rest it is tried %d times for %v", desk.opened-opened, desk.clock.Sub(now))
		}
		desk.clock, desk.openErr = desk.clock.Add(rest), nil
		if f := frameOf(t, d); f.Damage != image.Rect(0, 0, 64, 48) {
			t.Errorf("when it is back the damage is %v", f.Damage)
		}
		d.drop()
	})
	t.Run("never painted", func(t *testing.T) {
		desk := &fakeDesk{t: t, clock: time.Unix(1e9, 0)}
		o := desk.add(image.Rect(0, 0, 64, 48), upright)
		d := desk.duplicator()
		open := d.open
		d.open = func() ([]output, error) { outs, err := open(); o.due = change{pointer: true}; return outs, err }
		resting(t, d)
		if !o.closed {
			t.Error("it is still duplicated")
		}
	})
	t.Run("covers a part only", func(t *testing.T) {
		desk, o, d := oneOutput(t)
		d.area = func() image.Rectangle { return image.Rect(0, 0, 128, 48) } // one on an adapter that cannot
		desk.clock = desk.clock.Add(remeasure)
		resting(t, d)
		if !o.closed {
			t.Error("it is still duplicated")
		}
	})
}

// TestTheTablesOfDXGIAreAsTheHeadersSay compiles what is believed of slots and
// structures against mingw-w64's headers: nothing here runs under Wine.
func TestTheTablesOfDXGIAreAsTheHeadersSay(t *testing.T) {
	const compiler = "x86_64-w64-mingw32-gcc"
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("%s is not installed", compiler)
	}
	var c strings.Builder
	c.WriteString("#define WIN32_LEAN_AND_MEAN\n#include <stddef.h>\n#include <d3d11.h>\n#include <dxgi1_2.h>\n")
	holds := func(format string, args ...any) {
		is := fmt.Sprintf(format, args...)
		fmt.Fprintf(&c, "_Static_assert(%s, %q);\n", is, is)
	}
	for _, m := range []struct {
		at          method
		kind, entry string
	}{
		{comQueryInterface, "IDXGIResource", "QueryInterface"}, {comQueryInterface, "IDXGIOutput", "QueryInterface"},
		{comRelease, "IDXGIFactory1", "Release"}, {comRelease, "IDXGIAdapter1", "Release"}, {comRelease, "IDXGIOutput1", "Release"},
		{comRelease, "IDXGIOutputDuplication", "Release"}, {comRelease, "ID3D11Device", "Release"},
		{comRelease, "ID3D11DeviceContext", "Release"}, {comRelease, "ID3D11Texture2D", "Release"},
		{factoryEnumAdapters1, "IDXGIFactory1", "EnumAdapters1"}, {adapterEnumOutputs, "IDXGIAdapter1", "EnumOutputs"},
		{outputGetDesc, "IDXGIOutput", "GetDesc"}, {outputDuplicate, "IDXGIOutput1", "DuplicateOutput"},
		{duplicationGetDesc, "IDXGIOutputDuplication", "GetDesc"}, {duplicationAcquire, "IDXGIOutputDuplication", "AcquireNextFrame"},
		{duplicationDirtyRects, "IDXGIOutputDuplication", "GetFrameDirtyRects"},
		{duplicationMoveRects, "IDXGIOutputDuplication", "GetFrameMoveRects"},
		{duplicationReleaseFrame, "IDXGIOutputDuplication", "ReleaseFrame"},
		{deviceCreateTexture2D, "ID3D11Device", "CreateTexture2D"}, {contextMap, "ID3D11DeviceContext", "Map"},
		{contextUnmap, "ID3D11DeviceContext", "Unmap"}, {contextCopySubresource, "ID3D11DeviceContext", "CopySubresourceRegion"},
	} {
		holds("offsetof(%sVtbl, %s) == 8 * %d", m.kind, m.entry, m.at)
	}
	for _, f := range []struct {
		kind, field string
		at          uintptr
	}{
		{"DXGI_OUTPUT_DESC", "DesktopCoordinates", unsafe.Offsetof(outputDesc{}.desktop)},
		{"DXGI_OUTPUT_DESC", "AttachedToDesktop", unsafe.Offsetof(outputDesc{}.attached)},
		{"DXGI_OUTPUT_DESC", "Rotation", unsafe.Offsetof(outputDesc{}.rotation)},
		{"DXGI_OUTDUPL_DESC", "Rotation", unsafe.Offsetof(duplicationDesc{}.rotation)},
		{"DXGI_OUTDUPL_FRAME_INFO", "LastPresentTime", unsafe.Offsetof(frameInfo{}.presented)},
		{"DXGI_OUTDUPL_FRAME_INFO", "LastMouseUpdateTime", unsafe.Offsetof(frameInfo{}.pointed)},
		{"DXGI_OUTDUPL_FRAME_INFO", "TotalMetadataBufferSize", unsafe.Offsetof(frameInfo{}.metadata)},
		{"DXGI_OUTDUPL_MOVE_RECT", "DestinationRect", unsafe.Offsetof(moveRect{}.to)},
		{"D3D11_TEXTURE2D_DESC", "Format", unsafe.Offsetof(textureDesc{}.format)},
		{"D3D11_TEXTURE2D_DESC", "SampleDesc", unsafe.Offsetof(textureDesc{}.samples)},
		{"D3D11_TEXTURE2D_DESC", "Usage", unsafe.Offsetof(textureDesc{}.usage)},
		{"D3D11_TEXTURE2D_DESC", "CPUAccessFlags", unsafe.Offsetof(textureDesc{}.access)},
		{"D3D11_BOX", "right", unsafe.Offsetof(box{}.right)},
		{"D3D11_MAPPED_SUBRESOURCE", "RowPitch", unsafe.Offsetof(mapped{}.row)},
	} {
		holds("offsetof(%s, %s) == %d", f.kind, f.field, f.at)
	}
	for kind, size := range map[string]uintptr{
		"DXGI_OUTPUT_DESC": unsafe.Sizeof(outputDesc{}), "DXGI_OUTDUPL_DESC": unsafe.Sizeof(duplicationDesc{}),
		"DXGI_OUTDUPL_FRAME_INFO": unsafe.Sizeof(frameInfo{}), "DXGI_OUTDUPL_MOVE_RECT": unsafe.Sizeof(moveRect{}),
		"D3D11_TEXTURE2D_DESC": unsafe.Sizeof(textureDesc{}), "D3D11_BOX": unsafe.Sizeof(box{}),
		"D3D11_MAPPED_SUBRESOURCE": unsafe.Sizeof(mapped{}), "RECT": unsafe.Sizeof(rect{}),
	} {
		holds("sizeof(%s) == %d", kind, size)
	}
	for name, number := range map[string]uint32{
		"DXGI_FORMAT_B8G8R8A8_UNORM": formatBGRA, "D3D11_USAGE_STAGING": usageStaging, "D3D11_CPU_ACCESS_READ": accessRead,
		"D3D11_MAP_READ": mapRead, "D3D11_SDK_VERSION": sdkVersion, "D3D_DRIVER_TYPE_UNKNOWN": driverOfIts,
		"DXGI_ERROR_DEVICE_REMOVED": errRemoved, "DXGI_ERROR_NOT_CURRENTLY_AVAILABLE": errNotNow,
		"DXGI_ERROR_ACCESS_LOST": errAccessLost, "DXGI_ERROR_WAIT_TIMEOUT": errWaitTimeout,
		"DXGI_ERROR_SESSION_DISCONNECTED": errDisconnected, "E_ACCESSDENIED": errAccessDenied,
		"DXGI_MODE_ROTATION_IDENTITY": uint32(upright), "DXGI_MODE_ROTATION_ROTATE90": uint32(turned90),
		"DXGI_MODE_ROTATION_ROTATE180": uint32(turned180), "DXGI_MODE_ROTATION_ROTATE270": uint32(turned270),
	} {
		holds("(unsigned)(%s) == %#xu", name, number)
	}
	file := filepath.Join(t.TempDir(), "layout.c")
	if err := os.WriteFile(file, []byte(c.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(compiler, "-fsyntax-only", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// The ids stand in no constant of C: the headers' text has them, with any blanks.
	out, err := exec.Command(compiler, "-M", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	var headers strings.Builder
	for _, path := range strings.Fields(string(out)) {
		if slices.Contains([]string{"dxgi.h", "dxgi1_2.h", "d3d11.h"}, filepath.Base(path)) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			headers.WriteString(strings.Join(strings.Fields(string(b)), ""))
		}
	}
	for name, id := range map[string]guid{"IDXGIFactory1": iidFactory1, "IDXGIOutput1": iidOutput1, "ID3D11Texture2D": iidTexture2D} {
		want := fmt.Sprintf("DEFINE_GUID(IID_%s,0x%08x,0x%04x,0x%04x", name, id.a, id.b, id.c)
		for _, b := range id.d {
			want += fmt.Sprintf(",0x%02x", b)
		}
		if !strings.Contains(headers.String(), want) {
			t.Errorf("the headers do not have %s", want)
		}
	}
}
