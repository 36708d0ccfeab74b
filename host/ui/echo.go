package ui

import (
	"fmt"
	"io"
)

// Echo is a window that also says on a terminal what matters to whoever started
// it there: the code, and how the session ended. It asks nothing there.
type Echo struct {
	Window
	out   io.Writer
	texts *Texts
}

// NewEcho speaks of w's events on out.
func NewEcho(w Window, out io.Writer, texts *Texts) *Echo {
	return &Echo{Window: w, out: out, texts: texts}
}

// Show shows the event in the window, and the code and the end on the terminal.
func (e *Echo) Show(ev Event) {
	switch ev.Name {
	case "code":
		fmt.Fprintln(e.out, printable(e.texts.T("code.title")+e.texts.T("colon")+ev.Code))
	case "ended", "error":
		fmt.Fprintln(e.out, printable(ev.Text))
	}
	e.Window.Show(ev)
}
