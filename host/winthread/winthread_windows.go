package winthread

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/tailscale/win"
	"golang.org/x/sys/windows"
)

// ErrClosed: Close was called.
var ErrClosed = errors.New("winthread: closed")

// Handler takes a message to one of a thread's windows. What it does not handle
// is handled as Windows does by default. It runs on the thread.
type Handler func(window win.HWND, msg uint32, wParam, lParam uintptr) (result uintptr, handled bool)

// Thread is one thread and its windows. Its methods may be called from any
// goroutine, but where they say otherwise.
type Thread struct {
	handler Handler
	window  win.HWND
	done    chan struct{}

	mu     sync.Mutex
	closed bool
	work   []func()

	windows []win.HWND // the thread's own
}

// wmWork tells the thread that something waits in work.
const wmWork = win.WM_APP + 1

var (
	threads   sync.Map // by window: *Thread
	procedure = windows.NewCallback(receive)
	instance  = sync.OnceValue(func() win.HINSTANCE { return win.GetModuleHandle(nil) })
	class     = sync.OnceValues(func() (*uint16, error) {
		name := windows.StringToUTF16Ptr("MainforteThread")
		c := win.WNDCLASSEX{LpfnWndProc: procedure, HInstance: instance(), LpszClassName: name}
		c.CbSize = uint32(unsafe.Sizeof(c))
		if win.RegisterClassEx(&c) == 0 {
			return nil, fmt.Errorf("winthread: register a class of windows: %w", windows.GetLastError())
		}
		return name, nil
	})
)

// Start begins a thread with a window that is no part of the desktop. first runs
// on it before any message; what it returns is Start's error.
func Start(handler Handler, first func(window win.HWND) error) (*Thread, error) {
	t := &Thread{handler: handler, done: make(chan struct{})}
	begun := make(chan error, 1)
	go t.run(first, begun)
	if err := <-begun; err != nil {
		<-t.done
		return nil, err
	}
	return t, nil
}

func (t *Thread) run(first func(win.HWND) error, begun chan<- error) {
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	defer close(t.done)
	w, err := t.open(0, 0, "", 0, 0, 0, 0, win.HWND_MESSAGE)
	if err == nil {
		t.window = w
		if first != nil {
			err = first(w)
		}
	}
	defer func() {
		for _, w := range t.windows {
			win.DestroyWindow(w)
			threads.Delete(w)
		}
	}()
	begun <- err
	if err != nil {
		return
	}
	var msg win.MSG
	for win.GetMessage(&msg, 0, 0, 0) > 0 {
		win.TranslateMessage(&msg)
		win.DispatchMessage(&msg)
	}
}

// Open makes a window of the desktop's, not shown yet. On the thread only.
func (t *Thread) Open(style, exStyle uint32, title string, x, y, w, h int32) (win.HWND, error) {
	return t.open(style, exStyle, title, x, y, w, h, 0)
}

func (t *Thread) open(style, exStyle uint32, title string, x, y, w, h int32, parent win.HWND) (win.HWND, error) {
	name, err := class()
	if err != nil {
		return 0, err
	}
	text, err := windows.UTF16PtrFromString(title)
	if err != nil {
		return 0, fmt.Errorf("winthread: %w", err)
	}
	window := win.CreateWindowEx(exStyle, name, text, style, x, y, w, h, parent, 0, instance(), nil)
	if window == 0 {
		return 0, fmt.Errorf("winthread: make a window: %w", windows.GetLastError())
	}
	threads.Store(window, t)
	t.windows = append(t.windows, window)
	return window, nil
}

// Drop takes one of them away. On the thread only.
func (t *Thread) Drop(window win.HWND) {
	for i, w := range t.windows {
		if w == window {
			win.DestroyWindow(w)
			threads.Delete(w)
			t.windows = append(t.windows[:i], t.windows[i+1:]...)
			return
		}
	}
}

// receive is the procedure of every window of ours.
func receive(window win.HWND, msg uint32, wParam, lParam uintptr) uintptr {
	if v, ok := threads.Load(window); ok {
		t := v.(*Thread)
		if msg == wmWork && window == t.window {
			t.doWork()
			return 0
		}
		if t.handler != nil {
			if r, handled := t.handler(window, msg, wParam, lParam); handled {
				return r
			}
		}
	}
	return win.DefWindowProc(window, msg, wParam, lParam)
}

func (t *Thread) doWork() {
	for {
		t.mu.Lock()
		if len(t.work) == 0 {
			t.mu.Unlock()
			return
		}
		f := t.work[0]
		t.work = t.work[1:]
		t.mu.Unlock()
		f()
	}
}

// Post has f run on the thread, after what was posted before, and does not wait.
// The error is ErrClosed; what was posted just before Close may never run.
func (t *Thread) Post(f func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	t.work = append(t.work, f)
	win.PostMessage(t.window, wmWork, 0, 0)
	return nil
}

// Done is closed when the thread has ended.
func (t *Thread) Done() <-chan struct{} { return t.done }

// Close ends the thread once what it is at is done; Done tells when. It may be
// called more than once, and on the thread.
func (t *Thread) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.closed = true
	t.work = append(t.work, func() { win.PostQuitMessage(0) })
	win.PostMessage(t.window, wmWork, 0, 0)
}
