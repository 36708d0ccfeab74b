package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Browser is one real Chromium with one page, driven by the DevTools protocol.
type Browser struct {
	ctx    context.Context
	cancel []context.CancelFunc
	dir    string

	mu      sync.Mutex
	console []string // what the page wrote: errors, CSP and Trusted Types reports
}

// BrowserOptions say how Chromium runs. The zero value is headless, 1600 × 1000.
type BrowserOptions struct {
	// Display shows a real window there instead of running headless.
	Display       string
	Width, Height int
	// Lang is the browser's language, "en-CA" or "fr-CA".
	Lang string
	// Args are further flags, "name=value" or "name".
	Args []string
}

// StartBrowser starts Chromium with a fresh profile.
func StartBrowser(ctx context.Context, o BrowserOptions) (*Browser, error) {
	if o.Width == 0 {
		o.Width, o.Height = 1600, 1000
	}
	if o.Lang == "" {
		o.Lang = "en-CA"
	}
	dir, err := os.MkdirTemp("", "mainforte-chromium-")
	if err != nil {
		return nil, fmt.Errorf("stage: browser: %w", err)
	}
	if err := keepDownloads(dir); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("stage: browser: %w", err)
	}
	opts := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	opts = append(opts,
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(dir),
		chromedp.Flag("headless", "new"),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("allow-loopback-in-peer-connection", true),
		chromedp.Flag("force-device-scale-factor", "1"),
		chromedp.Flag("hide-scrollbars", false),
		chromedp.Flag("lang", o.Lang),
		chromedp.Flag("accept-lang", o.Lang),
		chromedp.Flag("window-size", fmt.Sprintf("%d,%d", o.Width, o.Height)),
		chromedp.WSURLReadTimeout(40*time.Second),
	)
	if o.Display != "" {
		opts = append(opts, chromedp.Flag("headless", false), chromedp.Env("DISPLAY="+o.Display),
			chromedp.Flag("window-position", "0,0"), chromedp.Flag("kiosk", true))
	}
	for _, a := range o.Args {
		name, value, has := strings.Cut(a, "=")
		if has {
			opts = append(opts, chromedp.Flag(name, value))
		} else {
			opts = append(opts, chromedp.Flag(name, true))
		}
	}
	b := &Browser{dir: dir}
	alloc, cancelAlloc := chromedp.NewExecAllocator(ctx, opts...)
	tab, cancelTab := chromedp.NewContext(alloc)
	b.ctx, b.cancel = tab, []context.CancelFunc{cancelTab, cancelAlloc}
	messages := chromedp.Console(tab)
	if err := chromedp.Listen(tab, func(ev any) {
		if _, is := ev.(*page.EventJavascriptDialogOpening); is { // "leave this page?": yes
			go func() {
				_, _ = chromedp.Call(tab, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
			}()
		}
	}); err != nil {
		b.Close()
		return nil, fmt.Errorf("stage: browser dialogs: %w", err)
	}
	if err := chromedp.Do(tab, chromedp.Navigate("about:blank")); err != nil {
		b.Close()
		return nil, fmt.Errorf("stage: start Chromium: %w", err)
	}
	if o.Display == "" {
		if err := chromedp.Do(tab, chromedp.EmulateViewport(int64(o.Width), int64(o.Height))); err != nil {
			b.Close()
			return nil, fmt.Errorf("stage: browser size: %w", err)
		}
	}
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.console = append(b.console, string(m.Type)+": "+m.Text)
			b.mu.Unlock()
		}
	}()
	return b, nil
}

// keepDownloads lets a profile keep what it downloads: else it would lie in the home of
// whoever runs the tests, which is also the person's under Wine.
func keepDownloads(profile string) error {
	to := filepath.Join(profile, "Downloads")
	b, err := json.Marshal(map[string]any{"download": map[string]any{"default_directory": to, "prompt_for_download": false}})
	if err != nil {
		return err
	}
	file := filepath.Join(profile, "Default", "Preferences")
	return errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, b, 0o600))
}

// Close ends Chromium and removes its profile; of a tab, the tab.
func (b *Browser) Close() {
	for _, c := range b.cancel {
		c()
	}
	if b.dir != "" {
		_ = os.RemoveAll(b.dir)
	}
}

// Tab opens another page in the same browser, in front.
func (b *Browser) Tab() (*Browser, error) {
	tab, cancel := chromedp.NewContext(b.ctx)
	t := &Browser{ctx: tab, cancel: []context.CancelFunc{cancel}}
	if err := t.Goto("about:blank"); err != nil {
		cancel()
		return nil, err
	}
	return t, nil
}

// Front brings the page to the front: the others are hidden.
func (b *Browser) Front() error {
	if _, err := chromedp.Call(b.ctx, page.BringToFront, cdp.Empty{}); err != nil {
		return fmt.Errorf("stage: to the front: %w", err)
	}
	return nil
}

// Console is what the page wrote so far.
func (b *Browser) Console() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.console...)
}

// Context is the DevTools context of the page.
func (b *Browser) Context() context.Context { return b.ctx }

// Goto opens an address and waits until it has loaded. Chromium gives up what it is
// loading when a network device comes or goes, which those of our own lines and
// routers do: it is asked again.
func (b *Browser) Goto(url string) error {
	err := chromedp.Do(b.ctx, chromedp.Navigate(url))
	for tries := 1; err != nil && tries < 5 && strings.Contains(err.Error(), "net::ERR_NETWORK_CHANGED"); tries++ {
		err = chromedp.Do(b.ctx, chromedp.Navigate(url))
	}
	if err != nil {
		return fmt.Errorf("stage: open %s: %w", url, err)
	}
	return nil
}

// Eval returns the value of a JavaScript expression; a promise is awaited.
func Eval[T any](b *Browser, expr string) (T, error) {
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expr, chromedp.EvalAwaitPromise))
	if err != nil {
		return v, fmt.Errorf("stage: evaluate %s: %w", expr, err)
	}
	return v, nil
}

// find is JavaScript that finds the first visible element for a selector,
// through every open shadow root.
const find = `(sel => { const walk = root => { for (const e of root.querySelectorAll(sel)) { const r = e.getBoundingClientRect(); if (r.width || r.height) return e }
 for (const e of root.querySelectorAll('*')) if (e.shadowRoot) { const f = walk(e.shadowRoot); if (f) return f } return null }; return walk(document) })`

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // a string always marshals
	}
	return string(b)
}

// Element is the JavaScript expression for a selector's element.
func Element(selector string) string { return find + "(" + quote(selector) + ")" }

// Wait waits until a JavaScript expression is true.
func (b *Browser) Wait(d time.Duration, expr string) error {
	for deadline := time.Now().Add(d); ; time.Sleep(30 * time.Millisecond) {
		// A page that is just being left answers with an error: ask the next one.
		ok, err := Eval[bool](b, "Boolean("+expr+")")
		if ok {
			return nil
		}
		if b.ctx.Err() != nil {
			return err
		}
		if time.Now().After(deadline) {
			text, _ := Eval[string](b, "document.body.innerText")
			return fmt.Errorf("stage: not true in %v: %s (%v)\nthe page says:\n%s\nthe console: %q", d, expr, err, text, b.Console())
		}
	}
}

// WaitFor waits until an element is visible and enabled.
func (b *Browser) WaitFor(d time.Duration, selector string) error {
	return b.Wait(d, fmt.Sprintf("(e => e && !e.disabled)(%s)", Element(selector)))
}

// Point is a place on the page in CSS pixels.
type Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// At is the middle of an element, after scrolling it into sight.
func (b *Browser) At(selector string) (Point, error) {
	return Eval[Point](b, fmt.Sprintf(`(e => { e.scrollIntoView({block: 'nearest'}); const r = e.getBoundingClientRect(); return {x: r.x + r.width / 2, y: r.y + r.height / 2} })(%s)`, Element(selector)))
}

// Click waits for an element and clicks it with the mouse.
func (b *Browser) Click(selector string) error {
	if err := b.WaitFor(15*time.Second, selector); err != nil {
		return err
	}
	p, err := b.At(selector)
	if err != nil {
		return err
	}
	return b.ClickAt(p)
}

// ClickAt clicks with the left button.
func (b *Browser) ClickAt(p Point) error {
	if err := b.Mouse(input.DispatchMouseEventTypeMouseMoved, p, false); err != nil {
		return err
	}
	if err := b.Mouse(input.DispatchMouseEventTypeMousePressed, p, true); err != nil {
		return err
	}
	return b.Mouse(input.DispatchMouseEventTypeMouseReleased, p, true)
}

// Mouse sends one mouse event.
func (b *Browser) Mouse(typ input.DispatchMouseEventType, p Point, left bool) error {
	opts := []chromedp.MouseOption{}
	if left {
		opts = append(opts, chromedp.ButtonLeft, func(e *input.DispatchMouseEventParams) { e.ClickCount = 1 })
	}
	if err := chromedp.Do(b.ctx, chromedp.MouseEvent(typ, p.X, p.Y, opts...)); err != nil {
		return fmt.Errorf("stage: mouse: %w", err)
	}
	return nil
}

// Fill clicks into a field, empties it and types text as the keyboard would.
func (b *Browser) Fill(selector, text string) error {
	if err := b.Click(selector); err != nil {
		return err
	}
	if _, err := Eval[bool](b, fmt.Sprintf("(e => { e.select && e.select(); return true })(%s)", Element(selector))); err != nil {
		return err
	}
	return b.Insert(text)
}

// Insert types text through the input method, without keys.
func (b *Browser) Insert(text string) error {
	if _, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		return fmt.Errorf("stage: insert text: %w", err)
	}
	return nil
}

// Keys presses and releases keys; the keys are those of chromedp/kb.
func (b *Browser) Keys(keys string) error {
	if err := chromedp.Do(b.ctx, chromedp.KeyEvent(keys)); err != nil {
		return fmt.Errorf("stage: keys: %w", err)
	}
	return nil
}

// Key presses and releases one physical key that types text on the technician's layout.
func (b *Browser) Key(code, text string, modifiers int64) error {
	for _, typ := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		p := input.DispatchKeyEventParams{Type: typ, Code: code, Key: text, Modifiers: modifiers}
		if typ == input.DispatchKeyEventTypeKeyDown {
			p.Text = text
		}
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, p); err != nil {
			return fmt.Errorf("stage: key %s: %w", code, err)
		}
	}
	return nil
}

// Paste presses the keys that paste what this browser's clipboard holds.
func (b *Browser) Paste() error {
	const control = 2
	for _, p := range []input.DispatchKeyEventParams{
		{Type: input.DispatchKeyEventTypeRawKeyDown, Code: "ControlLeft", Key: "Control", Modifiers: control},
		{Type: input.DispatchKeyEventTypeRawKeyDown, Code: "KeyV", Key: "v", Modifiers: control, Commands: []string{"paste"}},
		{Type: input.DispatchKeyEventTypeKeyUp, Code: "KeyV", Key: "v", Modifiers: control},
		{Type: input.DispatchKeyEventTypeKeyUp, Code: "ControlLeft", Key: "Control"},
	} {
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, p); err != nil {
			return fmt.Errorf("stage: paste: %w", err)
		}
	}
	return nil
}

// Screenshot is the viewport as it is on screen, device pixel for device pixel.
func (b *Browser) Screenshot() (image.Image, []byte, error) {
	data, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return nil, nil, fmt.Errorf("stage: screenshot: %w", err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, nil, fmt.Errorf("stage: screenshot: %w", err)
	}
	return img, data, nil
}
