package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/pairing"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

type ticketAnswer struct {
	ID        string    `json:"id"`
	Number    string    `json:"number"`
	Subject   string    `json:"subject"`
	Requester string    `json:"requester"`
	Lang      string    `json:"lang"`
	Open      bool      `json:"open"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	Sessions  int64     `json:"sessions"`

	Desk       string `json:"desk"`       // its name; "local" is the embedded one
	URL        string `json:"url"`        // of its page in another desk; "" if there is none
	Remembered bool   `json:"remembered"` // its desk does not answer: as it was seen last

	Priority string        `json:"priority"` // "low" to "urgent", or "" where nobody says
	Due      *time.Time    `json:"due"`
	Holder   *holderAnswer `json:"holder"` // who works on it; null: nobody here
}

type holderAnswer struct {
	Name string `json:"name"`
	Me   bool   `json:"me"`
}

// ticketsOf are tickets as the one who asks sees them, with who works on them.
func (s *Server) ticketsOf(c *call, list ...tickets.Ticket) ([]ticketAnswer, error) {
	ids := make([]string, len(list))
	for i, t := range list {
		ids[i] = t.ID
	}
	holders, err := s.given.Holders(c.Context(), ids)
	if err != nil {
		return nil, err
	}
	out := make([]ticketAnswer, len(list))
	for i, t := range list {
		out[i] = ticketOf(t)
		if h, ok := holders[t.ID]; ok {
			out[i].Holder = &holderAnswer{h.Name, c.in != nil && c.in.User.ID == h.ID}
		}
	}
	return out, nil
}

// ticketIs answers one ticket.
func (s *Server) ticketIs(w http.ResponseWriter, c *call, status int, t tickets.Ticket) error {
	out, err := s.ticketsOf(c, t)
	if err != nil {
		return err
	}
	answer(w, status, out[0])
	return nil
}

func ticketOf(t tickets.Ticket) ticketAnswer {
	desk, _ := tickets.Split(t.ID)
	return ticketAnswer{
		t.ID, t.Number, t.Subject, t.Requester, t.Lang, t.Open, t.Created.UTC(), t.Updated.UTC(), t.Sessions,
		desk, t.URL, t.Remembered, t.Priority.String(), unless(t.Due), nil,
	}
}

type deskAnswer struct {
	Name   string `json:"name"`
	System string `json:"system"` // "local", "rt", ...
	Search bool   `json:"search"` // finds words; else only the ticket of a number
	Blind  bool   `json:"blind"`  // tickets cannot be read: any number is taken for an open one
}

type policyAnswer struct {
	Desk    string       `json:"desk"`
	Ticket  string       `json:"ticket"`
	Note    string       `json:"note"`
	Chat    tickets.Chat `json:"chat"`
	Offline string       `json:"offline"`
}

// desks tells which service desks there are, and what the admin wants of them.
func (s *Server) desks(w http.ResponseWriter, _ *call) error {
	var list []deskAnswer
	for _, name := range s.tickets.Names() {
		d, err := s.tickets.Desk(name)
		if err != nil {
			return err
		}
		caps := d.Caps()
		list = append(list, deskAnswer{name, s.tickets.Kind(name), caps.Search, caps.Blind})
	}
	answer(w, http.StatusOK, map[string]any{"desks": list, "policy": policyAnswer(s.tickets.Policy())})
	return nil
}

// embedded is the id of a ticket of the embedded desk; others are changed in
// theirs.
func embedded(id string) (string, error) {
	if desk, _ := tickets.Split(id); desk != tickets.LocalName {
		return "", errOtherDesk
	}
	return id, nil
}

type noteAnswer struct {
	ID      string    `json:"id"`
	Author  string    `json:"author"`
	Text    string    `json:"text"`
	Public  bool      `json:"public"`
	Created time.Time `json:"created"`
}

func noteOf(n tickets.Written) noteAnswer {
	return noteAnswer{n.ID, n.Author, n.Text, n.Public, n.Created.UTC()}
}

// heldSession is a session as its ticket shows it.
type heldSession struct {
	shortSession
	Note string `json:"note"` // how its note stands: "waiting", "written", "dead", or "" before its end

	Closable   bool `json:"closable"`   // by the one who asks: its closing note
	Promotable bool `json:"promotable"` // by the one who asks: there is no solution of it yet
}

// listed bounds a list of tickets.
const listed = 200

func (s *Server) listTickets(w http.ResponseWriter, c *call) error {
	state := tickets.State(c.URL.Query().Get("state"))
	switch state {
	case "":
		state = tickets.Open
	case tickets.Open, tickets.Closed, tickets.All:
	default:
		return errInvalidState
	}
	var list []tickets.Ticket
	var more bool
	var err error
	query := c.URL.Query().Get("q")
	if desk := c.URL.Query().Get("desk"); desk == "" || desk == tickets.LocalName {
		list, more, err = s.house.local.Page(c.Context(), state, query, c.URL.Query().Get("after"), listed)
	} else {
		// Another desk is searched, not listed: what is in it is its own to show.
		list, err = s.tickets.SearchIn(c.Context(), desk, query, listed)
		list = slices.DeleteFunc(list, func(t tickets.Ticket) bool { return state != tickets.All && t.Open != (state == tickets.Open) })
	}
	if err != nil {
		return err
	}
	out, err := s.ticketsOf(c, list...)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{"tickets": out, "more": more})
	return nil
}

// event begins an event by the one who called.
func (s *Server) event(c *call, typ, ticket string) audit.Event {
	e := audit.Event{Type: typ, Outcome: "ok", Origin: "server", Time: time.Now(), Actor: c.actor()}
	if audit.IsToken(ticket) {
		e.Ticket = ticket
	}
	return e
}

func (s *Server) createTicket(w http.ResponseWriter, c *call) error {
	var in struct {
		Subject   string `json:"subject"`
		Requester string `json:"requester"`
		Lang      string `json:"lang"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	if in.Lang != "en" && in.Lang != "fr" {
		return errInvalidLang
	}
	var t tickets.Ticket
	err := s.house.store.Update(c.Context(), func(tx store.Tx) (err error) {
		if t, err = s.house.local.CreateTx(tx, tickets.New{Subject: in.Subject, Requester: in.Requester, Lang: in.Lang}); err != nil {
			return err
		}
		if _, err = s.given.GiveTx(tx, t.ID, c.in.User.ID); err != nil {
			return err
		}
		_, err = s.house.audit.AppendTx(tx, s.event(c, "ticket.created", t.ID))
		return err
	})
	if errors.Is(err, tickets.ErrInvalid) {
		return errInvalidTicket
	}
	if err != nil {
		return err
	}
	s.news.tell(newsItem{Ticket: t.ID, Kind: tickets.HookChanged}) // stands in everybody's list
	return s.ticketIs(w, c, http.StatusCreated, t)
}

func (s *Server) ticket(w http.ResponseWriter, c *call) error {
	id := c.PathValue("id")
	t, err := s.tickets.Get(c.Context(), id)
	trouble := err
	if err != nil && asProblem(err).status >= http.StatusInternalServerError {
		// The desk is away, or busy: what is remembered, and why it is no more.
		if t, err = s.tickets.Recall(c.Context(), id); err != nil {
			return trouble
		}
	}
	if err != nil {
		return err
	}
	notes := []tickets.Written{}
	if desk, _ := tickets.Split(id); desk == tickets.LocalName {
		if notes, err = s.house.local.Notes(c.Context(), id); err != nil {
			return err
		}
	}
	list, _, err := pairing.Records(c.Context(), s.house.store, pairing.Filter{Ticket: id, Limit: 200})
	if err != nil {
		return err
	}
	written := make([]noteAnswer, len(notes))
	for i, n := range notes {
		written[i] = noteOf(n)
	}
	ends, err := s.outbox.Ends(c.Context(), id)
	if err != nil {
		return err
	}
	closable, promotable, err := s.closable(c, id)
	if err != nil {
		return err
	}
	held := make([]heldSession, len(list))
	for i, r := range list {
		held[i] = heldSession{shortOf(r), ends[r.ID], closable[r.ID], promotable[r.ID]}
	}
	shown, err := s.ticketsOf(c, t)
	if err != nil {
		return err
	}
	out := map[string]any{"ticket": shown[0], "notes": written, "sessions": held, "problem": nil}
	if t.Remembered {
		p := errDeskAway
		if trouble != nil {
			p = asProblem(trouble)
		}
		out["problem"] = said{p.code, p.sentence(c.lang, c.id, after(trouble))}
	}
	answer(w, http.StatusOK, out)
	return nil
}

func (s *Server) setOpen(open bool) route {
	typ := "ticket.closed"
	if open {
		typ = "ticket.opened"
	}
	return func(w http.ResponseWriter, c *call) error {
		if err := read(w, c, &struct{}{}); err != nil {
			return err
		}
		id, err := embedded(c.PathValue("id"))
		if err != nil {
			return err
		}
		var t tickets.Ticket
		var changed bool
		err = s.house.store.Update(c.Context(), func(tx store.Tx) (err error) {
			t, changed, err = s.house.local.SetOpenTx(tx, id, open)
			if err != nil || !changed {
				return err
			}
			_, err = s.house.audit.AppendTx(tx, s.event(c, typ, t.ID))
			return err
		})
		if err != nil {
			return err
		}
		if changed {
			s.news.tell(newsItem{Ticket: t.ID, Kind: strings.TrimPrefix(typ, "ticket.")})
		}
		return s.ticketIs(w, c, http.StatusOK, t)
	}
}

func (s *Server) addNote(w http.ResponseWriter, c *call) error {
	var in struct {
		Text   string `json:"text"`
		Public bool   `json:"public"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	id, err := embedded(c.PathValue("id"))
	if err != nil {
		return err
	}
	n, err := s.house.local.AddNote(c.Context(), id, tickets.Note{Author: c.in.User.Name, Text: in.Text, Public: in.Public})
	if errors.Is(err, tickets.ErrInvalid) {
		return errInvalidNote
	}
	if err != nil {
		return err
	}
	answer(w, http.StatusCreated, noteOf(n))
	return nil
}
