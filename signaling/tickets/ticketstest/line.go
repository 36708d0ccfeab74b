package ticketstest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Line is the way to a desk, with a saboteur on it: a proxy that can lose
// replies, answer in the desk's stead, or cut everything.
type Line struct {
	URL string

	mu     sync.Mutex
	target string
	before func(http.ResponseWriter, *http.Request) bool
	after  func(*http.Request) bool
}

// NewLine returns a quiet line to target, a URL without a path.
func NewLine(t testing.TB, target string) *Line {
	l := &Line{target: target}
	srv := httptest.NewServer(l)
	t.Cleanup(srv.Close)
	l.URL = srv.URL
	return l
}

// Instead lets fn answer; it returns false for a request that the desk shall
// have. nil ends it.
func (l *Line) Instead(fn func(http.ResponseWriter, *http.Request) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before = fn
}

// Lose drops the reply of each request for which fn returns true, after the desk
// has done what it was asked. nil ends it.
func (l *Line) Lose(fn func(*http.Request) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.after = fn
}

func (l *Line) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	before, after := l.before, l.after
	l.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if before != nil && before(w, r) {
		return
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, l.target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Header = r.Header.Clone()
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || after != nil && after(r) {
		panic(http.ErrAbortHandler)
	}
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(answer)
}

// Say answers in the desk's stead.
func Say(status int, kind, body string, header ...string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", kind)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}
