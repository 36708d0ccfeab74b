package capture

import (
	"errors"
	"fmt"
	"image"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	dxgi  = windows.NewLazySystemDLL("dxgi.dll")
	d3d11 = windows.NewLazySystemDLL("d3d11.dll")

	createFactory = dxgi.NewProc("CreateDXGIFactory1")
	createDevice  = d3d11.NewProc("D3D11CreateDevice")
)

// object is a COM object: a pointer to a pointer to the table of its methods.
type object struct{ methods *[64]uintptr }

// hresult is an error of COM.
type hresult uint32

func (h hresult) Error() string { return fmt.Sprintf("HRESULT %#x", uint32(h)) }

// is tells whether an error is this one of COM's.
func (h hresult) is(err error) bool { var got hresult; return errors.As(err, &got) && got == h }

// result makes an error of what a method returned.
func result(r uintptr) error {
	if int32(r) < 0 {
		return hresult(r)
	}
	return nil
}

// call calls a method. What its arguments point to stays where it is meanwhile.
//
//go:uintptrescapes
func (o *object) call(m method, args ...uintptr) error {
	r, _, _ := syscall.SyscallN(o.methods[m], append([]uintptr{uintptr(unsafe.Pointer(o))}, args...)...)
	return result(r)
}

func (o *object) release() {
	if o != nil {
		_ = o.call(comRelease)
	}
}

// as asks an object for another of its interfaces.
func (o *object) as(id *guid) (other *object, err error) {
	err = o.call(comQueryInterface, uintptr(unsafe.Pointer(id)), uintptr(unsafe.Pointer(&other)))
	return other, err
}

// openOutputs duplicates every output that shows a part of the desktop, of every
// graphics adapter.
func openOutputs() (outs []output, err error) {
	defer func() {
		if err != nil {
			for _, o := range outs {
				o.close()
			}
			outs = nil
		}
	}()
	for _, p := range []*windows.LazyProc{createFactory, createDevice} {
		if err := p.Find(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
	}
	var factory *object // a new one: an old one does not see changes
	r, _, _ := syscall.SyscallN(createFactory.Addr(), uintptr(unsafe.Pointer(&iidFactory1)), uintptr(unsafe.Pointer(&factory)))
	if err := result(r); err != nil {
		return nil, fmt.Errorf("%w: CreateDXGIFactory1: %w", ErrUnsupported, err)
	}
	defer factory.release()
	for i := uintptr(0); ; i++ {
		var adapter *object
		if err := factory.call(factoryEnumAdapters1, i, uintptr(unsafe.Pointer(&adapter))); err != nil {
			break // DXGI_ERROR_NOT_FOUND after the last
		}
		more, err := adapterOutputs(adapter)
		adapter.release()
		outs = append(outs, more...)
		if err != nil {
			return outs, err
		}
	}
	if len(outs) == 0 {
		return nil, fmt.Errorf("%w: no output shows the desktop", ErrUnsupported)
	}
	return outs, nil
}

// adapterOutputs duplicates the outputs of one adapter.
func adapterOutputs(adapter *object) (outs []output, err error) {
	for i := uintptr(0); ; i++ {
		var out *object
		if err := adapter.call(adapterEnumOutputs, i, uintptr(unsafe.Pointer(&out))); err != nil {
			return outs, nil
		}
		var desc outputDesc
		err := out.call(outputGetDesc, uintptr(unsafe.Pointer(&desc)))
		if err == nil && desc.attached != 0 {
			var d *duplication
			if d, err = duplicate(adapter, out, &desc); err == nil {
				outs = append(outs, d)
			}
		}
		out.release()
		if err != nil {
			return outs, err
		}
	}
}

// duplication is an output by IDXGIOutputDuplication: its surface is copied on
// the graphics card into a texture that can be read.
type duplication struct {
	at                       image.Rectangle
	turned                   rotation
	size                     image.Point // of the surface
	device, context          *object
	object, staging, surface *object
	dirty                    []rect
	moves                    []moveRect
	rects                    []image.Rectangle
}

// duplicate duplicates an output. It has a device of its own, so that nothing is
// shared between outputs.
func duplicate(adapter, out *object, desc *outputDesc) (d *duplication, err error) {
	d = &duplication{at: image.Rect(int(desc.desktop.left), int(desc.desktop.top), int(desc.desktop.right), int(desc.desktop.bottom))}
	defer func() {
		if err != nil {
			d.close()
			d = nil
		}
	}()
	r, _, _ := syscall.SyscallN(createDevice.Addr(), uintptr(unsafe.Pointer(adapter)), driverOfIts, 0, 0, 0, 0, sdkVersion,
		uintptr(unsafe.Pointer(&d.device)), 0, uintptr(unsafe.Pointer(&d.context)))
	if err := result(r); err != nil {
		return d, fmt.Errorf("%w: D3D11CreateDevice: %w", ErrUnsupported, err)
	}
	out1, err := out.as(&iidOutput1)
	if err != nil {
		return d, fmt.Errorf("%w: no IDXGIOutput1: %w", ErrUnsupported, err)
	}
	defer out1.release()
	err = out1.call(outputDuplicate, uintptr(unsafe.Pointer(d.device)), uintptr(unsafe.Pointer(&d.object)))
	if err != nil {
		kind := ErrUnsupported
		for _, passing := range []hresult{errAccessDenied, errNotNow, errAccessLost, errRemoved, errDisconnected} {
			if passing.is(err) {
				kind = errTaken
			}
		}
		return d, fmt.Errorf("%w: DuplicateOutput: %w", kind, err)
	}
	var dup duplicationDesc
	// GetDesc returns nothing: what is in its register is no result.
	_ = d.object.call(duplicationGetDesc, uintptr(unsafe.Pointer(&dup)))
	d.turned, d.size = dup.rotation, d.at.Size()
	if d.turned == turned90 || d.turned == turned270 {
		d.size = image.Pt(d.size.Y, d.size.X)
	}
	texture := textureDesc{
		width: uint32(d.size.X), height: uint32(d.size.Y), mips: 1, layers: 1, format: formatBGRA,
		samples: 1, usage: usageStaging, access: accessRead,
	}
	err = d.device.call(deviceCreateTexture2D, uintptr(unsafe.Pointer(&texture)), 0, uintptr(unsafe.Pointer(&d.staging)))
	if err != nil {
		return d, fmt.Errorf("%w: CreateTexture2D: %w", ErrUnsupported, err)
	}
	return d, nil
}

func (d *duplication) place() (image.Rectangle, rotation) { return d.at, d.turned }

func (d *duplication) acquire(wait time.Duration) (c change, ok bool, err error) {
	var info frameInfo
	var resource *object
	err = d.object.call(duplicationAcquire, uintptr(wait.Milliseconds()), uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&resource)))
	if hresult(errWaitTimeout).is(err) {
		return c, false, nil
	}
	if err != nil {
		return c, false, fmt.Errorf("%w: AcquireNextFrame: %w", errTaken, err)
	}
	d.surface, err = resource.as(&iidTexture2D)
	resource.release()
	if err != nil {
		return c, false, errors.Join(fmt.Errorf("%w: no texture: %w", errTaken, err), d.release())
	}
	c.painted, c.pointer = info.presented != 0, info.pointed != 0
	if c.painted {
		c.rects, c.all = d.changed(info.metadata)
	}
	return c, true, nil
}

// changed lists where the surface is another one; all if that is not known.
func (d *duplication) changed(metadata uint32) (rects []image.Rectangle, all bool) {
	const most = 1 << 20 // bytes
	if metadata == 0 || metadata > most {
		return nil, true
	}
	d.moves = grown(d.moves, int(metadata)/int(unsafe.Sizeof(moveRect{}))+1)
	d.dirty = grown(d.dirty, int(metadata)/int(unsafe.Sizeof(rect{}))+1)
	moves, err := list(d.object, duplicationMoveRects, d.moves)
	if err != nil {
		return nil, true
	}
	dirty, err := list(d.object, duplicationDirtyRects, d.dirty)
	if err != nil {
		return nil, true
	}
	d.rects = d.rects[:0]
	// What was moved is read like what was painted: the picture finds for itself
	// what was there before.
	for _, m := range moves {
		d.rects = append(d.rects, m.to.image())
	}
	for _, r := range dirty {
		d.rects = append(d.rects, r.image())
	}
	return d.rects, false
}

func (r rect) image() image.Rectangle {
	return image.Rect(int(r.left), int(r.top), int(r.right), int(r.bottom))
}

func grown[T any](s []T, n int) []T {
	if len(s) < n {
		return make([]T, n)
	}
	return s
}

// list asks for rectangles; what it returns lies in s.
func list[T any](o *object, m method, s []T) ([]T, error) {
	var bytes uint32
	size := unsafe.Sizeof(s[0])
	err := o.call(m, uintptr(len(s))*size, uintptr(unsafe.Pointer(&s[0])), uintptr(unsafe.Pointer(&bytes)))
	if err != nil {
		return nil, err
	}
	return s[:min(len(s), int(uintptr(bytes)/size))], nil
}

func (d *duplication) read(rects []image.Rectangle, use func(pix []uint32, stride int)) error {
	for _, r := range rects {
		b := box{uint32(r.Min.X), uint32(r.Min.Y), 0, uint32(r.Max.X), uint32(r.Max.Y), 1}
		// CopySubresourceRegion returns nothing.
		_ = d.context.call(contextCopySubresource, uintptr(unsafe.Pointer(d.staging)), 0, uintptr(b.left), uintptr(b.top), 0,
			uintptr(unsafe.Pointer(d.surface)), 0, uintptr(unsafe.Pointer(&b)))
	}
	var m mapped
	err := d.context.call(contextMap, uintptr(unsafe.Pointer(d.staging)), 0, mapRead, 0, uintptr(unsafe.Pointer(&m)))
	if err != nil {
		return fmt.Errorf("%w: Map: %w", errTaken, err)
	}
	stride := int(m.row / 4)
	use(unsafe.Slice((*uint32)(m.data), stride*(d.size.Y-1)+d.size.X), stride)
	_ = d.context.call(contextUnmap, uintptr(unsafe.Pointer(d.staging)), 0)
	return nil
}

func (d *duplication) release() error {
	d.surface.release()
	d.surface = nil
	if err := d.object.call(duplicationReleaseFrame); err != nil {
		return fmt.Errorf("%w: ReleaseFrame: %w", errTaken, err)
	}
	return nil
}

func (d *duplication) close() {
	for _, o := range []**object{&d.surface, &d.staging, &d.object, &d.context, &d.device} {
		(*o).release()
		*o = nil
	}
}
