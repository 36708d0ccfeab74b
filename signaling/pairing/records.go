package pairing

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
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
	Query  string // in ticket number, subject, requester, technicians; empty: all
	// Found are sessions that a search of the log found for Query: these too.
	Found  []string
	Grant  string // in which the person allowed this
	Reason string // that ended so: name of a wire Reason without REASON_
	From   time.Time
	Until  time.Time // that began from From on and before Until; zero: whenever
	Before string    // sessions older than the one of this id
	Limit  int       // at most 200; 0: 50
}

// recordsQuery asks for one session more than the filter's limit.
func recordsQuery(f Filter) (q string, args []any, err error) {
	q = `select s.id, s.ticket_id, coalesce(t.number, k.number, ''), coalesce(t.subject, k.subject, ''), s.technician_id, coalesce(u.name, ''),
		s.started, s.ended, s.reason, (select count(*) from audit_leaves l where l.session = s.id),
		(select count(*) from audit_leaves l where l.session = s.id and l.type = 'abuse.reported')
		from sessions s left join tickets t on t.id = s.ticket_id
		left join desk_tickets k on k.id = s.ticket_id left join users u on u.id = s.technician_id where 1 = 1`
	where := func(cond string, a ...any) { q, args = q+" and "+cond, append(args, a...) }
	if f.ID != "" {
		where("s.id = ?", f.ID)
	}
	if f.Ticket != "" {
		where("s.ticket_id = ?", f.Ticket)
	}
	if f.Before != "" {
		where("s.id < ?", f.Before)
	}
	if f.Query != "" {
		like := "%" + escapeLike(tickets.Fold(f.Query)) + "%"
		found := "0 = 1"
		more := []any{like, like, f.Query, f.Query, like}
		if len(f.Found) > 0 {
			found = "s.id in (?" + strings.Repeat(", ?", len(f.Found)-1) + ")"
			for _, id := range f.Found {
				more = append(more, id)
			}
		}
		where(`(t.search like ? escape '!' or k.search like ? escape '!' or s.id = ? or s.ticket_id = ? or exists (select 1 from session_participants p
			join users w on w.id = p.technician_id where p.session_id = s.id and lower(w.name) like ? escape '!') or `+found+`)`, more...)
	}
	if f.Grant != "" {
		name, err := json.Marshal(f.Grant)
		if err != nil {
			return "", nil, err
		}
		where("s.grants like ? escape '!'", "%"+escapeLike(`{"Name":`+string(name)+`,"State":"allowed"`)+"%")
	}
	if f.Reason != "" {
		where("s.reason = ?", f.Reason)
	}
	// An id tells when its session was asked for, not long before it began: the rest is not even looked at.
	if !f.From.IsZero() {
		where("s.started >= ? and s.id >= ?", store.FormatTime(f.From), firstID(f.From.Add(-time.Hour)))
	}
	if !f.Until.IsZero() {
		where("s.started < ? and s.id < ?", store.FormatTime(f.Until), firstID(f.Until))
	}
	if f.Live {
		where("s.ended is null")
	}
	return q + " order by s.id desc limit ?", append(args, f.Limit+1), nil
}

// Records lists sessions, the newest first; more tells that there are others.
func Records(ctx context.Context, st store.Store, f Filter) (list []Record, more bool, err error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	f.Limit = min(f.Limit, 200)
	q, args, err := recordsQuery(f)
	if err != nil {
		return nil, false, fmt.Errorf("pairing: %w", err)
	}
	err = st.View(ctx, func(tx store.Tx) error {
		list = nil
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
	if len(list) > f.Limit {
		return list[:f.Limit], true, nil
	}
	return list, false, nil
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
