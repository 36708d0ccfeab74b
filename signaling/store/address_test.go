package store

import (
	"crypto/tls"
	"testing"
)

// What is not on this machine is spoken to with TLS, or not at all; with its
// certificate checked unless one says otherwise.
func TestAddresses(t *testing.T) {
	t.Setenv("PGSSLMODE", "")
	t.Setenv("HOME", t.TempDir())
	type want int
	const (
		refused  want = iota
		plain         // may be
		checked       // TLS, certificate and name
		unnamed       // TLS, certificate without name
		anything      // TLS, any certificate
	)
	for address, want := range map[string]want{
		"postgres://mf@db.example.org/mf":                            checked,
		"postgresql://mf@db.example.org:6000/mf?sslmode=verify-full": checked,
		"postgres://mf@192.0.2.7/mf":                                 checked,
		"postgres://mf@[2001:db8::1]/mf":                             checked,
		"postgres://mf@/mf?host=db.example.org":                      checked,
		"postgres://mf@localhost,db.example.org/mf":                  checked,
		"postgres://mf@db.example.org/mf?sslmode=require":            anything,
		"postgres://mf@db.example.org/mf?sslmode=verify-ca":          unnamed,
		"postgres://mf@db.example.org/mf?sslmode=disable":            refused,
		"postgres://mf@db.example.org/mf?sslmode=prefer":             refused,
		"postgres://mf@db.example.org/mf?sslmode=allow":              refused,
		"postgres://mf@localhost,db.example.org/mf?sslmode=prefer":   refused,
		"postgres://mf@localhost.example.org/mf?sslmode=disable":     refused,
		"postgres://mf@127.0.0.1/mf":                                 plain,
		"postgres://mf@localhost/mf":                                 plain,
		"postgres://mf@[::1]/mf?sslmode=disable":                     plain,
		"postgres://mf@/mf?host=/var/run/postgresql":                 plain,
		"postgres://mf:word@localhost/mf":                            refused,
		"postgres://mf@localhost/mf?password=word":                   refused,
		"mysql://mf@localhost/mf":                                    refused,
		"host=localhost user=mf":                                     refused,
		"":                                                           refused,
	} {
		cfg, _, err := readAddress(address)
		if err != nil {
			if want != refused {
				t.Errorf("%s: %v", address, err)
			}
			continue
		}
		for _, h := range hosts(&cfg.Config) {
			var got = refused
			switch c := h.TLSConfig; {
			case c == nil || want == plain:
				got = plain
			case !c.InsecureSkipVerify && c.ServerName == h.Host:
				got = checked
			case c.VerifyPeerCertificate != nil:
				got = unnamed
			case c.InsecureSkipVerify:
				got = anything
			}
			if got != want {
				t.Errorf("%s: %s is %d, want %d: %+v", address, h.Host, got, want, (*tls.Config)(h.TLSConfig))
			}
		}
	}
}

func TestPlaceholders(t *testing.T) {
	for query, want := range map[string]string{
		"select 1":                              "select 1",
		"values (?, ?)":                         "values ($1, $2)",
		"select '?' || ?, \"a?\", 'it''s ?', ?": "select '?' || $1, \"a?\", 'it''s ?', $2",
		"é = ?":                                 "é = $1",
	} {
		for range 2 {
			if got := numbered(query); got != want {
				t.Errorf("%s: %s", query, got)
			}
		}
	}
}
