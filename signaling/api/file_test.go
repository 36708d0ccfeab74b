package api

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
)

func TestFilesTravelPackedAndOnce(t *testing.T) {
	files := fstest.MapFS{
		"a.js": {Data: []byte("whole")}, "a.js.br": {Data: []byte("small")},
		"b.css": {Data: []byte("b")}, "dir/c.js": {Data: []byte("c")},
	}
	get := func(name, accepts, has string) (*http.Response, string) {
		t.Helper()
		r := httptest.NewRequest("GET", "/"+name, nil)
		r.Header.Set("Accept-Encoding", accepts)
		r.Header.Set("If-None-Match", has)
		w := httptest.NewRecorder()
		if err := file(w, r, files, name, "no-cache"); err != nil {
			return nil, err.Error()
		}
		return w.Result(), w.Body.String()
	}
	tags := map[string]bool{}
	for accepts, want := range map[string]string{
		"": "whole", "gzip, deflate": "whole", "br;q=0": "whole", "br; q=0.000, gzip": "whole", "brotli": "whole", "br;q=x": "whole",
		"br": "small", "gzip, deflate, br, zstd": "small", "gzip, BR;q=0.5": "small", "gzip;q=0,br ; q=1": "small",
	} {
		r, body := get("a.js", accepts, "")
		if body != want || (r.Header.Get("Content-Encoding") == "br") != (want == "small") || r.ContentLength != int64(len(want)) ||
			r.Header.Get("Vary") != "Accept-Encoding" || r.Header.Get("Content-Type") != types[".js"] {
			t.Errorf("%q: %q, %v", accepts, body, r.Header)
		}
		tag := r.Header.Get("ETag")
		tags[tag] = true
		r, body = get("a.js", accepts, `"other", W/`+tag)
		if r.StatusCode != http.StatusNotModified || body != "" || r.Header.Get("ETag") != tag || r.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%q, had already: %d %q, %v", accepts, r.StatusCode, body, r.Header)
		}
	}
	if len(tags) != 2 {
		t.Errorf("tags %v", tags) // RFC 9110 §8.8.3.3: another one for each coding
	}
	if r, body := get("b.css", "br", ""); body != "b" || r.Header.Get("Content-Encoding") != "" {
		t.Errorf("without a packed copy: %q", body)
	}
	for _, name := range []string{"a.js.br", "dir", "../a.js", "none.js", ""} {
		if r, _ := get(name, "br", ""); r != nil {
			t.Errorf("%q is given out", name)
		}
	}
}

func TestAViewerWithoutItsDoorsIsNone(t *testing.T) {
	all := fstest.MapFS{"viewer.js": {}, "worker.js": {}, "room-1.js": {}, "viewer.js.br": {}}
	if names, err := viewerScripts(all); err != nil || len(names) != 3 {
		t.Errorf("%v %v", names, err)
	}
	for _, door := range []string{"viewer.js", "worker.js"} {
		some := maps.Clone(all)
		delete(some, door)
		if _, err := viewerScripts(some); !errors.Is(err, ErrNotBuilt) {
			t.Errorf("without %s: %v", door, err)
		}
	}
}
