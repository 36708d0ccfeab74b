package audit

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/mainforte/mainforte/signaling/store"
)

// opened returns a log in a fresh folder.
func opened(t testing.TB) (*Log, *store.SQLite, string) {
	t.Helper()
	dir := t.TempDir()
	st, err := store.OpenSQLite(filepath.Join(dir, "mf.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	l, err := Open(context.Background(), st, filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return l, st, dir
}

// event returns a proper one.
func event(typ, session string) Event {
	return Event{Type: typ, Session: session, Outcome: "ok", Actor: Actor{Kind: "person"}, Origin: "host",
		Data: map[string]any{"grant": "view", "n": 3}, Personal: map[string]any{"name": "Zoë Ölçü", "address": "192.0.2.7"}}
}

func TestAppendNumbersFromZero(t *testing.T) {
	l, _, _ := opened(t)
	for want := range int64(5) {
		got, err := l.Append(context.Background(), event("consent.granted", "S1"))
		if err != nil || got != want {
			t.Fatalf("got %d, %v; want %d", got, err, want)
		}
	}
}
