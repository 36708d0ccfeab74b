// Package fake stands in for a desktop in tests: [Injector] records what it is
// asked to do, word by word, [Guard] protects rectangles, and [Gate] opens and
// closes. The Injector is strict: what a real desktop would let pass in silence
// and a user would notice, such as a release of something that is not down, two
// calls at once or a call after Close, fails the test. Besides, it behaves like a
// desktop with an English keyboard and passes the suite of input/inputtest.
package fake

import (
	"fmt"
	"image"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"unicode"

	"github.com/mainforte/mainforte/host/input"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
)

var buttons = [...]string{"left", "middle", "right", "back", "forward"}

// Injector records. Its zero value is not usable; see [New].
type Injector struct {
	t    testing.TB
	busy atomic.Bool

	mu      sync.Mutex
	ops     []string
	keys    map[uint16]bool
	buttons map[input.Button]bool
	x, y    int
	typed   []rune
	cannot  []rune
	keeps   []uint16 // usages that the system keeps
	events  []string // buttons and notches
	wheel   [2]int   // 1/120 of a notch not yet turned
	err     error
	closed  bool
	lenient bool // misuse is answered, not reported: for the suite
	changed chan struct{}
}

// New makes an Injector that reports misuse to t.
func New(t testing.TB) *Injector {
	return &Injector{t: t, keys: make(map[uint16]bool), buttons: make(map[input.Button]bool), changed: make(chan struct{})}
}

// do checks and records one call.
func (f *Injector) do(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		if !f.lenient {
			f.t.Errorf("fake injector: %s after Close", fmt.Sprintf(format, args...))
		}
		return input.ErrLost
	}
	if f.err != nil {
		return f.err
	}
	f.ops = append(f.ops, fmt.Sprintf(format, args...))
	close(f.changed)
	f.changed = make(chan struct{})
	return nil
}

// alone reports two calls at once.
func (f *Injector) alone() func() {
	if !f.busy.CompareAndSwap(false, true) {
		f.t.Errorf("fake injector: two calls at once")
		return func() {}
	}
	return func() { f.busy.Store(false) }
}

// Move records "move X Y".
func (f *Injector) Move(x, y int) error {
	defer f.alone()()
	f.mu.Lock()
	f.x, f.y = x, y
	f.mu.Unlock()
	return f.do("move %d %d", x, y)
}

// Button records "left down", "back up".
func (f *Injector) Button(b input.Button, down bool) error {
	defer f.alone()()
	if int(b) >= len(buttons) {
		f.t.Errorf("fake injector: no button %d", b)
		return nil
	}
	f.mu.Lock()
	if f.buttons[b] == down {
		f.t.Errorf("fake injector: button %s is %s already", buttons[b], way(down))
	}
	f.buttons[b] = down
	f.events = append(f.events, buttons[b]+" "+way(down))
	f.mu.Unlock()
	return f.do("%s %s", buttons[b], way(down))
}

// Wheel records "wheel DX DY".
func (f *Injector) Wheel(dx, dy int) error {
	defer f.alone()()
	f.mu.Lock()
	f.turn(0, dx, "wheel left", "wheel right")
	f.turn(1, dy, "wheel up", "wheel down")
	f.mu.Unlock()
	return f.do("wheel %d %d", dx, dy)
}

func (f *Injector) turn(axis, by int, less, more string) {
	rest := &f.wheel[axis]
	if by*(*rest) < 0 {
		*rest = 0
	}
	for *rest += by; *rest >= 120; *rest -= 120 {
		f.events = append(f.events, more)
	}
	for ; *rest <= -120; *rest += 120 {
		f.events = append(f.events, less)
	}
}

// Buttons are button events and whole notches of the wheel, as a window gets
// them: "left down", "wheel up".
func (f *Injector) Buttons() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.events)
}

// Key records "key 04 down a" and "key 04 up". A second press is a repeat.
func (f *Injector) Key(k input.Key, down bool) error {
	defer f.alone()()
	f.mu.Lock()
	if !down && !f.keys[k.Usage] {
		f.t.Errorf("fake injector: key %02x is up already", k.Usage)
	}
	f.keys[k.Usage] = down
	cannot := false
	if down && k.Usage == 0x28 && k.Text == "" {
		f.typed = append(f.typed, '\n')
	}
	for _, r := range k.Text {
		if down && k.Modifiers&input.ModControl != 0 {
			if letter := 'a' + rune(k.Usage) - 4; r > unicode.MaxASCII && k.Usage >= 4 && letter <= 'z' {
				r = letter // no key says so here: its place counts
			}
			f.typed = append(f.typed, r&0x1f)
		} else if down {
			f.typed = append(f.typed, r)
		}
		cannot = cannot || slices.Contains(f.cannot, r)
	}
	f.mu.Unlock()
	if !down {
		return f.do("key %02x up", k.Usage)
	}
	if slices.Contains(f.keeps, k.Usage) {
		return fmt.Errorf("fake: %w", input.ErrReserved)
	}
	op := fmt.Sprintf("key %02x down", k.Usage)
	if k.Text != "" {
		op += " " + k.Text
	}
	if err := f.do("%s", op); err != nil {
		return err
	}
	if cannot {
		return fmt.Errorf("fake: %w", input.ErrCannotType)
	}
	return nil
}

// Text records "text WORDS".
func (f *Injector) Text(s string) error {
	defer f.alone()()
	f.mu.Lock()
	cannot := false
	for _, r := range s {
		if slices.Contains(f.cannot, r) || unicode.IsControl(r) && r != '\n' && r != '\t' {
			cannot = true
		} else {
			f.typed = append(f.typed, r)
		}
	}
	f.mu.Unlock()
	if err := f.do("text %s", s); err != nil {
		return err
	}
	if cannot {
		return fmt.Errorf("fake: %w", input.ErrCannotType)
	}
	return nil
}

// Prepare records "prepare".
func (f *Injector) Prepare() error { defer f.alone()(); return f.do("prepare") }

// Restore records "restore".
func (f *Injector) Restore() error { defer f.alone()(); return f.do("restore") }

// Close releases what is down, as a desktop must, and records nothing.
func (f *Injector) Close() error {
	defer f.alone()()
	f.mu.Lock()
	defer f.mu.Unlock()
	for b, down := range f.buttons {
		if down {
			f.events = append(f.events, buttons[b]+" up")
		}
	}
	clear(f.buttons)
	clear(f.keys)
	f.closed = true
	return nil
}

// Lose makes every call from now on fail with err, such as an error that wraps
// input.ErrLost, and record nothing.
func (f *Injector) Lose(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// CannotType makes Key and Text answer ErrCannotType for these characters.
func (f *Injector) CannotType(characters string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cannot = []rune(characters)
}

// Reserve makes Key answer ErrReserved for a usage, and record nothing.
func (f *Injector) Reserve(usage uint16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keeps = append(f.keeps, usage)
}

// Ops is what was asked since New or the last Take, in order.
func (f *Injector) Ops() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ops)
}

// Take is Ops, and forgets them.
func (f *Injector) Take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	ops := f.ops
	f.ops = nil
	return ops
}

// Changed is closed at the next recorded call: to wait without polling, take it,
// look at Ops, then wait for it.
func (f *Injector) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// Down lists what is down, as "left" and "key 04", sorted.
func (f *Injector) Down() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var down []string
	for b, is := range f.buttons {
		if is {
			down = append(down, buttons[b])
		}
	}
	for k, is := range f.keys {
		if is {
			down = append(down, fmt.Sprintf("key %02x", k))
		}
	}
	slices.Sort(down)
	return down
}

// Pointer is where the pointer was sent last.
func (f *Injector) Pointer() (x, y int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.x, f.y
}

// Typed is all text of keys and texts so far.
func (f *Injector) Typed() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.typed)
}

func way(down bool) string {
	if down {
		return "down"
	}
	return "up"
}

// Guard protects rectangles of the picture, and the keyboard while Focus is set.
// Its zero value protects nothing.
type Guard struct {
	mu      sync.Mutex
	own     []image.Rectangle
	focus   bool
	windows []uint64
}

// Own adds a rectangle that belongs to a protected window.
func (g *Guard) Own(r image.Rectangle) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.own = append(g.own, r)
}

// SetFocus tells whether a protected window has the keyboard focus.
func (g *Guard) SetFocus(own bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.focus = own
}

// PointerAllowed is false inside a protected rectangle.
func (g *Guard) PointerAllowed(x, y int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !slices.ContainsFunc(g.own, func(r image.Rectangle) bool { return image.Pt(x, y).In(r) })
}

// KeysAllowed is false while the focus is protected.
func (g *Guard) KeysAllowed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.focus
}

// Protect remembers the window for Protected.
func (g *Guard) Protect(window uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.windows = append(g.windows, window)
}

// Protected lists the windows given to Protect.
func (g *Guard) Protected() []uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.windows)
}

// Gate is open or closed. Its zero value is closed and tells no notice.
type Gate struct {
	mu   sync.Mutex
	open bool
	code mfpb.NoticeCode
}

// Open lets input pass.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open, g.code = true, 0
}

// Shut holds input and gives the notice for it.
func (g *Gate) Shut(code mfpb.NoticeCode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open, g.code = false, code
}

// InputAllowed answers the Receiver.
func (g *Gate) InputAllowed() (bool, mfpb.NoticeCode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open, g.code
}
