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
	var size image.Point // that the window was last given, in pixels
	title, highest := "", workHeight()
	for {
		switch e := w.Event().(type) {
		case app.DestroyEvent:
			return
		case app.X11ViewEvent:
			if e.Valid() {
				say.say(ui.Command{Do: "window", Window: fmt.Sprintf("0x%x", e.Window)})
				keepAbove(uint32(e.Window))
			}
		case app.ConfigEvent:
			v.mu.Lock()
			v.face.Away(!e.Config.Focused)
			v.mu.Unlock()
		case app.FrameEvent:
			gtx := app.NewContext(&ops, e)
			v.mu.Lock()
			wanted := v.layout(gtx)
			wanted.Y = min(wanted.Y, highest)
			if v.now.Title != title {
				title = v.now.Title
				w.Option(app.Title(title))
			}
			v.mu.Unlock()
			if wanted != size {
				size = wanted
				dp := func(px int) unit.Dp { return unit.Dp(float32(px) / e.Metric.PxPerDp) }
				w.Option(app.Size(dp(size.X), dp(size.Y)))
			}
			e.Frame(gtx.Ops)
		}
	}
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
