package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Sign-in by a provider of OpenID Connect: authorization code with PKCE (RFC 7636),
// state and nonce bound to the one browser by a cookie of ours. Whatever comes back
// by the browser is hostile until the provider, asked by ourselves over TLS, has
// vouched for it in a token that is signed, of this issuer, for us, of now, and for
// this very attempt.

// Errors of signing in by a provider. Each is one plain sentence on the page.
var (
	ErrProviderAway  = errors.New("identity: the sign-in provider does not answer")
	ErrProviderNo    = errors.New("identity: the sign-in provider was told no")
	ErrProviderSays  = errors.New("identity: the sign-in provider reports an error")
	ErrProviderLost  = errors.New("identity: this attempt to sign in did not begin in this browser, is used up or too old")
	ErrProviderBad   = errors.New("identity: what the sign-in provider sent does not hold")
	ErrProviderClock = errors.New("identity: the clocks of the sign-in provider and of this server differ")
	ErrProviderStale = errors.New("identity: the sign-in provider does not say that it asked just now")
	ErrNoGroup       = errors.New("identity: none of the groups gives a role here")
)

// Bounds of a sign-in by a provider.
const (
	FlowLife     = 10 * time.Minute // from the button to the way back
	clockSkew    = 2 * time.Minute  // that two clocks may differ
	providerWait = 10 * time.Second // for one answer
	discoverOnce = time.Hour
	maxAnswer    = 1 << 20 // bytes of an answer
	maxGroups    = 2000
	maxSubject   = 255 // bytes; OpenID Connect Core §2

	discoverAgain = 5 * time.Second // after it failed
)

// Provider is one that vouches for people. Safe for concurrent use.
type Provider struct {
	set    ProviderSetup
	client *http.Client
	now    func() time.Time

	mu   sync.Mutex
	last *discovery // nil: none yet
}

// discovery is one answer of the provider about where its parts are. What follows done
// is read once that is closed.
type discovery struct {
	done  chan struct{}
	found *oidc.Provider
	err   error
	at    time.Time // when it was there
}

// NewProvider does not call it.
func NewProvider(set ProviderSetup, now func() time.Time) *Provider {
	if now == nil {
		now = time.Now
	}
	way := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: providerWait}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: set.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   providerWait,
		ResponseHeaderTimeout: providerWait,
		MaxIdleConnsPerHost:   2,
		IdleConnTimeout:       time.Minute,
	}
	return &Provider{set: set, now: now, client: &http.Client{
		Transport: bounded{way}, Timeout: providerWait,
		// A provider does not send us anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// bounded keeps an answer from filling the memory.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}

// Name is that of the configuration, Label as people read it.
func (p *Provider) Name() string  { return p.set.Name }
func (p *Provider) Label() string { return p.set.Label }

// discover asks the provider where its parts are, once an hour. All who ask meanwhile
// wait for the same answer, each no longer than it likes, and one that did not come is
// not asked for again at once. Errors: ErrProviderAway.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	d := p.last
	if d == nil || d.over(p.now()) {
		d = &discovery{done: make(chan struct{})}
		p.last = d
		go p.ask(d)
	}
	p.mu.Unlock()
	select {
	case <-d.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrProviderAway, ctx.Err())
	}
	if d.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProviderAway, d.err)
	}
	return d.found, nil
}

// ask ends within providerWait: it is nobody's in particular.
func (p *Provider) ask(d *discovery) {
	defer close(d.done)
	d.found, d.err = oidc.NewProvider(oidc.ClientContext(context.Background(), p.client), p.set.Issuer)
	d.at = p.now()
}

// over tells whether it must be asked for anew.
func (d *discovery) over(now time.Time) bool {
	select {
	case <-d.done:
	default:
		return false
	}
	if d.err != nil {
		return now.Sub(d.at) >= discoverAgain
	}
	return now.Sub(d.at) >= discoverOnce
}

func (p *Provider) config(found *oidc.Provider, back string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.set.ClientID, ClientSecret: p.set.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: back,
		Scopes: append([]string{oidc.ScopeOpenID, "profile"}, p.set.Scopes...),
	}
}

// Flow is one attempt to sign in, kept by the browser that began it and by nobody
// else. What is in it helps nobody without an answer of the provider.
type Flow struct {
	Provider, State, Nonce, Verifier string
	Next                             string // where to go afterwards; hostile
	Again                            bool   // whether the provider was to ask anew
	Began                            time.Time
}

// Begin starts an attempt; back is our address to which the provider sends the
// browser, at is where the browser goes now. With again the provider shall ask who it
// is although it knows (OpenID Connect Core §3.1.2.1). ErrProviderAway: it does not
// answer.
func (p *Provider) Begin(ctx context.Context, back, next string, again bool) (at string, f Flow, err error) {
	found, err := p.discover(ctx)
	if err != nil {
		return "", Flow{}, err
	}
	f = Flow{Provider: p.set.Name, State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), Next: next, Again: again, Began: p.now()}
	with := []oauth2.AuthCodeOption{oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)}
	if again {
		with = append(with, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return p.config(found, back).AuthCodeURL(f.State, with...), f, nil
}

func random() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b)
}

func same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// finish takes what the browser brought back and asks the provider whom it vouches
// for.
func (p *Provider) finish(ctx context.Context, back string, f Flow, q url.Values) (Vouched, error) {
	now := p.now()
	if f.Provider != p.set.Name || !same(q.Get("state"), f.State) || now.Sub(f.Began) > FlowLife || f.Began.Sub(now) > clockSkew {
		return Vouched{}, ErrProviderLost
	}
	if iss := q.Get("iss"); iss != "" && iss != p.set.Issuer { // RFC 9207: another provider's answer
		return Vouched{}, fmt.Errorf("%w: an answer of another issuer", ErrProviderBad)
	}
	if code := q.Get("error"); code != "" {
		if code == "access_denied" || code == "login_required" || code == "interaction_required" {
			return Vouched{}, ErrProviderNo
		}
		return Vouched{}, fmt.Errorf("%w: %.80q", ErrProviderSays, code)
	}
	if q.Get("code") == "" {
		return Vouched{}, fmt.Errorf("%w: no code", ErrProviderBad)
	}
	found, err := p.discover(ctx)
	if err != nil {
		return Vouched{}, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	set := p.config(found, back)
	token, err := set.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		if said := (*oauth2.RetrieveError)(nil); errors.As(err, &said) && said.Response.StatusCode < 500 {
			// invalid_grant: the code was used before, or is too old.
			return Vouched{}, fmt.Errorf("%w: the code was refused: %.80q", ErrProviderLost, said.ErrorCode)
		}
		return Vouched{}, fmt.Errorf("%w: %w", ErrProviderAway, err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.verify(ctx, found, raw)
	if err != nil {
		return Vouched{}, err
	}
	if !same(id.Nonce, f.Nonce) {
		return Vouched{}, fmt.Errorf("%w: the nonce is of another attempt", ErrProviderBad)
	}
	return p.vouched(ctx, found, id, set.TokenSource(ctx, token))
}

// verify checks signature, issuer, audience and time of an ID token.
func (p *Provider) verify(ctx context.Context, found *oidc.Provider, raw string) (*oidc.IDToken, error) {
	now := p.now()
	v := found.Verifier(&oidc.Config{ClientID: p.set.ClientID, Now: func() time.Time { return now.Add(-clockSkew) }})
	id, err := v.Verify(ctx, raw)
	switch {
	case errors.As(err, new(*oidc.TokenExpiredError)):
		return nil, fmt.Errorf("%w: %w", ErrProviderClock, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrProviderBad, err)
	case id.IssuedAt.Sub(now) > clockSkew:
		return nil, fmt.Errorf("%w: a token of %v from now", ErrProviderClock, id.IssuedAt.Sub(now).Round(time.Second))
	case id.Subject == "" || len(id.Subject) > maxSubject:
		return nil, fmt.Errorf("%w: no subject", ErrProviderBad)
	}
	var azp struct {
		Party string `json:"azp"`
	}
	if err := id.Claims(&azp); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProviderBad, err)
	}
	// OpenID Connect Core §3.1.3.7: a token for several says whom it was made for.
	if (len(id.Audience) > 1 || azp.Party != "") && azp.Party != p.set.ClientID {
		return nil, fmt.Errorf("%w: a token made for %.80q", ErrProviderBad, azp.Party)
	}
	return id, nil
}

// vouched reads who it is, and which groups. What the ID token lacks is asked for.
func (p *Provider) vouched(ctx context.Context, found *oidc.Provider, id *oidc.IDToken, token oauth2.TokenSource) (Vouched, error) {
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return Vouched{}, fmt.Errorf("%w: %w", ErrProviderBad, err)
	}
	if claims[p.set.GroupsClaim] == nil && found.UserInfoEndpoint() != "" {
		info, err := found.UserInfo(ctx, token)
		if err != nil {
			return Vouched{}, fmt.Errorf("%w: %w", ErrProviderAway, err)
		}
		if info.Subject != id.Subject { // OpenID Connect Core §5.3.2
			return Vouched{}, fmt.Errorf("%w: the user information is of somebody else", ErrProviderBad)
		}
		more := map[string]any{}
		if err := info.Claims(&more); err != nil {
			return Vouched{}, fmt.Errorf("%w: %w", ErrProviderBad, err)
		}
		for k, v := range more {
			if claims[k] == nil {
				claims[k] = v
			}
		}
	}
	v := Vouched{Provider: p.set.Name, Label: p.set.Label, Issuer: id.Issuer, Subject: id.Subject}
	// Only from the signed token: no later answer tells when that was.
	var asked struct {
		At float64 `json:"auth_time"`
	}
	if err := id.Claims(&asked); err != nil {
		return Vouched{}, fmt.Errorf("%w: %w", ErrProviderBad, err)
	}
	if asked.At > 0 && asked.At < 1<<40 {
		v.Asked = time.Unix(int64(asked.At), 0)
	}
	for _, name := range []string{p.set.NameClaim, "name", "preferred_username", "email"} {
		if s, ok := claims[name].(string); ok && strings.TrimSpace(s) != "" {
			v.Name = s
			break
		}
	}
	role, teams, ok := p.set.roleOf(groups(claims[p.set.GroupsClaim]))
	if !ok {
		return v, ErrNoGroup
	}
	v.Role, v.Teams = role, teams
	return v, nil
}

// groups reads a claim: a list of texts, or one text.
func groups(claim any) (list []string) {
	switch c := claim.(type) {
	case string:
		return []string{c}
	case []any:
		for _, g := range c[:min(len(c), maxGroups)] {
			if s, ok := g.(string); ok {
				list = append(list, s)
			}
		}
	}
	return list
}

// roleOf is what groups give: the role of the first line of the configuration that
// fits, and the teams of all lines that do.
func (s ProviderSetup) roleOf(has []string) (role Role, teams []string, ok bool) {
	for _, g := range s.Groups {
		if !slices.Contains(has, g.Group) {
			continue
		}
		if role == "" {
			role = g.Role
		}
		for _, t := range g.Teams {
			if !slices.Contains(teams, t) {
				teams = append(teams, t)
			}
		}
	}
	return role, teams, role != ""
}
