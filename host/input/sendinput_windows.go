package input

import (
	"errors"
	"fmt"
	"image"
	"sync"
	"time"
)

// errRefused is wrapped when Windows takes no input from this process: a secure
// desktop has the screen, or another program blocks input. The Guard mostly
// knows before.
var errRefused = errors.New("input: Windows refuses input")

// KeyMode is how a [SendInput] names keys to Windows.
type KeyMode uint8

const (
	// VirtualKeys names a key by its virtual key and its scan code, which
	// programs of every kind understand.
	VirtualKeys KeyMode = iota
	// ScanCodes names it by its place on the keyboard only, for programs that
	// look at nothing else (games, other remote desktops). Wine types nothing then.
	ScanCodes
)

// metricsAge is how long the size of the screen is believed.
const metricsAge = 500 * time.Millisecond

// SendInput injects into the desktop of this process's session by the Windows
// function of that name. Text goes as Unicode characters, in every layout; a
// key goes as itself where it types what the technician's typed, where it types
// nothing, and in a shortcut.
//
// Windows keeps input from a program with more rights than the host (UIPI) and
// does not say so: an administrator's window stays still.
type SendInput struct {
	mode KeyMode

	mu       sync.Mutex // what follows: Close may come from elsewhere
	closed   bool
	area     image.Rectangle // the virtual screen
	measured time.Time
	pressed  map[uint16]stroke // by usage: the key that is down, zero if typed as text
	down     map[stroke]int    // for how many usages
	buttons  [buttonCount]bool
	altGr    map[uintptr]bool // by layout
}

// OpenSendInput opens the hands of this desktop.
func OpenSendInput(mode KeyMode) *SendInput {
	return &SendInput{
		mode: mode, pressed: make(map[uint16]stroke), down: make(map[stroke]int), altGr: make(map[uintptr]bool),
	}
}

func (s *SendInput) ready() error {
	if s.closed {
		return fmt.Errorf("%w (closed)", ErrLost)
	}
	return nil
}

// Flags of mouseEvent.
const (
	mouseMove        = 0x0001
	mouseWheel       = 0x0800
	mouseHWheel      = 0x1000
	mouseVirtualDesk = 0x4000
	mouseAbsolute    = 0x8000
)

// mouseButton are the flags for pressing and releasing a button, and which of
// the two extra ones it is.
type mouseButton struct{ down, up, which uint32 }

var mouseButtons = [buttonCount]mouseButton{
	Left: {0x2, 0x4, 0}, Right: {0x8, 0x10, 0}, Middle: {0x20, 0x40, 0}, Back: {0x80, 0x100, 1}, Forward: {0x80, 0x100, 2},
}

// mouse sends one pointer event. What Windows refuses is dropped: a pointer that
// stays where it is can be seen.
func mouse(flags uint32, dx, dy int32, data uint32) error {
	var e [1]mouseEvent
	e[0].mouse.extra = ours
	e[0].mouse.flags, e[0].mouse.dx, e[0].mouse.dy, e[0].mouse.data = flags, dx, dy, data
	if err := send(e[:]); err != nil && !errors.Is(err, errRefused) {
		return err
	}
	return nil
}

// Move puts the pointer on a pixel of the picture.
func (s *SendInput) Move(x, y int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return err
	}
	if now := time.Now(); now.Sub(s.measured) >= metricsAge {
		s.area, s.measured = virtualScreen(), now
	}
	if s.area.Empty() {
		return nil
	}
	left(x+s.area.Min.X, y+s.area.Min.Y)
	return mouse(mouseMove|mouseAbsolute|mouseVirtualDesk, absolute(x, s.area.Dx()), absolute(y, s.area.Dy()), 0)
}

// absolute is the middle of a pixel in units of 1/65536 of the screen.
func absolute(at, size int) int32 {
	at = min(max(at, 0), size-1)
	return int32((int64(at)<<16 + 1<<15) / int64(size))
}

// Button presses or releases where the pointer is. Left is the person's first
// button, whichever hand the mouse is set for.
func (s *SendInput) Button(b Button, down bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return err
	}
	if int(b) >= buttonCount {
		return fmt.Errorf("input: no button %d", b)
	}
	s.buttons[b] = down
	return press(b, down)
}

func press(b Button, down bool) error {
	if metric(metricSwapButton) != 0 {
		switch b { // SendInput means the mouse's own left
		case Left:
			b = Right
		case Right:
			b = Left
		}
	}
	flags := mouseButtons[b].up
	if down {
		flags = mouseButtons[b].down
	}
	return mouse(flags, 0, 0, mouseButtons[b].which)
}

// Wheel turns by 1/120 of a notch: programs add up what they get.
func (s *SendInput) Wheel(dx, dy int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return err
	}
	if dy != 0 { // Windows counts up as positive
		if err := mouse(mouseWheel, 0, 0, uint32(int32(-dy))); err != nil {
			return err
		}
	}
	if dx != 0 {
		return mouse(mouseHWheel, 0, 0, uint32(int32(dx)))
	}
	return nil
}

// Prepare has nothing to do: Windows types any character.
func (s *SendInput) Prepare() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready()
}

// Restore undoes nothing.
func (s *SendInput) Restore() error { return nil }

// Close releases what is down.
func (s *SendInput) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	var errs []error
	for b, down := range s.buttons {
		if down {
			errs = append(errs, press(Button(b), false))
		}
	}
	for usage := range s.pressed {
		errs = append(errs, s.keyUp(usage))
	}
	s.closed = true
	return errors.Join(errs...)
}
