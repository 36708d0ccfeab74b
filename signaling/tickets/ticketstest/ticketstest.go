// Package ticketstest holds the promises that every [tickets.System] keeps, as
// tests. A new desk runs them with one line, against the real system or a strict
// fake of it.
package ticketstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mainforte/mainforte/signaling/tickets"
)

// Desk is a system under test, with an open ticket whose subject holds Word.
type Desk struct {
	tickets.System
	Ticket string // id
	Word   string // of the subject; no other ticket has it
	// Texts reads the notes of a ticket by a way of its own.
	Texts func(ticket string) []string
}

// Run runs the suite; open returns a fresh desk.
func Run(t *testing.T, open func(t *testing.T) Desk) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Desk)
	}{
		{"it has a name and can be checked", check},
		{"a ticket is got by its id", get},
		{"a ticket is found by its subject", search},
		{"a note is found by its key once it was written", find},
		{"an unknown ticket takes no note", unknown},
		{"text arrives as it was written", text},
		{"what is too large is refused whole", tooLarge},
		{"many may write at once", many},
		{"an ended context ends the call", ended},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

var bg = context.Background()

func note(key, text string) tickets.Note {
	return tickets.Note{Key: tickets.Marker("01S", key), Author: "Mainforte", Lang: "fr", Text: text}
}

func check(t *testing.T, d Desk) {
	if d.Name() == "" {
		t.Error("no name")
	}
	if err := d.Check(bg); err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, d Desk) {
	got, err := d.Get(bg, d.Ticket)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != d.Ticket || got.Number == "" || !got.Open || !strings.Contains(got.Subject, d.Word) || got.Lang != "en" && got.Lang != "fr" {
		t.Errorf("%+v", got)
	}
	for _, id := range []string{"", "999999", "'; drop table tickets; --", strings.Repeat("x", 10_000)} {
		if _, err := d.Get(bg, id); !errors.Is(err, tickets.ErrNotFound) {
			t.Errorf("%.20q: %v", id, err)
		}
	}
}

func search(t *testing.T, d Desk) {
	list, err := d.Search(bg, d.Word, 10)
	if err != nil || len(list) != 1 || list[0].ID != d.Ticket {
		t.Errorf("%+v, %v", list, err)
	}
	list, err = d.Search(bg, list[0].Number, 1)
	if err != nil || len(list) != 1 || list[0].ID != d.Ticket {
		t.Errorf("by number: %+v, %v", list, err)
	}
	if list, err := d.Search(bg, "no-such-word-anywhere", 10); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func find(t *testing.T, d Desk) {
	n := note("end", "done")
	if _, ok, err := d.Find(bg, d.Ticket, n.Key); ok || err != nil {
		t.Errorf("before: %v, %v", ok, err)
	}
	id, err := d.Append(bg, d.Ticket, n)
	if err != nil || id == "" {
		t.Fatalf("%q, %v", id, err)
	}
	got, ok, err := d.Find(bg, d.Ticket, n.Key)
	if got != id || !ok || err != nil {
		t.Errorf("after: %q, %v, %v; want %q", got, ok, err, id)
	}
	for _, other := range []string{n.Key + "x", n.Key[:len(n.Key)-1], "mf:%:end", ""} {
		if _, ok, err := d.Find(bg, d.Ticket, other); ok || err != nil {
			t.Errorf("%q: %v, %v", other, ok, err)
		}
	}
}

func unknown(t *testing.T, d Desk) {
	if _, err := d.Append(bg, "999999", note("end", "done")); !errors.Is(err, tickets.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func text(t *testing.T, d Desk) {
	want := "Durée\u00a0: 3 min. « Ça va ? » 日本 🙂\n- <b>not bold</b> & 'quoted' \"twice\"\n\nlast line"
	if _, err := d.Append(bg, d.Ticket, note("end", want)); err != nil {
		t.Fatal(err)
	}
	plain := func(s string) string { return strings.ReplaceAll(s, "\u00a0", " ") } // a desk may fold this one
	if got := d.Texts(d.Ticket); len(got) != 1 || plain(got[0]) != plain(want) {
		t.Errorf("%q", got)
	}
}

func tooLarge(t *testing.T, d Desk) {
	if _, err := d.Append(bg, d.Ticket, note("end", strings.Repeat("é", 1<<20))); !errors.Is(err, tickets.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if got := d.Texts(d.Ticket); len(got) != 0 {
		t.Errorf("%d notes stand", len(got))
	}
}

func many(t *testing.T, d Desk) {
	var wg sync.WaitGroup
	var want []string
	for i := range 16 {
		want = append(want, fmt.Sprint("note ", i))
		wg.Go(func() {
			if _, err := d.Append(bg, d.Ticket, note(fmt.Sprint(i), fmt.Sprint("note ", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := d.Texts(d.Ticket)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func ended(t *testing.T, d Desk) {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if _, err := d.Get(ctx, d.Ticket); !errors.Is(err, context.Canceled) {
		t.Errorf("get: %v", err)
	}
	if _, err := d.Append(ctx, d.Ticket, note("end", "done")); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	if got := d.Texts(d.Ticket); len(got) != 0 {
		t.Errorf("%d notes stand", len(got))
	}
}
