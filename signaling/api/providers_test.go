package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/identity/identitytest"
)

// From the button to the page that was asked for, and every way that does not end
// there: one word for the page, and nobody signed in.
func TestThroughAProvider(t *testing.T) {
	p := identitytest.New(t)
	s := newSite(t, func(c *Config) { c.Providers = []identity.ProviderSetup{p.Setup()} })
	v := s.visitor()
	if l := v.want(200, "GET", "/api/v1/signin/providers", nil)["providers"].([]any); len(l) != 1 || l[0].(map[string]any)["label"] != "Example Hospital" {
		t.Errorf("the buttons: %v", l)
	}
	v.want(404, "GET", "/signin/with/another", nil)
	v.want(404, "GET", "/signin/back/another", nil)

	// go goes to the provider and comes back; trouble is why nobody is signed in.
	through := func(v *visitor, next string, bend func(q url.Values)) (resp *http.Response, trouble string) {
		t.Helper()
		resp, _ = v.do("GET", "/signin/with/hospital?next="+url.QueryEscape(next), nil)
		if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), p.URL+"/auth?") {
			t.Fatalf("to the provider: %d %s", resp.StatusCode, resp.Header.Get("Location"))
		}
		k := resp.Cookies()[0]
		if k.Name != "mf-flow" || !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.MaxAge > 600 {
			t.Errorf("the cookie: %v", k)
		}
		q := p.Visit(resp.Header.Get("Location"))
		if bend != nil {
			bend(q)
		}
		resp, _ = v.do("GET", "/signin/back/hospital?"+q.Encode(), nil)
		at, err := url.Parse(resp.Header.Get("Location"))
		if err != nil || resp.StatusCode != http.StatusSeeOther || at.Host != "" {
			t.Fatalf("back: %d %s", resp.StatusCode, resp.Header.Get("Location"))
		}
		return resp, at.Query().Get("trouble")
	}

	p.Person("u-1", "Ana", "desk")
	resp, trouble := through(v, "/console?ticket=local%3A1", nil)
	if trouble != "" || resp.Header.Get("Location") != "/console?ticket=local%3A1" {
		t.Fatalf("%s, %s", trouble, resp.Header.Get("Location"))
	}
	if me := v.want(200, "GET", "/api/v1/me", nil); me["name"] != "Ana" || me["role"] != "technician" {
		t.Errorf("me: %v", me)
	}
	u, _ := url.Parse(s.srv.URL)
	first := v.http.Jar.Cookies(u)
	if len(first) != 1 {
		t.Errorf("the attempt is kept after its end: %v", first)
	}
	// T-FIX: signing in again is another cookie, and the end of the old one.
	through(v, "", nil)
	thief := s.visitor()
	thief.http.Jar.SetCookies(u, first)
	thief.code(401, "NOT_SIGNED_IN", "GET", "/api/v1/me", nil)

	for next, want := range map[string]string{
		"": "/console", "https://evil.example/": "/console", "//evil.example": "/console", `/\evil.example`: "/console", "/.//evil.example": "/console",
		"/%2fevil.example": "/console", "/signin": "/console", "javascript:alert(1)": "/console", "/launch?x=1": "/launch?x=1", "/console\r\nX: y": "/console",
	} {
		if resp, _ := through(s.visitor(), next, nil); resp.Header.Get("Location") != want {
			t.Errorf("next %q leads to %s", next, resp.Header.Get("Location"))
		}
	}

	for name, c := range map[string]struct {
		groups []string
		bend   func(q url.Values)
		want   string
	}{
		"another state": {[]string{"desk"}, func(q url.Values) { q.Set("state", "x") }, "lost"},
		"no code":       {[]string{"desk"}, func(q url.Values) { q.Del("code") }, "bad"},
		"said no":       {[]string{"desk"}, func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") }, "denied"},
		"its fault":     {[]string{"desk"}, func(q url.Values) { q.Del("code"); q.Set("error", "server_error<script>") }, "error"},
		"no group":      {[]string{"cooks"}, nil, "no_group"},
	} {
		p.Person("u-2", "Eve", c.groups...)
		v := s.visitor()
		if _, got := through(v, "/console", c.bend); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
		v.code(401, "NOT_SIGNED_IN", "GET", "/api/v1/me", nil)
	}

	// The way back in a browser that never went: what an attacker would send somebody.
	p.Person("u-1", "Ana", "desk")
	resp, _ = s.visitor().do("GET", "/signin/with/hospital", nil)
	q := p.Visit(resp.Header.Get("Location"))
	stranger := s.visitor()
	resp, _ = stranger.do("GET", "/signin/back/hospital?"+q.Encode(), nil)
	if !strings.Contains(resp.Header.Get("Location"), "trouble=lost") {
		t.Errorf("in another browser: %s", resp.Header.Get("Location"))
	}
	stranger.code(401, "NOT_SIGNED_IN", "GET", "/api/v1/me", nil)

	if log := s.out.String(); strings.Contains(log, identitytest.Secret) {
		t.Error("the secret stands in the server's output")
	}
}

// Who has no password proves who they are where they signed in, and costs a namesake
// no try.
func TestAProvidedPersonProvesItAtTheProvider(t *testing.T) {
	p := identitytest.New(t)
	now := time.Now()
	s := newSite(t, ticking(&now), func(c *Config) { c.Providers = []identity.ProviderSetup{p.Setup()} })
	s.as(identity.Technician, "Ana")
	p.Person("u-1", "Ana", "desk")
	v := s.visitor()
	through := func(more, to string) {
		t.Helper()
		resp, _ := v.do("GET", "/signin/with/hospital?next=%2Faccount"+more, nil)
		at, err := url.Parse(resp.Header.Get("Location"))
		if err != nil || (at.Query().Get("prompt") == "login") != (more != "") || (at.Query().Get("max_age") == "0") != (more != "") {
			t.Errorf("sent to %s, %v", at, err)
		}
		resp, _ = v.do("GET", "/signin/back/hospital?"+p.Visit(at.String()).Encode(), nil)
		if at := resp.Header.Get("Location"); at != to {
			t.Fatalf("back: %d %s", resp.StatusCode, at)
		}
	}
	through("", "/account") // whoever sits there, as long as the provider knows the browser
	v.code(403, "STEP_UP", "POST", "/api/v1/me/totp", map[string]any{})
	need := v.want(200, "GET", "/api/v1/stepup", nil)
	if there, _ := need["provider"].(map[string]any); len(need["by"].([]any)) != 1 || need["by"].([]any)[0] != "provider" || there["name"] != "hospital" || there["label"] != "Example Hospital" {
		t.Errorf("asked for %v", need)
	}
	for range 10 { // more than one account is given
		v.code(403, "STEP_UP", "POST", "/api/v1/stepup", map[string]any{"password": "wrong password"})
	}
	s.visitor().want(200, "POST", "/api/v1/signin", map[string]any{"name": "Ana", "password": password})
	through("&again=1", "/account")
	v.want(201, "POST", "/api/v1/me/totp", map[string]any{})
	now = now.Add(6 * time.Minute)
	v.code(403, "STEP_UP", "POST", "/api/v1/me/totp", map[string]any{})
	// One that does not say when it asked may not have asked.
	p.Bend = func(claims map[string]any) { delete(claims, "auth_time") }
	through("&again=1", "/signin?next=%2Faccount&provider=hospital&trouble=stale")
	w := s.as(identity.Technician, "Bob")
	if need := w.want(200, "GET", "/api/v1/stepup", nil); need["provider"] != nil || len(need["by"].([]any)) != 1 || need["by"].([]any)[0] != "password" {
		t.Errorf("who has a password is asked for %v", need)
	}
}

// A page elsewhere that leads here signs nobody in again, and ends nothing.
func TestNobodyIsSentToAProviderByAnotherSite(t *testing.T) {
	p := identitytest.New(t)
	s := newSite(t, func(c *Config) { c.Providers = []identity.ProviderSetup{p.Setup()} })
	v := s.visitor()
	for site, away := range map[string]bool{"": true, "none": true, "same-origin": true, "same-site": false, "cross-site": false} {
		var headers []string
		if site != "" {
			headers = []string{"Sec-Fetch-Site", site}
		}
		resp, _ := v.do("GET", "/signin/with/hospital?next=%2Flaunch%3Fx%3D1", nil, headers...)
		at := resp.Header.Get("Location")
		if resp.StatusCode != http.StatusSeeOther || strings.HasPrefix(at, p.URL+"/auth?") != away || !away && (at != "/signin?next=%2Flaunch%3Fx%3D1" || len(resp.Cookies()) != 0) {
			t.Errorf("from %q: %d %s", site, resp.StatusCode, at)
		}
	}
}

// TestWhereSigningInLeads has the cases of the sign-in page's own test.
func TestWhereSigningInLeads(t *testing.T) {
	b, err := os.ReadFile("../../web/test/destinations.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][2]*string
	if err := json.Unmarshal(b, &cases); err != nil || len(cases) == 0 {
		t.Fatal(len(cases), err)
	}
	for _, c := range cases {
		if c[0] == nil {
			continue // the page's way to say that there is none
		}
		if got := destination(*c[0], identity.Technician); got != *c[1] {
			t.Errorf("next=%q leads to %q, not %q", *c[0], got, *c[1])
		}
	}
	if got := destination("", identity.Auditor); got != "/audit" {
		t.Errorf("an auditor is led to %q", got)
	}
}
