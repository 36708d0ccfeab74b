package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/mainforte/mainforte/signaling/launch"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/tickets"
)

var (
	errBadHook      = &problem{http.StatusUnprocessableEntity, "BAD_HOOK"}
	errBadSignature = &problem{http.StatusUnauthorized, "BAD_SIGNATURE"}
	errBusy         = &problem{http.StatusServiceUnavailable, "BUSY"}
)

// Bounds of webhooks.
const (
	hooksAtOnce  = 16  // bodies in memory, of tickets.MaxHook each
	hooksWaiting = 256 // taken, and their tickets not looked at yet
)

var (
	// badHooks is for hooks without a proper signature, for each address.
	badHooks = limit.Every{N: 30, In: 10 * time.Minute}
	// goodHooks is for each desk: a change of many tickets at once is a burst.
	goodHooks = limit.Every{N: 600, In: time.Minute}
)

// hooks is what takes webhooks.
type hooks struct {
	*launch.Hooks
	bad, good *limit.Keyed
	bodies    chan struct{}
	taken     chan launch.Taken
}

func newHooks(h *launch.Hooks) *hooks {
	return &hooks{
		h, limit.New(badHooks, 20_000), limit.New(goodHooks, 64),
		make(chan struct{}, hooksAtOnce), make(chan launch.Taken, hooksWaiting),
	}
}

// hook takes what a desk tells. Its signature is the right to; it comes first.
func (s *Server) hook(w http.ResponseWriter, c *call) error {
	name := c.PathValue("desk")
	desk, err := s.tickets.Desk(name)
	if err != nil {
		return errNotFound
	}
	reads := tickets.HooksOf(desk)
	if reads == nil {
		return errNotFound
	}
	now, address := time.Now(), limit.AddressKey(from(c.Request))
	if !s.hooks.bad.Take(address, now) {
		return errRateLimited
	}
	select {
	case s.hooks.bodies <- struct{}{}:
		defer func() { <-s.hooks.bodies }()
	default:
		s.hooks.bad.Refund(address, now)
		return errBusy
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, c.Body, tickets.MaxHook))
	if err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			return errTooLarge
		}
		return errBadHook
	}
	e, err := reads.ParseHook(c.Header, body)
	switch {
	case errors.Is(err, tickets.ErrAuth):
		s.log.Warn("a webhook without a proper signature", "id", c.id, "desk", name, "error", err)
		return errBadSignature
	case err == nil, errors.Is(err, tickets.ErrInvalid):
		s.hooks.bad.Refund(address, now) // the desk signed it
	}
	if err != nil {
		s.log.Warn("a webhook that cannot be read", "id", c.id, "desk", name, "error", err)
		return errBadHook
	}
	if !s.hooks.good.Take(name, now) {
		return errRateLimited
	}
	t, ok, err := s.hooks.Take(c.Context(), name, e)
	if err != nil {
		return err
	}
	if ok {
		// Not now: a desk that waits for our answer may not answer us meanwhile.
		select {
		case s.hooks.taken <- t:
		default:
			s.log.Warn("too many webhooks at once; consoles are told of this one without a look", "id", c.id, "desk", name)
			s.news.tell(newsItem{Ticket: t.Ticket, Kind: t.Kind, user: t.User})
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// hookPatience is how long a ticket is waited for after a hook.
const hookPatience = 20 * time.Second

// heed looks at the tickets of hooks and tells the consoles.
func (s *Server) heed(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-s.hooks.taken:
			look, done := context.WithTimeout(ctx, hookPatience)
			k, err := s.tickets.Get(look, t.Ticket)
			done()
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				s.log.Warn("the ticket of a webhook cannot be read", "ticket", t.Ticket, "error", err)
			} else if told := t.Kind; told == tickets.HookClosed && k.Open || told == tickets.HookOpened && !k.Open {
				t.Kind = tickets.HookChanged // it came late
			}
			s.news.tell(newsItem{Ticket: t.Ticket, Kind: t.Kind, user: t.User})
		}
	}
}
