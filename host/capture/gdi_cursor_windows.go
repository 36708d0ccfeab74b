package capture

import (
	"context"
	"image"
	"sync"
	"time"
	"unsafe"

	"github.com/mainforte/mainforte/host/beat"
)

// cursorWatch follows the pointer's shape. Windows tells nobody of a new one:
// it is asked for, often while the pointer moves.
type cursorWatch struct {
	mu     sync.Mutex // held by NextCursor; guards what follows
	shown  bool       // a shape was returned before
	handle uintptr    // of the shape returned last, 0 if it was none
	hidden bool
	x, y   int32
	moved  time.Time
}

// pointerTime is how often a pointer is asked for that nobody moves.
const pointerTime = beat.Every

// cursorInfo is CURSORINFO.
type cursorInfo struct {
	size, flags uint32
	handle      uintptr
	x, y        int32
}

// Pointer implements Pointing.
func (g *GDI) Pointer() (image.Point, bool) {
	info := cursorInfo{size: uint32(unsafe.Sizeof(cursorInfo{}))}
	if _, err := call(getCursorInfo, uintptr(unsafe.Pointer(&info))); err != nil {
		return image.Point{}, false // as on a locked computer
	}
	return image.Pt(int(info.x), int(info.y)).Sub(g.corner()), true
}

// NextCursor implements Source.
func (g *GDI) NextCursor(ctx context.Context) (Cursor, error) {
	w := &g.cursor
	w.mu.Lock()
	defer w.mu.Unlock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-g.pointed:
		case <-ctx.Done():
			return Cursor{}, ctx.Err()
		case <-g.closed:
			return Cursor{}, g.gone()
		}
		select {
		case <-g.closed:
			return Cursor{}, g.gone()
		default:
		}
		now := time.Now()
		if c, ok := w.look(now); ok {
			return c, nil
		}
		if now.Sub(w.moved) < lively {
			timer.Reset(frameTime)
		} else {
			timer.Reset(beat.Wait(pointerTime))
		}
	}
}

// look returns the shape if it is another one than before.
func (w *cursorWatch) look(now time.Time) (Cursor, bool) {
	const (
		showing    = 1 // CURSOR_SHOWING
		suppressed = 2 // CURSOR_SUPPRESSED: the last input was touch or pen
	)
	info := cursorInfo{size: uint32(unsafe.Sizeof(cursorInfo{}))}
	_, err := call(getCursorInfo, uintptr(unsafe.Pointer(&info)))
	if err != nil {
		// As on a locked computer: the technician keeps the last shape.
		return arrow(), w.first(0, false)
	}
	if info.x != w.x || info.y != w.y {
		w.x, w.y, w.moved = info.x, info.y, now
	}
	hidden := info.flags&showing == 0
	if hidden && (info.flags&suppressed != 0 || metric(metricMousePresent) == 0) {
		// Hidden for want of a mouse here. The technician has one.
		hidden = false
	}
	if hidden {
		if w.shown && w.hidden {
			return Cursor{}, false
		}
		w.first(0, true)
		return Cursor{}, true
	}
	if w.shown && !w.hidden && w.handle == info.handle {
		return Cursor{}, false
	}
	c, ok := iconShape(info.handle)
	if !ok {
		// Without a shape, or gone since it was asked for.
		if info.handle != 0 && w.shown {
			return Cursor{}, false
		}
		c = arrow()
	}
	w.first(info.handle, false)
	return c, true
}

// first notes what is returned, and tells whether it is the first.
func (w *cursorWatch) first(handle uintptr, hidden bool) bool {
	first := !w.shown
	w.shown, w.handle, w.hidden = true, handle, hidden
	return first
}

// iconInfo is ICONINFO.
type iconInfo struct {
	isIcon       int32
	hotX, hotY   uint32
	mask, colour uintptr
}

// bitmapInfo is BITMAP.
type bitmapInfo struct {
	kind, width, height, stride int32
	planes, bits                uint16
	pixels                      uintptr
}

// largestIcon bounds what another program may hand us.
const largestIcon = 1024

// iconShape reads a pointer's shape.
func iconShape(handle uintptr) (Cursor, bool) {
	if handle == 0 {
		return Cursor{}, false
	}
	var icon iconInfo
	if _, err := call(getIconInfo, handle, uintptr(unsafe.Pointer(&icon))); err != nil {
		return Cursor{}, false
	}
	for _, b := range []uintptr{icon.mask, icon.colour} {
		if b != 0 {
			defer func() { _, _ = call(deleteObject, b) }()
		}
	}
	mask, w, h, ok := bitmapPixels(icon.mask)
	if !ok {
		return Cursor{}, false
	}
	hotX, hotY := int(icon.hotX), int(icon.hotY)
	if icon.colour == 0 { // the AND mask above the XOR mask
		h /= 2
		return monochromeCursor(mask[:w*h], mask[w*h:2*w*h], w, h, hotX, hotY), true
	}
	colour, cw, ch, ok := bitmapPixels(icon.colour)
	if !ok || cw != w || ch != h {
		return Cursor{}, false
	}
	return colourCursor(mask, colour, w, h, hotX, hotY), true
}

// bitmapPixels reads a bitmap as 0xAARRGGBB, rows from the top.
func bitmapPixels(bitmap uintptr) (pix []uint32, w, h int, ok bool) {
	var b bitmapInfo
	if _, err := call(getObject, bitmap, unsafe.Sizeof(b), uintptr(unsafe.Pointer(&b))); err != nil {
		return nil, 0, 0, false
	}
	w, h = int(b.width), int(b.height)
	if w < 1 || h < 1 || w > largestIcon || h > 2*largestIcon {
		return nil, 0, 0, false
	}
	dc, err := call(createCompatibleDC, 0)
	if err != nil {
		return nil, 0, 0, false
	}
	defer func() { _, _ = call(deleteDC, dc) }()
	info := struct {
		header
		colours [2]uint32
	}{header: header32(w, h)}
	pix = make([]uint32, w*h)
	_, err = call(getDIBits, dc, bitmap, 0, uintptr(h), uintptr(unsafe.Pointer(unsafe.SliceData(pix))), uintptr(unsafe.Pointer(&info)), 0)
	return pix, w, h, err == nil
}
