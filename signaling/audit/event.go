// Package audit is the session log: append-only events, each a public leaf
// without personal data in a Merkle tree and a personal part sealed under its
// session's key.
//
// A leaf is canonical JSON (RFC 8785) of fixed members:
//
//	actor{kind,ref} commit data id index mono_ms origin outcome session t ticket type v
//
// v is 1. commit is the HMAC-SHA-256 of the personal part's canonical JSON under
// 32 random bytes (the salt); it is left out when there is no personal part.
// Salt and personal part are sealed by AES-256-GCM under a key of the session
// (events outside sessions: of the day), and that key is wrapped by the key file
// KEYS/audit.key. Destroying a session's key ([Log.Purge]) leaves its leaves, and
// with them every proof, as they were. Words of personal parts are found by an
// index that holds none of them ([Log.Search]).
//
// The leaves form the Merkle tree of RFC 6962 §2.1, kept by x/mod/sumdb/tlog's
// numbering and written in the same transaction. A [Checkpoint] is its root,
// signed (C2SP tlog-checkpoint) with KEYS/checkpoint.key; who holds one, in a
// ticket for instance, holds all that came before it. [Log.Verify] finds what was
// changed, removed or moved since.
//
// Who cannot write an event does not do what it stands for: [Log.Append] has
// made its events durable when it returns nil, and has written none of them when
// it returns an error. [Log.AppendTx] shares the transaction of the change that
// the event is about.
package audit

import (
	"errors"
	"time"
)

// Errors of the log; more words are wrapped around them.
var (
	// ErrBadEvent: an event breaks the rules of the log (type, outcome, personal
	// data in Data, size). Nothing was written.
	ErrBadEvent = errors.New("audit: this event may not stand in the log")
	// ErrKey: a key file is missing, damaged or not the one of this log.
	ErrKey = errors.New("audit: the key of the log")
	// ErrDamaged: the log's own tables contradict each other. Verify says where.
	ErrDamaged = errors.New("audit: the log is damaged")
)

// Event is one line of the log, before it is split into leaf and sealed part.
type Event struct {
	Type    string    // one of Types: "session.paired", "consent.granted"
	Session string    // ULID, empty outside a session
	Ticket  string    // ticket id, empty outside a ticket
	Outcome string    // "ok", "deny", "fail"
	Actor   Actor     // who did it
	Origin  string    // "host", "viewer", "server"
	Time    time.Time // when it happened by the origin's clock; zero: now
	MonoMS  int64     // milliseconds since the session opened, if any
	// Data is public for ever: numbers, names of grants, reasons. Never a
	// person's name, an address, a subject. Values are numbers, truth values,
	// strings of letters, digits and _.:+/=- (at most 128; no IP address), lists
	// and maps of those; at most 4 KiB.
	Data map[string]any
	// Personal is sealed and can be purged: names, addresses, titles. At most 8 KiB.
	Personal map[string]any
}

// Actor of an event. Ref is an opaque id, not a name.
type Actor struct {
	Kind string // "person", "technician", "supervisor", "auditor", "admin", "system", "integration" (an API token, a desk's webhook)
	Ref  string
}

// State of a record's personal part.
type State string

// States of personal parts.
const (
	None    State = "none"    // the event had none
	Present State = "present" // opened, and it is what the leaf committed to
	Purged  State = "purged"  // destroyed, as a later retention.purged says
	Missing State = "missing" // gone or unreadable without one: an alarm
)

// Record is an event as it stands in the log.
type Record struct {
	Event
	Index int64 // from 0, in the whole log
	ID    string
	State State    // of Personal
	Leaf  []byte   // the canonical JSON that was hashed
	Hash  [32]byte // leaf hash, RFC 6962 §2.1
}
