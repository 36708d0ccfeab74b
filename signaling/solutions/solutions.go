// Package solutions keeps what helped before: closing notes that a technician promoted
// so that others find them ([Shelf.Promote]), suggested for a ticket by the words of its
// subject ([Shelf.Suggest]). The words of the asset (the device or the program that it
// is about) count more than those of the subject.
//
// Every text here is what somebody wrote: it is cleaned and bounded when it is kept, and
// escaped by whatever shows it. A solution is mended by its author or by a supervisor,
// and is withdrawn rather than removed, so that this can be taken back; a withdrawn one
// is suggested to nobody (C123).
//
// Words are looked for in a table of folded words, which is the common ground of both
// databases: neither's full text search knows the other's.
package solutions

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// Bounds, in characters where it is a text.
const (
	MaxSubject = 256
	MaxAsset   = 80
	MaxBody    = 4000 // what a closing note holds
	MaxKept    = 50_000
	// MaxSuggested bounds what Suggest returns.
	MaxSuggested = 5
)

const (
	maxWords    = 24 // of one solution or one subject
	leastWord   = 3  // letters; shorter ones tell nothing
	maxWord     = 64 // bytes; the rest of a longer one is not looked at
	assetWeight = 3
)

// Errors of a Shelf.
var (
	ErrInvalid = errors.New("solutions: that cannot be kept") // says why in English
	ErrNone    = errors.New("solutions: there is none")
	ErrStale   = errors.New("solutions: it was changed meanwhile")
	ErrDone    = errors.New("solutions: the session has one")
	ErrMany    = errors.New("solutions: there are too many")
	ErrForeign = errors.New("solutions: it is somebody else's")
)

// Solution is what helped.
type Solution struct {
	ID        string // ULID
	Session   string // that it comes from; "" once that was purged
	Ticket    string // likewise
	Lang      string // "en" or "fr"
	Subject   string
	Asset     string // may be empty
	Body      string
	AuthorID  string
	Author    string
	Withdrawn bool
	Version   int64
	Updated   time.Time
}

// Shelf is all of them.
type Shelf struct {
	st  store.Store
	log *audit.Log
	now func() time.Time
}

// New returns the shelf in st; changes are written to log.
func New(st store.Store, log *audit.Log) *Shelf { return &Shelf{st: st, log: log, now: time.Now} }

func (k *Solution) clean() error {
	switch {
	case k.Lang != "en" && k.Lang != "fr":
		return fmt.Errorf("%w: the language is en or fr", ErrInvalid)
	case utf8.RuneCountInString(k.Subject) > MaxSubject, utf8.RuneCountInString(k.Asset) > MaxAsset, utf8.RuneCountInString(k.Body) > MaxBody:
		return fmt.Errorf("%w: it is too long", ErrInvalid)
	}
	k.Subject, k.Asset, k.Body = wire.Clean(k.Subject), wire.Clean(k.Asset), tickets.CleanProse(k.Body)
	if k.Subject == "" || k.Body == "" {
		return fmt.Errorf("%w: it needs a subject and a text", ErrInvalid)
	}
	return nil
}

// idle are words that stand in every subject, folded.
var idle = strings.Fields("the and for with not does from that this have has are was can cannot les des une est pas pour avec dans qui que sur son ses plus aux mon mes")

// words of a text by which it is found, each once.
func words(text string) (list []string) {
	for _, w := range strings.FieldsFunc(audit.Fold(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		for len(w) > maxWord {
			_, n := utf8.DecodeLastRuneInString(w)
			w = w[:len(w)-n]
		}
		if utf8.RuneCountInString(w) >= leastWord && !slices.Contains(idle, w) && !slices.Contains(list, w) && len(list) < maxWords {
			list = append(list, w)
		}
	}
	return list
}

func (s *Shelf) indexTx(tx store.Tx, k Solution) error {
	if _, err := tx.Exec("delete from solution_words where solution = ?", k.ID); err != nil {
		return err
	}
	asset := words(k.Asset)
	for _, w := range asset {
		tx.Later("insert into solution_words (word, solution, weight) values (?, ?, ?)", w, k.ID, int64(assetWeight))
	}
	for _, w := range words(k.Subject) {
		if !slices.Contains(asset, w) {
			tx.Later("insert into solution_words (word, solution, weight) values (?, ?, 1)", w, k.ID)
		}
	}
	return nil
}

func (s *Shelf) logTx(tx store.Tx, what string, by audit.Actor, k Solution) error {
	e := audit.Event{
		Type: "solution." + what, Session: k.Session, Outcome: "ok", Origin: "server", Time: s.now(), Actor: by,
		Data: map[string]any{"solution": k.ID},
	}
	if audit.IsToken(k.Ticket) {
		e.Ticket = k.Ticket
	}
	_, err := s.log.AppendTx(tx, e)
	return err
}

// Promote keeps the solution that a session came to, once a session; may says the
// caller's own rules of the transaction. Errors: ErrInvalid, ErrDone, ErrMany, that of
// may, or one of the store.
func (s *Shelf) Promote(ctx context.Context, by audit.Actor, k Solution, may func(tx store.Tx) error) (Solution, error) {
	if err := k.clean(); err != nil {
		return Solution{}, err
	}
	k.ID, k.Version, k.Withdrawn, k.Updated = ulid.Make().String(), 1, false, s.now().UTC()
	err := s.st.Update(ctx, func(tx store.Tx) error {
		if err := may(tx); err != nil {
			return err
		}
		var n int64
		if err := tx.QueryRow("select count(*) from solutions").Scan(&n); err != nil {
			return err
		}
		if n >= MaxKept {
			return ErrMany
		}
		at := store.FormatTime(k.Updated)
		_, err := tx.Exec(`insert into solutions (id, session_id, ticket_id, lang, subject, asset, body, author_id, author, withdrawn, version, created, updated)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 1, ?, ?)`, k.ID, k.Session, k.Ticket, k.Lang, k.Subject, k.Asset, k.Body, k.AuthorID, k.Author, at, at)
		if errors.Is(err, store.ErrExists) {
			return ErrDone
		}
		if err != nil {
			return err
		}
		if err := s.indexTx(tx, k); err != nil {
			return err
		}
		return s.logTx(tx, "promoted", by, k)
	})
	if err != nil {
		return Solution{}, fmt.Errorf("solutions: %w", err)
	}
	return k, nil
}

const columns = "s.id, coalesce(s.session_id, ''), coalesce(s.ticket_id, ''), s.lang, s.subject, s.asset, s.body, s.author_id, s.author, s.withdrawn, s.version, s.updated"

type scanner interface{ Scan(...any) error }

func scan(row scanner) (k Solution, err error) {
	var withdrawn int64
	var updated string
	err = row.Scan(&k.ID, &k.Session, &k.Ticket, &k.Lang, &k.Subject, &k.Asset, &k.Body, &k.AuthorID, &k.Author, &withdrawn, &k.Version, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return k, ErrNone
	}
	if err != nil {
		return k, err
	}
	k.Withdrawn = withdrawn == 1
	k.Updated, err = store.ParseTime(updated)
	return k, err
}

// Suggest are the solutions that share words with a subject, the nearest first, then
// the newest; at most MaxSuggested.
func (s *Shelf) Suggest(ctx context.Context, subject string) (list []Solution, err error) {
	found := words(subject)
	if len(found) == 0 {
		return nil, nil
	}
	args := make([]any, 0, len(found)+1)
	for _, w := range found {
		args = append(args, w)
	}
	err = s.st.View(ctx, func(tx store.Tx) error {
		list = nil
		rows, err := tx.Query("select "+columns+` from solutions s join
(select w.solution, sum(w.weight) as score from solution_words w join solutions k on k.id = w.solution
 where w.word in (?`+strings.Repeat(", ?", len(found)-1)+`) and k.withdrawn = 0 group by w.solution) near on near.solution = s.id
order by near.score desc, s.updated desc, s.id desc limit ?`, append(args, int64(MaxSuggested))...)
		if err != nil {
			return err
		}
		for rows.Next() {
			k, err := scan(rows)
			if err != nil {
				return err
			}
			list = append(list, k)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("solutions: %w", err)
	}
	return list, nil
}

// Who is somebody who changes a solution: its author, or anybody who leads.
type Who struct {
	By    audit.Actor
	User  string // users.id
	Leads bool
}

// change runs fn on the solution of that id, if who may change it, and writes it back.
func (s *Shelf) change(ctx context.Context, who Who, id, what string, fn func(k *Solution) (bool, error)) (k Solution, err error) {
	err = s.st.Update(ctx, func(tx store.Tx) error {
		if !audit.IsToken(id) { // PostgreSQL takes no text with a NUL, not even to look for it
			return ErrNone
		}
		if k, err = scan(tx.QueryRow("select "+columns+" from solutions s where s.id = ?", id)); err != nil {
			return err
		}
		if !who.Leads && k.AuthorID != who.User {
			return ErrForeign
		}
		changed, err := fn(&k)
		if err != nil || !changed {
			return err
		}
		k.Version, k.Updated = k.Version+1, s.now().UTC()
		withdrawn := int64(0)
		if k.Withdrawn {
			withdrawn = 1
		}
		if _, err := tx.Exec("update solutions set lang = ?, subject = ?, asset = ?, body = ?, withdrawn = ?, version = ?, updated = ? where id = ?",
			k.Lang, k.Subject, k.Asset, k.Body, withdrawn, k.Version, store.FormatTime(k.Updated), k.ID); err != nil {
			return err
		}
		if err := s.indexTx(tx, k); err != nil {
			return err
		}
		return s.logTx(tx, what, who.By, k)
	})
	if err != nil {
		return Solution{}, fmt.Errorf("solutions: %w", err)
	}
	return k, nil
}

// Mend gives the solution of to.ID other words, if it still stands in to.Version.
// Errors: ErrInvalid, ErrNone, ErrForeign, ErrStale (C122), or one of the store.
func (s *Shelf) Mend(ctx context.Context, who Who, to Solution) (Solution, error) {
	if err := to.clean(); err != nil {
		return Solution{}, err
	}
	return s.change(ctx, who, to.ID, "changed", func(k *Solution) (bool, error) {
		if k.Version != to.Version {
			return false, ErrStale
		}
		k.Lang, k.Subject, k.Asset, k.Body = to.Lang, to.Subject, to.Asset, to.Body
		return true, nil
	})
}

// Withdraw takes a solution off the shelf, or puts it back; once more changes nothing.
// Errors: ErrNone, ErrForeign, or one of the store.
func (s *Shelf) Withdraw(ctx context.Context, who Who, id string, withdrawn bool) (Solution, error) {
	what := "restored"
	if withdrawn {
		what = "withdrawn"
	}
	return s.change(ctx, who, id, what, func(k *Solution) (bool, error) {
		changed := k.Withdrawn != withdrawn
		k.Withdrawn = withdrawn
		return changed, nil
	})
}

// ForgetTx cuts what is kept loose from a session that was purged. The words stay: who
// promoted them wrote them for others.
func ForgetTx(tx store.Tx, session string) error {
	_, err := tx.Exec("update solutions set session_id = null, ticket_id = null where session_id = ?", session)
	return err
}
