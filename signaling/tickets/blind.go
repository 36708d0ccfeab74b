package tickets

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mainforte/mainforte/signaling/audit"
)

// blind is the half of a System whose tickets cannot be read: see [Caps].
type blind struct{ cfg Config }

// ticketToken tells whether an id can be one of a ticket that nobody can read.
func ticketToken(id string) bool { return id != "" && len(id) <= 100 && audit.IsToken(id) }

// Get implements System: any id that could be one is taken for one.
func (b blind) Get(ctx context.Context, id string) (Ticket, error) {
	if err := ctx.Err(); err != nil {
		return Ticket{}, err
	}
	if !ticketToken(id) {
		return Ticket{}, fmt.Errorf("%w: %s: %.40q", ErrNotFound, b.cfg.System, id)
	}
	return Ticket{ID: id, Number: id, Subject: id, Lang: b.cfg.Lang, Open: true}, nil
}

// Search implements System: the ticket of that number.
func (b blind) Search(ctx context.Context, query string, _ int) ([]Ticket, error) {
	t, err := b.Get(ctx, strings.TrimSpace(query))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []Ticket{t}, nil
}

// Find implements System: it cannot tell.
func (blind) Find(ctx context.Context, _, _ string) (string, bool, error) {
	return "", false, ctx.Err()
}
