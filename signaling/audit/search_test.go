package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/mainforte/mainforte/signaling/store"
)

// sessionAt is the id of a session that began then.
func sessionAt(at time.Time) string {
	return ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()
}

func paired(session, technician, person, address string) Event {
	e := event("session.paired", session)
	e.Data = nil
	e.Personal = map[string]any{"technician": technician, "person": person, "viewer_address": "192.0.2.7", "host_address": address, "host_software": "unsought 1.0"}
	return e
}

func found(t testing.TB, l *Log, query string) []string {
	t.Helper()
	list, err := l.Search(bg, query, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestSessionsAreFoundByTheWordsOfTheirSealedParts(t *testing.T) {
	l, _, dir := opened(t)
	old := sessionAt(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	a, b := sessionAt(time.Now()), sessionAt(time.Now().Add(time.Millisecond))
	appendAll(t, l,
		paired(old, "Anaïs Tremblay", "Zoé Côté-Roy", "198.51.100.9"),
		paired(a, "Anaïs Tremblay", "Ångström", "2001:db8::7"),
		paired(b, "Luc Bergeron", "ZOÉ Lavoie", "::ffff:198.51.100.9"),
		event("consent.granted", b)) // its type is not looked for
	l, _ = again(t, dir) // also by another process
	for query, want := range map[string][]string{
		"anais":              {a, old},
		"TREMBLAY  Anaïs":    {a, old},
		"zoe":                {b, old},
		"zoe cote":           {old},
		"cote-roy":           {old},
		"ANGSTROM":           {a},
		"198.51.100.9":       {b, old},
		"2001:DB8:0::7":      {a},
		"192.0.2.7 bergeron": {b},
		"anais bergeron":     nil, // of two sessions
		"tremb":              nil, // no whole word
		"unsought":           nil, // not a member that is looked for
		"Ölçü":               nil, // of consent.granted
		"198.51.100":         nil,
		"":                   nil,
		" - z ":              nil,
		"%":                  nil,
	} {
		if got := found(t, l, query); !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", query, got, want)
		}
	}
	if got, err := l.Search(bg, "zoe", b, 100); err != nil || !slices.Equal(got, []string{old}) {
		t.Errorf("before: %v, %v", got, err)
	}
	if got, err := l.Search(bg, "zoe", "", 1); err != nil || !slices.Equal(got, []string{b}) {
		t.Errorf("one: %v, %v", got, err)
	}
	if r := verify(t, l); !r.OK() {
		t.Errorf("%+v", r.Findings)
	}
}

// rowsOf is the whole table of the index.
func rowsOf(t testing.TB, st store.Store) (list []string) {
	t.Helper()
	if err := st.View(bg, func(tx store.Tx) error {
		rows, err := tx.Query("select key_id, token, session from audit_search")
		if err != nil {
			return err
		}
		for rows.Next() {
			var k, s string
			var n []byte
			if err := rows.Scan(&k, &n, &s); err != nil {
				return err
			}
			list = append(list, fmt.Sprintf("%s %x %s", k, n, s))
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestASessionIsFoundByTheHashOfAFile(t *testing.T) {
	l, _, _ := opened(t)
	a, b := sessionAt(time.Now()), sessionAt(time.Now().Add(time.Millisecond))
	file := func(session, typ, sum string) Event {
		e := event(typ, session)
		e.Data = map[string]any{"sha256": sum}
		return e
	}
	one, two := strings.Repeat("0a", 32), strings.Repeat("f1", 32)
	appendAll(t, l, file(a, "file.received", one), file(a, "file.sent", two), file(b, "screenshot.attached", two),
		file(b, "consent.shown", one)) // that of a question
	for query, want := range map[string][]string{one: {a}, strings.ToUpper(two): {b, a}, one + " " + two: {a}, one[:62]: nil} {
		if got := found(t, l, query); !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", query, got, want)
		}
	}
}

func TestAPurgedSessionIsOutOfTheIndex(t *testing.T) {
	l, st, _ := opened(t)
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	old, older := sessionAt(march), sessionAt(march.Add(time.Hour))
	now := sessionAt(time.Now())
	for _, s := range []string{old, older, now} {
		appendAll(t, l, paired(s, "Anaïs", "Zoé", "198.51.100.9"))
	}
	if len(rowsOf(t, st)) != 3*4 {
		t.Fatalf("%v", rowsOf(t, st))
	}
	keys := func() (n int) {
		if err := st.View(bg, func(tx store.Tx) error {
			return tx.QueryRow("select count(*) from audit_keys where scope like 'search:%' and wrapped is not null").Scan(&n)
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	purge := func(s string) {
		t.Helper()
		if _, err := l.Purge(bg, s, "request", admin); err != nil {
			t.Fatal(err)
		}
	}
	purge(old)
	if got := found(t, l, "zoe"); !slices.Equal(got, []string{now, older}) {
		t.Errorf("after the first: %v", got)
	}
	if keys() != 2 {
		t.Errorf("%d keys stand: one was destroyed that is in use", keys())
	}
	purge(older)
	if got := found(t, l, "zoe"); !slices.Equal(got, []string{now}) {
		t.Errorf("after the second: %v", got)
	}
	if keys() != 1 {
		t.Errorf("%d keys stand: that of a month without a session does too", keys())
	}
	// This month's is kept for the sessions to come.
	purge(now)
	if len(rowsOf(t, st)) != 0 || keys() != 1 {
		t.Errorf("%v, %d keys", rowsOf(t, st), keys())
	}
	// A session that comes late to a month whose key is gone gets another one.
	late := sessionAt(march.Add(2 * time.Hour))
	appendAll(t, l, paired(late, "Anaïs", "Zoé", "198.51.100.9"))
	if got := found(t, l, "zoe"); !slices.Equal(got, []string{late}) || keys() != 2 {
		t.Errorf("late: %v, %d keys", got, keys())
	}
	if r := verify(t, l); !r.OK() {
		t.Errorf("%+v", r.Findings)
	}
}

// Two processes and a transaction that fails share one key a month.
func TestAMonthHasOneKey(t *testing.T) {
	a, st, dir := opened(t)
	b, _ := again(t, dir)
	odd := errors.New("odd")
	s := sessionAt(time.Now())
	if err := st.Update(bg, func(tx store.Tx) error {
		if _, err := a.AppendTx(tx, paired(s, "Anaïs", "Zoé", "198.51.100.9")); err != nil {
			return err
		}
		return odd
	}); !errors.Is(err, odd) {
		t.Fatal(err)
	}
	if n := len(rowsOf(t, st)); n != 0 {
		t.Errorf("%d rows of a transaction that failed", n)
	}
	appendAll(t, a, paired(s, "Anaïs", "Zoé", "198.51.100.9"))
	appendAll(t, b, paired(sessionAt(time.Now()), "Anaïs", "Zoé", "198.51.100.9"))
	ids := map[string]bool{}
	for _, r := range rowsOf(t, st) {
		ids[strings.Fields(r)[0]] = true
	}
	if len(ids) != 1 {
		t.Errorf("%d keys", len(ids))
	}
	if got := found(t, a, "zoe"); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// The same word of two months does not look the same, nor does a row hold it.
func TestTheIndexHoldsNoWord(t *testing.T) {
	l, st, _ := opened(t)
	appendAll(t, l, paired(sessionAt(time.Now()), "Anaïs", "", ""), paired(sessionAt(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)), "Anaïs", "", ""))
	tokens := map[string]bool{}
	for _, r := range rowsOf(t, st) {
		n := strings.Fields(r)[1]
		if tokens[n] || len(n) != 2*tokenSize || strings.Contains(n, fmt.Sprintf("%x", "anais")) {
			t.Errorf("%s", r)
		}
		tokens[n] = true
	}
	if len(tokens) != 4 { // two names, two addresses of the technician
		t.Errorf("%v", tokens)
	}
}

func TestTheIndexIsBounded(t *testing.T) {
	l, st, _ := opened(t)
	var name strings.Builder
	for i := range 200 {
		fmt.Fprintf(&name, "w%d ", i)
	}
	appendAll(t, l, paired(sessionAt(time.Now()), name.String(), strings.Repeat("é", 500), "198.51.100.9"))
	if n := len(rowsOf(t, st)); n != maxWords {
		t.Errorf("%d rows", n)
	}
	if got := found(t, l, name.String()); len(got) != 1 { // the first eight
		t.Errorf("%v", got)
	}
	s := sessionAt(time.Now())
	appendAll(t, l, paired(s, "x", strings.Repeat("é", 500), ""))
	if got := found(t, l, strings.Repeat("é", 400)); !slices.Equal(got, []string{s}) {
		t.Errorf("%v", got)
	}
	for range MaxFound + 5 {
		appendAll(t, l, paired(sessionAt(time.Now()), "many", "", ""))
	}
	if got, err := l.Search(bg, "many", "", 1<<30); err != nil || len(got) != MaxFound {
		t.Errorf("%d, %v", len(got), err)
	}
}

// What is looked for is sealed, so that a purge reaches it; but for a file's hash, which
// its leaf holds for ever.
func TestWhatIsLookedForIsPersonal(t *testing.T) {
	n := 0
	for _, name := range Types() {
		typ, _ := Type(name)
		for m := range strings.FieldsSeq(typ.Search) {
			n++
			hash := m == "sha256" && slices.Contains(strings.Fields(typ.Data), m)
			if !hash && !slices.Contains(strings.Fields(typ.Personal), m) {
				t.Errorf("%s: %s is not in Personal", name, m)
			}
		}
	}
	if n == 0 {
		t.Error("nothing is looked for")
	}
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"Zoé Côté-Roy 192.0.2.7", "fe80::1%eth0", "\xff\u202e ﬃ İ", strings.Repeat("é", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list := words(s, maxQuery)
		if len(list) > maxQuery {
			t.Fatalf("%d words", len(list))
		}
		for i, w := range list {
			if len(w) > maxWord || slices.Contains(list[:i], w) {
				t.Errorf("%q of %q", w, s)
			}
			if again := words(w, 2); len(w) < maxWord-4 && (len(again) != 1 || again[0] != w) {
				t.Errorf("%q is found as %q, but looked for as %q", s, w, again)
			}
		}
	})
}
