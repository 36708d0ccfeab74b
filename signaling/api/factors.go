package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"

	"github.com/mainforte/mainforte/signaling/identity"
)

var (
	errCodeNeeded     = &problem{http.StatusUnauthorized, "CODE_NEEDED"}
	errWrongCode      = &problem{http.StatusUnauthorized, "WRONG_CODE"}
	errStepUp         = &problem{http.StatusForbidden, "STEP_UP"}
	errNoFactor       = &problem{http.StatusNotFound, "NO_FACTOR"}
	errTooManyFactors = &problem{http.StatusConflict, "TOO_MANY_FACTORS"}
	errWrongPasskey   = &problem{http.StatusUnauthorized, "WRONG_PASSKEY"}
	errNoPasskeys     = &problem{http.StatusConflict, "NO_PASSKEYS"}
	errFactorNeeded   = &problem{http.StatusForbidden, "FACTOR_NEEDED"}
)

// forFactors are the routes for who must have a factor and has none yet, or has not
// shown it in this sign-in: those by which one gets or shows it, and the ways out.
var forFactors = map[string]bool{
	"GET /account": true, "POST /api/v1/signout": true, "GET /api/v1/me": true, "PUT /api/v1/me/lang": true,
	"POST /api/v1/me/failures": true, "GET /api/v1/me/factors": true, "DELETE /api/v1/me/factors/{id}": true,
	"POST /api/v1/me/totp": true, "POST /api/v1/me/totp/confirm": true, "POST /api/v1/me/recovery": true,
	"POST /api/v1/me/passkeys": true, "PUT /api/v1/me/passkeys": true,
	"GET /api/v1/stepup": true, "POST /api/v1/stepup": true,
}

type factorAnswer struct {
	ID    string     `json:"id"`
	Name  string     `json:"name"`
	Since time.Time  `json:"since"`
	Used  *time.Time `json:"used"`
}

func factorOf(f identity.Factor) factorAnswer {
	return factorAnswer{f.ID, f.Name, f.Since.UTC(), orNull(f.Used)}
}

// factors tells what the caller has beside a password.
func (s *Server) factors(w http.ResponseWriter, c *call) error {
	f, err := s.house.users.Factors(c.Context(), c.in.User.ID)
	if err != nil {
		return err
	}
	out := struct {
		TOTP     *factorAnswer  `json:"totp"`
		Passkeys []factorAnswer `json:"passkeys"`
		Recovery int            `json:"recovery"`
		Required bool           `json:"required"`
		Possible bool           `json:"passkeys_possible"`
	}{Passkeys: []factorAnswer{}, Recovery: f.Recovery, Required: s.house.users.Required(c.in.User.Role)}
	_, err = s.site(c)
	out.Possible = err == nil
	if f.TOTP != nil {
		t := factorOf(*f.TOTP)
		out.TOTP = &t
	}
	for _, p := range f.Passkeys {
		out.Passkeys = append(out.Passkeys, factorOf(p))
	}
	answer(w, http.StatusOK, out)
	return nil
}

func (s *Server) removeFactor(w http.ResponseWriter, c *call) error {
	if err := s.house.users.RemoveFactor(c.Context(), *c.in, c.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// newTOTP makes a secret for an app: as text, and as the dark squares of a QR code,
// a path that the page draws.
func (s *Server) newTOTP(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	issuer := s.cfg.Organisation
	if issuer == "" {
		issuer = s.cfg.PublicHost
	}
	made, err := s.house.users.NewTOTP(c.Context(), *c.in, issuer)
	if err != nil {
		return err
	}
	size, path, err := squares(made.URI)
	if err != nil {
		return err
	}
	answer(w, http.StatusCreated, map[string]any{"secret": made.Secret, "uri": made.URI, "qr": map[string]any{"size": size, "path": path}})
	return nil
}

// squares draws a text as a QR code of size squares a side, without its margin: an
// SVG path that fills the dark ones, a run of a row at a time.
func squares(text string) (size int, path string, err error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return 0, "", err
	}
	var b strings.Builder
	size = code.Bounds().Dx()
	dark := func(x, y int) bool {
		r, _, _, _ := code.At(x, y).RGBA()
		return r == 0
	}
	for y := range size {
		for x := 0; x < size; x++ {
			if !dark(x, y) {
				continue
			}
			from := x
			for x < size && dark(x, y) {
				x++
			}
			n := strconv.Itoa(x - from)
			b.WriteString("M" + strconv.Itoa(from) + " " + strconv.Itoa(y) + "h" + n + "v1h-" + n + "z")
		}
	}
	return size, b.String(), nil
}

func (s *Server) confirmTOTP(w http.ResponseWriter, c *call) error {
	var in struct {
		Code string `json:"code"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	token, recovery, err := s.house.users.ConfirmTOTP(c.Context(), *c.in, in.Code)
	if err != nil {
		return err
	}
	s.setCookie(w, token, cookieLife)
	answer(w, http.StatusOK, map[string]any{"recovery": recovery})
	return nil
}

func (s *Server) newRecovery(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	codes, err := s.house.users.NewRecovery(c.Context(), *c.in)
	if err != nil {
		return err
	}
	answer(w, http.StatusCreated, map[string]any{"recovery": codes})
	return nil
}

// needStepUp tells whether the caller must prove again who they are before they may
// claim a code or change their factors, and by what.
func (s *Server) needStepUp(w http.ResponseWriter, c *call) error {
	f, err := s.house.users.Factors(c.Context(), c.in.User.ID)
	if err != nil {
		return err
	}
	by := []string{}
	if len(f.Passkeys) > 0 {
		by = append(by, "passkey")
	}
	if f.TOTP != nil {
		by = append(by, "code")
	}
	if f.Recovery > 0 {
		by = append(by, "recovery")
	}
	var there *providerAnswer
	if !c.in.Factor {
		password, provider, err := s.house.users.First(c.Context(), c.in.User.ID)
		if err != nil {
			return err
		}
		if password {
			by = append(by, "password")
		}
		// One that is configured no more proves nothing.
		if i := slices.IndexFunc(s.vouch, func(p *identity.Provider) bool { return p.Name() == provider }); i >= 0 {
			by = append(by, "provider")
			there = &providerAnswer{s.vouch[i].Name(), s.vouch[i].Label()}
		}
	}
	answer(w, http.StatusOK, map[string]any{
		"control": !s.house.users.Controls(*c.in), "factors": !s.house.users.Fresh(*c.in), "by": by, "provider": there,
	})
	return nil
}

// stepUp proves once more who the caller is. The cookie changes.
func (s *Server) stepUp(w http.ResponseWriter, c *call) error {
	var in struct {
		Code     string         `json:"code"`
		Password string         `json:"password"`
		Passkey  *passkeyAnswer `json:"passkey"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	var token string
	var err error
	given := 0
	for _, some := range []bool{in.Code != "", in.Password != "", in.Passkey != nil} {
		if some {
			given++
		}
	}
	switch {
	case given != 1:
		return errBadJSON
	case in.Passkey != nil:
		site, err := s.site(c)
		if err != nil {
			return err
		}
		if token, err = s.house.users.StepUpByPasskey(c.Context(), site, *c.in, in.Passkey.State, in.Passkey.Credential, from(c.Request)); err != nil {
			return err
		}
	case in.Code != "":
		token, err = s.house.users.StepUp(c.Context(), *c.in, in.Code, from(c.Request))
	default:
		token, err = s.house.users.StepUpByPassword(c.Context(), *c.in, in.Password, from(c.Request))
	}
	if err != nil {
		return err
	}
	s.setCookie(w, token, cookieLife)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// sawFailures takes away the news of failed sign-ins.
func (s *Server) sawFailures(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	if err := s.house.users.SawFailures(c.Context(), *c.in); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
