package brand

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/draw"
)

// Bounds of a picture that comes, and of the one that is made of it.
const (
	MaxLogo     = 256 << 10 // bytes of the file
	MaxLogoSide = 1024      // pixels
	MinLogoSide = 16
	logoWidth   = 384 // at most, of what is shown
	logoHeight  = 96
	// mostScans bounds what a progressive JPEG makes a decoder do: each scan goes over
	// the whole picture, and thousands fit into few bytes. Cameras and programs write ten.
	mostScans = 32
)

// Errors of ReadLogo.
var (
	ErrLogoKind   = errors.New("brand: neither PNG nor JPEG")
	ErrLogoLarge  = errors.New("brand: the file of the logo is too large")
	ErrLogoSides  = errors.New("brand: the logo has too many or too few pixels")
	ErrLogoBroken = errors.New("brand: the logo cannot be read")
	ErrLogoBlank  = errors.New("brand: nothing is to be seen on the logo")
)

// Plates that a logo may need where it would not be seen.
const (
	PlateLight = "light" // under a dark one, on dark pages
	PlateDark  = "dark"  // under a light one, on light pages
)

// Logo is a picture as it is shown.
type Logo struct {
	ID            string // SHA-256 of PNG, hexadecimal
	PNG           []byte
	Width, Height int    // pixels
	Plate         string // one of the above, or "" for none
}

// Wide tells whether a logo is a name rather than a sign: then it stands alone, and what
// it says is its alternative text.
func (l Logo) Wide() bool { return l.Width >= 2*l.Height }

// ReadLogo decodes a picture that somebody chose, and writes another one: no larger than
// it is ever shown, and without anything else that may have stood in the file. Errors:
// those above.
func ReadLogo(b []byte) (Logo, error) {
	if len(b) > MaxLogo {
		return Logo{}, ErrLogoLarge
	}
	// By what it begins with, not by what it is said to be.
	decodeConfig, decode := png.DecodeConfig, png.Decode
	switch {
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
	case bytes.HasPrefix(b, []byte{0xff, 0xd8, 0xff}):
		// In the data of a scan 0xff is always followed by a zero, so that this counts scans.
		if bytes.Count(b, []byte{0xff, 0xda}) > mostScans {
			return Logo{}, ErrLogoBroken
		}
		decodeConfig, decode = jpeg.DecodeConfig, jpeg.Decode
	default:
		return Logo{}, ErrLogoKind
	}
	head, err := decodeConfig(bytes.NewReader(b))
	if err != nil {
		return Logo{}, fmt.Errorf("%w: %w", ErrLogoBroken, err)
	}
	if max(head.Width, head.Height) > MaxLogoSide || min(head.Width, head.Height) < MinLogoSide {
		return Logo{}, ErrLogoSides
	}
	img, err := decode(bytes.NewReader(b))
	if err != nil {
		return Logo{}, fmt.Errorf("%w: %w", ErrLogoBroken, err)
	}
	return anew(img)
}

// anew draws a picture as it is shown, and writes that.
func anew(img image.Image) (Logo, error) {
	from := image.NewNRGBA(image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy()))
	draw.Draw(from, from.Bounds(), img, img.Bounds().Min, draw.Src)
	seen := visible(from)
	if seen.Empty() {
		return Logo{}, ErrLogoBlank
	}
	w, h := seen.Dx(), seen.Dy()
	scale := min(1, float64(logoWidth)/float64(w), float64(logoHeight)/float64(h))
	out := image.NewNRGBA(image.Rect(0, 0, max(1, int(float64(w)*scale+0.5)), max(1, int(float64(h)*scale+0.5))))
	draw.CatmullRom.Scale(out, out.Bounds(), from, seen, draw.Src, nil)
	plate, err := plateUnder(out)
	if err != nil {
		return Logo{}, err
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, out); err != nil {
		return Logo{}, fmt.Errorf("%w: %w", ErrLogoBroken, err)
	}
	return Logo{hash(b.Bytes()), b.Bytes(), out.Bounds().Dx(), out.Bounds().Dy(), plate}, nil
}

// shines is the alpha from which on a pixel counts as seen.
const shines = 24

// visible is the part of a picture that has something on it: empty edges would make it
// small beside the words.
func visible(img *image.NRGBA) (r image.Rectangle) {
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			if img.Pix[img.PixOffset(x, y)+3] >= shines {
				r = r.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return r
}

// plateUnder says what a picture needs to be seen on light pages and on dark ones. One
// without holes brings its own ground.
func plateUnder(img *image.NRGBA) (string, error) {
	t, err := themes()
	if err != nil {
		return "", err
	}
	var whole, holes, lostInLight, lostInDark float64
	light, dark := t[0].surface.luminance()+0.05, t[1].surface.luminance()+0.05
	for i := 0; i < len(img.Pix); i += 4 {
		c := color.NRGBA{R: img.Pix[i], G: img.Pix[i+1], B: img.Pix[i+2], A: img.Pix[i+3]}
		if c.A < shines {
			holes++
			continue
		}
		// WCAG's contrast, of the pixel against either ground; 1.8 is hardly seen.
		l := Colour{c.R, c.G, c.B}.luminance() + 0.05
		whole++
		if light/l < 1.8 {
			lostInLight++
		}
		if max(l, dark)/min(l, dark) < 1.8 {
			lostInDark++
		}
	}
	switch {
	case holes < 0.02*(holes+whole):
		return "", nil
	case lostInDark > 0.15*whole: // even a part of it: a word
		return PlateLight, nil
	case lostInLight > 0.6*whole:
		return PlateDark, nil
	}
	return "", nil
}
