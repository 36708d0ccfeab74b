package identity_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/identity/identitytest"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

const back = "http://127.0.0.1/signin/back/hospital"

var boss = audit.Actor{Kind: "admin", Ref: "boss"}

// house is a directory, a provider, and a clock for both.
type house struct {
	*identity.Directory
	*identitytest.Provider
	t     *testing.T
	now   time.Time
	ended []string
	p     *identity.Provider
	next  byte
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, now: time.Now(), Provider: identitytest.New(t)}
	dir := t.TempDir()
	st := storetest.Open(t, dir)
	log, err := audit.Open(t.Context(), st, filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	h.Directory, err = identity.New(identity.Config{
		Store: st, Log: log, Cost: identity.Cost{MemoryKiB: 64, Time: 1, Threads: 1},
		Now: func() time.Time { return h.now }, Ended: func(ids []string) { h.ended = append(h.ended, ids...) },
	})
	if err != nil {
		t.Fatal(err)
	}
	h.p = identity.NewProvider(h.Setup(), func() time.Time { return h.now })
	return h
}

// begin is a browser that pressed the button, and has come back from the provider.
func (h *house) begin() (identity.Flow, url.Values) {
	h.t.Helper()
	at, f, err := h.p.Begin(h.t.Context(), back, "/console", false)
	if err != nil {
		h.t.Fatal(err)
	}
	return f, h.Visit(at)
}

func (h *house) finish(f identity.Flow, q url.Values) (string, identity.SignIn, error) {
	h.next++ // each from an address of its own: limits have their own test
	return h.Finish(h.t.Context(), h.p, back, f, q, netip.AddrFrom4([4]byte{192, 0, 2, h.next}))
}

func (h *house) come() (string, identity.SignIn, error) {
	h.t.Helper()
	return h.finish(h.begin())
}

func TestSigningInByAProvider(t *testing.T) {
	h := newHouse(t)
	link, err := h.Link(t.Context(), identity.Link{Role: identity.Admin})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.UseLink(t.Context(), link, "Ana Tremblay", "correct horse battery", netip.MustParseAddr("192.0.2.1")); err != nil {
		t.Fatal(err)
	}
	h.Person("u-1", "Ana\u202e Tremblay", "desk", "others")
	token, in, err := h.come()
	if err != nil {
		t.Fatal(err)
	}
	// Not the account of the same name: a name proves nothing.
	if in.User.Role != identity.Technician || in.User.Name != "Ana Tremblay" || in.Told() != "oidc:Example Hospital" {
		t.Errorf("%+v", in)
	}
	if all, _, err := h.Accounts(t.Context(), identity.Find{Limit: 9}); err != nil || len(all) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	if got, err := h.Check(t.Context(), token); err != nil || got.Told() != in.Told() || got.User != in.User {
		t.Errorf("the cookie: %+v, %v", got, err)
	}
	if _, _, err := h.SignIn(t.Context(), "Ana Tremblay", "", "", netip.MustParseAddr("192.0.2.2")); !errors.Is(err, identity.ErrWrong) {
		t.Errorf("an empty password: %v", err)
	}
	a, err := h.Account(t.Context(), in.User.ID)
	if err != nil || a.Provider != "Example Hospital" || len(a.Teams) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := h.SetRole(t.Context(), boss, a.ID, identity.Admin); !errors.Is(err, identity.ErrProvided) {
		t.Errorf("a role that the provider decides: %v", err)
	}
	if _, err := h.Link(t.Context(), identity.Link{For: a.ID}); !errors.Is(err, identity.ErrProvided) {
		t.Errorf("a password beside the provider: %v", err)
	}

	// What the provider says today holds: another name, another role, no team.
	h.Person("u-1", "Ana Roy", "desk", "audit")
	_, again, err := h.come()
	if err != nil || again.User.ID != in.User.ID || again.User.Name != "Ana Roy" || again.User.Role != identity.Auditor {
		t.Fatalf("%+v, %v", again, err)
	}
	if !slices.Contains(h.ended, in.ID) {
		t.Error("a sign-in outlived its role")
	}
	h.Person("u-1", "Ana Roy", "audit")
	if _, _, err := h.come(); err != nil {
		t.Fatal(err)
	}
	if a, err := h.Account(t.Context(), in.User.ID); err != nil || len(a.Teams) != 0 || a.Name != "Ana Roy" {
		t.Errorf("%+v, %v", a, err)
	}
	h.Person("u-2", "Ana Roy", "desk")
	if _, other, err := h.come(); err != nil || other.User.ID == in.User.ID {
		t.Errorf("another subject of the same name: %+v, %v", other, err)
	}
	if _, err := h.Disable(t.Context(), boss, in.User.ID); err != nil {
		t.Fatal(err)
	}
	h.Person("u-1", "Ana Roy", "audit")
	if _, _, err := h.come(); !errors.Is(err, identity.ErrClosed) {
		t.Errorf("a closed account: %v", err)
	}
}

// Groups that the token lacks are asked for, of the same person.
func TestGroupsOfTheUserInformation(t *testing.T) {
	h := newHouse(t)
	h.Claims = map[string]any{"sub": "u-1"}
	h.Info = map[string]any{"sub": "u-1", "name": "Ana", "groups": "desk"}
	if _, in, err := h.come(); err != nil || in.User.Role != identity.Technician || in.User.Name != "Ana" {
		t.Errorf("%+v, %v", in, err)
	}
	h.Info["sub"] = "u-2"
	if _, _, err := h.come(); !errors.Is(err, identity.ErrProviderBad) {
		t.Errorf("somebody else's information: %v", err)
	}
}

// That a provider still knew somebody is no proof that it is they (C98).
func TestAProviderProvesOnlyWhatItAskedLately(t *testing.T) {
	h := newHouse(t)
	h.Person("u-1", "Ana", "desk")
	for _, c := range []struct {
		name  string
		asked any // seconds from now; nil: it does not say
		fresh bool
	}{
		{"it does not say", nil, false},
		{"just now", 0, true},
		{"four minutes ago", -240, true},
		{"this morning", -4 * 3600, false},
		{"by a clock that is ahead", 60, true},
		{"tomorrow", 24 * 3600, false},
	} {
		h.Bend = func(claims map[string]any) {
			delete(claims, "auth_time")
			if n, ok := c.asked.(int); ok {
				claims["auth_time"] = h.now.Unix() + int64(n)
			}
		}
		_, in, err := h.come()
		if err != nil || h.Fresh(in) != c.fresh || in.Proven.After(h.now) {
			t.Errorf("%s: fresh %v, proven %v, %v", c.name, h.Fresh(in), in.Proven, err)
		}
		at, f, err := h.p.Begin(t.Context(), back, "/account", true)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err = h.finish(f, h.Visit(at)); (err == nil) != c.fresh || err != nil && !errors.Is(err, identity.ErrProviderStale) {
			t.Errorf("%s, asked to ask again: %v", c.name, err)
		}
	}
	h.Bend = func(claims map[string]any) { claims["auth_time"] = "now" }
	if _, _, err := h.come(); !errors.Is(err, identity.ErrProviderBad) {
		t.Errorf("a time that is none: %v", err)
	}
}

// Whatever does not hold signs nobody in, and each has its own sentence.
func TestWhatAProviderMayNotSay(t *testing.T) {
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	claim := func(k string, v any) func(*house) {
		return func(h *house) { h.Bend = func(c map[string]any) { c[k] = v } }
	}
	in := func(k string, d time.Duration) func(*house) { return claim(k, time.Now().Add(d).Unix()) }
	h := newHouse(t)
	for name, c := range map[string]struct {
		bend func(*house)
		want error
	}{
		"nothing wrong":           {func(*house) {}, nil},
		"a clock a minute behind": {in("exp", -time.Minute), nil},
		"a clock a minute ahead":  {in("iat", time.Minute), nil},
		"two audiences, made for us": {func(h *house) {
			h.Bend = func(c map[string]any) { c["aud"], c["azp"] = []string{"x", identitytest.Client}, identitytest.Client }
		}, nil},
		"too old":                   {in("exp", -10*time.Minute), identity.ErrProviderClock},
		"of tomorrow":               {in("iat", 10*time.Minute), identity.ErrProviderClock},
		"not yet good":              {in("nbf", time.Hour), identity.ErrProviderBad},
		"another issuer":            {claim("iss", "https://evil.example"), identity.ErrProviderBad},
		"another audience":          {claim("aud", "another"), identity.ErrProviderBad},
		"made for another":          {claim("azp", "another"), identity.ErrProviderBad},
		"two audiences":             {claim("aud", []string{"another", identitytest.Client}), identity.ErrProviderBad},
		"another nonce":             {claim("nonce", "another"), identity.ErrProviderBad},
		"no nonce":                  {claim("nonce", ""), identity.ErrProviderBad},
		"no subject":                {claim("sub", ""), identity.ErrProviderBad},
		"no name":                   {claim("name", "\u202e"), identity.ErrProviderBad},
		"no group":                  {claim("groups", []string{"cooks"}), identity.ErrNoGroup},
		"groups that are none":      {claim("groups", map[string]any{"desk": true}), identity.ErrNoGroup},
		"a group's name in another": {claim("groups", "desk,root"), identity.ErrNoGroup},
		"another key": {func(h *house) {
			h.Sign = func(b []byte) string { return identitytest.Sign(h.t, stranger, b) }
		}, identity.ErrProviderBad},
		"not signed": {func(h *house) {
			h.Sign = func(b []byte) string { return b64([]byte(`{"alg":"none"}`)) + "." + b64(b) + "." }
		}, identity.ErrProviderBad},
		"no token": {func(h *house) { h.Sign = func([]byte) string { return "" } }, identity.ErrProviderBad},
		"a token endpoint that fails": {func(h *house) {
			h.Provider.Tokens = func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusBadGateway); return true }
		}, identity.ErrProviderAway},
		"an endless answer": {func(h *house) {
			h.Provider.Tokens = func(w http.ResponseWriter) bool {
				_, _ = w.Write(make([]byte, 4<<20))
				return true
			}
		}, identity.ErrProviderAway},
	} {
		t.Run(name, func(t *testing.T) {
			h.Person("u-1", "Ana", "desk")
			h.Bend, h.Sign, h.Provider.Tokens = nil, nil, nil
			c.bend(h)
			if _, _, err := h.come(); !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// What the browser brings back counts only in the browser that went, once, in time.
func TestTheWayBackIsOfOneBrowserAndOneAttempt(t *testing.T) {
	h := newHouse(t)
	h.Person("u-1", "Ana", "desk")
	f, q := h.begin()
	other, theirs := h.begin()
	with := func(k, v string) url.Values {
		n := url.Values{}
		for key, list := range q {
			n[key] = list
		}
		if v == "" {
			n.Del(k)
		} else {
			n.Set(k, v)
		}
		return n
	}
	late := f
	late.Began = h.now.Add(-identity.FlowLife - time.Second)
	late.State = "late"
	soon := late
	soon.Began = h.now.Add(time.Hour)
	soon.State = "soon"
	wrong := late
	wrong.Provider, wrong.State, wrong.Began = "another", "wrong", h.now
	for name, c := range map[string]struct {
		f    identity.Flow
		q    url.Values
		want error
	}{
		"no cookie":                 {identity.Flow{}, q, identity.ErrProviderLost},
		"another browser":           {identity.Flow{Provider: "hospital", State: "x", Began: h.now}, q, identity.ErrProviderLost},
		"too late":                  {late, with("state", "late"), identity.ErrProviderLost},
		"of the future":             {soon, with("state", "soon"), identity.ErrProviderLost},
		"of another provider":       {wrong, with("state", "wrong"), identity.ErrProviderLost},
		"no state":                  {identity.Flow{Provider: "hospital", State: "y", Began: h.now}, with("state", ""), identity.ErrProviderLost},
		"the answer of a neighbour": {identity.Flow{Provider: "hospital", State: "z", Nonce: other.Nonce, Verifier: other.Verifier, Began: h.now}, url.Values{"state": {"z"}, "code": theirs["code"], "iss": {"https://evil.example"}}, identity.ErrProviderBad},
		"the person said no":        {identity.Flow{Provider: "hospital", State: "n", Began: h.now}, url.Values{"state": {"n"}, "error": {"access_denied"}}, identity.ErrProviderNo},
		"the provider's own fault":  {identity.Flow{Provider: "hospital", State: "e", Began: h.now}, url.Values{"state": {"e"}, "error": {"server_error"}}, identity.ErrProviderSays},
		"no code":                   {identity.Flow{Provider: "hospital", State: "c", Began: h.now}, url.Values{"state": {"c"}}, identity.ErrProviderBad},
		"another verifier":          {identity.Flow{Provider: "hospital", State: "v", Nonce: f.Nonce, Verifier: "another", Began: h.now}, url.Values{"state": {"v"}, "code": {"stolen"}}, identity.ErrProviderLost},
	} {
		if _, _, err := h.finish(c.f, c.q); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, _, err := h.finish(f, q); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.finish(f, q); !errors.Is(err, identity.ErrProviderLost) {
		t.Errorf("an answer was good twice: %v", err)
	}
	// The code of one attempt with the cookie of another: PKCE and the nonce hold.
	mixed := theirs
	g, r := h.begin()
	mixed.Set("state", g.State)
	mixed.Set("code", theirs.Get("code"))
	if _, _, err := h.finish(g, mixed); !errors.Is(err, identity.ErrProviderLost) {
		t.Errorf("a code of another attempt: %v (%v)", err, r)
	}
}

func TestAProviderThatIsDown(t *testing.T) {
	h := newHouse(t)
	h.Person("u-1", "Ana", "desk")
	f, q := h.begin()
	h.Close()
	if _, _, err := h.finish(f, q); !errors.Is(err, identity.ErrProviderAway) {
		t.Errorf("on the way back: %v", err)
	}
	fresh := identity.NewProvider(h.Setup(), nil)
	if _, _, err := fresh.Begin(t.Context(), back, "", false); !errors.Is(err, identity.ErrProviderAway) {
		t.Errorf("at the button: %v", err)
	}
}

const discovery = "/.well-known/openid-configuration"

// Who waits for a provider waits no longer than it likes; one question is asked for all.
func TestOneQuestionForAll(t *testing.T) {
	h := newHouse(t)
	let := make(chan struct{})
	h.Before = func(string) { <-let }
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error)
	begin := func(ctx context.Context) {
		_, _, err := h.p.Begin(ctx, back, "", false)
		got <- err
	}
	go begin(ctx)
	go begin(t.Context())
	cancel()
	if err := <-got; !errors.Is(err, identity.ErrProviderAway) || !errors.Is(err, context.Canceled) {
		t.Errorf("who left: %v", err)
	}
	close(let)
	if err := <-got; err != nil {
		t.Errorf("who stayed: %v", err)
	}
	if n := h.Asked(discovery); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

// A failure is remembered for a few seconds, and then forgotten.
func TestAProviderThatFailedIsNotAskedAtOnce(t *testing.T) {
	h := newHouse(t)
	down := true
	h.Provider.Config.Handler = failing(h.Provider.Config.Handler, &down)
	from := netip.MustParseAddr("198.51.100.7")
	for range 3 {
		if _, _, err := h.Begin(t.Context(), h.p, back, "", false, from); !errors.Is(err, identity.ErrProviderAway) {
			t.Fatalf("while it is down: %v", err)
		}
	}
	down = false
	if _, _, err := h.Begin(t.Context(), h.p, back, "", false, from); !errors.Is(err, identity.ErrProviderAway) {
		t.Errorf("at once: %v", err)
	}
	h.now = h.now.Add(5 * time.Second)
	if _, _, err := h.Begin(t.Context(), h.p, back, "", false, from); err != nil {
		t.Errorf("later: %v", err)
	}
	// Who makes us ask in vain is limited, by address; who comes through is not.
	for range 40 {
		if _, _, err := h.Begin(t.Context(), h.p, back, "", false, from); err != nil {
			t.Fatal(err)
		}
	}
	down = true
	h.now = h.now.Add(2 * time.Hour)
	var err error
	for range 31 {
		_, _, err = h.Begin(t.Context(), h.p, back, "", false, from)
	}
	if !errors.Is(err, identity.ErrLimited) {
		t.Errorf("after 30: %v", err)
	}
	if _, _, err := h.Begin(t.Context(), h.p, back, "", false, netip.MustParseAddr("198.51.100.8")); !errors.Is(err, identity.ErrProviderAway) {
		t.Errorf("from elsewhere: %v", err)
	}
}

// failing answers nothing useful while it is down. It is turned only between answers.
func failing(next http.Handler, down *bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if *down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Keys are asked for once, not at each sign-in.
func TestTheKeysOfAProviderAreKept(t *testing.T) {
	h := newHouse(t)
	h.Person("u-1", "Ana", "desk")
	for range 3 {
		if _, _, err := h.come(); err != nil {
			t.Fatal(err)
		}
	}
	if keys, where := h.Asked("/keys"), h.Asked(discovery); keys != 1 || where != 1 {
		t.Errorf("asked for keys %d times, for its parts %d times", keys, where)
	}
}

// Bad answers are limited by address, and keep nobody else out.
func TestBadAnswersAreLimited(t *testing.T) {
	h := newHouse(t)
	h.Person("u-1", "Ana", "desk")
	from := netip.MustParseAddr("198.51.100.7")
	var err error
	for range 31 {
		_, _, err = h.Finish(t.Context(), h.p, back, identity.Flow{}, nil, from)
	}
	if !errors.Is(err, identity.ErrLimited) {
		t.Errorf("after 30: %v", err)
	}
	if _, _, err := h.come(); err != nil {
		t.Errorf("from elsewhere: %v", err)
	}
}

// A provider that takes a code twice does not make an answer good twice.
func TestAnAnswerCountsOnce(t *testing.T) {
	h := newHouse(t)
	h.Person("u-1", "Ana", "desk")
	f, q := h.begin()
	h.Careless = true
	if _, _, err := h.finish(f, q); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.finish(f, q); !errors.Is(err, identity.ErrProviderLost) {
		t.Errorf("an answer was good twice: %v", err)
	}
}

// Two groups may give one team, under names that are written differently.
func TestATeamThatTwoGroupsGive(t *testing.T) {
	h := newHouse(t)
	set := h.Setup()
	set.Groups = []identity.ProvidedGroup{
		{Group: "desk", Role: identity.Technician, Teams: []string{"First line"}},
		{Group: "evening", Role: identity.Technician, Teams: []string{"first LINE", "Network"}},
	}
	h.p = identity.NewProvider(set, func() time.Time { return h.now })
	h.Person("u-1", "Ana", "desk", "evening")
	for range 2 {
		_, in, err := h.come()
		if err != nil {
			t.Fatal(err)
		}
		if a, err := h.Account(t.Context(), in.User.ID); err != nil || len(a.Teams) != 2 {
			t.Errorf("%+v, %v", a, err)
		}
	}
}
