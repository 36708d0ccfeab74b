// Package tickets writes sessions into the tickets of a service desk.
//
// A [System] is one desk; [Local] is the embedded one, so the product is whole
// without any other. [Desks] are all of a server, as the file says that
// [ReadDesks] reads. Notes leave through the [Outbox]: queued in the
// transaction of the event they belong to, looked for before they are written,
// tried again until they stand: effectively once.
package tickets

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors of a System; implementations wrap them. Those that the outbox gives up
// at once say so.
var (
	ErrNotFound  = errors.New("tickets: no such ticket")       // given up
	ErrClosed    = errors.New("tickets: the ticket is closed") // given up
	ErrTransient = errors.New("tickets: the desk does not answer just now")
	ErrAuth      = errors.New("tickets: the desk does not accept our credentials")
	ErrForbidden = errors.New("tickets: not allowed")
	ErrConflict  = errors.New("tickets: somebody else changed the ticket meanwhile")
	ErrTooLarge  = errors.New("tickets: too large")                   // given up
	ErrInvalid   = errors.New("tickets: not a proper ticket or note") // given up
	ErrConfig    = errors.New("tickets: the desk is not configured properly")
	// ErrNoDesk is a ticket of a desk that the configuration does not name, or not
	// any more.
	ErrNoDesk = errors.New("tickets: there is no desk of this name")
)

// ErrRateLimited is a desk that has had enough of us for a while. It is an
// [ErrTransient].
type ErrRateLimited struct {
	After time.Duration // when to come back; 0: the desk did not say
}

func (e ErrRateLimited) Error() string {
	return fmt.Sprintf("tickets: the desk asks us to wait %v", e.After.Round(time.Second))
}

// Is makes it an ErrTransient.
func (e ErrRateLimited) Is(target error) bool { return target == ErrTransient }

// Caps are what a desk can do with a note. What it cannot do is left out of the
// note without an error: the text says the same.
type Caps struct {
	HTML   bool // notes keep headings, tables and links
	Files  bool
	Time   bool // counts Note.Minutes
	Links  bool // keeps Note.Link apart
	Public bool // can write a reply that the requester reads
	Search bool // Search finds more than the ticket of an id or number
	// NativeKey: the desk itself refuses or merges a second note of one key.
	// Elsewhere looking before writing is all there is.
	NativeKey bool
	// Blind: tickets cannot be read. Any id that could be one is taken for that
	// of an open ticket, and Find finds nothing; who receives a note drops a
	// second one of the same key.
	Blind   bool
	MaxFile int64 // bytes of one file, and of all that the outbox attaches to one note
}

// Ticket as the desk has it. Subject and Requester are hostile text.
type Ticket struct {
	ID        string
	Number    string // as people say it
	Subject   string
	Requester string
	Lang      string // "en" or "fr": language of the requester
	Open      bool
	Created   time.Time
	Updated   time.Time
	Priority  Priority
	Due       time.Time // until when it ought to be solved; zero: nobody says
	Sessions  int64     // sessions of this server that belong to it, where the desk can tell
	URL       string    // of the ticket's page in the desk, https or http; "" where there is none
	// Remembered: the desk does not answer; this is what stood there when it did.
	Remembered bool
}

// Note to append to a ticket.
type Note struct {
	Key    string // marker "mf:<session>:<event>": the same key is never written twice
	Author string
	Lang   string

	// Doc is what the note says; each desk renders it in its own way. A note
	// written by hand has Text instead, and no blocks.
	Doc  Doc
	Text string `json:",omitempty"`

	Public  bool   // a reply that the requester reads, not a private note
	Minutes int    `json:",omitempty"` // worked, for desks that count them
	Link    string `json:",omitempty"` // to the session, for desks that keep links apart
	Files   []File `json:",omitempty"`
}

// File attached to a note. Name is hostile text.
type File struct {
	Name string `json:"name"`
	Type string `json:"type"` // media type
	Data []byte `json:"data"`
	// Ref names a file that is kept here as an attachment, and read when the note is
	// sent: Data is then empty.
	Ref string `json:"ref,omitempty"`
}

// Document is what the note says, also where it was written by hand.
func (n Note) Document() Doc {
	if len(n.Doc.Blocks) > 0 {
		return n.Doc
	}
	return Prose(n.Lang, n.Text)
}

// Plain is the note as plain text.
func (n Note) Plain() string {
	if len(n.Doc.Blocks) > 0 {
		return Plain(n.Doc)
	}
	return n.Text
}

// System is one service desk. Its methods may be called at once from many
// goroutines; they end with the context's error when it ends.
type System interface {
	// Name is stable: it stands in the log and the outbox.
	Name() string
	Caps() Caps
	// Check tries the credentials and, as far as a desk lets one see them, the
	// rights. Its error is for the admin.
	Check(ctx context.Context) error
	// Get returns a ticket by its id. ErrNotFound also for an id that could be
	// none.
	Get(ctx context.Context, id string) (Ticket, error)
	// Search returns tickets whose subject or number matches, at most limit.
	Search(ctx context.Context, query string, limit int) ([]Ticket, error)
	// Find looks for a note of our own by its key; ok is false when there is
	// none. What others wrote is never taken for one of ours, whatever it says.
	Find(ctx context.Context, ticket, key string) (remoteID string, ok bool, err error)
	// Append writes a note, or nothing at all. After ErrTransient it may stand
	// or not: Find tells.
	Append(ctx context.Context, ticket string, n Note) (remoteID string, err error)
}
