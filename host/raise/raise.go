// Package raise gives the host hands with an administrator's rights, for as long as
// the person's own grant for it stands: Windows keeps input of an ordinary program
// from an administrator's windows.
//
// [Start] starts this very program once more with one argument, [Argument], by way of
// Windows' own question (UAC), which only the person sees and answers. The program
// that comes of it is hands and nothing else: [Run] opens one pipe to the host that
// started it, injects what comes there, and ends with the pipe, with the host's
// process, or with [Hands.Close]. It opens no window, no file and no connection.
//
// Both ends look at each other before anything is sent: the pipe has a name that
// cannot be guessed, may be opened by this user and by administrators only, and each
// side checks that the process at the other end runs the same program file as itself.
// A program of the person's own that has taken over the host's process is the host
// towards these hands: see SECURITY.md.
//
// On the pipe goes one request after another, each answered by one byte, see [Serve].
package raise

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/mainforte/mainforte/host/input"
)

// Argument is the one by which the program is only hands; a pipe's name follows it.
const Argument = "--hands"

var (
	// ErrRefused: the person said no to the system's own question.
	ErrRefused = errors.New("raise: the system was told no")
	// ErrForeign: what is at the other end of the pipe is not this program.
	ErrForeign = errors.New("raise: another program answers")
	// ErrGone is wrapped when the other end does not answer any more.
	ErrGone = errors.New("raise: the other program is gone")
	// ErrUnsupported: this system has no such rights.
	ErrUnsupported = errors.New("raise: not on this system")
)

// Requests, little-endian: u8 kind, u8 n, n bytes.
const (
	move    = 1 // i32 x, i32 y
	button  = 2 // u8 button, u8 down
	wheel   = 3 // i32 dx, i32 dy
	key     = 4 // u16 usage, u8 modifiers, u8 locks, u8 down, then UTF-8
	text    = 5 // UTF-8, whole characters; a longer text is several
	prepare = 6
	restore = 7
)

// Bounds of a request: those of the wire (PROTOCOL.md §1.9).
const (
	maxPart  = 255
	maxKey   = 32
	maxPlace = 1 << 20
	maxWheel = 1 << 15
)

// Answers.
const (
	done     = 0
	cannot   = 1 // input.ErrCannotType
	reserved = 2 // input.ErrReserved
	failed   = 3
)

// Hands is an input.Injector that is another process.
type Hands struct {
	mu   sync.Mutex
	conn io.ReadWriteCloser
	err  error
	once sync.Once
}

// NewHands speaks to the hands at the other end of conn.
func NewHands(conn io.ReadWriteCloser) *Hands { return &Hands{conn: conn} }

// ask sends one request and waits for its answer.
func (h *Hands) ask(kind byte, body []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return h.err
	}
	answer := []byte{failed}
	_, err := h.conn.Write(append([]byte{kind, byte(len(body))}, body...))
	if err == nil {
		_, err = io.ReadFull(h.conn, answer)
	}
	if err != nil {
		h.err = fmt.Errorf("%w: %w", ErrGone, err)
		return h.err
	}
	switch answer[0] {
	case done:
		return nil
	case cannot:
		return input.ErrCannotType
	case reserved:
		return input.ErrReserved
	}
	h.err = fmt.Errorf("%w: it failed", ErrGone)
	return h.err
}

// Move implements input.Injector.
func (h *Hands) Move(x, y int) error { return h.ask(move, two(x, y)) }

// Button implements input.Injector.
func (h *Hands) Button(b input.Button, down bool) error {
	return h.ask(button, []byte{byte(b), flag(down)})
}

// Wheel implements input.Injector.
func (h *Hands) Wheel(dx, dy int) error { return h.ask(wheel, two(dx, dy)) }

// Key implements input.Injector.
func (h *Hands) Key(k input.Key, down bool) error {
	if len(k.Text) > maxKey {
		return input.ErrCannotType
	}
	b := binary.LittleEndian.AppendUint16(nil, k.Usage)
	return h.ask(key, append(append(b, k.Modifiers, k.Locks, flag(down)), k.Text...))
}

// Text implements input.Injector.
func (h *Hands) Text(s string) error {
	var kept error
	for s != "" {
		n := min(len(s), maxPart)
		for n < len(s) && !utf8.RuneStart(s[n]) {
			n--
		}
		if err := h.ask(text, []byte(s[:n])); errors.Is(err, input.ErrCannotType) {
			kept = err
		} else if err != nil {
			return err
		}
		s = s[n:]
	}
	return kept
}

// Prepare implements input.Injector.
func (h *Hands) Prepare() error { return h.ask(prepare, nil) }

// Restore implements input.Injector.
func (h *Hands) Restore() error { return h.ask(restore, nil) }

// Close ends the other process, which lets go of everything that is down.
func (h *Hands) Close() error {
	var err error
	h.once.Do(func() { err = h.conn.Close() })
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err = fmt.Errorf("%w: closed (%w)", ErrGone, input.ErrLost)
	}
	return err
}

func two(a, b int) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(int32(a))), uint32(int32(b)))
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}

// Serve injects what comes on conn until it ends, or brings what it may not: that is
// an error. It closes hands, so that everything that is down goes up.
func Serve(conn io.ReadWriter, hands input.Injector) (err error) {
	defer func() { err = errors.Join(err, hands.Close()) }()
	for {
		var head [2]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
				return nil
			}
			return err
		}
		body := make([]byte, head[1])
		if _, err := io.ReadFull(conn, body); err != nil {
			return err
		}
		do, err := parse(head[0], body)
		if err != nil {
			return err
		}
		answer := byte(done)
		switch err := do(hands); {
		case err == nil:
		case errors.Is(err, input.ErrCannotType):
			answer = cannot
		case errors.Is(err, input.ErrReserved):
			answer = reserved
		default:
			answer = failed
		}
		if _, err := conn.Write([]byte{answer}); err != nil {
			return err
		}
		if answer == failed {
			return errors.New("raise: the desktop takes no input")
		}
	}
}

var errRequest = errors.New("raise: not a request")

// parse reads one request, within the bounds of what a technician may send.
func parse(kind byte, b []byte) (func(input.Injector) error, error) {
	pair := func(bound int32) (x, y int, ok bool) {
		if len(b) != 8 {
			return 0, 0, false
		}
		p, q := int32(binary.LittleEndian.Uint32(b)), int32(binary.LittleEndian.Uint32(b[4:]))
		return int(p), int(q), p >= -bound && p <= bound && q >= -bound && q <= bound
	}
	switch kind {
	case move:
		if x, y, ok := pair(maxPlace); ok {
			return func(i input.Injector) error { return i.Move(x, y) }, nil
		}
	case button:
		if len(b) == 2 && input.Button(b[0]) <= input.Forward && b[1] <= 1 {
			return func(i input.Injector) error { return i.Button(input.Button(b[0]), b[1] == 1) }, nil
		}
	case wheel:
		if dx, dy, ok := pair(maxWheel); ok {
			return func(i input.Injector) error { return i.Wheel(dx, dy) }, nil
		}
	case key:
		if len(b) < 5 || len(b) > 5+maxKey || b[4] > 1 || !utf8.Valid(b[5:]) {
			break
		}
		k := input.Key{Usage: binary.LittleEndian.Uint16(b), Modifiers: b[2], Locks: b[3], Text: string(b[5:])}
		if k.Usage >= 4 && k.Usage <= 231 && k.Modifiers < 1<<5 && k.Locks < 1<<3 {
			return func(i input.Injector) error { return i.Key(k, b[4] == 1) }, nil
		}
	case text:
		if len(b) > 0 && utf8.Valid(b) {
			return func(i input.Injector) error { return i.Text(string(b)) }, nil
		}
	case prepare:
		if len(b) == 0 {
			return input.Injector.Prepare, nil
		}
	case restore:
		if len(b) == 0 {
			return input.Injector.Restore, nil
		}
	}
	return nil, errRequest
}
