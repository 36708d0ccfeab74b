package tickets

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// Outbox carries notes from the server's own database to the desks. A note is
// queued in the transaction of what it is about; the worker looks for its key in
// the desk before it writes, and tries again until it stands, so a crash or a
// lost reply at any point neither loses nor doubles it. Each desk has a worker of
// its own, so that one that is slow or away holds up nobody else's notes. Several
// processes may serve the same outbox.
type Outbox struct {
	st   store.Store
	log  *audit.Log
	all  *Desks // the desk of a ticket is told by its id; nil: there is one
	now  func() time.Time
	pace pace

	mu    sync.Mutex
	desks []*outlet
}

// outlet is what one worker serves.
type outlet struct {
	name string // in the column system
	desk System // takes ids as they stand in the outbox
	caps Caps
	wake chan struct{}
}

// pace is how the outbox tries again.
type pace struct {
	poll    time.Duration // looks for work at least so often
	call    time.Duration // one try, its looking and its writing together
	lease   time.Duration // nobody else tries meanwhile; longer than call
	first   time.Duration // wait after the first failure; doubles
	longest time.Duration
	giveUp  time.Duration // age at which a note that cannot be written is dead

	// looks are when a written note is looked for again, after it was written; look
	// is how often that is thought of, and patient how long a desk that is away then
	// is waited for.
	looks   []time.Duration
	look    time.Duration
	patient time.Duration
}

// The lease is what a note waits when its worker was killed between writing and
// marking. The age covers a desk that is away over a long weekend.
var usual = pace{
	poll: time.Second, call: 20 * time.Second, lease: 30 * time.Second,
	first: time.Second, longest: 10 * time.Minute, giveUp: 96 * time.Hour,
	looks: []time.Duration{10 * time.Minute, 2 * time.Hour, 24 * time.Hour}, look: 30 * time.Second, patient: 48 * time.Hour,
}

// NewOutbox returns the outbox of one desk, or of all of [Desks], as they are at any
// time. Nothing leaves it until Run.
func NewOutbox(st store.Store, log *audit.Log, desk System) *Outbox {
	o := &Outbox{st: st, log: log, now: time.Now, pace: usual}
	if all, ok := desk.(*Desks); ok {
		o.all = all
		o.follow()
		return o
	}
	o.desks = []*outlet{newOutlet(desk.Name(), desk, desk.Caps())}
	return o
}

func newOutlet(name string, desk System, caps Caps) *outlet {
	return &outlet{name: name, desk: desk, caps: caps, wake: make(chan struct{}, 1)}
}

// follow makes the outlets those of the desks that there are. One whose desk stays
// stays too: it finds its desk anew at each call. over is closed when there are others.
func (o *Outbox) follow() (outlets []*outlet, over <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all == nil {
		return o.desks, nil
	}
	set := o.all.now.Load()
	has := map[string]*outlet{}
	for _, d := range o.desks {
		has[d.name] = d
	}
	o.desks = nil
	for _, name := range append([]string{LocalName}, set.names...) {
		caps := o.all.local.Caps()
		if name != LocalName {
			caps = set.others[name].Caps()
		}
		d := has[name]
		if d == nil || d.caps != caps {
			d = newOutlet(name, o.all, caps)
		}
		o.desks = append(o.desks, d)
	}
	return o.desks, set.over
}

// system is the name of the desk that a ticket's notes go to, also of one that is
// not configured just now: they wait for it.
func (o *Outbox) system(ticket string) string {
	if o.all == nil {
		return o.desks[0].name
	}
	name, _ := Split(ticket)
	return name
}

// Marker is the key of the note about an event of a session: "mf:<session>:<event>".
func Marker(session, event string) string { return "mf:" + session + ":" + event }

// WaitedMarker is the key of the note about somebody of the waiting room, by the id that they had there: it is of no
// session.
func WaitedMarker(id string) string { return "mf:" + id + waitedMark }

const waitedMark = ":waited"

// HandedMarker is the key of the note about a ticket that was handed over, by the id
// of the transfer: it is of no session either.
func HandedMarker(id string) string { return "mf:" + id + handedMark }

const handedMark = ":handed"

// AppointedMarker is the key of the note about a change of an appointment: of no session
// either.
func AppointedMarker(id string, sequence int64) string {
	return "mf:" + id + "." + strconv.FormatInt(sequence, 10) + appointedMark
}

const appointedMark = ":appointed"

// sessionOf reads a marker back.
func sessionOf(key string) (session string, err error) {
	p := strings.Split(key, ":")
	if len(p) != 3 || p[0] != "mf" || p[1] == "" || p[2] == "" || !audit.IsToken(key) {
		return "", fmt.Errorf("%w: %q is not the key of a note", ErrInvalid, key)
	}
	return p[1], nil
}

// EnqueueTx queues a note for a ticket and logs ticket.note_queued, both in tx.
// A key that is queued already changes nothing. Call Wake when tx has committed.
func (o *Outbox) EnqueueTx(tx store.Tx, ticket string, n Note) error {
	session, err := sessionOf(n.Key)
	if err != nil {
		return err
	}
	if strings.HasSuffix(n.Key, waitedMark) || strings.HasSuffix(n.Key, handedMark) || strings.HasSuffix(n.Key, appointedMark) {
		session = ""
	}
	if len(n.Doc.Blocks) > 0 {
		n.Text = ""
		_, err = prose(Plain(n.Doc))
	} else {
		n.Text, err = prose(n.Text)
	}
	if err != nil {
		return err
	}
	n.Author = line(n.Author)
	payload, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("tickets: %w", err)
	}
	system, now := o.system(ticket), store.FormatTime(o.now())
	res, err := tx.Exec(`insert into outbox (id, note_key, system, ticket_id, session_id, note, state, next_at, created, updated)
values (?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?) on conflict (note_key) do nothing`,
		ulid.Make().String(), n.Key, system, ticket, session, string(payload), now, now, now)
	if err != nil {
		return err
	}
	if added, err := res.RowsAffected(); err != nil || added == 0 {
		return err
	}
	return o.logTx(tx, "ticket.note_queued", "ok", session, ticket, map[string]any{"system": system})
}

func (o *Outbox) logTx(tx store.Tx, typ, outcome, session, ticket string, data map[string]any) error {
	return o.logAsTx(tx, audit.Actor{Kind: "system", Ref: "outbox"}, typ, outcome, session, ticket, data)
}

func (o *Outbox) logAsTx(tx store.Tx, who audit.Actor, typ, outcome, session, ticket string, data map[string]any) error {
	e := audit.Event{Type: typ, Session: session, Outcome: outcome, Origin: "server", Actor: who, Data: data}
	if audit.IsToken(ticket) {
		e.Ticket = ticket
	}
	_, err := o.log.AppendTx(tx, e)
	return err
}

// Wake makes the workers look at once. It never blocks.
func (o *Outbox) Wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.desks {
		select {
		case d.wake <- struct{}{}:
		default: // it is awake
		}
	}
}

// Run writes what is due until ctx ends, and returns when the notes in hand are
// done. problem hears what failed, from several goroutines; the outbox tries
// again by itself. The worker of a desk begins and ends with it: a note in its hand
// goes back to those that wait.
func (o *Outbox) Run(ctx context.Context, problem func(error)) {
	var workers sync.WaitGroup
	defer workers.Wait()
	ends := map[*outlet]context.CancelFunc{}
	defer func() {
		for _, end := range ends {
			end()
		}
	}()
	for ctx.Err() == nil {
		outlets, over := o.follow()
		for d, end := range ends {
			if !slices.Contains(outlets, d) {
				end()
				delete(ends, d)
			}
		}
		for _, d := range outlets {
			if ends[d] != nil {
				continue
			}
			with, end := context.WithCancel(ctx)
			ends[d] = end
			workers.Go(func() {
				work(with, o.pace.poll, d.wake, func() (bool, error) { return o.next(with, d) }, problem)
			})
			if d.looks() {
				workers.Go(func() {
					work(with, o.pace.look, nil, func() (bool, error) { return o.lookAgain(with, d) }, problem)
				})
			}
		}
		select {
		case <-ctx.Done():
		case <-over:
		}
	}
}

// work does what is due until ctx ends: step after step while there is something,
// then at the latest every so often, or when wake says so.
func work(ctx context.Context, every time.Duration, wake <-chan struct{}, step func() (worked bool, err error), problem func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		worked, err := step()
		if err != nil && ctx.Err() == nil {
			problem(err)
		}
		if worked && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-tick.C:
		}
	}
}

// next takes one due letter and tries it. worked is false when none is due.
func (o *Outbox) next(ctx context.Context, d *outlet) (worked bool, err error) {
	l, err := o.take(ctx, d.name)
	if err != nil || l == nil {
		return false, err
	}
	var n Note
	if err := json.Unmarshal([]byte(l.note), &n); err != nil {
		return true, o.failed(ctx, l, fmt.Errorf("%w: the queued note cannot be read: %w", ErrInvalid, err))
	}
	call, cancel := context.WithTimeout(ctx, o.pace.call)
	defer cancel()
	id, ok, err := d.desk.Find(call, l.Ticket, n.Key)
	if err == nil && !ok {
		n.Files, err = o.attached(call, n.Files, d.caps)
	}
	if err == nil && !ok {
		id, err = d.desk.Append(call, l.Ticket, n)
	}
	if err != nil {
		if ctx.Err() != nil {
			return true, o.release(ctx, l) // stopped in between: it may stand or not
		}
		return true, o.failed(ctx, l, err)
	}
	return true, o.written(ctx, d, l, id)
}

// take leases the letter to a desk that is due longest.
func (o *Outbox) take(ctx context.Context, system string) (*letter, error) {
	now := o.now()
	due, err := o.rows(ctx, "where system = ? and state = 'waiting' and next_at <= ? order by next_at limit 1", system, store.FormatTime(now))
	if err != nil || len(due) == 0 {
		return nil, err
	}
	l := due[0]
	mine := false
	err = o.st.Update(ctx, func(tx store.Tx) error {
		res, err := tx.Exec("update outbox set next_at = ?, attempts = attempts + 1 where id = ? and state = 'waiting' and next_at = ?",
			store.FormatTime(now.Add(o.pace.lease)), l.ID, store.FormatTime(l.Next))
		if err != nil {
			return err
		}
		changed, err := res.RowsAffected()
		mine = changed == 1
		return err
	})
	if err != nil {
		return nil, err
	}
	if !mine {
		return nil, nil // another worker was faster; the poll looks again
	}
	l.Attempts++
	return &l, nil
}

// written marks a letter done. Its text stands in the ticket now and is dropped,
// unless somebody may take it away there and it is looked for again.
func (o *Outbox) written(ctx context.Context, d *outlet, l *letter, remote string) error {
	now := o.now()
	look, note := time.Time{}, ""
	if d.looks() {
		look, note = now.Add(o.pace.looks[0]), l.note
	}
	return o.settle(ctx, l, func(tx store.Tx) error {
		data := map[string]any{"attempts": l.Attempts, "system": l.System}
		if audit.IsToken(remote) {
			data["note"] = remote
		}
		if _, err := tx.Exec("update outbox set state = 'written', note = ?, look_at = ?, remote_id = ?, problem = '', fault = '', updated = ? where id = ?",
			note, store.FormatTime(look), line(remote), store.FormatTime(now), l.ID); err != nil {
			return err
		}
		if err := forgetPurgedTx(tx, l.Session); err != nil {
			return err
		}
		return o.logTx(tx, "ticket.note_written", "ok", l.Session, l.Ticket, data)
	})
}

// failed plans the next try, or gives the letter up. It returns why, so that
// the problem is heard.
func (o *Outbox) failed(ctx context.Context, l *letter, why error) error {
	now := o.now()
	hopeless := errors.Is(why, ErrNotFound) || errors.Is(why, ErrClosed) || errors.Is(why, ErrTooLarge) || errors.Is(why, ErrInvalid)
	// One whose desk was taken away in between waits for it.
	dead := hopeless || now.Sub(l.Created) >= o.pace.giveUp && !errors.Is(why, ErrNoDesk)
	wait := o.pace.wait(l.Attempts)
	if asked := (ErrRateLimited{}); errors.As(why, &asked) {
		wait = max(wait, min(asked.After, o.pace.longest))
	}
	err := o.settle(ctx, l, func(tx store.Tx) error {
		if !dead {
			_, err := tx.Exec("update outbox set next_at = ?, problem = ?, fault = ?, updated = ? where id = ?",
				store.FormatTime(now.Add(wait)), line(why.Error()), string(faultOf(why)), store.FormatTime(now), l.ID)
			return err
		}
		if _, err := tx.Exec("update outbox set state = 'dead', problem = ?, fault = ?, updated = ? where id = ?",
			line(why.Error()), string(faultOf(why)), store.FormatTime(now), l.ID); err != nil {
			return err
		}
		if err := forgetPurgedTx(tx, l.Session); err != nil {
			return err
		}
		return o.logTx(tx, "ticket.note_failed", "fail", l.Session, l.Ticket, map[string]any{"attempts": l.Attempts, "system": l.System})
	})
	return errors.Join(fmt.Errorf("tickets: note %s: %w", l.Key, why), err)
}

// release lets the next worker look at once.
func (o *Outbox) release(ctx context.Context, l *letter) error {
	return o.settle(ctx, l, func(tx store.Tx) error {
		_, err := tx.Exec("update outbox set next_at = ? where id = ?", store.FormatTime(o.now()), l.ID)
		return err
	})
}

// settle writes an outcome unless another worker has done so, or holds the
// letter since our lease ran out: then the outcome is its.
func (o *Outbox) settle(ctx context.Context, l *letter, fn func(store.Tx) error) error {
	// Also when the server is stopping: what is known is written down.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.pace.call)
	defer cancel()
	return o.st.Update(ctx, func(tx store.Tx) error {
		var state string
		var attempts int64
		err := tx.QueryRow("select state, attempts from outbox where id = ?", l.ID).Scan(&state, &attempts)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // another note has taken it over since
		}
		if err != nil {
			return err
		}
		if state != "waiting" || attempts != l.Attempts {
			return nil
		}
		return fn(tx)
	})
}

// wait is the pause after the n-th failure: doubling, half of it by chance, so
// that a desk that comes back is not met by all at once.
func (p pace) wait(n int64) time.Duration {
	d := p.longest
	if n < 32 {
		d = min(p.first<<max(n-1, 0), p.longest)
	}
	return d/2 + rand.N(d/2+1)
}
