package brand

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"
)

// drawn is a picture with a round sign of a colour on nothing.
func drawn(w, h int, c color.Color) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			dx, dy := 2*x-w, 2*y-h
			if dx*dx*h*h+dy*dy*w*w <= w*w*h*h {
				img.Set(x, y, c)
			}
		}
	}
	return img
}

func pngOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// chunk is one of a PNG.
func chunk(kind string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// kinds are the chunks of a PNG, in their order, and what comes after the last.
func kinds(t *testing.T, b []byte) (all []string, rest []byte) {
	t.Helper()
	for b = b[8:]; len(b) >= 12; {
		n := int(binary.BigEndian.Uint32(b)) + 12
		all, b = append(all, string(b[4:8])), b[n:]
		if all[len(all)-1] == "IEND" {
			break
		}
	}
	return all, b
}

const headerEnd = 33 // of a PNG: its signature and IHDR

const smuggled = "<script>alert(document.domain)</script>"

// C136: whatever stood in the file, what is kept is a PNG of this server with three kinds
// of chunks and nothing behind them.
func TestALogoIsDrawnAnew(t *testing.T) {
	sign := drawn(400, 200, color.NRGBA{11, 103, 99, 255})
	plain, photo := pngOf(t, sign), jpegOf(t, sign)
	with := func(b []byte, at int, extra ...[]byte) []byte {
		return bytes.Join([][]byte{b[:at], bytes.Join(extra, nil), b[at:]}, nil)
	}
	// An animated one: the frames after the first are chunks that no decoder here knows.
	animated := with(plain, headerEnd, chunk("acTL", []byte{0, 0, 0, 2, 0, 0, 0, 0}))
	animated = with(animated, len(animated)-12, chunk("fcTL", make([]byte, 26)), chunk("fdAT", []byte(smuggled)))
	exif := append([]byte{0xff, 0xe1, 0, byte(2 + len(smuggled) + 6)}, "Exif\x00\x00"+smuggled...)
	said := append([]byte{0xff, 0xfe, 0, byte(2 + len(smuggled))}, smuggled...)
	for name, b := range map[string][]byte{
		"plain":                   plain,
		"with words":              with(plain, headerEnd, chunk("tEXt", []byte("Comment\x00"+smuggled)), chunk("eXIf", []byte("MM"+smuggled)), chunk("iCCP", []byte("x\x00\x00"+smuggled))),
		"with something behind":   append(bytes.Clone(plain), "PK\x03\x04"+smuggled...),
		"animated":                animated,
		"a JPEG":                  photo,
		"a JPEG with words":       with(photo, 2, exif, said),
		"a JPEG with a tail":      append(bytes.Clone(photo), smuggled...),
		"of 16 bits":              pngOf(t, deep(sign)),
		"as large as it may come": pngOf(t, drawn(MaxLogoSide, MaxLogoSide, color.NRGBA{200, 10, 10, 255})),
		"as small as it may come": pngOf(t, drawn(MinLogoSide, MinLogoSide, color.NRGBA{200, 10, 10, 255})),
	} {
		l, err := ReadLogo(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if bytes.Contains(l.PNG, []byte("script")) || bytes.Equal(l.PNG, b) {
			t.Errorf("%s: what was in the file is kept", name)
		}
		chunks, rest := kinds(t, l.PNG)
		if got := strings.Join(chunks, " "); strings.Trim(strings.ReplaceAll(got, "IDAT ", ""), " ") != "IHDR IEND" || len(rest) != 0 {
			t.Errorf("%s: is %s and %d bytes", name, got, len(rest))
		}
		got, err := png.Decode(bytes.NewReader(l.PNG))
		if err != nil || got.Bounds().Dx() != l.Width || got.Bounds().Dy() != l.Height || l.Width > logoWidth || l.Height > logoHeight || l.ID != hash(l.PNG) {
			t.Errorf("%s: %v, %d by %d, %v", name, got.Bounds(), l.Width, l.Height, err)
		}
	}
	l, err := ReadLogo(plain)
	if err != nil || l.Width != 192 || l.Height != 96 || !l.Wide() {
		t.Errorf("400 by 200 became %d by %d, %v", l.Width, l.Height, err)
	}
	// Noise does not pack: the most that everybody is ever sent.
	noise := image.NewNRGBA(image.Rect(0, 0, 380, 90))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise.Pix {
		noise.Pix[i] = uint8(r.Uint32())
	}
	if l, err = ReadLogo(pngOf(t, noise)); err != nil || len(l.PNG) > 200_000 {
		t.Errorf("noise became %d bytes, %v", len(l.PNG), err)
	}
}

// deep is a picture with 16 bits a channel.
func deep(img image.Image) image.Image {
	out := image.NewNRGBA64(img.Bounds())
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			out.Set(x, y, img.At(x, y))
		}
	}
	return out
}

// C136: what is no proper picture is refused before it costs anything.
func TestWhatIsNoLogo(t *testing.T) {
	sign := drawn(200, 100, color.Black)
	plain, photo := pngOf(t, sign), jpegOf(t, sign)
	var moving bytes.Buffer
	frame := image.NewPaletted(image.Rect(0, 0, 32, 32), color.Palette{color.White, color.Black})
	if err := gif.EncodeAll(&moving, &gif.GIF{Image: []*image.Paletted{frame, frame}, Delay: []int{1, 1}}); err != nil {
		t.Fatal(err)
	}
	sized := func(w, h uint32) []byte { // says so, and is not
		b := bytes.Clone(plain)
		binary.BigEndian.PutUint32(b[16:], w)
		binary.BigEndian.PutUint32(b[20:], h)
		binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
		return b
	}
	changed := bytes.Clone(plain)
	changed[len(changed)/2] ^= 0xff
	scans := bytes.Join([][]byte{photo[:len(photo)-2], bytes.Repeat([]byte{0xff, 0xda, 0, 2}, mostScans), photo[len(photo)-2:]}, nil)
	for name, try := range map[string]struct {
		b    []byte
		want error
	}{
		"nothing":                   {nil, ErrLogoKind},
		"words":                     {[]byte("a logo"), ErrLogoKind},
		"an SVG":                    {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), ErrLogoKind},
		"an SVG with a declaration": {[]byte(`<?xml version="1.0"?><svg/>`), ErrLogoKind},
		"a page":                    {[]byte("<!doctype html>" + smuggled), ErrLogoKind},
		"a moving GIF":              {moving.Bytes(), ErrLogoKind},
		"a WebP":                    {[]byte("RIFF\x24\x00\x00\x00WEBPVP8 "), ErrLogoKind},
		"a page and then a PNG":     {append([]byte("<html>"), plain...), ErrLogoKind},
		"a signature alone":         {plain[:8], ErrLogoBroken},
		"the head alone":            {plain[:headerEnd], ErrLogoBroken},
		"half of it":                {plain[:len(plain)/2], ErrLogoBroken},
		"half of a JPEG":            {photo[:len(photo)/2], ErrLogoBroken},
		"a JPEG of nothing":         {[]byte{0xff, 0xd8, 0xff, 0xd9}, ErrLogoBroken},
		"a changed byte":            {changed, ErrLogoBroken},
		"a JPEG of many scans":      {scans, ErrLogoBroken},
		"no width":                  {sized(0, 100), ErrLogoBroken},
		"a huge one":                {sized(100_000, 100_000), ErrLogoSides},
		"more than can be":          {sized(1<<31-1, 1<<31-1), ErrLogoBroken},
		"a long one":                {sized(MaxLogoSide+1, 16), ErrLogoSides},
		"a flat one":                {sized(200, MinLogoSide-1), ErrLogoSides},
		"a larger one than it says": {sized(200, 99), ErrLogoBroken},
		"a file too large":          {append(bytes.Clone(plain), make([]byte, MaxLogo)...), ErrLogoLarge},
		"nothing to be seen":        {pngOf(t, image.NewNRGBA(image.Rect(0, 0, 64, 64))), ErrLogoBlank},
	} {
		if l, err := ReadLogo(try.b); !errors.Is(err, try.want) || len(l.PNG) != 0 {
			t.Errorf("%s: %v, want %v", name, err, try.want)
		}
	}
}

// A logo that could not be seen on light pages or on dark ones gets a plate under it.
func TestALogoIsSeenOnLightAndOnDark(t *testing.T) {
	opaque := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for i := range opaque.Pix {
		opaque.Pix[i] = 255
	}
	teal := color.NRGBA{20, 160, 150, 255}
	words := drawn(200, 50, teal)
	for y := range 50 {
		for x := 100; x < 200; x++ {
			if words.NRGBAAt(x, y).A > 0 {
				words.Set(x, y, color.Black)
			}
		}
	}
	for name, try := range map[string]struct {
		img  image.Image
		want string
	}{
		"black on nothing":          {drawn(64, 64, color.Black), PlateLight},
		"white on nothing":          {drawn(64, 64, color.White), PlateDark},
		"teal on nothing":           {drawn(64, 64, teal), ""},
		"teal, and black words":     {words, PlateLight},
		"white on its own ground":   {opaque, ""},
		"half seen through, all of": {drawn(64, 64, color.NRGBA{255, 255, 255, 128}), PlateDark},
	} {
		l, err := ReadLogo(pngOf(t, try.img))
		if err != nil || l.Plate != try.want {
			t.Errorf("%s: %q, want %q, %v", name, l.Plate, try.want, err)
		}
	}
	// Empty edges would make it small beside the words.
	wide := image.NewNRGBA(image.Rect(0, 0, 800, 800))
	for y := 390; y < 410; y++ {
		for x := 100; x < 700; x++ {
			wide.Set(x, y, teal)
		}
	}
	if l, err := ReadLogo(pngOf(t, wide)); err != nil || !l.Wide() || l.Width != logoWidth {
		t.Errorf("%d by %d, %v", l.Width, l.Height, err)
	}
}

func FuzzReadLogo(f *testing.F) {
	sign := drawn(40, 20, color.Black)
	f.Add(pngOf(f, sign))
	f.Add(jpegOf(f, sign))
	f.Add([]byte("<svg/>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ReadLogo(b)
		if err != nil {
			return
		}
		if l.Width > logoWidth || l.Height > logoHeight || l.ID != hash(l.PNG) {
			t.Errorf("%d by %d", l.Width, l.Height)
		}
	})
}
