package pairing

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

// many puts sessions into a database, one a minute, the last one now. Each third had
// control, each tenth was ended by a lost host.
func many(t *testing.T, st store.Store, n int, now time.Time) (ids []string) {
	t.Helper()
	if err := st.Update(t.Context(), func(tx store.Tx) error {
		for i := range n {
			at := now.Add(time.Duration(i-n+1) * time.Minute)
			id := ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()
			grants, reason := `[{"Name":"view","State":"allowed"},{"Name":"file_in","State":"denied"}]`, "PERSON_STOPPED"
			if i%3 == 0 {
				grants = `[{"Name":"view","State":"allowed"},{"Name":"control","State":"allowed"}]`
			}
			if i%10 == 0 {
				reason = "HOST_GONE"
			}
			ids = append(ids, id)
			if _, err := tx.Exec("insert into sessions (id, ticket_id, technician_id, started, ended, reason, grants) values (?, ?, 'u', ?, ?, ?, ?)",
				id, fmt.Sprintf("t%d", i%100), store.FormatTime(at), store.FormatTime(at.Add(time.Second)), reason, grants); err != nil {
				return err
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
		"one that was denied":      {Filter{Grant: "file_in"}, nil},
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

// TestSessionsArePagedByTheirIndex: a page is read in the order of the ids, from where
// it begins and no further than it goes; never is everything sorted, however many there
// are.
func TestSessionsArePagedByTheirIndex(t *testing.T) {
	t.Parallel()
	st, err := store.OpenSQLite(filepath.Join(t.TempDir(), "mf.db")) // whose plan it is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	now := time.Now()
	ids := many(t, st, 1_000, now)
	for name, c := range map[string]struct {
		f   Filter
		how string
	}{
		"the newest":              {Filter{}, "SCAN s USING INDEX sqlite_autoindex_sessions_1"},
		"from the middle":         {Filter{Before: ids[500]}, "SEARCH s USING INDEX sqlite_autoindex_sessions_1 (id<?)"},
		"of some hours":           {Filter{From: now.Add(-11 * time.Hour), Until: now.Add(-8 * time.Hour)}, "SEARCH s USING INDEX sqlite_autoindex_sessions_1 (id>? AND id<?)"},
		"of some hours, filtered": {Filter{Grant: "control", Reason: "HOST_GONE", From: now.Add(-11 * time.Hour), Until: now.Add(-8 * time.Hour)}, "SEARCH s USING INDEX sqlite_autoindex_sessions_1 (id>? AND id<?)"},
		"of a ticket":             {Filter{Ticket: "t7", Limit: 200}, "SEARCH s USING INDEX"},
		"one":                     {Filter{ID: ids[7]}, "SEARCH s USING INDEX sqlite_autoindex_sessions_1 (id=?)"},
	} {
		list, more, err := Records(t.Context(), st, c.f)
		if err != nil || len(list) == 0 || len(list) > 200 {
			t.Errorf("%s: %d sessions, %v", name, len(list), err)
		}
		if !more && c.f.ID == "" && c.f.Ticket == "" && c.f.Reason == "" {
			t.Errorf("%s: there are no more", name)
		}
		q, args, err := recordsQuery(c.f)
		if err != nil {
			t.Fatal(err)
		}
		plan := explain(t, st, q, args)
		if !strings.Contains(plan, c.how) {
			t.Errorf("%s is found so, want %s:\n%s", name, c.how, plan)
		}
		for line := range strings.Lines(plan) {
			// The order is that of the ids; a ticket has few sessions.
			if strings.Contains(line, "TEMP B-TREE") && c.f.Ticket == "" || strings.HasPrefix(strings.TrimSpace(line), "SCAN") && !strings.Contains(line, c.how) {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

func explain(t *testing.T, st store.Store, q string, args []any) string {
	t.Helper()
	var b strings.Builder
	if err := st.View(t.Context(), func(tx store.Tx) error {
		rows, err := tx.Query("explain query plan "+q, args...)
		if err != nil {
			return err
		}
		for rows.Next() {
			var id, parent, unused int64
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				return err
			}
			fmt.Fprintln(&b, detail)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
