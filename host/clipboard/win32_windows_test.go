package clipboard_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/tailscale/win"
	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/clipboard"
	"github.com/mainforte/mainforte/host/clipboard/clipboardtest"
	"github.com/mainforte/mainforte/host/winthread"
	"github.com/mainforte/mainforte/host/winthread/wintest"
)

// TestMain is the other program as well: it copies, pastes and misbehaves as it is
// told on its standard input.
func TestMain(m *testing.M) {
	if _, is := wintest.Other(); is {
		if err := obey(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// order is what the other program is told; it answers with an order of the same
// kind. All formats are by name, those of Windows by the names below.
type order struct {
	Do     string            `json:"do"`               // copy, paste, hold, free or hang
	Copy   map[string][]byte `json:"copy,omitempty"`   // by format
	Repeat int               `json:"repeat,omitempty"` // of the text, before its end
	Paste  string            `json:"paste,omitempty"`
	Data   []byte            `json:"data,omitempty"`
	Error  string            `json:"error,omitempty"`
}

var numbers = map[string]uint32{"text": win.CF_UNICODETEXT, "dib": win.CF_DIB, "dib5": win.CF_DIBV5, "files": win.CF_HDROP}

func number(format string) uint32 {
	if n, ok := numbers[format]; ok {
		return n
	}
	r, _, _ := windows.NewLazySystemDLL("user32.dll").NewProc("RegisterClipboardFormatW").Call(uintptr(unsafe.Pointer(windows.StringToUTF16Ptr(format))))
	return uint32(r)
}

// obey is the other program: a window, and a clipboard by its own code.
func obey() error {
	var window win.HWND
	hang := make(chan struct{})
	t, err := winthread.Start(func(_ win.HWND, msg uint32, _, _ uintptr) (uintptr, bool) {
		if msg == win.WM_RENDERFORMAT { // only "hang" promises what it does not have
			<-hang
			return 0, true
		}
		return 0, false
	}, func(w win.HWND) error { window = w; return nil })
	if err != nil {
		return err
	}
	open := func() error {
		for end := time.Now().Add(20 * time.Second); !win.OpenClipboard(window); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				return errors.New("the clipboard does not open")
			}
		}
		return nil
	}
	set := func(format string, b []byte, n int) {
		if n < 1 {
			n = 1
		}
		h := win.GlobalAlloc(win.GMEM_MOVEABLE, uintptr(len(b)*n+2))
		to := unsafe.Slice((*byte)(win.GlobalLock(h)), len(b)*n+2)
		for i := range n {
			copy(to[i*len(b):], b)
		}
		to[len(to)-2], to[len(to)-1] = 0, 0
		win.GlobalUnlock(h)
		win.SetClipboardData(number(format), win.HANDLE(h))
	}
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil // the test has ended
		}
		var o, a order
		if err := json.Unmarshal(line, &o); err != nil {
			return err
		}
		done := make(chan struct{})
		_ = t.Post(func() {
			defer close(done)
			if o.Do == "free" {
				win.CloseClipboard()
				return
			}
			if err := open(); err != nil {
				a.Error = err.Error()
				return
			}
			switch o.Do {
			case "hold":
				return
			case "copy":
				win.EmptyClipboard()
				for _, format := range slices.Sorted(func(yield func(string) bool) {
					for k := range o.Copy {
						if !yield(k) {
							return
						}
					}
				}) {
					set(format, o.Copy[format], o.Repeat)
				}
			case "hang":
				win.EmptyClipboard()
				win.SetClipboardData(win.CF_UNICODETEXT, 0)
			case "paste":
				h := win.GetClipboardData(number(o.Paste))
				if h == 0 {
					break
				}
				size, _, _ := windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalSize").Call(uintptr(h))
				a.Data = slices.Clone(unsafe.Slice((*byte)(win.GlobalLock(win.HGLOBAL(h))), size))
				win.GlobalUnlock(win.HGLOBAL(h))
			}
			win.CloseClipboard()
		})
		<-done
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

// other is that program, as a test speaks with it.
type other struct {
	*wintest.Program
	mu sync.Mutex
}

// program starts it; it ends with the test.
func program(t *testing.T) *other {
	t.Helper()
	return &other{Program: wintest.Start(t, "clipboard")}
}

func (p *other) tell(t *testing.T, o order) order {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	b, err := json.Marshal(o)
	if err == nil {
		_, err = p.In.Write(append(b, '\n'))
	}
	var a order
	if err == nil {
		var line []byte
		if line, err = p.Out.ReadBytes('\n'); err == nil {
			err = json.Unmarshal(line, &a)
		}
	}
	if err != nil || a.Error != "" {
		t.Fatalf("the other program: %v %s", err, a.Error)
	}
	return a
}

func (p *other) copy(t *testing.T, formats map[string][]byte) {
	t.Helper()
	p.tell(t, order{Do: "copy", Copy: formats})
}

func (p *other) paste(t *testing.T, format string) []byte {
	t.Helper()
	return p.tell(t, order{Do: "paste", Paste: format}).Data
}

const secretFormat = "ExcludeClipboardContentFromMonitorProcessing"

func board(t *testing.T) *clipboard.Windows {
	t.Helper()
	w, err := clipboard.OpenWindows()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func TestWindowsPassesTheSuite(t *testing.T) {
	p := program(t)
	clipboardtest.Run(t, func(t *testing.T) clipboardtest.Desk {
		return clipboardtest.Desk{
			Clipboard: board(t),
			Copy: func(c clipboard.Content, secret bool) {
				formats := map[string][]byte{"PNG": c.Data}
				if c.Kind == clipboard.Text {
					formats = map[string][]byte{"text": clipboard.ToUTF16(c.Data)}
				}
				if secret {
					formats[secretFormat] = []byte{0}
				}
				p.copy(t, formats)
			},
			Paste: func(kind clipboard.Kind) []byte {
				if kind == clipboard.PNG {
					return bytes.TrimRight(p.paste(t, "PNG"), "\x00") // a memory block is as long as it likes
				}
				text, err := clipboard.FromUTF16(p.paste(t, "text"))
				if err != nil {
					t.Error(err)
				}
				return text
			},
		}
	})
}

// news waits for what is told next.
func news(t *testing.T, w *clipboard.Windows) clipboard.Item {
	t.Helper()
	select {
	case it := <-w.News():
		return it
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was told")
		return clipboard.Item{}
	}
}

func watched(t *testing.T) *clipboard.Windows {
	t.Helper()
	w := board(t)
	if err := w.Watch(true); err != nil {
		t.Fatal(err)
	}
	return w
}

var zero, one = []byte{0, 0, 0, 0}, []byte{1, 0, 0, 0}

func TestAPasswordManagersCopyIsNotTold(t *testing.T) { // C62
	p, w := program(t), watched(t)
	text := clipboard.ToUTF16([]byte("correct horse"))
	for name, formats := range map[string]map[string][]byte{
		"excluded":               {"text": text, secretFormat: zero},
		"older":                  {"text": text, "Clipboard Viewer Ignore": zero},
		"not for the history":    {"text": text, "CanIncludeInClipboardHistory": zero},
		"not for the cloud":      {"text": text, "CanUploadToCloudClipboard": zero},
		"KDE's, through Wine":    {"text": text, "x-kde-passwordManagerHint": []byte("secret")},
		"a picture is one, too":  {"PNG": clipboardtest.Picture(t, 4, 4), secretFormat: zero},
		"files":                  {"text": text, "files": make([]byte, 24)},
		"something of their own": {"a format of nobody's": zero},
	} {
		p.copy(t, formats)
		p.copy(t, map[string][]byte{"text": clipboard.ToUTF16([]byte("after " + name)), "CanIncludeInClipboardHistory": one})
		it := news(t, w)
		got, err := w.Get(t.Context(), it)
		if err != nil || string(got.Data) != "after "+name {
			t.Errorf("%s: %q, %v", name, got.Data, err)
		}
		// What was told of is not read as the secret that came after it.
		p.copy(t, formats)
		if got, err := w.Get(t.Context(), it); !errors.Is(err, clipboard.ErrGone) {
			t.Errorf("%s: %q, %v", name, got.Data, err)
		}
	}
}

func TestBitmapsGoBothWays(t *testing.T) {
	p, w := program(t), watched(t)
	picture := clipboardtest.Picture(t, 30, 20)
	want, _ := png.Decode(bytes.NewReader(picture))
	same := func(how string, b []byte) {
		t.Helper()
		got, err := png.Decode(bytes.NewReader(b))
		if err != nil || got.Bounds() != want.Bounds() || got.At(3, 3) != want.At(3, 3) || got.At(29, 19) != want.At(29, 19) {
			t.Errorf("%s: another picture: %v", how, err)
		}
	}
	there, err := clipboard.ToDIB(picture)
	if err != nil {
		t.Fatal(err)
	}
	p.copy(t, map[string][]byte{"dib5": there})
	got, err := w.Get(t.Context(), news(t, w))
	if err != nil || got.Kind != clipboard.PNG {
		t.Fatalf("%v, %v", got.Kind, err)
	}
	same("theirs", got.Data)

	if err := w.Put(clipboard.Content{Kind: clipboard.PNG, Data: picture}); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"dib5", "dib"} { // the second is made by Windows
		b, err := clipboard.FromDIB(p.paste(t, format))
		if err != nil {
			t.Errorf("ours as %s: %v", format, err)
			continue
		}
		same("ours as "+format, b)
	}
	for _, format := range []string{"CanIncludeInClipboardHistory", "CanUploadToCloudClipboard"} {
		if b := p.paste(t, format); len(b) < 4 || !bytes.Equal(b[:4], zero) {
			t.Errorf("ours is for %s: %v", format, b)
		}
	}
	if b := p.paste(t, "text"); b != nil {
		t.Errorf("a picture is pasted as %d bytes of text", len(b))
	}
}

// TestAClipboardThatIsHeld: another program has it open, as one may that hangs.
func TestAClipboardThatIsHeld(t *testing.T) {
	p, w := program(t), watched(t)
	p.copy(t, map[string][]byte{"text": clipboard.ToUTF16([]byte("theirs"))})
	it := news(t, w)
	p.tell(t, order{Do: "hold"})
	if err := w.Put(clipboard.Content{Kind: clipboard.Text, Data: []byte("ours")}); !errors.Is(err, clipboard.ErrBusy) {
		t.Errorf("put on a clipboard that is held: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	if _, err := w.Get(ctx, it); !errors.Is(err, clipboard.ErrUnreadable) {
		t.Errorf("read from a clipboard that is held: %v", err)
	}
	cancel()
	p.tell(t, order{Do: "free"})
	if got, err := w.Get(t.Context(), it); err != nil || string(got.Data) != "theirs" {
		t.Errorf("afterwards: %q, %v", got.Data, err)
	}
	// One that lets go in a moment is waited for.
	p.tell(t, order{Do: "hold"})
	put := make(chan error, 1)
	go func() { put <- w.Put(clipboard.Content{Kind: clipboard.Text, Data: []byte("ours")}) }()
	p.tell(t, order{Do: "free"})
	if err := <-put; err != nil {
		t.Errorf("put when it was free again: %v", err)
	}
}

// TestAProgramThatHangs has something on the clipboard and does not give it:
// only who wants that waits, and neither the end nor the grant's.
func TestAProgramThatHangs(t *testing.T) {
	p, w := program(t), watched(t)
	p.tell(t, order{Do: "hang"})
	it := news(t, w)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := w.Get(ctx, it); !errors.Is(err, clipboard.ErrUnreadable) {
		t.Errorf("read what is not given: %v", err)
	}
	atOnce := func(what string, do func() error) {
		t.Helper()
		done := make(chan error, 1)
		go func() { done <- do() }()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s waits for the program that hangs", what)
		}
	}
	atOnce("the grant's end", func() error { return w.Watch(false) })
	atOnce("the session's end", w.Close)
}

// TestAHundredMegabytes: a text as no person copies it is refused.
func TestAHundredMegabytes(t *testing.T) { // C63
	p, w := program(t), watched(t)
	p.tell(t, order{Do: "copy", Copy: map[string][]byte{"text": clipboard.ToUTF16([]byte("0123456789"))[:20]}, Repeat: 5 << 20})
	if _, err := w.Get(t.Context(), news(t, w)); !errors.Is(err, clipboard.ErrTooLarge) {
		t.Errorf("a text of 100 MB: %v", err)
	}
	p.tell(t, order{Do: "copy", Copy: map[string][]byte{"PNG": clipboardtest.Picture(t, 500, 500)}, Repeat: 100})
	if _, err := w.Get(t.Context(), news(t, w)); !errors.Is(err, clipboard.ErrTooLarge) {
		t.Errorf("a picture of 100 MB: %v", err)
	}
}
