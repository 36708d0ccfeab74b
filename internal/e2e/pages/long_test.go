package pages

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/mainforte/mainforte/internal/e2e/stage"
	"github.com/mainforte/mainforte/signaling/store"
)

// What stands in a long list: as many as there are to page through in a test.
const (
	longTickets  = 10_000
	longSessions = 2_000
	ticketRows   = 200 // that a page of the list has at most
	sessionRows  = 50
	mostNodes    = 6_000 // elements in the whole document
)

// filled puts many tickets and sessions beside a server's own, with what people said of
// the sessions.
func (w *house) filled(data string) {
	w.t.Helper()
	st, err := store.OpenSQLite(filepath.Join(data, "mainforte.db"))
	w.must(err)
	defer func() { w.must(st.Close()) }()
	const numbers = "with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ?) "
	at := `strftime('%Y-%m-%dT%H:%M:%S.000000000Z', 'now', '-' || (i / 8) || ' hours')`
	w.must(st.Update(w.ctx, func(tx store.Tx) error {
		for _, q := range []struct {
			query string
			args  []any
		}{
			{"insert into users (id, name, name_key, role, password_hash, search, created) values ('LONG1', 'Ann', 'long1', 'technician', '', 'ann', ''), ('LONG2', 'Bob', 'long2', 'technician', '', 'bob', ''), ('LONG3', 'Cid', 'long3', 'technician', '', 'cid', '')", nil},
			{"insert into teams (id, name, name_key, tier, created) values ('T1', 'Réseau et téléphonie <b> des établissements de la rive sud et des services à domicile', 't1', 1, ''), ('T2', 'Postes', 't2', 2, ''), ('T3', 'Applications', 't3', 2, '')", nil},
			{"insert into team_members (team_id, user_id) values ('T1', 'LONG1'), ('T1', 'LONG2'), ('T2', 'LONG2'), ('T3', 'LONG3')", nil},
			{"insert into resolution_codes (code, outcome, en, fr, version, updated) values ('paper', 'solved', 'Paper jam', 'Bourrage papier', 1, ''), ('reinstall', 'workaround', 'Program installed again', 'Programme réinstallé', 1, '')", nil},
			{numbers + `insert into tickets (id, number, subject, requester, lang, is_open, search, created, updated)
				select printf('LONG%05d', i), printf('MF-%d', 100000 + i), 'Imprimante ' || i || case i % 3 when 0 then ' bloquée' else ' lente' end, 'Zoé ' || (i % 400), 'fr', 1,
				lower(printf('MF-%d imprimante %d', 100000 + i, i)), ` + at + ", " + at + " from n", []any{int64(longTickets)}},
			{numbers + `insert into sessions (id, ticket_id, technician_id, started, ended, reason, duration_ms, resolution, code, score, commented)
				select printf('01LONG%020d', i), printf('LONG%05d', i), case when i in (0, 1, 5) then 'LONG3' else 'LONG' || (1 + i / 3 % 2) end, ` + at + ", " + at + `, 'PERSON_STOPPED', 60000, 'solved',
				case i % 4 when 0 then 'paper' when 1 then 'reinstall' else '' end, case when i % 5 < 2 then 5 - i % 3 end, case when i % 15 = 0 then 1 else 0 end from n`, []any{int64(longSessions)}},
		} {
			if _, err := tx.Exec(q.query, q.args...); err != nil {
				return fmt.Errorf("%w: %s", err, q.query)
			}
		}
		return nil
	}))
}

// turned pages to the end of a list and counts the rows that are met; on the way there
// are never more in the document than a page has.
func (w *house) turned(rows, id, next string, most int) int {
	w.t.Helper()
	n, err := stage.Eval[struct{ Met, Pages, Most, Nodes int }](w.browser, fmt.Sprintf(`(async () => {
  const met = new Set(), button = () => document.querySelector(%q), rows = () => [...document.querySelectorAll(%q)];
  let Pages = 0, Most = 0, Nodes = 0;
  for (;;) {
    const page = rows(), first = page[0].dataset.row ?? page[0].textContent;
    Pages++;
    Most = Math.max(Most, page.length);
    Nodes = Math.max(Nodes, document.querySelectorAll("*").length);
    for (const r of page) met.add(r.querySelector("a").href);
    page.at(-1).scrollIntoView();
    await new Promise((done) => setTimeout(done));
    if (button() === null || button().ariaDisabled === "true") break;
    button().click();
    for (let tries = 0; button().ariaDisabled === "true" && tries < 500 || (rows()[0]?.textContent ?? first) === first && tries < 500; tries++)
      await new Promise((done) => setTimeout(done, 10));
  }
  return { Met: met.size, Pages, Most, Nodes };
})()`, next, rows))
	w.must(err)
	if n.Most > most || n.Nodes > mostNodes {
		w.t.Errorf("%s: %d rows and %d elements in the document at once, more than %d and %d", id, n.Most, n.Nodes, most, mostNodes)
	}
	if want := (n.Met + most - 1) / most; n.Pages != want {
		w.t.Errorf("%s: %d pages of %d rows", id, n.Pages, n.Met)
	}
	return n.Met
}

// TestLongListsAreShort: 10,000 tickets and thousands of sessions are paged through to
// the last, and the document is never longer than a page. What people said of the
// sessions is seen over a longer time.
func TestLongListsAreShort(t *testing.T) {
	w, shots := opened(t, 8*time.Minute, "fr")
	screens := []screen{{scheme: "light", width: 1280}, {scheme: "dark", width: 1280}, {scheme: "light", width: 320}, {scheme: "dark", width: 320}}
	l := &looker{t: t, b: w.browser, lang: "fr", screens: screens, axe: readAxe(t), shots: shots, n: 200}

	// Of the page of supervisors only the last section is looked at: the others are in other tests.
	alone := func() {
		t.Helper()
		_, err := stage.Eval[bool](w.browser, `(document.querySelectorAll("main > section:not(:last-of-type)").forEach((e) => { e.hidden = true }), true)`)
		w.must(err)
	}
	// Nothing yet.
	w.as("supervisor", "Superviseure", "/supervise")
	w.wait("#problems")
	alone()
	l.see("trends-none")
	w.filled(w.data)

	w.goTo("/supervise")
	w.wait("#by-team li")
	alone()
	l.see("trends")
	w.click("#by-team button")
	w.click("#by-topic button")
	w.wait("#by-topic table")
	l.see("trends-tables")

	w.leave()
	w.as("technician", "Technicienne", "/console")
	w.click(`#whose input[value="all"]`)
	w.wait("#tickets-next")
	l.see("long-tickets")
	w.click("#tickets-next")
	w.must(w.browser.Wait(soon, `document.querySelector("#tickets-before").ariaDisabled === "false" && document.activeElement.id === "tickets-next" && document.querySelector("#tickets").scrollTop === 0`))
	w.click("#tickets-before")
	w.must(w.browser.Wait(soon, `document.querySelector("#tickets-before").ariaDisabled === "true" && document.querySelector("#tickets-next").ariaDisabled === "false"`))
	if n := w.turned("#tickets li", "tickets", "#tickets-next", ticketRows); n != longTickets {
		t.Errorf("%d tickets are met", n)
	}
	w.must(w.browser.Fill("#ticket-search", "imprimante 4711"))
	w.must(w.browser.Wait(soon, `document.querySelectorAll("#tickets li").length === 1 && document.querySelector("#tickets-next") === null`))

	w.leave()
	w.as("auditor", "Auditrice", "/audit")
	w.wait("#sessions-next")
	l.see("long-sessions")
	if n := w.turned("#sessions tbody tr", "sessions", "#sessions-next", sessionRows); n != longSessions {
		t.Errorf("%d sessions are met", n)
	}
	l.see("last-sessions")
}
