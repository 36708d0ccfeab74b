package tickets

import (
	"context"
	"time"
)

// Hurry makes an outbox try again in milliseconds, for tests. Where several
// workers run, the lease must still be long.
func (o *Outbox) Hurry(lease time.Duration) {
	o.pace.poll, o.pace.call, o.pace.lease = 2*time.Millisecond, 5*time.Second, lease
	o.pace.first, o.pace.longest = time.Millisecond, 10*time.Millisecond
}

// LookAgain looks for one written note that is due; done is false when none is.
func (o *Outbox) LookAgain(ctx context.Context) (done bool, err error) {
	outlets, _ := o.follow()
	for _, d := range outlets {
		if d.looks() {
			if done, err = o.lookAgain(ctx, d); done || err != nil {
				break
			}
		}
	}
	return done, err
}

// SetNow sets the outbox's clock.
func (o *Outbox) SetNow(now func() time.Time) { o.now = now }

// Wait is the pause after the n-th failure.
func Wait(n int64) time.Duration { return usual.wait(n) }

// Lease and Call of the usual pace.
var Lease, Call, Longest = usual.lease, usual.call, usual.longest

// ParseDesks reads a desks file whose other files are what file says.
func ParseDesks(b []byte, file func(path string) (string, error)) (Setup, error) {
	r := reader{file: func(path string, _ int64) ([]byte, bool, error) {
		text, err := file(path)
		return []byte(text), false, err
	}}
	return r.setup(b)
}

// PageOf is the address of a ticket for people.
func PageOf(c Config, t Ticket) string { return c.page(t) }

// SetNow sets the embedded desk's clock.
func (l *Local) SetNow(now func() time.Time) { l.now = now }
