package queue

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t) }

// house is a queue with users "0", "1"… of these roles, all in team "t" whose role is
// written with a star.
func house(t *testing.T, roles ...string) (*Queue, store.Store) {
	t.Helper()
	st := storetest.Open(t, t.TempDir())
	err := st.Update(t.Context(), func(tx store.Tx) error {
		if _, err := tx.Exec(`insert into teams (id, name, name_key, tier, created) values ('t', 'Two', 'two', 2, '')`); err != nil {
			return err
		}
		for i, role := range roles {
			role, member := strings.CutSuffix(role, "*")
			id := fmt.Sprint(i)
			if _, err := tx.Exec(`insert into users (id, name, name_key, role, password_hash, created) values (?, ?, ?, ?, '', '')`, id, "N"+id, id, role); err != nil {
				return err
			}
			if member {
				if _, err := tx.Exec(`insert into team_members (team_id, user_id) values ('t', ?)`, id); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return New(st), st
}

func do(t *testing.T, st store.Store, f func(tx store.Tx) error) error {
	t.Helper()
	return st.Update(t.Context(), f)
}

func (q *Queue) must(t *testing.T, x Transfer) Transfer {
	t.Helper()
	if err := do(t, q.st, func(tx store.Tx) (err error) { x, err = q.HandTx(tx, x); return err }); err != nil {
		t.Fatal(err)
	}
	return x
}

// C115: a role counts as it is when something happens.
func TestARoleIsThatOfNow(t *testing.T) {
	t.Parallel()
	q, st := house(t, "technician", "technician", "technician*")
	a, b := q.must(t, Transfer{Ticket: "a", From: "0", User: "1", Note: "x"}), q.must(t, Transfer{Ticket: "b", From: "0", Team: "t", Note: "x"})
	for _, change := range []string{`update users set role = 'auditor'`, `update users set role = 'technician', disabled = '2026'`} {
		if err := do(t, st, func(tx store.Tx) error { _, err := tx.Exec(change); return err }); err != nil {
			t.Fatal(err)
		}
		for what, f := range map[string]func(tx store.Tx) error{
			"took":      func(tx store.Tx) error { _, err := q.TakeTx(tx, a.ID, "1"); return err },
			"took of t": func(tx store.Tx) error { _, err := q.TakeTx(tx, b.ID, "2"); return err },
			"returned":  func(tx store.Tx) error { _, _, err := q.ReturnTx(tx, a.ID, "1", "x"); return err },
			"undid":     func(tx store.Tx) error { _, err := q.UndoTx(tx, a.ID, "0"); return err },
			"handed": func(tx store.Tx) error {
				_, err := q.HandTx(tx, Transfer{Ticket: "c", From: "0", User: "1"})
				return err
			},
			"gave": func(tx store.Tx) error { _, err := q.GiveTx(tx, "d", "1"); return err },
		} {
			if err := do(t, st, f); !errors.Is(err, ErrNotYours) {
				t.Errorf("%s: who works on nothing any more %s: %v", change, what, err)
			}
		}
		if mine, _, err := q.For(t.Context(), "1"); err != nil || len(mine) != 0 {
			t.Errorf("he sees %v %v", mine, err)
		}
	}
}

func TestWhoTookItIsForgottenAfterADay(t *testing.T) {
	t.Parallel()
	q, st := house(t, "technician", "technician")
	a := q.must(t, Transfer{Ticket: "a", From: "0", User: "1", Note: "x"})
	if err := do(t, st, func(tx store.Tx) error { _, err := q.TakeTx(tx, a.ID, "1"); return err }); err != nil {
		t.Fatal(err)
	}
	_, sent, err := q.For(t.Context(), "0")
	if err != nil || len(sent) != 1 || sent[0].ByName != "N1" || sent[0].Note != "" {
		t.Errorf("the sender sees %+v %v", sent, err)
	}
	q.now = func() time.Time { return time.Now().Add(shownTaken + time.Minute) }
	if _, sent, err = q.For(t.Context(), "0"); err != nil || len(sent) != 0 {
		t.Errorf("later she sees %+v %v", sent, err)
	}
	q.must(t, Transfer{Ticket: "b", From: "0", User: "1", Note: "x"})
	var n int64
	if err := st.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow("select count(*) from transfers").Scan(&n) }); err != nil || n != 1 {
		t.Errorf("%d rows are left, %v", n, err)
	}
}

func TestWhoHearsOfIt(t *testing.T) {
	t.Parallel()
	q, _ := house(t, "technician", "technician*", "supervisor*", "auditor*", "technician")
	for _, c := range []struct {
		x    Transfer
		want string
		all  bool
	}{
		{Transfer{From: "0", User: "1"}, "[0 1]", false},
		{Transfer{From: "0", Team: "t"}, "[0 1 2]", false},
		{Transfer{From: "0", User: "3"}, "[0]", true},
		{Transfer{From: "0", Team: "gone"}, "[0]", true},
		{Transfer{From: "1", Team: "t"}, "[1 2]", false},
	} {
		if users, all, err := q.Concerns(t.Context(), c.x); err != nil || fmt.Sprint(users) != c.want || all != c.all {
			t.Errorf("%+v: %v %v %v", c.x, users, all, err)
		}
	}
}

// One that was handed back and undone is the user's own: the ticket is not between two.
func TestHandingBackIsUndone(t *testing.T) {
	t.Parallel()
	q, st := house(t, "technician", "technician")
	a := q.must(t, Transfer{Ticket: "a", From: "0", User: "1", Note: "x"})
	var back Transfer
	if err := do(t, st, func(tx store.Tx) (err error) { _, back, err = q.ReturnTx(tx, a.ID, "1", "no"); return err }); err != nil {
		t.Fatal(err)
	}
	if err := do(t, st, func(tx store.Tx) error { _, err := q.UndoTx(tx, back.ID, "1"); return err }); err != nil {
		t.Fatal(err)
	}
	if h, err := q.Holders(t.Context(), []string{"a", "b"}); err != nil || len(h) != 1 || h["a"].Name != "N1" {
		t.Errorf("who has it: %v %v", h, err)
	}
}

func TestHowMuchWaitsIsBounded(t *testing.T) {
	t.Parallel()
	q, st := house(t, "technician", "technician")
	err := do(t, st, func(tx store.Tx) error {
		for i := range maxWaiting {
			if _, err := q.put(tx, Transfer{Ticket: fmt.Sprint(i), From: "0", User: "1"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := do(t, st, func(tx store.Tx) error {
		_, err := q.HandTx(tx, Transfer{Ticket: "x", From: "0", User: "1"})
		return err
	}); !errors.Is(err, ErrMany) {
		t.Errorf("one too many: %v", err)
	}
}

// What is no id of ours is nobody's and nothing's, also where the database would choke
// on it.
func TestIdsThatAreNone(t *testing.T) {
	t.Parallel()
	q, st := house(t, "technician", "technician")
	for _, id := range []string{"\x00", "1\x00", "é\u202e", strings.Repeat("x", 10_000)} {
		if err := do(t, st, func(tx store.Tx) error { _, err := q.TakeTx(tx, id, "1"); return err }); !errors.Is(err, ErrGone) {
			t.Errorf("took %.9q: %v", id, err)
		}
		for _, x := range []Transfer{{Ticket: "a", From: "0", User: id}, {Ticket: "a", From: "0", Team: id}} {
			if err := do(t, st, func(tx store.Tx) error { _, err := q.HandTx(tx, x); return err }); !errors.Is(err, ErrReceiver) {
				t.Errorf("handed to %.9q: %v", id, err)
			}
		}
	}
}

// However many tickets somebody has closed, the open ones that they were given before
// are still theirs.
func TestNoOpenTicketIsLostBehindClosedOnes(t *testing.T) {
	t.Parallel()
	q, st := house(t, "technician*", "technician*")
	err := do(t, st, func(tx store.Tx) error {
		for i := range maxGiven + 20 {
			id, open := fmt.Sprintf("t%04d", i), 0
			if i == 3 {
				open = 1
			}
			if _, err := tx.Exec(`insert into tickets (id, number, subject, lang, search, is_open, created, updated) values (?, ?, 'x', 'en', 'x', ?, '', '')`, id, id, int64(open)); err != nil {
				return err
			}
			if _, err := tx.Exec(`insert into assignments (ticket_id, user_id, at) values (?, '0', ?)`, id, id); err != nil {
				return err
			}
		}
		_, err := tx.Exec(`insert into assignments (ticket_id, user_id, at) values ('rt:7', '0', '')`) // never seen
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for who, team := range map[string]bool{"0": false, "1": true} {
		if ids, err := q.Given(t.Context(), who, team); err != nil || fmt.Sprint(ids) != "[t0003 rt:7]" {
			t.Errorf("%s is given %v, %v", who, ids, err)
		}
	}
}
