package tickets

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
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
//
// Which desks there are may change at any time ([Keeper]). A call that has begun ends
// at the desk where it began; an id of a desk that is gone is of no desk, ErrNoDesk.
type Desks struct {
	local *Local
	file  Setup // what does not change
	now   atomic.Pointer[deskSet]
}

// deskSet are the desks of a time. Nothing in it changes.
type deskSet struct {
	names  []string
	others map[string]*other
	policy Policy
	over   chan struct{} // closed when there is another one
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
	d := &Desks{local: local, file: setup}
	set := &deskSet{others: map[string]*other{}, policy: setup.Policy.filled(), over: make(chan struct{})}
	for _, k := range setup.Desks {
		if err := checkName(k.Name); err != nil {
			return nil, err
		}
		if set.others[k.Name] != nil {
			return nil, fmt.Errorf("%w: two desks are called %q", ErrConfig, k.Name)
		}
		o, err := newOther(k)
		if err != nil {
			return nil, fmt.Errorf("desk %q: %w", k.Name, err)
		}
		set.names, set.others[k.Name] = append(set.names, k.Name), o
	}
	if err := set.policy.check(set.has); err != nil {
		return nil, err
	}
	d.now.Store(set)
	return d, nil
}

func newOther(k DeskSetup) (*other, error) {
	s, err := NewSystem(k.Config)
	if err != nil {
		return nil, err
	}
	return &other{
		System: Limited(Retried(s), k.perMinute()), setup: k, wait: min(max(patience, k.Config.Timeout), longestPatience),
	}, nil
}

// put makes these the desks beside those of the file, and this the policy; nil is that
// of the file. A policy that names a desk which is not there begins with the file's.
func (d *Desks) put(more []*other, policy *Policy) {
	was := d.now.Load()
	set := &deskSet{others: map[string]*other{}, policy: d.file.Policy.filled(), over: make(chan struct{})}
	for _, k := range d.file.Desks {
		set.names, set.others[k.Name] = append(set.names, k.Name), was.others[k.Name]
	}
	for _, o := range more {
		set.names, set.others[o.setup.Name] = append(set.names, o.setup.Name), o
	}
	if policy != nil {
		begin := set.policy.Desk
		if set.policy = policy.filled(); !set.has(set.policy.Desk) {
			set.policy.Desk = begin
		}
	}
	d.now.Store(set)
	close(was.over)
}

func (s *deskSet) has(name string) bool { return name == LocalName || s.others[name] != nil }

// Local is the embedded desk.
func (d *Desks) Local() *Local { return d.local }

// Policy is what the admin wants of sessions and their tickets, now.
func (d *Desks) Policy() Policy { return d.now.Load().policy }

// Names are the desks in the order of the configuration, the embedded one first.
func (d *Desks) Names() []string { return append([]string{LocalName}, d.now.Load().names...) }

// Has tells whether there is a desk of this name.
func (d *Desks) Has(name string) bool { return d.now.Load().has(name) }

// other is a desk of somebody else by its name, nil if there is none.
func (d *Desks) other(name string) *other { return d.now.Load().others[name] }

// Desk is one of the desks; its ids have no prefix. ErrNoDesk if there is none.
func (d *Desks) Desk(name string) (System, error) {
	if name == LocalName {
		return d.local, nil
	}
	if o := d.other(name); o != nil {
		return o.System, nil
	}
	return nil, fmt.Errorf("%w: %.40q", ErrNoDesk, name)
}

// Kind is the system of a desk, for instance "rt", or "local"; "" if there is no
// such desk.
func (d *Desks) Kind(name string) string {
	if o := d.other(name); o != nil {
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
	set := d.now.Load()
	for _, name := range set.names {
		if err := set.others[name].Check(ctx); err != nil {
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
	o := d.other(name)
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
		if d.Policy().Offline == OfflineAllow && errors.Is(err, ErrTransient) && ctx.Err() == nil {
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
	return d.SearchIn(ctx, d.Policy().Desk, query, limit)
}

// SearchIn searches one desk.
func (d *Desks) SearchIn(ctx context.Context, desk, query string, limit int) ([]Ticket, error) {
	if desk == LocalName {
		return d.local.Search(ctx, query, limit)
	}
	o := d.other(desk)
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
