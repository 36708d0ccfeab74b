package solutions_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/phrases"
	"github.com/mainforte/mainforte/signaling/solutions"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t) }

var by = audit.Actor{Kind: "technician", Ref: "ann"}

func made(t *testing.T) (store.Store, *audit.Log) {
	t.Helper()
	dir := t.TempDir()
	st := storetest.Open(t, dir)
	log, err := audit.Open(t.Context(), st, filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return st, log
}

func TestTheNearestComeFirstHoweverManyThereAre(t *testing.T) {
	st, log := made(t)
	shelf := solutions.New(st, log)
	free := func(store.Tx) error { return nil }
	put := func(i int, subject, asset string) string {
		t.Helper()
		k, err := shelf.Promote(t.Context(), by, solutions.Solution{
			Session: fmt.Sprintf("S%d", i), Lang: "en", Subject: subject, Asset: asset, Body: "x", AuthorID: "ann", Author: "Ann",
		}, free)
		if err != nil {
			t.Fatal(err)
		}
		return k.ID
	}
	for i := range 60 {
		put(i, "The printer is slow", "")
	}
	device := put(100, "It blinks", "Printer K-9")
	both := put(101, "Slow printer on floor 3", "K-9")
	list, err := shelf.Suggest(t.Context(), "My SLOW printer K-9 on the floor "+strings.Repeat("word ", 5000))
	if err != nil || len(list) != solutions.MaxSuggested || list[0].ID != both || list[1].ID != device {
		t.Fatalf("%d: %+v, %v", len(list), list, err)
	}
	who := solutions.Who{By: by, User: "ann"}
	if _, err := shelf.Withdraw(t.Context(), who, both, true); err != nil {
		t.Fatal(err)
	}
	if list, err = shelf.Suggest(t.Context(), "printer K-9"); err != nil || list[0].ID != device {
		t.Errorf("%+v, %v", list, err)
	}
	for _, id := range []string{"", "none", "a\x00b"} {
		if _, err := shelf.Withdraw(t.Context(), who, id, true); !errors.Is(err, solutions.ErrNone) {
			t.Errorf("%q: %v", id, err)
		}
	}
	refused := errors.New("refused")
	if _, err := shelf.Promote(t.Context(), by, solutions.Solution{Session: "R", Lang: "fr", Subject: "x", Body: "x"}, func(store.Tx) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("promoted though refused: %v", err)
	}
	if list, err = shelf.Suggest(t.Context(), "\u202e 🦜 <b> é ''"); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// The texts too are kept by both databases alike.
func TestTextsAndCodesOfBothDatabases(t *testing.T) {
	st, log := made(t)
	book := phrases.New(st, log)
	text, err := book.Add(t.Context(), by, phrases.Text{Lang: "fr", Name: "Été 100%_", Body: "Bonjour 🦜"})
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{"ete": 1, "100%_": 1, "100_%": 0, "bonjour ÉTÉ": 1, `\`: 0, "a\x00b": 0} {
		if list, _, err := book.Texts(t.Context(), "fr", query); err != nil || len(list) != want {
			t.Errorf("%q: %+v, %v", query, list, err)
		}
	}
	text.Name = "Hiver"
	if text, err = book.Set(t.Context(), by, text); err != nil || text.Version != 2 {
		t.Errorf("%+v, %v", text, err)
	}
	text.Version = 1
	if _, err := book.Set(t.Context(), by, text); !errors.Is(err, phrases.ErrStale) {
		t.Error(err)
	}
	for _, c := range []phrases.Code{{Code: "B", Outcome: "unsolved", Fr: "b"}, {Code: "C", Outcome: "solved", En: "c"}, {Code: "A", Outcome: "unsolved", En: "a"}} {
		if _, err := book.SetCode(t.Context(), by, c); err != nil {
			t.Fatal(err)
		}
	}
	codes, err := book.Codes(t.Context())
	if err != nil || len(codes) != 3 || codes[0].Code != "C" || codes[1].Code != "A" || codes[2].Label("en") != "b" {
		t.Errorf("%+v, %v", codes, err)
	}
	if err := errors.Join(book.RemoveCode(t.Context(), by, "A"), book.Remove(t.Context(), by, text.ID)); err != nil {
		t.Error(err)
	}
}
