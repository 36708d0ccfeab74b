package tickets

import "time"

// Hurry makes an outbox try again in milliseconds, for tests. Where several
// workers run, the lease must still be long.
func (o *Outbox) Hurry(lease time.Duration) {
	o.pace.poll, o.pace.call, o.pace.lease = 2*time.Millisecond, 5*time.Second, lease
	o.pace.first, o.pace.longest = time.Millisecond, 10*time.Millisecond
}

// SetNow sets the outbox's clock.
func (o *Outbox) SetNow(now func() time.Time) { o.now = now }

// Wait is the pause after the n-th failure.
func Wait(n int64) time.Duration { return usual.wait(n) }

// Lease and Call of the usual pace.
var Lease, Call, Longest = usual.lease, usual.call, usual.longest
