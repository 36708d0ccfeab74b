package win32

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/mainforte/mainforte/host/ui"
)

// look is the typography and colour of a piece of text.
type look uint8

const (
	body look = iota
	small
	strong
	title
	name   // the help desk's name: what a person must compare
	digits // the code
	wrong  // something that did not work
)

// ground is what a block stands on.
type ground uint8

const (
	plain ground = iota
	soft         // a quiet area
	warm         // something to think about
)

// what a cell is.
type what uint8

const (
	label what = iota
	neutral
	primary
	danger
	field
)

// cell is one native control.
type cell struct {
	// id is the same as long as the control is the same; empty is a space.
	id   string
	what what
	text string
	look look
	// share is the part of the row's width in percent; 0 takes what is left.
	share  int
	center bool
}

func (c cell) button() bool { return c.what == neutral || c.what == primary || c.what == danger }

// block is some rows on one ground.
type block struct {
	above  int // distance to what stands above, in units of 1/96 inch
	ground ground
	rows   [][]cell
}

// view is what stands in the window at one moment.
type view struct {
	title  string
	width  int // of the content, in units of 1/96 inch
	blocks []block
	// focus is the cell that gets the keyboard when token is a new one.
	focus, token string
	// enter is pressed by Enter in a field; escape by Esc.
	enter, escape string
	// above keeps the window over all others; alert calls the person.
	above, alert bool
}

// ids of cells that something depends on.
const (
	idAllow   = "allow"
	idDeny    = "deny"
	idStop    = "stop"
	idAgain   = "again"
	idQuit    = "quit"
	idConnect = "connect"
	idAddress = "address"
	idStay    = "stay"
	idLeave   = "leave"
	idCancel  = "cancel_invite"
)

// answerDelay is how long a question stands before it can be answered.
const answerDelay = 500 * time.Millisecond

// Widths of the content.
const (
	wide   = 524
	narrow = 420
)

// screen is what the person is being told. It belongs to the window's thread.
type screen struct {
	texts *ui.Texts

	page   string // status, server, code, session, ended, error
	status string
	server ui.Event
	code   ui.Event
	ask    *ui.Event // an open question covers everything else
	since  time.Time // when it was put
	invite *ui.Event
	people []ui.Participant
	ended  ui.Event
	count  int  // tells views apart: it grows when the person has something new to do
	leave  bool // the person closes the window in a session and is asked first
}

func newScreen(lang string) *screen { return &screen{texts: ui.Load(lang), page: "status"} }

// show takes one event from the host.
func (s *screen) show(e ui.Event, now time.Time) {
	switch e.Name {
	case "hello":
		if e.Lang != "" {
			s.texts = ui.Load(e.Lang)
		}
	case "server":
		s.page, s.server = "server", e
		s.count++
	case "status":
		s.status = e.Text
		if s.page == "server" || s.page == "ended" || s.page == "error" {
			s.page = "status"
		}
	case "code":
		s.page, s.code, s.status = "code", e, s.texts.T("status.waiting")
		s.ask, s.people, s.invite, s.leave = nil, nil, nil, false
	case "ask":
		s.ask, s.since, s.leave = &e, now, false
		s.count++
	case "withdrawn":
		if s.ask != nil && (e.ID == "" || e.ID == s.ask.ID) {
			s.ask = nil
		}
	case "session":
		s.page, s.status = "session", ""
		s.count++
	case "participants":
		s.page, s.people = "session", e.Participants
	case "invite":
		s.invite = &e
		if e.Code == "" {
			s.invite = nil
		}
	case "ended":
		s.page, s.ended = "ended", e
		s.ask, s.people, s.invite, s.leave = nil, nil, nil, false
		s.count++
	case "error":
		s.status = e.Text
		if s.page != "session" && s.page != "server" {
			s.page, s.ask, s.leave = "error", nil, false
			s.count++
		}
	}
}

// press is the person's pressing of a cell; typed is what the address holds.
func (s *screen) press(id, typed string, now time.Time) (commands []ui.Command) {
	say := func(c ui.Command) []ui.Command { return []ui.Command{c} }
	do, participant, _ := strings.Cut(id, " ")
	switch do {
	case idAllow, idDeny:
		if s.ask == nil || now.Sub(s.since) < answerDelay {
			return nil
		}
		q := s.ask
		s.ask = nil
		return say(ui.Command{ID: q.ID, Answer: do})
	case idStop:
		return say(ui.Command{Do: "stop", Participant: participant})
	case "revoke":
		who, grant, _ := strings.Cut(participant, " ")
		return say(ui.Command{Do: "revoke", Grant: grant, Participant: who})
	case idCancel:
		return say(ui.Command{Do: "cancel_invite"})
	case idAgain:
		return say(ui.Command{Do: "again"})
	case idConnect:
		if typed = strings.TrimSpace(typed); typed == "" {
			return nil
		}
		return say(ui.Command{Do: "server", Server: typed})
	case idStay:
		s.leave = false
		s.count++
	case idQuit, idLeave:
		return say(ui.Command{Do: "quit"})
	}
	return nil
}

// close is the person's wish to close the window: at once, or after a question
// if that would end a session.
func (s *screen) close() (commands []ui.Command) {
	if (s.page == "session" || s.ask != nil) && !s.leave {
		s.leave = true
		s.count++
		return nil
	}
	return []ui.Command{{Do: "quit"}}
}

// answering tells that something is asked that only the person may answer.
func (s *screen) answering() bool { return s.ask != nil || s.leave }

// view is what stands in the window now.
func (s *screen) view() view {
	v := view{title: s.texts.T("title"), width: wide, token: fmt.Sprint(s.page, s.count)}
	switch {
	case s.leave:
		s.viewLeave(&v)
	case s.ask != nil:
		s.viewAsk(&v)
	case s.page == "server":
		s.viewServer(&v)
	case s.page == "code":
		s.viewCode(&v)
	case s.page == "session":
		s.viewSession(&v)
	case s.page == "ended":
		s.viewEnded(&v)
	case s.page == "error":
		v.add(0, plain, line("title", title, s.texts.T("error.title")))
		v.add(10, plain, line("status", body, s.status))
		s.addAgain(&v)
	default:
		v.add(0, plain, line("title", title, s.texts.T("title")))
		v.add(14, plain, line("status", body, s.status))
	}
	return v
}

// line is a row of one piece of text.
func line(id string, l look, text string) []cell {
	return []cell{{id: id, look: l, text: clean(text)}}
}

// add puts a block under what is there; rows without text are left out.
func (v *view) add(above int, g ground, rows ...[]cell) {
	b := block{above: above, ground: g}
	for _, r := range rows {
		if len(r) == 1 && r[0].what == label && r[0].text == "" {
			continue
		}
		b.rows = append(b.rows, r)
	}
	if len(b.rows) > 0 {
		v.blocks = append(v.blocks, b)
	}
}

func (s *screen) viewServer(v *view) {
	t := s.texts
	prompt := t.T("server.prompt")
	if s.server.Hint != "" {
		prompt = t.T("server.hint", "server", s.server.Hint)
	}
	v.add(0, plain, line("title", title, t.T("title")))
	v.add(10, plain, line("prompt", body, prompt))
	v.add(14, plain, line("problem", wrong, s.server.Text))
	v.add(14, plain, line("address-label", small, t.T("server.label")))
	v.add(4, plain, []cell{{id: idAddress, what: field, text: clean(s.server.Hint)}})
	v.add(18, plain, []cell{{id: idConnect, what: primary, text: t.T("server.connect")}})
	v.focus, v.enter = idAddress, idConnect
}

func (s *screen) viewCode(v *view) {
	t := s.texts
	v.add(0, plain, line("server-label", small, t.T("ask.server")), line("server", name, s.code.Server))
	v.add(14, warm, line("news", body, s.code.Text))
	v.add(16, plain, line("title", title, t.T("code.title")))
	valid := ""
	if s.code.Expires != nil {
		valid = t.T("code.valid", "time", ui.Clock(*s.code.Expires))
	}
	v.add(14, soft, []cell{{id: "code", look: digits, text: clean(s.code.Code), center: true}},
		[]cell{{id: "valid", look: small, text: valid, center: true}})
	v.add(14, plain, line("safety", body, t.T("code.safety")))
	v.add(14, plain, line("status", strong, s.status))
}

func (s *screen) viewAsk(v *view) {
	t, e := s.texts, s.ask
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
	v.add(0, plain, line("server-label", small, t.T("ask.server")), line("server", name, e.Server))
	v.add(10, plain, line("who", strong, who), line("signed-in", small, signed), line("ticket", body, ticket))
	v.add(14, warm, line("scam", body, t.T("ask.scam")))
	v.add(16, plain, line("question", strong, e.Text))
	v.add(14, plain, []cell{
		{id: idDeny, what: neutral, text: t.T("ask.deny"), share: 48}, {share: 4},
		{id: idAllow, what: primary, text: t.T("ask.allow")},
	})
	v.add(8, plain, line("default", small, t.T("ask.default")))
	v.focus, v.escape = idDeny, idDeny
	v.above, v.alert = true, true
}

func (s *screen) viewLeave(v *view) {
	t := s.texts
	v.add(0, plain, line("title", title, t.T("quit.title")))
	v.add(10, plain, line("question", body, t.T("quit.ask")))
	v.add(18, plain, []cell{
		{id: idStay, what: primary, text: t.T("quit.stay"), share: 48}, {share: 4},
		{id: idLeave, what: danger, text: t.T("quit.leave")},
	})
	v.focus, v.escape, v.above = idStay, idStay, true
	v.width = narrow
}

func (s *screen) viewSession(v *view) {
	t := s.texts
	v.width, v.above, v.focus = narrow, true, idStop
	several, stop := len(s.people) > 1, "session.stop"
	switch {
	case several:
		stop = "session.stop.all"
		v.add(0, plain, line("standing", strong, t.T("participants.title")))
	case len(s.people) == 1:
		p := s.people[0]
		v.add(0, plain, line("standing", strong, t.T(ui.Standing(p.Grants), "name", p.Technician.Name)))
	}
	v.add(6, plain, line("status", body, s.status))
	v.add(12, plain, []cell{{id: idStop, what: danger, text: t.T(stop)}})
	v.add(6, plain, line("stop-help", small, t.T("session.stop.help")))
	if s.invite != nil {
		s.viewInvite(v)
	}
	for _, p := range s.people {
		rows := [][]cell{}
		who := line("name "+p.ID, strong, p.Technician.Name)
		rows = append(rows, who)
		if kind := "participant." + p.Kind; several && t.Has(kind) {
			rows = append(rows, line("kind "+p.ID, small, t.T(kind)))
		}
		if !p.Connected {
			rows = append(rows, line("away "+p.ID, small, t.T("participant.away")))
		}
		for _, g := range p.Grants {
			rows = append(rows, grantRow(t, p.ID, g))
		}
		if several {
			rows = append(rows, []cell{{id: idStop + " " + p.ID, what: neutral, text: t.T("session.stop.one", "name", p.Technician.Name)}})
		}
		v.add(14, soft, rows...)
	}
}

// grantRow is what a participant may do, and the button that takes it back.
func grantRow(t *ui.Texts, participant string, g ui.Grant) []cell {
	id := "grant " + participant + " " + g.Name
	text := g.Name
	if key := "grant." + g.Name; t.Has(key) {
		text = t.T(key)
	}
	if g.State != "allowed" {
		if key := "state." + g.State; t.Has(key) {
			text += t.T("colon") + t.T(key)
		}
		return line(id, small, text)
	}
	take := "session.revoke"
	if key := take + "." + g.Name; t.Has(key) {
		take = key
	}
	return []cell{
		{id: id, look: body, text: clean(text), share: 58}, {share: 4},
		{id: "revoke " + participant + " " + g.Name, what: neutral, text: t.T(take)},
	}
}

func (s *screen) viewInvite(v *view) {
	t, e := s.texts, s.invite
	v.add(14, warm, line("invite", strong, t.T("invite.title")), line("invite-text", body, e.Text),
		line("invite-code", small, t.T("invite.code", "code", e.Code)),
		[]cell{{id: idCancel, what: neutral, text: t.T("invite.cancel")}})
}

func (s *screen) viewEnded(v *view) {
	t, e := s.texts, s.ended
	var lasted, ticket, number string
	if e.Duration > 0 {
		lasted = t.T("ended.duration", "duration", t.Duration(e.Duration))
	}
	if e.Ticket != nil {
		ticket = t.T("ended.ticket", "number", e.Ticket.Number)
	}
	if e.Session != "" {
		number = t.T("ended.session", "session", e.Session)
	}
	v.add(0, plain, line("title", title, t.T("ended.title")))
	v.add(10, plain, line("reason", strong, e.Text))
	v.add(10, plain, line("nothing", body, t.T("ended.nothing")))
	v.add(14, soft, line("lasted", body, lasted), line("ticket", body, ticket), line("number", small, number))
	s.addAgain(v)
}

// addAgain ends a view in which there is nothing left to do but these two.
func (s *screen) addAgain(v *view) {
	v.add(18, plain, []cell{
		{id: idAgain, what: neutral, text: s.texts.T("ended.again"), share: 48}, {share: 4},
		{id: idQuit, what: primary, text: s.texts.T("ended.close")},
	})
	v.focus = idQuit
}

// longest is how much of a text is shown; the wire allows 256 characters of a name.
const longest = 600

// clean keeps hostile names from breaking lines or turning the direction of text.
func clean(s string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		if n++; n > longest || unicode.Is(unicode.Bidi_Control, r) || unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}
