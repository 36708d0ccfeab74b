package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/signaling/store"
	"github.com/mainforte/mainforte/signaling/store/storetest"
)

var admin = Actor{Kind: "admin", Ref: "01A"}

func TestPersonalTextIsNowhereInTheFiles(t *testing.T) {
	l, _, dir := opened(t)
	appendAll(t, l, event("session.paired", "S"), event("auth.login", ""))
	all := storetest.Files(t, dir)
	if !bytes.Contains(all, []byte("session.paired")) {
		t.Fatal("the search finds nothing at all")
	}
	for _, secret := range []string{"Zoë", "Ölçü", "192.0.2.7"} {
		for form, s := range map[string]string{"plain": secret, "JSON": strings.Trim(string(appendString(nil, secret)), `"`), "base64": base64.StdEncoding.EncodeToString([]byte(secret))[:4]} {
			if len(s) > 3 && form != "base64" && bytes.Contains(all, []byte(s)) {
				t.Errorf("%s is in the files as %s", secret, form)
			}
		}
	}
}

func TestAPurgeDestroysWhatIsPersonalAndNoProof(t *testing.T) {
	l, st, dir := opened(t)
	appendAll(t, l, event("session.paired", "S"), event("consent.granted", "other"), event("session.ended", "S"))
	before := events(t, l, "S")
	c, err := l.Latest(bg)
	if err != nil {
		t.Fatal(err)
	}
	// What could still open it for somebody who has the key file and looks at the disk.
	var secrets [][]byte
	if err := st.View(bg, func(tx store.Tx) error {
		rows, err := tx.Query("select box from audit_personal where idx in (0, 2) union all select wrapped from audit_keys where scope = 'session:S'")
		if err != nil {
			return err
		}
		for rows.Next() {
			var b []byte
			if err := rows.Scan(&b); err != nil {
				return err
			}
			secrets = append(secrets, b)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	found := func() (n int) {
		all := storetest.Files(t, dir)
		for _, s := range secrets {
			for at := 0; at+16 <= len(s); at += 16 {
				if bytes.Contains(all, s[at:at+16]) {
					n++
				}
			}
		}
		return n
	}
	if len(secrets) != 3 || found() == 0 {
		t.Fatalf("%d secrets, %d pieces found", len(secrets), found())
	}

	n, err := l.Purge(bg, "S", "retention-90d", admin)
	if n != 2 || err != nil {
		t.Fatalf("purged %d, %v", n, err)
	}
	if n := found(); n != 0 {
		t.Errorf("%d pieces are still in the files", n)
	}
	after := events(t, l, "S")
	if len(after) != 3 || after[2].Type != "retention.purged" || after[2].Actor != admin || after[2].Data["records"] != int64(2) || after[2].Data["why"] != "retention-90d" {
		t.Fatalf("%+v", after)
	}
	for i := range before {
		if !bytes.Equal(after[i].Leaf, before[i].Leaf) || after[i].State != Purged || after[i].Personal != nil {
			t.Errorf("%d: %+v", i, after[i])
		}
	}
	if o := events(t, l, "other"); o[0].State != Present {
		t.Errorf("another session's part is %s", o[0].State)
	}
	r := verify(t, l)
	if !r.OK() || r.Purged != 2 || r.Present != 1 || r.None != 1 || r.Checkpoints != 1 {
		t.Errorf("%+v", r)
	}
	if now, err := l.Latest(bg); err != nil || now.Note != c.Note {
		t.Errorf("the checkpoint is another: %v", err)
	}

	// Life goes on, with a new key; and a second purge takes that.
	appendAll(t, l, event("log.viewed", "S"))
	if list := events(t, l, "S"); list[3].State != Present || list[0].State != Purged {
		t.Errorf("afterwards: %s, %s", list[3].State, list[0].State)
	}
	if n, err := l.Purge(bg, "S", "request", admin); n != 1 || err != nil {
		t.Errorf("the second: %d, %v", n, err)
	}
	if r := verify(t, l); !r.OK() {
		t.Errorf("%+v", r.Findings)
	}
}

// Another node still holds the session's key in memory, and one of its events is
// already sealed with it.
func TestAPurgedKeyIsNotUsedAgain(t *testing.T) {
	a, sa, dir := opened(t)
	b, _ := again(t, dir)
	appendAll(t, a, event("session.paired", "S"))
	appendAll(t, b, event("consent.granted", "S"))
	appendAll(t, a, event("input.summary", "S")) // a has seen its key stand
	late, err := a.prepare([]Event{event("input.summary", "S")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Purge(bg, "S", "request", admin); err != nil {
		t.Fatal(err)
	}
	if err := sa.Update(bg, func(tx store.Tx) error {
		_, err := a.write(tx, []Event{event("input.summary", "S")}, late)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	appendAll(t, b, event("consent.denied", "S"))
	list := events(t, b, "S")
	for i, want := range []State{Purged, Purged, Purged, None, Present, Present} {
		if list[i].State != want {
			t.Errorf("%d (%s) is %s, want %s", i, list[i].Type, list[i].State, want)
		}
	}
	if r := verify(t, a); !r.OK() {
		t.Errorf("%+v", r.Findings)
	}
}

func TestWhatIsGoneWithoutAPurgeIsMissing(t *testing.T) {
	l, st, _ := opened(t)
	appendAll(t, l, event("session.paired", "S"), event("consent.granted", "S"), event("consent.denied", "S"))
	if err := st.Update(bg, func(tx store.Tx) error {
		_, err := tx.Exec("delete from audit_personal where idx = 1")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if list := events(t, l, "S"); list[0].State != Present || list[1].State != Missing || list[2].State != Present {
		t.Errorf("%s, %s", list[0].State, list[1].State)
	}
	// A purge afterwards does not explain it away in the report before it, and
	// one for another session never does.
	if _, err := l.Purge(bg, "other", "request", admin); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, l); len(r.Findings) != 1 || r.Findings[0].What != FoundMissing || r.Findings[0].Index != 1 {
		t.Errorf("%+v", r.Findings)
	}
}

// Somebody who has the key file can seal other words, but not under a
// commitment that stands in the tree.
func TestTheKeyFileIsNotEnoughToChangeAPersonalPart(t *testing.T) {
	l, st, _ := opened(t)
	appendAll(t, l, event("consent.granted", "S"))
	r := events(t, l, "S")[0]
	d := l.keys.deks["session:S"]
	plain := append(make([]byte, 32), `{"name":"Somebody Else"}`...)
	if err := st.Update(bg, func(tx store.Tx) error {
		_, err := tx.Exec("update audit_personal set box = ? where idx = 0", d.aead.Seal(nil, nil, plain, personalAAD(r.ID)))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if list := events(t, l, "S"); list[0].State != Missing || list[0].Personal != nil {
		t.Errorf("%+v", list[0])
	}
	if r := verify(t, l); len(r.Findings) != 1 || r.Findings[0].What != FoundPersonal {
		t.Errorf("%+v", r.Findings)
	}
	// A wrapped key opens only as what it was made for.
	if _, err := l.keys.open(d.id, "session:other", d.wrapped); !errors.Is(err, ErrKey) {
		t.Errorf("for another session: %v", err)
	}
	if _, err := l.keys.open("other", d.scope, d.wrapped); !errors.Is(err, ErrKey) {
		t.Errorf("under another id: %v", err)
	}
}

func TestAPurgeNamesItsSession(t *testing.T) {
	l, _, _ := opened(t)
	if _, err := l.Purge(bg, "", "request", admin); !errors.Is(err, ErrBadEvent) {
		t.Errorf("got %v", err)
	}
}

func TestKeysAreGuarded(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no file modes: the folder's ACL decides there")
	}
	open := func(dir string) error {
		st := storetest.Open(t, dir)
		defer func() { _ = st.Close() }()
		_, err := Open(bg, st, filepath.Join(dir, "keys"))
		return err
	}
	written := func() string {
		l, st, dir := opened(t)
		appendAll(t, l, event("session.ended", "S"))
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	keep := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	other := written()
	for _, name := range []string{kekFile, signerFile} {
		dir := written()
		path := filepath.Join(dir, "keys", name)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		keep(open(dir))
		good, err := os.ReadFile(path)
		keep(err)

		keep(os.Chmod(path, 0o640))
		if err := open(dir); !errors.Is(err, ErrKey) {
			t.Errorf("%s readable by others: %v", name, err)
		}
		keep(os.Chmod(path, 0o600))
		foreign, err := os.ReadFile(filepath.Join(other, "keys", name))
		keep(err)
		for what, text := range map[string][]byte{"foreign": foreign, "empty": nil, "cut": good[:len(good)/2], "huge": make([]byte, 5000)} {
			keep(os.WriteFile(path, text, 0o600))
			if err := open(dir); !errors.Is(err, ErrKey) {
				t.Errorf("%s %s: %v", what, name, err)
			}
		}
		keep(os.Remove(path))
		if err := open(dir); !errors.Is(err, ErrKey) {
			t.Errorf("%s missing: %v", name, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was made anew: what it sealed is lost", name)
		}
		keep(os.WriteFile(path, good, 0o600))
		keep(open(dir))
	}
	if names, err := filepath.Glob(filepath.Join(other, "keys", "*")); err != nil || len(names) != 2 {
		t.Errorf("left behind: %v", names)
	}
}
