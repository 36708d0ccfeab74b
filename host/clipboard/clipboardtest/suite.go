// Package clipboardtest holds what every clipboard.Clipboard must do.
package clipboardtest

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/clipboard"
)

// Desk is a clipboard and another program on the same desktop.
type Desk struct {
	Clipboard clipboard.Clipboard
	// Copy is the program's copying; secret: it says that nobody shall keep it.
	Copy func(c clipboard.Content, secret bool)
	// Paste is what the program gets as that kind; nil: nothing.
	Paste func(kind clipboard.Kind) []byte
}

// Picture is a PNG of w × h pixels that does not compress.
func Picture(t testing.TB, w, h int) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	seed := uint32(1)
	for i := range img.Pix {
		seed = seed*1664525 + 1013904223
		img.Pix[i] = byte(seed >> 24)
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	img.Set(0, 0, color.NRGBA{1, 2, 3, 255})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func text(s string) clipboard.Content {
	return clipboard.Content{Kind: clipboard.Text, Data: []byte(s)}
}

// Run runs the suite; open makes a new desk.
func Run(t *testing.T, open func(t *testing.T) Desk) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	news := func(t *testing.T, d Desk) clipboard.Item {
		t.Helper()
		select {
		case it, ok := <-d.Clipboard.News():
			if !ok {
				t.Fatal("closed")
			}
			return it
		case <-time.After(20 * time.Second):
			t.Fatal("nothing was told")
			return clipboard.Item{}
		}
	}
	ok := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	big := text(string(bytes.Repeat([]byte("é€🦊\n"), clipboard.MaxText/10)))
	for name, c := range map[string]clipboard.Content{
		"text":        text("é € 🦊\nsecond line"),
		"1 MiB":       big,
		"picture":     {Kind: clipboard.PNG, Data: Picture(t, 20, 10)},
		"big picture": {Kind: clipboard.PNG, Data: Picture(t, 700, 500)},
	} {
		t.Run("put "+name, func(t *testing.T) {
			d := open(t)
			ok(t, d.Clipboard.Put(c))
			if got := d.Paste(c.Kind); !bytes.Equal(got, c.Data) {
				t.Errorf("the program pastes %d bytes, want %d", len(got), len(c.Data))
			}
		})
		t.Run("get "+name, func(t *testing.T) {
			d := open(t)
			ok(t, d.Clipboard.Watch(true))
			d.Copy(c, false)
			it := news(t, d)
			got, err := d.Clipboard.Get(ctx, it)
			ok(t, err)
			if it.Kind != c.Kind || got.Kind != c.Kind || c.Kind == clipboard.Text && !bytes.Equal(got.Data, c.Data) {
				t.Errorf("got kind %d, %d bytes; want %d, %d", got.Kind, len(got.Data), c.Kind, len(c.Data))
			}
			if c.Kind == clipboard.PNG {
				a, _ := png.Decode(bytes.NewReader(c.Data))
				b, err := png.Decode(bytes.NewReader(got.Data))
				if err != nil || a.Bounds() != b.Bounds() || a.At(3, 3) != b.At(3, 3) {
					t.Errorf("another picture came: %v", err)
				}
			}
		})
	}
	t.Run("nothing from before is told", func(t *testing.T) {
		d := open(t)
		d.Copy(text("before"), false)
		ok(t, d.Clipboard.Watch(true))
		if _, err := d.Clipboard.Get(ctx, clipboard.Item{Kind: clipboard.Text}); !errors.Is(err, clipboard.ErrGone) {
			t.Errorf("what was there before was read: %v", err)
		}
		d.Copy(text("secret"), true)
		d.Copy(text("after"), false)
		got, err := d.Clipboard.Get(ctx, news(t, d))
		if err != nil || string(got.Data) != "after" {
			t.Errorf("%q, %v", got.Data, err)
		}
	})
	t.Run("only the newest", func(t *testing.T) {
		d := open(t)
		ok(t, d.Clipboard.Watch(true))
		d.Copy(text("first"), false)
		first := news(t, d)
		d.Copy(text("second"), false)
		second := news(t, d)
		if _, err := d.Clipboard.Get(ctx, first); !errors.Is(err, clipboard.ErrGone) {
			t.Errorf("the first is still there: %v", err)
		}
		ok(t, d.Clipboard.Put(text("ours")))
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if _, err := d.Clipboard.Get(ctx, second); errors.Is(err, clipboard.ErrGone) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("what we put is told as the person's")
			}
		}
		ok(t, d.Clipboard.Watch(false))
		if _, err := d.Clipboard.Get(ctx, second); !errors.Is(err, clipboard.ErrGone) {
			t.Errorf("read although nobody watches: %v", err)
		}
	})
	t.Run("too much", func(t *testing.T) {
		d := open(t)
		ok(t, d.Clipboard.Watch(true))
		d.Copy(text(string(make([]byte, 0))+string(bytes.Repeat([]byte("x"), clipboard.MaxText+1))), false)
		if _, err := d.Clipboard.Get(ctx, news(t, d)); !errors.Is(err, clipboard.ErrTooLarge) {
			t.Errorf("%v", err)
		}
	})
	t.Run("closed", func(t *testing.T) {
		d := open(t)
		ok(t, d.Clipboard.Close())
		ok(t, d.Clipboard.Close())
		if err := d.Clipboard.Put(text("x")); !errors.Is(err, clipboard.ErrClosed) {
			t.Errorf("Put: %v", err)
		}
		if _, more := <-d.Clipboard.News(); more {
			t.Error("news after Close")
		}
	})
}
