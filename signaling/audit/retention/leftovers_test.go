package retention

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/appointments"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/audit/bundle"
	"github.com/mainforte/mainforte/signaling/audit/formats"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// What a purge does about a table.
const (
	bare   = "holds nothing of the people in a session but opaque ids"
	ruined = "a purge destroys what it holds of a session"
	others = "is no part of the log: the accounts, and the embedded desk, which has its own retention"
)

// holds is every table. A new one needs a row: who adds it says what a purge
// does about it, and docs/audit.md says it to those who set a policy.
var holds = map[string]string{
	"answered":             others,
	"api_tokens":           others,
	"factors":              others,
	"recovery_codes":       others,
	"assignments":          others,
	"hook_deliveries":      others,
	"launch_key":           others,
	"appointments":         ruined,
	"attachments":          ruined,
	"audit_checkpoints":    bare,
	"audit_head":           bare,
	"audit_holds":          bare,
	"audit_keys":           ruined,
	"audit_leaves":         bare,
	"audit_nodes":          bare,
	"audit_personal":       ruined,
	"audit_search":         ruined,
	"audit_signers":        bare,
	"counters":             bare,
	"desk_setup":           others,
	"desk_tickets":         ruined,
	"goose_db_version":     bare,
	"links":                others,
	"outbox":               ruined,
	"retention":            bare,
	"session_participants": bare,
	"session_grants":       bare,
	"session_words":        ruined,
	"sessions":             bare,
	"signins":              bare,
	"sqlite_sequence":      bare,
	"ticket_notes":         others,
	"transfers":            others,
	"tickets":              others,
	"users":                others,
	"teams":                others,
	"team_members":         bare,
	"user_origins":         others,
	"policy":               bare,
	"phrases":              others,
	"resolution_codes":     others,
	"solutions":            others,
	"solution_words":       others,
	"brand":                bare,
	"brand_logos":          bare,
}

// columns of the tables in which a session's own words could one day stand: a
// new one needs the same thought.
var columns = map[string]string{
	"appointments":         "about created ends id items lang number sequence starts state ticket_id updated user_id why zone",
	"attachments":          "body created id kind session_id sha256 size",
	"audit_search":         "key_id session token",
	"outbox":               "attempts created fault id look_at next_at note note_key problem put_back remote_id session_id state system ticket_id updated",
	"session_grants":       "name session",
	"session_words":        "session word",
	"session_participants": "departed joined kind method number reason session_id technician_id viewer_token",
	"sessions":             "code commented course duration_ms ended ends grants host_events host_key host_seq host_token id interrupted method reason resolution ruled_out score started technician_id ticket_id used",
}

func TestEveryTableHasItsPlaceInAPurge(t *testing.T) {
	storetest.OnlySQLite(t, "the tables of PostgreSQL are the twins of these")
	w := made(t)
	db, err := sql.Open("sqlite", filepath.Join(w.dir, "mf.db"))
	must(t, err)
	defer func() { _ = db.Close() }()
	got := map[string][]string{}
	rows, err := db.Query("select m.name, c.name from sqlite_master m, pragma_table_info(m.name) c where m.type = 'table' order by m.name, c.name")
	must(t, err)
	for rows.Next() {
		var table, column string
		must(t, rows.Scan(&table, &column))
		got[table] = append(got[table], column)
	}
	must(t, rows.Err())
	for table, cols := range got {
		if holds[table] == "" {
			t.Errorf("table %s: nobody said what a purge does about it", table)
		}
		if want, ok := columns[table]; ok && want != strings.Join(cols, " ") {
			t.Errorf("table %s has the columns %q", table, strings.Join(cols, " "))
		}
	}
	for table := range holds {
		if got[table] == nil {
			t.Errorf("there is no table %s", table)
		}
	}
}

// Half of the sessions are purged. What was in them is in no table, no page of
// the database, used or free, no page of its log, and no export; and neither is
// what could open it for somebody who has the key file.
func TestPurgedStringsAreNowhere(t *testing.T) {
	w := made(t)
	const sessions = 40
	for i := range sessions {
		id := fmt.Sprintf("S%02d", i)
		w.session(id, time.Duration(50+100*(i%2))*day)
		// A letter that was given up still has its text, and another desk's ticket is
		// remembered.
		must(t, w.st.Update(bg, func(tx store.Tx) error {
			if _, err := tx.Exec("insert into sessions (id, ticket_id, technician_id, started) values (?, ?, '01T', '')", id, "rt:"+id); err != nil {
				return err
			}
			if _, err := tx.Exec(`insert into desk_tickets (id, desk, number, subject, lang, is_open, search, seen) values (?, 'rt', '1', ?, 'fr', 1, ?, '')`,
				"rt:"+id, w.secret(id), w.secret(id)); err != nil {
				return err
			}
			if _, err := tx.Exec("insert into session_words (word, session) values (?, ?)", w.secret(id), id); err != nil {
				return err
			}
			if _, err := tx.Exec("insert into attachments (id, session_id, kind, size, sha256, body, created) values (?, ?, 'system', 1, ?, ?, '')",
				id, id, []byte{1}, []byte(w.secret(id))); err != nil {
				return err
			}
			if _, err := tx.Exec(`insert into users (id, name, name_key, role, password_hash, created) values ('01T', '', '', 'technician', '', '') on conflict (id) do nothing`); err != nil {
				return err
			}
			if _, err := tx.Exec(`insert into appointments (id, ticket_id, number, user_id, lang, starts, ends, zone, about, items, state, why, created, updated)
				values (?, ?, '1', '01T', 'fr', '1', '1', 'UTC', ?, '[]', 'cancelled', ?, '', '')`, id, "rt:"+id, w.secret(id), w.secret(id)); err != nil {
				return err
			}
			_, err := tx.Exec(`insert into outbox (id, note_key, system, ticket_id, session_id, note, problem, state, next_at, created, updated)
				values (?, ?, 'local', 'T', ?, ?, ?, 'dead', '', '', '')`, id, "mf:"+id+":end", id, w.secret(id), "the desk says: "+w.secret(id))
			return err
		}))
	}
	w.append(audit.Event{Type: "auth.login", Personal: map[string]any{"name": w.secret("nobody")}})
	// The sealed parts, wrapped keys and rows of the index of those that will go, and
	// of those that stay.
	var gone, stays [][]byte
	var indexed []string
	must(t, w.st.View(bg, func(tx store.Tx) error {
		rows, err := tx.Query(`select k.scope, p.box, k.wrapped from audit_personal p join audit_keys k on k.id = p.key_id`)
		if err != nil {
			return err
		}
		for rows.Next() {
			var scope string
			var box, wrapped []byte
			if err := rows.Scan(&scope, &box, &wrapped); err != nil {
				return err
			}
			var n int
			if _, err := fmt.Sscanf(scope, "session:S%d", &n); err == nil && n%2 == 1 {
				gone = append(gone, box, wrapped)
			} else {
				stays = append(stays, box, wrapped)
			}
		}
		return rows.Err()
	}))
	must(t, w.st.View(bg, func(tx store.Tx) error {
		rows, err := tx.Query(`select token, session from audit_search`)
		if err != nil {
			return err
		}
		for rows.Next() {
			var token []byte
			var session string
			if err := rows.Scan(&token, &session); err != nil {
				return err
			}
			var n int
			if _, err := fmt.Sscanf(session, "S%d", &n); err != nil {
				return err
			}
			// Words that all sessions have have one token: only its row tells.
			if n%2 == 1 {
				indexed = append(indexed, string(token)+session)
			}
		}
		return rows.Err()
	}))
	traces := func() (places map[string]int) {
		places = map[string]int{}
		look := func(place string, b []byte) {
			for _, s := range gone {
				for at := 0; at+16 <= len(s); at += 16 {
					if bytes.Contains(b, s[at:at+16]) {
						places[place]++
					}
				}
			}
			for _, row := range indexed {
				if bytes.Contains(b, []byte(row)) {
					places[place]++
				}
			}
			for i := 1; i < sessions; i += 2 {
				for _, form := range forms(w.secret(fmt.Sprintf("S%02d", i))) {
					if bytes.Contains(b, []byte(form)) {
						places[place]++
					}
				}
			}
		}
		for name, b := range w.tables() {
			look("table "+name, b)
		}
		for name, b := range w.files(w.dir) {
			look("file "+name, b)
		}
		return places
	}
	before := traces()
	before["file"] = before["file mf.db"] + before["file mf.db-wal"]
	for table, what := range holds {
		if what == ruined && before["table "+table] == 0 {
			t.Fatalf("the search finds nothing in %s: %v", table, before)
		}
	}
	if before["file"] == 0 {
		t.Fatalf("the search finds nothing in the files: %v", before)
	}
	raw := slices.Concat(w.files(w.dir)["mf.db"], w.files(w.dir)["mf.db-wal"])
	for _, row := range indexed {
		if !bytes.Contains(raw, []byte(row)) {
			t.Fatal("a row of the index is not found in the files: the search proves nothing")
		}
	}

	w.k.Also = func(tx store.Tx, session string) error {
		return errors.Join(tickets.ForgetTx(tx, session), appointments.ForgetTx(tx, session))
	}
	must(t, w.k.Set(bg, Policy{"ninety", 90, 0}, admin))
	if r, err := w.k.Run(bg, false); err != nil || r.Sessions != sessions/2 {
		t.Fatalf("%+v, %v", r, err)
	}
	if after := traces(); len(after) != 0 {
		t.Errorf("traces are left: %v", after)
	}
	for _, s := range stays {
		if !bytes.Contains(slices.Concat(w.files(w.dir)["mf.db"], w.files(w.dir)["mf.db-wal"]), s[:16]) {
			t.Fatal("something is gone that was to stay")
		}
	}
	if r := w.sound(); r.Purged != 3*sessions/2 || r.Present != 3*sessions/2+1 {
		t.Errorf("%+v", r)
	}

	// Whatever leaves the house afterwards.
	out := filepath.Join(t.TempDir(), "export")
	_, err := bundle.Write(bg, w.k.Log, out, bundle.Options{Personal: true, By: admin})
	must(t, err)
	all := w.files(out)
	for _, name := range formats.Names() {
		f, _ := formats.New(name, formats.Options{Personal: true})
		head, err := w.k.Log.Head(bg)
		must(t, err)
		var b []byte
		must(t, w.k.Log.Read(bg, 0, head.Size, func(n audit.Line) error {
			b, err = f.Append(b, n)
			return err
		}))
		all[name] = b
	}
	for name, b := range all {
		for i := range sessions {
			s := w.secret(fmt.Sprintf("S%02d", i))
			found := false
			for _, form := range forms(s) {
				found = found || bytes.Contains(b, []byte(form))
			}
			if kept := i%2 == 0 && (name == "events.jsonl" || !strings.Contains(name, "/") && slices.Contains(formats.Names(), name)); found != kept {
				t.Errorf("%s: %q is there: %v", name, s, found)
			}
		}
	}
	if r, err := bundle.Verify(out, bundle.Trust{Key: w.k.Log.VerifierKey()}); err != nil || !r.Proven() || r.Policies["ninety"] != 3*sessions/2 {
		t.Errorf("%+v, %v", r, err)
	}
}

// forms are how a text may stand somewhere.
func forms(s string) []string {
	ascii, _ := json.Marshal(s)
	return []string{s, strings.Trim(string(ascii), `"`), hex.EncodeToString([]byte(s)), base64.StdEncoding.EncodeToString([]byte(s))[:20]}
}

// tables are all cells of all tables and indexes' sources, by table. Those of the
// index stand side by side, as in a record of the file.
func (w *world) tables() map[string][]byte {
	w.t.Helper()
	storetest.OnlySQLite(w.t, "it looks into the file")
	db, err := sql.Open("sqlite", filepath.Join(w.dir, "mf.db"))
	must(w.t, err)
	defer func() { _ = db.Close() }()
	out := map[string][]byte{}
	rows, err := db.Query("select name from sqlite_master where type = 'table'")
	must(w.t, err)
	var names []string
	for rows.Next() {
		var n string
		must(w.t, rows.Scan(&n))
		names = append(names, n)
	}
	must(w.t, rows.Err())
	if len(names) < 15 {
		w.t.Fatalf("only %v", names)
	}
	for _, n := range names {
		rows, err := db.Query(`select * from "` + n + `"`)
		must(w.t, err)
		cols, err := rows.Columns()
		must(w.t, err)
		for rows.Next() {
			cells := make([]sql.RawBytes, len(cols))
			to := make([]any, len(cols))
			for i := range cells {
				to[i] = &cells[i]
			}
			must(w.t, rows.Scan(to...))
			for _, c := range cells {
				if out[n] = append(out[n], c...); n != "audit_search" {
					out[n] = append(out[n], 0)
				}
			}
		}
		must(w.t, errors.Join(rows.Err(), rows.Close()))
	}
	return out
}

// files are all bytes below a folder, by path.
func (w *world) files(dir string) map[string][]byte {
	w.t.Helper()
	out := map[string][]byte{}
	must(w.t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(name)] = b
		return err
	}))
	return out
}
