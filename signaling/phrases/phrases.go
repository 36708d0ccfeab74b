// Package phrases keeps the words that a help desk writes again and again: canned
// texts, by language, and the codes that say more about how a session was resolved.
// Supervisors and admins keep them ([Book]); whoever writes a note picks one.
//
// Every text here is what somebody typed: it is cleaned ([wire.Clean], line by line)
// and bounded when it is kept, and escaped by whatever shows it. Holes such as
// {requester} stay as they are; they are filled where a text is picked.
//
// Two who change the same thing at once do not overwrite each other: a change names
// the version that it knows, and [ErrStale] says that there is a newer one.
package phrases

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// Bounds, in characters where it is a text.
const (
	MaxName  = 80
	MaxBody  = 4000 // what a closing note holds
	MaxTexts = 20_000
	MaxCodes = 500
	// MaxListed bounds a list of texts.
	MaxListed = 100
)

// Errors of a Book.
var (
	ErrInvalid = errors.New("phrases: that cannot be kept") // says why in English
	ErrNone    = errors.New("phrases: there is none")
	ErrStale   = errors.New("phrases: it was changed meanwhile")
	ErrTaken   = errors.New("phrases: there is one of that name")
	ErrMany    = errors.New("phrases: there are too many")
)

// Text is a canned text.
type Text struct {
	ID      string // ULID
	Lang    string // "en" or "fr"
	Name    string // one line, by which it is picked
	Body    string // several lines; may have holes
	Version int64
	Updated time.Time
}

// Code says more about one of the outcomes of a session.
type Code struct {
	Code    string // a token, as the log has it
	Outcome string // one of tickets.Resolutions
	En, Fr  string // as a note says it; one of them may be empty
	Version int64
}

// Label is the code in words, in that language if it has some.
func (c Code) Label(lang string) string {
	if lang == "fr" && c.Fr != "" || c.En == "" {
		return c.Fr
	}
	return c.En
}

// codeName is what a code looks like: a token of the log and a piece of an address.
var codeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,39}$`)

// Book is all of them.
type Book struct {
	st  store.Store
	log *audit.Log
	now func() time.Time
}

// New returns the book in st; changes are written to log.
func New(st store.Store, log *audit.Log) *Book { return &Book{st: st, log: log, now: time.Now} }

// prose cleans a text of several lines; ErrInvalid if nothing is left or it is longer
// than most.
func prose(s string, most int) (string, error) {
	if len(s) > 4*most || utf8.RuneCountInString(s) > most {
		return "", fmt.Errorf("%w: at most %d characters", ErrInvalid, most)
	}
	if s = tickets.CleanProse(s); s == "" {
		return "", fmt.Errorf("%w: it says nothing", ErrInvalid)
	}
	return s, nil
}

func (t *Text) clean() (err error) {
	if t.Lang != "en" && t.Lang != "fr" {
		return fmt.Errorf("%w: the language is en or fr", ErrInvalid)
	}
	if utf8.RuneCountInString(t.Name) > MaxName {
		return fmt.Errorf("%w: a name has at most %d characters", ErrInvalid, MaxName)
	}
	if t.Name = wire.Clean(t.Name); t.Name == "" {
		return fmt.Errorf("%w: it needs a name", ErrInvalid)
	}
	t.Body, err = prose(t.Body, MaxBody)
	return err
}

func (b *Book) event(typ string, by audit.Actor, data map[string]any) audit.Event {
	return audit.Event{Type: typ, Outcome: "ok", Origin: "server", Time: b.now(), Actor: by, Data: data}
}

func (b *Book) logText(tx store.Tx, what string, by audit.Actor, t Text) error {
	e := b.event("phrase."+what, by, map[string]any{"phrase": t.ID, "lang": t.Lang})
	e.Personal = map[string]any{"name": t.Name}
	_, err := b.log.AppendTx(tx, e)
	return err
}

var likeText = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// Texts are those of a language in which every word of the query stands, by name; more
// tells that there are others. Case and accents do not matter.
func (b *Book) Texts(ctx context.Context, lang, query string) (list []Text, more bool, err error) {
	where, args := "lang = ?", []any{lang}
	words := strings.Fields(audit.Fold(wire.Clean(query)))
	for _, w := range words[:min(len(words), 8)] {
		where += ` and search like ? escape '\'`
		args = append(args, "%"+likeText.Replace(w)+"%")
	}
	err = b.st.View(ctx, func(tx store.Tx) error {
		list = nil
		rows, err := tx.Query("select id, lang, name, body, version, updated from phrases where "+where+" order by name, id limit ?", append(args, MaxListed+1)...)
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
		return rows.Err()
	})
	if err != nil {
		return nil, false, fmt.Errorf("phrases: %w", err)
	}
	return list[:min(len(list), MaxListed)], len(list) > MaxListed, nil
}

type scanner interface{ Scan(...any) error }

func scan(row scanner) (t Text, err error) {
	var updated string
	if err = row.Scan(&t.ID, &t.Lang, &t.Name, &t.Body, &t.Version, &updated); errors.Is(err, sql.ErrNoRows) {
		return t, ErrNone
	} else if err != nil {
		return t, err
	}
	t.Updated, err = store.ParseTime(updated)
	return t, err
}

// Add keeps another text. Errors: ErrInvalid, ErrMany, or one of the store.
func (b *Book) Add(ctx context.Context, by audit.Actor, t Text) (Text, error) {
	if err := t.clean(); err != nil {
		return Text{}, err
	}
	t.ID, t.Version, t.Updated = ulid.Make().String(), 1, b.now().UTC()
	err := b.st.Update(ctx, func(tx store.Tx) error {
		var n int64
		if err := tx.QueryRow("select count(*) from phrases").Scan(&n); err != nil {
			return err
		}
		if n >= MaxTexts {
			return ErrMany
		}
		if _, err := tx.Exec("insert into phrases (id, lang, name, body, search, version, updated) values (?, ?, ?, ?, ?, ?, ?)",
			t.ID, t.Lang, t.Name, t.Body, audit.Fold(t.Name+"\n"+t.Body), t.Version, store.FormatTime(t.Updated)); err != nil {
			return err
		}
		return b.logText(tx, "added", by, t)
	})
	if err != nil {
		return Text{}, fmt.Errorf("phrases: %w", err)
	}
	return t, nil
}

// Set changes the text of t.ID, if it still stands in t.Version. Errors: ErrNone,
// ErrStale (C122) and those of Add.
func (b *Book) Set(ctx context.Context, by audit.Actor, t Text) (Text, error) {
	if err := t.clean(); err != nil {
		return Text{}, err
	}
	err := b.st.Update(ctx, func(tx store.Tx) error {
		was, err := textOf(tx, t.ID)
		if err != nil {
			return err
		}
		if was.Version != t.Version {
			return ErrStale
		}
		t.Version, t.Updated = was.Version+1, b.now().UTC()
		if _, err := tx.Exec("update phrases set lang = ?, name = ?, body = ?, search = ?, version = ?, updated = ? where id = ?",
			t.Lang, t.Name, t.Body, audit.Fold(t.Name+"\n"+t.Body), t.Version, store.FormatTime(t.Updated), t.ID); err != nil {
			return err
		}
		return b.logText(tx, "changed", by, t)
	})
	if err != nil {
		return Text{}, fmt.Errorf("phrases: %w", err)
	}
	return t, nil
}

func textOf(tx store.Tx, id string) (Text, error) {
	if !audit.IsToken(id) { // PostgreSQL takes no text with a NUL, not even to look for it
		return Text{}, ErrNone
	}
	return scan(tx.QueryRow("select id, lang, name, body, version, updated from phrases where id = ?", id))
}

// Remove takes a text out; ErrNone.
func (b *Book) Remove(ctx context.Context, by audit.Actor, id string) error {
	err := b.st.Update(ctx, func(tx store.Tx) error {
		t, err := textOf(tx, id)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("delete from phrases where id = ?", id); err != nil {
			return err
		}
		return b.logText(tx, "removed", by, t)
	})
	if err != nil {
		return fmt.Errorf("phrases: %w", err)
	}
	return nil
}

// Codes are all codes, by outcome and code.
func (b *Book) Codes(ctx context.Context) (list []Code, err error) {
	err = b.st.View(ctx, func(tx store.Tx) error {
		list = nil
		rows, err := tx.Query("select code, outcome, en, fr, version from resolution_codes order by code")
		if err != nil {
			return err
		}
		for rows.Next() {
			var c Code
			if err := rows.Scan(&c.Code, &c.Outcome, &c.En, &c.Fr, &c.Version); err != nil {
				return err
			}
			list = append(list, c)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("phrases: %w", err)
	}
	order := tickets.Resolutions()
	slices.SortStableFunc(list, func(x, y Code) int { return slices.Index(order, x.Outcome) - slices.Index(order, y.Outcome) })
	return list, nil
}

// CodeTx is the code of that name; ErrNone.
func CodeTx(tx store.Tx, code string) (c Code, err error) {
	if !codeName.MatchString(code) {
		return c, ErrNone
	}
	err = tx.QueryRow("select code, outcome, en, fr, version from resolution_codes where code = ?", code).Scan(&c.Code, &c.Outcome, &c.En, &c.Fr, &c.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return c, ErrNone
	}
	return c, err
}

// SetCode keeps a code: a new one with the version 0, else the one that stands in that
// version. Errors: ErrInvalid, ErrTaken, ErrNone, ErrStale (C122), ErrMany, or one of
// the store.
func (b *Book) SetCode(ctx context.Context, by audit.Actor, c Code) (Code, error) {
	for _, s := range []*string{&c.En, &c.Fr} {
		if utf8.RuneCountInString(*s) > MaxName {
			return Code{}, fmt.Errorf("%w: at most %d characters", ErrInvalid, MaxName)
		}
		*s = wire.Clean(*s)
	}
	switch {
	case !codeName.MatchString(c.Code):
		return Code{}, fmt.Errorf("%w: a code is letters, digits and dashes", ErrInvalid)
	case !slices.Contains(tickets.Resolutions(), c.Outcome):
		return Code{}, fmt.Errorf("%w: there is no such outcome", ErrInvalid)
	case c.En == "" && c.Fr == "":
		return Code{}, fmt.Errorf("%w: it needs words", ErrInvalid)
	}
	err := b.st.Update(ctx, func(tx store.Tx) error {
		was, err := CodeTx(tx, c.Code)
		switch {
		case errors.Is(err, ErrNone):
			if c.Version != 0 {
				return ErrNone
			}
			if err := roomForCode(tx); err != nil {
				return err
			}
		case err != nil:
			return err
		case c.Version == 0:
			return ErrTaken
		case was.Version != c.Version:
			return ErrStale
		}
		c.Version = was.Version + 1
		if _, err := tx.Exec(`insert into resolution_codes (code, outcome, en, fr, version, updated) values (?, ?, ?, ?, ?, ?)
on conflict (code) do update set outcome = excluded.outcome, en = excluded.en, fr = excluded.fr, version = excluded.version, updated = excluded.updated`,
			c.Code, c.Outcome, c.En, c.Fr, c.Version, store.FormatTime(b.now())); err != nil {
			return err
		}
		_, err = b.log.AppendTx(tx, b.event("resolution.set", by, map[string]any{"code": c.Code, "outcome": c.Outcome}))
		return err
	})
	if err != nil {
		return Code{}, fmt.Errorf("phrases: %w", err)
	}
	return c, nil
}

func roomForCode(tx store.Tx) error {
	var n int64
	if err := tx.QueryRow("select count(*) from resolution_codes").Scan(&n); err != nil {
		return err
	}
	if n >= MaxCodes {
		return ErrMany
	}
	return nil
}

// RemoveCode takes a code out; notes and the log keep what they say. ErrNone.
func (b *Book) RemoveCode(ctx context.Context, by audit.Actor, code string) error {
	err := b.st.Update(ctx, func(tx store.Tx) error {
		c, err := CodeTx(tx, code)
		if err != nil {
			return err
		}
		if _, err := tx.Exec("delete from resolution_codes where code = ?", code); err != nil {
			return err
		}
		_, err = b.log.AppendTx(tx, b.event("resolution.removed", by, map[string]any{"code": c.Code, "outcome": c.Outcome}))
		return err
	})
	if err != nil {
		return fmt.Errorf("phrases: %w", err)
	}
	return nil
}
