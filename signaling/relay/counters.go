package relay

import "sync/atomic"

// counters are Stats as they grow.
type counters struct {
	credentials, granted, badAuth, quota, permissions, refusedOut, refusedIn,
	overBudget, strangers, streamsEnded, packets, bytes atomic.Uint64
}

func (c *counters) stats() Stats {
	return Stats{
		Credentials: c.credentials.Load(), Granted: c.granted.Load(), BadAuth: c.badAuth.Load(), Quota: c.quota.Load(),
		Permissions: c.permissions.Load(), RefusedOut: c.refusedOut.Load(), RefusedIn: c.refusedIn.Load(),
		OverBudget: c.overBudget.Load(), Strangers: c.strangers.Load(), StreamsEnded: c.streamsEnded.Load(),
		Packets: c.packets.Load(), Bytes: c.bytes.Load(),
	}
}
