package overlay

import (
	"fmt"
	"image"
	"unsafe"

	"github.com/tailscale/win"
	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/winthread"
)

// What github.com/tailscale/win does not have.
var (
	user32                      = windows.NewLazySystemDLL("user32.dll")
	updateLayeredWindowIndirect = user32.NewProc("UpdateLayeredWindowIndirect")
)

// layer is a window with transparency of its own, and what it shows. Everything
// of it belongs to the thread.
type layer struct {
	window win.HWND
	dc     win.HDC
	bitmap win.HBITMAP
	before win.HGDIOBJ
	pix    []uint32 // premultiplied 0xAARRGGBB, rows from the top
	w, h   int
	placed bool
}

// newLayer makes one that is not shown yet. It is above all windows, in no task
// bar, and takes neither input nor focus (C74).
func newLayer(t *winthread.Thread, w, h int) (*layer, error) {
	l := &layer{w: w, h: h}
	const title = "Mainforte: marks of those who help you"
	var err error
	l.window, err = t.Open(win.WS_POPUP,
		win.WS_EX_LAYERED|win.WS_EX_TRANSPARENT|win.WS_EX_NOACTIVATE|win.WS_EX_TOOLWINDOW|win.WS_EX_TOPMOST, // C74
		title, 0, 0, int32(w), int32(h))
	if err != nil {
		return nil, err
	}
	var info win.BITMAPINFOHEADER
	info.BiSize = uint32(unsafe.Sizeof(info))
	info.BiWidth, info.BiHeight, info.BiPlanes, info.BiBitCount = int32(w), int32(-h), 1, 32
	var pix unsafe.Pointer
	l.dc = win.CreateCompatibleDC(0)
	l.bitmap = win.CreateDIBSection(l.dc, &info, win.DIB_RGB_COLORS, &pix, 0, 0)
	if l.dc == 0 || l.bitmap == 0 || pix == nil {
		l.drop(t)
		return nil, fmt.Errorf("overlay: no picture of %d × %d pixels: %w", w, h, windows.GetLastError())
	}
	l.before = win.SelectObject(l.dc, win.HGDIOBJ(l.bitmap))
	l.pix = unsafe.Slice((*uint32)(pix), w*h)
	return l, nil
}

func (l *layer) drop(t *winthread.Thread) {
	l.pix = nil
	t.Drop(l.window)
	if l.before != 0 {
		win.SelectObject(l.dc, l.before)
	}
	if l.bitmap != 0 {
		win.DeleteObject(win.HGDIOBJ(l.bitmap))
	}
	if l.dc != 0 {
		win.DeleteDC(l.dc)
	}
}

// draw takes over a part of a canvas of the same size, but for what is spared.
func (l *layer) draw(ink *canvas, r image.Rectangle, spared []image.Rectangle) {
	r = r.Intersect(image.Rect(0, 0, l.w, l.h))
	for y := r.Min.Y; y < r.Max.Y; y++ {
		from, to := ink.pix[y*l.w:(y+1)*l.w], l.pix[y*l.w:(y+1)*l.w]
		for x := r.Min.X; x < r.Max.X; x++ {
			if p := from[x]; p != 0 {
				to[x] = rgb(p) | 0xff000000
			} else {
				to[x] = 0
			}
		}
	}
	for _, s := range spared { // C75
		s = s.Intersect(r)
		for y := s.Min.Y; y < s.Max.Y; y++ {
			clear(l.pix[y*l.w+s.Min.X : y*l.w+max(s.Min.X, s.Max.X)])
		}
	}
}

// updateLayered is UPDATELAYEREDWINDOWINFO.
type updateLayered struct {
	size   uint32
	dst    win.HDC
	at     *win.POINT
	extent *win.SIZE
	src    win.HDC
	from   *win.POINT
	key    uint32
	blend  *win.BLENDFUNCTION
	flags  uint32
	dirty  *win.RECT
}

// show puts it onto the screen at a place, r of it new.
func (l *layer) show(at image.Point, r image.Rectangle) {
	const colourKey, alpha = 1, 2 // ULW_
	place := win.POINT{X: int32(at.X), Y: int32(at.Y)}
	extent := win.SIZE{CX: int32(l.w), CY: int32(l.h)}
	dirty := win.RECT{Left: int32(r.Min.X), Top: int32(r.Min.Y), Right: int32(r.Max.X), Bottom: int32(r.Max.Y)}
	u := updateLayered{
		at: &place, extent: &extent, src: l.dc, from: new(win.POINT), flags: alpha,
		blend: &win.BLENDFUNCTION{SourceConstantAlpha: 255, AlphaFormat: win.AC_SRC_ALPHA},
	}
	u.size = uint32(unsafe.Sizeof(u))
	if winthread.UnderWine {
		// Wine 8 shows what is transparent as black on an X server that composes
		// nothing, unless a colour says where: black itself, which no ink has. For a
		// second or two after a change it may do so all the same; GDI, and so our own
		// capture, sees the right picture meanwhile.
		u.flags |= colourKey
	}
	if l.placed {
		u.dirty = &dirty
	}
	win.GdiFlush()
	_, _, _ = updateLayeredWindowIndirect.Call(uintptr(l.window), uintptr(unsafe.Pointer(&u)))
	if !l.placed {
		l.placed = true
		win.ShowWindow(l.window, win.SW_SHOWNOACTIVATE)
		l.raise()
	}
}

// move moves what is shown.
func (l *layer) move(at image.Point) {
	win.SetWindowPos(l.window, 0, int32(at.X), int32(at.Y), 0, 0, win.SWP_NOSIZE|win.SWP_NOZORDER|win.SWP_NOACTIVATE)
}

func (l *layer) raise() {
	win.SetWindowPos(l.window, win.HWND_TOPMOST, 0, 0, 0, 0, win.SWP_NOSIZE|win.SWP_NOMOVE|win.SWP_NOACTIVATE)
}
