package launch

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/queue"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
	"github.com/mainforte/mainforte/signaling/tickets"
)

// house is hooks with a few accounts.
func house(t *testing.T, names ...string) (*Hooks, store.Store) {
	t.Helper()
	dir := t.TempDir()
	st := storetest.Open(t, dir)
	log, err := audit.Open(t.Context(), st, filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	err = st.Update(t.Context(), func(tx store.Tx) error {
		for i, n := range names {
			role, name, _ := strings.Cut(n, ":")
			if _, err := tx.Exec(`insert into users (id, name, name_key, role, password_hash, created) values (?, ?, ?, ?, '', '')`,
				fmt.Sprint(i), name, fmt.Sprint(i), role); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return NewHooks(st, log), st
}

func TestWhoATicketIsGivenTo(t *testing.T) {
	_, st := house(t, "technician:Chloé Martin", "supervisor:Zoë Ölçü", "technician:Ann", "technician:ann", "admin:Root", "auditor:Ada")
	for assignee, want := range map[string]string{
		"Chloé Martin": "0", "chloe.martin@desk.test": "0", "MARTIN, Chloe": "0", "martin-chloe@x": "0",
		"zoe_olcu@desk.test": "1", "Zoë Ölçü": "1",
		"ann":                  "", // two of that name
		"root":                 "", // has no list
		"ada":                  "",
		"chloe":                "", // half a name
		"":                     "",
		"@desk.test":           "",
		"%":                    "",
		"chloe.martin.x@desk":  "",
		"Chloé Martin\u202e@x": "0",
	} {
		err := st.View(t.Context(), func(tx store.Tx) error {
			got, err := userOf(tx, assignee)
			if got != want {
				t.Errorf("%q is %q, want %q", assignee, got, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A desk's own ids stay apart: what one desk sent is no repeat of another's.
func TestEachDeskCountsItsOwn(t *testing.T) {
	h, st := house(t, "technician:Chloé Martin")
	e := tickets.HookEvent{Ticket: "7", Kind: tickets.HookAssigned, Delivery: "1", Assignee: "chloe.martin@x", At: time.Now()}
	for _, desk := range []string{"a", "b"} {
		for i, want := range []bool{true, false} {
			got, ok, err := h.Take(t.Context(), desk, e)
			if err != nil || ok != want || ok && (got.Ticket != desk+":7" || got.User != "0") {
				t.Errorf("%s, time %d: %+v %v %v", desk, i+1, got, ok, err)
			}
		}
	}
	if ids, err := queue.New(st).Given(t.Context(), "0", false); err != nil || len(ids) != 2 {
		t.Errorf("the list: %v %v", ids, err)
	}
	// After its time a delivery is forgotten: a hint that comes again is one again.
	h.now = func() time.Time { return time.Now().Add(remembered + time.Hour) }
	if _, ok, err := h.Take(t.Context(), "a", e); err != nil || !ok {
		t.Errorf("months later: %v %v", ok, err)
	}
	e.Ticket = "7 or 1=1"
	if _, _, err := h.Take(t.Context(), "a", e); err == nil {
		t.Error("an id that can stand in no log")
	}
}
