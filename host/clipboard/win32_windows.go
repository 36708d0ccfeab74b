package clipboard

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/tailscale/win"
	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/winthread"
)

// How much of a content is looked at, in bytes.
const (
	maxUTF16 = 2 * (2*MaxText + 1)             // every character a line's end, and one more
	maxDIB   = MaxPixels*4 + dibV5 + 16 + 1024 // 32 bits a pixel, and a palette
)

const (
	// putTime is how long Put waits for a clipboard that another program holds. A
	// session that ends may have to wait for it.
	putTime = 150 * time.Millisecond
	// answerTime is how long a look at the clipboard waits for it.
	answerTime = 3 * time.Second
	// busyWait is how often a busy clipboard is tried again.
	busyWait = 5 * time.Millisecond
	// closeWait bounds how long Close waits for a program that has something on the
	// clipboard and does not give it.
	closeWait = 100 * time.Millisecond
)

// What github.com/tailscale/win does not have.
var (
	user32                     = windows.NewLazySystemDLL("user32.dll")
	kernel32                   = windows.NewLazySystemDLL("kernel32.dll")
	registerClipboardFormat    = user32.NewProc("RegisterClipboardFormatW")
	enumClipboardFormats       = user32.NewProc("EnumClipboardFormats")
	getClipboardOwner          = user32.NewProc("GetClipboardOwner")
	getClipboardSequenceNumber = user32.NewProc("GetClipboardSequenceNumber")
	globalSize                 = kernel32.NewProc("GlobalSize")
	globalFree                 = kernel32.NewProc("GlobalFree")
)

// formats are the numbers that Windows gives to formats by name.
var formats = sync.OnceValue(func() map[string]uint32 {
	all := make(map[string]uint32)
	for _, name := range []string{"PNG", "image/png", excluded, ignored, kdeHint, inHistory, inCloud} {
		r, _, _ := registerClipboardFormat.Call(uintptr(unsafe.Pointer(windows.StringToUTF16Ptr(name))))
		all[name] = uint32(r)
	}
	return all
})

// Formats by which a program says that what it copied is nobody's business:
// learn.microsoft.com, "Cloud Clipboard and Clipboard History Formats". The two
// numbers say so by 0.
const (
	excluded  = "ExcludeClipboardContentFromMonitorProcessing"
	ignored   = "Clipboard Viewer Ignore" // older; KeePass
	kdeHint   = "x-kde-passwordManagerHint"
	inHistory = "CanIncludeInClipboardHistory"
	inCloud   = "CanUploadToCloudClipboard"
)

// Windows is the clipboard of a Windows session. Windows tells a window of ours
// when something is copied; whatever may have to wait for another program is done
// by a reader apart.
type Windows struct {
	thread  *winthread.Thread
	window  win.HWND
	news    chan Item
	changed chan struct{}
	reads   chan reading
	done    chan struct{}
	once    sync.Once
	wg      sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	watching bool
	since    uint32 // sequence number when it began
	serial   uint64 // of the newest item
	sequence uint32 // its sequence number
	fresh    bool   // it may be read
	ours     []byte // the picture that we put, for who wants it as a bitmap
}

// reading is a Get.
type reading struct {
	ctx    context.Context
	item   Item
	answer chan<- answer
}

type answer struct {
	content Content
	err     error
}

// OpenWindows opens the clipboard of this process's session.
func OpenWindows() (*Windows, error) {
	w := &Windows{
		news: make(chan Item, 1), changed: make(chan struct{}, 1), reads: make(chan reading), done: make(chan struct{}),
	}
	t, err := winthread.Start(w.message, func(window win.HWND) error {
		w.window = window
		if !win.AddClipboardFormatListener(window) {
			return errors.New("clipboard: Windows does not tell of it")
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	w.thread = t
	w.wg.Go(func() { <-t.Done() })
	w.wg.Go(w.read)
	return w, nil
}

// message handles what Windows tells, on the thread.
func (w *Windows) message(_ win.HWND, msg uint32, format, _ uintptr) (uintptr, bool) {
	switch msg {
	case win.WM_CLIPBOARDUPDATE:
		w.mu.Lock()
		watching := w.watching
		w.mu.Unlock()
		if watching {
			select {
			case w.changed <- struct{}{}:
			default: // the reader has not looked yet
			}
		}
		return 0, true
	case win.WM_RENDERFORMAT:
		w.mu.Lock()
		picture := w.ours
		w.mu.Unlock()
		if format == win.CF_DIBV5 && picture != nil {
			if b, err := toDIB(picture); err == nil {
				_ = give(win.CF_DIBV5, b)
			}
		}
		return 0, true
	}
	return 0, false
}

// States of a Put.
const (
	waiting = iota
	giving
	gaveUp
)

// errHeld: another program has the clipboard open.
var errHeld = errors.New("clipboard: held")

// Put implements Clipboard. The error wraps ErrBusy where another program does not
// let go of the clipboard.
func (w *Windows) Put(c Content) error {
	late := time.NewTimer(putTime)
	defer late.Stop()
	var state atomic.Int32
	result := make(chan error, 1)
	for {
		if w.thread.Post(func() { result <- w.put(c, &state) }) != nil {
			return ErrClosed
		}
		select {
		case err := <-result:
			if !errors.Is(err, errHeld) {
				return err
			}
		case <-late.C:
			if state.CompareAndSwap(waiting, gaveUp) {
				return ErrBusy
			}
			return <-result
		case <-w.done:
			return ErrClosed
		}
		select {
		case <-time.After(busyWait):
		case <-late.C:
			return ErrBusy
		case <-w.done:
			return ErrClosed
		}
	}
}

// put runs on the thread. The program that had the clipboard is told that it has
// it no more and may take its time over that: by then nobody may want this.
func (w *Windows) put(c Content, state *atomic.Int32) error {
	if !win.OpenClipboard(w.window) {
		return errHeld
	}
	defer win.CloseClipboard()
	if !win.EmptyClipboard() {
		return errors.New("clipboard: Windows does not let us take it")
	}
	if !state.CompareAndSwap(waiting, giving) {
		return ErrBusy
	}
	w.mu.Lock()
	w.ours, w.fresh = nil, false
	if c.Kind == PNG {
		w.ours = c.Data
	}
	w.mu.Unlock()
	f := formats()
	// It leaves no trace in the history of Windows, and none in its cloud.
	no := make([]byte, 4)
	err := errors.Join(give(f[inHistory], no), give(f[inCloud], no))
	switch c.Kind {
	case Text:
		return errors.Join(err, give(win.CF_UNICODETEXT, toUTF16(c.Data)))
	case PNG:
		win.SetClipboardData(win.CF_DIBV5, 0) // made when somebody wants it
		return errors.Join(err, give(f["PNG"], c.Data))
	}
	return fmt.Errorf("%w: unknown kind %d", ErrUnreadable, c.Kind)
}

// give puts one format onto the open clipboard.
func give(format uint32, b []byte) error {
	h := win.GlobalAlloc(win.GMEM_MOVEABLE, uintptr(len(b)))
	if h == 0 {
		return errors.New("clipboard: no memory")
	}
	p := win.GlobalLock(h)
	if p == nil {
		_, _, _ = globalFree.Call(uintptr(h))
		return errors.New("clipboard: no memory")
	}
	copy(unsafe.Slice((*byte)(p), len(b)), b)
	win.GlobalUnlock(h)
	if win.SetClipboardData(format, win.HANDLE(h)) == 0 { // else it is the system's
		_, _, _ = globalFree.Call(uintptr(h))
		return errors.New("clipboard: Windows does not take it")
	}
	return nil
}

// Watch implements Clipboard. It waits for nobody.
func (w *Windows) Watch(on bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	if on && !w.watching {
		w.since = sequence()
	}
	if !on {
		w.fresh = false
	}
	w.watching = on
	return nil
}

// News implements Clipboard.
func (w *Windows) News() <-chan Item { return w.news }

// Get implements Clipboard.
func (w *Windows) Get(ctx context.Context, it Item) (Content, error) {
	result := make(chan answer, 1)
	select {
	case w.reads <- reading{ctx, it, result}:
	case <-ctx.Done():
		return Content{}, fmt.Errorf("%w: %w", ErrUnreadable, ctx.Err())
	case <-w.done:
		return Content{}, ErrClosed
	}
	late := time.NewTimer(answerTime)
	defer late.Stop()
	select {
	case a := <-result:
		return a.content, a.err
	case <-late.C:
		return Content{}, fmt.Errorf("%w: no answer", ErrUnreadable)
	case <-ctx.Done():
		return Content{}, fmt.Errorf("%w: %w", ErrUnreadable, ctx.Err())
	case <-w.done:
		return Content{}, ErrClosed
	}
}

// Close implements Clipboard. What Put put stays for who knows it without us. A
// program that has something on the clipboard and hangs may keep the reader; then
// that ends with the program.
func (w *Windows) Close() error {
	w.once.Do(func() {
		w.mu.Lock()
		w.closed, w.watching, w.fresh = true, false, false
		close(w.news)
		w.mu.Unlock()
		close(w.done)
		w.thread.Close()
	})
	ended := make(chan struct{})
	go func() {
		w.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(closeWait):
	}
	return nil
}

// read looks at the clipboard for all that want to know.
func (w *Windows) read() {
	runtime.LockOSThread() // a clipboard is open for a thread
	defer runtime.UnlockOSThread()
	for {
		select {
		case <-w.changed:
			w.look()
		case r := <-w.reads:
			content, err := w.get(r.ctx, r.item)
			if err == nil {
				content, err = Clean(content)
			}
			r.answer <- answer{content, err}
		case <-w.done:
			return
		}
	}
}

// open opens the clipboard for reading, within answerTime.
func (w *Windows) open(ctx context.Context) error {
	for end := time.Now().Add(answerTime); !win.OpenClipboard(0); {
		select {
		case <-time.After(busyWait):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrUnreadable, ctx.Err())
		case <-w.done:
			return ErrClosed
		}
		if time.Now().After(end) {
			return ErrBusy
		}
	}
	return nil
}

// look finds out what was copied.
func (w *Windows) look() {
	if w.open(context.Background()) != nil {
		w.mu.Lock()
		w.fresh = false // whatever it is, it is not that
		w.mu.Unlock()
		return
	}
	defer win.CloseClipboard()
	kind, _ := w.offered()
	now := sequence()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.watching || now == w.since || w.fresh && now == w.sequence {
		return
	}
	w.fresh = kind != 0
	if !w.fresh {
		return
	}
	w.serial++
	w.sequence = now
	select {
	case <-w.news:
	default:
	}
	w.news <- Item{w.serial, kind}
}

// offered is what the open clipboard holds and the format to read it in; kind 0:
// nothing that is told of.
func (w *Windows) offered() (kind Kind, format uint32) {
	if owner, _, _ := getClipboardOwner.Call(); win.HWND(owner) == w.window {
		return 0, 0
	}
	f := formats()
	var all []uint32
	for at := uintptr(0); len(all) < 1000; {
		at, _, _ = enumClipboardFormats.Call(at)
		if at == 0 {
			break
		}
		all = append(all, uint32(at))
	}
	has := func(name string) bool { return slices.Contains(all, f[name]) }
	if has(excluded) || has(ignored) || has(kdeHint) { // C62: a secret
		return 0, 0
	}
	for _, name := range []string{inHistory, inCloud} {
		if !has(name) {
			continue
		}
		if b, err := take(f[name], 4, true); err != nil || len(b) < 4 || [4]byte(b) == [4]byte{} { // C62
			return 0, 0
		}
	}
	if slices.Contains(all, win.CF_HDROP) {
		return 0, 0 // files
	}
	if slices.Contains(all, win.CF_UNICODETEXT) {
		return Text, win.CF_UNICODETEXT
	}
	for _, name := range []string{"PNG", "image/png"} {
		if has(name) {
			return PNG, f[name]
		}
	}
	for _, format := range all { // what the program put comes before what Windows makes of it
		switch format {
		case win.CF_DIBV5, win.CF_DIB:
			return PNG, format
		case win.CF_BITMAP:
			return PNG, win.CF_DIB
		}
	}
	return 0, 0
}

// take is a copy of one format of the open clipboard, of at most so many bytes:
// more is cut off, or ErrTooLarge. Its program may only now make it.
func take(format uint32, most int, cut bool) ([]byte, error) {
	h := win.GetClipboardData(format)
	if h == 0 {
		return nil, fmt.Errorf("%w: it is not given", ErrUnreadable)
	}
	size, _, _ := globalSize.Call(uintptr(h))
	if size > uintptr(most) { // C63
		if !cut {
			return nil, ErrTooLarge
		}
		size = uintptr(most)
	}
	p := win.GlobalLock(win.HGLOBAL(h))
	if p == nil {
		return nil, fmt.Errorf("%w: it is not given", ErrUnreadable)
	}
	defer win.GlobalUnlock(win.HGLOBAL(h))
	return slices.Clone(unsafe.Slice((*byte)(p), size)), nil
}

func (w *Windows) get(ctx context.Context, it Item) (Content, error) {
	theirs := func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.watching && w.fresh && it.Serial == w.serial && it.Serial != 0
	}
	if !theirs() {
		return Content{}, ErrGone
	}
	if err := w.open(ctx); err != nil {
		return Content{}, err
	}
	kind, b, err := w.takeOffered(it, theirs)
	win.CloseClipboard()
	if err != nil {
		return Content{}, err
	}
	switch kind {
	case win.CF_UNICODETEXT:
		b, err = fromUTF16(b)
	case win.CF_DIB, win.CF_DIBV5:
		b, err = fromDIB(b)
	}
	return Content{it.Kind, b}, err
}

// takeOffered takes an item from the open clipboard, if that is what is there.
func (w *Windows) takeOffered(it Item, theirs func() bool) (format uint32, b []byte, err error) {
	kind, format := w.offered() // C62: it may be a secret by now
	w.mu.Lock()
	same := sequence() == w.sequence
	w.mu.Unlock()
	if !same || kind != it.Kind || !theirs() {
		return 0, nil, ErrGone
	}
	switch format {
	case win.CF_UNICODETEXT:
		b, err = take(format, maxUTF16, true) // what counts is where the text ends
	case win.CF_DIB, win.CF_DIBV5:
		b, err = take(format, maxDIB, false)
	default:
		b, err = take(format, MaxPNG, false)
	}
	if err != nil {
		return 0, nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fresh && w.serial == it.Serial {
		w.sequence = sequence() // it counts what a program makes only when it is asked
	}
	return format, b, nil
}

func sequence() uint32 {
	r, _, _ := getClipboardSequenceNumber.Call()
	return uint32(r)
}
