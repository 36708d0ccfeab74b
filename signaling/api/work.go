package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/identity"
	"github.com/mainforte/mainforte/signaling/queue"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// assigned is the event that the one who called works on a ticket from now on.
func (s *Server) assigned(c *call, ticket string) audit.Event {
	e := s.event(c, "ticket.assigned", ticket)
	e.Data = map[string]any{"user": c.in.User.ID}
	return e
}

// recall is a ticket as it was when last seen; no desk is asked. One that is remembered
// no more still has its number.
func (s *Server) recall(ctx context.Context, id string) (tickets.Ticket, error) {
	t, err := s.tickets.Recall(ctx, id)
	if errors.Is(err, tickets.ErrNotFound) {
		_, number := tickets.Split(id)
		return tickets.Ticket{ID: id, Number: number, Subject: number, Lang: "en", Open: true, Remembered: true}, nil
	}
	return t, err
}

// queue is what the one who asks works on, or their teams do, as it was when last
// seen: what is due first stands first.
func (s *Server) queue(w http.ResponseWriter, c *call) error {
	team := false
	switch c.URL.Query().Get("whose") {
	case "", "mine":
	case "team":
		team = true
	default:
		return errInvalidState
	}
	ids, err := s.given.Given(c.Context(), c.in.User.ID, team)
	if err != nil {
		return err
	}
	list := []tickets.Ticket{}
	for _, id := range ids {
		t, err := s.recall(c.Context(), id) // never seen, it is a number still: nobody's ticket vanishes
		if err != nil {
			return err
		}
		if t.Open {
			list = append(list, t)
		}
	}
	slices.SortStableFunc(list, byDue)
	out, err := s.ticketsOf(c, list...)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{"tickets": out, "now": time.Now().UTC()})
	return nil
}

// byDue is the order of what there is to do: what is due, the soonest first, then the
// more urgent.
func byDue(a, b tickets.Ticket) int {
	never := func(t tickets.Ticket) int {
		if t.Due.IsZero() {
			return 1
		}
		return 0
	}
	return cmp.Or(never(a)-never(b), a.Due.Compare(b.Due), int(b.Priority-a.Priority))
}

type transferAnswer struct {
	ID      string        `json:"id"`
	Ticket  ticketAnswer  `json:"ticket"`
	From    string        `json:"from"` // name
	To      string        `json:"to"`   // name of a user or a team
	Team    bool          `json:"team"`
	Note    string        `json:"note"`
	Back    bool          `json:"back"`
	Created time.Time     `json:"created"`
	Mine    bool          `json:"mine"`   // handed to the one who asks, or a team of theirs
	Orphan  bool          `json:"orphan"` // nobody to whom it was handed can take it any more
	Taken   *takenAnswer  `json:"taken"`
	Live    *livingAnswer `json:"live"`
}

type takenAnswer struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// livingAnswer is the session of a ticket that is open now. Only an invite code lets
// anybody into it.
type livingAnswer struct {
	Lead string `json:"lead"` // name of who leads it, and can make a code
}

func (s *Server) transfersOf(c *call, list []queue.Transfer) ([]transferAnswer, error) {
	out := make([]transferAnswer, len(list))
	lead := map[string]string{}
	for _, l := range s.desk.Live() {
		for _, p := range l.Participants {
			if p.Leads {
				lead[l.TicketID] = p.Technician
			}
		}
	}
	known := make([]tickets.Ticket, len(list))
	for i, t := range list {
		var err error
		if known[i], err = s.recall(c.Context(), t.Ticket); err != nil {
			return nil, err
		}
	}
	shown, err := s.ticketsOf(c, known...)
	if err != nil {
		return nil, err
	}
	for i, t := range list {
		a := transferAnswer{
			ID: t.ID, Ticket: shown[i], From: t.FromName, To: t.ToName, Team: t.Team != "", Note: t.Note, Back: t.Back,
			Created: t.Created.UTC(), Mine: t.Mine, Orphan: t.By == "" && t.Orphan,
		}
		if t.By != "" {
			a.Taken = &takenAnswer{t.ByName, t.Settled.UTC()}
		}
		if by, ok := lead[t.Ticket]; ok {
			a.Live = &livingAnswer{by}
		}
		out[i] = a
	}
	return out, nil
}

// work is what is handed to the one who asks, what they handed over, and whether they
// say to be away.
func (s *Server) work(w http.ResponseWriter, c *call) error {
	toTake, sent, err := s.given.For(c.Context(), c.in.User.ID)
	if err != nil {
		return err
	}
	away, err := s.house.users.Away(c.Context(), c.in.User.ID)
	if err != nil {
		return err
	}
	mine, err := s.transfersOf(c, toTake)
	if err != nil {
		return err
	}
	theirs, err := s.transfersOf(c, sent)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{"to_take": mine, "sent": theirs, "away": away, "now": time.Now().UTC()})
	return nil
}

// tellTransfer tells those whom a transfer concerns; everybody, where those cannot be
// known.
func (s *Server) tellTransfer(c *call, list ...queue.Transfer) {
	for _, t := range list {
		users, all, err := s.given.Concerns(context.WithoutCancel(c.Context()), t)
		if err != nil || all {
			users = nil
		}
		s.news.tell(newsItem{Kind: newsWork, among: users})
		s.news.tell(newsItem{Kind: newsWork, role: identity.Supervisor})
		s.news.tell(newsItem{Ticket: t.Ticket, Kind: tickets.HookChanged})
	}
}

// handOver hands a ticket to a person or a team.
func (s *Server) handOver(w http.ResponseWriter, c *call) error {
	var in struct {
		User string `json:"user"`
		Team string `json:"team"`
		Note string `json:"note"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	if err := queue.CheckNote(in.Note, true); err != nil {
		return err
	}
	note, err := tickets.CleanNote(in.Note)
	if err != nil {
		return err
	}
	if note == "" {
		return errNoteNeeded
	}
	id := c.PathValue("id")
	t, err := s.tickets.Get(c.Context(), id)
	if err != nil && asProblem(err).status >= http.StatusInternalServerError {
		if known, e := s.tickets.Recall(c.Context(), id); e == nil {
			t, err = known, nil // its desk is away: colleagues are not
		}
	}
	switch {
	case err != nil:
		return err
	case !t.Open:
		return errTicketClosed
	}
	var x queue.Transfer
	err = s.house.store.Update(c.Context(), func(tx store.Tx) (err error) {
		x, err = s.given.HandTx(tx, queue.Transfer{Ticket: t.ID, From: c.in.User.ID, User: in.User, Team: in.Team, Note: note})
		if err != nil {
			return err
		}
		e := s.event(c, "ticket.transferred", t.ID)
		e.Data = map[string]any{"transfer": x.ID}
		if x.User != "" {
			e.Data["user"] = x.User
		} else {
			e.Data["team"] = x.Team
		}
		_, err = s.house.audit.AppendTx(tx, e)
		return err
	})
	if err != nil {
		return err
	}
	s.tellTransfer(c, x)
	answer(w, http.StatusCreated, map[string]any{"id": x.ID})
	return nil
}

// noteTx writes what was said about a transfer into its ticket, privately.
func (s *Server) noteTx(tx store.Tx, c *call, x queue.Transfer, text string) error {
	note := tickets.Note{Key: tickets.HandedMarker(x.ID), Author: "Mainforte", Lang: c.lang, Text: text}
	if desk, _ := tickets.Split(x.Ticket); desk == tickets.LocalName {
		_, err := s.house.local.AppendTx(tx, x.Ticket, note)
		return err
	}
	return s.outbox.EnqueueTx(tx, x.Ticket, note)
}

// takeTransfer gives a ticket to the first who takes it. It opens no session and lets
// nobody into one.
func (s *Server) takeTransfer(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	var x queue.Transfer
	err := s.house.store.Update(c.Context(), func(tx store.Tx) (err error) {
		if x, err = s.given.TakeTx(tx, c.PathValue("id"), c.in.User.ID); err != nil {
			return err
		}
		if !x.Back { // why it came back was written when it did
			if err := s.noteTx(tx, c, x, tickets.Handed(c.lang, x.FromName, x.ToName, c.in.User.Name, x.Note)); err != nil {
				return err
			}
		}
		e := s.event(c, "ticket.transfer_taken", x.Ticket)
		e.Data = map[string]any{"transfer": x.ID, "user": x.From}
		_, err = s.house.audit.AppendTx(tx, e)
		return err
	})
	if err != nil {
		return err
	}
	s.outbox.Wake()
	s.tellTransfer(c, x)
	t, err := s.recall(c.Context(), x.Ticket)
	if err != nil {
		return err
	}
	out, err := s.ticketsOf(c, t)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{"ticket": out[0]})
	return nil
}

// returnTransfer hands a ticket back to who handed it over, with a note.
func (s *Server) returnTransfer(w http.ResponseWriter, c *call) error {
	var in struct {
		Note string `json:"note"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	if err := queue.CheckNote(in.Note, true); err != nil {
		return err
	}
	note, err := tickets.CleanNote(in.Note)
	if err != nil {
		return err
	}
	if note == "" {
		return errNoteNeeded
	}
	var was, back queue.Transfer
	err = s.house.store.Update(c.Context(), func(tx store.Tx) (err error) {
		if was, back, err = s.given.ReturnTx(tx, c.PathValue("id"), c.in.User.ID, note); err != nil {
			return err
		}
		if err := s.noteTx(tx, c, was, tickets.HandedBack(c.lang, was.FromName, was.ToName, c.in.User.Name, was.Note, note)); err != nil {
			return err
		}
		e := s.event(c, "ticket.transfer_returned", was.Ticket)
		e.Data = map[string]any{"transfer": was.ID, "back": back.ID, "user": was.From}
		_, err = s.house.audit.AppendTx(tx, e)
		return err
	})
	if err != nil {
		return err
	}
	s.outbox.Wake()
	s.tellTransfer(c, was, back)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// undoTransfer takes a ticket back that nobody has taken yet.
func (s *Server) undoTransfer(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	var x queue.Transfer
	err := s.house.store.Update(c.Context(), func(tx store.Tx) (err error) {
		if x, err = s.given.UndoTx(tx, c.PathValue("id"), c.in.User.ID); err != nil {
			return err
		}
		e := s.event(c, "ticket.transfer_undone", x.Ticket)
		e.Data = map[string]any{"transfer": x.ID}
		_, err = s.house.audit.AppendTx(tx, e)
		return err
	})
	if err != nil {
		return err
	}
	s.tellTransfer(c, x)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// takeTicket makes a ticket the caller's on which nobody works.
func (s *Server) takeTicket(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	t, err := s.tickets.Get(c.Context(), c.PathValue("id"))
	switch {
	case err != nil:
		return err
	case !t.Open:
		return errTicketClosed
	}
	changed := false
	err = s.house.store.Update(c.Context(), func(tx store.Tx) (err error) {
		if changed, err = s.given.GiveTx(tx, t.ID, c.in.User.ID); err != nil || !changed {
			return err
		}
		_, err = s.house.audit.AppendTx(tx, s.assigned(c, t.ID))
		return err
	})
	if err != nil {
		return err
	}
	if changed {
		s.news.tell(newsItem{Ticket: t.ID, Kind: tickets.HookChanged})
	}
	return s.ticketIs(w, c, http.StatusOK, t)
}

// setUrgency says how urgent a ticket of the embedded desk is, and until when it is
// due; other desks say it themselves.
func (s *Server) setUrgency(w http.ResponseWriter, c *call) error {
	var in struct {
		Priority *string    `json:"priority"`
		Due      *time.Time `json:"due"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	if in.Priority == nil {
		return errInvalidUrgency
	}
	p, ok := tickets.ParsePriority(*in.Priority)
	if !ok {
		return errInvalidUrgency
	}
	var due time.Time
	if in.Due != nil {
		due = *in.Due
	}
	id, err := embedded(c.PathValue("id"))
	if err != nil {
		return err
	}
	var t tickets.Ticket
	var changed bool
	err = s.house.store.Update(c.Context(), func(tx store.Tx) (err error) {
		if t, changed, err = s.house.local.SetUrgencyTx(tx, id, p, due); err != nil || !changed {
			return err
		}
		e := s.event(c, "ticket.urgency_set", t.ID)
		e.Data = map[string]any{"priority": cmp.Or(p.String(), "none"), "due": "none"}
		if !t.Due.IsZero() {
			e.Data["due"] = t.Due.Format(time.RFC3339)
		}
		_, err = s.house.audit.AppendTx(tx, e)
		return err
	})
	if errors.Is(err, tickets.ErrInvalid) {
		return errInvalidUrgency
	}
	if err != nil {
		return err
	}
	if changed {
		s.news.tell(newsItem{Ticket: t.ID, Kind: tickets.HookChanged})
	}
	return s.ticketIs(w, c, http.StatusOK, t)
}

// goneAfter is how long after their last page somebody counts as there.
const goneAfter = 10 * time.Minute

type colleagueAnswer struct {
	ID    string        `json:"id"`
	Name  string        `json:"name"`
	Role  identity.Role `json:"role"`
	State string        `json:"state"` // "available", "away" (they say so) or "gone" (they have no page open)
	Since *time.Time    `json:"since"` // they say to be away
	Teams []string      `json:"teams"` // ids
	Me    bool          `json:"me"`
}

type crewAnswer struct {
	teamAnswer
	Available int `json:"available"` // members
}

// colleagues are who works on tickets, those who are there first, and the teams.
func (s *Server) colleagues(w http.ResponseWriter, c *call) error {
	list, err := s.house.users.Colleagues(c.Context())
	if err != nil {
		return err
	}
	teams, err := s.house.users.Teams(c.Context())
	if err != nil {
		return err
	}
	listening, now := s.news.listeners(), time.Now()
	out := make([]colleagueAnswer, len(list))
	free := map[string]int{}
	for i, p := range list {
		a := colleagueAnswer{p.ID, p.Name, p.Role, "available", unless(p.Away), p.Teams, p.ID == c.in.User.ID}
		switch {
		case !listening[p.ID] && now.Sub(p.Seen) > goneAfter:
			a.State = "gone"
		case !p.Away.IsZero():
			a.State = "away"
		}
		if a.Teams == nil {
			a.Teams = []string{}
		}
		if a.State == "available" {
			for _, t := range p.Teams {
				free[t]++
			}
		}
		out[i] = a
	}
	order := []string{"available", "away", "gone"}
	slices.SortStableFunc(out, func(a, b colleagueAnswer) int {
		return slices.Index(order, a.State) - slices.Index(order, b.State)
	})
	crews := make([]crewAnswer, len(teams))
	for i, t := range teams {
		crews[i] = crewAnswer{teamOf(t), free[t.ID]}
	}
	answer(w, http.StatusOK, map[string]any{"colleagues": out, "teams": crews})
	return nil
}

// setAvailability keeps whether the caller says to be away. It forbids nothing.
func (s *Server) setAvailability(w http.ResponseWriter, c *call) error {
	var in struct {
		Away *bool `json:"away"`
	}
	if err := read(w, c, &in); err != nil {
		return err
	}
	if in.Away == nil {
		return errBadJSON
	}
	if err := s.house.users.SetAway(c.Context(), c.in.User.ID, *in.Away); err != nil {
		return err
	}
	s.news.tell(newsItem{Kind: newsPeople})
	w.WriteHeader(http.StatusNoContent)
	return nil
}
