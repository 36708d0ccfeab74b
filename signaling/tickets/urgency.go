package tickets

import (
	"fmt"
	"slices"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
)

// Priority is how urgent a ticket is, as far as its desk says: 0 is a desk that says
// nothing.
type Priority int

// Priorities.
const (
	Unsaid Priority = iota
	Low
	Normal
	High
	Urgent
)

var priorities = []string{"", "low", "normal", "high", "urgent"}

// String is the name of a priority; that of Unsaid is empty.
func (p Priority) String() string {
	if p < Unsaid || p > Urgent {
		return ""
	}
	return priorities[p]
}

// ParsePriority is the priority of a name.
func ParsePriority(name string) (Priority, bool) {
	i := slices.Index(priorities, name)
	return Priority(max(i, 0)), i >= 0
}

// dueOf is until when a ticket ought to be solved, in UTC, or no time where a desk
// says what can be none: some write 1970 for "not set".
func dueOf(t time.Time) time.Time {
	if t.Year() < 2000 || t.Year() > 9998 {
		return time.Time{}
	}
	return t.UTC()
}

// dayOf is the end of a day that a desk says without a clock, by UTC.
func dayOf(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}
	}
	return dueOf(t.Add(24*time.Hour - time.Second))
}

// momentOf is a moment that a desk may leave out, or write in its own way for none.
func momentOf(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return dueOf(t)
}

// SetUrgencyTx says how urgent a ticket of the embedded desk is; the zero time is no
// time. changed is false where that was said already. ErrInvalid: a time that can be
// none.
func (l *Local) SetUrgencyTx(tx store.Tx, id string, p Priority, due time.Time) (t Ticket, changed bool, err error) {
	if clean := dueOf(due); !due.IsZero() && clean.IsZero() || p < Unsaid || p > Urgent {
		return Ticket{}, false, fmt.Errorf("%w: until %v, %d", ErrInvalid, due, p)
	}
	due = dueOf(due)
	t, err = l.GetTx(tx, id)
	if err != nil || t.Priority == p && t.Due.Equal(due) {
		return t, false, err
	}
	t.Priority, t.Due, t.Updated = p, due, l.now().UTC()
	_, err = tx.Exec("update tickets set priority = ?, due = ?, updated = ? where id = ?", int64(p), store.FormatTime(due), store.FormatTime(t.Updated), id)
	return t, true, err
}
