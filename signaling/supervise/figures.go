// Package supervise is what a supervisor works with besides the sessions that are
// open: the figures of a day ([Today]) and the wish to watch ([Asks]).
//
// Figures are counted from the rows of sessions and from the public part of the
// log, so that they stand when names were purged; they name nobody but subjects of
// tickets. A wish to watch lets nobody in: it reaches the technician who leads the
// session, and only an invite code of the person's own app brings somebody into it
// (DESIGN §4).
package supervise

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// Bounds of what is counted: a busy house has some thousand sessions a day.
const (
	maxSessions = 20_000 // of the day
	maxLeaves   = 20_000 // lines of one kind about waiting
	maxTickets  = 20_000 // with a session in the last month
	maxSubjects = 8      // that recur
	// Longest is how far back a day may begin: a day of 25 hours, and a clock that is wrong.
	Longest = 36 * time.Hour
	month   = 30 * 24 * time.Hour
	slack   = time.Hour // that a clock may have been put back by between two lines
)

// Figures of a day.
type Figures struct {
	Since    time.Time
	Hours    []Hour // from Since on, the last one is that of now
	Sessions int    // that began
	Open     int    // of them, not over yet
	Median   time.Duration
	// Resolved counts closing notes by their resolution, as in tickets.Resolutions;
	// "" are sessions that are over and have none.
	Resolved map[string]int
	Scores   [5]int // how often the person said 1 to 5
	Recurs   []Subject
	Waited   Waited
}

// Hour of a day.
type Hour struct {
	From     time.Time
	Sessions int // that began in it
}

// Waited is how people waited for somebody in the waiting room.
type Waited struct {
	Came   int // who began to wait
	Taken  int // of those that were taken
	InTime int // within the target
	Left   int // who went, or was not seen any more
	Median time.Duration
}

// Subject of tickets that came again. It is hostile text.
type Subject struct {
	Text     string // as the newest of its tickets has it
	Sessions int
	Tickets  int
}

// Today counts what happened since a time, at most Longest ago; target is within
// what time somebody who waits ought to be taken.
func Today(ctx context.Context, st store.Store, since, now time.Time, target time.Duration) (Figures, error) {
	if since.After(now) {
		since = now
	}
	if now.Sub(since) > Longest {
		since = now.Add(-Longest)
	}
	var f Figures
	err := st.View(ctx, func(tx store.Tx) error {
		f = Figures{Since: since, Resolved: map[string]int{}}
		for at := since; !at.After(now); at = at.Add(time.Hour) {
			f.Hours = append(f.Hours, Hour{From: at})
		}
		for _, count := range []func(store.Tx) error{
			f.sessions, func(tx store.Tx) error { return f.waited(tx, target) }, func(tx store.Tx) error { return f.recurring(tx, now) },
		} {
			if err := count(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Figures{}, fmt.Errorf("supervise: %w", err)
	}
	return f, nil
}

// RatedTx keeps what the person said of a session in their answer (1 to 5, 0 for no
// number), and whether there were words, which stand in the log alone.
func RatedTx(tx store.Tx, session string, score int, commented bool) error {
	words := int64(0)
	if commented {
		words = 1
	}
	_, err := tx.Exec("update sessions set score = ?, commented = ? where id = ?", int64(score), words, session)
	return err
}

// ClosedTx keeps how the closing note of a session says that it went.
func ClosedTx(tx store.Tx, session, resolution, code string) error {
	_, err := tx.Exec("update sessions set resolution = ?, code = ? where id = ?", resolution, code, session)
	return err
}

func (f *Figures) sessions(tx store.Tx) error {
	rows, err := tx.Query("select started, ended, duration_ms, resolution, coalesce(score, 0) from sessions where started >= ? order by started limit ?",
		store.FormatTime(f.Since), int64(maxSessions))
	if err != nil {
		return err
	}
	var lengths []time.Duration
	closed := 0
	for rows.Next() {
		var (
			started, resolution string
			ended               sql.NullString
			ms                  sql.NullInt64
			score               int
		)
		if err := rows.Scan(&started, &ended, &ms, &resolution, &score); err != nil {
			return err
		}
		at, err := store.ParseTime(started)
		if err != nil {
			return err
		}
		f.Sessions++
		if i := int(at.Sub(f.Since) / time.Hour); i < len(f.Hours) { // else by a clock that was put back
			f.Hours[i].Sessions++
		}
		if slices.Contains(tickets.Resolutions(), resolution) {
			f.Resolved[resolution]++
			closed++
		}
		if score >= 1 && score <= len(f.Scores) {
			f.Scores[score-1]++
		}
		if !ended.Valid {
			f.Open++
			continue
		}
		lengths = append(lengths, time.Duration(ms.Int64)*time.Millisecond)
	}
	f.Median = median(lengths)
	if n := f.Sessions - f.Open - closed; n > 0 {
		f.Resolved[""] = n
	}
	return rows.Err()
}

// waited reads the waiting room's lines, the newest first, back to the day's beginning.
func (f *Figures) waited(tx store.Tx, target time.Duration) error {
	var waits []time.Duration
	for _, typ := range []string{"waiting.came", "waiting.left", "waiting.taken"} {
		if err := f.lines(tx, typ, func(wait time.Duration) {
			switch typ {
			case "waiting.came":
				f.Waited.Came++
			case "waiting.left":
				f.Waited.Left++
			case "waiting.taken":
				f.Waited.Taken++
				if wait <= target {
					f.Waited.InTime++
				}
				waits = append(waits, wait)
			}
		}); err != nil {
			return err
		}
	}
	f.Waited.Median = median(waits)
	return nil
}

// lines tells the waits of the day's lines of one type.
func (f *Figures) lines(tx store.Tx, typ string, told func(time.Duration)) error {
	rows, err := tx.Query("select leaf from audit_leaves where session = '' and type = ? order by idx desc limit ?", typ, int64(maxLeaves))
	if err != nil {
		return err
	}
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		var leaf struct {
			T    string `json:"t"`
			Data struct {
				Waited int64 `json:"waited_ms"`
			} `json:"data"`
		}
		if err := json.Unmarshal([]byte(text), &leaf); err != nil {
			return fmt.Errorf("a line of the log cannot be read: %w", err)
		}
		at, err := store.ParseTime(leaf.T)
		if err != nil {
			return err
		}
		if f.Since.Sub(at) > slack {
			break // all before it are older
		}
		if !at.Before(f.Since) {
			told(time.Duration(leaf.Data.Waited) * time.Millisecond)
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// recurring finds the subjects of the last month that came more than once.
func (f *Figures) recurring(tx store.Tx, now time.Time) error {
	rows, err := tx.Query(`select s.ticket_id, coalesce(t.subject, k.subject, ''), count(*) from sessions s
		left join tickets t on t.id = s.ticket_id left join desk_tickets k on k.id = s.ticket_id
		where s.started >= ? and s.ticket_id <> '' group by s.ticket_id, coalesce(t.subject, k.subject, '') order by max(s.id) desc limit ?`,
		store.FormatTime(now.Add(-month)), int64(maxTickets))
	if err != nil {
		return err
	}
	by := map[string]*Subject{}
	for rows.Next() {
		var id, subject string
		var n int64
		if err := rows.Scan(&id, &subject, &n); err != nil {
			return err
		}
		key := topic(subject)
		if key == "" {
			continue
		}
		s := by[key]
		if s == nil {
			s = &Subject{Text: subject}
			by[key] = s
		}
		s.Tickets++
		s.Sessions += int(n)
	}
	for _, s := range by {
		if s.Sessions > 1 {
			f.Recurs = append(f.Recurs, *s)
		}
	}
	slices.SortFunc(f.Recurs, func(a, b Subject) int {
		return cmp.Or(cmp.Compare(b.Sessions, a.Sessions), cmp.Compare(b.Tickets, a.Tickets), cmp.Compare(a.Text, b.Text))
	})
	f.Recurs = f.Recurs[:min(len(f.Recurs), maxSubjects)]
	return rows.Err()
}

// topic is what subjects are compared by: their words, without case, accents and
// what has a digit in it, in any order: "Printer 3 jams" and "jams: printer" are one.
func topic(subject string) string {
	words := strings.FieldsFunc(tickets.Fold(subject), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	words = slices.DeleteFunc(words, func(w string) bool { return strings.ContainsFunc(w, unicode.IsDigit) })
	slices.Sort(words)
	return strings.Join(slices.Compact(words), " ")
}

// median of some lengths; 0 of none.
func median(l []time.Duration) time.Duration {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	if n := len(l); n%2 == 0 {
		return (l[n/2-1] + l[n/2]) / 2
	}
	return l[len(l)/2]
}
