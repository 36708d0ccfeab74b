package wire

import (
	"encoding/binary"
	"image"
)

// Kinds of picture messages, PROTOCOL.md §1.10: their first byte. The two
// directions count apart.
const (
	AnswerHello   = 1 // viewer → host
	AnswerAck     = 2
	AnswerRestart = 3

	PictureStart = 1 // host → viewer
	PicturePiece = 2
	PictureVideo = 3
	PicturePart  = 4 // on tiles-fast only
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

// MaxVideoRects is the largest number of rectangles in a video message.
const MaxVideoRects = 8

const (
	startSize  = 16
	videoSize  = 16 // without its rectangles
	rectSize   = 8
	answerSize = 8
	lastFlag   = 0x01
	partsFlag  = 0x01 // of an ack
)

// PieceHeader is the length in bytes of what stands before the zstd bytes of a
// piece; a piece carries at most MaxTileMessage − PieceHeader of them.
const PieceHeader = 8

// PartHeader is the length in bytes of what stands before the zstd bytes of a
// part; a part carries at most MaxTilePart − PartHeader of them.
const PartHeader = 12

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

// Part is a part of one update's bytes that is sent once more, on tiles-fast.
type Part struct {
	Update     uint32
	Generation uint32 // of the picture, as its Start has it
	Offset     uint16 // where its bytes stand in those of the update
	Last       bool   // the update ends with it
	Data       []byte // zstd bytes; a part of the message that was parsed
}

// AppendPart appends a part. The caller keeps p in its bounds.
func AppendPart(dst []byte, p Part) []byte {
	flags := byte(0)
	if p.Last {
		flags = lastFlag
	}
	le := binary.LittleEndian
	b := le.AppendUint16(append(dst, PicturePart, flags), p.Offset)
	return append(le.AppendUint32(le.AppendUint32(b, p.Update), p.Generation), p.Data...)
}

// ParsePart reads a part, or returns ErrMalformed, or ErrTooLarge.
func ParsePart(b []byte) (Part, error) {
	if len(b) > MaxTilePart {
		return Part{}, ErrTooLarge
	}
	if len(b) <= PartHeader || b[0] != PicturePart || b[1]&^(FlagOptional|lastFlag) != 0 {
		return Part{}, ErrMalformed
	}
	le := binary.LittleEndian
	return Part{le.Uint32(b[4:]), le.Uint32(b[8:]), le.Uint16(b[2:]), b[1]&lastFlag != 0, b[PartHeader:]}, nil
}

// Video tells the viewer which parts of the picture the video track shows now,
// above the tiles: from the frame with this timestamp on, or, with no Rects, not
// any more.
type Video struct {
	Timestamp uint32            // RTP, 90 kHz
	Area      image.Rectangle   // what the frames of the track show; empty without Rects
	Rects     []image.Rectangle // at most MaxVideoRects, none empty, all in Area
}

// AppendVideo appends a video message. The caller keeps v in its bounds.
func AppendVideo(dst []byte, v Video) []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(append(dst, PictureVideo, 0), uint16(len(v.Rects)))
	b = appendRect(le.AppendUint32(b, v.Timestamp), v.Area)
	for _, r := range v.Rects {
		b = appendRect(b, r)
	}
	return b
}

func appendRect(dst []byte, r image.Rectangle) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint16(le.AppendUint16(dst, uint16(r.Min.X)), uint16(r.Min.Y))
	return le.AppendUint16(le.AppendUint16(dst, uint16(r.Dx())), uint16(r.Dy()))
}

func parseRect(b []byte) image.Rectangle {
	le := binary.LittleEndian
	at := image.Pt(int(le.Uint16(b)), int(le.Uint16(b[2:])))
	return image.Rectangle{Min: at, Max: at.Add(image.Pt(int(le.Uint16(b[4:])), int(le.Uint16(b[6:]))))}
}

// ParseVideo reads a video message, or returns ErrMalformed.
func ParseVideo(b []byte) (Video, error) {
	if len(b) < videoSize || b[0] != PictureVideo || b[1]&^FlagOptional != 0 {
		return Video{}, ErrMalformed
	}
	n := int(binary.LittleEndian.Uint16(b[2:]))
	if n > MaxVideoRects || len(b) != videoSize+n*rectSize {
		return Video{}, ErrMalformed
	}
	v := Video{Timestamp: binary.LittleEndian.Uint32(b[4:]), Area: parseRect(b[8:])}
	if n == 0 {
		if v.Area != (image.Rectangle{}) {
			return Video{}, ErrMalformed
		}
		return v, nil
	}
	if v.Area.Empty() || !v.Area.In(image.Rect(0, 0, MaxPictureSide, MaxPictureSide)) {
		return Video{}, ErrMalformed
	}
	for i := range n {
		r := parseRect(b[videoSize+i*rectSize:])
		if r.Empty() || !r.In(v.Area) {
			return Video{}, ErrMalformed
		}
		v.Rects = append(v.Rects, r)
	}
	return v, nil
}

// TileAnswer is what a viewer sends on the channel tiles, and its acks on tiles-fast.
type TileAnswer struct {
	Kind    uint8  // AnswerHello, AnswerAck or AnswerRestart
	Version uint8  // hello: the version of the picture messages, 1
	Update  uint32 // ack: this update is on the canvas
	Parts   bool   // ack: parts of it came before the pieces
}

// AppendHello appends the viewer's hello: its Worker listens.
func AppendHello(dst []byte) []byte { return append(dst, AnswerHello, Version, 0, 0) }

// AppendAck appends the viewer's word that update is on the canvas.
func AppendAck(dst []byte, update uint32) []byte {
	return binary.LittleEndian.AppendUint32(append(dst, AnswerAck, 0, 0, 0), update)
}

// AppendAckOfParts is AppendAck for an update of which parts came before the pieces.
func AppendAckOfParts(dst []byte, update uint32) []byte {
	return binary.LittleEndian.AppendUint32(append(dst, AnswerAck, partsFlag, 0, 0), update)
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
	size, flags := 4, byte(FlagOptional)
	switch a.Kind {
	case AnswerHello:
		a.Version = b[1]
		if a.Version != Version {
			return TileAnswer{}, ErrVersion
		}
	case AnswerAck:
		size, flags = answerSize, FlagOptional|partsFlag
	case AnswerRestart:
	default:
		if b[1]&FlagOptional != 0 {
			return TileAnswer{}, ErrSkip
		}
		return TileAnswer{}, ErrUnknownMessage
	}
	if len(b) != size || b[2]|b[3] != 0 || a.Kind != AnswerHello && b[1]&^flags != 0 {
		return TileAnswer{}, ErrMalformed
	}
	if a.Kind == AnswerAck {
		a.Update, a.Parts = binary.LittleEndian.Uint32(b[4:]), b[1]&partsFlag != 0
	}
	return a, nil
}
