package wire

import (
	"encoding/binary"
	"unicode/utf8"
)

// InputKind is the first byte of an input event, PROTOCOL.md §1.9.
type InputKind uint8

const (
	InputMotion  InputKind = 1
	InputButton  InputKind = 2
	InputWheel   InputKind = 3
	InputKey     InputKind = 4
	InputText    InputKind = 5
	InputRelease InputKind = 6   // everything that is down goes up
	InputAlive   InputKind = 7   // something is still held down
	InputAck     InputKind = 128 // host → viewer
)

// FlagOptional marks a kind that a receiver may skip if it does not know it.
// It is bit 7 of the flags of input events and picture messages alike.
const FlagOptional = 0x80

// Buttons, modifiers and locks as on the wire.
const (
	ButtonLeft    = 0
	ButtonMiddle  = 1
	ButtonRight   = 2
	ButtonBack    = 3
	ButtonForward = 4

	ModShift    = 1 << 0
	ModControl  = 1 << 1
	ModAlt      = 1 << 2
	ModMeta     = 1 << 3
	ModAltGraph = 1 << 4

	LockCaps   = 1 << 0
	LockNum    = 1 << 1
	LockScroll = 1 << 2
)

const (
	maxButton    = ButtonForward
	allModifiers = 1<<5 - 1
	allLocks     = 1<<3 - 1
	minUsage     = 0x04 // HID page 7: Keyboard a and A; below are error codes
	maxUsage     = 0xE7 // HID page 7: Keyboard Right GUI; above is reserved
)

// InputEvent is one message on the channels in and in-fast. Which fields mean
// something depends on Kind; the others are zero.
type InputEvent struct {
	Kind      InputKind
	Flags     uint8  // FlagOptional or 0
	Seq       uint32 // from 1; motions count apart; ack: the highest event done; alive: 0
	Motion    uint32 // button, wheel: the newest motion sent before, 0 if none
	X, Y      uint16 // motion, button, wheel: pixels of the picture
	Button    uint8  // button: ButtonLeft …
	Down      bool   // button, key
	DX, DY    int16  // wheel: 1/120 of a notch; DY > 0 scrolls down
	Usage     uint16 // key: USB HID usage, page 7
	Modifiers uint8  // key: ModShift | …
	Locks     uint8  // key: LockCaps | …
	Text      string // key: what it types, or empty; text: 1 to MaxInputText bytes
}

const inputHeader = 8

// ParseInput reads one input event into ev, which it overwrites whole. It
// allocates nothing but Text, which is a copy. Anything that is not exactly one
// event with every field in its range is ErrMalformed; an unknown kind is
// ErrUnknownMessage or, if marked optional, ErrSkip; a message over [MaxInput]
// is ErrTooLarge. After an error ev is zero.
func ParseInput(b []byte, ev *InputEvent) error {
	*ev = InputEvent{}
	if len(b) > MaxInput {
		return ErrTooLarge
	}
	if len(b) < inputHeader {
		return ErrMalformed
	}
	e := InputEvent{Kind: InputKind(b[0]), Flags: b[1], Seq: binary.LittleEndian.Uint32(b[4:])}
	p := b[inputHeader:]
	le := binary.LittleEndian
	size := 0
	switch e.Kind {
	case InputMotion:
		size = 4
	case InputButton:
		size = 10
	case InputWheel:
		size = 12
	case InputKey:
		size = 6
	case InputText:
		size = 2
	case InputRelease, InputAlive, InputAck:
	default:
		if e.Flags&FlagOptional != 0 {
			return ErrSkip
		}
		return ErrUnknownMessage
	}
	if len(p) < size || b[2] != 0 || b[3] != 0 {
		return ErrMalformed
	}
	switch e.Kind {
	case InputMotion:
		e.X, e.Y = le.Uint16(p), le.Uint16(p[2:])
	case InputButton:
		if p[9] > 1 {
			return ErrMalformed
		}
		e.Motion, e.X, e.Y = le.Uint32(p), le.Uint16(p[4:]), le.Uint16(p[6:])
		e.Button, e.Down = p[8], p[9] == 1
	case InputWheel:
		e.Motion, e.X, e.Y = le.Uint32(p), le.Uint16(p[4:]), le.Uint16(p[6:])
		e.DX, e.DY = int16(le.Uint16(p[8:])), int16(le.Uint16(p[10:]))
	case InputKey:
		if p[2] > 1 {
			return ErrMalformed
		}
		e.Usage, e.Down, e.Modifiers, e.Locks = le.Uint16(p), p[2] == 1, p[3], p[4]
		size += int(p[5])
		if len(p) == size {
			e.Text = string(p[6:])
		}
	case InputText:
		size += int(le.Uint16(p))
		if len(p) == size {
			e.Text = string(p[2:])
		}
	}
	if len(p) != size || !e.valid() {
		return ErrMalformed
	}
	*ev = e
	return nil
}

// valid tells whether every field of e is in the range PROTOCOL.md gives it.
func (e *InputEvent) valid() bool {
	if e.Flags&^FlagOptional != 0 || !utf8.ValidString(e.Text) {
		return false
	}
	switch e.Kind {
	case InputMotion, InputWheel, InputRelease:
		return e.Seq > 0
	case InputButton:
		return e.Seq > 0 && e.Button <= maxButton
	case InputKey:
		return e.Seq > 0 && e.Usage >= minUsage && e.Usage <= maxUsage &&
			e.Modifiers <= allModifiers && e.Locks <= allLocks && len(e.Text) <= MaxKeyText
	case InputText:
		return e.Seq > 0 && e.Text != "" && len(e.Text) <= MaxInputText
	case InputAlive:
		return e.Seq == 0
	case InputAck:
		return true
	}
	return false
}

// AppendInput appends one event, or returns dst and ErrMalformed if a field is
// out of its range: what is written can always be read.
func AppendInput(dst []byte, ev *InputEvent) ([]byte, error) {
	if !ev.valid() {
		return dst, ErrMalformed
	}
	le := binary.LittleEndian
	b := append(dst, byte(ev.Kind), ev.Flags, 0, 0)
	b = le.AppendUint32(b, ev.Seq)
	down := byte(0)
	if ev.Down {
		down = 1
	}
	switch ev.Kind {
	case InputMotion:
		b = le.AppendUint16(le.AppendUint16(b, ev.X), ev.Y)
	case InputButton:
		b = le.AppendUint16(le.AppendUint16(le.AppendUint32(b, ev.Motion), ev.X), ev.Y)
		b = append(b, ev.Button, down)
	case InputWheel:
		b = le.AppendUint16(le.AppendUint16(le.AppendUint32(b, ev.Motion), ev.X), ev.Y)
		b = le.AppendUint16(le.AppendUint16(b, uint16(ev.DX)), uint16(ev.DY))
	case InputKey:
		b = append(le.AppendUint16(b, ev.Usage), down, ev.Modifiers, ev.Locks, byte(len(ev.Text)))
		b = append(b, ev.Text...)
	case InputText:
		b = append(le.AppendUint16(b, uint16(len(ev.Text))), ev.Text...)
	}
	return b, nil
}

// AppendInputAck appends the host's answer on in-fast: every event up to seq
// was applied or refused, in order.
func AppendInputAck(dst []byte, seq uint32) []byte {
	return binary.LittleEndian.AppendUint32(append(dst, byte(InputAck), 0, 0, 0), seq)
}
