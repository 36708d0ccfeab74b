package overlay

import (
	"fmt"
	"image"
	"slices"
	"sync"
	"time"

	"github.com/tailscale/win"
	"golang.org/x/sys/windows"

	"github.com/mainforte/mainforte/host/winthread"
)

const (
	// raiseEvery bounds how often the overlay goes back above a window that covers
	// it: another program that wants to lie above all must not make a fight of it.
	raiseEvery = time.Second
	// lookEvery is how often, while something is shown, it is looked whether what is
	// to be spared has moved and nothing tells of it.
	lookEvery = 250 * time.Millisecond
	// closeWait bounds how long Close waits for a desktop that does not answer.
	closeWait = 2 * time.Second
)

// Windows is the overlay of a Windows desktop: one layered window over all
// monitors for the marks and a small one a pointer. While nothing is shown there is
// no window, and nothing is done.
type Windows struct {
	thread *winthread.Thread

	mu      sync.Mutex
	scene   Scene
	waiting []chan struct{} // for the scene
	posted  bool            // the thread is told
	gone    bool

	// The rest is the thread's.
	window   win.HWND // the thread's own
	present  Scene    // that is shown
	area     image.Rectangle
	spared   []image.Rectangle // in pixels of the picture
	sheet    sheet
	marks    *layer // nil: none
	pointers map[int]*pointerLayer
	hooks    map[uint32]uintptr // by process: tells of windows that come, go or move
	raised   time.Time
	timing   bool
}

// pointerLayer is a pointer as it stands.
type pointerLayer struct {
	*layer
	inkedPointer
	last Pointer
	cut  bool // a part of it is spared
}

var (
	getWindow    = user32.NewProc("GetWindow")
	getTopWindow = user32.NewProc("GetTopWindow")
	getAncestor  = user32.NewProc("GetAncestor")
	setEventHook = user32.NewProc("SetWinEventHook")
	unhookEvent  = user32.NewProc("UnhookWinEvent")
	dwmFlush     = windows.NewLazySystemDLL("dwmapi.dll").NewProc("DwmFlush")

	// overlays are those whom an event of a window is told, by hook.
	overlays sync.Map
	happened uintptr
)

func init() { // it comes back to where it is used
	happened = windows.NewCallback(func(hook, _, window, object, _, _, _ uintptr) uintptr {
		if o, ok := overlays.Load(hook); ok && int32(object) == 0 && window != 0 { // OBJID_WINDOW
			o.(*Windows).look()
		}
		return 0
	})
}

const timerID = 1

// OpenWindows opens the overlay of this process's desktop.
func OpenWindows() (*Windows, error) {
	o := &Windows{pointers: make(map[int]*pointerLayer), hooks: make(map[uint32]uintptr)}
	if err := updateLayeredWindowIndirect.Find(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	t, err := winthread.Start(o.message, func(w win.HWND) error { o.window = w; return nil })
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	o.thread = t
	return o, nil
}

// Show implements Overlay.
func (o *Windows) Show(s Scene) <-chan struct{} {
	done := make(chan struct{})
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone {
		close(done)
		return done
	}
	o.scene = s
	o.waiting = append(o.waiting, done)
	if !o.posted {
		o.posted = true
		_ = o.thread.Post(o.paint) // closed: Close tells who waits
	}
	return done
}

// Close implements Overlay. With the thread go all windows.
func (o *Windows) Close() error {
	o.mu.Lock()
	o.gone = true
	o.mu.Unlock()
	_ = o.thread.Post(o.dropAll)
	o.thread.Close()
	select {
	case <-o.thread.Done():
	case <-time.After(closeWait):
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.waiting {
		close(w)
	}
	o.waiting = nil
	return nil
}

func (o *Windows) message(w win.HWND, msg uint32, _, _ uintptr) (uintptr, bool) {
	switch msg {
	case win.WM_TIMER:
		o.look()
		o.rise()
		return 0, true
	case win.WM_DISPLAYCHANGE:
		o.look()
	case win.WM_MOUSEACTIVATE:
		return 3, true // MA_NOACTIVATE
	case win.WM_NCHITTEST:
		if w != o.window {
			return ^uintptr(0), true // HTTRANSPARENT
		}
	}
	return 0, false
}

// paint shows the newest scene.
func (o *Windows) paint() {
	o.mu.Lock()
	scene, waiting := o.scene, o.waiting
	o.waiting, o.posted = nil, false
	gone := o.gone
	o.mu.Unlock()
	if !gone {
		o.show(&scene)
	}
	if len(waiting) > 0 && dwmFlush.Find() == nil {
		_, _, _ = dwmFlush.Call() // until the screen shows it
	}
	for _, w := range waiting {
		close(w)
	}
}

// look shows the present scene again if the screen, or what is to be spared, is
// not as it was.
func (o *Windows) look() {
	if o.marks == nil && len(o.pointers) == 0 {
		return
	}
	if virtualScreen() != o.area || !slices.Equal(o.places(&o.present), o.spared) {
		o.show(&o.present)
	}
}

// show makes the screen what the scene says.
func (o *Windows) show(s *Scene) {
	o.present = *s
	if area := virtualScreen(); area != o.area {
		o.dropMarks()
		o.dropPointers(nil)
		o.area = area
	}
	o.watch(s)
	before := o.spared
	o.spared = o.places(s)
	moved := !slices.Equal(before, o.spared)
	o.showMarks(s, before, moved)
	o.showPointers(s, moved)
	shown := o.marks != nil || len(o.pointers) > 0
	if shown && !o.timing {
		o.timing = win.SetTimer(o.window, timerID, uint32(lookEvery.Milliseconds()), 0) != 0
	}
	if !shown && o.timing {
		win.KillTimer(o.window, timerID)
		o.timing = false
	}
}

func (o *Windows) showMarks(s *Scene, before []image.Rectangle, moved bool) {
	if len(s.Marks) == 0 || s.Hidden { // C75
		o.dropMarks()
		return
	}
	w, h := o.area.Dx(), o.area.Dy()
	if o.marks == nil {
		l, err := newLayer(o.thread, w, h)
		if err != nil {
			return // nothing is shown, and the next scene tries again
		}
		o.marks, o.sheet = l, sheet{ink: newScreen(w, h)}
	}
	touched := image.Rectangle{}
	if o.sheet.begin(s.Marks) {
		touched = image.Rect(0, 0, w, h)
	}
	o.sheet.paint(s.Marks, func(r image.Rectangle) { touched = touched.Union(r) })
	if moved {
		for _, r := range slices.Concat(before, o.spared) {
			touched = touched.Union(r)
		}
	}
	touched = touched.Intersect(image.Rect(0, 0, w, h))
	if touched.Empty() {
		return
	}
	o.marks.draw(o.sheet.ink, touched, o.spared)
	o.marks.show(o.area.Min, touched)
}

func (o *Windows) showPointers(s *Scene, moved bool) {
	if s.Hidden { // C75
		o.dropPointers(nil)
		return
	}
	o.dropPointers(s.Pointers)
	for i := range s.Pointers {
		p := &s.Pointers[i]
		l := o.pointers[p.Who]
		if l != nil && !l.suits(p, &l.last, o.area.Size()) {
			o.dropPointer(p.Who)
			l = nil
		}
		fresh := l == nil
		if fresh {
			inked := inkPointer(p, o.area.Size())
			made, err := newLayer(o.thread, inked.ink.w, inked.ink.h)
			if err != nil {
				continue
			}
			l = &pointerLayer{layer: made, inkedPointer: inked}
			o.pointers[p.Who] = l
		}
		at := p.At.Sub(l.hot)
		whole := image.Rect(0, 0, l.w, l.h)
		var cut []image.Rectangle
		for _, r := range o.spared {
			if r = r.Sub(at); r.Overlaps(whole) {
				cut = append(cut, r)
			}
		}
		to := at.Add(o.area.Min)
		switch {
		case fresh || len(cut) > 0 || l.cut:
			l.draw(l.ink, whole, cut)
			l.show(to, whole)
		case l.last.At != p.At:
			l.move(to)
		}
		l.last, l.cut = *p, len(cut) > 0
	}
}

func (o *Windows) dropMarks() {
	if o.marks != nil {
		o.marks.drop(o.thread)
	}
	o.marks, o.sheet = nil, sheet{}
}

// dropPointers takes away those that are not among these.
func (o *Windows) dropPointers(but []Pointer) {
	for who := range o.pointers {
		if !has(but, who) {
			o.dropPointer(who)
		}
	}
}

func (o *Windows) dropPointer(who int) {
	o.pointers[who].drop(o.thread)
	delete(o.pointers, who)
}

func (o *Windows) dropAll() {
	o.present = Scene{}
	o.dropMarks()
	o.dropPointers(nil)
	for _, hook := range o.hooks {
		_, _, _ = unhookEvent.Call(hook)
		overlays.Delete(hook)
	}
	clear(o.hooks)
}

// layers are those that are shown.
func (o *Windows) layers() (all []*layer) {
	if o.marks != nil {
		all = append(all, o.marks)
	}
	for _, p := range o.pointers {
		all = append(all, p.layer)
	}
	return all
}

func (o *Windows) isLayer(w win.HWND) bool {
	return slices.ContainsFunc(o.layers(), func(l *layer) bool { return l.window == w })
}

// rise goes back above what covers us.
func (o *Windows) rise() {
	if time.Since(o.raised) < raiseEvery {
		return
	}
	for _, l := range o.layers() {
		var ours win.RECT
		win.GetWindowRect(l.window, &ours)
		above, _, _ := getWindow.Call(uintptr(l.window), win.GW_HWNDPREV)
		for n := 0; above != 0 && n < maxWindows; n++ {
			w := win.HWND(above)
			if !o.isLayer(w) && win.IsWindowVisible(w) && rectangle(w).Overlaps(fromRECT(ours)) {
				o.raised = time.Now()
				l.raise()
				break
			}
			above, _, _ = getWindow.Call(above, win.GW_HWNDPREV)
		}
	}
}

// maxWindows bounds a walk over windows, which may change their order meanwhile.
const maxWindows = 4096

// places are where the windows that are to be spared are seen, with their frames,
// and those that belong to them, as dialogs do; in pixels of the picture.
func (o *Windows) places(s *Scene) (all []image.Rectangle) {
	if s.Hidden || len(s.Marks) == 0 && len(s.Pointers) == 0 || len(s.Spared) == 0 {
		return nil
	}
	top, _, _ := getTopWindow.Call(0)
	for n := 0; top != 0 && n < maxWindows; n++ {
		w := win.HWND(top)
		const rootOwner = 3 // GA_ROOTOWNER
		owner, _, _ := getAncestor.Call(top, rootOwner)
		if (slices.Contains(s.Spared, uint64(top)) || slices.Contains(s.Spared, uint64(owner))) &&
			win.IsWindowVisible(w) && !win.IsIconic(w) && !o.isLayer(w) {
			all = append(all, rectangle(w).Sub(o.area.Min))
		}
		top, _, _ = getWindow.Call(top, win.GW_HWNDNEXT)
	}
	return all
}

// watch lets Windows tell us when a window that is to be spared comes, goes or moves.
func (o *Windows) watch(s *Scene) {
	for _, id := range s.Spared {
		var pid uint32
		if _, err := windows.GetWindowThreadProcessId(windows.HWND(uintptr(id)), &pid); err != nil || pid == 0 || o.hooks[pid] != 0 {
			continue
		}
		const show, locationChange = 0x8002, 0x800b // EVENT_OBJECT_; the timer sees what falls out of it
		hook, _, _ := setEventHook.Call(show, locationChange, 0, happened, uintptr(pid), 0, win.WINEVENT_OUTOFCONTEXT)
		if hook != 0 {
			overlays.Store(hook, o)
			o.hooks[pid] = hook
		}
	}
}

func rectangle(w win.HWND) image.Rectangle {
	var r win.RECT
	if !win.GetWindowRect(w, &r) {
		return image.Rectangle{}
	}
	return fromRECT(r)
}

func fromRECT(r win.RECT) image.Rectangle {
	return image.Rect(int(r.Left), int(r.Top), int(r.Right), int(r.Bottom))
}

// virtualScreen is the rectangle around all monitors; its corner is that of the
// picture.
func virtualScreen() image.Rectangle {
	x, y := int(win.GetSystemMetrics(win.SM_XVIRTUALSCREEN)), int(win.GetSystemMetrics(win.SM_YVIRTUALSCREEN))
	w, h := int(win.GetSystemMetrics(win.SM_CXVIRTUALSCREEN)), int(win.GetSystemMetrics(win.SM_CYVIRTUALSCREEN))
	return image.Rect(x, y, x+w, y+h)
}
