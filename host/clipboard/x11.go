//go:build linux

package clipboard

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"slices"
	"sync"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xfixes"
	"github.com/jezek/xgb/xproto"

	"github.com/mainforte/mainforte/host/xext"
)

const (
	// pieceSize is what travels in one property; more goes piece by piece (INCR).
	pieceSize = 64 << 10
	// answerTime is what the program that has the clipboard may take for one step.
	answerTime = 3 * time.Second
	// maxSending bounds the programs that read ours at once.
	maxSending = 16
)

// X11 is the selection CLIPBOARD of an X display: ICCCM §2. One goroutine has all
// the state and does what the others ask for.
type X11 struct {
	c      *xgb.Conn
	window xproto.Window
	atoms  map[string]xproto.Atom
	news   chan Item
	calls  chan func()
	events chan xgb.Event
	done   chan struct{}
	once   sync.Once
	wg     sync.WaitGroup
	asks   sync.Mutex // one Get at a time: they share a property

	// The rest belongs to run.
	ours     *Content
	watching bool
	serial   uint64
	owner    xproto.Window // who had it when the newest item was told
	reading  *reading
	sending  map[[2]uint32]*sending // by window and property
}

// reading is a conversion that was asked for.
type reading struct {
	target xproto.Atom
	incr   bool
	kind   xproto.Atom // of the property
	data   []byte
	most   int
	until  time.Time
	answer func(kind xproto.Atom, data []byte, err error)
}

// sending is a program that reads ours piece by piece.
type sending struct {
	kind  xproto.Atom
	rest  []byte
	until time.Time
}

var quiet sync.Once

// OpenX11 opens the clipboard of a display; "" is $DISPLAY.
func OpenX11(display string) (*X11, error) {
	quiet.Do(func() { xgb.Logger = log.New(io.Discard, "", 0) })
	c, err := xgb.NewConnDisplay(display)
	if err != nil {
		return nil, fmt.Errorf("clipboard: connect to X display %q: %w", display, err)
	}
	x := &X11{
		c: c, atoms: make(map[string]xproto.Atom), news: make(chan Item, 1), calls: make(chan func()),
		events: make(chan xgb.Event, 64), done: make(chan struct{}), sending: make(map[[2]uint32]*sending),
	}
	if err := x.init(); err != nil {
		c.Close()
		return nil, err
	}
	x.wg.Go(func() {
		defer close(x.events)
		for {
			ev, err := c.WaitForEvent()
			if ev == nil && err == nil {
				return
			}
			if ev != nil {
				select {
				case x.events <- ev:
				case <-x.done:
				}
			}
		}
	})
	x.wg.Go(x.run)
	return x, nil
}

func (x *X11) init() error {
	for _, name := range []string{
		"CLIPBOARD", "TARGETS", "TIMESTAMP", "INCR", "UTF8_STRING", "TEXT", "text/plain", "text/plain;charset=utf-8",
		"image/png", "text/uri-list", "x-kde-passwordManagerHint", "MAINFORTE_CLIP",
	} {
		r, err := xproto.InternAtom(x.c, false, uint16(len(name)), name).Reply()
		if err != nil {
			return fmt.Errorf("clipboard: look up %s: %w", name, err)
		}
		x.atoms[name] = r.Atom
	}
	if err := xext.Use(x.c, "XFIXES"); err != nil {
		return fmt.Errorf("%w: no XFIXES: %w", ErrUnsupported, err)
	}
	if _, err := xfixes.QueryVersion(x.c, 2, 0).Reply(); err != nil {
		return fmt.Errorf("%w: no XFIXES 2: %w", ErrUnsupported, err)
	}
	w, err := xproto.NewWindowId(x.c)
	if err != nil {
		return fmt.Errorf("clipboard: %w", err)
	}
	x.window = w
	root := xproto.Setup(x.c).DefaultScreen(x.c).Root
	err = xproto.CreateWindowChecked(x.c, 0, w, root, -1, -1, 1, 1, 0, xproto.WindowClassInputOnly, 0,
		xproto.CwEventMask, []uint32{xproto.EventMaskPropertyChange}).Check()
	if err != nil {
		return fmt.Errorf("clipboard: make a window: %w", err)
	}
	return nil
}

// call runs f on run's goroutine, or returns ErrClosed.
func (x *X11) call(f func()) error {
	select {
	case x.calls <- f:
		return nil
	case <-x.done:
		return ErrClosed
	}
}

// Put implements Clipboard.
func (x *X11) Put(c Content) error {
	result := make(chan error, 1)
	err := x.call(func() {
		x.ours = &c
		if err := xproto.SetSelectionOwnerChecked(x.c, x.window, x.atoms["CLIPBOARD"], xproto.TimeCurrentTime).Check(); err != nil {
			x.ours = nil
			result <- fmt.Errorf("clipboard: take it: %w", err)
			return
		}
		result <- nil
	})
	if err != nil {
		return err
	}
	return <-result
}

// Watch implements Clipboard.
func (x *X11) Watch(on bool) error {
	result := make(chan error, 1)
	err := x.call(func() {
		x.watching = on
		mask := uint32(0)
		if on {
			mask = xfixes.SelectionEventMaskSetSelectionOwner
		} else {
			x.owner = 0
		}
		result <- xfixes.SelectSelectionInputChecked(x.c, x.window, x.atoms["CLIPBOARD"], mask).Check()
	})
	if err != nil {
		return err
	}
	return <-result
}

// News implements Clipboard.
func (x *X11) News() <-chan Item { return x.news }

// Get implements Clipboard.
func (x *X11) Get(ctx context.Context, it Item) (Content, error) {
	x.asks.Lock()
	defer x.asks.Unlock()
	type answer struct {
		data []byte
		err  error
	}
	result := make(chan answer, 1)
	err := x.call(func() {
		if it.Serial != x.serial || x.owner == 0 {
			result <- answer{err: ErrGone}
			return
		}
		target := x.atoms["UTF8_STRING"]
		if it.Kind == PNG {
			target = x.atoms["image/png"]
		}
		x.ask(target, it.Kind.Max(), func(kind xproto.Atom, data []byte, err error) {
			if err == nil && kind != target {
				err = ErrUnreadable
			}
			result <- answer{data, err}
		})
	})
	if err != nil {
		return Content{}, err
	}
	select {
	case a := <-result:
		if a.err != nil {
			return Content{}, a.err
		}
		return Clean(Content{it.Kind, a.data})
	case <-ctx.Done():
		return Content{}, fmt.Errorf("%w: %w", ErrUnreadable, ctx.Err())
	case <-x.done:
		return Content{}, ErrClosed
	}
}

// Close implements Clipboard.
func (x *X11) Close() error {
	x.once.Do(func() {
		close(x.done)
		x.c.Close()
	})
	x.wg.Wait()
	return nil
}

func (x *X11) run() {
	defer close(x.news)
	tick := time.NewTicker(answerTime / 3)
	defer tick.Stop()
	for {
		select {
		case <-x.done:
			return
		case f := <-x.calls:
			f()
		case ev, ok := <-x.events:
			if !ok {
				x.once.Do(func() { close(x.done) }) // the display is gone
				return
			}
			x.event(ev)
		case now := <-tick.C:
			x.forget(now)
		}
	}
}

// forget gives up on programs that do not answer.
func (x *X11) forget(now time.Time) {
	if x.reading != nil && now.After(x.reading.until) {
		x.answer(0, nil, fmt.Errorf("%w: no answer", ErrUnreadable))
	}
	for key, s := range x.sending {
		if now.After(s.until) {
			delete(x.sending, key)
		}
	}
}

func (x *X11) event(ev xgb.Event) {
	switch ev := ev.(type) {
	case xfixes.SelectionNotifyEvent:
		x.copied(ev)
	case xproto.SelectionClearEvent:
		x.ours = nil
	case xproto.SelectionRequestEvent:
		x.give(ev)
	case xproto.SelectionNotifyEvent:
		x.notified(ev)
	case xproto.PropertyNotifyEvent:
		if ev.Window == x.window && ev.State == xproto.PropertyNewValue && ev.Atom == x.atoms["MAINFORTE_CLIP"] {
			x.piece()
		} else if ev.Window != x.window && ev.State == xproto.PropertyDelete {
			x.sendPiece(ev.Window, ev.Atom)
		}
	}
}

// copied: the clipboard has another owner. What it offers tells what it is.
func (x *X11) copied(ev xfixes.SelectionNotifyEvent) {
	if !x.watching || ev.Selection != x.atoms["CLIPBOARD"] {
		return
	}
	x.owner = 0
	if ev.Owner == 0 || ev.Owner == x.window {
		return
	}
	owner := ev.Owner
	x.ask(x.atoms["TARGETS"], 64<<10, func(_ xproto.Atom, data []byte, err error) {
		if err != nil || !x.watching {
			return
		}
		var kind Kind
		offered := make(map[xproto.Atom]bool)
		for at := 0; at+4 <= len(data); at += 4 {
			offered[xproto.Atom(binary.LittleEndian.Uint32(data[at:]))] = true
		}
		switch {
		case offered[x.atoms["x-kde-passwordManagerHint"]]: // C62: a secret
			return
		case offered[x.atoms["text/uri-list"]]:
			return // files
		case offered[x.atoms["UTF8_STRING"]]:
			kind = Text
		case offered[x.atoms["image/png"]]:
			kind = PNG
		default:
			return
		}
		x.serial++
		x.owner = owner
		select {
		case <-x.news:
		default:
		}
		x.news <- Item{x.serial, kind}
	})
}

// ask asks the owner for a conversion; a newer question ends an older one.
func (x *X11) ask(target xproto.Atom, most int, answer func(xproto.Atom, []byte, error)) {
	if x.reading != nil {
		x.answer(0, nil, ErrGone)
	}
	x.reading = &reading{target: target, most: most, until: time.Now().Add(answerTime), answer: answer}
	xproto.DeleteProperty(x.c, x.window, x.atoms["MAINFORTE_CLIP"])
	xproto.ConvertSelection(x.c, x.window, x.atoms["CLIPBOARD"], target, x.atoms["MAINFORTE_CLIP"], xproto.TimeCurrentTime)
}

func (x *X11) answer(kind xproto.Atom, data []byte, err error) {
	r := x.reading
	x.reading = nil
	r.answer(kind, data, err)
}

// notified: the owner answered.
func (x *X11) notified(ev xproto.SelectionNotifyEvent) {
	r := x.reading
	if r == nil || r.incr || ev.Target != r.target || ev.Requestor != x.window {
		return
	}
	if ev.Property != x.atoms["MAINFORTE_CLIP"] {
		x.answer(0, nil, ErrUnreadable)
		return
	}
	kind, data, err := x.take(r.most)
	switch {
	case err != nil:
		x.answer(0, nil, err)
	case kind == x.atoms["INCR"]: // taking it away begins the pieces
		r.incr, r.until = true, time.Now().Add(answerTime)
	default:
		x.answer(kind, data, nil)
	}
}

// piece is the next one of a content that comes in pieces; an empty one is the end.
func (x *X11) piece() {
	r := x.reading
	if r == nil || !r.incr {
		return
	}
	kind, data, err := x.take(r.most - len(r.data))
	if err != nil {
		x.answer(0, nil, err)
		return
	}
	if len(data) == 0 {
		x.answer(r.kind, r.data, nil)
		return
	}
	r.kind, r.until = kind, time.Now().Add(answerTime)
	r.data = append(r.data, data...)
}

// take reads our property of at most so many bytes and deletes it.
func (x *X11) take(most int) (xproto.Atom, []byte, error) {
	r, err := xproto.GetProperty(x.c, true, x.window, x.atoms["MAINFORTE_CLIP"], xproto.GetPropertyTypeAny, 0, uint32(most/4+1)).Reply()
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if r.BytesAfter > 0 || len(r.Value) > most && r.Type != x.atoms["INCR"] {
		xproto.DeleteProperty(x.c, x.window, x.atoms["MAINFORTE_CLIP"])
		return 0, nil, ErrTooLarge
	}
	return r.Type, r.Value, nil
}

// targets are what ours can be read as.
func (x *X11) targets() []xproto.Atom {
	names := []string{"TARGETS", "TIMESTAMP"}
	if x.ours.Kind == Text {
		names = append(names, "UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "TEXT")
	} else {
		names = append(names, "image/png")
	}
	list := make([]xproto.Atom, 0, len(names))
	for _, n := range names {
		list = append(list, x.atoms[n])
	}
	return list
}

// give answers a program that pastes what is ours.
func (x *X11) give(ev xproto.SelectionRequestEvent) {
	property := ev.Property
	if property == 0 {
		property = ev.Target // an old client
	}
	answer := xproto.SelectionNotifyEvent{Time: ev.Time, Requestor: ev.Requestor, Selection: ev.Selection, Target: ev.Target}
	if x.ours != nil && ev.Selection == x.atoms["CLIPBOARD"] && slices.Contains(x.targets(), ev.Target) {
		if x.write(ev.Requestor, property, ev.Target) == nil {
			answer.Property = property
		}
	}
	xproto.SendEvent(x.c, false, ev.Requestor, 0, string(answer.Bytes()))
}

func (x *X11) write(w xproto.Window, property, target xproto.Atom) error {
	set := func(kind xproto.Atom, format byte, data []byte) error {
		return xproto.ChangePropertyChecked(x.c, xproto.PropModeReplace, w, property, kind, format, uint32(len(data)*8/int(format)), data).Check()
	}
	numbers := func(list ...uint32) (b []byte) {
		for _, n := range list {
			b = binary.LittleEndian.AppendUint32(b, n)
		}
		return b
	}
	switch target {
	case x.atoms["TARGETS"]:
		var list []uint32
		for _, a := range x.targets() {
			list = append(list, uint32(a))
		}
		return set(xproto.AtomAtom, 32, numbers(list...))
	case x.atoms["TIMESTAMP"]:
		return set(xproto.AtomInteger, 32, numbers(0))
	case x.atoms["TEXT"]:
		target = x.atoms["UTF8_STRING"]
	}
	if len(x.ours.Data) <= pieceSize {
		return set(target, 8, x.ours.Data)
	}
	if len(x.sending) >= maxSending {
		return ErrTooLarge
	}
	if err := xproto.ChangeWindowAttributesChecked(x.c, w, xproto.CwEventMask, []uint32{xproto.EventMaskPropertyChange}).Check(); err != nil {
		return err
	}
	x.sending[[2]uint32{uint32(w), uint32(property)}] = &sending{target, x.ours.Data, time.Now().Add(answerTime)}
	return set(x.atoms["INCR"], 32, numbers(uint32(len(x.ours.Data))))
}

// sendPiece writes the next piece when the last was taken away; an empty one ends it.
func (x *X11) sendPiece(w xproto.Window, property xproto.Atom) {
	key := [2]uint32{uint32(w), uint32(property)}
	s := x.sending[key]
	if s == nil {
		return
	}
	n := min(len(s.rest), pieceSize)
	xproto.ChangeProperty(x.c, xproto.PropModeReplace, w, property, s.kind, 8, uint32(n), s.rest[:n])
	s.rest, s.until = s.rest[n:], time.Now().Add(answerTime)
	if n == 0 {
		delete(x.sending, key)
	}
}
