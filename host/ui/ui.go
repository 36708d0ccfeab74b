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

// ErrAlready tells that a window of ours is open on this desktop; it is in front now.
var ErrAlready = errors.New("ui: the window is open already")

// Already is the one word of a window that finds another open.
const Already = "already"

// ContactTime is how long an unknown server's question cannot be answered: time
// to read what no help desk ever asks for.
const ContactTime = 8 * time.Second

// Event is what the person is shown. Name says which fields hold.
type Event struct {
	// Name is one of hello, hang_up, server, status, code, ask, withdrawn, session,
	// participants, invite, chat, file, held, private, steps, ended, error.
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
	// Seen is ended's word that somebody saw the screen in this session.
	Seen bool `json:"seen,omitempty"`
	// Unknown is hello's word that this server is neither compiled in nor the
	// computer's own: the person is warned, and nothing is sent to it and no code
	// shown until they say that they called, at the earliest after ContactTime.
	Unknown bool     `json:"unknown,omitempty"`
	Folder  string   `json:"folder,omitempty"`  // ask file_in: where files land unless the person says otherwise
	Chat    *Chat    `json:"chat,omitempty"`    // chat: one line
	File    *File    `json:"file,omitempty"`    // file: one transfer as it stands, at each change
	Held    *Held    `json:"held,omitempty"`    // held: why the technician's input does nothing; without it: it is applied again
	Steps   []Step   `json:"steps,omitempty"`   // steps: the whole list, at each change
	Receipt *Receipt `json:"receipt,omitempty"` // ended: what the person can keep
	Key     string   `json:"key,omitempty"`     // participants: the keys that end everything, "Ctrl+Alt+End"; empty: none do
	Texts   []string `json:"texts,omitempty"`   // private: the list as it stands, see the command of that name
}

// Refused tells of an end that the person brought about by not letting anybody in.
func (e Event) Refused() bool {
	return !e.Seen && (e.Reason == "PERSON_DENIED" || e.Reason == "NO_ANSWER")
}

// Chat is one line of the conversation in writing.
type Chat struct {
	From string `json:"from"` // the participant's id; empty: the person
	Name string `json:"name,omitempty"`
	Text string `json:"text"` // hostile; may hold line breaks
	At   string `json:"at"`   // RFC 3339
}

// File is one transfer.
type File struct {
	ID    string `json:"id"`
	Name  string `json:"name"` // safe to show
	Size  int64  `json:"size"`
	Done  int64  `json:"done"`
	Way   string `json:"way"`            // in: to the person; out: from the person
	State string `json:"state"`          // running, waiting (the line is lost), done, cancelled, failed
	Path  string `json:"path,omitempty"` // where it landed, or came from
	Text  string `json:"text,omitempty"` // failed: why, for the person
}

// Held says why input is held.
type Held struct {
	// Why is person (the person uses mouse or keyboard), password (a question for
	// a password is in front), private (a window of the person's list is).
	Why   string `json:"why"`
	Title string `json:"title,omitempty"` // of that window; stays on this computer
}

// Step is one of the steps that the technician wrote for the person.
type Step struct {
	ID      string `json:"id"` // answers carry it
	Text    string `json:"text"`
	Picture []byte `json:"picture,omitempty"` // PNG of a part of the person's screen
	State   string `json:"state"`             // asked (the person has to approve it), approved, refused, done
}

// Receipt is what the person keeps of a session.
type Receipt struct {
	Text   string `json:"text"`             // the whole receipt in the person's language, plain text
	Link   string `json:"link,omitempty"`   // its page on the server
	Name   string `json:"name"`             // of a file for it
	Report string `json:"report,omitempty"` // the address of the page, or mailto, where abuse is reported
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
	ID     string `json:"id,omitempty"`     // the question answered
	Answer string `json:"answer,omitempty"` // allow, deny
	// Do is one of called, not_called (the answer to an unknown server), stop, revoke,
	// cancel_invite, quit, going_down (before quit: the system stops, as only a window
	// hears), again, server; say (Text: a line
	// of chat), give (Paths: files for the technician), cancel_file, open_folder (ID:
	// a transfer), wipe (all marks on the screen), step (ID, Answer: approve, refuse, done), keep_steps, keep_receipt
	// (Path), rate (Score, Text), report (Text), private (Texts: the list of windows
	// in front of which input is held).
	Do          string   `json:"do,omitempty"`
	Grant       string   `json:"grant,omitempty"`       // with revoke
	Participant string   `json:"participant,omitempty"` // with stop, revoke: this one only; else everybody
	Server      string   `json:"server,omitempty"`      // with server: the address typed
	Window      string   `json:"window,omitempty"`      // "0x1c00004": a window of our own, for input.Guard
	Near        string   `json:"near,omitempty"`        // on Wayland, what is in our window: none, pointer, focus, both
	Folder      string   `json:"folder,omitempty"`      // with allow of file_in: another folder
	Text        string   `json:"text,omitempty"`
	Texts       []string `json:"texts,omitempty"`
	Path        string   `json:"path,omitempty"`
	Paths       []string `json:"paths,omitempty"`
	Score       int      `json:"score,omitempty"` // 1 to 5; 0: no answer
}

// Window shows events and returns commands.
type Window interface {
	// Show must not block for long and may be called from any goroutine.
	Show(Event)
	// Commands is closed when the window is: that means quit.
	Commands() <-chan Command
	Close() error
}
