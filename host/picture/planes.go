package picture

import "image"

// planes is what is still free of the three planes G, B-G and R-G of an update.
type planes struct{ g, b, r []byte }

// take cuts the next n bytes off each plane.
func (p planes) take(n int) (head, rest planes) {
	return planes{p.g[:n], p.b[:n], p.r[:n]}, planes{p.g[n:], p.b[n:], p.r[n:]}
}

// plain writes a row as it is.
func (p planes) plain(row []uint32) (rest planes) {
	out, rest := p.take(len(row))
	g, b, r := out.g[:len(row)], out.b[:len(row)], out.r[:len(row)]
	for i, v := range row {
		green := byte(v >> 8)
		g[i], b[i], r[i] = green, byte(v)-green, byte(v>>16)-green
	}
	return rest
}

// median writes the pixels x0 to x1 of row y as differences to the median of
// their left neighbour, upper neighbour, and left plus upper less upper left
// (LOCO-I). The colour differences are predicted 128 higher than they are, so
// that small negative ones do not wrap around; what lies outside the picture
// is 0 there, and in the first row of the picture the left neighbour alone
// predicts.
func (p planes) median(pic []uint32, w, x0, x1, y int) (rest planes) {
	row := pic[y*w+x0 : y*w+x1]
	out, rest := p.take(len(row))
	g, b, r := out.g[:len(row)], out.b[:len(row)], out.r[:len(row)]
	if y == 0 {
		var lg, lb, lr byte
		if x0 > 0 {
			lg, lb, lr = split(pic[x0-1])
		}
		for i, v := range row {
			vg, vb, vr := split(v)
			g[i], b[i], r[i] = vg-lg, vb-lb, vr-lr
			lg, lb, lr = vg, vb, vr
		}
		return rest
	}
	var lg, lb, lr, cg, cb, cr byte
	if x0 > 0 {
		lg, lb, lr = splitBiased(pic[y*w+x0-1])
		cg, cb, cr = splitBiased(pic[(y-1)*w+x0-1])
	}
	up := pic[(y-1)*w+x0 : (y-1)*w+x1][:len(row)]
	for i, v := range row {
		vg, vb, vr := splitBiased(v)
		ug, ub, ur := splitBiased(up[i])
		g[i], b[i], r[i] = vg-median(lg, ug, cg), vb-median(lb, ub, cb), vr-median(lr, ur, cr)
		lg, lb, lr, cg, cb, cr = vg, vb, vr, ug, ub, ur
	}
	return rest
}

func split(v uint32) (g, b, r byte) {
	g = byte(v >> 8)
	return g, byte(v) - g, byte(v>>16) - g
}

func splitBiased(v uint32) (g, b, r byte) {
	g = byte(v >> 8)
	return g, byte(v) - g + 128, byte(v>>16) - g + 128
}

// median of left, up, and left+up-corner, without branches: they would be
// mispredicted on every second pixel of a photograph.
func median(left, up, corner byte) byte {
	a, b := int(left), int(up)
	return byte(max(min(a, b), min(max(a, b), a+b-int(corner))))
}

// look samples every fourth row of px, a rectangle of a picture w pixels wide.
// It counts the pixels that differ from their left neighbour, and of those the
// ones that differ a little: in a photograph many do, in text and drawings few.
func look(pix []uint32, w int, px image.Rectangle) (little, steps, all int) {
	for y := px.Min.Y; y < px.Max.Y; y += 4 {
		row := pix[y*w+px.Min.X : y*w+px.Max.X]
		last := row[0]
		for _, v := range row {
			if v != last {
				steps++
				if d := int(v>>8&255) - int(last>>8&255); -8 <= d && d <= 8 {
					little++
				}
				last = v
			}
		}
		all += len(row)
	}
	return little, steps, all
}
