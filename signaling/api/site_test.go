package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/identity"
)

const password = "correct horse battery"

// site is a server on a loopback address.
type site struct {
	*Server
	t   *testing.T
	srv *httptest.Server
	out *buffer
	cfg Config
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newSite(t *testing.T, change ...func(*Config)) *site {
	t.Helper()
	s := &site{t: t, out: &buffer{}}
	s.cfg = Config{
		Data: t.TempDir(), PublicHost: "127.0.0.1", Organisation: "Exemple", Version: "test",
		Logger:   slog.New(slog.NewJSONHandler(s.out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Identity: func(c *identity.Config) { c.Cost = identity.Cost{MemoryKiB: 64, Time: 1, Threads: 1} },
	}
	for _, f := range change {
		f(&s.cfg)
	}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *site) start() {
	s.t.Helper()
	srv, err := New(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Server, s.srv = srv, httptest.NewServer(srv.Handler())
}

func (s *site) stop() {
	s.srv.CloseClientConnections()
	s.srv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		s.t.Error(err)
	}
}

// visitor is one browser.
type visitor struct {
	t    *testing.T
	site *site
	http *http.Client
}

func (s *site) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &visitor{s.t, s, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// as is a browser that has signed in by a one-time link.
func (s *site) as(role identity.Role, name string) *visitor {
	s.t.Helper()
	v := s.visitor()
	token, err := s.Users().Link(s.t.Context(), identity.Link{Role: role})
	if err != nil {
		s.t.Fatal(err)
	}
	v.want(http.StatusOK, "POST", "/api/v1/signin/link", map[string]any{"token": token, "name": name, "password": password})
	return v
}

func (v *visitor) do(method, path string, body any, headers ...string) (*http.Response, []byte) {
	v.t.Helper()
	var sent []byte
	switch b := body.(type) {
	case nil:
	case string:
		sent = []byte(b)
	default:
		var err error
		if sent, err = json.Marshal(b); err != nil {
			v.t.Fatal(err)
		}
	}
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(sent)
	}
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.site.srv.URL+path, r)
	if err != nil {
		v.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := v.http.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	if err := promised().check(req, sent, resp, raw); err != nil {
		v.t.Errorf("openapi.yaml: %v", err)
	}
	return resp, raw
}

// want makes a request, checks its status, and returns the JSON that came.
func (v *visitor) want(status int, method, path string, body any, headers ...string) map[string]any {
	v.t.Helper()
	resp, raw := v.do(method, path, body, headers...)
	if resp.StatusCode != status {
		v.t.Fatalf("%s %s: %d, want %d\n%s", method, path, resp.StatusCode, status, raw)
	}
	if len(raw) == 0 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		return nil
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		v.t.Fatalf("%s %s: %v\n%s", method, path, err, raw)
	}
	return m
}

// code makes a request that must fail with that code, and returns the sentence.
func (v *visitor) code(status int, code, method, path string, body any, headers ...string) string {
	v.t.Helper()
	e, _ := v.want(status, method, path, body, headers...)["error"].(map[string]any)
	if e["code"] != code || e["message"] == "" {
		v.t.Fatalf("%s %s: %v, want %s", method, path, e, code)
	}
	return e["message"].(string)
}
