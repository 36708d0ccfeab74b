package proof

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

func through(t testing.TB, p *Proof) *Proof {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	q, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestASessionIsProvenByKeyOrTicket(t *testing.T) {
	h := newHouse(t)
	two(h)
	events, err := h.Events(bg, sessionA)
	if err != nil {
		t.Fatal(err)
	}
	p := h.proof(sessionA, Options{Personal: true})
	r := Verify(p, true, Trust{Key: h.VerifierKey()})
	if !r.Proven() || !r.Signer || !r.Complete || !r.Ended || !r.Closed || r.Counted != 3 || r.Missing != 0 || r.Lines != len(events) || r.Present != 1 {
		t.Fatalf("%+v", r.Problems)
	}
	for i, e := range events {
		if r.Events[i].Index != e.Index || r.Events[i].Type != e.Type {
			t.Errorf("line %d is %d %s", i, r.Events[i].Index, r.Events[i].Type)
		}
	}
	if r := Verify(p, true, Trust{}); !r.OK() || r.Proven() {
		t.Errorf("nobody vouches: %+v", r.Problems)
	}
	if r := Verify(p, true, Trust{Ticket: [][32]byte{{1}, r.EndRoot}}); !r.Proven() || r.Ticket != r.EndSize || r.Signer {
		t.Errorf("the ticket: %+v", r.Problems)
	}
	for code, trust := range map[string]Trust{"stranger": {Key: newHouse(t).VerifierKey()}, "ticket": {Ticket: [][32]byte{{1}}}} {
		if r := Verify(p, true, trust); r.OK() || r.Problems[0].Code != code {
			t.Errorf("%s: %+v", code, r.Problems)
		}
	}
}

// Every shape of tree: the proof of each session in a log that grows by one.
func TestASessionIsProvenInAnyTree(t *testing.T) {
	h := newHouse(t)
	two(h)
	before := h.VerifierKey()
	for n := range 40 {
		if n == 11 || n == 30 {
			if _, err := h.Rotate(bg, audit.Actor{Kind: "system"}); err != nil {
				t.Fatal(err)
			}
		}
		h.say("auth.logout", "", "server", nil, nil)
		for _, s := range []string{sessionA, sessionB} {
			if r := Verify(h.proof(s, Options{Personal: true}), true, Trust{Key: before}); !r.Proven() || !r.Complete {
				t.Fatalf("after %d: %+v", n, r.Problems)
			}
			if r := Verify(h.proof(s, Options{Types: []string{"session.paired", "host.closed", "session.ended"}}), false, Trust{Key: before}); !r.Proven() || r.Lines != 3 {
				t.Fatalf("after %d, some lines: %+v", n, r)
			}
		}
	}
}

func TestAnOpenSessionAndOneWithoutACloseAreProvenAsSuch(t *testing.T) {
	h := newHouse(t)
	h.open(sessionA)
	h.work(sessionA)
	if r := Verify(h.proof(sessionA, Options{}), true, Trust{Key: h.VerifierKey()}); !r.Proven() || r.Ended || !r.Complete || r.Withheld != 1 {
		t.Errorf("open: %+v", r.Problems)
	}
	h.end(sessionA)
	if r := Verify(h.proof(sessionA, Options{}), true, Trust{}); r.OK() || r.Problems[0].Code != "no_close" {
		t.Errorf("no close: %+v", r.Problems)
	}
	h = newHouse(t)
	h.open(sessionA)
	h.say("log.gap", sessionA, "server", map[string]any{"after": 0, "why": "no_signed_close"}, nil)
	h.end(sessionA)
	if r := Verify(h.proof(sessionA, Options{}), true, Trust{}); !r.OK() || r.Closed {
		t.Errorf("excused: %+v", r.Problems)
	}
}

// A dropped event shows, whatever the server says.
func TestTheHostsCountFindsWhatTheServerDropped(t *testing.T) {
	for _, c := range []struct {
		gap           map[string]any
		counted       uint64
		code, missing string
	}{
		{nil, 3, "", "0"},
		{nil, 4, "count", "0"},
		{nil, 2, "count", "0"},
		{map[string]any{"after": 1, "next": 3}, 4, "", "1"},
		{map[string]any{"after": 3, "host_events": 5}, 5, "", "2"},
		{map[string]any{"seq": 4, "why": "unknown_type"}, 4, "", "0"},
		{map[string]any{"seq": 4, "why": "policy"}, 4, "", "0"},
		{map[string]any{"after": 1, "next": 3}, 3, "count", "1"},
		{map[string]any{"after": 3, "host_events": 2}, 2, "", "-1"},
		{map[string]any{"after": 3, "host_events": 2}, 1, "count", "-1"},
	} {
		h := newHouse(t)
		h.open(sessionA)
		h.work(sessionA)
		if c.gap != nil {
			h.say("log.gap", sessionA, "server", c.gap, nil)
		}
		h.close(sessionA, c.counted)
		r := Verify(h.proof(sessionA, Options{}), true, Trust{})
		code := ""
		if !r.OK() {
			code = r.Problems[0].Code
		}
		if code != c.code || strconv.FormatInt(r.Missing, 10) != c.missing {
			t.Errorf("%v, counted %d: %q, %d missing", c.gap, c.counted, code, r.Missing)
		}
	}
}

func TestAPurgedSessionIsStillProven(t *testing.T) {
	h := newHouse(t)
	two(h)
	if _, err := h.Purge(bg, sessionA, "ours", audit.Actor{Kind: "system"}); err != nil {
		t.Fatal(err)
	}
	p := h.proof(sessionA, Options{Personal: true})
	r := Verify(p, true, Trust{Key: h.VerifierKey()})
	if !r.Proven() || r.Purged != 1 || !maps.Equal(r.Policies, map[string]int{"ours": 1}) {
		t.Errorf("%+v", r)
	}
	if b, _ := json.Marshal(p); strings.Contains(string(b), "Zoë") {
		t.Error("a purged name is in the proof")
	}
	// The line of the purge left out: gone without a word is MISSING.
	p.Lines = slices.DeleteFunc(p.Lines, func(l Line) bool { return strings.Contains(l.Leaf, purgeType) })
	if r := Verify(p, false, Trust{}); r.OK() || r.Problems[0].Code != "missing" {
		t.Errorf("%+v", r.Problems)
	}
}

func TestALongSessionIsRefusedAndAWideOneSaysWhatItCannotShow(t *testing.T) {
	storetest.OnlySQLite(t, "a proof is the same from any database, and many lines take long")
	if until(5, 0, 5+MaxSpan) != 5+MaxSpan || until(5, 9, 6+MaxSpan) != 9 || until(5, 0, 6+MaxSpan) != 5 || until(5, 6+MaxSpan, 7+MaxSpan) != 5 {
		t.Error("the bounds of what is between")
	}
	h := newHouse(t)
	h.open(sessionA)
	h.close(sessionA, 0)
	many := make([]audit.Event, MaxSpan)
	for i := range many {
		many[i] = audit.Event{Type: "auth.logout", Outcome: "ok", Origin: "server", Actor: audit.Actor{Kind: "system"}}
	}
	if _, err := h.Append(bg, many...); err != nil {
		t.Fatal(err)
	}
	p := h.proof(sessionA, Options{})
	if r := Verify(p, true, Trust{Key: h.VerifierKey()}); !r.Proven() || !r.Complete || len(p.Between) != 0 {
		t.Errorf("old: %d between, %+v", len(p.Between), r)
	}
	h.open(sessionB)
	if _, err := h.Append(bg, many...); err != nil {
		t.Fatal(err)
	}
	h.close(sessionB, 0)
	if r := Verify(h.proof(sessionB, Options{}), true, Trust{Key: h.VerifierKey()}); !r.Proven() || r.Complete {
		t.Errorf("wide: %+v", r.Problems)
	}
	for i := range many {
		many[i].Session = sessionB
	}
	if _, err := h.Append(bg, many...); err != nil {
		t.Fatal(err)
	}
	point, err := h.Checkpoint(bg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Append(bg, many...); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(bg, h.Log, sessionB, point, Options{}); err != nil {
		t.Errorf("what came after the checkpoint counts: %v", err)
	}
	if point, err = h.Checkpoint(bg); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(bg, h.Log, sessionB, point, Options{}); !errors.Is(err, ErrTooLong) {
		t.Errorf("long: %v", err)
	}
	if _, err := Make(bg, h.Log, "none", point, Options{}); !errors.Is(err, audit.ErrNoSession) {
		t.Errorf("none: %v", err)
	}
}

// tampered calls f with a proof in which one thing was changed: characters of every
// text, every element of every list taken out, doubled, or changed with the
// next one.
func tampered(t *testing.T, p *Proof, f func(what string, b []byte)) {
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	n := 0
	try := func(what string) {
		n++
		b, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		f(what, b)
	}
	var walk func(at string, v any, set func(any))
	walk = func(at string, v any, set func(any)) {
		switch v := v.(type) {
		case string:
			step := 1 + len(v)/48 // of a long text some, each time others
			for i := n % step; i < len(v); i += step {
				if c := v[i]; c < 0x80 && c^1 >= 0x20 {
					set(v[:i] + string(c^1) + v[i+1:])
					try(fmt.Sprintf("%s at %d: %q for %q", at, i, c^1, c))
				}
			}
			set(v[:max(0, len(v)-1)])
			try(at + " cut off")
			set(v + " ")
			try(at + " longer")
			set(v)
		case []any:
			for i := range v {
				set(append(slices.Clone(v[:i]), v[i+1:]...))
				try(fmt.Sprintf("%s without %d", at, i))
				set(append(append(slices.Clone(v[:i+1]), v[i]), v[i+1:]...))
				try(fmt.Sprintf("%s with %d twice", at, i))
				if i+1 < len(v) {
					w := slices.Clone(v)
					w[i], w[i+1] = w[i+1], w[i]
					set(w)
					try(fmt.Sprintf("%s with %d after the next", at, i))
				}
			}
			set(v)
			for i := range v {
				walk(fmt.Sprintf("%s/%d", at, i), v[i], func(x any) { v[i] = x })
			}
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				was := v[k]
				delete(v, k)
				try(at + " without " + k)
				v[k] = was
				walk(at+"/"+k, was, func(x any) { v[k] = x })
			}
			v["more"] = "x"
			try(at + " with more")
			delete(v, "more")
		}
	}
	walk("", doc, func(x any) { doc = x })
}

func TestAnyTamperingWithAProofIsNamed(t *testing.T) {
	storetest.OnlySQLite(t, "a proof is the same from any database, and many lines take long")
	h := newHouse(t)
	two(h)
	old := h.VerifierKey()
	if _, err := h.Rotate(bg, audit.Actor{Kind: "system"}); err != nil {
		t.Fatal(err)
	}
	h.say("auth.logout", "", "server", nil, nil)
	p := h.proof(sessionA, Options{Personal: true})
	if r := Verify(p, true, Trust{Key: old}); !r.Proven() {
		t.Fatalf("%+v", r.Problems)
	}
	n := 0
	tampered(t, p, func(what string, b []byte) {
		n++
		q, err := Parse(b)
		if err != nil {
			return // refused whole
		}
		r := Verify(q, true, Trust{Key: old})
		if r.OK() {
			t.Errorf("not found: %s", what)
		}
	})
	t.Logf("%d changes, all found", n)
	if n < 3000 {
		t.Errorf("only %d were tried", n)
	}
}

// Whole parts of another session, or of another log, pass for nothing.
func TestPartsOfAnotherProofAreNamed(t *testing.T) {
	h := newHouse(t)
	two(h)
	point, err := h.Checkpoint(bg)
	if err != nil {
		t.Fatal(err)
	}
	var both [2][]byte
	for i, s := range []string{sessionA, sessionB} {
		p, err := Make(bg, h.Log, s, point, Options{Personal: true})
		if err != nil {
			t.Fatal(err)
		}
		if both[i], err = json.Marshal(p); err != nil {
			t.Fatal(err)
		}
	}
	other := newHouse(t)
	two(other)
	alien, err := json.Marshal(other.proof(sessionA, Options{Personal: true}))
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range [][]byte{both[1], alien} {
		for _, member := range []string{"session", "checkpoint", "keys", "lines", "between", "nodes"} {
			var mine, theirs map[string]any
			if err := errors.Join(json.Unmarshal(both[0], &mine), json.Unmarshal(from, &theirs)); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(mine[member]) == fmt.Sprint(theirs[member]) {
				continue
			}
			mine[member] = theirs[member]
			b, err := json.Marshal(mine)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if r := Verify(p, true, Trust{Key: h.VerifierKey()}); r.OK() {
				t.Errorf("%s of another passes", member)
			}
		}
	}
	p, err := Parse(alien)
	if err != nil {
		t.Fatal(err)
	}
	if r := Verify(p, true, Trust{Key: h.VerifierKey()}); r.OK() || r.Problems[0].Code != "stranger" {
		t.Errorf("another log: %+v", r.Problems)
	}
}

func FuzzParse(f *testing.F) {
	h := newHouse(f)
	two(h)
	for _, o := range []Options{{Personal: true}, {Types: []string{"session.ended"}}} {
		b, err := json.Marshal(h.proof(sessionA, o))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"format":"mainforte session proof v1","keys":["k"],"lines":[{}],"nodes":{"0-1":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}`))
	key := h.VerifierKey()
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrForm) {
				t.Error(err)
			}
			return
		}
		Verify(p, true, Trust{Key: key})
		Verify(p, false, Trust{})
	})
}
