//go:build cgo && (linux || (windows && vpx))

// Package vpxtest decodes what vpx encoded, with libvpx's own decoder. It is
// for tests; no program of ours decodes video.
package vpxtest

/*
#cgo linux LDFLAGS: -l:libvpx.a -lm -lpthread
#cgo windows LDFLAGS: -l:libvpx.a -lm -l:libwinpthread.a
#include <stdlib.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>

static vpx_codec_ctx_t *decoder(int vp9) {
	vpx_codec_ctx_t *c = calloc(1, sizeof *c);
	if (c && vpx_codec_dec_init(c, vp9 ? vpx_codec_vp9_dx() : vpx_codec_vp8_dx(), NULL, 0)) {
		free(c);
		return NULL;
	}
	return c;
}
static vpx_image_t *decode(vpx_codec_ctx_t *c, const void *b, unsigned n) {
	vpx_codec_iter_t it = NULL;
	if (vpx_codec_decode(c, b, n, NULL, 0)) return NULL;
	return vpx_codec_get_frame(c, &it);
}
static void done(vpx_codec_ctx_t *c) { vpx_codec_destroy(c); free(c); }
*/
import "C"

import (
	"errors"
	"image"
	"math"
	"unsafe"
)

// Decoder is one libvpx decoder.
type Decoder struct{ c *C.vpx_codec_ctx_t }

// NewDecoder makes a decoder of VP9, or of VP8.
func NewDecoder(vp9 bool) (*Decoder, error) {
	n := C.int(0)
	if vp9 {
		n = 1
	}
	c := C.decoder(n)
	if c == nil {
		return nil, errors.New("vpxtest: no decoder")
	}
	return &Decoder{c}, nil
}

// Decode takes one frame and returns a copy of the picture after it.
func (d *Decoder) Decode(frame []byte) (*image.YCbCr, error) {
	if len(frame) == 0 {
		return nil, errors.New("vpxtest: an empty frame")
	}
	img := C.decode(d.c, unsafe.Pointer(&frame[0]), C.uint(len(frame)))
	if img == nil {
		return nil, errors.New("vpxtest: the frame cannot be decoded")
	}
	ratio := image.YCbCrSubsampleRatio420
	if img.fmt == C.VPX_IMG_FMT_I444 {
		ratio = image.YCbCrSubsampleRatio444
	}
	out := image.NewYCbCr(image.Rect(0, 0, int(img.d_w), int(img.d_h)), ratio)
	plane := func(i int, dst []byte, stride int) {
		from := int(img.stride[i])
		for y := range len(dst) / stride {
			copy(dst[y*stride:(y+1)*stride], unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(img.planes[i]), y*from)), stride))
		}
	}
	plane(0, out.Y, out.YStride)
	plane(1, out.Cb, out.CStride)
	plane(2, out.Cr, out.CStride)
	return out, nil
}

// Close gives the decoder back.
func (d *Decoder) Close() { C.done(d.c) }

// Luma is the Y of a pixel 0x00RRGGBB: ITU-R BT.601-7, limited range, exact.
func Luma(p uint32) float64 {
	r, g, b := float64(p>>16&255), float64(p>>8&255), float64(p&255)
	return 16 + (65.481*r+128.553*g+24.966*b)/255
}

// PSNR compares the Y of a picture with pixels of stride a row, in dB; +Inf if
// no sample differs by a whole level.
func PSNR(img *image.YCbCr, pix []uint32, stride int) float64 {
	sum, n := 0.0, 0
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			d := math.Round(Luma(pix[y*stride+x])) - float64(img.Y[y*img.YStride+x])
			sum += d * d
			n++
		}
	}
	return 10 * math.Log10(255*255*float64(n)/sum)
}
