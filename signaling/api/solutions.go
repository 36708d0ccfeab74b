package api

import (
	"database/sql"
	"errors"
	"net/http"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/solutions"
	"github.com/mainforte/mainforte/signaling/store"
)

type solutionAnswer struct {
	ID        string    `json:"id"`
	Lang      string    `json:"lang"`
	Subject   string    `json:"subject"`
	Asset     string    `json:"asset"`
	Body      string    `json:"body"`
	Author    string    `json:"author"`
	Mine      bool      `json:"mine"` // the one who asks may mend and withdraw it
	Withdrawn bool      `json:"withdrawn"`
	Version   int64     `json:"version"`
	Updated   time.Time `json:"updated"`
}

func solutionOf(k solutions.Solution, who solutions.Who) solutionAnswer {
	return solutionAnswer{k.ID, k.Lang, k.Subject, k.Asset, k.Body, k.Author, who.Leads || who.User == k.AuthorID, k.Withdrawn, k.Version, k.Updated.UTC()}
}

func (c *call) who() solutions.Who {
	return solutions.Who{By: c.actor(), User: c.in.User.ID, Leads: c.in.User.Role == identity.Supervisor}
}

// suggest is GET /api/v1/tickets/{id}/solutions: what helped with tickets of the same
// words. The ticket is taken as it is remembered: nothing waits for another desk.
func (s *Server) suggest(w http.ResponseWriter, c *call) error {
	t, err := s.tickets.Recall(c.Context(), c.PathValue("id"))
	if err != nil {
		return err
	}
	list, err := s.house.shelf.Suggest(c.Context(), t.Subject)
	if err != nil {
		return err
	}
	out := make([]solutionAnswer, len(list))
	for i, k := range list {
		out[i] = solutionOf(k, c.who())
	}
	answer(w, http.StatusOK, map[string]any{"solutions": out})
	return nil
}

// mayPromoteTx looks whether the one who calls may promote a session's closing note:
// they took part, and it is over. ticket and subject are those of the session.
func mayPromoteTx(tx store.Tx, c *call, session string) (ticket, subject, lang string, err error) {
	var ended sql.NullString
	if !audit.IsToken(session) {
		return "", "", "", errNotFound
	}
	err = tx.QueryRow(`select s.ticket_id, coalesce(t.subject, k.subject, ''), coalesce(t.lang, k.lang, 'en'), s.ended from sessions s
		left join tickets t on t.id = s.ticket_id left join desk_tickets k on k.id = s.ticket_id where s.id = ?`, session).Scan(&ticket, &subject, &lang, &ended)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", "", errNotFound
	}
	if err != nil {
		return "", "", "", err
	}
	purged, err := audit.PurgedTx(tx, session)
	if err != nil {
		return "", "", "", err
	}
	var part int64
	if err := tx.QueryRow("select count(*) from session_participants where session_id = ? and technician_id = ?", session, c.in.User.ID).Scan(&part); err != nil {
		return "", "", "", err
	}
	switch {
	case part == 0:
		return "", "", "", errNotAllowed
	case purged:
		return "", "", "", errNotFound
	case ended.String == "":
		return "", "", "", errClosingEarly
	}
	return ticket, subject, lang, nil
}

// draftSolution is GET /api/v1/solutions/draft: the closing note of a session, for who
// took part, as a solution begins with.
func (s *Server) draftSolution(w http.ResponseWriter, c *call) error {
	session := c.URL.Query().Get("session")
	var subject, lang string
	err := s.house.store.View(c.Context(), func(tx store.Tx) (err error) {
		_, subject, lang, err = mayPromoteTx(tx, c, session)
		return err
	})
	if err != nil {
		return err
	}
	events, err := s.house.audit.Events(c.Context(), session)
	if err != nil {
		return err
	}
	body := ""
	for _, e := range events {
		if text, ok := e.Personal["text"].(string); ok && e.Type == "session.closing" {
			body = text
		}
	}
	answer(w, http.StatusOK, map[string]any{"lang": lang, "subject": subject, "body": body})
	return nil
}

// promote is POST /api/v1/solutions.
func (s *Server) promote(w http.ResponseWriter, c *call) error {
	var in struct {
		Session string `json:"session"`
		Lang    string `json:"lang"`
		Subject string `json:"subject"`
		Asset   string `json:"asset"`
		Body    string `json:"body"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	k := solutions.Solution{
		Session: in.Session, Lang: in.Lang, Subject: in.Subject, Asset: in.Asset, Body: in.Body,
		AuthorID: c.in.User.ID, Author: c.in.User.Name,
	}
	err := s.house.store.View(c.Context(), func(tx store.Tx) (err error) {
		k.Ticket, _, _, err = mayPromoteTx(tx, c, in.Session)
		return err
	})
	if err != nil {
		return err
	}
	k, err = s.house.shelf.Promote(c.Context(), c.actor(), k, func(tx store.Tx) error {
		_, _, _, err := mayPromoteTx(tx, c, in.Session) // a purge may have come between
		return err
	})
	if err != nil {
		return err
	}
	answer(w, http.StatusCreated, solutionOf(k, c.who()))
	return nil
}

// mendSolution is PUT /api/v1/solutions/{id}.
func (s *Server) mendSolution(w http.ResponseWriter, c *call) error {
	var in struct {
		Lang    string `json:"lang"`
		Subject string `json:"subject"`
		Asset   string `json:"asset"`
		Body    string `json:"body"`
		Version int64  `json:"version"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	k, err := s.house.shelf.Mend(c.Context(), c.who(), solutions.Solution{
		ID: c.PathValue("id"), Lang: in.Lang, Subject: in.Subject, Asset: in.Asset, Body: in.Body, Version: in.Version,
	})
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, solutionOf(k, c.who()))
	return nil
}

func (s *Server) withdraw(withdrawn bool) route {
	return func(w http.ResponseWriter, c *call) error {
		if err := read(w, c, &struct{}{}); err != nil {
			return err
		}
		k, err := s.house.shelf.Withdraw(c.Context(), c.who(), c.PathValue("id"), withdrawn)
		if err != nil {
			return err
		}
		answer(w, http.StatusOK, solutionOf(k, c.who()))
		return nil
	}
}
