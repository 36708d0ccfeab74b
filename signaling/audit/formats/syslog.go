package formats

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
)

// facility is "log audit", RFC 5424 §6.2.1.
const facility = 13

// enterprise is the number in the name of our structured data, RFC 5424 §7.2.2.
// 32473 is the one that RFC 5612 sets aside for those who have none.
const enterprise = "32473"

// Syslog frames events as RFC 5424 messages whose text is another format's.
type Syslog struct {
	Host string // HOSTNAME; empty: unknown
	Body Format
}

var severities = map[string]int{"ok": 6, "deny": 4, "fail": 3} // informational, warning, error

// Append adds a message with its length before it, RFC 6587 §3.4.1 and RFC 5425 §4.3.
func (s Syslog) Append(b []byte, n audit.Line) ([]byte, error) {
	r, err := n.Record()
	if err != nil {
		return nil, fmt.Errorf("formats: line %d: %w", n.Index, err)
	}
	body, err := s.Body.Append(nil, n)
	if err != nil {
		return nil, err
	}
	var m []byte
	m = fmt.Appendf(m, "<%d>1 %s %s mainforte - %s [mainforte@%s index=\"%d\" session=\"%s\" ticket=\"%s\" hash=\"%s\"] ",
		facility*8+severities[r.Outcome], stamp(r), name(s.Host, 255), name(r.Type, 32), enterprise,
		r.Index, value(r.Session), value(r.Ticket), hash(n))
	m = append(m, strings.TrimRight(string(body), "\r\n")...)
	b = append(strconv.AppendInt(b, int64(len(m)), 10), ' ')
	return append(b, m...), nil
}

// name makes a header field: printable ASCII without blanks, "-" if there is none.
func name(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, s)
	if s = s[:min(len(s), limit)]; s == "" {
		return "-"
	}
	return s
}

// value escapes a parameter of structured data, §6.3.3.
func value(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(s) }

// Sender carries messages over TLS.
type Sender struct {
	conn *tls.Conn
	log  Syslog
	buf  []byte
}

// sendTime bounds how long a collector may take to accept what is sent.
const sendTime = 30 * time.Second

// Dial connects to a collector at address (host:port; 6514 is the port of RFC
// 5425). cfg may be nil: the system's authorities then.
func Dial(ctx context.Context, address string, cfg *tls.Config, log Syslog) (*Sender, error) {
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg = cfg.Clone()
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("formats: %w", err)
		}
		cfg.ServerName = host
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	c, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("formats: the collector at %s: %w", address, err)
	}
	return &Sender{conn: c.(*tls.Conn), log: log}, nil
}

// sendSize is how much is gathered before it is written.
const sendSize = 32 << 10

// Send takes an event. It is with the collector's system at the latest when Flush
// returns; syslog knows no acknowledgement beyond that.
func (s *Sender) Send(n audit.Line) (err error) {
	if s.buf, err = s.log.Append(s.buf, n); err != nil {
		return err
	}
	if len(s.buf) < sendSize {
		return nil
	}
	return s.Flush()
}

// Flush writes what was gathered.
func (s *Sender) Flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(sendTime)); err != nil {
		return fmt.Errorf("formats: %w", err)
	}
	if _, err := s.conn.Write(s.buf); err != nil {
		return fmt.Errorf("formats: the collector took no more: %w", err)
	}
	s.buf = s.buf[:0]
	return nil
}

// Close ends the connection; the collector is told that it is the end.
func (s *Sender) Close() error {
	if err := s.conn.Close(); err != nil {
		return fmt.Errorf("formats: %w", err)
	}
	return nil
}
