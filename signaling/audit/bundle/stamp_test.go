package bundle

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
)

// authority is a timestamp authority of our own, with a certificate for this use
// or another.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	root *x509.Certificate
	lie  func(*timestamp.Request)
}

func newAuthority(t *testing.T, use x509.ExtKeyUsage) *authority {
	t.Helper()
	make := func(name string, ca bool, use []x509.ExtKeyUsage, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		tmpl := &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		}
		if ca {
			tmpl.KeyUsage |= x509.KeyUsageCertSign
		} else if len(use) > 0 && use[0] == x509.ExtKeyUsageTimeStamping {
			// Critical, as RFC 3161 section 2.3 asks.
			value, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
			must(t, err)
			tmpl.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: value}}
		} else {
			tmpl.ExtKeyUsage = use
		}
		if parent == nil {
			parent, by = tmpl, key
		}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, by)
		must(t, err)
		c, err := x509.ParseCertificate(der)
		must(t, err)
		return c, key
	}
	root, rootKey := make("Test root", true, nil, nil, nil)
	cert, key := make("Test authority", false, []x509.ExtKeyUsage{use}, root, rootKey)
	return &authority{cert: cert, key: key, root: root}
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err == nil && r.Header.Get("Content-Type") == "application/timestamp-query" {
		var req *timestamp.Request
		if req, err = timestamp.ParseRequest(b); err == nil {
			if a.lie != nil {
				a.lie(req)
			}
			ts := timestamp.Timestamp{
				HashAlgorithm: req.HashAlgorithm, HashedMessage: req.HashedMessage, Time: time.Now(), Nonce: req.Nonce,
				Policy: asn1.ObjectIdentifier{1, 2, 3}, AddTSACertificate: true,
			}
			if b, err = ts.CreateResponseWithOpts(a.cert, a.key, crypto.SHA256); err == nil {
				_, _ = w.Write(b)
				return
			}
		}
	}
	http.Error(w, "no", http.StatusBadRequest)
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.root)
	return p
}

func TestAnAuthorityOutsideVouchesForTheTime(t *testing.T) {
	l, _, _ := filled(t, 40)
	a := newAuthority(t, x509.ExtKeyUsageTimeStamping)
	s := httptest.NewServer(a)
	defer s.Close()
	dir := write(t, l, Options{Stamp: Authority(s.Client(), s.URL)})
	key := l.VerifierKey()
	if r := check(t, dir, Trust{Key: key}); !r.Proven() || r.StampProven || time.Since(r.Stamped) > time.Minute || r.StampedBy != "CN=Test authority" || len(r.Extra) != 0 {
		t.Errorf("%+v", r)
	}
	if r := check(t, dir, Trust{Key: key, Authorities: a.pool()}); !r.Proven() || !r.StampProven {
		t.Errorf("%+v", r)
	}
	stranger := newAuthority(t, x509.ExtKeyUsageTimeStamping)
	if r := check(t, dir, Trust{Key: key, Authorities: stranger.pool()}); r.OK() || r.Problems[0].Name != stampFile {
		t.Errorf("a stranger's: %+v", r)
	}
	if r := check(t, write(t, l, Options{}), Trust{Key: key, Authorities: a.pool()}); r.OK() || r.Problems[0].Name != stampFile {
		t.Errorf("none: %+v", r)
	}

	// openssl agrees.
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw}), 0o600))
	c := exec.Command("openssl", "ts", "-verify", "-in", stampFile, "-data", checkpointFile, "-CAfile", ca)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "Verification: OK") {
		t.Errorf("openssl (of the package openssl): %v: %s", err, out)
	}

	// Any change of it is found.
	path := filepath.Join(dir, stampFile)
	good, err := os.ReadFile(path)
	must(t, err)
	for at := 0; at < len(good); at += 7 {
		bad := []byte(string(good))
		bad[at] ^= 4
		must(t, os.WriteFile(path, bad, 0o600))
		if r := check(t, dir, Trust{Key: key}); r.OK() || r.Problems[0].Name != stampFile {
			t.Fatalf("byte %d: %+v", at, r)
		}
	}
	must(t, os.Remove(path))
	if r := check(t, dir, Trust{Key: key}); r.OK() || r.Problems[0].Name != stampFile {
		t.Errorf("gone: %+v", r)
	}
}

func TestAnAuthorityThatLiesIsRefused(t *testing.T) {
	l, _, _ := filled(t, 20)
	for what, lie := range map[string]func(*timestamp.Request){
		"another text":  func(r *timestamp.Request) { r.HashedMessage[0] ^= 1 },
		"another nonce": func(r *timestamp.Request) { r.Nonce.Add(r.Nonce, big.NewInt(1)) },
		"no nonce":      func(r *timestamp.Request) { r.Nonce = nil },
	} {
		a := newAuthority(t, x509.ExtKeyUsageTimeStamping)
		a.lie = lie
		s := httptest.NewServer(a)
		if _, err := Write(bg, l, filepath.Join(t.TempDir(), "x"), Options{By: admin, Stamp: Authority(s.Client(), s.URL)}); err == nil {
			t.Errorf("%s: taken", what)
		}
		s.Close()
	}
	for what, h := range map[string]http.HandlerFunc{
		"an error page": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"too much":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxStamp+1)) },
		"a refusal":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
	} {
		s := httptest.NewServer(h)
		if _, err := Write(bg, l, filepath.Join(t.TempDir(), "x"), Options{By: admin, Stamp: Authority(s.Client(), s.URL)}); err == nil {
			t.Errorf("%s: taken", what)
		}
		s.Close()
	}
	// A certificate that is good for something else stamps nothing.
	a := newAuthority(t, x509.ExtKeyUsageServerAuth)
	s := httptest.NewServer(a)
	defer s.Close()
	dir := filepath.Join(t.TempDir(), "x")
	if _, err := Write(bg, l, dir, Options{By: admin, Stamp: Authority(s.Client(), s.URL)}); err != nil {
		return // refused already when it was made
	}
	if r := check(t, dir, Trust{Key: l.VerifierKey(), Authorities: a.pool()}); r.OK() || r.StampProven {
		t.Errorf("%+v", r)
	}
}

func FuzzStamp(f *testing.F) {
	f.Add([]byte("0\x03\x02\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := readStamp(b, []byte("text")); err == nil {
			t.Fatalf("%x stamps: %+v", b, s)
		}
	})
}
