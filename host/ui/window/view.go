//go:build window

package main

import (
	"image"
	"image/color"
	"sync"

	"gioui.org/font"
	"gioui.org/font/gofont"
	"gioui.org/io/key"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/clip"
	"gioui.org/op/paint"
	"gioui.org/text"
	"gioui.org/unit"
	"gioui.org/widget"
	"gioui.org/widget/material"

	"github.com/mainforte/mainforte/host/ui"
)

var (
	ink     = color.NRGBA{0x14, 0x1f, 0x2e, 0xff}
	muted   = color.NRGBA{0x4d, 0x5b, 0x6b, 0xff}
	paper   = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	surface = color.NRGBA{0xf2, 0xf5, 0xf8, 0xff}
	border  = color.NRGBA{0xc6, 0xd0, 0xda, 0xff}
	accent  = color.NRGBA{0x0b, 0x67, 0x63, 0xff}
	danger  = color.NRGBA{0xb3, 0x26, 0x1e, 0xff}
	warn    = color.NRGBA{0xff, 0xf3, 0xd6, 0xff}
)

// view is what the window shows. Its fields are guarded by mu.
type view struct {
	mu    sync.Mutex
	say   func(ui.Command)
	texts *ui.Texts
	th    *material.Theme

	screen string // server, status, code, session, ended
	status string
	server ui.Event
	code   ui.Event
	ask    *ui.Event // the open question covers everything else
	who    []ui.Participant
	invite ui.Event // without a code: none is out
	ended  ui.Event
	resize bool
	focus  *widget.Clickable // the button to be given the focus, if any
	tries  int               // frames in which it is still asked for

	allow, deny, stop, revoke, again, quit, connect, uninvite widget.Clickable
	stopOne                                                   map[string]*widget.Clickable // by participant
	address                                                   widget.Editor
	list                                                      widget.List
}

func newView(say func(ui.Command)) *view {
	th := material.NewTheme()
	th.Shaper = text.NewShaper(text.NoSystemFonts(), text.WithCollection(gofont.Collection()))
	th.Palette = material.Palette{Bg: paper, Fg: ink, ContrastBg: accent, ContrastFg: paper}
	v := &view{say: say, texts: ui.Load("en"), th: th, screen: "status"}
	v.address.SingleLine, v.address.Submit = true, true
	v.list.Axis = layout.Vertical
	return v
}

// focusFrames is for how many frames a new question asks for the focus.
const focusFrames = 30

// width and height of the window for what it shows now.
func (v *view) width() unit.Dp {
	if v.ask == nil && v.screen == "session" {
		return 460
	}
	return 620
}

func (v *view) height() unit.Dp {
	switch {
	case v.ask != nil:
		return 440
	case v.screen == "session":
		h := unit.Dp(230)
		if len(v.who) > 1 {
			h += unit.Dp(78 * len(v.who))
		}
		if v.invite.Code != "" {
			h += 190
		}
		return h
	case v.screen == "code":
		return 370
	}
	return 350
}

// show takes one event from the host.
func (v *view) show(e ui.Event) {
	before := [2]unit.Dp{v.width(), v.height()}
	switch e.Name {
	case "hello":
		v.texts = ui.Load(e.Lang)
		v.resize = true
	case "server":
		v.screen, v.server = "server", e
		if v.address.Text() == "" {
			v.address.SetText(e.Hint)
		}
	case "status":
		v.status = e.Text
		if v.screen == "server" || v.screen == "ended" {
			v.screen = "status"
		}
	case "code":
		v.screen, v.code, v.status = "code", e, v.texts.T("status.waiting")
	case "ask":
		v.ask = &e
		v.wantFocus(&v.deny)
	case "withdrawn":
		v.ask = nil
	case "session":
		v.screen, v.status, v.who, v.invite, v.stopOne = "session", "", nil, ui.Event{}, map[string]*widget.Clickable{}
		if e.Technician != nil {
			v.who = []ui.Participant{{Technician: *e.Technician}}
		}
	case "participants":
		v.screen, v.who = "session", e.Participants
		for _, p := range v.who {
			if v.stopOne[p.ID] == nil {
				v.stopOne[p.ID] = new(widget.Clickable)
			}
		}
	case "invite":
		v.invite = e
	case "ended":
		v.screen, v.ended, v.ask, v.who, v.invite = "ended", e, nil, nil, ui.Event{}
		v.wantFocus(&v.quit)
	case "error":
		v.status = e.Text
		if v.screen != "session" && v.screen != "server" {
			v.screen = "status"
		}
	}
	if before != [2]unit.Dp{v.width(), v.height()} {
		v.resize = true
	}
}

func (v *view) wantFocus(b *widget.Clickable) { v.focus, v.tries = b, focusFrames }

// giveFocus asks until the wanted button has the focus: it can take it only once
// a frame has shown it, and a window that is being resized may lose it again.
func (v *view) giveFocus(gtx layout.Context) {
	if v.focus == nil {
		return
	}
	if v.tries--; v.tries < 0 || gtx.Focused(v.focus) {
		v.focus = nil
		return
	}
	gtx.Execute(key.FocusCmd{Tag: v.focus})
	gtx.Execute(op.InvalidateCmd{})
}

func (v *view) layout(gtx layout.Context) layout.Dimensions {
	v.answer(gtx)
	defer v.giveFocus(gtx)
	paint.Fill(gtx.Ops, paper)
	pad := unit.Dp(28)
	if v.ask == nil && v.screen == "session" {
		pad = 18
	}
	return layout.UniformInset(pad).Layout(gtx, func(gtx layout.Context) layout.Dimensions {
		switch {
		case v.ask != nil:
			return v.layoutAsk(gtx)
		case v.screen == "server":
			return v.layoutServer(gtx)
		case v.screen == "code":
			return v.layoutCode(gtx)
		case v.screen == "session":
			return v.layoutSession(gtx)
		case v.screen == "ended":
			return v.layoutEnded(gtx)
		}
		return v.column(gtx, v.title(v.texts.T("title")), gap(16), v.body(v.status))
	})
}

// answer turns presses into commands.
func (v *view) answer(gtx layout.Context) {
	if v.ask != nil {
		id := v.ask.ID
		switch {
		case v.deny.Clicked(gtx):
			v.ask, v.resize = nil, true
			v.say(ui.Command{ID: id, Answer: "deny"})
		case v.allow.Clicked(gtx):
			v.ask, v.resize = nil, true
			v.say(ui.Command{ID: id, Answer: "allow"})
		}
	}
	if v.stop.Clicked(gtx) {
		v.say(ui.Command{Do: "stop"})
	}
	if v.revoke.Clicked(gtx) {
		v.say(ui.Command{Do: "revoke", Grant: "control"})
	}
	for id, b := range v.stopOne {
		if b.Clicked(gtx) {
			v.say(ui.Command{Do: "stop", Participant: id})
		}
	}
	if v.uninvite.Clicked(gtx) {
		v.say(ui.Command{Do: "cancel_invite"})
	}
	if v.again.Clicked(gtx) {
		v.say(ui.Command{Do: "again"})
	}
	if v.quit.Clicked(gtx) {
		v.say(ui.Command{Do: "quit"})
	}
	submit := v.connect.Clicked(gtx)
	for {
		e, ok := v.address.Update(gtx)
		if !ok {
			break
		}
		if _, is := e.(widget.SubmitEvent); is {
			submit = true
		}
	}
	if submit && v.screen == "server" && v.address.Text() != "" {
		v.say(ui.Command{Do: "server", Server: v.address.Text()})
	}
}

func (v *view) layoutServer(gtx layout.Context) layout.Dimensions {
	prompt := v.texts.T("server.prompt")
	if v.server.Hint != "" {
		prompt = v.texts.T("server.hint", "server", v.server.Hint)
	}
	rows := []layout.Widget{v.title(v.texts.T("title")), gap(12), v.body(prompt), gap(16), v.field, gap(16)}
	if v.server.Text != "" {
		rows = append(rows, v.colored(v.server.Text, danger), gap(12))
	}
	rows = append(rows, v.button(&v.connect, v.texts.T("server.connect"), accent, paper, false))
	return v.column(gtx, rows...)
}

func (v *view) layoutCode(gtx layout.Context) layout.Dimensions {
	t := v.texts
	rows := []layout.Widget{}
	if v.code.Text != "" {
		rows = append(rows, v.card(warn, v.body(v.code.Text)), gap(14))
	}
	rows = append(rows, v.title(t.T("code.title")), gap(14),
		v.card(surface, func(gtx layout.Context) layout.Dimensions {
			l := material.Label(v.th, 64, v.code.Code)
			l.Font = font.Font{Typeface: "Go Mono", Weight: font.Bold}
			l.Alignment, l.MaxLines, l.Color = text.Middle, 1, ink
			gtx.Constraints.Min.X = gtx.Constraints.Max.X
			return l.Layout(gtx)
		}), gap(14))
	if v.code.Expires != nil {
		rows = append(rows, v.small(t.T("code.valid", "time", ui.Clock(*v.code.Expires))), gap(6))
	}
	rows = append(rows, v.small(t.T("code.safety")), gap(14), v.body(v.status), gap(4),
		v.small(t.T("ask.server")+t.T("colon")+v.code.Server))
	return v.column(gtx, rows...)
}

func (v *view) layoutAsk(gtx layout.Context) layout.Dimensions {
	t, e := v.texts, v.ask
	rows := []layout.Widget{v.small(t.T("ask.server")), func(gtx layout.Context) layout.Dimensions {
		l := material.Label(v.th, 30, e.Server)
		l.Font.Weight, l.Color = font.Bold, accent
		return l.Layout(gtx)
	}, gap(10)}
	if e.Technician != nil {
		who := e.Technician.Name
		if e.Technician.Organisation != "" {
			who = t.T("ask.who", "name", e.Technician.Name, "organisation", e.Technician.Organisation)
		}
		rows = append(rows, v.strong(who))
		if e.Technician.SignedIn != "" {
			rows = append(rows, v.small(t.SignedIn(*e.Technician)))
		}
	}
	if e.Ticket != nil {
		rows = append(rows, gap(6), v.body(t.T("ask.ticket")+" "+e.Ticket.Number+"  "+e.Ticket.Subject))
	} else {
		rows = append(rows, gap(6), v.body(t.T("ask.no_ticket")))
	}
	rows = append(rows, gap(14), v.card(warn, v.body(t.T("ask.scam"))), gap(14), v.strong(e.Text), gap(16),
		v.pair(v.button(&v.deny, t.T("ask.deny"), paper, danger, true), v.button(&v.allow, t.T("ask.allow"), accent, paper, false)), gap(10), v.small(t.T("ask.default")))
	return v.column(gtx, rows...)
}

func (v *view) layoutSession(gtx layout.Context) layout.Dimensions {
	t := v.texts
	var rows []layout.Widget
	controlled := false
	for _, p := range v.who {
		controlled = controlled || ui.Standing(p.Grants) == "session.controlled"
	}
	if len(v.who) == 1 {
		rows = append(rows, v.strong(t.T(ui.Standing(v.who[0].Grants), "name", v.who[0].Technician.Name)), gap(4))
	} else {
		for _, p := range v.who {
			rows = append(rows, v.participant(p), gap(8))
		}
	}
	if v.status != "" {
		rows = append(rows, v.small(v.status), gap(4))
	}
	if v.invite.Code != "" {
		rows = append(rows, v.card(surface, func(gtx layout.Context) layout.Dimensions {
			return layout.Flex{Axis: layout.Vertical}.Layout(gtx,
				layout.Rigid(v.small(v.invite.Text)), layout.Rigid(gap(4)),
				layout.Rigid(v.strong(t.T("invite.code", "code", v.invite.Code))), layout.Rigid(gap(8)),
				layout.Rigid(v.button(&v.uninvite, t.T("invite.cancel"), paper, ink, true)))
		}))
	}
	everything := "session.stop"
	if len(v.who) > 1 {
		everything = "session.stop.all"
	}
	rows = append(rows, gap(8), v.button(&v.stop, t.T(everything), danger, paper, false), gap(10))
	if controlled {
		rows = append(rows, v.button(&v.revoke, t.T("session.revoke.control"), paper, ink, true))
	} else {
		rows = append(rows, v.small(t.T("session.stop.help")))
	}
	return v.column(gtx, rows...)
}

// participant is one line of several: who it is, what they can do, and a Stop.
func (v *view) participant(p ui.Participant) layout.Widget {
	t := v.texts
	what := t.T("participant." + p.Kind)
	if !p.Connected {
		what = t.T("participant.away")
	}
	stop := v.stopOne[p.ID]
	if stop == nil {
		stop = new(widget.Clickable)
	}
	return func(gtx layout.Context) layout.Dimensions {
		return layout.Flex{Alignment: layout.Middle}.Layout(gtx,
			layout.Flexed(1, func(gtx layout.Context) layout.Dimensions {
				return layout.Flex{Axis: layout.Vertical}.Layout(gtx,
					layout.Rigid(v.label(17, t.T(ui.Standing(p.Grants), "name", p.Technician.Name), ink, font.Bold)),
					layout.Rigid(v.small(what)))
			}),
			layout.Rigid(layout.Spacer{Width: 12}.Layout),
			layout.Rigid(func(gtx layout.Context) layout.Dimensions {
				gtx.Constraints.Min.X, gtx.Constraints.Max.X = gtx.Dp(110), gtx.Dp(110)
				return v.button(stop, t.T("session.stop"), paper, danger, true)(gtx)
			}))
	}
}

func (v *view) layoutEnded(gtx layout.Context) layout.Dimensions {
	t, e := v.texts, v.ended
	rows := []layout.Widget{v.title(t.T("ended.title")), gap(12), v.strong(e.Text), gap(8)}
	if e.Duration > 0 {
		rows = append(rows, v.body(t.T("ended.duration", "duration", t.Duration(e.Duration))))
	}
	if e.Ticket != nil {
		rows = append(rows, v.body(t.T("ended.ticket", "number", e.Ticket.Number)))
	}
	rows = append(rows, v.body(t.T("ended.nothing")), gap(6))
	if e.Session != "" {
		rows = append(rows, v.small(t.T("ended.session", "session", e.Session)))
	}
	rows = append(rows, gap(16), v.pair(v.button(&v.again, t.T("ended.again"), paper, ink, true), v.button(&v.quit, t.T("ended.close"), accent, paper, false)))
	return v.column(gtx, rows...)
}

func (v *view) column(gtx layout.Context, rows ...layout.Widget) layout.Dimensions {
	return material.List(v.th, &v.list).Layout(gtx, len(rows), func(gtx layout.Context, i int) layout.Dimensions {
		return rows[i](gtx)
	})
}

// pair stands two buttons side by side.
func (v *view) pair(left, right layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		return layout.Flex{Spacing: layout.SpaceBetween}.Layout(gtx,
			layout.Flexed(0.48, left), layout.Rigid(layout.Spacer{Width: 16}.Layout), layout.Flexed(0.48, right))
	}
}

func gap(h unit.Dp) layout.Widget { return layout.Spacer{Height: h}.Layout }

func (v *view) label(size unit.Sp, s string, c color.NRGBA, w font.Weight) layout.Widget {
	l := material.Label(v.th, size, s)
	l.Color, l.Font.Weight = c, w
	return l.Layout
}

func (v *view) title(s string) layout.Widget  { return v.label(24, s, ink, font.Bold) }
func (v *view) strong(s string) layout.Widget { return v.label(19, s, ink, font.Bold) }
func (v *view) body(s string) layout.Widget   { return v.label(17, s, ink, font.Normal) }
func (v *view) small(s string) layout.Widget  { return v.label(15, s, muted, font.Normal) }
func (v *view) colored(s string, c color.NRGBA) layout.Widget {
	return v.label(17, s, c, font.Bold)
}

// card is a rounded area of one colour around w.
func (v *view) card(bg color.NRGBA, w layout.Widget) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		return layout.Background{}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			r := clip.UniformRRect(image.Rectangle{Max: gtx.Constraints.Min}, gtx.Dp(10))
			paint.FillShape(gtx.Ops, bg, r.Op(gtx.Ops))
			return layout.Dimensions{Size: gtx.Constraints.Min}
		}, func(gtx layout.Context) layout.Dimensions {
			gtx.Constraints.Min.X = gtx.Constraints.Max.X
			return layout.UniformInset(14).Layout(gtx, w)
		})
	}
}

// button draws a button as wide as its place, with a thick ring when it has the focus.
func (v *view) button(c *widget.Clickable, s string, bg, fg color.NRGBA, outlined bool) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		gtx.Constraints.Min.X = gtx.Constraints.Max.X
		ring, width := bg, unit.Dp(2)
		if outlined {
			ring = border
		}
		if gtx.Focused(c) {
			ring, width = ink, 4
		}
		return widget.Border{Color: ring, Width: width, CornerRadius: 10}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			b := material.Button(v.th, c, s)
			b.Background, b.Color, b.TextSize, b.CornerRadius = bg, fg, 19, 10
			b.Font.Weight = font.Bold
			b.Inset = layout.Inset{Top: 14, Bottom: 14, Left: 16, Right: 16}
			return b.Layout(gtx)
		})
	}
}

func (v *view) field(gtx layout.Context) layout.Dimensions {
	return widget.Border{Color: border, Width: 2, CornerRadius: 8}.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
		return layout.UniformInset(12).Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			e := material.Editor(v.th, &v.address, "help.example.org")
			e.TextSize = 20
			return e.Layout(gtx)
		})
	})
}
