package clipboard_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/mainforte/mainforte/host/clipboard"
	"github.com/mainforte/mainforte/host/clipboard/clipboardtest"
	"github.com/mainforte/mainforte/host/clipboard/fake"
)

func TestTheFakePassesTheSuite(t *testing.T) {
	t.Parallel()
	clipboardtest.Run(t, func(*testing.T) clipboardtest.Desk {
		f := fake.New()
		return clipboardtest.Desk{Clipboard: f, Copy: f.Copy, Paste: func(clipboard.Kind) []byte { return f.Paste().Data }}
	})
}

// bomb is a PNG that says it has many pixels, and has none.
func bomb(w, h uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, data []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
		body := append([]byte(kind), data...)
		b = append(b, body...)
		b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(body))
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	chunk("IHDR", append(head, 8, 6, 0, 0, 0))
	chunk("IDAT", bytes.Repeat([]byte{0}, 64))
	return b
}

func TestAClipboardBombIsNotUnpacked(t *testing.T) { // C63
	t.Parallel()
	for name, c := range map[string]struct {
		content clipboard.Content
		want    error
	}{
		"long text":    {clipboard.Content{Kind: clipboard.Text, Data: bytes.Repeat([]byte{'x'}, clipboard.MaxText+1)}, clipboard.ErrTooLarge},
		"NUL":          {clipboard.Content{Kind: clipboard.Text, Data: []byte("a\x00b")}, clipboard.ErrUnreadable},
		"not UTF-8":    {clipboard.Content{Kind: clipboard.Text, Data: []byte("a\xff")}, clipboard.ErrUnreadable},
		"no picture":   {clipboard.Content{Kind: clipboard.PNG, Data: []byte("GIF89a")}, clipboard.ErrUnreadable},
		"many pixels":  {clipboard.Content{Kind: clipboard.PNG, Data: bomb(8192, 8192)}, clipboard.ErrTooLarge},
		"a long side":  {clipboard.Content{Kind: clipboard.PNG, Data: bomb(100_000, 1)}, clipboard.ErrTooLarge},
		"overflow":     {clipboard.Content{Kind: clipboard.PNG, Data: bomb(1<<31-1, 1<<31-1)}, nil},
		"cut off":      {clipboard.Content{Kind: clipboard.PNG, Data: bomb(100, 100)}, clipboard.ErrUnreadable},
		"unknown kind": {clipboard.Content{Kind: 9, Data: []byte{1}}, clipboard.ErrTooLarge},
	} {
		if _, err := clipboard.Clean(c.content); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	got, err := clipboard.Clean(clipboard.Content{Kind: clipboard.Text, Data: []byte("a\r\nb")})
	if err != nil || string(got.Data) != "a\nb" {
		t.Errorf("%q, %v", got.Data, err)
	}
	// What hides behind a picture does not go on.
	hidden := append(clipboardtest.Picture(t, 4, 4), "<script>"...)
	if got, err := clipboard.Clean(clipboard.Content{Kind: clipboard.PNG, Data: hidden}); err != nil || bytes.Contains(got.Data, []byte("<script>")) {
		t.Errorf("%q, %v", got.Data, err)
	}
}

func FuzzClean(f *testing.F) {
	f.Add(byte(1), []byte("é"))
	f.Add(byte(2), bomb(8, 8))
	f.Add(byte(2), clipboardtest.Picture(f, 3, 3))
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		c, err := clipboard.Clean(clipboard.Content{Kind: clipboard.Kind(kind), Data: data})
		if err != nil {
			return
		}
		again, err := clipboard.Clean(c)
		if err != nil || !bytes.Equal(again.Data, c.Data) {
			t.Errorf("what is clean is not: %v", err)
		}
	})
}
