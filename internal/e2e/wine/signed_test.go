package wine

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// testCA is the name that nobody can take for a publisher's.
const testCA = "Mainforte TEST CA – not for release"

// signer signs programs with a certificate that nobody trusts, and asks whether
// a signature holds.
type signer struct {
	t                *testing.T
	dir              string
	authority, chain string // PEM files
	key              string
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	s := &signer{t: t, dir: t.TempDir()}
	now := time.Now()
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
			BasicConstraintsValid: true,
		}
	}
	newKey := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	ca, caKey := template(1, testCA), newKey()
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign
	leaf, leafKey := template(2, "Mainforte TEST publisher – not for release"), newKey()
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	file := func(name, kind string, der []byte, err error) string {
		path := filepath.Join(s.dir, name)
		if err == nil {
			err = os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	s.authority = file("ca.pem", "CERTIFICATE", der, err)
	der, err = x509.CreateCertificate(rand.Reader, leaf, ca, leafKey.Public(), caKey)
	s.chain = file("leaf.pem", "CERTIFICATE", der, err)
	der, err = x509.MarshalPKCS8PrivateKey(leafKey)
	s.key = file("leaf.key", "PRIVATE KEY", der, err)
	return s
}

// tool runs osslsigncode, whose exit code says little: what it prints does.
func (s *signer) tool(args ...string) string {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), "osslsigncode", args...).CombinedOutput()
	if len(out) == 0 {
		s.t.Fatalf("osslsigncode %s: %v; sudo apt-get install osslsigncode", args[0], err)
	}
	return string(out)
}

// sign signs a program into a file of that name.
func (s *signer) sign(exe, name string) string {
	s.t.Helper()
	to := filepath.Join(s.dir, name)
	if out := s.tool("sign", "-certs", s.chain, "-key", s.key, "-h", "sha256", "-n", "Mainforte", "-in", exe, "-out", to); !strings.Contains(out, "Succeeded") {
		s.t.Fatalf("it is not signed: %s", out)
	}
	return to
}

// holds tells whether a program's signature is whole and of that authority.
func (s *signer) holds(exe, authority string) bool {
	s.t.Helper()
	out := s.tool("verify", "-in", exe, "-CAfile", authority)
	return strings.Contains(out, "Signature verification: ok") && !strings.Contains(out, "MISMATCH") && strings.Contains(out, "\nSucceeded")
}

// changed writes what f makes of a program into a file of that name.
func (s *signer) changed(exe, name string, f func([]byte) []byte) string {
	s.t.Helper()
	b, err := os.ReadFile(exe)
	to := filepath.Join(s.dir, name)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, f(b), 0o755)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return to
}

// goesBy is what a program under Wine says of its configuration.
type goesBy struct {
	Server struct{ Value, Source string }
	whole  string // all that it says
}

func configuration(t *testing.T, d *Desktop, exe string) (g goesBy) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := d.Command(ctx, exe, "--show-configuration", "--lang", "en")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s --show-configuration: %v", exe, err)
	}
	if err := json.Unmarshal(out, &g); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	g.whole = string(out)
	return g
}

// TestASignedHostObeysOnlySignedConfiguration: P17. What can be put into a signed
// program without breaking its signature, and what breaks it, changes nothing
// that the program goes by; its name is a hint, and none to an organisation's.
func TestASignedHostObeysOnlySignedConfiguration(t *testing.T) {
	s := newSigner(t)
	d, _ := desktop(t)
	const smuggled = "server=evil.example\n--server evil.example\n"

	generic := s.sign(host(t), "mainforte.exe")
	if !s.holds(generic, s.authority) {
		t.Fatal("the signed program does not verify")
	}
	if other := newSigner(t); s.holds(generic, other.authority) {
		t.Fatal("it verifies against an authority that did not sign it: this test would prove nothing")
	}
	plain := configuration(t, d, generic)
	if plain.Server.Value != "" || plain.Server.Source != "asked for" {
		t.Errorf("without anything it goes by %+v", plain.Server)
	}

	appended := s.changed(generic, "appended.exe", func(b []byte) []byte { return append(b, smuggled...) })
	if s.holds(appended, s.authority) {
		t.Error("it verifies with bytes behind its end")
	}
	if got := configuration(t, d, appended); got.whole != plain.whole {
		t.Errorf("with bytes behind its end it goes by %s", got.whole)
	}

	// An unauthenticated attribute of the signature, as installers misuse it: the
	// signature holds whatever is written there.
	blob := filepath.Join(s.dir, "blob.exe")
	if out := s.tool("add", "-addUnauthenticatedBlob", "-in", generic, "-out", blob); !strings.Contains(out, "Succeeded") {
		t.Fatalf("no attribute was added: %s", out)
	}
	const begin = "---BEGIN_BLOB---"
	stuffed := s.changed(blob, "stuffed.exe", func(b []byte) []byte {
		at := bytes.Index(b, []byte(begin))
		if at < 0 {
			t.Fatal("the attribute is not found")
		}
		copy(b[at+len(begin):], smuggled)
		return b
	})
	if !s.holds(stuffed, s.authority) {
		t.Error("the stuffed signature does not verify: it no longer proves anything here")
	}
	if got := configuration(t, d, stuffed); got.whole != plain.whole {
		t.Errorf("with a stuffed signature it goes by %s", got.whole)
	}

	renamed := s.changed(generic, "Mainforte-evil.example (1).exe", func(b []byte) []byte { return b })
	if !s.holds(renamed, s.authority) {
		t.Error("renamed, it does not verify")
	}
	if got := configuration(t, d, renamed).Server; got.Value != "evil.example" || got.Source != "file name (hint)" {
		t.Errorf("renamed, it goes by %+v, want a hint", got)
	}

	const desk = "help.organisation.example"
	exe := filepath.Join(programs, "organisation.exe")
	if err := forWindows(t.Context(), "build", exe, "./host", "-trimpath", "-buildvcs=false",
		"-ldflags=-s -w -H windowsgui -buildid= -extldflags=-static -X main.organisationServer="+desk); err != nil {
		t.Fatal(err)
	}
	organisation := s.sign(exe, "Mainforte-evil.example.exe")
	if !s.holds(organisation, s.authority) {
		t.Error("the organisation's program does not verify")
	}
	if got := configuration(t, d, organisation).Server; got.Value != desk || got.Source != "compiled in" {
		t.Errorf("the organisation's program goes by %+v", got)
	}
	// Whoever writes another desk over the one that was compiled in breaks the signature.
	forged := s.changed(organisation, "forged.exe", func(b []byte) []byte {
		if !bytes.Contains(b, []byte(desk)) {
			t.Fatal("the compiled-in server is not in the program")
		}
		return bytes.ReplaceAll(b, []byte(desk), []byte("evil.organisation.example"))
	})
	if s.holds(forged, s.authority) {
		t.Error("it verifies with another server written into it")
	}
}
