package bundle

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tamperer changes one thing in a folder and puts it back.
type tamperer struct {
	t     testing.TB
	dir   string
	rnd   *rand.Rand
	kinds [][]string // paths below dir, by what they are
}

func newTamperer(t testing.TB, dir string) *tamperer {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	m := &tamperer{t: t, dir: dir, rnd: rand.New(rand.NewPCG(seed, 0))}
	group := map[string][]string{}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		name = filepath.ToSlash(name)
		kind := name
		if strings.HasPrefix(name, "tile/") {
			kind = strings.Join(strings.Split(name, "/")[:2], "/") // entries and each level apart, whatever the number
		}
		group[kind] = append(group[kind], name)
		return err
	}))
	for _, kind := range []string{eventsFile, checkpointFile, keysFile, pemFile, manifestFile, schemaFile, howtoFiles[0], "tile/entries", "tile/0", "tile/1"} {
		if len(group[kind]) == 0 {
			t.Fatalf("the export has no %s", kind)
		}
		m.kinds = append(m.kinds, group[kind])
	}
	return m
}

// change does one thing; want is how the first problem must be named.
func (m *tamperer) change() (what, want string, restore func()) {
	kind := m.rnd.IntN(len(m.kinds) + 4)
	if kind >= len(m.kinds) {
		kind = 0 // events.jsonl is most of it
	}
	name := m.kinds[kind][m.rnd.IntN(len(m.kinds[kind]))]
	path := filepath.Join(m.dir, filepath.FromSlash(name))
	good, err := os.ReadFile(path)
	must(m.t, err)
	restore = func() { must(m.t, os.WriteFile(path, good, 0o600)) }
	want = name
	record := func(n int) {
		if name == eventsFile {
			want = fmt.Sprintf("record %d", n)
		}
	}
	bad := bytes.Clone(good)
	at := m.rnd.IntN(len(bad))
	switch op := m.rnd.IntN(8); {
	case op < 3:
		bad[at] ^= 1 << m.rnd.IntN(8)
		what = fmt.Sprintf("%s: a bit of byte %d is flipped", name, at)
		record(bytes.Count(good[:at], []byte("\n")))
	case op == 3:
		bad = append(bad[:at], bad[at+1:]...)
		what = fmt.Sprintf("%s: byte %d is taken out", name, at)
		record(bytes.Count(good[:at], []byte("\n")))
	case op == 4 && kind > 0:
		must(m.t, os.Remove(path))
		return name + " is gone", want, restore
	case op == 4 || op == 5:
		bad = bad[:at]
		what = fmt.Sprintf("%s: cut off at byte %d", name, at)
		record(bytes.Count(good[:at], []byte("\n")))
	case strings.HasPrefix(name, "tile/") && name[5] != 'e':
		i, j := m.two(len(bad) / 32)
		if i == j {
			bad = append(bad, 0)
			what = name + ": a byte more"
			break
		}
		swap := func(b []byte) { copy(bad[i*32:], b[:32]) }
		swap(good[j*32:])
		copy(bad[j*32:], good[i*32:][:32])
		what = fmt.Sprintf("%s: hashes %d and %d are exchanged", name, i, j)
	default:
		lines := bytes.SplitAfter(good, []byte("\n"))
		if len(lines[len(lines)-1]) == 0 {
			lines = lines[:len(lines)-1]
		}
		i, j := m.two(len(lines))
		switch {
		case bytes.Equal(lines[i], lines[j]) || op == 6:
			what = fmt.Sprintf("%s: line %d is taken out", name, i)
			lines = append(lines[:i:i], lines[i+1:]...)
			record(i)
		case m.rnd.IntN(3) == 0:
			what = fmt.Sprintf("%s: line %d stands there twice", name, i)
			lines = append(lines[:i+1:i+1], lines[i:]...)
			record(i + 1)
		default:
			what = fmt.Sprintf("%s: lines %d and %d are exchanged", name, i, j)
			lines[i], lines[j] = lines[j], lines[i]
			record(i)
		}
		bad = bytes.Join(lines, nil)
	}
	if bytes.Equal(bad, good) {
		return m.change()
	}
	must(m.t, os.WriteFile(path, bad, 0o600))
	return what, want, restore
}

// two are two of n places, the first one first; the same one if there are no two.
func (m *tamperer) two(n int) (int, int) {
	i, j := m.rnd.IntN(n), m.rnd.IntN(n)
	return min(i, j), max(i, j)
}

// tampering changes the folder so many times; every change must be found and named.
func tampering(t testing.TB, dir string, times int, keys ...string) {
	m := newTamperer(t, dir)
	for range times {
		what, want, restore := m.change()
		trust := Trust{}
		if i := m.rnd.IntN(len(keys) + 1); i < len(keys) {
			trust.Key = keys[i]
		}
		r := check(t, dir, trust)
		switch {
		case r.OK() || r.Proven():
			t.Errorf("%s: not found", what)
		case r.Problems[0].Name != want:
			t.Errorf("%s: found as %q, want %s", what, r.Problems, want)
		}
		restore()
	}
	if r := check(t, dir, Trust{Key: keys[0]}); !r.Proven() {
		t.Errorf("put back: %+v", r)
	}
}

// P11: whatever is changed in an export is found, and named.
func TestAnyTamperingWithAnExportIsFoundAndNamed(t *testing.T) {
	l, first, _ := filled(t, 520)
	for _, personal := range []bool{true, false} {
		tampering(t, write(t, l, Options{Personal: personal}), 150, l.VerifierKey(), first)
	}
}
