package formats

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/octetcounting"
	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/mainforte/mainforte/certs"
)

// A parser that is not ours reads what a collector gets.
func TestSyslogIsReadByOthers(t *testing.T) {
	for _, host := range []string{"", "help.example.org"} {
		for _, body := range []string{"cef", "ecs"} {
			f, _ := New(body, options(true))
			s := Syslog{Host: host, Body: f}
			var b []byte
			for _, n := range lines(t) {
				var err error
				if b, err = s.Append(b, n); err != nil {
					t.Fatal(err)
				}
			}
			n := 0
			octetcounting.NewParser(syslog.WithListener(func(r *syslog.Result) {
				if r.Error != nil {
					t.Fatalf("message %d: %v", n, r.Error)
				}
				m := r.Message.(*rfc5424.SyslogMessage)
				want := lines(t)[n]
				rec, err := want.Record()
				if err != nil {
					t.Fatal(err)
				}
				data := (*m.StructuredData)["mainforte@32473"]
				line, err := f.Append(nil, want)
				if err != nil {
					t.Fatal(err)
				}
				if *m.MsgID != rec.Type || *m.Appname != "mainforte" || !m.Timestamp.Equal(rec.Time.Truncate(time.Microsecond)) || *m.Facility != facility ||
					data["session"] != rec.Session || data["hash"] != hash(want) || *m.Message+"\n" != string(line) || (m.Hostname == nil) != (host == "") {
					t.Errorf("message %d: %+v", n, m)
				}
				n++
			})).Parse(bytes.NewReader(b))
			if n != len(lines(t)) {
				t.Errorf("%d messages", n)
			}
			if path := filepath.Join("testdata", "syslog."+body); host != "" {
				if *update {
					if err := os.WriteFile(path, b, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if want, err := os.ReadFile(path); err != nil || !bytes.Equal(b, want) {
					t.Errorf("%s is not what it was (%v)", path, err)
				}
			}
		}
	}
}

// collector takes what comes over TLS until the end.
func collector(t *testing.T) (address string, roots *x509.CertPool, got <-chan []byte) {
	t.Helper()
	dir := t.TempDir()
	if _, err := certs.Dev(dir, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certs.CertFile), filepath.Join(dir, certs.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(dir, certs.CAFile))
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	all := make(chan []byte, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		b, _ := io.ReadAll(c) // an end without a goodbye shows in what is missing
		all <- b
	}()
	return ln.Addr().String(), roots, all
}

func TestEventsReachACollectorOverTLS(t *testing.T) {
	address, roots, got := collector(t)
	f, _ := New("cef", options(false))
	s := Syslog{Host: "help.example.org", Body: f}
	send, err := Dial(t.Context(), address, &tls.Config{RootCAs: roots}, s)
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for range 200 { // more than is gathered
		for _, n := range lines(t) {
			if want, err = s.Append(want, n); err != nil {
				t.Fatal(err)
			}
			if err := send.Send(n); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := send.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := send.Close(); err != nil {
		t.Fatal(err)
	}
	if b := <-got; !bytes.Equal(b, want) {
		t.Errorf("%d bytes of %d came", len(b), len(want))
	}
}

func TestAnUnprovenCollectorGetsNothing(t *testing.T) {
	address, _, got := collector(t)
	if _, err := Dial(t.Context(), address, nil, Syslog{}); err == nil {
		t.Error("its certificate is from nobody, and it is spoken to")
	}
	if b := <-got; len(b) != 0 {
		t.Errorf("it got %q", b)
	}
	if _, err := Dial(t.Context(), "nonsense", nil, Syslog{}); err == nil {
		t.Error("no address")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(t.Context(), ln.Addr().String(), nil, Syslog{}); err == nil {
		t.Error("nobody is there")
	}
}
