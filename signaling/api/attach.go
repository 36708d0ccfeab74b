package api

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"image/png"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/audit/receipt"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/supervise"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// maxPixels bounds a picture that is decoded: 8K, at 4 bytes each 140 MB of memory.
const maxPixels = 34_000_000

// decoding holds how many pictures are decoded at once, so that their memory is bounded.
var decoding = make(chan struct{}, 1)

// inTurn runs f while no other picture is decoded.
func inTurn(ctx context.Context, f func() error) error {
	select {
	case decoding <- struct{}{}:
		defer func() { <-decoding }()
		return f()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attach takes a picture of the screen for the ticket, PNG, from a technician who
// takes part in the open session.
func (s *Server) attach(w http.ResponseWriter, c *call) error {
	kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || kind != "image/png" {
		return errWrongType
	}
	session := c.PathValue("id")
	// Who may not is refused before anything is read.
	if err := s.house.store.View(c.Context(), func(tx store.Tx) error { _, err := s.takesPart(tx, c, session); return err }); err != nil {
		return err
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, c.Body, wire.MaxAttachment))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return errTooLarge
	}
	if err != nil {
		return errBadPicture
	}
	if err := inTurn(c.Context(), func() (err error) { b, err = picture(b); return err }); err != nil {
		return err
	}
	a := tickets.Attachment{Session: session, Kind: tickets.AttachedPicture, Body: b}
	err = s.house.store.Update(c.Context(), func(tx store.Tx) error {
		ticket, err := s.takesPart(tx, c, session)
		if err != nil {
			return err
		}
		if a, err = tickets.AttachTx(tx, a, time.Now()); err != nil {
			return err
		}
		e := s.event(c, "screenshot.attached", ticket)
		e.Session, e.Data = session, map[string]any{"attachment": a.ID, "size": a.Size, "sha256": hex.EncodeToString(a.SHA256)}
		_, err = s.house.audit.AppendTx(tx, e)
		return err
	})
	if err != nil {
		return err
	}
	answer(w, http.StatusCreated, map[string]any{"id": a.ID, "size": a.Size, "sha256": hex.EncodeToString(a.SHA256)})
	return nil
}

// Where a PNG tells of itself, once it is known to begin as one.
const (
	pngDepth     = 24 // bits a channel
	pngInterlace = 28 // 0: not
)

// picture holds a PNG to its bounds by decoding it, and returns it written anew:
// without what else may have stood in the file. No browser makes of a screen one of
// 16 bits or in passes, and each takes a multiple of the memory.
func picture(b []byte) ([]byte, error) {
	head, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil || b[pngDepth] > 8 || b[pngInterlace] != 0 || head.Width > wire.MaxPictureSide || head.Height > wire.MaxPictureSide || head.Width*head.Height > maxPixels {
		return nil, errBadPicture
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, errBadPicture
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil || out.Len() > wire.MaxAttachment {
		return nil, errBadPicture
	}
	return out.Bytes(), nil
}

// takesPart finds the ticket of an open session that the caller takes part in.
func (s *Server) takesPart(tx store.Tx, c *call, session string) (ticket string, err error) {
	var ended sql.NullString
	err = tx.QueryRow("select ticket_id, ended from sessions where id = ?", session).Scan(&ticket, &ended)
	if errors.Is(err, sql.ErrNoRows) {
		return "", errNotFound
	}
	if err != nil {
		return "", err
	}
	var part int64
	if err := tx.QueryRow("select count(*) from session_participants where session_id = ? and technician_id = ? and departed is null and kind <> 'observer'",
		session, c.in.User.ID).Scan(&part); err != nil {
		return "", err
	}
	switch {
	case part == 0 && !ended.Valid:
		return "", errNotAllowed
	case ended.Valid:
		return "", errAttachLate
	}
	return ticket, nil
}

// attachSystem takes what the person's computer is, one fact a line, for the
// ticket: what the technician read and chose to attach. The newest counts.
func (s *Server) attachSystem(w http.ResponseWriter, c *call) error {
	var in struct {
		Text string `json:"text"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	text := wire.CleanText(in.Text, wire.MaxSystem)
	switch {
	case text == "":
		return errBadJSON
	case len(text) > wire.MaxSystem:
		return errTooLarge
	}
	session := c.PathValue("id")
	err := s.house.store.Update(c.Context(), func(tx store.Tx) error {
		ticket, err := s.takesPart(tx, c, session)
		if err != nil {
			return err
		}
		a, err := tickets.AttachTx(tx, tickets.Attachment{Session: session, Kind: tickets.AttachedSystem, Body: []byte(text)}, time.Now())
		if err != nil {
			return err
		}
		e := s.event(c, "sysinfo.attached", ticket)
		e.Session, e.Data = session, map[string]any{"size": a.Size, "sha256": hex.EncodeToString(a.SHA256)}
		_, err = s.house.audit.AppendTx(tx, e)
		return err
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// attachment gives out a picture: to supervisors and auditors any, to a technician
// those of sessions that he had part in. That somebody looked stands in the log.
func (s *Server) attachment(w http.ResponseWriter, c *call) error {
	r, err := s.record(c)
	if err != nil {
		return err
	}
	if c.in.User.Role == identity.Technician {
		took := false
		for _, p := range r.Participants {
			took = took || p.TechnicianID == c.in.User.ID
		}
		if !took {
			return errNotAllowed
		}
	}
	var a tickets.Attachment
	err = s.house.store.View(c.Context(), func(tx store.Tx) error {
		a, err = tickets.AttachmentTx(tx, r.ID, c.PathValue("file"))
		return err
	})
	if errors.Is(err, tickets.ErrNotFound) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	if err := s.noted(c, "log.viewed", r, map[string]any{}); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Content-Disposition", `inline; filename="screen-`+a.ID+`.png"`)
	w.Write(a.Body) //nolint:errcheck // the other side has gone
	return nil
}

// Bounds of what a person says about a session, in code points, and of how often
// something is said to be wrong with it.
const (
	maxRemark = 500
	maxAbuse  = 2000
	maxAbuses = 5
)

// ratedFor is how long after the end of a session the answer of a person waits for
// the closing note of the technician, which then tells it: for as long as one may
// come, and the moment that both may come in. A session has no more than two notes.
const ratedFor = closingFor + time.Minute

// feedback takes the person's answer about the session of a receipt, once. One that
// comes before the end stands in the log, and the note of the end tells it.
func (s *Server) feedback(w http.ResponseWriter, c *call) error {
	var in struct {
		Score int    `json:"score"`
		Text  string `json:"text"`
	}
	session, err := s.said(w, c, &in)
	if err != nil {
		return err
	}
	text := wire.CleanText(in.Text, maxRemark)
	if in.Score < 0 || in.Score > 5 || in.Score == 0 && text == "" {
		return errInvalidFeedback
	}
	err = s.house.store.Update(c.Context(), func(tx store.Tx) error {
		r, err := sessionTx(tx, session)
		if err != nil {
			return err
		}
		e := personal(session, r.ticket, "session.rated", text)
		e.Data = map[string]any{"score": in.Score}
		if err := s.once(tx, e, 1, errRatedAlready); err != nil {
			return err
		}
		if err := supervise.RatedTx(tx, session, in.Score, text != ""); err != nil || r.ticket == "" || r.ended.IsZero() {
			return err
		}
		n := tickets.Rating{Session: session, Score: in.Score, Text: text}.Note(r.lang)
		return s.outbox.EnqueueRatingTx(tx, r.ticket, n, r.ended.Add(ratedFor))
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// abuse takes the person's word that something was wrong.
func (s *Server) abuse(w http.ResponseWriter, c *call) error {
	var in struct {
		Text string `json:"text"`
	}
	session, err := s.said(w, c, &in)
	if err != nil {
		return err
	}
	text := wire.CleanText(in.Text, maxAbuse)
	if text == "" {
		return errBadJSON
	}
	err = s.house.store.Update(c.Context(), func(tx store.Tx) error {
		r, err := sessionTx(tx, session)
		if err != nil {
			return err
		}
		return s.once(tx, personal(session, r.ticket, "abuse.reported", text), maxAbuses, errRateLimited)
	})
	if err != nil {
		return err
	}
	s.log.Warn("a person reports abuse", "session", session)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// said reads what the person says. The link that the host was given is the right to
// it, and says which session it is about; one that a technician made is none.
func (s *Server) said(w http.ResponseWriter, c *call, in any) (session string, err error) {
	session, person, ok := receipt.Linked(s.house.audit, c.PathValue("token"), time.Now())
	if !ok || !person {
		return "", errNoReceipt
	}
	return session, read(w, c, in)
}

// once appends an event of which a session has at most most.
func (s *Server) once(tx store.Tx, e audit.Event, most int64, otherwise error) error {
	var n int64
	if err := tx.QueryRow("select count(*) from audit_leaves where session = ? and type = ?", e.Session, e.Type).Scan(&n); err != nil {
		return err
	}
	purged, err := audit.PurgedTx(tx, e.Session)
	if err != nil {
		return err
	}
	switch {
	case purged:
		return errNoReceipt
	case n >= most:
		return otherwise
	}
	_, err = s.house.audit.AppendTx(tx, e)
	return err
}

// personal begins an event of what the person says.
func personal(session, ticket, typ, text string) audit.Event {
	e := audit.Event{Type: typ, Session: session, Outcome: "ok", Origin: "server", Actor: audit.Actor{Kind: "person"}}
	if audit.IsToken(ticket) {
		e.Ticket = ticket
	}
	if text != "" {
		e.Personal = map[string]any{"text": text}
	}
	return e
}

// rated is a session that the person says something about.
type rated struct {
	ticket, lang string    // of its notes
	ended        time.Time // zero: it is open
}

// sessionTx reads a session; errNoReceipt if there is none.
func sessionTx(tx store.Tx, session string) (r rated, err error) {
	var ended sql.NullString
	err = tx.QueryRow(`select s.ticket_id, coalesce(t.lang, k.lang, 'en'), s.ended from sessions s
		left join tickets t on t.id = s.ticket_id left join desk_tickets k on k.id = s.ticket_id where s.id = ?`, session).Scan(&r.ticket, &r.lang, &ended)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNoReceipt
	}
	if err != nil {
		return r, err
	}
	r.lang = strings.TrimSpace(r.lang)
	r.ended, err = store.ParseTime(ended.String)
	return r, err
}
