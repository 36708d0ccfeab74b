package pairing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// many puts sessions into a database, one a minute, the last one now. Each third had
// control, each tenth was ended by a lost host.
func many(t *testing.T, st store.Store, n int, now time.Time) (ids []string) {
	t.Helper()
	if err := st.Update(t.Context(), func(tx store.Tx) error {
		for i := range n {
			at := now.Add(time.Duration(i-n+1) * time.Minute)
			id := ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()
			grants, reason := []string{"view"}, "PERSON_STOPPED"
			if i%3 == 0 {
				grants = append(grants, "control")
			}
			if i%10 == 0 {
				reason = "HOST_GONE"
			}
			ids = append(ids, id)
			if _, err := tx.Exec("insert into sessions (id, ticket_id, technician_id, started, ended, reason) values (?, ?, 'u', ?, ?, ?)",
				id, fmt.Sprintf("t%d", i%100), store.FormatTime(at), store.FormatTime(at.Add(time.Second)), reason); err != nil {
				return err
			}
			for _, g := range grants {
				tx.Later("insert into session_grants (name, session) values (?, ?)", g, id)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestSessionsAreFiltered(t *testing.T) {
	t.Parallel()
	st := storetest.Open(t, t.TempDir())
	now := time.Now()
	ids := many(t, st, 12, now) // control: 0 3 6 9, lost: 0 10
	slices.Reverse(ids)
	for name, c := range map[string]struct {
		f    Filter
		want []int // minutes ago
	}{
		"a grant":                  {Filter{Grant: "control"}, []int{2, 5, 8, 11}},
		"one that nobody allowed":  {Filter{Grant: "file_in"}, nil},
		"no wildcard":              {Filter{Grant: "%"}, nil},
		"one letter is no grant":   {Filter{Grant: "contro_"}, nil},
		"a reason":                 {Filter{Reason: "HOST_GONE"}, []int{1, 11}},
		"from":                     {Filter{From: now.Add(-2 * time.Minute)}, []int{0, 1, 2}},
		"until":                    {Filter{Until: now.Add(-9 * time.Minute)}, []int{10, 11}},
		"all of it":                {Filter{Grant: "control", Reason: "HOST_GONE", From: now.Add(-time.Hour), Until: now}, []int{11}},
		"older than one":           {Filter{Grant: "control", Before: ids[5]}, []int{8, 11}},
		"before there were clocks": {Filter{Until: time.Unix(-5, 0)}, nil},
		"after the last":           {Filter{From: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, nil},
	} {
		list, more, err := Records(t.Context(), st, c.f)
		if err != nil || more {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, r := range list {
			got = append(got, r.ID)
		}
		var want []string
		for _, i := range c.want {
			want = append(want, ids[i])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s finds %d sessions, want %d minutes ago", name, len(got), c.want)
		}
	}
}

// A session is found by what the person allowed in it and by the words of its ticket,
// also where a word only begins so; once it was purged, by the ticket's number alone.
func TestASessionIsFoundByItsGrantsAndItsTicket(t *testing.T) {
	b := newBench(t)
	h, v := b.host(), b.viewer("ann")
	b.pair(h, v)
	h.event("consent.granted", "ok", `{"grant":"view","participant":"1"}`)
	h.event("consent.granted", "ok", `{"grant":"view","participant":"1"}`)
	h.event("consent.denied", "deny", `{"grant":"control","participant":"1"}`)
	h.acked(t, 3)
	finds := func(what string, want map[string]bool, filter func(string) Filter) {
		t.Helper()
		for text, found := range want {
			list, _, err := Records(t.Context(), b.store, filter(text))
			if err != nil || (len(list) == 1) != found {
				t.Errorf("%s %q finds %d, %v", what, text, len(list), err)
			}
		}
	}
	query := func(q string) Filter { return Filter{Query: q} }
	finds("the grant", map[string]bool{"view": true, "control": false, "%": false}, func(g string) Filter { return Filter{Grant: g} })
	finds("the query", map[string]bool{
		b.ticket.Number: true, "mf 100": true, b.ticket.ID: true, h.session: true, "IMPRIM": true, "panne imprimante": true, "elodie": true, "Caron": true,
		"primante": false, "imprimante bloquée": false, "%": false, "": true, "\x00": false,
	}, query)
	finds("the grant of a query", map[string]bool{"imprimante": false}, func(q string) Filter { return Filter{Query: q, Grant: "control"} })
	finds("both", map[string]bool{"imprimante": true}, func(q string) Filter { return Filter{Query: q, Grant: "view", Live: true} })
	if err := b.store.Update(t.Context(), func(tx store.Tx) error { return tickets.ForgetTx(tx, h.session) }); err != nil {
		t.Fatal(err)
	}
	finds("purged, the query", map[string]bool{"imprimante": false, "caron": false, b.ticket.Number: true, strings.ToLower(b.ticket.Number): true, h.session: true}, query)
}
