package fake

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
)

// SMTP is a fake of a mail server, written from RFC 5321, RFC 3207 (STARTTLS) and
// RFC 4954 (AUTH PLAIN). It is strict about their order: no password and no mail
// before TLS where it has a certificate.
type SMTP struct {
	TLS      *tls.Config // nil: it offers none
	Implicit bool        // TLS from the first byte
	User     string      // "" wants no password
	Password string

	mu sync.Mutex
	// refuse answers a command in its stead, where it returns a line.
	refuse func(command string) string
	lose   bool
	mails  [][]byte
	ln     net.Listener
	wg     sync.WaitGroup
}

// Listen starts it on loopback, and returns its address. Close it.
func (s *SMTP) Listen() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s.ln = ln
	s.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() {
				defer func() { _ = conn.Close() }()
				s.serve(conn)
			})
		}
	})
	return ln.Addr().String(), nil
}

// Close stops it, when the last client has gone.
func (s *SMTP) Close() {
	_ = s.ln.Close()
	s.wg.Wait()
}

// Refuse makes it answer commands for which fn returns a line with that.
func (s *SMTP) Refuse(fn func(command string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = fn
}

// Lose makes it cut the line when it has taken a mail.
func (s *SMTP) Lose(lose bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose = lose
}

// Mails are those that it took, in order.
func (s *SMTP) Mails() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.mails...)
}

func (s *SMTP) serve(conn net.Conn) {
	secure := false
	if s.Implicit {
		conn = tls.Server(conn, s.TLS)
		secure = true
	}
	r := textproto.NewReader(bufio.NewReader(conn))
	say := func(line string) { _, _ = io.WriteString(conn, line+"\r\n") }
	say("220 desk.test ESMTP")
	signed, from, to := s.User == "", false, false
	for {
		command, err := r.ReadLine()
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.ToUpper(command), " ")
		s.mu.Lock()
		refuse := s.refuse
		s.mu.Unlock()
		if refuse != nil {
			if line := refuse(command); line != "" {
				say(line)
				continue
			}
		}
		switch {
		case verb == "EHLO":
			lines := []string{"desk.test"}
			if s.TLS != nil && !secure {
				lines = append(lines, "STARTTLS")
			}
			if s.User != "" && secure {
				lines = append(lines, "AUTH PLAIN")
			}
			for i, l := range lines {
				sep := "-"
				if i == len(lines)-1 {
					sep = " "
				}
				say("250" + sep + l)
			}
		case verb == "STARTTLS" && s.TLS != nil && !secure:
			say("220 go ahead")
			conn = tls.Server(conn, s.TLS)
			r = textproto.NewReader(bufio.NewReader(conn))
			secure = true
		case verb == "QUIT":
			say("221 bye")
			return
		case s.TLS != nil && !secure:
			say("530 5.7.0 Must issue a STARTTLS command first")
		case verb == "AUTH" && s.User != "":
			want := base64.StdEncoding.EncodeToString([]byte("\x00" + s.User + "\x00" + s.Password))
			if command != "AUTH PLAIN "+want {
				say("535 5.7.8 Authentication credentials invalid")
				continue
			}
			signed = true
			say("235 2.7.0 welcome")
		case !signed:
			say("530 5.7.0 Authentication required")
		case verb == "MAIL" && strings.HasPrefix(command, "MAIL FROM:<"):
			from = true
			say("250 ok")
		case verb == "RCPT" && from && strings.HasPrefix(command, "RCPT TO:<"):
			to = true
			say("250 ok")
		case verb == "DATA" && to:
			say("354 go on")
			b, err := io.ReadAll(r.DotReader())
			if err != nil {
				return
			}
			s.mu.Lock()
			s.mails = append(s.mails, b)
			lose := s.lose
			s.mu.Unlock()
			if lose {
				return
			}
			say("250 taken")
		default:
			say(fmt.Sprintf("503 5.5.1 %s is out of order", verb))
		}
	}
}
