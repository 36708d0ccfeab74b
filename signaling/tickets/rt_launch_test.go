package tickets_test

import (
	"bufio"
	"context"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/api"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// server is a whole server whose desk "rt" is the real one, and a technician's
// browser in it.
type server struct {
	t       *testing.T
	url     string
	browser *http.Client
}

func withRT(t *testing.T, a rtAPI) *server {
	t.Helper()
	srv, err := api.New(api.Config{
		Data: t.TempDir(), PublicHost: "127.0.0.1", Logger: slog.New(slog.DiscardHandler),
		Identity: func(c *identity.Config) { c.Cost = identity.Cost{MemoryKiB: 64, Time: 1, Threads: 1} },
		Desks: tickets.Setup{Desks: []tickets.DeskSetup{{Name: "rt", PerMinute: 6000, Config: tickets.Config{
			System: "rt", URL: a.URL, Token: a.Worker, HookSecret: hookSecret, Timeout: time.Minute,
		}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv.Handler())
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t, web.URL, &http.Client{Jar: jar}}
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := srv.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	token, err := srv.Users().Link(t.Context(), identity.Link{Role: identity.Technician})
	if err != nil {
		t.Fatal(err)
	}
	s.do(200, "POST", "/api/v1/signin/link", `{"token":"`+token+`","name":"Mainforte","password":"correct horse battery"}`)
	return s
}

func (s *server) do(status int, method, path, body string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.browser.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		s.t.Fatalf("%s %s: %s, want %d %v\n%s", method, path, resp.Status, status, err, b)
	}
	return string(b)
}

// news are the lines of data that a console hears.
func (s *server) news() *bufio.Scanner {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "GET", s.url+"/api/v1/news", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := s.browser.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	if resp.StatusCode != 200 || !lines.Scan() {
		s.t.Fatalf("no line: %s", resp.Status)
	}
	return lines
}

var tab = regexp.MustCompile(`<a[^>]*href="(https://help\.example\.test[^"]*)"[^>]*>([^<]*)</a>`)

// From a ticket's page in a real Request Tracker to its page here: the tab of
// docs/desks is there, in the reader's language, and leads to that ticket.
func TestTheTabOfARealRequestTrackerLeadsHere(t *testing.T) {
	a := realRT(t)
	s := withRT(t, a)
	id := a.ticket("Imprimante « bloquée » <script>")
	for lang, word := range map[string]string{"en": "Remote assistance", "fr": "Assistance à distance"} {
		page, err := a.Page("/Ticket/Display.html?id="+id, lang)
		if err != nil {
			t.Fatal(err)
		}
		m := tab.FindStringSubmatch(page)
		if m == nil {
			_, menu, _ := strings.Cut(page, `id="page-menu"`)
			t.Fatalf("no tab in the page:\n%.4000s", menu)
		}
		link := html.UnescapeString(m[1])
		if link != "https://help.example.test/launch?system=rt&ticket="+id || !strings.Contains(m[2], word) {
			t.Errorf("%s: the tab is %q and leads to %s", lang, m[2], link)
		}
		got := s.do(200, "GET", strings.TrimPrefix(link, "https://help.example.test"), "")
		for _, want := range []string{`data-outcome="ready"`, "Imprimante « bloquée » &lt;script&gt;", "Zoë Ölçü", `href="/console?ticket=rt%3A` + id + `&amp;start=1"`} {
			if !strings.Contains(got, want) {
				t.Errorf("the page lacks %s", want)
			}
		}
	}
	// On pages that are of no ticket there is none.
	if page, err := a.Page("/", "en"); err != nil || tab.MatchString(page) {
		t.Errorf("a tab on the start page, or %v", err)
	}
	s.do(404, "GET", "/launch?system=rt&ticket=999999", "")
	link := s.do(201, "POST", "/api/v1/sessions", `{"desk":"rt","ticket":"`+id+`"}`)
	if !strings.Contains(link, `"lang":"fr"`) || !strings.Contains(link, `"id":"rt:`+id+`"`) {
		t.Errorf("the links: %s", link)
	}
}

// A change in a real Request Tracker, whose scrip signs it, is in the console.
func TestARealRequestTrackerReachesTheConsole(t *testing.T) {
	a := realRT(t)
	s := withRT(t, a)
	const script = "../../docs/desks/rt/hook.pl"
	if err := a.Script(script, s.url+"/hooks/rt", hookSecret); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Script(script, "--remove"); err != nil {
			t.Error(err)
		}
	}()
	lines := s.news()
	heard := func(kind string, mine bool, ticket string) {
		t.Helper()
		for lines.Scan() {
			text, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			var got struct {
				Ticket, Kind string
				Mine         bool
			}
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
			if got.Ticket != ticket || got.Kind != kind || got.Mine != mine {
				t.Errorf("the console hears %s, want %s of %s", text, kind, ticket)
			}
			return
		}
		t.Fatalf("the console hears nothing of %s: %v", kind, lines.Err())
	}
	id := a.ticket("Écran noir")
	a.call("PUT", "ticket/"+id, a.Worker, map[string]string{"Owner": "mainforte"}, nil)
	heard("assigned", true, "rt:"+id)
	if list := s.do(200, "GET", "/api/v1/queue", ""); !strings.Contains(list, "Écran noir") {
		t.Errorf("the technician's list: %s", list)
	}
	a.call("PUT", "ticket/"+id, a.Worker, map[string]string{"Status": "resolved"}, nil)
	heard("closed", false, "rt:"+id)
	if list := s.do(200, "GET", "/api/v1/queue", ""); strings.Contains(list, "Écran noir") {
		t.Errorf("the technician's list after the end: %s", list)
	}
	if page := s.do(409, "GET", "/launch?system=rt&ticket="+id, ""); !strings.Contains(page, `data-outcome="closed"`) {
		t.Errorf("the page of a closed ticket: %s", page)
	}
}
