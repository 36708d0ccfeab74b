package api

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/descope/virtualwebauthn"

	"github.com/mainforte/mainforte/signaling/identity"
)

// By what a browser sends and gets: a passkey is added, and signs in.
func TestAPasskeyByTheAPI(t *testing.T) {
	s := newSite(t, func(c *Config) { c.PublicHost, c.BaseURL = "localhost", "http://localhost" })
	s.srv.URL = strings.Replace(s.srv.URL, "127.0.0.1", "localhost", 1)
	party := virtualwebauthn.RelyingParty{Name: "Exemple", ID: "localhost", Origin: "http://localhost"}
	device, key := virtualwebauthn.NewAuthenticator(), virtualwebauthn.Credential{}
	const whole = 77 // bytes of a COSE key on P-256; the package writes some too short
	for key.Key == nil || len(key.Key.AttestationData()) != whole {
		key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	ann := s.as(identity.Technician, "Ann")
	offered := ann.want(200, "POST", "/api/v1/me/passkeys", map[string]any{})
	options, err := virtualwebauthn.ParseAttestationOptions(text(offered["options"]))
	if err != nil {
		t.Fatal(err)
	}
	device.Options.UserHandle = []byte(ann.want(200, "GET", "/api/v1/me", nil)["id"].(string))
	made := json.RawMessage(virtualwebauthn.CreateAttestationResponse(party, device, key, *options))
	ann.want(204, "PUT", "/api/v1/me/passkeys", map[string]any{"name": "Clé", "state": offered["state"], "credential": made})
	if list := ann.want(200, "GET", "/api/v1/me/factors", nil)["passkeys"].([]any); len(list) != 1 {
		t.Errorf("passkeys %v", list)
	}
	again := s.visitor()
	asked := again.want(200, "POST", "/api/v1/passkey", map[string]any{})
	prove, err := virtualwebauthn.ParseAssertionOptions(text(asked["options"]))
	if err != nil {
		t.Fatal(err)
	}
	proven := json.RawMessage(virtualwebauthn.CreateAssertionResponse(party, device, key, *prove))
	if me := again.want(200, "POST", "/api/v1/signin/passkey", map[string]any{"state": asked["state"], "credential": proven}); me["name"] != "Ann" {
		t.Errorf("signed in: %v", me)
	}
}

// C96: the origin of a passkey's answer is not for the caller to say.
func TestThePageOfAPasskey(t *testing.T) {
	for _, c := range []struct {
		base, host string
		secure     bool
		want       string
	}{
		{"https://help.example.org", "help.example.org", true, "https://help.example.org"},
		{"https://help.example.org", "help.example.org:8443", true, "https://help.example.org"},
		{"https://help.example.org:443/", "help.example.org", true, "https://help.example.org"},
		{"https://help.example.org:8443", "help.example.org", true, "https://help.example.org:8443"},
		{"http://localhost:80", "localhost", false, "http://localhost"},
		{"", "help.example.org:8443", true, "https://help.example.org:8443"},
		{"", "localhost:8080", false, "http://localhost:8080"},
	} {
		s := &Server{cfg: Config{PublicHost: "help.example.org", BaseURL: c.base, Secure: c.secure}}
		if !c.secure {
			s.cfg.PublicHost = "localhost"
		}
		r := httptest.NewRequest("POST", "/api/v1/signin/passkey", nil)
		r.Host = c.host
		if site, err := s.site(&call{Request: r}); err != nil || site.Origin != c.want {
			t.Errorf("pages at %q, asked at %q: %q %v, want %q", c.base, c.host, site.Origin, err, c.want)
		}
	}
}
