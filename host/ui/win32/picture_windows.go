package win32

import (
	"bytes"
	"image"
	"image/draw"
	"image/png"
	"unsafe"

	"github.com/tailscale/win"
)

// picture is a small picture that a control shows.
type picture struct {
	of     []byte // the PNG it was made of
	w, h   int32
	bitmap win.HBITMAP
}

// mostPixels is what a picture may be made of.
const mostPixels = 4096 * 4096

// show makes the control show a PNG; one that is none is an empty place.
func (c *control) show(b []byte) {
	if len(b) == 0 || c.image != nil && bytes.Equal(c.image.of, b) {
		return
	}
	c.image.free()
	c.image = &picture{of: b}
	if cfg, err := png.DecodeConfig(bytes.NewReader(b)); err != nil || cfg.Width*cfg.Height > mostPixels {
		return
	}
	decoded, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return
	}
	size := decoded.Bounds().Size()
	header := win.BITMAPINFOHEADER{BiWidth: int32(size.X), BiHeight: -int32(size.Y), BiPlanes: 1, BiBitCount: 32}
	header.BiSize = uint32(unsafe.Sizeof(header))
	var bits unsafe.Pointer
	bitmap := win.CreateDIBSection(0, &header, win.DIB_RGB_COLORS, &bits, 0, 0)
	if bitmap == 0 || bits == nil {
		return
	}
	rgba := &image.RGBA{Pix: unsafe.Slice((*byte)(bits), size.X*size.Y*4), Stride: size.X * 4, Rect: image.Rectangle{Max: size}}
	draw.Draw(rgba, rgba.Rect, decoded, decoded.Bounds().Min, draw.Src)
	for i := 0; i < len(rgba.Pix); i += 4 { // Windows wants blue first
		rgba.Pix[i], rgba.Pix[i+2] = rgba.Pix[i+2], rgba.Pix[i]
	}
	c.image.w, c.image.h, c.image.bitmap = int32(size.X), int32(size.Y), bitmap
	win.InvalidateRect(c.hwnd, nil, true)
}

func (p *picture) free() {
	if p != nil && p.bitmap != 0 {
		win.DeleteObject(win.HGDIOBJ(p.bitmap))
		p.bitmap = 0
	}
}

// fit is the size in which it is shown in a place: whole, and never larger than it is.
func (p *picture) fit(w, h int32) (int32, int32) {
	if p == nil || p.w == 0 {
		return 0, 0
	}
	scale := min(1, float64(w)/float64(p.w), float64(h)/float64(p.h))
	return max(1, int32(float64(p.w)*scale)), max(1, int32(float64(p.h)*scale))
}

func (p *picture) height(w, most int32) int32 {
	_, h := p.fit(w, most)
	return max(h, 1)
}

func (p *picture) draw(dc win.HDC, r win.RECT, fill, edge win.COLORREF) {
	box(dc, r, fill, edge, 1, 0)
	w, h := p.fit(r.Right-r.Left, r.Bottom-r.Top)
	if w == 0 {
		return
	}
	from := win.CreateCompatibleDC(dc)
	old := win.SelectObject(from, win.HGDIOBJ(p.bitmap))
	win.SetStretchBltMode(dc, win.HALFTONE)
	win.StretchBlt(dc, r.Left+(r.Right-r.Left-w)/2, r.Top, w, h, from, 0, 0, p.w, p.h, win.SRCCOPY)
	win.SelectObject(from, old)
	win.DeleteDC(from)
}
