package hostile

import (
	"io"
	"net/http"
)

// Policy is the Content-Security-Policy of the product's own server: a test
// compares them.
const Policy = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; " +
	"img-src 'self' blob:; media-src blob:; style-src 'self'; font-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
	"trusted-types svelte-trusted-html mf-worker"

// WorkerPolicy is that of the Worker.
const WorkerPolicy = "default-src 'none'; script-src 'wasm-unsafe-eval'; require-trusted-types-for 'script'; trusted-types 'none'"

// document is the least page that holds the real viewer.
const document = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>hostile</title>
<link rel="stylesheet" href="/page.css"><script type="module" src="/viewer/viewer.js"></script></head>
<body><remote-session ticket="t1" lang="en"></remote-session></body></html>
`

func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", Policy)
		if r.URL.Path == "/viewer/worker.js" {
			h.Set("Content-Security-Policy", WorkerPolicy)
		}
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Embedder-Policy", "require-corp")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, document)
}

func css(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css")
	_, _ = io.WriteString(w, "html, body { margin: 0; height: 100% } remote-session { display: block; height: 100% }")
}
