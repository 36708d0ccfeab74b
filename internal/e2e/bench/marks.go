package main

import (
	"image"

	"github.com/jezek/xgb/xproto"
)

// A frame's number is drawn as a row of black and white squares: 12 bits, and 4
// that check them, so that neither a lossy picture nor half a frame is misread.
const (
	markSide  = 16 // pixels
	markBits  = 16
	markWidth = markSide * markBits
)

func markOf(n uint32) uint32 {
	n &= 0xfff
	return n<<4 | (n^n>>4^n>>8^0xa)&0xf
}

// readMark reads the number from a line of pixels through the squares' middle.
func readMark(pix []byte) (uint32, bool) {
	bits := uint32(0)
	for i := range markBits {
		p := pix[4*(i*markSide+markSide/2):]
		luma := (int(p[0]) + 6*int(p[1]) + 3*int(p[2])) / 10
		if luma > 80 && luma < 175 {
			return 0, false
		}
		bits <<= 1
		if luma >= 128 {
			bits |= 1
		}
	}
	return bits >> 4, markOf(bits>>4) == bits
}

// markLine is the line to read when the squares begin at p.
func markLine(p image.Point) image.Rectangle {
	return image.Rect(p.X, p.Y+markSide/2, p.X+markWidth, p.Y+markSide/2+1)
}

// mark draws a number at the window's upper left corner.
func (v *canvas) mark(n uint32) {
	var white, black []xproto.Rectangle
	for i, bits := 0, markOf(n); i < markBits; i++ {
		r := xproto.Rectangle{X: int16(i * markSide), Width: markSide, Height: markSide}
		if bits>>(markBits-1-i)&1 == 1 {
			white = append(white, r)
		} else {
			black = append(black, r)
		}
	}
	for color, rects := range map[uint32][]xproto.Rectangle{0xffffff: white, 0: black} {
		xproto.ChangeGC(v.c, v.gc, xproto.GcForeground, []uint32{color})
		xproto.PolyFillRectangle(v.c, xproto.Drawable(v.win), v.gc, rects)
	}
}
