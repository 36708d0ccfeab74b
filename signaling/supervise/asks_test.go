package supervise

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// floor is which sessions are open, and who leads them.
type floor map[string]string

func (f floor) leads(session string) (string, bool) {
	user, open := f[session]
	return user, open
}

func logged() error { return nil }

func wish(session, supervisor string, at time.Time) Ask {
	return Ask{Session: session, Supervisor: supervisor, Name: strings.ToUpper(supervisor), At: at, State: Asked}
}

// said is how wishes stand, in short.
func said(list []Ask) string {
	var out []string
	for _, a := range list {
		out = append(out, a.Session+" "+a.Supervisor+" "+string(a.State))
	}
	return strings.Join(out, ", ")
}

func TestWishes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		then  func(a *Asks, f floor) // after sue and tom asked to watch S, which ann leads
		at    time.Duration
		ann   string // what she has to answer
		bob   string
		sue   string // how her own wish stands
		again string // who is told of a wish, once more
	}{
		"they stand":            {func(*Asks, floor) {}, askLife, "S sue asked, S tom asked", "", "S sue asked", ""},
		"they live for a while": {func(*Asks, floor) {}, askLife + 1, "", "", "", ""},
		"they end with their session": {func(_ *Asks, f floor) {
			delete(f, "S")
		}, 0, "", "", "", ""},
		"they go with the lead": {func(_ *Asks, f floor) {
			f["S"] = "bob"
		}, 0, "", "S sue asked, S tom asked", "S sue asked", "bob"},
		"nobody leads": {func(_ *Asks, f floor) {
			f["S"] = ""
		}, 0, "", "", "S sue asked", ""},
		"who asks again is one": {func(a *Asks, f floor) {
			_ = a.Put(wish("S", "sue", noon), f.leads, logged)
		}, 0, "S tom asked, S sue asked", "", "S sue asked", "ann"},
		"one answer is for all": {func(a *Asks, f floor) {
			_, _ = a.Answer("S", "ann", Declined, noon, f.leads, logged)
		}, 0, "", "", "S sue declined", ""},
		"who does not lead answers nothing": {func(a *Asks, f floor) {
			_, _ = a.Answer("S", "bob", Declined, noon, f.leads, logged)
		}, 0, "S sue asked, S tom asked", "", "S sue asked", ""},
		"an answer is not told again": {func(a *Asks, f floor) {
			_, _ = a.Answer("S", "ann", Invited, noon, f.leads, logged)
			f["S"] = "bob"
		}, 0, "", "", "S sue invited", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var a Asks
			f := floor{"S": "ann", "T": "bob"}
			for _, supervisor := range []string{"sue", "tom"} {
				if err := a.Put(wish("S", supervisor, noon), f.leads, logged); err != nil {
					t.Fatal(err)
				}
			}
			if got := a.Tell(noon, f.leads); fmt.Sprint(got) != "[ann]" {
				t.Errorf("told at first: %v", got)
			}
			c.then(&a, f)
			now := noon.Add(c.at)
			if got := strings.Join(a.Tell(now, f.leads), " "); got != c.again {
				t.Errorf("told again: %q, want %q", got, c.again)
			}
			_, forAnn := a.Of("ann", now, f.leads)
			_, forBob := a.Of("bob", now, f.leads)
			mine, _ := a.Of("sue", now, f.leads)
			for who, is := range map[string][2]string{"ann": {said(forAnn), c.ann}, "bob": {said(forBob), c.bob}, "sue": {said(mine), c.sue}} {
				if is[0] != is[1] {
					t.Errorf("%s: %q, want %q", who, is[0], is[1])
				}
			}
		})
	}
}

// What is not in the log has not happened, and what is refused is not in the log.
func TestAWishStandsOnceItIsWrittenDown(t *testing.T) {
	t.Parallel()
	var a Asks
	f := floor{"S": "ann"}
	full := errors.New("the disk is full")
	fails := func() error { return full }
	never := func() error { t.Error("written down"); return nil }
	if err := a.Put(wish("S", "sue", noon), f.leads, fails); !errors.Is(err, full) {
		t.Errorf("asked: %v", err)
	}
	if mine, _ := a.Of("sue", noon, f.leads); len(mine) != 0 || len(a.Tell(noon, f.leads)) != 0 {
		t.Errorf("a wish stands that is not written down: %v", mine)
	}
	if _, err := a.Answer("S", "ann", Invited, noon, f.leads, never); !errors.Is(err, ErrDone) {
		t.Errorf("answered: %v", err)
	}
	if err := a.Put(wish("S", "sue", noon), f.leads, logged); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Answer("S", "ann", Invited, noon, f.leads, fails); !errors.Is(err, full) {
		t.Errorf("answered: %v", err)
	}
	if mine, _ := a.Of("sue", noon, f.leads); said(mine) != "S sue asked" {
		t.Errorf("an answer stands that is not written down: %v", mine)
	}
	for i := len(a.list); i < maxAsks; i++ {
		if err := a.Put(wish("S", fmt.Sprint(i), noon), f.leads, logged); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Put(wish("S", "tom", noon), f.leads, never); !errors.Is(err, ErrMany) {
		t.Errorf("one too many: %v", err)
	}
	if err := a.Put(wish("S", "sue", noon), f.leads, logged); err != nil {
		t.Errorf("who has a wish already: %v", err)
	}
	if err := a.Put(wish("S", "tom", noon.Add(askLife+1)), f.leads, logged); err != nil || len(a.list) != 1 {
		t.Errorf("when all are too old: %v, %d stand", err, len(a.list))
	}
}
