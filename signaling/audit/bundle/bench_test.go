package bundle

import (
	"bytes"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/audit"
)

// large writes an export of n lines: those of a real session over and over, each
// under its own number, signed by a key of its own. Filling a real log takes
// minutes for a million.
func large(t testing.TB, n int64, personal bool) (dir, vkey string) {
	t.Helper()
	l, _ := opened(t)
	batch := []audit.Event{event("session.paired", "S"), event("consent.granted", "S")}
	for range 16 {
		batch = append(batch, event("input.summary", "S"))
	}
	appendAll(t, l, append(batch, event("consent.revoked", "S"), event("session.ended", "S"))...)
	var lines []audit.Line
	must(t, l.Read(bg, 0, 20, func(n audit.Line) error {
		n.Leaf, n.Salt, n.Personal = bytes.Clone(n.Leaf), bytes.Clone(n.Salt), bytes.Clone(n.Personal)
		lines = append(lines, n)
		return nil
	}))
	dir = filepath.Join(t.TempDir(), "export")
	w, err := create(dir, personal)
	must(t, err)
	for i := range n {
		line := lines[i%int64(len(lines))]
		line.Leaf = bytes.Replace(line.Leaf, fmt.Appendf(nil, `"index":%d,`, line.Index), fmt.Appendf(nil, `"index":%d,`, i), 1)
		line.Index, line.Hash = i, tlog.RecordHash(line.Leaf)
		must(t, w.add(line))
	}
	skey, vkey, err := note.GenerateKey(rnd{}, "mainforte/log-00000000")
	must(t, err)
	signer, err := note.NewSigner(skey)
	must(t, err)
	sign := func(text string) (string, error) {
		b, err := note.Sign(&note.Note{Text: text}, signer)
		return string(b), err
	}
	c := audit.Checkpoint{Tree: audit.Tree{Size: n, Root: w.tree.root()}}
	c.Note, err = sign(fmt.Sprintf("mainforte/log-00000000\n%d\n%s\n", n, c.RootText()))
	must(t, err)
	must(t, w.finish(c, []string{vkey}, sign))
	return dir, vkey
}

// BenchmarkVerifyMillion is a million events with their personal parts, from the
// files that were just written.
func BenchmarkVerifyMillion(b *testing.B) {
	const n = 1_000_000
	dir, vkey := large(b, n, true)
	runtime.GC()
	b.ResetTimer()
	for b.Loop() {
		if r := check(b, dir, Trust{Key: vkey}); !r.Proven() || r.Size != n {
			b.Fatalf("%+v", r)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB")
}
