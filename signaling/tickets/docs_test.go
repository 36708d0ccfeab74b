package tickets

import (
	"os"
	"strings"
	"testing"
)

// What docs/tickets.md says is read by admins only; so it is counted here that no
// system is forgotten in it.
func TestTheDocumentationForgetsNoDesk(t *testing.T) {
	b, err := os.ReadFile("../../docs/tickets.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq("\n"+string(b), "\n## ") {
		name, text, _ := strings.Cut(part, "\n")
		parts[name] = text
	}
	for part, quote := range map[string]string{
		"Tested against": "| `%` |", "What each can do": "\n| `%` |", "Setting up": "`\"system\": \"%\"`", "Telling Mainforte what happens in the desk": "`%`",
	} {
		if parts[part] == "" {
			t.Errorf("there is no part %q", part)
		}
		for _, system := range Systems() {
			if !strings.Contains(parts[part], strings.ReplaceAll(quote, "%", system)) {
				t.Errorf("%q does not name %s", part, system)
			}
		}
	}
}
