package files

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// hostile is testdata/names.txt.
func hostile(t testing.TB) (names []string) {
	t.Helper()
	b, err := os.ReadFile("testdata/names.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, err := strconv.Unquote(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		names = append(names, name)
	}
	if len(names) < 200 {
		t.Fatalf("%d names", len(names))
	}
	return names
}

// sound fails unless a name is what SafeName promises.
func sound(t testing.TB, from, name string) {
	t.Helper()
	bad := func(why string) { t.Errorf("%q became %q: %s", from, name, why) }
	if name == "" || len(name) > MaxName+1 || !utf8.ValidString(name) {
		bad("empty, too long or no UTF-8")
	}
	if strings.ContainsAny(name, `/\:*?"<>|`) || !filepath.IsLocal(name) || strings.Trim(name, " .") != name {
		bad("no plain name")
	}
	for _, r := range name {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			bad(fmt.Sprintf("holds %U", r))
		}
	}
	if device(name) {
		bad("a device of Windows")
	}
	if again := SafeName(name); again != name {
		bad("made safe again it is " + again)
	}
}

func TestAHostileNameIsMadeSafe(t *testing.T) {
	t.Parallel()
	for _, name := range hostile(t) {
		sound(t, name, SafeName(name))
	}
	for from, want := range map[string]string{
		"Été 2026 (1).pdf": "Été 2026 (1).pdf", "写真.jpg": "写真.jpg", "a.tar.gz": "a.tar.gz", "👩.png": "👩.png",
		"../x": "_x", "con.txt": "_con.txt", "invoice\u202efdp.exe": "invoicefdp.exe", ".profile": "profile", "": "file",
	} {
		if got := SafeName(from); got != want {
			t.Errorf("%q became %q, want %q", from, got, want)
		}
	}
}

func FuzzSafeName(f *testing.F) {
	for _, name := range hostile(f) {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) { sound(t, name, SafeName(name)) })
}

// tree is everything in a folder, with the contents of files.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		all[rel] = d.Type().String()
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			all[rel] = string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// put receives one file whole.
func put(in *Inbox, file int, content []byte) error {
	if len(content) > 0 {
		if err := in.Write(file, 0, content); err != nil {
			return err
		}
	}
	sum := sha256.Sum256(content)
	_, err := in.Finish(file, sum[:])
	return err
}

func open(t testing.TB, dir string, entries ...Entry) *Inbox {
	t.Helper()
	in, err := Open(dir, entries)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in
}

// TestHostileNamesLandOnlyInTheChosenFolder sends every hostile name as a file's, as
// a folder's, and as both, and then looks at everything around the chosen folder.
func TestHostileNamesLandOnlyInTheChosenFolder(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "chosen")
	for path, content := range map[string]string{"chosen/photo.jpg": "mine", "x": "mine", "etc/passwd": "mine", "chosen/_x": "mine"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(parent, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(parent, path), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(parent, "etc"), filepath.Join(dir, "link")); err != nil && runtime.GOOS != "windows" {
		t.Fatal(err)
	}
	before := tree(t, parent)
	landed := 0
	names := append(hostile(t), "link", "link/passwd", "photo.jpg")
	for i, name := range names {
		content := []byte(strconv.Itoa(i))
		for _, path := range [][]string{{name}, {name, "inner.txt"}, {name, name}, {"..", name}, {"link", "passwd"}} {
			in, err := Open(dir, []Entry{{Path: path, Size: int64(len(content))}})
			if err != nil {
				t.Fatalf("%q: %v", path, err)
			}
			if err := put(in, 0, content); err != nil {
				t.Fatalf("%q: %v", path, err)
			}
			at := in.Place(0)
			if b, err := os.ReadFile(at); err != nil || !bytes.Equal(b, content) || !strings.HasPrefix(at, dir+string(filepath.Separator)) {
				t.Errorf("%q landed at %q: %q, %v", path, at, b, err)
			}
			if info, err := os.Lstat(at); err != nil || !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode().Perm()&0o111 != 0 {
				t.Errorf("%q landed as %v, %v", path, info.Mode(), err)
			}
			if err := in.Close(); err != nil {
				t.Error(err)
			}
			landed++
		}
	}
	after := tree(t, parent)
	for path, content := range before {
		if after[path] != content {
			t.Errorf("%s was changed", path)
		}
	}
	for path := range after {
		if _, ok := before[path]; !ok && !strings.HasPrefix(path, "chosen"+string(filepath.Separator)) {
			t.Errorf("%s was made outside the chosen folder", path)
		}
	}
	whole := 0
	for path, what := range after {
		if _, ok := before[path]; !ok && what != fs.ModeDir.String() {
			whole++
		}
	}
	if whole != landed {
		t.Errorf("%d files stand there, want %d: a part is left, or a file was overwritten", whole, landed)
	}
	t.Logf("%d names in %d transfers", len(names), landed)
}

func TestATwinOverwritesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i, want := range []string{"a.txt", "a (2).txt", "a (3).txt"} {
		in := open(t, dir, Entry{Path: []string{"a.txt"}, Size: 1})
		if err := put(in, 0, []byte{byte('0' + i)}); err != nil {
			t.Fatal(err)
		}
		if in.Place(0) != filepath.Join(dir, want) {
			t.Errorf("landed at %s, want %s", in.Place(0), want)
		}
	}
	for range 2 {
		in := open(t, dir, Entry{Path: []string{"d", "x?"}, Size: 1}, Entry{Path: []string{"d", "x*"}, Size: 1}, Entry{Path: []string{"d", "e", "y"}})
		for i, content := range []string{"1", "2", ""} {
			if err := put(in, i, []byte(content)); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := []string{".", "a (2).txt", "a (3).txt", "a.txt", "d", "d (2)", "d (2)/e", "d (2)/e/y", "d (2)/x_", "d (2)/x_ (2)", "d/e", "d/e/y", "d/x_", "d/x_ (2)", "d"}
	got := tree(t, dir)
	for _, path := range want {
		if _, ok := got[filepath.FromSlash(path)]; !ok {
			t.Errorf("%s is not there: %q", path, got)
		}
	}
}

func TestWhatIsNotWholeIsRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := open(t, dir, Entry{Path: []string{"f", "whole"}, Size: 1}, Entry{Path: []string{"f", "g", "half"}, Size: 2})
	if err := put(in, 0, []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := in.Write(1, 0, []byte("2")); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, dir); len(got) != 3 || got[filepath.Join("f", "whole")] != "1" {
		t.Errorf("left: %q", got)
	}
	if err := in.Write(1, 1, []byte("3")); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed inbox wrote: %v", err)
	}
}

// TestAnotherHashIsNoFile: C58.
func TestAnotherHashIsNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := open(t, dir, Entry{Path: []string{"a"}, Size: 1})
	if err := in.Write(0, 0, []byte("1")); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("2"))
	if _, err := in.Finish(0, sum[:]); !errors.Is(err, ErrHash) {
		t.Errorf("finished with another hash: %v", err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, dir); len(got) != 1 {
		t.Errorf("left: %q", got)
	}
}

// TestOnlyTheNextBytesAreWritten: C54.
func TestOnlyTheNextBytesAreWritten(t *testing.T) {
	t.Parallel()
	in := open(t, t.TempDir(), Entry{Path: []string{"a"}, Size: 4}, Entry{Path: []string{"b"}, Size: 4})
	for _, c := range []struct {
		file   int
		offset int64
		n      int
	}{{0, 1, 1}, {1, 0, 1}, {0, 0, 5}, {-1, 0, 1}, {2, 0, 1}, {0, -1, 1}} {
		if err := in.Write(c.file, c.offset, make([]byte, c.n)); !errors.Is(err, ErrOrder) {
			t.Errorf("%v: %v", c, err)
		}
	}
	if err := in.Write(0, 0, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Finish(0, nil); !errors.Is(err, ErrOrder) {
		t.Errorf("three bytes of four are a file: %v", err)
	}
}

// TestAnOfferHasBounds: C56.
func TestAnOfferHasBounds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	many := make([]Entry, MaxFiles+1)
	for i := range many {
		many[i] = Entry{Path: []string{"a"}}
	}
	for name, c := range map[string]struct {
		entries []Entry
		want    error
	}{
		"none":      {nil, ErrBounds},
		"many":      {many, ErrBounds},
		"deep":      {[]Entry{{Path: slices.Repeat([]string{"d"}, MaxDepth+2)}}, ErrBounds},
		"no name":   {[]Entry{{}}, ErrBounds},
		"long name": {[]Entry{{Path: []string{strings.Repeat("a", MaxAnnounced+1)}}}, ErrBounds},
		"negative":  {[]Entry{{Path: []string{"a"}, Size: -1}}, ErrBounds},
		"overflow":  {[]Entry{{Path: []string{"a"}, Size: MaxSize}, {Path: []string{"b"}, Size: MaxSize}}, ErrBounds},
		"room":      {[]Entry{{Path: []string{"a"}, Size: MaxSize}}, ErrRoom},
	} {
		in, err := Open(dir, c.entries)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if in != nil {
			_ = in.Close()
		}
	}
	if _, err := Open("relative", []Entry{{Path: []string{"a"}}}); !errors.Is(err, ErrFolder) {
		t.Errorf("a relative folder: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none"), []Entry{{Path: []string{"a"}}}); !errors.Is(err, ErrFolder) {
		t.Errorf("no folder: %v", err)
	}
}

func TestOnlyWhatThePersonNamedIsListed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(os.MkdirAll(filepath.Join(dir, "given", "sub"), 0o755))
	ok(os.WriteFile(filepath.Join(dir, "secret"), []byte("no"), 0o644))
	ok(os.WriteFile(filepath.Join(dir, "one"), []byte("1"), 0o644))
	ok(os.WriteFile(filepath.Join(dir, "given", "sub", "two"), []byte("22"), 0o644))
	if runtime.GOOS != "windows" {
		ok(os.Symlink(filepath.Join(dir, "secret"), filepath.Join(dir, "given", "link")))
		ok(os.Symlink(dir, filepath.Join(dir, "given", "up")))
	}
	list, err := Collect(t.Context(), []string{filepath.Join(dir, "one"), filepath.Join(dir, "given")})
	ok(err)
	var got []string
	for _, s := range list {
		got = append(got, strings.Join(s.Entry.Path, "/"))
		f, err := s.Open()
		ok(err)
		b, err := io.ReadAll(f)
		ok(err)
		if int64(len(b)) != s.Size {
			t.Errorf("%s: %d bytes", s.Path(), len(b))
		}
		ok(f.Close())
	}
	if !slices.Equal(got, []string{"one", "given/sub/two"}) {
		t.Errorf("listed %q", got)
	}
	ok(os.WriteFile(filepath.Join(dir, "one"), []byte("12"), 0o644))
	if _, err := list[0].Open(); !errors.Is(err, ErrChanged) {
		t.Errorf("another file was opened: %v", err)
	}
	ok(os.Remove(filepath.Join(dir, "one")))
	if _, err := list[0].Open(); !errors.Is(err, ErrGone) {
		t.Errorf("no file was opened: %v", err)
	}
	for _, p := range []string{"one", filepath.Join(dir, "none"), os.DevNull} {
		if _, err := Collect(t.Context(), []string{p}); !errors.Is(err, ErrGone) {
			t.Errorf("%q: %v", p, err)
		}
	}
}

// TestRandomChunksAreTheFile writes random files in random chunks.
func TestRandomChunksAreTheFile(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 30 {
		content := make([]byte, rng.IntN(100_000))
		for i := range content {
			content[i] = byte(rng.Uint32())
		}
		in := open(t, t.TempDir(), Entry{Path: []string{"a"}, Size: int64(len(content)), Modified: time.UnixMilli(1_700_000_000_000)})
		for at := 0; at < len(content); {
			n := min(1+rng.IntN(16<<10), len(content)-at)
			if err := in.Write(0, int64(at), content[at:at+n]); err != nil {
				t.Fatal(err)
			}
			at += n
		}
		sum := sha256.Sum256(content)
		if _, err := in.Finish(0, sum[:]); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(in.Place(0)); err != nil || !bytes.Equal(b, content) {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		if info, err := os.Stat(in.Place(0)); err != nil || info.ModTime().UnixMilli() != 1_700_000_000_000 {
			t.Errorf("its time is %v, %v", info.ModTime(), err)
		}
	}
}
