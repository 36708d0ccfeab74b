package rows

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
	desk "github.com/mainforte/mainforte/signaling/tickets"
)

var bg = context.Background()

// house is a server's data of many years.
type house struct {
	st    *storetest.Listening
	log   *audit.Log
	ids   []string // of the sessions, the oldest first
	since time.Time
}

// What there is.
const (
	sessions    = 100_000
	tickets     = 10_000
	technicians = 100
	outside     = 20_000 // lines of the log that are of no session
)

// subjects that tickets have, in turn: a word of each, of every tenth, of some that are
// old, and of one.
func subject(i int) string {
	words := []string{"Imprimante"}
	if i%10 == 0 {
		words = append(words, "bloquée")
	}
	if i < tickets/5 {
		words = append(words, fmt.Sprintf("migration%d", i%50))
	}
	if i == tickets/2 {
		words = append(words, "zanzibar")
	}
	return strings.Join(words, " ")
}

// filler puts rows in by few statements: arrays of JSON, made here and read there.
type filler struct {
	t        testing.TB
	st       store.Store
	postgres bool
}

func (f filler) do(query string, args ...any) {
	f.t.Helper()
	if err := f.st.Update(bg, func(tx store.Tx) error { _, err := tx.Exec(query, args...); return err }); err != nil {
		f.t.Fatal(err)
	}
}

// put runs a query whose %s is a table v of n rows with these members.
func (f filler) put(query, members string, n int, one func(i int) map[string]any) {
	f.t.Helper()
	from, each := "json_each(?)", "r.value"
	if f.postgres {
		from, each = "jsonb_array_elements(?::jsonb)", "r"
	}
	var list []string
	for m := range strings.FieldsSeq(members) {
		m, number := strings.CutSuffix(m, ":n")
		cell := each + " ->> '" + m + "'"
		if number {
			cell = "cast(" + cell + " as bigint)"
		}
		list = append(list, cell+" as "+m)
	}
	rows := make([]map[string]any, n)
	for i := range rows {
		rows[i] = one(i)
	}
	b, err := json.Marshal(rows)
	if err != nil {
		f.t.Fatal(err)
	}
	f.do(fmt.Sprintf(query, "(select "+strings.Join(list, ", ")+" from "+from+" r) v"), string(b))
}

func (f filler) bytes() string {
	if f.postgres {
		return "bytea"
	}
	return "blob"
}

// month is the first id that a session could have in the month after so many.
func month(id string, later int) string {
	at := ulid.Time(ulid.MustParse(id).Time()).UTC()
	return ulid.MustNew(ulid.Timestamp(time.Date(at.Year(), at.Month()+time.Month(later), 1, 0, 0, 0, 0, time.UTC)), nil).String()
}

func fill(t testing.TB, st store.Store, postgres bool, dir string) *house {
	t.Helper()
	h := &house{st: storetest.Listen(st), since: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
	log, err := audit.Open(bg, h.st, dir)
	if err != nil {
		t.Fatal(err)
	}
	h.log = log
	f := filler{t, st, postgres}
	type row = map[string]any
	const step = 15 * time.Minute // nearly three years of them

	f.put("insert into users (id, name, name_key, role, password_hash, search, created) select id, name, id, 'technician', '', name, '' from %s",
		"id name", technicians, func(i int) row {
			return row{"id": fmt.Sprintf("U%03d", i), "name": fmt.Sprintf("technicienne %03d", i)}
		})
	f.put(`insert into tickets (id, number, subject, requester, lang, is_open, search, created, updated, priority, due)
		select id, number, subject, 'Zoé', 'fr', open, search, at, at, priority, due from %s`,
		"id number subject open:n search at priority:n due", tickets, func(i int) row {
			due := ""
			if i%20 == 1 {
				due = store.FormatTime(h.since.Add(time.Duration(i%500) * time.Hour))
			}
			number := fmt.Sprintf("MF-%d", i)
			return row{"id": fmt.Sprintf("T%05d", i), "number": number, "subject": subject(i), "open": i % 2, "due": due,
				"search": audit.Fold(number + "\n" + subject(i) + "\nZoé"), "at": store.FormatTime(h.since.Add(time.Duration(i) * step * 10)), "priority": i % 5}
		})
	entropy := ulid.DefaultEntropy()
	f.put(`insert into sessions (id, ticket_id, technician_id, started, ended, reason, duration_ms, resolution, code, score)
		select id, ticket, technician, at, at, reason, 60000, 'solved', code, case when score > 0 then score end from %s`,
		"id ticket technician at reason code score:n", sessions, func(i int) row {
			at := h.since.Add(time.Duration(i) * step)
			h.ids = append(h.ids, ulid.MustNew(ulid.Timestamp(at), entropy).String())
			reason, score := "PERSON_STOPPED", 0
			switch {
			case i == sessions/2:
				reason = "TAMPERED"
			case i%10 == 0:
				reason = "PERSON_DENIED"
			}
			if i%8 == 0 {
				score = 1 + i/8%5
			}
			return row{"id": h.ids[i], "ticket": fmt.Sprintf("T%05d", i/(sessions/tickets)), "technician": fmt.Sprintf("U%03d", i%technicians),
				"at": store.FormatTime(at), "reason": reason, "code": fmt.Sprintf("code%d", i%7), "score": score}
		})
	f.do("insert into session_participants (session_id, number, technician_id, kind, joined) select id, 1, technician_id, 'lead', started from sessions")
	f.do("insert into session_grants (name, session) select 'view', id from sessions")
	f.do("insert into session_grants (name, session) select 'control', id from sessions where reason <> 'PERSON_DENIED'")
	f.do("insert into session_grants (name, session) select 'elevate', id from sessions where reason = 'TAMPERED'")
	var words [][2]string
	for i := range tickets {
		for _, w := range desk.Words(fmt.Sprintf("%d %s", i, subject(i))) {
			words = append(words, [2]string{w, fmt.Sprintf("T%05d", i)})
		}
	}
	f.put("insert into session_words (word, session) select v.word, s.id from %s join sessions s on s.ticket_id = v.ticket order by 1, 2",
		"word ticket", len(words), func(i int) row { return row{"word": words[i][0], "ticket": words[i][1]} })

	// One real session a month, by whose words all others of its month are found, and
	// one by a word of its own.
	months := map[string]string{}
	for _, id := range h.ids {
		months[month(id, 0)] = id
	}
	real := func(session string, personal map[string]any) {
		t.Helper()
		if _, err := log.Append(bg, audit.Event{Type: "session.paired", Session: session, Outcome: "ok", Origin: "server",
			Actor: audit.Actor{Kind: "technician", Ref: "U000"}, Personal: personal}); err != nil {
			t.Fatal(err)
		}
	}
	for first, id := range months {
		real(id, map[string]any{"person": "Tremblay", "host_address": "192.0.2.7"})
		f.do(`insert into audit_search (key_id, token, session) select a.key_id, a.token, s.id from audit_search a join sessions s on s.id >= ? and s.id < ?
			where a.session = ? order by 1, 2, 3 on conflict do nothing`, first, month(id, 1), id)
	}
	real(h.ids[sessions/2], map[string]any{"person": "Ursule Unique"})
	if _, err := log.Append(bg, audit.Event{Type: "auth.disabled", Outcome: "ok", Origin: "server", Actor: audit.Actor{Kind: "admin", Ref: "A"}}); err != nil {
		t.Fatal(err)
	}
	// From here on nothing can be appended: the tree knows nothing of these lines.
	f.put("insert into audit_leaves (idx, id, session, type, leaf, hash) select i, 'X', session, type, '{}', cast('' as "+f.bytes()+") from %s",
		"i:n session type", outside+sessions, func(i int) row {
			if i < outside {
				return row{"i": 1_000_000 + i, "session": "", "type": "auth.login"}
			}
			return row{"i": 1_000_000 + i, "session": h.ids[i-outside], "type": "consent.granted"}
		})
	f.do("analyze")
	return h
}
