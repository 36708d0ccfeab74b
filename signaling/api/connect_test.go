package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/tickets/fake"
	"github.com/mainforte/mainforte/signaling/tickets/ticketstest"
)

// onThePage is a site whose desks are connected on the page, at addresses of this
// machine, and what sets its clock ahead.
func onThePage(t *testing.T, change ...func(*Config)) (*site, *atomic.Int64) {
	t.Helper()
	var ahead atomic.Int64
	s := newSite(t, append([]func(*Config){func(c *Config) {
		c.DesksAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		before := c.Identity
		c.Identity = func(ic *identity.Config) {
			before(ic)
			ic.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		}
	}}, change...)...)
	return s, &ahead
}

const hookSecret = "hook-secret-of-the-desk"

func zammadBody(version int, url string, change ...any) map[string]any {
	b := map[string]any{
		"version": version, "name": "zam", "system": "zammad", "url": url, "lang": "fr", "per_minute": 6000,
		"secrets": map[string]any{"token": fake.Worker, "hook_secret": hookSecret},
	}
	for i := 0; i < len(change); i += 2 {
		if b[change[i].(string)] = change[i+1]; change[i+1] == nil {
			delete(b, change[i].(string))
		}
	}
	return b
}

func deskOf(setup map[string]any, name string) map[string]any {
	for _, d := range setup["desks"].([]any) {
		if d := d.(map[string]any); d["name"] == name {
			return d
		}
	}
	return nil
}

// An admin connects a desk: the wrong token is named, the right one is good, and from
// then on it is there for everybody, its webhook too, without a start of the server. It
// goes as it came, and what waits for it stays.
func TestADeskIsConnectedOnThePage(t *testing.T) {
	s, _ := onThePage(t)
	z := &fake.Zammad{}
	z.Add(fake.Subject{ID: 7, Title: "Imprimante bloquée", Requester: "Zoë", French: true})
	srv := httptest.NewServer(z)
	t.Cleanup(srv.Close)
	line := ticketstest.NewLine(t, srv.URL)
	root, ann := s.as(identity.Admin, "Root"), s.as(identity.Technician, "Ann")

	first := root.want(200, "GET", "/api/v1/desks/setup", nil)
	if first["version"] != 0.0 || len(first["desks"].([]any)) != 1 || first["policy_from"] != "" || len(first["systems"].([]any)) != len(tickets.Systems()) {
		t.Errorf("at first: %v", first)
	}
	tried := func(body map[string]any) map[string]any {
		t.Helper()
		delete(body, "version")
		return root.want(200, "POST", "/api/v1/desks/setup/check?lang=en", body)
	}
	wrong := tried(zammadBody(0, line.URL, "secrets", map[string]any{"token": "wrong"}))
	if p := wrong["problem"].(map[string]any); p["code"] != "CHECK_CREDENTIALS" || !strings.Contains(p["message"].(string), "does not accept the account") || wrong["words"] == "" {
		t.Errorf("a wrong token: %v", wrong)
	}
	if right := tried(zammadBody(0, line.URL)); right["problem"] != nil {
		t.Errorf("the right one: %v", right)
	}
	ann.code(404, "DESK_UNKNOWN", "GET", "/api/v1/tickets?desk=zam&q=imprimante", nil)
	now := root.want(200, "POST", "/api/v1/desks/setup", zammadBody(0, line.URL))
	if d := deskOf(now, "zam"); now["version"] != 1.0 || d["kept"] != "page" || d["state"] != "used" || d["lang"] != "fr" || fmt.Sprint(d["has"]) != "[token hook_secret]" || d["check"] != nil {
		t.Errorf("connected: %v", now)
	}
	if found := ann.want(200, "GET", "/api/v1/tickets?desk=zam&q=imprimante", nil)["tickets"].([]any); len(found) != 1 {
		t.Errorf("found: %v", found)
	}
	if k := root.want(200, "POST", "/api/v1/desks/setup/zam/check", map[string]any{}); k["problem"] != nil {
		t.Errorf("checked: %v", k)
	}
	if d := deskOf(root.want(200, "GET", "/api/v1/desks/setup", nil), "zam"); d["check"] == nil {
		t.Error("the check is forgotten")
	}
	_, raw := root.do("GET", "/api/v1/desks/setup", nil)
	if strings.Contains(string(raw), fake.Worker) || strings.Contains(string(raw), hookSecret) {
		t.Errorf("a secret is told: %s", raw)
	}
	// What the desk tells by itself is listened to.
	visitor := s.visitor()
	if resp, _ := visitor.do("POST", "/hooks/zam", `{}`); resp.StatusCode != 401 {
		t.Errorf("an unsigned hook: %d", resp.StatusCode)
	}

	// What is wanted of tickets, in force at once.
	policy := map[string]any{"desk": "zam", "ticket": "allowed", "note": "private", "chat": "none", "offline": "refuse"}
	set := root.want(200, "PUT", "/api/v1/desks/policy", map[string]any{"version": 1, "policy": policy})
	if p := ann.want(200, "GET", "/api/v1/desks", nil)["policy"].(map[string]any); set["policy_from"] != "page" || p["desk"] != "zam" || p["ticket"] != "allowed" {
		t.Errorf("the policy: %v", p)
	}
	root.code(422, "BAD_TICKET_POLICY", "PUT", "/api/v1/desks/policy", map[string]any{"version": 2, "policy": map[string]any{"desk": "none", "ticket": "allowed", "note": "private", "chat": "none", "offline": "refuse"}})
	root.code(409, "DESKS_CHANGED", "PUT", "/api/v1/desks/policy", map[string]any{"version": 1, "policy": nil})

	// Changed, without the secrets; to another address only with them.
	root.want(200, "PUT", "/api/v1/desks/setup/zam", zammadBody(2, line.URL, "name", nil, "secrets", nil, "lang", "en"))
	root.code(422, "DESK_SECRETS", "PUT", "/api/v1/desks/setup/zam", zammadBody(3, srv.URL, "name", nil, "secrets", nil))
	body := zammadBody(0, srv.URL, "secrets", nil)
	delete(body, "version")
	root.code(422, "DESK_SECRETS", "POST", "/api/v1/desks/setup/check", body)
	root.code(409, "DESKS_CHANGED", "PUT", "/api/v1/desks/setup/zam", zammadBody(2, line.URL, "name", nil, "secrets", nil))
	root.code(404, "DESK_UNKNOWN", "PUT", "/api/v1/desks/setup/none", zammadBody(3, line.URL, "name", nil))
	root.code(422, "DESK_INNER", "POST", "/api/v1/desks/setup", zammadBody(3, "https://169.254.169.254", "name", "cloud"))

	// A session of it; it is taken away while the note is on its way, and comes back.
	ann.session("zam:7")
	gone := root.want(200, "DELETE", "/api/v1/desks/setup/zam?version=3", nil)
	if deskOf(gone, "zam") != nil || gone["policy"].(map[string]any)["desk"] != "local" {
		t.Errorf("removed: %v", gone)
	}
	ann.code(404, "DESK_UNKNOWN", "GET", "/api/v1/tickets?desk=zam&q=imprimante", nil)
	if resp, _ := visitor.do("POST", "/hooks/zam", `{}`); resp.StatusCode != 404 {
		t.Errorf("a hook of none: %d", resp.StatusCode)
	}
	root.code(404, "DESK_UNKNOWN", "POST", "/api/v1/desks/setup/zam/check", map[string]any{})
	root.want(200, "POST", "/api/v1/desks/setup", zammadBody(4, line.URL))
	for limit := time.Now().Add(20 * time.Second); len(z.Notes(7)) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("no note")
		}
	}
	// All of it stands in the list of changes, with addresses and without secrets.
	_, raw = root.do("GET", "/api/v1/changes", nil)
	for _, want := range []string{"desk.added", "desk.changed", "desk.removed", "desk.checked", "desk.policy_set", line.URL} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the changes lack %s", want)
		}
	}
	for _, secret := range []string{fake.Worker, hookSecret} {
		if strings.Contains(string(raw), secret) || strings.Contains(s.out.String(), secret) {
			t.Error("a secret is told")
		}
	}
	// And is there after a start.
	s.stopAndStart()
	if found := s.as(identity.Technician, "Bea").want(200, "GET", "/api/v1/tickets?desk=zam&q=imprimante", nil)["tickets"].([]any); len(found) != 1 {
		t.Errorf("after a start: %v", found)
	}
}

// stopAndStart is a start of the server on what it keeps.
func (s *site) stopAndStart() {
	s.t.Helper()
	s.stop()
	s.start()
}

// C134, C135: whoever has not just proven who they are changes nothing, and has nothing
// called that they typed.
func TestADeskNeedsAFreshProof(t *testing.T) {
	s, ahead := onThePage(t)
	srv := httptest.NewServer(&fake.Zammad{})
	t.Cleanup(srv.Close)
	line := ticketstest.NewLine(t, srv.URL)
	root := s.as(identity.Admin, "Root")
	root.want(200, "POST", "/api/v1/desks/setup", zammadBody(0, srv.URL))
	ahead.Store(int64(identity.StepUpLife))
	var called atomic.Int64
	line.Instead(func(http.ResponseWriter, *http.Request) bool { called.Add(1); return false })
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/api/v1/desks/setup", zammadBody(1, line.URL, "name", "b")},
		{"PUT", "/api/v1/desks/setup/zam", zammadBody(1, line.URL, "name", nil)},
		{"DELETE", "/api/v1/desks/setup/zam?version=1", nil},
		{"PUT", "/api/v1/desks/policy", map[string]any{"version": 1, "policy": nil}},
		{"POST", "/api/v1/desks/setup/check", zammadBody(1, line.URL, "version", nil)},
	} {
		root.code(403, "STEP_UP", c.method, c.path, c.body)
	}
	if called.Load() != 0 {
		t.Error("it was called")
	}
	if now := root.want(200, "GET", "/api/v1/desks/setup", nil); now["version"] != 1.0 || deskOf(now, "zam")["url"] != srv.URL {
		t.Errorf("changed: %v", now)
	}
	// One that is connected is called as it stands.
	root.want(200, "POST", "/api/v1/desks/setup/zam/check", map[string]any{})
	root.want(204, "POST", "/api/v1/stepup", map[string]any{"password": password})
	root.want(200, "POST", "/api/v1/desks/setup/check", zammadBody(1, line.URL, "version", nil))
}

// C135: an admin is no scanner of ports: checks are counted, and each stands in the log
// with where it went.
func TestChecksAreCountedAndWrittenDown(t *testing.T) {
	s, _ := onThePage(t)
	srv := httptest.NewServer(&fake.Zammad{})
	t.Cleanup(srv.Close)
	root := s.as(identity.Admin, "Root")
	for range checksOften.N {
		root.want(200, "POST", "/api/v1/desks/setup/check", zammadBody(0, srv.URL, "version", nil))
	}
	root.code(429, "CHECKED_TOO_OFTEN", "POST", "/api/v1/desks/setup/check", zammadBody(0, srv.URL, "version", nil))
	list := root.want(200, "GET", "/api/v1/changes", nil)["changes"].([]any)
	n := 0
	for _, e := range list {
		if e := e.(map[string]any); e["type"] == "desk.checked" && e["name"] == srv.URL {
			n++
		}
	}
	if n != checksOften.N {
		t.Errorf("%d checks are written down", n)
	}
}

// Desks of the server's file are shown as what they are, and stay as they are.
func TestADeskOfTheFileIsShown(t *testing.T) {
	s, _ := onThePage(t, func(c *Config) {
		c.Desks = tickets.Setup{Policy: tickets.Policy{Desk: "rt"}, Desks: []tickets.DeskSetup{{
			Name: "rt", Config: tickets.Config{System: "rt", URL: "https://127.0.0.1:1", Token: "secret-of-the-file", Timeout: time.Second},
		}}}
	})
	root := s.as(identity.Admin, "Root")
	_, raw := root.do("GET", "/api/v1/desks/setup", nil)
	if strings.Contains(string(raw), "secret-of-the-file") {
		t.Errorf("a secret is told: %s", raw)
	}
	now := root.want(200, "GET", "/api/v1/desks/setup", nil)
	if d := deskOf(now, "rt"); d["kept"] != "file" || d["url"] != "https://127.0.0.1:1" || now["policy_from"] != "file" {
		t.Errorf("%v", now)
	}
	root.code(409, "DESK_OF_FILE", "DELETE", "/api/v1/desks/setup/rt?version=0", nil)
	root.code(409, "DESK_TAKEN", "POST", "/api/v1/desks/setup", zammadBody(0, "https://help.example.org", "name", "rt"))
	if k := root.want(200, "POST", "/api/v1/desks/setup/rt/check?lang=fr", map[string]any{}); k["problem"].(map[string]any)["code"] != "CHECK_UNREACHABLE" || !strings.Contains(k["problem"].(map[string]any)["message"].(string), "Rien ne répond") {
		t.Errorf("%v", k)
	}
}

// Every trouble has a sentence in both languages.
func TestEveryTroubleIsSaid(t *testing.T) {
	for is, code := range deskTroubles {
		if sentences["en"][code] == "" || sentences["fr"][code] == "" {
			t.Errorf("%s: %s has no sentence", is, code)
		}
	}
}
