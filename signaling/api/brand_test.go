package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"html"
	"image"
	"image/color"
	"image/png"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/identity"
)

// What an admin writes stands on the pages of the person, as text and nothing else.
func TestAHelpDeskNamesItself(t *testing.T) {
	var ahead atomic.Int64
	s := newSite(t, func(c *Config) {
		before := c.Identity
		c.Identity = func(ic *identity.Config) {
			before(ic)
			ic.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		}
	})
	root, nobody := s.as(identity.Admin, "Root"), s.visitor()
	if b := root.want(200, "GET", "/api/v1/brand", nil); b["version"] != 0.0 || b["name"] != "" || b["configured"] != "Exemple" {
		t.Errorf("at first: %v", b)
	}
	hostile := `Aide <img src=x onerror=alert(1)>` + "\u202e & Co"
	body := func(version int, change ...string) map[string]any {
		b := map[string]any{"version": version, "name": hostile, "sentence": "Call 4357 <b>first</b>.", "phrase": "Appelez d’abord le 4357.", "accent": "", "logo": ""}
		for i := 0; i < len(change); i += 2 {
			b[change[i]] = change[i+1]
		}
		return b
	}
	root.code(422, "BRAND_HALF", "PUT", "/api/v1/brand", body(0, "phrase", " \u202e"))
	root.code(422, "BRAND_ADDRESS", "PUT", "/api/v1/brand", body(0, "name", "Aide help.example.org"))
	root.code(422, "BRAND_COLOUR", "PUT", "/api/v1/brand", body(0, "accent", "#ffcc00"))
	root.code(422, "NO_LOGO", "PUT", "/api/v1/brand", body(0, "logo", strings.Repeat("0", 64)))
	root.code(422, "BRAND_LONG", "PUT", "/api/v1/brand", body(0, "name", strings.Repeat("é", 65)))
	root.code(422, "BRAND_LONG", "PUT", "/api/v1/brand", body(0, "sentence", strings.Repeat("x", 281)))
	root.want(200, "PUT", "/api/v1/brand", body(0))
	root.code(409, "BRAND_CHANGED", "PUT", "/api/v1/brand", body(0))
	shown := html.EscapeString("Aide <img src=x onerror=alert(1)> & Co")
	for path, want := range map[string]string{"/?lang=en": "Call 4357 &lt;b&gt;first&lt;/b&gt;.", "/?lang=fr": "Appelez d’abord le 4357.", "/wait": shown} {
		_, raw := nobody.do("GET", path, nil)
		if page := string(raw); !strings.Contains(page, want) || !strings.Contains(page, shown) || strings.Contains(page, "<img") || strings.Contains(page, "<b>first") {
			t.Errorf("%s does not show it as it should", path)
		}
	}
	if me := root.want(200, "GET", "/api/v1/me", nil); me["organisation"] != "Aide <img src=x onerror=alert(1)> & Co" {
		t.Errorf("the console is told %v", me["organisation"])
	}
	if last := root.want(200, "GET", "/api/v1/changes", nil)["changes"].([]any)[0].(map[string]any); last["type"] != "brand.set" || last["name"] == nil {
		t.Errorf("the last change: %v", last)
	}
	ahead.Store(int64(identity.StepUpLife))
	root.code(403, "STEP_UP", "PUT", "/api/v1/brand", body(1, "name", "Autre"))
	if _, raw := nobody.do("GET", "/", nil); strings.Contains(string(raw), "Autre") {
		t.Error("it is shown without a proof")
	}
	root.want(204, "POST", "/api/v1/stepup", map[string]any{"password": password})
	root.want(200, "PUT", "/api/v1/brand", body(1, "name", "", "sentence", "", "phrase", ""))
	if _, raw := nobody.do("GET", "/", nil); !strings.Contains(string(raw), "Exemple") || strings.Contains(string(raw), `id="sentence"`) {
		t.Error("without a name it is not that of the configuration")
	}
}

// wordmark is a PNG as wide as a name.
func wordmark(t *testing.T) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 300, 60))
	for i := range img.Pix {
		if i/4%300 > 20 {
			img.Pix[i] = []uint8{20, 20, 20, 255}[i%4]
		}
	}
	img.Set(0, 0, color.Black)
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A logo and a colour: added, looked at, shown on every page, and taken down again.
func TestAHelpDeskShowsItsLogoAndItsColour(t *testing.T) {
	s := newSite(t)
	root, tech, nobody := s.as(identity.Admin, "Root"), s.as(identity.Technician, "Zoé"), s.visitor()
	const at = "/api/v1/brand/logo"
	sent := append(wordmark(t), "<script>alert(1)</script>"...)
	for name, try := range map[string]struct {
		kind, code string
		b          []byte
		status     int
	}{
		"an SVG":          {"image/svg+xml", "LOGO_KIND", []byte("<svg onload=alert(1)>"), 422},
		"half":            {"image/png", "LOGO_BROKEN", sent[:60], 422},
		"nothing":         {"image/png", "LOGO_KIND", nil, 422},
		"too much":        {"image/png", "LOGO_LARGE", append(bytes.Clone(sent), make([]byte, 256<<10)...), 413},
		"too small":       {"image/png", "LOGO_SIDES", pngOf(t, 15, 15), 422},
		"no picture":      {"application/json", "WRONG_TYPE", []byte("{}"), 415},
		"clear as air":    {"image/png", "LOGO_BLANK", nothing(t), 422},
		"said to be JPEG": {"image/jpeg", "", sent, 201}, // what it is counts
	} {
		if status, text := root.sends(at, try.kind, try.b); status != try.status || !strings.Contains(text, try.code) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if status, _ := tech.sends(at, "image/png", sent); status != 403 {
		t.Errorf("a technician adds one: %d", status)
	}
	_, text := root.sends(at, "image/png", sent)
	id := regexp.MustCompile(`[0-9a-f]{64}`).FindString(text)
	if !strings.Contains(text, `"plate":"light"`) || !strings.Contains(text, `"width":300`) {
		t.Errorf("what is said of it: %s", text)
	}
	address := "/brand/" + id + ".png"
	if resp, _ := nobody.do("GET", address, nil); resp.StatusCode != 404 {
		t.Errorf("it is there before it is shown: %d", resp.StatusCode)
	}
	resp, picture := root.do("GET", at+"/"+id, nil)
	if sum := sha256.Sum256(picture); resp.StatusCode != 200 || hex.EncodeToString(sum[:]) != id || bytes.Contains(picture, []byte("script")) {
		t.Errorf("to be looked at: %d, %d bytes", resp.StatusCode, len(picture))
	}
	if resp, _ := tech.do("GET", at+"/"+id, nil); resp.StatusCode != 403 {
		t.Errorf("a technician looks at it: %d", resp.StatusCode)
	}
	for colour, want := range map[string][2]string{"": {"", "#0b6763"}, "%230056A3": {"", "#0056a3"}, "b3261e": {"warning", ""}, "%23fc0": {"faint", ""}} {
		p := root.want(200, "GET", "/api/v1/brand/palette?colour="+colour, nil)
		light := p["light"].(map[string]any)
		if p["why"] != want[0] || want[1] != "" && p["colour"] != want[1] || light["mf-accent"] != p["colour"] || light["mf-danger"] != "#b3261e" {
			t.Errorf("%q: %v", colour, p)
		}
	}
	root.code(422, "BRAND_COLOUR", "GET", "/api/v1/brand/palette?colour=red", nil)

	set := func(version int, name, accent, logo string) {
		t.Helper()
		root.want(200, "PUT", "/api/v1/brand", map[string]any{"version": version, "name": name, "sentence": "", "phrase": "", "accent": accent, "logo": logo})
	}
	set(0, `Ville "d’Exemple" <b>`, "#0056a3", id)
	if b := root.want(200, "GET", "/api/v1/brand", nil); b["accent"] != "#0056a3" || b["logo"] != id {
		t.Errorf("%v", b)
	}
	sheet := ""
	for _, path := range []string{"/", "/wait", "/nowhere", "/signin", "/receipt", "/help/x"} {
		_, raw := nobody.do("GET", path, nil)
		page := string(raw)
		if m := regexp.MustCompile(`href="(/brand/[0-9a-f]{64}\.css)"`).FindStringSubmatch(page); m == nil {
			t.Errorf("%s has no colour", path)
		} else {
			sheet = m[1]
		}
		if !strings.Contains(page, address) || strings.Contains(page, "<b>") || !strings.Contains(page, html.EscapeString(`Ville "d’Exemple" <b>`)) {
			t.Errorf("%s: %s", path, page)
		}
	}
	if _, raw := root.do("GET", "/admin", nil); !strings.Contains(string(raw), `data-logo="`+address+`"`) || strings.Index(string(raw), "/brand/") > strings.Index(string(raw), "</head>") {
		t.Errorf("/admin: %s", raw)
	}
	for path, kind := range map[string]string{address: "image/png", sheet: "text/css; charset=utf-8"} {
		resp, raw := nobody.do("GET", path, nil)
		h := resp.Header
		if resp.StatusCode != 200 || h.Get("Content-Type") != kind || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Content-Security-Policy") != "default-src 'none'; sandbox" || h.Get("Cache-Control") != "public, max-age=31536000, immutable" || h.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v", path, resp.StatusCode, h)
		}
		if sum := sha256.Sum256(raw); !strings.Contains(path, hex.EncodeToString(sum[:])) {
			t.Errorf("%s is not what its name says", path)
		}
	}
	last := root.want(200, "GET", "/api/v1/changes", nil)["changes"].([]any)[0].(map[string]any)
	if data := last["data"].(map[string]any); last["type"] != "brand.set" || data["logo"] != id || data["accent"] != "0056a3" || data["was_logo"] != "" {
		t.Errorf("the last change: %v", last)
	}
	set(1, "Ville", "", "")
	for _, path := range []string{address, sheet} {
		if resp, _ := nobody.do("GET", path, nil); resp.StatusCode != 404 {
			t.Errorf("%s is still to be had: %d", path, resp.StatusCode)
		}
	}
	set(2, "Ville", "", id) // and back
	if resp, _ := nobody.do("GET", address, nil); resp.StatusCode != 200 {
		t.Errorf("there is no way back: %d", resp.StatusCode)
	}
}

// nothing is a PNG on which there is nothing.
func nothing(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, 32, 32))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Who cannot see the logo hears the name: there must be one, here or in the configuration.
func TestALogoNeedsAName(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Organisation = "" })
	root := s.as(identity.Admin, "Root")
	_, text := root.sends("/api/v1/brand/logo", "image/png", wordmark(t))
	id := regexp.MustCompile(`[0-9a-f]{64}`).FindString(text)
	put := map[string]any{"version": 0, "name": " ", "sentence": "", "phrase": "", "accent": "", "logo": id}
	root.code(422, "NO_NAME", "PUT", "/api/v1/brand", put)
	put["name"] = "Aide"
	root.want(200, "PUT", "/api/v1/brand", put)
}
