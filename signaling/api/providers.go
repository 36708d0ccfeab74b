package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/mainforte/mainforte/signaling/identity"
)

// flowCookie holds one attempt to sign in by a provider: it binds the way back to
// the browser that went. The sign-in cookie of nobody is read or set before the end.
func (s *Server) flowCookie() string {
	if s.cfg.Secure {
		return "__Host-mf-flow"
	}
	return "mf-flow"
}

func (s *Server) setFlow(w http.ResponseWriter, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		// Lax: the way back is a navigation from the provider's site.
		Name: s.flowCookie(), Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: s.cfg.Secure, SameSite: http.SameSiteLaxMode,
	})
}

// maxFlow bounds a cookie that we did not write.
const maxFlow = 4 << 10

// flow is the attempt that a browser holds.
func (s *Server) flow(c *call) (f identity.Flow) {
	k, err := c.Cookie(s.flowCookie())
	if err != nil || len(k.Value) > maxFlow {
		return identity.Flow{}
	}
	b, err := base64.RawURLEncoding.DecodeString(k.Value)
	if err != nil || json.Unmarshal(b, &f) != nil {
		return identity.Flow{}
	}
	return f
}

func (s *Server) provider(c *call) (*identity.Provider, error) {
	for _, p := range s.vouch {
		if p.Name() == c.PathValue("provider") {
			return p, nil
		}
	}
	return nil, errNotFound
}

// back is where a provider sends the browser: one of the addresses that it was told
// of by its own admin.
func (s *Server) back(c *call, p *identity.Provider) string {
	base := s.cfg.BaseURL
	if base == "" {
		base = "http://" + c.Host
	}
	return strings.TrimRight(base, "/") + "/signin/back/" + p.Name()
}

type providerAnswer struct {
	Name  string `json:"name"`
	Label string `json:"label"`
}

// listProviders is what the sign-in page has buttons for.
func (s *Server) listProviders(w http.ResponseWriter, _ *call) error {
	list := make([]providerAnswer, len(s.vouch))
	for i, p := range s.vouch {
		list[i] = providerAnswer{p.Name(), p.Label()}
	}
	answer(w, http.StatusOK, map[string]any{"providers": list})
	return nil
}

// toProvider sends the browser to the provider.
func (s *Server) toProvider(w http.ResponseWriter, c *call) error {
	p, err := s.provider(c)
	if err != nil {
		return err
	}
	next := c.URL.Query().Get("next")
	if len(next) > 1<<10 {
		next = ""
	}
	// A page of another site may not send anybody: who is signed in at the provider would
	// be signed in here anew without a word, and what ran by the sign-in before would end.
	if site := c.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		http.Redirect(w, c.Request, "/signin?"+url.Values{"next": {next}}.Encode(), http.StatusSeeOther)
		return nil
	}
	again := c.URL.Query().Get("again") != ""
	at, f, err := s.house.users.Begin(c.Context(), p, s.back(c, p), next, again, from(c.Request))
	if err != nil {
		return s.notIn(w, c, p, next, err)
	}
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	s.setFlow(w, base64.RawURLEncoding.EncodeToString(b), int(identity.FlowLife.Seconds()))
	http.Redirect(w, c.Request, at, http.StatusSeeOther)
	return nil
}

// fromProvider is the way back: a sign-in, or one sentence why not.
func (s *Server) fromProvider(w http.ResponseWriter, c *call) error {
	p, err := s.provider(c)
	if err != nil {
		return err
	}
	f := s.flow(c)
	s.setFlow(w, "", -1)
	token, in, err := s.house.users.Finish(c.Context(), p, s.back(c, p), f, c.URL.Query(), from(c.Request))
	if err != nil {
		return s.notIn(w, c, p, f.Next, err)
	}
	if err := s.enter(w, c, token); err != nil {
		return err
	}
	http.Redirect(w, c.Request, destination(f.Next, in.User.Role), http.StatusSeeOther)
	return nil
}

// troubles are the words under which the sign-in page has its sentences.
var troubles = []struct {
	err  error
	word string
}{
	{identity.ErrProviderAway, "away"},
	{identity.ErrProviderNo, "denied"},
	{identity.ErrProviderSays, "error"},
	{identity.ErrProviderLost, "lost"},
	{identity.ErrProviderBad, "bad"},
	{identity.ErrProviderClock, "clock"},
	{identity.ErrProviderStale, "stale"},
	{identity.ErrNoGroup, "no_group"},
	{identity.ErrClosed, "closed"},
	{identity.ErrLimited, "limited"},
}

// notIn goes back to the sign-in page with why nobody was signed in.
func (s *Server) notIn(w http.ResponseWriter, c *call, p *identity.Provider, next string, err error) error {
	for _, t := range troubles {
		if !errors.Is(err, t.err) {
			continue
		}
		s.log.Warn("nobody was signed in by a provider", "id", c.id, "provider", p.Name(), "problem", t.word, "error", err)
		q := url.Values{"trouble": {t.word}, "provider": {p.Name()}}
		if next != "" {
			q.Set("next", next)
		}
		http.Redirect(w, c.Request, "/signin?"+q.Encode(), http.StatusSeeOther)
		return nil
	}
	return err
}

// destination is where to go after signing in: a path of this site only, else the
// role's own page. The sign-in page decides alike (web/src/lib/rules.ts), and what both
// do with what is in web/test/destinations.json has a test on each side.
func destination(next string, role identity.Role) string {
	home := "/console"
	if role == identity.Auditor {
		home = "/audit"
	}
	// Browsers take a backslash for a slash, and leave out what stands between lines.
	path := next
	if i := strings.IndexAny(next, "?#"); i >= 0 {
		path = next[:i]
	}
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.ContainsAny(next, "\\\x00\t\r\n") {
		return home
	}
	here := &url.URL{Scheme: "https", Host: "here.invalid", Path: "/"}
	u, err := here.Parse(next)
	if err != nil || u.Host != here.Host || strings.HasPrefix(u.Path, "//") || strings.HasPrefix(u.Path, "/\\") || strings.HasPrefix(u.Path, "/signin") {
		return home
	}
	to := u.RequestURI()
	if u.Fragment != "" {
		to += "#" + u.EscapedFragment()
	}
	return to
}
