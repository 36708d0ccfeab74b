package capture

import (
	"fmt"
	"image"
	"unsafe"

	"golang.org/x/sys/windows"
)

// screen is the whole virtual screen and a bitmap in memory to copy it into.
// Device contexts made by CreateDC and CreateCompatibleDC belong to no thread;
// they are used by one at a time.
type screen struct {
	area        image.Rectangle // in the system's coordinates
	dc, mem     uintptr
	bitmap, old uintptr
	bits        []uint32 // of the bitmap: rows from the top, 0x??RRGGBB
}

// openScreen makes a bitmap as large as the virtual screen is now.
func openScreen(area image.Rectangle) (s *screen, err error) {
	if area.Empty() {
		return nil, fmt.Errorf("%w: no monitor is active", ErrUnsupported)
	}
	s = &screen{area: area}
	defer func() {
		if err != nil {
			s.close()
			s = nil
		}
	}()
	name, err := windows.UTF16PtrFromString("DISPLAY")
	if err != nil {
		return s, err
	}
	if s.dc, err = call(createDC, uintptr(unsafe.Pointer(name)), 0, 0, 0); err != nil {
		return s, err
	}
	if s.mem, err = call(createCompatibleDC, s.dc); err != nil {
		return s, err
	}
	w, h := area.Dx(), area.Dy()
	info := header32(w, h)
	var bits unsafe.Pointer // of GDI, not of Go
	const colours = 0       // DIB_RGB_COLORS
	s.bitmap, err = call(createDIBSection, s.dc, uintptr(unsafe.Pointer(&info)), colours, uintptr(unsafe.Pointer(&bits)), 0, 0)
	if err != nil {
		return s, err
	}
	if s.old, err = call(selectObject, s.mem, s.bitmap); err != nil {
		return s, err
	}
	s.bits = unsafe.Slice((*uint32)(bits), w*h)
	return s, nil
}

// copy brings some rows of the bitmap up to date.
//
// Without CAPTUREBLT: since Windows 8 the desktop is always composed and a
// plain copy has layered windows too (MathewSachin/Captura#242), while with it
// the person's pointer flickers at every copy (BoboTiG/python-mss#179). Go
// itself needs Windows 10.
func (s *screen) copy(from, to int) error {
	const srcCopy = 0x00CC0020
	_, err := callPlain(bitBlt, s.mem, 0, uintptr(from), uintptr(s.area.Dx()), uintptr(to-from),
		s.dc, uintptr(s.area.Min.X), uintptr(s.area.Min.Y+from), srcCopy)
	if err != nil {
		return err
	}
	_, err = callPlain(gdiFlush) // until then the bitmap may not be read
	return err
}

// close gives everything back; bits may not be read after it.
func (s *screen) close() {
	if s.old != 0 {
		_, _ = call(selectObject, s.mem, s.old)
	}
	if s.bitmap != 0 {
		_, _ = call(deleteObject, s.bitmap)
	}
	for _, dc := range []uintptr{s.mem, s.dc} {
		if dc != 0 {
			_, _ = call(deleteDC, dc)
		}
	}
	*s = screen{}
}
