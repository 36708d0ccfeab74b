package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/signaling/identity"
)

func TestSigningInAndOut(t *testing.T) {
	s := newSite(t)
	v := s.as(identity.Technician, "Ann")
	me := v.want(200, "GET", "/api/v1/me", nil)
	if me["name"] != "Ann" || me["role"] != "technician" || me["organisation"] != "Exemple" || me["public_host"] != "127.0.0.1" || me["lang"] != "en" {
		t.Errorf("me: %v", me)
	}
	if me := v.want(200, "GET", "/api/v1/me", nil, "Accept-Language", "fr"); me["lang"] != "fr" {
		t.Errorf("me in French: %v", me)
	}
	v.want(204, "PUT", "/api/v1/me/lang", map[string]any{"lang": "fr"})
	if me := v.want(200, "GET", "/api/v1/me", nil); me["lang"] != "fr" {
		t.Errorf("the language was not kept: %v", me)
	}
	v.code(422, "INVALID_LANG", "PUT", "/api/v1/me/lang", map[string]any{"lang": "de"})
	v.want(204, "POST", "/api/v1/signout", map[string]any{})
	v.code(401, "NOT_SIGNED_IN", "GET", "/api/v1/me", nil)

	other := s.visitor()
	other.code(401, "WRONG_PASSWORD", "POST", "/api/v1/signin", map[string]any{"name": "ann", "password": "wrong password"})
	other.code(401, "WRONG_PASSWORD", "POST", "/api/v1/signin", map[string]any{"name": "nobody", "password": "wrong password"})
	resp, _ := other.do("POST", "/api/v1/signin", map[string]any{"name": "ann", "password": password})
	k := resp.Cookies()[0]
	if k.Name != "mf" || !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.Domain != "" || k.Secure {
		t.Errorf("the cookie on loopback: %v", k)
	}
	for range 4 {
		other.do("POST", "/api/v1/signin", map[string]any{"name": "ann", "password": "wrong password"})
	}
	resp, _ = other.do("POST", "/api/v1/signin", map[string]any{"name": "ann", "password": password})
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("after five failures: %d", resp.StatusCode)
	}
}

func TestCookieUnderTLSIsBoundToTheHost(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Secure, c.PublicHost = true, "help.example.com" })
	token, err := s.Users().Link(t.Context(), identity.Link{Role: identity.Admin})
	if err != nil {
		t.Fatal(err)
	}
	resp, _ := s.visitor().do("POST", "/api/v1/signin/link", map[string]any{"token": token, "name": "root", "password": password})
	k := resp.Cookies()[0]
	if k.Name != "__Host-mf" || !k.Secure || !k.HttpOnly || k.Path != "/" || k.Domain != "" {
		t.Errorf("the cookie: %v", k)
	}
	if got := resp.Header.Get("Strict-Transport-Security"); got == "" {
		t.Error("no HSTS")
	}
}

// T-FIX: what was planted before signing in is worth nothing after.
func TestSigningInMakesANewCookieAndEndsTheOld(t *testing.T) {
	s := newSite(t)
	v := s.as(identity.Technician, "ann")
	u, _ := url.Parse(s.srv.URL)
	old := v.http.Jar.Cookies(u)[0]
	v.want(200, "POST", "/api/v1/signin", map[string]any{"name": "ann", "password": password})
	if fresh := v.http.Jar.Cookies(u)[0]; fresh.Value == old.Value {
		t.Error("the cookie stayed the same")
	}
	thief := s.visitor()
	thief.http.Jar.SetCookies(u, []*http.Cookie{old})
	thief.code(401, "NOT_SIGNED_IN", "GET", "/api/v1/me", nil)
	planted := s.visitor()
	planted.http.Jar.SetCookies(u, []*http.Cookie{{Name: "mf", Value: strings.Repeat("A", 43)}})
	planted.want(200, "POST", "/api/v1/signin", map[string]any{"name": "ann", "password": password})
	if got := planted.http.Jar.Cookies(u)[0].Value; got == strings.Repeat("A", 43) {
		t.Error("a planted cookie became a sign-in")
	}
}

func TestOneTimeLinks(t *testing.T) {
	s := newSite(t)
	token, err := s.Users().Link(t.Context(), identity.Link{Role: identity.Auditor})
	if err != nil {
		t.Fatal(err)
	}
	v := s.visitor()
	if l := v.want(200, "GET", "/api/v1/signin/link?token="+token, nil); l["role"] != "auditor" || l["name"] != nil {
		t.Errorf("the link: %v", l)
	}
	v.code(422, "WEAK_PASSWORD", "POST", "/api/v1/signin/link", map[string]any{"token": token, "name": "Ada", "password": "short"})
	v.code(422, "BAD_NAME", "POST", "/api/v1/signin/link", map[string]any{"token": token, "name": " ", "password": password})
	v.want(200, "POST", "/api/v1/signin/link", map[string]any{"token": token, "name": "Ada", "password": password})
	v.code(404, "NO_LINK", "GET", "/api/v1/signin/link?token="+token, nil)
	v.code(404, "NO_LINK", "POST", "/api/v1/signin/link", map[string]any{"token": token, "name": "Eve", "password": password})
	second, err := s.Users().Link(t.Context(), identity.Link{Role: identity.Auditor})
	if err != nil {
		t.Fatal(err)
	}
	v.code(409, "NAME_TAKEN", "POST", "/api/v1/signin/link", map[string]any{"token": second, "name": "ada", "password": password})
	if log := s.out.String(); strings.Contains(log, token) || strings.Contains(log, second) || strings.Contains(log, password) {
		t.Error("a link or a password stands in the server's output")
	}
}

// T-SETUP: after the first user every variant of the way in is shut.
func TestSetupStaysShut(t *testing.T) {
	s := newSite(t)
	setup, err := s.Users().SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.as(identity.Technician, "ann")
	v := s.visitor()
	v.code(404, "NO_LINK", "POST", "/api/v1/signin/link", map[string]any{"token": setup, "name": "eve", "password": password})
	for _, p := range []string{"/api/v1/signin/link/", "/api/v1/signin//link", "/api/v1/signin/link;x", "/API/v1/signin/link", "/api/v1/signin%2flink", "/setup"} {
		resp, _ := v.do("POST", p, map[string]any{"token": setup, "name": "eve", "password": password})
		if resp.StatusCode == 200 {
			t.Errorf("%s let somebody in", p)
		}
	}
}

func TestRestartKeepsSignIns(t *testing.T) {
	s := newSite(t)
	v := s.as(identity.Technician, "ann")
	u, _ := url.Parse(s.srv.URL)
	k := v.http.Jar.Cookies(u)
	s.stop()
	s.start()
	u, _ = url.Parse(s.srv.URL)
	v.http.Jar.SetCookies(u, k)
	if me := v.want(200, "GET", "/api/v1/me", nil); me["name"] != "ann" {
		t.Errorf("after a restart: %v", me)
	}
}
