// Package vpx makes VP8 and VP9 frames of a screen's pixels: a thin binding of
// libvpx with settings for a picture that moves, seen live.
//
// An [Encoder] holds the planes of one picture. [Encoder.Load] turns the pixels
// of rectangles into them, straight from the captured frame and scaled down if
// the Config says so; [Encoder.Encode] makes one frame of what they hold. There
// is no queue: one frame in, one frame out.
//
// libvpx is linked statically, so the program stays one file. For Windows it is
// built first, by windows.sh, which sets the tag vpx. Where there is no cgo, and on
// systems for which no libvpx is built yet, [New] returns [ErrMissing]: a host
// without video shows everything by exact tiles.
package vpx

import (
	"errors"
	"image"
)

// Codec is what frames are encoded with.
type Codec uint8

const (
	VP8     Codec = iota // RFC 6386, 4:2:0
	VP9                  // profile 0, 4:2:0
	VP9Full              // profile 1, 4:4:4
)

// Scale is the size of the encoded picture.
type Scale uint8

const (
	Whole         Scale = iota // 1:1
	ThreeQuarters              // 4 x 4 pixels become 3 x 3
	Half                       // 2 x 2 pixels become 1
)

// String names a codec as SDP does, with its profile.
func (c Codec) String() string {
	switch c {
	case VP8:
		return "VP8"
	case VP9:
		return "VP9/0"
	}
	return "VP9/1"
}

// MaxSide bounds the sides of a picture, in pixels: VP8 has 14 bits for them.
const MaxSide = 1<<14 - 1

var (
	// ErrMissing: this program was built without libvpx.
	ErrMissing = errors.New("vpx: built without libvpx")
	// ErrConfig: a Config, or what was given to a method, is out of its range.
	ErrConfig = errors.New("vpx: a setting is out of range")
	// ErrCodec wraps what libvpx refuses.
	ErrCodec = errors.New("vpx: libvpx failed")
)

// Config is what an Encoder is made for.
type Config struct {
	Codec Codec
	// Width and Height are those of the source, in pixels: 1 to MaxSide.
	Width, Height int
	Scale         Scale
	Kbps          int // aim, kbit/s; at least 1
	// Threads that encode: 1 to 16.
	Threads int
	// Speed is libvpx's cpu-used, without its sign: 0 to 16 for VP8, 0 to 9
	// for VP9. Higher is faster and coarser.
	Speed int
	// MinQ and MaxQ bound the quantizer, 0 (finest) to 63.
	MinQ, MaxQ int
}

func (c Config) valid() bool {
	fastest := 16
	if c.Codec != VP8 {
		fastest = 9
	}
	return c.Codec <= VP9Full && c.Scale <= Half && c.Width >= 1 && c.Width <= MaxSide && c.Height >= 1 && c.Height <= MaxSide &&
		c.Kbps >= 1 && c.Threads >= 1 && c.Threads <= 16 && c.Speed >= 0 && c.Speed <= fastest &&
		c.MinQ >= 0 && c.MinQ <= c.MaxQ && c.MaxQ <= 63
}

// Size is that of the encoded picture, in pixels.
func (c Config) Size() (w, h int) { return c.Scale.side(c.Width), c.Scale.side(c.Height) }

func (s Scale) side(n int) int {
	switch s {
	case ThreeQuarters:
		return (n*3 + 3) / 4
	case Half:
		return (n + 1) / 2
	}
	return n
}

// cells is what of the encoded picture, in blocks of n pixels, shows r of the
// source: bounds in blocks.
func (s Scale) cells(r image.Rectangle, n int) image.Rectangle {
	num, den := 1, 1
	switch s {
	case ThreeQuarters:
		num, den = 3, 4
	case Half:
		den = 2
	}
	down := func(v int) int { return v * num / den / n }
	up := func(v int) int { return ((v*num+den-1)/den + n - 1) / n }
	return image.Rect(down(r.Min.X), down(r.Min.Y), up(r.Max.X), up(r.Max.Y))
}

// Frame is one encoded frame.
type Frame struct {
	// Data is valid until the Encoder is called again.
	Data []byte
	// Key tells that it can be decoded without any frame before it.
	Key bool
}
