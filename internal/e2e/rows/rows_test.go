package rows

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/pairing"
	"github.com/mainforte/mainforte/signaling/queue"
	"github.com/mainforte/mainforte/signaling/solutions"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
	"github.com/mainforte/mainforte/signaling/supervise"
	desk "github.com/mainforte/mainforte/signaling/tickets"
)

// listing is a page of a list, and how many rows stand on it.
type listing struct {
	name string
	page func(h *house) (int, error)
	rows int // that stand on the page; -1: no matter how many
}

func found(f pairing.Filter) func(h *house) (int, error) {
	return func(h *house) (int, error) {
		if f.Query != "" {
			var err error
			if f.Found, err = h.log.Search(bg, f.Query, f.Before, 201); err != nil {
				return 0, err
			}
		}
		list, _, err := pairing.Records(bg, h.st, f)
		return len(list), err
	}
}

// older is a page of sessions from the middle of all on.
func older(f pairing.Filter) func(h *house) (int, error) {
	return func(h *house) (int, error) {
		f.Before = h.ids[sessions/2]
		return found(f)(h)
	}
}

func ticketPage(state desk.State, query, after string) func(h *house) (int, error) {
	return func(h *house) (int, error) {
		list, _, err := desk.NewLocal(h.st).Page(bg, state, query, after, 200)
		return len(list), err
	}
}

// last is a time shortly after the last session began.
func (h *house) last() time.Time { return h.since.Add(sessions * 15 * time.Minute) }

var lists = []listing{
	{"the newest sessions", found(pairing.Filter{}), 50},
	{"sessions from the middle on", older(pairing.Filter{}), 50},
	{"200 of them", older(pairing.Filter{Limit: 200}), 200},
	{"a grant that all have", found(pairing.Filter{Grant: "view"}), 50},
	{"a grant that one has", found(pairing.Filter{Grant: "elevate"}), 1},
	{"a grant that none has", found(pairing.Filter{Grant: "annotate"}), 0},
	{"an end that many have", found(pairing.Filter{Reason: "PERSON_DENIED"}), 50},
	{"an end that one has", found(pairing.Filter{Reason: "TAMPERED"}), 1},
	{"an end that none has", found(pairing.Filter{Reason: "PROTOCOL"}), 0},
	{"a grant and an end", older(pairing.Filter{Grant: "view", Reason: "PERSON_DENIED"}), 50},
	{"a grant and an end of one", found(pairing.Filter{Grant: "view", Reason: "TAMPERED"}), 1},
	{"those that are open", found(pairing.Filter{Live: true}), 0},
	{"those of a ticket", found(pairing.Filter{Ticket: "T00007"}), 10},
	{"those of some days", func(h *house) (int, error) {
		return found(pairing.Filter{From: h.since.AddDate(1, 0, 0), Until: h.since.AddDate(1, 0, 7), Reason: "PERSON_DENIED"})(h)
	}, 50},
	{"those of a day with a rare end", func(h *house) (int, error) {
		return found(pairing.Filter{From: h.since.AddDate(1, 0, 0), Reason: "TAMPERED"})(h)
	}, 1},
	{"a word of all tickets", found(pairing.Filter{Query: "imprimante"}), 50},
	{"the beginning of it", found(pairing.Filter{Query: "IMPRIM"}), 50},
	{"two words, one of every tenth", found(pairing.Filter{Query: "bloquee imprimante"}), 50},
	{"a word of one ticket", found(pairing.Filter{Query: "zanzibar"}), 10},
	{"a word of old tickets", found(pairing.Filter{Query: "migration7"}), 50},
	{"a beginning of many words, all old", found(pairing.Filter{Query: "migr"}), 50},
	{"a word that none has", found(pairing.Filter{Query: "girafe"}), 0},
	{"a word and a rare end", found(pairing.Filter{Query: "imprimante", Reason: "TAMPERED"}), 1},
	{"a word and a rare grant", found(pairing.Filter{Query: "imprimante", Grant: "elevate"}), 1},
	{"a word and a grant of most", older(pairing.Filter{Query: "imprimante", Grant: "control"}), 50},
	{"a ticket's number", found(pairing.Filter{Query: "MF-4711"}), 10},
	{"a session's id", func(h *house) (int, error) { return found(pairing.Filter{Query: h.ids[4711]})(h) }, 1},
	{"a technician", found(pairing.Filter{Query: "technicienne 042"}), 50},
	{"all technicians", older(pairing.Filter{Query: "technicienne"}), 50},
	{"a technician and a rare end", found(pairing.Filter{Query: "technicienne", Reason: "TAMPERED"}), 1},
	{"a sealed name that all have", found(pairing.Filter{Query: "tremblay"}), 50},
	{"a sealed name that one has", found(pairing.Filter{Query: "ursule"}), 1},
	{"a sealed address", older(pairing.Filter{Query: "192.0.2.7"}), 50},
	{"open tickets", ticketPage(desk.Open, "", ""), 200},
	{"open tickets behind a due one", ticketPage(desk.Open, "", "T04001"), 200},
	{"open tickets from the middle on", ticketPage(desk.Open, "", "T05003"), 200},
	{"closed tickets from the middle on", ticketPage(desk.Closed, "", "T05000"), 200},
	{"all tickets from the middle on", ticketPage(desk.All, "", "T05000"), 200},
	{"changes", func(h *house) (int, error) {
		list, err := h.log.Recent(bg, []string{"auth.disabled", "team.created", "policy.set"}, -1, 100)
		return len(list), err
	}, 1},
	{"the figures of a day", func(h *house) (int, error) {
		f, err := supervise.Today(bg, h.st, h.last().Add(-24*time.Hour), h.last(), time.Minute)
		return f.Sessions, err
	}, 96},
	{"a queue", func(h *house) (int, error) {
		ids, err := queue.New(h.st).Given(bg, "U000", true)
		return len(ids), err
	}, 0},
	{"solutions", func(h *house) (int, error) {
		list, err := solutions.New(h.st, h.log).Suggest(bg, "imprimante bloquée")
		return len(list), err
	}, 0},
}

// scans are the lists that may read a whole table, of which there is no more than so
// many: what is looked for in tickets may stand within a word.
var scans = []listing{
	{"open tickets with a word", ticketPage(desk.Open, "bloquee", ""), 200},
	{"a word that no ticket has", ticketPage(desk.All, "girafe", ""), 0},
}

// Budgets: of rows in PostgreSQL, of the steps of its machine in SQLite. To read all
// sessions once is 100,000 of the one and three times as many of the other.
const (
	rowBudget  = 15_000
	stepBudget = 200_000
)

func TestListsOfSQLiteReadNoMoreThanTheirBudget(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mf.db")
	st, err := store.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	h := fill(t, st, false, t.TempDir())
	m := openMachine(t, path)
	check(t, h, stepBudget, m.steps)
	if n := m.steps(t, storetest.Asked{Query: "select id from sessions where used = '{1}'"}); n < stepBudget {
		t.Errorf("reading all sessions is %d steps: the budget tells nothing", n)
	}
}

func TestListsOfPostgreSQLReadNoMoreThanTheirBudget(t *testing.T) {
	st, err := store.OpenPostgres(storetest.Postgres(t).Database(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	h := fill(t, st, true, t.TempDir())
	visited := func(t testing.TB, a storetest.Asked) int { return visited(t, st, a) }
	check(t, h, rowBudget, visited)
	if n := visited(t, storetest.Asked{Query: "select id from sessions where used = '{1}'"}); n < sessions {
		t.Errorf("reading all sessions is %d rows: the budget tells nothing", n)
	}
}

// check opens every list and counts what each of its statements costs.
func check(t *testing.T, h *house, budget int, cost func(testing.TB, storetest.Asked) int) {
	for _, l := range lists {
		h.st.Heard()
		began := time.Now()
		n, err := l.page(h)
		took := time.Since(began)
		if err != nil || l.rows >= 0 && n != l.rows {
			t.Errorf("%s: %d rows, want %d, %v", l.name, n, l.rows, err)
		}
		all, worst, dearest := 0, 0, storetest.Asked{}
		for _, a := range h.st.Heard() {
			c := cost(t, a)
			if all += c; c > worst {
				worst, dearest = c, a
			}
		}
		t.Logf("%7d %s (%v)", all, l.name, took.Round(100*time.Microsecond))
		if all > budget {
			t.Errorf("%s costs %d, more than %d; most of it (%d):\n%s\n%v", l.name, all, budget, worst, dearest.Query, dearest.Args)
		}
	}
}

// plan is a node of what PostgreSQL says that it did.
type plan struct {
	Table   string  `json:"Relation Name"`
	Rows    float64 `json:"Actual Rows"`
	Loops   float64 `json:"Actual Loops"`
	Removed float64 `json:"Rows Removed by Filter"`
	Checked float64 `json:"Rows Removed by Index Recheck"`
	Plans   []plan  `json:"Plans"`
}

func (p plan) read() float64 {
	n := 0.0
	// Of users there are few: to read all of them is often the shortest.
	if (p.Table != "" || len(p.Plans) == 0) && p.Table != "users" {
		n = (p.Rows + p.Removed + p.Checked) * p.Loops
	}
	for _, c := range p.Plans {
		n += c.read()
	}
	return n
}

// visited counts the rows that PostgreSQL reads from tables and indexes for a statement.
func visited(t testing.TB, st store.Store, a storetest.Asked) int {
	t.Helper()
	var text string
	if err := st.View(bg, func(tx store.Tx) error {
		return tx.QueryRow("explain (analyze, format json) "+a.Query, a.Args...).Scan(&text)
	}); err != nil {
		t.Fatalf("%v: %s", err, a.Query)
	}
	var said []struct{ Plan plan }
	if err := json.Unmarshal([]byte(text), &said); err != nil || len(said) != 1 {
		t.Fatal(err, text)
	}
	return int(said[0].Plan.read())
}

func BenchmarkLists(b *testing.B) {
	st, err := store.OpenSQLite(filepath.Join(b.TempDir(), "mf.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	h := fill(b, st, false, b.TempDir())
	for _, l := range append(lists, scans...) {
		b.Run(l.name, func(b *testing.B) {
			for b.Loop() {
				if n, err := l.page(h); err != nil || l.rows >= 0 && n != l.rows {
					b.Fatal(fmt.Sprint(n), err)
				}
			}
		})
	}
}
