package tickets

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
)

// LocalName is the name of the embedded desk. Its tickets have ids without a
// prefix.
const LocalName = "local"

// Join is the id by which this server knows a ticket of a desk: "rt:17".
func Join(desk, id string) string {
	if desk == LocalName {
		return id
	}
	return desk + ":" + id
}

// Split parts what Join made. An id without a prefix is of the embedded desk.
func Split(ticket string) (desk, id string) {
	if desk, id, ok := strings.Cut(ticket, ":"); ok {
		return desk, id
	}
	return LocalName, ticket
}

// maxTicket bounds the id of a ticket, prefix included.
const maxTicket = 128

// patience is how long somebody waits for a ticket of another desk, its
// retries included; the outbox has a pace of its own.
const patience = 8 * time.Second

// longestPatience is for a desk whose timeout is longer: less than pages and
// viewers wait for an answer of this server.
const longestPatience = 18 * time.Second

// Desks are all the service desks of a server as one [System]: the embedded one,
// and those of its admin. Ids are whole ones ([Join]), in and out; each call goes
// to the desk of its id, so that a slow desk slows nobody else's. What a
// session needs of another desk's ticket is remembered in the server's own store.
type Desks struct {
	local  *Local
	names  []string
	others map[string]*other
	policy Policy
}

// other is a desk of somebody else.
type other struct {
	System
	setup DeskSetup
	wait  time.Duration
}

var _ System = (*Desks)(nil)

// NewDesks puts the embedded desk and those of setup together, each of these with
// [Retried] and [Limited] around it; it calls none. The error is an ErrConfig
// that names desk and field.
func NewDesks(local *Local, setup Setup) (*Desks, error) {
	d := &Desks{local: local, others: map[string]*other{}, policy: setup.Policy.filled()}
	for _, k := range setup.Desks {
		if err := checkName(k.Name); err != nil {
			return nil, err
		}
		if d.others[k.Name] != nil {
			return nil, fmt.Errorf("%w: two desks are called %q", ErrConfig, k.Name)
		}
		s, err := NewSystem(k.Config)
		if err != nil {
			return nil, fmt.Errorf("desk %q: %w", k.Name, err)
		}
		d.names = append(d.names, k.Name)
		d.others[k.Name] = &other{
			System: Limited(Retried(s), k.perMinute()), setup: k, wait: min(max(patience, k.Config.Timeout), longestPatience),
		}
	}
	if err := d.policy.check(d.Has); err != nil {
		return nil, err
	}
	return d, nil
}

// Local is the embedded desk.
func (d *Desks) Local() *Local { return d.local }

// Policy is what the admin wants of sessions and their tickets.
func (d *Desks) Policy() Policy { return d.policy }

// Names are the desks in the order of the configuration, the embedded one first.
func (d *Desks) Names() []string { return append([]string{LocalName}, d.names...) }

// Has tells whether there is a desk of this name.
func (d *Desks) Has(name string) bool { return name == LocalName || d.others[name] != nil }

// Desk is one of the desks; its ids have no prefix. ErrNoDesk if there is none.
func (d *Desks) Desk(name string) (System, error) {
	if name == LocalName {
		return d.local, nil
	}
	if o := d.others[name]; o != nil {
		return o.System, nil
	}
	return nil, fmt.Errorf("%w: %.40q", ErrNoDesk, name)
}

// Kind is the system of a desk, for instance "rt", or "local"; "" if there is no
// such desk.
func (d *Desks) Kind(name string) string {
	if o := d.others[name]; o != nil {
		return o.setup.Config.System
	}
	if name == LocalName {
		return LocalName
	}
	return ""
}

// Name implements System.
func (d *Desks) Name() string { return "desks" }

// Caps implements System: those of the embedded desk. Those of another are asked
// of it: see Desk.
func (d *Desks) Caps() Caps { return d.local.Caps() }

// Check implements System: every desk, whatever the others say.
func (d *Desks) Check(ctx context.Context) error {
	errs := []error{d.local.Check(ctx)}
	for _, name := range d.names {
		if err := d.others[name].Check(ctx); err != nil {
			errs = append(errs, fmt.Errorf("desk %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// Get implements System. A ticket of another desk is remembered; where that desk
// does not answer just now and the policy says [OfflineAllow], the answer is what
// is remembered, with Remembered set.
func (d *Desks) Get(ctx context.Context, ticket string) (Ticket, error) {
	name, id := Split(ticket)
	if name == LocalName {
		return d.local.Get(ctx, ticket)
	}
	o := d.others[name]
	switch {
	case o == nil:
		return Ticket{}, fmt.Errorf("%w: %.40q", ErrNoDesk, name)
	case !properID(ticket):
		return Ticket{}, fmt.Errorf("%w: %.80q", ErrNotFound, ticket)
	}
	call, cancel := context.WithTimeout(ctx, o.wait)
	defer cancel()
	t, err := o.Get(call, id)
	if err != nil {
		if d.policy.Offline == OfflineAllow && errors.Is(err, ErrTransient) && ctx.Err() == nil {
			if t, e := d.Recall(ctx, ticket); e == nil {
				return t, nil
			}
		}
		return Ticket{}, d.slow(ctx, call, err)
	}
	if t, err = o.known(t); err != nil {
		return Ticket{}, err
	}
	return t, d.remember(ctx, &t)
}

// slow makes the end of our patience the desk's trouble: to whoever called, their
// own context has not ended.
func (d *Desks) slow(ctx, call context.Context, err error) error {
	if call.Err() != nil && ctx.Err() == nil && !errors.Is(err, ErrTransient) {
		return fmt.Errorf("%w: %v", ErrTransient, err)
	}
	return err
}

// Search implements System: in the desk that the policy names.
func (d *Desks) Search(ctx context.Context, query string, limit int) ([]Ticket, error) {
	return d.SearchIn(ctx, d.policy.Desk, query, limit)
}

// SearchIn searches one desk.
func (d *Desks) SearchIn(ctx context.Context, desk, query string, limit int) ([]Ticket, error) {
	if desk == LocalName {
		return d.local.Search(ctx, query, limit)
	}
	o := d.others[desk]
	if o == nil {
		return nil, fmt.Errorf("%w: %.40q", ErrNoDesk, desk)
	}
	call, cancel := context.WithTimeout(ctx, o.wait)
	defer cancel()
	found, err := o.Search(call, query, limit)
	if err != nil {
		return nil, d.slow(ctx, call, err)
	}
	var list []Ticket
	for _, t := range found {
		// What could not be opened is not shown.
		if t, err := o.known(t); err == nil {
			list = append(list, t)
		}
	}
	return list[:min(len(list), bounded(limit))], nil
}

// properID tells whether a whole id may stand in the log.
func properID(ticket string) bool { return len(ticket) <= maxTicket && audit.IsToken(ticket) }

// known is a ticket of this desk as the server knows it.
func (o *other) known(t Ticket) (Ticket, error) {
	page := o.setup.Config.page(t)
	t.ID = Join(o.setup.Name, t.ID)
	if !properID(t.ID) {
		return Ticket{}, fmt.Errorf("%w: %.80q cannot be the id of one", ErrNotFound, t.ID)
	}
	t.Number, t.Subject, t.Requester = line(t.Number), line(t.Subject), line(t.Requester)
	t.Lang, t.URL = langOr(t.Lang, "en"), safeURL(t.URL)
	t.Priority, t.Due = max(Unsaid, min(t.Priority, Urgent)), dueOf(t.Due)
	if t.URL == "" {
		t.URL = page
	}
	return t, nil
}

// route is the desk of a ticket and the desk's own id.
func (d *Desks) route(ticket string) (System, string, error) {
	name, id := Split(ticket)
	s, err := d.Desk(name)
	return s, id, err
}

// Find implements System.
func (d *Desks) Find(ctx context.Context, ticket, key string) (string, bool, error) {
	s, id, err := d.route(ticket)
	if err != nil {
		return "", false, err
	}
	return s.Find(ctx, id, key)
}

// Append implements System.
func (d *Desks) Append(ctx context.Context, ticket string, n Note) (string, error) {
	s, id, err := d.route(ticket)
	if err != nil {
		return "", err
	}
	return s.Append(ctx, id, n)
}
