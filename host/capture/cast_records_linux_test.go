package capture

import (
	"bytes"
	"encoding/binary"
	"image"
	"testing"
)

func record(v ...int32) []byte {
	b := make([]byte, castRecordSize)
	for i, x := range v {
		binary.NativeEndian.PutUint32(b[4*i:], uint32(x))
	}
	return b
}

func newRecords() (*Cast, *castStream) {
	s := new(castStream)
	return &Cast{streams: []*castStream{s}, dirty: make(chan struct{}, 1), shaped: make(chan struct{}, 1), lost: make(chan struct{})}, s
}

func TestCastRecords(t *testing.T) {
	t.Parallel()
	for name, r := range map[string][]byte{
		"cut short":             record(castRecordFrame, 4, 4, 0, 0, 4, 4)[:31],
		"unknown":               record(9),
		"no width":              record(castRecordFrame, 0, 4, 0, 0, 1, 1),
		"negative":              record(castRecordFrame, -4, -4, 0, 0, 1, 1),
		"too wide":              record(castRecordFrame, castMaxSide+1, 4, 0, 0, 1, 1),
		"too many pixels":       record(castRecordFrame, castMaxSide, castMaxSide, 0, 0, 1, 1),
		"damage outside":        record(castRecordFrame, 4, 4, 2, 2, 3, 1),
		"damage before":         record(castRecordFrame, 4, 4, -1, 0, 2, 1),
		"damage beyond numbers": record(castRecordFrame, 4, 4, 1<<30, 1<<30, 1<<30, 1<<30),
		"no damage":             record(castRecordFrame, 4, 4, 0, 0, 0, 4),
		"negative damage":       record(castRecordFrame, 4, 4, 3, 3, -2, -2),
		"large cursor":          record(castRecordCursor, castMaxCursor+1, 1),
		"negative cursor":       record(castRecordCursor, -1, 1),
		"cut cursor":            append(record(castRecordCursor, 2, 2), 1, 2, 3),
	} {
		c, s := newRecords()
		if err := c.record(s, bytes.NewReader(r)); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
	c, s := newRecords()
	in := bytes.NewReader(append(append(append(
		record(castRecordFrame, 40, 30, 1, 2, 3, 4),
		record(castRecordCursor, 1, 1, 0, 0)...), 0xff, 0xff, 0xff, 0xff),
		record(castRecordPointer, 5, 6, 1)...))
	for range 3 {
		if err := c.record(s, in); err != nil {
			t.Fatal(err)
		}
	}
	if s.frame.damage != image.Rect(0, 0, 40, 30) {
		t.Errorf("a first frame is damaged in %v", s.frame.damage)
	}
	if c.shape.Width != 1 || c.at != image.Pt(5, 6) || c.pointing != s {
		t.Errorf("the pointer is %v at %v", c.shape, c.at)
	}
}

func FuzzCastRecord(f *testing.F) {
	f.Add(record(castRecordFrame, 40, 30, 1, 2, 3, 4))
	f.Add(append(record(castRecordCursor, 1, 1, 0, 0), 1, 2, 3, 4))
	f.Add(record(castRecordPointer, 5, 6, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, s := newRecords()
		in := bytes.NewReader(b)
		for c.record(s, in) == nil {
			if !s.frame.damage.In(image.Rectangle{Max: s.frame.size}) {
				t.Fatalf("damage %v in %v", s.frame.damage, s.frame.size)
			}
			if len(c.shape.RGBA) != c.shape.Width*c.shape.Height*4 {
				t.Fatal("a cursor without its pixels")
			}
		}
	})
}

func TestMonitorsStandAsTheyDo(t *testing.T) {
	t.Parallel()
	at := func(x, y, w, h int) CastStream {
		return CastStream{Position: image.Pt(x, y), Size: image.Pt(w, h), Placed: true}
	}
	for name, c := range map[string]struct {
		streams []CastStream
		sizes   []image.Point
		want    []image.Rectangle
	}{
		"one":              {[]CastStream{{}}, []image.Point{{10, 10}}, []image.Rectangle{image.Rect(0, 0, 10, 10)}},
		"left of the main": {[]CastStream{at(0, 0, 10, 10), at(-8, 2, 8, 8)}, []image.Point{{10, 10}, {8, 8}}, []image.Rectangle{image.Rect(8, 0, 18, 10), image.Rect(0, 2, 8, 10)}},
		"scaled":           {[]CastStream{at(10, 0, 10, 10), at(0, 0, 10, 10)}, []image.Point{{20, 20}, {10, 10}}, []image.Rectangle{image.Rect(10, 0, 30, 20), image.Rect(0, 0, 10, 10)}},
		"on top":           {[]CastStream{at(0, 0, 10, 10), at(5, 0, 10, 10)}, []image.Point{{10, 10}, {10, 10}}, []image.Rectangle{image.Rect(0, 0, 10, 10), image.Rect(10, 0, 20, 10)}},
		"far away":         {[]CastStream{at(0, 0, 10, 10), at(1<<30, 0, 10, 10)}, []image.Point{{10, 10}, {10, 10}}, []image.Rectangle{image.Rect(0, 0, 10, 10), image.Rect(10, 0, 20, 10)}},
		"nobody tells":     {[]CastStream{{}, {}}, []image.Point{{10, 10}, {4, 4}}, []image.Rectangle{image.Rect(0, 0, 10, 10), image.Rect(10, 0, 14, 4)}},
	} {
		got, bounds := arrange(c.streams, c.sizes)
		all := image.Rectangle{}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: monitor %d is at %v, want %v", name, i, got[i], c.want[i])
			}
			all = all.Union(got[i])
		}
		if bounds != all || bounds.Min != (image.Point{}) {
			t.Errorf("%s: the picture is %v, want %v", name, bounds, all)
		}
	}
}
