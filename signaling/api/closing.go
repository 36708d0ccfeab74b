package api

import (
	"database/sql"
	"errors"
	"net/http"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/phrases"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/supervise"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// closingFor is how long after its end a session may be closed with a note.
const closingFor = 24 * time.Hour

// readClosing is the closing note that was typed.
func (s *Server) readClosing(w http.ResponseWriter, c *call) (tickets.Closing, error) {
	var in struct {
		Text       string `json:"text"`
		Resolution string `json:"resolution"`
		Code       string `json:"code"`
	}
	if err := read(w, c, &in); err != nil {
		return tickets.Closing{}, err
	}
	note := tickets.Closing{Session: c.PathValue("id"), Technician: c.in.User.Name, Resolution: in.Resolution, Code: in.Code, Text: in.Text}
	if s.cfg.BaseURL != "" {
		note.Link = s.cfg.BaseURL + "/audit?session=" + note.Session
	}
	note, err := note.Clean()
	if errors.Is(err, tickets.ErrInvalid) {
		return note, errInvalidClosing
	}
	return note, err
}

// closeSession takes the technician's closing note of a session: from one who took
// part, after its end, once. It stands in the ticket and in the sealed part of its
// event.
func (s *Server) closeSession(w http.ResponseWriter, c *call) error {
	note, err := s.readClosing(w, c)
	if err != nil {
		return err
	}
	err = s.house.store.Update(c.Context(), func(tx store.Tx) error {
		note, ticket, lang, err := closingTx(tx, c, note)
		if err != nil {
			return err
		}
		return s.closeTx(tx, c, note, ticket, lang)
	})
	if err != nil {
		return err
	}
	s.outbox.Wake()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// previewClosing shows the note that closeSession would write just now, as the embedded
// desk shows it, to the letter (C121). Nothing is kept of it.
func (s *Server) previewClosing(w http.ResponseWriter, c *call) error {
	note, err := s.readClosing(w, c)
	if err != nil {
		return err
	}
	var n tickets.Note
	var ticket string
	err = s.house.store.View(c.Context(), func(tx store.Tx) error {
		var lang string
		if note, ticket, lang, err = closingTx(tx, c, note); err != nil {
			return err
		}
		n, _, err = s.outbox.WithRatingTx(tx, note.Session, s.closingNote(note, lang))
		return err
	})
	if err != nil {
		return err
	}
	text, err := tickets.Shown(n)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{"author": n.Author, "text": text, "public": n.Public, "lang": n.Lang, "ticket": ticket})
	return nil
}

// closingNote is the note of a closing, before the person's answer is added to it.
func (s *Server) closingNote(c tickets.Closing, lang string) tickets.Note {
	n := c.Note(lang)
	n.Public = s.tickets.Policy().Note == tickets.NotePublic
	return n
}

// closingTx looks whether the one who calls may close a session with that note, and
// adds the words of its code. ticket is "" for a session without one.
func closingTx(tx store.Tx, c *call, note tickets.Closing) (_ tickets.Closing, ticket, lang string, err error) {
	if ticket, lang, err = mayCloseTx(tx, c, note); err != nil || note.Code == "" {
		return note, ticket, lang, err
	}
	code, err := phrases.CodeTx(tx, note.Code)
	if errors.Is(err, phrases.ErrNone) || err == nil && code.Outcome != note.Resolution {
		return note, "", "", errNoCode
	}
	note.CodeText = code.Label(lang)
	return note, ticket, lang, err
}

func mayCloseTx(tx store.Tx, c *call, note tickets.Closing) (ticket, lang string, err error) {
	var ended sql.NullString
	err = tx.QueryRow(`select s.ticket_id, coalesce(t.lang, k.lang, 'en'), s.ended from sessions s
		left join tickets t on t.id = s.ticket_id left join desk_tickets k on k.id = s.ticket_id where s.id = ?`, note.Session).Scan(&ticket, &lang, &ended)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", errNotFound
	}
	if err != nil {
		return "", "", err
	}
	purged, err := audit.PurgedTx(tx, note.Session)
	if err != nil {
		return "", "", err
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
			return "", "", err
		}
	}
	over, err := store.ParseTime(ended.String)
	switch {
	case err != nil:
		return "", "", err
	case part == 0:
		return "", "", errNotAllowed
	case over.IsZero():
		return "", "", errClosingEarly
	case done > 0:
		return "", "", errClosingDone
	case purged, time.Since(over) > closingFor:
		return "", "", errClosingLate
	}
	return ticket, lang, nil
}

// closable are the sessions of a ticket that the one who calls may close with a note
// now, and those of which they may promote what was noted.
func (s *Server) closable(c *call, ticket string) (closable, promotable map[string]bool, err error) {
	closable, promotable = map[string]bool{}, map[string]bool{}
	if c.in == nil {
		return closable, promotable, nil // a program takes no part
	}
	err = s.house.store.View(c.Context(), func(tx store.Tx) error {
		rows, err := tx.Query(`select distinct s.id, s.ended,
			(select count(*) from audit_leaves l where l.session = s.id and l.type = 'session.closing'),
			(select count(*) from solutions k where k.session_id = s.id)
			from sessions s join session_participants p on p.session_id = s.id
			where s.ticket_id = ? and p.technician_id = ? and s.ended > ''
			and not exists (select 1 from audit_keys k where k.scope = 'session:' || s.id and k.purged is not null)`, ticket, c.in.User.ID)
		if err != nil {
			return err
		}
		late := store.FormatTime(time.Now().Add(-closingFor))
		for rows.Next() {
			var id, ended string
			var noted, kept int64
			if err := rows.Scan(&id, &ended, &noted, &kept); err != nil {
				return err
			}
			closable[id] = noted == 0 && ended > late
			promotable[id] = kept == 0
		}
		return rows.Err()
	})
	return closable, promotable, err
}

func (s *Server) closeTx(tx store.Tx, c *call, note tickets.Closing, ticket, lang string) error {
	e := s.event(c, "session.closing", ticket)
	e.Session = note.Session
	if note.Resolution != "" {
		e.Data = map[string]any{"resolution": note.Resolution}
	}
	if note.Code != "" {
		e.Data["code"] = note.Code
	}
	if note.Text != "" {
		e.Personal = map[string]any{"text": note.Text}
	}
	if _, err := s.house.audit.AppendTx(tx, e); err != nil {
		return err
	}
	if err := supervise.ClosedTx(tx, note.Session, note.Resolution, note.Code); err != nil || ticket == "" {
		return err
	}
	n, err := s.outbox.TakeRatingTx(tx, note.Session, s.closingNote(note, lang))
	if err != nil {
		return err
	}
	return s.outbox.EnqueueTx(tx, ticket, n)
}
