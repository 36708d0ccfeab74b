package capture

import (
	"slices"
	"testing"
)

func TestCursorIsMadeStraightAndSmall(t *testing.T) {
	half := uint32(0x80400020) // half transparent; red 0x80, blue 0x40 before
	c := cursorFrom([]uint32{0xff112233, half, 0, 0xffffffff}, 2, 2, 1, 0)
	want := []byte{0x11, 0x22, 0x33, 0xff, 0x80, 0, 0x40, 0x80, 0, 0, 0, 0, 255, 255, 255, 255}
	if c.Width != 2 || c.Height != 2 || c.HotX != 1 || c.HotY != 0 || !slices.Equal(c.RGBA, want) {
		t.Errorf("%+v, want %v", c, want)
	}

	// A shape whose pixels name their place, and what is left around the hot spot.
	const w, h = 300, 200
	big := make([]uint32, w*h)
	for i := range big {
		big[i] = 0xff000000 | uint32(i%w)<<8 | uint32(i/w)
	}
	for _, hot := range [][2]int{{0, 0}, {150, 100}, {299, 199}, {10, 190}, {900, 900}} {
		c := cursorFrom(big, w, h, hot[0], hot[1])
		if c.Width != MaxCursor || c.Height != MaxCursor || len(c.RGBA) != 4*MaxCursor*MaxCursor {
			t.Fatalf("hot spot %v: %d x %d", hot, c.Width, c.Height)
		}
		o := c.RGBA[4*(c.HotY*c.Width+c.HotX):]
		x, y := min(hot[0], w-1), min(hot[1], h-1)
		if p := uint32(x)<<8 | uint32(y); o[0] != byte(p>>16) || o[1] != byte(p>>8) || o[2] != byte(p) {
			t.Errorf("hot spot %v is at pixel %v", hot, o[:4])
		}
	}

	if c := cursorFrom(make([]uint32, 16*16), 16, 16, 3, 3); c.Width != 0 {
		t.Errorf("a shape in which nothing is to be seen is %d wide", c.Width)
	}
	if c := cursorFrom([]uint32{1}, 5, 5, 0, 0); c.Width != 0 {
		t.Errorf("a shape that ends early is %d wide", c.Width)
	}
}

func TestMergeRowFindsWhatChanged(t *testing.T) {
	dst := []uint32{1, 2, 3, 4, 5, 6, 7}
	for _, c := range []struct {
		src      []uint32
		from, to int
	}{
		{[]uint32{1, 2, 3, 4, 5, 6, 7}, 0, 0},
		{[]uint32{0xff000001, 2, 3, 4, 0x12000005, 6, 7}, 0, 0},
		{[]uint32{1, 2, 9, 4, 5, 6, 7}, 2, 3},
		{[]uint32{1, 2, 3, 0xaa000009, 5, 9, 0xff000007}, 3, 6},
		{[]uint32{9, 2, 3, 4, 5, 6, 9}, 0, 7},
	} {
		d := slices.Clone(dst)
		from, to := mergeRow(d, c.src)
		if from >= to {
			from, to = 0, 0
		}
		if from != c.from || to != c.to {
			t.Errorf("%x: columns %d to %d, want %d to %d", c.src, from, to, c.from, c.to)
		}
		for i := range d {
			if d[i] != c.src[i]&rgb {
				t.Errorf("%x became %x", c.src, d)
				break
			}
		}
	}
}
