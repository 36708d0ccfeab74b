package clipboard

import (
	"bytes"
	"fmt"
	"image/png"
	"strings"
	"unicode/utf8"
)

// Clean makes a content from elsewhere fit for a clipboard: text is UTF-8 without
// NUL and with line feeds alone; a picture is decoded and written anew, so that
// nothing but its pixels goes on. The error wraps ErrTooLarge or ErrUnreadable.
func Clean(c Content) (Content, error) {
	if len(c.Data) > c.Kind.Max() { // C63
		return Content{}, ErrTooLarge
	}
	switch c.Kind {
	case Text:
		if !utf8.Valid(c.Data) || bytes.IndexByte(c.Data, 0) >= 0 {
			return Content{}, fmt.Errorf("%w: not text", ErrUnreadable)
		}
		return Content{Text, []byte(strings.ReplaceAll(string(c.Data), "\r\n", "\n"))}, nil
	case PNG:
		size, err := png.DecodeConfig(bytes.NewReader(c.Data))
		if err != nil {
			return Content{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
		}
		if size.Width > MaxSide || size.Height > MaxSide || size.Width*size.Height > MaxPixels { // C63
			return Content{}, fmt.Errorf("%w: %d × %d pixels", ErrTooLarge, size.Width, size.Height)
		}
		img, err := png.Decode(bytes.NewReader(c.Data))
		if err != nil {
			return Content{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
		}
		var b bytes.Buffer
		if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, img); err != nil {
			return Content{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
		}
		return Content{PNG, b.Bytes()}, nil
	}
	return Content{}, fmt.Errorf("%w: unknown kind %d", ErrUnreadable, c.Kind)
}
