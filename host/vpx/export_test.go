//go:build cgo && (linux || (windows && vpx))

package vpx

import "image"

// Planes is what the next frame is made of.
func (e *Encoder) Planes() *image.YCbCr { return e.planes() }
