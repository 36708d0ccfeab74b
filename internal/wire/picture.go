package wire

import "encoding/binary"

// Kinds of picture messages, PROTOCOL.md §1.10: their first byte. The two
// directions count apart.
const (
	AnswerHello   = 1 // viewer → host
	AnswerAck     = 2
	AnswerRestart = 3

	PictureStart = 1 // host → viewer
	PicturePiece = 2
)

// PictureFormat is the format of updates that start announces: the tile format
// of PROTOCOL.md §1.10.
const PictureFormat = 1

// Bounds of the log2 of the zstd window, in bytes: RFC 8878 §3.1.1.1.2 begins
// at 10; 23 (8 MiB) is the most a decoder need support.
const (
	MinWindowLog = 10
	MaxWindowLog = 23
)

const (
	startSize  = 16
	answerSize = 8
	lastFlag   = 0x01
)

// PieceHeader is the length in bytes of what stands before the zstd bytes of a
// piece; a piece carries at most MaxTileMessage − PieceHeader of them.
const PieceHeader = 8

// Start tells the viewer that a picture begins: black, with an empty under
// picture and a new zstd stream.
type Start struct {
	Generation    uint32
	Width, Height int   // pixels, 1 to MaxPictureSide
	WindowLog     uint8 // log2 of the zstd window, MinWindowLog to MaxWindowLog
}

// AppendStart appends a start message. The caller keeps s in its bounds.
func AppendStart(dst []byte, s Start) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(append(dst, PictureStart, 0, 0, 0), s.Generation)
	b = le.AppendUint16(le.AppendUint16(b, uint16(s.Width)), uint16(s.Height))
	return append(b, PictureFormat, s.WindowLog, 0, 0)
}

// ParseStart reads a start message, or returns ErrMalformed.
func ParseStart(b []byte) (Start, error) {
	if len(b) != startSize || b[0] != PictureStart || b[1]&^FlagOptional != 0 || b[2]|b[3] != 0 ||
		b[12] != PictureFormat || b[14]|b[15] != 0 {
		return Start{}, ErrMalformed
	}
	le := binary.LittleEndian
	s := Start{Generation: le.Uint32(b[4:]), Width: int(le.Uint16(b[8:])), Height: int(le.Uint16(b[10:])), WindowLog: b[13]}
	if s.Width < 1 || s.Width > MaxPictureSide || s.Height < 1 || s.Height > MaxPictureSide ||
		s.WindowLog < MinWindowLog || s.WindowLog > MaxWindowLog {
		return Start{}, ErrMalformed
	}
	return s, nil
}

// Piece is a part of one update's bytes in the zstd stream.
type Piece struct {
	Update uint32
	Last   bool   // the last of its update
	Data   []byte // zstd bytes; a part of the message that was parsed
}

// AppendPiece appends the header of a piece; the zstd bytes follow it.
func AppendPiece(dst []byte, update uint32, last bool) []byte {
	flags := byte(0)
	if last {
		flags = lastFlag
	}
	return binary.LittleEndian.AppendUint32(append(dst, PicturePiece, flags, 0, 0), update)
}

// ParsePiece reads a piece, or returns ErrMalformed, or ErrTooLarge.
func ParsePiece(b []byte) (Piece, error) {
	if len(b) > MaxTileMessage {
		return Piece{}, ErrTooLarge
	}
	if len(b) < PieceHeader || b[0] != PicturePiece || b[1]&^(FlagOptional|lastFlag) != 0 || b[2]|b[3] != 0 {
		return Piece{}, ErrMalformed
	}
	return Piece{binary.LittleEndian.Uint32(b[4:]), b[1]&lastFlag != 0, b[PieceHeader:]}, nil
}

// TileAnswer is what a viewer sends on the channel tiles.
type TileAnswer struct {
	Kind    uint8  // AnswerHello, AnswerAck or AnswerRestart
	Version uint8  // hello: the version of the picture messages, 1
	Update  uint32 // ack: this update is on the canvas
}

// AppendHello appends the viewer's hello: its Worker listens.
func AppendHello(dst []byte) []byte { return append(dst, AnswerHello, Version, 0, 0) }

// AppendAck appends the viewer's word that update is on the canvas.
func AppendAck(dst []byte, update uint32) []byte {
	return binary.LittleEndian.AppendUint32(append(dst, AnswerAck, 0, 0, 0), update)
}

// AppendRestart appends the viewer's wish for a whole picture and a new context.
func AppendRestart(dst []byte) []byte { return append(dst, AnswerRestart, 0, 0, 0) }

// ParseTileAnswer reads what a viewer sent on the channel tiles. It returns
// ErrTooLarge, ErrMalformed, ErrVersion for a hello of another version, and for
// an unknown kind ErrUnknownMessage or, if marked optional, ErrSkip.
func ParseTileAnswer(b []byte) (TileAnswer, error) {
	if len(b) > MaxTileAnswer {
		return TileAnswer{}, ErrTooLarge
	}
	if len(b) < 4 {
		return TileAnswer{}, ErrMalformed
	}
	a := TileAnswer{Kind: b[0]}
	size := 4
	switch a.Kind {
	case AnswerHello:
		a.Version = b[1]
		if a.Version != Version {
			return TileAnswer{}, ErrVersion
		}
	case AnswerAck:
		size = answerSize
	case AnswerRestart:
	default:
		if b[1]&FlagOptional != 0 {
			return TileAnswer{}, ErrSkip
		}
		return TileAnswer{}, ErrUnknownMessage
	}
	if len(b) != size || b[2]|b[3] != 0 || a.Kind != AnswerHello && b[1]&^FlagOptional != 0 {
		return TileAnswer{}, ErrMalformed
	}
	if a.Kind == AnswerAck {
		a.Update = binary.LittleEndian.Uint32(b[4:])
	}
	return a, nil
}
