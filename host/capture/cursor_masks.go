package capture

// Shapes of Windows' pointers (ICONINFO): an AND mask, white where the screen
// stays, and colours that are put over it, or turn it over where it stayed.

const (
	black = 0xff000000
	white = 0xffffffff
)

// monochromeCursor makes a Cursor of two masks in black and white. What turns
// the screen over is black with a white edge: it shows on every ground.
func monochromeCursor(and, xor []uint32, w, h, hotX, hotY int) Cursor {
	argb := make([]uint32, w*h)
	turned := make([]bool, w*h)
	for i := range argb {
		stays, set := and[i]&rgb != 0, xor[i]&rgb != 0
		switch {
		case stays && set:
			argb[i], turned[i] = black, true
		case stays:
		case set:
			argb[i] = white
		default:
			argb[i] = black
		}
	}
	edge(argb, turned, w, h)
	return shape(argb, w, h, hotX, hotY, asIs)
}

// colourCursor makes a Cursor of a mask and straight 0xAARRGGBB colours. Where
// no colour has an alpha, as in old shapes, the mask says what is to be seen.
func colourCursor(and, colours []uint32, w, h, hotX, hotY int) Cursor {
	for _, p := range colours {
		if p>>24 != 0 {
			return shape(colours, w, h, hotX, hotY, asIs)
		}
	}
	argb := make([]uint32, w*h)
	turned := make([]bool, w*h)
	for i, p := range colours {
		switch {
		case and[i]&rgb == 0:
			argb[i] = black | p
		case p&rgb != 0:
			argb[i], turned[i] = black, true
		}
	}
	edge(argb, turned, w, h)
	return shape(argb, w, h, hotX, hotY, asIs)
}

// edge makes white what is transparent beside a turned pixel.
func edge(argb []uint32, turned []bool, w, h int) {
	for i, is := range turned {
		if !is {
			continue
		}
		x, y := i%w, i/w
		for ny := max(0, y-1); ny <= min(h-1, y+1); ny++ {
			for nx := max(0, x-1); nx <= min(w-1, x+1); nx++ {
				if n := ny*w + nx; argb[n]>>24 == 0 {
					argb[n] = white
				}
			}
		}
	}
}

func asIs(v, _ uint32) byte { return byte(v) }
