package api

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/launch"
)

// made makes a ticket of the embedded desk.
func (v *visitor) made(subject, lang string) (id, number string) {
	v.t.Helper()
	t := v.want(201, "POST", "/api/v1/tickets", map[string]any{"subject": subject, "requester": "Zoë", "lang": lang})
	return t["id"].(string), t["number"].(string)
}

// page fetches one and checks its status.
func (v *visitor) page(status int, path string, headers ...string) string {
	v.t.Helper()
	resp, raw := v.do("GET", path, nil, headers...)
	if resp.StatusCode != status || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		v.t.Fatalf("%s: %d, want %d\n%s", path, resp.StatusCode, status, raw)
	}
	return string(raw)
}

// A program of the desk makes links: the person's opens the page in the person's
// language, says the ticket's number, and nothing else of it.
func TestALinkForThePerson(t *testing.T) {
	s := newSite(t)
	ann := s.as(identity.Technician, "Ann")
	id, number := ann.made("Confidential: payroll", "fr")
	secret, token := s.token(identity.NewToken{Role: identity.Technician, Scopes: []identity.Scope{identity.Launch}})
	desk := s.visitor()
	for _, ref := range []map[string]any{{"desk": "local", "ticket": number}, {"desk": "local", "ticket": id}, {"ticket": id}, {"ticket": "#" + strings.ToLower(number), "lang": "fr"}} {
		got := desk.want(201, "POST", "/api/v1/sessions", ref, as(secret)...)
		person, technician := got["person"].(map[string]any), got["technician"].(map[string]any)
		if person["lang"] != "fr" || got["ticket"].(map[string]any)["id"] != id {
			t.Errorf("%v: %v", ref, got)
		}
		if until, err := time.Parse(time.RFC3339, person["expires"].(string)); err != nil || time.Until(until) > launch.Life || time.Until(until) < launch.Life-time.Minute {
			t.Errorf("it ends at %v", person["expires"])
		}
		if want := s.srv.URL + "/launch?system=local&ticket=" + id; technician["url"] != want {
			t.Errorf("the technician's is %v, want %s", technician["url"], want)
		}
		path := strings.TrimPrefix(person["url"].(string), s.srv.URL)
		if !strings.HasPrefix(path, "/help/") || strings.Contains(path, id) {
			t.Errorf("the person's is %s", path)
		}
		html := s.visitor().page(200, path, "Accept-Language", "en")
		if !strings.Contains(html, `<html lang="fr">`) || !strings.Contains(html, "Ticket "+number) || !strings.Contains(html, "Exemple") {
			t.Errorf("the page: %s", html)
		}
		for _, private := range []string{"payroll", "Zoë", id} {
			if strings.Contains(html, private) {
				t.Errorf("the page holds %q", private)
			}
		}
		if html := s.visitor().page(200, path+"?lang=en"); !strings.Contains(html, `<html lang="en">`) {
			t.Error("no way to the other language")
		}
	}
	events, err := s.Log().Events(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	last := events[len(events)-1]
	if last.Type != "ticket.link_made" || last.Ticket != id || last.Actor.Kind != "integration" || last.Actor.Ref != token {
		t.Errorf("the log holds %+v", last)
	}
	// P2, P14: nothing came into being by it.
	if n := s.as(identity.Supervisor, "Sue").want(200, "GET", "/api/v1/sessions", nil)["sessions"].([]any); len(n) != 0 {
		t.Errorf("sessions: %v", n)
	}
}

func TestLinksAreRefused(t *testing.T) {
	s := newSite(t)
	ann := s.as(identity.Technician, "Ann")
	id, number := ann.made("x", "en")
	for _, c := range []struct {
		status int
		code   string
		body   any
	}{
		{404, "NO_TICKET", map[string]any{"desk": "local", "ticket": "MF-9"}},
		{404, "DESK_UNKNOWN", map[string]any{"desk": "nowhere", "ticket": number}},
		{404, "NO_TICKET", map[string]any{"desk": "local", "ticket": "../" + id}},
		{404, "NO_TICKET", map[string]any{"desk": "LOCAL", "ticket": id}},
		{404, "NO_TICKET", map[string]any{"ticket": ""}},
		{422, "INVALID_LANG", map[string]any{"ticket": id, "lang": "de"}},
		{400, "BAD_JSON", map[string]any{"ticket": id, "subject": "x"}},
	} {
		ann.code(c.status, c.code, "POST", "/api/v1/sessions", c.body)
	}
	ann.want(200, "POST", "/api/v1/tickets/"+id+"/close", map[string]any{})
	ann.code(409, "TICKET_CLOSED", "POST", "/api/v1/sessions", map[string]any{"ticket": id})
}

func TestAnOldLinkSaysSo(t *testing.T) {
	s := newSite(t)
	old := s.links.Make(launch.Link{Number: "MF-1042", Lang: "fr", Expires: time.Now()})
	html := s.visitor().page(410, "/help/"+old)
	if !strings.Contains(html, "Ce lien est trop ancien") || !strings.Contains(html, "MF-1042") || !strings.Contains(html, "Exemple") {
		t.Errorf("the page: %s", html)
	}
	if !strings.Contains(s.visitor().page(410, "/help/"+old+"?lang=en"), "too old") {
		t.Error("not in the other language")
	}
	s.visitor().page(404, "/help/"+old[1:])
	s.visitor().page(404, "/help/x")
}

func TestATechnicianComesFromTheDesk(t *testing.T) {
	s := newSite(t)
	ann := s.as(identity.Technician, "Ann")
	id, number := ann.made("Écran <noir>", "fr")
	path := "/launch?system=local&ticket=" + number

	// Sign-in first, and back here after it.
	resp, _ := s.visitor().do("GET", path, nil)
	if got := resp.Header.Get("Location"); resp.StatusCode != 303 || got != "/signin?next="+url.QueryEscape(path) {
		t.Errorf("not signed in: %d to %q", resp.StatusCode, got)
	}
	for _, ref := range []string{number, id, "%23" + number} {
		html := ann.page(200, "/launch?system=local&ticket="+ref+"&utm=1")
		for _, want := range []string{"Écran &lt;noir&gt;", "Zoë", "Ticket " + number, `href="/console?ticket=` + id + `&amp;start=1"`} {
			if !strings.Contains(html, want) {
				t.Errorf("%s: the page lacks %q", ref, want)
			}
		}
	}
	if !strings.Contains(ann.page(200, path, "Accept-Language", "fr"), "Démarrer une session") {
		t.Error("not in French")
	}
	ann.want(200, "POST", "/api/v1/tickets/"+id+"/close", map[string]any{})
	if html := ann.page(409, path); !strings.Contains(html, "This ticket is closed") || strings.Contains(html, "start=1") {
		t.Errorf("a closed ticket: %s", html)
	}
	s.as(identity.Auditor, "Ada").page(403, path)
	s.as(identity.Admin, "Root").page(403, path)
}

func TestHostileLaunches(t *testing.T) {
	s := newSite(t)
	ann := s.as(identity.Technician, "Ann")
	id, _ := ann.made("x", "en")
	outcome := regexp.MustCompile(`data-outcome="([a-z_]+)"`)
	for query, want := range map[string]string{
		"":             "bad",
		"system=local": "bad",
		"ticket=" + id: "bad",
		"system=local&ticket=" + id + "&ticket=7":        "bad",
		"system=local&system=rt&ticket=" + id:            "bad",
		"system=LOCAL&ticket=" + id:                      "bad",
		"system=local&ticket=" + id + "%0a":              "bad",
		"system=local&ticket=..%2f" + id:                 "bad",
		"system=local&ticket=%3Cscript%3E":               "bad",
		"system=local&ticket=a%27%20or%201=1":            "bad",
		"system=local&ticket=%e2%80%ae7":                 "bad",
		"system=local&ticket=rt:7":                       "bad",
		"system=local&ticket=" + strings.Repeat("7", 65): "bad",
		"system=rt&ticket=" + id:                         "no_desk",
		"system=local&ticket=7":                          "no_ticket",
		"system=local&ticket=%25":                        "bad",
		"system=local&ticket=MF-":                        "no_ticket",
		"system=local&ticket=100_":                       "no_ticket",
	} {
		resp, raw := ann.do("GET", "/launch?"+query, nil)
		if m := outcome.FindSubmatch(raw); m == nil || string(m[1]) != want || resp.StatusCode < 400 || resp.StatusCode >= 500 {
			t.Errorf("%s: %d %q, want %s", query, resp.StatusCode, m, want)
		}
		if strings.Contains(string(raw), "<script") {
			t.Errorf("%s: markup", query)
		}
	}
}

// P15: another site can bring a technician to the page, but not show it in a
// frame, and nothing comes of it: no event, no session, no ticket touched.
func TestAnotherSiteLaunchesNothing(t *testing.T) {
	s := newSite(t)
	ann := s.as(identity.Technician, "Ann")
	id, _ := ann.made("x", "en")
	before, err := s.Log().Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	was := ann.want(200, "GET", "/api/v1/tickets/"+id, nil)
	resp, _ := ann.do("GET", "/launch?system=local&ticket="+id, nil, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	if resp.StatusCode != 200 || resp.Header.Get("X-Frame-Options") != "DENY" || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	ann.code(403, "CROSS_ORIGIN", "POST", "/api/v1/sessions", map[string]any{"ticket": id}, "Sec-Fetch-Site", "cross-site")
	u, _ := url.Parse(s.srv.URL)
	for _, k := range ann.http.Jar.Cookies(u) {
		if k.Name == "mf" && len(resp.Cookies()) > 0 {
			t.Error("a cookie was set")
		}
	}
	after, err := s.Log().Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if now := ann.want(200, "GET", "/api/v1/tickets/"+id, nil); before.Size != after.Size || len(now["sessions"].([]any)) != len(was["sessions"].([]any)) {
		t.Errorf("the log grew from %d to %d; the ticket was %v and is %v", before.Size, after.Size, was, now)
	}
}
