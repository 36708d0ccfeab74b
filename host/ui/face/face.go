// Package face is what stands in the host's window, and what pressing it does,
// the same on every system: [Face] takes the events of the conversation and
// gives a [View], which ui/win32 shows in native controls and ui/window in Gio.
//
// A window does four things: it shows [Face.View], tells [Face.Type] what is
// typed into a field, sends on what [Face.Press] says, and does itself what a
// [Wish] asks for. It shows the view again after each of them, and after the
// time that [Face.Next] gives.
//
// Everything that came over the wire is hostile: it is cleaned and cut here.
package face

import (
	"fmt"
	"strings"
	"time"

	"github.com/mainforte/mainforte/host/ui"
)

// Look is the typography and colour of a piece of text.
type Look uint8

// The looks.
const (
	Body Look = iota
	Small
	Strong
	Title
	Name   // the help desk's name: what a person must compare
	Digits // the code
	Wrong  // something that did not work
)

// Ground is what a block stands on.
type Ground uint8

// The grounds.
const (
	Plain Ground = iota
	Soft         // a quiet area
	Warm         // something to think about
)

// What a cell is.
type What uint8

// The kinds of cells.
const (
	Label   What = iota
	Neutral      // a button
	Primary      // the button of what is usual here
	Danger       // the button that ends something
	Field        // a line to type into
	Area         // several lines to type into
	Picture      // Image, a PNG; Text says what it is
)

// Cell is one control.
type Cell struct {
	// ID is the same as long as the control is the same; empty is a space.
	ID   string
	What What
	// Text is what stands in it; that of a field is what it begins with.
	Text string
	Look Look
	// Share is the part of the row's width in percent; 0 takes what is left.
	Share  int
	Center bool
	// Off is a button that cannot be pressed yet.
	Off bool
	// Enter is pressed by Enter in a field.
	Enter string
	// Fresh is another number whenever a field begins anew with Text.
	Fresh int
	Image []byte
}

// Button tells whether it can be pressed.
func (c Cell) Button() bool { return c.What == Neutral || c.What == Primary || c.What == Danger }

// Typed tells whether it can be typed into.
func (c Cell) Typed() bool { return c.What == Field || c.What == Area }

// Block is some rows on one ground.
type Block struct {
	Above  int // distance to what stands above, in units of 1/96 inch
	Ground Ground
	Rows   [][]Cell
}

// View is what stands in the window at one moment.
type View struct {
	Title  string
	Width  int // of the content, in units of 1/96 inch
	Blocks []Block
	// Focus is the cell that gets the keyboard when Token is a new one.
	Focus, Token string
	// Escape is pressed by Esc.
	Escape string
	// Above keeps the window over all others; Alert calls the person.
	Above, Alert bool
}

// Cells of a view in order.
func (v View) Cells() []Cell {
	var all []Cell
	for _, b := range v.Blocks {
		for _, r := range b.Rows {
			for _, c := range r {
				if c.ID != "" {
					all = append(all, c)
				}
			}
		}
	}
	return all
}

// IDs of cells that something depends on.
const (
	IDAllow   = "allow"
	IDDeny    = "deny"
	IDStop    = "stop"
	IDAgain   = "again"
	IDQuit    = "quit"
	IDConnect = "connect"
	IDAddress = "address"
	IDStay    = "stay"
	IDLeave   = "leave"
	IDCancel  = "cancel_invite"
	IDCalled  = "called"     // yes, I called them
	IDNot     = "not_called" // no, they called me
)

// AnswerDelay is how long a question stands before it can be answered.
const AnswerDelay = 500 * time.Millisecond

// Widths of the content.
const (
	Wide   = 524
	Narrow = 420
)

// Wish is what only the window itself can do.
type Wish struct {
	// Kind is files (choose some), folder (choose one), save (choose where to save
	// a file called Name), open (open the page Name in the person's browser).
	Kind, Name string
	what       string // what the choice is for
}

// Setting is what a Face knows of its window and system.
type Setting struct {
	Lang string
	// Dialogs tells that the window has dialogs for files and folders; else their
	// paths are typed.
	Dialogs bool
	// Documents is the folder where the person keeps what they save.
	Documents string
}

// Face is what the person is being told. It belongs to the window's thread.
type Face struct {
	set   Setting
	texts *ui.Texts

	page    string // status, contact, hang_up, server, code, session, ended, error
	host    string // the server's name
	status  string
	server  ui.Event
	code    ui.Event
	ask     *ui.Event // an open question covers everything else
	since   time.Time // when it was put, or the help desk shown
	folder  string    // chosen for the open question
	invite  *ui.Event
	people  []ui.Participant
	keys    string // that end everything
	held    *ui.Held
	private []string
	listed  bool // the list of private windows is known
	ended   ui.Event
	goodbye goodbye
	talk    talk
	files   []ui.File
	steps   []ui.Step
	tab     string // which part of a session is open: "" (rights), talk, files, steps, private
	away    bool   // the window is not the one that the person uses
	count   int    // tells views apart: it grows when the person has something new to do
	leave   bool   // the person closes the window in a session and is asked first

	typed map[string]string // by field
	fresh map[string]int
}

// New returns a Face that has heard nothing.
func New(s Setting) *Face {
	return &Face{set: s, texts: ui.Load(s.Lang), page: "status", typed: map[string]string{}, fresh: map[string]int{}}
}

// Texts are those of the person's language.
func (f *Face) Texts() *ui.Texts { return f.texts }

// Show takes one event from the host.
func (f *Face) Show(e ui.Event, now time.Time) {
	switch e.Name {
	case "hello":
		if e.Lang != "" {
			f.texts = ui.Load(e.Lang)
		}
		f.host, f.status, f.private, f.listed = e.Server, "", nil, false
		f.fromNew()
		f.to("status")
		if e.Unknown {
			f.to("contact")
			f.since = now
		}
	case "hang_up":
		f.to("hang_up")
	case "server":
		f.server = e
		f.begin(IDAddress, e.Hint)
		f.to("server")
	case "status":
		f.status = e.Text
		if f.page == "server" || f.page == "error" {
			f.page = "status"
		}
	case "code":
		f.page, f.code, f.status = "code", e, f.texts.T("status.waiting")
		f.fromNew()
	case "ask":
		f.ask, f.since, f.folder, f.leave = &e, now, e.Folder, false
		f.begin("folder", e.Folder)
		f.count++
	case "withdrawn":
		if f.ask != nil && (e.ID == "" || e.ID == f.ask.ID) {
			f.ask = nil
		}
	case "session":
		f.fromNew()
		f.status = ""
		f.to("session")
	case "participants":
		f.page, f.people, f.keys = "session", e.Participants, e.Key
	case "invite":
		f.invite = &e
		if e.Code == "" {
			f.invite = nil
		}
	case "chat":
		f.heard(e.Chat)
	case "file":
		f.moved(e.File)
	case "held":
		f.held = e.Held
	case "private":
		f.hears(e.Texts)
	case "steps":
		f.stepped(e.Steps)
	case "ended":
		f.fromNew()
		f.ended, f.goodbye, f.status = e, goodbye{}, ""
		f.begin("sentence", "")
		f.begin("complaint", "")
		f.begin("receipt", f.receiptPath())
		f.to("ended")
	case "error":
		f.status = e.Text
		if f.page != "session" && f.page != "server" && f.page != "ended" {
			f.ask, f.leave = nil, false
			f.to("error")
		}
	}
}

// fromNew forgets what belongs to one session.
func (f *Face) fromNew() {
	f.ask, f.people, f.invite, f.held, f.leave, f.tab, f.keys = nil, nil, nil, nil, false, "", ""
	f.talk, f.files, f.steps = talk{}, nil, nil
	f.begin("line", "")
	f.begin("paths", "")
}

// to shows another page, in which there is something new to do.
func (f *Face) to(page string) {
	f.page = page
	f.count++
}

// begin makes a field begin anew with a text.
func (f *Face) begin(field, text string) {
	f.typed[field] = text
	f.fresh[field]++
}

// Type is what a field holds now.
func (f *Face) Type(field, text string) { f.typed[field] = text }

// Away tells whether the person uses another window; lines of the chat then count as unread.
func (f *Face) Away(away bool) {
	f.away = away
	f.read()
}

// Press is the person's pressing of a cell.
func (f *Face) Press(id string, now time.Time) (commands []ui.Command, wish *Wish) {
	say := func(c ui.Command) ([]ui.Command, *Wish) { return []ui.Command{c}, nil }
	do, rest, _ := strings.Cut(id, " ")
	switch do {
	case IDCalled, IDNot:
		if f.page != "contact" || f.locked(now) > 0 {
			return nil, nil
		}
		f.to("status")
		if do == IDNot {
			f.to("hang_up")
		}
		return say(ui.Command{Do: do})
	case IDAllow, IDDeny:
		if f.ask == nil || now.Sub(f.since) < AnswerDelay {
			return nil, nil
		}
		c := ui.Command{ID: f.ask.ID, Answer: do}
		if do == IDAllow && f.ask.Grant == grantFileIn {
			c.Folder = f.chosenFolder()
		}
		f.ask = nil
		return say(c)
	case "folder_other":
		return nil, &Wish{Kind: "folder", Name: f.folder, what: f.askID()}
	case IDStop:
		return say(ui.Command{Do: "stop", Participant: rest})
	case "revoke":
		who, grant, _ := strings.Cut(rest, " ")
		return say(ui.Command{Do: "revoke", Grant: grant, Participant: who})
	case IDCancel:
		return say(ui.Command{Do: "cancel_invite"})
	case IDAgain:
		return say(ui.Command{Do: "again"})
	case IDConnect:
		if address := strings.TrimSpace(f.typed[IDAddress]); address != "" {
			return say(ui.Command{Do: "server", Server: address})
		}
	case IDStay:
		f.leave = false
		f.count++
	case IDQuit, IDLeave:
		return say(ui.Command{Do: "quit"})
	case "tab":
		f.open(rest)
	case "say", "earlier", "give", "cancel_file", "open_folder", "step", "keep_steps", "private", "unchanged", "wipe":
		return f.pressSession(do, rest)
	case "done", "keep", "page", "score", "rate", "wrong", "report", "back":
		return f.pressGoodbye(do, rest)
	}
	return nil, nil
}

// Chosen is what the person chose in the dialog of a wish; nothing if they left it.
func (f *Face) Chosen(w Wish, paths []string) []ui.Command {
	if len(paths) == 0 {
		return nil
	}
	switch {
	case w.Kind == "folder" && f.ask != nil && w.what == f.ask.ID:
		f.folder = paths[0]
	case w.Kind == "files" && f.page == "session":
		return []ui.Command{{Do: "give", Paths: paths}}
	case w.Kind == "save" && w.what != "":
		return []ui.Command{{Do: w.what, Path: paths[0]}}
	}
	return nil
}

// Dropped are files that the person dragged onto the window: in a session they
// are given, and the list of files shows it. While something is asked, nothing is.
func (f *Face) Dropped(paths []string) []ui.Command {
	if f.page != "session" || f.Answering() || len(paths) == 0 {
		return nil
	}
	f.open("files")
	return []ui.Command{{Do: "give", Paths: paths[:min(len(paths), maxFiles)]}}
}

// Close is the person's wish to close the window: at once, or after a question
// if that would end a session.
func (f *Face) Close() (commands []ui.Command) {
	if (f.page == "session" || f.ask != nil) && !f.leave {
		f.leave = true
		f.count++
		return nil
	}
	return []ui.Command{{Do: "quit"}}
}

// Answering tells that something is asked that only the person may answer.
func (f *Face) Answering() bool { return f.ask != nil || f.leave || f.page == "contact" }

// Next is when the view changes by itself, 0 if it does not.
func (f *Face) Next(now time.Time) time.Duration {
	if f.page != "contact" || f.ask != nil {
		return 0
	}
	left := f.locked(now)
	if left <= 0 {
		return 0
	}
	if part := left % time.Second; part > 0 {
		return part
	}
	return time.Second
}

// locked is how long the first question cannot be answered yet.
func (f *Face) locked(now time.Time) time.Duration { return ui.ContactTime - now.Sub(f.since) }

// View is what stands in the window now.
func (f *Face) View(now time.Time) View {
	v := View{Title: f.texts.T("title"), Width: Wide, Token: fmt.Sprint(f.page, f.count)}
	if n := f.talk.unread; n > 0 {
		v.Title = fmt.Sprintf("(%d) %s", n, v.Title)
	}
	switch {
	case f.leave:
		f.viewLeave(&v)
	case f.ask != nil:
		f.viewAsk(&v)
	case f.page == "contact":
		f.viewContact(&v, now)
	case f.page == "hang_up":
		f.viewHangUp(&v)
	case f.page == "server":
		f.viewServer(&v)
	case f.page == "code":
		f.viewCode(&v)
	case f.page == "session":
		f.viewSession(&v)
	case f.page == "ended":
		f.viewEnded(&v)
	case f.page == "error":
		v.add(0, Plain, line("title", Title, f.texts.T("error.title")))
		v.add(10, Plain, line("status", Body, f.status))
		f.addAgain(&v, "error.again")
	default:
		v.add(0, Plain, line("title", Title, f.texts.T("title")))
		v.add(14, Plain, line("status", Body, f.status))
	}
	return v
}

// line is a row of one piece of text.
func line(id string, l Look, text string) []Cell {
	return []Cell{{ID: id, Look: l, Text: clean(text)}}
}

// lines is a row of text that may hold line breaks.
func lines(id string, l Look, text string) []Cell {
	return []Cell{{ID: id, Look: l, Text: cleanLines(text)}}
}

// button is a row of one button.
func button(id string, w What, text string) []Cell {
	return []Cell{{ID: id, What: w, Text: clean(text)}}
}

// field is a row to type into.
func (f *Face) field(id, enter string) []Cell {
	return []Cell{{ID: id, What: Field, Text: clean(f.typed[id]), Fresh: f.fresh[id], Enter: enter}}
}

// pair is two buttons beside each other.
func pair(left, right Cell) []Cell {
	left.Share = 48
	return []Cell{left, {Share: 4}, right}
}

// add puts a block under what is there; rows without text are left out.
func (v *View) add(above int, g Ground, rows ...[]Cell) {
	b := Block{Above: above, Ground: g}
	for _, r := range rows {
		if len(r) == 0 || len(r) == 1 && r[0].What == Label && r[0].Text == "" {
			continue
		}
		b.Rows = append(b.Rows, r)
	}
	if len(b.Rows) > 0 {
		v.Blocks = append(v.Blocks, b)
	}
}
