// Package brand is how a help desk calls itself on its pages: a name, and a sentence
// for the person who needs help, in both languages.
//
// All of it is text that an admin wrote. It is cleaned when it is set and escaped
// wherever it is shown; there is no markup, no colour and no picture in it, so nothing
// that a page says of safety can be hidden or imitated by it.
package brand

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/mainforte/mainforte/internal/wire"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

// Limits in characters.
const (
	MaxName     = 64
	MaxSentence = 280
)

// Brand of a help desk. The zero value: what the configuration says, and no sentence.
type Brand struct {
	Name     string `json:"name"`     // empty: that of the configuration
	English  string `json:"sentence"` // empty: none
	Français string `json:"phrase"`   // empty: none
}

// Errors of Keeper.Set.
var (
	// ErrLong: a name or a sentence is longer than it may be.
	ErrLong = errors.New("brand: too long")
	// ErrHalf: a sentence in one language only, which half of the readers would miss.
	ErrHalf = errors.New("brand: a sentence needs both languages")
	// ErrChanged: it was made from an older one than is shown.
	ErrChanged = errors.New("brand: it was changed meanwhile")
)

// tidy is a brand as it is shown.
func (b Brand) tidy() (Brand, error) {
	for _, s := range []struct {
		text  *string
		limit int
	}{{&b.Name, MaxName}, {&b.English, MaxSentence}, {&b.Français, MaxSentence}} {
		*s.text = wire.CleanLine(*s.text, s.limit+1)
		if utf8.RuneCountInString(*s.text) > s.limit {
			return Brand{}, ErrLong
		}
	}
	if (b.English == "") != (b.Français == "") {
		return Brand{}, ErrHalf
	}
	return b, nil
}

// Sentence is that of a language, "fr" or any other for English.
func (b Brand) Sentence(lang string) string {
	if lang == "fr" {
		return b.Français
	}
	return b.English
}

// Log is the part of the audit log that a Keeper writes to.
type Log interface {
	AppendTx(tx store.Tx, events ...audit.Event) (first int64, err error)
}

// Keeper holds the brand that is shown. Safe for concurrent use.
type Keeper struct {
	store store.Store
	log   Log

	setting sync.Mutex // what is in memory follows the database in its order
	now     atomic.Pointer[shown]
}

type shown struct {
	brand   Brand
	version int64
}

// Open reads it.
func Open(ctx context.Context, st store.Store, log Log) (*Keeper, error) {
	k := &Keeper{store: st, log: log}
	var s shown
	err := st.View(ctx, func(tx store.Tx) (err error) {
		s, err = read(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("brand: %w", err)
	}
	k.now.Store(&s)
	return k, nil
}

func read(tx store.Tx) (s shown, err error) {
	var text string
	err = tx.QueryRow("select brand, version from brand where id = 1").Scan(&text, &s.version)
	if errors.Is(err, sql.ErrNoRows) {
		return shown{}, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &s.brand)
	}
	return s, err
}

// Shown is the brand and its number; 0: nobody set one.
func (k *Keeper) Shown() (Brand, int64) {
	s := k.now.Load()
	return s.brand, s.version
}

// Set shows another one from now on, and writes down what the name was and is. may is
// asked in the same transaction whether the actor may. Errors: those above, that of
// may, or one of the store.
func (k *Keeper) Set(ctx context.Context, by audit.Actor, version int64, b Brand, may func(store.Tx) error) error {
	b, err := b.tidy()
	if err != nil {
		return err
	}
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("brand: %w", err)
	}
	k.setting.Lock()
	defer k.setting.Unlock()
	next := shown{b, version + 1}
	err = k.store.Update(ctx, func(tx store.Tx) error {
		if err := may(tx); err != nil {
			return err
		}
		was, err := read(tx)
		if err != nil {
			return err
		}
		if was.version != version {
			return ErrChanged
		}
		if _, err := tx.Exec(`insert into brand (id, brand, version, created) values (1, ?, ?, ?)
			on conflict (id) do update set brand = excluded.brand, version = excluded.version, created = excluded.created`,
			string(text), next.version, store.FormatTime(time.Now())); err != nil {
			return err
		}
		e := audit.Event{Type: "brand.set", Outcome: "ok", Actor: by, Origin: "server", Data: map[string]any{"version": next.version}}
		e.Personal = map[string]any{"name": b.Name, "was": was.brand.Name}
		_, err = k.log.AppendTx(tx, e)
		return err
	})
	if err != nil {
		return fmt.Errorf("brand: %w", err)
	}
	k.now.Store(&next)
	return nil
}
