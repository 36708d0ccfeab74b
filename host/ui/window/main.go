//go:build window

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"gioui.org/app"
	"gioui.org/op"

	"github.com/mainforte/mainforte/host/ui"
)

func main() {
	// One line tells the host that the libraries were found and main runs.
	say := newSayer()
	w := new(app.Window)
	v := newView(say.say)
	w.Option(app.Title(v.texts.T("title")), app.Size(v.width(), v.height()), app.MinSize(360, 160))
	go hear(w, v)
	go func() {
		loop(w, v, say)
		os.Exit(0)
	}()
	app.Main()
}

func loop(w *app.Window, v *view, say *sayer) {
	var ops op.Ops
	for {
		switch e := w.Event().(type) {
		case app.DestroyEvent:
			return
		case app.X11ViewEvent:
			if e.Valid() {
				say.say(ui.Command{Do: "window", Window: fmt.Sprintf("0x%x", e.Window)})
				keepAbove(uint32(e.Window))
			}
		case app.FrameEvent:
			gtx := app.NewContext(&ops, e)
			v.mu.Lock()
			if v.resize {
				v.resize = false
				w.Option(app.Title(v.texts.T("title")), app.Size(v.width(), v.height()))
			}
			v.layout(gtx)
			v.mu.Unlock()
			e.Frame(gtx.Ops)
		}
	}
}

// hear reads events until the host closes the pipe, which ends the window.
func hear(w *app.Window, v *view) {
	sc := bufio.NewScanner(os.Stdin)
	sc.Buffer(make([]byte, 0, 4096), 64<<10)
	for sc.Scan() {
		var e ui.Event
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			continue // the host speaks to us alone; a newer event is not ours to show
		}
		v.mu.Lock()
		v.show(e)
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
