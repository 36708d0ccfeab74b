package clipboard

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"strings"
	"unicode/utf16"

	"golang.org/x/image/bmp"
)

// What Windows keeps on its clipboard: UTF-16 up to a NUL with CR LF between lines
// (CF_UNICODETEXT), and bitmaps without a file's header (CF_DIB, CF_DIBV5). Any
// program may have written it, so it is as little to be trusted as what the wire
// brings.

// fromUTF16 reads CF_UNICODETEXT. The error wraps ErrTooLarge.
func fromUTF16(b []byte) ([]byte, error) {
	units := make([]uint16, 0, min(len(b)/2, 64<<10))
	for i := 0; i+1 < len(b); i += 2 {
		u := binary.LittleEndian.Uint16(b[i:])
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	text := []byte(strings.ReplaceAll(string(utf16.Decode(units)), "\r\n", "\n"))
	if len(text) > MaxText { // C63
		return nil, ErrTooLarge
	}
	return text, nil
}

// toUTF16 writes CF_UNICODETEXT.
func toUTF16(text []byte) []byte {
	units := utf16.Encode([]rune(strings.ReplaceAll(string(text), "\n", "\r\n")))
	b := make([]byte, 0, 2*len(units)+2)
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return append(b, 0, 0)
}

const (
	dibHeader = 40  // BITMAPINFOHEADER
	dibV5     = 124 // BITMAPV5HEADER
	dibFile   = 14  // BITMAPFILEHEADER
)

// fromDIB makes a PNG of a CF_DIB or CF_DIBV5. The error wraps ErrTooLarge or
// ErrUnreadable.
func fromDIB(b []byte) ([]byte, error) {
	if len(b) < dibHeader {
		return nil, fmt.Errorf("%w: half a bitmap", ErrUnreadable)
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	size := int64(u32(0))
	if size < dibHeader || size > dibV5 || size > int64(len(b)) {
		return nil, fmt.Errorf("%w: a bitmap's header of %d bytes", ErrUnreadable, size)
	}
	w, h := int64(int32(u32(4))), int64(int32(u32(8)))
	high := max(h, -h)
	if w <= 0 || high == 0 {
		return nil, fmt.Errorf("%w: a bitmap of %d × %d pixels", ErrUnreadable, w, h)
	}
	if w > MaxSide || high > MaxSide || w*high > MaxPixels { // C63
		return nil, fmt.Errorf("%w: %d × %d pixels", ErrTooLarge, w, high)
	}
	depth, compression, colours := binary.LittleEndian.Uint16(b[14:]), u32(16), int64(u32(32))
	const (
		bitFields      = 3
		alphaBitFields = 6
	)
	pixels, alpha := size, false
	switch {
	case compression == 0:
	case (compression == bitFields || compression == alphaBitFields) && depth == 32:
		at, masks := int64(dibHeader), 3
		if compression == alphaBitFields || size >= dibHeader+16 {
			masks = 4
		}
		if size == dibHeader { // they follow
			pixels += int64(4 * masks)
		}
		if at+int64(4*masks) > int64(len(b)) {
			return nil, fmt.Errorf("%w: half a bitmap", ErrUnreadable)
		}
		for i, want := range []uint32{0xff0000, 0xff00, 0xff, 0xff000000}[:masks] {
			got := u32(int(at) + 4*i)
			if i == 3 {
				alpha = got == want
			} else if got != want {
				return nil, fmt.Errorf("%w: a bitmap of odd colours", ErrUnreadable)
			}
		}
	default:
		return nil, fmt.Errorf("%w: a bitmap of kind %d", ErrUnreadable, compression)
	}
	if depth <= 8 && colours == 0 {
		colours = 1 << depth
	}
	if colours > 256 {
		return nil, fmt.Errorf("%w: a bitmap of %d colours", ErrUnreadable, colours)
	}
	palette := pixels
	if depth > 8 {
		palette += 4 * colours // a hint for screens of old
		colours = 0
	}
	if palette > int64(len(b)) {
		return nil, fmt.Errorf("%w: half a bitmap", ErrUnreadable)
	}
	// As a file, in the one form that the reader takes.
	head := make([]byte, dibFile+dibV5)
	length := dibHeader
	if alpha {
		length = dibV5
	}
	head = head[:dibFile+length]
	copy(head, "BM")
	binary.LittleEndian.PutUint32(head[10:], uint32(int64(len(head))+4*colours))
	binary.LittleEndian.PutUint32(head[14:], uint32(length))
	copy(head[18:30], b[4:16]) // sides, planes, depth
	binary.LittleEndian.PutUint32(head[46:], uint32(colours))
	img, err := bmp.Decode(io.MultiReader(bytes.NewReader(head), bytes.NewReader(b[palette:])))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if n, ok := img.(*image.NRGBA); ok && transparent(n) {
		// Many programs have an alpha mask and no alpha.
		for i := 3; i < len(n.Pix); i += 4 {
			n.Pix[i] = 255
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, img); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return out.Bytes(), nil
}

// transparent tells that nothing of a picture is to be seen.
func transparent(n *image.NRGBA) bool {
	for i := 3; i < len(n.Pix); i += 4 {
		if n.Pix[i] != 0 {
			return false
		}
	}
	return true
}

var errNoPicture = errors.New("clipboard: no picture")

// toDIB makes a CF_DIBV5 of a PNG that [Clean] has passed, for programs that
// know no PNG.
func toDIB(picture []byte) ([]byte, error) {
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoPicture, err)
	}
	r := img.Bounds()
	n, ok := img.(*image.NRGBA)
	if !ok {
		n = image.NewNRGBA(r)
		draw.Draw(n, r, img, r.Min, draw.Src)
	}
	w, h := r.Dx(), r.Dy()
	b := make([]byte, dibV5+4*w*h)
	put := func(at int, v uint32) { binary.LittleEndian.PutUint32(b[at:], v) }
	put(0, dibV5)
	put(4, uint32(w))
	put(8, uint32(h)) // from below: not every program reads the other
	b[12], b[14] = 1, 32
	put(16, 3) // BI_BITFIELDS
	put(20, uint32(4*w*h))
	put(40, 0xff0000)
	put(44, 0xff00)
	put(48, 0xff)
	put(52, 0xff000000)
	put(56, 0x73524742) // LCS_sRGB
	put(108, 4)         // LCS_GM_IMAGES
	for y := range h {
		from, to := n.Pix[y*n.Stride:], b[dibV5+4*w*(h-1-y):]
		for x := 0; x < 4*w; x += 4 {
			to[x], to[x+1], to[x+2], to[x+3] = from[x+2], from[x+1], from[x], from[x+3]
		}
	}
	return b, nil
}
