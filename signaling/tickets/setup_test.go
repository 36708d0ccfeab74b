package tickets_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mainforte/mainforte/signaling/tickets"
)

// file writes a file for an owner only.
func file(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadDesks(t *testing.T) {
	dir := t.TempDir()
	file(t, filepath.Join(dir, "rt.token"), "1-23-abc\n")
	path := file(t, filepath.Join(dir, "desks.json"), `{
		"desks": [
			{"name": "rt", "system": "rt", "url": "http://rt.example.org/rt", "token": {"file": "rt.token"}, "plain_http": true,
			 "allow": ["127.0.0.1", "fe80::/10"], "timeout": "5s", "per_minute": 30, "lang": "fr", "hook_secret": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"},
			{"name": "help-2", "system": "servicenow", "url": "https://x.service-now.com", "client_id": "c", "client_secret": "s", "table": "case", "format": "plain"},
			{"name": "mail", "system": "email", "url": "smtps://mail.example.org", "user": "u", "password": "p", "from": "a@example.org", "to": "b@example.org", "subject": "[#{ticket}]"}
		],
		"policy": {"desk": "rt", "ticket": "allowed", "note": "public", "chat": true, "offline": "allow"}
	}`)
	got, err := tickets.ReadDesks(path)
	if err != nil {
		t.Fatal(err)
	}
	want := tickets.Setup{
		Desks: []tickets.DeskSetup{
			{Name: "rt", PerMinute: 30, Config: tickets.Config{
				System: "rt", URL: "http://rt.example.org/rt", Token: "1-23-abc", PlainHTTP: true, Timeout: 5 * time.Second, Lang: "fr",
				Allow:      []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fe80::/10")},
				HookSecret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3",
			}},
			{Name: "help-2", Config: tickets.Config{
				System: "servicenow", URL: "https://x.service-now.com", ClientID: "c", ClientSecret: "s", Table: "case", Format: "plain",
			}},
			{Name: "mail", Config: tickets.Config{
				System: "email", URL: "smtps://mail.example.org", User: "u", Password: "p", From: "a@example.org", To: "b@example.org", Subject: "[#{ticket}]",
			}},
		},
		Policy: tickets.Policy{Desk: "rt", Ticket: "allowed", Note: "public", Chat: "note", Offline: "allow"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if d, err := tickets.NewDesks(nil, got); err != nil || len(d.Names()) != 4 || d.Kind("help-2") != "servicenow" || d.Policy() != got.Policy {
		t.Errorf("%+v %v", d, err)
	}
	if got, err := tickets.ReadDesks(file(t, path, "{}")); err != nil || !reflect.DeepEqual(got, tickets.Setup{}) {
		t.Errorf("nothing: %+v %v", got, err)
	}
}

func TestReadDesksSaysWhatIsWrongAndShowsNoSecret(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "desks.json")
	file(t, filepath.Join(dir, "two lines"), "hush\nhush")
	file(t, filepath.Join(dir, "nothing"), " \n")
	file(t, filepath.Join(dir, "large"), strings.Repeat("hush", 10_000))
	desk := func(rest string) string {
		return `{"desks": [{"name": "rt", "system": "rt", "url": "https://rt.example.org"` + rest + `}]}`
	}
	for text, want := range map[string]string{
		``:                                       `it ends too early`,
		`{`:                                      `it ends too early`,
		`{} {}`:                                  `something follows the end`,
		`{"desk": []}`:                           `unknown field "desk"`,
		`{"desks": {}}`:                          `desks: a JSON object does not belong here`,
		`{"desks": [{]}`:                         `it is not JSON`,
		`{"desks": [{"system": "rt"}]}`:          `the desk at place 1: the name of a desk`,
		`{"policy": {"desks": "x"}}`:             `policy: unknown field "desks"`,
		`{"policy": {"desk": "x"}}`:              `policy: desk names "x"`,
		desk(``):                                 `desk "rt": rt needs token`,
		desk(`, "tokens": "hush"`):               `desk "rt": unknown field "tokens"`,
		desk(`, "token": 7`):                     `desk "rt": token: a secret is a text, or {"file": "path"}`,
		desk(`, "token": {"file": "nothing"}`):   `desk "rt": token: file nothing: it does not hold one line`,
		desk(`, "token": {"file": "two lines"}`): `desk "rt": token: file two lines: it does not hold one line`,
		desk(`, "token": {"file": "large"}`):     `desk "rt": token: file large: it is larger than`,
		desk(`, "token": {"file": "."}`):         `desk "rt": token: file .: it is not a file`,
		desk(`, "token": {"file": "none"}`):      `desk "rt": token: file none: it cannot be read: no such file`,
		desk(`, "token": {"file": "none", "hush": "hush"}`): `a secret is a text, or`,
		desk(`, "token": "hush", "allow": ["x"]`):           `desk "rt": allow: "x" is neither`,
		desk(`, "token": "hush", "timeout": "1h"`):          `desk "rt": timeout: "1h" is not between`,
		desk(`, "token": "hush", "timeout": 5`):             `desk "rt": timeout: a JSON number does not belong here`,
		desk(`, "token": "hush", "per_minute": -1`):         `desk "rt": per_minute: -1`,
		desk(`, "token": "hush", "ca_file": "nothing"`):     `desk "rt": ca_file nothing: there is no certificate`,
		desk(`, "token": "hush", "lang": "de"`):             `desk "rt": lang is en or fr`,
		`{"desks": [{"name": "a", "system": "fax"}]}`:       `desk "a": system "fax" is not known`,
		`{"desks": [` + strings.Repeat(`{},`, 40) + `{}]}`:  `more than 32 desks`,
		strings.Repeat(" ", 300<<10):                        `it is larger than`,
	} {
		_, err := tickets.ReadDesks(file(t, path, text))
		switch {
		case !errors.Is(err, tickets.ErrConfig):
			t.Errorf("%.60s: %v", text, err)
		case !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path):
			t.Errorf("%.60s: %v\nwant %s", text, err, want)
		case strings.Contains(err.Error(), "hush"):
			t.Errorf("%.60s: a secret is shown: %v", text, err)
		}
	}
}

func TestASecretIsNotForEverybody(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	dir := t.TempDir()
	token := file(t, filepath.Join(dir, "token"), "hush")
	outside := file(t, filepath.Join(dir, "desks.json"), `{"desks": [{"name": "rt", "system": "rt", "url": "https://rt.example.org", "token": {"file": "token"}}]}`)
	inside := file(t, filepath.Join(dir, "inside.json"), `{"desks": [{"name": "rt", "system": "rt", "url": "https://rt.example.org", "token": "hush"}]}`)
	for mode, fine := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: true, 0o644: false, 0o660: false, 0o604: false, 0o602: false} {
		for _, p := range []string{token, inside} {
			if err := os.Chmod(p, mode); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range []string{outside, inside} {
			if _, err := tickets.ReadDesks(p); (err == nil) != fine || err != nil && !errors.Is(err, tickets.ErrConfig) {
				t.Errorf("%s with %o: %v", filepath.Base(p), mode, err)
			}
		}
	}
	// Without a secret in it anybody may read the file.
	if err := errors.Join(os.Chmod(token, 0o600), os.Chmod(outside, 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := tickets.ReadDesks(outside); err != nil {
		t.Error(err)
	}
}

// FuzzReadDesks reads what stands in a desks file: whatever it is, the answer is
// desks that can be made, or an error of the configuration that shows no secret.
func FuzzReadDesks(f *testing.F) {
	f.Add(`{"desks": [{"name": "rt", "system": "rt", "url": "https://rt.example.org", "token": {"file": "x"}}], "policy": {"desk": "rt"}}`)
	f.Add(`{"desks": [{"name": "a", "system": "zammad", "url": "http://127.0.0.1", "token": "x", "allow": ["::1"], "timeout": "9s"}]}`)
	f.Add(`{"policy": {"ticket": "created", "note": "public", "chat": true, "offline": "allow"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		const hush = "hush-0123456789abcdef"
		setup, err := tickets.ParseDesks([]byte(text), func(string) (string, error) { return hush, nil })
		if err != nil {
			if strings.Contains(err.Error(), hush) {
				t.Errorf("a secret is shown: %v", err)
			}
			return
		}
		if _, err := tickets.NewDesks(nil, setup); err != nil && (!errors.Is(err, tickets.ErrConfig) || strings.Contains(err.Error(), hush)) {
			t.Errorf("%v", err)
		}
	})
}
