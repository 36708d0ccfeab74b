package api

import (
	"html"
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
		b := map[string]any{"version": version, "name": hostile, "sentence": "Call 4357 <b>first</b>.", "phrase": "Appelez d’abord le 4357."}
		for i := 0; i < len(change); i += 2 {
			b[change[i]] = change[i+1]
		}
		return b
	}
	root.code(422, "BRAND_HALF", "PUT", "/api/v1/brand", body(0, "phrase", " \u202e"))
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
