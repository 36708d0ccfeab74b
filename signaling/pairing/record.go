package pairing

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// insert makes the session's row.
func (s *session) insert(tx store.Tx, _ int64) error {
	_, err := tx.Exec(`insert into sessions (id, ticket_id, technician_id, method, host_key, started, host_token, viewer_token)
		values (?, ?, ?, ?, ?, ?, ?, ?)`,
		s.id, s.ticket.ID, s.tech.Ref, s.method, []byte(s.key), store.FormatTime(s.started), s.hostToken[:], s.viewerToken[:])
	return err
}

// progress keeps how far the host's log is durable, and what it counted.
func (s *session) progress(tx store.Tx, seq uint64, count []byte) error {
	var t struct {
		Grants json.RawMessage `json:"grants"`
		Used   json.RawMessage `json:"used"`
	}
	if err := json.Unmarshal(count, &t); err != nil {
		return fmt.Errorf("pairing: %w", err)
	}
	if string(t.Grants) == "null" {
		t.Grants = json.RawMessage("[]")
	}
	_, err := tx.Exec(`update sessions set host_seq = ?, grants = ?, used = ? where id = ?`, int64(seq), string(t.Grants), string(t.Used), s.id)
	return err
}

// settle closes the row. A row that is closed already means that another server
// process ended the session; that must not happen twice.
func (s *session) settle(tx store.Tx) error {
	var count any
	if s.close != nil {
		count = int64(s.close.Events)
	}
	interrupted := 0
	if s.restarted && s.reason == mfpb.Reason_REASON_SERVER_GONE {
		interrupted = 1
	}
	res, err := tx.Exec(`update sessions set ended = ?, reason = ?, host_events = ?, duration_ms = ?, interrupted = ? where id = ? and ended is null`,
		store.FormatTime(s.ended), wire.Name(s.reason), count, s.duration().Milliseconds(), interrupted, s.id)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, fmt.Errorf("pairing: the row of session %s is closed already", s.id))
	}
	return nil
}

// takeUp finds the sessions that a server before this one left open.
func (d *Desk) takeUp(ctx context.Context) error {
	now := d.cfg.Now()
	err := d.cfg.Store.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query(`select s.id, s.ticket_id, s.technician_id, s.method, s.host_key, s.started, s.host_seq,
			s.grants, s.used, s.host_token, s.viewer_token, u.name, u.role
			from sessions s join users u on u.id = s.technician_id where s.ended is null`)
		if err != nil {
			return err
		}
		for rows.Next() {
			var (
				s                       = &session{desk: d, state: open, restarted: true, hostLost: now, viewerLost: now}
				key, hostTok, viewerTok []byte
				started, grants, used   string
				seq                     int64
			)
			if err := rows.Scan(&s.id, &s.ticket.ID, &s.tech.Ref, &s.method, &key, &started, &seq,
				&grants, &used, &hostTok, &viewerTok, &s.name, &s.tech.Kind); err != nil {
				return err
			}
			if s.started, err = store.ParseTime(started); err != nil {
				return err
			}
			if len(key) != ed25519.PublicKeySize || copy(s.hostToken[:], hostTok) != sha256.Size || copy(s.viewerToken[:], viewerTok) != sha256.Size {
				return fmt.Errorf("the row of session %s is damaged", s.id)
			}
			s.key, s.seq, s.durable = key, uint64(seq), uint64(seq)
			if err := errors.Join(json.Unmarshal([]byte(grants), &s.tally.Grants), json.Unmarshal([]byte(used), &s.tally.Used)); err != nil {
				return fmt.Errorf("the row of session %s is damaged: %w", s.id, err)
			}
			if s.tally.Used == nil {
				s.tally.Used = map[string]int64{}
			}
			s.journal = &journal{desk: d, patient: true}
			d.sessions[s.id] = s
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	for _, s := range d.sessions {
		// For the note: language and requester. Without the desk it is English.
		t, err := d.cfg.Tickets.Get(ctx, s.ticket.ID)
		if err != nil {
			d.cfg.Logger.Warn("the ticket of an open session cannot be read", "session", s.id, "error", err)
			t = tickets.Ticket{ID: s.ticket.ID, Lang: "en"}
		}
		s.ticket = t
	}
	return nil
}

// resumeHost puts a new line of the host in the place of the one that was lost.
func (d *Desk) resumeHost(h *host, m *mfpb.HostResume) {
	d.mu.Lock()
	s := d.sessions[m.Session]
	if s == nil || s.state == opening || !tokenIs(m.Token, s.hostToken) {
		d.mu.Unlock()
		h.fault(d.whyOver(m.Session, m.Token, "host_token"))
		return
	}
	defer d.mu.Unlock()
	if old := s.host; old != nil {
		old.session = nil
		old.close(closeDone)
	}
	s.host, s.hostLost = h, time.Time{}
	h.session, h.had = s, true
	s.sayViewer(s.viewer != nil)
	s.ack()
	if s.state != open {
		h.end(s.reason)
		return
	}
	s.line("session.resumed", "host")
	s.sayHost(true)
}

// resumeViewer does so for the viewer, if it is the same technician's.
func (d *Desk) resumeViewer(v *viewer, m *mfpb.ViewerResume) {
	d.mu.Lock()
	s := d.sessions[m.Session]
	if s == nil || s.state != open || s.tech.Ref != v.in.User.ID || !tokenIs(m.Token, s.viewerToken) {
		d.mu.Unlock()
		v.fault(d.whyOver(m.Session, m.Token, "viewer_token"))
		return
	}
	defer d.mu.Unlock()
	if old := s.viewer; old != nil {
		old.session = nil
		old.close(closeDone)
	}
	s.viewer, s.viewerLost = v, time.Time{}
	v.session, v.had = s, true
	s.sayHost(s.host != nil)
	s.line("session.resumed", "viewer")
	s.sayViewer(true)
}

// whyOver tells a side that comes back too late why its session ended; without
// its token it learns nothing.
func (d *Desk) whyOver(id string, token []byte, column string) mfpb.Reason {
	var (
		reason sql.NullString
		hash   []byte
		sum    [sha256.Size]byte
	)
	err := d.cfg.Store.View(d.stopped, func(tx store.Tx) error {
		return tx.QueryRow(`select reason, `+column+` from sessions where id = ?`, id).Scan(&reason, &hash)
	})
	if err != nil || copy(sum[:], hash) != len(sum) || !tokenIs(token, sum) {
		return mfpb.Reason_REASON_NOT_ALLOWED
	}
	if r, ok := mfpb.Reason_value["REASON_"+reason.String]; ok && reason.Valid {
		return mfpb.Reason(r)
	}
	return mfpb.Reason_REASON_NOT_ALLOWED
}

// Record is a session as it stands in the database. Names are hostile text.
type Record struct {
	ID             string
	TicketID       string
	TicketNumber   string // empty if the ticket is not in the embedded desk
	TicketSubject  string
	TechnicianID   string
	TechnicianName string
	Started        time.Time
	Ended          time.Time // zero: still open
	Reason         string    // name of a wire Reason without REASON_
	Events         int64     // lines in the log
}

// Filter of Records.
type Filter struct {
	ID     string // exactly this session
	Ticket string // of this ticket
	Query  string // in ticket number, subject, technician; empty: all
	Before string // sessions older than the one of this id
	Limit  int    // at most 200; 0: 50
}

// Records lists sessions, the newest first; more tells that there are others.
func Records(ctx context.Context, st store.Store, f Filter) (list []Record, more bool, err error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	f.Limit = min(f.Limit, 200)
	q := `select s.id, s.ticket_id, coalesce(t.number, ''), coalesce(t.subject, ''), s.technician_id, coalesce(u.name, ''),
		s.started, s.ended, s.reason, (select count(*) from audit_leaves l where l.session = s.id)
		from sessions s left join tickets t on t.id = s.ticket_id left join users u on u.id = s.technician_id where 1 = 1`
	var args []any
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
		where(`(t.search like ? escape '!' or lower(u.name) like ? escape '!' or s.id = ?)`, like, like, f.Query)
	}
	q += " order by s.id desc limit ?"
	args = append(args, f.Limit+1)
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
			)
			if err := rows.Scan(&r.ID, &r.TicketID, &r.TicketNumber, &r.TicketSubject, &r.TechnicianID, &r.TechnicianName,
				&started, &ended, &reason, &r.Events); err != nil {
				return err
			}
			if r.Started, err = store.ParseTime(started); err != nil {
				return err
			}
			if r.Ended, err = store.ParseTime(ended.String); err != nil {
				return err
			}
			r.Reason = reason.String
			list = append(list, r)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, false, fmt.Errorf("pairing: %w", err)
	}
	if len(list) > f.Limit {
		return list[:f.Limit], true, nil
	}
	return list, false, nil
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
