// Package audit is the session log: append-only events, each a public leaf
// without personal data in a Merkle tree and a personal part sealed under its
// session's key (DESIGN of the log: docs/architecture.md).
package audit

import "time"

// Event is one line of the log, before it is split into leaf and sealed part.
type Event struct {
	Type    string    // "session.paired", "consent.granted", "auth.signed_in"
	Session string    // ULID, empty outside a session
	Ticket  string    // ticket id, empty outside a ticket
	Outcome string    // "ok", "deny", "fail"
	Actor   Actor     // who did it
	Origin  string    // "host", "viewer", "server"
	Time    time.Time // when it happened by the origin's clock
	MonoMS  int64     // milliseconds since the session opened, if any
	// Data is public for ever: numbers, names of grants, reasons. Never a
	// person's name, an address, a subject.
	Data map[string]any
	// Personal is sealed and can be purged: names, addresses, titles.
	Personal map[string]any
}

// Actor of an event. Ref is an opaque id, not a name.
type Actor struct {
	Kind string // "person", "technician", "supervisor", "auditor", "admin", "system"
	Ref  string
}
