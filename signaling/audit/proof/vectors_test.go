package proof

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/signaling/audit"
)

// The vectors that web/test/proof.test.ts reads, too: proofs, and what becomes of
// them when something is set.
type vectors struct {
	Proofs map[string]json.RawMessage `json:"proofs"`
	Keys   map[string]string          `json:"keys"`
	Cases  []vector                   `json:"cases"`
}

type vector struct {
	Name    string   `json:"name"`
	Proof   string   `json:"proof"`
	Set     []change `json:"set"`
	Partial bool     `json:"partial"` // a receipt's lines
	Trust   string   `json:"trust"`   // as it is pasted; "": nothing
	Verdict string   `json:"verdict"`
	Code    string   `json:"code"`
	Index   int64    `json:"index"`
}

// change sets a member to a value, or with null takes it out. Path is of names and
// numbers.
type change struct {
	Path  []any `json:"path"`
	Value any   `json:"value"`
}

const vectorFile = "testdata/vectors.json"

func verdictOf(r Report) string {
	switch {
	case !r.OK():
		return "broken"
	case r.Signer:
		return "proven"
	case r.Ticket > 0:
		return "ticket"
	}
	return "unproven"
}

func (c vector) verify(t *testing.T, v vectors) Report {
	t.Helper()
	var doc any
	if err := json.Unmarshal(v.Proofs[c.Proof], &doc); err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Set {
		at := doc
		for _, step := range s.Path[:len(s.Path)-1] {
			at = member(at, step)
		}
		switch m := at.(type) {
		case map[string]any:
			if m[s.Path[len(s.Path)-1].(string)] = s.Value; s.Value == nil {
				delete(m, s.Path[len(s.Path)-1].(string))
			}
		case []any:
			m[place(s.Path[len(s.Path)-1])] = s.Value
		}
	}
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(b)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	var trust Trust
	if key, ok := ReadKey(c.Trust); ok {
		trust.Key = key
	} else if h, err := base64.StdEncoding.DecodeString(c.Trust); err == nil && len(h) == 32 {
		trust.Ticket = [][32]byte{[32]byte(h)}
	}
	return Verify(p, !c.Partial, trust)
}

func place(v any) int {
	f, _ := v.(float64)
	n, _ := v.(int)
	return int(f) + n
}

func member(at, step any) any {
	if m, ok := at.(map[string]any); ok {
		return m[step.(string)]
	}
	return at.([]any)[place(step)]
}

func TestTheVectorsThatTheBrowserReadsToo(t *testing.T) {
	if os.Getenv("MAINFORTE_NEW_VECTORS") != "" {
		writeVectors(t)
	}
	b, err := os.ReadFile(filepath.FromSlash(vectorFile))
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Cases) < 20 {
		t.Fatalf("%d cases", len(v.Cases))
	}
	for _, c := range v.Cases {
		r := c.verify(t, v)
		p := Problem{Index: -1}
		if !r.OK() {
			p = r.Problems[0]
		}
		if verdictOf(r) != c.Verdict || p.Code != c.Code || p.Index != c.Index {
			t.Errorf("%s: %s %s %d, want %s %s %d", c.Name, verdictOf(r), p.Code, p.Index, c.Verdict, c.Code, c.Index)
		}
	}
}

// writeVectors makes the file anew, with new keys. What a case must come to is
// written by hand below; only the places are counted.
func writeVectors(t *testing.T) {
	v := vectors{Proofs: map[string]json.RawMessage{}, Keys: map[string]string{}}
	keep := func(name string, p *Proof) *Proof {
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		v.Proofs[name] = b
		return p
	}
	h := newHouse(t)
	two(h)
	plain := keep("plain", h.proof(sessionA, Options{Personal: true}))
	part := keep("part", h.proof(sessionA, Options{Types: []string{"session.paired", "consent.granted", "host.closed", "session.ended"}}))
	first := h.VerifierKey()
	if _, err := h.Rotate(bg, audit.Actor{Kind: "system"}); err != nil {
		t.Fatal(err)
	}
	rotated := keep("rotated", h.proof(sessionA, Options{Personal: true}))
	second := h.VerifierKey()
	if _, err := h.Purge(bg, sessionA, "ours", audit.Actor{Kind: "system"}); err != nil {
		t.Fatal(err)
	}
	keep("purged", h.proof(sessionA, Options{Personal: true}))
	g := newHouse(t)
	g.open(sessionA)
	g.work(sessionA)
	g.say("log.gap", sessionA, "server", map[string]any{"after": 1, "next": 3}, nil)
	g.close(sessionA, 4)
	keep("gap", g.proof(sessionA, Options{}))
	c := newHouse(t)
	c.open(sessionA)
	c.work(sessionA)
	c.close(sessionA, 4)
	keep("dropped", c.proof(sessionA, Options{}))
	o := newHouse(t)
	o.open(sessionA)
	keep("open", o.proof(sessionA, Options{}))
	r := Verify(plain, true, Trust{})
	root := base64.StdEncoding.EncodeToString(r.EndRoot[:])
	v.Keys = map[string]string{"first": first, "second": second, "root": root}
	at := func(i int) int64 { return r.Events[i].Index }
	leaf := func(i int) string { return plain.Lines[i].Leaf }
	flip := func(s, old, new string) string { return strings.Replace(s, old, new, 1) }
	set := func(value any, path ...any) change { return change{path, value} }
	broken := func(name, proof, code string, index int64, set ...change) {
		v.Cases = append(v.Cases, vector{Name: name, Proof: proof, Set: set, Verdict: "broken", Code: code, Index: index})
	}
	good := func(name, proof, trust, verdict string) {
		v.Cases = append(v.Cases, vector{Name: name, Proof: proof, Trust: trust, Verdict: verdict, Index: -1, Partial: proof == "part"})
	}
	good("proven by the key", "plain", first, "proven")
	good("proven by the ticket", "plain", root, "ticket")
	good("signer unproven", "plain", "", "unproven")
	good("proven by the key before", "rotated", first, "proven")
	good("proven by the key in force", "rotated", second, "proven")
	good("purged under a policy", "purged", second, "proven")
	good("some of the lines", "part", first, "proven")
	good("a gap that the log itself tells of", "gap", "", "unproven")
	good("still open", "open", "", "unproven")
	v.Cases = append(v.Cases,
		vector{Name: "another key", Proof: "plain", Trust: second, Verdict: "broken", Code: "stranger", Index: -1},
		vector{Name: "another ticket", Proof: "plain", Trust: base64.StdEncoding.EncodeToString(make([]byte, 32)), Verdict: "broken", Code: "ticket", Index: -1},
		vector{Name: "a part is no whole", Proof: "part", Verdict: "broken", Code: "gap", Index: Verify(part, false, Trust{}).Events[0].Index + 1},
	)
	broken("an event that the server dropped", "dropped", "count", 6)
	broken("an answer turned round", "plain", "changed", at(4), set(flip(leaf(4), "granted", "denied"), "lines", 4, "leaf"))
	broken("a number changed", "plain", "changed", at(5), set(flip(leaf(5), `"keys":12`, `"keys":13`), "lines", 5, "leaf"))
	broken("a line that is none", "plain", "form", at(4)+1, set("{}", "lines", 5, "leaf"))
	broken("another's line", "plain", "session", v.otherLine(t, plain), set(plain.Between[0], "lines", 3, "leaf"))
	broken("a name changed", "plain", "personal", at(1), set(flip(plain.Lines[1].Personal, "Zoë", "Zoé"), "lines", 1, "personal"))
	broken("a name taken out", "plain", "personal", at(1), set(nil, "lines", 1, "personal"))
	broken("a name said to be purged", "plain", "state", at(1), set("purged", "lines", 1, "state"))
	broken("a name gone, and said to be purged", "plain", "missing", at(1), set("purged", "lines", 1, "state"), set(nil, "lines", 1, "personal"), set(nil, "lines", 1, "salt"))
	broken("a name said to be missing", "purged", "missing", at(1), set("missing", "lines", 1, "state"))
	broken("a purged name said to be withheld", "purged", "state", at(1), set("withheld", "lines", 1, "state"))
	broken("another's line changed", "plain", "changed", 5, set(flip(plain.Between[1], "session.paired", "session.pairee"), "between", 1))
	broken("the root changed", "plain", "checkpoint", -1, set(flip(plain.Checkpoint, "\n"+strconv.FormatInt(r.Size, 10)+"\n", "\n99\n"), "checkpoint"))
	broken("no key", "plain", "keys", -1, set("nothing", "keys", 0))
	broken("the old key for the new", "rotated", "checkpoint", -1, set(first, "keys", 1))
	broken("the new key for the old", "rotated", "rotation", Verify(rotated, true, Trust{}).Size-1, set(second, "keys", 0))
	broken("one hash too many", "plain", "nodes", -1, set(root, "nodes", "98-99"))
	broken("a hash missing", "plain", "path", at(0), set(nil, "nodes", fmt.Sprintf("%d-%d", at(0)-1, at(0))))
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.FromSlash(vectorFile), append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// otherLine is the index of the first line between.
func (v vectors) otherLine(t *testing.T, p *Proof) int64 {
	l, ok := readLeaf(p.Between[0])
	if !ok {
		t.Fatal("no line")
	}
	return l.Index
}
