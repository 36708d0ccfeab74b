package release_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"github.com/mainforte/mainforte/signaling/api"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/release"
	"github.com/mainforte/mainforte/viewer"
	"github.com/mainforte/mainforte/web"
)

// served is a real server, and what may be done to its answers on their way.
type served struct {
	*httptest.Server
	manifest release.Manifest
	cookie   string
	change   func(path string, h http.Header, b []byte) (status int, body []byte)
}

func newServed(t *testing.T) *served {
	t.Helper()
	m, err := api.Manifest("test")
	if errors.Is(err, api.ErrNotBuilt) {
		t.Fatal("the pages are not built: task build")
	}
	if err != nil {
		t.Fatal(err)
	}
	srv, err := api.New(api.Config{
		Data: t.TempDir(), PublicHost: "127.0.0.1", Organisation: `Exemple "<script>`, Logger: slog.New(slog.DiscardHandler),
		Identity: func(c *identity.Config) { c.Cost = identity.Cost{MemoryKiB: 64, Time: 1, Threads: 1} },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close(t.Context()) })
	s := &served{manifest: m}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		srv.Handler().ServeHTTP(rec, r)
		status, b := rec.Code, rec.Body.Bytes()
		if s.change != nil {
			var to int
			if to, b = s.change(r.URL.Path, rec.Header(), b); to != 0 {
				status = to
			}
		}
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.Header().Del("Content-Length") // it may have changed
		w.WriteHeader(status)
		w.Write(b) //nolint:errcheck // the other side has gone
	}))
	t.Cleanup(s.Close)
	token, err := srv.Users().Link(t.Context(), identity.Link{Role: identity.Admin})
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Jar: jar}).Post(s.URL+"/api/v1/signin/link", "application/json", strings.NewReader(`{"token":"`+token+`","name":"Sue","password":"correct horse battery"}`))
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(err, resp)
	}
	u, _ := url.Parse(s.URL)
	for _, c := range jar.Cookies(u) {
		s.cookie += c.Name + "=" + c.Value + "; "
	}
	return s
}

func (s *served) check(t *testing.T, cookie string) release.Report {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	r, err := release.Check(t.Context(), http.DefaultClient, u, s.manifest, cookie)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// P16: anybody can check what a server sends, down to the byte.
func TestTheServedFilesAreTheRelease(t *testing.T) {
	s := newServed(t)
	if r := s.check(t, s.cookie); len(r.Problems) != 0 || len(r.Unseen) != 0 || r.Files != len(s.manifest.Files) || r.Files < 12 {
		t.Errorf("%+v of %d", r, len(s.manifest.Files))
	}
	if r := s.check(t, ""); len(r.Problems) != 0 || !slices.Equal(r.Unseen, []string{"/account", "/admin", "/audit", "/console", "/supervise", "/words"}) {
		t.Errorf("without a sign-in: %+v", r)
	}
	for _, f := range s.manifest.Files {
		if f.Path == "/viewer/worker.js" && !strings.Contains(f.Policy, "wasm-unsafe-eval") || f.Path != "/viewer/worker.js" && strings.Contains(f.Policy, "unsafe") {
			t.Errorf("%s: %s", f.Path, f.Policy)
		}
	}
}

// P16: one byte of any file, a file that is gone, a weaker policy, one more script.
func TestAServerThatSendsAnythingElseIsNamed(t *testing.T) {
	s := newServed(t)
	whole := s.manifest
	for _, f := range whole.Files {
		s.manifest.Files = []release.File{f} // the others are as they were
		for what, change := range map[string]func(h http.Header, b []byte) (int, []byte){
			"differs from the release: SHA-256": func(_ http.Header, b []byte) (int, []byte) { b[len(b)/2] ^= 1; return 0, b },
			"another length":                    func(_ http.Header, b []byte) (int, []byte) { return 0, append(b, ' ') },
			"is missing":                        func(http.Header, []byte) (int, []byte) { return 404, nil },
			"Content-Security-Policy is": func(h http.Header, b []byte) (int, []byte) {
				h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "default-src 'none'", "default-src *", 1))
				return 0, b
			},
			"X-Content-Type-Options is": func(h http.Header, b []byte) (int, []byte) { h.Del("X-Content-Type-Options"); return 0, b },
			"is sent as": func(h http.Header, b []byte) (int, []byte) {
				h.Set("Content-Type", "application/octet-stream")
				return 0, b
			},
			"is not sent": func(http.Header, []byte) (int, []byte) { return 500, nil },
		} {
			s.change = func(path string, h http.Header, b []byte) (int, []byte) {
				if path == f.Path {
					return change(h, b)
				}
				return 0, b
			}
			r := s.check(t, s.cookie)
			if len(r.Problems) == 0 || r.Problems[0].Path != f.Path || !strings.Contains(r.Problems[0].Detail, what) {
				t.Errorf("%s: %s: %v", f.Path, what, r.Problems)
			}
		}
	}
	s.manifest = whole
	for path, insert := range map[string][2]string{
		"/signin": {`<script src="/assets/evil.js"></script>`, "/assets/evil.js: is extra"},
		"/":       {`<script src="/assets/evil.js"></script>`, "/: holds \"<script\""},
		"/wait":   {`<script src="/assets/evil.js"></script>`, "/wait: holds \"<script\""},
		"/receipt": {`<link rel="stylesheet" href="https://elsewhere.example/x.css">`,
			`asks for "https://elsewhere.example/x.css"`},
		"/viewer/viewer.js": {`import "./more.js";`, "/viewer/more.js: is extra"},
	} {
		s.change = func(at string, _ http.Header, b []byte) (int, []byte) {
			if at == path {
				return 0, append(b, insert[0]...)
			}
			return 0, b
		}
		if r := s.check(t, s.cookie); !slices.ContainsFunc(r.Problems, func(p release.Problem) bool { return strings.Contains(p.String(), insert[1]) }) {
			t.Errorf("%s with %s: %v", path, insert[0], r.Problems)
		}
	}
	for what, add := range map[string]string{
		"an image of another server": `<img src=//elsewhere.example/x.png>`, "a handler": `<p onclick="x()">`, "a frame": `<iframe src="/x"></iframe>`,
		"a form": `<form action="https://elsewhere.example/">`, "a file that is not of the release": `<img src="/assets/x.png">`,
	} {
		s.change = func(at string, _ http.Header, b []byte) (int, []byte) {
			if at == "/" {
				return 0, append(b, add...)
			}
			return 0, b
		}
		if r := s.check(t, s.cookie); len(r.Problems) == 0 {
			t.Errorf("the landing page with %s passes", what)
		}
	}
}

// C138: a help desk may add its name, a logo and a stylesheet of colours to the pages of a
// release, and nothing that only looks like them.
func TestWhatAHelpDeskAddsIsHeldToItsForm(t *testing.T) {
	s := newServed(t)
	ask := func(method, path, kind, body string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Cookie", s.cookie)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode/100 != 2 {
			t.Fatalf("%s: %d %s %v", path, resp.StatusCode, b, err)
		}
		return string(b)
	}
	img := image.NewGray(image.Rect(0, 0, 64, 32))
	var picture bytes.Buffer
	if err := png.Encode(&picture, img); err != nil {
		t.Fatal(err)
	}
	hash := regexp.MustCompile(`[0-9a-f]{64}`)
	logo := hash.FindString(ask("POST", "/api/v1/brand/logo", "image/png", picture.String()))
	ask("PUT", "/api/v1/brand", "application/json", `{"version":0,"name":"\"><script>","sentence":"","phrase":"","accent":"#0056a3","logo":"`+logo+`"}`)
	if r := s.check(t, s.cookie); len(r.Problems) != 0 || r.Files != len(s.manifest.Files) {
		t.Fatalf("%+v", r)
	}
	page := ask("GET", "/signin", "text/html", "")
	sheet := regexp.MustCompile(`/brand/[0-9a-f]{64}\.css`).FindString(page)
	evil := []byte(":root{--mf-accent:#0056a3;--mf-danger:#0056a3}")
	sum := sha256.Sum256(evil)
	another := "/brand/" + hex.EncodeToString(sum[:]) + ".css"
	replace := func(old, with string) func(string, http.Header, []byte) (int, []byte) {
		return func(_ string, _ http.Header, b []byte) (int, []byte) {
			return 0, bytes.ReplaceAll(b, []byte(old), []byte(with))
		}
	}
	for what, change := range map[string]func(path string, h http.Header, b []byte) (int, []byte){
		"holds more than the colour": func(path string, h http.Header, b []byte) (int, []byte) {
			if path == another {
				h.Set("Content-Type", "text/css; charset=utf-8")
				return 200, evil
			}
			return replace(sheet, another)(path, h, b)
		},
		"is not what its name says": func(path string, _ http.Header, b []byte) (int, []byte) {
			if path == sheet {
				return 0, append(b, ' ')
			}
			return 0, b
		},
		"is sent as": func(path string, h http.Header, b []byte) (int, []byte) {
			if strings.HasSuffix(path, ".png") {
				h.Set("Content-Type", "image/svg+xml")
			}
			return 0, b
		},
		"is not sent": func(path string, _ http.Header, b []byte) (int, []byte) {
			if path == sheet {
				return 404, nil
			}
			return 0, b
		},
		"X-Content-Type-Options is": func(path string, h http.Header, b []byte) (int, []byte) {
			if path == sheet {
				h.Del("X-Content-Type-Options")
			}
			return 0, b
		},
		"another length than":          replace(`<meta name="mf-brand"`, `<meta http-equiv="refresh" content="0;/x"><meta name="mf-brand"`),
		"differs from the release: it": replace(`data-plate="`, `onclick="x()" data-plate="`),
	} {
		s.change = change
		if r := s.check(t, s.cookie); !slices.ContainsFunc(r.Problems, func(p release.Problem) bool { return strings.Contains(p.Detail, what) }) {
			t.Errorf("%s: %v", what, r.Problems)
		}
	}
}

// P16: browsers are sent packed copies. What is in them is checked as well, for a server could pack something else.
func TestAServerThatPacksAnythingElseIsNamed(t *testing.T) {
	s := newServed(t)
	pack := func(b []byte) []byte {
		var out bytes.Buffer
		w := brotli.NewWriter(&out)
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	const path = "/viewer/viewer.js"
	for what, change := range map[string]func(h http.Header, b []byte) []byte{
		"another length":              func(_ http.Header, _ []byte) []byte { return pack([]byte("evil()")) },
		"it has another length":       func(_ http.Header, _ []byte) []byte { return pack(make([]byte, 8<<20)) },
		"is sent packed as no":        func(_ http.Header, b []byte) []byte { return b[:len(b)/2] },
		`no release is: "gzip"`:       func(h http.Header, b []byte) []byte { h.Set("Content-Encoding", "gzip"); return b },
		`no release is: "br, br"`:     func(h http.Header, b []byte) []byte { h.Add("Content-Encoding", "br"); return b },
		"X-Content-Type-Options is":   func(h http.Header, b []byte) []byte { h.Del("X-Content-Type-Options"); return b },
		"is sent as \"text/html\"":    func(h http.Header, b []byte) []byte { h.Set("Content-Type", "text/html"); return b },
		"Content-Security-Policy is ": func(h http.Header, b []byte) []byte { h.Del("Content-Security-Policy"); return b },
	} {
		packed := 0
		s.change = func(at string, h http.Header, b []byte) (int, []byte) {
			if at == path && h.Get("Content-Encoding") == "br" {
				packed++
				return 0, change(h, b)
			}
			return 0, b
		}
		r := s.check(t, s.cookie)
		if packed != 1 || len(r.Problems) != 1 || r.Problems[0].Path != path || !strings.Contains(r.Problems[0].Detail, what) || r.Files != len(s.manifest.Files)-1 {
			t.Errorf("%s, packed %d times: %+v", what, packed, r)
		}
	}
	s.change = func(at string, h http.Header, b []byte) (int, []byte) {
		if at == "/" {
			h.Set("Content-Encoding", "br")
			return 0, pack(append(b, "<script></script>"...))
		}
		return 0, b
	}
	if r := s.check(t, s.cookie); len(r.Problems) == 0 || r.Problems[0].Path != "/" {
		t.Errorf("a packed landing page: %+v", r)
	}
}

// P16: a packed copy is the file that it lies beside.
func TestEachPackedCopyIsItsFile(t *testing.T) {
	if _, err := api.Manifest("test"); errors.Is(err, api.ErrNotBuilt) {
		t.Fatal("the pages are not built: task build")
	}
	for what, files := range map[string]fs.FS{"web": web.Files(), "viewer": viewer.Files()} {
		copies := 0
		err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			whole, packed := strings.CutSuffix(name, ".br")
			if err != nil || d.IsDir() || !packed {
				return err
			}
			copies++
			small, err := fs.ReadFile(files, name)
			if err != nil {
				return err
			}
			want, err := fs.ReadFile(files, whole)
			if err != nil {
				return err // a copy of nothing
			}
			got, err := io.ReadAll(io.LimitReader(brotli.NewReader(bytes.NewReader(small)), int64(len(want))+1))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %s is not %s: %v", what, name, whole, err)
			}
			return nil
		})
		if err != nil || copies == 0 {
			t.Errorf("%s: %d packed copies, %v", what, copies, err)
		}
	}
}

func TestAManifestIsReadBackOrRefused(t *testing.T) {
	m := release.Manifest{Format: release.Format, Version: "1", Headers: map[string]string{}, Files: []release.File{release.Of("/viewer/viewer.js", []byte("x"), "text/javascript", "p", false)}}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := release.Read(bytes.NewReader(b))
	if err != nil || len(got.Files) != 1 || got.Files[0] != m.Files[0] {
		t.Errorf("%+v %v", got, err)
	}
	for _, c := range [][2]string{
		{"manifest v1", "manifest v2"}, {"/viewer/viewer.js", "/viewer/../x"}, {"/viewer/viewer.js", "//x/y"}, {"/viewer/viewer.js", ""},
		{`"sha256":"2`, `"sha256":"g`}, {`"size":1`, `"size":-1`}, {`"version"`, `"more"`}, {`"files":[`, `"files":[` + string(b[bytes.Index(b, []byte(`{"path"`)):len(b)-2]) + ","},
	} {
		bad := strings.Replace(string(b), c[0], c[1], 1)
		if _, err := release.Read(strings.NewReader(bad)); bad == string(b) || !errors.Is(err, release.ErrManifest) {
			t.Errorf("%q for %q: %v", c[1], c[0], err)
		}
	}
	if _, err := release.Read(io.LimitReader(zeros{}, 1<<30)); !errors.Is(err, release.ErrManifest) {
		t.Errorf("endless: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"format":"mainforte release manifest v1","version":"1","headers":{},"files":[{"path":"/x","size":1,"sha256":"` + strings.Repeat("0", 64) + `","type":"","policy":""}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := release.Read(bytes.NewReader(b)); err == nil && (m.Format != release.Format || len(m.Files) == 0) {
			t.Errorf("%+v", m)
		}
	})
}
