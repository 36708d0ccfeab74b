package capture

// cursorFrom turns a premultiplied 0xAARRGGBB shape into a Cursor.
func cursorFrom(argb []uint32, w, h, hotX, hotY int) Cursor {
	return shape(argb, w, h, hotX, hotY, straight)
}

// shape turns a 0xAARRGGBB shape into a Cursor; colour makes a straight colour
// of one of its colours and its alpha. What is larger than MaxCursor is cut
// around the hot spot; a shape in which nothing is to be seen is a hidden one,
// as programs make them.
func shape(argb []uint32, w, h, hotX, hotY int, colour func(v, alpha uint32) byte) Cursor {
	if w < 1 || h < 1 || len(argb) < w*h {
		return Cursor{}
	}
	hotX, hotY = max(0, min(hotX, w-1)), max(0, min(hotY, h-1))
	x0 := max(0, min(hotX-MaxCursor/2, w-MaxCursor))
	y0 := max(0, min(hotY-MaxCursor/2, h-MaxCursor))
	c := Cursor{Width: min(w, MaxCursor), Height: min(h, MaxCursor), HotX: hotX - x0, HotY: hotY - y0}
	c.RGBA = make([]byte, 0, c.Width*c.Height*4)
	visible := false
	for y := y0; y < y0+c.Height; y++ {
		for _, p := range argb[y*w+x0 : y*w+x0+c.Width] {
			a := p >> 24
			visible = visible || a != 0
			c.RGBA = append(c.RGBA, colour(p>>16&255, a), colour(p>>8&255, a), colour(p&255, a), byte(a))
		}
	}
	if !visible {
		return Cursor{}
	}
	return c
}

// straight takes the multiplication by alpha back.
func straight(v, alpha uint32) byte {
	if alpha == 0 {
		return 0
	}
	return byte(min(255, (v*255+alpha/2)/alpha))
}

// arrow is what is shown where the system does not tell the shape: better than
// no pointer at all. # is black, . white.
func arrow() Cursor {
	shape := [...]string{
		"#           ",
		"##          ",
		"#.#         ",
		"#..#        ",
		"#...#       ",
		"#....#      ",
		"#.....#     ",
		"#......#    ",
		"#.......#   ",
		"#........#  ",
		"#.........# ",
		"#......#####",
		"#...#..#    ",
		"#..##..#    ",
		"#.#  #..#   ",
		"##   #..#   ",
		"#     #..#  ",
		"      #..#  ",
		"       ##   ",
	}
	c := Cursor{Width: len(shape[0]), Height: len(shape)}
	for _, row := range shape {
		for _, p := range row {
			switch p {
			case '#':
				c.RGBA = append(c.RGBA, 0, 0, 0, 255)
			case '.':
				c.RGBA = append(c.RGBA, 255, 255, 255, 255)
			default:
				c.RGBA = append(c.RGBA, 0, 0, 0, 0)
			}
		}
	}
	return c
}
