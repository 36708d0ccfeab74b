package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"
	"golang.org/x/text/unicode/norm"

	"github.com/mainforte/mainforte/signaling/store"
)

// The search index finds sessions by words of their sealed parts, and by the hashes
// of their files, without holding a word: a row is a session and the HMAC of a word under the key of the month in
// which the session began. A purge deletes the session's rows; the month's key is
// destroyed with the last of them. What that guards against, and what not, is in
// docs/audit.md.

// Bounds of the index.
const (
	maxWords   = 32  // of one event
	maxQuery   = 8   // words looked for at once
	leastWord  = 2   // letters; shorter ones tell nothing
	maxWord    = 64  // bytes; the rest of a longer one is not looked at
	maxPeriods = 240 // keys of months that a search tries, the newest: 20 years
	// MaxFound bounds what one Search returns.
	MaxFound = 201
)

// tokenSize is enough for no two words of a month to meet by chance.
const tokenSize = 16

// periodPrefix is that of the scopes of the index's keys: "search:2026-11".
const periodPrefix = "search:"

// Fold makes text comparable: no case, no accents.
func Fold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// words are what can be looked for in text: addresses whole, of anything else the
// runs of letters and digits; folded, each once, at most so many.
func words(text string, most int) (list []string) {
	add := func(w string) {
		for len(w) > maxWord {
			_, n := utf8.DecodeLastRuneInString(w)
			w = w[:len(w)-n]
		}
		if utf8.RuneCountInString(w) >= leastWord && len(list) < most && !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	if len(text) > maxPersonal {
		text = text[:maxPersonal]
	}
	for _, part := range strings.Fields(text) {
		if a, err := netip.ParseAddr(part); err == nil {
			add(a.WithZone("").Unmap().String())
			continue
		}
		for _, w := range strings.FieldsFunc(Fold(part), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			add(w)
		}
	}
	return list
}

// mark is the token of a word in the index.
func mark(key []byte, word string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("mf/1 search|" + word))
	return m.Sum(nil)[:tokenSize]
}

// periodOf is the scope of the key for a session: of the month in which it began,
// so that all its words are under one key.
func periodOf(session string, now time.Time) string {
	if id, err := ulid.ParseStrict(session); err == nil {
		now = ulid.Time(id.Time())
	}
	return periodPrefix + now.UTC().Format("2006-01")
}

// indexTx adds what an event's type says is looked for.
func (l *Log) indexTx(tx store.Tx, e *Event) error {
	fields := eventTypes[e.Type].Search
	if fields == "" || e.Session == "" {
		return nil
	}
	var list []string
	for name := range strings.FieldsSeq(fields) {
		for _, part := range []map[string]any{e.Data, e.Personal} {
			if text, ok := part[name].(string); ok {
				list = append(list, words(text, maxWords)...)
			}
		}
	}
	if len(list) == 0 {
		return nil
	}
	d, err := l.periodKey(tx, periodOf(e.Session, l.now()))
	if err != nil {
		return err
	}
	for _, w := range list[:min(len(list), maxWords)] {
		tx.Later("insert into audit_search (key_id, token, session) values (?, ?, ?) on conflict (key_id, token, session) do nothing",
			d.id, mark(d.key, w), e.Session)
	}
	return nil
}

// periodKey is the key of a month: the one in the database, or a new one.
func (l *Log) periodKey(tx store.Tx, scope string) (*dek, error) {
	if d := l.keys.held(scope); d != nil {
		if ok, err := d.put(tx); ok || err != nil {
			return d, err
		}
		l.keys.forget(scope, d.id) // destroyed with the last session of its month
	}
	d := &dek{scope: scope, created: l.now()}
	err := tx.QueryRow("select id, wrapped from audit_keys where scope = ? and wrapped is not null order by id limit 1", scope).Scan(&d.id, &d.wrapped)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		d = l.keys.fresh(scope, l.now())
	case err != nil:
		return nil, err
	default:
		if d.key, err = l.keys.unwrap(d.id, scope, d.wrapped); err != nil {
			return nil, err
		}
	}
	if ok, err := d.put(tx); err != nil || !ok {
		return nil, errors.Join(err, fmt.Errorf("%w: a key that stands is purged", ErrDamaged))
	}
	l.keys.hold(d)
	return d, nil
}

// unindexTx takes a session out of the index, and destroys the keys of months
// that are over and have no session left.
func (l *Log) unindexTx(tx store.Tx, session string) error {
	if _, err := tx.Exec("delete from audit_search where session = ?", session); err != nil {
		return err
	}
	ids, err := keyIDs(tx, "scope >= '"+periodPrefix+"' and scope < ? and not exists (select 1 from audit_search s where s.key_id = audit_keys.id)",
		periodOf("", l.now()))
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := tx.Exec("update audit_keys set wrapped = null, purged = ? where id = ?", store.FormatTime(l.now()), id); err != nil {
			return err
		}
		tx.Keep(stands{id}, nil)
	}
	return nil
}

// Search returns sessions, the newest first, in whose names, addresses and hashes of
// files each word of query stands, as a whole word, without regard to case and accents; only
// those whose id is before another one, if that is not empty; at most limit and
// MaxFound. A session whose names were purged is not found.
func (l *Log) Search(ctx context.Context, query, before string, limit int) (found []string, err error) {
	list := words(query, maxQuery)
	if len(list) == 0 {
		return nil, nil
	}
	limit = max(1, min(limit, MaxFound))
	// The longest is the rarest, as a rule: it is looked up, the others are checked.
	slices.SortStableFunc(list, func(a, b string) int { return len(b) - len(a) })
	q := "select s.session from audit_search s where s.key_id = ? and s.token = ?"
	for range list[1:] {
		q += " and exists (select 1 from audit_search o where o.key_id = s.key_id and o.token = ? and o.session = s.session)"
	}
	if before != "" {
		q += " and s.session < ?"
	}
	q += " order by s.session desc limit ?"
	err = l.st.View(ctx, func(tx store.Tx) error {
		found = nil
		keys, err := periodsTx(tx)
		if err != nil {
			return err
		}
		for i, d := range keys {
			if len(found) >= limit && d.scope != keys[i-1].scope {
				break // months before have older sessions
			}
			key, err := l.keys.unwrap(d.id, d.scope, d.wrapped)
			if err != nil {
				return err
			}
			args := []any{d.id}
			for _, w := range list {
				args = append(args, mark(key, w))
			}
			if before != "" {
				args = append(args, before)
			}
			if err := sessionsTx(tx, &found, q, append(args, limit)...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit: searching: %w", err)
	}
	slices.SortFunc(found, func(a, b string) int { return strings.Compare(b, a) })
	found = slices.Compact(found)
	return found[:min(len(found), limit)], nil
}

// periodsTx are the keys of the index, the newest month first.
func periodsTx(tx store.Tx) (list []dek, err error) {
	rows, err := tx.Query("select id, scope, wrapped from audit_keys where scope >= ? and scope < ? and wrapped is not null order by scope desc, id limit ?",
		periodPrefix, strings.TrimSuffix(periodPrefix, ":")+";", maxPeriods)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var d dek
		if err := rows.Scan(&d.id, &d.scope, &d.wrapped); err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, rows.Err()
}

// sessionsTx appends the first column of a query.
func sessionsTx(tx store.Tx, to *[]string, query string, args ...any) error {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return err
		}
		*to = append(*to, s)
	}
	return rows.Err()
}
