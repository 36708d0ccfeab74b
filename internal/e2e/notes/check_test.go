package notes

import (
	"database/sql"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	_ "modernc.org/sqlite"

	"github.com/mainforte/mainforte/internal/e2e/scan"
)

// database opens the server's own, beside the server.
func (w *world) database() *sql.DB {
	w.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.data, "mainforte.db")+"?_pragma=busy_timeout(20000)")
	w.must(err)
	return db
}

// texts is the first column of a query.
func (w *world) texts(query string, args ...any) (list []string) {
	w.t.Helper()
	db := w.database()
	defer db.Close()
	rows, err := db.QueryContext(w.ctx, query, args...)
	w.must(err)
	defer rows.Close()
	for rows.Next() {
		var s string
		w.must(rows.Scan(&s))
		list = append(list, s)
	}
	w.must(rows.Err())
	return list
}

// drained waits until no session is open and no note is on its way.
func (w *world) drained() {
	w.t.Helper()
	for {
		waiting := w.texts("select note_key from outbox where state = 'waiting' union all select id from sessions where ended is null")
		if len(waiting) == 0 {
			return
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-w.ctx.Done():
			w.t.Fatalf("%d are still on their way: %v", len(waiting), waiting[:min(len(waiting), 5)])
		}
	}
}

var marker = regexp.MustCompile(`mf:[0-9A-Z]{26}:end`)

// result is what was found in the end.
type result struct {
	Sessions   int    `json:"sessions"` // those that a host knows
	Orphans    int    `json:"orphans"`  // those whose host never heard of them
	Notes      int    `json:"notes"`
	NotesLost  int    `json:"notes_lost"`
	NotesTwice int    `json:"notes_doubled"`
	Events     int    `json:"host_events"`
	EventsLost int    `json:"host_events_lost"`
	Verify     string `json:"verify"`
}

// check looks at everything: each session has one note, where it belongs; each
// event that a host was told is durable stands in the log, once and in order; and
// the log can be proved.
func (w *world) check(all []*held) (r result) {
	w.t.Helper()
	r.Sessions = len(all)
	known := map[string]*held{}
	for _, s := range all {
		known[s.id] = s
	}
	sessions := map[string]string{} // ticket of each session that was written down
	for _, row := range w.texts("select id || ' ' || ticket_id from sessions") {
		id, ticket, _ := strings.Cut(row, " ")
		sessions[id] = ticket
		if known[id] == nil {
			r.Orphans++
		}
	}

	// The notes, as the desks tell.
	found := map[string]int{}
	for _, d := range w.desks {
		for _, ticket := range d.tickets {
			for _, m := range d.markers(ticket) {
				id := strings.Split(m, ":")[1]
				found[id]++
				if sessions[id] != ticket {
					w.t.Errorf("a note of session %s, whose ticket is %q, stands in %q", id, sessions[id], ticket)
				}
			}
		}
	}
	for id := range sessions {
		switch n := found[id]; {
		case n == 0:
			r.NotesLost++
			w.t.Errorf("session %s has no note in %s", id, sessions[id])
		case n > 1:
			r.NotesTwice++
			w.t.Errorf("session %s has %d notes in %s", id, n, sessions[id])
		}
		r.Notes += found[id]
	}
	for _, s := range w.texts("select note_key || ' ' || state || ' ' || problem from outbox where state <> 'written'") {
		w.t.Errorf("in the outbox: %s", s)
	}

	// The events, as the log tells.
	db := w.database()
	defer db.Close()
	rows, err := db.QueryContext(w.ctx, `select session, type, json_extract(leaf, '$.origin'), json_extract(leaf, '$.mono_ms') from audit_leaves where session <> '' order by idx`)
	w.must(err)
	defer rows.Close()
	type line struct{ host, ended, queued, written, gaps, closed int }
	lines := map[string]*line{}
	for rows.Next() {
		var session, typ, origin string
		var mono int
		w.must(rows.Scan(&session, &typ, &origin, &mono))
		l := lines[session]
		if l == nil {
			l = &line{}
			lines[session] = l
		}
		switch typ {
		case "session.ended":
			l.ended++
		case "ticket.note_queued":
			l.queued++
		case "ticket.note_written":
			l.written++
		case "log.gap":
			l.gaps++
		case "host.closed":
			l.closed++
		default:
			if origin == "host" {
				if l.host++; mono != l.host {
					w.t.Errorf("session %s: event %d of the host stands where %d belongs", session, mono, l.host)
				}
			}
		}
	}
	w.must(rows.Err())
	for id := range sessions {
		l := lines[id]
		if l == nil || l.ended != 1 || l.queued != 1 || l.written != 1 {
			w.t.Errorf("session %s: %+v", id, l)
			continue
		}
		s := known[id]
		if s == nil {
			continue
		}
		r.Events += l.host
		if l.host != int(s.events) {
			r.EventsLost += int(s.events) - l.host
			w.t.Errorf("session %s: %d events of the host, it wrote %d", id, l.host, s.events)
		}
		if s.closed && (l.gaps != 0 || l.closed != 1) || !s.closed && (l.gaps != 1 || l.closed != 0) {
			w.t.Errorf("session %s, signed %v: %+v", id, s.closed, l)
		}
		if s.ticket != sessions[id] {
			w.t.Errorf("session %s stands under %q, not %q", id, sessions[id], s.ticket)
		}
	}
	for id := range known {
		if _, ok := sessions[id]; !ok {
			w.t.Errorf("session %s was never written down", id)
		}
	}

	// The proof: the tables, and what is taken out of the house.
	out := filepath.Join(w.t.TempDir(), "export")
	w.signaling("export", "--data", w.data, "--out", out, "--personal")
	text := w.signaling("verify", out, "--key", filepath.Join(out, "keys", "log.vkey"))
	text += w.signaling("verify", "--data", w.data)
	if strings.Count(text, "PROVEN") != 2 {
		w.t.Errorf("verify says\n%s", text)
	}
	r.Verify = strings.TrimSpace(text)
	return r
}

// signaling runs a command of the server's program, which must succeed.
func (w *world) signaling(args ...string) string {
	w.t.Helper()
	out, err := exec.CommandContext(w.ctx, program, args...).CombinedOutput()
	if err != nil {
		w.t.Errorf("signaling %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// purge destroys what is sealed of every second session while the server runs.
// Nothing of it is then in any file of the server, in its output, or in anything
// that is taken out; all proofs hold.
func (w *world) purge(all []*held) {
	w.t.Helper()
	needles := func(rest int) (list []scan.Needle) {
		for i, s := range all {
			if i%2 == rest {
				list = append(list, scan.Needle{Name: s.id, Value: []byte(s.secret)})
			}
		}
		return list
	}
	gone, kept := needles(0), needles(1)
	for i, s := range all {
		if i%2 == 0 {
			w.signaling("retention", "purge", "--data", w.data, "--session", s.id)
		}
	}
	dir := w.t.TempDir()
	bundle := filepath.Join(dir, "bundle")
	w.signaling("export", "--data", w.data, "--personal", "--out", bundle)
	for _, f := range []string{"jsonl", "csv", "cef", "ecs", "ocsf", "otlp"} {
		w.signaling("export", "--data", w.data, "--personal", "--format", f, "--out", filepath.Join(dir, "events."+f))
	}
	w.signaling("report", "--data", w.data, "--personal", "--session", all[0].id, "--out", filepath.Join(dir, "report.html"))
	for _, place := range []string{w.data, dir} {
		hits, err := scan.Dir(gone, place)
		w.must(err)
		for _, h := range append(hits, scan.Bytes(gone, "the server's output", []byte(w.server.Out.String()))...) {
			w.t.Errorf("after the purge there is %s", h)
		}
	}
	if hits, err := scan.Dir(kept, dir); err != nil || len(hits) < 5*len(kept) {
		w.t.Errorf("only %d traces of the %d sessions that were kept: %v", len(hits), len(kept), err)
	}
	text := w.signaling("verify", bundle, "--key", filepath.Join(bundle, "keys", "log.vkey"))
	text += w.signaling("verify", "--data", w.data)
	if strings.Count(text, "PROVEN") != 2 || !strings.Contains(text, "purged") {
		w.t.Errorf("verify says\n%s", text)
	}
}
