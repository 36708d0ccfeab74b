package gallery

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

var update = flag.Bool("update", false, "make the pictures in testdata anew")

const soon = 10 * time.Second

// look is a way in which the exhibits are looked at.
type look struct {
	name  string
	lang  string
	width int64
	media map[string]string
	only  []string // exhibits; none: all
	like  string   // the look whose pictures it shares: it must show no difference
}

var looks = []look{
	{name: "light", lang: "en", width: 960},
	{name: "still", lang: "en", width: 960, media: map[string]string{"prefers-reduced-motion": "reduce"}, like: "light"},
	{name: "contrast", lang: "en", width: 960, media: map[string]string{"prefers-contrast": "more"},
		only: []string{"language", "controls", "buttons"}},
	{name: "forced", lang: "en", width: 960, media: map[string]string{"forced-colors": "active"},
		only: []string{"controls", "buttons", "fields", "clocks", "rows", "charts", "picker"}},
	{name: "black", lang: "fr", width: 960, media: map[string]string{"prefers-contrast": "more", "prefers-color-scheme": "dark"},
		only: []string{"language"}},
	{name: "dark", lang: "fr", width: 960, media: map[string]string{"prefers-color-scheme": "dark"}},
	{name: "narrow", lang: "fr", width: 320},
}

// gallery is the built page, served as the server serves its own, in a browser.
type gallery struct {
	t   *testing.T
	b   *stage.Browser
	url string
}

// fonts is a configuration for fontconfig: the one font, and how it is drawn. What the
// system has and says of fonts does not count.
const fonts = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts/truetype/dejavu</dir>
  <cachedir>%s</cachedir>
  <match target="font">
    <edit name="antialias" mode="assign"><bool>true</bool></edit>
    <edit name="hinting" mode="assign"><bool>true</bool></edit>
    <edit name="autohint" mode="assign"><bool>false</bool></edit>
    <edit name="hintstyle" mode="assign"><const>%s</const></edit>
    <edit name="rgba" mode="assign"><const>none</const></edit>
  </match>
</fontconfig>
`

// open opens the gallery, with glyphs hinted as fontconfig calls it.
func open(t *testing.T, headers http.Header, hinting string) *gallery {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "fonts.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, fonts, t.TempDir(), hinting), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FONTCONFIG_FILE", conf)
	root, err := stage.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dist := filepath.Join(root, "web/gallery/dist")
	if _, err := os.Stat(filepath.Join(dist, "index.html")); err != nil {
		t.Fatalf("%v: run `task build:web` first", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	files := http.FileServer(http.Dir(dist))
	s := &http.Server{ReadHeaderTimeout: soon, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for k, v := range headers {
			w.Header()[k] = v
		}
		files.ServeHTTP(w, r)
	})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	b, err := stage.StartBrowser(t.Context(), stage.BrowserOptions{Width: 960, Height: 900, Args: []string{
		"disable-lcd-text", "disable-font-subpixel-positioning", "force-color-profile=srgb", "hide-scrollbars",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if _, err := chromedp.Call(b.Context(), emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(b.Context(), emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "UTC"}); err != nil {
		t.Fatal(err)
	}
	// By this name, and not by its number, a browser has passkeys.
	return &gallery{t: t, b: b, url: fmt.Sprintf("http://localhost:%d/", l.Addr().(*net.TCPAddr).Port)}
}

func (g *gallery) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// exhibits are the names of all, with the part of each that is looked at.
func (g *gallery) exhibits() (names []string, parts map[string]string) {
	g.t.Helper()
	g.must(g.b.Goto(g.url))
	g.must(g.b.Wait(soon, `document.documentElement.dataset.ready === ""`))
	list, err := stage.Eval[[][2]string](g.b, `[...document.querySelectorAll("[data-exhibit]")].map((e) => [e.dataset.exhibit, e.dataset.shot])`)
	g.must(err)
	parts = map[string]string{}
	for _, e := range list {
		names = append(names, e[0])
		parts[e[0]] = e[1]
	}
	return names, parts
}

// show opens an exhibit.
func (g *gallery) show(name, lang string) {
	g.t.Helper()
	g.must(g.b.Goto(g.url + "?show=" + name + "&lang=" + lang))
	g.must(g.b.Wait(soon, fmt.Sprintf(`document.documentElement.dataset.ready === %q`, name)))
}

// as makes the window that of a look.
func (g *gallery) as(l look) {
	g.t.Helper()
	features := []*emulation.MediaFeature{}
	for _, name := range []string{"prefers-color-scheme", "prefers-contrast", "prefers-reduced-motion", "forced-colors"} {
		features = append(features, &emulation.MediaFeature{Name: name, Value: l.media[name]})
	}
	if l.media["prefers-color-scheme"] == "" {
		features[0].Value = "light"
	}
	_, err := chromedp.Call(g.b.Context(), emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
	g.must(err)
	g.size(l.width, 900)
}

func (g *gallery) size(width, height int64) {
	g.t.Helper()
	metrics := emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1}
	_, err := chromedp.Call(g.b.Context(), emulation.SetDeviceMetricsOverride, metrics)
	g.must(err)
}

// whole makes the window as high as the page.
func (g *gallery) whole(width int64) {
	g.t.Helper()
	height, err := stage.Eval[int64](g.b, painted+`.then(() => document.documentElement.scrollHeight)`)
	g.must(err)
	if height > 900 {
		g.size(width, height)
		_, err = stage.Eval[bool](g.b, painted)
		g.must(err)
	}
}

// painted is true after two frames: what watches its own size has drawn itself then.
const painted = `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`

// shot is the part of the page for a selector, with some pixels around.
func (g *gallery) shot(selector string, around float64) *image.RGBA {
	g.t.Helper()
	type box struct{ X, Y, W, H, Width, Height float64 }
	r, err := stage.Eval[box](g.b, fmt.Sprintf(`(r => ({ X: r.x, Y: r.y, W: r.width, H: r.height, Width: innerWidth, Height: innerHeight }))(document.querySelector(%q).getBoundingClientRect())`, selector))
	g.must(err)
	left, top := max(0, float64(int(r.X-around))), max(0, float64(int(r.Y-around)))
	clip := &page.Viewport{X: left, Y: top, Scale: 1,
		Width: float64(int(min(r.Width, r.X+r.W+around)+0.99)) - left, Height: float64(int(min(r.Height, r.Y+r.H+around)+0.99)) - top}
	out, err := chromedp.Call(g.b.Context(), page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng, Clip: clip})
	g.must(err)
	img, err := png.Decode(bytes.NewReader(out.Data))
	g.must(err)
	return rgba(img)
}

// pressed are pictures of every control: as the Tab key comes to it, and as the mouse is
// over it, one below the other.
func (g *gallery) pressed() *image.RGBA {
	g.t.Helper()
	names, err := stage.Eval[[]string](g.b, `[...document.querySelectorAll("[data-control]")].map((e) => e.dataset.control)`)
	g.must(err)
	var focused, under []image.Image
	for _, name := range names {
		g.must(g.b.Keys("\t"))
		at, err := stage.Eval[string](g.b, `document.activeElement?.closest("[data-control]")?.dataset.control ?? ""`)
		g.must(err)
		if at != name {
			g.t.Fatalf("Tab comes to %q, not to %q", at, name)
		}
		focused = append(focused, g.shot(fmt.Sprintf(`[data-control=%q]`, name), 5))
	}
	_, err = stage.Eval[bool](g.b, `(document.activeElement.blur(), true)`)
	g.must(err)
	for _, name := range names {
		at, err := g.b.At(fmt.Sprintf(`[data-control=%q] :is(a, button, input, select, textarea)`, name))
		g.must(err)
		g.must(g.b.Mouse(input.DispatchMouseEventTypeMouseMoved, at, false))
		_, err = stage.Eval[bool](g.b, painted)
		g.must(err)
		under = append(under, g.shot(fmt.Sprintf(`[data-control=%q]`, name), 5))
	}
	g.must(g.b.Mouse(input.DispatchMouseEventTypeMouseMoved, stage.Point{X: 950, Y: 5}, false))
	width, height := 0, 0
	for i := range names {
		width = max(width, focused[i].Bounds().Dx(), under[i].Bounds().Dx())
		height += max(focused[i].Bounds().Dy(), under[i].Bounds().Dy())
	}
	out := image.NewRGBA(image.Rect(0, 0, 2*width, height))
	draw.Draw(out, out.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	y := 0
	for i := range names {
		for k, p := range []image.Image{focused[i], under[i]} {
			draw.Draw(out, p.Bounds().Add(image.Pt(k*width, y)), p, image.Point{}, draw.Src)
		}
		y += max(focused[i].Bounds().Dy(), under[i].Bounds().Dy())
	}
	return out
}

// picture is what is compared of an exhibit that is shown.
func (g *gallery) picture(name, part string, l look) *image.RGBA {
	g.t.Helper()
	g.whole(l.width)
	if name == "controls" {
		return g.pressed()
	}
	around := 0.0
	if part == "dialog" {
		around = 12 // its shadow
	}
	return g.shot(part, around)
}

// serverHeaders are those of the server's own pages, but for what says of what kind and
// how long they are.
func serverHeaders(t *testing.T) http.Header {
	t.Helper()
	program, err := stage.BuildServer(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	addr, err := stage.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	s, err := stage.StartServer(t.Context(), program, addr, filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	resp, err := http.Get(s.URL + "/signin")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	h := resp.Header.Clone()
	for _, own := range []string{"Content-Type", "Content-Length", "Date", "Vary", "Set-Cookie"} {
		h.Del(own)
	}
	if !strings.Contains(h.Get("Content-Security-Policy"), "require-trusted-types-for") {
		t.Fatalf("the server's policy is %q", h.Get("Content-Security-Policy"))
	}
	return h
}

func TestComponentsLookAsTheyDid(t *testing.T) {
	root, err := stage.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	artefacts := os.Getenv("MAINFORTE_ARTEFACTS")
	if artefacts == "" {
		artefacts = filepath.Join(root, "artefacts")
	}
	if err := os.MkdirAll(artefacts, 0o755); err != nil {
		t.Fatal(err)
	}
	g := open(t, serverHeaders(t), "hintnone")
	names, parts := g.exhibits()
	if len(names) < 20 {
		t.Fatalf("there are %d exhibits", len(names))
	}
	known := map[string]bool{}
	for _, name := range names {
		shown := ""
		for _, l := range looks {
			if len(l.only) > 0 && !slices.Contains(l.only, name) {
				continue
			}
			g.as(l)                                    // first: Chromium 156 keeps the white of forced colours behind a dark page
			if shown != l.lang || name == "controls" { // Tab begins at the first again
				g.show(name, l.lang)
				shown = l.lang
			}
			is := g.picture(name, parts[name], l)
			kept := name + "-" + l.name + ".png"
			if l.like != "" {
				kept = name + "-" + l.like + ".png"
			}
			known[kept] = true
			if *update && l.like == "" {
				write(t, filepath.Join("testdata", kept), indexed(is))
				continue
			}
			was := read(t, kept)
			if was == nil {
				continue
			}
			where := compare(was, is)
			if len(where) == 0 {
				continue
			}
			file := filepath.Join(artefacts, "gallery-"+name+"-"+l.name+".png")
			write(t, file, beside(was, is, where))
			t.Errorf("%s, %s: not as it was (%v, now %v; %d pixels, from %v on): see %s: was, is, where. If it is meant: go test ./internal/e2e/gallery -update",
				name, l.name, was.Rect.Size(), is.Rect.Size(), len(where), where[0], file)
		}
	}
	for _, line := range g.b.Console() {
		if strings.HasPrefix(line, "debug: [DOM] Password") { // its advice on forms
			continue
		}
		t.Errorf("the console says %q", line)
	}
	kept, err := filepath.Glob("testdata/*.png")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range kept {
		if known[filepath.Base(file)] {
			continue
		}
		if !*update {
			t.Errorf("%s is of no exhibit", file)
		} else if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
}

// TestAChangedTokenIsSeen: each is small, and of another kind.
func TestAChangedTokenIsSeen(t *testing.T) {
	g := open(t, nil, "hintnone")
	for _, c := range []struct{ token, value, exhibit string }{
		{"--mf-border", "transparent", "charts"},
		{"--mf-border", "transparent", "clocks"},
		{"--control-border", "#9aa6a2", "fields"},
		{"--mf-muted", "#76827e", "fields"},
		{"--mf-text", "#2c3a37", "rows"},
		{"--mf-accent", "#0b5f73", "controls"},
		{"--accent-soft", "#ecf6f5", "rows"},
		{"--mf-radius", "3px", "buttons"},
		{"--space-3", "14px", "buttons"},
		{"--space-4", "18px", "rows"},
		{"--control", "2.375rem", "buttons"},
		{"--text-s", "0.8375rem", "fields"},
		{"--hover", "#ffffff", "controls"},
	} {
		was := read(t, c.exhibit+"-light.png")
		if was == nil {
			continue
		}
		g.as(looks[0])
		g.show(c.exhibit, "en")
		_, err := stage.Eval[bool](g.b, fmt.Sprintf(`(document.documentElement.style.setProperty(%q, %q), true)`, c.token, c.value))
		g.must(err)
		where := compare(was, g.picture(c.exhibit, ".exhibit", looks[0]))
		t.Logf("%s: %s in %s: %d pixels", c.token, c.value, c.exhibit, len(where))
		if len(where) == 0 {
			t.Errorf("nobody sees %s: %s in %s", c.token, c.value, c.exhibit)
		}
	}
}

// TestAnotherHandForGlyphsIsBorne: the same font, hinted.
func TestAnotherHandForGlyphsIsBorne(t *testing.T) {
	g := open(t, nil, "hintslight")
	for _, name := range []string{"buttons", "fields", "empties", "problems"} {
		was := read(t, name+"-light.png")
		if was == nil {
			continue
		}
		g.as(looks[0])
		g.show(name, "en")
		is := g.picture(name, ".exhibit", looks[0])
		if bytes.Equal(rgba(indexed(is)).Pix, was.Pix) {
			t.Errorf("%s is the same to the pixel: nothing was borne", name)
		}
		if where := compare(was, is); len(where) > 0 {
			t.Errorf("%s: %d pixels differ, from %v on", name, len(where), where[0])
		}
	}
}

// read is a kept picture, nil after an error.
func read(t *testing.T, name string) *image.RGBA {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is no picture %s yet: look at web/gallery, then go test ./internal/e2e/gallery -update", name)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return rgba(img)
}

func write(t *testing.T, file string, p image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}
