package tickets

import "time"

// Hurry makes an outbox try again in milliseconds, for tests.
func (o *Outbox) Hurry() {
	o.pace.poll, o.pace.call, o.pace.lease = 2*time.Millisecond, 5*time.Second, 40*time.Millisecond
	o.pace.first, o.pace.longest = time.Millisecond, 10*time.Millisecond
}

// SetNow sets the outbox's clock.
func (o *Outbox) SetNow(now func() time.Time) { o.now = now }

// Wait is the pause after the n-th failure.
func Wait(n int64) time.Duration { return usual.wait(n) }

// Lease and Call of the usual pace.
var Lease, Call, Longest = usual.lease, usual.call, usual.longest
