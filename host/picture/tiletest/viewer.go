// Package tiletest is a viewer for tests: [Viewer] decodes picture messages
// (PROTOCOL.md §1.10) strictly and plainly. It shares no code with the encoder
// and works from snapshots where the encoder works in place, so that both
// cannot be wrong in the same way.
package tiletest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/mainforte/mainforte/internal/wire"
)

// ErrBad is wrapped by every error about a message that a host must not send.
var ErrBad = errors.New("tiletest: bad picture message")

// maxPixels bounds what a start may ask for, as picture.MaxPixels does.
const maxPixels = 1 << 26

// Viewer holds the picture of a viewer. The zero value has seen nothing yet.
type Viewer struct {
	// Width and Height are the size of the picture in pixels.
	Width, Height int
	// Pix and Under are the picture and the under picture, 0x00RRGGBB.
	Pix, Under []uint32
	// Generation and Update are the newest ones seen.
	Generation, Update uint32
	// Video is the newest video message; the zero value if nothing is video.
	Video wire.Video
	// Moves, Swapped, Plain and Median count moves and tiles by mode since the
	// start.
	Moves, Swapped, Plain, Median int

	fresh   bool          // no piece since the start
	partial bool          // the last piece was not the last of its update
	in      *bytes.Buffer // zstd bytes of the update that is coming in
	zstd    *zstd.Decoder // nil before the start and after an error
	out     *bufio.Reader // what the decoder gave
}

// source gives the zstd decoder what has arrived, and no more.
type source struct{ b *bytes.Buffer }

func (s source) Read(p []byte) (int, error) {
	if s.b.Len() == 0 {
		return 0, fmt.Errorf("%w: an update that ends early", ErrBad)
	}
	return s.b.Read(p)
}

// Message takes one message. done is true when an update is complete: then
// Update is to be acknowledged. After an error the viewer is as good as closed
// until the next start.
func (v *Viewer) Message(msg []byte) (done bool, err error) {
	if len(msg) == 0 {
		return false, fmt.Errorf("%w: empty", ErrBad)
	}
	switch msg[0] {
	case wire.PictureStart:
		s, err := wire.ParseStart(msg)
		if err != nil {
			return false, fmt.Errorf("%w: start: %w", ErrBad, err)
		}
		return false, v.start(s)
	case wire.PicturePiece:
		p, err := wire.ParsePiece(msg)
		if err != nil {
			return false, fmt.Errorf("%w: piece: %w", ErrBad, err)
		}
		return v.piece(p)
	}
	if msg[0] == wire.PictureVideo {
		m, err := wire.ParseVideo(msg)
		if err != nil {
			return false, fmt.Errorf("%w: video: %w", ErrBad, err)
		}
		return false, v.video(m)
	}
	if len(msg) > 1 && msg[1]&wire.FlagOptional != 0 {
		return false, nil
	}
	return false, fmt.Errorf("%w: kind %d", ErrBad, msg[0])
}

func (v *Viewer) video(m wire.Video) error {
	switch {
	case v.zstd == nil:
		return fmt.Errorf("%w: video without a start", ErrBad)
	case v.partial:
		return fmt.Errorf("%w: video within update %d", ErrBad, v.Update)
	case !m.Area.In(image.Rect(0, 0, v.Width, v.Height)):
		return fmt.Errorf("%w: video of %v in %d x %d", ErrBad, m.Area, v.Width, v.Height)
	}
	v.Video = m
	return nil
}

func (v *Viewer) start(s wire.Start) error {
	if s.Width*s.Height > maxPixels {
		return fmt.Errorf("%w: %d x %d pixels", ErrBad, s.Width, s.Height)
	}
	if v.Pix != nil && s.Generation <= v.Generation {
		return fmt.Errorf("%w: generation %d after %d", ErrBad, s.Generation, v.Generation)
	}
	v.Close()
	in := new(bytes.Buffer)
	d, err := zstd.NewReader(source{in}, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<s.WindowLog))
	if err != nil {
		return fmt.Errorf("start the zstd decoder: %w", err)
	}
	*v = Viewer{
		Width: s.Width, Height: s.Height, Generation: s.Generation, Update: v.Update,
		Pix: make([]uint32, s.Width*s.Height), Under: make([]uint32, s.Width*s.Height),
		fresh: true, in: in, zstd: d,
	}
	// Larger than a zstd block: what a block holds too much shows in it.
	v.out = bufio.NewReaderSize(d, 256<<10)
	return nil
}

// Close gives the decoder's memory back.
func (v *Viewer) Close() {
	if v.zstd != nil {
		v.zstd.Close()
		v.zstd = nil
	}
}

func (v *Viewer) piece(p wire.Piece) (done bool, err error) {
	if v.zstd == nil {
		return false, fmt.Errorf("%w: a piece without a start", ErrBad)
	}
	want := v.Update
	if !v.partial {
		want++
	}
	// After a start, updates may be missing: those that were never finished.
	if p.Update != want && !(v.fresh && p.Update > want) {
		return false, fmt.Errorf("%w: update %d instead of %d", ErrBad, p.Update, want)
	}
	v.fresh = false
	v.Update, v.partial = p.Update, !p.Last
	v.in.Write(p.Data)
	if v.in.Len() > 4*len(v.Pix)+1<<20 {
		return false, fmt.Errorf("%w: an update larger than its picture", ErrBad)
	}
	if !p.Last {
		return false, nil
	}
	err = v.update()
	if err == nil && (v.in.Len() != 0 || v.out.Buffered() != 0) {
		err = fmt.Errorf("%w: %d and %d bytes too many", ErrBad, v.in.Len(), v.out.Buffered())
	}
	if err != nil {
		v.Close()
		return false, err
	}
	return true, nil
}

// number reads one uvarint of at most most.
func (v *Viewer) number(most int, what string) (int, error) {
	n, err := binary.ReadUvarint(v.out)
	if err != nil {
		return 0, fmt.Errorf("%w: %s: %w", ErrBad, what, err)
	}
	if n > uint64(most) {
		return 0, fmt.Errorf("%w: %s is %d", ErrBad, what, n)
	}
	return int(n), nil
}

// signed reads one zigzag varint.
func (v *Viewer) signed(what string) (int, error) {
	n, err := binary.ReadVarint(v.out)
	if err != nil || n > wire.MaxPictureSide || n < -wire.MaxPictureSide {
		return 0, fmt.Errorf("%w: %s is %d (%w)", ErrBad, what, n, err)
	}
	return int(n), nil
}

func (v *Viewer) update() error {
	n, err := v.number(16, "number of moves")
	if err != nil {
		return err
	}
	for ; n > 0; n-- {
		if err := v.move(); err != nil {
			return err
		}
	}
	runs, pixels, err := v.runs()
	if err != nil {
		return err
	}
	planes := make([]byte, 0, 3*pixels)
	for len(planes) < 3*pixels {
		part := planes[len(planes):min(len(planes)+64<<10, 3*pixels)]
		if _, err := io.ReadFull(v.out, part); err != nil {
			return fmt.Errorf("%w: planes: %w", ErrBad, err)
		}
		planes = planes[:len(planes)+len(part)]
	}
	v.paint(runs, planes[:pixels], planes[pixels:2*pixels], planes[2*pixels:])
	return nil
}

func (v *Viewer) move() error {
	flags, err := v.number(1, "flags of a move")
	if err != nil {
		return err
	}
	var at [4]int
	for i := range at {
		if at[i], err = v.number(wire.MaxPictureSide, "place of a move"); err != nil {
			return err
		}
	}
	var by image.Point
	if by.X, err = v.signed("dx"); err != nil {
		return err
	}
	if by.Y, err = v.signed("dy"); err != nil {
		return err
	}
	whole := image.Rect(0, 0, v.Width, v.Height)
	to := image.Rect(at[0], at[1], at[0]+at[2], at[1]+at[3])
	from := to.Add(by)
	if to.Empty() || !to.In(whole) || !from.In(whole) {
		return fmt.Errorf("%w: move %v by %v in %v", ErrBad, to, by, whole)
	}
	old := slices.Clone(v.Pix)
	each := func(r image.Rectangle, f func(p image.Point, i int)) {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				f(image.Pt(x, y), y*v.Width+x)
			}
		}
	}
	if flags == 1 {
		each(to, func(p image.Point, i int) {
			if !p.In(from) {
				v.Under[i] = old[i]
			}
		})
	}
	each(to, func(_ image.Point, i int) { v.Pix[i] = old[i+by.Y*v.Width+by.X] })
	if flags == 1 {
		each(from, func(p image.Point, i int) {
			if !p.In(to) {
				v.Pix[i] = v.Under[i]
			}
		})
	}
	v.Moves++
	return nil
}

type run struct {
	px   image.Rectangle
	mode int
}

func (v *Viewer) runs() (runs []run, pixels int, err error) {
	across, down := (v.Width+15)/16, (v.Height+15)/16
	for at := 0; ; {
		skip, err := v.number(across*down, "skip")
		if err != nil {
			return nil, 0, err
		}
		word, err := v.number(across<<2|3, "run")
		if err != nil {
			return nil, 0, err
		}
		n, mode := word>>2, word&3
		if n == 0 {
			if skip != 0 || mode != 0 {
				return nil, 0, fmt.Errorf("%w: the end of the runs holds %d, %d", ErrBad, skip, mode)
			}
			return runs, pixels, nil
		}
		at += skip
		x, y := at%across, at/across
		if mode > 2 || y >= down || x+n > across {
			return nil, 0, fmt.Errorf("%w: run of %d tiles at %d, %d, mode %d", ErrBad, n, x, y, mode)
		}
		px := image.Rect(x*16, y*16, min((x+n)*16, v.Width), min((y+1)*16, v.Height))
		runs = append(runs, run{px, mode})
		switch mode {
		case 0:
			v.Plain += n
		case 1:
			v.Swapped += n
		case 2:
			v.Median += n
		}
		if mode != 1 {
			pixels += px.Dx() * px.Dy()
		}
		at += n
	}
}

func (v *Viewer) paint(runs []run, g, b, r []byte) {
	k := 0
	for _, run := range runs {
		for y := run.px.Min.Y; y < run.px.Max.Y; y++ {
			for x := run.px.Min.X; x < run.px.Max.X; x++ {
				i := y*v.Width + x
				if run.mode == 1 {
					v.Pix[i], v.Under[i] = v.Under[i], v.Pix[i]
					continue
				}
				var pg, pb, pr byte
				if run.mode == 2 {
					pg, pb, pr = v.predict(x, y)
				}
				v.Under[i] = v.Pix[i]
				green := pg + g[k]
				v.Pix[i] = uint32(pr+r[k]+green)<<16 | uint32(green)<<8 | uint32(pb+b[k]+green)
				k++
			}
		}
	}
}

// predict is the prediction of mode 2 for G, B-G and R-G.
func (v *Viewer) predict(x, y int) (g, b, r byte) {
	at := func(x, y int) (g, b, r byte) {
		p := v.Pix[y*v.Width+x]
		return byte(p >> 8), byte(p) - byte(p>>8), byte(p>>16) - byte(p>>8)
	}
	if y == 0 {
		if x == 0 {
			return 0, 0, 0
		}
		return at(x-1, 0)
	}
	// Outside the picture the shifted differences are 0, not 128.
	var lg, lb, lr, cg, cb, cr byte
	if x > 0 {
		lg, lb, lr = at(x-1, y)
		cg, cb, cr = at(x-1, y-1)
		lb, lr, cb, cr = lb+128, lr+128, cb+128, cr+128
	}
	ug, ub, ur := at(x, y-1)
	return loco(lg, ug, cg), loco(lb, ub+128, cb) - 128, loco(lr, ur+128, cr) - 128
}

// loco is the median edge detector of LOCO-I (JPEG-LS, ISO/IEC 14495-1).
func loco(a, b, c byte) byte {
	switch {
	case c >= max(a, b):
		return min(a, b)
	case c <= min(a, b):
		return max(a, b)
	}
	return a + b - c
}

// RGBA is the picture as a canvas holds it: 4 bytes a pixel, alpha 255.
func (v *Viewer) RGBA() []byte { return RGBA(v.Pix) }

// RGBA turns 0x00RRGGBB pixels into what a canvas holds.
func RGBA(pix []uint32) []byte {
	out := make([]byte, 0, 4*len(pix))
	for _, p := range pix {
		out = append(out, byte(p>>16), byte(p>>8), byte(p), 255)
	}
	return out
}
