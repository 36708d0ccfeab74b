package win32

import (
	"unsafe"

	"github.com/tailscale/win"

	"github.com/mainforte/mainforte/host/ui/face"
)

const (
	sizeofMonitorInfo = unsafe.Sizeof(win.MONITORINFO{})
	sizeofScrollInfo  = unsafe.Sizeof(win.SCROLLINFO{})
	sizeofFlashInfo   = unsafe.Sizeof(win.FLASHWINFO{})
)

// colours of the window: those of the pages, or the system's in high contrast.
type colours struct {
	paper, ink, muted, accent, danger, onFilled, edge, soft, softEdge, warm, warmEdge, pressed, ring win.COLORREF
}

func rgb(hex uint32) win.COLORREF { return win.RGB(byte(hex>>16), byte(hex>>8), byte(hex)) }

// usual are the pages' colours (web/static/tokens.css).
func usual() colours {
	return colours{
		paper: rgb(0xffffff), ink: rgb(0x17211f), muted: rgb(0x55625e), accent: rgb(0x0b6763), danger: rgb(0xb3261e),
		onFilled: rgb(0xffffff), edge: rgb(0x7c8985), soft: rgb(0xf1f6f5), softEdge: rgb(0xd9dfdc),
		warm: rgb(0xfff4df), warmEdge: rgb(0xe9c88d), pressed: rgb(0xdde5e2), ring: rgb(0x17211f),
	}
}

// system are the colours of a high contrast theme.
func system() colours {
	c := func(i int) win.COLORREF { return win.COLORREF(win.GetSysColor(i)) }
	paper, ink := c(win.COLOR_WINDOW), c(win.COLOR_WINDOWTEXT)
	return colours{
		paper: paper, ink: ink, muted: ink, accent: c(win.COLOR_BTNTEXT), danger: c(win.COLOR_BTNTEXT), onFilled: c(win.COLOR_BTNFACE),
		edge: c(win.COLOR_BTNTEXT), soft: paper, softEdge: ink, warm: paper, warmEdge: ink, pressed: c(win.COLOR_HIGHLIGHT), ring: c(win.COLOR_HIGHLIGHT),
	}
}

// looks are fonts and colours for one resolution and one theme.
type looks struct {
	colours
	contrast bool
	scale    float64 // pixels a unit of 1/96 inch
	fonts    map[face.Look]win.HFONT
	brushes  map[face.Ground]win.HBRUSH
	dc       win.HDC // for measuring
}

// sizes of text in twelfths of the person's message font, and its weight.
var sizes = map[face.Look]struct {
	size   int32
	weight int32
}{
	face.Body: {15, win.FW_NORMAL}, face.Small: {13, win.FW_NORMAL}, face.Strong: {16, win.FW_SEMIBOLD}, face.Title: {21, win.FW_SEMIBOLD},
	face.Name: {28, win.FW_SEMIBOLD}, face.Digits: {56, win.FW_SEMIBOLD}, face.Wrong: {15, win.FW_SEMIBOLD},
}

func newLooks(dpi int32) *looks {
	l := &looks{colours: usual(), contrast: highContrast(), fonts: map[face.Look]win.HFONT{}, brushes: map[face.Ground]win.HBRUSH{}}
	if l.contrast {
		l.colours = system()
	}
	font := messageFont(dpi)
	height := max(-font.LfHeight, 11*dpi/96)
	l.scale = max(float64(dpi)/96, float64(height)/12, float64(dpi)/96*textScale())
	for k, s := range sizes {
		f := font
		f.LfHeight, f.LfWeight, f.LfQuality = -int32(float64(s.size)*l.scale+0.5), s.weight, win.CLEARTYPE_QUALITY
		l.fonts[k] = win.CreateFontIndirect(&f)
	}
	l.brushes[face.Plain], l.brushes[face.Soft], l.brushes[face.Warm] = brush(l.paper), brush(l.soft), brush(l.warm)
	l.dc = win.CreateCompatibleDC(0)
	return l
}

func (l *looks) free() {
	for _, f := range l.fonts {
		win.DeleteObject(win.HGDIOBJ(f))
	}
	for _, b := range l.brushes {
		win.DeleteObject(win.HGDIOBJ(b))
	}
	win.DeleteDC(l.dc)
}

func brush(c win.COLORREF) win.HBRUSH {
	return win.CreateBrushIndirect(&win.LOGBRUSH{LbStyle: win.BS_SOLID, LbColor: c})
}

// font of a control.
func (l *looks) font(c *control) win.HFONT {
	switch {
	case c.cell.Button() && c.small, c.cell.Typed():
		return l.fonts[face.Body]
	case c.cell.Button():
		return l.fonts[face.Strong]
	}
	return l.fonts[c.cell.Look]
}

// measure is the height of text in a width, as a STATIC control breaks it.
func (l *looks) measure(s string, k face.Look, width int32) int32 {
	old := win.SelectObject(l.dc, win.HGDIOBJ(l.fonts[k]))
	defer win.SelectObject(l.dc, old)
	r := win.RECT{Right: width}
	win.DrawTextEx(l.dc, utf16(s), -1, &r, win.DT_CALCRECT|win.DT_WORDBREAK|win.DT_NOPREFIX|win.DT_EDITCONTROL|win.DT_EXPANDTABS, nil)
	return r.Bottom
}

func (l *looks) ground(g face.Ground) (fill, edge win.COLORREF) {
	switch g {
	case face.Soft:
		return l.soft, l.softEdge
	case face.Warm:
		return l.warm, l.warmEdge
	}
	return l.paper, l.paper
}

// colour answers what a control is drawn with.
func (n *native) colour(dc win.HDC, h win.HWND) uintptr {
	for _, c := range n.controls {
		if c.hwnd != h {
			continue
		}
		fill, _ := n.look.ground(c.ground)
		ink := n.look.ink
		switch c.cell.Look {
		case face.Small:
			ink = n.look.muted
		case face.Name:
			ink = n.look.accent
			if n.look.contrast {
				ink = n.look.ink
			}
		case face.Wrong:
			ink = n.look.danger
			if n.look.contrast {
				ink = n.look.ink
			}
		}
		win.SetTextColor(dc, ink)
		win.SetBkColor(dc, fill)
		return uintptr(n.look.brushes[c.ground])
	}
	return uintptr(n.look.brushes[face.Plain])
}

// erase draws what lies under the controls.
func (n *native) erase(dc win.HDC) {
	var r win.RECT
	win.GetClientRect(n.hwnd, &r)
	win.FillRect(dc, &r, n.look.brushes[face.Plain])
	for _, g := range n.grounds {
		fill, edge := n.look.ground(g.ground)
		at := g.rect
		at.Top, at.Bottom = at.Top-n.scroll, at.Bottom-n.scroll
		box(dc, at, fill, edge, 1, n.px(8))
	}
}

// box fills a rectangle with round corners and draws its edge.
func box(dc win.HDC, r win.RECT, fill, edge win.COLORREF, width uint32, round int32) {
	b, solid := brush(fill), win.LOGBRUSH{LbStyle: win.BS_SOLID, LbColor: edge}
	pen := win.ExtCreatePen(win.PS_GEOMETRIC|win.PS_INSIDEFRAME, width, &solid, 0, nil)
	oldBrush, oldPen := win.SelectObject(dc, win.HGDIOBJ(b)), win.SelectObject(dc, win.HGDIOBJ(pen))
	win.RoundRect(dc, r.Left, r.Top, r.Right, r.Bottom, round, round)
	win.SelectObject(dc, oldBrush)
	win.SelectObject(dc, oldPen)
	win.DeleteObject(win.HGDIOBJ(b))
	win.DeleteObject(win.HGDIOBJ(pen))
}

// drawButton draws one, with a thick ring when it has the keyboard.
func (n *native) drawButton(d *win.DRAWITEMSTRUCT) {
	var c *control
	for _, k := range n.controls {
		if k.hwnd == d.HwndItem {
			c = k
		}
	}
	if c == nil {
		return
	}
	l := n.look
	if c.cell.What == face.Picture {
		fill, edge := l.ground(c.ground)
		c.image.draw(d.HDC, d.RcItem, fill, edge)
		return
	}
	fill, edge, ink := l.paper, l.edge, l.ink
	switch {
	case l.contrast:
		fill, ink = l.onFilled, l.accent
	case c.cell.What == face.Primary:
		fill, edge, ink = l.accent, l.accent, l.onFilled
	case c.cell.What == face.Danger:
		fill, edge, ink = l.danger, l.danger, l.onFilled
	}
	if c.cell.Off {
		fill, edge, ink = l.paper, l.softEdge, l.muted
	}
	if d.ItemState&win.ODS_SELECTED != 0 {
		if fill == l.paper || l.contrast {
			fill = l.pressed
		} else {
			edge, fill = l.ink, l.ink
		}
	}
	under, _ := l.ground(c.ground)
	b := brush(under)
	win.FillRect(d.HDC, &d.RcItem, b)
	win.DeleteObject(win.HGDIOBJ(b))
	r := d.RcItem
	if d.ItemState&win.ODS_FOCUS != 0 {
		box(d.HDC, r, under, l.ring, uint32(n.px(2)), n.px(9))
		gap := n.px(4)
		r = win.RECT{Left: r.Left + gap, Top: r.Top + gap, Right: r.Right - gap, Bottom: r.Bottom - gap}
	} else {
		gap := n.px(2)
		r = win.RECT{Left: r.Left + gap, Top: r.Top + gap, Right: r.Right - gap, Bottom: r.Bottom - gap}
	}
	box(d.HDC, r, fill, edge, uint32(n.px(1)), n.px(7))

	format := uint32(win.DT_CENTER | win.DT_VCENTER | win.DT_SINGLELINE | win.DT_END_ELLIPSIS)
	if d.ItemState&win.ODS_NOACCEL != 0 {
		format |= win.DT_HIDEPREFIX
	}
	old := win.SelectObject(d.HDC, win.HGDIOBJ(l.font(c)))
	win.SetTextColor(d.HDC, ink)
	win.SetBkMode(d.HDC, win.TRANSPARENT)
	win.DrawTextEx(d.HDC, utf16(text(c.hwnd)), -1, &r, format, nil)
	win.SelectObject(d.HDC, old)
}
