package tickets_test

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
	"github.com/mainforte/mainforte/signaling/tickets"
	"github.com/mainforte/mainforte/signaling/tickets/fake"
)

func TestRedmineSaysHowUrgentATicketIs(t *testing.T) {
	site := &fake.Redmine{}
	site.Add(fake.Subject{ID: 7, Title: "x", Priority: 6, Due: "2026-12-02"})
	site.Add(fake.Subject{ID: 8, Title: "x", Priority: 3})
	site.Add(fake.Subject{ID: 9, Title: "x", Priority: 7, Due: "soon"})
	site.Add(fake.Subject{ID: 10, Title: "x", Priority: 99})
	srv := httptest.NewServer(site)
	defer srv.Close()
	d, err := tickets.NewSystem(tickets.Config{System: "redmine", URL: srv.URL, Token: fake.Worker})
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2026, 12, 2, 23, 59, 59, 0, time.UTC)
	for id, want := range map[string]tickets.Ticket{
		"7": {Priority: tickets.Urgent, Due: end}, "8": {Priority: tickets.Low},
		"9": {Priority: tickets.Urgent}, "10": {},
	} {
		if got, err := d.Get(bg, id); err != nil || got.Priority != want.Priority || !got.Due.Equal(want.Due) {
			t.Errorf("%s is %v until %v, %v", id, got.Priority, got.Due, err)
		}
	}
	if list, err := d.Search(bg, "7", 5); err != nil || len(list) != 1 || list[0].Priority != tickets.Urgent {
		t.Errorf("found %v %v", list, err)
	}
}

func TestARealRequestTrackerSaysHowUrgentATicketIs(t *testing.T) {
	a := realRT(t)
	d, err := tickets.NewSystem(tickets.Config{System: "rt", URL: a.URL, Token: a.Worker, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.Get(bg, a.ticket("x")); err != nil || got.Priority != tickets.Unsaid || !got.Due.IsZero() {
		t.Errorf("by itself it is %v until %v, %v", got.Priority, got.Due, err)
	}
	id := a.ticket("y")
	a.call("PUT", "ticket/"+id, a.Worker, map[string]any{"Priority": "80", "Due": "2026-12-02 10:00:00"}, nil)
	got, err := d.Get(bg, id)
	if err != nil || got.Priority != tickets.High || !got.Due.Equal(time.Date(2026, 12, 2, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("it is %v until %v, %v", got.Priority, got.Due, err)
	}
}

func TestWhatIsDueStandsFirst(t *testing.T) {
	st := storetest.Open(t, t.TempDir())
	l := tickets.NewLocal(st)
	soon := time.Now().Add(time.Hour).UTC()
	set := func(id string, p tickets.Priority, due time.Time) (changed bool, err error) {
		err = st.Update(bg, func(tx store.Tx) error {
			_, changed, err = l.SetUrgencyTx(tx, id, p, due)
			return err
		})
		return changed, err
	}
	ids := map[string]string{}
	for _, name := range []string{"nothing", "urgent", "soon", "late", "closed"} {
		k, err := l.Create(bg, tickets.New{Subject: name, Lang: "en"})
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = k.ID
	}
	for name, due := range map[string]time.Time{"soon": soon, "late": soon.Add(-2 * time.Hour), "closed": soon.Add(-3 * time.Hour)} {
		if changed, err := set(ids[name], tickets.Normal, due); err != nil || !changed {
			t.Fatal(changed, err)
		}
	}
	if _, err := l.Close(bg, ids["closed"]); err != nil {
		t.Fatal(err)
	}
	if changed, err := set(ids["urgent"], tickets.Urgent, time.Time{}); err != nil || !changed {
		t.Fatal(changed, err)
	}
	if changed, err := set(ids["urgent"], tickets.Urgent, time.Time{}); err != nil || changed {
		t.Errorf("the same again: %v %v", changed, err)
	}
	order := func(state tickets.State) (out string) {
		list, err := l.List(bg, state, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range list {
			out += k.Subject + " "
		}
		return out
	}
	if got := order(tickets.Open); got != "late soon urgent nothing " {
		t.Errorf("open: %s", got)
	}
	if got := order(tickets.Closed); got != "closed " {
		t.Errorf("closed: %s", got)
	}
	for _, due := range []time.Time{time.Unix(0, 0), time.Date(12_000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if _, err := set(ids["soon"], tickets.Low, due); !errors.Is(err, tickets.ErrInvalid) {
			t.Errorf("until %v: %v", due, err)
		}
	}
	if _, err := set(ids["soon"], 7, soon); !errors.Is(err, tickets.ErrInvalid) {
		t.Errorf("a priority of its own: %v", err)
	}
	if got, err := l.Get(bg, ids["soon"]); err != nil || !got.Due.Equal(soon) || got.Priority.String() != "normal" {
		t.Errorf("it is %v until %v, %v", got.Priority, got.Due, err)
	}
}
