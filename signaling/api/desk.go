package api

import (
	"errors"
	"net/http"
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
}

func ticketOf(t tickets.Ticket) ticketAnswer {
	return ticketAnswer{t.ID, t.Number, t.Subject, t.Requester, t.Lang, t.Open, t.Created.UTC(), t.Updated.UTC(), t.Sessions}
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
	list, err := s.house.local.List(c.Context(), state, c.URL.Query().Get("q"), listed)
	if err != nil {
		return err
	}
	out := make([]ticketAnswer, len(list))
	for i, t := range list {
		out[i] = ticketOf(t)
	}
	answer(w, http.StatusOK, map[string]any{"tickets": out})
	return nil
}

// event begins an event by the one who called.
func (s *Server) event(c *call, typ, ticket string) audit.Event {
	e := audit.Event{
		Type: typ, Outcome: "ok", Origin: "server", Time: time.Now(),
		Actor: audit.Actor{Kind: string(c.in.User.Role), Ref: c.in.User.ID},
	}
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
		_, err = s.house.audit.AppendTx(tx, s.event(c, "ticket.created", t.ID))
		return err
	})
	if errors.Is(err, tickets.ErrInvalid) {
		return errInvalidTicket
	}
	if err != nil {
		return err
	}
	answer(w, http.StatusCreated, ticketOf(t))
	return nil
}

func (s *Server) ticket(w http.ResponseWriter, c *call) error {
	id := c.PathValue("id")
	t, err := s.house.local.Get(c.Context(), id)
	if err != nil {
		return err
	}
	notes, err := s.house.local.Notes(c.Context(), id)
	if err != nil {
		return err
	}
	list, _, err := pairing.Records(c.Context(), s.house.store, pairing.Filter{Ticket: id, Limit: 200})
	if err != nil {
		return err
	}
	written := make([]noteAnswer, len(notes))
	for i, n := range notes {
		written[i] = noteOf(n)
	}
	held := make([]shortSession, len(list))
	for i, r := range list {
		held[i] = shortOf(r)
	}
	answer(w, http.StatusOK, map[string]any{"ticket": ticketOf(t), "notes": written, "sessions": held})
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
		var t tickets.Ticket
		err := s.house.store.Update(c.Context(), func(tx store.Tx) (err error) {
			var changed bool
			t, changed, err = s.house.local.SetOpenTx(tx, c.PathValue("id"), open)
			if err != nil || !changed {
				return err
			}
			_, err = s.house.audit.AppendTx(tx, s.event(c, typ, t.ID))
			return err
		})
		if err != nil {
			return err
		}
		answer(w, http.StatusOK, ticketOf(t))
		return nil
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
	n, err := s.house.local.AddNote(c.Context(), c.PathValue("id"), tickets.Note{Author: c.in.User.Name, Text: in.Text, Public: in.Public})
	if errors.Is(err, tickets.ErrInvalid) {
		return errInvalidNote
	}
	if err != nil {
		return err
	}
	answer(w, http.StatusCreated, noteOf(n))
	return nil
}
