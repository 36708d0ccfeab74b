package capture

import (
	"context"
	"fmt"
	"image"
)

// Shot takes one picture of the desktop that [Open] would open, such as for a
// ticket. It reads that desktop once and leaves nothing open.
func Shot(ctx context.Context, display string) (img *image.RGBA, err error) {
	src, err := Open(display)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := src.Close(); e != nil && err == nil {
			img, err = nil, e
		}
	}()
	f, err := src.Next(ctx)
	if err != nil {
		return nil, fmt.Errorf("take a picture of the screen: %w", err)
	}
	img = image.NewRGBA(image.Rect(0, 0, f.Width, f.Height))
	for i, p := range f.Pix {
		o := img.Pix[4*i : 4*i+4 : 4*i+4]
		o[0], o[1], o[2], o[3] = byte(p>>16), byte(p>>8), byte(p), 255
	}
	return img, nil
}
