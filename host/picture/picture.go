// Package picture turns frames into exact tiles for viewers.
//
// A [Pump] takes frames from one capture.Source and feeds at most [MaxStreams]
// streams, one tile encoder each. A [Stream] writes picture messages
// (PROTOCOL.md §1.10) to a [Sink] and lives on what comes back by
// [Stream.Handle]: nothing is sent before the viewer's hello, and no frame is
// captured or encoded while about [Window] updates are not yet on the viewer's
// canvas, or as many bytes as the way to it carries in a moment (flow.go). So a
// moving picture never queues: it skips, and what changed meanwhile is merged
// into the next update. What is too large to go at once goes in parts, from
// where the viewer looks outwards; what is small overtakes it: each stream knows
// cell by cell what its viewer lacks (cells.go).
//
// What costs too much, too often, is video: a [Film] shows it above the tiles,
// which wait until it stands still (gate.go).
//
// An update is made in four steps, all exact: rows that scrolled and rectangles
// that moved are found and become moves; 16 x 16 tiles that still differ are
// sent, or named when they show again what they showed before they were
// covered; their pixels are laid out as planes that compress well; and one
// zstd stream for the life of a picture takes all updates, flushed after each.
// The format and its bounds are in PROTOCOL.md; tiletest holds a decoder.
package picture

import (
	"errors"

	"github.com/mainforte/mainforte/internal/wire"
)

// Sink takes the picture messages of one viewer or recorder, in order.
type Sink interface {
	// Send takes one message of at most wire.MaxTileMessage bytes. The slice is
	// the caller's again when Send returns. It must not block on the network.
	Send(msg []byte) error
}

// FastSink is a Sink that has a second, quicker way, where messages may be lost
// or come in another order: the channel tiles-fast.
type FastSink interface {
	Sink
	// SendFast is as Send, for a message of at most wire.MaxTilePart bytes.
	SendFast(msg []byte) error
}

const (
	// MaxStreams bounds the streams of one Pump: four participants are a room.
	MaxStreams = 4

	// MaxPixels bounds a picture, in pixels: 8192 x 8192. A stream takes about
	// 11 bytes of memory a pixel.
	MaxPixels = 1 << 26

	// windowLog is the log2 of the zstd window: 1 MiB. The browser's decoder
	// moves its whole window for each block, so more costs the viewer time.
	windowLog = 20

	pieceData = wire.MaxTileMessage - wire.PieceHeader
)

var (
	// ErrSize: a frame is empty, larger than MaxPixels, has a side over
	// wire.MaxPictureSide, or its Pix does not fit its size.
	ErrSize = errors.New("picture: a frame has an impossible size")
	// ErrTooManyStreams: the Pump already feeds MaxStreams.
	ErrTooManyStreams = errors.New("picture: too many viewers of one screen")
	// ErrAnswer: a viewer's answer is well-formed but not one it can give now.
	// It wraps wire.ErrMalformed, so its reason is REASON_PROTOCOL.
	ErrAnswer error = answerError{}
)

type answerError struct{}

func (answerError) Error() string { return "picture: an answer that does not fit what was sent" }
func (answerError) Unwrap() error { return wire.ErrMalformed }
