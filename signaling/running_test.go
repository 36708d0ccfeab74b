package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEveryFlagIsInTheDocumentation: docs/running.md says what `serve` can be told.
func TestEveryFlagIsInTheDocumentation(t *testing.T) {
	docs, err := os.ReadFile("../docs/running.md")
	if err != nil {
		t.Fatal(err)
	}
	var help strings.Builder
	_ = serve(t.Context(), []string{"--help"}, &help, &help)
	flags := regexp.MustCompile(`(?m)^  (--[a-z-]+)`).FindAllStringSubmatch(help.String(), -1)
	if len(flags) < 15 {
		t.Fatalf("the help names %d flags:\n%s", len(flags), help.String())
	}
	for _, f := range flags {
		if !strings.Contains(string(docs), "`"+f[1]+"`") {
			t.Errorf("docs/running.md says nothing of %s", f[1])
		}
	}
}

// TestTheUnitKeepsEverythingInItsFolder: the server may write to its state directory
// only, so what it keeps and what it gives out lie there; and the documentation hands
// it the credentials where systemd puts them.
func TestTheUnitKeepsEverythingInItsFolder(t *testing.T) {
	b, err := os.ReadFile("resources/mainforte-signaling.service")
	if err != nil {
		t.Fatal(err)
	}
	value := func(key string) string {
		m := regexp.MustCompile(`(?m)^` + key + `=(.*)$`).FindSubmatch(b)
		if m == nil {
			t.Fatalf("the unit has no %s", key)
		}
		return string(m[1])
	}
	home := "/var/lib/" + value("StateDirectory")
	call := strings.Fields(value("ExecStart"))
	seen := map[string]bool{}
	for i, word := range call[:len(call)-1] {
		if word == "--data" || word == "--downloads" {
			seen[word] = true
			if at := call[i+1]; at != home && !strings.HasPrefix(at, home+"/") {
				t.Errorf("%s %s is outside %s", word, at, home)
			}
		}
	}
	if !seen["--data"] || !seen["--downloads"] || call[len(call)-1] != "$MAINFORTE_FLAGS" {
		t.Errorf("the unit calls %q", call)
	}
	docs, err := os.ReadFile("../docs/running.md")
	if err != nil {
		t.Fatal(err)
	}
	given := regexp.MustCompile(`LoadCredential=([a-z.]+):`).FindAllSubmatch(docs, -1)
	if len(given) == 0 {
		t.Error("docs/running.md hands over no credential")
	}
	for _, g := range given {
		if !strings.Contains(string(docs), "/run/credentials/mainforte-signaling.service/"+string(g[1])) {
			t.Errorf("docs/running.md does not say where %s is found", g[1])
		}
	}
}
