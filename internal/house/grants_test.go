package house

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryGrantHasAName: what a host can ask for, log and be asked for has words in
// both languages wherever a person, a technician or an auditor reads of it.
func TestEveryGrantHasAName(t *testing.T) {
	grants := []string{"annotate", "clipboard_in", "clipboard_out", "control", "elevate", "file_in", "file_out", "reconnect", "screenshot", "sysinfo", "view"}
	house := root(t)
	for _, in := range []struct {
		folder, prefix string
		more           bool // it may name others, that no host asks for any more
	}{{"host/ui/locales", "grant.", false}, {"web/locales", "grant.", true}, {"signaling/tickets/locales", "grant_name.", true}} {
		for _, lang := range []string{"en", "fr"} {
			path := filepath.Join(house, in.folder, lang+".json")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var texts map[string]string
			if err := json.Unmarshal(b, &texts); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			for _, g := range grants {
				if texts[in.prefix+g] == "" {
					t.Errorf("%s has no name for the grant %s", path, g)
				}
			}
			for _, key := range slices.Sorted(maps.Keys(texts)) {
				if g, ok := strings.CutPrefix(key, in.prefix); ok && !in.more && !slices.Contains(grants, g) {
					t.Errorf("the host asks for %s, which stands in no list: name it here, in web/locales and in signaling/tickets/locales", g)
				}
			}
		}
	}
}
