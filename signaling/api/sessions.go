package api

import (
	"encoding/base64"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/pairing"
)

type shortSession struct {
	ID         string     `json:"id"`
	Technician string     `json:"technician"`
	Started    time.Time  `json:"started"`
	Ended      *time.Time `json:"ended"`
	Reason     *string    `json:"reason"`
}

type sessionAnswer struct {
	shortSession
	Ticket       sessionTicket       `json:"ticket"`
	Participants []participantAnswer `json:"participants"`
	Events       int64               `json:"events"`
	Reported     bool                `json:"reported"` // the person says that something was wrong
}

type participantAnswer struct {
	ID         string     `json:"id"`
	Technician string     `json:"technician"`
	Kind       string     `json:"kind"`
	Joined     time.Time  `json:"joined"`
	Left       *time.Time `json:"left"`
	Reason     *string    `json:"reason"`
}

type sessionTicket struct {
	ID      string `json:"id"`
	Number  string `json:"number"`
	Subject string `json:"subject"`
}

func shortOf(r pairing.Record) shortSession {
	a := shortSession{ID: r.ID, Technician: r.TechnicianName, Started: r.Started.UTC()}
	if !r.Ended.IsZero() {
		t := r.Ended.UTC()
		a.Ended, a.Reason = &t, &r.Reason
	}
	return a
}

func sessionOf(r pairing.Record) sessionAnswer {
	a := sessionAnswer{shortOf(r), sessionTicket{r.TicketID, r.TicketNumber, r.TicketSubject}, make([]participantAnswer, len(r.Participants)), r.Events, r.Reported}
	for i, p := range r.Participants {
		a.Participants[i] = participantAnswer{ID: p.ID, Technician: p.TechnicianName, Kind: p.Kind, Joined: p.Joined.UTC()}
		if !p.Left.IsZero() {
			t := p.Left.UTC()
			a.Participants[i].Left, a.Participants[i].Reason = &t, &p.Reason
		}
	}
	return a
}

// filter is which sessions are asked for.
func (s *Server) filter(c *call) (f pairing.Filter, err error) {
	q := c.URL.Query()
	f = pairing.Filter{Query: q.Get("q"), Before: q.Get("before"), Live: q.Get("live") == "1", Grant: q.Get("grant"), Reason: q.Get("reason")}
	for name, at := range map[string]*time.Time{"from": &f.From, "until": &f.Until} {
		if text := q.Get(name); text != "" {
			if *at, err = time.Parse(time.RFC3339, text); err != nil {
				return f, errInvalidFilter
			}
		}
	}
	for _, word := range []string{f.Grant, f.Reason} {
		if word != "" && !audit.IsToken(word) {
			return f, errInvalidFilter
		}
	}
	// What happened in a session is only looked through for who may read it.
	reads := identity.Authorize("GET /api/v1/sessions/{id}/events", c.user()) == nil
	if f.Grant != "" && !reads {
		return f, errNotAllowed
	}
	if f.Query != "" && reads {
		f.Found, err = s.house.audit.Search(c.Context(), f.Query, f.Before, audit.MaxFound)
	}
	return f, err
}

func (s *Server) listSessions(w http.ResponseWriter, c *call) error {
	f, err := s.filter(c)
	if err != nil {
		return err
	}
	list, more, err := pairing.Records(c.Context(), s.house.store, f)
	if err != nil {
		return err
	}
	out := make([]sessionAnswer, len(list))
	for i, r := range list {
		out[i] = sessionOf(r)
	}
	answer(w, http.StatusOK, map[string]any{"sessions": out, "more": more})
	return nil
}

// endSession ends a session that is open: a supervisor any, with a reason in words
// that stands in the log and in the note; a technician the one that he leads.
func (s *Server) endSession(w http.ResponseWriter, c *call) error {
	var in struct {
		Why string `json:"why"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	if utf8.RuneCountInString(in.Why) > pairing.MaxWhy {
		return errWhyLong
	}
	if err := s.desk.End(c.PathValue("id"), c.in.User, in.Why); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type actorAnswer struct {
	Kind string  `json:"kind"`
	Ref  string  `json:"ref"`
	Name *string `json:"name"`
}

type eventAnswer struct {
	Index    int64          `json:"index"`
	Time     time.Time      `json:"time"`
	Type     string         `json:"type"`
	Outcome  string         `json:"outcome"`
	Actor    actorAnswer    `json:"actor"`
	Origin   string         `json:"origin"`
	MonoMS   int64          `json:"mono_ms"`
	Data     map[string]any `json:"data"`
	Personal any            `json:"personal"` // object, "purged", "sealed" (unreadable), or null
	Leaf     string         `json:"leaf"`
}

// sessionEvents shows one session's events, and logs who looked before it does.
func (s *Server) sessionEvents(w http.ResponseWriter, c *call) error {
	id := c.PathValue("id")
	shown, err := s.record(c)
	if err != nil {
		return err
	}
	look := s.event(c, "log.viewed", shown.TicketID)
	look.Session = id
	if _, err := s.house.audit.Append(c.Context(), look); err != nil {
		return err
	}
	events, err := s.house.audit.Events(c.Context(), id)
	if err != nil {
		return err
	}
	point, err := s.house.audit.Latest(c.Context())
	if err != nil {
		return err
	}
	refs := make([]string, len(events))
	for i, e := range events {
		refs[i] = e.Actor.Ref
	}
	names, err := s.house.users.Names(c.Context(), refs)
	if err != nil {
		return err
	}
	out := make([]eventAnswer, len(events))
	for i, e := range events {
		out[i] = eventOf(e, names)
	}
	shown.Events = int64(len(events))
	answer(w, http.StatusOK, map[string]any{
		"session": sessionOf(shown),
		"events":  out,
		"tree":    map[string]any{"size": point.Size, "root": point.RootText()},
	})
	return nil
}

func eventOf(e audit.Record, names map[string]string) eventAnswer {
	a := eventAnswer{
		Index: e.Index, Time: e.Time.UTC(), Type: e.Type, Outcome: e.Outcome,
		Actor:  actorAnswer{Kind: e.Actor.Kind, Ref: e.Actor.Ref},
		Origin: e.Origin, MonoMS: e.MonoMS, Data: e.Data,
		Leaf: base64.StdEncoding.EncodeToString(e.Hash[:]),
	}
	if n, ok := names[e.Actor.Ref]; ok {
		a.Actor.Name = &n
	}
	if a.Data == nil {
		a.Data = map[string]any{}
	}
	switch e.State {
	case audit.Present:
		a.Personal = e.Personal
	case audit.Purged:
		a.Personal = "purged"
	case audit.Missing:
		a.Personal = "sealed"
	}
	return a
}
