package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/audit/formats"
	"github.com/mainforte/mainforte/signaling/audit/proof"
	"github.com/mainforte/mainforte/signaling/audit/receipt"
	"github.com/mainforte/mainforte/signaling/audit/report"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/pairing"
)

// What of the log leaves the house by a browser. That it does is written into the
// log first; where that cannot be, nothing leaves.

// record is the session of a call.
func (s *Server) record(c *call) (pairing.Record, error) {
	list, _, err := pairing.Records(c.Context(), s.house.store, pairing.Filter{ID: c.PathValue("id")})
	if err != nil {
		return pairing.Record{}, err
	}
	if len(list) == 0 {
		return pairing.Record{}, errNotFound
	}
	return list[0], nil
}

// noted writes an event about a session into the log, with the size of the log
// before it.
func (s *Server) noted(c *call, typ string, r pairing.Record, data map[string]any) error {
	head, err := s.house.audit.Head(c.Context())
	if err != nil {
		return err
	}
	e := s.event(c, typ, r.TicketID)
	e.Session, e.Data = r.ID, data
	data["size"] = head.Size
	_, err = s.house.audit.Append(c.Context(), e)
	return err
}

// sessionProof is what the audit page verifies a session with.
func (s *Server) sessionProof(w http.ResponseWriter, c *call) error {
	r, err := s.record(c)
	if err != nil {
		return err
	}
	if err := s.noted(c, "log.verify", r, map[string]any{}); err != nil {
		return err
	}
	p, err := s.prove(c.Context(), r.ID, true)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, p)
	return nil
}

func (s *Server) prove(ctx context.Context, session string, personal bool) (*proof.Proof, error) {
	point, err := s.house.audit.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	return proof.Make(ctx, s.house.audit, session, point, proof.Options{Personal: personal})
}

// attached sends a file under a name.
func attached(w http.ResponseWriter, kind, name string, b []byte) error {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Write(b) //nolint:errcheck // the other side has gone
	return nil
}

// exports are the files that one session can be taken out as: the type and the
// ending of the file.
var exports = map[string][2]string{
	"html":  {"text/html; charset=utf-8", "html"},
	"pdf":   {"application/pdf", "pdf"},
	"jsonl": {"application/jsonl", "jsonl"},
	"csv":   {"text/csv; charset=utf-8", "csv"},
	"proof": {"application/json", "proof.json"},
}

// exportSession gives out one session as a file.
func (s *Server) exportSession(w http.ResponseWriter, c *call) error {
	q := c.URL.Query()
	format, personal := q.Get("format"), q.Get("personal") == "1"
	kind, ok := exports[format]
	if !ok {
		return errInvalidFormat
	}
	r, err := s.record(c)
	if err != nil {
		return err
	}
	logged := format
	if format == "html" || format == "pdf" {
		logged = "report_" + format
	}
	if err := s.noted(c, "log.exported", r, map[string]any{"format": logged, "personal": personal}); err != nil {
		return err
	}
	b, err := s.export(c, r, format, personal)
	if err != nil {
		return err
	}
	return attached(w, kind[0], "session-"+r.ID+"."+kind[1], b)
}

func (s *Server) export(c *call, r pairing.Record, format string, personal bool) ([]byte, error) {
	switch format {
	case "proof":
		p, err := s.prove(c.Context(), r.ID, personal)
		if err != nil {
			return nil, err
		}
		return json.Marshal(p)
	case "html", "pdf":
		return s.report(c, r, format == "pdf", personal)
	}
	name, err := s.namer(c.Context(), r)
	if err != nil {
		return nil, err
	}
	f, _ := formats.New(format, formats.Options{Origin: s.origin(), Version: s.cfg.Version, Personal: personal, Name: name})
	head, err := s.house.audit.Head(c.Context())
	if err != nil {
		return nil, err
	}
	b := slices.Clone(f.Head())
	err = s.house.audit.ReadSession(c.Context(), r.ID, head.Size, func(n audit.Line) (err error) {
		if len(b) > maxExport {
			return proof.ErrTooLong
		}
		b, err = f.Append(b, n)
		return err
	})
	return b, err
}

// maxExport bounds a file that is made in memory.
const maxExport = 64 << 20

func (s *Server) origin() string {
	origin, _, _ := strings.Cut(s.house.audit.VerifierKey(), "+")
	return origin
}

// namer knows the names of those who have part in a session.
func (s *Server) namer(ctx context.Context, r pairing.Record) (func(string) string, error) {
	events, err := s.house.audit.Events(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return s.names(ctx, events)
}

func (s *Server) names(ctx context.Context, events []audit.Record) (func(string) string, error) {
	refs := make([]string, len(events))
	for i, e := range events {
		refs[i] = e.Actor.Ref
	}
	names, err := s.house.users.Names(ctx, refs)
	return func(ref string) string { return names[ref] }, err
}

func (s *Server) report(c *call, r pairing.Record, pdf, personal bool) ([]byte, error) {
	point, err := s.house.audit.Checkpoint(c.Context())
	if err != nil {
		return nil, err
	}
	events, err := s.house.audit.Events(c.Context(), r.ID)
	if err != nil {
		return nil, err
	}
	name, err := s.names(c.Context(), events)
	if err != nil {
		return nil, err
	}
	write := report.Write
	if pdf {
		write = report.WritePDF
	}
	var b bytes.Buffer
	err = write(&b, events, report.Options{
		Lang: c.lang, Personal: personal, Name: name, Origin: s.origin(),
		Key: s.house.audit.VerifierKey(), Point: point, Now: time.Now(),
	})
	return b.Bytes(), err
}

// maxListed bounds the list of sessions as a file.
const maxListed = 20_000

// exportList gives out the list of sessions, as it is filtered, as a file.
func (s *Server) exportList(w http.ResponseWriter, c *call) error {
	format := c.URL.Query().Get("format")
	if format != "csv" && format != "jsonl" {
		return errInvalidFormat
	}
	f, err := s.filter(c)
	if err != nil {
		return err
	}
	head, err := s.house.audit.Head(c.Context())
	if err != nil {
		return err
	}
	e := s.event(c, "log.exported", "")
	e.Data = map[string]any{"format": "sessions_" + format, "size": head.Size, "personal": true}
	if _, err := s.house.audit.Append(c.Context(), e); err != nil {
		return err
	}
	var b []byte
	if format == "csv" {
		b = append(b, "session,started,ended,seconds,reason,technicians,ticket,ticket_number,ticket_subject,events\r\n"...)
	}
	f.Limit = 200
	for n, more := 0, true; more; {
		var list []pairing.Record
		if list, more, err = pairing.Records(c.Context(), s.house.store, f); err != nil {
			return err
		}
		if n += len(list); n > maxListed {
			return errTooManySessions
		}
		for _, r := range list {
			if b, err = appendRecord(b, format, r); err != nil {
				return err
			}
			f.Before = r.ID
		}
		if f.Query != "" && more {
			if f.Found, err = s.house.audit.Search(c.Context(), f.Query, f.Before, audit.MaxFound); err != nil {
				return err
			}
		}
		more = more && len(list) > 0
	}
	return attached(w, exports[format][0], "sessions."+exports[format][1], b)
}

// appendRecord writes one session of a list.
func appendRecord(b []byte, format string, r pairing.Record) ([]byte, error) {
	if format == "jsonl" {
		line, err := json.Marshal(sessionOf(r))
		return append(append(b, line...), '\n'), err
	}
	names := make([]string, 0, len(r.Participants))
	for _, p := range r.Participants {
		names = append(names, p.TechnicianName)
	}
	ended, seconds := "", ""
	if !r.Ended.IsZero() {
		ended, seconds = r.Ended.UTC().Format(time.RFC3339), strconv.FormatInt(int64(r.Ended.Sub(r.Started).Seconds()), 10)
	}
	for i, cell := range []string{
		r.ID, r.Started.UTC().Format(time.RFC3339), ended, seconds, r.Reason, strings.Join(names, "; "),
		r.TicketID, r.TicketNumber, r.TicketSubject, strconv.FormatInt(r.Events, 10),
	} {
		if i > 0 {
			b = append(b, ',')
		}
		b = formats.AppendCell(b, cell)
	}
	return append(b, "\r\n"...), nil
}

// linkReceipt makes a link under which the person finds the receipt. A technician
// may for a session that he had part in. It is good for reading only: who made it
// must not speak as the person (P19).
func (s *Server) linkReceipt(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	r, err := s.record(c)
	if err != nil {
		return err
	}
	took := slices.ContainsFunc(r.Participants, func(p pairing.Attendance) bool { return p.TechnicianID == c.in.User.ID })
	if c.in.User.Role == identity.Technician && !took {
		return errNotAllowed
	}
	if r.Ended.IsZero() {
		return errSessionOpen
	}
	if err := s.noted(c, "log.exported", r, map[string]any{"format": "receipt", "personal": true}); err != nil {
		return err
	}
	until := time.Now().Add(receipt.LinkLife).Truncate(time.Second)
	answer(w, http.StatusCreated, map[string]any{
		"path": receiptPath(receipt.Link(s.house.audit, r.ID, until)), "until": until.UTC(),
	})
	return nil
}

// receiptPath is the address of the receipt that a token is for: of a page that
// shows, verifies and saves it. What stands after the # never reaches a log of
// addresses.
func receiptPath(token string) string { return "/receipt#" + token }

// receipt gives out the receipt that a link names. It writes nothing: everybody
// who has the link may ask, as often as he likes.
func (s *Server) receipt(w http.ResponseWriter, c *call) error {
	session, _, ok := receipt.Linked(s.house.audit, c.PathValue("token"), time.Now())
	if !ok {
		return errNoReceipt
	}
	list, _, err := pairing.Records(c.Context(), s.house.store, pairing.Filter{ID: session})
	if err != nil {
		return err
	}
	switch {
	case len(list) == 0:
		return errNoReceipt
	case list[0].Ended.IsZero():
		return errSessionOpen
	}
	said := receipt.Statement{Server: s.cfg.PublicHost, Organisation: s.cfg.Organisation}
	for _, p := range list[0].Participants {
		t := receipt.Technician{Ref: p.TechnicianID, Name: p.TechnicianName}
		if !slices.Contains(said.Technicians, t) {
			said.Technicians = append(said.Technicians, t)
		}
	}
	got, err := receipt.Make(c.Context(), s.house.audit, session, said)
	if err != nil {
		return err
	}
	b, err := json.Marshal(got)
	if err != nil {
		return fmt.Errorf("a receipt that is not JSON: %w", err)
	}
	return attached(w, "application/json", "receipt-"+session+".json", b)
}
