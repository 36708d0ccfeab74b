package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mainforte/mainforte/host/ui"
)

// instead tells whether the conversation can go on in the console. A host that
// was started from a desktop has none: its input is /dev/null. Then a dialog of
// the desktop's says how to start the app in a terminal.
func (s *streams) instead(ctx context.Context, texts *ui.Texts, _ error) bool {
	in, ok := s.in.(*os.File)
	if !ok || listens(in) {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	tell(ctx, texts.T("title"), texts.T("error.window.terminal", "command", quote(self)+" --console"))
	return false
}

// listens tells whether a file can bring a person's or a program's words: a
// terminal, a pipe, a file, a socket; not /dev/null, and not nothing.
func listens(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	if info.Mode()&os.ModeCharDevice == 0 {
		return true
	}
	_, err = unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// dialogs are programs that show a text on a desktop, the nicest first.
func dialogs(title, text string) [][]string {
	return [][]string{
		{"zenity", "--error", "--no-markup", "--title", title, "--text", text},
		{"kdialog", "--title", title, "--error", text},
		{"gxmessage", "-center", "-title", title, text},
		{"xmessage", "-center", "-title", title, text},
		{"notify-send", "--urgency=critical", title, text},
	}
}

// readTime is how long a dialog may stand.
const readTime = 10 * time.Minute

// tell shows a text by the first program that can, until it is closed or ctx ends.
func tell(ctx context.Context, title, text string) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	for _, d := range dialogs(title, text) {
		began := time.Now()
		// One that was closed may answer with an error; one that cannot show
		// anything does so at once.
		if err := exec.CommandContext(ctx, d[0], d[1:]...).Run(); err == nil || ctx.Err() != nil || time.Since(began) > time.Second {
			return
		}
	}
}

// quote makes a path that holds spaces one word for a shell.
func quote(path string) string {
	for _, r := range path {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '/' || r == '.' || r == '-' || r == '_') {
			return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
		}
	}
	return path
}
