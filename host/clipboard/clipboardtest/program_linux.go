package clipboardtest

import (
	"encoding/binary"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"github.com/mainforte/mainforte/host/clipboard"
)

// Program is another X client that copies and pastes, by ICCCM and by its own code.
type Program struct {
	closing atomic.Bool // what fails now is no fault
	t       testing.TB
	c       *xgb.Conn
	w       xproto.Window
	events  chan xgb.Event
	copies  chan copied
}

type copied struct {
	content clipboard.Content
	secret  bool
	done    chan struct{}
}

// NewProgram connects to a display; it ends with the test.
func NewProgram(t testing.TB, display string) *Program {
	c, err := xgb.NewConnDisplay(display)
	if err != nil {
		t.Fatal(err)
	}
	w, _ := xproto.NewWindowId(c)
	err = xproto.CreateWindowChecked(c, 0, w, xproto.Setup(c).DefaultScreen(c).Root, 0, 0, 1, 1, 0, xproto.WindowClassInputOnly, 0,
		xproto.CwEventMask, []uint32{xproto.EventMaskPropertyChange}).Check()
	if err != nil {
		t.Fatal(err)
	}
	p := &Program{t: t, c: c, w: w, events: make(chan xgb.Event, 1000), copies: make(chan copied)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.serve()
	}()
	t.Cleanup(func() {
		p.closing.Store(true)
		c.Close()
		<-done
	})
	return p
}

func (p *Program) atom(name string) xproto.Atom {
	r, err := xproto.InternAtom(p.c, false, uint16(len(name)), name).Reply()
	if err != nil {
		if !p.closing.Load() {
			p.t.Error(err)
		}
		return 0
	}
	return r.Atom
}

// serve answers who pastes what this program copied, by INCR above 10,000 bytes.
func (p *Program) serve() {
	incoming := make(chan xgb.Event, 100)
	go func() {
		defer close(incoming)
		for {
			ev, err := p.c.WaitForEvent()
			if ev == nil && err == nil {
				return
			}
			if ev != nil {
				incoming <- ev
			}
		}
	}()
	var now copied
	rest := map[xproto.Window][]byte{}
	kindOf := map[clipboard.Kind]string{clipboard.Text: "UTF8_STRING", clipboard.PNG: "image/png"}
	for {
		select {
		case now = <-p.copies:
			xproto.SetSelectionOwnerChecked(p.c, p.w, p.atom("CLIPBOARD"), xproto.TimeCurrentTime).Check()
			close(now.done)
		case ev, ok := <-incoming:
			if !ok {
				close(p.events)
				return
			}
			switch ev := ev.(type) {
			case xproto.SelectionRequestEvent:
				kind := p.atom(kindOf[now.content.Kind])
				answer := xproto.SelectionNotifyEvent{Time: ev.Time, Requestor: ev.Requestor, Selection: ev.Selection, Target: ev.Target, Property: ev.Property}
				switch {
				case ev.Target == p.atom("TARGETS"):
					list := []xproto.Atom{kind, p.atom("STRING")}
					if now.secret {
						list = append(list, p.atom("x-kde-passwordManagerHint"))
					}
					var b []byte
					for _, a := range list {
						b = binary.LittleEndian.AppendUint32(b, uint32(a))
					}
					xproto.ChangeProperty(p.c, 0, ev.Requestor, ev.Property, xproto.AtomAtom, 32, uint32(len(list)), b)
				case ev.Target != kind:
					answer.Property = 0
				case len(now.content.Data) > 10_000:
					xproto.ChangeWindowAttributes(p.c, ev.Requestor, xproto.CwEventMask, []uint32{xproto.EventMaskPropertyChange})
					rest[ev.Requestor] = now.content.Data
					xproto.ChangeProperty(p.c, 0, ev.Requestor, ev.Property, p.atom("INCR"), 32, 1, []byte{0, 0, 0, 0})
				default:
					xproto.ChangeProperty(p.c, 0, ev.Requestor, ev.Property, kind, 8, uint32(len(now.content.Data)), now.content.Data)
				}
				xproto.SendEvent(p.c, false, ev.Requestor, 0, string(answer.Bytes()))
			case xproto.PropertyNotifyEvent:
				if ev.Window == p.w {
					p.events <- ev
					break
				}
				data, sending := rest[ev.Window]
				if !sending || ev.State != xproto.PropertyDelete {
					break
				}
				n := min(len(data), 30_000)
				xproto.ChangeProperty(p.c, 0, ev.Window, ev.Atom, p.atom(kindOf[now.content.Kind]), 8, uint32(n), data[:n])
				if rest[ev.Window] = data[n:]; n == 0 {
					delete(rest, ev.Window)
				}
			case xproto.SelectionNotifyEvent:
				p.events <- ev
			}
		}
	}
}

// Copy puts something on the clipboard, as a password manager does it if it is secret.
func (p *Program) Copy(c clipboard.Content, secret bool) {
	done := make(chan struct{})
	p.copies <- copied{c, secret, done}
	<-done
}

// Paste is what the clipboard gives as a kind; nil: nothing of that kind.
func (p *Program) Paste(kind clipboard.Kind) []byte {
	target := p.atom("UTF8_STRING")
	if kind == clipboard.PNG {
		target = p.atom("image/png")
	}
	property := p.atom("PASTED")
	xproto.ConvertSelection(p.c, p.w, p.atom("CLIPBOARD"), target, property, xproto.TimeCurrentTime)
	next := func() xgb.Event {
		select {
		case ev := <-p.events:
			return ev
		case <-time.After(20 * time.Second):
			p.t.Fatal("nothing is pasted")
			return nil
		}
	}
	read := func() (xproto.Atom, []byte) {
		r, err := xproto.GetProperty(p.c, true, p.w, property, 0, 0, 1<<24).Reply()
		if err != nil {
			p.t.Fatal(err)
		}
		return r.Type, r.Value
	}
	for {
		if ev, ok := next().(xproto.SelectionNotifyEvent); ok {
			if ev.Property == 0 {
				return nil
			}
			break
		}
	}
	kindRead, data := read()
	if kindRead != p.atom("INCR") {
		return data
	}
	var all []byte
	for {
		ev, ok := next().(xproto.PropertyNotifyEvent)
		if !ok || ev.State != xproto.PropertyNewValue {
			continue
		}
		kindRead, data := read()
		if kindRead == 0 {
			continue // told of what was read already
		}
		if len(data) == 0 {
			return all
		}
		all = append(all, data...)
	}
}
