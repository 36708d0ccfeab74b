package clipboard_test

import (
	"testing"

	"github.com/mainforte/mainforte/host/capture/capturetest"
	"github.com/mainforte/mainforte/host/clipboard"
	"github.com/mainforte/mainforte/host/clipboard/clipboardtest"
)

func TestX11PassesTheSuite(t *testing.T) {
	t.Parallel()
	display := capturetest.Xvfb(t, 320, 200)
	clipboardtest.Run(t, func(t *testing.T) clipboardtest.Desk {
		x, err := clipboard.OpenX11(display)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { x.Close() })
		p := clipboardtest.NewProgram(t, display)
		return clipboardtest.Desk{Clipboard: x, Copy: p.Copy, Paste: p.Paste}
	})
}

func TestADisplayThatGoesAwayEndsTheClipboard(t *testing.T) {
	t.Parallel()
	s := capturetest.Start(t, 320, 200)
	x, err := clipboard.OpenX11(s.Display)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	s.Kill()
	if _, more := <-x.News(); more {
		t.Error("news from nowhere")
	}
	if err := x.Put(clipboard.Content{Kind: clipboard.Text, Data: []byte("x")}); err == nil {
		t.Error("put nowhere")
	}
	if _, err := clipboard.OpenX11(":4711"); err == nil {
		t.Error("opened nowhere")
	}
}
