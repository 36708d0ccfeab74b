package pairing

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// insert makes the session's row and that of its first participant.
func (s *session) insert(tx store.Tx, _ int64) error {
	p := s.participants[0]
	if err := tickets.RememberTx(tx, s.ticket, s.started); err != nil {
		return err
	}
	_, err := tx.Exec(`insert into sessions (id, ticket_id, technician_id, method, host_key, started, host_token, ruled_out, ends)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.id, s.ticket.ID, p.tech.Ref, p.method, []byte(s.key), store.FormatTime(s.started), s.hostToken[:],
		strings.Join(s.ruledOut, " "), store.FormatTime(s.ends))
	if err != nil {
		return err
	}
	if err := tickets.IndexTx(tx, s.id, s.ticket.ID); err != nil {
		return err
	}
	return s.insertParticipant(tx, p)
}

func (s *session) insertParticipant(tx store.Tx, p *participant) error {
	_, err := tx.Exec(`insert into session_participants (session_id, number, technician_id, method, kind, viewer_token, joined)
		values (?, ?, ?, ?, ?, ?, ?)`,
		s.id, int64(p.number), p.tech.Ref, p.method, kinds[p.kind], p.token[:], store.FormatTime(p.joined))
	return err
}

// departed closes the row of a participant that left a session which goes on.
func (s *session) departed(tx store.Tx, p *participant) error {
	_, err := tx.Exec(`update session_participants set departed = ?, reason = ? where session_id = ? and number = ? and departed is null`,
		store.FormatTime(p.left), wire.Name(p.reason), s.id, int64(p.number))
	return err
}

// progress keeps how far the host's log is durable, what it counted, and which grant
// the person allowed now, "" for none.
func (s *session) progress(tx store.Tx, seq uint64, count tallied, allowed string) error {
	if allowed != "" {
		tx.Later("insert into session_grants (name, session) values (?, ?) on conflict (name, session) do nothing", allowed, s.id)
	}
	_, err := tx.Exec(`update sessions set host_seq = ?, grants = ?, used = ?, course = ? where id = ?`,
		int64(seq), count.grants, count.used, count.course, s.id)
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
	_, err = tx.Exec(`update session_participants set departed = ?, reason = ? where session_id = ? and departed is null`,
		store.FormatTime(s.ended), wire.Name(s.reason), s.id)
	return err
}
