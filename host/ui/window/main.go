//go:build window

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"image"
	"os"
	"sync"
	"time"

	"gioui.org/app"
	"gioui.org/op"
	"gioui.org/unit"

	"github.com/mainforte/mainforte/host/ui"
)

func main() {
	// One line tells the host that the libraries were found and main runs.
	say := newSayer()
	if raiseOther() {
		say.say(ui.Command{Do: ui.Already})
		return
	}
	w := new(app.Window)
	v := newView(say.say)
	w.Option(app.Title(v.now.Title), app.Size(580, 200), app.MinSize(320, 160))
	go hear(w, v)
	go func() {
		loop(w, v, say)
		os.Exit(0)
	}()
	app.Main()
}

// loop shows the view, in a window as large as it needs.
func loop(w *app.Window, v *view, say *sayer) {
	var ops op.Ops
	var fit fitting
	title, highest := "", workHeight()
	n := &near{say: say.say}
	rest := sync.OnceFunc(func() { time.AfterFunc(restTime, giveBack) })
	for {
		switch e := w.Event().(type) {
		case app.DestroyEvent:
			return
		case *app.ClosingEvent: // the person's, by the window's frame
			if asks(v, say) {
				e.Abort()
				w.Invalidate()
			}
		case app.X11ViewEvent:
			if e.Valid() {
				say.say(ui.Command{Do: "window", Window: fmt.Sprintf("0x%x", e.Window)})
				keepAbove(uint32(e.Window))
			}
		case app.WaylandViewEvent:
			if e.Valid() {
				n.wayland = true
				// The first command is also what tells that the window stands.
				n.tell()
			}
		case app.ConfigEvent:
			v.mu.Lock()
			v.face.Away(!e.Config.Focused)
			v.mu.Unlock()
			n.focused = e.Config.Focused
			n.tell()
		case app.FrameEvent:
			gtx := app.NewContext(&ops, e)
			v.mu.Lock()
			wanted := v.layout(gtx)
			wanted.Y = min(wanted.Y, highest)
			if v.now.Title != title {
				title = v.now.Title
				w.Option(app.Title(title))
			}
			n.over(gtx)
			v.mu.Unlock()
			if again := fit.step(wanted, e.Size, time.Now()); again > 0 {
				gtx.Execute(op.InvalidateCmd{At: time.Now().Add(again)})
			} else if again < 0 {
				dp := func(px int) unit.Dp { return unit.Dp(float32(px) / e.Metric.PxPerDp) }
				w.Option(app.Size(dp(wanted.X), dp(wanted.Y)))
				gtx.Execute(op.InvalidateCmd{At: time.Now().Add(settled)})
			}
			e.Frame(gtx.Ops)
			rest()
		}
	}
}

// asks tells whether the person who closes the window is asked first, since that would
// end a session. Otherwise the host is told.
func asks(v *view, say *sayer) bool {
	v.mu.Lock()
	commands := v.face.Close()
	v.mu.Unlock()
	for _, c := range commands {
		say.say(c)
	}
	return len(commands) == 0
}

// restTime is how long after its first frame a window has all that it shows at first.
const restTime = 2 * time.Second

// giveBack returns what starting took: Mesa compiles shaders with all of LLVM where
// there is no graphics card.
func giveBack() { ui.Rest("/libLLVM", "/swrast_dri.so", "/libgallium") }

// settled is how long a size stands before the window is given it: a window
// manager's late answer to one undoes the next that comes at its heels.
const settled = 80 * time.Millisecond

// fitting gives the window its size.
type fitting struct {
	wanted image.Point
	since  time.Time
	tries  int
}

// step tells what to do: nothing (0), look again after a time, or resize (less).
func (f *fitting) step(wanted, is image.Point, now time.Time) time.Duration {
	const most = 4
	if wanted != f.wanted {
		f.wanted, f.since, f.tries = wanted, now, 0
	}
	if is == wanted || f.tries >= most {
		return 0
	}
	if left := settled - now.Sub(f.since); left > 0 {
		return left
	}
	f.since = now
	f.tries++
	return -1
}

// hear reads events until the host closes the pipe, which ends the window.
func hear(w *app.Window, v *view) {
	sc := bufio.NewScanner(os.Stdin)
	sc.Buffer(make([]byte, 0, 4096), 16<<20)
	for sc.Scan() { // a step may hold a picture
		var e ui.Event
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			continue // the host speaks to us alone; a newer event is not ours to show
		}
		v.mu.Lock()
		v.face.Show(e, time.Now())
		v.mu.Unlock()
		w.Invalidate()
	}
	os.Exit(0)
}

// sayer writes commands, one a line, from any goroutine.
type sayer struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func newSayer() *sayer { return &sayer{enc: json.NewEncoder(os.Stdout)} }

func (s *sayer) say(c ui.Command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enc.Encode(c); err != nil {
		os.Exit(1) // the host is gone
	}
}
