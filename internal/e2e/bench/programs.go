package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// programs: a page that scrolls in a browser, and a window that is dragged by a
// window manager.
func (r *rig) programs() ([]Row, error) {
	scroll, err := r.browserScroll()
	if err != nil {
		return nil, fmt.Errorf("browser: %w", err)
	}
	drag, err := r.windowDrag()
	if err != nil {
		return nil, fmt.Errorf("window: %w", err)
	}
	rows := scroll.rows("a page scrolls in Chromium, 30 Hz", goal{fps: 29, age: 30, kB: 8})
	return append(rows, drag.rows("an xterm is dragged under openbox, 60 Hz", goal{fps: 50, age: 30, kB: 8})...), nil
}

// page is a long text. Its squares are drawn in the frame that scrolls it.
const page = `<!doctype html><meta charset=utf-8><style>body{margin:24px;font:16px/24px "DejaVu Serif",serif}#m{position:fixed;left:0;top:0}</style>
<canvas id=m width=256 height=16></canvas><div id=t></div><script>
let seed = 7; const r = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
const word = () => Array.from({length: 2 + r() * 8}, () => "etaoinshrdlucmfw"[Math.floor(r() * 16)]).join("");
t.innerHTML = Array.from({length: 900}, (_, i) => (i % 9 ? "<p>" : "<h2>") + Array.from({length: i % 9 ? 60 : 5}, word).join(" ")).join("");
const g = m.getContext("2d"); let n = 0;
setInterval(() => { n++; const v = n & 0xfff, bits = v << 4 | (v ^ v >> 4 ^ v >> 8 ^ 10) & 15;
 for (let i = 0; i < 16; i++) { g.fillStyle = bits >> (15 - i) & 1 ? "#fff" : "#000"; g.fillRect(16 * i, 0, 16, 16) }
 scrollTo(0, 24 * n % (document.body.scrollHeight - innerHeight)) }, 1000 / 30)</script>`

func (r *rig) browserScroll() (motion, error) {
	file := filepath.Join(r.dir, "page.html")
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		return motion{}, err
	}
	b, err := stage.StartBrowser(r.ctx, stage.BrowserOptions{Display: r.far.Display, Width: width, Height: height})
	if err != nil {
		return motion{}, err
	}
	defer b.Close()
	if err := b.Goto("file://" + file); err != nil {
		return motion{}, err
	}
	time.Sleep(2 * time.Second)
	at, err := stage.Eval[stage.Point](b, "({x: screenX + outerWidth - innerWidth, y: screenY + outerHeight - innerHeight})")
	if err != nil {
		return motion{}, err
	}
	squares := image.Pt(int(at.X), int(at.Y))
	return r.watch(squares, r.playedBy(squares), 8*time.Second, nil)
}

// byPointer drags a real window by the pointer, as a person does.
type byPointer struct {
	hands   *hands
	squares *canvas
}

func (d *byPointer) draw(n uint32) error {
	i := int(n)
	if err := d.hands.move(500+i*7%500, 400+i*3%300); err != nil {
		return err
	}
	d.squares.mark(n)
	return d.squares.sync()
}

func (d *byPointer) marker() image.Point { return image.Pt(1600, 20) }
func (d *byPointer) close()              { d.squares.close() }

func (r *rig) windowDrag() (motion, error) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog; ls -l /usr/share/doc 0123456789\n", 60)
	file := filepath.Join(r.dir, "text.txt")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return motion{}, err
	}
	p, err := r.far.Run(r.ctx, "xterm", "-geometry", "120x38+200+150", "-e", "sh", "-c", "cat "+file+"; sleep 1000")
	if err != nil {
		return motion{}, err
	}
	defer func() { _ = p.Stop() }()
	squares, err := newCanvas(r.far.Display, 1600, 20, markWidth, markSide, 0)
	if err != nil {
		return motion{}, err
	}
	d := &byPointer{squares: squares}
	defer d.close()
	if d.hands, err = openHands(r.far.Display); err != nil {
		return motion{}, err
	}
	defer d.hands.close()
	time.Sleep(1500 * time.Millisecond)
	// openbox moves a window by Alt and the left button.
	if err := errors.Join(d.hands.move(500, 400), d.hands.press(keyAlt, false, true), d.hands.press(1, true, true)); err != nil {
		return motion{}, err
	}
	defer func() { _ = errors.Join(d.hands.press(1, true, false), d.hands.press(keyAlt, false, false)) }()
	return r.show(d, 60, 6*time.Second, nil)
}

// underLoad: keys beside programs that take every core.
func (r *rig) underLoad(n int) ([]Row, error) {
	n = min(n, 150)
	measure := func() (times, error) {
		v, err := r.newReaction(600, 300, 256)
		if err != nil {
			return times{}, err
		}
		defer v.close()
		return v.measure(n, keySpace, false)
	}
	quiet, err := measure()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(r.ctx)
	defer stop()
	hogs, err := hog(ctx)
	if err != nil {
		return nil, err
	}
	busy, err := measure()
	stop()
	for _, h := range hogs {
		_ = h.Wait()
	}
	if err != nil {
		return nil, err
	}
	p99 := percentile(quiet.screen, .99)
	rows := spread("key → screen, quiet", "ms", quiet.screen, 0, 99, 0)
	return append(rows, spread(fmt.Sprintf("key → screen beside %d busy loops", len(hogs)), "ms", busy.screen, 0, 99, 2*p99)...), nil
}
