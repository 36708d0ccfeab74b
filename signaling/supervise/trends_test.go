package supervise

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
	"github.com/mainforte/mainforte/signaling/tickets"
)

func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t) }

// answered is a session and what was said of it.
type answered struct {
	day        int // of November
	technician string
	subject    string
	requester  string
	code       string
	score      int // -1: nothing was said
	words      bool
}

// told puts sessions in, each of a ticket of its own.
func told(t *testing.T, list []answered) store.Store {
	t.Helper()
	st := storetest.Open(t, t.TempDir())
	local := tickets.NewLocal(st)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(st.Update(t.Context(), func(tx store.Tx) error {
		for _, q := range []string{
			"insert into users (id, name, name_key, role, password_hash, search, created) values ('ann', 'Ann Maurice', 'ann', 'technician', '', 'ann maurice', '')",
			"insert into teams (id, name, name_key, tier, created) values ('T1', '=Réseau', 'reseau', 1, ''), ('T2', 'Bureau', 'bureau', 1, ''), ('T3', 'Idle', 'idle', 2, '')",
			"insert into users (id, name, name_key, role, password_hash, search, created) values ('bob', 'Bob', 'bob', 'technician', '', 'bob', ''), ('cid', 'Cid', 'cid', 'technician', '', 'cid', '')",
			"insert into team_members (team_id, user_id) values ('T1', 'ann'), ('T1', 'bob'), ('T2', 'bob')",
			"insert into resolution_codes (code, outcome, en, fr, version, updated) values ('paper', 'solved', 'Paper jam', 'Bourrage', 1, '')",
		} {
			if _, err := tx.Exec(q); err != nil {
				return err
			}
		}
		for i, s := range list {
			k, err := local.CreateTx(tx, tickets.New{Subject: s.subject, Requester: s.requester, Lang: "fr"})
			if err != nil {
				return err
			}
			id := fmt.Sprintf("S%03d", i)
			if _, err := tx.Exec("insert into sessions (id, ticket_id, technician_id, started) values (?, ?, ?, ?)", id, k.ID, s.technician,
				store.FormatTime(time.Date(2026, 11, s.day, 9, i%60, 0, 0, time.UTC))); err != nil {
				return err
			}
			if s.score >= 0 {
				if err := RatedTx(tx, id, s.score, s.words); err != nil {
					return err
				}
			}
			if err := ClosedTx(tx, id, "solved", s.code); err != nil {
				return err
			}
		}
		return nil
	}))
	return st
}

func november(t *testing.T, st store.Store) Trends {
	t.Helper()
	got, err := Count(context.Background(), st, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func shown(s Satisfaction) string {
	return fmt.Sprintf("%d answers %d pleased %d sum %d comments told %v", s.Answers, s.Pleased, s.Sum, s.Comments, s.Told())
}

func TestSatisfactionByTeamAndTopic(t *testing.T) {
	var list []answered
	for i := range 6 {
		list = append(list, answered{day: 3, technician: []string{"ann", "bob"}[i%2], subject: "x", code: "paper", score: i%5 + 1, words: i == 0})
	}
	list = append(list,
		answered{day: 4, technician: "cid", subject: "x", score: 0, words: true},        // words alone
		answered{day: 4, technician: "cid", subject: "x", score: -1},                    // nothing
		answered{day: 5, technician: "cid", subject: "x", code: "taken away", score: 5}, // a code that is no more
	)
	got := november(t, told(t, list))
	if got.Sessions != 9 || shown(got.All) != "7 answers 3 pleased 21 sum 2 comments told true" {
		t.Errorf("all: %d sessions, %s", got.Sessions, shown(got.All))
	}
	var lines []string
	for _, g := range append(got.Teams, got.Topics...) {
		lines = append(lines, fmt.Sprintf("%s %s/%s: %s", g.ID, g.Name, g.French, shown(g.Satisfaction)))
	}
	want := []string{
		"T1 =Réseau/=Réseau: 6 answers 2 pleased 16 sum 1 comments told true",
		"T2 Bureau/Bureau: 3 answers 1 pleased 7 sum 0 comments told false",
		" /: 1 answers 1 pleased 5 sum 1 comments told false",
		"paper Paper jam/Bourrage: 6 answers 2 pleased 16 sum 1 comments told true",
		"taken away taken away/taken away: 1 answers 1 pleased 5 sum 0 comments told false",
		" /: 0 answers 0 pleased 0 sum 1 comments told false",
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("groups:\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// Satisfaction is told of five answers at least, and never about one technician.
func TestSatisfactionIsNeverAboutOneTechnician(t *testing.T) {
	for name, c := range map[string]struct {
		technicians []string
		answers     int
		told        bool
	}{
		"enough":          {[]string{"ann", "bob"}, 5, true},
		"too few answers": {[]string{"ann", "bob"}, 4, false},
		"all about ann":   {[]string{"ann"}, 50, false},
		"none":            {nil, 0, false},
	} {
		var list []answered
		for i := range c.answers {
			list = append(list, answered{day: 3, technician: c.technicians[i%len(c.technicians)], subject: "x", score: 5})
		}
		if got := november(t, told(t, list)); got.All.Told() != c.told {
			t.Errorf("%s: told %v", name, got.All.Told())
		}
	}
}

// What leaves the house about problems is words that many tickets share, and nobody's name.
func TestProblemsNameNobody(t *testing.T) {
	var list []answered
	for i, who := range []string{"Zoé Côté", "Luc Roy", "Eva Roy", "Noé Caron", "Léa Hébert", "Zoé Côté"} {
		list = append(list, answered{day: 2 + i, technician: "ann", subject: fmt.Sprintf("L’imprimante %d de Maurice bourrée encore (%s)", i, who), requester: who, score: 2})
	}
	for range 4 { // one too few
		list = append(list, answered{day: 8, technician: "bob", subject: "Écran noir", requester: "Luc Roy", score: -1})
	}
	list = append(list, answered{day: 28, technician: "bob", subject: "Secret de Zorro", requester: "", score: -1})
	got := november(t, told(t, list))
	if len(got.Problems) != 1 {
		t.Fatalf("%+v", got.Problems)
	}
	p := got.Problems[0]
	if p.Words != "imprimante bourrée encore" || p.Tickets != 6 || p.Sessions != 6 || p.Back != 1 || shown(p.Satisfaction) != "6 answers 0 pleased 12 sum 0 comments told false" {
		t.Errorf("%+v: %s", p, shown(p.Satisfaction))
	}
	if got.Requesters != 5 || got.Back != 2 { // Zoé and Luc
		t.Errorf("%d asked, %d came back", got.Requesters, got.Back)
	}
}

func TestWhoComesBackMuchLaterDoesNotComeBack(t *testing.T) {
	got := november(t, told(t, []answered{
		{day: 1, technician: "ann", subject: "a", requester: "Zoé", score: -1}, {day: 16, technician: "ann", subject: "b", requester: "ZOE", score: -1},
		{day: 1, technician: "ann", subject: "a", requester: "Luc", score: -1}, {day: 14, technician: "ann", subject: "b", requester: "luc", score: -1},
	}))
	if got.Requesters != 2 || got.Back != 1 {
		t.Errorf("%d asked, %d came back", got.Requesters, got.Back)
	}
}

func TestNothingIsTrendingInAnEmptyHouse(t *testing.T) {
	if got := november(t, told(t, nil)); got.Sessions+got.All.Answers+len(got.Teams)+len(got.Topics)+len(got.Problems)+got.Requesters != 0 {
		t.Errorf("%+v", got)
	}
}
