package tickets_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http/httptest"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/tickets/fake"
)

// mailServer starts one whose certificate is for example.com and 127.0.0.1, and
// returns the authority of that.
func mailServer(t *testing.T, s *fake.SMTP, secure bool) (address string, roots *x509.CertPool) {
	if secure {
		web := httptest.NewTLSServer(nil) // has a certificate for tests
		roots = x509.NewCertPool()
		roots.AddCert(web.Certificate())
		s.TLS = &tls.Config{Certificates: web.TLS.Certificates}
		web.Close()
	}
	address, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return address, roots
}

func mailer(t *testing.T, c tickets.Config) tickets.System {
	c.System, c.From, c.To, c.Lang = "email", "Mainforte <mainforte@help.example.org>", "Bureau <desk@example.org>", "fr"
	d, err := tickets.NewSystem(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var letter = tickets.Note{
	Key: "mf:01S:end", Lang: "fr", Text: "Durée : 3 min\n.\n.. <b>x</b>\nSubject: forged\n" + strings.Repeat("é", 300),
	Files: []tickets.File{{Name: "écran\r\nX-Evil: 1.png", Type: "image/png", Data: bytes.Repeat([]byte{0xff, 0, '\r', '\n', '.'}, 1000)}},
}

func TestAMailCarriesTheNote(t *testing.T) {
	for _, scheme := range []string{"smtp", "smtps"} {
		t.Run(scheme, func(t *testing.T) {
			s := &fake.SMTP{User: "mainforte", Password: "s3cret-mail", Implicit: scheme == "smtps"}
			address, roots := mailServer(t, s, true)
			d := mailer(t, tickets.Config{URL: scheme + "://" + address, User: "mainforte", Password: "s3cret-mail", Roots: roots, Subject: "[DESK #{ticket}]"})
			if err := d.Check(bg); err != nil || len(s.Mails()) != 0 {
				t.Fatalf("%v, %d mails", err, len(s.Mails()))
			}
			id, err := d.Append(bg, "INC-7", letter)
			if err != nil || id != "<mf.01S.end@help.example.org>" {
				t.Fatalf("%q, %v", id, err)
			}
			m, err := mail.ReadMessage(bytes.NewReader(s.Mails()[0]))
			if err != nil {
				t.Fatal(err)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
			if err != nil || subject != "[DESK #INC-7] Session d’assistance à distance" {
				t.Errorf("%q, %v", subject, err)
			}
			for name, want := range map[string]string{"Message-Id": id, "To": `"Bureau" <desk@example.org>`, "Auto-Submitted": "auto-generated", "Content-Language": "fr", "X-Evil": ""} {
				if got := m.Header.Get(name); got != want {
					t.Errorf("%s: %q", name, got)
				}
			}
			if at, err := m.Header.Date(); err != nil || time.Since(at) > time.Minute {
				t.Errorf("%v, %v", at, err)
			}
			parts := mailParts(t, m.Header.Get("Content-Type"), m.Body)
			if got := strings.ReplaceAll(parts["text/plain"], "\r\n", "\n"); got != letter.Text {
				t.Errorf("%q", got)
			}
			if got := parts["text/html"]; got != tickets.HTML(letter.Document()) {
				t.Errorf("%q", got)
			}
			if got := parts["image/png"]; got != string(letter.Files[0].Data) {
				t.Errorf("%d bytes of a file", len(got))
			}
			if name := parts["name"]; strings.ContainsAny(name, "\r\n/") || !strings.HasPrefix(name, "écran") {
				t.Errorf("a file is named %q", name)
			}
		})
	}
}

// mailParts are the contents by media type, and the last file's name.
func mailParts(t *testing.T, kind string, body io.Reader) map[string]string {
	_, params, err := mime.ParseMediaType(kind)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for r := multipart.NewReader(body, params["boundary"]); ; {
		p, err := r.NextPart()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(kind, "multipart/") {
			for k, v := range mailParts(t, p.Header.Get("Content-Type"), p) {
				out[k] = v
			}
			continue
		}
		in := io.Reader(p)
		if p.Header.Get("Content-Transfer-Encoding") == "base64" {
			in = base64.NewDecoder(base64.StdEncoding, p)
			out["name"] = p.FileName()
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		out[kind] = string(b)
	}
}

func TestAMailSentTwiceHasTheSameMessageID(t *testing.T) {
	s := &fake.SMTP{}
	address, roots := mailServer(t, s, true)
	d := mailer(t, tickets.Config{URL: "smtp://" + address, Roots: roots})
	s.Lose(true)
	if _, err := d.Append(bg, "1", letter); !errors.Is(err, tickets.ErrTransient) {
		t.Errorf("got %v", err)
	}
	s.Lose(false)
	if _, err := d.Append(bg, "1", letter); err != nil {
		t.Error(err)
	}
	mails := s.Mails()
	if len(mails) != 2 {
		t.Fatalf("%d mails", len(mails))
	}
	for _, m := range mails {
		if !bytes.Contains(m, []byte("Message-ID: <mf.01S.end@help.example.org>\n")) {
			t.Errorf("%.600s", m)
		}
	}
}

func TestAMailServerThatRefusesIsTold(t *testing.T) {
	s := &fake.SMTP{User: "mainforte", Password: "s3cret-mail"}
	address, roots := mailServer(t, s, true)
	good := tickets.Config{URL: "smtp://" + address, User: "mainforte", Password: "s3cret-mail", Roots: roots}
	d := mailer(t, good)
	for line, want := range map[string]error{
		"421 4.3.2 shutting down": tickets.ErrTransient, "451 4.7.1 greylisted": tickets.ErrTransient, "552 5.3.4 too big": tickets.ErrTooLarge,
		"550 5.1.1 no such user s3cret-mail": tickets.ErrForbidden, "530 5.7.0 Authentication required": tickets.ErrAuth,
	} {
		s.Refuse(func(command string) string {
			if strings.HasPrefix(command, "RCPT") {
				return line
			}
			return ""
		})
		if _, err := d.Append(bg, "1", letter); !errors.Is(err, want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", line, err)
		}
	}
	s.Refuse(nil)
	wrong := good
	wrong.Password = "other-mail"
	if _, err := mailer(t, wrong).Append(bg, "1", letter); !errors.Is(err, tickets.ErrAuth) {
		t.Errorf("a wrong password: %v", err)
	}
	stranger := good
	stranger.Roots = x509.NewCertPool()
	if _, err := mailer(t, stranger).Append(bg, "1", letter); !errors.Is(err, tickets.ErrTransient) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	ctx, cancel := context.WithCancel(bg)
	s.Refuse(func(string) string { cancel(); <-ctx.Done(); return "" })
	if _, err := d.Append(ctx, "1", letter); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	s.Refuse(nil)
	if n := len(s.Mails()); n != 0 {
		t.Errorf("%d mails", n)
	}

	// No TLS: only where the admin says so, or on this machine.
	plain := &fake.SMTP{}
	address, _ = mailServer(t, plain, false)
	if _, err := mailer(t, tickets.Config{URL: "smtp://" + address}).Append(bg, "1", letter); err != nil {
		t.Errorf("on this machine: %v", err)
	}
}

func TestAConfigurationOfMailSaysWhatIsMissing(t *testing.T) {
	good := tickets.Config{System: "email", URL: "smtps://mail.example.org", From: "a@example.org", To: "b@example.org"}
	if _, err := tickets.NewSystem(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*tickets.Config){
		"needs from": func(c *tickets.Config) { c.From = "" }, "needs to": func(c *tickets.Config) { c.To = "" }, "needs url": func(c *tickets.Config) { c.URL = "https://mail.example.org" },
		"from of email is no": func(c *tickets.Config) { c.From = "a@b\r\nBcc: x@y" }, "to of email is no": func(c *tickets.Config) { c.To = "nobody" },
		"user and password": func(c *tickets.Config) { c.User = "x" }, "must hold {ticket}": func(c *tickets.Config) { c.Subject = "x" },
	} {
		c := good
		change(&c)
		if _, err := tickets.NewSystem(c); !errors.Is(err, tickets.ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	d, err := tickets.NewSystem(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "a b", "1\r\nBcc: x@y", "{ticket}"} {
		if _, err := d.Append(bg, bad, letter); !errors.Is(err, tickets.ErrNotFound) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
