package audit

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/store"
)

// reader reads stored hashes as x/mod/sumdb/tlog numbers them.
func reader(t *testing.T, st store.Store) tlog.HashReader {
	return tlog.HashReaderFunc(func(idx []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(idx))
		err := st.View(bg, func(tx store.Tx) error {
			for i, x := range idx {
				var b []byte
				level, n := tlog.SplitStoredHashIndex(x)
				row := tx.QueryRow("select hash from audit_nodes where idx = ?", x)
				if level == 0 {
					row = tx.QueryRow("select hash from audit_leaves where idx = ?", n)
				}
				if err := row.Scan(&b); err != nil {
					return fmt.Errorf("hash %d (level %d, %d): %w", x, level, n, err)
				}
				copy(out[i][:], b)
			}
			return nil
		})
		return out, err
	})
}

// Not our arithmetic but the library's: roots, inclusion and consistency.
func TestTheTreeIsTheOneOfRFC6962(t *testing.T) {
	l, st, _ := opened(t)
	r := reader(t, st)
	var roots []tlog.Hash
	for size := int64(1); size <= 70; size++ {
		appendAll(t, l, event("input.summary", "S"))
		head, err := l.Head(bg)
		if err != nil {
			t.Fatal(err)
		}
		want, err := tlog.TreeHash(size, r)
		if err != nil {
			t.Fatal(err)
		}
		if head.Size != size || head.Root != want {
			t.Fatalf("size %d: root %x, want %x", head.Size, head.Root, want)
		}
		roots = append(roots, want)
	}
	list := events(t, l, "S")
	for _, n := range []int64{0, 1, 37, 63, 64, 69} {
		p, err := tlog.ProveRecord(70, n, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(p, 70, roots[69], n, tlog.RecordHash(list[n].Leaf)); err != nil {
			t.Errorf("line %d: %v", n, err)
		}
		p2, err := tlog.ProveTree(70, n+1, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckTree(p2, 70, roots[69], n+1, roots[n]); err != nil {
			t.Errorf("from %d: %v", n+1, err)
		}
	}
}

func TestTheEndOfASessionIsSigned(t *testing.T) {
	l, st, _ := opened(t)
	if c, err := l.Latest(bg); err != nil || c.Note != "" {
		t.Fatalf("before anything: %+v, %v", c, err)
	}
	appendAll(t, l, event("session.paired", "S"))
	if c, err := l.Latest(bg); err != nil || c.Note != "" {
		t.Fatalf("in the session: %+v, %v", c, err)
	}
	var inTx Checkpoint
	if err := st.Update(bg, func(tx store.Tx) error {
		at, err := l.AppendTx(tx, event("session.ended", "S"))
		if err != nil {
			return err
		}
		inTx, err = l.CheckpointTx(tx)
		if inTx.Size != at+1 {
			t.Errorf("line %d is not in the checkpoint of %d", at, inTx.Size)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	c, err := l.Latest(bg)
	head, _ := l.Head(bg)
	if err != nil || c.Tree != head || c.Note != inTx.Note || c.Created.IsZero() {
		t.Errorf("%+v, %v", c, err)
	}
	// The same size is not signed twice.
	if again, err := l.Checkpoint(bg); err != nil || again.Note != c.Note {
		t.Errorf("%+v, %v", again, err)
	}
	appendAll(t, l, event("log.viewed", "S"))
	if next, err := l.Checkpoint(bg); err != nil || next.Size != 3 || !strings.Contains(next.Note, "\n3\n"+next.RootText()+"\n\n— ") {
		t.Errorf("%+v, %v", next, err)
	}
	if r := verify(t, l); !r.OK() || r.Checkpoints != 2 || r.Unsigned != 0 {
		t.Errorf("%+v", r)
	}
}

// With nothing but Ed25519 from the standard library: an auditor needs no
// program of ours to check a checkpoint.
func TestACheckpointIsPlainEd25519(t *testing.T) {
	l, _, _ := opened(t)
	appendAll(t, l, event("session.ended", "S"))
	c, err := l.Latest(bg)
	if err != nil {
		t.Fatal(err)
	}
	text, sig, _ := strings.Cut(c.Note, "\n\n")
	fields := strings.Fields(sig) // —, name, base64 of 4 bytes of key hash and the signature
	raw, err := base64.StdEncoding.DecodeString(fields[2])
	key, err2 := base64.StdEncoding.DecodeString(strings.SplitN(l.VerifierKey(), "+", 3)[2])
	if err != nil || err2 != nil || key[0] != 1 {
		t.Fatal(err, err2, key)
	}
	if !ed25519.Verify(key[1:], []byte(text+"\n"), raw[4:]) {
		t.Error("the signature does not verify")
	}
	if ed25519.Verify(key[1:], []byte(strings.Replace(text, "\n1\n", "\n2\n", 1)+"\n"), raw[4:]) {
		t.Error("nor should it verify for another size")
	}
}

func TestACheckpointNamesItsLogAndItsTree(t *testing.T) {
	l, _, _ := opened(t)
	root := strings.Repeat("A", 43) + "="
	for what, text := range map[string]string{
		"another log": "mainforte/log-00000000\n1\n" + root + "\n",
		"no size":     l.sign.signer.Name() + "\n-\n" + root + "\n",
		"minus":       l.sign.signer.Name() + "\n-1\n" + root + "\n",
		"no root":     l.sign.signer.Name() + "\n1\nAAAA\n",
		"nothing":     l.sign.signer.Name() + "\n",
	} {
		signed, err := note.Sign(&note.Note{Text: text}, l.sign.signer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenCheckpoint(string(signed), l.VerifierKey()); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestRunStops(t *testing.T) {
	l, _, _ := opened(t)
	ctx, cancel := context.WithCancel(bg)
	done := make(chan struct{})
	go func() { defer close(done); l.Run(ctx, func(err error) { t.Error(err) }) }()
	cancel()
	<-done
}
