package scan

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestACanaryIsFoundInEveryForm(t *testing.T) {
	canary := "a=fingerprint:sha-256 AB:CD/12+x"
	quoted, err := json.Marshal(canary + "<&>")
	if err != nil {
		t.Fatal(err)
	}
	for name, hidden := range map[string]string{
		"as it is":    canary,
		"hex":         hex.EncodeToString([]byte(canary)),
		"HEX":         strings.ToUpper(hex.EncodeToString([]byte(canary))),
		"base64":      base64.StdEncoding.EncodeToString([]byte(canary)),
		"base64 +1":   base64.StdEncoding.EncodeToString([]byte("x" + canary + "tail")),
		"base64 +2":   base64.StdEncoding.EncodeToString([]byte("xy" + canary + "t")),
		"base64url":   base64.RawURLEncoding.EncodeToString([]byte("abc" + canary)),
		"JSON":        string(quoted),
		"percent":     url.QueryEscape("x") + percentAll(canary),
		"JSON slash":  strings.ReplaceAll(canary, "/", `\/`),
		"JSON u-plus": strings.ReplaceAll(canary, "+", `\u002b`),
	} {
		needles := []Needle{{Name: "canary", Value: []byte(canary)}}
		if name == "JSON slash" {
			needles[0].Value = []byte("CD/12")
		}
		if name == "JSON u-plus" {
			needles[0].Value = []byte("12+x")
		}
		heap := []byte("zzz" + hidden + "zzz")
		if hits := Bytes(needles, name, heap); len(hits) == 0 {
			t.Errorf("%s: not found in %q", name, heap)
		}
		if hits := Bytes([]Needle{{Name: "other", Value: []byte("another secret")}}, name, heap); len(hits) != 0 {
			t.Errorf("%s: found what is not there: %v", name, hits)
		}
	}
}

func percentAll(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{s[i]})))
	}
	return b.String()
}

func TestAShortNumberCountsOnlyAlone(t *testing.T) {
	n := []Needle{{Name: "secret", Value: []byte("913706"), Alone: true}}
	if hits := Bytes(n, "", []byte("1764000913706123")); len(hits) != 0 {
		t.Errorf("found inside a longer number: %v", hits)
	}
	if hits := Bytes(n, "", []byte("1764000913706123 x913706,")); len(hits) != 1 {
		t.Errorf("not found after one inside a longer number: %v", hits)
	}
}

func TestFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	if _, err := Dir(nil, dir); err == nil {
		t.Error("an empty folder proves nothing and must be an error")
	}
	if err := os.WriteFile(filepath.Join(dir, "x.db-wal"), []byte("..canary.."), 0o600); err != nil {
		t.Fatal(err)
	}
	hits, err := Dir([]Needle{{Name: "c", Value: []byte("canary")}}, dir)
	if err != nil || len(hits) != 1 {
		t.Errorf("%v %v", hits, err)
	}
}

func TestTheTapSeesThroughTheMask(t *testing.T) {
	up := websocket.Upgrader{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		if _, b, err := c.ReadMessage(); err == nil {
			_ = c.WriteMessage(websocket.BinaryMessage, append([]byte("re:"), b...))
		}
		_, _, _ = c.ReadMessage()
	}))
	defer srv.Close()
	tap, err := NewTap("127.0.0.1:0", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer tap.Close()
	c, _, err := websocket.DefaultDialer.Dial("ws://"+tap.Addr()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("long ", 20000) + "canary"
	if err := c.WriteMessage(websocket.BinaryMessage, []byte(long)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	tap.Close()
	streams, err := tap.Plaintext()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, s := range streams {
		found += len(Bytes([]Needle{{Name: "c", Value: []byte("canary")}}, "", s))
	}
	if found != 2 {
		t.Errorf("found %d times, want once up and once down", found)
	}
}
