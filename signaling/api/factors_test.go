package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/identity/identitytest"
)

// clock of a site that a test moves.
func ticking(now *time.Time) func(*Config) {
	return func(c *Config) {
		before := c.Identity
		c.Identity = func(i *identity.Config) {
			before(i)
			i.Now = func() time.Time { return *now }
		}
	}
}

func codeAt(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// enrol gives a visitor an authenticator app and returns its secret and the recovery
// codes. A minute passes.
func (v *visitor) enrol(now *time.Time) (secret string, recovery []any) {
	v.t.Helper()
	made := v.want(201, "POST", "/api/v1/me/totp", map[string]any{})
	secret = made["secret"].(string)
	if qr := made["qr"].(map[string]any); qr["size"].(float64) < 21 || !strings.HasPrefix(qr["path"].(string), "M0 0h7v1h-7z") {
		v.t.Errorf("the QR code: %v", qr)
	}
	v.code(401, "WRONG_CODE", "POST", "/api/v1/me/totp/confirm", map[string]any{"code": "12"})
	recovery = v.want(200, "POST", "/api/v1/me/totp/confirm", map[string]any{"code": codeAt(v.t, secret, *now)})["recovery"].([]any)
	*now = now.Add(time.Minute)
	return secret, recovery
}

func (v *visitor) cookie() *http.Cookie {
	u, _ := url.Parse(v.site.srv.URL)
	return v.http.Jar.Cookies(u)[0]
}

func TestASecondFactor(t *testing.T) {
	now := time.Now()
	s := newSite(t, ticking(&now))
	v := s.as(identity.Technician, "Ann")
	if f := v.want(200, "GET", "/api/v1/me/factors", nil); f["totp"] != nil || f["recovery"] != 0.0 || f["required"] != false {
		t.Errorf("at first: %v", f)
	}
	old := v.cookie()
	secret, recovery := v.enrol(&now)
	if len(recovery) != 10 {
		t.Fatalf("recovery codes: %v", recovery)
	}
	thief := s.visitor()
	u, _ := url.Parse(s.srv.URL)
	thief.http.Jar.SetCookies(u, []*http.Cookie{old}) // T-FIX
	thief.code(401, "NOT_SIGNED_IN", "GET", "/api/v1/me", nil)

	w := s.visitor()
	body := map[string]any{"name": "ann", "password": password}
	w.code(401, "CODE_NEEDED", "POST", "/api/v1/signin", body)
	w.code(401, "WRONG_PASSWORD", "POST", "/api/v1/signin", map[string]any{"name": "ann", "password": "wrong password", "code": codeAt(t, secret, now)})
	body["code"] = "000000"
	w.code(401, "WRONG_CODE", "POST", "/api/v1/signin", body)
	body["code"] = codeAt(t, secret, now)
	me := w.want(200, "POST", "/api/v1/signin", body)
	if f, _ := me["failures"].(map[string]any); f["count"] != 2.0 || f["last"] == "" {
		t.Errorf("failed before: %v", me["failures"])
	}
	w.want(204, "POST", "/api/v1/me/failures", map[string]any{})
	if me := w.want(200, "GET", "/api/v1/me", nil); me["failures"] != nil {
		t.Errorf("told again: %v", me)
	}
	s.visitor().code(401, "WRONG_CODE", "POST", "/api/v1/signin", body) // C90
	body["code"] = recovery[0]
	s.visitor().want(200, "POST", "/api/v1/signin", body)
	s.visitor().code(401, "WRONG_CODE", "POST", "/api/v1/signin", body) // C91

	if log := s.out.String(); strings.Contains(log, secret) || strings.Contains(log, recovery[0].(string)) {
		t.Error("a secret stands in the server's output")
	}
}

func TestAFreshProofIsAskedFor(t *testing.T) {
	now := time.Now()
	s := newSite(t, ticking(&now))
	v := s.as(identity.Technician, "Ann")
	secret, _ := v.enrol(&now)
	totpID := v.want(200, "GET", "/api/v1/me/factors", nil)["totp"].(map[string]any)["id"].(string)
	ask := func() map[string]any { return v.want(200, "GET", "/api/v1/stepup", nil) }
	if a := ask(); a["control"] != false || a["factors"] != false {
		t.Errorf("after a minute: %v", a)
	}
	now = now.Add(5 * time.Minute)
	if a := ask(); a["control"] != true || a["factors"] != true || len(a["by"].([]any)) != 2 {
		t.Errorf("after six: %v", a)
	}
	v.code(403, "STEP_UP", "DELETE", "/api/v1/me/factors/"+totpID, nil)
	v.code(403, "STEP_UP", "POST", "/api/v1/me/recovery", map[string]any{})
	v.code(403, "STEP_UP", "POST", "/api/v1/me/totp", map[string]any{})
	v.code(403, "STEP_UP", "POST", "/api/v1/stepup", map[string]any{"password": password})
	v.code(400, "BAD_JSON", "POST", "/api/v1/stepup", map[string]any{})
	v.code(401, "WRONG_CODE", "POST", "/api/v1/stepup", map[string]any{"code": "000000"})
	old := v.cookie()
	v.want(204, "POST", "/api/v1/stepup", map[string]any{"code": codeAt(t, secret, now)})
	if v.cookie().Value == old.Value {
		t.Error("the cookie stayed the same")
	}
	if a := ask(); a["control"] != false {
		t.Errorf("after proving it: %v", a)
	}
	if codes := v.want(201, "POST", "/api/v1/me/recovery", map[string]any{})["recovery"].([]any); len(codes) != 10 {
		t.Errorf("%v", codes)
	}
	v.want(204, "DELETE", "/api/v1/me/factors/"+totpID, nil)
	v.code(404, "NO_FACTOR", "DELETE", "/api/v1/me/factors/"+totpID, nil)
	v.code(404, "NO_FACTOR", "POST", "/api/v1/me/recovery", map[string]any{})
	// Nobody touches another's.
	w := s.as(identity.Technician, "Bob")
	w.enrol(&now)
	bobs := w.want(200, "GET", "/api/v1/me/factors", nil)["totp"].(map[string]any)["id"].(string)
	v.code(404, "NO_FACTOR", "DELETE", "/api/v1/me/factors/"+bobs, nil)
}

func TestWhoMustHaveAFactorCanDoNothingBefore(t *testing.T) {
	now := time.Now()
	s := newSite(t, ticking(&now), func(c *Config) { c.Require = []identity.Role{identity.Technician} })
	v := s.as(identity.Technician, "Ann")
	if me := v.want(200, "GET", "/api/v1/me", nil); me["factor_needed"] != true || me["proof_needed"] != false {
		t.Errorf("me: %v", me)
	}
	for _, p := range s.routes {
		method, path := address(p)
		if forFactors[p] || identity.Public(p) || identity.Authorize(p, &identity.User{Role: identity.Technician}) != nil {
			continue
		}
		resp, raw := v.do(method, path, nil)
		if page := !isProgram(path) && resp.Header.Get("Location") == "/account"; !page && !strings.Contains(string(raw), "FACTOR_NEEDED") {
			t.Errorf("%s: %d %.80s", p, resp.StatusCode, raw)
		}
	}
	v.enrol(&now)
	v.want(200, "GET", "/api/v1/tickets", nil)
	s.as(identity.Supervisor, "Sue").want(200, "GET", "/api/v1/tickets", nil)
}

// Who has the factor that the role must have shows it, however they signed in.
func TestWhoMustHaveAFactorShowsIt(t *testing.T) {
	now := time.Now()
	p := identitytest.New(t)
	s := newSite(t, ticking(&now), func(c *Config) {
		c.Require = []identity.Role{identity.Technician}
		c.Providers = []identity.ProviderSetup{p.Setup()}
	})
	p.Person("u-1", "Ana", "desk")
	v := s.visitor()
	through := func(more string) {
		t.Helper()
		resp, _ := v.do("GET", "/signin/with/hospital"+more, nil)
		resp, _ = v.do("GET", "/signin/back/hospital?"+p.Visit(resp.Header.Get("Location")).Encode(), nil)
		if resp.StatusCode != 303 {
			t.Fatalf("back: %d", resp.StatusCode)
		}
	}
	through("")
	v.code(403, "STEP_UP", "POST", "/api/v1/me/totp", map[string]any{}) // the dialog leads there again
	through("?again=1")
	secret, _ := v.enrol(&now)
	v.want(200, "GET", "/api/v1/tickets", nil)
	through("?again=1")
	if me := v.want(200, "GET", "/api/v1/me", nil); me["factor_needed"] != false || me["proof_needed"] != true {
		t.Errorf("me: %v", me)
	}
	v.code(403, "FACTOR_NEEDED", "GET", "/api/v1/tickets", nil)
	v.want(204, "POST", "/api/v1/stepup", map[string]any{"code": codeAt(t, secret, now)})
	v.want(200, "GET", "/api/v1/tickets", nil)
	if me := v.want(200, "GET", "/api/v1/me", nil); me["proof_needed"] != false {
		t.Errorf("me afterwards: %v", me)
	}
}
