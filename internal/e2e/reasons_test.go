package e2e

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/mainforte/mainforte/internal/e2e/shape"
	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// TestThePanelNamesWhatIsSlow: whatever makes the picture late, the technician
// is told that, and not something else.
func TestThePanelNamesWhatIsSlow(t *testing.T) {
	t.Run("the line", func(t *testing.T) {
		w := newWorld(t, "en")
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		line, err := shape.Open(seed)
		w.must(err)
		t.Cleanup(func() { _ = line.Close() })
		w.must(line.Reach(w.tap.Addr()))
		file, err := line.Program(t.TempDir(), programs.Host)
		w.must(err)
		w.file = file
		painter := w.painted()
		w.live("A line that changes")
		w.must(w.browser.Click("#show-details"))

		busy(t, 100*time.Millisecond, func(i int) error { return painter.Fill(10, 10, 40, 40, uint32(i)*0x10305) })
		w.cause("good")
		w.shot("good")
		line.Both(500*time.Millisecond, 0, 0)
		w.cause("far")
		w.shot("far")
		line.Both(20*time.Millisecond, 0, 400_000)
		// All of it changes, and not so often that it would be video.
		busy(t, 500*time.Millisecond, func(int) error { return painter.Paint() })
		w.cause("narrow")
		w.shot("narrow")
	})

	// A host that hardly gets to work is a computer that takes long to make a picture.
	t.Run("the person's computer", func(t *testing.T) {
		const width, height = 2560, 1440
		w := newWorldOf(t, "fr", width, height)
		painter := w.paintAll(width, height)
		w.live("Un ordinateur très occupé")
		w.must(w.browser.Click("#show-details"))
		busy(t, 50*time.Millisecond, func(i int) error { return painter.Fill(10, 10, 40, 40, uint32(i)*0x10305) })
		w.cause("good")
		w.shot("good")
		interrupt(t, w.host.Cmd.Process.Pid)
		// All of it changes, and fits into a few bytes: that is work for the host, and none for the line.
		busy(t, 200*time.Millisecond, func(i int) error { return painter.Fill(0, 0, width, height, uint32(i)*0x10305) })
		w.cause("encode", "capture") // it has to do both, and neither for long at a time
		w.shot("encode")
		w.must(w.browser.Wait(30*time.Second, fmt.Sprintf("/très occupé/.test(%s?.innerText)", stage.Element("#banner"))))
		w.shot("encode-banner")
	})

	// A browser without Workers paints on the page, and this page has something else to do.
	t.Run("the browser", func(t *testing.T) {
		w := newWorld(t, "en")
		painter := w.painted()
		w.browserWith(`window.Worker = class { constructor() { throw new Error("none here") } }; true`)
		w.live("A browser with other work")
		w.must(w.browser.Click("#show-details"))
		_, err := stage.Eval[bool](w.browser, `setInterval(() => { const t = performance.now(); while (performance.now() - t < 280); }, 300), true`)
		w.must(err)
		busy(t, 50*time.Millisecond, func(i int) error { return painter.Fill(10, 10, 40, 40, uint32(i)*0x10305) })
		w.cause("wait")
		w.shot("wait")
	})
}

// cause waits until the panel names one of these.
func (w *world) cause(want ...string) {
	w.t.Helper()
	panel := stage.Element("#cause")
	err := w.browser.Wait(20*time.Second, fmt.Sprintf("%q.split(' ').includes(%s?.dataset.cause)", strings.Join(want, " "), panel))
	if err != nil {
		said, _ := stage.Eval[string](w.browser, fmt.Sprintf("(e => e ? e.dataset.cause + ': ' + e.closest('section').innerText : 'no panel')(%s)", panel))
		w.t.Logf("the panel says %s", said)
	}
	w.must(err)
}

// painted opens a window that covers the desktop.
func (w *world) painted() *stage.Painter {
	w.t.Helper()
	p, err := stage.NewPainter(w.desktop.Display, 0, 0, screenWidth, screenHeight, 5)
	w.must(err)
	w.t.Cleanup(p.Close)
	w.must(p.Paint())
	return p
}

// busy does something again and again until the test ends.
func busy(t *testing.T, every time.Duration, do func(i int) error) {
	stop := make(chan struct{})
	var work sync.WaitGroup
	t.Cleanup(func() { close(stop); work.Wait() })
	work.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for i := 1; ; i++ {
			select {
			case <-tick.C:
				if do(i) != nil {
					return
				}
			case <-stop:
				return
			}
		}
	})
}

// interrupt leaves a process a twentieth of its time, in small portions, until
// the test ends: as a computer does that has many others to serve.
func interrupt(t *testing.T, pid int) {
	busy(t, 20*time.Millisecond, func(int) error {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return err
		}
		time.Sleep(19 * time.Millisecond)
		return syscall.Kill(pid, syscall.SIGCONT)
	})
}

// browserWith runs a script in every page before anything of the page's own.
func (w *world) browserWith(script string) {
	w.t.Helper()
	_, err := chromedp.Call(w.browser.Context(), page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	w.must(err)
}
