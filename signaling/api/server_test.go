package api

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/web"
)

// address fills the parameters of a pattern.
func address(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	return method, strings.NewReplacer("{$}", "", "{id}", "nothing", "{token}", "nothing", "{file}", "nothing", "{desk}", "nothing", "{provider}", "nothing").Replace(path)
}

// P14: a role can do only its table. The routes come from the router itself, so
// a new one without a row fails here.
func TestEveryRouteForEveryRole(t *testing.T) {
	s := newSite(t)
	rows := identity.Patterns()
	for _, p := range s.routes {
		if !slices.Contains(rows, p) {
			t.Errorf("%s has no row in the table", p)
		}
	}
	for _, p := range rows {
		if !slices.Contains(s.routes, p) {
			t.Errorf("the table has a row for %s, which is no route", p)
		}
	}
	who := map[identity.Role]*visitor{"": s.visitor()}
	for _, r := range identity.Roles() {
		who[r] = s.as(r, string(r))
	}
	// Written out by hand, not asked of the table: what each role may do at all.
	may := map[identity.Role]string{
		"":                  "/ /download/ /signin /api/v1/signin/providers /help /assets/ /viewer/ /healthz /readyz /ws/host /api/v1/signin /hooks /receipt /api/v1/receipts /api/v1/passkey /wait /appointment /brand",
		identity.Technician: "/console /launch /api/v1/signout /api/v1/me LIST:/api/v1/desks /api/v1/tickets /api/v1/queue /api/v1/news POST:/api/v1/sessions GET:/api/v1/sessions/nothing/attachments PUT:/api/v1/sessions/nothing/system /ws/viewer /account /api/v1/stepup /api/v1/watches /api/v1/waiting GET:/api/v1/phrases GET:/api/v1/resolutions /api/v1/work /api/v1/colleagues /api/v1/availability /api/v1/transfers /api/v1/solutions /api/v1/appointments",
		identity.Supervisor: "/console /audit /launch /api/v1/signout /api/v1/me LIST:/api/v1/desks /api/v1/outbox /api/v1/tickets /api/v1/queue /api/v1/news /api/v1/sessions /ws/viewer /account /api/v1/stepup /supervise /api/v1/supervise /api/v1/watches /api/v1/waiting /words /api/v1/phrases /api/v1/resolutions /api/v1/work /api/v1/colleagues /api/v1/availability /api/v1/transfers /api/v1/solutions /api/v1/appointments",
		identity.Auditor:    "/audit /api/v1/signout /api/v1/me GET:/api/v1/sessions /account /api/v1/stepup",
		identity.Admin:      "/console /audit /api/v1/signout /api/v1/me /api/v1/desks /api/v1/outbox GET:/api/v1/tickets /api/v1/news LIST:/api/v1/sessions /api/v1/tokens /admin /api/v1/users /api/v1/teams /api/v1/changes /api/v1/policy /account /api/v1/stepup /supervise /words /api/v1/phrases /api/v1/resolutions /api/v1/brand",
	}
	allowed := func(role identity.Role, method, path string) bool {
		for _, set := range []string{may[""], may[role]} {
			for _, p := range strings.Fields(set) {
				kind, prefix, cut := strings.Cut(p, ":")
				if !cut {
					kind, prefix = "", p
				}
				switch {
				case kind == "LIST" && (path != prefix || method != "GET"), kind != "" && kind != "LIST" && kind != method:
					continue
				case prefix == "/" && path != "/":
					continue
				case path == prefix, prefix != "/" && strings.HasPrefix(path, strings.TrimSuffix(prefix, "/")+"/"):
					return true
				}
			}
		}
		return false
	}
	slices.Sort(s.routes)
	for _, p := range s.routes {
		method, path := address(p)
		for role, v := range who {
			if path == "/api/v1/signout" {
				continue // it would sign the visitor out; TestSigningInAndOut
			}
			var body any
			if method != "GET" {
				body = "not json" // so that nothing is done where it is allowed
			}
			resp, raw := v.do(method, path, body)
			denied := resp.StatusCode == http.StatusUnauthorized && strings.Contains(string(raw), "NOT_SIGNED_IN") ||
				resp.StatusCode == http.StatusForbidden && strings.Contains(string(raw), "NOT_ALLOWED") ||
				resp.StatusCode == http.StatusSeeOther ||
				resp.StatusCode == http.StatusForbidden && !strings.HasPrefix(path, "/api") && !strings.HasPrefix(path, "/ws")
			if denied == allowed(role, method, path) {
				t.Errorf("%q on %s: %d, denied %v", role, p, resp.StatusCode, denied)
			}
			if role == "" && denied && resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusSeeOther {
				t.Errorf("%s for nobody: %d", p, resp.StatusCode)
			}
		}
	}
}

// Whatever is sent to whichever route by whoever may use it: a refusal in words, never
// a fault of ours.
func TestNoRouteBreaksOnAMalformedBody(t *testing.T) {
	s := newSite(t)
	bodies := map[string]string{
		"nothing": "", "null": "null", "a list": "[]", "a number": "1", "half": "{", "unknown": `{"x":1}`, "twice": "{}{}",
		"not UTF-8": "{\"name\":\"\xff\xfe\"}", "deep": strings.Repeat("[", 5_000), "wrong kinds": `{"name":{},"role":[],"teams":"x","tier":"1","lang":0,"text":1,"token":null}`,
		"large": `{"name":"` + strings.Repeat("x", maxBody) + `"}`,
	}
	for role, v := range map[identity.Role]*visitor{
		"": s.visitor(), identity.Technician: s.as(identity.Technician, "t"), identity.Supervisor: s.as(identity.Supervisor, "s"),
		identity.Auditor: s.as(identity.Auditor, "a"), identity.Admin: s.as(identity.Admin, "r"),
	} {
		for _, p := range s.routes {
			method, path := address(p)
			if method == "GET" {
				continue
			}
			for name, body := range bodies {
				for _, kind := range []string{"application/json", "text/plain", "application/json; charset=\"", "multipart/form-data; boundary=x"} {
					resp, raw := v.do(method, path, body, "Content-Type", kind)
					// null is no object, and yet JSON of every type; DELETE reads no body, and who leaves says nothing.
					fine := resp.StatusCode < 300 && (method == "DELETE" || p == "POST /wait/{token}/leave" || name == "null")
					if (resp.StatusCode < 400 || resp.StatusCode >= 500) && !fine {
						t.Errorf("%q on %s with %s as %s: %d %.200s", role, p, name, kind, resp.StatusCode, raw)
					}
				}
			}
		}
	}
	if log := s.out.String(); strings.Contains(log, "a fault of ours") || strings.Contains(log, "a request failed") {
		t.Error("a fault stands in the server's output")
	}
}

func TestEveryRouteIsDescribed(t *testing.T) {
	s := newSite(t)
	described := map[string]string{} // pattern to its block
	path, method := "", ""
	for _, line := range strings.Split(string(OpenAPI), "\n") {
		switch {
		case strings.HasPrefix(line, "components:"):
			path = ""
		case strings.HasPrefix(line, "  /") && strings.HasSuffix(line, ":"):
			path, method = strings.TrimSuffix(strings.TrimSpace(line), ":"), ""
		case path != "" && strings.HasPrefix(line, "    ") && line[4] != ' ' && strings.HasSuffix(line, ":"):
			method = strings.ToUpper(strings.TrimSuffix(strings.TrimSpace(line), ":"))
			described[method+" "+path] = ""
		case path != "" && method != "":
			described[method+" "+path] += line + "\n"
		}
	}
	for _, p := range s.routes {
		key := strings.Replace(p, "/{$}", "/", 1)
		block, ok := described[key]
		if !ok {
			t.Errorf("%s is not in openapi.yaml", p)
			continue
		}
		if identity.Public(p) != strings.Contains(block, "security: []") {
			t.Errorf("%s: openapi.yaml and the table differ on whether a sign-in is needed", p)
		}
		var roles []string
		for _, r := range []identity.Role{identity.Technician, identity.Supervisor, identity.Auditor, identity.Admin} {
			if !identity.Public(p) && identity.Authorize(p, &identity.User{Role: r}) == nil {
				roles = append(roles, string(r))
			}
		}
		if want := "x-roles: [" + strings.Join(roles, ", ") + "]\n"; len(roles) > 0 && !strings.Contains(block, want) {
			t.Errorf("%s: openapi.yaml lacks %s", p, want)
		}
		want := ""
		for _, sc := range identity.Scopes() {
			if identity.AuthorizeToken(p, identity.Token{Role: firstRole(p), Scopes: []identity.Scope{sc}}) == nil {
				want = "x-scope: " + string(sc) + "\n"
			}
		}
		if strings.Contains(block, "x-scope: ") != (want != "") || !strings.Contains(block, want) {
			t.Errorf("%s: openapi.yaml and the table differ on tokens: %q", p, want)
		}
		delete(described, key)
	}
	for p := range described {
		t.Errorf("openapi.yaml describes %s, which is no route", p)
	}
	for code := range sentences["en"] {
		if !strings.Contains(string(OpenAPI), code) {
			t.Errorf("openapi.yaml lacks the code %s", code)
		}
	}
}

// firstRole is one that may use a route.
func firstRole(pattern string) identity.Role {
	for _, r := range identity.Roles() {
		if identity.Authorize(pattern, &identity.User{Role: r}) == nil {
			return r
		}
	}
	return ""
}

func TestEverySentenceInBothLanguages(t *testing.T) {
	for code, en := range sentences["en"] {
		fr := sentences["fr"][code]
		if fr == "" || fr == en || strings.Contains(en, "{id}") != strings.Contains(fr, "{id}") {
			t.Errorf("%s: %q, %q", code, en, fr)
		}
	}
	for code := range sentences["fr"] {
		if sentences["en"][code] == "" {
			t.Errorf("%s has no English sentence", code)
		}
	}
	for _, k := range known {
		if sentences["en"][k.as.code] == "" {
			t.Errorf("%s has no sentence", k.as.code)
		}
	}
	s := newSite(t)
	v := s.visitor()
	for lang, want := range map[string]string{"fr-CA,fr;q=0.9": "fr", "de": "en", "": "en", "en-GB,fr;q=0.5": "en", strings.Repeat("fr,", 200): "en"} {
		if got := v.code(401, "NOT_SIGNED_IN", "GET", "/api/v1/me", nil, "Accept-Language", lang); got != sentences[want]["NOT_SIGNED_IN"] {
			t.Errorf("%q answers %q", lang, got)
		}
	}
}

func TestStrictHeadersOnEveryAnswer(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	for _, r := range [][2]string{
		{"GET", "/"}, {"GET", "/signin"}, {"GET", "/console"}, {"GET", "/nothing"}, {"DELETE", "/api/v1/me"},
		{"GET", "/api/v1/me"}, {"GET", "/healthz"}, {"GET", "/assets/none.js"}, {"GET", "/ws/host"}, {"GET", "//signin"}, {"POST", "/api/v1/signin"},
	} {
		resp, _ := v.do(r[0], r[1], nil)
		for h, want := range map[string]string{
			"Content-Security-Policy":      "require-trusted-types-for 'script'",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Embedder-Policy": "require-corp",
			"Cross-Origin-Resource-Policy": "same-origin",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Permissions-Policy":           "camera=()",
			"X-Request-Id":                 "",
		} {
			if got := resp.Header.Get(h); got == "" || !strings.Contains(got, want) {
				t.Errorf("%s %s: %s is %q", r[0], r[1], h, got)
			}
		}
		if got := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; script-src 'self';") || strings.Contains(got, "unsafe") {
			t.Errorf("%s %s: the policy is %q", r[0], r[1], got)
		}
		if got := resp.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s %s: Cache-Control %q", r[0], r[1], got)
		}
	}
}

// Only the Worker may compile WebAssembly, and it may load nothing at all.
func TestTheWorkerHasAPolicyOfItsOwn(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	for path, worker := range map[string]bool{"/viewer/worker.js": true, "/viewer/viewer.js": false, "/viewer/worker.js/": false} {
		resp, _ := v.do("GET", path, nil)
		got := resp.Header.Get("Content-Security-Policy")
		if strings.Contains(got, "wasm-unsafe-eval") != worker || strings.Contains(got, "'unsafe-eval'") || !strings.HasPrefix(got, "default-src 'none'; script-src '") {
			t.Errorf("%s: the policy is %q", path, got)
		}
		if worker && strings.Contains(got, "'self'") {
			t.Errorf("%s may load something: %q", path, got)
		}
	}
}

// P15: a cross-site page can neither post nor open a socket.
func TestOtherSitesCanDoNothing(t *testing.T) {
	s := newSite(t)
	v := s.as(identity.Technician, "ann")
	body := map[string]any{"subject": "x", "lang": "en"}
	for _, h := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		v.code(403, "CROSS_ORIGIN", "POST", "/api/v1/tickets", body, h...)
	}
	v.want(201, "POST", "/api/v1/tickets", body, "Sec-Fetch-Site", "same-origin", "Origin", s.srv.URL)
	v.code(415, "WRONG_TYPE", "POST", "/api/v1/tickets", body, "Content-Type", "text/plain")

	dial := func(path, origin string, cookie bool) int {
		h := http.Header{}
		if origin != "" {
			h.Set("Origin", origin)
		}
		if cookie {
			u, _ := url.Parse(s.srv.URL)
			h.Set("Cookie", "mf="+v.http.Jar.Cookies(u)[0].Value)
		}
		ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.srv.URL, "http")+path, h)
		if err == nil {
			ws.Close()
		}
		if resp == nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	for _, c := range []struct {
		path, origin string
		cookie       bool
		want         int
	}{
		{"/ws/viewer", s.srv.URL, true, 101},
		{"/ws/viewer", s.srv.URL, false, 401}, // C3
		{"/ws/viewer", "https://evil.example", true, 403},
		{"/ws/viewer", "", true, 403},
		{"/ws/host", "", false, 101},
		{"/ws/host", s.srv.URL, true, 403},
	} {
		if got := dial(c.path, c.origin, c.cookie); got != c.want {
			t.Errorf("%s Origin %q cookie %v: %d, want %d", c.path, c.origin, c.cookie, got, c.want)
		}
	}
	auditor := s.as(identity.Auditor, "ada")
	auditor.code(403, "NOT_ALLOWED", "GET", "/ws/viewer", nil) // C3
}

func TestBodiesAreStrict(t *testing.T) {
	s := newSite(t)
	v := s.as(identity.Technician, "ann")
	for body, code := range map[string]string{
		`{"subject":"x","lang":"en","admin":true}`:    "BAD_JSON",
		`{"subject":"x","lang":"en"} {"subject":"y"}`: "BAD_JSON",
		`{"subject":`: "BAD_JSON",
		`[]`:          "BAD_JSON",
		``:            "BAD_JSON",
		`{"subject":"` + strings.Repeat("x", maxBody) + `"}`: "TOO_LARGE",
		`{"subject":"x","lang":"de"}`:                        "INVALID_LANG",
		`{"subject":" ","lang":"en"}`:                        "INVALID_TICKET",
	} {
		resp, raw := v.do("POST", "/api/v1/tickets", body)
		if !strings.Contains(string(raw), `"`+code+`"`) {
			t.Errorf("%.60s: %d %s, want %s", body, resp.StatusCode, raw, code)
		}
	}
	v.code(405, "METHOD", "DELETE", "/api/v1/tickets", nil)
	v.code(404, "NOT_FOUND", "GET", "/api/v1/nothing", nil)
}

func TestTickets(t *testing.T) {
	s := newSite(t)
	v := s.as(identity.Technician, "Ann")
	ticket := v.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": "Imprimante\u202e", "requester": "Élodie", "lang": "fr"})
	id := ticket["id"].(string)
	if ticket["subject"] != "Imprimante" || ticket["open"] != true || ticket["sessions"] != 0.0 {
		t.Errorf("made: %v", ticket)
	}
	note := v.want(201, "POST", "/api/v1/tickets/"+id+"/notes", map[string]any{"text": "Appelé.", "public": true})
	if note["author"] != "Ann" || note["public"] != true {
		t.Errorf("note: %v", note)
	}
	v.code(422, "INVALID_NOTE", "POST", "/api/v1/tickets/"+id+"/notes", map[string]any{"text": " "})
	if c := v.want(200, "POST", "/api/v1/tickets/"+id+"/close", map[string]any{}); c["open"] != false {
		t.Errorf("closed: %v", c)
	}
	v.code(409, "TICKET_CLOSED", "POST", "/api/v1/tickets/"+id+"/notes", map[string]any{"text": "x"})
	if l := v.want(200, "GET", "/api/v1/tickets?state=closed&q=elodie", nil)["tickets"].([]any); len(l) != 1 {
		t.Errorf("found %v", l)
	}
	if l := v.want(200, "GET", "/api/v1/tickets", nil)["tickets"].([]any); len(l) != 0 {
		t.Errorf("open: %v", l)
	}
	v.code(422, "INVALID_STATE", "GET", "/api/v1/tickets?state=lost", nil)
	if c := v.want(200, "POST", "/api/v1/tickets/"+id+"/open", map[string]any{}); c["open"] != true {
		t.Errorf("opened: %v", c)
	}
	one := v.want(200, "GET", "/api/v1/tickets/"+id, nil)
	if len(one["notes"].([]any)) != 1 || len(one["sessions"].([]any)) != 0 {
		t.Errorf("the ticket: %v", one)
	}
	v.code(404, "NO_TICKET", "GET", "/api/v1/tickets/nothing", nil)
	events, err := s.Log().Events(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		if strings.HasPrefix(e.Type, "ticket.") {
			got = append(got, e.Type)
		}
	}
	if want := "ticket.created ticket.closed ticket.opened"; strings.Join(got, " ") != want {
		t.Errorf("the log holds %v, want %s", got, want)
	}
}

func TestPages(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	resp, raw := v.do("GET", "/", nil, "Accept-Language", "fr")
	if resp.StatusCode != 200 || !strings.Contains(string(raw), `lang="fr"`) || !strings.Contains(string(raw), "Exemple") {
		t.Errorf("the landing page: %d", resp.StatusCode)
	}
	resp, raw = v.do("GET", "/?lang=en", nil, "Accept-Language", "fr")
	if !strings.Contains(string(raw), `<html lang="en">`) || len(resp.Cookies()) != 1 || resp.Cookies()[0].Name != "mf_lang" {
		t.Error("the chosen language is not taken and kept")
	}
	resp, _ = v.do("GET", "/console?ticket=1", nil)
	if got := resp.Header.Get("Location"); resp.StatusCode != 303 || got != "/signin?next=%2Fconsole%3Fticket%3D1" {
		t.Errorf("not signed in: %d to %q", resp.StatusCode, got)
	}
	// A link out of a note, followed by a person; a script is told in its own language.
	picture := "/api/v1/sessions/01J/attachments/01K"
	for _, c := range []struct {
		method, dest string
		status       int
	}{{"GET", "document", 303}, {"GET", "empty", 401}, {"GET", "", 401}, {"GET", "iframe", 401}, {"POST", "document", 405}} {
		resp, raw := v.do(c.method, picture, nil, "Sec-Fetch-Dest", c.dest)
		if resp.StatusCode != c.status || (resp.Header.Get("Location") == "/signin?next="+url.QueryEscape(picture)) != (c.status == 303) {
			t.Errorf("%s for %q: %d %v %s", c.method, c.dest, resp.StatusCode, resp.Header["Location"], raw)
		}
	}
	if resp, _ := v.do("POST", "/api/v1/signout", "{}", "Sec-Fetch-Dest", "document"); resp.StatusCode != 401 {
		t.Errorf("a form that is posted: %d", resp.StatusCode)
	}
	resp, raw = s.as(identity.Auditor, "ada").do("GET", "/console", nil)
	if resp.StatusCode != 403 || !strings.Contains(string(raw), "<html") {
		t.Errorf("the wrong role: %d", resp.StatusCode)
	}
	resp, raw = v.do("GET", "/nothing/here", nil)
	if resp.StatusCode != 404 || !strings.Contains(string(raw), "<html") {
		t.Errorf("no such page: %d", resp.StatusCode)
	}
	want := http.StatusOK
	if !web.Built() {
		want = http.StatusServiceUnavailable
	}
	if resp, _ := v.do("GET", "/signin", nil); resp.StatusCode != want {
		t.Errorf("the sign-in page: %d", resp.StatusCode)
	}
	if resp, raw := v.do("GET", "/readyz", nil); resp.StatusCode == 200 != web.Built() && !strings.Contains(string(raw), "front end not built") {
		t.Errorf("readyz: %d %s", resp.StatusCode, raw)
	}
	for _, p := range []string{"/assets/", "/assets", "/assets/../signin.html", "/assets/%2e%2e/signin.html", "/viewer/", "/viewer/.placeholder", "/assets/nothing.js"} {
		if resp, _ := v.do("GET", p, nil); resp.StatusCode == 200 {
			t.Errorf("%s is served", p)
		}
	}
	resp, _ = v.do("GET", "/assets/base.css", nil)
	if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/css") || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("a style: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestDownloads(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"mainforte-host-linux-amd64": "elf", "mainforte-host-windows-amd64.exe": "pe",
		"mainforte-signaling": "server", "private-notes.txt": "s", "mainforte-host-..": "x", "mainforte-hostile": "x",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "mainforte-host-linux-arm64")); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *Config) { c.Downloads = dir })
	v := s.visitor()
	_, raw := v.do("GET", "/", nil)
	for _, want := range []string{"/download/mainforte-host-linux-amd64", "/download/mainforte-host-windows-amd64.exe"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, no := range []string{"mainforte-signaling", "private-notes", "hostile", "arm64"} {
		if strings.Contains(string(raw), no) {
			t.Errorf("the page offers %s", no)
		}
	}
	resp, raw := v.do("GET", "/download/mainforte-host-windows-amd64.exe", nil)
	if string(raw) != "pe" || resp.Header.Get("Content-Disposition") != `attachment; filename="Mainforte-127.0.0.1.exe"` ||
		resp.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%s %v", raw, resp.Header)
	}
	for _, p := range []string{"mainforte-signaling", "private-notes.txt", "..%2fkeys", "%2e%2e", "mainforte-host-linux-arm64", "mainforte-host-linux-..%2f..%2fetc%2fpasswd", "mainforte-host-linux-386"} {
		if resp, raw := v.do("GET", "/download/"+p, nil); resp.StatusCode != 404 {
			t.Errorf("%s: %d %.40s", p, resp.StatusCode, raw)
		}
	}
	// Packed beside it, for who can unpack it; one of another program, older or newer
	// by its time, is not given out.
	dated := func(name string, sec int64) {
		t.Helper()
		if err := os.Chtimes(filepath.Join(dir, name), time.Unix(sec, 0), time.Unix(sec, 0)); err != nil {
			t.Fatal(err)
		}
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte("elf"))
	if err := errors.Join(err, z.Close(), os.WriteFile(filepath.Join(dir, "mainforte-host-linux-amd64.gz"), packed.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	dated("mainforte-host-linux-amd64", 1000)
	dated("mainforte-host-linux-amd64.gz", 1000)
	for encoding, want := range map[string]string{"gzip": packed.String(), "identity": "elf"} {
		resp, raw := v.do("GET", "/download/mainforte-host-linux-amd64", nil, "Accept-Encoding", encoding)
		if string(raw) != want || resp.ContentLength != int64(len(want)) || (resp.Header.Get("Content-Encoding") == "gzip") != (encoding == "gzip") {
			t.Errorf("%s: %q %v", encoding, raw, resp.Header)
		}
	}
	for _, sec := range []int64{999, 1001} {
		dated("mainforte-host-linux-amd64.gz", sec)
		if _, raw := v.do("GET", "/download/mainforte-host-linux-amd64", nil, "Accept-Encoding", "gzip"); string(raw) != "elf" {
			t.Errorf("packed at %d: %q", sec, raw)
		}
	}
	missing := newSite(t, func(c *Config) { c.Downloads = filepath.Join(dir, "none") })
	if resp, _ := missing.visitor().do("GET", "/", nil); resp.StatusCode != 200 {
		t.Errorf("without downloads: %d", resp.StatusCode)
	}
}

func TestAPanicIsAnAnswer(t *testing.T) {
	s := newSite(t)
	rec := httptest.NewRecorder()
	s.outermost(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })).
		ServeHTTP(rec, httptest.NewRequest("GET", "/api/v1/me", nil))
	if rec.Code != 500 || !strings.Contains(rec.Body.String(), rec.Header().Get("X-Request-Id")) || strings.Contains(rec.Body.String(), "boom") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if !strings.Contains(s.out.String(), "boom") {
		t.Error("the fault is not in the server's output")
	}
}
