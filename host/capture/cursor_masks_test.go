package capture

import (
	"fmt"
	"slices"
	"testing"
)

// masks turns pictures into pixels: # is set.
func masks(rows ...string) (pix []uint32) {
	for _, row := range rows {
		for _, c := range row {
			if c == '#' {
				pix = append(pix, white)
			} else {
				pix = append(pix, black)
			}
		}
	}
	return pix
}

// shows draws a Cursor: # black, . white, blank transparent, else its colour.
func shows(c Cursor) (rows []string) {
	for y := range c.Height {
		row := ""
		for x := range c.Width {
			p := c.RGBA[4*(y*c.Width+x):]
			switch {
			case p[3] == 0:
				row += " "
			case p[0] == 0 && p[1] == 0 && p[2] == 0 && p[3] == 255:
				row += "#"
			case p[0] == 255 && p[1] == 255 && p[2] == 255 && p[3] == 255:
				row += "."
			default:
				row += fmt.Sprintf("<%02x%02x%02x%02x>", p[0], p[1], p[2], p[3])
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func TestAMonochromePointerShowsOnEveryGround(t *testing.T) {
	c := monochromeCursor(
		masks("#####", "##..#", "#####", "#####"), // stays
		masks(".....", "...#.", ".....", "#...."), // is turned over, or white
		5, 4, 2, 1)
	want := []string{"     ", "  #. ", "..   ", "#.   "}
	if got := shows(c); !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	if c.HotX != 2 || c.HotY != 1 {
		t.Errorf("the hot spot is %d, %d", c.HotX, c.HotY)
	}
}

func TestAColourPointerKeepsItsAlpha(t *testing.T) {
	and := masks("#.", "#.")
	c := colourCursor(and, []uint32{0, 0x80ff8000, 0xff000000, 0x01020304}, 2, 2, 0, 0)
	want := []string{" <ff800080>", "#<02030401>"}
	if got := shows(c); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnOldColourPointerTakesItsMask(t *testing.T) {
	c := colourCursor(masks("#.##", "####"), []uint32{0, 0x00112233, 0, 0x00ffffff, 0, 0, 0, 0}, 4, 2, 0, 0)
	want := []string{" <112233ff>.#", "  .."}
	if got := shows(c); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAPointerWithoutAnyPixelIsHidden(t *testing.T) {
	for name, c := range map[string]Cursor{
		"monochrome": monochromeCursor(masks("##"), masks(".."), 2, 1, 0, 0),
		"colour":     colourCursor(masks("##"), []uint32{0, 0}, 2, 1, 0, 0),
		"no size":    shape(nil, 0, -1, 0, 0, asIs),
	} {
		if c.Width != 0 {
			t.Errorf("%s: %d x %d", name, c.Width, c.Height)
		}
	}
}
