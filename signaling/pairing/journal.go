package pairing

import (
	"errors"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// job is one thing that must be durable.
type job struct {
	events []audit.Event
	// also runs in the transaction after the events; first is the index of the
	// first of them. It may run more than once.
	also func(tx store.Tx, first int64) error
	// done hears the outcome, with the lock held.
	done func(err error)
	// once: a failure is final. Else a patient journal tries again until the job
	// stands or the desk closes; nothing after it overtakes it.
	once bool
}

// journal does jobs in their order. There is a goroutine only while there is
// work. All of it is guarded by the desk's mutex.
type journal struct {
	desk    *Desk
	patient bool // tries again while the database is not available
	jobs    []job
	working bool
	since   time.Time // the job in hand is tried since then; zero: none is
}

// maxJobs bounds what waits for a database that does not answer.
const maxJobs = 1024

// add takes a job; false if too many wait already. The lock is held.
func (j *journal) add(b job) bool {
	if len(j.jobs) >= maxJobs {
		return false
	}
	j.must(b)
	return true
}

// must takes a job whatever waits: the one that ends a session.
func (j *journal) must(b job) {
	j.jobs = append(j.jobs, b)
	if !j.working {
		j.working = true
		j.desk.work.Go(j.run)
	}
}

func (j *journal) run() {
	d := j.desk
	for {
		d.mu.Lock()
		if len(j.jobs) == 0 {
			j.jobs, j.working, j.since = nil, false, time.Time{}
			d.mu.Unlock()
			return
		}
		b := j.jobs[0]
		if j.since.IsZero() {
			j.since = d.cfg.Now()
		}
		d.mu.Unlock()

		err := d.cfg.Store.Update(d.stopped, func(tx store.Tx) error { return d.write(tx, b) })

		d.mu.Lock()
		if err != nil && j.patient && !b.once && errors.Is(err, store.ErrUnavailable) && !d.closed {
			d.cfg.Logger.Error("the log cannot be written; it is tried again", "type", b.name(), "error", err)
			d.mu.Unlock()
			select {
			case <-time.After(retryEvery):
			case <-d.stop:
			}
			continue
		}
		j.jobs, j.since = j.jobs[1:], time.Time{}
		if err != nil {
			d.cfg.Logger.Error("the log could not be written", "type", b.name(), "error", err)
		}
		if b.done != nil {
			b.done(err)
		}
		d.mu.Unlock()
	}
}

const retryEvery = 250 * time.Millisecond

func (b job) name() string {
	if len(b.events) == 0 {
		return ""
	}
	return b.events[0].Type
}

func (d *Desk) write(tx store.Tx, b job) error {
	first := int64(-1)
	for _, e := range b.events {
		i, err := d.cfg.Log.AppendTx(tx, e)
		if errors.Is(err, audit.ErrBadEvent) && e.Origin == "host" {
			// The host may write what it likes into an event. That it may not
			// stand must show, and must not hold up what follows.
			d.cfg.Logger.Warn("a host's event may not stand in the log", "type", e.Type, "error", err)
			i, err = d.cfg.Log.AppendTx(tx, audit.Event{
				Type: "log.gap", Session: e.Session, Ticket: e.Ticket, Outcome: "fail", Origin: "server",
				Actor: audit.Actor{Kind: "system"}, Time: d.cfg.Now(), Data: map[string]any{"type": e.Type, "why": "refused"},
			})
		}
		if err != nil {
			return err
		}
		if first < 0 {
			first = i
		}
	}
	if b.also == nil {
		return nil
	}
	return b.also(tx, first)
}
