// Package tickets writes sessions into the tickets of a service desk.
//
// A [System] is one desk; [Local] is the embedded one, so the product is whole
// without any other. Notes leave through the [Outbox]: queued in the
// transaction of the event they belong to, looked for before they are written,
// tried again until they stand: effectively once.
package tickets

import (
	"context"
	"errors"
	"time"
)

// Errors of a System; implementations wrap them.
var (
	ErrNotFound  = errors.New("tickets: no such ticket")
	ErrClosed    = errors.New("tickets: the ticket is closed")
	ErrTransient = errors.New("tickets: the desk does not answer just now")
	ErrForbidden = errors.New("tickets: not allowed")
	ErrTooLarge  = errors.New("tickets: too large")
	ErrInvalid   = errors.New("tickets: not a proper ticket or note")
)

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
	Sessions  int64 // sessions of this server that belong to it, where the desk can tell
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
	Name string
	Type string // media type
	Data []byte
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

// System is one service desk.
type System interface {
	Name() string
	Check(ctx context.Context) error
	Get(ctx context.Context, id string) (Ticket, error)
	Search(ctx context.Context, query string, limit int) ([]Ticket, error)
	// Find looks for a note by its key; ok is false when there is none.
	Find(ctx context.Context, ticket, key string) (remoteID string, ok bool, err error)
	Append(ctx context.Context, ticket string, n Note) (remoteID string, err error)
}
