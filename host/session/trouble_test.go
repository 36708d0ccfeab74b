package session_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/host/session"
	"github.com/mainforte/mainforte/host/ui/uitest"
)

// certificate is one for 127.0.0.1 that is valid in a time around now.
func certificate(t *testing.T, from, to time.Duration) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: now.Add(from), NotAfter: now.Add(to), IsCA: true, BasicConstraintsValid: true,
	}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, c, c, key.Public(), key))
	pool := x509.NewCertPool()
	pool.AddCert(must[*x509.Certificate](t)(x509.ParseCertificate(der)))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// What answers is no help desk: the person reads what it is, as far as that can
// be told, and what they can do.
func TestWhatStandsInTheWayIsNamed(t *testing.T) {
	page := func(status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	}
	for name, c := range map[string]struct {
		answers  http.Handler
		from, to time.Duration
		trusted  bool
		says     string
	}{
		"a page to sign in at":            {page(http.StatusFound), -time.Hour, time.Hour, true, "Something in your network answers instead of 127.0.0.1."},
		"a page of any kind":              {page(http.StatusOK), -time.Hour, time.Hour, true, "Something in your network answers instead of 127.0.0.1."},
		"a proxy that cuts WebSockets":    {page(http.StatusForbidden), -time.Hour, time.Hour, true, "Something in your network answers instead of 127.0.0.1."},
		"a server that is full":           {page(http.StatusServiceUnavailable), -time.Hour, time.Hour, true, "very busy or restarting"},
		"a clock that is three days slow": {page(http.StatusOK), 72 * time.Hour, 96 * time.Hour, true, "what this computer's clock says"},
		"a clock that is three days fast": {page(http.StatusOK), -96 * time.Hour, -72 * time.Hour, true, "what this computer's clock says"},
		"a network that opens TLS":        {page(http.StatusOK), -time.Hour, time.Hour, false, "its certificate is not valid"},
	} {
		t.Run(name, func(t *testing.T) {
			cert, roots := certificate(t, c.from, c.to)
			if !c.trusted {
				roots = x509.NewCertPool()
			}
			s := httptest.NewUnstartedServer(c.answers)
			s.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of what is meant to fail
			s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
			s.StartTLS()
			defer s.Close()
			url, err := session.ParseServer(s.URL)
			ok(t, err)
			w := uitest.New()
			err = session.New(session.Config{
				Server: url, Lang: "en", Window: w, Patience: time.Millisecond, TLS: &tls.Config{RootCAs: roots},
			}).Run(t.Context())
			if !errors.Is(err, session.ErrServer) {
				t.Errorf("Run: %v", err)
			}
			if e := w.Wait(t, "error"); !strings.Contains(e.Text, c.says) {
				t.Errorf("the person reads %q", e.Text)
			}
		})
	}
}
