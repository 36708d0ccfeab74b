package stage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
)

// ErrXWD is wrapped for what is not a dump this reader knows.
var ErrXWD = errors.New("stage: not an XWD dump of 24 colour bits")

// DecodeXWD reads what `xwd -root` writes (X11/XWDFile.h, version 7): an
// independent picture of the display, by another program than the one on test.
// It packs pixels into 24 bits where windows of several visuals are shown.
// A pixel takes 32 bits, or 24 where xwd put together windows of several visuals,
// as Wine has them.
func DecodeXWD(b []byte) (*image.RGBA, error) {
	const fields = 25
	if len(b) < fields*4 {
		return nil, fmt.Errorf("%w: %d bytes", ErrXWD, len(b))
	}
	h := func(i int) int { return int(binary.BigEndian.Uint32(b[4*i:])) }
	header, version, format, depth := h(0), h(1), h(2), h(3)
	width, height, order := h(4), h(5), h(7)
	bits, stride, colors := h(11), h(12), h(19)
	size := bits / 8
	if version != 7 || format != 2 || depth < 24 || bits != 32 && bits != 24 || stride < width*size {
		return nil, fmt.Errorf("%w: version %d format %d depth %d bits %d", ErrXWD, version, format, depth, bits)
	}
	from := header + colors*12
	if from < 0 || from+stride*height > len(b) {
		return nil, fmt.Errorf("%w: cut short", ErrXWD)
	}
	blue, green, red := 0, 1, 2
	if order == 1 { // most significant byte first
		blue, green, red = size-1, size-2, size-3
	}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		row := b[from+y*stride:]
		out := img.Pix[y*img.Stride:]
		for x := range width {
			p := row[size*x:]
			out[4*x], out[4*x+1], out[4*x+2], out[4*x+3] = p[red], p[green], p[blue], 0xff
		}
	}
	return img, nil
}
