package wire

import "encoding/binary"

// InputShown is the kind of the one message on in-fast that is no input: the
// viewer's word that a frame of the video track is on its screen. It needs no
// control, and does not keep alive what is held down.
const InputShown InputKind = 16

const shownSize = 8

// IsShown tells whether a message on in-fast is one for ParseShown.
func IsShown(b []byte) bool { return len(b) > 0 && InputKind(b[0]) == InputShown }

// AppendShown appends the word that the frame with this RTP timestamp is on the
// viewer's screen. A host without video skips it: it is optional.
func AppendShown(dst []byte, timestamp uint32) []byte {
	return binary.LittleEndian.AppendUint32(append(dst, byte(InputShown), FlagOptional, 0, 0), timestamp)
}

// ParseShown reads the RTP timestamp, or returns ErrMalformed.
func ParseShown(b []byte) (timestamp uint32, err error) {
	if len(b) != shownSize || !IsShown(b) || b[1]&^FlagOptional != 0 || b[2]|b[3] != 0 {
		return 0, ErrMalformed
	}
	return binary.LittleEndian.Uint32(b[4:]), nil
}
