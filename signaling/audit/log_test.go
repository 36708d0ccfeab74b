package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

var bg = context.Background()

// opened returns a log in a fresh folder: mf.db and keys/.
func opened(t testing.TB) (*Log, store.Store, string) {
	t.Helper()
	dir := t.TempDir()
	l, st := again(t, dir)
	return l, st, dir
}

// again opens the log of a folder once more, as another process would.
func again(t testing.TB, dir string) (*Log, store.Store) {
	t.Helper()
	st := storetest.Open(t, dir)
	l, err := Open(bg, st, filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return l, st
}

func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t) }

// event returns a proper one.
func event(typ, session string) Event {
	return Event{Type: typ, Session: session, Outcome: "ok", Actor: Actor{Kind: "person"}, Origin: "host",
		Data: map[string]any{"grant": "view", "n": 3}, Personal: map[string]any{"name": "Zoë Ölçü", "address": "192.0.2.7"}}
}

func appendAll(t testing.TB, l *Log, events ...Event) int64 {
	t.Helper()
	first, err := l.Append(bg, events...)
	if err != nil {
		t.Fatal(err)
	}
	return first
}

func events(t testing.TB, l *Log, session string) []Record {
	t.Helper()
	list, err := l.Events(bg, session)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func verify(t testing.TB, l *Log) Report {
	t.Helper()
	r, err := l.Verify(bg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEventsComeBackAsTheyWereWritten(t *testing.T) {
	l, _, dir := opened(t)
	when := time.Date(2026, 11, 24, 15, 4, 5, 123456789, time.FixedZone("", -5*3600))
	in := Event{
		Type: "consent.granted", Session: "01S", Ticket: "01T", Outcome: "ok", Origin: "host", Time: when, MonoMS: 4711,
		Actor: Actor{Kind: "person", Ref: "p1"},
		Data:  map[string]any{"grant": "view", "displays": []any{int64(1), 2.5, true}, "deep": map[string]any{"a": "b"}},
		Personal: map[string]any{
			"name": "Zoë \"Ölçü\"\n\u2028<script>", "nothing": nil, "list": []any{"a", int64(-3)},
		},
	}
	if first := appendAll(t, l, in, event("consent.denied", "other"), event("session.ended", "01S")); first != 0 {
		t.Errorf("the first line is %d", first)
	}
	l, _ = again(t, dir) // also from another process, with the keys of the file
	list := events(t, l, "01S")
	if len(list) != 2 || list[0].Index != 0 || list[1].Index != 2 {
		t.Fatalf("%d events: %+v", len(list), list)
	}
	got := list[0]
	if !got.Time.Equal(when) || got.State != Present {
		t.Errorf("%v, %v", got.Time, got.State)
	}
	got.Time = in.Time
	a, _ := json.Marshal(got.Event)
	b, _ := json.Marshal(in)
	if !bytes.Equal(a, b) {
		t.Errorf("\ngot  %s\nwant %s", a, b)
	}
	if n, err := l.Count(bg, "01S"); n != 2 || err != nil {
		t.Errorf("counted %d, %v", n, err)
	}
	if next := appendAll(t, l, event("log.viewed", "")); next != 3 {
		t.Errorf("the next line is %d", next)
	}
	if list := events(t, l, ""); len(list) != 1 || list[0].State != Present {
		t.Errorf("outside sessions: %+v", list)
	}
}

// The form of a leaf is kept for ever: proofs made today are checked in years.
func TestALeafIsCanonicalAndHoldsNothingPersonal(t *testing.T) {
	l, _, _ := opened(t)
	e := event("consent.granted", "01S")
	e.Time, e.Ticket, e.MonoMS = time.Unix(0, 5).UTC(), "01T", 12
	appendAll(t, l, e)
	r := events(t, l, "01S")[0]
	var m map[string]any
	if err := json.Unmarshal(r.Leaf, &m); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"actor":{"kind":"person","ref":""},"commit":"%s","data":{"grant":"view","n":3},"id":"%s","index":0,"mono_ms":12,`+
		`"origin":"host","outcome":"ok","session":"01S","t":"1970-01-01T00:00:00.000000005Z","ticket":"01T","type":"consent.granted","v":1}`, m["commit"], r.ID)
	if string(r.Leaf) != want {
		t.Errorf("\ngot  %s\nwant %s", r.Leaf, want)
	}
	if same, err := canonical(nil, m, false, 0); err != nil || !bytes.Equal(same, r.Leaf) {
		t.Errorf("not canonical: %s, %v", same, err)
	}
	for _, secret := range []string{"Zoë", "192.0.2.7"} {
		if bytes.Contains(r.Leaf, []byte(secret)) {
			t.Errorf("the leaf holds %q", secret)
		}
	}
}

// The same name twice must not look the same, or it could be guessed.
func TestCommitmentsAreSalted(t *testing.T) {
	l, _, _ := opened(t)
	appendAll(t, l, event("consent.granted", "S"), event("consent.granted", "S"))
	list := events(t, l, "S")
	a, _ := parseLeaf(list[0].Leaf)
	b, _ := parseLeaf(list[1].Leaf)
	if len(a.Commit) != 32 || bytes.Equal(a.Commit, b.Commit) {
		t.Errorf("%x and %x", a.Commit, b.Commit)
	}
}

func TestWhatMayNotStandInTheLog(t *testing.T) {
	l, _, _ := opened(t)
	data := func(v any) func(*Event) { return func(e *Event) { e.Data = map[string]any{"k": v} } }
	deep := any(1)
	for range 10 {
		deep = []any{deep}
	}
	for what, change := range map[string]func(*Event){
		"no type":             func(e *Event) { e.Type = "" },
		"unknown type":        func(e *Event) { e.Type = "session.imagined" },
		"unknown outcome":     func(e *Event) { e.Outcome = "maybe" },
		"unknown origin":      func(e *Event) { e.Origin = "moon" },
		"unknown actor":       func(e *Event) { e.Actor.Kind = "robot" },
		"name as actor":       func(e *Event) { e.Actor.Ref = "Zoë Ölçü" },
		"prose as session":    func(e *Event) { e.Session = `x","type":"session.ended` },
		"prose as ticket":     func(e *Event) { e.Ticket = "my ticket" },
		"very long ticket":    func(e *Event) { e.Ticket = strings.Repeat("x", 65) },
		"time before 1970":    func(e *Event) { e.Time = time.Unix(-1, 0).UTC() },
		"negative mono":       func(e *Event) { e.MonoMS = -1 },
		"name in data":        data("Zoë"),
		"two words in data":   data("Zoe Olcu"),
		"mail in data":        data("zoe@example.org"),
		"address in data":     data("192.0.2.7"),
		"address v6 in data":  data("2001:db8::7"),
		"name deep in data":   data([]any{map[string]any{"a": "Zoe Olcu"}}),
		"name as key":         func(e *Event) { e.Data = map[string]any{"Zoe Olcu": 1} },
		"empty key":           func(e *Event) { e.Data = map[string]any{"": 1} },
		"name in a struct":    data(struct{ Name string }{"Zoe Olcu"}),
		"long string":         data(strings.Repeat("x", 129)),
		"too deep":            data(deep),
		"too big a number":    data(int64(1) << 53),
		"not a number":        data(func() {}),
		"too much data":       func(e *Event) { e.Data = map[string]any{"k": make([]int, 3000)} },
		"too much personal":   func(e *Event) { e.Personal = map[string]any{"k": strings.Repeat("x", 9000)} },
		"prose key, personal": func(e *Event) { e.Personal = map[string]any{"a b": 1} },
	} {
		e := event("consent.granted", "S")
		change(&e)
		if _, err := l.Append(bg, event("consent.shown", "S"), e); !errors.Is(err, ErrBadEvent) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := l.Append(bg); !errors.Is(err, ErrBadEvent) {
		t.Errorf("no event at all: %v", err)
	}
	if list := events(t, l, "S"); len(list) != 0 {
		t.Errorf("%d events of refused appends stand", len(list))
	}
	e := event("consent.granted", "S")
	e.Data = map[string]any{"token": "A-z_0.9:+/=", "empty": "", "list": []string{"view", "control"}, "f": 1.5, "neg": -1, "version": "1.2.3"}
	appendAll(t, l, e)
}

func TestAnAppendIsPartOfItsTransaction(t *testing.T) {
	l, st, _ := opened(t)
	odd := errors.New("odd")
	appendAll(t, l, event("consent.shown", "S"))
	err := st.Update(bg, func(tx store.Tx) error {
		if at, err := l.AppendTx(tx, event("consent.granted", "S"), event("consent.denied", "S")); at != 1 || err != nil {
			t.Errorf("line %d, %v", at, err)
		}
		return odd
	})
	if !errors.Is(err, odd) {
		t.Fatal(err)
	}
	if list := events(t, l, "S"); len(list) != 1 {
		t.Errorf("%d events", len(list))
	}
	if at := appendAll(t, l, event("consent.revoked", "S")); at != 1 {
		t.Errorf("the next line is %d", at)
	}
	if r := verify(t, l); !r.OK() || r.Size != 2 {
		t.Errorf("%+v", r)
	}
}

// Two processes, each with many writers, some of which fail.
func TestAppendingFromAllSidesLeavesNoGap(t *testing.T) {
	a, sa, dir := opened(t)
	b, sb := again(t, dir)
	odd := errors.New("odd")
	var wg sync.WaitGroup
	for w := range 8 {
		l, st := a, sa
		if w%2 == 1 {
			l, st = b, sb
		}
		wg.Go(func() {
			for i := range 25 {
				if _, err := l.Append(bg, event("input.summary", fmt.Sprint("S", w%4))); err != nil {
					t.Error(err)
				}
				if i%5 == 0 {
					if err := st.Update(bg, func(tx store.Tx) error {
						_, err := l.AppendTx(tx, event("log.viewed", ""))
						return errors.Join(odd, err)
					}); !errors.Is(err, odd) {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	r := verify(t, a)
	if !r.OK() || r.Size != 200 || r.Present != 200 {
		t.Errorf("%+v", r)
	}
}

func TestALogThatCannotBeWrittenSaysSo(t *testing.T) {
	l, st, _ := opened(t)
	appendAll(t, l, event("consent.shown", "S"))
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(bg, event("consent.granted", "S")); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestEveryTypeIsExplained(t *testing.T) {
	for _, name := range Types() {
		ty, ok := Type(name)
		if !ok || ty.Doc == "" || strings.Count(name, ".") != 1 || !IsToken(name) {
			t.Errorf("%s: %+v", name, ty)
		}
	}
	// What a host may say about the server would be a lie nobody could tell.
	for _, name := range []string{"auth.login", "session.paired", "session.ended", "ticket.note_written", "log.viewed", "retention.purged"} {
		if ty, ok := Type(name); !ok || ty.Host {
			t.Errorf("a host may report %s", name)
		}
	}
	if _, ok := Type("session.imagined"); ok {
		t.Error("an unknown type is known")
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{}`, `{"b":1,"a":[true,null,1.5,-0,1e300]}`, `{"k":"\u2028\ud800<\u0000\""}`, `{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}`, `{"n":9007199254740993}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var m map[string]any
		if json.Unmarshal([]byte(s), &m) != nil || m == nil {
			return
		}
		a, err := canonical(nil, m, false, 0)
		if err != nil {
			if !errors.Is(err, ErrBadEvent) {
				t.Fatal(err)
			}
			return
		}
		back, err := readObject(a)
		if err != nil {
			t.Fatalf("%s does not read back: %v", a, err)
		}
		b, err := canonical(nil, back, false, 0)
		if err != nil || !bytes.Equal(a, b) {
			t.Fatalf("%s became %s, %v", a, b, err)
		}
		if _, err := canonical(nil, m, true, 0); err == nil && bytes.ContainsAny(a, "@ <\\") {
			t.Fatalf("public: %s", a)
		}
	})
}
