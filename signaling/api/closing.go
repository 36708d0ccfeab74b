package api

import (
	"database/sql"
	"errors"
	"net/http"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// closingFor is how long after its end a session may be closed with a note.
const closingFor = 24 * time.Hour

// closeSession takes the technician's closing note of a session: from one who took
// part, after its end, once. It stands in the ticket and in the sealed part of its
// event.
func (s *Server) closeSession(w http.ResponseWriter, c *call) error {
	var in struct {
		Text       string `json:"text"`
		Resolution string `json:"resolution"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	note := tickets.Closing{Session: c.PathValue("id"), Technician: c.in.User.Name, Resolution: in.Resolution, Text: in.Text}
	if s.cfg.BaseURL != "" {
		note.Link = s.cfg.BaseURL + "/audit?session=" + note.Session
	}
	note, err := note.Clean()
	if errors.Is(err, tickets.ErrInvalid) {
		return errInvalidClosing
	}
	if err != nil {
		return err
	}
	err = s.house.store.Update(c.Context(), func(tx store.Tx) error { return s.closeTx(tx, c, note) })
	if err != nil {
		return err
	}
	s.outbox.Wake()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) closeTx(tx store.Tx, c *call, note tickets.Closing) error {
	var ticket, lang string
	var ended sql.NullString
	err := tx.QueryRow(`select s.ticket_id, coalesce(t.lang, k.lang, 'en'), s.ended from sessions s
		left join tickets t on t.id = s.ticket_id left join desk_tickets k on k.id = s.ticket_id where s.id = ?`, note.Session).Scan(&ticket, &lang, &ended)
	if errors.Is(err, sql.ErrNoRows) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	purged, err := audit.PurgedTx(tx, note.Session)
	if err != nil {
		return err
	}
	var part, done int64
	for _, q := range []struct {
		into  *int64
		query string
		args  []any
	}{
		{&part, "select coalesce(min(number), 0) from session_participants where session_id = ? and technician_id = ?", []any{note.Session, c.in.User.ID}},
		{&done, "select count(*) from audit_leaves where session = ? and type = 'session.closing'", []any{note.Session}},
	} {
		if err := tx.QueryRow(q.query, q.args...).Scan(q.into); err != nil {
			return err
		}
	}
	over, err := store.ParseTime(ended.String)
	switch {
	case err != nil:
		return err
	case part == 0:
		return errNotAllowed
	case over.IsZero():
		return errClosingEarly
	case done > 0:
		return errClosingDone
	case purged, time.Since(over) > closingFor:
		return errClosingLate
	}
	e := s.event(c, "session.closing", ticket)
	e.Session = note.Session
	if note.Resolution != "" {
		e.Data = map[string]any{"resolution": note.Resolution}
	}
	if note.Text != "" {
		e.Personal = map[string]any{"text": note.Text}
	}
	if _, err := s.house.audit.AppendTx(tx, e); err != nil || ticket == "" {
		return err
	}
	n := note.Note(lang)
	if n, err = s.outbox.TakeRatingTx(tx, note.Session, n); err != nil {
		return err
	}
	n.Public = s.tickets.Policy().Note == tickets.NotePublic
	return s.outbox.EnqueueTx(tx, ticket, n)
}
