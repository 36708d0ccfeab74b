//go:build !cgo || !(linux || (windows && vpx))

package vpx

import "image"

// Built tells whether this program holds libvpx.
const Built = false

// Encoder is never made in this build.
type Encoder struct{}

// New returns ErrMissing.
func New(Config) (*Encoder, error) { return nil, ErrMissing }

// Load does nothing.
func (*Encoder) Load([]uint32, int, []image.Rectangle) error { return ErrMissing }

// SetActive does nothing.
func (*Encoder) SetActive([]image.Rectangle) error { return ErrMissing }

// SetRate does nothing.
func (*Encoder) SetRate(int) error { return ErrMissing }

// SetSpeed does nothing.
func (*Encoder) SetSpeed(int) error { return ErrMissing }

// Encode does nothing.
func (*Encoder) Encode(uint64, bool) (Frame, error) { return Frame{}, ErrMissing }

// Close does nothing.
func (*Encoder) Close() {}
