//go:build cgo && (linux || (windows && vpx))

package vpx

/*
#cgo CFLAGS: -O3 -Wall
#cgo linux LDFLAGS: -l:libvpx.a -lm -lpthread
#cgo windows LDFLAGS: -l:libvpx.a -lm -l:libwinpthread.a
#include "encoder.h"
*/
import "C"

import (
	"fmt"
	"image"
	"unsafe"
)

// Built tells whether this program holds libvpx.
const Built = true

// block is the side of a block of the active map, in pixels of the encoded
// picture, for all codecs.
const block = 16

// Encoder is one libvpx encoder with its planes. It is for one goroutine at a
// time. Close must be called.
type Encoder struct {
	c          Config
	w, h       int // encoded
	e          *C.mf_encoder
	rows, cols int
	active     []byte
	last       uint64
	begun      bool
}

// New makes an encoder. The error wraps ErrConfig or ErrCodec.
func New(c Config) (*Encoder, error) {
	if !c.valid() {
		return nil, fmt.Errorf("%w: %+v", ErrConfig, c)
	}
	w, h := c.Size()
	conf := C.mf_config{
		vp9: flag(c.Codec != VP8), i444: flag(c.Codec == VP9Full), w: C.int(w), h: C.int(h),
		kbps: C.int(c.Kbps), threads: C.int(c.Threads), speed: C.int(c.Speed), min_q: C.int(c.MinQ), max_q: C.int(c.MaxQ),
	}
	var why *C.char
	e := C.mf_new(&conf, &why)
	if e == nil {
		return nil, fmt.Errorf("%w: %s", ErrCodec, C.GoString(why))
	}
	enc := &Encoder{c: c, w: w, h: h, e: e, rows: (h + block - 1) / block, cols: (w + block - 1) / block}
	enc.active = make([]byte, enc.rows*enc.cols)
	return enc, nil
}

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// Load takes pixels of the source, 0x00RRGGBB, in rows of stride pixels from
// its top left corner, and reads those in the rectangles: what else the planes
// hold stays. Rectangles may reach over the edge. The error wraps ErrConfig.
func (e *Encoder) Load(pix []uint32, stride int, rects []image.Rectangle) error {
	if stride < e.c.Width || len(pix) < stride*(e.c.Height-1)+e.c.Width {
		return fmt.Errorf("%w: %d pixels, %d a row, for %d x %d", ErrConfig, len(pix), stride, e.c.Width, e.c.Height)
	}
	for _, r := range rects {
		if r = r.Intersect(image.Rect(0, 0, e.c.Width, e.c.Height)); r.Empty() {
			continue
		}
		// In pairs of pixels: a sample of chroma is one.
		r = e.c.Scale.cells(r, 2)
		C.mf_load(e.e, (*C.uint32_t)(unsafe.Pointer(&pix[0])), C.long(stride), C.int(e.c.Width), C.int(e.c.Height), C.int(e.c.Scale),
			C.int(2*r.Min.X), C.int(2*r.Min.Y), C.int(min(2*r.Max.X, e.w)), C.int(min(2*r.Max.Y, e.h)))
	}
	return nil
}

// SetActive limits the next frames to blocks that rectangles of the source
// touch: all others repeat what they showed. nil is the whole picture. A key
// frame is always whole. The error wraps ErrCodec.
func (e *Encoder) SetActive(rects []image.Rectangle) error {
	fill := byte(0)
	if rects == nil {
		fill = 1
	}
	for i := range e.active {
		e.active[i] = fill
	}
	for _, r := range rects {
		if r = r.Intersect(image.Rect(0, 0, e.c.Width, e.c.Height)); r.Empty() {
			continue
		}
		r = e.c.Scale.cells(r, block)
		for y := r.Min.Y; y < min(r.Max.Y, e.rows); y++ {
			for x := r.Min.X; x < min(r.Max.X, e.cols); x++ {
				e.active[y*e.cols+x] = 1
			}
		}
	}
	return failed(C.mf_active(e.e, (*C.uint8_t)(&e.active[0]), C.int(e.rows), C.int(e.cols)))
}

// SetRate changes the aim, in kbit/s. The error wraps ErrConfig or ErrCodec.
func (e *Encoder) SetRate(kbps int) error {
	if kbps < 1 {
		return fmt.Errorf("%w: %d kbit/s", ErrConfig, kbps)
	}
	return failed(C.mf_rate(e.e, C.int(kbps)))
}

// SetSpeed changes Config.Speed. The error wraps ErrConfig or ErrCodec.
func (e *Encoder) SetSpeed(speed int) error {
	c := e.c
	c.Speed = speed
	if !c.valid() {
		return fmt.Errorf("%w: speed %d", ErrConfig, speed)
	}
	e.c = c
	return failed(C.mf_speed(e.e, C.int(speed)))
}

// Encode makes one frame of what the planes hold. at is its time in 1/90,000 s
// and must be later than that of the frame before; key asks for a key frame.
// The error wraps ErrConfig or ErrCodec.
func (e *Encoder) Encode(at uint64, key bool) (Frame, error) {
	if e.begun && at <= e.last || at > 1<<62 {
		return Frame{}, fmt.Errorf("%w: a frame at %d after one at %d", ErrConfig, at, e.last)
	}
	// libvpx shares its rate out by this: what it takes for the time to the next frame.
	duration := uint64(90000 / 30)
	if e.begun {
		duration = min(max(at-e.last, 90000/120), 90000/5)
	}
	e.begun, e.last = true, at
	if err := failed(C.mf_encode(e.e, C.int64_t(at), C.int64_t(duration), flag(key))); err != nil {
		return Frame{}, err
	}
	out := C.mf_out(e.e)
	return Frame{Data: unsafe.Slice((*byte)(out.data), int(out.size)), Key: out.key != 0}, nil
}

// Close gives everything back. The Encoder must not be used after it.
func (e *Encoder) Close() {
	if e.e != nil {
		C.mf_free(e.e)
		e.e = nil
	}
}

func failed(why *C.char) error {
	if why == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrCodec, C.GoString(why))
}

// planes is a copy of what the next frame is made of, for tests: they may not use cgo.
func (e *Encoder) planes() *image.YCbCr {
	ratio := image.YCbCrSubsampleRatio420
	if e.c.Codec == VP9Full {
		ratio = image.YCbCrSubsampleRatio444
	}
	img := image.NewYCbCr(image.Rect(0, 0, e.w, e.h), ratio)
	for i, p := range [][]byte{img.Y, img.Cb, img.Cr} {
		stride := img.CStride
		if i == 0 {
			stride = img.YStride
		}
		C.mf_plane(e.e, C.int(i), (*C.uint8_t)(&p[0]), C.int(stride), C.int(len(p)/stride))
	}
	return img
}
