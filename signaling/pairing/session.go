package pairing

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// state of a session. It only goes forward.
type state int

const (
	opening state = iota // Paired came; the log does not hold it yet
	open                 // Opened was sent
	ending               // End was sent; the host's signed close may still come
	over                 // the last transaction stands
)

// by is who ended a session.
type by string

const (
	byHost       by = "host"
	byViewer     by = "viewer"
	bySupervisor by = "supervisor"
	byServer     by = "server"
)

// session from Paired to its last transaction. Guarded by the desk's mutex; what
// must be durable goes through its journal.
type session struct {
	desk    *Desk
	journal *journal

	id      string
	ticket  tickets.Ticket
	key     ed25519.PublicKey
	started time.Time

	ruledOut []string  // grants that nobody gets
	ends     time.Time // at the latest; zero: no such time

	participants []*participant // by number; who left included

	state        state
	host         *host
	hostToken    [sha256.Size]byte
	hostSecret   []byte    // the token itself, once a host showed it to this process
	hostLost     time.Time // zero while the line stands
	hostRelayDue time.Time // when the host needs new credentials; zero: it has none
	restarted    bool      // the server was away in between

	seq     uint64 // the last HostEvent taken
	durable uint64 // the last one acknowledged
	tally   tally

	reason   mfpb.Reason
	by       by
	ender    audit.Actor
	why      string // in the words of a supervisor who ended it
	endedBy  string // and their name
	ended    time.Time
	deadline time.Time // for the host's close
	close    *mfpb.HostClose
	finished bool // the last job is queued
}

// openSession writes the session into the log (C9) and then tells both sides.
func (d *Desk) openSession(c *claim) {
	now := d.cfg.Now()
	secret := make([]byte, wire.ResumeSize)
	rand.Read(secret) // never fails since Go 1.24
	s := &session{
		desk: d, id: ulid.MustNew(ulid.Timestamp(now), rand.Reader).String(), ticket: c.ticket,
		key: c.hostKey, started: now, host: c.host, hostToken: sha256.Sum256(secret), hostSecret: secret,
		tally: tally{Used: map[string]int64{}},
	}
	wanted := d.policy()
	s.tally.Used["chat"] = int64(slices.Index(chats, wanted.Chat))
	creates := s.ticket.ID == "" && wanted.Ticket == tickets.TicketCreated
	if creates {
		s.ticket.ID = ulid.MustNew(ulid.Timestamp(now), rand.Reader).String()
	}
	s.bound()
	s.journal = &journal{desk: d, patient: true}
	p, token := s.newParticipant(c, leads, now)
	c.host.session = s
	d.sessions[s.id] = s

	requested := s.event("session.requested", "ok", p.tech, nil)
	requested.Time = c.began
	paired := s.event("session.paired", "ok", p.tech, map[string]any{
		"host_key": base64.StdEncoding.EncodeToString(s.key), "signed_in": p.method,
	})
	paired.Personal = map[string]any{
		"technician": wire.Clean(p.name), "viewer_address": c.viewer.addr.String(),
		"host_address": c.host.addr.String(), "host_software": c.host.software,
	}
	if name := wire.Clean(s.ticket.Requester); name != "" {
		paired.Personal["person"] = name
	}
	events := []audit.Event{requested, paired}
	if len(s.ruledOut) > 0 || !s.ends.IsZero() {
		minutes := 0
		if !s.ends.IsZero() {
			minutes = int(s.ends.Sub(s.started) / time.Minute)
		}
		events = append(events, s.event("session.bounded", "ok", audit.Actor{Kind: "system"}, map[string]any{
			"ruled_out": strings.Join(s.ruledOut, "+"), "minutes": minutes,
		}))
	}
	system := audit.Actor{Kind: "system"}
	made := s.ticket
	switch {
	case creates:
		events = append(events, s.event("ticket.created", "ok", system, nil), s.event("ticket.linked", "ok", system, nil))
	case s.ticket.ID == "":
		events = append(events, s.event("ticket.none", "ok", system, nil))
	default:
		events = append(events, s.event("ticket.linked", "ok", system, nil))
	}
	s.journal.add(job{
		events: events,
		also: func(tx store.Tx, first int64) (err error) {
			if creates {
				if made, err = d.cfg.Create(tx, s.ticket.ID, c.host.lang); err != nil {
					return err
				}
			}
			return s.insert(tx, first)
		},
		once: true,
		done: func(err error) {
			if err != nil {
				s.unopened()
				return
			}
			s.ticket = made
			if s.state == opening { // else it is ending already: signed out meanwhile
				s.state = open
				s.seat(c, p, token)
			}
		},
	})
}

// bound takes from the session what the policy of this moment does not give.
func (s *session) bound() {
	if s.desk.cfg.Bounds == nil {
		return
	}
	out, life := s.desk.cfg.Bounds()
	s.ruledOut = slices.Clone(out)
	if life > 0 {
		s.ends = s.started.Add(life)
	}
}

// endsIn is how many seconds are left of a session that has an end; 0: it has none.
func (s *session) endsIn() uint32 {
	if s.ends.IsZero() {
		return 0
	}
	return uint32(max(1, (s.ends.Sub(s.desk.cfg.Now())+time.Second-1)/time.Second))
}

// event begins an event of this session, by the server's clock.
func (s *session) event(typ, outcome string, who audit.Actor, data map[string]any) audit.Event {
	now := s.desk.cfg.Now()
	e := audit.Event{
		Type: typ, Session: s.id, Outcome: outcome, Actor: who, Origin: "server",
		Time: now, MonoMS: max(0, now.Sub(s.started).Milliseconds()), Data: data,
	}
	if audit.IsToken(s.ticket.ID) {
		e.Ticket = s.ticket.ID
	}
	return e
}

// unopened: the log did not take the session, so there is none.
func (s *session) unopened() {
	told := s.state != opening
	s.state = over
	s.journal.jobs = nil // the end of what never was
	delete(s.desk.sessions, s.id)
	if s.host != nil {
		s.host.session, s.host.had = nil, true
		if !told {
			s.host.end(mfpb.Reason_REASON_LOG_UNAVAILABLE)
		}
	}
	for _, p := range s.participants {
		if v := p.vacate(); v != nil && !told {
			v.end(mfpb.Reason_REASON_LOG_UNAVAILABLE)
		}
	}
}

// lostHost: the host's line is gone. The session waits for it.
func (s *session) lostHost(h *host) {
	if s.host != h {
		return // replaced by a resume
	}
	s.host, s.hostLost = nil, s.desk.cfg.Now()
	s.changed()
	switch s.state {
	case open:
		s.line("session.paused", nil)
		s.sayHostToAll(false)
	case ending:
		s.finish()
	}
}

// line logs that a participant's line went or came back; nil: the host's.
func (s *session) line(typ string, p *participant) {
	if s.desk.closed {
		return // every line goes; the sessions go on
	}
	data := map[string]any{"line": "host"}
	if p != nil {
		data = map[string]any{"line": "viewer", "participant": p.id()}
	}
	s.journal.add(job{events: []audit.Event{s.event(typ, "ok", audit.Actor{Kind: "system"}, data)}})
}

// sweep looks at the session's deadlines.
func (s *session) sweep(now time.Time) {
	after := func(since time.Time, d time.Duration) bool { return !since.IsZero() && now.Sub(since) >= d }
	switch s.state {
	case opening:
		if after(s.journal.since, s.desk.cfg.LogGrace) { // the database does not even say no
			s.end(mfpb.Reason_REASON_LOG_UNAVAILABLE, byServer)
		}
	case open:
		if after(s.journal.since, s.desk.cfg.LogGrace) {
			s.end(mfpb.Reason_REASON_LOG_UNAVAILABLE, byServer)
			return
		}
		if !s.ends.IsZero() && !now.Before(s.ends) { // C126
			s.end(mfpb.Reason_REASON_TIME_UP, byServer)
			return
		}
		late := func(since time.Time) bool { return after(since, s.desk.cfg.Grace) }
		if late(s.hostLost) {
			r := mfpb.Reason_REASON_HOST_GONE
			if s.restarted && !slices.ContainsFunc(s.participants, func(p *participant) bool { return p.state == in && !late(p.lost) }) {
				r = mfpb.Reason_REASON_SERVER_GONE
			}
			s.end(r, byServer)
			return
		}
		// Experts before the lead: who is away as long does not become the lead.
		for _, p := range slices.Backward(s.participants) {
			if late(p.lost) {
				s.leave(p, mfpb.Reason_REASON_VIEWER_GONE, byServer)
			}
		}
		s.renewRelays(now)
	case ending:
		if now.After(s.deadline) {
			s.finish()
		}
	}
}

// hostClose is the host's own, signed end.
func (s *session) hostClose(m *mfpb.HostClose) mfpb.Reason {
	switch {
	case s.state == opening || m.Events > maxCount || m.DurationMs > maxCount:
		return mfpb.Reason_REASON_PROTOCOL
	case s.state == over || s.finished:
		return 0
	case m.DurationMs < 0 || !ed25519.Verify(s.key, wire.CloseMessage(s.id, m.Reason, m.Events, m.DurationMs), m.Signature):
		return mfpb.Reason_REASON_PROTOCOL
	}
	if _, known := mfpb.Reason_name[int32(m.Reason)]; !known || m.Reason == 0 {
		return mfpb.Reason_REASON_PROTOCOL
	}
	s.close = m
	s.end(m.Reason, byHost)
	s.finish()
	return 0
}

// end is endAs without a person behind it.
func (s *session) end(r mfpb.Reason, who by) { s.endAs(r, who, audit.Actor{Kind: "system"}) }

// endAs tells all sides that the session is over and why; the first reason
// stands. The host has a moment to send what it still holds; the viewers are
// free at once.
func (s *session) endAs(r mfpb.Reason, who by, actor audit.Actor) {
	if s.state >= ending {
		return
	}
	now := s.desk.cfg.Now()
	s.state, s.reason, s.by, s.ender, s.ended = ending, r, who, actor, now
	s.deadline = now.Add(s.desk.cfg.Closing)
	s.changed()
	if s.host != nil {
		s.desk.takeDown(s.host, mfpb.Reason_REASON_CODE_EXPIRED)
		s.host.end(r)
	}
	for _, p := range s.participants {
		if v := p.vacate(); v != nil {
			v.end(r)
		}
	}
	s.relayDone("")
	if s.host == nil {
		s.finish()
	}
}

// finish queues the last transaction: the end in the log, the row, a checkpoint
// and the note, all or nothing.
func (s *session) finish() {
	if s.finished {
		return
	}
	s.finished = true
	var events []audit.Event
	gap := func(data map[string]any) {
		events = append(events, s.event("log.gap", "fail", audit.Actor{Kind: "system"}, data))
	}
	if c := s.close; c != nil {
		if c.Events != s.seq {
			gap(map[string]any{"after": s.seq, "host_events": c.Events})
		}
		e := s.event("host.closed", "ok", audit.Actor{Kind: "system"}, map[string]any{
			"reason": wire.Name(c.Reason), "events": c.Events, "duration_ms": c.DurationMs,
			"signature": base64.StdEncoding.EncodeToString(c.Signature),
		})
		e.Origin = "host"
		events = append(events, e)
	} else {
		gap(map[string]any{"after": s.seq, "why": "no_signed_close"})
	}
	who := s.ender
	if s.by == byHost && persons(s.reason) {
		who = audit.Actor{Kind: "person"}
	}
	last := s.event("session.ended", "ok", who, map[string]any{
		"reason": wire.Name(s.reason), "by": string(s.by),
		"duration_ms": s.duration().Milliseconds(), "host_events": s.seq,
	})
	if s.why != "" {
		last.Personal = map[string]any{"text": s.why}
	}
	last.Time, last.MonoMS = s.ended, s.duration().Milliseconds()
	events = append(events, last)
	n := int64(len(events))
	s.journal.must(job{
		events: events,
		also:   func(tx store.Tx, first int64) error { return s.last(tx, first+n-1) },
		done:   s.finishedWith,
	})
}

func (s *session) duration() time.Duration { return max(0, s.ended.Sub(s.started)) }

// last is the rest of the last transaction; index is that of session.ended.
func (s *session) last(tx store.Tx, index int64) error {
	if err := s.settle(tx); err != nil {
		return err
	}
	point, err := s.desk.cfg.Log.CheckpointTx(tx)
	if err != nil {
		return err
	}
	sum := s.summary()
	sum.LogIndex, sum.CheckpointRoot = index, point.RootText()
	if link := s.desk.cfg.Link; link != nil {
		sum.Link = link(s.id)
	}
	if s.ticket.ID == "" {
		return nil // as ticket.none says
	}
	files, err := s.told(tx, &sum)
	if err != nil {
		return err
	}
	note := sum.Note(s.ticket.Lang)
	note.Files = files
	note.Public = s.desk.policy().Note == tickets.NotePublic
	err = s.desk.cfg.Outbox.EnqueueTx(tx, s.ticket.ID, note)
	if errors.Is(err, tickets.ErrInvalid) || errors.Is(err, tickets.ErrTooLarge) {
		// It would be so the next time too, and the end must stand.
		s.desk.cfg.Logger.Error("the note of a session cannot be written", "session", s.id, "error", err)
		return nil
	}
	return err
}

// finishedWith hears how the last transaction went.
func (s *session) finishedWith(err error) {
	d := s.desk
	delete(d.sessions, s.id)
	s.state = over
	if s.host != nil && s.host.session == s {
		s.host.session = nil
	}
	if err != nil {
		return // the server is stopping; the next one takes the session up and ends it
	}
	d.cfg.Outbox.Wake()
}
