package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func dev(t *testing.T, dir string, names ...string) bool {
	t.Helper()
	kept, err := Dev(dir, names, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func roots(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(dir, CAFile))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		t.Fatal("no certificate in " + CAFile)
	}
	return pool
}

// serve answers TLS on loopback with pair until the test ends.
func serve(t *testing.T, pair *Pair) string {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", ServerConfig(pair))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.(*tls.Conn).Handshake()
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

func dial(addr string, cfg *tls.Config) (tls.ConnectionState, error) {
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", addr, cfg)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	return c.ConnectionState(), nil
}

func load(t *testing.T, dir string) *Pair {
	t.Helper()
	p, err := Load(filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDevCertificateIsTrustedForItsNames(t *testing.T) {
	dir := t.TempDir()
	dev(t, dir, "desk.example.org", "192.0.2.7")
	addr, pool := serve(t, load(t, dir)), roots(t, dir)
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "desk.example.org", "192.0.2.7"} {
		if _, err := dial(addr, &tls.Config{RootCAs: pool, ServerName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := dial(addr, &tls.Config{RootCAs: pool, ServerName: "bank.example.com"}); err == nil {
		t.Error("the certificate was accepted for a name it does not hold")
	}
}

func TestDevAuthorityCannotVouchForOtherNames(t *testing.T) {
	dir := t.TempDir()
	dev(t, dir)
	ca, err := tls.LoadX509KeyPair(filepath.Join(dir, CAFile), filepath.Join(dir, CAKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	pool := roots(t, dir)
	verify := func(leaf *x509.Certificate) error {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		leaf.SerialNumber, _ = newSerial()
		leaf.NotBefore, leaf.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, leaf, ca.Leaf, &key.PublicKey, ca.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parsed.Verify(x509.VerifyOptions{Roots: pool})
		return err
	}
	// The stolen key signs what the thief likes; nobody believes it.
	if err := verify(&x509.Certificate{DNSNames: []string{"bank.example.com"}}); err == nil {
		t.Error("a forged certificate for bank.example.com was believed")
	}
	if err := verify(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}}); err == nil {
		t.Error("a forged certificate for 192.0.2.1 was believed")
	}
	if err := verify(&x509.Certificate{DNSNames: []string{"localhost"}}); err != nil {
		t.Errorf("localhost must stay possible: %v", err)
	}
}

func TestDevKeepsTheAuthorityThatIsTrusted(t *testing.T) {
	dir := t.TempDir()
	if dev(t, dir) {
		t.Fatal("an empty folder held an authority")
	}
	first, _ := os.ReadFile(filepath.Join(dir, CAFile))
	if !dev(t, dir, "desk.test") {
		t.Error("desk.test is permitted, yet the authority was replaced")
	}
	second, _ := os.ReadFile(filepath.Join(dir, CAFile))
	if string(first) != string(second) {
		t.Error("the authority changed although it was kept")
	}
	if dev(t, dir, "desk.example.org") {
		t.Error("an authority was kept that may not vouch for desk.example.org")
	}
	if _, err := Dev(dir, []string{"bad name"}, time.Now()); err == nil {
		t.Error("a name with a space was accepted")
	}
}

func TestKeysAreReadableByTheirOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	dev(t, dir)
	for _, f := range []string{CAKeyFile, KeyFile} {
		fi, err := os.Stat(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f, fi.Mode().Perm())
		}
	}
}

func TestChangedPairIsTakenWhileServing(t *testing.T) {
	dir := t.TempDir()
	dev(t, dir)
	pair := load(t, dir)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		pair.Watch(ctx, 5*time.Millisecond, slog.New(slog.NewTextHandler(io.Discard, nil)))
	}()
	defer func() { stop(); <-done }()
	addr := serve(t, pair)
	serial := func() string {
		st, err := dial(addr, &tls.Config{RootCAs: roots(t, dir), ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		return st.PeerCertificates[0].SerialNumber.String()
	}
	first := serial()

	// A broken file must not take the server down or change what it shows.
	good, err := os.ReadFile(filepath.Join(dir, CertFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, CertFile), []byte("nonsense"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := pair.Reload(); err == nil {
		t.Fatal("a broken certificate was taken")
	}
	if got := serial(); got != first {
		t.Fatal("a broken certificate changed what is served")
	}
	if err := os.WriteFile(filepath.Join(dir, CertFile), good, 0o644); err != nil {
		t.Fatal(err)
	}

	dev(t, dir)
	deadline := time.Now().Add(5 * time.Second)
	for serial() == first {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate was not taken")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestOldAndUnauthenticatedTLSIsRefused(t *testing.T) {
	dir := t.TempDir()
	dev(t, dir)
	addr, pool := serve(t, load(t, dir)), roots(t, dir)
	try := func(cfg *tls.Config) error {
		cfg.RootCAs, cfg.ServerName = pool, "localhost"
		_, err := dial(addr, cfg)
		return err
	}
	if err := try(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
	if err := try(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}); err == nil {
		t.Error("a CBC suite was spoken")
	}
	if err := try(&tls.Config{MaxVersion: tls.VersionTLS12}); err != nil {
		t.Errorf("TLS 1.2 with authenticated encryption: %v", err)
	}
}

func TestLoadNamesTheFileAtFault(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none.pem"), filepath.Join(dir, "key.pem")); err == nil {
		t.Fatal("a missing file was accepted")
	}
	dev(t, dir)
	other := t.TempDir()
	dev(t, other)
	if _, err := Load(filepath.Join(dir, CertFile), filepath.Join(other, KeyFile)); err == nil {
		t.Fatal("the key of another certificate was accepted")
	}
}
