// Package ui is the conversation with the person at the host: the code, the
// questions, the bar during a session, the end.
//
// It is one list of events out and one list of commands back, so the windows and
// the two consoles are the same conversation: [Console] in words, [JSON] as one
// object a line (host --console=json). On Windows the window is ui/win32; on
// Linux it is ui/window, a child process that speaks the JSON form over its
// standard streams, so that a computer without window libraries still gets the
// console. Texts are in locales/en.json and locales/fr.json.
package ui

import (
	"errors"
	"time"
)

// ErrNoWindow is wrapped when this computer cannot show the window; the
// conversation then goes on in a console.
var ErrNoWindow = errors.New("ui: the window cannot be shown on this computer")

// Event is what the person is shown. Name says which fields hold.
type Event struct {
	// Name is one of hello, server, status, code, ask, withdrawn, session,
	// participants, invite, ended, error.
	Name       string      `json:"event"`
	Lang       string      `json:"lang,omitempty"`
	Server     string      `json:"server,omitempty"` // the DNS name the host dialled
	Hint       string      `json:"hint,omitempty"`   // server name taken from the file's name
	Code       string      `json:"code,omitempty"`   // "482 913 706"; invite: empty once it is worth nothing
	Expires    *time.Time  `json:"expires,omitempty"`
	ID         string      `json:"id,omitempty"` // random id of a question
	Grant      string      `json:"grant,omitempty"`
	Technician *Technician `json:"technician,omitempty"` // who asks or invites
	Ticket     *Ticket     `json:"ticket,omitempty"`
	// Participants is everyone in the session, at each change: the whole list.
	Participants []Participant `json:"participants,omitempty"`
	Participant  string        `json:"participant,omitempty"` // ask: the id of who asks
	Kind         string        `json:"kind,omitempty"`        // ask, invite: lead, expert, observer
	Session      string        `json:"session,omitempty"`
	Reason       string        `json:"reason,omitempty"`   // wire.Reason name without REASON_
	Text         string        `json:"text,omitempty"`     // the same in the person's language
	Duration     float64       `json:"duration,omitempty"` // seconds
}

// Participant is one of those who help.
type Participant struct {
	ID         string     `json:"id"` // "1", "2", ...
	Technician Technician `json:"technician"`
	Kind       string     `json:"kind"`      // lead, expert, observer
	Connected  bool       `json:"connected"` // its line stands
	Grants     []Grant    `json:"grants"`
}

// Technician asks; the names come from the server and are hostile text.
type Technician struct {
	Name         string `json:"name"`
	Organisation string `json:"organisation,omitempty"`
	SignedIn     string `json:"signed_in"`
	SignedInAt   string `json:"signed_in_at,omitempty"` // RFC 3339
}

// Ticket that the session will be logged to.
type Ticket struct {
	Number  string `json:"number"`
	Subject string `json:"subject"`
}

// Grant as it stands.
type Grant struct {
	Name  string `json:"name"`
	State string `json:"state"` // asked, allowed, denied, revoked, given_back, handed_over
}

// Command is what the person said.
type Command struct {
	ID          string `json:"id,omitempty"`          // the question answered
	Answer      string `json:"answer,omitempty"`      // allow, deny
	Do          string `json:"do,omitempty"`          // stop, revoke, cancel_invite, quit, again, server
	Grant       string `json:"grant,omitempty"`       // with revoke
	Participant string `json:"participant,omitempty"` // with stop, revoke: this one only; else everybody
	Server      string `json:"server,omitempty"`      // with server: the address typed
	Window      string `json:"window,omitempty"`      // "0x1c00004": a window of our own, for input.Guard
}

// Window shows events and returns commands.
type Window interface {
	// Show must not block for long and may be called from any goroutine.
	Show(Event)
	// Commands is closed when the window is: that means quit.
	Commands() <-chan Command
	Close() error
}
