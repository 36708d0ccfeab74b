package pairing

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/limit"
	"github.com/mainforte/mainforte/signaling/store"
)

// takeUp finds the sessions that a server before this one left open.
func (d *Desk) takeUp(ctx context.Context) error {
	now := d.cfg.Now()
	return d.cfg.Store.View(ctx, func(tx store.Tx) error {
		// Number and language of the ticket are for the note. No desk is asked: one
		// that is away must not keep a server from starting.
		rows, err := tx.Query(`select s.id, s.ticket_id, coalesce(t.number, k.number, ''), coalesce(t.subject, k.subject, ''),
			coalesce(t.requester, ''), coalesce(t.lang, k.lang, 'en'), s.host_key, s.started, s.host_seq, s.grants, s.used, s.course, s.host_token, s.ruled_out, s.ends
			from sessions s left join tickets t on t.id = s.ticket_id left join desk_tickets k on k.id = s.ticket_id where s.ended is null`)
		if err != nil {
			return err
		}
		for rows.Next() {
			s := &session{desk: d, state: open, restarted: true, hostLost: now}
			if err := s.scan(rows); err != nil {
				return err
			}
			s.journal = &journal{desk: d, patient: true}
			d.sessions[s.id] = s
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for _, s := range d.sessions {
			if err := s.takeUpParticipants(tx, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *session) scan(rows *sql.Rows) error {
	var (
		key, token                    []byte
		started, grants, used, course string
		ruledOut, ends                string
		seq                           int64
	)
	err := rows.Scan(&s.id, &s.ticket.ID, &s.ticket.Number, &s.ticket.Subject, &s.ticket.Requester, &s.ticket.Lang, &key, &started, &seq, &grants, &used, &course, &token, &ruledOut, &ends)
	if err != nil {
		return err
	}
	if s.started, err = store.ParseTime(started); err != nil {
		return err
	}
	s.ruledOut = strings.Fields(ruledOut)
	if s.ends, err = store.ParseTime(ends); err != nil {
		return err
	}
	if len(key) != ed25519.PublicKeySize || len(token) != sha256.Size {
		return fmt.Errorf("the row of session %s is damaged", s.id)
	}
	s.hostToken = [sha256.Size]byte(token)
	s.key, s.seq, s.durable = key, uint64(seq), uint64(seq)
	err = errors.Join(json.Unmarshal([]byte(grants), &s.tally.Grants), json.Unmarshal([]byte(used), &s.tally.Used),
		json.Unmarshal([]byte(course), &s.tally.Course))
	if err != nil {
		return fmt.Errorf("the row of session %s is damaged: %w", s.id, err)
	}
	if s.tally.Used == nil {
		s.tally.Used = map[string]int64{}
	}
	return nil
}

func (s *session) takeUpParticipants(tx store.Tx, now time.Time) error {
	rows, err := tx.Query(`select p.number, p.technician_id, p.method, p.kind, p.viewer_token, p.joined, p.departed, p.reason, u.name, u.role
		from session_participants p join users u on u.id = p.technician_id where p.session_id = ? order by p.number`, s.id)
	if err != nil {
		return err
	}
	here := false
	for rows.Next() {
		var (
			p              = &participant{state: in, lost: now}
			number         int64
			token          []byte
			kind, joined   string
			departed, left sql.NullString
		)
		if err := rows.Scan(&number, &p.tech.Ref, &p.method, &kind, &token, &joined, &departed, &left, &p.name, &p.tech.Kind); err != nil {
			return err
		}
		p.number, p.kind = int(number), kindOf(kind)
		if p.kind == 0 || len(token) != sha256.Size {
			return fmt.Errorf("participant %d of session %s is damaged", p.number, s.id)
		}
		p.token = [sha256.Size]byte(token)
		if p.joined, err = store.ParseTime(joined); err != nil {
			return err
		}
		if p.left, err = store.ParseTime(departed.String); err != nil {
			return err
		}
		if departed.Valid {
			p.state, p.reason = out, reasonOf(left)
		}
		here = here || p.state == in
		s.participants = append(s.participants, p)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if !here {
		return fmt.Errorf("session %s is open and nobody is in it", s.id)
	}
	return nil
}

// resumeHost puts a new line of the host in the place of the one that was lost.
func (d *Desk) resumeHost(h *host, m *mfpb.HostResume) {
	d.mu.Lock()
	s := d.sessions[m.Session]
	if s == nil || s.state == opening || !tokenIs(m.Token, s.hostToken) {
		d.mu.Unlock()
		d.notResumed(h.line, m.Session, audit.Actor{Kind: "system"}, d.whyOverHost(m))
		return
	}
	defer d.mu.Unlock()
	if old := s.host; old != nil {
		d.takeDown(old, mfpb.Reason_REASON_HOST_GONE) // its code is worth nothing to the new line
		old.session = nil
		old.close(closeDone)
		// A host whose address changed dials anew while its old line still seems to
		// stand. What was on its way there is lost, so the viewers must begin an epoch.
		s.sayHostToAll(false)
	}
	s.host, s.hostSecret, s.hostLost = h, m.Token, time.Time{}
	h.session, h.had = s, true
	s.changed()
	for _, p := range s.participants {
		switch p.state {
		case in:
			s.sayViewer(p)
		case out:
			s.sayGone(p) // it may have missed that
		}
	}
	s.ack()
	if s.state != open {
		h.end(s.reason)
		return
	}
	s.relayHost()
	s.line("session.resumed", nil)
	s.sayHostToAll(true)
}

// resumeViewer does so for a participant, if it is the same technician's.
func (d *Desk) resumeViewer(v *viewer, m *mfpb.ViewerResume) {
	d.mu.Lock()
	s := d.sessions[m.Session]
	p := s.holder(m.Token, v.in.User.ID)
	if p == nil || s.state != open || p.state != in {
		r := mfpb.Reason(0)
		switch {
		case p == nil:
		case p.state == out:
			r = p.reason
		default:
			r = s.reason // it is ending, and not written down yet
		}
		d.mu.Unlock()
		if r == 0 {
			r = d.whyOverViewer(m, v.in.User.ID)
		}
		d.notResumed(v.line, m.Session, audit.Actor{Kind: string(v.in.User.Role), Ref: v.in.User.ID}, r)
		return
	}
	defer d.mu.Unlock()
	if old := p.vacate(); old != nil {
		old.close(closeDone)
	}
	p.viewer, p.lost = v, time.Time{}
	v.session, v.place, v.had = s, p, true
	s.changed()
	s.sayHost(p, s.host != nil)
	s.relayViewer(p)
	s.line("session.resumed", p)
	s.sayViewer(p)
}

// holder is the participant whose token that is, if it is that user's.
func (s *session) holder(token []byte, user string) *participant {
	if s == nil {
		return nil
	}
	for _, p := range s.participants {
		if p.state != joining && p.tech.Ref == user && tokenIs(token, p.token) {
			return p
		}
	}
	return nil
}

// tokenIs compares a resume token with its hash.
func tokenIs(token []byte, hash [sha256.Size]byte) bool {
	sum := sha256.Sum256(token)
	return subtle.ConstantTimeCompare(sum[:], hash[:]) == 1
}

// notResumed ends a line whose resume does not stand. A token that is none is
// logged, as far as one address can fill the log with it.
func (d *Desk) notResumed(l *line, session string, who audit.Actor, r mfpb.Reason) {
	defer l.fault(r) // who asks one after the other is logged in that order
	if r != mfpb.Reason_REASON_NOT_ALLOWED {
		return
	}
	now := d.cfg.Now()
	if !d.refusals.Take(limit.AddressKey(l.addr), now) {
		return
	}
	side := "viewer"
	if l.host {
		side = "host"
	}
	const typ, outcome = "session.resume_refused", "deny"
	data := map[string]any{"line": side, "reason": wire.Name(r)}
	d.mu.Lock()
	defer d.mu.Unlock()
	j, e := d.loose, audit.Event{Type: typ, Outcome: outcome, Origin: "server", Time: now, Actor: who, Data: data}
	if s := d.sessions[session]; s != nil && s.state == open {
		j, e = s.journal, s.event(typ, outcome, who, data)
	}
	e.Personal = map[string]any{"address": l.addr.String()}
	j.add(job{events: []audit.Event{e}})
}

// whyOverHost tells a host that comes back too late why its session ended;
// without its token it learns nothing.
func (d *Desk) whyOverHost(m *mfpb.HostResume) mfpb.Reason {
	return d.whyOver(m.Token, `select reason, host_token from sessions where id = ?`, m.Session)
}

// whyOverViewer does so for a viewer: why it is out, or why its session ended.
func (d *Desk) whyOverViewer(m *mfpb.ViewerResume, user string) mfpb.Reason {
	return d.whyOver(m.Token, `select reason, viewer_token from session_participants where session_id = ? and technician_id = ?`, m.Session, user)
}

func (d *Desk) whyOver(token []byte, query string, args ...any) mfpb.Reason {
	why := mfpb.Reason_REASON_NOT_ALLOWED
	err := d.cfg.Store.View(d.stopped, func(tx store.Tx) error {
		why = mfpb.Reason_REASON_NOT_ALLOWED
		rows, err := tx.Query(query, args...)
		if err != nil {
			return err
		}
		for rows.Next() {
			var (
				reason sql.NullString
				hash   []byte
			)
			if err := rows.Scan(&reason, &hash); err != nil {
				return err
			}
			if r := reasonOf(reason); r != 0 && len(hash) == sha256.Size && tokenIs(token, [sha256.Size]byte(hash)) {
				why = r
			}
		}
		return rows.Err()
	})
	if err != nil {
		return mfpb.Reason_REASON_NOT_ALLOWED
	}
	return why
}

// reasonOf is the reason of that name, 0 if there is none.
func reasonOf(name sql.NullString) mfpb.Reason {
	if !name.Valid {
		return 0
	}
	return mfpb.Reason(mfpb.Reason_value["REASON_"+name.String])
}
