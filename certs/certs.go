// Package certs holds the server's TLS material: a development authority that
// can vouch for nothing but this machine, and a certificate file pair that is
// taken over while the server runs.
//
// Most callers need two functions. [Dev] writes a name-constrained authority and
// a leaf for localhost, so that host and browser speak TLS on the first day.
// [Load] reads the pair an operator gives; [Pair.Watch] looks at the files again
// every few seconds, and [ServerConfig] makes the tls.Config around it. A pair
// that changed and is broken is reported and not taken: connections go on with
// the one before.
//
// TLS is 1.3, and 1.2 with authenticated ciphers only.
package certs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// ServerConfig is the tls.Config of every public listener. TLS 1.2 keeps only
// the suites with forward secrecy and authenticated encryption: Go's own list
// still holds CBC, which scanners report as LUCKY13.
func ServerConfig(pair *Pair) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: pair.GetCertificate,
		// WebSockets need HTTP/1.1: gorilla/websocket takes over the connection.
		NextProtos: []string{"http/1.1"},
	}
}

// Pair is a certificate chain and its key, read from two PEM files.
type Pair struct {
	certFile, keyFile string
	now               atomic.Pointer[loaded]
}

type loaded struct {
	cert tls.Certificate
	sum  [sha256.Size]byte // of both files
}

// Load reads the pair; the error says which file is at fault.
func Load(certFile, keyFile string) (*Pair, error) {
	p := &Pair{certFile: certFile, keyFile: keyFile}
	if _, err := p.Reload(); err != nil {
		return nil, err
	}
	return p, nil
}

// Reload reads the files again and tells whether a new pair was taken. On an
// error the pair before stays.
func (p *Pair) Reload() (changed bool, err error) {
	certPEM, err := os.ReadFile(p.certFile)
	if err != nil {
		return false, fmt.Errorf("certs: cannot read the certificate: %w", err)
	}
	keyPEM, err := os.ReadFile(p.keyFile)
	if err != nil {
		return false, fmt.Errorf("certs: cannot read the key: %w", err)
	}
	sum := sha256.Sum256(bytes.Join([][]byte{certPEM, keyPEM}, []byte{0}))
	if old := p.now.Load(); old != nil && old.sum == sum {
		return false, nil
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return false, fmt.Errorf("certs: %s and %s are not a pair: %w", p.certFile, p.keyFile, err)
	}
	p.now.Store(&loaded{cert: cert, sum: sum})
	return true, nil
}

// GetCertificate is the field of the same name in a tls.Config.
func (p *Pair) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return &p.now.Load().cert, nil
}

// Watch reloads the pair when a file has changed, until ctx ends. It compares
// contents at an interval instead of waiting for file events: those do not
// arrive through the symbolic links and network mounts certificates live on.
// While the files are broken it says so once.
func (p *Pair) Watch(ctx context.Context, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := p.Reload()
		switch {
		case err != nil && err.Error() != said:
			said = err.Error()
			log.Error("the changed certificate is not taken; the one before stays", "error", err)
		case changed:
			said = ""
			log.Info("new certificate taken", "file", p.certFile)
		}
	}
}
