package api

import (
	"net/http/httptest"
	"testing"
)

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
