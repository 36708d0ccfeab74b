package pairing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/signaling/store"
)

// Record is a session as it stands in the database. Names are hostile text.
type Record struct {
	ID             string
	TicketID       string
	TicketNumber   string // empty if this server does not know the ticket any more
	TicketSubject  string
	TechnicianID   string // the first, who opened it
	TechnicianName string
	Participants   []Attendance // in the order in which they joined
	Started        time.Time
	Ended          time.Time // zero: still open
	Reason         string    // name of a wire Reason without REASON_
	Events         int64     // lines in the log
	Reported       bool      // the person says that something was wrong
}

// Attendance is one participant of a session.
type Attendance struct {
	ID             string // on the wire and in the log: "1", "2", ...
	TechnicianID   string
	TechnicianName string
	Kind           string // as it joined: "lead", "expert", "observer"
	Joined         time.Time
	Left           time.Time // zero: still in it
	Reason         string    // name of a wire Reason without REASON_
}

// Filter of Records.
type Filter struct {
	ID     string // exactly this session
	Ticket string // of this ticket
	Live   bool   // only those that are not over
	// Query is the id of a session, the id or number of a ticket, part of a technician's
	// name, or beginnings of words of the ticket's number, subject and requester; empty: all.
	Query string
	// Found are sessions that a search of the log found for Query: these too.
	Found  []string
	Grant  string // in which the person allowed this
	Reason string // that ended so: name of a wire Reason without REASON_
	From   time.Time
	Until  time.Time // that began from From on and before Until; zero: whenever
	Before string    // sessions older than the one of this id
	Limit  int       // at most 200; 0: 50
}

// slack is how long after its id was made a session may begin.
const slack = time.Hour

// recordsQuery asks for the sessions of these ids.
func recordsQuery(ids []string) (string, []any) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return `select s.id, s.ticket_id, coalesce(t.number, k.number, ''), coalesce(t.subject, k.subject, ''), s.technician_id, coalesce(u.name, ''),
		s.started, s.ended, s.reason, (select count(*) from audit_leaves l where l.session = s.id),
		(select count(*) from audit_leaves l where l.session = s.id and l.type = 'abuse.reported')
		from sessions s left join tickets t on t.id = s.ticket_id
		left join desk_tickets k on k.id = s.ticket_id left join users u on u.id = s.technician_id
		where s.id in (?` + strings.Repeat(", ?", len(ids)-1) + `) order by s.id desc`, args
}

// Records lists sessions, the newest first; more tells that there are others.
func Records(ctx context.Context, st store.Store, f Filter) (list []Record, more bool, err error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	f.Limit = min(f.Limit, 200)
	err = st.View(ctx, func(tx store.Tx) error {
		list, more = nil, false
		ids, err := f.idsTx(tx)
		if more = len(ids) > f.Limit; more {
			ids = ids[:f.Limit]
		}
		if err != nil || len(ids) == 0 {
			return err
		}
		q, args := recordsQuery(ids)
		rows, err := tx.Query(q, args...)
		if err != nil {
			return err
		}
		for rows.Next() {
			var (
				r             Record
				started       string
				ended, reason sql.NullString
				reports       int64
			)
			if err := rows.Scan(&r.ID, &r.TicketID, &r.TicketNumber, &r.TicketSubject, &r.TechnicianID, &r.TechnicianName,
				&started, &ended, &reason, &r.Events, &reports); err != nil {
				return err
			}
			if r.Started, err = store.ParseTime(started); err != nil {
				return err
			}
			if r.Ended, err = store.ParseTime(ended.String); err != nil {
				return err
			}
			r.Reason, r.Reported = reason.String, reports > 0
			list = append(list, r)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for i := range list {
			if err := list[i].attend(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("pairing: %w", err)
	}
	return list, more, nil
}

// attend reads who was there.
func (r *Record) attend(tx store.Tx) error {
	rows, err := tx.Query(`select p.number, p.technician_id, coalesce(u.name, ''), p.kind, p.joined, p.departed, p.reason
		from session_participants p left join users u on u.id = p.technician_id where p.session_id = ? order by p.number`, r.ID)
	if err != nil {
		return err
	}
	for rows.Next() {
		var (
			a                Attendance
			number           int64
			joined           string
			departed, reason sql.NullString
		)
		if err := rows.Scan(&number, &a.TechnicianID, &a.TechnicianName, &a.Kind, &joined, &departed, &reason); err != nil {
			return err
		}
		if a.Joined, err = store.ParseTime(joined); err != nil {
			return err
		}
		if a.Left, err = store.ParseTime(departed.String); err != nil {
			return err
		}
		a.ID, a.Reason = strconv.FormatInt(number, 10), reason.String
		r.Participants = append(r.Participants, a)
	}
	return rows.Err()
}

// column appends the first column of rows.
func column(rows *sql.Rows, to *[]string) error {
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return err
		}
		*to = append(*to, s)
	}
	return errors.Join(rows.Err(), rows.Close())
}

// firstID is the least id that can be made at a time.
func firstID(t time.Time) string {
	ms := max(0, t.UnixMilli())
	id, err := ulid.New(min(uint64(ms), ulid.MaxTime()), nil)
	if err != nil {
		return "" // no id is less; cannot be: the time is in bounds
	}
	return id.String()
}

// escapeLike makes the wildcards of like ordinary characters.
func escapeLike(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] == '%' || s[i] == '_' || s[i] == '!' {
			out = append(out, '!')
		}
		out = append(out, s[i])
	}
	return string(out)
}
