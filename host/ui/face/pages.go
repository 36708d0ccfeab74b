package face

import (
	"fmt"
	"time"

	"github.com/mainforte/mainforte/host/ui"
)

// grantFileIn is the one grant that comes with a choice: where files land.
const grantFileIn = "file_in"

// addServer says whose help desk it is, larger than anybody's name.
func (v *View) addServer(t *ui.Texts, server string) {
	v.add(0, Plain, line("server-label", Small, t.T("ask.server")), line("server", Name, server))
}

// advice are the lines that tell a person what no help desk does.
func (f *Face) advice() [][]Cell {
	var rows [][]Cell
	for i := 1; ; i++ {
		key := fmt.Sprint("contact.advice.", i)
		if !f.texts.Has(key) {
			return rows
		}
		rows = append(rows, line(fmt.Sprint("advice ", i), Body, f.texts.T(key)))
	}
}

// viewContact is the first sight of a server that nobody vouches for.
func (f *Face) viewContact(v *View, now time.Time) {
	t := f.texts
	left := f.locked(now)
	off, wait := left > 0, t.T("contact.ready")
	if off {
		wait = t.T("contact.wait", "seconds", fmt.Sprint(int((left+time.Second-1)/time.Second)))
	}
	v.addServer(t, f.host)
	v.add(8, Plain, line("unknown", Body, t.T("contact.unknown")))
	v.add(16, Plain, line("title", Title, t.T("contact.question")))
	v.add(12, Warm, f.advice()...)
	v.add(16, Plain, pair(Cell{ID: IDNot, What: Neutral, Text: t.T("contact.no"), Off: off},
		Cell{ID: IDCalled, What: Primary, Text: t.T("contact.yes"), Off: off}))
	v.add(8, Plain, line("wait", Small, wait))
	v.Focus, v.Escape = IDNot, IDNot
	if !off {
		v.Token += " open" // the keyboard goes to a button that can be pressed now
	}
}

// viewHangUp is for who was called by strangers.
func (f *Face) viewHangUp(v *View) {
	t := f.texts
	v.add(0, Plain, line("title", Title, t.T("hang_up.title")))
	v.add(10, Plain, line("nothing", Strong, t.T("hang_up.nothing")))
	v.add(14, Warm, append(f.advice(), line("then", Body, t.T("hang_up.then")))...)
	v.add(14, Plain, line("gone", Body, t.T("hang_up.gone")))
	v.add(18, Plain, button(IDQuit, Primary, t.T("ended.close")))
	v.Focus = IDQuit
}

func (f *Face) viewServer(v *View) {
	t := f.texts
	prompt := t.T("server.prompt")
	if f.server.Hint != "" {
		prompt = t.T("server.hint", "server", f.server.Hint)
	}
	v.add(0, Plain, line("title", Title, t.T("title")))
	v.add(10, Plain, line("prompt", Body, prompt))
	v.add(14, Plain, line("problem", Wrong, f.server.Text))
	v.add(14, Plain, line("address-label", Small, t.T("server.label")))
	v.add(4, Plain, f.field(IDAddress, IDConnect))
	v.add(18, Plain, button(IDConnect, Primary, t.T("server.connect")))
	v.Focus = IDAddress
}

func (f *Face) viewCode(v *View) {
	t := f.texts
	v.addServer(t, f.code.Server)
	v.add(14, Warm, line("news", Body, f.code.Text))
	v.add(16, Plain, line("title", Title, t.T("code.title")))
	valid := ""
	if f.code.Expires != nil {
		valid = t.T("code.valid", "time", ui.Clock(*f.code.Expires))
	}
	v.add(14, Soft, []Cell{{ID: "code", Look: Digits, Text: clean(f.code.Code), Center: true}},
		[]Cell{{ID: "valid", Look: Small, Text: valid, Center: true}})
	v.add(14, Plain, line("safety", Body, t.T("code.safety")))
	v.add(14, Plain, line("status", Strong, f.status))
}

// askID is the open question's, or nothing.
func (f *Face) askID() string {
	if f.ask == nil {
		return ""
	}
	return f.ask.ID
}

// chosenFolder is where files shall land, empty for what was offered.
func (f *Face) chosenFolder() string {
	folder := f.folder
	if !f.set.Dialogs {
		folder = f.typed["folder"]
	}
	if f.ask == nil || folder == f.ask.Folder {
		return ""
	}
	return folder
}

func (f *Face) viewAsk(v *View) {
	t, e := f.texts, f.ask
	var who, signed string
	ticket := t.T("ask.no_ticket")
	if e.Technician != nil {
		if who = e.Technician.Name; e.Technician.Organisation != "" {
			who = t.T("ask.who", "name", who, "organisation", e.Technician.Organisation)
		}
		signed = t.SignedIn(*e.Technician)
	}
	if e.Ticket != nil {
		ticket = t.T("ask.ticket") + " " + e.Ticket.Number + " – " + e.Ticket.Subject
	}
	v.addServer(t, e.Server)
	v.add(10, Plain, line("who", Strong, who), line("signed-in", Small, signed), line("ticket", Body, ticket))
	v.add(14, Warm, line("scam", Body, t.T("ask.scam")))
	v.add(16, Plain, line("question", Strong, e.Text))
	v.add(14, Plain, pair(Cell{ID: IDDeny, What: Neutral, Text: t.T("ask.deny")}, Cell{ID: IDAllow, What: Primary, Text: t.T("ask.allow")}))
	v.add(8, Plain, line("default", Small, t.T("ask.default")))
	if e.Grant == grantFileIn && e.Folder != "" {
		if f.set.Dialogs {
			v.add(14, Soft, line("folder-label", Small, t.T("folder.label")), line("folder", Body, f.folder),
				button("folder_other", Neutral, t.T("folder.other")))
		} else {
			v.add(14, Soft, line("folder-label", Small, t.T("folder.label")), f.field("folder", ""))
		}
	}
	v.Focus, v.Escape = IDDeny, IDDeny
	v.Above, v.Alert = true, true
}

func (f *Face) viewLeave(v *View) {
	t := f.texts
	v.add(0, Plain, line("title", Title, t.T("quit.title")))
	v.add(10, Plain, line("question", Body, t.T("quit.ask")))
	v.add(18, Plain, pair(Cell{ID: IDStay, What: Primary, Text: t.T("quit.stay")}, Cell{ID: IDLeave, What: Danger, Text: t.T("quit.leave")}))
	v.Focus, v.Escape, v.Above = IDStay, IDStay, true
	v.Width = Narrow
}

// addAgain ends a view in which there is nothing left to do but these two: again is
// what beginning anew is called there.
func (f *Face) addAgain(v *View, again string) {
	t := f.texts
	v.add(18, Plain, pair(Cell{ID: IDAgain, What: Neutral, Text: t.T(again)}, Cell{ID: IDQuit, What: Primary, Text: t.T("ended.close")}))
	v.Focus = IDQuit
}
