package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
)

// token makes an API token.
func (s *site) token(n identity.NewToken) (secret, id string) {
	s.t.Helper()
	if n.Name == "" {
		n.Name = "a button"
	}
	n.Expires = time.Now().Add(time.Hour)
	secret, t, err := s.Users().NewToken(s.t.Context(), n)
	if err != nil {
		s.t.Fatal(err)
	}
	return secret, t.ID
}

func as(secret string) []string { return []string{"Authorization", "Bearer " + secret} }

// P14: a token can do only what the table gives its scopes, and never more than
// its role; the sockets and what changes settings are for no token at all.
func TestEveryRouteForEveryToken(t *testing.T) {
	s := newSite(t, func(c *Config) {
		in := c.Identity
		c.Identity = func(i *identity.Config) { in(i); i.PerToken.N, i.PerToken.In = 10_000, time.Second }
	})
	// Written out by hand, not asked of the table.
	may := map[identity.Scope]map[string][]identity.Role{
		identity.ReadTickets: {
			"GET /api/v1/tickets":      {identity.Technician, identity.Supervisor, identity.Admin},
			"GET /api/v1/tickets/{id}": {identity.Technician, identity.Supervisor, identity.Admin},
		},
		identity.ReadSessions: {"GET /api/v1/sessions": {identity.Supervisor, identity.Auditor, identity.Admin}},
		identity.ReadTrends: {
			"GET /api/v1/trends":        {identity.Supervisor, identity.Admin},
			"GET /api/v1/trends/export": {identity.Supervisor, identity.Admin},
		},
		identity.Launch: {"POST /api/v1/sessions": {identity.Technician, identity.Supervisor}},
	}
	v := s.visitor()
	for _, role := range identity.Roles() {
		for _, scope := range identity.Scopes() {
			secret, _ := s.token(identity.NewToken{Role: role, Scopes: []identity.Scope{scope}})
			for _, p := range s.routes {
				if identity.Public(p) {
					continue
				}
				method, path := address(p)
				var body any
				if method == "POST" || method == "PUT" {
					body = "not json"
				}
				resp, raw := v.do(method, path, body, as(secret)...)
				denied := resp.StatusCode == http.StatusForbidden
				if allowed := slices.Contains(may[scope][p], role); denied == allowed || resp.StatusCode == http.StatusUnauthorized {
					t.Errorf("%s token for %s on %s: %d %s", role, scope, p, resp.StatusCode, raw)
				}
			}
		}
	}
}

// P14: a token is never more than its owner is today.
func TestATokenIsNeverMoreThanItsOwner(t *testing.T) {
	s := newSite(t)
	s.as(identity.Supervisor, "Sue")
	sue := s.as(identity.Admin, "Root")
	_, _, err := s.Users().NewToken(t.Context(), identity.NewToken{Name: "x", Role: identity.Admin, Owner: "Sue", Scopes: identity.Scopes(), Expires: time.Now().Add(time.Hour)})
	if err == nil {
		t.Error("a supervisor's token has the role of an admin")
	}
	secret, id := s.token(identity.NewToken{Owner: "sue", Scopes: identity.Scopes()})
	v := s.visitor()
	v.want(200, "GET", "/api/v1/sessions", nil, as(secret)...)
	v.code(403, "NOT_ALLOWED", "GET", "/api/v1/tokens", nil, as(secret)...)

	list := sue.want(200, "GET", "/api/v1/tokens", nil)["tokens"].([]any)
	if one := list[0].(map[string]any); len(list) != 1 || one["id"] != id || one["owner"] != "Sue" || one["role"] != "supervisor" || one["used"] == nil || one["revoked"] != nil {
		t.Errorf("listed: %v", list)
	}
	user := v.want(200, "POST", "/api/v1/signin", map[string]any{"name": "Sue", "password": password})["id"].(string)
	by := audit.Actor{Kind: "system"}
	if _, err := s.Users().SetRole(t.Context(), by, user, identity.Technician); err != nil {
		t.Fatal(err)
	}
	s.visitor().code(403, "NOT_ALLOWED", "GET", "/api/v1/sessions", nil, as(secret)...)
	if _, err := s.Users().SetRole(t.Context(), by, user, identity.Supervisor); err != nil {
		t.Fatal(err)
	}
	s.visitor().want(200, "GET", "/api/v1/sessions", nil, as(secret)...)
	if _, err := s.Users().Disable(t.Context(), audit.Actor{Kind: "system"}, user); err != nil {
		t.Fatal(err)
	}
	s.visitor().code(401, "BAD_TOKEN", "GET", "/api/v1/sessions", nil, as(secret)...)
}

func TestATokenAndACookieAreRefused(t *testing.T) {
	s := newSite(t)
	sue := s.as(identity.Supervisor, "Sue")
	secret, id := s.token(identity.NewToken{Role: identity.Technician, Scopes: identity.Scopes()})
	sue.code(400, "TWO_CREDENTIALS", "GET", "/api/v1/tickets", nil, as(secret)...)
	// That of a proxy in front is none of ours.
	sue.want(200, "GET", "/api/v1/tickets", nil, "Authorization", "Basic YTpi")

	// P15: another site's page cannot send one either.
	v := s.visitor()
	v.code(403, "CROSS_ORIGIN", "POST", "/api/v1/tickets", map[string]any{}, append(as(secret), "Sec-Fetch-Site", "cross-site")...)

	h := http.Header{"Origin": {s.srv.URL}, "Authorization": {"Bearer " + secret}}
	_, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.srv.URL, "http")+"/ws/viewer", h)
	if err == nil || resp.StatusCode != 403 {
		t.Errorf("a token opens the socket of technicians: %v", resp)
	}

	root := s.as(identity.Admin, "Root")
	root.want(204, "DELETE", "/api/v1/tokens/"+id, nil)
	root.want(204, "DELETE", "/api/v1/tokens/"+id, nil)
	root.code(404, "NOT_FOUND", "DELETE", "/api/v1/tokens/nothing", nil)
	v.code(401, "BAD_TOKEN", "GET", "/api/v1/tickets", nil, as(secret)...)
	u, _ := url.Parse(s.srv.URL)
	if len(v.http.Jar.Cookies(u)) != 0 {
		t.Error("a program was given a cookie")
	}
}
