package api

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/mainforte/mainforte/signaling/identity"
)

// site is where passkeys belong to: the public host, if that is a name and this page
// was opened under it. No browser takes them for an address.
func (s *Server) site(c *call) (identity.Site, error) {
	host := c.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if _, err := netip.ParseAddr(s.cfg.PublicHost); err == nil || host != s.cfg.PublicHost || !s.cfg.Secure && host != "localhost" {
		return identity.Site{}, errNoPasskeys
	}
	return identity.Site{ID: s.cfg.PublicHost, Name: s.cfg.Organisation, Origin: s.pageOrigin(c)}, nil
}

// pageOrigin is that of our pages, as a browser writes it. It is what we were told, if
// we were: who says in a header to have come by another port may be another server on
// this machine, which passes on the answer to a challenge of ours.
func (s *Server) pageOrigin(c *call) string {
	u, err := url.Parse(s.base(c))
	if err != nil {
		return "" // no answer has it
	}
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	}
	return u.Scheme + "://" + u.Host
}

// passkeyAnswer is what a browser answers a challenge with.
type passkeyAnswer struct {
	State      string          `json:"state"`
	Credential json.RawMessage `json:"credential"`
}

func challenge(w http.ResponseWriter, c identity.Challenge) {
	answer(w, http.StatusOK, map[string]any{"options": c.Options, "state": c.State})
}

// askPasskey gives a challenge for whatever passkey the browser has.
func (s *Server) askPasskey(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	site, err := s.site(c)
	if err != nil {
		return err
	}
	asked, err := s.house.users.AskPasskey(site)
	if err != nil {
		return err
	}
	challenge(w, asked)
	return nil
}

func (s *Server) signInByPasskey(w http.ResponseWriter, c *call) error {
	var in passkeyAnswer
	if err := read(w, c, &in); err != nil {
		return err
	}
	site, err := s.site(c)
	if err != nil {
		return err
	}
	token, who, err := s.house.users.SignInByPasskey(c.Context(), site, in.State, in.Credential, from(c.Request))
	if err != nil {
		return err
	}
	return s.signedIn(w, c, token, who)
}

func (s *Server) offerPasskey(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	site, err := s.site(c)
	if err != nil {
		return err
	}
	offered, err := s.house.users.OfferPasskey(c.Context(), site, *c.in)
	if err != nil {
		return err
	}
	challenge(w, offered)
	return nil
}

func (s *Server) addPasskey(w http.ResponseWriter, c *call) error {
	var in struct {
		Name       string          `json:"name"`
		State      string          `json:"state"`
		Credential json.RawMessage `json:"credential"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	site, err := s.site(c)
	if err != nil {
		return err
	}
	token, err := s.house.users.AddPasskey(c.Context(), site, *c.in, in.Name, in.State, in.Credential)
	if err != nil {
		return err
	}
	s.setCookie(w, token, cookieLife)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
