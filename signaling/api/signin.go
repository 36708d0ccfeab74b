package api

import (
	"net/http"
	"time"

	"github.com/mainforte/mainforte/signaling/identity"
)

// cookieName is that of the sign-in. The __Host- prefix binds it to this very
// host; browsers take it only over TLS.
func (s *Server) cookieName() string {
	if s.cfg.Secure {
		return "__Host-mf"
	}
	return "mf"
}

// cookieLife outlives the longest sign-in; the server decides when it ends.
const cookieLife = 12 * 60 * 60

func (s *Server) setCookie(w http.ResponseWriter, token string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: token, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: s.cfg.Secure, SameSite: http.SameSiteLaxMode,
	})
}

type meAnswer struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Role         string `json:"role"`
	Lang         string `json:"lang"`
	Organisation string `json:"organisation"`
	PublicHost   string `json:"public_host"`

	// Failures are sign-ins that had failed before this one, until they were read.
	Failures *failures `json:"failures"`
	// FactorNeeded: nothing can be done yet but to get a factor; ProofNeeded: but to show
	// the one that there is. Never both.
	FactorNeeded bool `json:"factor_needed"`
	ProofNeeded  bool `json:"proof_needed"`
}

type failures struct {
	Count int       `json:"count"`
	Last  time.Time `json:"last"`
}

func (s *Server) meOf(c *call, in identity.SignIn) meAnswer {
	u := in.User
	lang := u.Lang
	if lang == "" {
		lang = c.lang
	}
	lacks := s.house.users.Lacks(in)
	me := meAnswer{u.ID, u.Name, string(u.Role), lang, s.organisation(), s.cfg.PublicHost, nil, lacks && !in.Factor, lacks && in.Factor}
	if in.Failed > 0 {
		me.Failures = &failures{in.Failed, in.FailedLast.UTC()}
	}
	return me
}

func (s *Server) signIn(w http.ResponseWriter, c *call) error {
	var in struct {
		Name     string `json:"name"`
		Password string `json:"password"`
		Code     string `json:"code"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	token, who, err := s.house.users.SignIn(c.Context(), in.Name, in.Password, in.Code, from(c.Request))
	if err != nil {
		return err
	}
	return s.signedIn(w, c, token, who)
}

// signedIn gives the new cookie; the sign-in of an old one ends, so that what
// somebody planted before is worth nothing after.
func (s *Server) signedIn(w http.ResponseWriter, c *call, token string, who identity.SignIn) error {
	if err := s.enter(w, c, token); err != nil {
		return err
	}
	answer(w, http.StatusOK, s.meOf(c, who))
	return nil
}

// enter changes an old cookie for the new one.
func (s *Server) enter(w http.ResponseWriter, c *call, token string) error {
	if old, err := c.Cookie(s.cookieName()); err == nil {
		if err := s.house.users.SignOut(c.Context(), old.Value); err != nil {
			return err
		}
	}
	s.setCookie(w, token, cookieLife)
	return nil
}

func (s *Server) lookLink(w http.ResponseWriter, c *call) error {
	l, err := s.house.users.LookLink(c.Context(), c.URL.Query().Get("token"))
	if err != nil {
		return err
	}
	var name *string
	if l.Name != "" {
		name = &l.Name
	}
	answer(w, http.StatusOK, struct {
		Role  string  `json:"role"`
		Name  *string `json:"name"`
		Reset bool    `json:"reset"` // a new password for that name, instead of a new account
	}{string(l.Role), name, l.For != ""})
	return nil
}

func (s *Server) useLink(w http.ResponseWriter, c *call) error {
	var in struct {
		Token    string `json:"token"`
		Name     string `json:"name"`
		Password string `json:"password"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	token, who, err := s.house.users.UseLink(c.Context(), in.Token, in.Name, in.Password, from(c.Request))
	if err != nil {
		return err
	}
	return s.signedIn(w, c, token, who)
}

func (s *Server) signOut(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	k, err := c.Cookie(s.cookieName())
	if err != nil {
		return errNotSignedIn
	}
	if err := s.house.users.SignOut(c.Context(), k.Value); err != nil {
		return err
	}
	s.setCookie(w, "", -1)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) me(w http.ResponseWriter, c *call) error {
	answer(w, http.StatusOK, s.meOf(c, *c.in))
	return nil
}

func (s *Server) setLang(w http.ResponseWriter, c *call) error {
	var in struct {
		Lang string `json:"lang"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	if in.Lang != "en" && in.Lang != "fr" {
		return errInvalidLang
	}
	if err := s.house.users.SetLang(c.Context(), c.in.User.ID, in.Lang); err != nil {
		return err
	}
	s.langCookie(w, in.Lang)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// langCookie keeps a choice of language for a year. Scripts read it too.
func (s *Server) langCookie(w http.ResponseWriter, lang string) {
	http.SetCookie(w, &http.Cookie{
		Name: "mf_lang", Value: lang, Path: "/", MaxAge: 365 * 24 * 60 * 60,
		Secure: s.cfg.Secure, SameSite: http.SameSiteLaxMode,
	})
}
