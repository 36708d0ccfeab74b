package store_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// old makes a database of the first schema, with one session that is open and one
// that is over, of these tokens.
func old(t *testing.T, db *sql.DB, kind, open, over string) {
	t.Helper()
	upTo(t, db, kind, 1,
		`insert into users (id, name, name_key, role, password_hash, created) values ('ann', 'Ann', 'ann', 'technician', '', '')`,
		`insert into sessions (id, technician_id, method, started, viewer_token) values ('open', 'ann', 'link', '1', `+open+`)`,
		`insert into sessions (id, technician_id, method, started, ended, reason, viewer_token) values ('over', 'ann', 'password', '2', '3', 'HOST_GONE', `+over+`)`,
	)
}

// upTo makes a database of an older schema, with what these statements put into it, and
// closes it.
func upTo(t *testing.T, db *sql.DB, kind string, version int64, fill ...string) {
	t.Helper()
	p, err := goose.NewProvider(map[string]goose.Dialect{"sqlite": goose.DialectSQLite3, "postgres": goose.DialectPostgres}[kind], db,
		os.DirFS("migrations/"+kind), goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(bg, version); err != nil {
		t.Fatal(err)
	}
	for _, q := range fill {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%v: %s", err, q)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// The one viewer of each session becomes its first participant, token included,
// so that it can come back after the update.
func TestSessionsOfTheFirstSchemaHaveTheirParticipant(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mf.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	old(t, db, "sqlite", "x'07'", "x'08'")
	checkParticipants(t, open(t, path))
}

func checkParticipants(t *testing.T, s store.Store) {
	t.Helper()
	type row struct {
		session, technician, method, kind, joined, token string
		departed, reason                                 sql.NullString
		number                                           int64
	}
	none := sql.NullString{}
	text := func(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }
	wanted := []row{
		{"open", "ann", "link", "lead", "1", "\x07", none, none, 1},
		{"over", "ann", "password", "lead", "2", "\x08", text("3"), text("HOST_GONE"), 1},
	}
	var got []row
	err := s.View(bg, func(tx store.Tx) error {
		rows, err := tx.Query(`select session_id, technician_id, method, kind, joined, viewer_token, departed, reason, number
			from session_participants order by session_id`)
		if err != nil {
			return err
		}
		for rows.Next() {
			var r row
			if err := rows.Scan(&r.session, &r.technician, &r.method, &r.kind, &r.joined, &r.token, &r.departed, &r.reason, &r.number); err != nil {
				return err
			}
			got = append(got, r)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(wanted) {
		t.Fatalf("participants: %+v", got)
	}
	for i := range got {
		if got[i] != wanted[i] {
			t.Errorf("participant %+v, want %+v", got[i], wanted[i])
		}
	}
}

// hard are subjects that a splitter of words could stumble over.
var hard = []string{
	"Imprimante « bloquée » : l’écran n'affiche rien (n° 12/b)", "a;b,c.d\te_f-g|h~i`j{k}l[m]n\\o^p", "100% of C:\\Users\\zoe",
	"ΑΘΉΝΑ Ångström ﬁle İstanbul", "x", "", "   ", "日本語 テスト", "e\u0301cran\u00a0noir – fin…", strings.Repeat("long", 20) + " 5€",
}

// beforeRows is a database of before migration 0013: sessions of tickets of both kinds,
// of which one was purged, with what was allowed and said in them.
func beforeRows() (fill []string) {
	quoted := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	leaf := func(idx int, session, typ, text string) string {
		return fmt.Sprintf("insert into audit_leaves (idx, id, session, type, leaf, hash) values (%d, 'x', '%s', '%s', '%s', '')", idx, session, typ, text)
	}
	fill = []string{`insert into users (id, name, name_key, role, password_hash, created) values ('ann', 'Ann', 'ann', 'technician', '', '')`}
	for i, subject := range hard {
		text := quoted(tickets.Fold(fmt.Sprintf("MF-%d\n%s", i, subject)))
		fill = append(fill,
			fmt.Sprintf("insert into tickets (id, number, subject, lang, search, created, updated) values ('t%d', 'MF-%d', %s, 'fr', %s, '', '')", i, i, quoted(subject), text),
			fmt.Sprintf("insert into sessions (id, ticket_id, technician_id, started) values ('s%d', 't%d', 'ann', '')", i, i))
	}
	return append(fill,
		"insert into desk_tickets (id, desk, number, subject, lang, is_open, search, seen) values ('rt:1', 'rt', '1', 'x', 'fr', 1, 'remembered', '')",
		`insert into sessions (id, ticket_id, technician_id, started, grants) values ('allowed', 'rt:1', 'ann', '',
			'[{"Name":"view","State":"allowed"},{"Name":"view","State":"revoked"},{"Name":"view","State":"allowed"},{"Name":"control","State":"denied"}]')`,
		"insert into sessions (id, ticket_id, technician_id, started) values ('purged', 'rt:1', 'ann', '')",
		"insert into audit_keys (id, scope, created, purged) values ('k', 'session:purged', '', 'then')",
		leaf(0, "allowed", "session.rated", `{"commit":"x","data":{"score":4}}`),
		leaf(1, "purged", "session.rated", `{"data":{"score":0}}`),
		leaf(2, "allowed", "session.closing", `{"data":{"code":"paper","resolution":"solved"}}`),
		leaf(3, "purged", "session.closing", `{"commit":"x","data":{}}`))
}

// What was there is found and counted as what comes: words as tickets.Words ends them,
// each grant that was allowed once, answers and resolutions of the log's lines.
func checkRows(t *testing.T, s store.Store) {
	t.Helper()
	read := func(query string) (list []string) {
		t.Helper()
		if err := s.View(bg, func(tx store.Tx) error {
			rows, err := tx.Query(query)
			if err != nil {
				return err
			}
			for rows.Next() {
				var a, b string
				if err := rows.Scan(&a, &b); err != nil {
					return err
				}
				list = append(list, a+" "+b)
			}
			return rows.Err()
		}); err != nil {
			t.Fatal(err)
		}
		return list
	}
	var want []string
	for i, subject := range hard {
		for _, w := range tickets.Words(fmt.Sprintf("MF-%d\n%s", i, subject)) {
			want = append(want, fmt.Sprintf("s%d %s", i, w))
		}
	}
	want = append(want, "allowed remembered")
	slices.Sort(want)
	got := read("select session, word from session_words")
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("words: %q\nwant   %q", got, want)
	}
	if got := read("select name, session from session_grants"); !slices.Equal(got, []string{"view allowed"}) {
		t.Errorf("grants: %q", got)
	}
	said := "select id, coalesce(score, -1) || ' ' || commented || ' ' || resolution || ' ' || code from sessions where id in ('allowed', 'purged', 's0') order by id"
	if got := read(said); !slices.Equal(got, []string{"allowed 4 1 solved paper", "purged 0 0  ", "s0 -1 0  "}) {
		t.Errorf("what was said: %q", got)
	}
}

func TestWhatWasThereBeforeIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mf.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	upTo(t, db, "sqlite", 12, beforeRows()...)
	checkRows(t, open(t, path))
}
