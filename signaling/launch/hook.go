package launch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// Log is the part of the audit log that hooks write to.
type Log interface {
	AppendTx(tx store.Tx, events ...audit.Event) (first int64, err error)
}

// Hooks remembers what desks told. Safe for concurrent use.
type Hooks struct {
	st  store.Store
	log Log
	now func() time.Time
}

// NewHooks returns the hooks in st.
func NewHooks(st store.Store, log Log) *Hooks { return &Hooks{st: st, log: log, now: time.Now} }

// Taken is a hook that was taken.
type Taken struct {
	Ticket string // whole id
	Kind   string
	User   string // to whom it was given, if that is somebody who signs in here
}

// remembered is how long a delivery is known, so that it is not taken twice. Not
// every desk signs the time, and a replay after that is still only a hint.
const remembered = 90 * 24 * time.Hour

// Take takes a verified hook of a desk: once, and only if it concerns this
// server: a ticket that has or had a session, or one that is given to somebody
// with an account. ok is false for all others, of which nothing is kept.
func (h *Hooks) Take(ctx context.Context, desk string, e tickets.HookEvent) (t Taken, ok bool, err error) {
	t = Taken{Ticket: tickets.Join(desk, e.Ticket), Kind: e.Kind}
	if !audit.IsToken(t.Ticket) {
		return Taken{}, false, fmt.Errorf("%w: a ticket %.40q", tickets.ErrInvalid, e.Ticket)
	}
	now := h.now()
	err = h.st.Update(ctx, func(tx store.Tx) (err error) {
		ok, t.User = false, ""
		if e.Kind == tickets.HookAssigned {
			if t.User, err = userOf(tx, e.Assignee); err != nil {
				return err
			}
		}
		had, err := concerns(tx, t.Ticket)
		if err != nil || !had && t.User == "" {
			return err
		}
		if _, err := tx.Exec(`delete from hook_deliveries where taken < ?`, store.FormatTime(now.Add(-remembered))); err != nil {
			return err
		}
		done, err := tx.Exec(`insert into hook_deliveries (desk, delivery, taken) values (?, ?, ?) on conflict (desk, delivery) do nothing`,
			desk, e.Delivery, store.FormatTime(now))
		if err != nil {
			return err
		}
		if fresh, err := done.RowsAffected(); err != nil || fresh == 0 {
			return err // taken before
		}
		if err := assign(tx, t, e.Kind, now); err != nil {
			return err
		}
		ok = true
		_, err = h.log.AppendTx(tx, audit.Event{
			Type: "ticket.hook_received", Outcome: "ok", Origin: "server", Time: now, Ticket: t.Ticket,
			Actor: audit.Actor{Kind: "integration", Ref: desk},
			Data:  map[string]any{"desk": desk, "kind": e.Kind, "user": t.User},
		})
		return err
	})
	if err != nil {
		return Taken{}, false, err
	}
	return t, ok, nil
}

// concerns tells whether a ticket has to do with this server.
func concerns(tx store.Tx, ticket string) (bool, error) {
	var n int64
	err := tx.QueryRow(`select (select count(*) from sessions where ticket_id = ?) + (select count(*) from assignments where ticket_id = ?)
		+ (select count(*) from desk_tickets where id = ?)`, ticket, ticket, ticket).Scan(&n)
	return n > 0, err
}

// assign keeps whose a ticket is: nobody's once it is closed, or somebody else's.
func assign(tx store.Tx, t Taken, kind string, now time.Time) error {
	if kind != tickets.HookAssigned && kind != tickets.HookClosed {
		return nil
	}
	if t.User == "" {
		_, err := tx.Exec(`delete from assignments where ticket_id = ?`, t.Ticket)
		return err
	}
	_, err := tx.Exec(`insert into assignments (ticket_id, user_id, at) values (?, ?, ?)
		on conflict (ticket_id) do update set user_id = excluded.user_id, at = excluded.at`, t.Ticket, t.User, store.FormatTime(now))
	return err
}

// userOf is the account of who a desk says works on a ticket: the one with that
// name, or with the name that stands before the @ of an address of mail, without
// regard to case, accents and what stands between its words. "" if there is none,
// or more than one: a ticket in the wrong list helps nobody.
func userOf(tx store.Tx, assignee string) (string, error) {
	local, _, _ := strings.Cut(assignee, "@")
	want := plain(local)
	if want == "" {
		return "", nil
	}
	rows, err := tx.Query(`select id, name from users where disabled is null and role in ('technician', 'supervisor')`)
	if err != nil {
		return "", err
	}
	var found []string
	for rows.Next() {
		var id, name string
		if err := rows.Scan(&id, &name); err != nil {
			return "", err
		}
		if plain(name) == want {
			found = append(found, id)
		}
	}
	if len(found) != 1 {
		return "", rows.Err()
	}
	return found[0], rows.Err()
}

// plain is a name as userOf compares it.
func plain(name string) string {
	bare, _, err := transform.String(transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn))), name)
	if err != nil {
		return ""
	}
	words := strings.FieldsFunc(strings.ToLower(bare), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	slices.Sort(words) // "Martin, Chloé" too
	return strings.Join(words, " ")
}
