package win32

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/tailscale/win"

	"github.com/mainforte/mainforte/host/ui/face"
)

// control is one native control and the cell it shows.
type control struct {
	cell   face.Cell
	hwnd   win.HWND
	nr     uint16
	ground face.Ground
	small  bool // a button among text
	image  *picture
}

// painted is a ground with its place, in pixels from the top of everything.
type painted struct {
	ground face.Ground
	rect   win.RECT
}

// px turns units of 1/96 inch into pixels, for this monitor and the person's text size.
func (n *native) px(units int) int32 {
	return int32(float64(units)*n.look.scale + 0.5)
}

// render makes the window show what the face says.
func (n *native) render() {
	n.view = n.face.View(time.Now())
	if n.shown {
		win.SendMessage(n.hwnd, win.WM_SETREDRAW, 0, 0)
	}
	n.keepFocus()
	n.makeControls()
	n.fits = 3
	n.arrange()
	if n.shown {
		win.SendMessage(n.hwnd, win.WM_SETREDRAW, 1, 0)
		win.RedrawWindow(n.hwnd, nil, 0, win.RDW_ERASE|win.RDW_FRAME|win.RDW_INVALIDATE|win.RDW_ALLCHILDREN)
	}
	if n.token != n.view.Token { // something new: the keyboard goes where it says
		n.token, n.focused = n.view.Token, 0
	}
	if c := n.controls[n.view.Focus]; n.focused == 0 && c != nil && !c.cell.Off {
		n.focused = c.hwnd
	}
	n.giveFocus()
	n.callPerson()
	if next := n.face.Next(time.Now()); next > 0 {
		win.SetTimer(n.hwnd, timerNext, uint32(next.Milliseconds())+1, 0)
	} else {
		win.KillTimer(n.hwnd, timerNext)
	}
}

// timerNext is when the view changes by itself.
const timerNext = 1

// restyle takes over the system's fonts, colours and sizes.
func (n *native) restyle() {
	n.look.free()
	n.look = newLooks(n.dpi)
	n.render()
}

// makeControls makes, changes and removes controls until they are the view's,
// in its order, which is that of the Tab key and of screen readers.
func (n *native) makeControls() {
	wanted := map[string]bool{}
	var before win.HWND // HWND_TOP
	letters := map[rune]bool{}
	for _, b := range n.view.Blocks {
		for _, r := range b.Rows {
			for _, c := range r {
				if c.ID == "" {
					continue
				}
				wanted[c.ID] = true
				old := n.controls[c.ID]
				if old != nil && (old.cell.What != c.What || old.cell.Center != c.Center) {
					n.remove(c.ID)
					old = nil
				}
				if old == nil {
					if old = n.make(c); old == nil {
						n.failed = fmt.Errorf("make a control: error %d", win.GetLastError())
						return
					}
				}
				old.ground, old.small = b.Ground, c.Button() && b.Ground != face.Plain
				shown := c.Text
				if c.Button() {
					shown = accelerate(c.Text, letters)
				}
				switch {
				case c.Typed():
					if old.cell.Fresh != c.Fresh {
						win.SetWindowText(old.hwnd, utf16(lineEnds(shown)))
					}
				case text(old.hwnd) != shown:
					win.SetWindowText(old.hwnd, utf16(shown))
				}
				if c.Button() && old.cell.Off != c.Off {
					win.EnableWindow(old.hwnd, !c.Off)
				}
				old.show(c.Image)
				old.cell = c
				win.SendMessage(old.hwnd, win.WM_SETFONT, uintptr(n.look.font(old)), 0)
				win.SetWindowPos(old.hwnd, before, 0, 0, 0, 0, win.SWP_NOMOVE|win.SWP_NOSIZE|win.SWP_NOACTIVATE)
				before = old.hwnd
			}
		}
	}
	for id := range n.controls {
		if !wanted[id] {
			n.remove(id)
		}
	}
	win.SetWindowText(n.hwnd, utf16(n.view.Title))
}

func (n *native) make(c face.Cell) *control {
	class, style, ex := "STATIC", uint32(win.WS_CHILD|win.WS_VISIBLE), uint32(0)
	switch {
	case c.Button():
		class, style = "BUTTON", style|win.WS_TABSTOP|win.BS_OWNERDRAW
	case c.What == face.Field:
		class, style, ex = "EDIT", style|win.WS_TABSTOP|win.ES_AUTOHSCROLL, win.WS_EX_CLIENTEDGE
	case c.What == face.Area:
		class, style, ex = "EDIT", style|win.WS_TABSTOP|win.WS_VSCROLL|win.ES_MULTILINE|win.ES_WANTRETURN, win.WS_EX_CLIENTEDGE
	case c.What == face.Picture:
		style |= win.SS_OWNERDRAW
	default:
		style |= win.SS_NOPREFIX | win.SS_EDITCONTROL // a long word breaks as in an edit control
		if c.Center {
			style |= win.SS_CENTER
		}
	}
	n.lastID++
	h := win.CreateWindowEx(ex, utf16(class), utf16(lineEnds(c.Text)), style, 0, 0, 0, 0, n.hwnd, win.HMENU(n.lastID), win.GetModuleHandle(nil), nil)
	if h == 0 {
		return nil
	}
	if c.Typed() {
		const longest = 4000
		win.SendMessage(h, win.EM_LIMITTEXT, longest, 0)
	}
	if c.Off {
		win.EnableWindow(h, false)
	}
	k := &control{cell: c, hwnd: h, nr: n.lastID}
	n.controls[c.ID], n.ids[n.lastID] = k, c.ID
	return k
}

func (n *native) remove(id string) {
	c := n.controls[id]
	if n.focused == c.hwnd {
		n.focused = 0
	}
	c.image.free()
	delete(n.controls, id)
	delete(n.ids, c.nr)
	win.DestroyWindow(c.hwnd)
}

// accelerate marks the first letter of a button's text that is free, for Alt+letter.
func accelerate(s string, used map[rune]bool) string {
	s = strings.ReplaceAll(s, "&", "&&")
	for i, r := range s {
		low := unicode.ToLower(r)
		if unicode.IsLetter(r) && r < unicode.MaxASCII && !used[low] {
			used[low] = true
			return s[:i] + "&" + s[i:]
		}
	}
	return s
}

// accelerated is the button whose marked letter was typed with Alt.
func (n *native) accelerated(r rune) *control {
	letters := map[rune]bool{}
	for _, b := range n.view.Blocks {
		for _, row := range b.Rows {
			for _, c := range row {
				if !c.Button() {
					continue
				}
				_, after, found := strings.Cut(strings.ReplaceAll(accelerate(c.Text, letters), "&&", ""), "&")
				for _, first := range after {
					if found && unicode.ToLower(first) == unicode.ToLower(r) {
						return n.controls[c.ID]
					}
					break
				}
			}
		}
	}
	return nil
}

// arrange gives every control its place and the window its size.
func (n *native) arrange() {
	margin, width := n.px(28), n.px(n.view.Width)
	if n.view.Width == face.Narrow {
		margin = n.px(20)
	}
	n.grounds = n.grounds[:0]
	y := margin
	type place struct {
		c          *control
		x, y, w, h int32
	}
	var places []place
	for i, b := range n.view.Blocks {
		if i > 0 {
			y += n.px(b.Above)
		}
		x, w, top := margin, width, y
		if b.Ground != face.Plain {
			x, w, y = x+n.px(14), w-2*n.px(14), y+n.px(11)
		}
		for j, row := range b.Rows {
			if j > 0 {
				y += n.px(6)
			}
			first, height := len(places), int32(0)
			left := x
			for _, c := range row {
				cw := x + w - left
				if c.Share > 0 {
					cw = w * int32(c.Share) / 100
				}
				if k := n.controls[c.ID]; k != nil && c.ID != "" {
					h := n.heightOf(k, cw)
					places = append(places, place{k, left, y, cw, h})
					height = max(height, h)
				}
				left += cw
			}
			for p := first; p < len(places); p++ { // in the middle of the row
				places[p].y += (height - places[p].h) / 2
			}
			y += height
		}
		if b.Ground != face.Plain {
			y += n.px(12)
			n.grounds = append(n.grounds, painted{b.Ground, win.RECT{Left: margin, Top: top, Right: margin + width, Bottom: y}})
		}
	}
	n.height = y + margin
	n.resize(width + 2*margin)
	for _, p := range places {
		win.SetWindowPos(p.c.hwnd, 0, p.x, p.y-n.scroll, p.w, p.h, win.SWP_NOZORDER|win.SWP_NOACTIVATE)
	}
}

// areaLines is how many lines to type into are seen; a picture is at most so tall.
const areaLines, tallest = 5, 260

// heightOf a control that is w pixels wide.
func (n *native) heightOf(k *control, w int32) int32 {
	switch {
	case k.cell.Button() && k.small:
		return n.look.measure("X", face.Body, w) + n.px(12)
	case k.cell.Button():
		return n.look.measure("X", face.Strong, w) + n.px(22)
	case k.cell.What == face.Field:
		return n.look.measure("X", face.Body, w) + n.px(9)
	case k.cell.What == face.Area:
		return areaLines*n.look.measure("X", face.Body, w) + n.px(9)
	case k.cell.What == face.Picture:
		return k.image.height(w, n.px(tallest))
	}
	return n.look.measure(k.cell.Text, k.cell.Look, w)
}

// resize makes the window fit its content, within its monitor; what does not fit
// is scrolled. Under Wine 8 an X window manager's late answer to an earlier size
// undoes a later one: message looks, and corrects it.
func (n *native) resize(width int32) {
	var info win.MONITORINFO
	info.CbSize = uint32(sizeofMonitorInfo)
	win.GetMonitorInfo(win.MonitorFromWindow(n.hwnd, win.MONITOR_DEFAULTTONEAREST), &info)
	work := info.RcWork
	_, frame := windowRect(0, 0, style, 0, n.dpi)
	page := min(n.height, max(work.Bottom-work.Top-frame, n.px(160)))
	n.scroll = max(0, min(n.scroll, n.height-page))
	if page < n.height {
		width += win.GetSystemMetrics(win.SM_CXVSCROLL)
	}
	n.setScroll(page)
	w, h := windowRect(width, page, style, 0, n.dpi)
	n.size = [2]int32{width, page}
	if page < n.height {
		n.size[0] -= win.GetSystemMetrics(win.SM_CXVSCROLL)
	}

	var r win.RECT
	win.GetWindowRect(n.hwnd, &r)
	x, y := r.Left, r.Top
	if !n.shown {
		x, y = (work.Left+work.Right-w)/2, (work.Top+work.Bottom-h)/2
	}
	x = max(work.Left, min(x, work.Right-w))
	y = max(work.Top, min(y, work.Bottom-h))
	after, flags := win.HWND_NOTOPMOST, uint32(win.SWP_NOACTIVATE)
	if n.view.Above {
		after = win.HWND_TOPMOST
	}
	if win.IsIconic(n.hwnd) {
		flags |= win.SWP_NOMOVE | win.SWP_NOSIZE
	}
	win.SetWindowPos(n.hwnd, after, x, y, w, h, flags)
}

func (n *native) setScroll(page int32) {
	si := win.SCROLLINFO{FMask: win.SIF_RANGE | win.SIF_PAGE | win.SIF_POS, NMax: n.height - 1, NPage: uint32(page), NPos: n.scroll}
	si.CbSize = uint32(sizeofScrollInfo)
	win.SetScrollInfo(n.hwnd, win.SB_VERT, &si, true)
}

// page is the height of what is visible.
func (n *native) page() int32 {
	var r win.RECT
	win.GetClientRect(n.hwnd, &r)
	return r.Bottom
}

func (n *native) scrolled(how uint16) {
	switch how {
	case win.SB_LINEUP:
		n.scrollBy(-n.px(24))
	case win.SB_LINEDOWN:
		n.scrollBy(n.px(24))
	case win.SB_PAGEUP:
		n.scrollBy(-n.page())
	case win.SB_PAGEDOWN:
		n.scrollBy(n.page())
	case win.SB_THUMBPOSITION, win.SB_THUMBTRACK:
		si := win.SCROLLINFO{FMask: win.SIF_TRACKPOS}
		si.CbSize = uint32(sizeofScrollInfo)
		if win.GetScrollInfo(n.hwnd, win.SB_VERT, &si) {
			n.scrollBy(si.NTrackPos - n.scroll)
		}
	}
}

func (n *native) scrollBy(dy int32) {
	to := max(0, min(n.scroll+dy, n.height-n.page()))
	if to != n.scroll {
		n.scroll = to
		n.arrange()
		win.RedrawWindow(n.hwnd, nil, 0, win.RDW_ERASE|win.RDW_INVALIDATE|win.RDW_ALLCHILDREN)
	}
}

// focus gives a control the keyboard and brings it into sight.
func (n *native) focus(h win.HWND) {
	n.focused = h
	win.SetFocus(h)
	if n.at(h).What == face.Field { // as the Tab key does in a dialog: typing replaces what is there
		win.SendMessage(h, win.EM_SETSEL, 0, ^uintptr(0))
	}
	var r win.RECT
	win.GetWindowRect(h, &r)
	at := win.POINT{X: r.Left, Y: r.Top}
	win.ScreenToClient(n.hwnd, &at)
	switch bottom := at.Y + r.Bottom - r.Top; {
	case at.Y < 0:
		n.scrollBy(at.Y - n.px(12))
	case bottom > n.page():
		n.scrollBy(bottom - n.page() + n.px(12))
	}
}

// keepFocus remembers which of our controls has the keyboard.
func (n *native) keepFocus() {
	if h := win.GetFocus(); h != 0 && h != n.hwnd && win.GetParent(h) == n.hwnd {
		n.focused = h
	}
}

// giveFocus puts the keyboard where it belongs, if this window is the active
// one; it never takes it away from another program.
func (n *native) giveFocus() {
	if n.focused != 0 && n.shown && win.GetForegroundWindow() == n.hwnd && win.GetFocus() != n.focused {
		n.focus(n.focused)
	}
}

// callPerson shows the window and flashes it in the taskbar when a question is
// put. Windows itself decides whether it may come to the front: not while the
// person types elsewhere.
func (n *native) callPerson() {
	if !n.view.Alert || !n.shown {
		n.alerted = false
		return
	}
	if n.alerted {
		return
	}
	n.alerted = true
	if win.IsIconic(n.hwnd) {
		win.ShowWindow(n.hwnd, win.SW_SHOWNOACTIVATE)
		n.arrange()
	}
	win.SetForegroundWindow(n.hwnd)
	flash := win.FLASHWINFO{Hwnd: n.hwnd, Flags: win.FLASHW_ALL | win.FLASHW_TIMERNOFG, UCount: 5}
	flash.CbSize = uint32(sizeofFlashInfo)
	win.FlashWindowEx(&flash)
}
