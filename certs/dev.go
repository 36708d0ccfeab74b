package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Names of the files that Dev writes. The keys are readable by their owner only.
const (
	CAFile    = "ca.pem"
	CAKeyFile = "ca-key.pem"
	CertFile  = "cert.pem"
	KeyFile   = "key.pem"
)

const (
	caLife   = 2 * 365 * 24 * time.Hour
	leafLife = 365 * 24 * time.Hour
	// A leaf is never signed by an authority that would end before it.
	renewBefore = leafLife
)

// Dev writes a development authority and a certificate for localhost, 127.0.0.1,
// ::1 and the given names and addresses into dir. An authority that is already
// there is kept, with what trusts it, if it lives long enough and may vouch for
// every name; kept tells. The authority is name-constrained: whoever steals its
// key can impersonate the names in this call and nothing else on the network.
func Dev(dir string, names []string, now time.Time) (kept bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, fmt.Errorf("certs: %w", err)
	}
	dns, ips, err := split(names)
	if err != nil {
		return false, err
	}
	ca, caKey, kept := readCA(dir, dns, ips, now)
	if !kept {
		if ca, caKey, err = newCA(dir, dns, ips, now); err != nil {
			return false, err
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return false, err
	}
	serial, err := newSerial()
	if err != nil {
		return false, err
	}
	leaf := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{"Mainforte development"}, CommonName: dns[0]},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(leafLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     dns,
		IPAddresses:  ips,
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return false, err
	}
	if err := writeKey(filepath.Join(dir, KeyFile), key); err != nil {
		return false, err
	}
	return kept, writePEM(filepath.Join(dir, CertFile), "CERTIFICATE", 0o644, der)
}

// split sorts names into DNS names and addresses, the fixed ones first.
func split(names []string) (dns []string, ips []net.IP, err error) {
	for _, n := range append([]string{"localhost", "127.0.0.1", "::1"}, names...) {
		if ip := net.ParseIP(n); ip != nil {
			ips = append(ips, ip)
			continue
		}
		if !dnsName(n) {
			return nil, nil, fmt.Errorf("certs: %q is neither a DNS name nor an address", n)
		}
		dns = append(dns, n)
	}
	return dns, ips, nil
}

// dnsName tells whether n can stand in a certificate: letters, digits, hyphens
// and dots. Wildcards are refused: a development authority needs none.
func dnsName(n string) bool {
	if n == "" || len(n) > 253 || n[0] == '.' || n[len(n)-1] == '.' {
		return false
	}
	for _, c := range n {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

func newCA(dir string, dns []string, ips []net.IP, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, nil, err
	}
	ca := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"Mainforte development"}, CommonName: "Mainforte development authority " + now.UTC().Format("2006-01-02")},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(caLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,

		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         append([]string{"test"}, dns...),
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
		// Nested: what this authority signs is good for TLS servers only.
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, ip := range ips {
		if ip.IsLoopback() {
			continue
		}
		if four := ip.To4(); four != nil {
			ca.PermittedIPRanges = append(ca.PermittedIPRanges, &net.IPNet{IP: four, Mask: net.CIDRMask(32, 32)})
		} else {
			ca.PermittedIPRanges = append(ca.PermittedIPRanges, &net.IPNet{IP: ip, Mask: net.CIDRMask(128, 128)})
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	if err := writeKey(filepath.Join(dir, CAKeyFile), key); err != nil {
		return nil, nil, err
	}
	return parsed, key, writePEM(filepath.Join(dir, CAFile), "CERTIFICATE", 0o644, der)
}

// readCA gives the authority in dir if it can be used again.
func readCA(dir string, dns []string, ips []net.IP, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, bool) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, CAFile), filepath.Join(dir, CAKeyFile))
	if err != nil {
		return nil, nil, false
	}
	key, isECDSA := pair.PrivateKey.(*ecdsa.PrivateKey)
	ca := pair.Leaf
	if !isECDSA || ca == nil || !ca.IsCA || ca.NotAfter.Before(now.Add(renewBefore)) {
		return nil, nil, false
	}
	for _, n := range dns {
		if !permitsName(ca, n) {
			return nil, nil, false
		}
	}
	for _, ip := range ips {
		if !permitsIP(ca, ip) {
			return nil, nil, false
		}
	}
	return ca, key, true
}

func permitsName(ca *x509.Certificate, name string) bool {
	for _, d := range ca.PermittedDNSDomains {
		if name == d || (len(name) > len(d) && name[len(name)-len(d)-1:] == "."+d) {
			return true
		}
	}
	return false
}

func permitsIP(ca *x509.Certificate, ip net.IP) bool {
	for _, n := range ca.PermittedIPRanges {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// newSerial is 128 random bits: scanners object to fewer than 64.
func newSerial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "PRIVATE KEY", 0o600, der)
}

// writePEM replaces path as a whole, so that a server watching it never reads
// half a file, and so that the mode is right even if a looser file was there.
func writePEM(path, kind string, mode os.FileMode, der []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("certs: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err = f.Chmod(mode); err == nil {
		err = pem.Encode(f, &pem.Block{Type: kind, Bytes: der})
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("certs: %w", err)
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("certs: %w", err)
	}
	return nil
}
