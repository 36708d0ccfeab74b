// Package fake is a ticket system in memory that fails as real ones do: replies
// are lost after the note was stored, requests before, and a key is no promise:
// whoever writes a note twice has it twice.
package fake

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mainforte/mainforte/signaling/tickets"
)

// Desk is a tickets.System. The zero value is empty and never fails.
type Desk struct {
	// Faults are asked before (written false) and after (written true) each
	// call; a non-nil error is what the caller gets. op is "find" or "append".
	Faults func(op, key string, written bool) error

	mu      sync.Mutex
	tickets map[string]tickets.Ticket
	notes   []stored
}

type stored struct {
	ticket string
	note   tickets.Note
}

var _ tickets.System = (*Desk)(nil)

// Add makes a ticket known.
func (d *Desk) Add(t tickets.Ticket) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tickets == nil {
		d.tickets = map[string]tickets.Ticket{}
	}
	d.tickets[t.ID] = t
}

// Notes returns what was written to a ticket, in order, doubles included.
func (d *Desk) Notes(ticket string) (list []tickets.Note) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range d.notes {
		if n.ticket == ticket {
			list = append(list, n.note)
		}
	}
	return list
}

// TakeAway removes the notes of a key, as somebody with the right to it may.
func (d *Desk) TakeAway(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes = slices.DeleteFunc(d.notes, func(n stored) bool { return n.note.Key == key })
}

// Flaky returns Faults that fail with the given chances: before anything was
// done, and after the note was stored.
func Flaky(seed uint64, before, after float64) func(op, key string, written bool) error {
	var mu sync.Mutex
	rnd := rand.New(rand.NewPCG(seed, 1))
	return func(op, _ string, written bool) error {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case !written && rnd.Float64() < before:
			return fmt.Errorf("%w: 503 before %s", tickets.ErrTransient, op)
		case written && op == "append" && rnd.Float64() < after:
			return fmt.Errorf("%w: reply lost after %s", tickets.ErrTransient, op)
		}
		return nil
	}
}

func (d *Desk) fault(op, key string, written bool) error {
	if d.Faults == nil {
		return nil
	}
	return d.Faults(op, key, written)
}

// Name implements tickets.System.
func (d *Desk) Name() string { return "fake" }

// Caps implements tickets.System.
func (d *Desk) Caps() tickets.Caps { return tickets.Caps{Public: true, Search: true} }

// Check implements tickets.System.
func (d *Desk) Check(ctx context.Context) error { return ctx.Err() }

// Get implements tickets.System.
func (d *Desk) Get(ctx context.Context, id string) (tickets.Ticket, error) {
	if err := ctx.Err(); err != nil {
		return tickets.Ticket{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	t, ok := d.tickets[id]
	if !ok {
		return tickets.Ticket{}, fmt.Errorf("%w: %q", tickets.ErrNotFound, id)
	}
	return t, nil
}

// Search implements tickets.System: every word in number or subject.
func (d *Desk) Search(ctx context.Context, query string, limit int) ([]tickets.Ticket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []tickets.Ticket
	for _, t := range d.tickets {
		text := strings.ToLower(t.Number + " " + t.Subject)
		if !slices.ContainsFunc(strings.Fields(strings.ToLower(query)), func(w string) bool { return !strings.Contains(text, w) }) {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b tickets.Ticket) int { return b.Updated.Compare(a.Updated) })
	return list[:min(len(list), max(limit, 1))], nil
}

// Find implements tickets.System.
func (d *Desk) Find(ctx context.Context, ticket, key string) (string, bool, error) {
	if err := ctx.Err(); err != nil {
		return "", false, err
	}
	if err := d.fault("find", key, false); err != nil {
		return "", false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, n := range d.notes {
		if n.ticket == ticket && n.note.Key == key {
			return strconv.Itoa(i), true, nil
		}
	}
	return "", false, nil
}

// Append implements tickets.System. It is as strict as a desk with a schema:
// a note without key, text or language is refused.
func (d *Desk) Append(ctx context.Context, ticket string, n tickets.Note) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if n.Key == "" || n.Plain() == "" || n.Lang != "en" && n.Lang != "fr" {
		return "", fmt.Errorf("%w: key, text and language are needed", tickets.ErrInvalid)
	}
	if len(n.Plain()) > 64<<10 {
		return "", tickets.ErrTooLarge
	}
	if err := d.fault("append", n.Key, false); err != nil {
		return "", err
	}
	d.mu.Lock()
	if _, ok := d.tickets[ticket]; !ok {
		d.mu.Unlock()
		return "", fmt.Errorf("%w: %q", tickets.ErrNotFound, ticket)
	}
	t := d.tickets[ticket]
	t.Updated = time.Now().UTC()
	d.tickets[ticket] = t
	d.notes = append(d.notes, stored{ticket, n})
	id := strconv.Itoa(len(d.notes) - 1)
	d.mu.Unlock()
	if err := d.fault("append", n.Key, true); err != nil {
		return "", err
	}
	return id, nil
}
