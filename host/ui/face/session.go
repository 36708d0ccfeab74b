package face

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mainforte/mainforte/host/ui"
)

// Bounds of what is kept and shown of a session.
const (
	maxChat    = 500 // lines
	shownChat  = 8   // before the earlier ones are asked for
	maxFiles   = 100
	shownFiles = 10
	maxSteps   = 100
	maxTyped   = 4000 // characters of what is said
	maxPrivate = 200  // lines
)

// talk is the conversation in writing.
type talk struct {
	lines   []ui.Chat
	dropped int // lines that are no longer kept
	unread  int
	all     bool // the earlier lines are shown as well
}

// heard is a new line of the chat.
func (f *Face) heard(c *ui.Chat) {
	if c == nil {
		return
	}
	l := *c
	l.Text = cut(l.Text, longText, true)
	f.talk.lines = append(f.talk.lines, l)
	if n := len(f.talk.lines) - maxChat; n > 0 {
		f.talk.lines = slices.Delete(f.talk.lines, 0, n)
		f.talk.dropped += n
	}
	if c.From != "" {
		f.talk.unread++
	}
	f.read()
}

// read: what stands before the person's eyes is not unread.
func (f *Face) read() {
	if f.tab == "talk" && !f.away {
		f.talk.unread = 0
	}
}

// moved is a transfer as it stands.
func (f *Face) moved(t *ui.File) {
	if t == nil {
		return
	}
	if i := slices.IndexFunc(f.files, func(o ui.File) bool { return o.ID == t.ID }); i >= 0 {
		f.files[i] = *t
		return
	}
	f.files = append(f.files, *t)
	if len(f.files) > maxFiles {
		f.files = slices.Delete(f.files, 0, 1)
	}
}

// stepped is the list of steps. One that wants an answer is shown, unless the
// person does something else.
func (f *Face) stepped(list []ui.Step) {
	f.steps = list[:min(len(list), maxSteps)]
	if f.tab == "" && f.waiting() > 0 {
		f.tab = "steps"
		f.count++
	}
	if f.tab == "steps" && len(f.steps) == 0 {
		f.tab = ""
	}
}

// waiting counts the steps that the person has to answer.
func (f *Face) waiting() (n int) {
	for _, s := range f.steps {
		if s.State == "asked" {
			n++
		}
	}
	return n
}

// running counts the transfers under way.
func (f *Face) running() (n int) {
	for _, t := range f.files {
		if t.State == "running" || t.State == "waiting" {
			n++
		}
	}
	return n
}

// hears is the list of private windows as it stands.
func (f *Face) hears(list []string) {
	f.private, f.listed = list[:min(len(list), maxPrivate)], true
	if f.tab != "private" {
		f.begin("list", strings.Join(f.private, "\n"))
	}
}

// open shows another part of the session.
func (f *Face) open(tab string) {
	f.tab = tab
	f.count++
	f.read()
}

func (f *Face) pressSession(do, rest string) ([]ui.Command, *Wish) {
	if f.page != "session" {
		return nil, nil
	}
	say := func(c ui.Command) ([]ui.Command, *Wish) { return []ui.Command{c}, nil }
	switch do {
	case "say":
		text := strings.TrimSpace(cut(f.typed["line"], maxTyped, true))
		if text == "" {
			return nil, nil
		}
		f.begin("line", "")
		return say(ui.Command{Do: "say", Text: text})
	case "earlier":
		f.talk.all = true
	case "give":
		if f.set.Dialogs {
			return nil, &Wish{Kind: "files"}
		}
		paths := Paths(f.typed["paths"])
		if len(paths) == 0 {
			return nil, nil
		}
		f.begin("paths", "")
		return say(ui.Command{Do: "give", Paths: paths})
	case "cancel_file", "open_folder":
		return say(ui.Command{Do: do, ID: rest})
	case "step":
		answer, id, _ := strings.Cut(rest, " ")
		return say(ui.Command{Do: "step", ID: id, Answer: answer})
	case "keep_steps", "wipe":
		return say(ui.Command{Do: do})
	case "unchanged":
		f.begin("list", strings.Join(f.private, "\n"))
		f.open("")
	case "private":
		var list []string
		for l := range strings.Lines(f.typed["list"]) {
			if l = strings.TrimSpace(clean(l)); l != "" && len(list) < maxPrivate {
				list = append(list, l)
			}
		}
		f.private = list
		f.open("")
		return say(ui.Command{Do: "private", Texts: append([]string{}, list...)})
	}
	return nil, nil
}

// Paths reads what a person typed or dropped into a line for files: paths, one a
// line or in quotation marks, or file:// addresses as file managers give them.
func Paths(s string) []string {
	var list []string
	add := func(p string) {
		if p = strings.TrimSpace(p); strings.HasPrefix(p, "file://") {
			p = fromURL(p)
		}
		if p != "" && len(list) < maxFiles {
			list = append(list, p)
		}
	}
	for l := range strings.Lines(s) {
		for {
			before, after, quoted := strings.Cut(l, `"`)
			inside, rest, closed := strings.Cut(after, `"`)
			if !quoted || !closed {
				break
			}
			add(before)
			add(inside)
			l = rest
		}
		add(l)
	}
	return list
}

// fromURL is the path in a file:// address of this computer, or nothing.
func fromURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host != "" && u.Host != "localhost" {
		return ""
	}
	return u.Path
}

// addTabs are the parts of a session.
func (f *Face) addTabs(v *View) {
	t := f.texts
	with := func(key string, n int) string {
		if n > 0 {
			return fmt.Sprintf("%s (%d)", t.T(key), n)
		}
		return t.T(key)
	}
	tabs := []Cell{{ID: "tab ", Text: t.T("tab.rights")}, {ID: "tab talk", Text: with("tab.talk", f.talk.unread)},
		{ID: "tab files", Text: with("tab.files", f.running())}}
	if len(f.steps) > 0 {
		tabs = append(tabs, Cell{ID: "tab steps", Text: with("tab.steps", f.waiting())})
	}
	var row []Cell
	for i, c := range tabs {
		if c.What = Neutral; c.ID == "tab "+f.tab {
			c.What = Primary
		}
		if i > 0 {
			row = append(row, Cell{Share: 2})
		}
		if i < len(tabs)-1 {
			c.Share = (100 - 2*(len(tabs)-1)) / len(tabs)
		}
		row = append(row, c)
	}
	v.add(12, Soft, row)
}

func (f *Face) viewSession(v *View) {
	t := f.texts
	v.Width, v.Above, v.Focus = Narrow, true, IDStop
	several, stop := len(f.people) > 1, "session.stop"
	switch {
	case several:
		stop = "session.stop.all"
		v.add(0, Plain, line("standing", Strong, t.T("participants.title")))
	case len(f.people) == 1:
		p := f.people[0]
		v.add(0, Plain, line("standing", Strong, t.T(ui.Standing(p.Grants), "name", p.Technician.Name)))
	}
	v.add(12, Plain, button(IDStop, Danger, t.T(stop)))
	v.add(6, Plain, line("stop-help", Small, f.stopHelp()))
	if h := f.held; h != nil && h.Why != "person" && t.Has("held."+h.Why) {
		v.add(10, Warm, line("held", Strong, t.T("held."+h.Why)), line("held-title", Small, h.Title))
	}
	v.add(8, Plain, line("status", Body, f.status))
	if f.invite != nil {
		f.viewInvite(v)
	}
	if n := len(f.talk.lines); n > 0 && f.talk.unread > 0 && f.tab != "talk" {
		v.add(10, Warm, lines("news", Body, f.said(f.talk.lines[n-1])))
	}
	f.addTabs(v)
	switch f.tab {
	case "talk":
		f.viewTalk(v)
	case "files":
		f.viewFiles(v)
	case "steps":
		f.viewSteps(v)
	case "private":
		f.viewPrivate(v)
	default:
		f.viewRights(v, several)
	}
}

// stopHelp is the row under Stop: it never changes its height, for the person's
// hand may be on the way to a button below.
func (f *Face) stopHelp() string {
	switch {
	case f.held != nil && f.held.Why == "person":
		return f.texts.T("held.yours")
	case f.keys != "":
		return f.texts.T("session.panic", "key", f.texts.Keys(f.keys))
	}
	return f.texts.T("session.stop.help")
}

func (f *Face) viewRights(v *View, several bool) {
	t := f.texts
	for _, p := range f.people {
		rows := [][]Cell{line("name "+p.ID, Strong, p.Technician.Name)}
		if kind := "participant." + p.Kind; several && t.Has(kind) {
			rows = append(rows, line("kind "+p.ID, Small, t.T(kind)))
		}
		if !p.Connected {
			rows = append(rows, line("away "+p.ID, Small, t.T("participant.away")))
		}
		for _, g := range p.Grants {
			rows = append(rows, grantRow(t, p.ID, g))
		}
		if several {
			rows = append(rows, button(IDStop+" "+p.ID, Neutral, t.T("session.stop.one", "name", p.Technician.Name)))
		}
		v.add(10, Soft, rows...)
	}
	for _, p := range f.people {
		if slices.ContainsFunc(p.Grants, func(g ui.Grant) bool { return g.Name == "annotate" && g.State == "allowed" }) {
			v.add(10, Plain, button("wipe", Neutral, t.T("marks.wipe")))
			break
		}
	}
	if f.listed {
		v.add(10, Plain, button("tab private", Neutral, t.T("private.open")))
	}
}

// grantRow is what a participant may do, and the button that takes it back.
func grantRow(t *ui.Texts, participant string, g ui.Grant) []Cell {
	id := "grant " + participant + " " + g.Name
	text := t.Grant(g.Name)
	if g.State != "allowed" {
		if key := "state." + g.State; t.Has(key) {
			text += t.T("colon") + t.T(key)
		}
		return line(id, Small, text)
	}
	take := "session.revoke"
	if key := take + "." + g.Name; t.Has(key) {
		take = key
	}
	return []Cell{
		{ID: id, Look: Body, Text: clean(text), Share: 58}, {Share: 4},
		{ID: "revoke " + participant + " " + g.Name, What: Neutral, Text: t.T(take)},
	}
}

func (f *Face) viewInvite(v *View) {
	t, e := f.texts, f.invite
	v.add(14, Warm, line("invite", Strong, t.T("invite.title")), line("invite-text", Body, e.Text),
		line("invite-code", Small, t.T("invite.code", "code", e.Code)), button(IDCancel, Neutral, t.T("invite.cancel")))
}

// said is a line of the chat as it is read.
func (f *Face) said(c ui.Chat) string {
	who := f.texts.T("talk.you")
	if c.From != "" {
		who = clean(c.Name)
	}
	at, _ := time.Parse(time.RFC3339, c.At) // without a time Clock shows a dash
	return f.texts.T("talk.line", "name", who, "time", ui.Clock(at)) + f.texts.T("colon") + c.Text
}

func (f *Face) viewTalk(v *View) {
	t := f.texts
	all := f.talk.lines
	first := 0
	if !f.talk.all {
		first = max(0, len(all)-shownChat)
	}
	var rows [][]Cell
	if first > 0 {
		rows = append(rows, button("earlier", Neutral, t.T("talk.earlier")))
	}
	for i := first; i < len(all); i++ {
		look := Body
		if all[i].From == "" {
			look = Small
		}
		rows = append(rows, lines(fmt.Sprint("chat ", f.talk.dropped+i), look, f.said(all[i])))
	}
	if len(rows) == 0 {
		rows = append(rows, line("talk-empty", Small, t.T("talk.empty")))
	}
	v.add(10, Soft, rows...)
	v.add(10, Plain, line("line-label", Small, t.T("talk.label")), f.field("line", "say"), button("say", Primary, t.T("talk.say")))
	v.Focus = "line"
}

func (f *Face) viewFiles(v *View) {
	t := f.texts
	if f.set.Dialogs {
		v.add(10, Plain, button("give", Neutral, t.T("files.give")))
	} else {
		v.add(10, Plain, line("paths-label", Small, t.T("files.paths")), f.field("paths", "give"), button("give", Neutral, t.T("files.give.typed")))
		v.Focus = "paths"
	}
	if len(f.files) == 0 {
		v.add(10, Soft, line("files-empty", Small, t.T("files.empty")))
	}
	shown := 0
	for i := len(f.files) - 1; i >= 0 && shown < shownFiles; i-- { // the newest first
		x := f.files[i]
		shown++
		rows := [][]Cell{line("file "+x.ID, Strong, x.Name), line("file-state "+x.ID, Small, t.Transfer(x))}
		switch x.State {
		case "running", "waiting":
			rows = append(rows, button("cancel_file "+x.ID, Neutral, t.T("files.cancel")))
		case "done":
			if x.Way == "in" {
				rows = append(rows, button("open_folder "+x.ID, Neutral, t.T("files.open")))
			}
		}
		v.add(10, Soft, rows...)
	}
}

func (f *Face) viewSteps(v *View) {
	t := f.texts
	for i, s := range f.steps {
		rows := [][]Cell{lines("step-text "+s.ID, Strong, fmt.Sprintf("%d. %s", i+1, s.Text))}
		if len(s.Picture) > 0 {
			rows = append(rows, []Cell{{ID: "step-picture " + s.ID, What: Picture, Text: t.T("steps.picture"), Image: s.Picture}})
		}
		switch s.State {
		case "asked":
			rows = append(rows, line("step-ask "+s.ID, Small, t.T("steps.ask")),
				pair(Cell{ID: "step refuse " + s.ID, What: Neutral, Text: t.T("steps.refuse")},
					Cell{ID: "step approve " + s.ID, What: Primary, Text: t.T("steps.approve")}))
		case "approved":
			rows = append(rows, button("step done "+s.ID, Neutral, t.T("steps.tick")))
		default:
			if key := "steps." + s.State; t.Has(key) {
				rows = append(rows, line("step-state "+s.ID, Small, t.T(key)))
			}
		}
		v.add(10, Soft, rows...)
	}
	v.add(10, Plain, button("keep_steps", Neutral, t.T("steps.keep")))
}

func (f *Face) viewPrivate(v *View) {
	t := f.texts
	v.add(10, Plain, line("list-label", Small, t.T("private.label")),
		[]Cell{{ID: "list", What: Area, Text: cleanLines(f.typed["list"]), Fresh: f.fresh["list"]}},
		pair(Cell{ID: "unchanged", What: Neutral, Text: t.T("private.back")}, Cell{ID: "private", What: Primary, Text: t.T("private.keep")}))
	v.Focus = "list"
}
