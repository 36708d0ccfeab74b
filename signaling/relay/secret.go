package relay

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/pion/stun/v4"
)

// secret signs credentials.
type secret string

// password of a username, draft-uberti-behave-turn-rest-00 §2.2. SHA-1 is what
// the draft and every TURN server have; as a MAC it is sound.
func (k secret) password(username string) string {
	mac := hmac.New(sha1.New, []byte(k))
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// minSecret is how long a secret of a file must be, in bytes. The username is
// known to whoever guesses, so a short one can be found at leisure.
const minSecret = 16

// readSecret takes the secret of the file, or makes one.
func (s *Server) readSecret() error {
	var k secret
	if s.cfg.SecretFile == "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.secret == "" {
			s.secret = secret(rand.Text())
		}
		return nil
	}
	f, err := os.Open(s.cfg.SecretFile)
	if err != nil {
		return fmt.Errorf("relay: the secret cannot be read: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return fmt.Errorf("relay: the secret cannot be read: %w", err)
	}
	first, _, _ := strings.Cut(string(b), "\n")
	if k = secret(strings.TrimSpace(first)); len(k) < minSecret {
		return fmt.Errorf("relay: the first line of %s is shorter than %d characters", s.cfg.SecretFile, minSecret)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret = k
	return nil
}

// CheckURL tells whether a URL names a TURN server, RFC 7065.
func CheckURL(url string) error {
	u, err := stun.ParseURI(url)
	if err != nil {
		return fmt.Errorf("relay: %q is no TURN URL such as turn:relay.example.org:3478?transport=udp: %w", url, err)
	}
	if u.Scheme != stun.SchemeTypeTURN && u.Scheme != stun.SchemeTypeTURNS {
		return fmt.Errorf("relay: %q is no TURN URL", url)
	}
	return nil
}

// servers is what a client gets. UDP comes first: a browser asks all, and takes
// the best that answers.
func (s *Server) servers(username, password string) []ICEServer {
	at := func(scheme string, port int, transport string) string {
		host := s.cfg.PublicHost
		if s.listenIP.IsLoopback() && !s.cfg.Secure {
			host = s.listenIP.String() // "localhost" may mean the other family
		}
		url := scheme + ":" + net.JoinHostPort(host, strconv.Itoa(port))
		if transport != "" {
			url += "?transport=" + transport
		}
		return url
	}
	var out []ICEServer
	turn := ICEServer{Username: username, Credential: password}
	if s.port != 0 {
		out = append(out, ICEServer{URLs: []string{at("stun", int(s.port), "")}})
		turn.URLs = append(turn.URLs, at("turn", int(s.port), "udp"))
	}
	if p := s.cfg.StreamPort; p != 0 {
		scheme := "turn"
		if s.cfg.Secure {
			scheme = "turns"
		}
		turn.URLs = append(turn.URLs, at(scheme, p, "tcp"))
	}
	turn.URLs = append(turn.URLs, s.cfg.External...)
	return append(out, turn)
}
