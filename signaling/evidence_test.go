package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/certs"
	"github.com/mainforte/mainforte/signaling/api"
	"github.com/mainforte/mainforte/signaling/audit"
	"github.com/mainforte/mainforte/signaling/audit/formats"
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

// collector accepts one connection after another and passes on what they carry.
func collector(t *testing.T) (address, ca string, got <-chan string) {
	t.Helper()
	dir := t.TempDir()
	if _, err := certs.Dev(dir, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certs.CertFile), filepath.Join(dir, certs.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	all := make(chan string, 16)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b, _ := io.ReadAll(c)
			_ = c.Close()
			all <- string(b)
		}
	}()
	return ln.Addr().String(), filepath.Join(dir, certs.CAFile), all
}

func TestOnlyWhatIsNewIsSent(t *testing.T) {
	data, _ := house(t)
	address, ca, got := collector(t)
	state := filepath.Join(t.TempDir(), "state")
	args := []string{"export", "--data", data, "--format", "cef", "--syslog", address, "--ca", ca, "--state", state, "--host", "help.example.org"}
	if code, out, errs := called(t, args...); code != 0 || out != "4 events sent, up to record 3\n" {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	first := <-got
	if code, out, errs := called(t, args...); code != 0 || out != "1 events sent, up to record 4\n" {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	second := <-got
	if strings.Count(first, " help.example.org mainforte - ") != 4 || strings.Contains(first, "Zoë") || !strings.Contains(first, `index="3"`) {
		t.Errorf("first: %s", first)
	}
	if strings.Count(second, " help.example.org mainforte - ") != 1 || !strings.Contains(second, `index="4"`) {
		t.Errorf("second: %s", second)
	}
	if err := os.WriteFile(state, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := called(t, args...); code != 1 || !strings.Contains(errs, "does not hold the number") {
		t.Errorf("%d %s", code, errs)
	}

	// A follower sends what comes, until it is stopped.
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int)
	go func() { done <- run(ctx, append(args, "--follow", "--personal"), io.Discard, io.Discard) }()
	for sent := 0; sent < 2; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(state); err != nil {
			continue
		}
		if sent++; sent == 1 { // something new, while it runs
			if code, _, errs := called(t, "export", "--data", data, "--format", "jsonl", "--out", "-"); code != 0 {
				t.Fatal(errs)
			}
			if err := os.Remove(state); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
	if all := <-got; !strings.Contains(all, "Zoë") || strings.Count(all, " help.example.org mainforte - ") != 8 || !strings.Contains(all, "cs5={\"format\":\"jsonl\"") {
		t.Errorf("it sent %s", all)
	}
}

// A webhook hears of what is new since it was set up, signed, and of nothing twice that
// it has taken.
func TestAWebhookHearsOfWhatIsNew(t *testing.T) {
	data, _ := house(t)
	dir := t.TempDir()
	key := []byte("a key of exactly 32 bytes, so it")
	secret, state := filepath.Join(dir, "secret"), filepath.Join(dir, "state")
	if err := os.WriteFile(secret, []byte("whsec_"+base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	type call struct{ id, body string }
	calls := make(chan call, 16)
	answer := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header
		if h.Get("webhook-signature") != formats.Sign(key, h.Get("webhook-id"), h.Get("webhook-timestamp"), body) {
			t.Errorf("not signed: %v", h)
		}
		calls <- call{h.Get("webhook-id"), string(body)}
		w.WriteHeader(answer)
	}))
	defer srv.Close()
	args := []string{"export", "--data", data, "--webhook", srv.URL, "--secret", secret, "--state", state}
	if code, out, errs := called(t, args...); code != 0 || out != "0 events sent, up to record 3\n" || len(calls) != 0 {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	answer = http.StatusBadGateway
	if code, _, errs := called(t, args...); code != 1 || !strings.Contains(errs, "502") {
		t.Fatalf("%d %s", code, errs)
	}
	before := <-calls
	answer = http.StatusOK
	if code, out, errs := called(t, args...); code != 0 || out != "2 events sent, up to record 5\n" {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	first, second := <-calls, <-calls
	if first != before || first.id == second.id || !strings.HasPrefix(first.body, `{"data":{`) || !strings.Contains(first.body, `"type":"log.exported"`) {
		t.Errorf("%v, then %v and %v", before, first, second)
	}
	if code, out, errs := called(t, append(args, "--only", "session.*,ticket.*")...); code != 0 || out != "1 events looked at, up to record 6\n" || len(calls) != 0 {
		t.Errorf("%d %s %s", code, out, errs)
	}
	for says, more := range map[string][]string{
		"no event is of such a type": {"--only", "sesion.*"},
		"over https only":            {"--webhook", "http://hooks.example.org/"},
		"is not an address":          {"--webhook", "hooks.example.org"},
		"goes with neither":          {"--headers", secret},
		"needs --secret":             {"--secret", ""},
		"needs --state":              {"--state", ""},
	} {
		if code, _, errs := called(t, append(args, more...)...); code != 2 || !strings.Contains(errs, says) {
			t.Errorf("%v: %d %s", more, code, errs)
		}
	}
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := called(t, args...); code != 1 || !strings.Contains(errs, "not a key") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestAHoldGoesBeforeAPurge(t *testing.T) {
	data, root := house(t)
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{0, "", []string{"hold", "--session", "S", "--why", "case 12"}},
		{0, "held: S\n", []string{"show"}},
		{1, "a legal hold keeps this session", []string{"purge", "--session", "S"}},
		{0, "", []string{"lift", "--session", "S"}},
		{0, "4 personal parts destroyed\n", []string{"purge", "--session", "S"}}, // three, and why it was held
		{0, "0 personal parts destroyed\n", []string{"purge", "--session", "S"}},
	} {
		code, out, errs := called(t, append([]string{"retention", c.args[0], "--data", data}, c.args[1:]...)...)
		if code != c.code || !strings.Contains(out+errs, c.says) {
			t.Errorf("%v: exit code %d: %s%s", c.args, code, out, errs)
		}
	}
	dir := filepath.Join(t.TempDir(), "export")
	if code, _, errs := called(t, "export", "--data", data, "--out", dir, "--personal"); code != 0 {
		t.Fatal(errs)
	}
	code, out, _ := called(t, "verify", dir, "--ticket", root)
	if code != 0 || !strings.Contains(out, "purged under policy request: 4\n") || !strings.Contains(out, "4 purged") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestASessionIsPrinted(t *testing.T) {
	data, _ := house(t)
	for _, c := range []struct {
		code int
		has  []string
		not  []string
		args []string
	}{
		{0, []string{`<html lang="fr">`, "Rapport d’une session", "ne figurent pas dans ce rapport"}, []string{"Zoë"}, []string{"--session", "S", "--lang", "fr"}},
		{0, []string{`<html lang="en">`, "Zoë Ölçü"}, nil, []string{"--session", "S", "--personal"}},
		{0, []string{"%PDF-"}, []string{"<html"}, []string{"--session", "S", "--pdf"}},
		{1, []string{"knows no such session"}, nil, []string{"--session", "T"}},
		{2, []string{"--session ID is needed"}, nil, nil},
		{2, []string{"en or fr"}, nil, []string{"--session", "S", "--lang", "de"}},
		{0, nil, []string{"html"}, []string{"--session", "S", "--out", filepath.Join(t.TempDir(), "page.html")}},
	} {
		code, out, errs := called(t, append([]string{"report", "--data", data}, c.args...)...)
		if code != c.code {
			t.Errorf("%v: exit code %d: %s%s", c.args, code, out, errs)
		}
		for _, s := range c.has {
			if !strings.Contains(out+errs, s) {
				t.Errorf("%v: no %q in %s%s", c.args, s, out, errs)
			}
		}
		for _, s := range c.not {
			if strings.Contains(out, s) {
				t.Errorf("%v: %q is there", c.args, s)
			}
		}
	}
	if code, out, _ := called(t, "verify", "--data", data); code != 0 || !strings.Contains(out, "7 events") {
		t.Errorf("it was not logged each time: %s", out)
	}
}
