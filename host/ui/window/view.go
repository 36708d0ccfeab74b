//go:build window

package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os/exec"
	"sync"
	"time"

	"gioui.org/f32"
	"gioui.org/font"
	"gioui.org/font/gofont"
	"gioui.org/io/key"
	"gioui.org/io/semantic"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/clip"
	"gioui.org/op/paint"
	"gioui.org/text"
	"gioui.org/unit"
	"gioui.org/widget"
	"gioui.org/widget/material"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/host/ui/face"
)

// The pages' colours (web/static/tokens.css), as in the window on Windows.
var (
	ink      = color.NRGBA{0x17, 0x21, 0x1f, 0xff}
	muted    = color.NRGBA{0x55, 0x62, 0x5e, 0xff}
	paper    = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	soft     = color.NRGBA{0xf1, 0xf6, 0xf5, 0xff}
	softEdge = color.NRGBA{0xd9, 0xdf, 0xdc, 0xff}
	warm     = color.NRGBA{0xff, 0xf4, 0xdf, 0xff}
	warmEdge = color.NRGBA{0xe9, 0xc8, 0x8d, 0xff}
	edge     = color.NRGBA{0x7c, 0x89, 0x85, 0xff}
	accent   = color.NRGBA{0x0b, 0x67, 0x63, 0xff}
	danger   = color.NRGBA{0xb3, 0x26, 0x1e, 0xff}
)

// sizes of text and its weight.
var sizes = map[face.Look]struct {
	size   unit.Sp
	weight font.Weight
	color  color.NRGBA
}{
	face.Body: {16, font.Normal, ink}, face.Small: {14, font.Normal, muted}, face.Strong: {17, font.Bold, ink}, face.Title: {22, font.Bold, ink},
	face.Name: {28, font.Bold, accent}, face.Digits: {58, font.Bold, ink}, face.Wrong: {16, font.Bold, danger},
}

// control is what a cell needs between frames.
type control struct {
	click widget.Clickable
	edit  widget.Editor
	fresh int
	of    []byte // the PNG that image was made of
	image paint.ImageOp
	size  image.Point
}

// view shows a face. Its fields are guarded by mu.
type view struct {
	mu    sync.Mutex
	say   func(ui.Command)
	face  *face.Face
	scale float32 // of all text, beside the monitor's

	now      face.View // what stands in the window
	controls map[string]*control
	token    string // of the view that got its focus
	focus    string // the cell to be given the focus, if any
	tries    int    // frames in which it is still asked for
	list     widget.List
	th       *material.Theme
}

func newView(say func(ui.Command)) *view {
	th := material.NewTheme()
	th.Shaper = text.NewShaper(text.NoSystemFonts(), text.WithCollection(gofont.Collection()))
	th.Palette = material.Palette{Bg: paper, Fg: ink, ContrastBg: accent, ContrastFg: paper}
	v := &view{say: say, face: face.New(face.Setting{Lang: "en", Documents: ui.Documents()}), th: th, scale: textScale(), controls: map[string]*control{}}
	v.list.Axis = layout.Vertical
	v.now = v.face.View(time.Now())
	return v
}

// focusFrames is for how many frames a new view asks for the focus.
const focusFrames = 30

// layout takes what the person did, and shows what there is now. It returns the
// size that the window needs for that, in pixels.
func (v *view) layout(gtx layout.Context) image.Point {
	gtx.Metric.PxPerDp *= v.scale
	gtx.Metric.PxPerSp *= v.scale
	v.answer(gtx)
	now := time.Now()
	v.now = v.face.View(now)
	v.prepare()
	if next := v.face.Next(now); next > 0 {
		gtx.Execute(op.InvalidateCmd{At: now.Add(next)})
	}
	paint.Fill(gtx.Ops, paper)
	margin := gtx.Dp(28)
	if v.now.Width == face.Narrow {
		margin = gtx.Dp(20)
	}
	width := gtx.Dp(unit.Dp(v.now.Width))
	height := v.measure(gtx, width) + 2*margin

	m := unit.Dp(float32(margin) / gtx.Metric.PxPerDp)
	layout.Inset{Top: m, Bottom: m, Left: m}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
		gtx.Constraints.Min = image.Point{}
		l := material.List(v.th, &v.list)
		l.AnchorStrategy = material.Overlay
		return l.Layout(gtx, len(v.now.Blocks), func(gtx layout.Context, i int) layout.Dimensions {
			gtx.Constraints.Max.X -= margin
			d := v.block(gtx, i)
			d.Size.X += margin // where the scrollbar is
			return d
		})
	})
	v.giveFocus(gtx)
	return image.Pt(width+2*margin, height)
}

// measure is how high everything is in a width: laid out, not shown.
func (v *view) measure(gtx layout.Context, width int) int {
	gtx = gtx.Disabled()
	gtx.Constraints = layout.Constraints{Max: image.Pt(width, 1<<20)}
	macro := op.Record(gtx.Ops)
	height := 0
	for i := range v.now.Blocks {
		height += v.block(gtx, i).Size.Y
	}
	macro.Stop()
	return height
}

// prepare makes and forgets controls until they are the view's.
func (v *view) prepare() {
	wanted := map[string]bool{}
	for _, c := range v.now.Cells() {
		wanted[c.ID] = true
		k := v.controls[c.ID]
		if k == nil {
			k = &control{fresh: c.Fresh - 1}
			k.edit.SingleLine, k.edit.Submit = c.What == face.Field, c.What == face.Field
			v.controls[c.ID] = k
		}
		if c.Typed() && k.fresh != c.Fresh {
			k.fresh = c.Fresh
			k.edit.SetText(c.Text)
			k.edit.SetCaret(len([]rune(c.Text)), len([]rune(c.Text)))
		}
		if c.What == face.Picture && !bytes.Equal(k.of, c.Image) {
			k.picture(c.Image)
		}
	}
	for id := range v.controls {
		if !wanted[id] {
			delete(v.controls, id)
		}
	}
	if v.token != v.now.Token {
		v.token, v.focus, v.tries = v.now.Token, v.now.Focus, focusFrames
		v.list.Position = layout.Position{}
	}
}

// mostPixels is what a picture may be made of.
const mostPixels = 4096 * 4096

// picture takes a PNG; one that is none is an empty place.
func (k *control) picture(b []byte) {
	k.of, k.size = b, image.Point{}
	if cfg, err := png.DecodeConfig(bytes.NewReader(b)); err != nil || cfg.Width*cfg.Height > mostPixels {
		return
	}
	if img, err := png.Decode(bytes.NewReader(b)); err == nil {
		k.image, k.size = paint.NewImageOp(img), img.Bounds().Size()
	}
}

// answer turns what the person did into commands.
func (v *view) answer(gtx layout.Context) {
	for _, c := range v.now.Cells() {
		k := v.controls[c.ID]
		switch {
		case k == nil || c.Off:
		case c.Button():
			if k.click.Clicked(gtx) {
				v.press(c.ID)
			}
		case c.Typed():
			for {
				e, ok := k.edit.Update(gtx)
				if !ok {
					break
				}
				v.face.Type(c.ID, k.edit.Text())
				if _, is := e.(widget.SubmitEvent); is && c.Enter != "" {
					v.press(c.Enter)
				}
			}
		}
	}
	for {
		e, ok := gtx.Event(key.Filter{Name: key.NameEscape})
		if !ok {
			break
		}
		if e, is := e.(key.Event); is && e.State == key.Press && v.now.Escape != "" {
			v.press(v.now.Escape)
		}
	}
}

func (v *view) press(id string) {
	said, wish := v.face.Press(id, time.Now())
	for _, c := range said {
		v.say(c)
	}
	if wish != nil && wish.Kind == "open" { // the other wishes are of windows that have dialogs
		cmd := exec.Command("xdg-open", wish.Name)
		if cmd.Start() == nil {
			go func() { _ = cmd.Wait() }()
		}
	}
}

// giveFocus asks until the wanted control has the focus: it can take it only once
// a frame has shown it, and a window that is being resized may lose it again.
func (v *view) giveFocus(gtx layout.Context) {
	k := v.controls[v.focus]
	if v.focus == "" || k == nil {
		return
	}
	var tag any = &k.click
	for _, c := range v.now.Cells() {
		if c.ID == v.focus && c.Typed() {
			tag = &k.edit
		}
	}
	if v.tries--; v.tries < 0 || gtx.Focused(tag) {
		v.focus = ""
		return
	}
	gtx.Execute(key.FocusCmd{Tag: tag})
	gtx.Execute(op.InvalidateCmd{})
}

// block lays one out, with the space above it.
func (v *view) block(gtx layout.Context, i int) layout.Dimensions {
	b := v.now.Blocks[i]
	gtx.Constraints.Min = image.Point{}
	rows := func(gtx layout.Context) layout.Dimensions {
		width, y := gtx.Constraints.Max.X, 0
		for j, r := range b.Rows {
			if j > 0 {
				y += gtx.Dp(6)
			}
			t := op.Offset(image.Pt(0, y)).Push(gtx.Ops)
			y += v.row(gtx, r, b.Ground != face.Plain).Size.Y
			t.Pop()
		}
		return layout.Dimensions{Size: image.Pt(width, y)}
	}
	above := unit.Dp(b.Above)
	if i == 0 {
		above = 0
	}
	return layout.Inset{Top: above}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
		if b.Ground == face.Plain {
			return rows(gtx)
		}
		fill, line := soft, softEdge
		if b.Ground == face.Warm {
			fill, line = warm, warmEdge
		}
		return layout.Background{}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			r := clip.UniformRRect(image.Rectangle{Max: gtx.Constraints.Min}, gtx.Dp(8))
			paint.FillShape(gtx.Ops, fill, r.Op(gtx.Ops))
			paint.FillShape(gtx.Ops, line, clip.Stroke{Path: r.Path(gtx.Ops), Width: float32(gtx.Dp(1))}.Op())
			return layout.Dimensions{Size: gtx.Constraints.Min}
		}, func(gtx layout.Context) layout.Dimensions {
			return layout.Inset{Top: 11, Bottom: 12, Left: 14, Right: 14}.Layout(gtx, rows)
		})
	})
}

// row lays out cells beside each other, each in the middle of its height.
func (v *view) row(gtx layout.Context, cells []face.Cell, small bool) layout.Dimensions {
	type placed struct {
		call op.CallOp
		x, h int
	}
	var all []placed
	width, left, height := gtx.Constraints.Max.X, 0, 0
	for _, c := range cells {
		w := width - left
		if c.Share > 0 {
			w = width * c.Share / 100
		}
		if c.ID != "" {
			macro := op.Record(gtx.Ops)
			cgtx := gtx
			cgtx.Constraints = layout.Constraints{Min: image.Pt(w, 0), Max: image.Pt(w, gtx.Constraints.Max.Y)}
			h := v.cell(cgtx, c, small).Size.Y
			all = append(all, placed{macro.Stop(), left, h})
			height = max(height, h)
		}
		left += w
	}
	for _, p := range all {
		t := op.Offset(image.Pt(p.x, (height-p.h)/2)).Push(gtx.Ops)
		p.call.Add(gtx.Ops)
		t.Pop()
	}
	return layout.Dimensions{Size: image.Pt(width, height)}
}

func (v *view) cell(gtx layout.Context, c face.Cell, small bool) layout.Dimensions {
	k := v.controls[c.ID]
	if k == nil {
		return layout.Dimensions{}
	}
	switch {
	case c.Button():
		return v.button(gtx, c, k, small)
	case c.Typed():
		return v.field(gtx, c, k)
	case c.What == face.Picture:
		return k.show(gtx)
	}
	s := sizes[c.Look]
	l := material.Label(v.th, s.size, c.Text)
	l.Color, l.Font.Weight = s.color, s.weight
	if c.Center {
		l.Alignment = text.Middle
	}
	if c.Look == face.Digits {
		l.Font.Typeface, l.MaxLines = "Go Mono", 1
	}
	return l.Layout(gtx)
}

// button draws a button as wide as its place, with a thick ring when it has the focus.
func (v *view) button(gtx layout.Context, c face.Cell, k *control, small bool) layout.Dimensions {
	bg, fg, ring := paper, ink, edge
	switch c.What {
	case face.Primary:
		bg, fg, ring = accent, paper, accent
	case face.Danger:
		bg, fg, ring = danger, paper, danger
	}
	width := unit.Dp(1)
	if c.Off {
		gtx = gtx.Disabled()
		bg, fg, ring = paper, muted, softEdge
	} else if gtx.Focused(&k.click) {
		ring, width = ink, 3
	}
	size, weight, corner := unit.Sp(17), font.Bold, unit.Dp(8)
	inset := layout.Inset{Top: 11, Bottom: 12, Left: 8, Right: 8}
	if small {
		size, weight, corner = 15, font.Normal, 7
		inset = layout.Inset{Top: 6, Bottom: 7, Left: 4, Right: 4}
	}
	fill := func(gtx layout.Context) layout.Dimensions {
		semantic.Button.Add(gtx.Ops)
		ground := bg
		if k.click.Hovered() && !c.Off {
			ground = nearer(bg, ink)
		}
		r := clip.UniformRRect(image.Rectangle{Max: gtx.Constraints.Min}, gtx.Dp(corner))
		paint.FillShape(gtx.Ops, ground, r.Op(gtx.Ops))
		if width == 3 && bg != paper { // within the ring, or it could not be told from the button
			widget.Border{Color: paper, Width: 5, CornerRadius: corner}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
				return layout.Dimensions{Size: gtx.Constraints.Min}
			})
		}
		return layout.Dimensions{Size: gtx.Constraints.Min}
	}
	return widget.Border{Color: ring, Width: width, CornerRadius: corner}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
		return k.click.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			return layout.Background{}.Layout(gtx, fill, func(gtx layout.Context) layout.Dimensions {
				return inset.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
					l := material.Label(v.th, size, c.Text)
					l.Color, l.Font.Weight, l.Alignment = fg, weight, text.Middle
					return l.Layout(gtx)
				})
			})
		})
	})
}

// nearer is a colour a little nearer to another.
func nearer(c, to color.NRGBA) color.NRGBA {
	part := func(a, b byte) byte { return byte((int(a)*11 + int(b)) / 12) }
	return color.NRGBA{R: part(c.R, to.R), G: part(c.G, to.G), B: part(c.B, to.B), A: c.A}
}

// areaLines is how many lines to type into are seen; a picture is at most so tall.
const areaLines, tallest = 5, 260

func (v *view) field(gtx layout.Context, c face.Cell, k *control) layout.Dimensions {
	ring, width := edge, unit.Dp(1)
	if gtx.Focused(&k.edit) {
		ring, width = ink, 2
	}
	return widget.Border{Color: ring, Width: width, CornerRadius: 6}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
		return layout.Background{}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			r := clip.UniformRRect(image.Rectangle{Max: gtx.Constraints.Min}, gtx.Dp(6))
			paint.FillShape(gtx.Ops, paper, r.Op(gtx.Ops))
			return layout.Dimensions{Size: gtx.Constraints.Min}
		}, func(gtx layout.Context) layout.Dimensions {
			return layout.UniformInset(8).Layout(gtx, func(gtx layout.Context) layout.Dimensions {
				e := material.Editor(v.th, &k.edit, "")
				e.TextSize = 16
				if c.What == face.Area {
					h := areaLines * gtx.Sp(22)
					gtx.Constraints.Min.Y, gtx.Constraints.Max.Y = h, h
				}
				return e.Layout(gtx)
			})
		})
	})
}

// show draws a picture: whole, and never larger than it is.
func (k *control) show(gtx layout.Context) layout.Dimensions {
	w := gtx.Constraints.Max.X
	if k.size.X == 0 || k.size.Y == 0 {
		return layout.Dimensions{Size: image.Pt(w, 1)}
	}
	scale := min(1, float32(w)/float32(k.size.X), float32(gtx.Dp(tallest))/float32(k.size.Y))
	size := image.Pt(int(float32(k.size.X)*scale), int(float32(k.size.Y)*scale))
	defer op.Offset(image.Pt((w-size.X)/2, 0)).Push(gtx.Ops).Pop()
	defer clip.Rect{Max: size}.Push(gtx.Ops).Pop()
	defer op.Affine(f32.Affine2D{}.Scale(f32.Point{}, f32.Pt(scale, scale))).Push(gtx.Ops).Pop()
	k.image.Add(gtx.Ops)
	paint.PaintOp{}.Add(gtx.Ops)
	return layout.Dimensions{Size: image.Pt(w, size.Y)}
}
