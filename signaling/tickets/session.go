package tickets

import (
	"context"
	"errors"
	"net/http"
	"sync"
)

// session is a token that a desk gives for a while. sign asks for one; put sets
// it on a request, whose header is its own.
type session struct {
	sign func(ctx context.Context) (string, error)
	put  func(r *request, token string)

	mu    sync.Mutex
	token string
}

// open returns the token in hand, or a new one where that is none or stale.
func (s *session) open(ctx context.Context, c *client, stale string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token != "" && s.token != stale {
		return s.token, nil
	}
	token, err := s.sign(ctx)
	if err != nil {
		return "", err
	}
	if token == "" {
		return "", c.failed(ErrTransient, "signing in gave no token")
	}
	s.token = token
	c.hide(token)
	return token, nil
}

// bearer puts a token where OAuth has it.
func bearer(r *request, token string) { r.header.Set("Authorization", "Bearer "+token) }

// call is do with a token; one that the desk has forgotten is asked for again,
// once.
func (s *session) call(ctx context.Context, c *client, r request) error {
	stale := ""
	for try := 1; ; try++ {
		token, err := s.open(ctx, c, stale)
		if err != nil {
			return err
		}
		r.header = r.header.Clone()
		if r.header == nil {
			r.header = http.Header{}
		}
		s.put(&r, token)
		_, err = c.do(ctx, r)
		if try > 1 || !errors.Is(err, ErrAuth) {
			return err
		}
		stale = token
	}
}
