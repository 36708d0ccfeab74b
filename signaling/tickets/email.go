package tickets

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"net/url"
	"strings"
	"time"
)

// email sends notes to the address of a desk, by SMTP over TLS. It is blind, as
// the webhook is; the Message-ID is made of the key, so that a desk (or the mail
// server before it) that sees the same note twice can tell. What a desk makes of
// a mail, private note or public reply, is the desk's choice.
type email struct {
	blind
	from, to *mail.Address
	host     string // and port
	tls      bool   // from the first byte
	line     client // for errors
	now      func() time.Time
}

func newEmail(c Config) (System, error) {
	if err := c.need("from", c.From, "to", c.To); err != nil {
		return nil, err
	}
	u, err := url.Parse(c.URL)
	if c.URL == "" || err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Path != "" {
		return nil, fmt.Errorf("%w: email needs url, like smtps://mail.example.org or smtp://mail.example.org:587", ErrConfig)
	}
	if (c.User == "") != (c.Password == "") {
		return nil, fmt.Errorf("%w: email needs user and password, or neither", ErrConfig)
	}
	if c.Subject == "" {
		c.Subject = "[#{ticket}]"
	}
	if strings.Count(c.Subject, "{ticket}") != 1 {
		return nil, fmt.Errorf("%w: subject of email must hold {ticket} once", ErrConfig)
	}
	d := &email{blind: blind{c}, tls: u.Scheme == "smtps", now: time.Now, line: client{system: "email", secrets: hider(c)}}
	if d.from, err = mail.ParseAddress(c.From); err != nil {
		return nil, fmt.Errorf("%w: from of email is no address: %q", ErrConfig, c.From)
	}
	if d.to, err = mail.ParseAddress(c.To); err != nil {
		return nil, fmt.Errorf("%w: to of email is no address: %q", ErrConfig, c.To)
	}
	if c.OfPage {
		if err := c.guard(u.Hostname(), false).literal(); err != nil {
			return nil, err
		}
	}
	port := u.Port()
	if port == "" {
		port = map[bool]string{true: "465", false: "587"}[d.tls]
	}
	d.host = net.JoinHostPort(u.Hostname(), port)
	if d.cfg.Timeout <= 0 {
		d.cfg.Timeout = usualCall
	}
	return d, nil
}

// Name implements System.
func (*email) Name() string { return "email" }

// Caps implements System. Mail servers take 10 MB of files, encoded, nearly
// everywhere.
func (*email) Caps() Caps { return Caps{HTML: true, Files: true, Blind: true, MaxFile: 7 << 20} }

// Check implements System: the mail server takes us and the desk's address.
func (d *email) Check(ctx context.Context) error { return d.send(ctx, nil) }

// messageID of the note with a key; the same key, the same id.
func (d *email) messageID(key string) string {
	_, domain, _ := strings.Cut(d.from.Address, "@")
	return "<" + strings.ReplaceAll(key, ":", ".") + "@" + domain + ">"
}

// Append implements System. The remote id is the Message-ID.
func (d *email) Append(ctx context.Context, ticket string, n Note) (string, error) {
	if err := fits(n, d.Caps()); err != nil {
		return "", err
	}
	if _, err := sessionOf(n.Key); err != nil {
		return "", err
	}
	if !ticketToken(ticket) {
		return "", fmt.Errorf("%w: email: %.40q", ErrNotFound, ticket)
	}
	message, err := d.message(ticket, n)
	if err != nil {
		return "", d.line.failed(ErrInvalid, "%v", err)
	}
	if err := d.send(ctx, message); err != nil {
		return "", err
	}
	return d.messageID(n.Key), nil
}

// message is the mail: plain text and HTML, and the files.
func (d *email) message(ticket string, n Note) ([]byte, error) {
	var b bytes.Buffer
	doc, lang := n.Document(), langOr(n.Lang, d.cfg.Lang)
	subject := strings.Replace(d.cfg.Subject, "{ticket}", ticket, 1) + " " + locales[lang]["title"]
	mixed := multipart.NewWriter(&b)
	for _, h := range [][2]string{
		{"From", d.from.String()}, {"To", d.to.String()}, {"Subject", mime.QEncoding.Encode("utf-8", subject)},
		{"Date", d.now().UTC().Format(time.RFC1123Z)}, {"Message-ID", d.messageID(n.Key)}, {"MIME-Version", "1.0"},
		{"Auto-Submitted", "auto-generated"}, {"Content-Language", lang}, {"X-Mainforte-Key", n.Key},
		{"Content-Type", "multipart/mixed; boundary=" + mixed.Boundary()},
	} {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("\r\n")
	boundary := rand.Text()
	part, err := mixed.CreatePart(textproto.MIMEHeader{"Content-Type": {"multipart/alternative; boundary=" + boundary}})
	if err != nil {
		return nil, err
	}
	both := multipart.NewWriter(part)
	if err := both.SetBoundary(boundary); err != nil {
		return nil, err
	}
	for _, text := range [][2]string{{"text/plain", Plain(doc)}, {"text/html", HTML(doc)}} {
		p, err := both.CreatePart(textproto.MIMEHeader{"Content-Type": {text[0] + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
		if err != nil {
			return nil, err
		}
		q := quotedprintable.NewWriter(p)
		if _, err := q.Write([]byte(text[1])); err != nil {
			return nil, err
		}
		if err := q.Close(); err != nil {
			return nil, err
		}
	}
	if err := both.Close(); err != nil {
		return nil, err
	}
	for _, f := range n.Files {
		p, err := mixed.CreatePart(textproto.MIMEHeader{
			"Content-Type": {fileType(f)}, "Content-Transfer-Encoding": {"base64"},
			"Content-Disposition": {mime.FormatMediaType("attachment", map[string]string{"filename": fileName(f.Name)})},
		})
		if err != nil {
			return nil, err
		}
		text := base64.StdEncoding.EncodeToString(f.Data)
		for len(text) > 0 {
			l := min(len(text), 76)
			if _, err := p.Write([]byte(text[:l] + "\r\n")); err != nil {
				return nil, err
			}
			text = text[l:]
		}
	}
	if err := mixed.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// send hands a message to the mail server; nil goes only as far as the desk's
// address.
func (d *email) send(ctx context.Context, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	host, _, err := net.SplitHostPort(d.host)
	if err != nil {
		return d.line.failed(ErrConfig, "%v", err)
	}
	dialer := net.Dialer{Control: d.cfg.guard(host, false).control}
	conn, err := dialer.DialContext(ctx, "tcp", d.host)
	if err != nil {
		return d.broken(ctx, err)
	}
	defer func() { _ = conn.Close() }()
	// Whatever waits on the line ends with the context.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := d.talk(conn, host, message); err != nil {
		return d.broken(ctx, err)
	}
	return nil
}

// plain tells whether a mail server without TLS is good enough.
func (d *email) plain(conn net.Conn, host string) bool {
	if !d.cfg.OfPage {
		return d.cfg.plain(host)
	}
	at, ok := conn.RemoteAddr().(*net.TCPAddr)
	return ok && d.cfg.guard(host, true).permits(at.AddrPort().Addr()) // C131
}

var errNoTLS = errors.New("the mail server offers no TLS, and plain text is not allowed")

func (d *email) talk(conn net.Conn, host string, message []byte) error {
	secure := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: d.cfg.Roots}
	if d.tls {
		conn = tls.Client(conn, secure)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	if !d.tls {
		if ok, _ := c.Extension("STARTTLS"); ok {
			if err := c.StartTLS(secure); err != nil {
				return err
			}
		} else if !d.plain(conn, host) {
			return errNoTLS
		}
	}
	if d.cfg.User != "" {
		if err := c.Auth(smtp.PlainAuth("", d.cfg.User, d.cfg.Password, host)); err != nil {
			return err
		}
	}
	if err := c.Mail(d.from.Address); err != nil {
		return err
	}
	if err := c.Rcpt(d.to.Address); err != nil {
		return err
	}
	if message == nil {
		return c.Quit()
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(message); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // it has the message
	return nil
}

// broken gives an error of the mail server its type (RFC 5321 §4.2.1, RFC 4954
// §6).
func (d *email) broken(ctx context.Context, err error) error {
	kind := ErrTransient
	var said *textproto.Error
	switch {
	case ctx.Err() != nil:
		text := fmt.Sprintf("%v: email: %v", ErrTransient, err)
		return &fault{text: line(d.line.redacted(text)), kinds: []error{ErrTransient, ctx.Err()}, trouble: TroubleUnreachable}
	case errors.Is(err, errForbiddenAddress), errors.Is(err, errNoTLS):
		kind = ErrConfig
	case errors.As(err, &said) && (said.Code == 530 || said.Code == 534 || said.Code == 535 || said.Code == 538):
		kind = ErrAuth
	case errors.As(err, &said) && said.Code == 552:
		kind = ErrTooLarge
	case errors.As(err, &said) && said.Code >= 500:
		kind = ErrForbidden
	}
	is, words := TroubleNone, ""
	switch {
	case said != nil:
		words = said.Msg
	case kind == ErrTransient, kind == ErrConfig:
		is = onTheLine(err)
	}
	return d.line.troubled(is, words, kind, "%v", err)
}
