package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/mainforte/mainforte/signaling/identity"
)

var (
	errBadToken       = &problem{http.StatusUnauthorized, "BAD_TOKEN"}
	errTwoCredentials = &problem{http.StatusBadRequest, "TWO_CREDENTIALS"}
)

type tokenAnswer struct {
	ID      string           `json:"id"`
	Name    string           `json:"name"`
	Role    identity.Role    `json:"role"`
	Owner   *string          `json:"owner"`
	Scopes  []identity.Scope `json:"scopes"`
	Created time.Time        `json:"created"`
	Expires time.Time        `json:"expires"`
	Revoked *time.Time       `json:"revoked"`
	Used    *time.Time       `json:"used"`
}

// orNull is nil for the zero time.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// listTokens shows the tokens of programs, never their secrets: nobody has those.
func (s *Server) listTokens(w http.ResponseWriter, c *call) error {
	list, err := s.house.users.Tokens(c.Context())
	if err != nil {
		return err
	}
	out := make([]tokenAnswer, len(list))
	for i, t := range list {
		out[i] = tokenAnswer{t.ID, t.Name, t.Role, nil, t.Scopes, t.Created.UTC(), t.Expires.UTC(), orNull(t.Revoked), orNull(t.Used)}
		if t.Owner != "" {
			out[i].Owner = &t.Owner
		}
	}
	answer(w, http.StatusOK, map[string]any{"tokens": out})
	return nil
}

func (s *Server) revokeToken(w http.ResponseWriter, c *call) error {
	err := s.house.users.RevokeToken(c.Context(), c.PathValue("id"), c.actor())
	if errors.Is(err, identity.ErrNoToken) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
