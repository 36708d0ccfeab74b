package audit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/mainforte/mainforte/signaling/store/storetest"
)

func rotate(t *testing.T, l *Log) string {
	t.Helper()
	vkey, err := l.Rotate(bg, admin)
	if err != nil {
		t.Fatal(err)
	}
	return vkey
}

func TestTheOldKeyVouchesForTheNewOne(t *testing.T) {
	l, _, dir := opened(t)
	other, _ := again(t, dir) // another server on the same data
	first := l.VerifierKey()
	appendAll(t, l, event("session.ended", "A"))
	second := rotate(t, l)
	appendAll(t, other, event("session.ended", "B")) // signs with the new key, unasked
	third := rotate(t, other)
	appendAll(t, l, event("session.ended", "C"))
	if first == second || second == third || l.VerifierKey() != third || other.VerifierKey() != third {
		t.Errorf("%s, %s, %s; in force %s and %s", first, second, third, l.VerifierKey(), other.VerifierKey())
	}
	if r := verify(t, l); !r.OK() || r.Checkpoints != 5 || r.Unsigned != 0 {
		t.Errorf("%+v", r)
	}
	c, err := l.Latest(bg)
	if err != nil {
		t.Fatal(err)
	}
	for key, ok := range map[string]bool{first: false, second: false, third: true} {
		if _, err := OpenCheckpoint(c.Note, key); (err == nil) != ok {
			t.Errorf("%s: %v", key, err)
		}
	}
	// The chain, as an auditor with the first key follows it.
	key := first
	for _, r := range events(t, l, "") {
		p, err := parseLeaf(r.Leaf)
		if err != nil {
			t.Fatal(err)
		}
		k, err := ReadRotation(p.Data)
		if err != nil || k.Old != key || k.Size != r.Index {
			t.Errorf("line %d: %+v, %v", r.Index, k, err)
		}
		key = k.New
		for _, change := range [][2]string{{k.New, first}, {`"size":`, `"size":1`}, {`"signature":"`, `"signature":"AAAA`}, {`"old":"`, `"old":"x`}, {`"root":"`, `"root":"x`}} {
			if bad := strings.Replace(string(p.Data), change[0], change[1], 1); k.New != first {
				if _, err := ReadRotation([]byte(bad)); !errors.Is(err, ErrKey) && !errors.Is(err, ErrDamaged) {
					t.Errorf("%s: %v", bad, err)
				}
			}
		}
	}
	if key != third {
		t.Errorf("the chain ends at %s", key)
	}
	if l, _ := again(t, dir); l.VerifierKey() != third {
		t.Error("a restart loads another key")
	}
}

// The leaf stands, the server was killed before the new key was in its place.
func TestARotationSurvivesAKill(t *testing.T) {
	l, st, dir := opened(t)
	appendAll(t, l, event("session.ended", "A"))
	path := filepath.Join(dir, "keys", signerFile)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	vkey := rotate(t, l)
	if err := errors.Join(st.Close(), os.Rename(path, filepath.Join(dir, "keys", nextFile)), os.WriteFile(path, old, 0o600)); err != nil {
		t.Fatal(err)
	}
	l, _ = again(t, dir)
	appendAll(t, l, event("session.ended", "B"))
	if r := verify(t, l); !r.OK() || l.VerifierKey() != vkey {
		t.Errorf("%+v, %s", r, l.VerifierKey())
	}
	if _, err := os.Stat(filepath.Join(dir, "keys", nextFile)); err == nil {
		t.Error("the new key still waits")
	}
	// What waits of a rotation that never stood is thrown away.
	if err := os.WriteFile(filepath.Join(dir, "keys", nextFile), old, 0o600); err != nil {
		t.Fatal(err)
	}
	rotate(t, l)
	// And without the key in force nothing is signed.
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(bg, storetest.Open(t, dir), filepath.Join(dir, "keys")); !errors.Is(err, ErrKey) {
		t.Errorf("with the key of before: %v", err)
	}
}

func TestAForgedRotationIsFound(t *testing.T) {
	skey, vkey, err := note.GenerateKey(nil2rand{}, "mainforte/log-00000000")
	if err != nil || skey == "" {
		t.Fatal(err)
	}
	for what, tamper := range map[string]func(a attacker){
		"the table names another key": func(a attacker) { a.do("update audit_signers set new = ? where idx = 1", vkey) },
		"the table names an old key that was none": func(a attacker) {
			a.do("update audit_signers set old = ? where idx = 1", vkey)
		},
		"a row is gone":            func(a attacker) { a.do("delete from audit_signers where idx = 1") },
		"a row too many":           func(a attacker) { a.do("insert into audit_signers (idx, old, new) values (2, ?, ?)", vkey, vkey) },
		"filed under another line": func(a attacker) { a.do("update audit_signers set idx = 0 where idx = 1") },
	} {
		t.Run(what, func(t *testing.T) {
			l, st, dir := opened(t)
			appendAll(t, l, event("session.ended", "A"))
			rotate(t, l)
			appendAll(t, l, event("session.ended", "B"))
			rotate(t, l)
			if r := verify(t, l); !r.OK() {
				t.Fatalf("before: %+v", r.Findings)
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			a := attack(t, dir)
			a.do("drop trigger audit_signers_no_update")
			a.do("drop trigger audit_signers_no_delete")
			tamper(a)
			if err := a.db.Close(); err != nil {
				t.Fatal(err)
			}
			l, _ = again(t, dir)
			if r := verify(t, l); r.OK() || r.Findings[0].What != FoundKey && r.Findings[0].What != FoundCheckpoint {
				t.Errorf("found %+v", r.Findings)
			}
		})
	}
}
