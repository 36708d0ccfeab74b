package clipboard_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/host/clipboard"
	"github.com/mainforte/mainforte/host/clipboard/clipboardtest"
)

func TestTextAsWindowsKeepsIt(t *testing.T) { // C63
	t.Parallel()
	for _, text := range []string{"", "a", "é € 🦊\nsecond\n\nlast\n", strings.Repeat("\n", clipboard.MaxText), strings.Repeat("x", clipboard.MaxText)} {
		b := clipboard.ToUTF16([]byte(text))
		if bytes.Contains(b, []byte("\x00\n\x00\n")) || !bytes.HasSuffix(b, []byte{0, 0}) {
			t.Errorf("%d bytes: lines without CR, or no end", len(text))
		}
		got, err := clipboard.FromUTF16(append(b, "what lies behind the end"...))
		if err != nil || string(got) != text {
			t.Errorf("%d bytes became %d, %v", len(text), len(got), err)
		}
	}
	for name, text := range map[string]string{
		"a byte too long": strings.Repeat("x", clipboard.MaxText+1),
		"three a unit":    strings.Repeat("€", clipboard.MaxText/3+1),
	} {
		if _, err := clipboard.FromUTF16(clipboard.ToUTF16([]byte(text))); !errors.Is(err, clipboard.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := clipboard.FromUTF16([]byte{'a', 0, 0, 0xd8, 'b', 0, 9}); err != nil || string(got) != "a\ufffdb" {
		t.Errorf("half a character: %q, %v", got, err)
	}
}

// dib is a bitmap of 32 bits a pixel as older programs put it, rows from below.
func dib(w, h int32, depth uint16, compression uint32, rest ...byte) []byte {
	b := make([]byte, 40)
	binary.LittleEndian.PutUint32(b, 40)
	binary.LittleEndian.PutUint32(b[4:], uint32(w))
	binary.LittleEndian.PutUint32(b[8:], uint32(h))
	b[12] = 1
	binary.LittleEndian.PutUint16(b[14:], depth)
	binary.LittleEndian.PutUint32(b[16:], compression)
	return append(b, rest...)
}

func TestPicturesAsWindowsKeepsThem(t *testing.T) { // C63
	t.Parallel()
	half := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	for i := range half.Pix {
		half.Pix[i] = byte(40 * i)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, half); err != nil {
		t.Fatal(err)
	}
	for name, picture := range map[string][]byte{"opaque": clipboardtest.Picture(t, 20, 10), "transparent": b.Bytes()} {
		there, err := clipboard.ToDIB(picture)
		if err != nil {
			t.Fatal(err)
		}
		back, err := clipboard.FromDIB(there)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := png.Decode(bytes.NewReader(picture))
		got, err := png.Decode(bytes.NewReader(back))
		if err != nil || got.Bounds() != want.Bounds() {
			t.Fatalf("%s: %v, %v", name, got.Bounds(), err)
		}
		for y := range want.Bounds().Dy() {
			for x := range want.Bounds().Dx() {
				a, b := color.NRGBAModel.Convert(want.At(x, y)), color.NRGBAModel.Convert(got.At(x, y))
				if a != b {
					t.Errorf("%s: %d,%d is %v, want %v", name, x, y, b, a)
				}
			}
		}
	}

	const red, green = "\x00\x00\xff", "\x00\xff\x00"
	masks := "\x00\x00\xff\x00\x00\xff\x00\x00\xff\x00\x00\x00"
	for name, c := range map[string][]byte{
		"24 bits":        dib(1, 2, 24, 0, []byte(red+"\x00"+green+"\x00")...),
		"32 bits":        dib(1, 2, 32, 0, []byte(red+"\x00"+green+"\x00")...),
		"32, from above": dib(1, -2, 32, 0, []byte(green+"\x00"+red+"\x00")...),
		"with masks":     dib(1, 2, 32, 3, []byte(masks+red+"\x00"+green+"\x00")...),
		"1 bit":          dib(1, 2, 1, 0, []byte(red+"\x00"+green+"\x00"+"\x00\x00\x00\x00\x80\x00\x00\x00")...),
	} {
		b, err := clipboard.FromDIB(c)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for y, want := range []color.NRGBA{{0, 255, 0, 255}, {255, 0, 0, 255}} {
			if got := color.NRGBAModel.Convert(img.At(0, y)); got != want {
				t.Errorf("%s: row %d is %v, want %v", name, y, got, want)
			}
		}
	}

	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"nothing":         {nil, clipboard.ErrUnreadable},
		"half a header":   {dib(1, 1, 32, 0)[:39], clipboard.ErrUnreadable},
		"no pixels":       {dib(1, 1, 32, 0), clipboard.ErrUnreadable},
		"no masks":        {dib(1, 1, 32, 3), clipboard.ErrUnreadable},
		"odd masks":       {dib(1, 1, 32, 3, bytes.Repeat([]byte{1}, 100)...), clipboard.ErrUnreadable},
		"16 bits":         {dib(1, 1, 16, 0, 1, 2, 3, 4), clipboard.ErrUnreadable},
		"run lengths":     {dib(1, 1, 8, 1, 1, 2, 3, 4), clipboard.ErrUnreadable},
		"a PNG in it":     {dib(1, 1, 0, 5, clipboardtest.Picture(t, 2, 2)...), clipboard.ErrUnreadable},
		"no sides":        {dib(0, 1, 32, 0), clipboard.ErrUnreadable},
		"the least":       {dib(1, -1<<31, 32, 0), clipboard.ErrTooLarge},
		"many pixels":     {dib(8192, 8192, 32, 0), clipboard.ErrTooLarge},
		"a long side":     {dib(100_000, 1, 32, 0), clipboard.ErrTooLarge},
		"a huge header":   {append([]byte{255, 255, 255, 255}, make([]byte, 100)...), clipboard.ErrUnreadable},
		"a lying palette": {dib(1, 1, 8, 0, 1, 2, 3, 4), clipboard.ErrUnreadable},
	} {
		if _, err := clipboard.FromDIB(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// FuzzForeign: another program's bitmap is a picture that Clean passes, or an error.
func FuzzForeign(f *testing.F) {
	f.Add(dib(1, 2, 24, 0, 1, 2, 3, 4, 5, 6, 7, 8))
	f.Add(dib(2, -2, 8, 0, make([]byte, 1100)...))
	if b, err := clipboard.ToDIB(clipboardtest.Picture(f, 3, 2)); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if text, err := clipboard.FromUTF16(b); err == nil && len(text) > clipboard.MaxText {
			t.Errorf("a text of %d bytes", len(text))
		}
		picture, err := clipboard.FromDIB(b)
		if err != nil {
			return
		}
		if _, err := clipboard.Clean(clipboard.Content{Kind: clipboard.PNG, Data: picture}); err != nil && !errors.Is(err, clipboard.ErrTooLarge) {
			t.Errorf("what came of a bitmap: %v", err)
		}
	})
}
