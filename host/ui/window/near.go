//go:build window

package main

import (
	"image"
	"time"

	"gioui.org/io/event"
	"gioui.org/io/pointer"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/clip"

	"github.com/mainforte/mainforte/host/ui"
)

// deaf is how long the window takes no press after the pointer entered it on
// Wayland. Nothing else on such a desktop knows where this window is, so a
// technician's click could reach it before the host heard that the pointer is
// here; by then it has. A person's own click comes later than that anyway.
const deaf = 250 * time.Millisecond

// near tells the host on Wayland whether the pointer or the keyboard is in the
// window (input.Guard, C82).
type near struct {
	say     func(ui.Command)
	wayland bool
	focused bool
	inside  bool
	since   time.Time // when it came inside
	said    string
}

// tell says what is in the window, if that is news.
func (n *near) tell() {
	if !n.wayland {
		return
	}
	now := "none"
	switch {
	case n.inside && n.focused:
		now = "both"
	case n.inside:
		now = "pointer"
	case n.focused:
		now = "focus"
	}
	if now != n.said {
		n.said = now
		n.say(ui.Command{Do: "near", Near: now})
	}
}

// over lays an area over the whole window that sees the pointer come and go, and
// that lets presses through only to a window in which it is at home.
func (n *near) over(gtx layout.Context) {
	if !n.wayland {
		return
	}
	for {
		e, ok := gtx.Event(pointer.Filter{Target: n, Kinds: pointer.Enter | pointer.Leave | pointer.Cancel | pointer.Press | pointer.Release})
		if !ok {
			break
		}
		p, ok := e.(pointer.Event)
		if !ok {
			continue
		}
		switch inside := p.Kind != pointer.Leave && p.Kind != pointer.Cancel; {
		case inside && !n.inside:
			n.inside, n.since = true, gtx.Now
		case !inside:
			n.inside = false
		}
	}
	n.tell()
	home := n.since.Add(deaf)
	atHome := n.inside && !gtx.Now.Before(home)
	if n.inside && !atHome {
		gtx.Execute(op.InvalidateCmd{At: home})
	}
	if atHome {
		defer pointer.PassOp{}.Push(gtx.Ops).Pop()
	}
	defer clip.Rect(image.Rectangle{Max: gtx.Constraints.Max}).Push(gtx.Ops).Pop()
	event.Op(gtx.Ops, n)
}
