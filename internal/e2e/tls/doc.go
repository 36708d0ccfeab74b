// Package tls holds the real server, with a certificate of our own authority, to
// testssl.sh: every known weakness of TLS, looked for from outside. It is part of
// `task prove`.
package tls
