// Package brand is how a help desk shows itself on its pages: a name, a logo, a colour,
// and a sentence for the person who needs help, in both languages.
//
// All of it was chosen by an admin, and none of it reaches a page as it came. Texts are
// cleaned when they are set and escaped wherever they are shown; there is no markup in
// them, and a name is no address. Of a picture ([ReadLogo]) only what a decoder saw is
// written anew. Of a colour ([Judge]) three properties are made for light pages and dark
// ones, in which words can be read and which nobody takes for a warning. So nothing that
// a page says of safety can be hidden or imitated by it.
package brand

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
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
	Accent   string `json:"accent"`   // a colour; empty: that of the pages
	Logo     string `json:"logo"`     // Logo.ID of one that was added; empty: none
}

// Errors of Keeper.Set.
var (
	// ErrLong: a name or a sentence is longer than it may be.
	ErrLong = errors.New("brand: too long")
	// ErrHalf: a sentence in one language only, which half of the readers would miss.
	ErrHalf = errors.New("brand: a sentence needs both languages")
	// ErrAddress: a name with an address in it, which could be taken for this server's.
	ErrAddress = errors.New("brand: a name is no address")
	// ErrColour: words of that colour could not be read, or would look like a warning; or
	// it is none.
	ErrColour = errors.New("brand: the colour cannot be used")
	// ErrNoLogo: there is no such logo, or no more.
	ErrNoLogo = errors.New("brand: no such logo")
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
	for _, word := range strings.Fields(b.Name) {
		if addressForm.MatchString(word) {
			return Brand{}, ErrAddress
		}
	}
	if b.Accent != "" {
		c, err := ParseColour(b.Accent)
		if err != nil {
			return Brand{}, ErrColour
		}
		j, err := Judge(c)
		if err != nil {
			return Brand{}, err
		}
		if j.Why != Fine {
			return Brand{}, ErrColour
		}
		b.Accent = c.String()
	}
	return b, nil
}

// addressForm is a word that reads as the name of a server: people are told to compare
// this server's, and a name must not stand in for it. Initials are none.
var addressForm = regexp.MustCompile(`https?://|^[^\pL\pN]*[\pL\pN-]{2,}(\.[\pL\pN-]+)*\.\pL{2,}([^\pL\pN].*)?$`)

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
	logo    Logo // the zero value: none
	sheet   File // the zero value: none
}

// File is what a page of the brand asks for.
type File struct {
	Name string // the SHA-256 of Body in hexadecimal, and how such names end
	Body []byte
}

// How names of a File end.
const (
	SheetEnd = ".css"
	LogoEnd  = ".png"
)

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
	if err != nil {
		return shown{}, err
	}
	if err := json.Unmarshal([]byte(text), &s.brand); err != nil {
		return shown{}, err
	}
	// A name without its logo is better than no help desk.
	if err := s.complete(tx); err != nil && !errors.Is(err, ErrNoLogo) {
		return shown{}, err
	}
	return s, nil
}

// complete makes the stylesheet and finds the logo. What stands in the database is
// parsed and fitted like what comes from a browser: what is no colour makes no rule.
// Error: ErrNoLogo, once all else is done, or one of the store.
func (s *shown) complete(tx store.Tx) error {
	if c, err := ParseColour(s.brand.Accent); err == nil {
		j, err := Judge(c)
		if err != nil {
			return err
		}
		body := j.Palette.sheet()
		s.sheet = File{hash(body) + SheetEnd, body}
	}
	if s.brand.Logo == "" {
		return nil
	}
	l, err := logo(tx, s.brand.Logo)
	if err == nil {
		s.logo = l
	}
	return err
}

// hash is the SHA-256 of b, hexadecimal: what an address that may be kept for ever is
// made of.
func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// logo reads one that was added. Error: ErrNoLogo, or one of the store.
func logo(tx store.Tx, id string) (Logo, error) {
	if !logoForm.MatchString(id) { // PostgreSQL takes no NUL, and there is no such id
		return Logo{}, ErrNoLogo
	}
	l := Logo{ID: id}
	var width, height int64
	err := tx.QueryRow("select picture, width, height, plate from brand_logos where id = ?", id).Scan(&l.PNG, &width, &height, &l.Plate)
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && hash(l.PNG) != id:
		return Logo{}, ErrNoLogo
	case err != nil:
		return Logo{}, err
	}
	l.Width, l.Height = int(width), int(height)
	return l, nil
}

var logoForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Shown is the brand and its number; 0: nobody set one.
func (k *Keeper) Shown() (Brand, int64) {
	s := k.now.Load()
	return s.brand, s.version
}

// Sheet is the name of the stylesheet that pages ask for; empty: they need none.
func (k *Keeper) Sheet() string { return k.now.Load().sheet.Name }

// Logo is the one that is shown; ok is false if there is none.
func (k *Keeper) Logo() (l Logo, ok bool) {
	l = k.now.Load().logo
	return l, l.ID != ""
}

// File is one of the two that pages ask for. One that was shown before is none: a logo
// that was taken down is not to be had any more.
func (k *Keeper) File(name string) (f File, ok bool) {
	s := k.now.Load()
	switch {
	case name == "":
	case name == s.sheet.Name:
		return s.sheet, true
	case s.logo.ID != "" && name == s.logo.ID+LogoEnd:
		return File{name, s.logo.PNG}, true
	}
	return File{}, false
}

// kept is how many logos stay besides the one that is shown, so that there is a way back.
const kept = 8

// Add keeps a logo to be shown by Set; it is shown to nobody yet.
func (k *Keeper) Add(ctx context.Context, l Logo) error {
	err := k.store.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Exec(`insert into brand_logos (id, picture, width, height, plate, created) values (?, ?, ?, ?, ?, ?)
			on conflict (id) do update set created = excluded.created`, l.ID, l.PNG, l.Width, l.Height, l.Plate, store.FormatTime(time.Now())); err != nil {
			return err
		}
		s, err := read(tx)
		if err != nil {
			return err
		}
		_, err = tx.Exec("delete from brand_logos where id <> ? and id not in (select id from brand_logos order by created desc, id limit ?)", s.brand.Logo, kept)
		return err
	})
	if err != nil {
		return fmt.Errorf("brand: %w", err)
	}
	return nil
}

// Added is a logo that may be shown. Error: ErrNoLogo, or one of the store.
func (k *Keeper) Added(ctx context.Context, id string) (l Logo, err error) {
	err = k.store.View(ctx, func(tx store.Tx) error {
		l, err = logo(tx, id)
		return err
	})
	if err != nil {
		return Logo{}, fmt.Errorf("brand: %w", err)
	}
	return l, nil
}

// Set shows another one from now on, and writes down what its name, logo and colour were
// and are. may is asked in the same transaction whether the actor may. Errors: those
// above, that of may, or one of the store.
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
	next := shown{brand: b, version: version + 1}
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
		if err := next.complete(tx); err != nil {
			return err
		}
		if _, err := tx.Exec(`insert into brand (id, brand, version, created) values (1, ?, ?, ?)
			on conflict (id) do update set brand = excluded.brand, version = excluded.version, created = excluded.created`,
			string(text), next.version, store.FormatTime(time.Now())); err != nil {
			return err
		}
		e := audit.Event{Type: "brand.set", Outcome: "ok", Actor: by, Origin: "server", Data: map[string]any{
			"version": next.version, "logo": b.Logo, "was_logo": was.brand.Logo,
			"accent": strings.TrimPrefix(b.Accent, "#"), "was_accent": strings.TrimPrefix(was.brand.Accent, "#"),
		}}
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
