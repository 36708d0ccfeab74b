package tickets_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/tickets/fake"
	"github.com/mainforte/mainforte/signaling/tickets/ticketstest"
)

var bg = context.Background()

func openStore(t testing.TB, dir string) store.Store { return storetest.Open(t, dir) }

func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t) }

func local(t testing.TB) (*tickets.Local, store.Store) {
	t.Helper()
	st := openStore(t, t.TempDir())
	return tickets.NewLocal(st), st
}

func create(t testing.TB, l *tickets.Local, subject, requester, lang string) tickets.Ticket {
	t.Helper()
	tk, err := l.Create(bg, tickets.New{Subject: subject, Requester: requester, Lang: lang})
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

func TestDesksKeepTheirPromises(t *testing.T) {
	t.Run("local", func(t *testing.T) {
		ticketstest.Run(t, func(t *testing.T) ticketstest.Desk {
			l, _ := local(t)
			tk := create(t, l, "Imprimante muette", "Zoë", "fr")
			create(t, l, "another", "", "en")
			return ticketstest.Desk{System: l, Ticket: tk.ID, Word: "Imprimante", Notes: func(id string) (notes []ticketstest.Note) {
				list, err := l.Notes(bg, id)
				if err != nil {
					t.Error(err)
				}
				for _, n := range list {
					notes = append(notes, ticketstest.Note{Text: n.Text, Public: n.Public})
				}
				return notes
			}, Close: func(id string) {
				if _, err := l.Close(bg, id); err != nil {
					t.Error(err)
				}
			}, Foreign: func(id, text string) {
				if _, err := l.AddNote(bg, id, tickets.Note{Key: "mf:01S:end", Text: text}); err != nil {
					t.Error(err)
				}
			}}
		})
	})
	t.Run("fake", func(t *testing.T) {
		ticketstest.Run(t, func(*testing.T) ticketstest.Desk {
			d := &fake.Desk{}
			d.Add(tickets.Ticket{ID: "1", Number: "F-1", Subject: "Imprimante muette", Lang: "fr", Open: true})
			d.Add(tickets.Ticket{ID: "2", Number: "F-2", Subject: "another", Lang: "en", Open: true})
			return ticketstest.Desk{System: d, Ticket: "1", Word: "Imprimante", Notes: func(id string) (notes []ticketstest.Note) {
				for _, n := range d.Notes(id) {
					notes = append(notes, ticketstest.Note{Text: n.Plain(), Public: n.Public})
				}
				return notes
			}}
		})
	})
}

func TestNumbersAreGivenOutOnce(t *testing.T) {
	l, st := local(t)
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			tk, err := l.Create(bg, tickets.New{Subject: fmt.Sprint(i), Lang: "en"})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[tk.Number] = true
		})
	}
	wg.Wait()
	for n := 1001; n <= 1040; n++ {
		if !seen[fmt.Sprint("MF-", n)] {
			t.Errorf("MF-%d was not given out", n)
		}
	}
	// A ticket that was not made takes no number.
	odd := errors.New("odd")
	if err := st.Update(bg, func(tx store.Tx) error {
		_, err := l.CreateTx(tx, tickets.New{Subject: "x", Lang: "en"})
		return errors.Join(odd, err)
	}); !errors.Is(err, odd) {
		t.Fatal(err)
	}
	if tk := create(t, l, "next", "", "en"); tk.Number != "MF-1041" {
		t.Errorf("the next is %s", tk.Number)
	}
}

func TestATicketIsWhatWasTyped(t *testing.T) {
	l, _ := local(t)
	before := time.Now().UTC().Add(-time.Second)
	made := create(t, l, "  L’écran\u202e est\nnoir\x00 ", "Zoë\tÖlçü", "fr")
	got, err := l.Get(bg, made.ID)
	if err != nil || got != made {
		t.Errorf("\ngot  %+v, %v\nmade %+v", got, err, made)
	}
	if got.Subject != "L’écran est noir" || got.Requester != "Zoë Ölçü" || got.Lang != "fr" || !got.Open || got.Created.Before(before) || !got.Updated.Equal(got.Created) {
		t.Errorf("%+v", got)
	}
	if long := create(t, l, strings.Repeat("é", 1000), "", "en"); utf8.RuneCountInString(long.Subject) != 256 {
		t.Errorf("%d characters", utf8.RuneCountInString(long.Subject))
	}
	for what, n := range map[string]tickets.New{
		"no subject": {Subject: " \u200b\n", Lang: "en"}, "no language": {Subject: "x"}, "unknown language": {Subject: "x", Lang: "de"},
	} {
		if _, err := l.Create(bg, n); !errors.Is(err, tickets.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestListsAreFoundWithoutCaseOrAccents(t *testing.T) {
	l, _ := local(t)
	a := create(t, l, "Écran noir 100%", "Zoë Ölçü", "fr")
	b := create(t, l, "Imprimante muette", "Noémie", "fr")
	c := create(t, l, "Screen under_score", "Bob", "en")
	if _, err := l.Close(bg, b.ID); err != nil {
		t.Fatal(err)
	}
	for _, q := range []struct {
		state tickets.State
		query string
		limit int
		want  []tickets.Ticket
	}{
		{tickets.All, "", 0, []tickets.Ticket{b, c, a}}, // the last touched first
		{tickets.Open, "", 0, []tickets.Ticket{c, a}},
		{tickets.Closed, "", 0, []tickets.Ticket{b}},
		{tickets.All, "", 2, []tickets.Ticket{b, c}},
		{tickets.All, "ecran", 0, []tickets.Ticket{a}},
		{tickets.All, "NOIR zoe olcu", 0, []tickets.Ticket{a}},
		{tickets.All, "noir muette", 0, nil},
		{tickets.All, "mf-1002", 0, []tickets.Ticket{b}},
		{tickets.All, "%", 0, []tickets.Ticket{a}},
		{tickets.All, "r_s", 0, []tickets.Ticket{c}},
		{tickets.All, `\`, 0, nil},
		{tickets.All, "' or 1=1 --", 0, nil},
		{tickets.All, strings.Repeat("écran ", 1000), 0, []tickets.Ticket{a}},
	} {
		got, err := l.List(bg, q.state, q.query, q.limit)
		if err != nil || len(got) != len(q.want) {
			t.Errorf("%s %.20q: %+v, %v", q.state, q.query, got, err)
			continue
		}
		for i := range got {
			if got[i].ID != q.want[i].ID {
				t.Errorf("%s %.20q: %d is %s", q.state, q.query, i, got[i].Number)
			}
		}
	}
	if _, err := l.List(bg, "other", "", 0); !errors.Is(err, tickets.ErrInvalid) {
		t.Errorf("an unknown state: %v", err)
	}
}

func TestSessionsAreCounted(t *testing.T) {
	l, st := local(t)
	tk := create(t, l, "x", "", "en")
	if err := st.Update(bg, func(tx store.Tx) error {
		_, err := tx.Exec("insert into sessions (id, ticket_id, technician_id, started) values ('1', ?, 'u', ''), ('2', ?, 'u', ''), ('3', 'other', 'u', '')", tk.ID, tk.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Get(bg, tk.ID); err != nil || got.Sessions != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestClosingAndOpening(t *testing.T) {
	l, st := local(t)
	tk := create(t, l, "x", "", "en")
	for _, want := range []bool{false, false, true, true} {
		do := l.Close
		if want {
			do = l.Open
		}
		got, err := do(bg, tk.ID)
		if err != nil || got.Open != want {
			t.Errorf("%+v, %v", got, err)
		}
		if stored, err := l.Get(bg, tk.ID); err != nil || stored != got {
			t.Errorf("%+v, %v", stored, err)
		}
	}
	if err := st.Update(bg, func(tx store.Tx) error {
		if _, changed, err := l.SetOpenTx(tx, tk.ID, true); changed || err != nil {
			t.Errorf("it was open: %v, %v", changed, err)
		}
		_, changed, err := l.SetOpenTx(tx, tk.ID, false)
		if !changed {
			t.Error("closing changed nothing")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Close(bg, "nobody"); !errors.Is(err, tickets.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestNotes(t *testing.T) {
	l, _ := local(t)
	tk := create(t, l, "x", "", "en")
	long := strings.Repeat("é", 3000)
	n, err := l.AddNote(bg, tk.ID, tickets.Note{Key: "mf:forged:end", Author: "Chloé\nMartin", Text: "\r\n one  two\r\nthree\x00\u202e\n\n" + long + "\n ", Public: true})
	if err != nil {
		t.Fatal(err)
	}
	if n.Key != "" || n.Author != "Chloé Martin" || n.Text != "one two\nthree\n\n"+long || !n.Public || n.ID == "" {
		t.Errorf("%+v", n)
	}
	if got, _ := l.Get(bg, tk.ID); !got.Updated.Equal(n.Created) {
		t.Errorf("the ticket was touched %v, the note made %v", got.Updated, n.Created)
	}
	for what, bad := range map[string]struct {
		note tickets.Note
		want error
	}{
		"empty":    {tickets.Note{Text: " \u200b\n"}, tickets.ErrInvalid},
		"language": {tickets.Note{Text: "x", Lang: "de"}, tickets.ErrInvalid},
		"too long": {tickets.Note{Text: strings.Repeat("x", 20_001)}, tickets.ErrTooLarge},
	} {
		if _, err := l.AddNote(bg, tk.ID, bad.note); !errors.Is(err, bad.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := l.AddNote(bg, "nobody", tickets.Note{Text: "x"}); !errors.Is(err, tickets.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := l.Notes(bg, "nobody"); !errors.Is(err, tickets.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := l.Close(bg, tk.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := l.AddNote(bg, tk.ID, tickets.Note{Text: "late"}); !errors.Is(err, tickets.ErrClosed) {
		t.Errorf("a closed ticket: %v", err)
	}
	// A session's own note is history: it arrives after all.
	end := tickets.Note{Key: tickets.Marker("01S", "end"), Lang: "en", Text: "summary"}
	id, err := l.Append(bg, tk.ID, end)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := l.Append(bg, tk.ID, end); again != id || err != nil {
		t.Errorf("written twice: %q and %q, %v", id, again, err)
	}
	if _, err := l.Append(bg, tk.ID, tickets.Note{Text: "x", Lang: "en"}); !errors.Is(err, tickets.ErrInvalid) {
		t.Errorf("without a key: %v", err)
	}
	list, err := l.Notes(bg, tk.ID)
	if err != nil || len(list) != 2 || list[0].ID != n.ID || list[1].ID != id || list[1].Key != end.Key {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestADeskWithoutItsStoreIsAwayForAMoment(t *testing.T) {
	l, st := local(t)
	tk := create(t, l, "x", "", "en")
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := l.Append(bg, tk.ID, tickets.Note{Key: "mf:a:b", Lang: "en", Text: "x"})
	if !errors.Is(err, tickets.ErrTransient) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if err := l.Check(bg); !errors.Is(err, tickets.ErrTransient) {
		t.Errorf("got %v", err)
	}
}

// Pages of any size show every ticket once, in the order of the list.
func TestTicketsComeByPages(t *testing.T) {
	l, st := local(t)
	due := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for i := range 40 {
		made, err := l.Create(bg, tickets.New{Subject: fmt.Sprintf("number %d", i), Lang: "en"})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Update(bg, func(tx store.Tx) error {
			when := time.Time{}
			if i%3 == 0 {
				when = due.Add(time.Duration(i%4) * time.Hour)
			}
			_, err := tx.Exec("update tickets set priority = ?, due = ?, updated = ?, is_open = ? where id = ?",
				int64(i%2), store.FormatTime(when), store.FormatTime(due.Add(time.Duration(i%5)*time.Minute)), int64(min(1, i%8)), made.ID)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, state := range []tickets.State{tickets.Open, tickets.Closed, tickets.All} {
		for _, query := range []string{"", "number 1"} {
			whole, more, err := l.Page(bg, state, query, "", 0)
			if err != nil || more || len(whole) < 2 {
				t.Fatalf("%s: %d, %v", state, len(whole), err)
			}
			for _, size := range []int{1, 3, len(whole)} {
				var got []tickets.Ticket
				after := ""
				for more := true; more && len(got) <= len(whole); {
					var page []tickets.Ticket
					if page, more, err = l.Page(bg, state, query, after, size); err != nil || len(page) == 0 || len(page) > size {
						t.Fatalf("%s behind %q: %d, %v", state, after, len(page), err)
					}
					got = append(got, page...)
					after = page[len(page)-1].ID
				}
				if !slices.Equal(got, whole) {
					t.Errorf("%s %q by %d: %d of %d tickets, or not in their order", state, query, size, len(got), len(whole))
				}
			}
		}
	}
	if list, more, err := l.Page(bg, tickets.Open, "", "gone", 5); len(list) != 0 || more || err != nil {
		t.Errorf("behind one that is not there: %d, %v", len(list), err)
	}
}
