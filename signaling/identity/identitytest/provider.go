// Package identitytest is a sign-in provider for tests: strict about what it is
// asked, and dishonest on request.
package identitytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mainforte/mainforte/signaling/identity"
)

// Secret and Client are those of [Provider.Setup].
const (
	Client = "mainforte"
	Secret = "a secret of tests"
)

// Provider is an OpenID provider. Its knobs may be turned between two sign-ins.
type Provider struct {
	*httptest.Server
	t   testing.TB
	key *ecdsa.PrivateKey

	mu     sync.Mutex
	codes  map[string]url.Values
	Claims map[string]any                   // of the next person, beside those of the protocol
	Info   map[string]any                   // what the user information endpoint answers
	Bend   func(claims map[string]any)      // changes the claims of the next token
	Sign   func(payload []byte) string      // instead of our key
	Tokens func(w http.ResponseWriter) bool // instead of the token endpoint's own answer

	asked  map[string]int    // how often, by path
	Before func(path string) // each answer; may wait

	Careless bool // takes a code more than once
}

// New starts a provider.
func New(t testing.TB) *Provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{t: t, key: key, codes: map[string]url.Values{}, asked: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"userinfo_endpoint": p.URL + "/me", "id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, _ *http.Request) { p.json(w, p.Info) })
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked[r.URL.Path]++
		before := p.Before
		p.mu.Unlock()
		if before != nil {
			before(r.URL.Path)
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// Setup is how a server is told of it: members of "desk" are technicians of the
// First line, members of "audit" auditors.
func (p *Provider) Setup() identity.ProviderSetup {
	return identity.ProviderSetup{
		Name: "hospital", Label: "Example Hospital", Issuer: p.URL, ClientID: Client, ClientSecret: Secret, GroupsClaim: "groups", NameClaim: "name",
		Groups: []identity.ProvidedGroup{
			{Group: "audit", Role: identity.Auditor},
			{Group: "desk", Role: identity.Technician, Teams: []string{"First line"}},
			{Group: "root", Role: identity.Admin},
		},
	}
}

// Asked is how often that path was.
func (p *Provider) Asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

// Person is who signs in next.
func (p *Provider) Person(subject, name string, groups ...string) {
	p.Claims = map[string]any{"sub": subject, "name": name, "groups": groups}
}

// Visit is a browser at the authorization endpoint: the person says yes, and what is
// returned is the way back.
func (p *Provider) Visit(at string) url.Values {
	p.t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		p.t.Fatal(err)
	}
	q := u.Query()
	if u.Path != "/auth" || q.Get("response_type") != "code" || q.Get("client_id") != Client || q.Get("code_challenge_method") != "S256" ||
		q.Get("code_challenge") == "" || q.Get("nonce") == "" || q.Get("state") == "" {
		p.t.Errorf("an authorization request that lacks something: %s", at)
	}
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = q
	p.mu.Unlock()
	return url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Tokens != nil && p.Tokens(w) {
		return
	}
	id, secret, _ := r.BasicAuth()
	secret, _ = url.QueryUnescape(secret)
	q, ok := p.codes[r.FormValue("code")]
	if !p.Careless {
		delete(p.codes, r.FormValue("code"))
	}
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !ok || id != Client || secret != Secret || base64.RawURLEncoding.EncodeToString(sum[:]) != q.Get("code_challenge") || r.FormValue("redirect_uri") != q.Get("redirect_uri") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return
	}
	now := time.Now()
	claims := map[string]any{"iss": p.URL, "aud": Client, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "nonce": q.Get("nonce")}
	if q.Get("max_age") != "" { // this one always asks
		claims["auth_time"] = now.Unix()
	}
	for k, v := range p.Claims {
		claims[k] = v
	}
	if p.Bend != nil {
		p.Bend(claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		p.t.Error(err)
	}
	sign := p.Sign
	if sign == nil {
		sign = func(b []byte) string { return Sign(p.t, p.key, b) }
	}
	p.json(w, map[string]any{"access_token": "x", "token_type": "Bearer", "expires_in": 60, "id_token": sign(payload)})
}

// Sign signs a payload as a token with the key identifier of the provider.
func Sign(t testing.TB, key *ecdsa.PrivateKey, payload []byte) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
	if err != nil {
		t.Error(err)
		return ""
	}
	signed, err := s.Sign(payload)
	if err != nil {
		t.Error(err)
		return ""
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Error(err)
	}
	return text
}

func (p *Provider) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}
