package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

var (
	bg    = context.Background()
	admin = audit.Actor{Kind: "admin", Ref: "01A"}
)

func TestOnPostgres(t *testing.T) { storetest.OnPostgres(t) }

func opened(t testing.TB) (*audit.Log, string) {
	t.Helper()
	dir := t.TempDir()
	st := storetest.Open(t, dir)
	l, err := audit.Open(bg, st, filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return l, dir
}

func event(typ, session string) audit.Event {
	e := audit.Event{Type: typ, Session: session, Outcome: "ok", Actor: audit.Actor{Kind: "person"}, Origin: "host", Data: map[string]any{"n": 3}}
	if typ != "input.summary" {
		e.Personal = map[string]any{"name": "Zoë \"Ölçü\" \\ {[", "address": "192.0.2.7"}
	}
	return e
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func appendAll(t testing.TB, l *audit.Log, events ...audit.Event) {
	t.Helper()
	_, err := l.Append(bg, events...)
	must(t, err)
}

// filled is a log of about n lines in which everything has happened: sessions,
// purges in and outside them, rotations.
func filled(t testing.TB, n int) (l *audit.Log, first string, tickets [][32]byte) {
	t.Helper()
	l, _ = opened(t)
	first = l.VerifierKey()
	session := 0
	for lines := 0; lines < n; {
		id := fmt.Sprintf("S%d", session)
		batch := []audit.Event{event("auth.login", ""), event("session.paired", id), event("consent.granted", id)}
		for range 6 {
			batch = append(batch, event("input.summary", id))
		}
		batch = append(batch, event("session.ended", id))
		appendAll(t, l, batch...)
		c, err := l.Latest(bg)
		must(t, err)
		tickets = append(tickets, c.Root)
		lines += len(batch)
		if session%7 == 3 {
			_, err := l.PurgeUnscrubbed(bg, fmt.Sprintf("S%d", session-1), "health-6y", admin)
			must(t, err)
			lines++
		}
		if session == 5 || session == 9 {
			_, err := l.Rotate(bg, admin)
			must(t, err)
			lines++
		}
		if session == 6 {
			_, err := l.PurgeOutside(bg, time.Now().Add(48*time.Hour), "health-90d", admin)
			must(t, err)
			lines++
		}
		session++
	}
	return l, first, tickets
}

func write(t testing.TB, l *audit.Log, o Options) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "export")
	o.By = admin
	_, err := Write(bg, l, dir, o)
	must(t, err)
	return dir
}

func check(t testing.TB, dir string, trust Trust) Report {
	t.Helper()
	r, err := Verify(dir, trust)
	must(t, err)
	return r
}

func TestAnExportVerifies(t *testing.T) {
	l, first, tickets := filled(t, 700)
	for _, personal := range []bool{false, true} {
		dir := write(t, l, Options{Personal: personal})
		r := check(t, dir, Trust{})
		if !r.OK() || r.Proven() || len(r.Extra) != 0 || r.Rotations != 2 || r.Size < 700 {
			t.Errorf("without a key: %+v", r)
		}
		if personal != (r.Present > 0) || personal == (r.Withheld > 0) || r.Purged == 0 || r.None == 0 {
			t.Errorf("personal %v: %+v", personal, r)
		}
		if r.Policies["health-6y"] == 0 || r.Policies["health-90d"] == 0 || r.Policies["health-6y"]+r.Policies["health-90d"] != r.Purged {
			t.Errorf("by policy: %+v", r.Policies)
		}
		for what, trust := range map[string]Trust{
			"the key in force": {Key: l.VerifierKey()},
			"the first key":    {Key: first},
			"a ticket":         {Ticket: tickets[:1]},
			"all tickets":      {Ticket: tickets, Key: first},
		} {
			if r := check(t, dir, trust); !r.Proven() || r.Signer != (trust.Key != "") || (r.Ticket > 0) != (len(trust.Ticket) > 0) {
				t.Errorf("%s: %+v", what, r)
			}
		}
		_, stranger, err := note.GenerateKey(rnd{}, r.Origin)
		must(t, err)
		for what, trust := range map[string]Trust{
			"a stranger's key":     {Key: stranger},
			"another log's ticket": {Ticket: [][32]byte{{1}}},
			"one wrong ticket":     {Ticket: append(slices.Clone(tickets), [32]byte{1})},
		} {
			if r := check(t, dir, trust); r.OK() || r.Proven() {
				t.Errorf("%s: %+v", what, r)
			}
		}
	}
}

type rnd struct{}

func (rnd) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(time.Now().UnixNano() >> i)
	}
	return len(b), nil
}

// Sizes around the edges of tiles; and not our arithmetic but the library's.
func TestTheTreeIsTheOneOfRFC6962(t *testing.T) {
	for _, size := range []int64{0, 1, 2, 255, 256, 257, 511, 512, 65536, 65537} {
		stored := map[int64]tlog.Hash{}
		tiles := map[string][]tlog.Hash{}
		tr := tree{}
		tr.full = func(level int, n int64, hashes []tlog.Hash) error {
			tiles[tilePath(level, n, len(hashes))] = slices.Clone(hashes)
			return nil
		}
		reader := tlog.HashReaderFunc(func(idx []int64) (out []tlog.Hash, err error) {
			for _, i := range idx {
				out = append(out, stored[i])
			}
			return out, nil
		})
		for n := range size {
			text := fmt.Append(nil, n)
			hashes, err := tlog.StoredHashes(n, text, reader)
			must(t, err)
			for i, h := range hashes {
				stored[tlog.StoredHashIndex(0, n)+int64(i)] = h
			}
			must(t, tr.push(tlog.RecordHash(text)))
		}
		must(t, tr.end())
		want, err := tlog.TreeHash(size, reader)
		must(t, err)
		if tr.root() != want {
			t.Errorf("size %d: %v, want %v", size, tr.root(), want)
		}
		count := 0
		for level := 0; size>>(8*level) > 0; level++ {
			total := size >> (8 * level)
			for n := int64(0); n*tileSize < total; n++ {
				width := int(min(total-n*tileSize, tileSize))
				name := tilePath(level, n, width)
				if len(tiles[name]) != width || !isTile(name, size) {
					t.Fatalf("size %d: no tile %s", size, name)
				}
				for i, h := range tiles[name] {
					if h != stored[tlog.StoredHashIndex(8*level, n*tileSize+int64(i))] {
						t.Fatalf("size %d: %s, hash %d", size, name, i)
					}
				}
				count++
			}
		}
		if count != len(tiles) {
			t.Errorf("size %d: %d tiles, want %d", size, len(tiles), count)
		}
	}
	if got := tilePath(0, 1234067, 256) + " " + tilePath(-1, 7, 5); got != "tile/0/x001/x234/067 tile/entries/007.p/5" {
		t.Error(got)
	}
}

func TestEveryLineIsCanonicalJSON(t *testing.T) {
	l, _, _ := filled(t, 300)
	dir := write(t, l, Options{Personal: true})
	b, err := os.ReadFile(filepath.Join(dir, eventsFile))
	must(t, err)
	n := 0
	for text := range bytes.Lines(b) {
		var m map[string]any
		must(t, json.Unmarshal(text, &m))
		var again bytes.Buffer
		e := json.NewEncoder(&again)
		e.SetEscapeHTML(false)
		must(t, e.Encode(m))
		if again.String() != string(text) {
			t.Errorf("\n%s is not\n%s", text, again.String())
		}
		n++
	}
	if n < 300 {
		t.Errorf("%d lines", n)
	}
}

func TestAnExportIsWrittenWholeOrNotAtAll(t *testing.T) {
	l, _, _ := filled(t, 20)
	dir := write(t, l, Options{})
	if _, err := Write(bg, l, dir, Options{By: admin}); err == nil {
		t.Error("an export was written over another")
	}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	gone := filepath.Join(filepath.Dir(dir), "gone")
	if _, err := Write(ctx, l, gone, Options{By: admin}); err == nil {
		t.Error("no error")
	}
	if _, err := Write(bg, l, filepath.Join(dir, "manifest", "x"), Options{By: admin}); err == nil {
		t.Error("below a file")
	}
	names, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "*"))
	must(t, err)
	hidden, err := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*"))
	must(t, err)
	if len(names) != 1 || len(hidden) != 0 {
		t.Errorf("left behind: %v %v", names, hidden)
	}
	if info, err := os.Stat(filepath.Join(dir, eventsFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// Somebody who holds no key of the log makes everything anew: the lines, the
// tiles, the checkpoint, the manifest, the keys.
func TestAForgedExportIsConsistentAndProvesNothing(t *testing.T) {
	l, first, tickets := filled(t, 300)
	dir := write(t, l, Options{Personal: true})
	genuine := check(t, dir, Trust{})
	skey, vkey, err := note.GenerateKey(rnd{}, genuine.Origin)
	must(t, err)
	signer, err := note.NewSigner(skey)
	must(t, err)

	forged := filepath.Join(t.TempDir(), "forged")
	w, err := create(forged, true)
	must(t, err)
	at := int64(0)
	must(t, l.Read(bg, 0, genuine.Size, func(n audit.Line) error {
		if bytes.Contains(n.Leaf, []byte("log.key_rotated")) {
			return nil // would tell on the new key
		}
		var m map[string]any
		must(t, json.Unmarshal(n.Leaf, &m))
		n.Leaf = bytes.Replace(n.Leaf, fmt.Appendf(nil, `"index":%d`, n.Index), fmt.Appendf(nil, `"index":%d`, at), 1)
		if at == 12 {
			n.Leaf = bytes.Replace(n.Leaf, []byte(`"n":3`), []byte(`"n":0`), 1)
		}
		if n.State == audit.Purged {
			return nil
		}
		n.Hash = tlog.RecordHash(n.Leaf)
		at++
		return w.add(n)
	}))
	sign := func(text string) (string, error) {
		b, err := note.Sign(&note.Note{Text: text}, signer)
		return string(b), err
	}
	root := w.tree.root()
	point, err := sign(fmt.Sprintf("%s\n%d\n%s\n", genuine.Origin, at, audit.Checkpoint{Tree: audit.Tree{Root: root}}.RootText()))
	must(t, err)
	must(t, w.finish(audit.Checkpoint{Tree: audit.Tree{Size: at, Root: root}, Note: point}, []string{vkey}, sign))

	if r := check(t, forged, Trust{}); !r.OK() || r.Proven() {
		t.Fatalf("the forgery is not a good one: %+v", r)
	}
	for what, trust := range map[string]Trust{"key": {Key: l.VerifierKey()}, "old key": {Key: first}, "ticket": {Ticket: tickets[len(tickets)-1:]}} {
		if r := check(t, forged, trust); r.OK() {
			t.Errorf("%s: %+v", what, r)
		}
	}
}

func TestALogThatWasChangedIsNotExported(t *testing.T) {
	l, dir := opened(t)
	appendAll(t, l, event("session.paired", "S"), event("session.ended", "S"))
	st := storetest.Open(t, dir)
	must(t, st.Update(bg, func(tx store.Tx) error {
		_, err := tx.Exec("drop trigger audit_leaves_no_update")
		if err != nil {
			_, err = tx.Exec("drop trigger audit_leaves_only_grows on audit_leaves") // PostgreSQL
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec("update audit_leaves set leaf = replace(leaf, '\"ok\"', '\"no\"') where idx = 1")
		return err
	}))
	if _, err := Write(bg, l, filepath.Join(t.TempDir(), "x"), Options{By: admin}); !errors.Is(err, audit.ErrDamaged) || !strings.Contains(err.Error(), "line 1 ") {
		t.Errorf("got %v", err)
	}
}

func TestRootsAreFoundInTickets(t *testing.T) {
	root := "k5oPVz1Q6Vw1rqIgJ2RpYJ0o0d0Uu2rG3gqf9d3rC6s="
	h, err := tlog.ParseHash(root)
	must(t, err)
	for _, text := range []string{root, root + "\n", "Signed root of the log: " + root + "\nKey: SHA256:S7Bvjk46dxXSAdVz0KpCN2LlXavWGiwCJ4+lbMbSlOA\n", "<td>" + root + "</td>", root + " and again " + root} {
		if got := ReadTicket(text); len(got) != 1 || got[0] != [32]byte(h) {
			t.Errorf("%q: %x", text, got)
		}
	}
	for _, text := range []string{"", "nothing", root[1:], "x" + root, "SHA256:" + root, strings.Repeat("A", 44)} {
		if got := ReadTicket(text); len(got) != 0 {
			t.Errorf("%q: %x", text, got)
		}
	}
	for _, file := range []string{"full.en.txt", "full.fr.txt"} {
		text, err := os.ReadFile(filepath.Join("../../tickets/testdata", file))
		must(t, err)
		if got := ReadTicket(string(text)); len(got) != 1 || got[0] != [32]byte(h) {
			t.Errorf("%s: %x", file, got)
		}
	}
}

// An export comes from somebody: nothing in it leads out of it or never ends.
func TestAFolderThatIsATrap(t *testing.T) {
	l, _, _ := filled(t, 20)
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte("secret"), 0o600))
	for _, name := range append([]string{manifestFile, "tile", "tile/0", "tile/entries"}, listed...) {
		for what, lay := range map[string]func(path string) error{
			"nothing":         func(string) error { return nil },
			"a folder":        func(path string) error { return os.Mkdir(path, 0o700) },
			"a way out of it": func(path string) error { return os.Symlink(secret, path) },
			"a pipe":          func(path string) error { return pipe(path) },
		} {
			dir := write(t, l, Options{})
			path := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := lay(path); err != nil {
				t.Logf("%s: %v", what, err)
				continue
			}
			if r, err := Verify(dir, Trust{}); err == nil && (r.OK() || strings.Contains(fmt.Sprint(r), "secret")) {
				t.Errorf("%s is %s: %+v", name, what, r)
			}
		}
	}
}
