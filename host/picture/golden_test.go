package picture_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"image"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/picture"
	"github.com/mainforte/mainforte/host/picture/tiletest"
	"github.com/mainforte/mainforte/internal/wire"
)

var update = flag.Bool("update", false, "write what is missing in testdata/golden")

// golden is one entry of testdata/golden/index.json. File holds the messages of
// the channel tiles in order, each after its length as uint32, little-endian.
// After the last message of each update the picture has the hash of its step:
// SHA-256 over RGBA, 4 bytes a pixel, rows from the top, alpha 255.
type golden struct {
	Name  string       `json:"name"`
	File  string       `json:"file"`
	What  string       `json:"what"`
	Moves int          `json:"moves"` // in all updates together
	Steps []goldenStep `json:"steps"`
}

type goldenStep struct {
	Update     uint32 `json:"update"`
	Generation uint32 `json:"generation"`
	Width      int    `json:"width"`
	Height     int    `json:"height"`
	SHA256     string `json:"sha256"`
}

func hash(pix []uint32) string {
	h := sha256.Sum256(tiletest.RGBA(pix))
	return hex.EncodeToString(h[:])
}

// goldens play small scenes. Their random numbers are fixed.
var goldens = []struct {
	name, what string
	play       func(d *desktop, rng *rand.Rand, show func())
	w, h       int
}{
	{"text", "text, single pixels, and a size that is no multiple of 16", func(d *desktop, rng *rand.Rand, show func()) {
		d.text(d.bounds(), rng)
		show()
		for range 12 {
			x, y := rng.IntN(d.w), rng.IntN(d.h)
			d.paint(cutout(x, y, 9, 14), func(int, int) uint32 { return rng.Uint32() & 0x1f1f1f })
			show()
		}
	}, 301, 95},
	{"scroll", "rows that move up and down", func(d *desktop, rng *rand.Rand, show func()) {
		d.text(d.bounds(), rng)
		show()
		for _, by := range []int{24, 24, 5, -40, 24} {
			d.scroll(cutout(16, 20, 200, 180), by, rng)
			show()
		}
	}, 240, 220},
	{"drag", "a window that is dragged over a photograph, with save-under", func(d *desktop, rng *rand.Rand, show func()) {
		d.photo(d.bounds(), rng)
		at := cutout(20, 30, 128, 110)
		behind := d.copyOf(at)
		d.text(at, rng)
		window := d.copyOf(at)
		show()
		for _, by := range []struct{ x, y int }{{7, 3}, {12, -9}, {-5, 14}, {9, 9}, {-30, -20}} {
			d.put(at, behind)
			at = at.Add(cutout(by.x, by.y, 0, 0).Min)
			behind = d.copyOf(at)
			d.put(at, window)
			show()
		}
	}, 256, 208},
	{"menu", "a menu that opens and closes: tiles swapped with under", func(d *desktop, rng *rand.Rand, show func()) {
		d.text(d.bounds(), rng)
		show()
		for range 3 {
			r := cutout(32, 16, 80, 64)
			before := d.copyOf(r)
			d.text(r, rng)
			show()
			d.put(r, before)
			show()
		}
	}, 160, 112},
	{"photo", "the median predictor at every edge, and more than one piece an update", func(d *desktop, rng *rand.Rand, show func()) {
		d.photo(d.bounds(), rng)
		show()
		d.photo(cutout(0, 0, 40, 40), rng)
		show()
		d.photo(cutout(100, 80, 61, 31), rng)
		show()
	}, 161, 111},
	{"resize", "a new size, a restart, and a black picture", func(d *desktop, rng *rand.Rand, show func()) {
		show()
		d.text(d.bounds(), rng)
		show()
		*d = *newDesktop(33, 97)
		d.photo(d.bounds(), rng)
		show()
		*d = *newDesktop(1, 1)
		d.paint(d.bounds(), func(int, int) uint32 { return 0x123456 })
		show()
		*d = *newDesktop(48, 32)
		show()
	}, 64, 64},
}

// tape is a Sink that keeps the messages.
type tape struct {
	viewer
	messages bytes.Buffer
}

func (t *tape) Send(msg []byte) error {
	var n [4]byte
	binary.LittleEndian.PutUint32(n[:], uint32(len(msg)))
	t.messages.Write(n[:])
	t.messages.Write(msg)
	return t.viewer.Send(msg)
}

// TestGoldenUpdatesDecodeToTheirPictures keeps old recordings readable: what
// the encoder once wrote must decode to the same pixels for ever, here and in
// the browser, whatever the encoder writes today.
func TestGoldenUpdatesDecodeToTheirPictures(t *testing.T) {
	dir := filepath.Join("testdata", "golden")
	if *update {
		writeGolden(t, dir)
	}
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	if err := json.Unmarshal(index, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != len(goldens)+1 {
		t.Fatalf("%d recordings, %d scenes", len(all), len(goldens)+1)
	}
	for _, g := range all {
		t.Run(g.Name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(dir, g.File))
			if err != nil {
				t.Fatal(err)
			}
			var v tiletest.Viewer
			defer v.Close()
			steps := g.Steps
			for len(b) > 0 {
				n := binary.LittleEndian.Uint32(b)
				done, err := v.Message(b[4 : 4+n])
				b = b[4+n:]
				if err != nil {
					t.Fatal(err)
				}
				if !done {
					continue
				}
				if len(steps) == 0 {
					t.Fatalf("update %d is not in the index", v.Update)
				}
				got := goldenStep{v.Update, v.Generation, v.Width, v.Height, hash(v.Pix)}
				if got != steps[0] {
					t.Fatalf("got  %+v\nwant %+v", got, steps[0])
				}
				steps = steps[1:]
			}
			if len(steps) > 0 {
				t.Fatalf("%d updates are missing", len(steps))
			}
		})
	}
}

func writeGolden(t *testing.T, dir string) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var index []golden
	b, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err == nil {
		err = json.Unmarshal(b, &index)
	}
	if err != nil {
		t.Fatal(err)
	}
	known := func(name string) bool {
		return slices.ContainsFunc(index, func(g golden) bool { return g.Name == name })
	}
	for i, g := range goldens {
		if known(g.name) {
			continue // for ever
		}
		rng := rand.New(rand.NewPCG(uint64(i), 42))
		d := newDesktop(g.w, g.h)
		sink := &tape{viewer: viewer{t: t}}
		s := picture.NewStream(sink)
		if err := s.Handle(wire.AppendHello(nil)); err != nil {
			t.Fatal(err)
		}
		entry := golden{Name: g.name, File: g.name + ".bin", What: g.what}
		moves := 0
		g.play(d, rng, func() {
			if sink.Generation > 0 && (sink.Width != d.w || sink.Height != d.h) {
				entry.Moves, moves = entry.Moves+moves, 0
			}
			if err := s.Frame(d.frame()); err != nil {
				t.Fatal(err)
			}
			if err := sink.shows(d); err != nil {
				t.Fatal(err)
			}
			entry.Steps = append(entry.Steps, goldenStep{sink.Update, sink.Generation, d.w, d.h, hash(d.pix)})
			if err := s.Handle(wire.AppendAck(nil, sink.Update)); err != nil {
				t.Fatal(err)
			}
			moves = sink.Moves
		})
		entry.Moves += moves
		s.Close()
		t.Logf("%s: %d bytes, moves %d, tiles plain %d, swapped %d, median %d since the last start",
			g.name, sink.messages.Len(), entry.Moves, sink.Plain, sink.Swapped, sink.Median)
		if err := os.WriteFile(filepath.Join(dir, entry.File), sink.messages.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		index = append(index, entry)
	}
	if !known("parts") {
		index = append(index, writeParts(t, dir))
	}
	b, err = json.MarshalIndent(index, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.json"), append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// writeParts records a viewer that looks here and there over a thin line, while
// parts of the desktop are video: updates that bring only some of what changed.
func writeParts(t *testing.T, dir string) golden {
	rng := rand.New(rand.NewPCG(99, 42))
	d := newDesktop(280, 180)
	sink := &tape{viewer: viewer{t: t}}
	defer sink.Close()
	s := picture.NewStream(sink)
	defer s.Close()
	now := time.Unix(1, 0)
	s.SetClock(func() time.Time { return now })
	handle := func(msg []byte) {
		if err := s.Handle(msg); err != nil {
			t.Fatal(err)
		}
	}
	handle(wire.AppendHello(nil))
	entry := golden{Name: "parts", File: "parts.bin", What: "a picture in parts, seen in part, with video above it, and acks that come late"}
	for i := range 30 {
		now = now.Add(16 * time.Millisecond)
		switch {
		case i == 0:
			d.text(d.bounds(), rng)
			d.photo(cutout(60, 40, 120, 90), rng)
			s.Look(image.Pt(250, 150))
		case i%11 == 5:
			s.View(cutout(rng.IntN(180), rng.IntN(100), 100, 70))
		case i%11 == 8:
			s.View(image.Rectangle{})
		case i%13 == 4:
			s.SetVideo([]image.Rectangle{cutout(64, 48, 64, 48), cutout(160, 96, 64, 64)})
			s.ShowVideo(uint32(3000*i), cutout(64, 48, 160, 112))
		case i%13 == 11:
			s.SetVideo(nil)
		case i == 20:
			s.Restart()
		default:
			d.random(rng)
		}
		if err := s.Frame(d.frame()); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(sink.Pix, sink.Under, d.pix); err != nil {
			t.Fatal(err)
		}
		if n := len(sink.acks); n > 0 && (len(entry.Steps) == 0 || entry.Steps[len(entry.Steps)-1].Update != sink.Update) {
			entry.Steps = append(entry.Steps, goldenStep{sink.Update, sink.Generation, d.w, d.h, hash(sink.Pix)})
		}
		if n := len(sink.acks); n > 1 || i%3 == 0 && n > 0 {
			handle(wire.AppendAck(nil, sink.acks[n-1]))
			sink.acks = sink.acks[:0]
		}
	}
	entry.Moves = sink.Moves
	t.Logf("parts: %d bytes, %d updates", sink.messages.Len(), len(entry.Steps))
	if err := os.WriteFile(filepath.Join(dir, entry.File), sink.messages.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return entry
}
