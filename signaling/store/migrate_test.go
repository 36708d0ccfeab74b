package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/mainforte/mainforte/signaling/store"
)

// old makes a database of the first schema, with one session that is open and one
// that is over, of these tokens.
func old(t *testing.T, db *sql.DB, kind, open, over string) {
	t.Helper()
	p, err := goose.NewProvider(map[string]goose.Dialect{"sqlite": goose.DialectSQLite3, "postgres": goose.DialectPostgres}[kind], db,
		os.DirFS("migrations/"+kind), goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(bg, 1); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`insert into users (id, name, name_key, role, password_hash, created) values ('ann', 'Ann', 'ann', 'technician', '', '')`,
		`insert into sessions (id, technician_id, method, started, viewer_token) values ('open', 'ann', 'link', '1', ` + open + `)`,
		`insert into sessions (id, technician_id, method, started, ended, reason, viewer_token) values ('over', 'ann', 'password', '2', '3', 'HOST_GONE', ` + over + `)`,
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
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
