package audit

import (
	"database/sql"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/store/storetest"
)

// attacker has the database file and nothing else: no key, no server.
type attacker struct {
	t  *testing.T
	db *sql.DB
}

func attack(t *testing.T, dir string) attacker {
	t.Helper()
	storetest.OnlySQLite(t, "the attacker writes into the file")
	db, err := sql.Open("sqlite", filepath.Join(dir, "mf.db"))
	if err != nil {
		t.Fatal(err)
	}
	a := attacker{t, db}
	for _, table := range []string{"audit_leaves", "audit_nodes", "audit_checkpoints"} {
		a.do("drop trigger if exists " + table + "_no_update")
		a.do("drop trigger if exists " + table + "_no_delete")
	}
	return a
}

func (a attacker) do(query string, args ...any) {
	a.t.Helper()
	if _, err := a.db.Exec(query, args...); err != nil {
		a.t.Fatalf("%s: %v", query, err)
	}
}

func (a attacker) text(query string, args ...any) (s string) {
	a.t.Helper()
	if err := a.db.QueryRow(query, args...).Scan(&s); err != nil {
		a.t.Fatalf("%s: %v", query, err)
	}
	return s
}

// edit changes a leaf as text, without touching its hash.
func (a attacker) edit(idx int64, old, new string) {
	leaf := a.text("select leaf from audit_leaves where idx = ?", idx)
	if !strings.Contains(leaf, old) {
		a.t.Fatalf("%s has no %s", leaf, old)
	}
	a.do("update audit_leaves set leaf = ? where idx = ?", strings.Replace(leaf, old, new, 1), idx)
}

// rehash makes the leaf hash fit the leaf again.
func (a attacker) rehash(idx int64) {
	h := tlog.RecordHash([]byte(a.text("select leaf from audit_leaves where idx = ?", idx)))
	a.do("update audit_leaves set hash = ? where idx = ?", h[:], idx)
}

// rebuild computes the whole tree anew from whatever leaves there are, numbered
// as they stand: all that can be done without the signing key.
func (a attacker) rebuild() {
	rows, err := a.db.Query("select idx, leaf from audit_leaves order by idx")
	if err != nil {
		a.t.Fatal(err)
	}
	var h head
	type change struct {
		old, new int64
		hash     tlog.Hash
	}
	var changes []change
	var nodes []node
	for rows.Next() {
		var idx int64
		var leaf string
		if err := rows.Scan(&idx, &leaf); err != nil {
			a.t.Fatal(err)
		}
		at := h.size
		var hash tlog.Hash
		var more []node
		h, hash, more = h.grow([]byte(leaf))
		changes = append(changes, change{idx, at, hash})
		nodes = append(nodes, more...)
	}
	if err := rows.Close(); err != nil {
		a.t.Fatal(err)
	}
	for _, c := range changes {
		a.do("update audit_leaves set idx = ?, hash = ? where idx = ?", c.new, c.hash[:], c.old)
		if c.new != c.old {
			a.do("update audit_personal set idx = ? where idx = ?", c.new, c.old)
		}
	}
	a.do("delete from audit_nodes")
	for _, n := range nodes {
		a.do("insert into audit_nodes (idx, hash) values (?, ?)", n.idx, n.hash[:])
	}
	var edge []byte
	for _, e := range h.edge {
		edge = append(edge, e[:]...)
	}
	a.do("update audit_head set size = ?, edge = ?", h.size, edge)
}

// P11: what was changed, removed or moved is found, and named.
func TestTamperingIsFoundAndNamed(t *testing.T) {
	for _, c := range []struct {
		name   string
		what   string // of the first finding
		index  int64  // of the first finding
		single bool   // and it is the only one
		tamper func(a attacker)
	}{
		{"a line is changed", FoundChanged, 5, true, func(a attacker) { a.edit(5, `"ok"`, `"no"`) }},
		{"a line is changed with its hash", FoundTree, 4, true, func(a attacker) { a.edit(5, `"ok"`, `"no"`); a.rehash(5) }},
		{"a line is changed and the whole tree made anew", FoundCheckpoint, 0, true, func(a attacker) { a.edit(5, `"ok"`, `"no"`); a.rebuild() }},
		{"the same after the first checkpoint", FoundCheckpoint, 10, true, func(a attacker) { a.edit(15, `"ok"`, `"no"`); a.rebuild() }},
		{"a line is no JSON any more", FoundChanged, 7, true, func(a attacker) { a.do("update audit_leaves set leaf = 'x' where idx = 7") }},
		{"a line is taken out", FoundRemoved, 6, true, func(a attacker) { a.do("delete from audit_leaves where idx = 6") }},
		{"two lines are taken out", FoundRemoved, 6, false, func(a attacker) { a.do("delete from audit_leaves where idx in (6, 13)") }},
		{"a line is taken out and the others close up", FoundMoved, 6, false, func(a attacker) {
			a.do("delete from audit_personal where idx = 6")
			a.do("delete from audit_leaves where idx = 6")
			a.rebuild()
		}},
		{"the last line is taken out", FoundRemoved, 22, true, func(a attacker) { a.do("delete from audit_leaves where idx = 22") }},
		{"the end is cut off, back into what was signed", FoundRemoved, 18, true, func(a attacker) {
			a.do("delete from audit_personal where idx >= 18")
			a.do("delete from audit_leaves where idx >= 18")
			a.rebuild()
		}},
		{"all is gone but the checkpoints", FoundRemoved, 0, false, func(a attacker) {
			for _, table := range []string{"audit_personal", "audit_leaves", "audit_nodes", "audit_head"} {
				a.do("delete from " + table)
			}
		}},
		{"two lines are swapped", FoundMoved, 3, false, func(a attacker) {
			a.do("update audit_leaves set idx = -1 where idx = 3")
			a.do("update audit_leaves set idx = 3 where idx = 8")
			a.do("update audit_leaves set idx = 8 where idx = -1")
		}},
		{"two lines are swapped and the whole tree made anew", FoundMoved, 3, false, func(a attacker) {
			a.do("update audit_leaves set idx = -1 where idx = 3")
			a.do("update audit_leaves set idx = 3 where idx = 8")
			a.do("update audit_leaves set idx = 8 where idx = -1")
			a.rebuild()
		}},
		{"a line is filed under another session", FoundChanged, 4, true, func(a attacker) { a.do("update audit_leaves set session = 'B' where idx = 4") }},
		{"a line is filed under another type", FoundChanged, 4, true, func(a attacker) { a.do("update audit_leaves set type = 'retention.purged' where idx = 4") }},
		{"a hash of the tree is changed", FoundTree, 0, true, func(a attacker) { a.do("update audit_nodes set hash = zeroblob(32) where idx = 2") }},
		{"a hash of the tree is gone", FoundTree, 0, true, func(a attacker) { a.do("delete from audit_nodes where idx = 2") }},
		{"the head is changed", FoundTree, 22, true, func(a attacker) { a.do("update audit_head set edge = zeroblob(length(edge))") }},
		{"the head is smaller", FoundRemoved, 23, true, func(a attacker) { a.do("update audit_head set size = 16, edge = zeroblob(32)") }},
		{"a personal part is changed", FoundPersonal, 9, true, func(a attacker) {
			a.do("update audit_personal set box = cast(substr(box, 1, length(box) - 1) || x'00' || x'01' as blob) where idx = 9")
		}},
		{"personal parts are exchanged", FoundPersonal, 2, false, func(a attacker) {
			a.do("update audit_personal set idx = 1000 where idx = 2")
			a.do("update audit_personal set idx = 2 where idx = 3")
			a.do("update audit_personal set idx = 3 where idx = 1000")
		}},
		{"a personal part is gone", FoundMissing, 9, true, func(a attacker) { a.do("delete from audit_personal where idx = 9") }},
		{"the keys are gone", FoundMissing, 0, false, func(a attacker) { a.do("update audit_keys set wrapped = null, purged = 'x'") }},
		{"a key is another", FoundPersonal, 0, false, func(a attacker) { a.do("update audit_keys set wrapped = zeroblob(60) where scope = 'session:A'") }},
		{"a checkpoint is changed", FoundCheckpoint, 9, true, func(a attacker) {
			a.do("update audit_checkpoints set note = replace(note, char(10) || '10' || char(10), char(10) || '11' || char(10)) where size = 10")
		}},
		{"a checkpoint is filed under another size", FoundCheckpoint, 10, true, func(a attacker) { a.do("update audit_checkpoints set size = 11 where size = 10") }},
		{"a checkpoint is signed by somebody else", FoundCheckpoint, 9, true, func(a attacker) {
			signed := a.text("select note from audit_checkpoints where size = 10")
			text, _, _ := strings.Cut(signed, "\n\n")
			name, _, _ := strings.Cut(text, "\n")
			skey, _, err := note.GenerateKey(nil2rand{}, name)
			if err != nil {
				a.t.Fatal(err)
			}
			s, err := note.NewSigner(skey)
			if err != nil {
				a.t.Fatal(err)
			}
			forged, err := note.Sign(&note.Note{Text: text + "\n"}, s)
			if err != nil {
				a.t.Fatal(err)
			}
			a.do("update audit_checkpoints set note = ? where size = 10", string(forged))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, st, dir := opened(t)
			for i := range 20 {
				typ := "consent.granted"
				if i%10 == 9 {
					typ = "session.ended" // checkpoints of 10 and 20 lines
				}
				appendAll(t, l, event(typ, "A"))
			}
			appendAll(t, l, event("log.viewed", "A"), event("log.viewed", "A"), event("log.viewed", "B"))
			if r := verify(t, l); !r.OK() || r.Size != 23 || r.Checkpoints != 2 || r.Unsigned != 3 || r.Present != 23 {
				t.Fatalf("before: %+v", r)
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			a := attack(t, dir)
			c.tamper(a)
			if err := a.db.Close(); err != nil {
				t.Fatal(err)
			}
			l, _ = again(t, dir)
			r := verify(t, l)
			if len(r.Findings) == 0 {
				t.Fatalf("nothing was found: %+v", r)
			}
			f := r.Findings[0]
			if f.What != c.what || f.Index != c.index || f.Detail == "" || c.single && len(r.Findings) != 1 {
				t.Errorf("found %+v", r.Findings)
			}
		})
	}
}

// nil2rand is a source of key material that needs no care: the key is thrown away.
type nil2rand struct{}

func (nil2rand) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return len(b), nil
}

func TestAnyFlippedBitOfALineIsNamed(t *testing.T) {
	l, st, dir := opened(t)
	const lines = 40
	for range lines {
		appendAll(t, l, event("consent.granted", "A"))
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	a := attack(t, dir)
	defer func() { _ = a.db.Close() }()
	l, _ = again(t, dir)
	for range 100 {
		idx := rnd.Int64N(lines)
		leaf := a.text("select leaf from audit_leaves where idx = ?", idx)
		bad := []byte(leaf)
		bad[rnd.IntN(len(bad))] ^= 1 << rnd.IntN(7)
		a.do("update audit_leaves set leaf = ? where idx = ?", string(bad), idx)
		if r := verify(t, l); len(r.Findings) != 1 || r.Findings[0].Index != idx || r.Findings[0].What != FoundChanged {
			t.Fatalf("line %d, %q: %+v", idx, bad, r.Findings)
		}
		a.do("update audit_leaves set leaf = ? where idx = ?", leaf, idx)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	l, st, dir := opened(t)
	for range 150 {
		appendAll(t, l, event("consent.granted", "A"))
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	a := attack(t, dir)
	a.do("update audit_leaves set leaf = 'x'")
	if err := a.db.Close(); err != nil {
		t.Fatal(err)
	}
	l, _ = again(t, dir)
	if r := verify(t, l); len(r.Findings) != maxFindings || !r.More || r.Findings[0].Index != 0 {
		t.Errorf("%d findings, more %v", len(r.Findings), r.More)
	}
	if _, err := l.Events(bg, "A"); err == nil {
		t.Error("lines that cannot be read are shown")
	}
}
