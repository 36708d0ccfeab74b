package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/pairing"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// letterAnswer is a note that is not in its ticket. What it says is in none: that
// is for the ticket's desk, and for who may read the log.
type letterAnswer struct {
	ID       string        `json:"id"`
	Kind     string        `json:"kind"` // "end", "closing", "rated", "waited", "handed" or "appointed"
	Desk     string        `json:"desk"`
	Ticket   sessionTicket `json:"ticket"`
	Session  string        `json:"session"`
	Attempts int64         `json:"attempts"`
	Created  time.Time     `json:"created"`
	Next     *time.Time    `json:"next"`    // of the next try; null: it was given up
	Problem  *said         `json:"problem"` // null: it was not tried yet
	Detail   string        `json:"detail"`  // in the desk's words
	Retry    bool          `json:"retry"`   // there is something left to write
}

// faults are the problems that keep a note from its ticket.
var faults = map[tickets.Fault]*problem{
	tickets.FaultAway: errDeskAway, tickets.FaultBusy: errDeskBusy, tickets.FaultRefuses: errDeskRefuses,
	tickets.FaultForbids: errDeskForbids, tickets.FaultConfig: errDeskConfig, tickets.FaultGone: errNoTicket,
	tickets.FaultClosed: errTicketClosed, tickets.FaultChanged: errTicketChanged, tickets.FaultLarge: errTooLarge,
	tickets.FaultInvalid: errDeskInvalid, tickets.FaultNoDesk: errDeskUnknown, tickets.FaultOther: errInternal,
}

// waitingNotes shows what waits for its ticket, and what was given up.
func (s *Server) waitingNotes(w http.ResponseWriter, c *call) error {
	waiting, err := s.outbox.Waiting(c.Context(), 0)
	if err != nil {
		return err
	}
	dead, err := s.outbox.Dead(c.Context(), 0)
	if err != nil {
		return err
	}
	out := map[string]any{}
	for name, list := range map[string][]tickets.Letter{"waiting": waiting, "dead": dead} {
		if out[name], err = s.letters(c.Context(), c, list); err != nil {
			return err
		}
	}
	answer(w, http.StatusOK, out)
	return nil
}

func (s *Server) letters(ctx context.Context, c *call, list []tickets.Letter) ([]letterAnswer, error) {
	out := make([]letterAnswer, len(list))
	for i, l := range list {
		a := letterAnswer{
			ID: l.ID, Kind: l.Key[strings.LastIndexByte(l.Key, ':')+1:], Desk: l.System, Ticket: sessionTicket{ID: l.Ticket},
			Session: l.Session, Attempts: l.Attempts, Created: l.Created.UTC(), Detail: l.Problem, Retry: !l.Empty,
		}
		// As its session shows the ticket, if it is of one: no desk is asked.
		var held []pairing.Record
		if l.Session != "" {
			var err error
			if held, _, err = pairing.Records(ctx, s.house.store, pairing.Filter{ID: l.Session, Limit: 1}); err != nil {
				return nil, err
			}
		}
		if len(held) == 1 && held[0].TicketID == l.Ticket {
			a.Ticket = sessionTicket{l.Ticket, held[0].TicketNumber, held[0].TicketSubject}
		}
		if !l.Dead {
			t := l.Next.UTC()
			a.Next = &t
		}
		if l.Fault != tickets.FaultNone {
			p := faults[l.Fault]
			if p == nil {
				p = errInternal
			}
			a.Problem = &said{p.code, p.sentence(c.lang, l.ID, max(time.Until(l.Next), time.Second))}
		}
		out[i] = a
	}
	return out, nil
}

// retryNote has a note tried at once.
func (s *Server) retryNote(w http.ResponseWriter, c *call) error {
	if err := read(w, c, &struct{}{}); err != nil {
		return err
	}
	err := s.outbox.Revive(c.Context(), c.PathValue("id"), audit.Actor{Kind: string(c.in.User.Role), Ref: c.in.User.ID})
	if errors.Is(err, tickets.ErrNotFound) {
		return errNoNote
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
