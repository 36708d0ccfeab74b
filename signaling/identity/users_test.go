package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
)

var boss = audit.Actor{Kind: "admin", Ref: "boss"}

func TestARoleChangedEndsEverySignIn(t *testing.T) {
	h := open(t)
	h.user(t, Admin, "Root")
	token, in := h.user(t, Technician, "Ann")
	a, err := h.SetRole(t.Context(), boss, in.User.ID, Supervisor)
	if err != nil || a.Role != Supervisor || a.SignIns != 0 {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := h.Check(t.Context(), token); !errors.Is(err, ErrNotSignedIn) {
		t.Errorf("a sign-in outlived its role: %v", err)
	}
	if !slices.Contains(h.ended, in.ID) {
		t.Errorf("nobody was told that the sign-in ended: %v", h.ended)
	}
	if _, again, err := h.SignIn(t.Context(), "ann", good, "", home); err != nil || again.User.Role != Supervisor {
		t.Errorf("signing in again: %+v, %v", again, err)
	}
	h.ended = nil
	if _, err := h.SetRole(t.Context(), boss, in.User.ID, Supervisor); err != nil || len(h.ended) != 0 {
		t.Errorf("the same role again: %v, %v", err, h.ended)
	}
	if _, err := h.SetRole(t.Context(), boss, "nobody", Supervisor); !errors.Is(err, ErrNoUser) {
		t.Errorf("nobody's role: %v", err)
	}
	if got := h.types(t); strings.Count(got, "auth.role_changed") != 1 {
		t.Errorf("the log: %s", got)
	}
}

func TestTheLastAdminStays(t *testing.T) {
	h := open(t)
	_, root := h.user(t, Admin, "Root")
	_, second := h.user(t, Admin, "Second")
	if _, err := h.Disable(t.Context(), boss, second.User.ID); err != nil {
		t.Fatal(err)
	}
	// One who cannot come in counts for nothing.
	if _, err := h.SetRole(t.Context(), boss, root.User.ID, Technician); !errors.Is(err, ErrLastAdmin) {
		t.Errorf("the last admin became a technician: %v", err)
	}
	if _, err := h.Disable(t.Context(), boss, root.User.ID); !errors.Is(err, ErrLastAdmin) {
		t.Errorf("the last admin closed their own account: %v", err)
	}
	if _, err := h.Enable(t.Context(), boss, second.User.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Disable(t.Context(), boss, root.User.ID); err != nil {
		t.Errorf("one of two: %v", err)
	}
	if _, _, err := h.SignIn(t.Context(), "root", good, "", home); !errors.Is(err, ErrWrong) {
		t.Errorf("a closed account let somebody in: %v", err)
	}
}

// Who loses the role of an admin, or the account, leaves no door open behind them.
func TestLinksDieWithTheRightsOfTheirMaker(t *testing.T) {
	h := open(t)
	h.user(t, Admin, "Root")
	for _, end := range []func(id string) error{
		func(id string) error { _, err := h.Disable(t.Context(), boss, id); return err },
		func(id string) error { _, err := h.SetRole(t.Context(), boss, id, Auditor); return err },
	} {
		_, eve := h.user(t, Admin, fmt.Sprintf("Eve %d", len(h.ended)))
		by := audit.Actor{Kind: "admin", Ref: eve.User.ID}
		door, err := h.Link(t.Context(), Link{Role: Admin, By: by})
		if err != nil {
			t.Fatal(err)
		}
		own, err := h.Link(t.Context(), Link{For: eve.User.ID, By: boss})
		if err != nil {
			t.Fatal(err)
		}
		if err := end(eve.User.ID); err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{door, own} {
			if _, err := h.LookLink(t.Context(), token); !errors.Is(err, ErrNoLink) {
				t.Errorf("a link stands: %v", err)
			}
		}
	}
}

func TestALinkForANewPassword(t *testing.T) {
	h := open(t)
	h.user(t, Admin, "Root")
	token, in := h.user(t, Technician, "Ann")
	first, err := h.Link(t.Context(), Link{For: in.User.ID, By: boss})
	if err != nil {
		t.Fatal(err)
	}
	link, err := h.Link(t.Context(), Link{For: in.User.ID, By: boss})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.LookLink(t.Context(), first); !errors.Is(err, ErrNoLink) {
		t.Errorf("an earlier link stands beside a new one: %v", err)
	}
	if l, err := h.LookLink(t.Context(), link); err != nil || l.For != in.User.ID || l.Name != "Ann" || l.Role != Technician {
		t.Errorf("the link: %+v, %v", l, err)
	}
	if _, _, err := h.UseLink(t.Context(), link, "x", "ann", home); !errors.Is(err, ErrWeakPassword) {
		t.Errorf("a weak password: %v", err)
	}
	const other = "another horse battery"
	_, again, err := h.UseLink(t.Context(), link, "Mallory", other, home)
	if err != nil || again.User.ID != in.User.ID || again.User.Name != "Ann" {
		t.Fatalf("%+v, %v", again, err)
	}
	if _, err := h.Check(t.Context(), token); !errors.Is(err, ErrNotSignedIn) || !slices.Contains(h.ended, in.ID) {
		t.Errorf("a sign-in of the old password stands: %v, %v", err, h.ended)
	}
	if _, _, err := h.SignIn(t.Context(), "ann", good, "", home); !errors.Is(err, ErrWrong) {
		t.Errorf("the old password: %v", err)
	}
	if _, _, err := h.SignIn(t.Context(), "ann", other, "", home); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if _, _, err := h.UseLink(t.Context(), link, "Ann", good, home); !errors.Is(err, ErrNoLink) {
		t.Errorf("the link was good twice: %v", err)
	}
	if _, err := h.Disable(t.Context(), boss, in.User.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Link(t.Context(), Link{For: in.User.ID, By: boss}); !errors.Is(err, ErrClosed) {
		t.Errorf("a link into a closed account: %v", err)
	}
}

func TestAccountsAreFoundAPageAtATime(t *testing.T) {
	h := open(t)
	h.user(t, Admin, "Root")
	_, zoe := h.user(t, Technician, "Zoé 100% Béa_trice")
	for i := range 5 {
		h.user(t, Technician, fmt.Sprintf("Ann %d", i))
	}
	var all []string
	after := ""
	for {
		list, more, err := h.Accounts(t.Context(), Find{After: after, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			all = append(all, a.Name)
			after = a.ID
		}
		if !more {
			break
		}
	}
	if want := "Ann 0, Ann 1, Ann 2, Ann 3, Ann 4, Root, Zoé 100% Béa_trice"; strings.Join(all, ", ") != want {
		t.Errorf("in pages: %v", all)
	}
	for query, want := range map[string]int{"zoe beatri": 0, "zoe bea": 1, "0% B": 1, "a_t": 1, "a%t": 0, "ann": 5, "": 7, `\`: 0} {
		list, _, err := h.Accounts(t.Context(), Find{Query: query, Limit: 50})
		if err != nil || len(list) != want {
			t.Errorf("%q finds %d, want %d (%v)", query, len(list), want, err)
		}
	}
	if _, err := h.Disable(t.Context(), boss, zoe.User.ID); err != nil {
		t.Fatal(err)
	}
	if list, _, err := h.Accounts(t.Context(), Find{Closed: true, Limit: 50}); err != nil || len(list) != 1 || list[0].Name != zoe.User.Name || list[0].Disabled.IsZero() {
		t.Errorf("closed: %v, %v", list, err)
	}
}

func TestTeams(t *testing.T) {
	h := open(t)
	_, root := h.user(t, Admin, "Root")
	first, err := h.NewTeam(t.Context(), boss, Team{Name: " First line ", Tier: 1})
	if err != nil || first.Name != "First line" {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := h.NewTeam(t.Context(), boss, Team{Name: "Réseau", Tier: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		t    Team
		want error
	}{{Team{Name: "first LINE", Tier: 1}, ErrNameTaken}, {Team{Name: "\u202e", Tier: 1}, ErrBadName}, {Team{Name: strings.Repeat("x", 65), Tier: 1}, ErrBadName}, {Team{Name: "x", Tier: 4}, ErrBadTier}, {Team{Name: "x"}, ErrBadTier}} {
		if _, err := h.NewTeam(t.Context(), boss, c.t); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.t, err, c.want)
		}
	}
	a, err := h.SetTeams(t.Context(), boss, root.User.ID, []string{first.ID, second.ID, first.ID})
	if err != nil || len(a.Teams) != 2 {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := h.SetTeams(t.Context(), boss, root.User.ID, []string{"nothing"}); !errors.Is(err, ErrNoTeam) {
		t.Errorf("a team that is not there: %v", err)
	}
	if a, err := h.Account(t.Context(), root.User.ID); err != nil || len(a.Teams) != 2 {
		t.Errorf("half a change stands: %+v, %v", a, err)
	}
	if err := h.SetTeam(t.Context(), boss, Team{ID: second.ID, Name: "First Line", Tier: 3}); !errors.Is(err, ErrNameTaken) {
		t.Errorf("a name that is taken: %v", err)
	}
	if err := h.SetTeam(t.Context(), boss, Team{ID: second.ID, Name: "Network", Tier: 3}); err != nil {
		t.Fatal(err)
	}
	link, err := h.Link(t.Context(), Link{Role: Technician, Teams: []string{first.ID, second.ID}})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveTeam(t.Context(), boss, first.ID); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveTeam(t.Context(), boss, first.ID); !errors.Is(err, ErrNoTeam) {
		t.Errorf("removed twice: %v", err)
	}
	_, in, err := h.UseLink(t.Context(), link, "Ann", good, home)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := h.Account(t.Context(), in.User.ID); err != nil || len(a.Teams) != 1 || a.Teams[0] != second.ID {
		t.Errorf("a new account: %+v, %v", a, err)
	}
	if list, err := h.Teams(t.Context()); err != nil || len(list) != 1 || list[0] != (Team{second.ID, "Network", 3, 2}) {
		t.Errorf("%+v, %v", list, err)
	}
	want := "team.created team.created team.joined team.joined team.changed auth.link_created team.left team.removed"
	if got := h.types(t); !strings.Contains(strings.Replace(got, "team.left ", "", 1), strings.Replace(want, "team.left ", "", 1)) {
		t.Errorf("the log: %s", got)
	}
}

// Those of before a newer version are found as well, by what it folds them to.
func TestNamesOfBeforeAreFolded(t *testing.T) {
	h := open(t)
	h.user(t, Admin, "Élodie Cœur")
	if err := h.cfg.Store.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Exec(`update users set search = lower(name)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	again, err := New(h.cfg)
	if err != nil {
		t.Fatal(err)
	}
	found, _, err := again.Accounts(t.Context(), Find{Query: "elodie", Limit: 9})
	if err != nil || len(found) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
}
