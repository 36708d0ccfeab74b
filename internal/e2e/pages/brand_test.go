package pages

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"github.com/mainforte/mainforte/internal/e2e/stage"
)

// wordmark is a PNG with dark bars on nothing, like letters, a red sign before them, and
// something behind its end.
func wordmark(t *testing.T) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 640, 140))
	draw.Draw(img, image.Rect(0, 10, 120, 130), image.NewUniform(color.NRGBA{200, 40, 90, 255}), image.Point{}, draw.Src)
	for i := range 8 {
		x := 160 + 60*i
		draw.Draw(img, image.Rect(x, 10+20*(i%3), x+34, 130), image.NewUniform(color.NRGBA{24, 24, 40, 255}), image.Point{}, draw.Src)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), "<script>document.title = 'taken'</script>"...)
}

// upload gives a file to the field of a form as a person's choice does.
func (w *house) upload(field, name, kind string, b []byte) {
	w.t.Helper()
	_, err := stage.Eval[bool](w.browser, fmt.Sprintf(`(() => {
  const bytes = Uint8Array.from(atob(%q), (c) => c.charCodeAt(0)), files = new DataTransfer();
  files.items.add(new File([bytes], %q, { type: %q }));
  const field = %s;
  field.files = files.files;
  field.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
})()`, base64.StdEncoding.EncodeToString(b), name, kind, stage.Element(field)))
	w.must(err)
}

// token is a colour of the page as it is now.
func (w *house) token(name string) string {
	w.t.Helper()
	v, err := stage.Eval[string](w.browser, fmt.Sprintf(`getComputedStyle(document.documentElement).getPropertyValue(%q).trim()`, name))
	w.must(err)
	return v
}

// TestAHelpDeskShowsItself: an admin gives the help desk a logo and a colour, and is told
// what cannot be; every page shows them, in light and in dark, and nothing that warns
// changes; both are taken down, and put back.
func TestAHelpDeskShowsItself(t *testing.T) {
	const lang = "fr"
	w, shots := opened(t, 6*time.Minute, lang)
	l := &looker{t: t, b: w.browser, lang: lang, axe: readAxe(t), shots: shots, n: 300,
		screens: []screen{{scheme: "light", width: 1280}, {scheme: "dark", width: 1280}, {scheme: "dark", width: 320}}}
	w.as("admin", "Odile Roy", "/admin?view=brand")
	w.wait("#brand-form")
	w.wait("#brand-preview")
	own := w.token("--mf-accent")

	w.upload("#brand-logo", "logo.svg", "image/svg+xml", []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`))
	w.must(w.browser.Wait(soon, `document.querySelector('#brand-logo-trouble').textContent.includes('SVG')`))
	w.upload("#brand-logo", "logo.png", "image/png", make([]byte, 300_000))
	w.must(w.browser.Wait(soon, `document.querySelector('#brand-logo-trouble').textContent.includes('256')`))
	w.must(w.browser.Fill("#brand-accent", "#ffcc00"))
	w.wait("#brand-offer")
	l.see("brand-refused")
	w.click("#save-brand")
	w.must(w.browser.Wait(soon, `document.activeElement?.id === 'brand-accent'`))
	w.click("#brand-offer")
	w.must(w.browser.Wait(soon, `!document.querySelector('#brand-offer') && document.querySelector('#brand-accent').value !== '#ffcc00'`))

	w.must(w.browser.Fill("#brand-accent", "#6D28D9"))
	w.upload("#brand-logo", "logo.png", "image/png", wordmark(t))
	// The dark letters get a plate on the dark page of the preview, and on that alone.
	w.must(w.browser.Wait(soon, `document.querySelectorAll('[data-theme] img').length === 2 && [...document.querySelectorAll('[data-theme] img')].every((i) => i.complete && i.naturalWidth > 0)`))
	w.must(w.browser.Wait(soon, `['light', 'dark'].every((theme) => (getComputedStyle(document.querySelector('[data-theme="' + theme + '"] img')).backgroundColor === 'rgb(255, 255, 255)') === (theme === 'dark'))`))
	w.must(w.browser.Wait(soon, `getComputedStyle(document.querySelector('[data-theme="light"] .primary')).backgroundColor === 'rgb(109, 40, 217)'`))
	_, err := stage.Eval[bool](w.browser, `(scrollTo(0, 0), true)`) // nothing is under the bar
	w.must(err)
	l.see("brand-chosen")
	if w.token("--mf-accent") != own {
		t.Error("the page has another colour before it is saved")
	}
	w.click("#save-brand")
	w.wait("#undo")
	const logo = `document.querySelector('.brand .logo')`
	w.must(w.browser.Wait(soon, logo+`?.complete && `+logo+`.naturalWidth > 0`))
	w.must(w.browser.Wait(soon, `getComputedStyle(document.documentElement).getPropertyValue('--mf-accent').trim() === '#6d28d9'`))
	l.quiet("saved")
	address, err := stage.Eval[string](w.browser, logo+`.getAttribute('src')`)
	w.must(err)

	danger := map[string]string{"light": "#b3261e", "dark": "#ff968c"}
	for _, page := range []struct{ path, ready string }{
		{"/", "#get"}, {"/wait", "#name"}, {"/nowhere", ".error"}, {"/receipt", "#drop"}, {"/console", ".desk"}, {"/admin", "#people .row"},
	} {
		for _, s := range l.screens[:2] {
			l.on(s)
			w.goTo(page.path)
			w.wait(page.ready)
			w.must(w.browser.Wait(soon, logo+`?.complete && `+logo+`.naturalWidth > 0`))
			accent := w.token("--mf-accent")
			if accent == own || accent == "" || (accent == "#6d28d9") != (s.scheme == "light") {
				t.Errorf("%s, %s: the accent is %s", page.path, s, accent)
			}
			if got := w.token("--mf-danger"); got != danger[s.scheme] {
				t.Errorf("%s, %s: danger is %s", page.path, s, got)
			}
		}
		if page.path == "/nowhere" {
			l.heard = len(w.browser.Console())
		}
		shown := l.screens
		if page.path == "/console" { // an administrator's has more ways on it than a telephone is wide
			l.screens = l.screens[:2]
		}
		l.see("brand" + strings.ReplaceAll(page.path, "/", "-"))
		l.screens = shown
	}
	// Who asks for more contrast has the pages' own colours.
	l.on(screen{scheme: "light", width: 1280, more: []*emulation.MediaFeature{{Name: "prefers-contrast", Value: "more"}}})
	if got := w.token("--mf-accent"); got != "#004a46" {
		t.Errorf("with more contrast the accent is %s", got)
	}
	l.on(l.screens[0])

	// P7: what people compare is the address of this server, and nothing of the brand stands there.
	w.goTo("/")
	check, err := stage.Eval[string](w.browser, `document.querySelector('.check .address').textContent + (document.querySelector('.check img, .check .brand') ? ' and a picture' : '')`)
	w.must(err)
	if check != strings.Split(w.server.Addr, ":")[0] {
		t.Errorf("the address to compare is %q", check)
	}
	if who, err := stage.Eval[string](w.browser, logo+`.alt`); err != nil || who != "Hôpital <b>Sainte-Anne</b> & Fils" {
		t.Errorf("the logo is called %q, %v", who, err)
	}

	w.goTo("/admin?view=brand")
	w.click("#brand-remove")
	w.must(w.browser.Wait(soon, `document.activeElement?.id === 'brand-put-back'`))
	w.click("#save-brand")
	w.must(w.browser.Wait(soon, `document.querySelector('#undo') && !document.querySelector('.app-bar .logo')`))
	there := fmt.Sprintf(`fetch(%q, { cache: "no-store" }).then((r) => r.status)`, address)
	if status, err := stage.Eval[int](w.browser, there); err != nil || status != 404 {
		t.Errorf("what was taken down answers %d, %v", status, err)
	}
	w.click("#undo")
	w.must(w.browser.Wait(soon, `document.querySelector('.app-bar .logo')`))
	if status, err := stage.Eval[int](w.browser, there); err != nil || status != 200 {
		t.Errorf("what was put back answers %d, %v", status, err)
	}
	w.goTo("/admin?view=changes")
	w.wait(`[data-type="brand.set"]`)
	l.heard = len(w.browser.Console()) // the 404 that was asked for
	l.see("brand-changes")
	w.leave()
	w.goTo("/signin")
	w.wait("#name")
	w.must(w.browser.Wait(soon, logo+`?.complete && `+logo+`.naturalWidth > 0`))
	l.see("brand-signin")
}
