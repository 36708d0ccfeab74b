package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tailscale/win"
	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/ui"
	"github.com/mainforte/mainforte/host/ui/win32"
)

// streams are what the app was started with. A windowed program has no console
// and, unless its streams were redirected, no streams either.
type streams struct {
	in            io.Reader
	out, err      io.Writer
	hasIn, hasOut bool // were redirected, or lead to a console
	hasErr        bool
	lastResort    lastResort
}

func standardStreams() *streams {
	s := &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	s.hasIn, s.hasOut, s.hasErr = leads(os.Stdin), leads(os.Stdout), leads(os.Stderr)
	if !s.hasOut {
		s.out = &s.lastResort
	}
	if !s.hasErr {
		s.err = &s.lastResort
	}
	return s
}

// leads tells whether a standard stream leads anywhere: to a file, a pipe or a
// console, not to nothing and not to NUL.
func leads(f *os.File) bool {
	h := windows.Handle(f.Fd())
	switch kind, err := windows.GetFileType(h); {
	case err != nil || kind == windows.FILE_TYPE_UNKNOWN:
		return false
	case kind == windows.FILE_TYPE_CHAR:
		var mode uint32
		return windows.GetConsoleMode(h, &mode) == nil
	}
	return true
}

// lastResort writes to the console that the app was started in, or keeps the
// text until the app ends.
type lastResort struct {
	parent  *os.File // the console
	tried   bool     // to find it
	unheard bytes.Buffer
}

// maxUnheard bounds what is kept.
const maxUnheard = 8 << 10

func (l *lastResort) Write(b []byte) (int, error) {
	if !l.tried {
		l.tried = true
		if attachConsole(attachParent) == nil {
			l.parent, _ = os.OpenFile("CONOUT$", os.O_RDWR, 0)
		}
	}
	if l.parent != nil {
		return l.parent.Write(b)
	}
	if l.unheard.Len()+len(b) <= maxUnheard {
		l.unheard.Write(b)
	}
	return len(b), nil
}

// heard tells whether somebody may be listening to what is written: a program
// that redirected the output. The console that the app was started in is left
// alone while there is a window.
func (s *streams) heard() bool { return s.hasOut }

// close shows what was wrong with the call if nobody could read it.
func (s *streams) close(code int) {
	if text := s.lastResort.unheard.String(); code == exitUsage && text != "" {
		box(strings.TrimSpace(text), win.MB_ICONERROR|win.MB_OK)
	}
}

// needConsole opens a console, unless the streams were redirected. It is a new
// one: the shell that started a windowed program does not wait for it, and
// would read half of what the person types.
func (s *streams) needConsole() error {
	if s.hasIn && s.hasOut {
		return nil
	}
	freeConsole()
	if err := allocConsole(); err != nil {
		return fmt.Errorf("open a console: %w", err)
	}
	in, err := os.OpenFile("CONIN$", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open a console: %w", err)
	}
	out, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open a console: %w", err)
	}
	if !s.hasIn {
		s.in = in
	}
	if !s.hasOut {
		s.out = out
	}
	if !s.hasErr {
		s.err = io.Writer(out)
	}
	return nil
}

// instead asks whether the conversation shall go on in a console.
func (s *streams) instead(_ context.Context, texts *ui.Texts, cause error) bool {
	if s.hasIn && s.hasOut {
		return true
	}
	if box(texts.T("error.window.ask", "detail", cause.Error()), win.MB_ICONWARNING|win.MB_YESNO) != win.IDYES {
		return false
	}
	if err := s.needConsole(); err != nil {
		box(err.Error(), win.MB_ICONERROR|win.MB_OK)
		return false
	}
	return true
}

func openWindow(lang string) (ui.Window, error) {
	if win32.RaiseOther() {
		return nil, ui.ErrAlready
	}
	w, err := win32.Open(lang)
	if err != nil {
		return nil, err // a nil *win32.Window would be a window
	}
	return w, nil
}

// box shows a message and returns which button was pressed.
func box(text string, kind uint32) int32 {
	t, err := windows.UTF16PtrFromString(strings.ReplaceAll(text, "\x00", ""))
	if err != nil {
		return 0
	}
	title, err := windows.UTF16PtrFromString(ui.Load(systemLang()).T("title"))
	if err != nil {
		return 0
	}
	return win.MessageBox(0, t, title, kind|win.MB_SETFOREGROUND)
}

// attachParent is the process that started this one.
const attachParent = ^uintptr(0)

var (
	kernel32        = windows.NewLazySystemDLL("kernel32.dll")
	procAttach      = kernel32.NewProc("AttachConsole")
	procAlloc       = kernel32.NewProc("AllocConsole")
	procFree        = kernel32.NewProc("FreeConsole")
	procUserDefault = kernel32.NewProc("GetUserDefaultUILanguage")
)

func attachConsole(process uintptr) error {
	if ok, _, err := procAttach.Call(process); ok == 0 {
		return err
	}
	return nil
}

func allocConsole() error {
	if ok, _, err := procAlloc.Call(); ok == 0 {
		return err
	}
	return nil
}

func freeConsole() { _, _, _ = procFree.Call() }

// systemLang is the language that the person's Windows speaks.
func systemLang() string {
	const primary, french = 0x3ff, 0x0c // the low ten bits of a LANGID; LANG_FRENCH
	if id, _, _ := procUserDefault.Call(); id&primary == french {
		return "fr"
	}
	return "en"
}
