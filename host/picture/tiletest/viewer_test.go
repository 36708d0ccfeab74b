package tiletest_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/mainforte/mainforte/host/picture/tiletest"
	"github.com/mainforte/mainforte/internal/wire"
)

// Pictures of these tests have 40 x 20 pixels: 3 x 2 tiles, the last ones cut.
const width, height = 40, 20

// started is a viewer after its start, and the zstd stream that it expects.
func started(t testing.TB) (*tiletest.Viewer, func(payload []byte) [][]byte) {
	v := &tiletest.Viewer{}
	t.Cleanup(v.Close)
	start := wire.Start{Generation: 1, Width: width, Height: height, WindowLog: 20}
	if _, err := v.Message(wire.AppendStart(nil, start)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	n := uint32(0)
	return v, func(payload []byte) (pieces [][]byte) {
		n++
		out.Reset()
		if _, err := z.Write(payload); err != nil {
			t.Fatal(err)
		}
		if err := z.Flush(); err != nil {
			t.Fatal(err)
		}
		for out.Len() > 0 {
			part := out.Next(wire.MaxTileMessage - wire.PieceHeader)
			pieces = append(pieces, append(wire.AppendPiece(nil, n, out.Len() == 0), part...))
		}
		return pieces
	}
}

// apply gives the viewer one update.
func apply(t testing.TB, payload []byte) (*tiletest.Viewer, error) {
	v, pack := started(t)
	for _, m := range pack(payload) {
		if _, err := v.Message(m); err != nil {
			return v, err
		}
	}
	return v, nil
}

// varints lays out numbers of an update.
func varints(n ...uint64) (b []byte) {
	for _, v := range n {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

func zigzag(n int64) uint64 { return uint64(n)<<1 ^ uint64(n>>63) }

// tilePlanes are the planes of n pixels that are all 0x804020.
func tilePlanes(n int) []byte {
	g, b, r := byte(0x40), byte(0x20), byte(0x80)
	return bytes.Join([][]byte{bytes.Repeat([]byte{g}, n), bytes.Repeat([]byte{b - g}, n), bytes.Repeat([]byte{r - g}, n)}, nil)
}

func TestUpdatesAreBounded(t *testing.T) {
	const plain, swap, third = 0, 1, 3
	end := []uint64{0, 0}
	updates := func(n ...uint64) []byte { return varints(append(n, end...)...) }
	move := func(flags, x, y, w, h uint64, dx, dy int64) []byte {
		return updates(1, flags, x, y, w, h, zigzag(dx), zigzag(dy))
	}
	for name, c := range map[string]struct {
		payload []byte
		good    bool
	}{
		"nothing":                      {updates(0), true},
		"a tile":                       {append(updates(0, 0, 1<<2|plain), tilePlanes(256)...), true},
		"the last tile, cut":           {append(updates(0, 5, 1<<2|plain), tilePlanes(8*4)...), true},
		"a swapped row":                {updates(0, 0, 3<<2|swap), true},
		"a move":                       {move(0, 0, 0, 10, 10, 30, 10), true},
		"a move with under":            {move(1, 5, 5, 10, 10, -5, 3), true},
		"17 moves":                     {updates(17), false},
		"a move with unknown flags":    {move(2, 0, 0, 10, 10, 1, 1), false},
		"a move of nothing":            {move(0, 0, 0, 0, 10, 1, 1), false},
		"a move to the right of all":   {move(0, 31, 0, 10, 10, 0, 1), false},
		"a move to below all":          {move(0, 0, 11, 10, 10, 1, 0), false},
		"a move from the right of all": {move(0, 0, 0, 10, 10, 31, 0), false},
		"a move from the left of all":  {move(0, 0, 0, 10, 10, -1, 0), false},
		"a move from above all":        {move(0, 0, 0, 10, 10, 0, -1), false},
		"a move that overflows":        {updates(1, 0, 1<<63, 1<<63, 1<<63, 1<<63, 0, 0), false},
		"a run of mode 3":              {updates(0, 0, 1<<2|third), false},
		"a run over the edge":          {updates(0, 1, 3<<2|swap), false},
		"a run below all":              {updates(0, 6, 1<<2|swap), false},
		"a run of a million":           {updates(0, 0, 1<<20<<2|swap), false},
		"a skip at the end":            {varints(0, 1, 0), false},
		"no end":                       {varints(0, 0), false},
		"empty":                        {[]byte{0}, false},
		"planes that end early":        {append(updates(0, 0, 1<<2|plain), tilePlanes(256)[:767]...), false},
		"planes that go on":            {append(updates(0, 0, 1<<2|plain), append(tilePlanes(256), 0)...), false},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := apply(t, c.payload)
			if c.good && err != nil {
				t.Errorf("a good update: %v", err)
			}
			if !c.good && !errors.Is(err, tiletest.ErrBad) {
				t.Errorf("%v, want ErrBad", err)
			}
			if name == "a tile" && (v.Pix[0] != 0x804020 || v.Pix[15*width+15] != 0x804020 || v.Pix[16] != 0) {
				t.Errorf("pixels %06x %06x %06x", v.Pix[0], v.Pix[15*width+15], v.Pix[16])
			}
		})
	}
}

func TestMessagesComeInOrder(t *testing.T) {
	start := func(generation uint32) []byte {
		return wire.AppendStart(nil, wire.Start{Generation: generation, Width: 4, Height: 4, WindowLog: 20})
	}
	piece := func(n uint32, last bool) []byte { return wire.AppendPiece(nil, n, last) }
	for name, c := range map[string]struct {
		messages [][]byte
		good     bool
	}{
		"a piece without a start": {[][]byte{piece(1, false)}, false},
		"empty":                   {[][]byte{{}}, false},
		"unknown":                 {[][]byte{{77, 0, 0, 0}}, false},
		"unknown, optional":       {[][]byte{{77, wire.FlagOptional, 0, 0}}, true},
		"an old generation":       {[][]byte{start(2), start(2)}, false},
		"a gap":                   {[][]byte{start(1), piece(1, false), piece(2, false)}, false},
		"gap after a start":       {[][]byte{start(1), piece(1, false), start(2), piece(5, false), piece(5, false)}, true},
		"back after a start":      {[][]byte{start(1), piece(5, false), start(2), piece(5, false)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := &tiletest.Viewer{}
			defer v.Close()
			var err error
			for _, m := range c.messages {
				if err != nil {
					t.Fatalf("too early: %v", err)
				}
				_, err = v.Message(m)
			}
			if c.good && err != nil || !c.good && !errors.Is(err, tiletest.ErrBad) {
				t.Errorf("good %v: %v", c.good, err)
			}
		})
	}
}

func FuzzUpdate(f *testing.F) {
	f.Add(varints(0, 0, 0))
	f.Add(varints(1, 1, 5, 5, 10, 10, zigzag(-5), zigzag(3), 0, 3<<2|1, 0, 0))
	f.Add(append(varints(0, 5, 1<<2, 0, 0), tilePlanes(8*4)...))
	f.Add(append(varints(0, 3, 3<<2|2, 0, 0), tilePlanes(40*4)...))
	f.Fuzz(func(t *testing.T, payload []byte) {
		v, err := apply(t, payload)
		if err != nil && !errors.Is(err, tiletest.ErrBad) {
			t.Errorf("%v, want ErrBad", err)
		}
		for i := range v.Pix {
			if v.Pix[i]>>24 != 0 {
				t.Fatalf("pixel %d is %08x", i, v.Pix[i])
			}
		}
	})
}

func FuzzMessages(f *testing.F) {
	files, err := filepath.Glob("../testdata/golden/*.bin")
	if err != nil || len(files) == 0 {
		f.Fatalf("no golden files: %v", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:min(len(b), 20<<10)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v := &tiletest.Viewer{}
		defer v.Close()
		for len(b) >= 4 {
			n := min(int(binary.LittleEndian.Uint32(b)), len(b)-4)
			if n < 0 {
				return
			}
			msg := b[4 : 4+n]
			b = b[4+n:]
			if s, err := wire.ParseStart(msg); err == nil && s.Width*s.Height > 1<<20 {
				continue // allowed, but slow to try often
			}
			if _, err := v.Message(msg); err != nil && !errors.Is(err, tiletest.ErrBad) {
				t.Fatalf("%v, want ErrBad", err)
			}
		}
	})
}
