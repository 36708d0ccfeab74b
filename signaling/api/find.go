package api

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/mainforte/mainforte/signaling/tickets"
)

// What a desk's button may say: hostile until it matches.
var (
	deskName  = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	ticketRef = regexp.MustCompile(`^#?[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

// errBadRef is a name of a desk or a ticket that can be none.
var errBadRef = errors.New("api: neither a desk nor a ticket")

// find is the ticket of a desk by its id or by the number that people say.
// desk is its name here, or its system where there is only one such desk.
// Errors: errBadRef, tickets.ErrNoDesk, and those of tickets.System.
func (s *Server) find(ctx context.Context, desk, ref string) (tickets.Ticket, error) {
	if !deskName.MatchString(desk) || !ticketRef.MatchString(ref) {
		return tickets.Ticket{}, errBadRef
	}
	ref = strings.TrimPrefix(ref, "#")
	if desk = s.deskOf(desk); desk == "" {
		return tickets.Ticket{}, tickets.ErrNoDesk
	}
	t, err := s.tickets.Get(ctx, tickets.Join(desk, ref))
	if !errors.Is(err, tickets.ErrNotFound) {
		return t, err
	}
	list, e := s.tickets.SearchIn(ctx, desk, ref, 20)
	if e != nil {
		return tickets.Ticket{}, e
	}
	for _, k := range list {
		if strings.EqualFold(strings.TrimPrefix(k.Number, "#"), ref) {
			return s.tickets.Get(ctx, k.ID)
		}
	}
	return tickets.Ticket{}, fmt.Errorf("%w: %.64q", tickets.ErrNotFound, ref)
}

// deskOf is the name of a desk, "" if there is none.
func (s *Server) deskOf(name string) string {
	if s.tickets.Has(name) {
		return name
	}
	found := ""
	for _, n := range s.tickets.Names() {
		if s.tickets.Kind(n) != name {
			continue
		}
		if found != "" {
			return "" // two of them: the button has to say which
		}
		found = n
	}
	return found
}
