package tickets

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// Local is the embedded desk: tickets and notes in the server's own store.
type Local struct {
	st  store.Store
	now func() time.Time
}

var _ System = (*Local)(nil)

// NewLocal returns the desk in st.
func NewLocal(st store.Store) *Local { return &Local{st: st, now: time.Now} }

// New is a ticket to be made.
type New struct {
	Subject   string // needed; cleaned, one line, 256 characters
	Requester string // name as known to the desk; may be empty
	Lang      string // "en" or "fr"
	ID        string // a ULID; empty: a new one
}

// CreateForTx makes the ticket of a session that began without one, in the
// language of the person ("en" or "fr"; anything else is English).
func (l *Local) CreateForTx(tx store.Tx, id, lang string) (Ticket, error) {
	lang = langOr(lang, "en")
	w := words(locales[lang])
	return l.CreateTx(tx, New{ID: id, Lang: lang, Subject: w.fill("created", "time", l.now().UTC().Format(w["format.time"]))})
}

// State chooses tickets for a list.
type State string

// States of a list.
const (
	Open   State = "open"
	Closed State = "closed"
	All    State = "all"
)

// maxList bounds any list or search.
const maxList = 200

// Name implements System.
func (l *Local) Name() string { return "local" }

// Caps implements System.
func (l *Local) Caps() Caps { return Caps{Public: true, Search: true, NativeKey: true} }

// Check implements System.
func (l *Local) Check(ctx context.Context) error {
	return transient(l.st.View(ctx, func(tx store.Tx) error {
		var n int64
		return tx.QueryRow("select value from counters where name = 'ticket'").Scan(&n)
	}))
}

// Create makes an open ticket. ErrInvalid says what is wrong with n.
func (l *Local) Create(ctx context.Context, n New) (t Ticket, err error) {
	err = l.st.Update(ctx, func(tx store.Tx) error {
		t, err = l.CreateTx(tx, n)
		return err
	})
	return t, transient(err)
}

// CreateTx is Create within a transaction.
func (l *Local) CreateTx(tx store.Tx, n New) (Ticket, error) {
	now := l.now().UTC()
	t := Ticket{
		ID: n.ID, Subject: line(n.Subject), Requester: line(n.Requester),
		Lang: n.Lang, Open: true, Created: now, Updated: now,
	}
	if t.ID == "" {
		t.ID = ulid.Make().String()
	}
	switch {
	case t.Subject == "":
		return Ticket{}, fmt.Errorf("%w: a ticket needs a subject", ErrInvalid)
	case t.Lang != "en" && t.Lang != "fr":
		return Ticket{}, fmt.Errorf("%w: the language is en or fr", ErrInvalid)
	}
	if _, err := tx.Exec("update counters set value = value + 1 where name = 'ticket'"); err != nil {
		return Ticket{}, err
	}
	var number int64
	if err := tx.QueryRow("select value from counters where name = 'ticket'").Scan(&number); err != nil {
		return Ticket{}, err
	}
	t.Number = fmt.Sprintf("MF-%d", number)
	_, err := tx.Exec("insert into tickets (id, number, subject, requester, lang, is_open, search, created, updated) values (?, ?, ?, ?, ?, 1, ?, ?, ?)",
		t.ID, t.Number, t.Subject, t.Requester, t.Lang, fold(t.Number+"\n"+t.Subject+"\n"+t.Requester), store.FormatTime(now), store.FormatTime(now))
	return t, err
}

// columns of a ticket, in the order scan reads them.
const columns = "t.id, t.number, t.subject, t.requester, t.lang, t.is_open, t.created, t.updated, t.priority, t.due, (select count(*) from sessions s where s.ticket_id = t.id)"

type scanner interface{ Scan(...any) error }

func scan(row scanner) (t Ticket, err error) {
	var open int64
	var created, updated, due string
	err = row.Scan(&t.ID, &t.Number, &t.Subject, &t.Requester, &t.Lang, &open, &created, &updated, &t.Priority, &due, &t.Sessions)
	if errors.Is(err, sql.ErrNoRows) {
		return Ticket{}, ErrNotFound
	}
	if err != nil {
		return Ticket{}, err
	}
	t.Open = open == 1
	if t.Created, err = store.ParseTime(created); err != nil {
		return Ticket{}, err
	}
	if t.Due, err = store.ParseTime(due); err != nil {
		return Ticket{}, err
	}
	t.Updated, err = store.ParseTime(updated)
	return t, err
}

// Get implements System: by id.
func (l *Local) Get(ctx context.Context, id string) (t Ticket, err error) {
	err = l.st.View(ctx, func(tx store.Tx) error {
		t, err = l.GetTx(tx, id)
		return err
	})
	return t, transient(err)
}

// GetTx is Get within a transaction.
func (l *Local) GetTx(tx store.Tx, id string) (Ticket, error) {
	if !ticketToken(id) { // PostgreSQL takes no text with a NUL, not even to look for it
		return Ticket{}, ErrNotFound
	}
	return scan(tx.QueryRow("select "+columns+" from tickets t where t.id = ?", id))
}

// Search implements System: open and closed tickets.
func (l *Local) Search(ctx context.Context, query string, limit int) ([]Ticket, error) {
	return l.List(ctx, All, query, limit)
}

// List returns the first tickets of a list: see Page.
func (l *Local) List(ctx context.Context, state State, query string, limit int) ([]Ticket, error) {
	list, _, err := l.Page(ctx, state, query, "", limit)
	return list, err
}

// Page returns tickets: of open ones those that are due first, then the more urgent,
// else the last touched. Each word of the query must stand in number, subject or
// requester; case and accents do not matter. after is the id of the ticket that stands
// before the page, "" for the first one; of one that is not there any more the page is
// empty. more tells that others follow.
func (l *Local) Page(ctx context.Context, state State, query, after string, limit int) (list []Ticket, more bool, err error) {
	if limit <= 0 || limit > maxList {
		limit = maxList
	}
	var parts []part
	switch state {
	case Open:
		parts = []part{dueFirst, undated}
	case Closed:
		parts = []part{{"t.is_open = 0", byTouch, sinceTouch}}
	case All:
		parts = []part{{"1 = 1", byTouch, sinceTouch}}
	default:
		return nil, false, fmt.Errorf("%w: the state of a list is open, closed or all", ErrInvalid)
	}
	var found string
	var args []any
	words := strings.Fields(fold(line(query)))
	for _, w := range words[:min(len(words), 8)] {
		found += ` and t.search like ? escape '\'`
		args = append(args, "%"+likeText.Replace(w)+"%")
	}
	err = l.st.View(ctx, func(tx store.Tx) error {
		list, more = nil, false
		var last *Ticket
		if after != "" {
			t, err := l.GetTx(tx, after)
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			last = &t
		}
		for _, p := range parts {
			if state == Open && last != nil && last.Due.IsZero() == (p.where == dueFirst.where) {
				if p.where == dueFirst.where {
					continue // the page begins behind all of these
				}
				last = nil // and before all of these
			}
			q, args := "select "+columns+" from tickets t where "+p.where+found, slices.Clone(args)
			if last != nil {
				cond, more := p.since(*last)
				q, args = q+" and "+cond, append(args, more...)
			}
			rows, err := tx.Query(q+" order by "+p.order+" limit ?", append(args, int64(limit-len(list)+1))...)
			if err != nil {
				return err
			}
			for rows.Next() {
				t, err := scan(rows)
				if err != nil {
					return err
				}
				list = append(list, t)
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return err
			}
			if more = len(list) > limit; more {
				list = list[:limit]
				break
			}
		}
		return nil
	})
	return list, more, transient(err)
}

// part of a list of tickets, which has an index in its order (migration 0013).
type part struct {
	where, order string
	since        func(Ticket) (string, []any) // what stands behind a ticket of it
}

const byTouch = "t.updated desc, t.id desc"

func sinceTouch(t Ticket) (string, []any) {
	return "(t.updated, t.id) < (?, ?)", []any{store.FormatTime(t.Updated), t.ID}
}

var (
	dueFirst = part{"t.is_open = 1 and t.due <> ''", "t.due, t.priority desc, " + byTouch, func(t Ticket) (string, []any) {
		due := store.FormatTime(t.Due)
		return "t.due >= ? and (t.due > ? or (t.priority, t.updated, t.id) < (?, ?, ?))",
			[]any{due, due, int64(t.Priority), store.FormatTime(t.Updated), t.ID}
	}}
	undated = part{"t.is_open = 1 and t.due = ''", "t.priority desc, " + byTouch, func(t Ticket) (string, []any) {
		return "(t.priority, t.updated, t.id) < (?, ?, ?)", []any{int64(t.Priority), store.FormatTime(t.Updated), t.ID}
	}}
)

var likeText = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// Close closes a ticket; closing a closed one changes nothing.
func (l *Local) Close(ctx context.Context, id string) (Ticket, error) {
	return l.setOpen(ctx, id, false)
}

// Open opens a ticket again.
func (l *Local) Open(ctx context.Context, id string) (Ticket, error) { return l.setOpen(ctx, id, true) }

func (l *Local) setOpen(ctx context.Context, id string, open bool) (t Ticket, err error) {
	err = l.st.Update(ctx, func(tx store.Tx) error {
		t, _, err = l.SetOpenTx(tx, id, open)
		return err
	})
	return t, transient(err)
}

// SetOpenTx opens or closes within a transaction. changed is false when the
// ticket already was so.
func (l *Local) SetOpenTx(tx store.Tx, id string, open bool) (t Ticket, changed bool, err error) {
	t, err = l.GetTx(tx, id)
	if err != nil || t.Open == open {
		return t, false, err
	}
	t.Open, t.Updated = open, l.now().UTC()
	_, err = tx.Exec("update tickets set is_open = ?, updated = ? where id = ?", bit(open), store.FormatTime(t.Updated), id)
	return t, true, err
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Written is a note as it stands in the desk.
type Written struct {
	ID      string
	Created time.Time
	Note
}

// AddNote adds a note by hand; ErrClosed in a closed ticket. Its Key is ignored.
func (l *Local) AddNote(ctx context.Context, ticket string, n Note) (w Written, err error) {
	err = l.st.Update(ctx, func(tx store.Tx) error {
		w, err = l.AddNoteTx(tx, ticket, n)
		return err
	})
	return w, transient(err)
}

// AddNoteTx is AddNote within a transaction.
func (l *Local) AddNoteTx(tx store.Tx, ticket string, n Note) (Written, error) {
	t, err := l.GetTx(tx, ticket)
	if err != nil {
		return Written{}, err
	}
	if !t.Open {
		return Written{}, fmt.Errorf("%w: %s", ErrClosed, t.Number)
	}
	n.Key = ""
	return l.insert(tx, ticket, n)
}

// Shown is the text of a note as the embedded desk shows it, which keeps nothing else
// of it. Errors: ErrTooLarge.
func Shown(n Note) (string, error) { return prose(n.Plain()) }

func (l *Local) insert(tx store.Tx, ticket string, n Note) (Written, error) {
	n.Author = line(n.Author)
	var err error
	if n.Text, err = Shown(n); err != nil {
		return Written{}, err
	}
	n.Doc, n.Files, n.Minutes, n.Link = Doc{}, nil, 0, "" // the text says it
	if n.Text == "" {
		return Written{}, fmt.Errorf("%w: the note is empty", ErrInvalid)
	}
	if n.Lang != "" && n.Lang != "en" && n.Lang != "fr" {
		return Written{}, fmt.Errorf("%w: the language is en or fr", ErrInvalid)
	}
	var key any
	if n.Key != "" {
		key = n.Key
	}
	w := Written{ID: ulid.Make().String(), Created: l.now().UTC(), Note: n}
	if _, err := tx.Exec("insert into ticket_notes (id, ticket_id, note_key, author, lang, body, is_public, created) values (?, ?, ?, ?, ?, ?, ?, ?)",
		w.ID, ticket, key, n.Author, n.Lang, n.Text, bit(n.Public), store.FormatTime(w.Created)); err != nil {
		return Written{}, err
	}
	_, err = tx.Exec("update tickets set updated = ? where id = ?", store.FormatTime(w.Created), ticket)
	return w, err
}

// maxNotes bounds what Notes returns.
const maxNotes = 1000

// Notes returns a ticket's notes, the oldest first, at most 1,000.
func (l *Local) Notes(ctx context.Context, ticket string) (list []Written, err error) {
	err = l.st.View(ctx, func(tx store.Tx) error {
		if _, err := l.GetTx(tx, ticket); err != nil {
			return err
		}
		rows, err := tx.Query("select id, coalesce(note_key, ''), author, lang, body, is_public, created from ticket_notes where ticket_id = ? order by id limit ?", ticket, maxNotes)
		if err != nil {
			return err
		}
		for rows.Next() {
			var w Written
			var public int64
			var created string
			if err := rows.Scan(&w.ID, &w.Key, &w.Author, &w.Lang, &w.Text, &public, &created); err != nil {
				return err
			}
			w.Public = public == 1
			if w.Created, err = store.ParseTime(created); err != nil {
				return err
			}
			list = append(list, w)
		}
		return rows.Err()
	})
	return list, transient(err)
}

// Find implements System.
func (l *Local) Find(ctx context.Context, ticket, key string) (id string, ok bool, err error) {
	err = l.st.View(ctx, func(tx store.Tx) error {
		id, ok, err = find(tx, ticket, key)
		return err
	})
	return id, ok, transient(err)
}

func find(tx store.Tx, ticket, key string) (id string, ok bool, err error) {
	if !ticketToken(ticket) || !audit.IsToken(key) {
		return "", false, nil
	}
	err = tx.QueryRow("select id from ticket_notes where note_key = ? and ticket_id = ?", key, ticket).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return id, err == nil, err
}

// Append implements System. A note with a key is also taken by a closed ticket:
// it says what happened while the ticket was open. A key that stands already
// answers with the note that has it.
func (l *Local) Append(ctx context.Context, ticket string, n Note) (id string, err error) {
	err = l.st.Update(ctx, func(tx store.Tx) error {
		id, err = l.AppendTx(tx, ticket, n)
		return err
	})
	return id, transient(err)
}

// AppendTx is Append within a transaction.
func (l *Local) AppendTx(tx store.Tx, ticket string, n Note) (id string, err error) {
	if n.Key == "" {
		return "", fmt.Errorf("%w: a note of a session has a key", ErrInvalid)
	}
	if _, err := l.GetTx(tx, ticket); err != nil {
		return "", err
	}
	id, ok, err := find(tx, ticket, n.Key)
	if err != nil || ok {
		return id, err
	}
	w, err := l.insert(tx, ticket, n)
	return w.ID, err
}

// transient gives the store's trouble the name that the outbox knows.
func transient(err error) error {
	if errors.Is(err, store.ErrUnavailable) {
		return fmt.Errorf("%w: %w", ErrTransient, err)
	}
	return err
}
