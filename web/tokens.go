package web

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	darkTokens = regexp.MustCompile(`(?s)@media \(prefers-color-scheme: dark\) \{\s*:root \{(.*?)\}`)
	oneToken   = regexp.MustCompile(`--([\w-]+):\s*(#[0-9a-f]{6});`)
)

// Tokens are the colours of static/tokens.css by their names without dashes in front,
// each as "#rrggbb": those of a light page, or of a dark one.
func Tokens(dark bool) (map[string]string, error) {
	b, err := static.ReadFile("static/tokens.css")
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	light, _, _ := strings.Cut(string(b), "@media")
	blocks := []string{light}
	if m := darkTokens.FindStringSubmatch(string(b)); dark && m != nil {
		blocks = append(blocks, m[1])
	}
	tokens := map[string]string{}
	for _, block := range blocks {
		for _, m := range oneToken.FindAllStringSubmatch(block, -1) {
			tokens[m[1]] = m[2]
		}
	}
	return tokens, nil
}
