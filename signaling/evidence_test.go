package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mainforte/mainforte/signaling/api"
	"github.com/mainforte/mainforte/signaling/audit"
)

// house makes a data folder with one ended session, and returns the root that
// stands in its ticket.
func house(t *testing.T) (data, root string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	srv, err := api.New(api.Config{Data: data, PublicHost: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range []string{"session.paired", "consent.granted", "session.ended"} {
		_, err := srv.Log().Append(t.Context(), audit.Event{
			Type: typ, Session: "S", Outcome: "ok", Origin: "server", Actor: audit.Actor{Kind: "technician", Ref: "01T"},
			Personal: map[string]any{"technician": "Zoë Ölçü"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := srv.Log().Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return data, c.RootText()
}

// called runs a command as main does.
func called(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, &o, &e)
	return code, o.String(), e.String()
}

func TestTheExitCodeOfVerify(t *testing.T) {
	data, root := house(t)
	dir := filepath.Join(t.TempDir(), "export")
	if code, _, errs := called(t, "export", "--data", data, "--out", dir); code != 0 {
		t.Fatal(errs)
	}
	note := filepath.Join(t.TempDir(), "note.txt")
	if err := os.WriteFile(note, []byte("Racine signée du registre : "+root+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "keys", "log.vkey")
	other := strings.Replace(root, root[:1], map[bool]string{true: "B", false: "A"}[root[0] == 'A'], 1)
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{2, "SIGNER UNPROVEN", nil},
		{0, "PROVEN: every event", []string{"--key", key}},
		{0, "PROVEN by the ticket up to record 2", []string{"--ticket", note}},
		{0, "PROVEN by the ticket up to record 2", []string{"--ticket", root}},
		{0, "PROVEN: every event", []string{"--ticket", root, "--key", key}},
		{1, "ticket: no session of this log ended with the root " + other, []string{"--ticket", other}},
		{2, "say which export", []string{"more"}},
	} {
		code, out, errs := called(t, append([]string{"verify", dir}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.says) && code != 2 {
			t.Errorf("%v: exit code %d: %s%s", c.args, code, out, errs)
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, "events.jsonl"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("X"), 40); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {"--key", key}, {"--ticket", root}} {
		if code, out, _ := called(t, append([]string{"verify", dir}, args...)...); code != 1 || !strings.HasPrefix(out, "record 0: ") {
			t.Errorf("%v: exit code %d: %s", args, code, out)
		}
	}
	if code := run(t.Context(), []string{"verify", "--data", data}, io.Discard, io.Discard); code != 0 {
		t.Errorf("the server's own log: %d", code)
	}
}
