package pairing

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/internal/wire/mfpb"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

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
	allowed := s.tally.allowed(e)
	count := s.tally.add(e, s.when(e.MonoMS))
	if tells(e.Type) {
		s.changed()
	}
	ok := s.journal.add(job{
		events: events,
		also:   func(tx store.Tx, _ int64) error { return s.progress(tx, m.Seq, count, allowed) },
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
	if grant, _ := e.Data["grant"].(string); e.Type == "consent.granted" && slices.Contains(s.ruledOut, grant) { // C127
		s.desk.cfg.Logger.Error("a host gave what the policy rules out", "session", s.id, "grant", grant)
		s.end(mfpb.Reason_REASON_PROTOCOL, byServer)
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
	gap := func(why string) audit.Event {
		return s.event("log.gap", "fail", audit.Actor{Kind: "system"}, map[string]any{"seq": m.Seq, "why": why})
	}
	if !known {
		return gap("unknown_type"), 0 // a newer host has more to say than this log has words for
	}
	chat := s.chat()
	if m.Type == "chat.line" && chat == tickets.ChatCounted {
		return gap("policy"), 0 // the host was told to keep it to itself
	}
	e := s.event(m.Type, m.Outcome, audit.Actor{Kind: "system"}, nil)
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
	if text, ok := e.Personal["text"].(string); ok && (m.Type == "chat.line" || m.Type == "steps.approved") {
		e.Personal = map[string]any{"text": wire.CleanText(text, wire.ChatLimit)} // longer than a name, with its line breaks
	} else {
		clean(e.Personal)
	}
	if m.Type == "chat.line" {
		// What both sides were told of this line holds for it, whatever the policy is
		// when the note is written.
		delete(e.Data, "noted")
		if chat == tickets.ChatNoted {
			if e.Data == nil {
				e.Data = map[string]any{}
			}
			e.Data["noted"] = true
		}
	}
	e.Actor = s.actor(e)
	return e, 0
}

// chats are where a chat may stay, the least first.
var chats = []tickets.Chat{tickets.ChatCounted, tickets.ChatLogged, tickets.ChatNoted}

// chat is where the chat of the session stays: where the host was told when it
// opened, and where the policy of now allows.
func (s *session) chat() tickets.Chat {
	now := slices.Index(chats, s.desk.policy().Chat)
	if told, ok := s.tally.Used["chat"]; ok {
		now = min(now, int(told))
	}
	return chats[min(max(now, 0), len(chats)-1)]
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

// actor of a host's event: the person answers, the hands of the technician that
// the event names act. An event that names nobody is about the first.
func (s *session) actor(e audit.Event) audit.Actor {
	switch e.Type {
	case "consent.granted", "consent.denied", "consent.revoked", "participant.stopped",
		"marks.wiped", "steps.approved", "steps.refused", "steps.done", "steps.kept":
		return audit.Actor{Kind: "person"}
	case "consent.given_back", "control.granted", "control.released", "control.handed_over", "input.summary", "invite.made",
		"marks.summary", "steps.added":
		id, _ := e.Data["participant"].(string)
		for _, p := range s.participants {
			if p.id() == id || id == "" {
				return p.tech
			}
		}
	}
	return audit.Actor{Kind: "system"}
}

// when is the time of an event that the host places at ms after the session's
// beginning: by the server's clock, whatever that of the host shows.
func (s *session) when(ms int64) time.Time {
	gone := max(0, s.desk.cfg.Now().Sub(s.started))
	return s.started.Add(min(gone, time.Duration(min(ms, int64(maxSession/time.Millisecond)))*time.Millisecond))
}

// maxSession only keeps a forged number of milliseconds from overflowing.
const maxSession = 10_000 * time.Hour

// tally is what the note to the ticket says, counted as the host reports it.
// Participants stand in it by their id.
type tally struct {
	Grants []tickets.Granted
	Used   map[string]int64
	Course []tickets.Moment

	row tallied // of now, made anew only where something changed: a host says much that is not counted
}

// tallied is a tally as it stands in the session's row: JSON.
type tallied struct{ grants, used, course string }

// Bounds of what a note holds; a person answers a few questions, and a line is
// slow now and then.
const (
	maxGrants = 100
	maxCourse = 100
)

// answers are the events that are answers about a grant, and what they say.
var answers = map[string]string{
	"consent.granted": "allowed", "consent.denied": "denied", "consent.revoked": "revoked",
	"consent.given_back": "given_back", "control.handed_over": "handed_over",
}

// allowed is the grant that the person allowed with an event which is yet to be
// counted, "" if none.
func (t *tally) allowed(e audit.Event) string {
	name, _ := e.Data["grant"].(string)
	if answers[e.Type] != "allowed" || len(t.Grants) >= maxGrants || !audit.IsToken(name) {
		return ""
	}
	return name
}

// add counts an event that happened at a time, and returns the tally as it is then.
func (t *tally) add(e audit.Event, at time.Time) tallied {
	text := func(key string) string {
		v, _ := e.Data[key].(string)
		if !audit.IsToken(v) {
			return ""
		}
		return v
	}
	if t.row == (tallied{}) {
		t.row = tallied{grants: list(t.Grants), used: object(t.Used), course: list(t.Course)}
	}
	who := text("participant")
	if st := answers[e.Type]; st != "" && len(t.Grants) < maxGrants {
		if name := text("grant"); name != "" {
			t.Grants = append(t.Grants, tickets.Granted{Name: name, State: st, At: at, Participant: who})
			t.row.grants = list(t.Grants)
		}
	}
	switch e.Type {
	case "input.summary":
		for _, k := range []string{"keys", "clicks"} {
			if n, ok := e.Data[k].(float64); ok && n > 0 && n < 1e9 {
				t.Used[k] += int64(n)
			}
		}
		t.row.used = object(t.Used)
	case "chat.counted":
		for _, k := range []string{"person", "technicians"} {
			if n, ok := e.Data[k].(float64); ok && n > 0 && n < 1e9 {
				t.Used["lines"] += int64(n)
			}
		}
		t.row.used = object(t.Used)
	case "chat.line", "file.received", "file.sent", "steps.approved":
		if t.Used["told"] == 0 { // there is something in the log that the note tells
			t.Used["told"] = 1
			t.row.used = object(t.Used)
		}
	case "session.degraded":
		n, _ := e.Data["value"].(float64)
		if what := text("reason"); what != "" && len(t.Course) < maxCourse {
			t.Course = append(t.Course, tickets.Moment{What: what, Participant: who, Value: int64(max(0, min(n, 1e9))), At: at})
			t.row.course = list(t.Course)
		}
	case "session.restored":
		over := false
		for i := range t.Course {
			if m := &t.Course[i]; m.What == text("reason") && m.Participant == who && m.Until.IsZero() {
				m.Until, over = at, true
			}
		}
		if over {
			t.row.course = list(t.Course)
		}
	case "session.route":
		if what := text("route"); what != "" && len(t.Course) < maxCourse {
			t.Course = append(t.Course, tickets.Moment{What: "route", Participant: who, Route: what, At: at, Until: at})
			t.row.course = list(t.Course)
		}
	}
	return t.row
}

// list is l as JSON, also when it is empty.
func list[T any](l []T) string {
	if len(l) == 0 {
		return "[]"
	}
	return object(l)
}

func object(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null" // strings, numbers and times of checked years: cannot be
	}
	return string(b)
}

// summary is what the note to the ticket is made of.
func (s *session) summary() tickets.Summary {
	sum := tickets.Summary{
		Session: s.id, Person: s.ticket.Requester, Started: s.started, Duration: s.duration(),
		Grants: s.tally.Grants, Course: s.tally.Course,
		Keys: s.tally.Used["keys"], Clicks: s.tally.Used["clicks"], Lines: s.tally.Used["lines"],
		Reason: wire.Name(s.reason), HostKey: s.key, Why: s.why, EndedBy: s.endedBy,
	}
	for _, p := range s.participants {
		if p.state == joining {
			continue // the session ended before it was let in
		}
		left := p.left
		if left.IsZero() {
			left = s.ended
		}
		sum.Participants = append(sum.Participants, tickets.Participant{
			ID: p.id(), Name: p.name, Kind: kinds[p.kind], Joined: p.joined, Left: left,
		})
	}
	return sum
}
