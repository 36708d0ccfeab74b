package pairing

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
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
	byHost   by = "host"
	byViewer by = "viewer"
	byServer by = "server"
)

// session from Paired to its last transaction. Guarded by the desk's mutex; what
// must be durable goes through its journal.
type session struct {
	desk    *Desk
	journal *journal

	id      string
	ticket  tickets.Ticket
	tech    audit.Actor
	name    string // of the technician
	method  string // how the technician had signed in
	key     ed25519.PublicKey
	started time.Time

	hostToken, viewerToken [sha256.Size]byte

	state      state
	host       *host
	viewer     *viewer
	hostLost   time.Time // zero while the line stands
	viewerLost time.Time
	restarted  bool // the server was away in between

	seq     uint64 // the last HostEvent taken
	durable uint64 // the last one acknowledged
	tally   tally

	reason   mfpb.Reason
	by       by
	ended    time.Time
	deadline time.Time // for the host's close
	close    *mfpb.HostClose
	finished bool // the last job is queued
}

// tally is what the note to the ticket says.
type tally struct {
	Grants []tickets.Granted `json:"grants"`
	Used   map[string]int64  `json:"used"`
}

// openSession writes the session into the log (C9) and then tells both sides.
func (d *Desk) openSession(c *claim) {
	now := d.cfg.Now()
	var tokens [2][wire.ResumeSize]byte
	rand.Read(tokens[0][:])
	rand.Read(tokens[1][:])
	user := c.viewer.in.User
	s := &session{
		desk: d, id: ulid.MustNew(ulid.Timestamp(now), rand.Reader).String(), ticket: c.ticket,
		tech: audit.Actor{Kind: string(user.Role), Ref: user.ID}, name: user.Name, method: c.viewer.in.Method,
		key: c.hostKey, started: now, host: c.host, viewer: c.viewer,
		hostToken: sha256.Sum256(tokens[0][:]), viewerToken: sha256.Sum256(tokens[1][:]),
		tally: tally{Used: map[string]int64{}},
	}
	s.journal = &journal{desk: d, patient: true}
	c.host.session, c.viewer.session = s, s
	d.sessions[s.id] = s

	requested := s.event("session.requested", "ok", s.tech, nil)
	requested.Time = c.began
	paired := s.event("session.paired", "ok", s.tech, map[string]any{
		"host_key": base64.StdEncoding.EncodeToString(s.key), "signed_in": s.method,
	})
	paired.Personal = map[string]any{
		"technician": wire.Clean(s.name), "viewer_address": c.viewer.addr.String(),
		"host_address": c.host.addr.String(), "host_software": c.host.software,
	}
	s.journal.add(job{
		events: []audit.Event{requested, paired, s.event("ticket.linked", "ok", audit.Actor{Kind: "system"}, nil)},
		also:   s.insert,
		once:   true,
		done: func(err error) {
			if err != nil {
				s.unopened()
				return
			}
			s.opened(c, tokens)
		},
	})
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
	if s.viewer != nil {
		s.viewer.session, s.viewer.had = nil, true
		if !told {
			s.viewer.end(mfpb.Reason_REASON_LOG_UNAVAILABLE)
		}
	}
}

func (s *session) opened(c *claim, tokens [2][wire.ResumeSize]byte) {
	if s.state != opening {
		return // signed out meanwhile: it is ending already
	}
	s.state = open
	if s.host != nil {
		s.host.had = true
		s.host.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Opened{Opened: &mfpb.Opened{
			Session: s.id, ResumeToken: tokens[0][:], Claim: c.id[:],
		}}})
	}
	if s.viewer != nil {
		s.viewer.had = true
		s.viewer.send(&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Opened{Opened: &mfpb.Opened{
			Session: s.id, ResumeToken: tokens[1][:], Claim: c.id[:],
		}}})
	}
	// A line that went while the log was being written is told only now: before
	// Opened there was nothing to tell it about.
	if s.host == nil {
		s.sayHost(false)
	}
	if s.viewer == nil {
		s.sayViewer(false)
	}
}

func (s *session) sayHost(connected bool) {
	if s.viewer != nil {
		s.viewer.send(&mfpb.ServerToViewer{Body: &mfpb.ServerToViewer_Host{Host: &mfpb.HostState{Connected: connected}}})
	}
}

func (s *session) sayViewer(connected bool) {
	if s.host != nil {
		s.host.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_Viewer{Viewer: &mfpb.ViewerState{Connected: connected}}})
	}
}

// lostHost: the host's line is gone. The session waits for it.
func (s *session) lostHost(h *host) {
	if s.host != h {
		return // replaced by a resume
	}
	s.host, s.hostLost = nil, s.desk.cfg.Now()
	switch s.state {
	case open:
		s.line("session.paused", "host")
		s.sayHost(false)
	case ending:
		s.finish()
	}
}

func (s *session) lostViewer(v *viewer) {
	if s.viewer != v {
		return
	}
	s.viewer, s.viewerLost = nil, s.desk.cfg.Now()
	if s.state == open {
		s.line("session.paused", "viewer")
		s.sayViewer(false)
	}
}

// line logs that a side's line went or came back.
func (s *session) line(typ, side string) {
	if s.desk.closed {
		return // every line goes; the sessions go on
	}
	s.journal.add(job{events: []audit.Event{s.event(typ, "ok", audit.Actor{Kind: "system"}, map[string]any{"line": side})}})
}

// sweep looks at the session's deadlines.
func (s *session) sweep(now time.Time) {
	grace := s.desk.cfg.Grace
	late := func(since time.Time) bool { return !since.IsZero() && now.Sub(since) >= grace }
	switch s.state {
	case opening:
		if late(s.journal.since) { // the database does not even say no
			s.end(mfpb.Reason_REASON_LOG_UNAVAILABLE, byServer)
		}
	case open:
		host, viewer := late(s.hostLost), late(s.viewerLost)
		switch {
		case late(s.journal.since):
			s.end(mfpb.Reason_REASON_LOG_UNAVAILABLE, byServer)
		case host && viewer && s.restarted:
			s.end(mfpb.Reason_REASON_SERVER_GONE, byServer)
		case host:
			s.end(mfpb.Reason_REASON_HOST_GONE, byServer)
		case viewer:
			s.end(mfpb.Reason_REASON_VIEWER_GONE, byServer)
		}
	case ending:
		if now.After(s.deadline) {
			s.finish()
		}
	}
}

// maxCount is what a host may count to: numbers in the log stay exact in JSON.
const maxCount = 1 << 53

// hostEvent takes one line of the host's log.
func (s *session) hostEvent(m *mfpb.HostEvent) mfpb.Reason {
	switch {
	case s.state == opening || m.Seq > maxCount:
		return mfpb.Reason_REASON_PROTOCOL
	case s.state == over || s.finished:
		return 0
	case m.Seq <= s.seq:
		// Sent again after a resume; what is durable is acknowledged again.
		if m.Seq == s.durable {
			s.ack()
		}
		return 0
	}
	e, r := s.hostLine(m)
	if r != 0 {
		return r
	}
	events := []audit.Event{e}
	if m.Seq != s.seq+1 {
		gap := s.event("log.gap", "fail", audit.Actor{Kind: "system"}, map[string]any{"after": s.seq, "next": m.Seq})
		events = []audit.Event{gap, e}
	}
	s.seq = m.Seq
	count := s.tally.add(e)
	ok := s.journal.add(job{
		events: events,
		also:   func(tx store.Tx, _ int64) error { return s.progress(tx, m.Seq, count) },
		done: func(err error) {
			switch {
			case err == nil:
				s.durable = m.Seq
				s.ack()
			case !s.desk.closed:
				s.end(mfpb.Reason_REASON_LOG_UNAVAILABLE, byServer)
			}
		},
	})
	if !ok {
		return mfpb.Reason_REASON_RATE_LIMITED
	}
	return 0
}

func (s *session) ack() {
	if s.host != nil {
		s.host.send(&mfpb.ServerToHost{Body: &mfpb.ServerToHost_EventAck{EventAck: &mfpb.EventAck{Seq: s.durable}}})
	}
}

// hostLine turns a HostEvent into an event, if it is one a host may write.
func (s *session) hostLine(m *mfpb.HostEvent) (audit.Event, mfpb.Reason) {
	if len(m.Data) > wire.MaxEventData || len(m.Personal) > wire.MaxEventData {
		return audit.Event{}, mfpb.Reason_REASON_TOO_LARGE
	}
	typ, known := audit.Type(m.Type)
	if known && !typ.Host {
		return audit.Event{}, mfpb.Reason_REASON_PROTOCOL // the server's own words
	}
	e := s.event(m.Type, m.Outcome, s.actor(m.Type), nil)
	if !known {
		// A newer host has more to say than this log has words for.
		e = s.event("log.gap", "fail", audit.Actor{Kind: "system"}, map[string]any{"seq": m.Seq, "why": "unknown_type"})
		return e, 0
	}
	if e.Outcome != "ok" && e.Outcome != "deny" && e.Outcome != "fail" {
		return audit.Event{}, mfpb.Reason_REASON_PROTOCOL
	}
	e.Origin, e.MonoMS = "host", m.MonoMs
	e.Time = time.Unix(0, m.Time)
	if m.MonoMs < 0 || e.Time.Year() < 2000 || e.Time.Year() > 9998 {
		return audit.Event{}, mfpb.Reason_REASON_PROTOCOL
	}
	for _, part := range []struct {
		from []byte
		to   *map[string]any
	}{{m.Data, &e.Data}, {m.Personal, &e.Personal}} {
		if len(part.from) > 0 && json.Unmarshal(part.from, part.to) != nil {
			return audit.Event{}, mfpb.Reason_REASON_PROTOCOL
		}
	}
	clean(e.Personal)
	return e, 0
}

// clean makes the texts of a personal part fit to be shown.
func clean(v any) any {
	switch v := v.(type) {
	case string:
		return wire.Clean(v)
	case map[string]any:
		for k, e := range v {
			v[k] = clean(e)
		}
	case []any:
		for i, e := range v {
			v[i] = clean(e)
		}
	}
	return v
}

// actor of a host's event: the person answers, the technician's hands act.
func (s *session) actor(typ string) audit.Actor {
	switch typ {
	case "consent.granted", "consent.denied", "consent.revoked":
		return audit.Actor{Kind: "person"}
	case "consent.given_back", "control.granted", "control.released", "input.summary":
		return s.tech
	}
	return audit.Actor{Kind: "system"}
}

// maxGrants bounds the answers in a note; a person answers a few.
const maxGrants = 200

// add counts an event and returns the tally as it is then, for its row.
func (t *tally) add(e audit.Event) []byte {
	states := map[string]string{
		"consent.granted": "allowed", "consent.denied": "denied",
		"consent.revoked": "revoked", "consent.given_back": "given_back",
	}
	if st := states[e.Type]; st != "" && len(t.Grants) < maxGrants {
		if name, ok := e.Data["grant"].(string); ok && audit.IsToken(name) {
			t.Grants = append(t.Grants, tickets.Granted{Name: name, State: st, At: e.Time})
		}
	}
	if e.Type == "input.summary" {
		for _, k := range []string{"keys", "clicks"} {
			if n, ok := e.Data[k].(float64); ok && n > 0 && n < 1e9 {
				t.Used[k] += int64(n)
			}
		}
	}
	b, err := json.Marshal(t)
	if err != nil {
		return nil // strings, numbers and times of checked years: cannot be
	}
	return b
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

// end tells both sides that the session is over and why; the first reason
// stands. The host has a moment to send what it still holds.
func (s *session) end(r mfpb.Reason, who by) {
	if s.state >= ending {
		return
	}
	now := s.desk.cfg.Now()
	s.state, s.reason, s.by, s.ended = ending, r, who, now
	s.deadline = now.Add(s.desk.cfg.Closing)
	if s.host != nil {
		s.host.end(r)
	}
	if s.viewer != nil {
		s.viewer.end(r)
	}
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
	who := audit.Actor{Kind: "system"}
	switch {
	case s.by == byViewer:
		who = s.tech
	case s.reason == mfpb.Reason_REASON_PERSON_STOPPED || s.reason == mfpb.Reason_REASON_PERSON_DENIED || s.reason == mfpb.Reason_REASON_HOST_QUIT:
		who = audit.Actor{Kind: "person"}
	}
	last := s.event("session.ended", "ok", who, map[string]any{
		"reason": wire.Name(s.reason), "by": string(s.by),
		"duration_ms": s.duration().Milliseconds(), "host_events": s.seq,
	})
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
	sum := tickets.Summary{
		Session: s.id, Technicians: []string{s.name}, Person: s.ticket.Requester,
		Started: s.started, Duration: s.duration(), Grants: s.tally.Grants,
		Keys: s.tally.Used["keys"], Clicks: s.tally.Used["clicks"],
		Reason: wire.Name(s.reason), HostKey: s.key,
		LogIndex: index, CheckpointRoot: point.RootText(),
	}
	if link := s.desk.cfg.Link; link != nil {
		sum.Link = link(s.id)
	}
	err = s.desk.cfg.Outbox.EnqueueTx(tx, s.ticket.ID, sum.Note(s.ticket.Lang))
	if errors.Is(err, tickets.ErrInvalid) {
		// It would be invalid the next time too, and the end must stand.
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
	if s.host != nil {
		s.host.session = nil
	}
	if s.viewer != nil {
		s.viewer.session = nil
	}
	if err != nil {
		return // the server is stopping; the next one takes the session up and ends it
	}
	d.cfg.Outbox.Wake()
}

// tokenIs compares a resume token with its hash.
func tokenIs(token []byte, hash [sha256.Size]byte) bool {
	sum := sha256.Sum256(token)
	return subtle.ConstantTimeCompare(sum[:], hash[:]) == 1
}
